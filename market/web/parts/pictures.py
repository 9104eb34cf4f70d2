"""Photos of lots as they are kept: drawn anew, with a thumbnail."""

import asyncio
import hashlib

from PIL import Image, ImageOps

from market.errors import Invalid
from market.pictures import ENDINGS as ENDINGS
from market.pictures import MOST_BYTES as MOST_BYTES
from market.pictures import drawn_anew, webp
from market.supply.operations import NewPicture
from market.web.parts.forms import Upload
from market.web.parts.typed import Wrong

MOST_PICTURES = 4
_LONGEST_SIDE = 1600
_THUMB_SIDE = 320
_THUMB_BYTES = 25_000


async def picture_from(upload: Upload) -> NewPicture:
    """Return the picture and its thumbnail as WebP. Runs beside the event loop.

    Raises:
        Wrong: it is no picture, too large, or damaged.
    """
    try:
        return await asyncio.to_thread(_with_thumb, upload)
    except Invalid as refused:
        raise Wrong(refused.message) from None


def _with_thumb(upload: Upload) -> NewPicture:
    picture = drawn_anew(upload.content, name=upload.name, longest=_LONGEST_SIDE)
    image = webp(picture, quality=80)
    return NewPicture(
        image=image,
        thumb=_thumb(picture),
        width=picture.width,
        height=picture.height,
        content_hash=hashlib.sha256(image).hexdigest(),
    )


def _thumb(picture: Image.Image) -> bytes:
    square = ImageOps.fit(picture, (_THUMB_SIDE, _THUMB_SIDE))
    for quality in (75, 60, 45, 30):
        content = webp(square, quality=quality)
        if len(content) <= _THUMB_BYTES:
            return content
    return webp(square.resize((_THUMB_SIDE // 2, _THUMB_SIDE // 2)), quality=30)

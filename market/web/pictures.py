"""Photos as they are kept: drawn anew, turned upright, without the camera's metadata (place, owner).

Only raster pictures are read; the format is found in the content, whatever the file's name says.
"""

import asyncio
import hashlib
import io
import warnings

from PIL import Image, ImageOps, UnidentifiedImageError

from market.i18n import msg
from market.supply.operations import NewPicture
from market.web.forms import Upload
from market.web.typed import Wrong

ENDINGS = (".jpg", ".jpeg", ".png", ".webp")
MOST_PICTURES = 4
MOST_BYTES = 8_000_000
_FORMATS = ("JPEG", "PNG", "WEBP")
#: More pixels than any phone's camera gives; a small file can hold far more (a decompression bomb).
_MOST_PIXELS = 64_000_000
_LONGEST_SIDE = 1600
_THUMB_SIDE = 320
_THUMB_BYTES = 25_000


async def picture_from(upload: Upload) -> NewPicture:
    """Return the picture and its thumbnail as WebP. Runs beside the event loop.

    Raises:
        Wrong: it is no picture, too large, or damaged.
    """
    return await asyncio.to_thread(_drawn_anew, upload)


def _drawn_anew(upload: Upload) -> NewPicture:
    name = upload.name[:60]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(upload.content), formats=_FORMATS) as opened:
                if opened.width * opened.height > _MOST_PIXELS:
                    raise Wrong(msg("“{name}”的像素太多，请用手机相册缩小后再传。", name=name))
                opened.draft("RGB", (_LONGEST_SIDE, _LONGEST_SIDE))
                upright = ImageOps.exif_transpose(opened)
                picture = _on_white(upright)
    except UnidentifiedImageError:
        raise Wrong(msg("“{name}”的内容不是 JPG、PNG 或 WebP 图片，请重新选择照片。", name=name)) from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise Wrong(msg("“{name}”已损坏，打不开，请重新选择照片。", name=name)) from None
    picture.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    image = _webp(picture, quality=80)
    return NewPicture(
        image=image,
        thumb=_thumb(picture),
        width=picture.width,
        height=picture.height,
        content_hash=hashlib.sha256(image).hexdigest(),
    )


def _on_white(picture: Image.Image) -> Image.Image:
    """Return an RGB copy that carries nothing but pixels."""
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        layered = picture.convert("RGBA")
        ground = Image.new("RGB", layered.size, "white")
        ground.paste(layered, mask=layered.getchannel("A"))
        return ground
    plain = picture.convert("RGB")
    plain.info.clear()
    return plain


def _thumb(picture: Image.Image) -> bytes:
    square = ImageOps.fit(picture, (_THUMB_SIDE, _THUMB_SIDE))
    for quality in (75, 60, 45, 30):
        content = _webp(square, quality=quality)
        if len(content) <= _THUMB_BYTES:
            return content
    return _webp(square.resize((_THUMB_SIDE // 2, _THUMB_SIDE // 2)), quality=30)


def _webp(picture: Image.Image, *, quality: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=quality, method=4)
    return buffer.getvalue()

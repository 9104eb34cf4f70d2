"""Pictures that people send, drawn anew: upright, without the camera's metadata (place, owner).

Only raster pictures are read; the format is found in the content, whatever the file's name says.
"""

import io
import warnings

from PIL import Image, ImageOps, UnidentifiedImageError

from market.errors import Invalid
from market.i18n import msg

ENDINGS = (".jpg", ".jpeg", ".png", ".webp")
MOST_BYTES = 8_000_000
_FORMATS = ("JPEG", "PNG", "WEBP")
#: More pixels than any phone's camera gives; a small file can hold far more (a decompression bomb).
_MOST_PIXELS = 64_000_000


def drawn_anew(content: bytes, *, name: str, longest: int) -> Image.Image:
    """Return the picture, its longer side ``longest`` at most. It computes: call it in a thread.

    Raises:
        Invalid: it is no picture, has too many pixels, or is damaged.
    """
    name = name[:60]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=_FORMATS) as opened:
                if opened.width * opened.height > _MOST_PIXELS:
                    raise Invalid(msg("“{name}”的像素太多，请用手机相册缩小后再传。", name=name))
                opened.draft("RGB", (longest, longest))
                upright = ImageOps.exif_transpose(opened)
                picture = _on_white(upright)
    except UnidentifiedImageError:
        raise Invalid(msg("“{name}”的内容不是 JPG、PNG 或 WebP 图片，请重新选择照片。", name=name)) from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise Invalid(msg("“{name}”已损坏，打不开，请重新选择照片。", name=name)) from None
    picture.thumbnail((longest, longest))
    return picture


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


def webp(picture: Image.Image, *, quality: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=quality, method=4)
    return buffer.getvalue()

"""Illustrations (示意图) that stand for a lot until its owner takes photographs.

Drawn, not photographed, and said so in the alternative text; the same kind always gives the same
bytes. Nothing is stored in the repository: the demo draws what it needs when it loads.
"""

import io
from functools import cache

import msgspec
from PIL import Image

from seeds import reference
from seeds.drawing import HEIGHT, WIDTH
from seeds.scenes import BY_CATEGORY, BY_PRODUCE, FALLBACK, Scene

#: The longer side of a thumbnail in pixels, and the most bytes that it may have.
THUMB_WIDTH = 480
THUMB_BYTES = 25 * 1024


class Illustration(msgspec.Struct, frozen=True):
    """A drawing as WebP, with what it says to those who cannot see it."""

    image: bytes
    thumb: bytes
    width: int
    height: int
    alt_zh: str
    alt_en: str


@cache
def illustration(produce: str) -> Illustration:
    """Return the drawing for a kind of produce: its own, else its category's, else a crate."""
    kind = next(each for each in reference.produce() if each.code == produce)
    scene = BY_PRODUCE.get(produce) or BY_CATEGORY.get(kind.category, FALLBACK)
    image = drawn(scene)
    thumb = image.resize((THUMB_WIDTH, THUMB_WIDTH * HEIGHT // WIDTH), Image.Resampling.LANCZOS)
    return Illustration(
        image=_webp(image, 82),
        thumb=_webp(thumb, 78),
        width=WIDTH,
        height=HEIGHT,
        alt_zh=f"示意图：{kind.zh}（绘图，非实物照片）",
        alt_en=f"Illustration: {kind.en} (a drawing, not a photograph)",
    )


@cache
def drawn(scene: Scene) -> Image.Image:
    return scene().image()


def _webp(image: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    image.save(out, "WEBP", quality=quality, method=4)
    return out.getvalue()

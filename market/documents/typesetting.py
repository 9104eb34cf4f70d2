"""From data to PDF or picture by Typst. Knows no database: what is printed comes in, bytes go out.

A template is ``templates/<name>.typ``. It finds its data as JSON under ``sys.inputs.data`` (``base.typ``
reads it), so a name with ``#``, ``$`` or a quote in it is printed and never run. Fonts come with the
installation (Noto Sans, by the justmytype wheel) and with Typst; those of the machine are left out, so that a
paper looks the same wherever it was made.

Setting type takes the processor: call it in a thread, long papers in a process.
"""

import io
import tempfile
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast

import justmytype_intl_cjk
import msgspec
import segno
import typst
from fontTools.ttLib import TTFont
from PIL import Image

TEMPLATES = Path(__file__).parent / "templates"
_FONTS = Path(justmytype_intl_cjk.__file__).parent / "fonts"
#: In the order in which a glyph is looked for; ``base.typ`` names the same.
FAMILIES = ("NotoSansSC", "NotoSansJP", "NotoSansTC", "NotoSansKR")
#: Signs that are not drawn: controls, joiners, variation selectors, and all kinds of spaces and line ends.
_UNDRAWN = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})
_VARIATION_SELECTORS = range(0xFE00, 0xFE10)


def pdf(
    template: str,
    data: Mapping[str, Any],
    *,
    images: Mapping[str, bytes] | None = None,
    tagged: bool = True,
) -> bytes:
    """Return the paper as PDF.

    Args:
        template: name of a file in ``templates/``, without its ending.
        data: anything that msgspec writes as JSON.
        images: file name -> PNG or JPEG; the template reads ``image("/images/<name>")``.
        tagged: for screen readers; what goes to the printer by the hundred is three times smaller without.

    Raises:
        typst.TypstError: the template cannot be set with these data.
    """
    return _compiled(template, data, images or {}, "pdf", 72, tagged)


def png(
    template: str,
    data: Mapping[str, Any],
    *,
    images: Mapping[str, bytes] | None = None,
    pixels_per_inch: float = 72,
) -> bytes:
    """Return the first page as PNG; at 72 per inch a point of the template is a pixel."""
    return _compiled(template, data, images or {}, "png", pixels_per_inch, False)


def _compiled(
    template: str,
    data: Mapping[str, Any],
    images: Mapping[str, bytes],
    form: Literal["pdf", "png"],
    pixels_per_inch: float,
    tagged: bool,
) -> bytes:
    # Typst reads files below its root alone: templates and pictures are laid side by side for it
    with tempfile.TemporaryDirectory(prefix="papers-") as folder:
        root = Path(folder)
        for path in TEMPLATES.glob("*.typ"):
            (root / path.name).write_bytes(path.read_bytes())
        (root / "images").mkdir()
        for name, content in images.items():
            (root / "images" / Path(name).name).write_bytes(content)
        made: Any = typst.compile(
            root / f"{template}.typ",
            root=root,
            format=form,
            ppi=pixels_per_inch,
            font_paths=_fonts(),
            ignore_system_fonts=True,
            pdf_tags=tagged,
            sys_inputs={"data": msgspec.json.encode(data).decode()},
        )
    # pictures of several pages come as a list
    return cast(bytes, made[0] if isinstance(made, list) else made)


@cache
def _fonts() -> typst.Fonts:
    return typst.Fonts(
        include_system_fonts=False, include_embedded_fonts=True, font_paths=[str(path) for path in _files()]
    )


def _files() -> list[Path]:
    return [_FONTS / "ofl" / family.lower() for family in FAMILIES]


@cache
def _drawable() -> frozenset[int]:
    """Return every code point that one of the fonts has a glyph for."""
    points: set[int] = set()
    for folder in _files():
        for path in folder.glob("*.ttf"):
            with TTFont(path, lazy=True) as font:
                points.update(font.getBestCmap())
    return frozenset(points)


def missing_glyphs(text: str) -> str:
    """Return the signs of ``text``, each once, that would be printed as an empty box."""
    drawable = _drawable()
    return "".join(
        sign
        for sign in dict.fromkeys(text)
        if ord(sign) not in drawable
        and unicodedata.category(sign) not in _UNDRAWN
        and ord(sign) not in _VARIATION_SELECTORS
    )


def missing_in(data: object) -> Iterable[tuple[str, str]]:
    """Yield (text, its missing signs) for every text within ``data`` that has some."""
    if isinstance(data, str):
        if missing := missing_glyphs(data):
            yield data, missing
    elif isinstance(data, Mapping):
        for value in data.values():
            yield from missing_in(value)
    elif isinstance(data, (list, tuple)):
        for value in data:
            yield from missing_in(value)


def qr_svg(content: str) -> str:
    """Return a QR code as SVG for the template's ``qr()``: dark squares on nothing, a quiet zone of 2 around.

    Each run of dark squares is a hair taller than its row, else viewers draw white lines between rows.
    """
    rows = [bytes(row) for row in segno.make(content, error="m", micro=False).matrix]
    path = []
    for y, row in enumerate(rows):
        x = 0
        while x < len(row):
            run = x
            while run < len(row) and row[run]:
                run += 1
            if run > x:
                path.append(f"M{x} {y}h{run - x}v1.02h{x - run}z")
            x = run + 1
    size = len(rows) + 4
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-2 -2 {size} {size}">'
    return f'{head}<path d="{"".join(path)}"/></svg>'


def jpeg(content: bytes, *, longest_side: int = 900) -> bytes:
    """Return a picture as JPEG of at most that many pixels a side.

    A PDF holds a JPEG as it is; a WebP would be unpacked and take ten times the room.
    """
    with Image.open(io.BytesIO(content)) as opened:
        picture = opened.convert("RGB")
    picture.thumbnail((longest_side, longest_side))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=82)
    return buffer.getvalue()

"""Word files that an office edits: A4, Chinese type, and the language set, so that Word corrects nothing.

python-docx knows Western fonts alone; a Chinese text takes its font from ``w:eastAsia``, which is set here
for every style. The fonts named are those of Chinese offices (仿宋, 小标宋, 黑体); where one is missing, Word
takes its own.
"""

import io
from collections.abc import Iterable, Sequence
from typing import Any

from docx import Document
from docx.document import Document as Paper
from docx.enum.section import WD_ORIENT
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH, WD_BREAK, WD_LINE_SPACING
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor
from docx.table import Table
from docx.text.paragraph import Paragraph
from docx.text.run import Run

#: 仿宋 for the body and 小标宋 for the title, as GB/T 9704 has it; 黑体 for heads within.
BODY, TITLE, HEAD = "仿宋", "方正小标宋简体", "黑体"
LATIN = "Times New Roman"
RED = RGBColor(0xC8, 0x10, 0x2E)
CENTRE, RIGHT, LEFT = WD_ALIGN_PARAGRAPH.CENTER, WD_ALIGN_PARAGRAPH.RIGHT, WD_ALIGN_PARAGRAPH.LEFT
#: What XML cannot hold, and python-docx refuses; a pasted text may have it.
_UNHOLDABLE = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF))


def new_paper(*, title: str, landscape: bool = False, size: float = 12, official: bool = False) -> Paper:
    """Return an empty A4 paper.

    Args:
        title: its name in the file's properties.
        size: of the body, in points.
        official: margins of GB/T 9704 (37, 28, 35 and 26 mm) in place of 20 mm all round.
    """
    paper = Document()
    paper.core_properties.title = clean(title)[:255]
    paper.core_properties.language = "zh-CN"
    paper.core_properties.author = ""
    section = paper.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    if landscape:
        section.orientation = WD_ORIENT.LANDSCAPE
        section.page_width, section.page_height = Mm(297), Mm(210)
    margins = (37, 28, 35, 26) if official else (20, 20, 20, 20)
    section.top_margin, section.left_margin, section.bottom_margin, section.right_margin = map(Mm, margins)
    for style in paper.styles:
        if style.element.tag == qn("w:style") and style.element.find(qn("w:rPr")) is not None:
            set_font(style.element.rPr, BODY)
    normal = paper.styles["Normal"]
    set_font(normal.element.get_or_add_rPr(), BODY)
    normal.font.size = Pt(size)
    normal.paragraph_format.space_after = Pt(0)
    _set_language(paper)
    return paper


def set_font(properties: Any, family: str) -> None:
    """Give run properties ``family`` for Chinese and the usual face for Latin letters."""
    fonts = properties.get_or_add_rFonts() if hasattr(properties, "get_or_add_rFonts") else None
    if fonts is None:
        return
    for theme in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
        fonts.attrib.pop(qn(f"w:{theme}"), None)
    for name in ("ascii", "hAnsi", "cs"):
        fonts.set(qn(f"w:{name}"), LATIN)
    fonts.set(qn("w:eastAsia"), family)


def _set_language(paper: Paper) -> None:
    defaults = paper.styles.element.find(f"{qn('w:docDefaults')}/{qn('w:rPrDefault')}/{qn('w:rPr')}")
    for properties in (paper.styles["Normal"].element.get_or_add_rPr(), defaults):
        if properties is None:
            continue
        language = properties.find(qn("w:lang"))
        if language is None:
            language = OxmlElement("w:lang")
            properties.append(language)
        language.set(qn("w:val"), "en-GB")
        language.set(qn("w:eastAsia"), "zh-CN")


def clean(words: str) -> str:
    """Return ``words`` without the control signs that a Word file cannot hold."""
    return words.translate(_UNHOLDABLE)


def write(
    place: Paragraph,
    words: str,
    *,
    family: str | None = None,
    size: float | None = None,
    bold: bool = False,
    colour: RGBColor | None = None,
) -> Run:
    """Add ``words`` to a paragraph."""
    run = place.add_run(clean(words))
    if family:
        set_font(run._element.get_or_add_rPr(), family)
    if size:
        run.font.size = Pt(size)
    run.bold = bold or None
    if colour is not None:
        run.font.color.rgb = colour
    return run


def paragraph(
    paper: Any,
    words: str = "",
    *,
    align: WD_ALIGN_PARAGRAPH | None = None,
    indent: bool = False,
    line: float | None = None,
    before: float = 0,
    after: float = 0,
    size: float | None = None,
    **look: Any,
) -> Paragraph:
    """Add a paragraph; ``indent`` sets its first line in by two signs, ``line`` is its pitch in points."""
    place: Paragraph = paper.add_paragraph()
    if align is not None:
        place.alignment = align
    shape = place.paragraph_format
    shape.space_before, shape.space_after = Pt(before), Pt(after)
    if line:
        shape.line_spacing_rule, shape.line_spacing = WD_LINE_SPACING.EXACTLY, Pt(line)
    if indent:
        _indent(place)
    if words:
        write(place, words, size=size, **look)
    return place


def _indent(place: Paragraph) -> None:
    # by signs, not by millimetres: it stays two signs when the office changes the size
    properties = place._element.get_or_add_pPr()
    indent = properties.get_or_add_ind()
    indent.set(qn("w:firstLineChars"), "200")


def table(
    paper: Any,
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    widths: Sequence[float],
    size: float = 10.5,
    height: float | None = None,
) -> Table:
    """Add a ruled table; its head is repeated on every page.

    Args:
        widths: of the columns, in millimetres.
        height: of each row at least, in millimetres.
    """
    rows = [list(row) for row in rows]
    made: Table = paper.add_table(rows=1 + len(rows), cols=len(head))
    made.style = "Table Grid"
    made.alignment = WD_TABLE_ALIGNMENT.CENTER
    made.autofit = False
    for place, words in enumerate(head):
        write(made.rows[0].cells[place].paragraphs[0], words, family=HEAD, size=size)
    first = OxmlElement("w:tblHeader")
    made.rows[0]._tr.get_or_add_trPr().append(first)
    for row, texts in zip(list(made.rows)[1:], rows, strict=True):
        cells = row.cells
        for cell, words in zip(cells, texts, strict=True):
            write(cell.paragraphs[0], words, size=size)
        if height:
            row.height = Mm(height)
        _keep_whole(row._tr)
    for column, width in zip(made.columns, widths, strict=True):
        column.width = Mm(width)
    for row in made.rows:
        for cell, width in zip(row.cells, widths, strict=True):
            cell.width = Mm(width)
    return made


def _keep_whole(row: Any) -> None:
    row.get_or_add_trPr().append(OxmlElement("w:cantSplit"))


def keep_with_next(made: Table, *, rows: int) -> None:
    """Keep the last ``rows`` of a table on one page, with each other and with what follows it."""
    for row in list(made.rows)[-rows:]:
        for cell in row.cells:
            for place in cell.paragraphs:
                place.paragraph_format.keep_with_next = True


def page_head(paper: Paper, words: str) -> None:
    """Write ``words`` in red at the head of every page."""
    place = paper.sections[0].header.paragraphs[0]
    place.alignment = CENTRE
    write(place, words, family=HEAD, size=14, colour=RED)


def page_foot(paper: Paper, words: str) -> None:
    """Write ``words`` small at the foot of every page."""
    place = paper.sections[0].footer.paragraphs[0]
    place.alignment = CENTRE
    write(place, words, size=9)


def ruled(place: Paragraph, colour: str) -> None:
    """Draw a line below a paragraph, as wide as the text; ``colour`` as ``C8102E``."""
    border = OxmlElement("w:pBdr")
    below = OxmlElement("w:bottom")
    for name, value in (("val", "single"), ("sz", "12"), ("space", "1"), ("color", colour)):
        below.set(qn(f"w:{name}"), value)
    border.append(below)
    # the schema wants it before spacing and alignment
    place._element.get_or_add_pPr().insert(0, border)


def picture(place: Paragraph, png: bytes, *, width: float) -> None:
    """Put a picture of ``width`` millimetres into a paragraph."""
    place.add_run().add_picture(io.BytesIO(png), width=Mm(width))


def next_page(paper: Paper) -> None:
    """Let what follows begin a page."""
    last = paper.paragraphs[-1] if paper.element.body[-2].tag == qn("w:p") else paper.add_paragraph()
    last.add_run().add_break(WD_BREAK.PAGE)


def content_of(paper: Paper) -> bytes:
    """Return the file."""
    buffer = io.BytesIO()
    paper.save(buffer)
    return buffer.getvalue()

"""Word files: Chinese type, the language set, and no sign that the format cannot hold."""

import io

from docx import Document
from docx.oxml.ns import qn

from market.documents import word


def opened(paper: object) -> object:
    return Document(io.BytesIO(word.content_of(paper)))  # type: ignore[arg-type]


def test_paper_is_a4_with_the_margins_of_an_official_letter() -> None:
    section = opened(word.new_paper(title="函", official=True)).sections[0]  # type: ignore[attr-defined]
    lengths = (section.page_width, section.page_height)
    lengths += (section.top_margin, section.left_margin, section.bottom_margin, section.right_margin)
    assert [round(each.mm) for each in lengths] == [210, 297, 37, 28, 35, 26]


def test_chinese_font_and_language_are_set() -> None:
    style = opened(word.new_paper(title="函")).styles["Normal"].element  # type: ignore[attr-defined]
    assert style.rPr.rFonts.get(qn("w:eastAsia")) == "仿宋"
    assert style.rPr.find(qn("w:lang")).get(qn("w:eastAsia")) == "zh-CN"


def test_signs_that_a_word_file_cannot_hold_are_left_out() -> None:
    paper = word.new_paper(title="\x00函")
    word.paragraph(paper, "东\x0b于\x1f村\ufffe𠮷 <&>")
    assert [each.text for each in opened(paper).paragraphs] == ["东于村𠮷 <&>"]  # type: ignore[attr-defined]


def test_table_repeats_its_head_and_keeps_its_texts() -> None:
    paper = word.new_paper(title="表")
    word.table(paper, ["单位", "签字"], [["东于村", ""], ["中兴", ""]], widths=[100, 60])
    made = opened(paper).tables[0]  # type: ignore[attr-defined]
    assert [[cell.text for cell in row.cells] for row in made.rows] == [
        ["单位", "签字"],
        ["东于村", ""],
        ["中兴", ""],
    ]
    assert made.rows[0]._tr.trPr.find(qn("w:tblHeader")) is not None

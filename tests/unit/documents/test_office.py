"""The Word files and the archive."""

import io
import zipfile

import pytest
from docx import Document
from pypdf import PdfReader

from fixtures.paper_fairs import paper_fair
from market.documents.binding import bound
from market.documents.contents import drafts_of
from market.documents.office import word_file
from market.documents.packing import zipped
from market.documents.papers import KINDS, Numbered

FAIR = paper_fair(buyers=3, sellers=5)
WORD = [code for code, kind in KINDS.items() if kind.is_word]


def papers(kind: str) -> list[Numbered]:
    return [Numbered(draft, f"{KINDS[kind].sign}-{n}") for n, draft in enumerate(drafts_of(FAIR, (kind,)), 1)]


def everything(content: bytes) -> str:
    """Return all text of a Word file, paragraphs and cells."""
    paper = Document(io.BytesIO(content))
    cells = [cell.text for table in paper.tables for row in table.rows for cell in row.cells]
    return "\n".join([*(each.text for each in paper.paragraphs), *cells])


@pytest.mark.parametrize("kind", WORD)
def test_word_file_holds_every_paper_with_its_number(kind: str) -> None:
    given = papers(kind)
    read = everything(word_file(given, title="材料", origin="https://a.example"))
    assert [each.serial for each in given if each.serial not in read] == []


def test_invitation_in_word_is_addressed_and_dated() -> None:
    given = papers("invitation")
    read = everything(word_file(given, title="函", origin="https://a.example"))
    for each in given:
        assert f"{each.draft.content['addressee']}：" in read
    assert read.count("2026年11月20日") == len(given)


def test_timetable_in_word_has_a_row_for_each_talk() -> None:
    given = papers("timetable")
    paper = Document(io.BytesIO(word_file(given, title="日程", origin="https://a.example")))
    assert [len(table.rows) - 1 for table in paper.tables] == [
        len(each.draft.content["rows"]) for each in given
    ]


@pytest.mark.parametrize("spoken", [True, False])
def test_letter_of_intent_in_word_says_of_its_figures_what_the_pdf_says(spoken: bool) -> None:
    draft = drafts_of(FAIR, ("intent",))[0]
    draft.content["spoken"] = spoken
    given = [Numbered(draft, "意-1")]
    printed = PdfReader(io.BytesIO(bound(given, title="会", origin="https://a.example")))
    said = "".join(printed.pages[0].extract_text().split())
    read = everything(word_file(given, title="会", origin="https://a.example"))
    about = "数量和单价为洽谈中所谈" if spoken else "数量和单价为撮合建议或留空，由双方当面填写、改定"
    assert (about in said, about in read) == (True, True)


def test_word_file_takes_signs_that_it_cannot_hold() -> None:
    (draft,) = drafts_of(FAIR, ("sign_in",))
    draft.content["rows"].append(["1", "东\x0b于\x00", "", "", "", "", ""])
    read = everything(word_file([Numbered(draft, "签-1")], title="\x01", origin="https://a.example"))
    assert "东于" in read


def test_archive_names_calendars_so_that_every_system_can_unpack_them() -> None:
    calendars = [("东于/村:*?", b"a"), ("东于_村___", b"b"), ("东于_村___", b"c")]
    made = zipped(papers("programme"), title="会", origin="https://a.example", calendars=calendars)
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        names = [name for name in archive.namelist() if name.endswith(".ics")]
        contents = [archive.read(name) for name in names]
    assert names == [f"日历/00{number}-东于_村___.ics" for number in (1, 2, 3)]
    assert contents == [b"a", b"b", b"c"]


def test_archive_has_a_pdf_of_each_kind_and_word_where_there_is_one() -> None:
    given = [Numbered(draft, "x") for draft in drafts_of(FAIR)]
    with zipfile.ZipFile(io.BytesIO(zipped(given, title="会", origin="https://a.example"))) as archive:
        names = archive.namelist()
        assert archive.testzip() is None
        heads = {name: archive.read(name)[:4] for name in names}
    expected = []
    for number, kind in enumerate(KINDS.values(), 1):
        expected.append(f"{number:02d}-{kind.name.text}.pdf")
        if kind.is_word:
            expected.append(f"{number:02d}-{kind.name.text}.docx")
    assert names == expected
    assert {name.rpartition(".")[2]: head for name, head in heads.items()} == {
        "pdf": b"%PDF",
        "docx": b"PK\x03\x04",
    }

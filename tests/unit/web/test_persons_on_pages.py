"""Persons known by a Chinese name are spelled in English wherever a page, a list or a file names one."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

import market.web
from market.exchange.exports import CASES
from market.web.meetings.checkin import Line, _is_named

TEMPLATES = Path(market.web.__file__).parent / "templates"
#: What rows call persons, and never an organisation.
_OF_ROWS = "person|person_name|asker|agent_name|created_by|invited_by_name"
_FIELDS = "contact|person_name|recorded_by|read_by|settled_by|decided_by|in_charge"
#: One of these that is written without being spelled; what is asked for only (``{% if %}``) is not written.
BARE = re.compile(
    rf'named\(\w+, "(?:{_OF_ROWS})"\)(?! \| person)|{{{{ ?\w+\.(?:{_FIELDS})\b(?! \| person)[^}}]*}}}}'
)


@pytest.mark.parametrize(
    "template", sorted(TEMPLATES.rglob("*.html")), ids=lambda each: str(each.relative_to(TEMPLATES))
)
def test_template_spells_the_persons_that_it_names(template: Path) -> None:
    assert BARE.findall(template.read_text()) == []


def test_door_finds_and_takes_a_person_by_either_word() -> None:
    line = Line(
        act="p7",
        code="ABCD2345",
        name="孙三",
        name_en="",
        organisation=1,
        organisation_name="东于村",
        organisation_name_en="Dongyu",
        side="seller",
        phone="",
        attendance="expected",
        checked_in_at=None,
        first=None,
        is_over=False,
    )
    said = ("孙三", "Sun San", "孙三 · 东于村", "Sun San · Dongyu", "Sun San · Elsewhere")
    assert [_is_named(line, words) for words in said] == [True, True, True, True, False]
    assert [line.is_meant(words) for words in ("孙", "sun s", "zhao")] == [True, True, False]


def test_case_list_as_a_file_spells_who_is_in_charge() -> None:
    [column] = [each for each in CASES if str(each.head) == "责任人"]
    row = SimpleNamespace(in_charge="赵明远")
    assert [column.of(row, language) for language in ("zh", "en")] == ["赵明远", "Zhao Mingyuan"]

"""The form of a meeting: slots as people write them, and what an empty field means."""

import pytest

from market.i18n import msg
from market.web.meetings.form import meeting_form, meeting_from, notes_on, open_parts, slot_numbers
from market.web.meetings.grid import gaps
from market.web.parts.typed import Wrong

FIELD = slot_numbers(msg("时段"), most=20, hint=msg("时段"))
TYPED = {
    "title": "对接会",
    "held_on": "2099-12-01",
    "starts_at": "9:00",
    "venue": "村部",
    "slot_minutes": "20",
    "slots": "10",
    "tables": "4",
    "pause_minutes": "60",
}


@pytest.mark.parametrize(
    ("typed", "slots"),
    [("3", (3,)), ("3、7-8", (3, 7, 8)), ("8, 7；3", (3, 7, 8)), ("1至2 2", (1, 2)), ("20", (20,))],
)
def test_slots_are_read_as_people_write_them(typed: str, slots: tuple[int, ...]) -> None:
    assert FIELD.parse(typed, "") == slots


@pytest.mark.parametrize("typed", ["0", "21", "8-7", "上午", "3-", "-3", "３", "1.5", "99999999999", "1-2-3"])
def test_slots_that_make_no_sense_are_refused(typed: str) -> None:
    with pytest.raises(Wrong):
        FIELD.parse(typed, "")


def test_short_form_gives_a_usual_meeting() -> None:
    filled = meeting_form().parse({name: [text] for name, text in TYPED.items()})
    meeting, key = meeting_from(filled)
    assert (meeting.days, meeting.most_musts, meeting.blocked_slots, key) == (1, 3, (), None)
    assert (meeting.half_day_after, meeting.answer_by, meeting.is_public) == (None, None, False)


def test_folded_part_with_a_fault_is_open() -> None:
    filled = meeting_form().parse({**{name: [text] for name, text in TYPED.items()}, "answer_by": ["soon"]})
    assert open_parts(filled) == {"people"}


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({}, "不限场数"),
        ({"most_appointments": "6"}, "每家最多 6 场"),
        ({"most_of_sellers": "8", "most_of_buyers": "9"}, "卖方最多 8 场，买方最多 9 场"),
        ({"most_of_sellers": "8"}, "卖方最多 8 场，买方不限"),
        ({"most_of_buyers": "9", "most_appointments": "6"}, "买方最多 9 场，卖方最多 6 场"),
    ],
)
def test_note_on_the_quota_says_what_is_set(typed: dict[str, str], words: str) -> None:
    filled = meeting_form().parse({name: [text] for name, text in {**TYPED, **typed}.items()})
    assert str(notes_on(filled)["quota"]) == words


@pytest.mark.parametrize(
    ("busy", "pause", "count"),
    [("", None, 0), ("x", None, 0), ("xx", None, 0), ("x.x", None, 1), ("x..x.x", None, 2), ("x.x", 1, 0)],
)
def test_gaps_lie_between_two_talks_of_one_half_day(busy: str, pause: int | None, count: int) -> None:
    assert gaps([sign == "x" for sign in busy], pause=pause) == count

"""A move by hand: fine, or told what it clashes with."""

import pytest

from market.i18n import translate
from market.meetings.living.moves import check_move
from market.meetings.living.places import Closure, Place
from market.meetings.timetable.problem import Appointment, MeetingProblem, Participant

MEETING = MeetingProblem(
    slots=4,
    tables=2,
    half_day_after=2,
    participants=(
        Participant("b1", "中兴", "buyer", unavailable=(4,)),
        Participant("b2", "联营", "buyer"),
        Participant("s1", "东于村", "seller"),
        Participant("s2", "老边头", "seller", table=2),
    ),
    appointments=(
        Appointment("m1", "b1", "s1"),
        Appointment("m2", "b2", "s2"),
        Appointment("m3", "b2", "s1", half="afternoon", after=("m1",)),
    ),
)
PLACED = {"m1": Place(1, 1), "m2": Place(1, 2), "m3": Place(3, 1)}


def test_a_move_to_a_free_place_is_fine() -> None:
    checked = check_move(MEETING, PLACED, appointment="m1", slot=2)
    assert checked.fine
    assert checked.placed == {**PLACED, "m1": Place(2, 1)}


@pytest.mark.parametrize(
    ("move", "said"),
    [
        ({"appointment": "m1", "slot": 3}, "供货方“东于村”在 第 3 时段 已有“联营”与“东于村”的洽谈。"),
        ({"appointment": "m1", "slot": 4}, "采购商“中兴”在 第 4 时段 没有空。"),
        ({"appointment": "m1", "slot": 9}, "没有第 9 时段，全场共 4 个时段。"),
        ({"appointment": "m2", "slot": 2, "table": 1}, "供货方“老边头”固定在 2 号桌。"),
        ({"appointment": "m3", "slot": 2}, "“联营”与“东于村”的洽谈须在下午。"),
        ({"appointment": "m3", "slot": 1}, "“联营”与“东于村”的洽谈须排在“中兴”与“东于村”的洽谈之后。"),
        ({"appointment": "m2", "slot": 3}, "采购商“联营”在 第 3 时段 已有“联营”与“东于村”的洽谈。"),
        (
            {"appointment": "m1", "slot": 2, "from_slot": 3},
            "“中兴”与“东于村”的洽谈已经谈过或正在谈，不能再动。",
        ),
        ({"appointment": "m3", "slot": 2, "from_slot": 3}, "第 2 时段 已经过去，只能排到 第 3 时段 或以后。"),
        (
            {"appointment": "m1", "slot": 2, "table": 2, "closed": [Closure(2, 2)]},
            "第 2 时段 的 2 号桌不能用。",
        ),
        ({"appointment": "m1", "slot": 2, "closed": [Closure(2)]}, "第 2 时段 没有空桌了。"),
        ({"appointment": "m1", "slot": 1, "table": 2}, "第 1 时段 的 2 号桌已有“联营”与“老边头”的洽谈。"),
    ],
)
def test_a_move_that_clashes_says_with_what(move: dict[str, object], said: str) -> None:
    checked = check_move(MEETING, PLACED, **move)  # type: ignore[arg-type]
    assert not checked.fine
    assert [text for each in checked.clashes if (text := translate(each, "zh")) == said] == [said]
    assert checked.placed == PLACED


def test_two_talks_change_places() -> None:
    checked = check_move(MEETING, {**PLACED, "m1": Place(2, 1)}, appointment="m1", slot=3, swap_with="m3")
    assert [translate(each, "zh") for each in checked.clashes] == [
        "“联营”与“东于村”的洽谈须排在“中兴”与“东于村”的洽谈之后。",
        "“联营”与“东于村”的洽谈须在下午。",
    ]
    free = MeetingProblem(
        4, 2, MEETING.participants, (MEETING.appointments[0], Appointment("m4", "b2", "s1"))
    )
    both = check_move(free, {"m1": Place(1, 1), "m4": Place(3, 2)}, appointment="m1", slot=3, swap_with="m4")
    assert (both.fine, both.placed) == (True, {"m1": Place(3, 2), "m4": Place(1, 1)})

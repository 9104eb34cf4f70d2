"""What stands on top of the page of somebody invited while the meeting is on."""

from datetime import date, datetime

import msgspec
import pytest

from market.clock import CHINA
from market.meetings.queries import AppointmentRow
from market.web.meetings.invited import now_and_next
from tests.unit.web.test_meeting_steps import meeting

#: Two days of six slots of 20 minutes from nine o'clock, an hour's pause after the third.
HELD = meeting(held_on=date(2026, 12, 1), days=2, slots=6, half_day_after=3, state="in_progress")


def talk(slot: int | None, state: str = "scheduled") -> AppointmentRow:
    names = dict.fromkeys(("seller_name", "seller_name_en", "buyer_name", "buyer_name_en", "note"), "")
    return AppointmentRow(
        id=slot or 0,
        meeting=7,
        seller=1,
        buyer=2,
        slot=slot,
        table_number=3,
        state=state,
        outcome=None,
        reason_zh=None,
        reason_en=None,
        **names,
    )


TALKS = [talk(None), talk(1, "held"), talk(2), talk(4), talk(9)]


@pytest.mark.parametrize(
    ("day", "hour", "minute", "now", "following"),
    [
        (1, 8, 0, None, 2),
        (1, 9, 5, None, 2),
        (1, 9, 20, 2, 4),
        (1, 9, 39, 2, 4),
        (1, 9, 40, None, 4),
        (1, 11, 10, 4, None),
        (1, 18, 0, None, None),
        (2, 9, 0, None, 9),
        (2, 9, 45, 9, None),
        (3, 9, 0, None, None),
    ],
)
def test_now_and_next_follow_the_clock_in_china(
    day: int, hour: int, minute: int, now: int | None, following: int | None
) -> None:
    at = datetime(2026, 12, day, hour, minute, tzinfo=CHINA)
    found = now_and_next(HELD, TALKS, at=at)
    assert tuple(each and each.id for each in found) == (now, following)


@pytest.mark.parametrize("state", ["closed", "cancelled", "postponed"])
def test_nothing_is_on_or_next_at_a_meeting_that_is_not_held(state: str) -> None:
    at = datetime(2026, 12, 1, 9, 25, tzinfo=CHINA)
    over = msgspec.structs.replace(HELD, state=state)
    assert now_and_next(over, TALKS, at=at) == (None, None)

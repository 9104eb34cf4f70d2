"""What the door's list says of somebody's talks."""

import pytest

from market.meetings.day.board import Party, Talk
from market.web.meetings.checkin import turns_of
from tests.unit.web.test_meeting_steps import meeting


def talk(slot: int, buyer: int, seller: int, state: str = "scheduled") -> Talk:
    left, right = (Party(each, f"第{each}家", "", "checked_in") for each in (buyer, seller))
    return Talk(slot, slot, 1, left, right, state, None, None)


TALKS = [talk(1, 11, 21, "held"), talk(2, 12, 21), talk(3, 11, 22, "no_show"), talk(4, 12, 22)]


def test_first_talk_still_to_come_is_told_and_who_has_none_left() -> None:
    first, over = turns_of(meeting(state="in_progress"), TALKS)
    assert {house: each.slot for house, each in first.items()} == {12: 2, 21: 2, 22: 4}
    assert over == {11}


@pytest.mark.parametrize("state", ["closed", "followed_up"])
def test_nothing_is_still_to_come_once_the_meeting_is_over(state: str) -> None:
    assert turns_of(meeting(state=state), TALKS) == ({}, frozenset({11, 12, 21, 22}))


def test_house_without_talks_is_not_said_to_be_through() -> None:
    assert turns_of(meeting(state="closed"), []) == ({}, frozenset())

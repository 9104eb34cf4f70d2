"""What a day forces on a participant, against every day it could have."""

from itertools import pairwise, permutations

from hypothesis import given
from hypothesis import strategies as st

from market.meetings.timetable.forced import Forced, forced
from market.meetings.timetable.problem import Appointment, MeetingProblem, Participant
from tests.unit.meetings.drawn import TINY

SLOTS = 6


def every_day(domains: list[list[int]]) -> list[list[int]]:
    """Return the busy slots of each way to seat appointments in slots of their own."""
    return [
        sorted(slots)
        for slots in permutations(range(1, SLOTS + 1), len(domains))
        if all(slot in domain for slot, domain in zip(slots, domains, strict=True))
    ]


@TINY
@given(st.lists(st.lists(st.integers(1, SLOTS), min_size=1, unique=True), min_size=2, max_size=4))
def test_forced_is_the_least_of_every_day(domains: list[list[int]]) -> None:
    people = [Participant("b", "甲", "buyer"), *(Participant(f"s{i}", "乙") for i in range(len(domains)))]
    items = [Appointment(f"m{i}", "b", f"s{i}") for i in range(len(domains))]
    found = forced(MeetingProblem(SLOTS, 9, tuple(people), tuple(items)), domains)
    days = every_day(domains)
    breaks = min((sum(u - t > 1 for t, u in pairwise(day)) for day in days), default=0)
    idle = min((day[-1] - day[0] + 1 - len(day) for day in days), default=0)
    # of two breaks and more, only two are sure to be seen
    assert found[0] == Forced(min(breaks, max(2, found[0].breaks)), max(idle, found[0].breaks))
    assert found[0].breaks <= breaks
    assert found[0].idle <= max(idle, breaks)
    assert {one.breaks for one in found[1:]} == {0}

"""The bound by what days look like: never above the optimum, and where it is strong."""

from typing import Any, cast

import numpy as np
import pytest
from hypothesis import assume, given

from fixtures.fairs import fair
from fixtures.published_fairs import published_fairs
from market.meetings.timetable.constraints import constraints, domains
from market.meetings.timetable.forced import forced
from market.meetings.timetable.patterns import PatternBound, _cheapest
from market.meetings.timetable.problem import Appointment, MeetingProblem, Participant
from market.meetings.timetable.scheduler import schedule
from tests.unit.meetings import brute
from tests.unit.meetings.drawn import TINY, meetings
from tests.unit.meetings.timetable.test_race import for_a_proof


def bound_of(meeting: MeetingProblem) -> PatternBound:
    return PatternBound(meeting, domains(meeting, constraints(meeting)))


def always(_: int) -> bool:
    return True


@TINY
@given(meetings(optional=False).map(for_a_proof))
def test_bounds_are_never_above_the_optimum(meeting: MeetingProblem) -> None:
    expected = brute.best(meeting)
    assume(expected is not None)
    assert expected is not None
    bound = bound_of(meeting)
    breaks = bound.breaks({}, go_on=always)
    assert breaks <= expected[1]
    assert bound.idle({}, breaks=expected[1], go_on=always) <= expected[2]


@pytest.mark.parametrize("seed", range(4))
def test_bound_does_not_depend_on_the_timetable_that_it_begins_with(seed: int) -> None:
    meeting = fair(buyers=8, sellers=10, slots=8, seed=seed, absence=0.1, fairness=None)
    plan = {each.id: each.slot for each in schedule(meeting, time_limit=1).appointments}
    assert bound_of(meeting).breaks(plan, go_on=always) == bound_of(meeting).breaks({}, go_on=always)


def test_torn_days_of_all_together_force_more_than_those_of_each() -> None:
    meeting = next(
        m for name, m in published_fairs(even=True) if name == "47 x 180 x 10, absences, fairness -"
    )
    alone = sum(one.breaks for one in forced(meeting, domains(meeting, constraints(meeting))))
    found = schedule(meeting, time_limit=20)
    assert alone == 17
    assert bound_of(meeting).breaks({}, go_on=always) == found.breaks == found.lower_bound_breaks == 21


def test_days_that_cannot_hold_the_talks_are_left_to_others() -> None:
    """The compiled loop checks no bounds: with more talks than slots it would read beside its arrays."""
    ones = np.ones((1, 2), np.int64)
    none = np.zeros((1, 2), np.int64)
    high = np.full((1, 2), 9, np.int64)
    for cheapest in (_cheapest, cast(Any, _cheapest).py_func):
        values, patterns = cheapest(np.array([9], np.int64), ones, none, none, high, none, 1, 0)
        assert (values.tolist(), patterns.tolist()) == ([1 << 60], [0])
    people = tuple(Participant(id=who, name=who, side="buyer") for who in "abcdefgh")
    talks = tuple(Appointment(id=who, a="a", b=who, optional=True) for who in "bcdefgh")
    meeting = MeetingProblem(2, 9, people, talks)
    assert bound_of(meeting).breaks({}, go_on=always) == 0
    found = schedule(meeting, time_limit=5)
    assert (found.status, found.kept_weight, found.breaks) == ("optimal", 2, 0)


def test_too_few_tables_cost_more_than_any_timetable_has() -> None:
    people = tuple(Participant(id=who, name=who, side="buyer") for who in "abcd")
    meeting = MeetingProblem(
        slots=2,
        tables=1,
        half_day_after=2,
        participants=people,
        appointments=tuple(
            Appointment(id=f"{a}{b}", a=a, b=b) for a, b in (("a", "b"), ("c", "d"), ("a", "c"))
        ),
    )
    assert bound_of(meeting).breaks({}, go_on=always) > 3

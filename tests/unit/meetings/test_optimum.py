"""The scheduler against exhaustive search: every level of the objective, and the reason where none fits."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from market.meetings.timetable.constraints import broken, constraints
from market.meetings.timetable.problem import LEVELS, MeetingProblem, Timetable
from market.meetings.timetable.scheduler import schedule
from tests.unit.meetings import brute
from tests.unit.meetings.drawn import TINY, meetings


def score(problem: MeetingProblem, timetable: Timetable, *, penalty: int = 0) -> brute.Score:
    lost = sum(item.scaled_weight for item in problem.appointments if item.id in timetable.left_out)
    moved = penalty * (timetable.moved or 0)
    return lost, timetable.breaks + moved, timetable.idle_slots, timetable.table_changes


@TINY
@given(meetings())
def test_every_level_is_what_exhaustive_search_finds(problem: MeetingProblem) -> None:
    timetable = schedule(problem, time_limit=20)
    expected = brute.best(problem)
    if expected is None:
        assert timetable.status == "infeasible"
        return
    assert timetable.status == "optimal"
    assert score(problem, timetable) == expected
    assert timetable.lower_bound_breaks == timetable.breaks
    slots = {p.id: p.slot for p in timetable.appointments}
    assert brute.allowed(problem, slots)
    assert brute.broken_labels(problem, slots) == set()
    assert broken(problem, constraints(problem), slots) == []
    assert {p.id: p.table for p in timetable.appointments} in list(brute.seatings(problem, slots))


@TINY
@given(meetings(optional=False, most_talks=4).filter(lambda problem: brute.best(problem) is None))
def test_what_does_not_fit_has_a_smallest_clash(problem: MeetingProblem) -> None:
    timetable = schedule(problem, time_limit=20)
    assert timetable.status == "infeasible"
    named = [(c.kind, frozenset(c.participants), c.appointments) for c in timetable.clash]
    assert len(set(named)) == len(named)
    assert brute.clashes(problem, named)
    assert len(named) == brute.smallest_clash(problem)


@TINY
@given(meetings(most_talks=4).filter(lambda problem: brute.best(problem) is None))
def test_what_does_not_fit_leaves_out_as_little_as_can_be(problem: MeetingProblem) -> None:
    timetable = schedule(problem, time_limit=20)
    expected = brute.best(problem, keep_required=False)
    assert expected is not None
    missing = sum(not item.optional and item.id in timetable.left_out for item in problem.appointments)
    dear = sum(item.scaled_weight for item in problem.appointments) + 1
    lost, breaks, *_ = score(problem, timetable)
    assert (lost + dear * missing, breaks) == expected[:2]
    assert timetable.lower_bound_breaks <= breaks
    assert brute.allowed(problem, {p.id: p.slot for p in timetable.appointments})


@TINY
@given(meetings(), st.integers(0, 3), st.integers(0, 4), st.data())
def test_kept_timetable_moves_as_exhaustive_search_would(
    problem: MeetingProblem, who: int, penalty: int, data: st.DataObject
) -> None:
    """Somebody is away in one more slot: breaks plus penalty for what moves is the fewest there is."""
    before = schedule(problem, time_limit=20)
    people = list(problem.participants)
    who %= len(people)
    away = (*people[who].unavailable, data.draw(st.integers(1, problem.slots)))
    people[who] = msgspec.structs.replace(people[who], unavailable=away)
    changed = msgspec.structs.replace(problem, participants=tuple(people))
    home = {p.id: p.slot for p in before.appointments}
    after = schedule(changed, time_limit=20, keep=before, penalty=penalty)
    expected = brute.best(changed, home=home, penalty=penalty)
    if expected is None:
        assert after.status == "infeasible"
        return
    reached = score(changed, after, penalty=penalty)
    assert reached[:3] == expected[:3]
    # tables that stay may cost changes of tables: whether these are the fewest is told as it is
    assert after.proven == LEVELS[: 3 + (reached == expected)]
    assert (after.status == "optimal") is (reached == expected)
    assert after.lower_bound_breaks <= after.breaks
    if penalty:
        moved = sum(p.slot != home[p.id] for p in after.appointments if p.id in home)
        assert (after.moved, after.penalty) == (moved, penalty)


@TINY
@given(meetings())
def test_lower_bound_holds_for_all_that_keep_as_much(problem: MeetingProblem) -> None:
    """Cut short, the scheduler may not know the optimum, but what it says of it is true."""
    timetable = schedule(problem, time_limit=0.001)
    expected = brute.best(problem)
    if expected is None or timetable.status == "infeasible":
        # Out of time it may not have found a plan; it may not claim to know why.
        assert expected is None or timetable.clash == ()
        return
    found = score(problem, timetable)
    assert found >= expected
    if found[0] == expected[0]:
        assert timetable.lower_bound_breaks <= expected[1]
    if timetable.status == "optimal":
        assert found == expected

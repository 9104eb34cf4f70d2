"""What must not change the best timetable, and what may only better it."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.fairs import fair
from market.meetings.timetable.problem import Appointment, Half, MeetingProblem, Timetable
from market.meetings.timetable.scheduler import schedule
from tests.unit.meetings.drawn import TINY, meetings
from tests.unit.meetings.test_optimum import score

_MIRRORED: dict[Half, Half] = {"any": "any", "morning": "afternoon", "afternoon": "morning"}


def lay(problem: MeetingProblem, *, seed: int = 0) -> Timetable:
    return schedule(problem, time_limit=20, seed=seed)


def standing(problem: MeetingProblem, timetable: Timetable) -> tuple[int, ...]:
    """Return how good a timetable is, less being better; whatever is impossible is worse than all else."""
    missing = sum(not item.optional and item.id in timetable.left_out for item in problem.appointments)
    return (missing, *score(problem, timetable))


def relabelled(problem: MeetingProblem, order: list[int]) -> MeetingProblem:
    """Return the meeting under other names, with everything in another order and ends swapped."""
    people = problem.participants
    order = [i for i in order if i < len(people)]
    new = {person.id: f"q{order[i]}" for i, person in enumerate(people)}
    talk = {item.id: f"t{len(problem.appointments) - i}" for i, item in enumerate(problem.appointments)}
    return msgspec.structs.replace(
        problem,
        participants=tuple(
            msgspec.structs.replace(people[i], id=new[people[i].id], name="乙", side="guest") for i in order
        ),
        appointments=tuple(
            msgspec.structs.replace(
                item, id=talk[item.id], a=new[item.b], b=new[item.a], after=tuple(talk[q] for q in item.after)
            )
            for item in reversed(problem.appointments)
        ),
    )


def reversed_time(problem: MeetingProblem) -> MeetingProblem:
    """Return the meeting with its last slot first."""
    last, noon = problem.slots + 1, problem.half_day_after
    followed: dict[str, list[str]] = {item.id: [] for item in problem.appointments}
    for item in problem.appointments:
        for earlier in item.after:
            followed[earlier].append(item.id)

    def mirrored(item: Appointment) -> Appointment:
        return msgspec.structs.replace(
            item,
            half=_MIRRORED[item.half],
            slot=None if item.slot is None else last - item.slot,
            after=tuple(followed[item.id]),
        )

    return msgspec.structs.replace(
        problem,
        half_day_after=None if noon is None else problem.slots - noon,
        participants=tuple(
            msgspec.structs.replace(person, unavailable=tuple(last - t for t in person.unavailable))
            for person in problem.participants
        ),
        appointments=tuple(mirrored(item) for item in problem.appointments),
    )


@TINY
@given(meetings(), st.permutations(range(5)))
def test_other_names_and_order_keep_the_optimum(problem: MeetingProblem, order: list[int]) -> None:
    other = relabelled(problem, order)
    one, two = lay(problem), lay(other, seed=7)
    assert (one.status, standing(problem, one)) == (two.status, standing(other, two))
    assert len(one.clash) == len(two.clash)


@TINY
@given(meetings())
def test_reversed_time_keeps_the_optimum(problem: MeetingProblem) -> None:
    other = reversed_time(problem)
    assert reversed_time(other) == msgspec.structs.replace(
        problem,
        appointments=tuple(
            msgspec.structs.replace(item, after=again.after)
            for item, again in zip(problem.appointments, reversed_time(other).appointments, strict=True)
        ),
    )
    one, two = lay(problem), lay(other)
    assert (one.status, standing(problem, one)) == (two.status, standing(other, two))
    assert len(one.clash) == len(two.clash)


@TINY
@given(meetings(), st.sampled_from(["table", "slot", "presence", "fairness"]))
def test_more_room_never_worsens_it(problem: MeetingProblem, room: str) -> None:
    roomier = {
        "table": msgspec.structs.replace(problem, tables=problem.tables + 1),
        "slot": msgspec.structs.replace(problem, slots=problem.slots + 1),
        "presence": msgspec.structs.replace(
            problem,
            participants=tuple(
                msgspec.structs.replace(person, unavailable=person.unavailable[1:])
                for person in problem.participants
            ),
        ),
        "fairness": msgspec.structs.replace(problem, fairness=None),
    }[room]
    one, two = lay(problem), lay(roomier)
    assert standing(roomier, two) <= standing(problem, one)
    assert (one.status, two.status) != ("optimal", "infeasible")


@settings(TINY, max_examples=2)
@given(st.integers(0, 10**6))
def test_bounds_hold_for_the_reversed_and_for_the_roomier_day(seed: int) -> None:
    """On a day of fifteen parties, where not all need be proven: no bound is above any plan's breaks."""
    day = fair(buyers=8, sellers=7, slots=7, appointments=26, seed=seed, own_tables=0.3, halves=0.1)
    roomier = msgspec.structs.replace(day, tables=day.tables + 1)
    one, turned, more = (schedule(meeting, time_limit=1.5) for meeting in (day, reversed_time(day), roomier))
    if one.left_out or turned.left_out:
        assert more.status != "infeasible" or "infeasible" in (one.status, turned.status)
        return
    assert one.lower_bound_breaks <= turned.breaks
    assert turned.lower_bound_breaks <= one.breaks
    assert more.left_out == ()
    assert more.lower_bound_breaks <= one.breaks

"""The meeting format read literally: every plan is tried. For meetings of a handful of appointments."""

from collections.abc import Iterator
from itertools import pairwise, product

from market.meetings.timetable.problem import MeetingProblem

Score = tuple[int, int, int, int]


def days(problem: MeetingProblem, slots: dict[str, int]) -> dict[str, list[tuple[int, str]]]:
    return {
        person.id: sorted(
            (slots[item.id], item.id)
            for item in problem.appointments
            if item.id in slots and person.id in (item.a, item.b)
        )
        for person in problem.participants
    }


def allowed(problem: MeetingProblem, slots: dict[str, int]) -> bool:
    people = {person.id: person for person in problem.participants}
    for item in problem.appointments:
        if item.id not in slots:
            continue
        t = slots[item.id]
        if item.slot is not None and t != item.slot:
            return False
        if item.half == "morning" and t > (problem.half_day_after or 0):
            return False
        if item.half == "afternoon" and t <= (problem.half_day_after or 0):
            return False
        if any(t in people[who].unavailable for who in (item.a, item.b)):
            return False
        if any(q in slots and slots[q] >= t for q in item.after):
            return False
    breaks: list[int] = []
    for who, day in days(problem, slots).items():
        times = [t for t, _ in day]
        if len(set(times)) < len(times):
            return False
        most = people[who].max_appointments
        if most is not None and len(times) > most:
            return False
        breaks.append(sum(u - t > 1 for t, u in pairwise(times)))
    return problem.fairness is None or not breaks or max(breaks) - min(breaks) <= problem.fairness


def seatings(problem: MeetingProblem, slots: dict[str, int]) -> Iterator[dict[str, int]]:
    own = {person.id: person.table for person in problem.participants}
    placed = [item for item in problem.appointments if item.id in slots]
    for tables in product(range(1, problem.tables + 1), repeat=len(placed)):
        seated = {item.id: table for item, table in zip(placed, tables, strict=True)}
        if all(own[who] in (None, seated[item.id]) for item in placed for who in (item.a, item.b)) and len(
            {(slots[m], table) for m, table in seated.items()}
        ) == len(placed):
            yield seated


def best(problem: MeetingProblem, *, keep_required: bool = True) -> Score | None:
    """Return (weight lost in millionths, breaks, idle slots, table changes) of the best plan, or None."""
    found: Score | None = None
    items = problem.appointments
    for choice in product((None, *range(1, problem.slots + 1)), repeat=len(items)):
        slots = {item.id: t for item, t in zip(items, choice, strict=True) if t is not None}
        if keep_required and any(not item.optional and item.id not in slots for item in items):
            continue
        lost = sum(item.scaled_weight for item in items if item.id not in slots)
        if found is not None and lost > found[0]:
            continue
        if not allowed(problem, slots):
            continue
        day = days(problem, slots)
        times = [[t for t, _ in stations] for stations in day.values()]
        breaks = sum(u - t > 1 for busy in times for t, u in pairwise(busy))
        idle = sum(u - t - 1 for busy in times for t, u in pairwise(busy))
        if found is not None and (lost, breaks, idle) > found[:3]:
            continue
        changes = [
            sum(seated[m] != seated[n] for stations in day.values() for (_, m), (_, n) in pairwise(stations))
            for seated in seatings(problem, slots)
        ]
        if changes:
            score = (lost, breaks, idle, min(changes))
            found = score if found is None else min(found, score)
    return found

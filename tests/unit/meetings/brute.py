"""The meeting format read literally: every plan is tried. For meetings of a handful of appointments."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import count, pairwise, product

from market.meetings.timetable.problem import Appointment, MeetingProblem

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


def every_choice(problem: MeetingProblem) -> Iterator[dict[str, int]]:
    """Yield every way to give each appointment a slot or none, whatever rules it breaks."""
    items = problem.appointments
    for choice in product((None, *range(1, problem.slots + 1)), repeat=len(items)):
        yield {item.id: t for item, t in zip(items, choice, strict=True) if t is not None}


def best(
    problem: MeetingProblem,
    *,
    keep_required: bool = True,
    home: Mapping[str, int] | None = None,
    penalty: int = 0,
) -> Score | None:
    """Return (weight lost in millionths, breaks, idle slots, table changes) of the best plan, or None.

    Without ``keep_required`` the loss counts a required appointment more than all weights together.
    With ``home``, slots of an earlier plan, breaks are breaks plus ``penalty`` per moved appointment.
    """
    found: Score | None = None
    items = problem.appointments
    dear = sum(item.scaled_weight for item in items) + 1
    for slots in every_choice(problem):
        missing = sum(not item.optional and item.id not in slots for item in items)
        if keep_required and missing:
            continue
        lost = sum(item.scaled_weight for item in items if item.id not in slots) + dear * missing
        if found is not None and lost > found[0]:
            continue
        if not allowed(problem, slots):
            continue
        day = days(problem, slots)
        times = [[t for t, _ in stations] for stations in day.values()]
        breaks = sum(u - t > 1 for busy in times for t, u in pairwise(busy))
        breaks += penalty * sum(slots[m] != t for m, t in (home or {}).items() if m in slots)
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


Label = tuple[str, frozenset[str], tuple[str, ...]]


def broken_labels(problem: MeetingProblem, slots: dict[str, int]) -> set[Label]:
    """Return the constraints, as (kind, participants, appointments), that a choice of slots breaks."""
    people = {person.id: person for person in problem.participants}
    noon = problem.half_day_after or 0
    found: set[Label] = set()
    at_table: dict[int, list[Appointment]] = defaultdict(list)
    for item in problem.appointments:
        ends, t = frozenset((item.a, item.b)), slots.get(item.id)
        own = {people[who].table for who in ends} - {None}
        if len(own) == 1:
            at_table[next(table for table in own if table is not None)].append(item)
        if t is None:
            if not item.optional:
                found.add(("keep", ends, (item.id,)))
            continue
        if len(own) == 2:
            found.add(("own_table", ends, (item.id,)))
        if (item.half == "morning" and t > noon) or (item.half == "afternoon" and t <= noon):
            found.add(("half", ends, (item.id,)))
        if item.slot not in (None, t):
            found.add(("slot", ends, (item.id,)))
        found |= {("unavailable", frozenset({who}), ()) for who in ends if t in people[who].unavailable}
        found |= {("after", ends, (item.id, q)) for q in item.after if q in slots and slots[q] >= t}
    breaks: list[int] = []
    for who, day in days(problem, slots).items():
        times = [t for t, _ in day]
        most = people[who].max_appointments
        if len(set(times)) < len(times):
            found.add(("one_at_a_time", frozenset({who}), ()))
        if most is not None and len(times) > most:
            found.add(("max_appointments", frozenset({who}), ()))
        breaks.append(sum(u - t > 1 for t, u in pairwise(times)))
    if problem.fairness is not None and breaks and max(breaks) - min(breaks) > problem.fairness:
        found.add(("fairness", frozenset(), ()))
    if any(number > problem.tables for number in Counter(slots.values()).values()):
        found.add(("tables", frozenset(), ()))
    for table, items in at_table.items():
        owners = frozenset(who for item in items for who in (item.a, item.b) if people[who].table == table)
        taken = [slots[item.id] for item in items if item.id in slots]
        if len(owners) > 1 and len(set(taken)) < len(taken):
            found.add(("shared_table", owners, ()))
    return found


def smallest_clash(problem: MeetingProblem) -> int:
    """Return how many constraints at least it takes that no choice of slots keeps together."""
    ways = {frozenset(broken_labels(problem, slots)) for slots in every_choice(problem)}
    fewest = [way for way in ways if not any(other < way for other in ways)]
    for size in count():
        if _met(fewest, size):
            return size
    raise AssertionError


def clashes(problem: MeetingProblem, labels: Iterable[Label]) -> bool:
    """Tell whether every choice of slots breaks one of ``labels``."""
    named = set(labels)
    return all(broken_labels(problem, slots) & named for slots in every_choice(problem))


def _met(ways: list[frozenset[Label]], size: int) -> bool:
    """Tell whether ``size`` constraints are enough for each of ``ways`` to break one of them."""
    if not ways:
        return True
    first = min(ways, key=len)
    return size > 0 and any(_met([way for way in ways if label not in way], size - 1) for label in first)

"""Clashes that counting alone shows: more talks than slots, tables or quotas hold, or a torn day fairly.

Each is a set of which no member can be spared. They are found at once at any size; whether there is a smaller
one is for ``clash`` to say.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from market.meetings.timetable.constraints import Constraint
from market.meetings.timetable.problem import MeetingProblem, free_runs


def counted_clash(problem: MeetingProblem, rules: Sequence[Constraint]) -> list[Constraint]:
    """Return the smallest clash that counting finds, in table order; empty where it finds none."""
    found = min(_clashes(problem, rules), key=len, default=[])
    place = {id(rule): i for i, rule in enumerate(rules)}
    return sorted(found, key=lambda rule: place[id(rule)])


def _clashes(problem: MeetingProblem, rules: Sequence[Constraint]) -> Iterator[list[Constraint]]:
    keeps: dict[str, list[Constraint]] = defaultdict(list)
    own: dict[tuple[str, str], Constraint] = {}
    everything: list[Constraint] = []
    tables = fairness = None
    for rule in rules:
        if rule.kind == "keep":
            everything.append(rule)
            for who in set(rule.participants):
                keeps[who].append(rule)
        elif rule.kind in ("one_at_a_time", "unavailable", "max_appointments"):
            own[rule.kind, rule.participants[0]] = rule
        elif rule.kind == "tables":
            tables = rule
        elif rule.kind == "fairness":
            fairness = rule
    if tables is not None and len(everything) > problem.slots * problem.tables:
        yield [tables, *everything[: problem.slots * problem.tables + 1]]
    sure = _never_waits(problem)
    for person in problem.participants:
        mine = keeps[person.id]
        most = own.get(("max_appointments", person.id))
        if most is not None and person.max_appointments is not None and len(mine) > person.max_appointments:
            yield [most, *mine[: person.max_appointments + 1]]
        once = own.get(("one_at_a_time", person.id))
        if once is None:
            continue
        if len(mine) > problem.slots:
            yield [once, *mine[: problem.slots + 1]]
        away = own.get(("unavailable", person.id))
        if away is None:
            continue
        runs = sorted(free_runs(problem, person), reverse=True)
        if len(mine) > sum(runs):
            yield [once, away, *mine[: sum(runs) + 1]]
        elif fairness is not None and problem.fairness is not None and sure:
            fair = sum(runs[: problem.fairness + 1])
            if len(mine) > fair:
                yield [once, away, fairness, *mine[: fair + 1]]


def _never_waits(problem: MeetingProblem) -> bool:
    """Tell whether somebody has no breaks whatever the timetable: it has one talk or none."""
    booked: dict[str, int] = defaultdict(int)
    for item in problem.appointments:
        booked[item.a] += 1
        booked[item.b] += 1
    return any(booked[person.id] < 2 for person in problem.participants)

"""Which table each appointment takes, once the slots stand."""

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from market.meetings.timetable.problem import MeetingProblem


def own_tables(problem: MeetingProblem) -> dict[str, int]:
    """Return appointment -> the table that one of its parties keeps all day."""
    own = {person.id: person.table for person in problem.participants}
    found: dict[str, int] = {}
    for item in problem.appointments:
        first, second = own[item.a], own[item.b]
        table = first if first is not None else second
        if table is not None:
            found[item.id] = table
    return found


def seat(
    problem: MeetingProblem,
    slots: Mapping[str, int],
    *,
    home: Mapping[str, int],
    penalty: int,
) -> dict[str, int]:
    """Return appointment -> table, slot by slot, so that few participants change tables.

    Where no participant has a break and nobody has an own table this is the least number of changes
    for these slots: only neighbouring slots matter then, and an assignment problem solves each pair.
    ``home`` holds the tables of an earlier timetable, to be kept at ``penalty`` changes each.
    """
    # a server that changes a day by hand imports this module, and hardly ever seats anybody
    from scipy.optimize import linear_sum_assignment

    own = own_tables(problem)
    owned = {person.table for person in problem.participants if person.table is not None}
    by_slot: dict[int, list[str]] = defaultdict(list)
    parties = {item.id: (item.a, item.b) for item in problem.appointments}
    for item in problem.appointments:
        if item.id in slots:
            by_slot[slots[item.id]].append(item.id)
    last: dict[str, int] = {}
    seated: dict[str, int] = {}
    for slot in sorted(by_slot):
        here = by_slot[slot]
        special = owned | {last[who] for m in here for who in parties[m] if who in last}
        special |= {home[m] for m in here if m in home and home[m] <= problem.tables}
        spare = (t for t in range(1, problem.tables + 1) if t not in special)
        tables = sorted(special | {t for t, _ in zip(spare, here, strict=False)})
        column = np.array(tables)
        # Of equally good tables, one that is nobody's own, then the lowest number.
        cost = np.tile(np.arange(len(tables)), (len(here), 1))
        cost += np.where(np.isin(column, sorted(owned)), len(tables), 0)
        change = 2 * len(tables) * len(here) + 1
        barred = change * (penalty + 2) * (len(here) + 1)
        for i, m in enumerate(here):
            for who in parties[m]:
                if who in last:
                    cost[i] += np.where(column != last[who], change, 0)
            if m in home:
                cost[i] += np.where(column != home[m], change * penalty, 0)
            if m in own:
                cost[i] += np.where(column != own[m], barred, 0)
        rows, columns = linear_sum_assignment(cost)
        for i, j in zip(rows.tolist(), columns.tolist(), strict=True):
            seated[here[i]] = tables[j]
            for who in parties[here[i]]:
                last[who] = tables[j]
    return seated


def least_changes(problem: MeetingProblem, breaks: int) -> int:
    """Return a bound on the table changes of timetables with all appointments and so many breaks.

    A change is saved where a participant's next appointment is at the table of the one before. In
    neighbouring slots a table passes from one appointment to one other, so what is saved there forms paths
    over the appointments, of which there are as many at least as lie in the fullest slot; across a break one
    more may be saved. Where the same two talk again, both of them save a change at once. Own tables cannot be
    left: each one more that a participant visits is a change.
    """
    own = own_tables(problem)
    visits: dict[str, list[int | None]] = defaultdict(list)
    for item in problem.appointments:
        for who in (item.a, item.b):
            visits[who].append(own.get(item.id))
    steps = saved = 0
    for mine in visits.values():
        steps += len(mine) - 1
        saved += len(mine) - 1 - max(0, len(set(mine) - {None}) - 1)
    used = max(1, problem.slots)
    paths = -(-len(problem.appointments) // used)
    again = len(problem.appointments) - len({frozenset((item.a, item.b)) for item in problem.appointments})
    return steps - min(saved, max(0, len(problem.appointments) - paths) + again + breaks)

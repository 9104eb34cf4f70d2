"""The objective level by level in a constraint model: meetings that cannot be whole, and re-plans.

Where every appointment can take place, ``race`` is faster; this is for what it does not know: optional
appointments of which some must go, and an earlier timetable to be kept.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from itertools import takewhile

from msgspec import Struct

from market.i18n import msg
from market.meetings.timetable.changes import links_of, most_saved, with_tables
from market.meetings.timetable.constraints import Constraint, broken
from market.meetings.timetable.problem import (
    LEVELS,
    Level,
    MeetingProblem,
    forced_breaks,
    table_changes,
    total_breaks,
    total_idle,
)
from market.meetings.timetable.prove import Model
from market.meetings.timetable.run import Run
from market.meetings.timetable.seating import seat

#: Seconds that must be left for a model of the tables to be built at all.
WORTH_BUILDING = 0.5
#: Clauses that are written down for it in a second.
_CLAUSES = 100_000


class Home(Struct, frozen=True):
    """Where appointments lay in an earlier timetable."""

    slots: dict[str, int]
    tables: dict[str, int]
    penalty: int


class Plan(Struct):
    """A plan on its way through the levels, with a bound on its breaks and what of it is proven."""

    slots: dict[str, int]
    tables: dict[str, int]
    bound: int
    proven: tuple[Level, ...] = ()


def prefix(*proofs: bool) -> tuple[Level, ...]:
    """Return the levels that are proven: one counts only where all above it are."""
    return tuple(level for level, _ in zip(LEVELS, takewhile(bool, proofs), strict=False))


def levels(
    meeting: MeetingProblem,
    rules: Sequence[Constraint],
    start: Mapping[str, int],
    weights: Sequence[Mapping[str, int]],
    home: Home,
    run: Run,
    *,
    full: bool,
    tightened: Callable[[Mapping[str, int]], dict[str, int]] | None = None,
) -> Plan | None:
    """Take the objective level by level. None: no timetable keeps ``rules`` (or none was found).

    ``tightened`` lowers the breaks of a plan at its weight, before the model does.
    """
    plan = dict(start)
    valid = not broken(meeting, rules, plan)
    model = Model(meeting, rules, threads=run.threads, seed=run.seed)
    weighed = True

    for wanted in weights or [{}]:
        scaled = _reduced(wanted)
        kept = model.kept_weight(scaled)
        most = sum(scaled.values())
        value = sum(scaled.get(m, 0) for m in plan) if valid else 0
        if not valid or value < most:
            run.say(msg("正在求能保留的最大权重……"))
            if valid:
                model.hint(plan)
            level = model.minimise(-kept, seconds=run.left * 0.5)
            if level.slots is None and not valid:
                return None
            if level.slots is not None and (not valid or -level.value > value):
                plan, valid = level.slots, True
                value = sum(scaled.get(m, 0) for m in plan)
            weighed &= level.proven
        if scaled:
            model.model.add(kept >= value)

    run.say(msg("正在求最少的空档……"))
    if tightened is not None:
        plan = tightened(plan)
    inescapable = forced_breaks(meeting) if full else {}
    forced = sum(inescapable.values())
    breaks = model.breaks(inescapable) + home.penalty * model.moved(home.slots)
    value = total_breaks(meeting, plan) + home.penalty * moved(plan, home)
    fewest = True
    if value > forced:
        model.hint(plan)
        level = model.minimise(breaks, seconds=run.left * 0.7, by_cores=True)
        if level.slots is not None and level.value < value:
            plan, value = level.slots, level.value
        fewest = level.proven
        # A bound on breaks plus penalties says nothing of breaks alone.
        bound = forced if home.slots and home.penalty else max(forced, level.bound)
    else:
        bound = value
    bound = min(bound, total_breaks(meeting, plan))
    model.model.add(breaks <= value)
    run.say(msg("空档 {breaks} 次，下界 {bound} 次。", breaks=total_breaks(meeting, plan), bound=bound))

    idle, least = total_idle(meeting, plan), True
    if idle:
        expression = model.idle()
        if idle > bound:
            model.hint(plan)
            level = model.minimise(expression, seconds=run.left * 0.6)
            if level.slots is not None and level.value < idle:
                plan, idle = level.slots, level.value
            least = level.proven
        model.model.add(expression <= idle)
    else:
        model.model.add(model.breaks({}) <= 0)

    run.say(msg("正在排桌……"))
    result = Plan(plan, seat(meeting, plan, home=home.tables, penalty=home.penalty), bound)
    result.proven = prefix(weighed, fewest, least, fewest_changes(meeting, model, result, home, run))
    return result


def fewest_changes(
    meeting: MeetingProblem,
    model: Model,
    plan: Plan,
    home: Home,
    run: Run,
) -> bool:
    """Lower the table changes of ``plan`` in place; return whether they are proven fewest."""

    def cost(slots: Mapping[str, int], tables: Mapping[str, int]) -> int:
        return table_changes(meeting, slots, tables) + home.penalty * _reseated(meeting, slots, tables, home)

    best = cost(plan.slots, plan.tables)
    if best == 0:
        return True
    links = links_of(meeting) * meeting.slots
    if not _worth(links, run):
        return False
    path = most_saved(model, plan.slots, seconds=run.minor(0.3))
    if path.slots is not None:
        tables = seat(meeting, path.slots, home=home.tables, penalty=home.penalty)
        if cost(path.slots, tables) < best:
            best, plan.slots, plan.tables = cost(path.slots, tables), path.slots, tables
    if best <= path.bound:
        return True
    seats = len(meeting.appointments) * meeting.slots * min(meeting.tables, len(meeting.appointments))
    if not _worth(links + seats, run):
        return False
    where = {m: (home.slots[m], home.tables[m]) for m in home.slots}
    seated = with_tables(
        model,
        plan.slots,
        plan.tables,
        home=where,
        penalty=home.penalty,
        seconds=run.minor(0.3),
        bound=path.bound,
    )
    if seated.slots is not None and seated.tables is not None and cost(seated.slots, seated.tables) < best:
        best, plan.slots, plan.tables = cost(seated.slots, seated.tables), seated.slots, seated.tables
    if seated.bound < best or not home.penalty:
        return seated.bound >= best
    if not _worth(links + seats, run):
        return False
    return _none_fewer(meeting, model, plan, path.bound, run)


def _worth(clauses: int, run: Run) -> bool:
    return run.left >= max(WORTH_BUILDING, clauses / _CLAUSES)


def _none_fewer(meeting: MeetingProblem, model: Model, plan: Plan, bound: int, run: Run) -> bool:
    """Tell whether the table changes of ``plan`` alone are proven fewest.

    With an earlier timetable they are lowered along with the tables that stay, each of which may cost one.
    """
    changes = table_changes(meeting, plan.slots, plan.tables)
    if changes <= bound:
        return True
    alone = with_tables(
        model, plan.slots, plan.tables, home={}, penalty=0, seconds=run.minor(0.3), bound=bound
    )
    return alone.bound >= changes


def _reduced(weights: Mapping[str, int]) -> dict[str, int]:
    """Divide weights by what all of them have in common: the solver counts in doubles."""
    positive = {m: w for m, w in weights.items() if w > 0}
    common = reduce(math.gcd, positive.values(), 0)
    return {m: w // common for m, w in positive.items()}


def moved(slots: Mapping[str, int], home: Home) -> int:
    return sum(slots[m] != t for m, t in home.slots.items() if m in slots)


def _reseated(
    meeting: MeetingProblem, slots: Mapping[str, int], tables: Mapping[str, int], home: Home
) -> int:
    """Count appointments that stay in their slot but change their table, those with an own table apart."""
    own = {person.id for person in meeting.participants if person.table is not None}
    return sum(
        slots[item.id] == home.slots[item.id] and tables[item.id] != home.tables[item.id]
        for item in meeting.appointments
        if item.id in home.slots and item.id in slots and item.a not in own and item.b not in own
    )

"""The last level of the objective: fewest table changes, over slots and tables together.

A change is saved where a participant's next appointment is at the table of the one before. In
neighbouring slots a table passes from one appointment to one other, so the saved changes form paths;
that alone bounds them (:func:`most_saved`) and, where nobody has a break or an own table, every set
of paths can be seated. Otherwise :func:`with_tables` models the tables themselves.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from msgspec import Struct
from ortools.sat.python import cp_model

from market.meetings.timetable.problem import MeetingProblem
from market.meetings.timetable.prove import Expression, Model, add_up
from market.meetings.timetable.seating import own_tables

#: Above these sizes the models would not be built, let alone solved, within a minute.
MOST_LINKS = 20_000
_MOST_SEATS = 20_000


class Seating(Struct, frozen=True):
    """Slots and tables (None: nothing found), and a proven bound on table changes plus penalties."""

    slots: dict[str, int] | None
    tables: dict[str, int] | None
    bound: int
    proven: bool


class _Slots:
    """Slot numbers of appointments as linear expressions of a model."""

    def __init__(self, model: Model) -> None:
        self.of: dict[int, Expression] = {}
        terms: dict[int, list[Expression]] = defaultdict(list)
        for (m, t), v in model.at.items():
            terms[m].append(t * v)
        for m in range(len(model.ends)):
            self.of[m] = add_up(terms[m])


def _shared(model: Model) -> list[tuple[int, int]]:
    """Return every ordered pair of appointments with a participant in common."""
    return sorted({(m, n) for mine in model.members for m in mine for n in mine if m != n})


def _neighbours(model: Model) -> list[tuple[cp_model.IntVar, int, int]]:
    """Add links (link, m, n): n follows m at its table in the next slot."""
    cp = model.model
    items = model.problem.appointments
    own = own_tables(model.problem)
    passed: list[tuple[cp_model.IntVar, int, int]] = []
    out: dict[int, list[cp_model.IntVar]] = defaultdict(list)
    into: dict[int, list[cp_model.IntVar]] = defaultdict(list)
    for m, n in _shared(model):
        if own.get(items[m].id, 0) != own.get(items[n].id, 0) and items[m].id in own and items[n].id in own:
            continue
        link = cp.new_bool_var(f"passed_{m}_{n}")
        for t in range(1, model.problem.slots + 1):
            here = model.at.get((m, t))
            there = model.at.get((n, t + 1))
            if here is not None:
                if there is None:
                    cp.add_bool_or(~link, ~here)
                else:
                    cp.add_bool_or(~link, ~here, there)
        cp.add_bool_or(~link, *model.kept[m])
        out[m].append(link)
        into[n].append(link)
        passed.append((link, m, n))
    for links in (*out.values(), *into.values()):
        cp.add_at_most_one(links)
    # Each slot's appointments lie on as many paths, and a path saves one change less than it is long.
    kept = add_up(v for slots in model.kept for v in slots)
    total = add_up(link for link, _, _ in passed)
    for t in range(1, model.problem.slots + 1):
        load = [model.at[m, t] for m in range(len(items)) if (m, t) in model.at]
        cp.add(total + add_up(load) <= kept)
    return passed


def _changes(model: Model, saved: Sequence[tuple[int, Expression]]) -> Expression:
    """Return the table changes of all, given (participant, saved) as terms.

    A variable for each participant, with the changes it cannot escape as its lower end, gives the
    solver a bound that it would otherwise have to reason up to.
    """
    items = model.problem.appointments
    own = own_tables(model.problem)
    terms: dict[int, list[Expression]] = defaultdict(list)
    for p, term in saved:
        terms[p].append(term)
    counts: list[cp_model.IntVar] = []
    for p, mine in enumerate(model.members):
        if len(mine) < 2:
            continue
        sure = [m for m in mine if items[m].id in model.required]
        spots = {own.get(items[m].id) for m in sure}
        least = max(0, len(spots - {None}) - 1)
        count = model.model.new_int_var(least, len(mine) - 1, f"changes_{p}")
        steps = add_up(v for m in mine for v in model.kept[m]) - model.some[p]
        model.model.add(steps - add_up(terms[p]) <= count)
        counts.append(count)
    return add_up(counts)


def _free_again(model: Model) -> list[tuple[int, Expression]]:
    """Return, per participant, how many breaks may end at the table where they began."""
    items = model.problem.appointments
    own = own_tables(model.problem)
    saved: list[tuple[int, Expression]] = []
    for p, mine in enumerate(model.members):
        places = [own.get(items[m].id) for m in mine]
        if len(mine) < 2 or (None not in places and len(set(places)) == len(mine)):
            continue
        again = model.model.new_int_var(0, len(mine) - 1, f"again_{p}")
        model.model.add(again <= add_up(f * v for f, v in model.breaks_of(p)))
        saved.append((p, again))
    return saved


def _by_participant(
    model: Model, links: Sequence[tuple[cp_model.IntVar, int, int]]
) -> list[tuple[int, Expression]]:
    return [(p, link) for link, m, n in links for p in set(model.ends[m]) & set(model.ends[n])]


def links_of(problem: MeetingProblem) -> int:
    count: dict[str, int] = defaultdict(int)
    for item in problem.appointments:
        count[item.a] += 1
        count[item.b] += 1
    return sum(n * (n - 1) for n in count.values())


def most_saved(model: Model, slots: Mapping[str, int], *, seconds: float) -> Seating:
    """Bound the table changes from below by paths through neighbouring slots.

    Across a break a participant might find its table free again, so each break counts as saved.
    Returns the slots of the best paths; their tables are for the caller to find.
    """
    if links_of(model.problem) > MOST_LINKS:
        return Seating(None, None, 0, False)
    passed = _neighbours(model)
    changes = _changes(model, [*_by_participant(model, passed), *_free_again(model)])
    model.hint(slots)
    level = model.minimise(changes, seconds=seconds)
    return Seating(level.slots, None, max(0, level.bound), level.proven)


def with_tables(
    model: Model,
    slots: Mapping[str, int],
    tables: Mapping[str, int],
    *,
    home: Mapping[str, tuple[int, int]],
    penalty: int,
    seconds: float,
    bound: int = 0,
) -> Seating:
    """Find slots and tables with the fewest changes, starting from a seated plan.

    ``home`` holds slot and table of an earlier timetable: another table in the same slot costs ``penalty``.
    """
    problem, cp = model.problem, model.model
    items = problem.appointments
    if links_of(problem) > MOST_LINKS // 4 or len(items) * min(problem.tables, len(items)) > _MOST_SEATS:
        return Seating(None, None, bound, False)
    own = own_tables(problem)
    special = set(own.values()) | {table for _, table in home.values() if table <= problem.tables}
    # Tables that nobody owns are alike: as many as there are appointments are enough.
    usable = sorted(special)
    usable += [t for t in range(1, problem.tables + 1) if t not in special][: len(items)]
    usable = sorted(set(usable) | set(tables.values()))
    sits = {
        (m, k): cp.new_bool_var(f"sits_{m}_{k}")
        for m, item in enumerate(items)
        for k in ([own[item.id]] if item.id in own else usable)
    }
    columns: dict[int, list[int]] = defaultdict(list)
    for m, k in sits:
        columns[m].append(k)
    for m in range(len(items)):
        cp.add_exactly_one(sits[m, k] for k in columns[m])
    present: dict[tuple[int, int], list[cp_model.IntVar]] = defaultdict(list)
    for (m, t), here in model.at.items():
        for k in columns[m]:
            both = cp.new_bool_var(f"both_{m}_{t}_{k}")
            cp.add_bool_or(~here, ~sits[m, k], both)
            present[t, k].append(both)
    for seat in present.values():
        cp.add_at_most_one(seat)

    passed = _neighbours(model)
    across = _across_breaks(model)
    for link, m, n in (*passed, *((link, m, n) for _, link, m, n in across)):
        for k in set(columns[m]) | set(columns[n]):
            if k not in columns[m]:
                cp.add_bool_or(~link, ~sits[n, k])
            elif k not in columns[n]:
                cp.add_bool_or(~link, ~sits[m, k])
            else:
                cp.add_bool_or(~link, ~sits[m, k], sits[n, k])
    elsewhere: list[cp_model.IntVar] = []
    for m, item in enumerate(items):
        slot, table = home.get(item.id, (0, 0))
        if (m, slot) in model.at and item.id not in own:
            away = cp.new_bool_var(f"elsewhere_{m}")
            cp.add_bool_or(~model.at[m, slot], away, *([sits[m, table]] if (m, table) in sits else []))
            elsewhere.append(away)
    saved = [*_by_participant(model, passed), *((p, link) for p, link, _, _ in across)]
    cost = _changes(model, saved) + penalty * add_up(elsewhere)
    if bound:
        cp.add(cost >= bound)
    model.hint(slots)
    for (m, k), v in sits.items():
        if items[m].id in tables:
            cp.add_hint(v, int(tables[items[m].id] == k))
    level = model.minimise(cost, seconds=seconds)
    if level.slots is None:
        return Seating(None, None, max(bound, level.bound), False)
    found = {
        items[m].id: k
        for (m, k), v in sits.items()
        if items[m].id in level.slots and model.solver.boolean_value(v)
    }
    return Seating(level.slots, found, max(bound, level.bound), level.proven)


def _across_breaks(model: Model) -> list[tuple[int, cp_model.IntVar, int, int]]:
    """Add links (p, link, m, n): n is a participant's next appointment after m and a break."""
    cp = model.model
    number = _Slots(model)
    links: list[tuple[int, cp_model.IntVar, int, int]] = []
    for p, mine in enumerate(model.members):
        if len(mine) < 2:
            continue
        earlier: dict[tuple[int, int], cp_model.IntVar] = {}
        for m in mine:
            for n in mine:
                if m != n:
                    v = cp.new_bool_var(f"earlier_{p}_{m}_{n}")
                    # One left out has number 0; a link needs both of its ends.
                    cp.add(number.of[n] - number.of[m] >= 1).only_enforce_if(v)
                    earlier[m, n] = v
        mine_links: list[cp_model.IntVar] = []
        for m, n in list(earlier):
            link = cp.new_bool_var(f"across_{p}_{m}_{n}")
            cp.add(number.of[n] - number.of[m] >= 2).only_enforce_if(link)
            cp.add_bool_or(~link, *model.kept[m])
            cp.add_bool_or(~link, *model.kept[n])
            for q in mine:
                if q not in (m, n):
                    gone = cp.new_bool_var(f"gone_{p}_{m}_{n}_{q}")
                    cp.add(add_up(model.kept[q]) == 0).only_enforce_if(gone)
                    cp.add_bool_or(~link, earlier[q, m], earlier[n, q], gone)
            mine_links.append(link)
            links.append((p, link, m, n))
        cp.add(add_up(mine_links) <= add_up(f * v for f, v in model.breaks_of(p)))
        for m in mine:
            cp.add_at_most_one(link for _, link, a, _ in links[-len(mine_links) :] if a == m)
            cp.add_at_most_one(link for _, link, _, b in links[-len(mine_links) :] if b == m)
    return links

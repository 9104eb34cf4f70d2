"""The timetable of a docking meeting: built, improved, proven, or refused with a reason.

The objective is lexicographic: kept weight, breaks (with ``keep``: plus ``penalty`` per moved
appointment), idle slots, table changes. "optimal" is said only when every level is proven.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from random import Random
from time import perf_counter

from msgspec import Struct

from market.i18n import Message, msg
from market.meetings.timetable.changes import most_saved, with_tables
from market.meetings.timetable.clash import smallest_clash, summary
from market.meetings.timetable.constraints import Constraint, broken, constraints, domains
from market.meetings.timetable.construct import Board, construct
from market.meetings.timetable.improve import improve
from market.meetings.timetable.problem import (
    WEIGHT_SCALE,
    Clash,
    MeetingProblem,
    Placed,
    Timetable,
    check,
    forced_breaks,
    scaled_kept,
    table_changes,
    total_breaks,
    total_idle,
)
from market.meetings.timetable.prove import Model
from market.meetings.timetable.seating import seat

#: So many breaks is a moved appointment worth unless told otherwise: change as little as possible.
DEFAULT_PENALTY = 1_000
MOST_PENALTY = 1_000_000

#: Seconds that must be left for a model of the tables to be built at all.
_WORTH_BUILDING = 0.5

Progress = Callable[[Message], None]


class _Home(Struct, frozen=True):
    """Where appointments lay in an earlier timetable."""

    slots: dict[str, int]
    tables: dict[str, int]
    penalty: int


class _Plan(Struct):
    """A plan on its way through the levels."""

    slots: dict[str, int]
    tables: dict[str, int]
    bound: int
    proven: bool


class _Run:
    """One call of the scheduler: its time, its solver settings, and who hears how far it is."""

    def __init__(self, *, time_limit: float, threads: int, seed: int, progress: Progress | None) -> None:
        self._start = perf_counter()
        self.limit = time_limit
        self.threads = threads
        self.seed = seed
        self._progress = progress

    @property
    def spent(self) -> float:
        return perf_counter() - self._start

    @property
    def left(self) -> float:
        return max(0.0, self.limit - self.spent)

    def share(self, part: float) -> float:
        """Return ``part`` of the whole time, two seconds at least, as far as there is so much left.

        Table changes are the least of the objective and the hardest to prove: they may not hold up
        a timetable that is otherwise done.
        """
        return min(self.left, max(2.0, self.limit * part))

    def say(self, text: Message) -> None:
        if self._progress is not None:
            self._progress(text)


def schedule(
    meeting: MeetingProblem,
    *,
    time_limit: float,
    seed: int = 0,
    threads: int = 1,
    keep: Timetable | None = None,
    penalty: int = DEFAULT_PENALTY,
    progress: Progress | None = None,
) -> Timetable:
    """Lay the appointments of ``meeting`` over its slots and tables.

    Args:
        time_limit: seconds of wall time, of which building the model may take a little more.
        threads: of the solver. One thread gives the same timetable for the same seed, as long as time
            does not run out.
        keep: an earlier timetable, from which to move as little as possible.
        penalty: how many breaks a moved appointment is worth.
        progress: hears what stage the work has come to.

    Raises:
        Invalid: the meeting makes no sense; ``fields`` tells where.
    """
    check(meeting)
    run = _Run(time_limit=time_limit, threads=max(1, threads), seed=seed, progress=progress)
    rules = constraints(meeting)
    home = _home(meeting, keep, penalty)
    start = _first(meeting, rules, home, run)
    demanded = {item.id: 1 for item in meeting.appointments if not item.optional}
    wished = {item.id: item.scaled_weight for item in meeting.appointments if item.optional}
    plan = _levels(meeting, rules, start, [wished], home, run, full=True)
    if plan is not None:
        return _timetable(meeting, plan, home, run, status="optimal" if plan.proven else "feasible")

    run.say(msg("必须安排的洽谈排不下，正在找原因……"))
    deadline = run.spent + max(5.0, run.left * 0.5)
    clashing, _ = smallest_clash(meeting, rules, seed=seed, go_on=lambda: run.spent < deadline)
    loose = [rule for rule in rules if rule.kind != "keep"]
    weights = {item.id: item.scaled_weight for item in meeting.appointments}
    partial = _levels(meeting, loose, start, [demanded, weights], home, run, full=False)
    if partial is None:
        partial = _Plan({}, {}, 0, False)
    return _timetable(
        meeting,
        partial,
        home,
        run,
        status="infeasible",
        clash=tuple(rule.label for rule in clashing),
        text=summary(meeting, clashing),
    )


def _home(meeting: MeetingProblem, keep: Timetable | None, penalty: int) -> _Home:
    if keep is None:
        return _Home({}, {}, 0)
    known = {item.id for item in meeting.appointments}
    placed = [item for item in keep.appointments if item.id in known]
    return _Home({p.id: p.slot for p in placed}, {p.id: p.table for p in placed}, penalty)


def _first(meeting: MeetingProblem, rules: Sequence[Constraint], home: _Home, run: _Run) -> dict[str, int]:
    """Return a plan by construction and local search; it may leave appointments out."""
    run.say(msg("正在排入 {count} 场洽谈……", count=len(meeting.appointments)))
    board = Board(meeting, domains(meeting, rules), Random(run.seed))  # noqa: S311 - a seeded search
    construct(board, home=home.slots)
    # About a fifth of the time at some 100,000 moves a second, counted in moves so that a seed repeats.
    steps = min(int(20_000 * run.limit), 4_000 * len(meeting.appointments))
    deadline = run.spent + run.left * 0.3
    improve(
        board,
        home=home.slots,
        penalty=home.penalty,
        target=sum(forced_breaks(meeting).values()),
        steps=steps,
        go_on=lambda: run.spent < deadline,
    )
    return board.plan()


def _levels(
    meeting: MeetingProblem,
    rules: Sequence[Constraint],
    start: Mapping[str, int],
    weights: Sequence[Mapping[str, int]],
    home: _Home,
    run: _Run,
    *,
    full: bool,
) -> _Plan | None:
    """Take the objective level by level. None: no timetable keeps ``rules`` (or none was found)."""
    plan = dict(start)
    valid = not broken(meeting, rules, plan)
    model = Model(meeting, rules, threads=run.threads, seed=run.seed)
    proven = True

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
            proven &= level.proven
        if scaled:
            model.model.add(kept >= value)

    run.say(msg("正在求最少的空档……"))
    inescapable = forced_breaks(meeting) if full else {}
    forced = sum(inescapable.values())
    breaks = model.breaks(inescapable) + home.penalty * model.moved(home.slots)
    value = total_breaks(meeting, plan) + home.penalty * _moved(plan, home)
    if value > forced:
        model.hint(plan)
        level = model.minimise(breaks, seconds=run.left * 0.7, by_cores=True)
        if level.slots is not None and level.value < value:
            plan, value = level.slots, level.value
        proven &= level.proven
        # A bound on breaks plus penalties says nothing of breaks alone.
        bound = forced if home.slots else max(forced, level.bound)
    else:
        bound = value
    bound = min(bound, total_breaks(meeting, plan))
    model.model.add(breaks <= value)
    run.say(msg("空档 {breaks} 次，下界 {bound} 次。", breaks=total_breaks(meeting, plan), bound=bound))

    idle = total_idle(meeting, plan)
    if idle:
        expression = model.idle()
        if idle > bound:
            model.hint(plan)
            level = model.minimise(expression, seconds=run.left * 0.6)
            if level.slots is not None and level.value < idle:
                plan, idle = level.slots, level.value
            proven &= level.proven
        model.model.add(expression <= idle)
    else:
        model.model.add(model.breaks({}) <= 0)

    run.say(msg("正在排桌……"))
    result = _Plan(plan, seat(meeting, plan, home=home.tables, penalty=home.penalty), bound, proven)
    _fewest_changes(meeting, model, result, home, run)
    return result


def _fewest_changes(
    meeting: MeetingProblem,
    model: Model,
    plan: _Plan,
    home: _Home,
    run: _Run,
) -> None:
    """Lower the table changes of ``plan`` in place, and tell whether they are proven fewest."""

    def cost(slots: Mapping[str, int], tables: Mapping[str, int]) -> int:
        return table_changes(meeting, slots, tables) + home.penalty * _reseated(meeting, slots, tables, home)

    best = cost(plan.slots, plan.tables)
    if best == 0:
        return
    if run.left < _WORTH_BUILDING:
        plan.proven = False
        return
    path = most_saved(model, plan.slots, seconds=run.share(0.1))
    if path.slots is not None:
        tables = seat(meeting, path.slots, home=home.tables, penalty=home.penalty)
        if cost(path.slots, tables) < best:
            best, plan.slots, plan.tables = cost(path.slots, tables), path.slots, tables
    if best > path.bound and run.left < _WORTH_BUILDING:
        plan.proven = False
    elif best > path.bound:
        where = {m: (home.slots[m], home.tables[m]) for m in home.slots}
        seated = with_tables(
            model,
            plan.slots,
            plan.tables,
            home=where,
            penalty=home.penalty,
            seconds=run.share(0.1),
            bound=path.bound,
        )
        if (
            seated.slots is not None
            and seated.tables is not None
            and cost(seated.slots, seated.tables) < best
        ):
            best, plan.slots, plan.tables = cost(seated.slots, seated.tables), seated.slots, seated.tables
        plan.proven = plan.proven and seated.bound >= best


def _reduced(weights: Mapping[str, int]) -> dict[str, int]:
    """Divide weights by what all of them have in common: the solver counts in doubles."""
    positive = {m: w for m, w in weights.items() if w > 0}
    common = reduce(math.gcd, positive.values(), 0)
    return {m: w // common for m, w in positive.items()}


def _moved(slots: Mapping[str, int], home: _Home) -> int:
    return sum(slots[m] != t for m, t in home.slots.items() if m in slots)


def _reseated(
    meeting: MeetingProblem, slots: Mapping[str, int], tables: Mapping[str, int], home: _Home
) -> int:
    """Count appointments that stay in their slot but change their table, those with an own table apart."""
    own = {person.id for person in meeting.participants if person.table is not None}
    return sum(
        slots[item.id] == home.slots[item.id] and tables[item.id] != home.tables[item.id]
        for item in meeting.appointments
        if item.id in home.slots and item.id in slots and item.a not in own and item.b not in own
    )


def _timetable(
    meeting: MeetingProblem,
    plan: _Plan,
    home: _Home,
    run: _Run,
    *,
    status: str,
    clash: tuple[Clash, ...] = (),
    text: Message | None = None,
) -> Timetable:
    placed = [Placed(m, slot, plan.tables[m]) for m, slot in plan.slots.items()]
    placed.sort(key=lambda p: (p.slot, p.table))
    with_home = bool(home.penalty)
    return Timetable(
        appointments=tuple(placed),
        breaks=total_breaks(meeting, plan.slots),
        idle_slots=total_idle(meeting, plan.slots),
        table_changes=table_changes(meeting, plan.slots, plan.tables),
        kept_weight=scaled_kept(meeting, plan.slots) / WEIGHT_SCALE,
        left_out=tuple(item.id for item in meeting.appointments if item.id not in plan.slots),
        lower_bound_breaks=min(plan.bound, total_breaks(meeting, plan.slots)),
        status=status,  # type: ignore[arg-type]
        seconds=round(run.spent, 3),
        moved=_moved(plan.slots, home) if with_home else None,
        penalty=home.penalty if with_home else None,
        summary=text,
        clash=clash,
    )

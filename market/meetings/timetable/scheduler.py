"""The timetable of a docking meeting: built, improved, proven, or refused with a reason.

The objective is lexicographic: kept weight, breaks (with ``keep``: plus ``penalty`` per moved
appointment), idle slots, table changes. "optimal" is said only when every level is proven.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from market.i18n import Message, msg
from market.meetings.timetable.board import slots_of, tally
from market.meetings.timetable.clash import smallest_clash, summary
from market.meetings.timetable.constraints import Constraint, constraints, domains, trimmed
from market.meetings.timetable.levels import WORTH_BUILDING, Home, Plan, fewest_changes, levels, moved, prefix
from market.meetings.timetable.overfull import counted_clash
from market.meetings.timetable.problem import (
    DEFAULT_PENALTY,
    LEVELS,
    WEIGHT_SCALE,
    Clash,
    MeetingProblem,
    Placed,
    Timetable,
    check,
    forced_breaks,
    free_runs,
    scaled_kept,
    table_changes,
    total_breaks,
    total_idle,
)
from market.meetings.timetable.prove import Model
from market.meetings.timetable.race import Raced, anneal_slowly, race
from market.meetings.timetable.run import Progress, Run
from market.meetings.timetable.search import Search
from market.meetings.timetable.seating import least_changes, seat
from market.meetings.timetable.thinning import thin
from market.meetings.timetable.tightening import tightened

#: What is said as soon as it is known that not all that must take place can.
IMPOSSIBLE = msg("必须安排的洽谈排不下，正在找原因……")
#: Of the time limit, what may go by before the last attempt at placing everything begins.
_BUILDING = 0.1
#: Seconds for a first fair timetable, however short the limit is: without it nothing is found but a remnant.
_LEAST_FOR_FAIR = 0.5
#: Of what is left where not everything can be placed, what making the rest fair may take.
_THINNING = 0.3
#: Seconds for finding out what clashes, however little is left; and however short the limit is.
_LEAST_FOR_REASONS, _LEAST_OF_ALL = 2.0, 1.0
#: What is impossible is known by then: the fewest words for it, and the fullest timetable there can be, are
#: worth so many seconds, or a twelfth and a quarter of the limit.
_LEAST_FOR_SMALLEST, _LEAST_FOR_PARTIAL = 3.0, 5.0
#: Above so many places of appointments a constraint model takes too long to build; so many are worth a second
#: of what is left, all levels together; and so many are tried however little is left.
_MOST_PLACES, _PACE, _LEAST_PLACES = 12_000, 4_000, 1_000
#: Above so many, the fewest table changes are never proven in time.
_MOST_SEATED = 1_500
#: Of the time limit, what seating is left where no model follows the search.
_RESERVE, _MOST_RESERVE = 0.15, 5.0
#: Attempts at fewer table changes by the search, before a model is built.
_POLISHES = 3


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
        time_limit: seconds of wall time, of which building a model may take a little more.
        threads: with two or more, search and proof go side by side. One gives the same timetable for the
            same seed wherever all levels are proven; what is only improved goes by the clock.
        keep: an earlier timetable, from which to move as little as possible.
        penalty: how many breaks a moved appointment is worth.
        progress: hears what stage the work has come to.

    Raises:
        Invalid: the meeting makes no sense; ``fields`` tells where.
    """
    check(meeting)
    run = Run(time_limit=time_limit, threads=max(1, threads), seed=seed, progress=progress)
    rules = constraints(meeting)
    suits = domains(meeting, rules)
    home = _home(meeting, keep, penalty)
    run.say(msg("正在排入 {count} 场洽谈……", count=len(meeting.appointments)))
    search = Search(meeting, suits, seed=seed, home=home.slots, penalty=home.penalty)
    search.build(patience=run.limit * _BUILDING)
    search.make_fair(patience=_LEAST_FOR_FAIR)
    clashes = bool(counted_clash(meeting, rules))
    if not clashes and not home.slots and _could_be_whole(meeting, suits):
        raced = race(meeting, suits, search, run)
        if raced.plan is not None:
            return _laid(meeting, _seated(meeting, rules, raced, search, run), home, run)
        if all(not item.optional for item in meeting.appointments):
            return _impossible(meeting, rules, search, home, run, known=raced.impossible)
    if not clashes:
        if home.slots:
            _improve(search, meeting, run)
        if _too_large(meeting, run):
            plan = _as_found(meeting, rules, search, home, run)
        else:
            plan = _by_levels(meeting, rules, search.plan, home, run)
        if plan is not None:
            return _laid(meeting, plan, home, run)
    return _impossible(meeting, rules, search, home, run, known=clashes)


def _too_large(meeting: MeetingProblem, run: Run) -> bool:
    """Tell whether a constraint model is not worth building in the time that is left."""
    places = len(meeting.appointments) * meeting.slots
    return places > min(_MOST_PLACES, max(_LEAST_PLACES, _PACE * run.left))


def _laid(meeting: MeetingProblem, plan: Plan, home: Home, run: Run) -> Timetable:
    return _timetable(meeting, plan, home, run, status="optimal" if plan.proven == LEVELS else "feasible")


def _by_levels(
    meeting: MeetingProblem, rules: Sequence[Constraint], start: Mapping[str, int], home: Home, run: Run
) -> Plan | None:
    """Take the objective level by level in a constraint model; None: nothing found that keeps the rules."""
    wished = {item.id: item.scaled_weight for item in meeting.appointments if item.optional}
    lower = None if home.slots else tightened(meeting, run)
    return levels(meeting, rules, start, [wished], home, run, full=True, tightened=lower)


def _as_found(
    meeting: MeetingProblem, rules: Sequence[Constraint], search: Search, home: Home, run: Run
) -> Plan | None:
    """Take what the search has found, unproven; None where it leaves out what must take place."""
    if not home.slots:
        run.say(msg("正在求最少的空档……"))
        deadline = run.limit - min(_MOST_RESERVE, run.limit * _RESERVE)
        anneal_slowly(search, run, deadline, target=float(sum(forced_breaks(meeting).values())))
    slots = trimmed(meeting, [rule for rule in rules if rule.kind != "keep"], search.plan)
    if any(item.id not in slots and not item.optional for item in meeting.appointments):
        return None
    return _unproven(meeting, slots, home)


def _unproven(meeting: MeetingProblem, slots: Mapping[str, int], home: Home) -> Plan:
    """Give tables to a plan with all that must take place: its bound on breaks is what calendars force."""
    return Plan(dict(slots), _seats(meeting, slots, home), sum(forced_breaks(meeting).values()))


def _seats(meeting: MeetingProblem, slots: Mapping[str, int], home: Home) -> dict[str, int]:
    return seat(meeting, slots, home=home.tables, penalty=home.penalty)


def _could_be_whole(meeting: MeetingProblem, suits: Sequence[Sequence[int]]) -> bool:
    """Tell whether every appointment is worth its place, and nothing that is plain to see keeps one out."""
    if any(item.optional and not item.scaled_weight for item in meeting.appointments):
        # left out at no loss, it may spare a break
        return False
    if len(meeting.appointments) > meeting.slots * meeting.tables or not all(suits):
        return False
    booked = Counter(who for item in meeting.appointments for who in (item.a, item.b))
    return all(
        booked[person.id] <= sum(free_runs(meeting, person))
        and (person.max_appointments is None or booked[person.id] <= person.max_appointments)
        for person in meeting.participants
    )


def _home(meeting: MeetingProblem, keep: Timetable | None, penalty: int) -> Home:
    if keep is None:
        return Home({}, {}, 0)
    known = {item.id for item in meeting.appointments}
    placed = [item for item in keep.appointments if item.id in known]
    return Home({p.id: p.slot for p in placed}, {p.id: p.table for p in placed}, penalty)


def _improve(search: Search, meeting: MeetingProblem, run: Run) -> None:
    """Let the search go on for a fifth of the time, counted in moves so that a seed repeats."""
    target = float(sum(forced_breaks(meeting).values()))
    deadline = run.spent + run.left * 0.3
    for _ in range(min(int(2 * run.limit) + 1, 1 + len(meeting.appointments) // 5)):
        if search.cost <= target or run.spent > deadline:
            return
        search.go_on(target=target)


def _seated(
    meeting: MeetingProblem, rules: Sequence[Constraint], raced: Raced, search: Search, run: Run
) -> Plan:
    """Give a whole plan its tables, and say what of it is proven."""
    assert raced.plan is not None
    run.say(msg("正在排桌……"))
    score = (total_breaks(meeting, raced.plan), total_idle(meeting, raced.plan))
    plan = Plan(raced.plan, seat(meeting, raced.plan, home={}, penalty=0), raced.breaks_bound)
    plan.proven = prefix(True, *raced.proven(score), _few_changes(meeting, rules, plan, search, run))
    return plan


def _few_changes(
    meeting: MeetingProblem, rules: Sequence[Constraint], plan: Plan, search: Search, run: Run
) -> bool:
    """Lower the table changes of a whole plan in place; return whether they are proven fewest."""
    score = (total_breaks(meeting, plan.slots), total_idle(meeting, plan.slots))
    least = least_changes(meeting, score[0])
    enough = run.spent + run.minor(0.3)
    for _ in range(_POLISHES):
        now = table_changes(meeting, plan.slots, plan.tables)
        if now <= least:
            return True
        if run.left < WORTH_BUILDING or run.spent > enough:
            break
        slots = search.polished(plan.slots)
        tables = seat(meeting, slots, home={}, penalty=0)
        fair = tally(meeting, search.board.uses, slots_of(meeting, slots)).fair
        if fair and table_changes(meeting, slots, tables) < now:
            plan.slots, plan.tables = slots, tables
    if table_changes(meeting, plan.slots, plan.tables) <= least:
        return True
    if len(meeting.appointments) * meeting.slots > _MOST_SEATED or run.left < WORTH_BUILDING:
        return False
    model = Model(meeting, rules, threads=run.threads, seed=run.seed)
    for places in model.kept:
        model.model.add_bool_or(places)
    model.model.add(model.breaks({}) <= score[0])
    model.model.add(model.idle() <= score[1])
    return fewest_changes(meeting, model, plan, Home({}, {}, 0), run)


def _impossible(
    meeting: MeetingProblem,
    rules: Sequence[Constraint],
    search: Search,
    home: Home,
    run: Run,
    *,
    known: bool,
) -> Timetable:
    """Name what clashes, and lay as much as possible; where nothing clashes after all, lay it.

    ``known``: it has been proven that not all that must take place can.
    """
    if known:
        run.say(IMPOSSIBLE)
    deadline = run.spent + max(min(_LEAST_FOR_REASONS, run.limit), _LEAST_OF_ALL, run.left * 0.5)
    found = smallest_clash(
        meeting,
        rules,
        seed=run.seed,
        left=lambda: deadline - run.spent,
        patience=max(_LEAST_FOR_SMALLEST, run.limit / 12),
    )
    if found.plan is not None:
        plan: Plan | None = _unproven(meeting, found.plan, home)
        if not _too_large(meeting, run):
            plan = _by_levels(meeting, rules, found.plan, home, run)
        if plan is not None:
            return _laid(meeting, plan, home, run)
    if found.rules and not known:
        run.say(IMPOSSIBLE)
    run.end_within(max(_LEAST_FOR_PARTIAL, run.limit / 4))
    loose = [rule for rule in rules if rule.kind != "keep"]
    demanded = {item.id: 1 for item in meeting.appointments if not item.optional}
    weights = {item.id: item.scaled_weight for item in meeting.appointments}
    _improve(search, meeting, run)
    # where no model follows, all the time that is left
    large = _too_large(meeting, run)
    thin(search, seconds=max(_LEAST_FOR_FAIR, run.left * (1 if large else _THINNING)))
    start = trimmed(meeting, loose, search.plan)
    partial = None
    if not large:
        partial = levels(meeting, loose, start, [demanded, weights], home, run, full=False)
    if partial is None:
        partial = Plan(start, _seats(meeting, start, home), 0)
    if demanded.keys() <= partial.slots.keys():
        return _timetable(meeting, partial, home, run, status="feasible")
    return _timetable(
        meeting,
        partial,
        home,
        run,
        status="infeasible",
        clash=tuple(rule.label for rule in found.rules),
        text=summary(meeting, found.rules, known=known),
    )


def _timetable(
    meeting: MeetingProblem,
    plan: Plan,
    home: Home,
    run: Run,
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
        proven=plan.proven if status != "infeasible" else (),
        moved=moved(plan.slots, home) if with_home else None,
        penalty=home.penalty if with_home else None,
        summary=text,
        clash=clash,
    )

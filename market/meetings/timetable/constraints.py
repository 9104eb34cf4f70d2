"""Every constraint of a docking meeting, written once and with a label.

A constraint is a label and some rows. A row ``(terms, bound)`` reads sum(coefficient * atom) <= bound
over the atoms below, so the solver can post it and :func:`broken` can check a finished plan by it.

Atoms, each 0 or 1 unless noted, with participants and appointments as indices into the problem and
slots from 1:

- ``("at", m, t)``: appointment m lies in slot t
- ``("begin", p, t)``: p is busy in slot t and was not in slot t - 1
- ``("some", p, 0)``: p has an appointment at all; breaks of p = sum of its begins - some
- ``("least", 0, 0)``: the fewest breaks that any participant has, 0 or more
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial

from market.i18n import Message, msg
from market.meetings.timetable.problem import (
    Appointment,
    Clash,
    MeetingProblem,
    breaks_of,
    slots_by_participant,
)

Atom = tuple[str, int, int]
Row = tuple[tuple[tuple[int, Atom], ...], int]


class Constraint:
    """``rows`` that must hold, under a label that an official understands.

    The rows are written when they are first asked for: a thousand participants have hundreds of thousands,
    and a search that keeps the rules by itself needs none of them.
    """

    def __init__(
        self,
        kind: str,
        text: Message,
        rows: Callable[[], Iterable[Row]],
        participants: tuple[str, ...] = (),
        appointments: tuple[str, ...] = (),
    ) -> None:
        self.kind = kind
        self.text = text
        self.participants = participants
        self.appointments = appointments
        self._write = rows

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        return tuple(self._write())

    @property
    def label(self) -> Clash:
        return Clash(self.kind, self.text, self.participants, self.appointments)


def at(appointment: int, slot: int) -> Atom:
    return ("at", appointment, slot)


def _at_most(atoms: Iterable[Atom], bound: int) -> Row:
    counts: dict[Atom, int] = defaultdict(int)
    for atom in atoms:
        counts[atom] += 1
    return tuple((count, atom) for atom, count in counts.items()), bound


def _never(atoms: Iterable[Atom]) -> tuple[Row, ...]:
    return tuple((((1, atom),), 0) for atom in atoms)


def listed(slots: Sequence[int]) -> str:
    """Write slots shortly: 1-3, 7."""
    runs: list[list[int]] = []
    for slot in sorted(set(slots)):
        if runs and slot == runs[-1][1] + 1:
            runs[-1][1] = slot
        else:
            runs.append([slot, slot])
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in runs)


def constraints(problem: MeetingProblem) -> list[Constraint]:
    """Return every constraint of the meeting; those of kind "keep" say that an appointment takes place."""
    return [rule for make in _MAKERS for rule in make(problem)]


class _Pairs:
    """Names of appointments for labels."""

    def __init__(self, problem: MeetingProblem) -> None:
        self._names = {person.id: person.called for person in problem.participants}

    def __call__(self, item: Appointment) -> Message:
        return msg("“{a}”与“{b}”的洽谈（{id}）", a=self._names[item.a], b=self._names[item.b], id=item.id)


def _by_participant(problem: MeetingProblem) -> list[list[int]]:
    index = {person.id: p for p, person in enumerate(problem.participants)}
    members: list[list[int]] = [[] for _ in problem.participants]
    for m, item in enumerate(problem.appointments):
        members[index[item.a]].append(m)
        members[index[item.b]].append(m)
    return members


def _fit(members: Sequence[int], windows: Iterable[list[int]], each: int) -> list[Row]:
    """Say of each window that it has room for no more than ``each`` of ``members`` per slot."""
    return [
        _at_most((at(m, t) for m in members for t in window), each * len(window))
        for window in windows
        if len(members) > each * len(window)
    ]


def _slots(problem: MeetingProblem) -> range:
    return range(1, problem.slots + 1)


def _kept(problem: MeetingProblem, m: int) -> list[Row]:
    return [(tuple((-1, at(m, t)) for t in _slots(problem)), -1)]


def _keep(problem: MeetingProblem) -> Iterable[Constraint]:
    pair = _Pairs(problem)
    for m, item in enumerate(problem.appointments):
        if not item.optional:
            text = msg("{pair}必须安排", pair=pair(item))
            yield Constraint("keep", text, partial(_kept, problem, m), (item.a, item.b), (item.id,))


def _windows(problem: MeetingProblem, away: Iterable[int] = ()) -> Iterable[list[int]]:
    """Yield the whole day and its halves, without the slots in ``away``."""
    noon = problem.half_day_after
    absent = set(away)
    for low, high in {(1, problem.slots), (1, noon or problem.slots), ((noon or 0) + 1, problem.slots)}:
        yield [t for t in range(low, high + 1) if t not in absent]


def _few_at_once(
    problem: MeetingProblem, mine: Sequence[int], each: int, aways: Sequence[Sequence[int]] = ((),)
) -> list[Row]:
    # The sums over windows follow from the rows per slot; they spare the solver a pigeonhole proof.
    rows = [_at_most((at(m, t) for m in mine), each) for t in _slots(problem)]
    for away in aways:
        rows += _fit(mine, _windows(problem, away), each)
    return rows


def _one_at_a_time(problem: MeetingProblem) -> Iterable[Constraint]:
    for person, mine in zip(problem.participants, _by_participant(problem), strict=True):
        if len(mine) > 1:
            rows = partial(_few_at_once, problem, mine, 1, ((), person.unavailable))
            text = msg(
                "{who}同一时段只能谈一场（全场共 {slots} 个时段）", who=person.title, slots=problem.slots
            )
            yield Constraint("one_at_a_time", text, rows, (person.id,))


def _absent(mine: Sequence[int], slots: Iterable[int]) -> tuple[Row, ...]:
    return _never(at(m, t) for m in mine for t in sorted(set(slots)))


def _unavailable(problem: MeetingProblem) -> Iterable[Constraint]:
    for person, mine in zip(problem.participants, _by_participant(problem), strict=True):
        if mine and person.unavailable:
            text = msg("{who}在第 {slots} 时段没有空", who=person.title, slots=listed(person.unavailable))
            yield Constraint("unavailable", text, partial(_absent, mine, person.unavailable), (person.id,))


def _in_all(problem: MeetingProblem, mine: Sequence[int], most: int) -> list[Row]:
    return [_at_most((at(m, t) for m in mine for t in _slots(problem)), most)]


def _most(problem: MeetingProblem) -> Iterable[Constraint]:
    for person, mine in zip(problem.participants, _by_participant(problem), strict=True):
        most = person.max_appointments
        if most is not None and len(mine) > most:
            text = msg("{who}最多谈 {most} 场", who=person.title, most=most)
            yield Constraint("max_appointments", text, partial(_in_all, problem, mine, most), (person.id,))


def _tables(problem: MeetingProblem) -> Iterable[Constraint]:
    everyone = range(len(problem.appointments))
    if len(everyone) > problem.tables:
        text = msg("每个时段只有 {tables} 张洽谈桌", tables=problem.tables)
        yield Constraint("tables", text, partial(_few_at_once, problem, everyone, problem.tables))


def _half(problem: MeetingProblem) -> Iterable[Constraint]:
    noon = problem.half_day_after or 0
    pair = _Pairs(problem)
    for m, item in enumerate(problem.appointments):
        if item.half == "morning":
            rows = partial(_absent, (m,), range(noon + 1, problem.slots + 1))
            text = msg("{pair}须在上午", pair=pair(item))
            yield Constraint("half", text, rows, (item.a, item.b), (item.id,))
        elif item.half == "afternoon":
            text = msg("{pair}须在下午", pair=pair(item))
            rows = partial(_absent, (m,), range(1, noon + 1))
            yield Constraint("half", text, rows, (item.a, item.b), (item.id,))


def _fixed(problem: MeetingProblem) -> Iterable[Constraint]:
    pair = _Pairs(problem)
    for m, item in enumerate(problem.appointments):
        if item.slot is not None:
            rows = partial(_absent, (m,), [t for t in _slots(problem) if t != item.slot])
            text = msg("{pair}定在第 {slot} 时段", pair=pair(item), slot=item.slot)
            yield Constraint("slot", text, rows, (item.a, item.b), (item.id,))


# One that is left out costs its weight and nothing else: who comes after it may come at any time.
def _in_turn(problem: MeetingProblem, q: int, m: int) -> Iterable[Row]:
    """Say that q lies in an earlier slot than m, where both take place."""
    if q == m:
        return _never(at(m, t) for t in _slots(problem))
    return [
        _at_most(
            [at(m, u) for u in _slots(problem) if u <= t] + [at(q, u) for u in _slots(problem) if u >= t], 1
        )
        for t in _slots(problem)
    ]


def _after(problem: MeetingProblem) -> Iterable[Constraint]:
    pair = _Pairs(problem)
    index = {item.id: m for m, item in enumerate(problem.appointments)}
    for m, item in enumerate(problem.appointments):
        for before in dict.fromkeys(item.after):
            q = index[before]
            text = msg("{pair}须排在{other}之后", pair=pair(item), other=pair(problem.appointments[q]))
            rows = partial(_in_turn, problem, q, m)
            yield Constraint("after", text, rows, (item.a, item.b), (item.id, before))


def _own_tables(problem: MeetingProblem) -> Iterable[Constraint]:
    own = {person.id: person.table for person in problem.participants}
    people = {person.id: person for person in problem.participants}
    at_table: dict[int, list[int]] = defaultdict(list)
    owners: dict[int, set[str]] = defaultdict(set)
    for m, item in enumerate(problem.appointments):
        first, second = own[item.a], own[item.b]
        if first is not None and second is not None and first != second:
            text = msg(
                "{a}固定在 {one} 号桌，{b}固定在 {two} 号桌，两家坐不到一起",
                a=people[item.a].title,
                one=first,
                b=people[item.b].title,
                two=second,
            )
            rows = partial(_absent, (m,), _slots(problem))
            yield Constraint("own_table", text, rows, (item.a, item.b), (item.id,))
            continue
        for who, table in ((item.a, first), (item.b, second)):
            if table is not None:
                owners[table].add(who)
        table = first if first is not None else second
        if table is not None:
            at_table[table].append(m)
    for table, here in sorted(at_table.items()):
        if len(owners[table]) > 1:
            text = msg("{table} 号桌由几家合用，同一时段只能谈一场", table=table)
            yield Constraint(
                "shared_table",
                text,
                partial(_few_at_once, problem, here, 1),
                tuple(sorted(owners[table])),
            )


def _even(problem: MeetingProblem, most: int) -> Iterator[Row]:
    for p in range(len(problem.participants)):
        breaks: list[tuple[int, Atom]] = [(1, ("begin", p, t)) for t in _slots(problem)]
        breaks.append((-1, ("some", p, 0)))
        yield ((*breaks, (-1, ("least", 0, 0))), most)


def _fairness(problem: MeetingProblem) -> Iterable[Constraint]:
    if problem.fairness is not None and problem.appointments:
        text = msg("任何两家的空档次数最多相差 {most} 次", most=problem.fairness)
        yield Constraint("fairness", text, partial(_even, problem, problem.fairness))


_MAKERS: tuple[Callable[[MeetingProblem], Iterable[Constraint]], ...] = (
    _keep,
    _one_at_a_time,
    _unavailable,
    _most,
    _tables,
    _half,
    _fixed,
    _after,
    _own_tables,
    _fairness,
)


def broken(
    problem: MeetingProblem, rules: Iterable[Constraint], slots: Mapping[str, int]
) -> list[Constraint]:
    """Return the constraints that a plan (appointment -> slot) does not keep."""
    busy = [set(taken) for taken in slots_by_participant(problem, slots).values()]
    least = min(
        (breaks_of(taken) for taken in slots_by_participant(problem, slots).values()),
        default=0,
    )

    def value(atom: Atom) -> int:
        tag, i, t = atom
        if tag == "at":
            return int(slots.get(problem.appointments[i].id) == t)
        if tag == "begin":
            return int(t in busy[i] and t - 1 not in busy[i])
        if tag == "some":
            return int(bool(busy[i]))
        return least

    return [
        rule
        for rule in rules
        if any(sum(factor * value(atom) for factor, atom in terms) > bound for terms, bound in rule.rows)
    ]


def trimmed(problem: MeetingProblem, rules: Iterable[Constraint], slots: Mapping[str, int]) -> dict[str, int]:
    """Return as much of a plan as keeps ``rules``, taking out the least that is seen to disturb.

    Rules that hold for every part of a plan (a slot's tables, who is away) are taken as kept; what is left to
    mend is fairness, which less of a plan can break as well as more: who waits the most goes home first.
    """
    plan = dict(slots)
    weight = {item.id: (not item.optional, item.scaled_weight) for item in problem.appointments}
    # the rows of all other rules take seconds to write down for a thousand companies
    held = [rule for rule in rules if rule.kind == "fairness"]
    while plan and broken(problem, held, plan):
        busy = slots_by_participant(problem, plan)
        who = max(busy, key=lambda p: (breaks_of(busy[p]), -len(busy[p])))
        mine = [i.id for i in problem.appointments if i.id in plan and who in (i.a, i.b)]
        del plan[min(mine, key=lambda m: (_breaks_without(busy[who], plan[m]), weight[m]))]
    return plan


def _breaks_without(busy: Sequence[int], slot: int) -> int:
    return breaks_of([t for t in busy if t != slot])


#: Rules that may bar an appointment from a slot by themselves.
_BARRING = frozenset({"unavailable", "half", "slot", "after", "own_table"})


def domains(problem: MeetingProblem, rules: Iterable[Constraint]) -> list[list[int]]:
    """Return the slots that no constraint on its own bars, per appointment."""
    barred = {
        terms[0][1]
        for rule in rules
        if rule.kind in _BARRING
        for terms, bound in rule.rows
        if bound == 0 and len(terms) == 1 and terms[0][0] > 0
    }
    return [[t for t in _slots(problem) if at(m, t) not in barred] for m in range(len(problem.appointments))]

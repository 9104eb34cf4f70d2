"""How few breaks the days of all participants together allow, by what a day can look like.

Each participant's day is one of its patterns: a set of slots, one for each of its talks. In every slot as
many of the one side talk as of the other, and no more than there are tables. This relaxation (who meets whom
is forgotten) is solved as a linear programme whose columns, the patterns, are made as they are needed:
Dantzig and Wolfe, "Decomposition principle for linear programs" (Operations Research 8, 1960). Where absences
tear many days it proves in a tenth of a second what a SAT solver does not in minutes.

What is told never hangs on the programme's rounding: any prices for the slots bound the breaks from below
(Lagrangian duality), and that bound is computed anew in whole numbers.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

from market.compiled import compiled
from market.meetings.timetable.problem import MeetingProblem, two_sides

Ints = NDArray[np.int64]

#: Prices are whole numbers of this part.
_PART = 1 << 24
_FAR = np.int64(1) << 60
#: A day's slots are the bits of one number.
_MOST_SLOTS = 60
#: Turns after which the bound hardly rises any more.
_TURNS = 200
#: Nobody's day can cost as much: what leaves a day empty in the programme's beginning.
_NO_DAY = 1_000.0


class _Days(Struct, frozen=True):
    """Kinds of participant: those of one kind have the same side, number of talks and free slots.

    ``count``, ``side`` (1, -1; 0 where the meeting has no two sides) and ``talks``: one for each kind.
    ``may``, ``must``, ``low``, ``high``: one for each kind and slot: whether a talk can be there, whether one
    has to be, and how many there are at least and at most up to the end of the slot.
    """

    count: Ints
    side: Ints
    talks: Ints
    may: Ints
    must: Ints
    low: Ints
    high: Ints


@compiled(
    "Tuple((int64[::1], int64[::1]))(int64[::1], int64[:, ::1], int64[:, ::1], int64[:, ::1], int64[:, ::1],"
    " int64[:, ::1], int64, int64)"
)
def _cheapest(
    talks: Ints, may: Ints, must: Ints, low: Ints, high: Ints, gain: Ints, a_break: int, an_idle: int
) -> tuple[Ints, Ints]:
    """Return for each kind what its cheapest pattern costs, and its slots as bits.

    A pattern costs its breaks and idle slots less the gains of its slots; ``_FAR`` where there is none.
    """
    kinds, slots = may.shape
    values = np.full(kinds, _FAR, np.int64)
    patterns = np.zeros(kinds, np.int64)
    # by talks so far, and whether the last slot held one
    cost = np.empty((slots + 2, 2), np.int64)
    bits = np.empty((slots + 2, 2), np.int64)
    cost_after = np.empty((slots + 2, 2), np.int64)
    bits_after = np.empty((slots + 2, 2), np.int64)
    for k in range(kinds):
        most = talks[k]
        if most > slots:
            # no day holds them, nor do the arrays
            continue
        cost[:] = _FAR
        bits[:] = 0
        cost[0, 0] = 0
        for t in range(slots):
            cost_after[:] = _FAR
            bits_after[:] = 0
            for c in range(most + 1):
                for busy in range(2):
                    here = cost[c, busy]
                    if here >= _FAR:
                        continue
                    if must[k, t] == 0 and low[k, t] <= c <= high[k, t]:
                        more = an_idle if 0 < c < most else 0
                        if here + more < cost_after[c, 0]:
                            cost_after[c, 0] = here + more
                            bits_after[c, 0] = bits[c, busy]
                    if may[k, t] != 0 and c < most and low[k, t] <= c + 1 <= high[k, t]:
                        more = (a_break if c > 0 and busy == 0 else 0) - gain[k, t]
                        if here + more < cost_after[c + 1, 1]:
                            cost_after[c + 1, 1] = here + more
                            bits_after[c + 1, 1] = bits[c, busy] | (np.int64(1) << t)
            cost[:] = cost_after
            bits[:] = bits_after
        for busy in range(2):
            if cost[most, busy] < values[k]:
                values[k] = cost[most, busy]
                patterns[k] = bits[most, busy]
    return values, patterns


class PatternBound:
    """Bounds on breaks, and on idle slots where the breaks are held. Both hold for whole timetables only."""

    def __init__(self, problem: MeetingProblem, domains: Sequence[Sequence[int]]) -> None:
        """``domains``: the slots (from 1) that suit each appointment taken alone."""
        self._slots = problem.slots
        self._days, self._kind = _kinds(problem, domains)
        # who sits where in the sums: the one side alone, or both
        self._seats = problem.tables * (1 if np.all(self._days.side != 0) else 2)
        self._known: dict[tuple[int, int], tuple[int, int]] = {}
        self._number = {person.id: p for p, person in enumerate(problem.participants)}
        self._items = [(self._number[i.a], self._number[i.b], i.id) for i in problem.appointments]

    def breaks(self, plan: Mapping[str, int], *, go_on: Callable[[int], bool]) -> int:
        """Return how many breaks every timetable has at least.

        Args:
            plan: a whole timetable (appointment -> slot), to begin with; may be empty.
            go_on: asked with the best bound so far whether a higher one is worth the time.
        """
        return self._bound(plan, go_on, most_breaks=None)

    def idle(self, plan: Mapping[str, int], *, breaks: int, go_on: Callable[[int], bool]) -> int:
        """Return how many idle slots every timetable with at most ``breaks`` breaks has at least."""
        return self._bound(plan, go_on, most_breaks=breaks)

    def _bound(
        self, plan: Mapping[str, int], go_on: Callable[[int], bool], *, most_breaks: int | None
    ) -> int:
        kinds = len(self._days.count)
        if self._slots > _MOST_SLOTS or not kinds:
            return 0
        self._learn(plan)
        best = 0
        for _ in range(_TURNS):
            value, slot_prices, break_price = self._programme(most_breaks)
            values, patterns = self._priced(slot_prices, break_price, idle=most_breaks is not None)
            if np.any(values >= _FAR):
                # somebody has no day at all: that is for others to say
                return best
            best = max(best, self._held(values, slot_prices, break_price, most_breaks or 0))
            new = [key for key in enumerate(patterns.tolist()) if key not in self._known]
            if not new or best >= value - 1e-6 or not go_on(best):
                break
            self._known.update((key, _shape(key[1])) for key in new)
        return best

    def _learn(self, plan: Mapping[str, int]) -> None:
        if len(plan) < len(self._items):
            return
        bits: dict[int, int] = {}
        for a, b, item in self._items:
            for who in (a, b):
                bits[who] = bits.get(who, 0) | 1 << (plan[item] - 1)
        for who, pattern in bits.items():
            self._known[self._kind[who], pattern] = _shape(pattern)

    def _programme(self, most_breaks: int | None) -> tuple[float, Ints, int]:
        """Solve the programme over the known patterns: its value, and prices in ``_PART``.

        Prices of slots: [0] for a talk of the one side more than of the other, [1] for a table.
        """
        days, keys = self._days, list(self._known)
        kinds, slots, size = len(days.count), self._slots, len(keys) + len(days.count)
        kind = np.array([k for k, _ in keys], np.int64)
        pattern = np.array([p for _, p in keys], np.int64)
        shape = np.array([self._known[key] for key in keys], np.int64).reshape(-1, 2)
        column, slot = np.nonzero((pattern[:, None] >> np.arange(slots)) & 1)
        side = days.side[kind[column]]
        # an empty day for each kind, at a price that nobody pays who has another
        whole = csr_matrix(
            (
                np.concatenate([np.ones(size), side]),
                (
                    np.concatenate([kind, np.arange(kinds), kinds + slot]),
                    np.concatenate([np.arange(size), column]),
                ),
            ),
            shape=(kinds + slots, size),
        )
        at_table = np.where(side >= 0, 1.0, 0.0)
        rows, columns, values = [slot], [column], [at_table]
        if most_breaks is not None:
            rows.append(np.full(len(keys), slots))
            columns.append(np.arange(len(keys)))
            values.append(shape[:, 0].astype(float))
        limits = np.full(slots, float(self._seats))
        capped = csr_matrix(
            (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))),
            shape=(slots + (most_breaks is not None), size),
        )
        wanted = shape[:, 0 if most_breaks is None else 1].astype(float)
        found = linprog(  # type: ignore[call-overload]  # it takes sparse matrices, its stubs do not
            np.concatenate([wanted, np.full(kinds, _NO_DAY)]),
            A_ub=capped,
            b_ub=limits if most_breaks is None else np.append(limits, most_breaks),
            A_eq=whole,
            b_eq=np.concatenate([days.count, np.zeros(slots)]),
            method="highs",
        )
        if found.status != 0:
            return -np.inf, np.zeros((2, slots), np.int64), 0
        balance = found.eqlin.marginals[kinds:]
        table = np.minimum(0.0, found.ineqlin.marginals[:slots])
        prices = np.rint(np.array([balance, table]) * _PART).astype(np.int64)
        held = min(0.0, float(found.ineqlin.marginals[slots])) if most_breaks is not None else 0.0
        return float(found.fun), prices, round(held * _PART)

    def _priced(self, slot_prices: Ints, break_price: int, *, idle: bool) -> tuple[Ints, Ints]:
        days = self._days
        gain = days.side[:, None] * slot_prices[0] + (days.side >= 0)[:, None] * slot_prices[1]
        a_break, an_idle = (-break_price, _PART) if idle else (_PART, 0)
        values, patterns = _cheapest(
            days.talks,
            days.may,
            days.must,
            days.low,
            days.high,
            np.ascontiguousarray(gain, dtype=np.int64),
            a_break,
            an_idle,
        )
        return values, patterns

    def _held(self, values: Ints, slot_prices: Ints, break_price: int, most_breaks: int) -> int:
        """Return the bound that these prices prove, rounded up to the next whole number."""
        exact: int = sum(n * v for n, v in zip(self._days.count.tolist(), values.tolist(), strict=True))
        exact += self._seats * sum(slot_prices[1].tolist()) + most_breaks * break_price
        return max(0, -(-exact // _PART))


def _shape(pattern: int) -> tuple[int, int]:
    """Return the breaks and the idle slots of a day."""
    starts = (pattern & ~(pattern << 1)).bit_count()
    if not pattern:
        return 0, 0
    length = pattern.bit_length() - ((pattern & -pattern).bit_length() - 1)
    return starts - 1, length - pattern.bit_count()


def _kinds(problem: MeetingProblem, domains: Sequence[Sequence[int]]) -> tuple[_Days, dict[int, int]]:
    """Return the kinds of participants, and the kind of each one who has a talk."""
    number = {person.id: p for p, person in enumerate(problem.participants)}
    mine: dict[int, list[int]] = {}
    ends = [(number[item.a], number[item.b]) for item in problem.appointments]
    for m, pair in enumerate(ends):
        for who in pair:
            mine.setdefault(who, []).append(m)
    sides = two_sides(ends, len(number))
    slots = problem.slots
    # in columns 1 to ``slots``: where a talk can be, its first slot, its last one, and its only one
    can, first, last, only = (np.zeros((len(ends), slots + 2), np.int64) for _ in range(4))
    for m, domain in enumerate(domains):
        can[m, list(domain)] = 1
        first[m, min(domain, default=slots + 1)] = 1
        last[m, max(domain, default=0)] = 1
        if len(domain) == 1:
            only[m, domain[0]] = 1
    kind: dict[int, int] = {}
    index: dict[tuple[int, int, bytes], int] = {}
    found: list[tuple[int, int, Ints]] = []
    for who, talks in mine.items():
        rows = np.array(
            [
                can[talks].any(axis=0),
                only[talks].any(axis=0),
                last[talks].sum(axis=0).cumsum(),
                first[talks].sum(axis=0).cumsum(),
            ],
            np.int64,
        )[:, 1 : slots + 1]
        side = 0 if sides is None else 1 - 2 * sides[who]
        key = (side, len(talks), rows.tobytes())
        if key not in index:
            index[key] = len(found)
            found.append((side, len(talks), rows))
        kind[who] = index[key]
    count = np.bincount(list(kind.values()), minlength=len(found)).astype(np.int64)
    tables = np.array([rows for _, _, rows in found], np.int64).reshape(len(found), 4, slots)
    return (
        _Days(
            count=count,
            side=np.array([side for side, _, _ in found], np.int64),
            talks=np.array([talks for _, talks, _ in found], np.int64),
            may=np.ascontiguousarray(tables[:, 0]),
            must=np.ascontiguousarray(tables[:, 1]),
            low=np.ascontiguousarray(tables[:, 2]),
            high=np.ascontiguousarray(tables[:, 3]),
        ),
        kind,
    )

"""The mended day held against every other: more talks placed again, or fewer of the others moved for it.

Chains find a place in no time, but not always the best. This search tries each way to give the waiting
talks their places, with at most so many others moved for them, then one more. Whoever stands and could stay
is moved, but never called off for somebody else. Effort is counted in steps, so that a rerun gives the same.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import pairwise

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from market.meetings.timetable.board import Board

Ints = NDArray[np.int64]


class Cost(Struct, frozen=True, order=True):
    """What a mended day costs, the worst first: waiting talks without a place, those of them that had one
    before, and others that were moved."""

    lost: int
    struck: int
    moved: int


class _Enough(Exception):
    """The steps are used up."""


def fewest_changes(
    board: Board,
    start: Ints,
    quota: Ints,
    waiting: Collection[int],
    had_place: Collection[int],
    known: Cost,
    *,
    steps: int,
) -> Ints | None:
    """Return slots (from 0, -1 none) that cost less than ``known``, the least that was found; else None.

    Args:
        board: what may lie where; how it is laid is not looked at.
        start: where everything lies that could stay.
        quota: how many more talks each participant takes then.
        waiting: talks without a place that have a slot at all to go to.
        had_place: those of them that had one before.
        steps: how many places are tried; half of them for more talks, half for fewer moves.
    """
    search = _Search(board, start, quota, set(waiting), set(had_place))
    search.left = steps // 2
    try:
        for lost in range(known.lost + 1):
            for struck in range(min(lost, known.struck if lost == known.lost else lost) + 1):
                if (lost, struck) == (known.lost, known.struck):
                    break
                found = search.least_moves(lost, struck, most=len(start))
                if found is not None:
                    return found
    except _Enough:
        pass
    search.left = steps - steps // 2
    try:
        return search.least_moves(known.lost, known.struck, most=known.moved - 1)
    except _Enough:
        return None


class _Search:
    def __init__(
        self, board: Board, start: Ints, quota: Ints, waiting: set[int], had_place: set[int]
    ) -> None:
        self._uses = [[r for r in row if r >= 0] for row in board.uses.tolist()]
        self._options = [np.flatnonzero(row).tolist() for row in board.allowed]
        self._room = board.room.tolist()
        offsets, numbers = (each.tolist() for each in board.before)
        self._before = [numbers[i:j] for i, j in pairwise(offsets)]
        offsets, numbers = (each.tolist() for each in board.behind)
        self._behind = [numbers[i:j] for i, j in pairwise(offsets)]
        self._start: list[int] = start.tolist()
        self._waiting, self._had_place = waiting, had_place
        self._quota: list[int] = quota.tolist()
        self.left = 0
        self._cut = False

    def least_moves(self, lost: int, struck: int, *, most: int) -> Ints | None:
        """Return slots with so many waiting talks left out and as few others moved as can be, at most
        ``most``; None where there are none."""
        for moves in range(most + 1):
            self._begin()
            if self._place(self._first(), lost, struck, moves):
                return np.array(self._slot, np.int64)
            if not self._cut:
                return None
        return None

    def _first(self) -> tuple[int, ...]:
        """Return the waiting ones, those with the fewest slots last, where they are taken from."""
        return tuple(sorted(self._waiting, key=lambda m: (-len(self._options[m]), m)))

    def _begin(self) -> None:
        self._cut = False
        self._slot = list(self._start)
        self._at: dict[tuple[int, int], int] = {}
        self._in: list[set[int]] = [set() for _ in self._room]
        self._open = list(self._quota)
        self._set: set[int] = set()
        for m, t in enumerate(self._slot):
            if t >= 0:
                self._in[t].add(m)
                self._at |= {(r, t): m for r in self._uses[m]}

    def _place(self, todo: tuple[int, ...], lost: int, struck: int, moves: int) -> bool:
        if not todo:
            return True
        m, rest = todo[-1], todo[:-1]
        uses = self._uses[m]
        if self._open[uses[0]] > 0 and self._open[uses[1]] > 0:
            for t in self._options[m]:
                if t == self._start[m]:
                    continue
                self.left -= 1
                if self.left < 0:
                    raise _Enough
                for way in self._ways(m, t):
                    if len(way) > moves:
                        self._cut = True
                        continue
                    back = self._swap(m, t, way)
                    if self._place((*rest, *way), lost, struck, moves - len(way)):
                        return True
                    back()
        is_struck = m in self._had_place
        if m in self._waiting and lost > 0 and struck >= is_struck:
            return self._place(rest, lost - 1, struck - is_struck, moves)
        return False

    def _ways(self, m: int, t: int) -> Iterator[tuple[int, ...]]:
        """Yield which others have to go if ``m`` lies in ``t``."""
        way = {self._at[r, t] for r in self._uses[m] if (r, t) in self._at}
        way |= {q for q in self._before[m] if self._slot[q] >= t}
        way |= {q for q in self._behind[m] if 0 <= self._slot[q] <= t}
        if not all(map(self._can_go, way)):
            return
        fixed = tuple(sorted(way))
        here = self._in[t] - way
        if len(here) < self._room[t]:
            yield fixed
        elif len(here) == self._room[t]:
            yield from ((*fixed, q) for q in sorted(here) if self._can_go(q))

    def _can_go(self, q: int) -> bool:
        return q not in self._set and any(t != self._start[q] for t in self._options[q])

    def _swap(self, m: int, t: int, way: Sequence[int]) -> Callable[[], None]:
        """Put ``m`` into ``t`` and lift what is in its way; return what takes both back."""
        for q in way:
            self._lift(q)
        self._lay(m, t)
        self._set.add(m)

        def back() -> None:
            self._set.discard(m)
            self._lift(m)
            for q in way:
                self._lay(q, self._start[q])

        return back

    def _lay(self, m: int, t: int) -> None:
        self._slot[m] = t
        self._in[t].add(m)
        for r in self._uses[m]:
            self._at[r, t] = m
        for r in self._uses[m][:2]:
            self._open[r] -= 1

    def _lift(self, m: int) -> None:
        t, self._slot[m] = self._slot[m], -1
        self._in[t].discard(m)
        for r in self._uses[m]:
            del self._at[r, t]
        for r in self._uses[m][:2]:
            self._open[r] += 1

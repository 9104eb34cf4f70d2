"""A fair part of a timetable that is not fair: what disturbs goes out, and as much as can comes back.

Taking out alone ends with a remnant: whoever loses a talk in the middle of its day waits there, and is next
to lose one. A few moves after each loss close such gaps.
"""

from time import perf_counter

import numpy as np

from market.meetings.timetable import kempe
from market.meetings.timetable.board import Board, tally
from market.meetings.timetable.search import Search

#: Of the breaks too many, one in so many is answered by a talk that goes out before the next annealing.
_AT_ONCE = 4
#: The same where there is no time for annealing.
_IN_HASTE = 2
#: Shares of annealing that a talk is worth that comes back.
_SHARES = 2
#: Of the seconds, what taking out may need; the rest is for coming back.
_OUT = 0.6


def thin(search: Search, *, seconds: float) -> None:
    """Make the best plan of ``search`` fair, with as few appointments left out as are found in time."""
    begin, board = perf_counter(), search.board
    out, end = begin + seconds * _OUT, begin + seconds
    search.start_from(search.best)
    while not _fair(search):
        in_haste = perf_counter() > out
        for m in _disturbing(search, _IN_HASTE if in_haste else _AT_ONCE):
            kempe.take(m, board.uses, board.at, board.slot, board.count, board.quota)
        if not in_haste:
            search.settle(shares=1)
            search.go_on(target=0.0)
            search.start_from(search.best)
    search.settle(shares=1)
    while _many_fitted_in(search, end):
        search.settle(shares=1)
    for m in _left_out(board):
        if perf_counter() > end:
            return
        _come_back(search, m)


def _many_fitted_in(search: Search, end: float) -> int:
    """Place what fits in without anything giving way, until ``end``; return how many."""
    fitted = 0
    for m in _left_out(search.board):
        if perf_counter() > end:
            break
        fitted += _fitted_in(search, m)
    return fitted


def _left_out(board: Board) -> list[int]:
    """Return what is not placed, the weightiest first."""
    waiting = np.flatnonzero(board.slot < 0)
    return [int(m) for m in waiting[np.argsort(-board.weight[waiting], kind="stable")]]


def _fitted_in(search: Search, m: int) -> bool:
    """Place ``m`` where nothing gives way for it and neither party gets a break too many, if there it can."""
    board = search.board
    uses = [r for r in board.uses[m].tolist() if r >= 0]
    free = (board.allowed[m] > 0) & (board.count < board.room) & (board.at[uses] < 0).all(axis=0)
    if not free.any() or (board.quota[uses[:2]] <= 0).any():
        return False
    busy = np.pad((board.at[uses[:2]] >= 0).astype(np.int64), ((0, 0), (1, 1)))
    runs = (np.diff(busy, axis=1) > 0).sum(axis=1, keepdims=True)
    breaks = runs - busy[:, :-2] - busy[:, 2:]
    most = search.problem.fairness
    suits = free if most is None else free & (breaks <= most).all(axis=0)
    for t in np.flatnonzero(suits)[np.argsort(breaks.sum(axis=0)[suits], kind="stable")].tolist():
        if kempe.in_order(m, t, board.slot, *board.before, *board.behind):
            kempe.put(m, t, board.uses, board.at, board.slot, board.count, board.quota)
            return True
    return False


def _come_back(search: Search, m: int) -> None:
    """Place ``m`` too, if a fair plan with it is found at once."""
    before, cost = search.best.copy(), search.cost
    if search.insert(m):
        search.settle(shares=_SHARES)
        for _ in range(_SHARES):
            search.go_on(target=0.0)
            if tally(search.problem, search.board.uses, search.best).fair:
                search.start_from(search.best)
                return
    search.start_over(before, cost)


def _fair(search: Search) -> bool:
    return tally(search.problem, search.board.uses, search.board.slot).fair


def _disturbing(search: Search, at_once: int) -> list[int]:
    """Return appointments whose leaving lessens the breaks too many the most, no two of one participant.

    Of so many breaks too many, ``at_once``, one is answered.
    """
    board: Board = search.board
    busy = np.pad((board.at[: board.people] >= 0).astype(np.int64), ((0, 0), (1, 1)))
    runs = (np.diff(busy, axis=1) > 0).sum(axis=1)
    breaks = np.maximum(runs - 1, 0)
    most = (search.problem.fairness or 0) + int(breaks.min(initial=0))
    placed = np.flatnonzero(board.slot >= 0)
    ends, t = board.uses[placed, :2], board.slot[placed][:, None]
    # in the midst of a run it leaves a gap, alone it closes one
    after = np.maximum(runs[ends] + busy[ends, t] + busy[ends, t + 2] - 2, 0)
    more = (np.maximum(after - most, 0) - np.maximum(breaks[ends] - most, 0)).sum(axis=1)
    touching = (breaks[ends] > most).any(axis=1)
    weight = board.weight[placed]
    order = np.lexsort((weight, more, weight == board.weight.max(initial=0), more >= 0))
    wanted = 1 + int(np.maximum(breaks - most, 0).sum()) // at_once
    chosen: list[int] = []
    met: set[int] = set()
    for k in order[touching[order]].tolist():
        if len(chosen) == wanted:
            break
        if met.isdisjoint(ends[k].tolist()):
            met.update(ends[k].tolist())
            chosen.append(int(placed[k]))
    return chosen

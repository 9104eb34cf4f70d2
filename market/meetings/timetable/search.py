"""A timetable at once, and a better one with time: construction and annealing on a board.

The compiled loops of ``kempe`` work in shares of some ten thousand moves, between which the caller may look
at the clock, take in a better plan from elsewhere, and show the best so far.
"""

import math
from collections.abc import Mapping, Sequence
from time import perf_counter

import numpy as np

from market.meetings.timetable import kempe
from market.meetings.timetable.annealing import anneal
from market.meetings.timetable.board import Board, Ints, plan_of, slots_of, tally
from market.meetings.timetable.filling import fill
from market.meetings.timetable.kempe import IDLE
from market.meetings.timetable.polishing import polish
from market.meetings.timetable.problem import MeetingProblem

#: Turns of ejection for each appointment that there is room for, at the most.
_EFFORT = 60
#: Turns between two looks at the clock: so many for a meeting of one appointment, and so many at the least.
_TURNS, _LEAST_TURNS = 2_000_000, 200
#: Appointments that are laid in all, in attempts at a whole timetable: 25 attempts at 240 appointments.
_ANEW = 6_000
_HOT, _COLD = 0.6, 0.1
#: Temperatures of one long annealing that nothing follows: it begins where most of the gain is still to come.
_LONG_HOT, _LONG_COLD = 0.18, 0.11
#: Moves of one share.
SHARE = 20_000
#: Moves of the first annealing for each appointment; each later one takes twice as many as the one before.
_FIRST = 300
_LONGEST = 200_000
#: Moves of one attempt at fewer table changes, for each appointment, and its temperatures.
_POLISH = 2_000
_RESTLESS, _STILL = 1.5, 0.15
_LONGEST_POLISH = 300_000


class Search:
    """Construction at once (:meth:`build`), then annealing share by share (:meth:`go_on`)."""

    def __init__(
        self,
        problem: MeetingProblem,
        domains: Sequence[Sequence[int]],
        *,
        seed: int,
        home: Mapping[str, int],
        penalty: int = 0,
        room: Sequence[int] | None = None,
    ) -> None:
        self.problem = problem
        self.board = Board(problem, domains, home=home, room=room)
        self._state = np.array([(seed * 0x9E3779B97F4A7C15 + 0x632BE59BD9B4E019) % 2**64 or 1], np.uint64)
        self._seen = np.zeros(len(problem.appointments) + 1, np.int64)
        self._best: Ints = self.board.slot.copy()
        self._penalty = float(penalty)
        self._most = 1e9 if problem.fairness is None else float(problem.fairness)
        #: Breaks (with penalties) and idle slots of the best plan, as one figure.
        self.cost = float("inf")
        self._schedule: list[tuple[int, float, float]] = []
        self._length = _FIRST
        self._since: Ints = self.board.slot.copy()

    @property
    def plan(self) -> dict[str, int]:
        """Return the best plan so far (appointment -> slot from 1); it may leave appointments out."""
        return plan_of(self.problem, self._best)

    @property
    def best(self) -> Ints:
        """The slots of the best plan so far, from 0; -1: left out."""
        return self._best

    def build(self, *, patience: float = math.inf) -> int:
        """Place as much as possible, first where it lay before; return how many are left out.

        Where some are left out it begins anew, within ``patience`` seconds: now and then ejection goes round
        in circles, most of all where the order of talks is given.
        """
        end = perf_counter() + patience
        items = self.problem.appointments
        if not self.problem.slots:
            return len(items)
        best, most, left = self._best, -1, len(items)
        for _ in range(max(1, _ANEW // max(1, len(items)))):
            self.start_from(np.full(len(items), -1, np.int64))
            out = self._fill(end)
            placed = int(self.board.weight[self._best >= 0].sum())
            if placed > most:
                best, most, left = self._best.copy(), placed, out
            if not left or perf_counter() > end:
                break
        self._best = best
        self.start_from(best)
        return left

    def insert(self, m: int) -> bool:
        """Place one more on the board without throwing anything out; return whether there is a place."""
        board = self.board
        waiting = np.array([m], np.int64)
        forced = np.zeros(len(board.slot), np.int64)
        fill(waiting, board.weight, 0, self._state, forced, self._since, self._seen, *kempe.arrays(board))
        return bool(board.slot[m] >= 0)

    def settle(self, *, shares: int) -> None:
        """Take what lies on the board for the best plan, whatever it is worth, and anneal it briefly next."""
        self.start_over(self.board.slot.copy(), float("inf"))
        self._schedule = [(SHARE, _HOT / 2, _COLD)] * shares

    def _fill(self, end: float) -> int:
        """Place as much as possible on the empty board, hardly past ``end``; return how many are left out."""
        board = self.board
        items = self.problem.appointments
        degree = np.bincount(board.uses[:, :2].ravel(), minlength=board.people) if items else np.zeros(1)
        load = degree[board.uses[:, :2]].max(axis=1) if items else np.zeros(0)
        order = np.lexsort((np.arange(len(items)), -load, board.allowed.sum(axis=1), -board.weight))
        for m in order.tolist():
            self._go_home(m)
        effort = _EFFORT * min(len(items), int(board.room.sum()))
        share = max(_LEAST_TURNS, _TURNS // max(1, len(items)))
        forced = np.zeros(len(items), np.int64)
        while True:
            waiting = order[board.slot[order] < 0]
            left = fill(
                waiting,
                board.weight,
                min(effort, share),
                self._state,
                forced,
                self._best,
                self._seen,
                *kempe.arrays(board),
            )
            effort -= share
            if not left or effort <= 0 or perf_counter() > end:
                return int(left)

    def _go_home(self, m: int) -> None:
        board = self.board
        t = int(board.home[m])
        uses = [r for r in board.uses[m].tolist() if r >= 0]
        if (
            0 <= t < self.problem.slots
            and board.allowed[m, t]
            and all(board.at[r, t] < 0 for r in uses)
            and board.count[t] < board.room[t]
            and all(board.quota[p] > 0 for p in uses[:2])
            and kempe.in_order(m, t, board.slot, *board.before, *board.behind)
        ):
            kempe.put(m, t, board.uses, board.at, board.slot, board.count, board.quota)

    def start_over(self, slot: Ints, cost: float) -> None:
        """Take in a better plan from elsewhere (slots from 0, -1 none) that keeps the same rules."""
        self._best = slot.copy()
        self.cost = cost
        self._schedule = []
        self.start_from(slot)

    def start_from(self, slot: Ints) -> None:
        """Put appointments where ``slot`` says and nowhere else."""
        board = self.board
        for m in np.flatnonzero(board.slot >= 0).tolist():
            kempe.take(m, board.uses, board.at, board.slot, board.count, board.quota)
        for m in np.flatnonzero(slot >= 0).tolist():
            kempe.put(m, int(slot[m]), board.uses, board.at, board.slot, board.count, board.quota)

    def go_on(self, *, target: float) -> bool:
        """Anneal for one share; return whether the best plan has become better.

        ``target`` is a cost (breaks + ``IDLE`` x idle slots) that no plan can undercut.
        """
        board = self.board
        movable = np.flatnonzero((board.slot >= 0) & (board.allowed.sum(axis=1) > 1))
        if not len(movable):
            self.cost = target
            return False
        if not self._schedule:
            self._plan_next(len(movable))
        steps, hot, cold = self._schedule.pop(0)
        cost = anneal(
            steps,
            hot,
            cold,
            self._most,
            self._penalty,
            target,
            self._state,
            movable,
            board.home,
            self._since,
            self._seen,
            *kempe.arrays(board),
        )
        if cost < self.cost - IDLE / 2:
            self.cost = cost
            self._best = self._since.copy()
            return True
        return False

    def make_fair(self, *, patience: float) -> None:
        """Anneal until the best plan is fair, which takes a moment; or, after so many seconds, a proof."""
        end = perf_counter() + patience
        while self.cost > 0 and perf_counter() < end:
            if tally(self.problem, self.board.uses, self._best).fair:
                return
            self.go_on(target=0.0)

    def anneal_for(self, moves: int) -> None:
        """Begin one annealing of so many moves, in place of whatever was under way."""
        if self.cost < float("inf"):
            self.start_from(self._best)
        self._schedule = _falling(moves, _LONG_HOT, _LONG_COLD)

    def polished(self, plan: Mapping[str, int]) -> dict[str, int]:
        """Return a plan with fewer table changes, and no more breaks; fewer breaks may cost idle slots."""
        board = self.board
        self.start_from(slots_of(self.problem, plan))
        movable = np.flatnonzero(board.slot >= 0)
        best = board.slot.copy()
        if len(movable):
            polish(
                min(_POLISH * len(movable), _LONGEST_POLISH),
                _RESTLESS,
                _STILL,
                self._state,
                movable,
                best,
                self._seen,
                *kempe.arrays(board),
            )
        return plan_of(self.problem, best)

    def _plan_next(self, movable: int) -> None:
        """Lay out the next annealing, from the best plan so far, as shares with falling temperatures."""
        if self.cost < float("inf"):
            self.start_from(self._best)
        hot = _HOT if self.cost == float("inf") else _HOT / 2
        self._schedule = _falling(min(self._length, _LONGEST) * movable, hot, _COLD)
        self._length *= 2


def _falling(moves: int, hot: float, cold: float) -> list[tuple[int, float, float]]:
    """Return shares of an annealing: moves, and the temperatures at the share's begin and end."""
    shares = max(1, -(-moves // SHARE))
    ratio = (cold / hot) ** (1 / shares)
    return [(SHARE if shares > 1 else moves, hot * ratio**i, hot * ratio ** (i + 1)) for i in range(shares)]

"""Fewer breaks by simulated annealing over Kempe chains."""

import math
from collections.abc import Callable, Mapping

from market.meetings.timetable.construct import Board

#: An idle slot weighs little against a break, so that it only decides between equal breaks.
_IDLE = 1 / 256
_UNFAIR = 4.0
_START, _END = 0.6, 0.08


def improve(
    board: Board,
    *,
    home: Mapping[str, int],
    penalty: int,
    target: int,
    steps: int,
    go_on: Callable[[], bool],
) -> None:
    """Lower the breaks on ``board`` in place; stops at ``target`` breaks without idle slots.

    Args:
        home: appointment -> slot that it should keep, at ``penalty`` breaks each.
        steps: moves tried at most; the temperature falls geometrically over them.
        go_on: asked now and then; False stops.
    """
    items = board.problem.appointments
    fairness = board.problem.fairness
    wanted = [home.get(item.id, 0) - 1 for item in items]
    movable = [m for m, slot in enumerate(board.slot) if slot >= 0 and board.allowed[m].bit_count() > 1]
    if not movable:
        return

    def cost_of(busy: int) -> float:
        if not busy:
            return 0.0
        low = (busy & -busy).bit_length()
        gaps = (busy & ~(busy << 1)).bit_count() - 1
        cost = gaps + _IDLE * (busy.bit_length() - low + 1 - busy.bit_count())
        return cost + _UNFAIR * (gaps - fairness) if fairness is not None and gaps > fairness else cost

    def displaced(m: int, slot: int) -> int:
        return penalty if wanted[m] >= 0 and slot != wanted[m] else 0

    random = board.random
    cost = sum(cost_of(board.busy[p]) for p in range(board.people))
    cost += sum(displaced(m, slot) for m, slot in enumerate(board.slot) if slot >= 0)
    best, best_slots = cost, list(board.slot)
    for step in range(steps):
        if step & 255 == 0 and (best <= target or not go_on()):
            break
        temperature = _START * (_END / _START) ** (step / steps)
        m = movable[int(random.random() * len(movable))]
        here = board.slot[m]
        other = _destination(board, m, here)
        if other is None:
            continue
        members = board.chain(m, other)
        if members is None:
            continue
        loss = board.shift(members, here)
        if board.count[here] - loss > board.tables or board.count[other] + loss > board.tables:
            continue
        both = 1 << here | 1 << other
        odd: set[int] = set()
        for q in members:
            odd ^= set(board.uses[q][:2])
        change = sum(cost_of(board.busy[p] ^ both) - cost_of(board.busy[p]) for p in odd)
        if penalty:
            for q in members:
                there = other if board.slot[q] == here else here
                change += displaced(q, there) - displaced(q, board.slot[q])
        if change <= 0 or random.random() < math.exp(-change / temperature):
            board.swap(members, here, other)
            cost += change
            if cost < best - 1e-9:
                best, best_slots = cost, list(board.slot)
    for m, slot in enumerate(list(board.slot)):
        if slot >= 0:
            board.take(m)
    for m, slot in enumerate(best_slots):
        if slot >= 0:
            board.put(m, slot)


def _destination(board: Board, m: int, here: int) -> int | None:
    """Pick another allowed slot, mostly one that touches what a party already has."""
    allowed = board.allowed[m] & ~(1 << here)
    choice = allowed
    if board.random.random() < 0.6:
        busy = board.busy[board.uses[m][board.random.random() < 0.5]]
        choice = (busy << 1 | busy >> 1) & ~busy & allowed or allowed
    if not choice:
        return None
    for _ in range(int(board.random.random() * choice.bit_count())):
        choice &= choice - 1
    return (choice & -choice).bit_length() - 1

"""What a participant's own day forces on it, whatever the others do: breaks and idle slots.

Only its own appointments and the slots that suit each of them count here, so the sums bound every timetable
that places all appointments. A proof that only counts what is above these bounds is often over at once.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from market.compiled import compiled
from market.meetings.timetable.problem import MeetingProblem

Ints = NDArray[np.int64]


class Forced(Struct, frozen=True):
    """The fewest breaks, and the fewest idle slots, of one participant. They need not come together."""

    breaks: int
    idle: int


@compiled("boolean(int64[:, ::1], int64, int64, int64, int64)")
def _suits(suits: Ints, one: int, one_end: int, two: int, two_end: int) -> bool:
    """Tell whether all appointments (rows) find slots of their own in two windows [start, end)."""
    items, slots = suits.shape
    holder = np.full(slots, -1, np.int64)
    came = np.empty(slots, np.int64)
    seen = np.zeros(slots, np.int64)
    queue = np.empty(items, np.int64)
    for start in range(items):
        # augmenting paths, breadth first (Kuhn's method)
        seen[:] = 0
        queue[0] = start
        size, i, free = 1, 0, -1
        while i < size and free < 0:
            m = queue[i]
            i += 1
            for t in range(one, two_end):
                if one_end <= t < two or suits[m, t] == 0 or seen[t]:
                    continue
                seen[t] = 1
                came[t] = m
                if holder[t] < 0:
                    free = t
                    break
                queue[size] = holder[t]
                size += 1
        if free < 0:
            return False
        t = free
        while True:
            m = came[t]
            before = -1
            for u in range(slots):
                if holder[u] == m:
                    before = u
            holder[t] = m
            if m == start:
                break
            t = before
    return True


@compiled("UniTuple(int64, 2)(int64[:, ::1])")
def _least(suits: Ints) -> tuple[int, int]:
    """Return the fewest breaks (2: two or more) and the fewest idle slots; -1 where there is no day."""
    items, slots = suits.shape
    idle = -1
    for length in range(items, slots + 1):
        for start in range(slots - length + 1):
            if _suits(suits, start, start + length, start + length, start + length):
                idle = length - items
                break
        if idle >= 0:
            break
    if idle <= 0:
        return idle, idle
    for first in range(1, items):
        for start in range(slots - items):
            for again in range(start + first + 1, slots - (items - first) + 1):
                if _suits(suits, start, start + first, again, again + items - first):
                    return 1, idle
    return 2, idle


def forced(problem: MeetingProblem, domains: Sequence[Sequence[int]]) -> list[Forced]:
    """Return what each participant is forced to where all appointments take place.

    ``domains``: the slots (from 1) that suit each appointment taken alone.
    """
    number = {person.id: p for p, person in enumerate(problem.participants)}
    mine: list[list[int]] = [[] for _ in problem.participants]
    for m, item in enumerate(problem.appointments):
        mine[number[item.a]].append(m)
        mine[number[item.b]].append(m)
    suits = np.zeros((len(problem.appointments), problem.slots), np.int64)
    for m, domain in enumerate(domains):
        suits[m, [t - 1 for t in domain]] = 1
    found: list[Forced] = []
    for members in mine:
        breaks, idle = (0, 0)
        if len(members) > 1:
            rows = suits[members]
            breaks, idle = _least(np.ascontiguousarray(rows))
            if breaks == 2:
                breaks = max(2, _runs(np.asarray(rows.any(axis=0)), len(members)) - 1)
        found.append(Forced(max(0, breaks), max(0, idle, breaks)))
    return found


def _runs(free: NDArray[np.bool_], count: int) -> int:
    """Return the fewest runs of ``free`` slots that hold ``count`` appointments: the longest come first."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], free.view(np.int8), [0]))))
    lengths = np.sort(edges[1::2] - edges[::2])[::-1]
    enough = int(np.searchsorted(np.cumsum(lengths), count))
    return min(enough + 1, len(lengths))

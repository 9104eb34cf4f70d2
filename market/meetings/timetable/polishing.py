"""Fewer table changes at the same breaks and idle slots, by annealing over Kempe chains, as machine code.

Between neighbouring slots a participant who is busy in both joins two appointments. Each one is joined
to two others at most, so these joints form paths and cycles, and the most changes that can be saved there is
half of the appointments of each, rounded down: a greatest matching. That is what is counted here; which table
it is comes later.
"""

import numpy as np

from market.compiled import compiled, inlined
from market.meetings.timetable.kempe import (
    BOARD,
    IDLE,
    ONE,
    ORDER,
    STATE,
    TWO,
    Ints,
    State,
    Table,
    chain,
    chance,
    draw,
    fits,
    strain,
    swap,
)

#: What a break and an idle slot weigh against a table change while the search wanders.
_BREAK, _IDLE = 6.0, 3.0


@compiled(f"int64(int64, int64, {TWO}, {TWO})")
def _joints(m: int, t: int, uses: Table, at: Table) -> int:
    """Return how many appointments of slot ``t`` share a participant with ``m``."""
    return int(at[uses[m, 0], t] >= 0) + int(at[uses[m, 1], t] >= 0)


@compiled(f"int64(int64, {TWO}, {TWO}, {ONE})")
def saved(t: int, uses: Table, at: Table, seen: Ints) -> int:
    """Return how many table changes can be saved between slots ``t`` and ``t`` + 1.

    ``seen`` (M + 1) marks by a number that each call raises; the last place holds it.
    """
    if t < 0 or t + 1 >= at.shape[1]:
        return 0
    mark = seen[-1] + 1
    seen[-1] = mark
    total = 0
    # first the paths, from their ends, then the cycles
    for cycles in range(2):
        for p in range(at.shape[0]):
            for side in range(2):
                m = at[p, t + side]
                if m < 0 or seen[m] == mark:
                    continue
                if cycles == 0 and _joints(m, t + 1 - side, uses, at) == 2:
                    continue
                length = 0
                here = side
                while m >= 0 and seen[m] != mark:
                    seen[m] = mark
                    length += 1
                    following = -1
                    for j in range(2):
                        q = at[uses[m, j], t + 1 - here]
                        if q >= 0 and seen[q] != mark:
                            following = q
                    m = following
                    here = 1 - here
                total += length // 2
    return total


@inlined("int64(float64)")
def _breaks(cost: float) -> int:
    """Return the breaks in what a day costs without fairness."""
    return int(cost + 1e-9)


@inlined("float64(float64)")
def _waiting(cost: float) -> float:
    """Return what the breaks and idle slots of a day weigh here."""
    return float(_BREAK * _breaks(cost) + _IDLE * (cost - _breaks(cost)) / IDLE)


@compiled(f"float64(int64, float64, float64, {STATE}, {ONE}, {ONE}, {ONE}, {BOARD}, {ORDER})")
def polish(
    steps: int,
    hot: float,
    cold: float,
    state: State,
    movable: Ints,
    best: Ints,
    seen: Ints,
    uses: Table,
    allowed: Table,
    room: Ints,
    at: Table,
    slot: Ints,
    count: Ints,
    quota: Ints,
    b: Ints,
    before: Ints,
    c: Ints,
    behind: Ints,
) -> float:
    """Try ``steps`` chains; return the most changes saved with breaks and idle slots no worse than now.

    ``best`` ends as the slots of that.
    """
    items, slots, people = uses.shape[0], at.shape[1], quota.shape[0]
    members = np.empty(items + 1, np.int64)
    gains = np.empty(slots, np.int64)
    kept = 0.0
    for t in range(slots):
        gains[t] = saved(t, uses, at, seen)
        kept += gains[t]
    wait, breaks = 0.0, 0
    for p in range(people):
        day = strain(p, -1, -1, at, 1e9)
        wait += _waiting(day)
        breaks += _breaks(day)
    limit, fewest, most = wait, breaks, kept
    best[:] = slot
    near = np.empty(4, np.int64)
    for step in range(steps):
        temperature = hot * (cold / hot) ** (step / steps)
        m = movable[draw(state, movable.shape[0])]
        here = slot[m]
        other = draw(state, slots)
        if here < 0 or other == here or allowed[m, other] == 0:
            continue
        n = chain(m, other, uses, allowed, at, slot, members, seen, b, before, c, behind)
        if n < 0 or not fits(here, other, members, slot, count, room, n):
            continue
        change, broken = 0.0, 0
        for i in range(n):
            q = members[i]
            there = other if slot[q] == here else here
            for j in range(2):
                r = uses[q, j]
                if at[r, there] < 0:
                    then, now = strain(r, here, other, at, 1e9), strain(r, -1, -1, at, 1e9)
                    change += _waiting(then) - _waiting(now)
                    broken += _breaks(then) - _breaks(now)
        if change > 8.0 * temperature:
            continue
        near[0], near[1], near[2], near[3] = here - 1, here, other - 1, other
        swap(n, here, other, members, uses, at, slot, count)
        more = 0
        for i in range(4):
            t = near[i]
            twice = False
            for k in range(i):
                twice = twice or near[k] == t
            if not twice and 0 <= t < slots:
                more += saved(t, uses, at, seen) - gains[t]
        total = change - more
        if total <= 0 or chance(state) < np.exp(-total / temperature):
            wait += change
            breaks += broken
            kept += more
            for i in range(4):
                if 0 <= near[i] < slots:
                    gains[near[i]] = saved(near[i], uses, at, seen)
            if wait <= limit + 1e-6 and breaks <= fewest and kept > most:
                most = kept
                best[:] = slot
        else:
            swap(n, here, other, members, uses, at, slot, count)
    return most

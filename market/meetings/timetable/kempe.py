"""Steps of the search as machine code: an appointment put and taken, a Kempe chain found and swapped.

A Kempe chain of two slots is a connected set of appointments that exchange these slots, which keeps every
participant free of clashes; only the two ends of the chain change when they are busy. Construction is list
edge colouring by such chains, with ejection where none helps. See Pesant, Rix and Rousseau, "A comparative
study of MIP and CP formulations for the B2B scheduling optimization problem" (CPAIOR 2015) for the problem,
and Johnson, Aragon, McGeoch and Schevon, "Optimization by simulated annealing, part II: graph coloring"
(Operations Research 39, 1991) for annealing over Kempe chains.

The arrays are those of :class:`market.meetings.timetable.board.Board`. ``state`` holds the random number
generator (xorshift64*; Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled",
ACM TOMS 42, 2016), so that a seed repeats a run.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from market.compiled import inlined

Ints = NDArray[np.int64]
Table = NDArray[np.int64]
State = NDArray[np.uint64]

ONE, TWO, STATE = "int64[::1]", "int64[:, ::1]", "uint64[::1]"
#: uses, allowed, room, at, slot, count, quota
BOARD = ", ".join([TWO, TWO, ONE, TWO, ONE, ONE, ONE])
#: offsets and numbers of those before, of those behind
ORDER = ", ".join([ONE] * 4)

#: An idle slot weighs little against a break: it only decides between equal breaks.
IDLE = 1 / 256
#: A break beyond what fairness permits weighs more than any that may be saved for it.
UNFAIR = 4.0


@inlined(f"int64({STATE}, int64)")
def draw(state: State, most: int) -> int:
    """Return a number from 0 to ``most`` - 1."""
    x = state[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    state[0] = x
    return int(((x * np.uint64(2685821657736338717)) >> np.uint64(33)) % np.uint64(most))


@inlined(f"float64({STATE})")
def chance(state: State) -> float:
    """Return a number from 0 to 1."""
    return float(draw(state, 1 << 30)) / float(1 << 30)


@inlined("float64(int64, int64, float64)")
def weighed(breaks: int, idle: int, most: float) -> float:
    """Return what a day costs: a break 1, an idle slot ``IDLE``, a break beyond ``most`` ``UNFAIR`` more."""
    cost = breaks + IDLE * idle
    if breaks > most:
        cost += UNFAIR * (breaks - most)
    return float(cost)


@inlined(f"float64(int64, int64, int64, {TWO}, float64)")
def strain(p: int, one: int, two: int, at: Table, most: float) -> float:
    """Return what the day of ``p`` costs with its slots ``one`` and ``two`` turned over (-1: left alone)."""
    first, last, busy, runs = -1, -2, 0, 0
    for t in range(at.shape[1]):
        here = at[p, t] >= 0
        if t in (one, two):
            here = not here
        if here:
            if first < 0:
                first = t
            if last != t - 1:
                runs += 1
            last = t
            busy += 1
    if busy == 0:
        return 0.0
    return float(weighed(runs - 1, last - first + 1 - busy, most))


@inlined(f"void(int64, int64, {TWO}, {TWO}, {ONE}, {ONE}, {ONE})")
def put(m: int, t: int, uses: Table, at: Table, slot: Ints, count: Ints, quota: Ints) -> None:
    """Place ``m`` in slot ``t``."""
    for i in range(uses.shape[1]):
        r = uses[m, i]
        if r >= 0:
            at[r, t] = m
    quota[uses[m, 0]] -= 1
    quota[uses[m, 1]] -= 1
    count[t] += 1
    slot[m] = t


@inlined(f"void(int64, {TWO}, {TWO}, {ONE}, {ONE}, {ONE})")
def take(m: int, uses: Table, at: Table, slot: Ints, count: Ints, quota: Ints) -> None:
    """Take ``m`` out of its slot."""
    t = slot[m]
    for i in range(uses.shape[1]):
        r = uses[m, i]
        if r >= 0 and at[r, t] == m:
            at[r, t] = -1
    quota[uses[m, 0]] += 1
    quota[uses[m, 1]] += 1
    count[t] -= 1
    slot[m] = -1


@inlined(f"boolean(int64, int64, {ONE}, {ORDER})")
def in_order(m: int, t: int, slot: Ints, b: Ints, before: Ints, c: Ints, behind: Ints) -> bool:
    """Tell whether ``m`` in slot ``t`` agrees with the order of the placed ones."""
    for i in range(b[m], b[m + 1]):
        if slot[before[i]] >= t:
            return False
    for i in range(c[m], c[m + 1]):
        q = slot[behind[i]]
        if 0 <= q <= t:
            return False
    return True


@inlined(f"int64(int64, int64, {TWO}, {TWO}, {TWO}, {ONE}, {ONE}, {ONE}, {ORDER})")
def chain(
    m: int,
    other: int,
    uses: Table,
    allowed: Table,
    at: Table,
    slot: Ints,
    members: Ints,
    seen: Ints,
    b: Ints,
    before: Ints,
    c: Ints,
    behind: Ints,
) -> int:
    """Write to ``members`` what swaps slots if ``m`` moves to ``other``; return how many, or -1 if barred.

    ``seen`` (M + 1) marks by a number that each call raises; the last place holds it.
    """
    mark = seen[-1] + 1
    seen[-1] = mark
    here = slot[m]
    members[0] = m
    seen[m] = mark
    n = 1
    i = 0
    while i < n:
        q = members[i]
        i += 1
        target = other if slot[q] == here else here
        if allowed[q, target] == 0:
            return -1
        for j in range(uses.shape[1]):
            r = uses[q, j]
            if r >= 0:
                k = at[r, target]
                if k >= 0 and seen[k] != mark:
                    seen[k] = mark
                    members[n] = k
                    n += 1
    if before.shape[0]:
        for i in range(n):
            q = members[i]
            t = other if slot[q] == here else here
            for j in range(b[q], b[q + 1]):
                k = before[j]
                u = slot[k]
                if u >= 0 and seen[k] == mark:
                    u = other if u == here else here
                if u >= t:
                    return -1
            for j in range(c[q], c[q + 1]):
                k = behind[j]
                u = slot[k]
                if u >= 0 and seen[k] == mark:
                    u = other if u == here else here
                if 0 <= u <= t:
                    return -1
    return n


@inlined(f"void(int64, int64, int64, {ONE}, {TWO}, {TWO}, {ONE}, {ONE})")
def swap(n: int, one: int, two: int, members: Ints, uses: Table, at: Table, slot: Ints, count: Ints) -> None:
    """Let the first ``n`` of ``members`` exchange slots ``one`` and ``two``."""
    for i in range(n):
        m = members[i]
        t = slot[m]
        for j in range(uses.shape[1]):
            r = uses[m, j]
            if r >= 0 and at[r, t] == m:
                at[r, t] = -1
    for i in range(n):
        m = members[i]
        t = two if slot[m] == one else one
        count[slot[m]] -= 1
        count[t] += 1
        slot[m] = t
        for j in range(uses.shape[1]):
            r = uses[m, j]
            if r >= 0:
                at[r, t] = m


@inlined(f"boolean(int64, int64, {ONE}, {ONE}, {ONE}, {ONE}, int64)")
def fits(one: int, two: int, members: Ints, slot: Ints, count: Ints, room: Ints, n: int) -> bool:
    """Tell whether both slots have room for what a swap brings them."""
    gain = 0
    for i in range(n):
        gain += 1 if slot[members[i]] == one else -1
    if gain > 0:
        return bool(count[two] + gain <= room[two])
    return bool(gain == 0 or count[one] - gain <= room[one])


def arrays(board: Any) -> tuple[Any, ...]:
    """Return a board's arrays in the order in which the functions here take them."""
    return (
        board.uses,
        board.allowed,
        board.room,
        board.at,
        board.slot,
        board.count,
        board.quota,
        *board.before,
        *board.behind,
    )

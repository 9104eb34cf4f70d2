"""Days as bits, for the compiled search: which slots are busy, and what that costs.

A day is a row of words of ``WORD`` slots each, the lowest bit the earliest slot; the sign bit stays unused,
so that shifts need no unsigned numbers. Runs of busy slots are counted by their first bits.
"""

from typing import Any

import numpy as np

from market.compiled import compiled, inlined
from market.meetings.timetable.kempe import STATE, TWO, State, Table, draw, weighed

WORD = 62
_FULL = (1 << WORD) - 1


@inlined("int64(int64)")
def ones(x: int) -> int:
    """Return how many bits of ``x`` (not negative) are set."""
    x = x - ((x >> 1) & 0x5555555555555555)
    x = (x & 0x3333333333333333) + ((x >> 2) & 0x3333333333333333)
    x = (x + (x >> 4)) & 0x0F0F0F0F0F0F0F0F
    return ((x * 0x0101010101010101) >> 56) & 0x7F


@inlined("int64(int64)")
def last(x: int) -> int:
    """Return the number of the highest bit of ``x`` > 0."""
    for shift in (1, 2, 4, 8, 16, 32):
        x |= x >> shift
    return int(ones(x) - 1)


@inlined("int64(int64, int64)")
def nth(x: int, k: int) -> int:
    """Return the number of the bit of ``x`` that has ``k`` set bits below it."""
    for _ in range(k):
        x &= x - 1
    return int(ones((x & -x) - 1))


@compiled(f"{TWO}({TWO})")
def packed(marks: Table) -> Any:
    """Return rows of words: a bit for each column of ``marks`` (N x T) that is not 0."""
    rows, slots = marks.shape
    words = np.zeros((rows, max(1, (slots + WORD - 1) // WORD)), np.int64)
    for i in range(rows):
        for t in range(slots):
            if marks[i, t] != 0:
                words[i, t // WORD] |= 1 << (t % WORD)
    return words


@inlined(f"float64(int64, int64, int64, {TWO}, float64)")
def cost_of(p: int, one: int, two: int, busy: Table, most: float) -> float:
    """Return what the day of ``p`` costs with two of its slots turned over: ``strain``, on bits."""
    runs, held, first, end, carry = 0, 0, -1, -1, 0
    for w in range(busy.shape[1]):
        x = busy[p, w]
        if one >= 0 and one // WORD == w:
            x ^= 1 << (one % WORD)
        if two >= 0 and two // WORD == w:
            x ^= 1 << (two % WORD)
        if x:
            runs += ones(x & ~((x << 1) | carry))
            held += ones(x)
            if first < 0:
                first = w * WORD + nth(x, 0)
            end = w * WORD + last(x)
        carry = x >> (WORD - 1)
    if held == 0:
        return 0.0
    return float(weighed(runs - 1, end - first + 1 - held, most))


@inlined(f"int64(int64, int64, {TWO})")
def _beside(w: int, p: int, busy: Table) -> int:
    """Return word ``w`` of the slots that have a busy one before or behind them."""
    beside = ((busy[p, w] << 1) | (busy[p, w] >> 1)) & _FULL
    if w > 0:
        beside |= busy[p, w - 1] >> (WORD - 1)
    if w + 1 < busy.shape[1]:
        beside |= (busy[p, w + 1] & 1) << (WORD - 1)
    return int(beside)


@inlined(f"int64(int64, int64, {TWO})")
def _edges(w: int, p: int, busy: Table) -> int:
    """Return word ``w`` of the busy slots that are the first or the last of their run."""
    x = busy[p, w]
    before, behind = (x << 1) & _FULL, x >> 1
    if w > 0:
        before |= busy[p, w - 1] >> (WORD - 1)
    if w + 1 < busy.shape[1]:
        behind |= (busy[p, w + 1] & 1) << (WORD - 1)
    return int(x & ~(before & behind))


@inlined(f"int64({STATE}, int64, {TWO})")
def drawn_edge(state: State, p: int, busy: Table) -> int:
    """Draw a slot in which a run of ``p`` begins or ends; -1: it has no appointment."""
    options = 0
    for w in range(busy.shape[1]):
        options += ones(_edges(w, p, busy))
    if options == 0:
        return -1
    k = draw(state, options)
    for w in range(busy.shape[1]):
        x = _edges(w, p, busy)
        n = ones(x)
        if k < n:
            return int(w * WORD + nth(x, k))
        k -= n
    return -1


@inlined(f"int64(int64, int64, int64, {TWO}, {TWO}, boolean)")
def _open(w: int, p: int, m: int, suits: Table, busy: Table, touching: bool) -> int:
    """Return word ``w`` of the slots among which :func:`drawn_slot` draws."""
    x = suits[m, w]
    if touching:
        x &= _beside(w, p, busy) & ~busy[p, w]
    return int(x)


@inlined(f"int64({STATE}, int64, int64, {TWO}, {TWO}, boolean)")
def drawn_slot(state: State, p: int, m: int, suits: Table, busy: Table, touching: bool) -> int:
    """Draw a slot that suits ``m``, or -1; with ``touching`` one that is idle for ``p`` beside a busy one."""
    options = 0
    for w in range(busy.shape[1]):
        options += ones(_open(w, p, m, suits, busy, touching))
    if options == 0:
        return -1
    k = draw(state, options)
    for w in range(busy.shape[1]):
        x = _open(w, p, m, suits, busy, touching)
        n = ones(x)
        if k < n:
            return int(w * WORD + nth(x, k))
        k -= n
    return -1

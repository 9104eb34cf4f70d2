"""One appointment into a timetable that stands, moving as few others as possible, as machine code."""

import numpy as np

from market.compiled import compiled
from market.meetings.timetable.kempe import (
    BOARD,
    ONE,
    ORDER,
    TWO,
    Ints,
    Table,
    chain,
    in_order,
    put,
    strain,
    swap,
)

#: Chains that are looked at before the best one so far is taken.
_PATIENCE = 4_000


@compiled(f"boolean(int64, int64, int64, {ONE}, {TWO}, {ONE})")
def _lands_on(m: int, n: int, t: int, members: Ints, uses: Table, slot: Ints) -> bool:
    """Tell whether a chain would bring into slot ``t`` something that uses what ``m`` uses."""
    for i in range(n):
        q = members[i]
        if slot[q] == t:
            continue
        for j in range(uses.shape[1]):
            for k in range(uses.shape[1]):
                if uses[q, j] >= 0 and uses[q, j] == uses[m, k]:
                    return True
    return False


@compiled(f"int64(int64, int64, {ONE}, {ONE}, {BOARD}, {ORDER})")
def _insert_at(
    m: int,
    t: int,
    members: Ints,
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
) -> int:
    """Place ``m`` in slot ``t`` with at most one chain; return how many others moved, or -1."""
    slots = at.shape[1]
    one = -1
    for i in range(uses.shape[1]):
        q = at[uses[m, i], t] if uses[m, i] >= 0 else -1
        if q >= 0 and one not in (-1, q):
            return -1
        if q >= 0:
            one = q
    if one < 0:
        if count[t] >= room[t] or not in_order(m, t, slot, b, before, c, behind):
            return -1
        put(m, t, uses, at, slot, count, quota)
        return 0
    for other in range(slots):
        if other == t or allowed[one, other] == 0:
            continue
        n = chain(one, other, uses, allowed, at, slot, members, seen, b, before, c, behind)
        if n < 0 or _lands_on(m, n, t, members, uses, slot):
            continue
        gain = 0
        for i in range(n):
            gain += 1 if slot[members[i]] == t else -1
        if count[t] - gain + 1 > room[t] or count[other] + gain > room[other]:
            continue
        swap(n, t, other, members, uses, at, slot, count)
        if in_order(m, t, slot, b, before, c, behind):
            put(m, t, uses, at, slot, count, quota)
            return int(n)
        swap(n, t, other, members, uses, at, slot, count)
    return -1


@compiled(f"int64(int64, int64, {ONE}, {ONE}, {BOARD}, {ORDER})")
def insert_near(
    m: int,
    depth: int,
    members: Ints,
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
) -> int:
    """Place ``m``; return how many others had to move, or -1 if it found no place.

    First a free slot, the one that makes the fewest breaks; then the shortest chain that frees one, be it
    from appointments of the same participants or from a full slot; with ``depth`` also two chains, one after
    the other.
    """
    if quota[uses[m, 0]] <= 0 or quota[uses[m, 1]] <= 0:
        return -1
    slots = at.shape[1]
    best, least = -1, 1e18
    for t in range(slots):
        if allowed[m, t] == 0 or count[t] >= room[t] or not in_order(m, t, slot, b, before, c, behind):
            continue
        free = True
        for i in range(uses.shape[1]):
            if uses[m, i] >= 0 and at[uses[m, i], t] >= 0:
                free = False
        if not free:
            continue
        cost = 0.0
        for i in range(2):
            p = uses[m, i]
            cost += strain(p, t, -1, at, 1e9) - strain(p, -1, -1, at, 1e9)
        if cost < least:
            best, least = t, cost
    if best >= 0:
        put(m, best, uses, at, slot, count, quota)
        return 0
    fewest, target, start, exchange = slots * at.shape[0], -1, -1, -1
    looked = 0
    for t in range(slots):
        if allowed[m, t] == 0 or room[t] <= 0 or not in_order(m, t, slot, b, before, c, behind):
            continue
        one, two = -1, -1
        for i in range(uses.shape[1]):
            q = at[uses[m, i], t] if uses[m, i] >= 0 else -1
            if q >= 0 and one < 0:
                one = q
            elif q >= 0 and q != one:
                two = q
        first, last = 0, 0
        if one < 0:
            # nobody in the way, but the slot is full: any appointment of it may go
            last = at.shape[0] - 1
        for r in range(first, last + 1):
            mover = one if one >= 0 else at[r, t]
            if mover < 0 or (one < 0 and uses[mover, 0] != r):
                continue
            for other in range(slots):
                if other == t or allowed[mover, other] == 0:
                    continue
                looked += 1
                if looked > _PATIENCE and target >= 0:
                    break
                n = chain(mover, other, uses, allowed, at, slot, members, seen, b, before, c, behind)
                if n < 0 or n >= fewest or _lands_on(m, n, t, members, uses, slot):
                    continue
                gain, both = 0, two < 0
                for i in range(n):
                    gain += 1 if slot[members[i]] == t else -1
                    if members[i] == two:
                        both = True
                if both and count[t] - gain + 1 <= room[t] and count[other] + gain <= room[other]:
                    fewest, target, start, exchange = n, t, mover, other
            if fewest == 1:
                break
        if fewest == 1:
            break
    if target >= 0:
        n = chain(start, exchange, uses, allowed, at, slot, members, seen, b, before, c, behind)
        swap(n, target, exchange, members, uses, at, slot, count)
        if in_order(m, target, slot, b, before, c, behind):
            put(m, target, uses, at, slot, count, quota)
            return int(n)
        swap(n, target, exchange, members, uses, at, slot, count)
    if depth <= 0:
        return -1
    kept = np.empty_like(members)
    for t in range(slots):
        if allowed[m, t] == 0 or room[t] <= 0 or not in_order(m, t, slot, b, before, c, behind):
            continue
        for i in range(2):
            mover = at[uses[m, i], t]
            if mover < 0:
                continue
            for other in range(slots):
                if other == t or allowed[mover, other] == 0:
                    continue
                n = chain(mover, other, uses, allowed, at, slot, members, seen, b, before, c, behind)
                if n < 0 or _lands_on(m, n, t, members, uses, slot):
                    continue
                gain = 0
                for k in range(n):
                    gain += 1 if slot[members[k]] == t else -1
                if gain < 0 or count[other] + gain > room[other]:
                    continue
                kept[:n] = members[:n]
                swap(n, t, other, kept, uses, at, slot, count)
                more = _insert_at(
                    m, t, members, seen, uses, allowed, room, at, slot, count, quota, b, before, c, behind
                )
                if more >= 0:
                    return int(n + more)
                swap(n, t, other, kept, uses, at, slot, count)
    return -1

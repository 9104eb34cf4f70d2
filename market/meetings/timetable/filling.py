"""Construction as machine code: appointments put where they fit, others thrown out where need be."""

import numpy as np

from market.compiled import compiled
from market.meetings.timetable.kempe import (
    BOARD,
    ONE,
    ORDER,
    STATE,
    Ints,
    State,
    Table,
    chain,
    chance,
    draw,
    in_order,
    put,
    strain,
    swap,
    take,
)


@compiled(f"boolean(int64, {STATE}, {ONE}, {ONE}, {BOARD}, {ORDER})")
def insert(
    m: int,
    state: State,
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
) -> bool:
    """Place ``m`` without throwing anything out: in a free slot, or in one that a chain frees."""
    if quota[uses[m, 0]] <= 0 or quota[uses[m, 1]] <= 0:
        return False
    slots = at.shape[1]
    best, least = -1, 1e18
    for t in range(slots):
        if allowed[m, t] == 0 or count[t] >= room[t]:
            continue
        free = True
        for i in range(uses.shape[1]):
            if uses[m, i] >= 0 and at[uses[m, i], t] >= 0:
                free = False
        if not free or not in_order(m, t, slot, b, before, c, behind):
            continue
        cost = chance(state) + count[t] * 2
        for i in range(2):
            p = uses[m, i]
            cost += 1e6 * (strain(p, t, -1, at, 1e9) - strain(p, -1, -1, at, 1e9))
        if cost < least:
            best, least = t, cost
    if best >= 0:
        put(m, best, uses, at, slot, count, quota)
        return True
    start = draw(state, slots)
    for k in range(slots):
        t = (start + k) % slots
        if allowed[m, t] == 0 or not in_order(m, t, slot, b, before, c, behind):
            continue
        blocking = -1
        several = False
        for i in range(uses.shape[1]):
            q = at[uses[m, i], t] if uses[m, i] >= 0 else -1
            if q >= 0 and blocking not in (-1, q):
                several = True
            elif q >= 0:
                blocking = q
        if several or blocking < 0:
            continue
        for other in range(slots):
            if other == t:
                continue
            n = chain(blocking, other, uses, allowed, at, slot, members, seen, b, before, c, behind)
            if n < 0:
                continue
            gain = 0
            clash = False
            for i in range(n):
                q = members[i]
                if slot[q] == t:
                    gain += 1
                    continue
                gain -= 1
                # whoever comes into slot t must not use what m needs there
                for j in range(uses.shape[1]):
                    for l in range(uses.shape[1]):  # noqa: E741
                        if uses[q, j] >= 0 and uses[q, j] == uses[m, l]:
                            clash = True
            if clash or count[t] - gain + 1 > room[t] or count[other] + gain > room[other]:
                continue
            swap(n, t, other, members, uses, at, slot, count)
            if in_order(m, t, slot, b, before, c, behind):
                put(m, t, uses, at, slot, count, quota)
                return True
            swap(n, t, other, members, uses, at, slot, count)
    return False


@compiled(f"int64({ONE}, {ONE}, int64, {STATE}, {ONE}, {ONE}, {ONE}, {BOARD}, {ORDER})")
def fill(
    waiting: Ints,
    weight: Ints,
    effort: int,
    state: State,
    forced: Ints,
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
) -> int:
    """Place those ``waiting``, throwing out others where need be; return how many are left out.

    It takes ``effort`` turns at most. ``best`` (M) ends as the slots with the greatest weight placed, and so
    does the board. ``forced`` (M) counts how often each was forced in, over calls that go on where the last
    one ended: the stubborn ones go first, and are thrown out last.
    """
    items = uses.shape[0]
    slots = at.shape[1]
    members = np.empty(items + 1, np.int64)
    queue = np.empty(items + 1, np.int64)
    size = 0
    for i in range(waiting.shape[0]):
        m = waiting[i]
        if not insert(
            m, state, members, seen, uses, allowed, room, at, slot, count, quota, b, before, c, behind
        ):
            queue[size] = m
            size += 1
    placed, most = 0, 0
    for m in range(items):
        best[m] = slot[m]
        if slot[m] >= 0:
            most += weight[m]
    placed = most
    for _ in range(effort):
        if size == 0:
            break
        k = draw(state, size)
        m = int(queue[k])
        queue[k] = queue[size - 1]
        size -= 1
        if insert(m, state, members, seen, uses, allowed, room, at, slot, count, quota, b, before, c, behind):
            placed += weight[m]
        else:
            # of some slots the one that throws out the least
            chosen, least = -1, 1e18
            for _try in range(slots):
                t = draw(state, slots) if slots > 12 else _try
                if allowed[m, t] == 0 or room[t] <= 0:
                    continue
                cost = chance(state)
                for i in range(uses.shape[1]):
                    if uses[m, i] >= 0:
                        q = at[uses[m, i], t]
                        if q >= 0:
                            cost += 1.0 + forced[q] + weight[q] / (1.0 + weight[m])
                for i in range(b[m], b[m + 1]):
                    if slot[before[i]] >= t:
                        cost += 1.0 + forced[before[i]]
                for i in range(c[m], c[m + 1]):
                    if 0 <= slot[behind[i]] <= t:
                        cost += 1.0 + forced[behind[i]]
                if cost < least:
                    chosen, least = t, cost
            if chosen < 0:
                continue
            t = chosen
            forced[m] += 1
            start = size
            for i in range(uses.shape[1]):
                if uses[m, i] >= 0:
                    q = at[uses[m, i], t]
                    if q >= 0:
                        placed -= weight[q]
                        take(q, uses, at, slot, count, quota)
                        queue[size] = q
                        size += 1
            for i in range(b[m], b[m + 1]):
                q = before[i]
                if slot[q] >= t:
                    placed -= weight[q]
                    take(q, uses, at, slot, count, quota)
                    queue[size] = q
                    size += 1
            for i in range(c[m], c[m + 1]):
                q = behind[i]
                if 0 <= slot[q] <= t:
                    placed -= weight[q]
                    take(q, uses, at, slot, count, quota)
                    queue[size] = q
                    size += 1
            # a quota that is used up gives way by any appointment of the participant's
            for i in range(2):
                p = uses[m, i]
                if quota[p] <= 0:
                    out, lightest = -1, 1e300
                    for u in range(slots):
                        q = at[p, u]
                        if q >= 0 and q != m and weight[q] + chance(state) < lightest:
                            out, lightest = q, weight[q] + chance(state)
                    if out >= 0:
                        placed -= weight[out]
                        take(out, uses, at, slot, count, quota)
                        queue[size] = out
                        size += 1
            if count[t] >= room[t]:
                skip = draw(state, count[t])
                for q in range(items):
                    if slot[q] == t:
                        if skip == 0:
                            placed -= weight[q]
                            take(q, uses, at, slot, count, quota)
                            queue[size] = q
                            size += 1
                            break
                        skip -= 1
            if quota[uses[m, 0]] <= 0 or quota[uses[m, 1]] <= 0 or count[t] >= room[t]:
                queue[size] = m
                size += 1
                continue
            put(m, t, uses, at, slot, count, quota)
            placed += weight[m]
            i = start
            while i < size:
                q = queue[i]
                if insert(
                    q, state, members, seen, uses, allowed, room, at, slot, count, quota, b, before, c, behind
                ):
                    placed += weight[q]
                    queue[i] = queue[size - 1]
                    size -= 1
                else:
                    i += 1
        if placed > most:
            most = placed
            for q in range(items):
                best[q] = slot[q]
    for m in range(items):
        if slot[m] >= 0:
            take(m, uses, at, slot, count, quota)
    left = 0
    for m in range(items):
        if best[m] >= 0:
            put(m, best[m], uses, at, slot, count, quota)
        else:
            left += 1
    return left

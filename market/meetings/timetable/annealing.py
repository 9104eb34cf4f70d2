"""Simulated annealing over Kempe chains as machine code."""

from typing import Any

import numpy as np

from market.compiled import compiled, inlined
from market.meetings.timetable.days import WORD, cost_of, drawn_edge, drawn_slot, packed
from market.meetings.timetable.kempe import (
    BOARD,
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
    swap,
)

#: What annealing keeps of each participant: its strain; those with any, and where they stand among them.
_SORE = ", ".join(["float64[::1]", ONE, ONE, ONE])


@inlined(f"void(int64, float64, {_SORE})")
def note(p: int, cost: float, strains: Any, sore: Ints, place: Ints, sores: Ints) -> None:
    """Keep the strain of ``p``, and whether it has any; ``sores[0]`` counts those who have."""
    strains[p] = cost
    if cost > 0 and place[p] < 0:
        place[p] = sores[0]
        sore[sores[0]] = p
        sores[0] += 1
    elif cost <= 0 and place[p] >= 0:
        sores[0] -= 1
        moved = sore[sores[0]]
        sore[place[p]] = moved
        place[moved] = place[p]
        place[p] = -1


@inlined(
    f"float64(int64, int64, int64, float64, float64, {ONE}, {ONE}, float64[::1], {TWO}, {TWO}, {TWO}, {ONE})"
)
def effect(
    n: int,
    here: int,
    other: int,
    most: float,
    penalty: float,
    members: Ints,
    home: Ints,
    strains: Any,
    busy: Table,
    uses: Table,
    at: Table,
    slot: Ints,
) -> float:
    """Return what it costs more if the first ``n`` of ``members`` exchange slots ``here`` and ``other``."""
    change = 0.0
    for i in range(n):
        q = members[i]
        there = other if slot[q] == here else here
        for j in range(2):
            r = uses[q, j]
            # busy in one of the two slots only: an end of the chain
            if at[r, there] < 0:
                change += cost_of(r, here, other, busy, most) - strains[r]
        if penalty > 0 and home[q] >= 0:
            if there == home[q]:
                change -= penalty
            elif slot[q] == home[q]:
                change += penalty
    return change


@inlined(f"void(int64, int64, int64, float64, {ONE}, {_SORE}, {TWO}, {TWO}, {TWO}, {ONE}, {ONE})")
def follow(
    n: int,
    here: int,
    other: int,
    most: float,
    members: Ints,
    strains: Any,
    sore: Ints,
    place: Ints,
    sores: Ints,
    busy: Table,
    uses: Table,
    at: Table,
    slot: Ints,
    count: Ints,
) -> None:
    """Let the first ``n`` of ``members`` exchange their slots, and keep the strains of the chain's ends."""
    swap(n, here, other, members, uses, at, slot, count)
    for i in range(n):
        q = members[i]
        was = other if slot[q] == here else here
        for j in range(2):
            r = uses[q, j]
            if at[r, was] < 0:
                busy[r, here // WORD] ^= 1 << (here % WORD)
                busy[r, other // WORD] ^= 1 << (other % WORD)
                note(r, cost_of(r, -1, -1, busy, most), strains, sore, place, sores)


@inlined(f"int64(int64, int64, int64, {STATE}, {TWO}, {TWO})")
def drawn(p: int, m: int, here: int, state: State, suits: Table, busy: Table) -> int:
    """Draw a slot for ``m``, mostly one that touches what its party ``p`` already has; -1: none suits."""
    other = drawn_slot(state, p, m, suits, busy, True) if draw(state, 10) < 9 else -1
    if other < 0:
        other = drawn_slot(state, p, m, suits, busy, False)
    return -1 if other == here else other


@compiled(
    f"float64(int64, float64, float64, float64, float64, float64, {STATE}, {ONE}, {ONE}, {ONE}, {ONE}, "
    f"{BOARD}, {ORDER})"
)
def anneal(
    steps: int,
    hot: float,
    cold: float,
    most: float,
    penalty: float,
    target: float,
    state: State,
    movable: Ints,
    home: Ints,
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
    """Try ``steps`` moves while the temperature falls from ``hot`` to ``cold``; return the least cost.

    A move is a chain; where it overfills a slot, a second chain takes something out of that slot again.

    Args:
        most: breaks of one participant that fairness permits.
        penalty: what an appointment away from ``home`` costs, in breaks.
        target: a cost that cannot be undercut; reaching it ends the search.
        best: ends as the slots of the least cost.
    """
    items = uses.shape[0]
    slots = at.shape[1]
    people = quota.shape[0]
    members = np.empty(items + 1, np.int64)
    others = np.empty(items + 1, np.int64)
    strains = np.zeros(people, np.float64)
    sore = np.empty(people, np.int64)
    place = np.full(people, -1, np.int64)
    sores = np.zeros(1, np.int64)
    busy = packed(at + 1)
    suits = packed(allowed)
    cost = 0.0
    for p in range(people):
        note(p, cost_of(p, -1, -1, busy, most), strains, sore, place, sores)
        cost += strains[p]
    for m in range(items):
        best[m] = slot[m]
        if slot[m] >= 0 and home[m] >= 0 and slot[m] != home[m]:
            cost += penalty
    least = cost
    temperature = hot
    for step in range(steps):
        if step & 255 == 0:
            if least <= target + 1e-9:
                break
            temperature = hot * (cold / hot) ** (step / steps)
        if sores[0] and step & 1:
            # half of the moves begin where there is something to gain: at the edge of a run, which whoever
            # has any strain has
            p = int(sore[draw(state, sores[0])])
            m = int(at[p, drawn_edge(state, p, busy)])
        else:
            m = int(movable[draw(state, movable.shape[0])])
            p = int(uses[m, draw(state, 2)])
        if m < 0 or slot[m] < 0:
            continue
        here = slot[m]
        other = drawn(p, m, here, state, suits, busy)
        if other < 0:
            continue
        n = chain(m, other, uses, allowed, at, slot, members, seen, b, before, c, behind)
        if n < 0:
            continue
        change = effect(n, here, other, most, penalty, members, home, strains, busy, uses, at, slot)
        if fits(here, other, members, slot, count, room, n):
            if change <= 0 or chance(state) < np.exp(-change / temperature):
                follow(
                    n, here, other, most, members, strains, sore, place, sores, busy, uses, at, slot, count
                )
                cost += change
        elif change < 3 * temperature + 1:
            follow(n, here, other, most, members, strains, sore, place, sores, busy, uses, at, slot, count)
            full = other if count[other] > room[other] else here
            settled = False
            if count[full] == room[full] + 1:
                for _ in range(4):
                    # any appointment of the full slot, and any slot with room for it
                    r = draw(state, people)
                    q = at[r, full]
                    t = draw(state, slots)
                    if q < 0 or t == full or count[t] >= room[t]:
                        continue
                    k = chain(q, t, uses, allowed, at, slot, others, seen, b, before, c, behind)
                    if k < 0 or not fits(full, t, others, slot, count, room, k):
                        continue
                    gain = 0
                    for i in range(k):
                        gain += 1 if slot[others[i]] == full else -1
                    if gain != 1:
                        continue
                    more = effect(k, full, t, most, penalty, others, home, strains, busy, uses, at, slot)
                    if change + more <= 0 or chance(state) < np.exp(-(change + more) / temperature):
                        follow(
                            k, full, t, most, others, strains, sore, place, sores, busy, uses, at, slot, count
                        )
                        cost += change + more
                        settled = True
                        break
            if not settled:
                follow(
                    n, here, other, most, members, strains, sore, place, sores, busy, uses, at, slot, count
                )
        if cost < least - 1e-9:
            least = cost
            best[:] = slot
    return least

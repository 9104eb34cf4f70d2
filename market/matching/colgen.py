"""One product over all its pairs: small ones at once, large ones by column generation.

Column generation solves over a part of the arcs, then prices every pair of the product against the
gains: an arc with w > u + v could still matter and joins. It begins from a rough solution (``rough``)
and ends only when no arc is left that violates the gains, nor either end of their lattice, so the part
never limits the optimum nor the price bands.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from market.matching.candidates import Arcs, Bools, Ints, Market, join
from market.matching.pairs import Pairs
from market.matching.rough import Rough, solve_roughly
from market.matching.solver import Duals, best_flow, extreme_duals, middle

#: Arcs per lot and demand that join in a round.
PER_NODE = 10
#: How far gains may fall in the first exact round, in steps of the rough solution.
REACH = 16


class Solved(NamedTuple):
    """One product, solved. ``arcs`` are those that took part; ``proven`` is false if time ran out."""

    arcs: Arcs
    x: Ints
    low: Duals
    high: Duals
    proven: bool


def trivial_duals(arcs: Arcs, lots: int, demands: int) -> Duals:
    """u = 0 and v = the best worth a demand could ever get: feasible without solving anything."""
    v = np.zeros(demands, np.int64)
    np.maximum.at(v, arcs.j, arcs.w)
    return Duals(np.zeros(lots, np.int64), v)


def greedy_flow(arcs: Arcs, q: Ints, d: Ints) -> Ints:
    """Fill the arcs in order of worth: what is done when there is no time to solve."""
    x = np.zeros(len(arcs.w), np.int64)
    left, unfilled = q.tolist(), d.tolist()
    i, j = arcs.i.tolist(), arcs.j.tolist()
    for e in np.argsort(-arcs.w, kind="stable").tolist():
        grams = min(left[i[e]], unfilled[j[e]])
        if grams > 0:
            x[e] = grams
            left[i[e]] -= grams
            unfilled[j[e]] -= grams
    return x


def solve_product(market: Market, pairs: Pairs, late: Callable[[], bool]) -> Solved:
    """Solve one product over all of ``pairs``. ``late()`` tells when to stop with the best so far."""
    product_q, product_d = market.q[pairs.all_lots], market.d[pairs.all_demands]
    solved = _solve(pairs, late)
    arcs, x = pairs.unmerge(solved.arcs, solved.x, product_q, product_d)
    low, high = (
        Duals(end.u[pairs.lot_class], end.v[pairs.demand_class]) for end in (solved.low, solved.high)
    )
    return Solved(arcs, x, low, high, solved.proven)


def _solve(pairs: Pairs, late: Callable[[], bool]) -> Solved:
    q, d, arcs = pairs.q, pairs.d, pairs.kept
    if arcs is None:
        return _generate(pairs, late)
    if late():
        duals = trivial_duals(arcs, len(q), len(d))
        return Solved(arcs, greedy_flow(arcs, q, d), duals, duals, proven=False)
    x = best_flow(arcs, q, d)
    assert x is not None
    return Solved(arcs, x, *extreme_duals(arcs, x, q, d), proven=True)


def _generate(pairs: Pairs, late: Callable[[], bool]) -> Solved:
    q, d, scale = pairs.q, pairs.d, pairs.scale
    rough = solve_roughly(pairs, late)
    arcs = pairs.arcs(rough.i, rough.j)
    centre = _whole(rough, scale)
    if late():
        duals = _covering(pairs, centre)
        return Solved(arcs, greedy_flow(arcs, q, d), duals, duals, proven=False)
    reach = REACH * int(rough.step * scale) + 1
    box = Duals(np.full(len(q), reach), np.full(len(d), reach))
    while True:
        x, centre, held = _boxed(arcs, q, d, centre, box)
        if late():
            duals = _covering(pairs, centre)
            return Solved(arcs, x, duals, duals, proven=False)
        if held[0].any() or held[1].any():
            box = Duals(*(np.where(stuck, 8 * side, side) for stuck, side in zip(held, box, strict=True)))
            continue
        more = _violating(pairs, centre)
        if not len(more.w):
            break
        arcs = _joined(pairs, arcs, more)
    # The flow is best over all pairs. The ends of the lattice ask for no other flow, only for more arcs.
    while True:
        low, high = extreme_duals(arcs, x, q, d, centre)
        more = join([_violating(pairs, end) for end in (low, high)])
        if not len(more.w):
            return Solved(arcs, x, low, high, proven=True)
        if late():
            return Solved(arcs, x, centre, centre, proven=False)
        count = len(arcs.w)
        arcs = _joined(pairs, arcs, more)
        x = np.concatenate([x, np.zeros(len(arcs.w) - count, np.int64)])


def _boxed(
    arcs: Arcs, q: Ints, d: Ints, centre: Duals, box: Duals
) -> tuple[Ints, Duals, tuple[Bools, Bools]]:
    """Solve with no gain more than ``box`` under ``centre``; tell which gains that held up.

    Gains of at least ``low`` are gains of at least 0 in a market whose worths are less by ``low``: fewer
    arcs, and a smaller range of costs. If nothing was held up, the flow is best without the box as well.
    """
    low_u, low_v = np.maximum(centre.u - box.u, 0), np.maximum(centre.v - box.v, 0)
    rest = arcs.w - low_u[arcs.i] - low_v[arcs.j]
    keep = np.flatnonzero(rest >= 0)
    boxed = Arcs(arcs.i[keep], arcs.j[keep], rest[keep])
    flow = best_flow(boxed, q, d)
    assert flow is not None
    guess = Duals(centre.u - low_u, centre.v - low_v)
    half = middle(*extreme_duals(boxed, flow, q, d, guess))
    left = (np.bincount(boxed.i, flow, len(q)) < q) & (low_u > 0)
    unfilled = (np.bincount(boxed.j, flow, len(d)) < d) & (low_v > 0)
    x = np.zeros(len(arcs.w), np.int64)
    x[keep] = flow
    return x, Duals(low_u + half.u, low_v + half.v), (left, unfilled)


def _joined(pairs: Pairs, arcs: Arcs, more: Arcs) -> Arcs:
    """Add arcs, each once, behind those there are."""
    known = arcs.i.astype(np.int64) * len(pairs.d) + arcs.j
    key, once = np.unique(more.i.astype(np.int64) * len(pairs.d) + more.j, return_index=True)
    known.sort()
    at = np.minimum(np.searchsorted(known, key), len(known) - 1)
    new = once[known[at] != key]
    return join([arcs, Arcs(more.i[new], more.j[new], more.w[new])])


def _whole(rough: Rough, scale: float) -> Duals:
    u, v = (np.floor(side.astype(np.float64) * scale).astype(np.int64) for side in rough.gains)
    return Duals(u, v)


def _violating(pairs: Pairs, duals: Duals) -> Arcs:
    """Return arcs with w > u + v: all, or the worst and every n-th of the others if they are very many."""
    u, v = ((side / pairs.scale).astype(np.float32) for side in duals)
    blur = pairs.blur(u, v)
    parts: list[Arcs] = []
    excesses: list[Ints] = []
    for rows, worth in pairs.stripes():
        i, j = np.nonzero(worth - v > (u[rows] - blur)[:, None])
        if not len(i):
            continue
        arcs = pairs.arcs(i + rows.start, j)
        excess = arcs.w - duals.u[arcs.i] - duals.v[arcs.j]
        over = excess > 0
        parts.append(Arcs(arcs.i[over], arcs.j[over], arcs.w[over]))
        excesses.append(excess[over])
    found = join(parts)
    most = PER_NODE * (len(pairs.q) + len(pairs.d))
    if len(found.w) <= most:
        return found
    excess = np.concatenate(excesses)
    keep = np.zeros(len(excess), np.bool_)
    keep[np.argpartition(-excess, most // 2)[: most // 2]] = True
    keep[:: len(excess) // (most // 2)] = True
    return Arcs(found.i[keep], found.j[keep], found.w[keep])


def _covering(pairs: Pairs, duals: Duals) -> Duals:
    """Raise v until every pair is covered: any guess becomes a feasible system of gains."""
    u = (duals.u / pairs.scale).astype(np.float32)
    v = np.zeros(len(duals.v), np.float32)
    for rows, worth in pairs.stripes():
        np.maximum(v, (worth - u[rows, None]).max(axis=0), out=v)
    raised = ((v.astype(np.float64) + pairs.blur(u, v)) * pairs.scale).astype(np.int64) + 2
    return Duals(duals.u, raised)

"""One product over all its pairs: small ones at once, large ones by column generation.

Column generation solves over a part of the arcs, then prices every arc of the product against the
duals: an arc with w > u + v could still matter and joins. It ends only when no arc is left that
violates either end of the lattice, so the part never limits the optimum nor the price bands.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from market.matching.candidates import Arcs, Ints, Market, Pairs, join
from market.matching.solver import Duals, Transport, best_flow, extreme_duals, middle

#: A product with no more arcs than this is solved at once.
AT_ONCE = 60_000
#: Arcs per lot and demand at the start, and at most as many new ones per round.
START_PER_NODE = 10
ROUND_PER_NODE = 8


class Solved(NamedTuple):
    """One product, solved. ``arcs`` are those that took part; ``proven`` is false if time ran out."""

    arcs: Arcs
    x: Ints
    low: Duals
    high: Duals
    proven: bool


def clearing_guess(market: Market, product: int, scale: float, typical_freight: float) -> Duals:
    """Gains if the product cleared at one price, with everybody paying the typical freight."""
    lots, demands = market.lots_of[product], market.demands_of[product]
    ask = market.ask[lots] - market.priority[lots]
    bid = market.ceiling[demands] - typical_freight
    by_ask, by_bid = np.argsort(ask, kind="stable"), np.argsort(-bid, kind="stable")
    supply, wanted = np.cumsum(market.q[lots][by_ask]), np.cumsum(market.d[demands][by_bid])
    # The first lot, cheapest first, that finds fewer kilograms still wanted at its price than offered.
    at = np.searchsorted(-bid[by_bid], -ask[by_ask], side="right")
    demand_at = np.where(at > 0, wanted[np.maximum(at, 1) - 1], 0)
    crossing = np.flatnonzero(supply >= demand_at)
    price = float(ask[by_ask][crossing[0]]) if len(crossing) else float(bid.min())
    u = np.floor(np.maximum(0.0, price - ask) * scale).astype(np.int64)
    v = np.floor(np.maximum(0.0, bid - price) * scale).astype(np.int64)
    return Duals(u, v)


def trivial_duals(pairs: Pairs, lots: int, demands: int) -> Duals:
    """u = 0 and v = the best worth a demand could ever get: feasible without solving anything."""
    v = np.zeros(demands, np.int64)
    for arcs in pairs.chunks():
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


def _choose(chunks: Iterator[Arcs], duals: tuple[Duals, ...], most: int, floor: int | None) -> Arcs:
    """Return the arcs that exceed the duals by more than ``floor``: the ``most`` worst, and each node's worst."""
    lots, demands = len(duals[0].u), len(duals[0].v)
    parts: list[Arcs] = []
    excesses: list[Ints] = []
    held, threshold = 0, floor
    for arcs in chunks:
        excess = arcs.w - np.minimum.reduce([dual.u[arcs.i] + dual.v[arcs.j] for dual in duals])
        if floor is not None:
            over = excess > floor
            arcs, excess = Arcs(arcs.i[over], arcs.j[over], arcs.w[over]), excess[over]
        if not len(excess):
            continue
        keep = np.zeros(len(excess), np.bool_)
        for places, size in ((arcs.i, lots), (arcs.j, demands)):
            worst = np.full(size, np.iinfo(np.int64).min)
            np.maximum.at(worst, places, excess)
            keep |= excess == worst[places]
        if threshold is None or len(excess) > most:
            cut = len(excess) - min(most, len(excess))
            keep |= excess >= np.partition(excess, cut)[cut] if cut < len(excess) else keep
        else:
            keep |= excess > threshold
        parts.append(Arcs(arcs.i[keep], arcs.j[keep], arcs.w[keep]))
        excesses.append(excess[keep])
        held += len(excesses[-1])
        if held > 4 * most:
            parts, excesses = _worst(parts, excesses, most, lots, demands)
            held = len(excesses[0])
    if held > most:
        parts, excesses = _worst(parts, excesses, most, lots, demands)
    return join(parts)


def _worst(
    parts: list[Arcs], excesses: list[Ints], most: int, lots: int, demands: int
) -> tuple[list[Arcs], list[Ints]]:
    """Keep the ``most`` worst arcs of what was gathered, and each lot's and each demand's worst."""
    arcs, excess = join(parts), np.concatenate(excesses)
    cut = len(excess) - most
    keep = excess >= np.partition(excess, cut)[cut]
    for places, size in ((arcs.i, lots), (arcs.j, demands)):
        worst = np.full(size, np.iinfo(np.int64).min)
        np.maximum.at(worst, places, excess)
        keep |= excess == worst[places]
    return [Arcs(arcs.i[keep], arcs.j[keep], arcs.w[keep])], [excess[keep]]


def _lift(pairs: Pairs, duals: Duals) -> Duals:
    """Raise v until every arc is covered: any guess becomes a feasible system of gains."""
    v = duals.v.copy()
    for arcs in pairs.chunks():
        np.maximum.at(v, arcs.j, arcs.w - duals.u[arcs.i])
    return Duals(duals.u, v)


def solve_product(market: Market, pairs: Pairs, late: Callable[[], bool]) -> Solved:
    """Solve one product over all of ``pairs``. ``late()`` tells when to stop with the best so far."""
    q, d = market.q[market.lots_of[pairs.product]], market.d[market.demands_of[pairs.product]]
    if pairs.kept is not None and len(pairs.kept.w) <= AT_ONCE:
        arcs = pairs.kept
        if late():
            duals = trivial_duals(pairs, len(q), len(d))
            return Solved(arcs, greedy_flow(arcs, q, d), duals, duals, proven=False)
        x = best_flow(arcs, q, d)
        assert x is not None
        return Solved(arcs, x, *extreme_duals(arcs, x, q, d), proven=True)
    return _generate(market, pairs, q, d, late)


def _generate(market: Market, pairs: Pairs, q: Ints, d: Ints, late: Callable[[], bool]) -> Solved:
    nodes = len(q) + len(d)
    sample = next(iter(market.blocks(pairs.product)))
    typical = float(np.quantile(sample.km[:: max(1, len(sample.km) // 64)], 0.1)) * market.rate
    guess = clearing_guess(market, pairs.product, pairs.scale, typical)
    arcs = _choose(pairs.chunks(), (guess,), START_PER_NODE * nodes, None)
    if late():
        duals = _lift(pairs, guess)
        return Solved(arcs, greedy_flow(arcs, q, d), duals, duals, proven=False)
    ends = False
    while True:
        x = best_flow(arcs, q, d)
        assert x is not None
        done = Transport(x, *extreme_duals(arcs, x, q, d))
        if late():
            duals = _lift(pairs, middle(done.buyers_best, done.sellers_best))
            return Solved(arcs, x, duals, duals, proven=False)
        tried = (
            (done.buyers_best, done.sellers_best) if ends else (middle(done.buyers_best, done.sellers_best),)
        )
        new = _choose(pairs.chunks(), tried, ROUND_PER_NODE * nodes, 0)
        if not len(new.w):
            if ends:
                return Solved(arcs, x, done.buyers_best, done.sellers_best, proven=True)
            ends = True
            continue
        # An arc that could matter may already take part (the middle rounds half a step): keep each once.
        key = np.concatenate([arcs.i, new.i]).astype(np.int64) * len(d) + np.concatenate([arcs.j, new.j])
        once = np.unique(key, return_index=True)[1]
        both = join([arcs, new])
        arcs = Arcs(both.i[once], both.j[once], both.w[once])

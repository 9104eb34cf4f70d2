"""One product over all its pairs: small ones at once, large ones by column generation.

Column generation solves over a part of the arcs, then prices every arc of the product against the
duals: an arc with w > u + v could still matter and joins. It ends only when no arc is left that
violates either end of the lattice, so the part never limits the optimum nor the price bands.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from market.matching.candidates import Arcs, Ints, Market, Pairs, join
from market.matching.solver import Duals, best_flow, extreme_duals, middle

#: A product with no more arcs than this is solved at once.
AT_ONCE = 60_000
#: Arcs per lot and demand that join in a round.
PER_NODE = 10
#: The first rounds reckon in steps of so many yuan per kg.
COARSE = 1e-4


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


class _Nearest:
    """Gathers the arcs of largest excess w - u - v: about ``most`` of them, and each node's largest."""

    def __init__(self, duals: tuple[Duals, ...], most: int, tolerance: int) -> None:
        self.duals, self.most, self.tolerance = duals, most, tolerance
        self.lots, self.demands = len(duals[0].u), len(duals[0].v)
        self.violations = 0
        self.parts: list[Arcs] = []
        self.excesses: list[Ints] = []
        self.held = 0

    def take(self, arcs: Arcs) -> None:
        excess = arcs.w - np.minimum.reduce([dual.u[arcs.i] + dual.v[arcs.j] for dual in self.duals])
        self.violations += int(np.count_nonzero(excess > self.tolerance))
        self._keep(arcs, excess)
        if self.held > 3 * self.most:
            self._trim()

    def arcs(self) -> Arcs:
        self._trim()
        return join(self.parts)

    def _trim(self) -> None:
        if self.parts:
            arcs, excess = join(self.parts), np.concatenate(self.excesses)
            self.parts, self.excesses, self.held = [], [], 0
            self._keep(arcs, excess)

    def _keep(self, arcs: Arcs, excess: Ints) -> None:
        if not len(excess):
            return
        # Ties are broken by a fixed scramble: where all prices are alike, arcs should spread, not pile up.
        scramble = (arcs.i.astype(np.int64) * 2654435761 + arcs.j * np.int64(4_050_397)) % 1_000_003
        cut = max(0, len(excess) - self.most)
        value = np.partition(excess, cut)[cut]
        keep = excess > value
        ties = np.flatnonzero(excess == value)
        room = min(len(ties), max(1, self.most - int(np.count_nonzero(keep))))
        keep[ties[np.argsort(scramble[ties], kind="stable")[:room]]] = True
        for places, size in ((arcs.i, self.lots), (arcs.j, self.demands)):
            largest = np.full(size, np.iinfo(np.int64).min)
            np.maximum.at(largest, places, excess)
            ties = np.flatnonzero(excess == largest[places])
            first = np.full(size, -1)
            np.maximum.at(first, places[ties], scramble[ties])
            keep[ties[scramble[ties] == first[places[ties]]]] = True
        self.parts.append(Arcs(arcs.i[keep], arcs.j[keep], arcs.w[keep]))
        self.excesses.append(excess[keep])
        self.held += len(self.excesses[-1])


def _nearest(pairs: Pairs, duals: tuple[Duals, ...], most: int, tolerance: int) -> tuple[Arcs, int]:
    """Return the arcs nearest to mattering, and how many of all violate any of ``duals`` by more."""
    gather = _Nearest(duals, most, tolerance)
    for arcs in pairs.chunks():
        gather.take(arcs)
    return gather.arcs(), gather.violations


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
    arcs, _ = _nearest(pairs, (guess,), PER_NODE * nodes, 0)
    if late():
        duals = _lift(pairs, guess)
        return Solved(arcs, greedy_flow(arcs, q, d), duals, duals, proven=False)
    step = max(1, int(pairs.scale * COARSE))
    while True:
        low, high, x = _round(arcs, q, d, step)
        if late():
            duals = _lift(pairs, middle(low, high))
            return Solved(arcs, x, duals, duals, proven=False)
        tried = (low, high) if step == 1 else (middle(low, high),)
        near, violations = _nearest(pairs, tried, PER_NODE * nodes, 2 * step if step > 1 else 0)
        if not violations and step == 1:
            return Solved(arcs, x, low, high, proven=True)
        if step > 1 and violations <= nodes // 10:
            # Nearly done: go on exactly, without the arcs that turned out to be far from mattering.
            step, used = 1, x > 0
            arcs = Arcs(arcs.i[used], arcs.j[used], arcs.w[used])
        both = join([arcs, near])
        once = np.unique(both.i.astype(np.int64) * len(d) + both.j, return_index=True)[1]
        arcs = Arcs(both.i[once], both.j[once], both.w[once])


def _round(arcs: Arcs, q: Ints, d: Ints, step: int) -> tuple[Duals, Duals, Ints]:
    """Solve in steps of worth of ``step``: coarse ones are quicker, and good enough to find arcs by."""
    coarse = arcs if step == 1 else Arcs(arcs.i, arcs.j, arcs.w // step)
    x = best_flow(coarse, q, d)
    assert x is not None
    low, high = extreme_duals(coarse, x, q, d)
    if step > 1:
        low, high = (Duals(end.u * step, end.v * step) for end in (low, high))
    return low, high, x

"""A bound that no allocation under the rules exceeds, from prices of the lots (Lagrangian relaxation).

If lots sell to everybody at prices u, unlimited, each demand buys for itself the best that its own rules
allow: at most ``most`` lots, from each nothing or at least the smallest order and at most what the lot
has, no more than it wants in all. The gains of all demands at these prices, plus quantity x price of all
lots, bound any allocation, whatever the prices u >= 0 (Fisher 1981). Good prices are sought by subgradient
steps of Polyak's length; each demand's purchase is exact, by enumeration with bounds.
"""

from collections.abc import Callable
from math import fsum
from typing import NamedTuple

import numpy as np

from market.compiled import compiled
from market.matching.limits.rules import Rules, some, strongest
from market.matching.optimum.candidates import Arcs, Floats, Ints

#: Choices of lots that a demand looks at before it takes a simpler bound: while seeking, and at the end.
QUICK, THOROUGH = 200, 20_000
#: Up to so many arcs prices are sought over all of them; otherwise over so many of each demand, chosen anew
#: after so many rounds. The proof is over all of them.
LISTED, NEAR, REFRESH = 60_000, 32, 25
#: What adding up in 64-bit floating point may lose, many times over.
ROUNDING = 1e-11


@compiled(
    "UniTuple(int64, 2)(float64[::1], int64[::1], int64[::1], int64, int64, int64, int64, int64[::1],"
    " int64[::1], float64[::1])"
)
def _purchase(gain, least, cap, count, wanted, most, limit, chosen, current, value):  # type: ignore[no-untyped-def]
    """Choose the best set of lots for ``wanted`` grams: how many, in ``chosen``; its value in ``value[0]``.

    Lots come the best gain first. On a given set each gives its least, and the rest goes to the best first;
    so a set is all there is to choose. Depth first; a branch ends where filling what is left from the
    remaining lots without their least, or with ``most`` times the best of them, would not be better.
    The second result is 1 if every set was looked at, 0 if ``limit`` cut it off.
    """
    value[0] = 0.0
    best_size, size, bound_grams, place, looked = 0, 0, 0, 0, 0
    while True:
        looked += 1
        rest, worth = wanted - bound_grams, 0.0
        for a in range(size):
            e = current[a]
            more = min(rest, cap[e] - least[e])
            worth += gain[e] * (least[e] + more)
            rest -= more
        if worth > value[0]:
            value[0], best_size = worth, size
            for a in range(size):
                chosen[a] = current[a]
        if looked > limit:
            return best_size, 0
        found = -1
        if size < most:
            e = place
            while e < count:
                if least[e] <= wanted - bound_grams:
                    open_, bound, z = rest, worth, e
                    while z < count and open_ > 0:
                        grams = min(open_, cap[z])
                        bound += gain[z] * grams
                        open_ -= grams
                        z += 1
                    if z - e > most - size:
                        top, z = 0.0, e
                        while z < count and gain[z] * rest > top:
                            top = max(top, gain[z] * min(cap[z], rest))
                            z += 1
                        bound = min(bound, worth + (most - size) * top)
                    if bound > value[0] * (1 + 1e-13):
                        found = e
                    break
                e += 1
        if found >= 0:
            current[size] = found
            size += 1
            bound_grams += least[found]
            place = found + 1
        elif size == 0:
            return best_size, 1
        else:
            size -= 1
            bound_grams -= least[current[size]]
            place = current[size] + 1


@compiled(
    "void(int64[::1], int32[::1], float64[::1], int64[::1], int64[::1], int64[::1], int64[::1], float64[::1],"
    " float64[::1], int64, int32[::1], int64[::1], float64[::1])"
)
def _purchases(  # type: ignore[no-untyped-def]
    begin, lot_of, worth, least, q, d, most, u, extra, limit, order, bought, values
):
    """Let every demand buy at prices ``u``: grams bought of each lot; each demand's gain, never too small.

    ``extra[j]`` is a gain per gram that demand j could have besides, in any quantity, as one more lot.
    ``order`` holds each demand's arcs, the best gain first at the prices of the last call.
    """
    bought[:] = 0
    widest = 1
    for j in range(len(d)):
        widest = max(widest, begin[j + 1] - begin[j] + 1)
    gain, least_of, cap = np.empty(widest), np.empty(widest, np.int64), np.empty(widest, np.int64)
    chosen, current, lot = np.empty(widest, np.int64), np.empty(widest, np.int64), np.empty(widest, np.int64)
    value = np.zeros(1)
    for j in range(len(d)):
        for place in range(begin[j], begin[j + 1]):
            e = order[place]
            mine = worth[e] - u[lot_of[e]]
            z = place - 1
            while z >= begin[j] and worth[order[z]] - u[lot_of[order[z]]] < mine:
                order[z + 1] = order[z]
                z -= 1
            order[z + 1] = e
        count, place, more = 0, begin[j], extra[j] > 0
        while place < begin[j + 1] or more:
            mine = 0.0
            if place < begin[j + 1]:
                mine = worth[order[place]] - u[lot_of[order[place]]]
            if more and extra[j] >= mine:
                gain[count], least_of[count], cap[count], lot[count] = extra[j], 0, d[j], -1
                more = False
            elif mine > 0:
                e = order[place]
                gain[count], least_of[count] = mine, least[e]
                cap[count], lot[count] = min(q[lot_of[e]], d[j]), lot_of[e]
                place += 1
            else:
                break
            count += 1
        size, complete = _purchase(gain, least_of, cap, count, d[j], most[j], limit, chosen, current, value)
        values[j] = value[0]
        rest = d[j]
        for a in range(size):
            rest -= least_of[chosen[a]]
        for a in range(size):
            e = chosen[a]
            grams = min(rest, cap[e] - least_of[e])
            rest -= grams
            if lot[e] >= 0:
                bought[lot[e]] += least_of[e] + grams
        if complete == 0:
            rest, total = d[j], 0.0
            for e in range(count):
                grams = min(rest, cap[e])
                total += gain[e] * grams
                rest -= grams
            values[j] = total


def rounded_up(parts: list[float]) -> int:
    """Add up parts of a bound so that it is never too small."""
    whole = fsum(parts)
    return int(whole * (1 + ROUNDING)) + 1 if whole > 0 else 0


class Bound(NamedTuple):
    """The lots' and the demands' parts of the bound, in scaled yuan-grams."""

    of_lots: Floats
    of_demands: Floats

    def total(self) -> int:
        """Return the bound in scaled whole yuan-grams, rounded up."""
        return rounded_up([*self.of_lots.tolist(), *self.of_demands.tolist()])


class Prices:
    """The search for prices of the lots that prove the least bound over ``arcs``."""

    def __init__(self, arcs: Arcs, rules: Rules, u: Floats) -> None:
        self.all, self.rules = arcs, rules
        self.q = rules.q.astype(np.float64)
        self.bought, self.values = np.zeros(len(rules.q), np.int64), np.zeros(len(rules.d))
        self.nothing = np.full(len(rules.d), -np.inf)
        self.u, self.best = u, np.inf
        self._lay_out(arcs)

    def _lay_out(self, arcs: Arcs) -> None:
        order = np.lexsort((-(arcs.w - self.u[arcs.i]), arcs.j))
        self.i = np.ascontiguousarray(arcs.i[order])
        self.worth = arcs.w[order].astype(np.float64)
        self.least = self.rules.least(arcs)[order]
        self.begin = np.searchsorted(arcs.j[order], np.arange(len(self.rules.d) + 1)).astype(np.int64)
        self.order = np.arange(len(order), dtype=np.int32)

    def _refresh(self) -> None:
        """Go on over the arcs that count at the prices of now."""
        if len(self.all.w) > LISTED:
            near = strongest(self.all.j, self.all.w - self.u[self.all.i], NEAR)
            self._lay_out(some(self.all, near))
            # What the prices are worth over other arcs is another figure.
            self.best = np.inf

    def _buy(self, u: Floats, extra: Floats, limit: int) -> float:
        rules = self.rules
        _purchases(
            self.begin,
            self.i,
            self.worth,
            self.least,
            rules.q,
            rules.d,
            rules.most,
            u,
            extra,
            limit,
            self.order,
            self.bought,
            self.values,
        )
        return float(self.values.sum() + self.q @ u)

    def seek(self, rounds: int, reached: float, late: Callable[[], bool]) -> None:
        """Improve the prices; ``reached`` is a worth that some allocation has, so no bound is below it."""
        u, pull, step, stale = self.u.copy(), np.zeros(len(self.q)), 1.0, 0
        for turn in range(rounds):
            if late():
                return
            if turn % REFRESH == 0:
                self._refresh()
            bound = self._buy(u, self.nothing, QUICK)
            stale = 0 if bound < self.best * (1 - 1e-6) else stale + 1
            if bound < self.best:
                self.u, self.best = u, bound
            if stale >= 8:
                u, pull, step, stale = self.u.copy(), np.zeros(len(self.q)), step * 0.7, 0
                continue
            short = self.bought - self.q
            short[(u <= 0) & (short < 0)] = 0
            pull = 0.6 * pull + short / self.q
            length = float((pull * pull) @ self.q)
            if length <= 0 or bound <= reached:
                return
            u = np.maximum(0.0, u + step * (bound - reached) / length * pull)

    def whole(self) -> Ints:
        """Return the best prices in whole steps."""
        return np.round(self.u).astype(np.int64)

    def proof(self, extra: Floats) -> Bound:
        """Return what the prices prove over all arcs; ``extra``: what pairs left out could gain demands."""
        self._lay_out(self.all)
        self._buy(self.u, extra, THOROUGH)
        return Bound(self.q * self.u, self.values.copy())

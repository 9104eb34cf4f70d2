"""The rules beyond quantities: the smallest delivery of a pair, and the most lots that serve a demand."""

import numpy as np
from numpy.typing import NDArray

from market.matching.certificate import weighted
from market.matching.optimum.candidates import Arcs, Bools, Floats, Ints

Places = NDArray[np.int32]


class Rules:
    """The rules of one product: quantities, smallest orders, most lots per demand. All in grams."""

    def __init__(self, q: Ints, d: Ints, lot_min: Ints, demand_min: Ints, most: Ints) -> None:
        self.q, self.d = q, d
        self.lot_min, self.demand_min = lot_min, demand_min
        #: More lots than there are is no limit, and would overflow nothing but patience.
        self.most = np.minimum(most, max(len(q), 1))

    def least(self, arcs: Arcs) -> Ints:
        """Return the smallest delivery on each arc: the larger smallest order of its two sides, or 1 gram."""
        least: Ints = np.maximum(np.maximum(self.lot_min[arcs.i], self.demand_min[arcs.j]), 1)
        return least

    def permit(self, arcs: Arcs) -> Bools:
        """Tell which arcs can carry their smallest delivery at all."""
        permitted: Bools = self.least(arcs) <= np.minimum(self.q[arcs.i], self.d[arcs.j])
        return permitted

    def kept_by(self, arcs: Arcs, x: Ints) -> bool:
        """True if quantities suffice, no delivery is too small and no demand has too many lots."""
        used = x > 0
        return bool(
            (x >= 0).all()
            and (x[used] >= self.least(arcs)[used]).all()
            and (sums(arcs.i, x, len(self.q)) <= self.q).all()
            and (sums(arcs.j, x, len(self.d)) <= self.d).all()
            and (np.bincount(arcs.j[used], minlength=len(self.d)) <= self.most).all()
        )

    def pruned(self, arcs: Arcs, x: Ints) -> Ints:
        """Return ``x`` without deliveries that are too small, and with each demand's worthiest lots only."""
        x = np.where(x < self.least(arcs), 0, x)
        used = np.flatnonzero(x)
        order = used[np.lexsort((-(x[used].astype(np.float64) * arcs.w[used]), arcs.j[used]))]
        demand = arcs.j[order]
        rank = np.arange(len(order)) - np.searchsorted(demand, demand)
        x[order[rank >= self.most[demand]]] = 0
        return x


def sums(places: Places, x: Ints, size: int) -> Ints:
    """Add up ``x`` by place, in whole numbers."""
    total = np.zeros(size, np.int64)
    np.add.at(total, places, x)
    return total


def worth(arcs: Arcs, x: Ints) -> int:
    """Total worth in scaled whole yuan-grams; Python's own integers, since int64 would overflow."""
    used = np.flatnonzero(x)
    return weighted(arcs.w[used], x[used])


def some(arcs: Arcs, places: Ints | Bools) -> Arcs:
    return Arcs(arcs.i[places], arcs.j[places], arcs.w[places])


def strongest(key: Places, gain: Floats, count: int) -> Bools:
    """Mark the ``count`` largest gains of each key."""
    order = np.lexsort((-gain, key))
    ranked = key[order]
    marked = np.zeros(len(key), np.bool_)
    marked[order[np.arange(len(key)) - np.searchsorted(ranked, ranked) < count]] = True
    return marked

"""The pairs of one product: twins merged, all of them counted, few of them listed, many searched."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from market.matching.optimum.candidates import Arcs, Floats, Ints, Market
from market.matching.optimum.search import Leaves, Places, Sides, best_offers, enumerate_pairs, leaves_of


def whole_worth(worth: Floats, scale: float) -> Ints:
    return np.floor(worth * scale).astype(np.int64) + 1


def lot_sides(market: Market, lots: Ints) -> Sides:
    return Sides(
        xyz=np.ascontiguousarray(market.lot_xyz[:, lots].T),
        price=market.ask[lots],
        priority=market.priority[lots],
        grade=market.lot_grade[lots].astype(np.int32),
        begin=market.lot_from[lots],
        end=market.lot_to[lots],
        codes=np.ascontiguousarray(market.held[:, lots].T),
        reach=np.full(len(lots), np.inf),
    )


def demand_sides(market: Market, demands: Ints) -> Sides:
    return Sides(
        xyz=np.ascontiguousarray(market.demand_xyz[:, demands].T),
        price=market.ceiling[demands],
        priority=np.zeros(len(demands)),
        grade=market.min_grade[demands].astype(np.int32),
        begin=market.demand_from[demands],
        end=market.demand_to[demands],
        codes=np.ascontiguousarray(market.required[:, demands].T),
        reach=market.reach[demands],
    )


class Pairs:
    """Rows and columns of one product: lots and demands, or classes of those that are alike.

    ``kept`` holds all arcs if they are no more than ``KEEP``; otherwise arcs are searched (``best_lots``,
    ``best_demands``), every pair being looked at or provably passed over.
    """

    #: A product with no more arcs than this is solved over all of them at once.
    KEEP = 400_000

    def __init__(
        self,
        market: Market,
        lots: Ints,
        demands: Ints,
        scale: float,
        *,
        q: Ints | None = None,
        d: Ints | None = None,
        alike_lots: Ints | None = None,
        alike_demands: Ints | None = None,
    ) -> None:
        self.market, self.lots, self.demands, self.scale = market, lots, demands, scale
        self.q = market.q[lots] if q is None else q
        self.d = market.d[demands] if d is None else d
        ones = np.ones(max(len(lots), len(demands)), np.int64)
        alike = (
            ones[: len(lots)] if alike_lots is None else alike_lots,
            ones[: len(demands)] if alike_demands is None else alike_demands,
        )
        #: Admissible pairs of each row and of each column, twins counted one by one.
        self.lot_pairs, self.demand_pairs, self.count, listed = enumerate_pairs(
            self._lots,
            self._demands,
            self._lot_leaves,
            (alike[1], alike[0]),
            self._barred[1],
            self._ways,
            self.KEEP,
        )
        self.kept: Arcs | None = None
        if listed is not None:
            j, i, worth = listed
            self.kept = Arcs(i, j, whole_worth(worth, scale))

    @cached_property
    def _lots(self) -> Sides:
        return lot_sides(self.market, self.lots)

    @cached_property
    def _demands(self) -> Sides:
        return demand_sides(self.market, self.demands)

    @cached_property
    def _lot_leaves(self) -> Leaves:
        return leaves_of(self._lots)

    @cached_property
    def _demand_leaves(self) -> Leaves:
        return leaves_of(self._demands.turned())

    @property
    def _ways(self) -> tuple[float, float]:
        return self.market.road_km, self.market.rate

    @cached_property
    def _barred(self) -> tuple[tuple[Ints, Places], tuple[Ints, Places]]:
        """Barred columns of each row, and barred rows of each column, end to end."""
        i, j = self.market.barred_among(self.lots, self.demands)
        sides = []
        for of, other, count in ((i, j, len(self.lots)), (j, i, len(self.demands))):
            order = np.argsort(of, kind="stable")
            begin = np.searchsorted(of[order], np.arange(count + 1)).astype(np.int64)
            sides.append((begin, other[order].astype(np.int32)))
        return sides[0], sides[1]

    def best_lots(self, columns: Ints, u: Floats, floor: Floats, most: int) -> tuple[Places, Floats]:
        """For each of ``columns`` return its ``most`` best rows by worth - u, -1 where there are no more.

        Only what is worth more than ``floor`` (per column asked for) counts. Shape (columns, most), with
        worth - u beside it; in yuan per kg.
        """
        return best_offers(
            columns, self._demands, self._lots, self._lot_leaves, self._barred[1], self._ways, u, floor, most
        )

    def best_demands(self, rows: Ints, v: Floats, floor: Floats, most: int) -> tuple[Places, Floats]:
        """The same for rows: their best columns by worth - v."""
        return best_offers(
            rows,
            self._lots.turned(),
            self._demands.turned(),
            self._demand_leaves,
            self._barred[0],
            self._ways,
            v,
            floor,
            most,
        )

    def arcs(self, i: Ints, j: Ints) -> Arcs:
        """Return the exact arcs of pairs that are known to be arcs."""
        lots, demands = self.lots[i], self.demands[j]
        surplus = self.market.ceiling[demands] - self.market.ask[lots]
        surplus -= self.market.km(lots, demands) * self.market.rate
        worth = surplus + self.market.priority[lots]
        return Arcs(i.astype(np.int32), j.astype(np.int32), whole_worth(worth, self.scale))

    def sample(self, every: int) -> tuple["Pairs", Ints, Ints]:
        """Return the pairs of one in ``every`` rows and columns, and which those are."""
        rows, columns = (scrambled(len(side))[::every] for side in (self.lots, self.demands))
        part = Pairs(
            self.market,
            self.lots[rows],
            self.demands[columns],
            self.scale,
            q=self.q[rows],
            d=self.d[columns],
        )
        return part, rows, columns


def scrambled(size: int) -> Ints:
    """Return the places of ``size`` in a fixed order that follows no pattern of theirs."""
    return np.argsort(np.arange(size) * 2654435761 % 4294967291, kind="stable")


class Classes:
    """A product's lots and demands, and the classes of those alike in all that decides pairs and worth.

    Alike ones are one row of ``pairs`` with their summed quantity; ``unmerge`` shares the flow out again.
    Where smallest orders or most lots may bind, each is a class of its own.
    """

    def __init__(self, market: Market, product: int, scale: float) -> None:
        lots, demands = market.lots_of[product], market.demands_of[product]
        self.q, self.d = market.q[lots], market.d[demands]
        if market.limited(product):
            self.of_lot, self.of_demand = np.arange(len(lots)), np.arange(len(demands))
        else:
            self.of_lot, self.of_demand = market.twins(product)
        rows, columns = (np.unique(of, return_index=True)[1] for of in (self.of_lot, self.of_demand))
        q, d = np.zeros(len(rows), np.int64), np.zeros(len(columns), np.int64)
        np.add.at(q, self.of_lot, self.q)
        np.add.at(d, self.of_demand, self.d)
        self.pairs = Pairs(
            market,
            lots[rows],
            demands[columns],
            scale,
            q=q,
            d=d,
            alike_lots=np.bincount(self.of_lot, minlength=len(rows)).astype(np.int64),
            alike_demands=np.bincount(self.of_demand, minlength=len(columns)).astype(np.int64),
        )
        #: Admissible pairs of each lot and each demand.
        self.lot_pairs = self.pairs.lot_pairs[self.of_lot]
        self.demand_pairs = self.pairs.demand_pairs[self.of_demand]

    def unmerge(self, arcs: Arcs, x: Ints) -> tuple[Arcs, Ints]:
        """Share flows ``x`` of rows and columns among the lots and demands they stand for.

        Each row's flows lie end to end, and so do its lots: who overlaps whom, trades. Columns likewise.
        """
        if len(self.pairs.lots) == len(self.q) and len(self.pairs.demands) == len(self.d):
            return arcs, x
        used = np.flatnonzero(x)
        i, j, x = arcs.i[used], arcs.j[used], x[used]
        part, lot, x = _share(i, x, self.of_lot, self.q)
        i, j, w = i[part], j[part], arcs.w[used][part]
        part, demand, x = _share(j, x, self.of_demand, self.d)
        return Arcs(lot[part].astype(np.int32), demand.astype(np.int32), w[part]), x


def _share(of: NDArray[np.int32], x: Ints, member_class: Ints, mass: Ints) -> tuple[Ints, Ints, Ints]:
    """Cut flows at the bounds of the members of their class: (flow, member, grams) of each piece."""
    member = np.argsort(member_class, kind="stable")
    ends = np.cumsum(mass[member])
    base = np.concatenate([[0], ends])[np.searchsorted(member_class[member], of)]
    order = np.argsort(of, kind="stable")
    run = np.cumsum(x[order])
    first = np.searchsorted(of[order], of[order])
    begin = np.empty_like(x)
    begin[order] = run - x[order] - (run - x[order])[first]
    begin += base
    low = np.searchsorted(ends, begin, side="right")
    high = np.searchsorted(ends, begin + x, side="left")
    count = high - low + 1
    flow = np.repeat(np.arange(len(x)), count)
    place = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count) + low[flow]
    start = np.maximum(begin[flow], (ends - mass[member])[place])
    stop = np.minimum((begin + x)[flow], ends[place])
    return flow, member[place], stop - start

"""All pairs of one product, to solve over or to search: twins merged, worth in a table of 32-bit numbers."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from market.matching.candidates import BLOCK, Arcs, Block, Bools, Floats, Ints, Market, join


def whole_worth(worth: Floats, scale: float) -> Ints:
    return np.floor(worth * scale).astype(np.int64) + 1


class Pairs:
    """All pairs of one product, with twins merged: rows are its lots that differ, columns its demands.

    Lots alike in all that decides pairs and worth are one row of their summed quantity, demands likewise;
    ``lot_class`` and ``demand_class`` lead from the product's lots and demands to them. Pairs that are few
    are ``kept`` as arcs. Otherwise their worth is searched in 32-bit numbers, from a table if that fits
    memory, computed afresh if not; what a search finds is then reckoned exactly (``arcs``).
    """

    #: A product with no more arcs than this is solved over all of them at once.
    KEEP = 60_000
    #: Cells of a table that is kept in memory (4 bytes each).
    CELLS = 110_000_000

    def __init__(self, market: Market, product: int, scale: float) -> None:
        self.market, self.scale = market, scale
        lots, demands = market.lots_of[product], market.demands_of[product]
        self.all_lots, self.all_demands = lots, demands
        if market.limited(product):
            self.lot_class, self.demand_class = np.arange(len(lots)), np.arange(len(demands))
        else:
            self.lot_class, self.demand_class = market.twins(product)
        self.lots = lots[np.unique(self.lot_class, return_index=True)[1]]
        self.demands = demands[np.unique(self.demand_class, return_index=True)[1]]
        self.q, self.d = np.zeros(len(self.lots), np.int64), np.zeros(len(self.demands), np.int64)
        np.add.at(self.q, self.lot_class, market.q[lots])
        np.add.at(self.d, self.demand_class, market.d[demands])
        #: Admissible pairs of each of the product's lots and demands, and arcs between rows and columns.
        self.lot_pairs, self.demand_pairs, self.count = np.zeros(0, np.int64), np.zeros(0, np.int64), 0
        self.most_worth = 0.0
        self.kept: Arcs | None = None
        self._table: NDArray[np.float32] | None = None
        self._read()

    def _read(self) -> None:
        rows, columns = len(self.lots), len(self.demands)
        alike_lots, alike_demands = np.bincount(self.lot_class), np.bincount(self.demand_class)
        lot_pairs, demand_pairs = np.zeros(rows, np.int64), np.zeros(columns, np.int64)
        merged = rows < len(self.lot_class) or columns < len(self.demand_class)
        table = np.empty((rows, columns), np.float32) if self.KEEP < rows * columns <= self.CELLS else None
        kept: list[Arcs] | None = []
        for block in self.market.stripes(self.lots, self.demands):
            ok, worth = self._worth(self.lots, block)
            if merged:
                lot_pairs[block.rows] = np.where(ok, alike_demands, 0).sum(axis=1)
                demand_pairs += np.where(ok, alike_lots[block.rows][:, None], 0).sum(axis=0)
            else:
                lot_pairs[block.rows] = np.count_nonzero(ok, axis=1)
                demand_pairs += np.count_nonzero(ok, axis=0)
            useful = worth >= 0
            self.count += int(np.count_nonzero(useful))
            self.most_worth = max(self.most_worth, float(worth.max()))
            if table is not None:
                table[block.rows] = worth
            if kept is not None:
                i, j = np.nonzero(useful)
                w = whole_worth(worth[i, j], self.scale)
                kept.append(Arcs((i + block.rows.start).astype(np.int32), j.astype(np.int32), w))
                if self.count > self.KEEP:
                    kept = None
        self.lot_pairs, self.demand_pairs = lot_pairs[self.lot_class], demand_pairs[self.demand_class]
        if kept is not None:
            self.kept = join(kept)
        else:
            self._table = table

    def _worth(self, lots: Ints, block: Block) -> tuple[Bools, Floats]:
        """Return which pairs of a stripe are admissible, and its worths: -inf where no arc is."""
        ok = block.admissible()
        worth = block.surplus
        worth += self.market.priority[lots[block.rows]][:, None]
        worth[~(ok & (worth >= 0))] = -np.inf
        return ok, worth

    def stripes(self) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Yield the worth of all pairs in yuan per kg, rounded to 32 bits, -inf where no arc is."""
        if self._table is not None:
            step = max(1, 2 * BLOCK // len(self.demands))
            for start in range(0, len(self.lots), step):
                rows = slice(start, min(start + step, len(self.lots)))
                yield rows, self._table[rows]
            return
        for block in self.market.stripes(self.lots, self.demands):
            yield block.rows, self._worth(self.lots, block)[1].astype(np.float32)

    def some(self, rows: Ints, columns: Ints) -> NDArray[np.float32]:
        """Return the same worths of some rows and columns."""
        if self._table is not None:
            return self._table[np.ix_(rows, columns)]
        parts = [
            self._worth(self.lots[rows], block)[1].astype(np.float32)
            for block in self.market.stripes(self.lots[rows], self.demands[columns])
        ]
        return np.concatenate(parts)

    def blur(self, u: NDArray[np.float32], v: NDArray[np.float32]) -> np.float32:
        """What 32 bits may blur in w - u - v: several times what rounding can add up to."""
        return np.float32(4e-7 * (self.most_worth + float(u.max(initial=0)) + float(v.max(initial=0))))

    def arcs(self, i: Ints, j: Ints) -> Arcs:
        """Return the exact arcs of pairs that are known to be arcs."""
        lots, demands = self.lots[i], self.demands[j]
        surplus = self.market.ceiling[demands] - self.market.ask[lots]
        surplus -= self.market.km(lots, demands) * self.market.rate
        worth = surplus + self.market.priority[lots]
        return Arcs(i.astype(np.int32), j.astype(np.int32), whole_worth(worth, self.scale))

    def unmerge(self, arcs: Arcs, x: Ints, q: Ints, d: Ints) -> tuple[Arcs, Ints]:
        """Share flows ``x`` of rows and columns among the lots and demands they stand for.

        Each row's flows lie end to end, and so do its lots: who overlaps whom, trades. Columns likewise.
        """
        if len(self.lots) == len(q) and len(self.demands) == len(d):
            return arcs, x
        used = np.flatnonzero(x)
        i, j, x = arcs.i[used], arcs.j[used], x[used]
        part, lot, x = _share(i, x, self.lot_class, q)
        i, j, w = i[part], j[part], arcs.w[used][part]
        part, demand, x = _share(j, x, self.demand_class, d)
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

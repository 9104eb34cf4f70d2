"""One product of a live market: a warm simplex, all pairs searched where gains moved, a bound at any time."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from market.matching.live.cover import Cover, weigh
from market.matching.live.rows import Rows
from market.matching.live.sides import DEMANDS, LOTS, Barring, Party, Side, Watch
from market.matching.optimum.candidates import Arcs, Market
from market.matching.optimum.colgen import Program, generate
from market.matching.optimum.gains import scale_for
from market.matching.optimum.pairs import Pairs, demand_sides, lot_sides, whole_worth
from market.matching.optimum.search import Barred, Sides
from market.matching.rules import Demand, Lot, Parameters
from market.units import Gram

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

#: Arcs of a newcomer to begin with, and that join of a row that is looked at again.
FIRST, MORE = 10, 4
#: Rows to search for between two looks at the clock.
_ROWS = 64
#: A market may double, and its prices with it, before the steps of its whole numbers become too fine.
_ROOM = 2
#: Rows that have left, besides half of all, after which a product is worn.
_WORN = 200


class Found(NamedTuple):
    """The best pairs of one row: rows of the other side, their worth, and worth less the other's gain."""

    others: Ints
    worth: Ints
    value: Ints


class LiveProduct:
    """Lots and demands of one product, always with a feasible allocation and a bound.

    ``barred`` is shared with other products; ``most_worth``: what a kg of newcomers may be worth,
    if that is more than any has been. Raises nothing of its own: its caller checks ids and
    quantities.
    """

    def __init__(
        self,
        lots: list[Lot],
        demands: list[Demand],
        parameters: Parameters,
        barred: Barring,
        most_worth: float = 0.0,
    ) -> None:
        self.parameters = parameters
        self._barring = barred
        market = Market(lots, demands, parameters, barred.pairs)
        every = np.arange(len(lots)), np.arange(len(demands))
        self.most_worth = _ROOM * max(1.0, market.most_worth(), most_worth)
        self.most_nodes = _ROOM * (len(lots) + len(demands)) + 1000
        self.scale = scale_for(self.most_worth, self.most_nodes)
        self._ways = market.road_km, market.rate
        self._codes = {code: k for k, code in enumerate(sorted({c for b in demands for c in b.requires}))}
        pairs = Pairs(market, *every, self.scale)
        program = Program(pairs)
        if pairs.kept is not None:
            program.add(pairs.kept)
            program.network.solve()
        else:
            generate(program, lambda: False, near=0.0)
        self.network = program.network
        rows = (
            Rows(lot_sides(market, every[0]), offers=True),
            Rows(demand_sides(market, every[1]), offers=False),
        )
        self.sides = (
            Side([*lots], rows[LOTS], market.q.copy(), program.rows),
            Side([*demands], rows[DEMANDS], market.d.copy(), program.columns),
        )
        self._row_of = np.concatenate([[-1], every[0], every[1]])
        self._barred_pairs = [*zip(*(each.tolist() for each in market.barred_among(*every)), strict=True)]
        self._index_barred()
        #: The better bound, and the one that is on its way to the gains of the simplex.
        self.cover = Cover(program.gains.u, program.gains.v)
        self._next = self.cover.copy()
        self.settled = True
        self._sort()

    # The market as it is

    def gains(self) -> list[Ints]:
        """The gains of the simplex: optimal over its arcs when it has ended, any before."""
        potential = self.network.potential
        return [potential[self.sides[LOTS].nodes], -potential[self.sides[DEMANDS].nodes]]

    def worth(self) -> int:
        """Scaled steps x grams of the allocation."""
        used = np.flatnonzero(self.network.flow)
        return weigh(self.network.worth[used], self.network.flow[used])

    def bound(self) -> int:
        return self.cover.bound([side.grams for side in self.sides])

    def flows(self, flow: Ints | None = None) -> tuple[Ints, Ints, Ints]:
        """Who sells to whom: rows of lots, rows of demands, grams. ``flow``: an earlier one of the arcs."""
        network = self.network
        flow = network.flow if flow is None else flow
        used = np.flatnonzero(flow)
        used = used[(network.tail[used] > 0) & (network.head[used] > 0)]
        return self._row_of[network.tail[used]], self._row_of[network.head[used]], flow[used]

    def flows_of(self, side: int, row: int) -> tuple[Ints, Ints]:
        """Rows of the other side that a row trades with, and grams."""
        arcs = self.network.served(int(self.sides[side].nodes[row]))
        ends = self.network.head if side == LOTS else self.network.tail
        return self._row_of[ends[arcs]], self.network.flow[arcs]

    def ends(self, arcs: Ints) -> tuple[Ints, Ints]:
        """The rows of lots and of demands of arcs between them; slack arcs are left out."""
        tail, head = self.network.tail[arcs], self.network.head[arcs]
        real = (tail > 0) & (head > 0)
        return self._row_of[tail[real]], self._row_of[head[real]]

    def km(self, i: Ints, j: Ints) -> Floats:
        a, b = self.sides[LOTS].rows.offering.xyz[i], self.sides[DEMANDS].rows.offering.xyz[j]
        x, y, z = (a - b).T
        km: Floats = np.arcsin(np.minimum(np.sqrt(x * x + y * y + z * z) / 2, 1.0)) * self._ways[0]
        return km

    def freight(self, km: Floats) -> Floats:
        return km * self._ways[1]

    def _worth(self, i: Ints, j: Ints) -> Ints:
        lots, demands = self.sides[LOTS].rows.offering, self.sides[DEMANDS].rows.seeking
        surplus = demands.price[j] - lots.price[i] - self.freight(self.km(i, j))
        return whole_worth(surplus + lots.priority[i], self.scale)

    # Rows that come and go

    def fits(self, party: Party) -> bool:
        """Tell whether a newcomer can join; if not, the product must be begun anew with it."""
        lots, demands = self.sides[LOTS].rows.offering, self.sides[DEMANDS].rows.seeking
        if isinstance(party, Demand):
            if len(self._codes.keys() | party.requires) > 64 * lots.codes.shape[1]:
                return False
            worth = float(party.ceiling) - lots.price.min(initial=math.inf) + lots.priority.max(initial=0.0)
        else:
            worth = demands.price.max(initial=-math.inf) - float(party.ask) + float(party.priority)
        return worth <= self.most_worth and self.network.nodes < self.most_nodes

    @property
    def is_worn(self) -> bool:
        """Whether so many rows have left that it is better begun anew."""
        left = sum(int(side.is_out.sum()) for side in self.sides)
        return left > _WORN + self.network.nodes // 2

    def appear(self, party: Party, most: int) -> Found:
        """Add a lot or a demand; return its ``most`` best pairs by worth less what the others gain."""
        side = LOTS if isinstance(party, Lot) else DEMANDS
        mine = self.sides[side]
        row = len(mine.parties)
        mine.rows.add(self._side_of(party))
        mine.parties.append(party)
        mine.place[party.id] = row
        mine.is_out = np.append(mine.is_out, False)
        mine.grams = np.append(mine.grams, party.quantity)
        network = self.network
        join = network.add_lots if side == LOTS else network.add_demands
        node = int(join(np.array([party.quantity]))[0])
        mine.nodes = np.append(mine.nodes, node)
        self._row_of = np.append(self._row_of, row)
        self._bar(side, row, party.id)
        found = self.search(side, row, max(most, FIRST), self.cover)
        for cover in (self.cover, self._next):
            top = found if cover is self.cover else self.search(side, row, 1, cover)
            # Two steps for rounding, as wherever a pair that is found stands for those that are not.
            cover.add(side, max(0, int(top.value.max(initial=-2)) + 2))
        self._join(side, np.full(len(found.others), row), found.others, found.worth)
        self.settled &= int(self.cover.gains[side][row]) == 0 and bool((found.value <= 0).all())
        self._sort()
        return Found(*(each[:most] for each in found))

    def assume(self, gains: Mapping[str, float]) -> None:
        """Let a side without any pairs gain so much, in yuan per kg by id; what is not told gains nothing."""
        for side, one in enumerate(self.sides):
            told = np.array([gains.get(party.id, 0.0) for party in one.parties])
            for cover in (self.cover, self._next):
                cover.gains[side] = np.maximum(told * self.scale, 0).astype(np.int64)
        self.settled = False
        self._sort()

    def search(self, side: int, row: int, most: int, cover: Cover | None = None) -> Found:
        """The best pairs of a row, by worth less what the others gain; exact over all pairs."""
        gains = (cover or self.cover).gains[1 - side]
        others, _ = self._best(side, np.array([row]), gains, np.array([-np.inf]), most)
        there = others[0][others[0] >= 0].astype(np.int64)
        here = np.full(len(there), row)
        worth = self._worth(here, there) if side == LOTS else self._worth(there, here)
        return Found(there, worth, worth - gains[there])

    def withdraw(self, side: int, row: int) -> None:
        """Take a row out of the market: it has nothing left, and its pairs are not looked at again."""
        mine = self.sides[side]
        self.set_grams(side, row, 0)
        self.network.close(int(mine.nodes[row]))
        mine.is_out[row] = True
        del mine.place[mine.parties[row].id]
        self._sort()

    def set_grams(self, side: int, row: int, grams: int) -> None:
        """Let a row have ``grams`` from now on."""
        mine = self.sides[side]
        node, before = int(mine.nodes[row]), int(mine.grams[row])
        if grams > before:
            self.network.increase(node, grams - before)
        elif grams < before:
            self.network.decrease(node, before - grams)
        self._set(side, row, grams)
        self.settled &= grams == before

    def deliver(self, i: int, j: int, grams: int) -> None:
        """A sale: both have less. What the pair was to trade anyway leaves without moving anything."""
        lot, demand = self.sides[LOTS].nodes[i], self.sides[DEMANDS].nodes[j]
        network = self.network
        for arc in network.served(int(lot)).tolist():
            if network.head[arc] == demand:
                moved = network.deliver(arc, grams)
                self._set(LOTS, i, int(self.sides[LOTS].grams[i]) - moved)
                self._set(DEMANDS, j, int(self.sides[DEMANDS].grams[j]) - moved)
                grams -= moved
        for side, row in ((LOTS, i), (DEMANDS, j)):
            self.set_grams(side, row, int(self.sides[side].grams[row]) - grams)
            if not self.sides[side].grams[row]:
                self.withdraw(side, row)

    def bar(self, i: int, j: int) -> None:
        """Keep two from ever being paired again."""
        lot, demand = self.sides[LOTS].nodes[i], self.sides[DEMANDS].nodes[j]
        network = self.network
        for arc in np.flatnonzero((network.tail == lot) & (network.head == demand)).tolist():
            self.settled &= int(network.flow[arc]) == 0
            network.forbid(arc)
        self._barred_pairs.append((i, j))
        self._index_barred()

    def _set(self, side: int, row: int, grams: int) -> None:
        mine = self.sides[side]
        mine.grams[row] = grams
        mine.parties[row] = msgspec.structs.replace(mine.parties[row], quantity=Gram(grams))

    def _side_of(self, party: Party) -> Sides:
        """A newcomer as a side of one row, with the codes of this product."""
        words = self.sides[LOTS].rows.offering.codes.shape[1]
        bits = np.zeros((1, words), np.uint64)
        if isinstance(party, Demand):
            self._learn(party.requires - self._codes.keys())
        for code in party.credentials if isinstance(party, Lot) else party.requires:
            if (place := self._codes.get(code)) is not None:
                bits[0, place >> 6] |= np.uint64(1 << (place & 63))
        one = np.zeros(1, np.int64)
        if isinstance(party, Lot):
            return lot_sides(Market([party], [], self.parameters), one)._replace(codes=bits)
        return demand_sides(Market([], [party], self.parameters), one)._replace(codes=bits)

    def _learn(self, codes: frozenset[str]) -> None:
        """Codes that no demand asked for before: mark the lots that hold them."""
        lots = self.sides[LOTS]
        for code in sorted(codes):
            place = self._codes[code] = len(self._codes)
            rows = np.array(
                [k for k, lot in enumerate(lots.parties) if isinstance(lot, Lot) and code in lot.credentials],
                np.int64,
            )
            if len(rows):
                lots.rows.hold(rows, place >> 6, np.uint64(1 << (place & 63)))

    def _bar(self, side: int, row: int, id_: str) -> None:
        there = self.sides[1 - side].place
        for name in self._barring.of[side].get(id_, ()):
            if name in there:
                self._barred_pairs.append((row, there[name]) if side == LOTS else (there[name], row))
        self._index_barred()

    def _index_barred(self) -> None:
        both = np.array(self._barred_pairs, np.int64).reshape(-1, 2)
        found: list[Barred] = []
        for side in (LOTS, DEMANDS):
            order = np.argsort(both[:, side], kind="stable")
            begin = np.searchsorted(both[order, side], np.arange(len(self.sides[side].parties) + 1))
            found.append((begin.astype(np.int64), both[order, 1 - side].astype(np.int32)))
        self._barred = found

    # Towards the best

    def improve(self, watch: Watch) -> None:
        """Pivot and search until the allocation is the best over all pairs, or ``watch`` is over."""
        while not self.settled and not watch.over():
            if not self.network.solve(watch.pivots()):
                continue
            self._compare(watch)
        grams = [side.grams for side in self.sides]
        if not self.settled and self._next.bound(grams) < self.cover.bound(grams):
            self.cover = self._next.copy()
            self._sort()

    def _compare(self, watch: Watch) -> None:
        """Look at all pairs of rows whose gain is to fall; let those that are worth more join."""
        now = self.gains()
        self._next.raise_to(now)
        is_over = joined = False
        for side in (LOTS, DEMANDS):
            fallen = np.flatnonzero((self._next.gains[side] > now[side]) & ~self.sides[side].is_out)
            for start in range(0, len(fallen), _ROWS):
                if is_over := watch.over():
                    break
                joined |= self._lower(side, fallen[start : start + _ROWS], now)
            self._sort()
        if not is_over and not joined:
            for cover in (self.cover, self._next):
                cover.gains = [each.copy() for each in now]
            self.settled = True
            self._sort()

    def _lower(self, side: int, rows: Ints, now: list[Ints]) -> bool:
        """Let the next cover's gains of ``rows`` fall as far as their pairs allow, at most to ``now``.

        Pairs that keep one from falling all the way join. Tell whether there are any.
        """
        mine, others = self._next.gains[side], self._next.gains[1 - side]
        floor = now[side][rows] / self.scale - (2 / self.scale + 1e-12)
        found, _ = self._best(side, rows, others, floor, MORE)
        place, rank = np.nonzero(found >= 0)
        here, there = rows[place], found[place, rank].astype(np.int64)
        worth = self._worth(here, there) if side == LOTS else self._worth(there, here)
        worse = worth > now[side][here] + others[there]
        here, there, worth = here[worse], there[worse], worth[worse]
        gain = now[side][rows]
        # Two steps for rounding: what was found stands for what was not.
        np.maximum.at(gain, place[worse], worth - others[there] + 2)
        mine[rows] = np.minimum(mine[rows], gain)
        # A pair that a lot and a demand both found joins twice, which does no harm.
        return self._join(side, here, there, worth)

    def _join(self, side: int, here: Ints, there: Ints, worth: Ints) -> bool:
        i, j = (here, there) if side == LOTS else (there, here)
        arcs = Arcs(i.astype(np.int32), j.astype(np.int32), worth)
        self.network.add_arcs(self.sides[LOTS].nodes[arcs.i], self.sides[DEMANDS].nodes[arcs.j], arcs.w)
        return len(worth) > 0

    def _best(
        self, side: int, rows: Ints, gains: Ints, floor: Floats, most: int
    ) -> tuple[NDArray[np.int32], Floats]:
        other = self.sides[1 - side]
        return other.rows.best(
            rows,
            self.sides[side].rows,
            barred=self._barred[side],
            ways=self._ways,
            gain=np.where(other.is_out, np.inf, gains / self.scale),
            floor=floor,
            most=most,
        )

    def _sort(self) -> None:
        """Tell both sides the least gains that they may be searched with."""
        for side in (LOTS, DEMANDS):
            low = np.minimum(self.cover.gains[side], self._next.gains[side]) / self.scale
            self.sides[side].rows.sort(np.where(self.sides[side].is_out, np.inf, low))

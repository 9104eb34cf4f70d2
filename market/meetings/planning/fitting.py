"""What somebody without a talk could talk about: pairs of goods and demands, weighed all at once. Pure.

A fair of hundreds has pairs by the hundred thousand, and few of them are shown. All are weighed in arrays;
the figures of those that are told are worked out anew by the rules, to the last fen and metre.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from decimal import Decimal

import msgspec
import numpy as np
from numpy.typing import NDArray

from market.matching.optimum.candidates import Block, Ints, Market
from market.matching.queries import Proposal, Snapshot
from market.matching.rules import Demand, Lot, Parameters, freight_per_kg, kilometres, why_not
from market.meetings.choosing.problem import Candidate, PartySide
from market.units import FEN_PER_YUAN, GRAMS_PER_KG

#: Yuan per kg and km so near to a bound that what floating point makes of them could decide: there the
#: rule itself is asked.
_CLOSE = 1e-6


class Fit(msgspec.Struct, frozen=True):
    """A lot and a demand that one of the idle could talk about. Grams, road km, fen at stake."""

    lot: Lot
    demand: Demand
    grams: int
    km: float
    worth: int


class Nearest(msgspec.Struct, frozen=True):
    """The pair of somebody's that fails the fewest conditions; None: there is nothing of the kind.

    ``fits``: some pair fails none; ``barred``: some such pair was declined before.
    """

    pair: tuple[Lot, Demand] | None
    fits: bool
    barred: bool


class Fitting:
    """The admissible pairs of the idle: what the engine suggested, and what is left beside it.

    ``candidates`` has one for each seller and buyer, worth all that the two could talk about: a listing
    can be sold once, and of several demands of a buyer the best one counts.
    """

    def __init__(self, market: Snapshot, proposals: Sequence[Proposal], idle: Collection[int]) -> None:
        self._lots, self._demands, self._parameters = market.lots, market.demands, Parameters()
        self._taken: dict[str, int] = defaultdict(int)
        self._filled: dict[str, int] = defaultdict(int)
        self._own: dict[tuple[str, str], Proposal] = {}
        for each in proposals:
            self._own[str(each.listing), str(each.demand)] = each
            if each.proposed:
                self._taken[str(each.listing)] += each.quantity
                self._filled[str(each.demand)] += each.quantity
        self._arrays = Market(market.lots, market.demands, self._parameters, frozenset(market.barred))
        self._sellers = sellers = np.array([int(lot.seller) for lot in market.lots], np.int64)
        self._buyers = buyers = np.array([int(demand.buyer) for demand in market.demands], np.int64)
        self._lot_ids = np.array([int(lot.id) for lot in market.lots], np.int64)
        self._demand_ids = np.array([int(demand.id) for demand in market.demands], np.int64)
        found = [*self._weighed(np.isin(sellers, [*idle]), np.isin(buyers, [*idle]))]
        i, j, worth, matched = (
            np.concatenate([each[column] for each in found] or [np.zeros(0, np.int64)]) for column in range(4)
        )
        order = np.lexsort((j, i, buyers[j], sellers[i])) if len(i) else np.zeros(0, np.int64)
        self._i, self._j = i[order], j[order]
        # of one listing the best counts once: first per seller, buyer and lot, then per seller and buyer
        seller, buyer = sellers[self._i], buyers[self._j]
        of_lot, of_pair = _begins(seller, buyer, self._i), _begins(seller, buyer)
        best = np.maximum.reduceat(worth[order], of_lot) if len(i) else worth
        sums = np.add.reduceat(best, np.searchsorted(of_lot, of_pair)) if len(i) else worth
        any_matched = np.maximum.reduceat(matched[order], of_pair) if len(i) else matched
        ends = [*of_pair[1:].tolist(), len(i)]
        pairs = list(zip(seller[of_pair].tolist(), buyer[of_pair].tolist(), strict=True))
        self._places = dict(zip(pairs, map(slice, of_pair.tolist(), ends), strict=True))
        self.candidates = [
            Candidate(
                seller=both[0],
                buyer=both[1],
                listing=int(market.lots[lot].id),
                worth=total,
                matched=bool(is_matched),
            )
            for both, lot, total, is_matched in zip(
                pairs, self._i[of_pair].tolist(), sums.tolist(), any_matched.tolist(), strict=True
            )
        ]
        #: Seller -> buyers, and buyer -> sellers, who have something to talk about.
        self.partners: dict[PartySide, dict[int, list[int]]] = {
            "seller": defaultdict(list),
            "buyer": defaultdict(list),
        }
        for one, other in pairs:
            self.partners["seller"][one].append(other)
            self.partners["buyer"][other].append(one)

    def people(self) -> set[int]:
        """Return everybody who has something to talk about."""
        return {*self.partners["seller"], *self.partners["buyer"]}

    def of(self, seller: int, buyer: int) -> list[Fit]:
        """Return what the two could talk about, by the rules."""
        those = self._places[seller, buyer]
        both = zip(self._i[those].tolist(), self._j[those].tolist(), strict=True)
        return [self._fit(self._lots[i], self._demands[j]) for i, j in both]

    def _fit(self, lot: Lot, demand: Demand) -> Fit:
        km = kilometres(lot, demand, self._parameters)
        if (proposal := self._own.get((lot.id, demand.id))) is not None:
            return Fit(lot, demand, proposal.quantity, km, proposal.worth)
        grams = min(
            lot.quantity - self._taken.get(lot.id, 0), demand.quantity - self._filled.get(demand.id, 0)
        )
        # the fen at stake: what the buyer pays at most, less what the seller asks and the freight
        per_kg = float(demand.ceiling - lot.ask + lot.priority) - freight_per_kg(km, self._parameters)
        return Fit(lot, demand, grams, km, int(per_kg * FEN_PER_YUAN * grams / GRAMS_PER_KG))

    def _weighed(
        self, own: NDArray[np.bool_], wanted: NDArray[np.bool_]
    ) -> Iterator[tuple[Ints, Ints, Ints, Ints]]:
        """Yield lots, demands, fen at stake and whether the engine suggested it, of the pairs that can be.

        ``own``: lots of the idle, which meet every demand; other lots meet the ``wanted``, theirs, alone.
        """
        arrays = self._arrays
        left = arrays.q - np.array([self._taken.get(lot.id, 0) for lot in self._lots], np.int64)
        open_ = arrays.d - np.array([self._filled.get(each.id, 0) for each in self._demands], np.int64)
        asked, paid, scale = _whole(self._lots, self._demands)
        suggested = self._suggested()
        places = np.array([*suggested], np.int64)
        for lots, demands in zip(arrays.lots_of, arrays.demands_of, strict=True):
            for some, those in ((lots[own[lots]], demands), (lots[~own[lots]], demands[wanted[demands]])):
                for block in arrays.stripes(some, those):
                    fits = self._wrong(block, some, those) == 0
                    if block.barred is not None:
                        fits &= ~block.barred
                    rows, columns = np.nonzero(fits)
                    i, j = some[block.rows][rows], those[columns]
                    grams = np.minimum(left[i], open_[j])
                    per_kg = (paid[j] - asked[i]) / scale - block.km[rows, columns] * arrays.rate
                    worth = (per_kg * FEN_PER_YUAN * grams / GRAMS_PER_KG).astype(np.int64)
                    matched = np.zeros(len(i), np.int64)
                    keys = i * len(self._demands) + j
                    for place in np.flatnonzero(np.isin(keys, places)).tolist():
                        proposal = suggested[int(keys[place])]
                        matched[place], worth[place], grams[place] = 1, proposal.worth, proposal.quantity
                    kept = grams > 0
                    yield i[kept], j[kept], worth[kept], matched[kept]

    def nearest(self, who: int, side: PartySide) -> Nearest:
        """Return which goods and demand come nearest to a pair, of all that are its own on one side.

        Of equally near ones those with the lowest numbers.
        """
        best: tuple[int, int, int] | None = None
        pair: tuple[Lot, Demand] | None = None
        barred = False
        for lots, demands in zip(self._arrays.lots_of, self._arrays.demands_of, strict=True):
            some = lots[self._sellers[lots] == who] if side == "seller" else lots
            those = demands if side == "seller" else demands[self._buyers[demands] == who]
            for block in self._arrays.stripes(some, those):
                wrong = self._wrong(block, some, those)
                if block.barred is not None:
                    barred = barred or bool(((wrong == 0) & block.barred).any())
                rows, columns = np.nonzero(wrong == wrong.min())
                i, j = some[block.rows][rows], those[columns]
                first = np.lexsort((self._demand_ids[j], self._lot_ids[i]))[0]
                lot, demand = self._lots[i[first]], self._demands[j[first]]
                here = int(wrong.min()), int(lot.id), int(demand.id)
                if best is None or here < best:
                    best, pair = here, (lot, demand)
        return Nearest(pair, best is not None and best[0] == 0, barred)

    def _wrong(self, block: Block, lots: Ints, demands: Ints) -> NDArray[np.int8]:
        """Return how many conditions each pair of a stripe fails; close to a bound the rule is asked."""
        reach = self._arrays.reach[demands][None, :]
        held = (block.grade, block.window, block.credential, block.near, block.surplus >= 0)
        wrong = np.full(block.km.shape, len(held), np.int8)
        for condition in held:
            wrong -= condition
        close = (np.abs(block.surplus) < _CLOSE) | (np.abs(block.km - reach) < _CLOSE)
        for row, column in zip(*(each.tolist() for each in np.nonzero(close)), strict=True):
            lot, demand = self._lots[lots[block.rows][row]], self._demands[demands[column]]
            wrong[row, column] = len(why_not(lot, demand, self._parameters))
        return wrong

    def _suggested(self) -> dict[int, Proposal]:
        """Return the engine's suggestions, each by the place of its pair in the table of all pairs."""
        lots = {lot.id: place for place, lot in enumerate(self._lots)}
        demands = {demand.id: place for place, demand in enumerate(self._demands)}
        return {
            lots[lot] * len(demands) + demands[demand]: proposal
            for (lot, demand), proposal in self._own.items()
            if lot in lots and demand in demands
        }


def worth_of(fits: Iterable[Fit]) -> int:
    """Return the fen at stake between two: each listing once, with the demand at which most is."""
    best: dict[str, int] = {}
    for each in fits:
        best[each.lot.id] = max(best.get(each.lot.id, each.worth), each.worth)
    return sum(best.values())


def _begins(*columns: Ints) -> Ints:
    """Return where a new run of equal rows begins."""
    new = np.zeros(len(columns[0]), np.bool_)
    new[:1] = True
    for column in columns:
        new[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(new)


def _whole(lots: Sequence[Lot], demands: Sequence[Demand]) -> tuple[Ints, Ints, int]:
    """Return what sellers ask less their priority, and what buyers pay at most, in whole parts of a yuan.

    Differences of decimals are then exact, as they are by the rule: equal ones stay equal.
    """
    prices = [each for lot in lots for each in (lot.ask, lot.priority)]
    prices += [demand.ceiling for demand in demands]
    places = max((-int(price.as_tuple().exponent) for price in prices), default=0)
    scale = 10 ** max(places, 0)

    def whole(price: Decimal) -> int:
        return int(price * scale)

    return (
        np.array([whole(lot.ask - lot.priority) for lot in lots], np.int64),
        np.array([whole(demand.ceiling) for demand in demands], np.int64),
        scale,
    )

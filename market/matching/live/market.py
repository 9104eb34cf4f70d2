"""A market that is matched while it changes: each event gets its best matches at once, and a bound.

An event first finds the best pairs of its subject by searching all of them; then the simplex of its
product goes on from where it stood, within a budget, and the pairs of every lot and demand whose gain
moved are searched again. What the budget does not reach is left to the next event or to ``settle``. At any
moment the allocation is feasible, and gains that cover all pairs bound what is still to be had.

Smallest orders and most lots are left aside here: pairs that can never keep them are not suggested, others
are marked where they break one; ``clear``, the nightly clearing of everything, keeps them all.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from math import fsum, inf
from typing import cast

import msgspec
import numpy as np

from market.errors import Conflict, Invalid, NotFound
from market.i18n import msg
from market.matching.engine import Result, solve_market
from market.matching.live.answers import LiveMatch, Standing, Suggestions
from market.matching.live.product import Found, LiveProduct
from market.matching.live.sides import DEMANDS, LOTS, Barring, Party, Watch
from market.matching.live.tell import Before, matches_of, moved_since_never, options, stand
from market.matching.rules import Demand, Lot, Parameters, check_unique, kg_text
from market.units import Gram

#: Options that are told of each newcomer.
TOLD = 10
#: More than these are sought where limits forbid some.
_SOUGHT = 4 * TOLD

_WORDS = (msg("批次"), msg("需求"))


class LiveMarket:
    """Lots and demands that come, change, are sold and go; ids are unique on each side.

    ``budget`` of an operation: milliseconds for its re-solve (None: until settled; 0: none of it), on
    ``clock``, which reads seconds. ``pivots`` bounds it by work instead, the same on every machine.
    ``barred`` holds (lot id, demand id) that must not be paired. A product is begun anew when a newcomer is
    worth far more than any was; ``most_worth`` (yuan per kg) tells what is to be expected.
    """

    def __init__(
        self,
        lots: Sequence[Lot],
        demands: Sequence[Demand],
        parameters: Parameters,
        barred: frozenset[tuple[str, str]] = frozenset(),
        *,
        clock: Callable[[], float] = time.monotonic,
        most_worth: float = 0.0,
    ) -> None:
        check_unique((lot.id for lot in lots), _WORDS[LOTS])
        check_unique((demand.id for demand in demands), _WORDS[DEMANDS])
        self.parameters, self._barring = parameters, Barring(barred)
        self._clock, self._most_worth = clock, most_worth
        self._begin(lots, demands)

    def _begin(self, lots: Sequence[Lot], demands: Sequence[Demand]) -> None:
        self._products: dict[str, LiveProduct] = {}
        self._product_of: tuple[dict[str, str], dict[str, str]] = ({}, {})
        by_product: dict[str, tuple[list[Lot], list[Demand]]] = {}
        for lot in lots:
            by_product.setdefault(lot.product, ([], []))[0].append(lot)
            self._product_of[LOTS][lot.id] = lot.product
        for demand in demands:
            by_product.setdefault(demand.product, ([], []))[1].append(demand)
            self._product_of[DEMANDS][demand.id] = demand.product
        self._standings: dict[str, Standing] = {}
        for product, (some, wanted) in by_product.items():
            self._products[product] = self._live(some, wanted)
            self._standings[product] = stand(self._products[product])

    # Events

    def appear(self, party: Party, *, budget: float | None = None, pivots: int | None = None) -> Suggestions:
        """Add a lot or a demand.

        Raises:
            Conflict: the id is in the market already.
            Invalid: nothing is left of it.
        """
        side = _side(party)
        if party.id in self._product_of[side]:
            raise Conflict(msg("{what} {id} 已在市场里；要改它请用 change。", what=_WORDS[side], id=party.id))
        _check_quantity(party)
        watch = self._watch(budget, pivots)
        before = self._remember(party.product)
        found = self._add(side, party)
        return self._answer(party.product, before, watch, side=side, id_=party.id, found=found)

    def withdraw(
        self, what: str, id_: str, *, budget: float | None = None, pivots: int | None = None
    ) -> Suggestions:
        """Take a ``lot`` or a ``demand`` out of the market.

        Raises:
            NotFound: there is none of this id.
        """
        side = LOTS if what == "lot" else DEMANDS
        name = self._find(side, id_)
        watch = self._watch(budget, pivots)
        before = self._remember(name)
        product = self._products[name]
        product.withdraw(side, product.sides[side].place[id_])
        del self._product_of[side][id_]
        return self._answer(name, before, watch, side=side, id_=id_)

    def sell(
        self,
        lot: str,
        demand: str,
        grams: Gram,
        *,
        budget: float | None = None,
        pivots: int | None = None,
    ) -> Suggestions:
        """Record a sale: both have ``grams`` less, and what has nothing left leaves the market.

        Raises:
            NotFound: there is no such lot or demand.
            Invalid: they are of different products, or the quantity is not above 0.
            Conflict: one of them has less than that.
        """
        name = self._find(LOTS, lot)
        if self._find(DEMANDS, demand) != name:
            raise Invalid(msg("批次 {lot} 与需求 {demand} 不是同一产品。", lot=lot, demand=demand))
        if grams <= 0:
            raise Invalid(msg("成交数量应大于 0。"))
        product = self._products[name]
        rows = tuple(product.sides[side].place[id_] for side, id_ in ((LOTS, lot), (DEMANDS, demand)))
        for side, id_ in ((LOTS, lot), (DEMANDS, demand)):
            left = int(product.sides[side].grams[rows[side]])
            if left < grams:
                raise Conflict(
                    msg(
                        "{what} {id} 只剩 {left} 公斤，不够 {asked} 公斤。",
                        what=_WORDS[side],
                        id=id_,
                        left=kg_text(left),
                        asked=kg_text(grams),
                    )
                )
        watch = self._watch(budget, pivots)
        before = self._remember(name)
        product.deliver(rows[LOTS], rows[DEMANDS], grams)
        for side, id_ in ((LOTS, lot), (DEMANDS, demand)):
            if id_ not in product.sides[side].place:
                del self._product_of[side][id_]
        answer = self._answer(name, before, watch, side=LOTS, id_=lot)
        moved = tuple(id_ for id_ in answer.moved_demands if id_ != demand)
        return msgspec.structs.replace(answer, demand=demand, moved_demands=moved)

    def change(self, party: Party, *, budget: float | None = None, pivots: int | None = None) -> Suggestions:
        """Put what is known of a lot or demand in place of what was; anything but its id may be new.

        Raises:
            NotFound: there is none of this id.
            Invalid: nothing is left of it.
        """
        side = _side(party)
        name = self._find(side, party.id)
        _check_quantity(party)
        old = self._products[name]
        row = old.sides[side].place[party.id]
        was = old.sides[side].parties[row]
        watch = self._watch(budget, pivots)
        before = self._remember(name)
        if msgspec.structs.replace(was, quantity=party.quantity) == party:
            old.set_grams(side, row, party.quantity)
            found = old.search(side, row, _SOUGHT)
            return self._answer(name, before, watch, side=side, id_=party.id, found=found)
        old.withdraw(side, row)
        del self._product_of[side][party.id]
        if party.product == name:
            found = self._add(side, party)
            return self._answer(name, before, watch, side=side, id_=party.id, found=found)
        left = self._answer(name, before, watch)
        before = self._remember(party.product)
        found = self._add(side, party)
        answer = self._answer(party.product, before, watch, side=side, id_=party.id, found=found)
        return msgspec.structs.replace(
            answer,
            moved_lots=left.moved_lots + answer.moved_lots,
            moved_demands=left.moved_demands + answer.moved_demands,
        )

    def bar(
        self, lot: str, demand: str, *, budget: float | None = None, pivots: int | None = None
    ) -> Suggestions:
        """Never pair a lot and a demand again, as when one of them has declined the other.

        Raises:
            NotFound: there is no such lot or demand.
        """
        name = self._find(LOTS, lot)
        other = self._find(DEMANDS, demand)
        watch = self._watch(budget, pivots)
        before = self._remember(name)
        self._barring.add(lot, demand)
        product = self._products[name]
        if other == name:
            product.bar(product.sides[LOTS].place[lot], product.sides[DEMANDS].place[demand])
        found = product.search(LOTS, product.sides[LOTS].place[lot], _SOUGHT)
        answer = self._answer(name, before, watch, side=LOTS, id_=lot, found=found)
        moved = tuple(id_ for id_ in answer.moved_demands if id_ != demand)
        return msgspec.structs.replace(answer, demand=demand, moved_demands=moved)

    def settle(self, *, budget: float | None = None, pivots: int | None = None) -> Suggestions:
        """Go on with what earlier events left; without a budget until nothing is left to be had.

        Products from which most have gone are then begun anew, too.
        """
        watch = self._watch(budget, pivots)
        answers = [
            self._answer(name, self._remember(name), watch)
            for name, product in self._products.items()
            if not product.settled
        ]
        if budget is None and pivots is None:
            for name, product in self._products.items():
                if product.is_worn:
                    before = self._remember(name)
                    self._products[name] = self._live(*(side.alive() for side in product.sides))
                    answers.append(self._answer(name, before, watch))
        return Suggestions(
            moved_lots=tuple(id_ for answer in answers for id_ in answer.moved_lots),
            moved_demands=tuple(id_ for answer in answers for id_ in answer.moved_demands),
            standing=self.standing(),
        )

    def assume(self, gains: Mapping[str, float]) -> None:
        """Let lots, or demands, gain so much (yuan per kg, by id) in a market that has no others yet."""
        for product in self._products.values():
            product.assume(gains)

    def clear(self) -> Result:
        """Clear the whole market as it is with the engine, limits and price bands and all, and begin anew.

        ``result`` places follow ``lots()`` and ``demands()``.
        """
        lots, demands = self.lots(), self.demands()
        result = solve_market(lots, demands, self.parameters, barred=self.barred, clock=self._clock)
        self._begin(lots, demands)
        return result

    # Reading

    @property
    def barred(self) -> frozenset[tuple[str, str]]:
        """The (lot id, demand id) that must not be paired."""
        return self._barring.pairs

    def lots(self) -> list[Lot]:
        """The lots that are in the market, with what is left of them."""
        return [cast(Lot, lot) for product in self._products.values() for lot in product.sides[LOTS].alive()]

    def demands(self) -> list[Demand]:
        return [
            cast(Demand, one) for product in self._products.values() for one in product.sides[DEMANDS].alive()
        ]

    def matches(self) -> tuple[LiveMatch, ...]:
        """Every trade of the allocation so far."""
        return tuple(
            match for product in self._products.values() for match in matches_of(product, *product.flows())
        )

    def matches_of(self, what: str, id_: str) -> tuple[LiveMatch, ...]:
        """The trades of a ``lot`` or a ``demand``; none if there is none of this id."""
        side = LOTS if what == "lot" else DEMANDS
        return self._matches(side, id_) if id_ in self._product_of[side] else ()

    def standing(self) -> Standing:
        """How good the matches of the whole market are."""
        parts = self._standings.values()
        return Standing(
            worth_yuan=fsum(part.worth_yuan for part in parts),
            upper_bound_yuan=fsum(part.upper_bound_yuan for part in parts),
            loss_yuan=fsum(part.loss_yuan for part in parts),
            settled=all(part.settled for part in parts),
        )

    def find(self, what: str, id_: str) -> Party:
        """Return a ``lot`` or a ``demand`` with what is left of it.

        Raises:
            NotFound: there is none of this id.
        """
        side = LOTS if what == "lot" else DEMANDS
        mine = self._products[self._find(side, id_)].sides[side]
        return mine.parties[mine.place[id_]]

    def gain(self, what: str, id_: str) -> float:
        """The gain of a lot or demand in the cover, yuan per kg: it bounds what a kg more could add."""
        side = LOTS if what == "lot" else DEMANDS
        product = self._products[self._find(side, id_)]
        return float(product.cover.gains[side][product.sides[side].place[id_]]) / product.scale

    # How

    def _watch(self, budget: float | None, pivots: int | None) -> Watch:
        end = inf if budget is None else self._clock() + budget / 1000
        return Watch(lambda: self._clock() >= end, pivots)

    def _find(self, side: int, id_: str) -> str:
        if id_ not in self._product_of[side]:
            raise NotFound(msg("市场里没有{what} {id}。", what=_WORDS[side], id=id_))
        return self._product_of[side][id_]

    def _add(self, side: int, party: Party) -> Found:
        name = party.product
        product = self._products.get(name)
        self._product_of[side][party.id] = name
        if product is not None and product.fits(party):
            return product.appear(party, _SOUGHT)
        lots, demands = (list(each.alive()) for each in product.sides) if product else ([], [])
        (lots if side == LOTS else demands).append(party)
        product = self._live(lots, demands)
        self._products[name] = product
        return product.search(side, product.sides[side].place[party.id], _SOUGHT)

    def _live(self, lots: Sequence[Party], demands: Sequence[Party]) -> LiveProduct:
        some, wanted = cast(list[Lot], [*lots]), cast(list[Demand], [*demands])
        return LiveProduct(some, wanted, self.parameters, self._barring, self._most_worth)

    def _remember(self, name: str) -> Before | None:
        product = self._products.get(name)
        return Before(product) if product else None

    def _answer(
        self,
        name: str,
        before: Before | None,
        watch: Watch,
        *,
        side: int | None = None,
        id_: str | None = None,
        found: Found | None = None,
    ) -> Suggestions:
        product = self._products[name]
        product.improve(watch)
        self._standings[name] = stand(product)
        lots, demands = before.moved(product) if before else moved_since_never(product)
        answer = Suggestions(
            lot=id_ if side == LOTS else None,
            demand=id_ if side == DEMANDS else None,
            moved_lots=tuple(each for each in lots if side != LOTS or each != id_),
            moved_demands=tuple(each for each in demands if side != DEMANDS or each != id_),
            standing=self.standing(),
        )
        if side is None or id_ is None or id_ not in product.sides[side].place:
            return answer
        best = options(product, side, product.sides[side].place[id_], found, TOLD) if found else ()
        return msgspec.structs.replace(answer, best=best, matches=self._matches(side, id_))

    def _matches(self, side: int, id_: str) -> tuple[LiveMatch, ...]:
        product = self._products[self._find(side, id_)]
        row = product.sides[side].place[id_]
        others, grams = product.flows_of(side, row)
        here = np.full(len(others), row)
        i, j = (here, others) if side == LOTS else (others, here)
        return matches_of(product, i, j, grams)


def _side(party: Party) -> int:
    return LOTS if isinstance(party, Lot) else DEMANDS


def _check_quantity(party: Party) -> None:
    if party.quantity <= 0:
        raise Invalid(
            msg(
                "{what} {id} 的数量应大于 0；卖完或不要了请用 withdraw。",
                what=_WORDS[_side(party)],
                id=party.id,
            )
        )

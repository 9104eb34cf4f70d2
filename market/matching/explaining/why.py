"""Why this pair, why not that one: in words and figures, for any lot and demand of a market.

A pair that the engine did not make fails a condition of the rules, was declined before, or is held back
by a smallest order or the most lots; if none of these, the dual prices tell: both sides' gains elsewhere
come to at least what the pair is worth (u + v >= w; Shapley and Shubik 1971).
"""

import time
from collections.abc import Callable, Sequence
from decimal import Decimal

import msgspec

from market.i18n import Message, msg
from market.matching.engine import Pair, Result, solve_market
from market.matching.explaining.whatif import Barred, only, product_of
from market.matching.rules import (
    Demand,
    Lot,
    Obstacle,
    Parameters,
    freight_per_kg,
    kg_text,
    kilometres,
    why_not,
    yuan_text,
)
from market.units import Gram

#: Below this many yuan per kg two plans are a tie: rounding, not a reason.
TIE_YUAN = 1e-6


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Yuan per kg, except ``km``. ``surplus`` = ceiling - ask - freight, ``worth`` = surplus + priority.

    ``lot_gain`` and ``demand_gain`` are the dual prices: what a kilogram more of either would add to the
    market's worth. ``short`` = lot_gain + demand_gain - worth: what the pair would have to be better by.
    """

    km: float
    freight: float
    ask: Decimal
    ceiling: Decimal
    surplus: float
    worth: float
    lot_gain: float
    demand_gain: float
    short: float


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """Where kilograms of one side went instead: ``partner``, with farm-gate and delivered prices per kg."""

    partner: str
    quantity: Gram
    price: Decimal
    delivered: Decimal
    worth: float


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """Why a pair trades or not. ``code``:

    paired; product, grade, window, credential, distance, price (``obstacles`` has every one that fails);
    own (seller and buyer are one); declined; min_order, max_lots; no_gain (a negative priority outweighs
    what is left to share);
    better_elsewhere (both have better uses, ``short`` is positive); tie (as good, but not better).
    ``lot_uses``: to whom the lot goes. ``competitors``: which lots took the demand's kilograms.
    """

    lot: str
    demand: str
    code: str
    message: Message
    quantity: Gram
    figures: Figures | None
    obstacles: tuple[Obstacle, ...]
    lot_uses: tuple[Use, ...]
    competitors: tuple[Use, ...]


def why_pair(
    lots: Sequence[Lot],
    demands: Sequence[Demand],
    parameters: Parameters,
    *,
    lot_id: str,
    demand_id: str,
    barred: Barred = frozenset(),
    result: Result | None = None,
    deadline: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Why:
    """Tell why a lot serves a demand, or why it does not.

    ``result`` is that of these very lots and demands; without one the lot's product is solved.

    Raises:
        NotFound: this market has no such lot or demand.
    """
    product = product_of(lots, demands, lot_id=lot_id)
    other = product_of(lots, demands, demand_id=demand_id)
    if result is None:
        lots, demands = (
            only(lots, demands, product)
            if product == other
            else ([a for a in lots if a.id == lot_id], [b for b in demands if b.id == demand_id])
        )
        result = solve_market(lots, demands, parameters, barred=barred, deadline=deadline, clock=clock)
    i = next(k for k, lot in enumerate(lots) if lot.id == lot_id)
    j = next(k for k, demand in enumerate(demands) if demand.id == demand_id)
    view = _View(lots, demands, parameters, result, i, j)
    code, message = view.reason(barred=(lot_id, demand_id) in barred)
    return Why(
        lot=lot_id,
        demand=demand_id,
        code=code,
        message=message,
        quantity=view.pair.quantity if view.pair else Gram(0),
        figures=view.figures,
        obstacles=view.obstacles,
        lot_uses=view.lot_uses,
        competitors=view.competitors,
    )


class _View:
    """One pair of a solved market."""

    def __init__(
        self,
        lots: Sequence[Lot],
        demands: Sequence[Demand],
        parameters: Parameters,
        result: Result,
        i: int,
        j: int,
    ) -> None:
        self.lot, self.demand = lots[i], demands[j]
        self.lot_side, self.demand_side = result.lots[i], result.demands[j]
        self.obstacles = why_not(self.lot, self.demand, parameters)
        self.pair: Pair | None = None
        uses, takers = [], []
        for pair in result.pairs:
            if pair.lot == i and pair.demand == j:
                self.pair = pair
            elif pair.lot == i:
                uses.append(_use(pair, demands[pair.demand].id))
            elif pair.demand == j:
                takers.append(_use(pair, lots[pair.lot].id))
        self.lot_uses = tuple(sorted(uses, key=lambda use: -use.quantity))
        self.competitors = tuple(sorted(takers, key=lambda use: -use.quantity))
        self.figures = None if self.lot.product != self.demand.product else self._figures(parameters)

    def _figures(self, parameters: Parameters) -> Figures:
        km = kilometres(self.lot, self.demand, parameters)
        freight = freight_per_kg(km, parameters)
        surplus = float(self.demand.ceiling) - float(self.lot.ask) - freight
        worth = surplus + float(self.lot.priority)
        lot_gain, demand_gain = float(self.lot_side.gain), float(self.demand_side.gain)
        return Figures(
            km=km,
            freight=freight,
            ask=self.lot.ask,
            ceiling=self.demand.ceiling,
            surplus=surplus,
            worth=worth,
            lot_gain=lot_gain,
            demand_gain=demand_gain,
            short=lot_gain + demand_gain - worth,
        )

    def reason(self, *, barred: bool) -> tuple[str, Message]:
        if self.pair is not None:
            return "paired", self.pair.reason
        if self.obstacles:
            text: Message = self.obstacles[0].message
            for obstacle in self.obstacles[1:]:
                text = msg("{first}{second}", first=text, second=obstacle.message)
            return self.obstacles[0].code, text
        if barred and self.lot.seller == self.demand.buyer:
            return "own", msg("买卖双方是同一家单位。")
        if barred:
            return "declined", msg("这一对曾被一方谢绝，按现在的条件不再提出。")
        assert self.figures is not None
        if self.figures.worth < 0:
            text = msg(
                "照顾分为负，抵过了每公斤可分的 {surplus} 元。", surplus=yuan_text(self.figures.surplus)
            )
            return "no_gain", text
        return self._limits() or self._prices(self.figures)

    def _limits(self) -> tuple[str, Message] | None:
        """A rule that makes the pair impossible whatever the rest of the plan, or beside this plan."""
        least = max(self.lot.min_order, self.demand.min_order)
        most = min(self.lot.quantity, self.demand.quantity)
        if least > most:
            text = msg(
                "每次至少 {least} 公斤，而双方最多只能成交 {most} 公斤。",
                least=kg_text(least),
                most=kg_text(most),
            )
            return "min_order", text
        room = min(self.lot_side.rest, self.demand_side.rest)
        if room > 0 and self.demand.max_lots is not None and len(self.competitors) >= self.demand.max_lots:
            text = msg("这条需求最多由 {most} 个批次供应，已经满了。", most=self.demand.max_lots)
            return "max_lots", text
        if 0 < room < least:
            text = msg(
                "双方还剩下可配的只有 {room} 公斤，不到每次至少的 {least} 公斤。",
                room=kg_text(room),
                least=kg_text(least),
            )
            return "min_order", text
        return None

    def _prices(self, figures: Figures) -> tuple[str, Message]:
        if figures.short <= TIE_YUAN:
            return "tie", msg("这一对也可行，但总收益不会更高，数量已另行安排。")
        short = yuan_text(max(figures.short, 0.0001))
        text = msg("双方各有更合算的去处：要合在一起，每公斤还差 {short} 元。", short=short)
        if self.competitors:
            first = self.competitors[0]
            text = msg(
                "{why}这条需求的 {kg} 公斤由批次 {lot} 供应，到货价 {price} 元/公斤。",
                why=text,
                kg=kg_text(first.quantity),
                lot=first.partner,
                price=yuan_text(first.delivered),
            )
        elif self.lot_uses:
            first = self.lot_uses[0]
            text = msg(
                "{why}这批货的 {kg} 公斤供给需求 {demand}，产地价 {price} 元/公斤。",
                why=text,
                kg=kg_text(first.quantity),
                demand=first.partner,
                price=yuan_text(first.price),
            )
        return "better_elsewhere", text


def _use(pair: Pair, partner: str) -> Use:
    freight = Decimal(pair.freight_yuan_per_kg).quantize(Decimal("0.0001"))
    return Use(
        partner=partner,
        quantity=pair.quantity,
        price=pair.price,
        delivered=pair.price + freight,
        worth=pair.worth_yuan * 1000 / pair.quantity,
    )

"""What if: the market solved again with some changes made, beside the market as it is.

Only the product concerned is solved: products do not compete. Everything is recomputed both times, so
that what is told is an optimum's, never an estimate.
"""

import time
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

import msgspec

from market.errors import NotFound
from market.i18n import msg
from market.matching.diagnosis.changes import Change, apply_changes
from market.matching.engine import Result, Side, solve_market
from market.matching.rules import Demand, Lot, Parameters
from market.units import FEN_PER_YUAN, GRAMS_PER_KG, Fen, Gram

Name = Literal["lot", "demand"]
Barred = frozenset[tuple[str, str]]


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """Grams that go between a lot and ``partner``, at a farm-gate price in yuan per kg."""

    partner: str
    quantity: Gram
    price: Decimal
    freight_yuan_per_kg: float


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What a lot sells or a demand gets. ``price`` is the mean at the farm gate; None: no trade.

    ``revenue`` is what the trades come to at the farm gate.
    """

    traded: Gram
    rest: Gram
    price: Decimal | None
    revenue: Fen
    trades: tuple[Trade, ...]


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """Another lot or demand that trades more or less than before."""

    side: Name
    id: str
    before: Gram
    after: Gram


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """The subject before and after, and whom else it touches (the largest shift first).

    Worth is the product's total in yuan; a changed ask or ceiling changes it by definition too. ``exact``:
    both times the worth is proven to be the greatest possible; where smallest orders or most lots
    bind, the two are good plans, and a small difference may be the search's.
    """

    side: Name
    id: str
    before: Standing
    after: Standing
    others: tuple[Shift, ...]
    worth_before: float
    worth_after: float
    exact: bool
    finished: bool


def product_of(
    lots: Sequence[Lot], demands: Sequence[Demand], *, lot_id: str | None = None, demand_id: str | None = None
) -> str:
    """Return the product of a lot, or of a demand.

    Raises:
        NotFound: this market has none of that id.
    """
    if lot_id is not None:
        for lot in lots:
            if lot.id == lot_id:
                return lot.product
        raise NotFound(msg("市场里没有这个{what}：{id}。", what=msg("批次"), id=lot_id))
    for demand in demands:
        if demand.id == demand_id:
            return demand.product
    raise NotFound(msg("市场里没有这个{what}：{id}。", what=msg("需求"), id=demand_id or ""))


def only(lots: Sequence[Lot], demands: Sequence[Demand], product: str) -> tuple[list[Lot], list[Demand]]:
    """Return the lots and demands of one product."""
    return (
        [lot for lot in lots if lot.product == product],
        [demand for demand in demands if demand.product == product],
    )


def what_if(
    lots: Sequence[Lot],
    demands: Sequence[Demand],
    parameters: Parameters,
    *,
    barred: Barred = frozenset(),
    changes: Sequence[Change],
    lot_id: str | None = None,
    demand_id: str | None = None,
    deadline: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Effect:
    """Tell what ``changes`` do to one lot or one demand (name exactly one) and to the others.

    A change whose ``of`` is None is the subject's own; changes of other lots and demands of the same
    product may be among them (a buyer who accepts a longer road). Without changes, before is after.

    Raises:
        NotFound: this market has no such lot or demand.
        Invalid: a change names nobody of this product, or sets what cannot be.
    """
    side: Name = "demand" if lot_id is None else "lot"
    id_ = (demand_id or "") if lot_id is None else lot_id
    product = product_of(lots, demands, lot_id=lot_id, demand_id=demand_id)
    old_lots, old_demands = only(lots, demands, product)
    new_lots, new_demands = apply_changes(old_lots, old_demands, changes, lot_id=lot_id, demand_id=demand_id)
    old = solve_market(old_lots, old_demands, parameters, barred=barred, deadline=deadline, clock=clock)
    new = solve_market(new_lots, new_demands, parameters, barred=barred, deadline=deadline, clock=clock)
    return Effect(
        side=side,
        id=id_,
        before=standing(old_lots, old_demands, old, side=side, id_=id_),
        after=standing(new_lots, new_demands, new, side=side, id_=id_),
        others=shifts(old_lots, old_demands, old, new, but=(side, id_)),
        worth_before=old.certificate.worth_yuan,
        worth_after=new.certificate.worth_yuan,
        exact=old.certificate.exact and new.certificate.exact,
        finished=old.certificate.finished and new.certificate.finished,
    )


def standing(
    lots: Sequence[Lot], demands: Sequence[Demand], result: Result, *, side: Name, id_: str
) -> Standing:
    """Return what a lot or a demand trades in a result, the largest trade first."""
    ids = [lot.id for lot in lots] if side == "lot" else [demand.id for demand in demands]
    place = ids.index(id_)
    trades, money = [], Decimal(0)
    for pair in result.pairs:
        if (pair.lot if side == "lot" else pair.demand) != place:
            continue
        money += pair.price * pair.quantity
        trades.append(
            Trade(
                partner=demands[pair.demand].id if side == "lot" else lots[pair.lot].id,
                quantity=pair.quantity,
                price=pair.price,
                freight_yuan_per_kg=pair.freight_yuan_per_kg,
            )
        )
    became = (result.lots if side == "lot" else result.demands)[place]
    return Standing(
        traded=became.traded,
        rest=became.rest,
        price=mean_price(money, became.traded),
        revenue=fen_of(money),
        trades=tuple(sorted(trades, key=lambda trade: (-trade.quantity, trade.partner))),
    )


def mean_price(yuan_grams: Decimal, grams: int) -> Decimal | None:
    """Yuan per kg to 0.0001; None where nothing is traded."""
    return (yuan_grams / grams).quantize(Decimal("0.0001"), ROUND_HALF_UP) if grams else None


def fen_of(yuan_grams: Decimal) -> Fen:
    """Price (yuan per kg) x grams, as whole fen."""
    return Fen(int((yuan_grams * FEN_PER_YUAN / GRAMS_PER_KG).to_integral_value(ROUND_HALF_UP)))


def shifts(
    lots: Sequence[Lot],
    demands: Sequence[Demand],
    old: Result,
    new: Result,
    *,
    but: tuple[Name, str] | None = None,
) -> tuple[Shift, ...]:
    """Return who trades more or less in ``new`` than in ``old``, the largest shift first."""
    found = [
        *_shifts("lot", [lot.id for lot in lots], old.lots, new.lots),
        *_shifts("demand", [demand.id for demand in demands], old.demands, new.demands),
    ]
    found = [shift for shift in found if (shift.side, shift.id) != but]
    return tuple(sorted(found, key=lambda s: (-abs(s.after - s.before), s.side, s.id)))


def _shifts(side: Name, ids: list[str], old: Sequence[Side], new: Sequence[Side]) -> list[Shift]:
    return [
        Shift(side=side, id=id_, before=before.traded, after=after.traded)
        for id_, before, after in zip(ids, old, new, strict=True)
        if before.traded != after.traded
    ]

"""What comes out of trying changes, as one reads it, and the way from there to the form that applies them."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from urllib.parse import urlencode

import msgspec

from market.demand.queries import DemandDetails
from market.matching.diagnosis.changes import (
    Ask,
    Ceiling,
    Change,
    DemandMinOrder,
    DemandWindow,
    Dropped,
    LotChange,
    LotMinOrder,
    LotWindow,
    MaxLots,
    MinGrade,
    Reach,
)
from market.matching.explain import Party, names_of
from market.matching.explaining.whatif import Effect, Trade
from market.units import FEN_PER_YUAN, FenPerKg, Gram, kg, yuan_per_kg
from market.web.parts.told import ask_fen, ceiling_fen


class TradeLine(msgspec.Struct, frozen=True):
    """To whom (or from whom), before and after; grams, and fen per kg at the farm gate."""

    party: Party | None
    href: str
    before: int
    after: int
    price: FenPerKg


class OtherLine(msgspec.Struct, frozen=True):
    """Another lot or demand that trades more or less: grams."""

    party: Party | None
    side: str
    before: int
    after: int


class Outcome(msgspec.Struct, frozen=True):
    """An effect as one reads it. ``others`` have names only where the reader may know them."""

    effect: Effect
    trades: list[TradeLine]
    others: list[OtherLine]
    #: How many others trade less, and by how many grams; and more.
    less: tuple[int, int]
    more: tuple[int, int]

    @property
    def grams(self) -> int:
        return self.effect.after.traded - self.effect.before.traded

    @property
    def money(self) -> int:
        return self.effect.after.revenue - self.effect.before.revenue

    @property
    def moves(self) -> bool:
        """Anything at all is different."""
        return bool(self.grams or self.money or self.effect.others)


def mean_fen(yuan: Decimal | None) -> FenPerKg | None:
    """Return a mean price in whole fen per kg."""
    if yuan is None:
        return None
    return FenPerKg(int((yuan * FEN_PER_YUAN).to_integral_value(ROUND_HALF_UP)))


async def outcome_of(effect: Effect, *, with_names: bool) -> Outcome:
    """Put names to an effect. Without ``with_names`` the others touched are only counted: a lot of
    somebody else's, and what it sells, is nobody's business but its owner's and its town's.
    """
    before = {trade.partner: trade for trade in effect.before.trades}
    after = {trade.partner: trade for trade in effect.after.trades}
    partners = list({**after, **before})
    competing = [shift for shift in effect.others if shift.side == effect.side]
    others = list(effect.others) if with_names else []
    lots = [each.id for each in others if each.side == "lot"]
    demands = [each.id for each in others if each.side == "demand"]
    is_lot = effect.side == "lot"
    names = await names_of(
        lots=lots if is_lot else [*lots, *partners], demands=[*demands, *partners] if is_lot else demands
    )
    parties = names.demands if is_lot else names.lots
    return Outcome(
        effect,
        [
            TradeLine(
                parties.get(partner),
                f"/demands/{partner}" if is_lot else f"/listings/{partner}",
                _grams(before, partner),
                _grams(after, partner),
                mean_fen((after.get(partner) or before[partner]).price) or FenPerKg(0),
            )
            for partner in partners
        ],
        [
            OtherLine(
                (names.lots if each.side == "lot" else names.demands).get(each.id),
                each.side,
                each.before,
                each.after,
            )
            for each in others
        ],
        _sum([each.before - each.after for each in competing]),
        _sum([each.after - each.before for each in competing]),
    )


def _grams(trades: Mapping[str, Trade], partner: str) -> int:
    return trades[partner].quantity if partner in trades else 0


def _sum(moved: Sequence[int]) -> tuple[int, int]:
    up = [grams for grams in moved if grams > 0]
    return len(up), sum(up)


def terms_query(changes: Sequence[Change]) -> str:
    """Return the address of the terms' form with the changes in it; what is not a term is left out."""
    pairs: list[tuple[str, str]] = []
    for change in changes:
        if change.of is not None or not isinstance(change, LotChange):
            continue
        match change:
            case Ask():
                pairs += [("ask", f"{yuan_per_kg(ask_fen(change.ask)):.2f}"), ("ask_unit", "kg")]
            case LotMinOrder():
                pairs += [
                    ("min_order", f"{kg(change.min_order):f}" if change.min_order else ""),
                    ("min_order_unit", "kg"),
                ]
            case LotWindow():
                pairs += [
                    (name, day.isoformat())
                    for name, day in (
                        ("available_from", change.available_from),
                        ("available_to", change.available_to),
                    )
                    if day
                ]
    return urlencode(pairs)


def demand_query(demand: DemandDetails, changes: Sequence[Change]) -> str:
    """Return the address of a new demand's form with this demand's terms, changed."""
    given: dict[str, str] = {
        "produce": demand.produce,
        "quantity": f"{kg(Gram(demand.open)):f}",
        "ceiling": f"{yuan_per_kg(FenPerKg(demand.ceiling)):.2f}",
        "site_id": str(demand.site or ""),
        "deliver_from": demand.deliver_from.isoformat(),
        "deliver_to": demand.deliver_to.isoformat(),
        "min_grade": str(demand.min_grade or ""),
        "min_order": f"{kg(Gram(demand.min_order)):f}" if demand.min_order else "",
        "max_lots": str(demand.max_lots or ""),
        "max_distance_km": str(demand.max_distance_km or ""),
    }
    requires = {kind.code for kind in demand.requires}
    for change in changes:
        if change.of is not None:
            continue
        match change:
            case Ceiling():
                given["ceiling"] = f"{yuan_per_kg(ceiling_fen(change.ceiling)):.2f}"
            case Dropped():
                requires -= change.codes
            case MinGrade():
                given["min_grade"] = str(change.min_grade or "")
            case DemandMinOrder():
                given["min_order"] = f"{kg(change.min_order):f}" if change.min_order else ""
            case DemandWindow():
                if change.deliver_from:
                    given["deliver_from"] = change.deliver_from.isoformat()
                if change.deliver_to:
                    given["deliver_to"] = change.deliver_to.isoformat()
            case MaxLots():
                given["max_lots"] = str(change.max_lots or "")
            case Reach():
                given["max_distance_km"] = (
                    "" if change.max_distance_km is None else f"{change.max_distance_km:g}"
                )
    pairs = [(name, text) for name, text in given.items() if text]
    return urlencode([*pairs, *(("requires", code) for code in sorted(requires))])

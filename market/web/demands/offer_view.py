"""Offers as their buyer compares them: what each comes to at the shop, and what it lacks."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

import msgspec

from market.bids.joint.queries import ShareRow
from market.bids.offer_queries import Goods, OfferRow
from market.demand.queries import DemandDetails
from market.i18n import Language, Message, msg
from market.matching.rules import Parameters, freight_per_kg, road_km
from market.units import FenPerKg, Gram
from market.web.parts import formats
from market.web.parts.trade import name_in

#: The freight that the engine reckons with where the town has set no other.
_USUAL = Parameters()


class Way(msgspec.Struct, frozen=True):
    """The way of goods to a demand's shop: road km and the freight that is reckoned for it (fen per kg)."""

    km: int
    freight: FenPerKg


def way_to(demand: DemandDetails, *, lat: float, lon: float) -> Way:
    km = road_km((lat, lon), (demand.lat, demand.lon), float(_USUAL.road_factor))
    yuan = Decimal(str(freight_per_kg(km, _USUAL)))
    return Way(round(km), FenPerKg(int((yuan * 100).quantize(Decimal(1), ROUND_HALF_UP))))


class Seen(msgspec.Struct, frozen=True):
    """An offer with what it comes to, delivered, and everything that it lacks of the demand."""

    offer: OfferRow
    way: Way
    delivered: FenPerKg
    lacks: list[Message]


def seen(offer: OfferRow, demand: DemandDetails, language: Language) -> Seen:
    way = way_to(demand, lat=offer.lat, lon=offer.lon)
    delivered = FenPerKg(offer.price + way.freight)
    lacks = lacking(offer, demand, language, way=way)
    if delivered > demand.ceiling:
        over = formats.price_jin(FenPerKg(delivered - demand.ceiling), language)
        lacks.append(msg("到店价超出最高价 {over}", over=over))
    if offer.remaining < offer.quantity:
        lacks.append(msg("现在只剩 {mass}", mass=formats.mass(Gram(offer.remaining), language)))
    return Seen(offer, way, delivered, lacks)


def lacking(
    goods: OfferRow | Goods | ShareRow, demand: DemandDetails, language: Language, *, way: Way
) -> list[Message]:
    """Return what goods lack of a demand's requirements, the price aside."""
    lacks: list[Message] = []
    if goods.grade < demand.min_grade:
        lacks.append(msg("等级不够：{grade}", grade=name_in(language, goods, "grade") or "–"))
    held = {each.code for each in goods.credentials}
    if missing := [name_in(language, each, "") for each in demand.requires if each.code not in held]:
        lacks.append(
            msg("缺少资质：{codes}", codes="、".join(missing) if language == "zh" else ", ".join(missing))
        )
    if demand.max_distance_km is not None and way.km > demand.max_distance_km:
        lacks.append(msg("太远：{km} 公里", km=way.km))
    return lacks


def cheapest(rows: Sequence[Seen]) -> int | None:
    """Return the number of the open offer that lacks nothing and costs least at the shop, if there is one."""
    fit = [row for row in rows if not row.lacks and row.offer.state == "submitted"]
    return min(fit, key=lambda row: (row.delivered, row.offer.id)).offer.id if fit else None

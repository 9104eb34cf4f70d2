"""What a lot and a demand are to the matching, and when a pair of them is admissible.

Pure: dates are given, nothing is read or written. Mass is whole grams, prices are exact decimals in
yuan per kilogram (a lot's at the farm gate, a demand's delivered).
"""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from math import asin, cos, radians, sin, sqrt

import msgspec

from market.errors import Invalid
from market.i18n import Message, msg
from market.units import GRAMS_PER_KG, Gram

#: Mean radius of the Earth in km (IUGG).
EARTH_KM = 6371.0088

#: A lot that lies as far as the buyer will take, to so many km, is near enough: what floating point makes of
#: a distance must not decide.
REACH_BLUR = 1e-9

#: Reasons why a pair cannot be, in the order in which they are told.
CONDITIONS = ("product", "grade", "window", "credential", "distance", "price")

#: What the engine's obstacles are called; a pair of changes has two, joined by ``+``.
OBSTACLES: dict[str, Message] = {
    "price": msg("价格"),
    "grade": msg("等级"),
    "credential": msg("资质"),
    "window": msg("供货期"),
    "distance": msg("路程"),
    "min_order": msg("起订量"),
    "outbid": msg("竞争"),
    "max_lots": msg("批次数"),
    "several": msg("好几处"),
    "declined": msg("已谢绝过"),
    "own": msg("买卖同一家"),
    "quantity": msg("需求已满"),
    "no_demand": msg("没有需求"),
    "no_supply": msg("没有货源"),
    "product": msg("没有需求"),
}


class Lot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A batch on sale. ``priority`` is what moving a kilogram of it is worth beyond the trade itself."""

    id: str
    seller: str
    product: str
    quantity: Gram
    ask: Decimal
    latitude: float
    longitude: float
    available_from: date
    available_to: date
    grade: int = 0
    min_order: Gram = Gram(0)
    credentials: frozenset[str] = frozenset()
    priority: Decimal = Decimal(0)


class Demand(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """What a buyer wants. ``max_lots`` and ``max_distance_km`` of None: any."""

    id: str
    buyer: str
    product: str
    quantity: Gram
    ceiling: Decimal
    latitude: float
    longitude: float
    deliver_from: date
    deliver_to: date
    min_grade: int = 0
    min_order: Gram = Gram(0)
    max_lots: int | None = None
    requires: frozenset[str] = frozenset()
    max_distance_km: float | None = None


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``freight`` in yuan per tonne-km; road km = great-circle km x ``road_factor``."""

    freight: Decimal = Decimal("0.6")
    road_factor: Decimal = Decimal("1.3")


class Obstacle(msgspec.Struct, frozen=True):
    """One condition that a pair fails: a code of ``CONDITIONS`` and the words for it."""

    code: str
    message: Message


def check_unique(ids: Iterable[str], what: Message) -> None:
    """Refuse a market in which two lots, or two demands, bear the same id."""
    seen: set[str] = set()
    for id_ in ids:
        if id_ in seen:
            raise Invalid(msg("{what}编号 {id} 重复，请改成不同的编号。", what=what, id=id_))
        seen.add(id_)


def road_km(here: tuple[float, float], there: tuple[float, float], factor: float) -> float:
    """Road km between two places (degrees north and east): haversine on a sphere, times ``factor``."""
    phi, psi = radians(here[0]), radians(there[0])
    half_lat, half_lon = (psi - phi) / 2, radians(there[1] - here[1]) / 2
    h = sin(half_lat) ** 2 + cos(phi) * cos(psi) * sin(half_lon) ** 2
    return 2 * EARTH_KM * asin(min(1.0, sqrt(h))) * factor


def kilometres(lot: Lot, demand: Demand, parameters: Parameters) -> float:
    """Road km from a lot to a demand's site."""
    here, there = (lot.latitude, lot.longitude), (demand.latitude, demand.longitude)
    return road_km(here, there, float(parameters.road_factor))


def freight_per_kg(km: float, parameters: Parameters) -> float:
    """Yuan per kg over ``km`` of road."""
    return float(parameters.freight) * km / 1000


def kg_text(grams: int) -> str:
    """``12,345.678`` without needless zeros."""
    text = f"{Decimal(grams) / GRAMS_PER_KG:,.3f}"
    return text.rstrip("0").rstrip(".")


def yuan_text(yuan: float | Decimal) -> str:
    """A price to 0.0001 yuan, at least two decimals."""
    text = f"{yuan:.4f}"
    return text[:-2] + text[-2:].rstrip("0")


def codes_text(codes: Iterable[str]) -> str:
    return "、".join(sorted(codes))


def why_not(lot: Lot, demand: Demand, parameters: Parameters) -> tuple[Obstacle, ...]:
    """Return every condition that keeps ``lot`` from serving ``demand``; empty if admissible."""
    if lot.product != demand.product:
        wrong = msg("产品不同：货源是 {lot}，需求是 {demand}。", lot=lot.product, demand=demand.product)
        return (Obstacle("product", wrong),)
    found = []
    if lot.grade < demand.min_grade:
        text = msg("等级 {grade} 低于要求的 {needed}。", grade=lot.grade, needed=demand.min_grade)
        found.append(Obstacle("grade", text))
    if lot.available_from > demand.deliver_to or demand.deliver_from > lot.available_to:
        text = msg(
            "时间不重合：供货 {a} 至 {b}，交货 {c} 至 {d}。",
            a=lot.available_from.isoformat(),
            b=lot.available_to.isoformat(),
            c=demand.deliver_from.isoformat(),
            d=demand.deliver_to.isoformat(),
        )
        found.append(Obstacle("window", text))
    if missing := demand.requires - lot.credentials:
        found.append(Obstacle("credential", msg("缺少资质：{codes}。", codes=codes_text(missing))))
    km = kilometres(lot, demand, parameters)
    if demand.max_distance_km is not None and km > demand.max_distance_km + REACH_BLUR:
        text = msg(
            "路程 {km} 公里，超过买方限定的 {limit} 公里。",
            km=f"{km:.1f}",
            limit=f"{demand.max_distance_km:g}",
        )
        found.append(Obstacle("distance", text))
    freight = freight_per_kg(km, parameters)
    short = float(lot.ask) + freight - float(demand.ceiling)
    if float(demand.ceiling) - float(lot.ask) - freight < 0:
        text = msg(
            "要价 {ask} 元加运费 {freight} 元，超过买方最高价 {ceiling} 元，每公斤差 {short} 元。",
            ask=yuan_text(lot.ask),
            freight=yuan_text(freight),
            ceiling=yuan_text(demand.ceiling),
            short=yuan_text(max(short, 0.0001)),
        )
        found.append(Obstacle("price", text))
    return tuple(found)

"""Changes that a lot or a demand could make, and what they make of it.

A change names the one field it sets; a list of them is JSON, ``[{"type": "ask", "ask": "2.10"}]``, and may
be stored with a finding and applied later. ``of`` names whom it changes where that is not plain (the
other side of a pair); None is the subject of the question.
"""

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import TypeAlias, TypeVar

import msgspec

from market.errors import Invalid
from market.i18n import Message, msg
from market.matching.rules import Demand, Lot, codes_text, kg_text
from market.units import FEN_PER_YUAN, MOST_FEN_PER_KG, MOST_GRAMS, Gram

_MOST_YUAN = Decimal(MOST_FEN_PER_KG) / FEN_PER_YUAN


class _Change(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    of: str | None = None


class Ask(_Change, frozen=True, tag="ask"):
    """A lot's new ask, yuan per kg at the farm gate."""

    ask: Decimal


class Grade(_Change, frozen=True, tag="grade"):
    """A lot's new grade."""

    grade: int


class Credentials(_Change, frozen=True, tag="credentials"):
    """Credentials that a lot obtains on top of those it has."""

    codes: frozenset[str]


class LotMinOrder(_Change, frozen=True, tag="lot_min_order"):
    """A lot's new smallest order; 0: none."""

    min_order: Gram


class LotWindow(_Change, frozen=True, tag="lot_window"):
    """A lot's new first and last day; None: as it is."""

    available_from: date | None = None
    available_to: date | None = None


class LotQuantity(_Change, frozen=True, tag="lot_quantity"):
    quantity: Gram


class Ceiling(_Change, frozen=True, tag="ceiling"):
    """A demand's new highest price, yuan per kg delivered."""

    ceiling: Decimal


class MinGrade(_Change, frozen=True, tag="min_grade"):
    min_grade: int


class Dropped(_Change, frozen=True, tag="dropped"):
    """Credentials that a demand no longer requires."""

    codes: frozenset[str]


class DemandMinOrder(_Change, frozen=True, tag="demand_min_order"):
    min_order: Gram


class DemandWindow(_Change, frozen=True, tag="demand_window"):
    """A demand's new first and last day of delivery; None: as it is."""

    deliver_from: date | None = None
    deliver_to: date | None = None


class DemandQuantity(_Change, frozen=True, tag="demand_quantity"):
    quantity: Gram


class MaxLots(_Change, frozen=True, tag="max_lots"):
    """How many lots may serve a demand; None: any number."""

    max_lots: int | None


class Reach(_Change, frozen=True, tag="reach"):
    """A demand's farthest lot, road km; None: any."""

    max_distance_km: float | None


LotChange: TypeAlias = Ask | Grade | Credentials | LotMinOrder | LotWindow | LotQuantity
DemandChange: TypeAlias = (
    Ceiling | MinGrade | Dropped | DemandMinOrder | DemandWindow | DemandQuantity | MaxLots | Reach
)
Change: TypeAlias = LotChange | DemandChange

Party = TypeVar("Party", Lot, Demand)
Step = TypeVar("Step", LotChange, DemandChange)


def changed_lot(lot: Lot, changes: Sequence[LotChange]) -> Lot:
    """Return ``lot`` with ``changes`` made.

    Raises:
        Invalid: a value no lot can have, or one field set twice; ``fields`` names the change's type.
    """
    faults = _Faults(changes)
    new: dict[str, object] = {}
    for change in changes:
        if isinstance(change, Ask):
            faults.price("ask", change.ask)
            new["ask"] = change.ask
        elif isinstance(change, Grade):
            faults.grade("grade", change.grade)
            new["grade"] = change.grade
        elif isinstance(change, Credentials):
            faults.codes("credentials", change.codes)
            new["credentials"] = lot.credentials | change.codes
        elif isinstance(change, LotMinOrder):
            new["min_order"] = change.min_order
        elif isinstance(change, LotWindow):
            new["available_from"] = change.available_from or lot.available_from
            new["available_to"] = change.available_to or lot.available_to
        else:
            faults.quantity("lot_quantity", change.quantity)
            new["quantity"] = change.quantity
    better = msgspec.structs.replace(lot, **new)
    if "min_order" in new or "quantity" in new:
        faults.min_order("lot_min_order", better.min_order, better.quantity)
    faults.window("lot_window", better.available_from, better.available_to)
    faults.done()
    return better


def changed_demand(demand: Demand, changes: Sequence[DemandChange]) -> Demand:
    """Return ``demand`` with ``changes`` made.

    Raises:
        Invalid: a value no demand can have, a requirement dropped that it does not make, or one field
            set twice; ``fields`` names the change's type.
    """
    faults = _Faults(changes)
    new: dict[str, object] = {}
    for change in changes:
        if isinstance(change, Ceiling):
            faults.price("ceiling", change.ceiling)
            new["ceiling"] = change.ceiling
        elif isinstance(change, MinGrade):
            faults.grade("min_grade", change.min_grade)
            new["min_grade"] = change.min_grade
        elif isinstance(change, Dropped):
            faults.codes("dropped", change.codes)
            if foreign := change.codes - demand.requires:
                faults.say("dropped", msg("这条需求没有要求：{codes}。", codes=codes_text(foreign)))
            new["requires"] = demand.requires - change.codes
        elif isinstance(change, DemandMinOrder):
            new["min_order"] = change.min_order
        elif isinstance(change, DemandWindow):
            new["deliver_from"] = change.deliver_from or demand.deliver_from
            new["deliver_to"] = change.deliver_to or demand.deliver_to
        elif isinstance(change, DemandQuantity):
            faults.quantity("demand_quantity", change.quantity)
            new["quantity"] = change.quantity
        elif isinstance(change, MaxLots):
            if change.max_lots is not None and change.max_lots < 1:
                faults.say("max_lots", msg("最多批次数至少为 1；不限请留空。"))
            new["max_lots"] = change.max_lots
        else:
            km = change.max_distance_km
            if km is not None and not 0 <= km <= 100_000:
                faults.say("reach", msg("路程限制应在 0 至 100,000 公里之间；不限请留空。"))
            new["max_distance_km"] = km
    better = msgspec.structs.replace(demand, **new)
    if "min_order" in new or "quantity" in new:
        faults.min_order("demand_min_order", better.min_order, better.quantity)
    faults.window("demand_window", better.deliver_from, better.deliver_to)
    faults.done()
    return better


class _Faults:
    """What is wrong with a list of changes, by the type of the change."""

    def __init__(self, changes: Sequence[Change]) -> None:
        self.found: dict[str, Message] = {}
        kinds = [kind_of(change) for change in changes]
        for kind in sorted({kind for kind in kinds if kinds.count(kind) > 1}):
            self.say(kind, msg("同一项改动写了两次，请只留一次。"))

    def say(self, kind: str, problem: Message) -> None:
        self.found.setdefault(kind, problem)

    def price(self, kind: str, yuan: Decimal) -> None:
        if not yuan.is_finite() or not 0 <= yuan <= _MOST_YUAN:
            self.say(kind, msg("价格应在 0 至 {most} 元/公斤之间。", most=f"{_MOST_YUAN:,.0f}"))

    def grade(self, kind: str, grade: int) -> None:
        if not 0 <= grade <= 1000:
            self.say(kind, msg("等级应是 0 至 1000 之间的整数。"))

    def codes(self, kind: str, codes: frozenset[str]) -> None:
        if not codes or any(not code or code != code.strip() or ";" in code for code in codes):
            self.say(kind, msg("请写明资质代码，前后不带空格，一次至少一个。"))

    def quantity(self, kind: str, grams: Gram) -> None:
        if not 0 < grams <= MOST_GRAMS:
            self.say(kind, msg("数量应大于 0，不超过 {most} 公斤。", most=kg_text(MOST_GRAMS)))

    def min_order(self, kind: str, least: Gram, quantity: Gram) -> None:
        if quantity > 0 and not 0 <= least <= quantity:
            self.say(kind, msg("起订量应在 0 至数量 {most} 公斤之间。", most=kg_text(quantity)))

    def window(self, kind: str, begin: date, end: date) -> None:
        if begin > end:
            text = msg("开始日期 {begin} 晚于结束日期 {end}。", begin=begin.isoformat(), end=end.isoformat())
            self.say(kind, text)

    def done(self) -> None:
        if self.found:
            raise Invalid(next(iter(self.found.values())), self.found)


def kind_of(change: Change) -> str:
    """The ``type`` that a change bears in JSON."""
    return str(change.__struct_config__.tag)


def apply_changes(
    lots: Sequence[Lot],
    demands: Sequence[Demand],
    changes: Sequence[Change],
    *,
    lot_id: str | None = None,
    demand_id: str | None = None,
) -> tuple[list[Lot], list[Demand]]:
    """Return the market with ``changes`` made; ``lot_id`` and ``demand_id`` stand for an ``of`` of None.

    Raises:
        Invalid: whom a change is of is not said, is not in this market, or a value cannot be.
    """
    of_lots: dict[str, list[LotChange]] = {}
    of_demands: dict[str, list[DemandChange]] = {}
    for change in changes:
        if isinstance(change, LotChange):
            of_lots.setdefault(_whom(change, lot_id), []).append(change)
        else:
            of_demands.setdefault(_whom(change, demand_id), []).append(change)
    return (
        _replaced(lots, of_lots, changed_lot, msg("批次")),
        _replaced(demands, of_demands, changed_demand, msg("需求")),
    )


def _whom(change: Change, subject: str | None) -> str:
    whom = change.of if change.of is not None else subject
    if whom is None:
        problem = msg("请写明这项改动改的是谁。")
        raise Invalid(problem, {kind_of(change): problem})
    return whom


def _replaced(
    sides: Sequence[Party],
    of: dict[str, list[Step]],
    make: Callable[[Party, Sequence[Step]], Party],
    what: Message,
) -> list[Party]:
    known = {side.id for side in sides}
    for id_, changes in of.items():
        if id_ not in known:
            problem = msg("市场里没有这个{what}：{id}。", what=what, id=id_)
            raise Invalid(problem, {kind_of(changes[0]): problem})
    return [make(side, of[side.id]) if side.id in of else side for side in sides]

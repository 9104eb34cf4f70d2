"""Who gets what: the cost of hardship bonuses, and a report by village.

A bonus (``priority``) makes a lot go first where it nearly would anyway. What that costs is told beside
what it moves, by solving the same market without any bonus.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from math import fsum

import msgspec

from market.matching.engine import Result, solve_market
from market.matching.explaining.whatif import Barred, Shift, fen_of, mean_price, shifts
from market.matching.rules import Demand, Lot, Parameters
from market.units import Fen, Gram


class Sales(msgspec.Struct, frozen=True, kw_only=True):
    """Of some lots: grams offered and sold, and the share sold (0 to 1)."""

    lots: int
    offered: Gram
    sold: Gram
    share: float


class PriorityCost(msgspec.Struct, frozen=True, kw_only=True):
    """What hardship bonuses move, and what they cost. Worth in yuan, bonuses not counted.

    ``cost_yuan`` = worth without bonuses - worth with them, never below 0 where ``exact``; ``cost_share``
    is its part of the worth without. ``bonus_yuan`` is what the bonuses come to as counted in the search;
    nobody is paid it. ``moved``: every lot and demand that trades more or less for it, largest first.
    """

    marked_with: Sales
    marked_without: Sales
    others_with: Sales
    others_without: Sales
    moved: tuple[Shift, ...]
    worth_with: float
    worth_without: float
    cost_yuan: float
    cost_share: float
    bonus_yuan: float
    exact: bool


def cost_of_priorities(
    lots: Sequence[Lot],
    demands: Sequence[Demand],
    parameters: Parameters,
    *,
    barred: Barred = frozenset(),
    result: Result | None = None,
    deadline: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> PriorityCost:
    """Compare the market with and without its lots' priorities; ``result`` is the one with, if known."""
    plain = [msgspec.structs.replace(lot, priority=Decimal(0)) if lot.priority else lot for lot in lots]
    if result is None:
        result = solve_market(lots, demands, parameters, barred=barred, deadline=deadline, clock=clock)
    without = solve_market(plain, demands, parameters, barred=barred, deadline=deadline, clock=clock)
    bonus = fsum(float(lots[pair.lot].priority) * pair.quantity / 1000 for pair in result.pairs)
    worth_with = result.certificate.worth_yuan - bonus
    worth_without = without.certificate.worth_yuan
    exact = result.certificate.exact and without.certificate.exact
    # Below a fen it is rounding.
    cost = worth_without - worth_with
    cost = 0.0 if abs(cost) < 0.01 else cost
    marked = [lot.priority > 0 for lot in lots]
    unmarked = [not mark for mark in marked]
    return PriorityCost(
        marked_with=_sales(lots, result, marked),
        marked_without=_sales(lots, without, marked),
        others_with=_sales(lots, result, unmarked),
        others_without=_sales(lots, without, unmarked),
        moved=shifts(lots, demands, without, result),
        worth_with=worth_with,
        worth_without=worth_without,
        cost_yuan=cost,
        cost_share=cost / worth_without if worth_without > 0 else 0.0,
        bonus_yuan=bonus,
        exact=exact,
    )


def _sales(lots: Sequence[Lot], result: Result, which: Sequence[bool]) -> Sales:
    places = [k for k, chosen in enumerate(which) if chosen]
    offered = sum(lots[k].quantity for k in places)
    sold = sum(result.lots[k].traded for k in places)
    return Sales(
        lots=len(places), offered=Gram(offered), sold=Gram(sold), share=sold / offered if offered else 0.0
    )


class VillageReport(msgspec.Struct, frozen=True, kw_only=True):
    """One seller's (village's, cooperative's) part in a result. Prices are farm-gate means, yuan per kg.

    ``ask`` is the mean ask of what it sold, so that ``price`` - ``ask`` is what it gained per kg; both None
    where nothing is sold. ``obstacle``: the code that keeps back the most of what is left ("" if nothing
    is), each lot counted under its first finding.
    """

    seller: str
    lots: int
    offered: Gram
    sold: Gram
    left: Gram
    share: float
    revenue: Fen
    price: Decimal | None
    ask: Decimal | None
    marked_lots: int
    obstacle: str


def by_village(
    lots: Sequence[Lot], result: Result, *, village_of: Mapping[str, str] | None = None
) -> tuple[VillageReport, ...]:
    """Report a result per seller, the most left over first.

    ``village_of`` maps sellers to what they are counted under, where several sellers are one village.
    """
    place_of: dict[str, list[int]] = {}
    for k, lot in enumerate(lots):
        seller = lot.seller if village_of is None else village_of.get(lot.seller, lot.seller)
        place_of.setdefault(seller, []).append(k)
    money, asked = [Decimal(0)] * len(lots), [Decimal(0)] * len(lots)
    for pair in result.pairs:
        money[pair.lot] += pair.price * pair.quantity
        asked[pair.lot] += lots[pair.lot].ask * pair.quantity
    found = []
    for seller, places in place_of.items():
        offered = sum(lots[k].quantity for k in places)
        sold = sum(result.lots[k].traded for k in places)
        revenue = sum((money[k] for k in places), Decimal(0))
        held: dict[str, int] = {}
        for k in places:
            if unlocks := result.diagnosis.get(k):
                code = unlocks[0].obstacle
                held[code] = held.get(code, 0) + result.lots[k].rest
        found.append(
            VillageReport(
                seller=seller,
                lots=len(places),
                offered=Gram(offered),
                sold=Gram(sold),
                left=Gram(offered - sold),
                share=sold / offered if offered else 0.0,
                revenue=fen_of(revenue),
                price=mean_price(revenue, sold),
                ask=mean_price(sum((asked[k] for k in places), Decimal(0)), sold),
                marked_lots=sum(1 for k in places if lots[k].priority > 0),
                obstacle=min(held, key=lambda code: (-held[code], code), default=""),
            )
        )
    return tuple(sorted(found, key=lambda one: (-one.left, one.seller)))

"""Every claim of the diagnosis against the market solved again, on tiny markets with many ties."""

from datetime import timedelta
from decimal import Decimal
from typing import TypeVar

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings

from fixtures.markets import Shape, synthetic_market
from market.matching.candidates import Market
from market.matching.changes import (
    Ask,
    Ceiling,
    Change,
    Credentials,
    DemandWindow,
    Dropped,
    Grade,
    LotWindow,
    MinGrade,
    Reach,
    apply_changes,
)
from market.matching.colgen import solve_product
from market.matching.diagnosis import Unlock, diagnose_demands, diagnose_lots
from market.matching.engine import solve_market
from market.matching.pairs import Pairs
from market.matching.rules import Demand, Lot, Parameters, why_not
from market.matching.solver import scale_for
from market.units import Gram
from tests.unit.matching.markets import DAY, demand, lot, tiny_markets

PARAMETERS = Parameters()
#: A tie is broken by so many yuan per kg: less than what counts as one, more than any rounding.
HAIR = Decimal("0.0000002")
Market_ = tuple[list[Lot], list[Demand]]
Side = TypeVar("Side", Lot, Demand)


def worth(lots: list[Lot], demands: list[Demand]) -> float:
    return solve_market(lots, demands, PARAMETERS).certificate.worth_yuan


def least_sold(lots: list[Lot], demands: list[Demand], place: int) -> int:
    """What a lot sells in the optimum that sells least of it: every other lot wins ties against it."""
    nudged = [lots[k] if k == place else _dearer(lots[k]) for k in range(len(lots))]
    return solve_market(nudged, demands, PARAMETERS).lots[place].traded


def most_sold(lots: list[Lot], demands: list[Demand], place: int) -> int:
    nudged = [_dearer(lots[k]) if k == place else lots[k] for k in range(len(lots))]
    return solve_market(nudged, demands, PARAMETERS).lots[place].traded


def _dearer(a: Lot) -> Lot:
    return msgspec.structs.replace(a, priority=a.priority + HAIR)


def hair_smaller(a: Lot, change: Change) -> list[Change] | None:
    """The same change a little smaller: no changes at all where there is no smaller one."""
    if isinstance(change, Ask):
        return [Ask(ask=change.ask + Decimal("0.0001"))]
    if isinstance(change, Grade):
        return [Grade(grade=change.grade - 1)]
    if isinstance(change, LotWindow):
        begin, end = change.available_from, change.available_to
        if begin is not None:
            return [LotWindow(available_from=begin + timedelta(1))]
        assert end is not None
        return [LotWindow(available_to=end - timedelta(1))]
    if isinstance(change, Reach):
        assert change.max_distance_km is not None
        return [Reach(of=change.of, max_distance_km=change.max_distance_km - 0.1)]
    return None


def check_claim(lots: list[Lot], demands: list[Demand], place: int, sold: int, unlock: Unlock) -> None:
    """The promise of ``unlocks``: in an optimum so much more is sold, a hair less and nothing more is."""
    a = lots[place]
    after = apply_changes(lots, demands, unlock.changes, lot_id=a.id)
    assert most_sold(*after, place) >= sold + unlock.grams
    if unlock.cost:
        assert least_sold(*after, place) >= sold + unlock.grams
    if len(unlock.changes) == 1:
        smaller = hair_smaller(a, unlock.changes[0])
        if smaller is not None:
            before = apply_changes(lots, demands, smaller, lot_id=a.id)
            assert least_sold(*before, place) <= sold
        if isinstance(unlock.changes[0], Credentials):
            for code in unlock.changes[0].codes:
                fewer = [Credentials(codes=unlock.changes[0].codes - {code})]
                if fewer[0].codes:
                    before = apply_changes(lots, demands, fewer, lot_id=a.id)
                    assert least_sold(*before, place) <= sold


def check_pair(lots: list[Lot], demands: list[Demand], place: int, sold: int, unlock: Unlock) -> None:
    """Where no single change opens anything, neither part of a pair does."""
    for change in unlock.changes:
        alone = apply_changes(lots, demands, [change], lot_id=lots[place].id)
        assert least_sold(*alone, place) <= sold


@settings(max_examples=400, deadline=None)
@given(tiny_markets())
def test_every_claim_flips_on_both_sides(market: Market_) -> None:
    lots, demands = market
    result = solve_market(lots, demands, PARAMETERS)
    assert sorted(result.diagnosis) == [k for k, side in enumerate(result.lots) if side.rest]
    for place, unlocks in result.diagnosis.items():
        for unlock in unlocks:
            assert unlock.confirmed
            assert unlock.grams <= result.lots[place].rest
            assert bool(unlock.grams) == bool(unlock.changes) == bool(unlock.demands)
            if unlock.changes:
                check_claim(lots, demands, place, result.lots[place].traded, unlock)
        if unlocks[0].changes and all(len(unlock.changes) == 2 for unlock in unlocks):
            for unlock in unlocks:
                check_pair(lots, demands, place, result.lots[place].traded, unlock)


def single_changes(a: Lot, demands: list[Demand]) -> list[list[Change]]:
    """Every single change that could matter to a lot that has sold nothing, in a coarse grid of prices."""
    tries: list[Change] = [Ask(ask=Decimal(0))]
    tries += [Grade(grade=g) for g in sorted({b.min_grade for b in demands}) if g > a.grade]
    tries += [LotWindow(available_to=b.deliver_from) for b in demands if b.deliver_from > a.available_to]
    tries += [LotWindow(available_from=b.deliver_to) for b in demands if b.deliver_to < a.available_from]
    tries += [Credentials(codes=frozenset({"SC"}))]
    tries += [Reach(of=b.id, max_distance_km=None) for b in demands if b.max_distance_km is not None]
    return [[change] for change in tries]


@settings(max_examples=150, deadline=None)
@given(tiny_markets())
def test_whoever_is_told_that_nothing_helps_is_told_the_truth(market: Market_) -> None:
    lots, demands = market
    result = solve_market(lots, demands, PARAMETERS)
    total = result.certificate.worth_yuan
    for place, unlocks in result.diagnosis.items():
        codes = {unlock.obstacle for unlock in unlocks if unlock.grams and "+" not in unlock.obstacle}
        for changes in single_changes(lots[place], demands):
            kind = type(changes[0])
            after = apply_changes(lots, demands, changes, lot_id=lots[place].id)
            more = least_sold(*after, place) > result.lots[place].traded
            if kind is Ask:
                assert bool(codes & {"price", "outbid"}) == more
            elif result.lots[place].traded == 0:
                name = {Grade: "grade", LotWindow: "window", Credentials: "credential", Reach: "distance"}[
                    kind
                ]
                assert name in codes or not more
                assert worth(*after) >= total - 1e-9

"""What-if, why-not and fairness: what they tell is what solving the market again shows."""

import datetime
from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.errors import Invalid, NotFound
from market.matching.diagnosis.changes import (
    Ask,
    Ceiling,
    Change,
    Credentials,
    DemandMinOrder,
    DemandQuantity,
    DemandWindow,
    Dropped,
    Grade,
    LotMinOrder,
    LotQuantity,
    LotWindow,
    MaxLots,
    MinGrade,
    Reach,
    apply_changes,
    changed_demand,
    changed_lot,
)
from market.matching.engine import solve_market
from market.matching.explaining.fairness import by_village, cost_of_priorities
from market.matching.explaining.whatif import what_if
from market.matching.explaining.why import why_pair
from market.matching.rules import Demand, Lot, Parameters
from market.units import Fen, Gram
from tests.unit.matching.markets import DAY, demand, lot, tiny_markets

PARAMETERS = Parameters()
EVERY_CHANGE: list[Change] = [
    Ask(ask=Decimal("1.5")),
    Grade(grade=2),
    Credentials(codes=frozenset({"SC"})),
    LotMinOrder(min_order=Gram(5)),
    LotWindow(available_to=DAY + timedelta(60)),
    LotQuantity(quantity=Gram(5_000)),
    Ceiling(ceiling=Decimal("9.25"), of="D1"),
    MinGrade(min_grade=0, of="D1"),
    Dropped(codes=frozenset({"SC"}), of="D1"),
    DemandMinOrder(min_order=Gram(0), of="D1"),
    DemandWindow(deliver_from=DAY, of="D1"),
    DemandQuantity(quantity=Gram(7), of="D1"),
    MaxLots(max_lots=None, of="D1"),
    Reach(max_distance_km=12.5, of="D1"),
]


def test_changes_survive_json_and_refuse_what_they_do_not_know() -> None:
    stored = msgspec.json.encode(EVERY_CHANGE)
    assert msgspec.json.decode(stored, type=list[Change]) == EVERY_CHANGE
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'[{"type": "ask", "ask": "1", "colour": 2}]', type=list[Change])


def test_changes_set_one_field_each() -> None:
    lots, demands = apply_changes(
        [lot(credentials=frozenset({"green"}))],
        [demand(requires=frozenset({"SC", "gap"}))],
        EVERY_CHANGE,
        lot_id="L1",
    )
    assert lots == [
        lot(
            ask="1.5",
            grade=2,
            credentials=frozenset({"SC", "green"}),
            min_order=Gram(5),
            available_to=DAY + timedelta(60),
            quantity=Gram(5_000),
        )
    ]
    assert demands == [
        demand(ceiling="9.25", requires=frozenset({"gap"}), quantity=Gram(7), max_distance_km=12.5)
    ]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (Ask(ask=Decimal("-0.01")), "ask"),
        (Ask(ask=Decimal("NaN")), "ask"),
        (Grade(grade=-1), "grade"),
        (Credentials(codes=frozenset()), "credentials"),
        (Credentials(codes=frozenset({" SC"})), "credentials"),
        (LotMinOrder(min_order=Gram(1_000_001)), "lot_min_order"),
        (LotWindow(available_from=DAY + timedelta(31)), "lot_window"),
        (LotQuantity(quantity=Gram(0)), "lot_quantity"),
        (Ceiling(ceiling=Decimal("1e9")), "ceiling"),
        (MinGrade(min_grade=-2), "min_grade"),
        (Dropped(codes=frozenset({"SC"})), "dropped"),
        (DemandMinOrder(min_order=Gram(-1)), "demand_min_order"),
        (DemandWindow(deliver_to=DAY - timedelta(1)), "demand_window"),
        (DemandQuantity(quantity=Gram(-5)), "demand_quantity"),
        (MaxLots(max_lots=0), "max_lots"),
        (Reach(max_distance_km=float("nan")), "reach"),
    ],
)
def test_impossible_change_is_refused_beside_its_field(change: Change, kind: str) -> None:
    with pytest.raises(Invalid) as refused:
        apply_changes([lot()], [demand()], [change], lot_id="L1", demand_id="D1")
    assert list(refused.value.fields) == [kind]


def test_change_written_twice_or_of_a_stranger_is_refused() -> None:
    with pytest.raises(Invalid):
        changed_lot(lot(), [Grade(grade=1), Grade(grade=2)])
    with pytest.raises(Invalid):
        changed_demand(demand(), [MaxLots(max_lots=1), MaxLots(max_lots=None)])
    with pytest.raises(Invalid):
        what_if([lot()], [demand()], PARAMETERS, lot_id="L1", changes=[Reach(max_distance_km=None)])
    with pytest.raises(Invalid):
        what_if([lot()], [demand()], PARAMETERS, lot_id="L1", changes=[Reach(max_distance_km=1.0, of="D9")])
    with pytest.raises(NotFound):
        what_if([lot()], [demand()], PARAMETERS, lot_id="L9", changes=[])


def test_cut_price_shows_who_gains_and_who_loses() -> None:
    lots = [lot("L1", ask="2.5"), lot("L2", ask="2"), lot("L3", product="rice")]
    effect = what_if(lots, [demand(ceiling="3")], PARAMETERS, lot_id="L1", changes=[Ask(ask=Decimal("1.9"))])
    assert (effect.before.traded, effect.before.price, effect.before.revenue) == (0, None, 0)
    assert (effect.after.traded, effect.after.rest) == (1_000_000, 0)
    assert [(t.partner, t.quantity, t.price) for t in effect.after.trades] == [
        ("D1", 1_000_000, Decimal("1.95"))
    ]
    assert effect.after.revenue == Fen(195_000)
    assert [(s.side, s.id, s.before, s.after) for s in effect.others] == [("lot", "L2", 1_000_000, 0)]
    assert effect.worth_before == pytest.approx(1000)
    assert effect.worth_after == pytest.approx(1100)
    assert effect.exact


def test_buyer_sees_what_a_dropped_requirement_brings() -> None:
    demands = [demand(requires=frozenset({"SC"})), demand("D2", ceiling="2.5")]
    effect = what_if([lot()], demands, PARAMETERS, demand_id="D1", changes=[Dropped(codes=frozenset({"SC"}))])
    assert (effect.side, effect.before.traded, effect.after.traded) == ("demand", 0, 1_000_000)
    assert [(s.id, s.before, s.after) for s in effect.others] == [("D2", 1_000_000, 0)]


def test_change_of_the_other_side_is_told_for_the_subject() -> None:
    far = demand(latitude=39.9, longitude=116.4, ceiling="9", max_distance_km=100.0)
    effect = what_if([lot()], [far], PARAMETERS, lot_id="L1", changes=[Reach(max_distance_km=None, of="D1")])
    assert (effect.before.traded, effect.after.traded) == (0, 1_000_000)


@settings(max_examples=60, deadline=None)
@given(tiny_markets(limits=True), st.sets(st.sampled_from([("L0", "D0"), ("L1", "D0")]), max_size=2))
def test_reason_of_any_pair_is_true(
    market: tuple[list[Lot], list[Demand]], barred: set[tuple[str, str]]
) -> None:
    lots, demands = market
    result = solve_market(lots, demands, PARAMETERS, barred=frozenset(barred))
    paired = {(lots[p.lot].id, demands[p.demand].id): p.quantity for p in result.pairs}
    for a in lots:
        for b in demands:
            why = why_pair(
                lots,
                demands,
                PARAMETERS,
                lot_id=a.id,
                demand_id=b.id,
                barred=frozenset(barred),
                result=result,
            )
            assert why.quantity == paired.get((a.id, b.id), 0)
            assert (why.code == "paired") == ((a.id, b.id) in paired)
            assert (why.code in [o.code for o in why.obstacles]) == bool(why.obstacles)
            if why.code == "declined":
                assert (a.id, b.id) in barred
            if why.code == "better_elsewhere":
                assert why.figures
                assert why.figures.short > 0
                assert why.lot_uses or why.competitors
            if why.code == "tie":
                assert why.figures
                assert why.figures.short == pytest.approx(0, abs=1e-6)


def test_why_not_names_who_took_the_demand_and_at_what_price() -> None:
    lots = [lot("L1", ask="2.5"), lot("L2", ask="2"), lot("L3", product="rice")]
    why = why_pair(lots, [demand(ceiling="3")], PARAMETERS, lot_id="L1", demand_id="D1")
    assert why.code == "better_elsewhere"
    assert [(use.partner, use.quantity, use.delivered) for use in why.competitors] == [
        ("L2", 1_000_000, Decimal("2.25"))
    ]
    assert why.figures
    assert why.figures.short == pytest.approx(0.25)
    rice = why_pair(lots, [demand()], PARAMETERS, lot_id="L3", demand_id="D1")
    assert (rice.code, rice.figures) == ("product", None)


def test_why_not_names_the_rule_that_binds() -> None:
    few = [demand(kg="1000", max_lots=1)]
    why = why_pair([lot("L1", kg="600"), lot("L2", kg="500")], few, PARAMETERS, lot_id="L2", demand_id="D1")
    assert why.code == "max_lots"
    why = why_pair(
        [lot(min_order=Gram(900_000))], [demand(kg="100")], PARAMETERS, lot_id="L1", demand_id="D1"
    )
    assert why.code == "min_order"


def test_bonus_has_its_cost_beside_it() -> None:
    lots = [lot("L1", ask="2"), lot("L2", ask="2.1", priority=Decimal("0.5"))]
    cost = cost_of_priorities(lots, [demand(ceiling="3")], PARAMETERS)
    assert (cost.marked_with.share, cost.marked_without.share) == (1.0, 0.0)
    assert (cost.others_with.sold, cost.others_without.sold) == (0, 1_000_000)
    assert cost.cost_yuan == pytest.approx(100)
    assert cost.cost_share == pytest.approx(0.1)
    assert cost.bonus_yuan == pytest.approx(500)
    assert [(shift.id, shift.before, shift.after) for shift in cost.moved] == [
        ("L1", 1_000_000, 0),
        ("L2", 0, 1_000_000),
    ]


@settings(max_examples=60, deadline=None)
@given(tiny_markets())
def test_bonuses_never_make_the_market_worth_more(market: tuple[list[Lot], list[Demand]]) -> None:
    lots, demands = market
    cost = cost_of_priorities(lots, demands, PARAMETERS)
    assert cost.cost_yuan >= 0
    assert cost.marked_with.offered + cost.others_with.offered == sum(a.quantity for a in lots)


def test_village_report_adds_up() -> None:
    lots = [
        lot("L1", ask="2", seller="east"),
        lot("L2", ask="2.4", seller="east"),
        lot("L3", product="silk", seller="west", priority=Decimal(1)),
    ]
    result = solve_market(lots, [demand(ceiling="3", kg="1500")], PARAMETERS)
    west, east = by_village(lots, result)
    assert (east.seller, east.lots, east.sold, east.left) == ("east", 2, 1_500_000, 500_000)
    assert east.revenue == Fen(360_000)
    assert (east.price, east.obstacle) == (Decimal("2.4"), "outbid")
    assert (west.share, west.price, west.marked_lots, west.obstacle) == (0.0, None, 1, "no_demand")
    (both,) = by_village(lots, result, village_of={"east": "V", "west": "V"})
    assert (both.offered, both.share) == (3_000_000, 0.5)


def test_window_of_a_lot_keeps_its_other_end() -> None:
    later = changed_lot(lot(), [LotWindow(available_to=datetime.date(2026, 12, 1))])
    assert (later.available_from, later.available_to) == (DAY, datetime.date(2026, 12, 1))

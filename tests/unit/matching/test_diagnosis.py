"""Every claim of the diagnosis against the market solved again, on tiny markets with many ties."""

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings

from fixtures.markets import Shape, synthetic_market
from market.i18n import Message
from market.matching.diagnosis import displacement, obstacles
from market.matching.diagnosis.changes import (
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
from market.matching.diagnosis.diagnosis import Unlock
from market.matching.engine import solve_market
from market.matching.explaining.why import why_pair
from market.matching.optimum.candidates import Market
from market.matching.rules import Demand, Lot, Parameters, why_not
from tests.unit.matching.markets import demand, lot, tiny_markets

PARAMETERS = Parameters()
#: A tie is broken by so many yuan per kg: less than what counts as one, more than any rounding.
HAIR = Decimal("0.0000000002")
Market_ = tuple[list[Lot], list[Demand]]


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


def without_idle_sales(lots: list[Lot]) -> list[Lot]:
    """Move the asks so that no sale gains nothing: the engine makes such sales, for no worth to measure."""
    return [msgspec.structs.replace(a, ask=a.ask + Decimal("0.03")) for a in lots]


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
        if isinstance(change, Reach):  # lets others in as well, whose places then are free
            continue
        alone = apply_changes(lots, demands, [change], lot_id=lots[place].id)
        assert least_sold(*alone, place) <= sold


@settings(max_examples=400, deadline=None)
@given(tiny_markets())
def test_every_claim_flips_on_both_sides(market: Market_) -> None:
    lots, demands = without_idle_sales(market[0]), market[1]
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
    return [[change] for change in tries]


@settings(max_examples=150, deadline=None)
@given(tiny_markets())
def test_claims_hold_beside_sales_that_gain_nothing(market: Market_) -> None:
    lots, demands = market
    result = solve_market(lots, demands, PARAMETERS)
    for place, unlocks in result.diagnosis.items():
        for unlock in unlocks:
            after = apply_changes(lots, demands, unlock.changes, lot_id=lots[place].id)
            assert most_sold(*after, place) >= result.lots[place].traded + unlock.grams


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
                name = {Grade: "grade", LotWindow: "window", Credentials: "credential"}[kind]
                assert name in codes or not more
                assert worth(*after) >= total - 1e-9


@settings(max_examples=150, deadline=None)
@given(tiny_markets())
def test_longer_road_is_found_where_nobody_else_would_come_by_it(market: Market_) -> None:
    lots, demands = market
    lots = lots[:1]
    result = solve_market(lots, demands, PARAMETERS)
    for unlocks in result.diagnosis.values():
        found = any(unlock.obstacle == "distance" and unlock.grams for unlock in unlocks)
        for b in demands:
            after = apply_changes(lots, demands, [Reach(of=b.id, max_distance_km=None)])
            more = solve_market(*after, PARAMETERS).lots[0].traded > result.lots[0].traded
            assert found or not more


def demand_diagnosis(lots: list[Lot], demands: list[Demand]) -> dict[int, list[Unlock]]:
    return solve_market(lots, demands, PARAMETERS, demands_too=True).demand_diagnosis


def check_demand(lots: list[Lot], demands: list[Demand], place: int, served: int, unlock: Unlock) -> None:
    b = demands[place]
    after = apply_changes(lots, demands, unlock.changes, demand_id=b.id)
    assert most_served(*after, place) >= served + unlock.grams
    if len(unlock.changes) > 1:
        return
    change = unlock.changes[0]
    smaller: Change | None = None
    if isinstance(change, Ceiling):
        smaller = Ceiling(ceiling=change.ceiling - Decimal("0.0001"))
    elif isinstance(change, MinGrade):
        smaller = MinGrade(min_grade=change.min_grade + 1)
    elif isinstance(change, DemandWindow) and change.deliver_from is not None:
        smaller = DemandWindow(deliver_from=change.deliver_from + timedelta(1))
    elif isinstance(change, DemandWindow) and change.deliver_to is not None:
        smaller = DemandWindow(deliver_to=change.deliver_to - timedelta(1))
    if smaller is not None:
        before = apply_changes(lots, demands, [smaller], demand_id=b.id)
        assert least_served(*before, place) <= served


def most_served(lots: list[Lot], demands: list[Demand], place: int) -> int:
    nudged = [_keener(demands[k]) if k == place else demands[k] for k in range(len(demands))]
    return solve_market(lots, nudged, PARAMETERS).demands[place].traded


def least_served(lots: list[Lot], demands: list[Demand], place: int) -> int:
    """Every other demand wins ties: all lots would rather serve it by a hair, by what it pays them."""
    total = [_keener(demands[k]) for k in range(len(demands)) if k != place]
    nudged = [*total[:place], demands[place], *total[place:]]
    return solve_market(lots, nudged, PARAMETERS).demands[place].traded


def _keener(b: Demand) -> Demand:
    return msgspec.structs.replace(b, ceiling=b.ceiling + HAIR)


@settings(max_examples=300, deadline=None)
@given(tiny_markets())
def test_every_claim_for_a_demand_flips_on_both_sides(market: Market_) -> None:
    lots, demands = without_idle_sales(market[0]), market[1]
    result = solve_market(lots, demands, PARAMETERS, demands_too=True)
    found = result.demand_diagnosis
    assert sorted(found) == [k for k, side in enumerate(result.demands) if side.rest]
    for place, unlocks in found.items():
        for unlock in unlocks:
            assert not unlock.demands
            assert bool(unlock.grams) == bool(unlock.changes) == bool(unlock.lots)
            if unlock.changes:
                check_demand(lots, demands, place, result.demands[place].traded, unlock)


@settings(max_examples=100, deadline=None)
@given(tiny_markets(limits=True))
def test_under_limits_claims_open_pairs_and_are_marked(market: Market_) -> None:
    """What is named is admissible after the changes; more is not proven, and not said to be."""
    lots, demands = market
    arrays = Market(lots, demands, PARAMETERS)
    result = solve_market(lots, demands, PARAMETERS, demands_too=True)
    for place, unlocks in result.diagnosis.items():
        limited = arrays.limited(arrays.products.index(lots[place].product))
        for unlock in unlocks:
            assert unlock.confirmed == (not limited) or not unlock.changes
            after = apply_changes(lots, demands, unlock.changes, lot_id=lots[place].id)
            assert [why_not(after[0][place], after[1][j], PARAMETERS) for j in unlock.demands] == [
                () for _ in unlock.demands
            ]
    for place, unlocks in result.demand_diagnosis.items():
        for unlock in unlocks:
            after = apply_changes(lots, demands, unlock.changes, demand_id=demands[place].id)
            assert [why_not(after[0][i], after[1][place], PARAMETERS) for i in unlock.lots] == [
                () for _ in unlock.lots
            ]


@pytest.mark.parametrize("limits", [False, True])
def test_machine_code_finds_what_tables_find(limits: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    lots, demands = synthetic_market(
        Shape(lots=150, demands=150, products=2, min_orders=limits, max_lots=limits), seed=3
    )
    barred = frozenset((a.id, b.id) for a in lots[::3] for b in demands[::5])

    def found(many: int) -> tuple[dict[int, list[Unlock]], dict[int, list[Unlock]]]:
        monkeypatch.setattr(displacement, "MANY", many)
        monkeypatch.setattr(obstacles, "MANY", many)
        result = solve_market(lots, demands, PARAMETERS, barred=barred, demands_too=True)
        return result.diagnosis, result.demand_diagnosis

    tables = found(10**9)
    assert found(0) == tables
    assert sum(unlock.grams > 0 for unlocks in tables[0].values() for unlock in unlocks) > 50


def opened(found: dict[int, list[Unlock]]) -> list[tuple[str, int]]:
    return [(unlock.obstacle, unlock.grams) for unlock in found[0]]


def test_two_changes_are_told_where_one_is_not_enough() -> None:
    found = solve_market([lot(grade=0)], [demand(min_grade=2, requires=frozenset({"SC"}))], PARAMETERS)
    assert opened(found.diagnosis) == [("grade+credential", 1_000_000)]
    assert found.diagnosis[0][0].changes == (Grade(grade=2), Credentials(codes=frozenset({"SC"})))
    found = solve_market([lot(ask="4")], [demand(requires=frozenset({"SC"}))], PARAMETERS)
    assert opened(found.diagnosis) == [("credential+price", 1_000_000)]
    assert found.diagnosis[0][0].cost == Decimal(1)


def test_pair_of_changes_is_told_beside_a_single_one_that_opens_far_less() -> None:
    small = demand("D1", kg="10", requires=frozenset({"SC"}))
    large = demand("D2", kg="500", requires=frozenset({"SC"}), min_grade=1)
    found = solve_market([lot()], [small, large], PARAMETERS)
    assert opened(found.diagnosis) == [("grade+credential", 500_000), ("credential", 10_000)]


def test_freight_that_could_bear_the_cut_is_told_with_its_share() -> None:
    far = demand(latitude=39.9, longitude=116.4, ceiling="2.3")
    (unlock,) = solve_market([lot(ask="2")], [far], PARAMETERS).diagnosis[0]
    assert unlock.obstacle == "price"
    more = unlock.change.values["more"]
    assert isinstance(more, Message)
    freight, percent = Decimal(str(more.values["freight"])), int(str(more.values["percent"]))
    assert freight * (percent - 1) / 100 < unlock.cost <= freight * percent / 100 + Decimal("0.0001")


def test_ways_to_different_demands_by_different_credentials_are_each_told() -> None:
    wanted = [
        demand("D1", kg="10", requires=frozenset({"SC"})),
        demand("D2", kg="20", requires=frozenset({"gap"})),
        demand("D3", kg="40", requires=frozenset({"gap", "SC"})),
    ]
    found = solve_market([lot()], wanted, PARAMETERS).diagnosis[0]
    assert [(u.obstacle, u.grams, u.changes) for u in found] == [
        ("credential", 20_000, (Credentials(codes=frozenset({"gap"})),)),
        ("credential", 10_000, (Credentials(codes=frozenset({"SC"})),)),
    ]


def test_value_is_what_the_kilograms_come_to_at_the_new_ask() -> None:
    (unlock,) = solve_market([lot(ask="3.5")], [demand(ceiling="3")], PARAMETERS).diagnosis[0]
    assert (unlock.cost, unlock.value) == (Decimal("0.5"), 300_000)


def test_demand_is_told_what_would_bring_it_goods() -> None:
    (unlock,) = demand_diagnosis([lot(ask="2")], [demand(ceiling="1.5", kg="400")])[0]
    assert (unlock.obstacle, unlock.grams, unlock.lots) == ("price", 400_000, (0,))
    assert unlock.changes == (Ceiling(ceiling=Decimal(2)),)
    (unlock,) = demand_diagnosis([lot()], [demand(requires=frozenset({"SC"}))])[0]
    assert (unlock.obstacle, unlock.changes) == ("credential", (Dropped(codes=frozenset({"SC"})),))
    (unlock,) = demand_diagnosis([lot(product="silk")], [demand()])[0]
    assert (unlock.obstacle, unlock.grams) == ("no_supply", 0)


def test_longer_road_promises_nothing_where_a_better_lot_would_come_by_it() -> None:
    lots = [lot("L1", ask="2"), lot("L2", ask="1.9", latitude=41.6)]
    far = demand(latitude=41.8, longitude=123.4, max_distance_km=50.0)
    found = solve_market(lots, [far], PARAMETERS).diagnosis
    assert [(u.obstacle, u.grams) for u in found[0]] == [("distance", 0)]
    assert [(u.obstacle, u.grams) for u in found[1]] == [("distance", 1_000_000)]


def test_who_alone_buys_and_sells_it_is_told_to_look_for_others() -> None:
    lots, own = [lot(seller="S")], [demand("D1", buyer="S"), demand("D2", buyer="S", ceiling="1")]
    barred = frozenset((lots[0].id, each.id) for each in (*own, demand("D3")))

    def told(demands: list[Demand]) -> tuple[str, str]:
        result = solve_market(lots, demands, PARAMETERS, barred=barred, demands_too=True)
        return result.diagnosis[0][0].obstacle, result.demand_diagnosis[0][0].obstacle

    assert told(own) == ("own", "own")
    # somebody else wanted it too and said no; the demand's only lot is its buyer's own still
    assert told([*own, demand("D3")]) == ("declined", "own")
    why = why_pair(lots, own, PARAMETERS, lot_id="L1", demand_id="D1", barred=barred)
    assert why.code == "own"

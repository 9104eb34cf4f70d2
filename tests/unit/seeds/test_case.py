from datetime import date

import numpy as np
import pytest
from scipy.optimize import linprog
from stdnum.cn import uscc

from market.accounts.rules import HOUSEHOLD, SELLING_KINDS
from seeds import reference
from seeds.case import Demand, Lot, case, on
from seeds.files import SeedError

CASE = case()
PEANUTS = {"peanut", "peanut-kernel"}
#: Yuan per tonne-km, and road over air, as the engine has them by default.
FREIGHT, ROAD = 0.6, 1.3


def km(lot: Lot, demand: Demand) -> float:
    seller, store = CASE.organisation(lot.seller), CASE.store(demand.store)
    here, there = np.radians([seller.lat, seller.lon]), np.radians([store.lat, store.lon])
    half = (there - here) / 2
    chord = np.sin(half[0]) ** 2 + np.cos(here[0]) * np.cos(there[0]) * np.sin(half[1]) ** 2
    return float(2 * 6371.0088 * np.arcsin(np.sqrt(chord)) * ROAD)


def obstacles(lot: Lot, demand: Demand) -> set[str]:
    """Return what keeps the two apart."""
    distance = km(lot, demand)
    return {
        name
        for name, stands in {
            "grade": lot.grade < demand.min_grade,
            "credential": not set(demand.requires) <= set(lot.credentials),
            "window": max(lot.from_day, demand.from_day) > min(lot.to_day, demand.to_day),
            "distance": demand.max_distance_km is not None and distance > demand.max_distance_km,
            "price": lot.ask_fen_per_kg + FREIGHT * distance / 10 > demand.ceiling_fen_per_kg,
            "min_order": max(lot.min_order_kg, demand.min_order_kg)
            > min(lot.quantity_kg, demand.quantity_kg),
        }.items()
        if stands
    }


def best_trade() -> tuple[dict[str, float], dict[str, set[str]]]:
    """Return the kilograms sold of each lot and its buyers, in the best clearing (least lots let be)."""
    pairs = [
        (i, j)
        for i, lot in enumerate(CASE.lots)
        for j, demand in enumerate(CASE.demands)
        if lot.produce == demand.produce and not obstacles(lot, demand)
    ]
    worth = [
        CASE.demands[j].ceiling_fen_per_kg
        - CASE.lots[i].ask_fen_per_kg
        - FREIGHT * km(CASE.lots[i], CASE.demands[j]) / 10
        + CASE.lots[i].priority_fen_per_kg
        for i, j in pairs
    ]
    limits = np.zeros((len(CASE.lots) + len(CASE.demands), len(pairs)))
    for k, (i, j) in enumerate(pairs):
        limits[i, k] = limits[len(CASE.lots) + j, k] = 1
    most = [lot.quantity_kg for lot in CASE.lots] + [demand.quantity_kg for demand in CASE.demands]
    traded = linprog(-np.array(worth), A_ub=limits, b_ub=most).x
    assert traded is not None
    sold: dict[str, float] = {lot.id: 0 for lot in CASE.lots}
    buyers: dict[str, set[str]] = {lot.id: set() for lot in CASE.lots}
    for (i, j), kg in zip(pairs, traded, strict=True):
        if kg > 1:
            sold[CASE.lots[i].id] += kg
            buyers[CASE.lots[i].id].add(CASE.buyer_of(CASE.demands[j]))
    return sold, buyers


SOLD, BUYERS = best_trade()


def test_the_pool_is_a_million_jin() -> None:
    on_sale = sum(lot.quantity_kg for lot in CASE.lots if lot.produce in PEANUTS)
    assert on_sale == 447_500
    assert on_sale + CASE.story.pressing.quantity_kg == CASE.story.figures.peanuts_kg == 500_000
    sellers = {lot.seller for lot in CASE.lots if lot.produce in PEANUTS}
    assert {CASE.organisation(seller).division for seller in sellers} == {"210115118200"}


def test_the_oil_is_what_seven_tanks_hold() -> None:
    figures = CASE.story.figures
    oil = sum(lot.quantity_kg for lot in CASE.lots if lot.produce == "peanut-oil")
    assert oil == CASE.story.pressing.produced_kg == figures.tanks_before * figures.tank_kg


def test_the_figures_of_the_case_are_told_as_they_are() -> None:
    figures = CASE.story.figures
    assert (figures.households, figures.tanks_after) == (172, 27)
    assert (figures.retailers_at_least, figures.media_at_least, figures.chains_at_least) == (20, 10, 10)
    assert len({fact.key for fact in CASE.story.facts}) == len(CASE.story.facts) == 11


def test_licences_are_not_told_as_what_barred_the_oil() -> None:
    told = " ".join(fact.zh + fact.en for fact in CASE.story.facts)
    assert "包装" in told
    assert not any(word in told for word in ("许可证", "SC", "licence"))


def test_participants_are_as_many_as_the_case_had() -> None:
    kinds = [each.kind for each in CASE.organisations]
    counts = {kind: kinds.count(kind) for kind in set(kinds)}
    assert counts == {
        "town": 1,
        "village": 9,
        "cooperative": 7,
        "mill": 1,
        "retailer": 24,
        "media": 12,
        "county": 1,
    }
    assert len(CASE.lots) == 48
    assert len(CASE.demands) == 114


def test_named_companies_are_real_and_all_other_chains_invented() -> None:
    real = {each.zh for each in CASE.organisations if each.kind == "retailer" and not each.invented}
    assert real == {
        "沈阳副食集团", "家乐福", "中兴", "大东副食", "铁西副食", "皇姑副食", "联营", "兴隆大家庭",
    }  # fmt: skip
    assert all(each.invented for each in CASE.stores)
    assert all(each.invented for each in CASE.demands)


def test_codes_are_valid_and_cannot_be_real() -> None:
    codes = [each.uscc for each in CASE.organisations]
    assert all(uscc.is_valid(code) for code in codes)
    assert {code[2:8] for code in codes} == {"219999"}
    assert len(set(codes)) == len(codes)
    assert not any(division.code == "219999" for division in reference.divisions())


def test_telephones_are_of_the_invented_range() -> None:
    assert all(person.phone.startswith("1990000") for person in CASE.people)


def test_everyone_lies_inside_liaoning() -> None:
    places = [(each.id, each.lat, each.lon) for each in CASE.organisations]
    places += [(each.id, each.lat, each.lon) for each in CASE.stores]
    for key, lat, lon in places:
        assert 38.6 < lat < 43.6, key
        assert 118.8 < lon < 125.8, key


def test_every_side_has_people() -> None:
    for each in CASE.organisations:
        role = {"village": "secretary", "retailer": "buyer", "town": "official", "county": "official"}.get(
            each.kind, "seller"
        )
        if each.kind != "media":
            assert CASE.person_for(each.id, role).organisation == each.id


def test_goods_are_sold_by_those_who_may() -> None:
    assert {CASE.organisation(lot.seller).kind for lot in CASE.lots} == SELLING_KINDS - {HOUSEHOLD}
    assert {CASE.organisation(CASE.buyer_of(demand)).kind for demand in CASE.demands} == {"retailer"}


def test_every_retailer_wants_something_and_has_one_to_four_stores() -> None:
    retailers = {each.id for each in CASE.organisations if each.kind == "retailer"}
    stores = [each.organisation for each in CASE.stores]
    assert {CASE.buyer_of(demand) for demand in CASE.demands} == set(stores) == retailers
    assert all(1 <= stores.count(each) <= 4 for each in retailers)


def test_prices_lie_in_the_band_of_their_kind() -> None:
    band = {kind.code: kind.price_band_fen for kind in reference.produce()}
    for lot in CASE.lots:
        low, high = band[lot.produce]
        assert low <= lot.ask_fen_per_kg <= high, lot.id
    for demand in CASE.demands:
        low, high = band[demand.produce]
        assert low <= demand.ceiling_fen_per_kg <= high, demand.id


@pytest.mark.parametrize("lot", [lot for lot in CASE.lots if lot.expected == "sells"], ids=lambda lot: lot.id)
def test_a_lot_that_should_sell_does(lot: Lot) -> None:
    assert SOLD[lot.id] >= 0.95 * lot.quantity_kg


@pytest.mark.parametrize("lot", [lot for lot in CASE.lots if lot.expected == "part"], ids=lambda lot: lot.id)
def test_a_lot_that_should_sell_in_part_does(lot: Lot) -> None:
    assert 0.2 * lot.quantity_kg < SOLD[lot.id] < 0.999 * lot.quantity_kg


@pytest.mark.parametrize(
    "lot",
    [
        lot
        for lot in CASE.lots
        if lot.expected in ("price", "grade", "credential", "window", "distance", "min_order")
    ],
    ids=lambda lot: f"{lot.id}-{lot.expected}",
)
def test_a_stuck_lot_has_one_obstacle_to_remove(lot: Lot) -> None:
    assert SOLD[lot.id] < 0.5 * lot.quantity_kg
    against = [obstacles(lot, demand) for demand in CASE.demands if demand.produce == lot.produce]
    assert {lot.expected} in against


@pytest.mark.parametrize(("expected", "found"), [("no_demand", {"L15"}), ("outbid", {"L23", "L27", "L32"})])
def test_lots_without_enough_demand_are_left(expected: str, found: set[str]) -> None:
    lots = [lot for lot in CASE.lots if lot.expected == expected]
    assert {lot.id for lot in lots} == found
    for lot in lots:
        against = [obstacles(lot, each) for each in CASE.demands if each.produce == lot.produce]
        wanted = [each for each in against if each <= {"price"}]
        assert bool(wanted) == (expected == "outbid")
        assert SOLD[lot.id] < 0.5 * lot.quantity_kg


def test_every_obstacle_is_shown_by_a_lot() -> None:
    assert {lot.expected for lot in CASE.lots} == {
        "sells", "part", "price", "grade", "credential", "window", "distance", "min_order",
        "outbid", "no_demand",
    }  # fmt: skip


def test_most_of_the_villages_stock_finds_more_than_ten_chains() -> None:
    dongyu = [lot for lot in CASE.lots if lot.produce in PEANUTS | {"peanut-oil"}]
    assert 0.7 < sum(SOLD[lot.id] for lot in dongyu) / sum(lot.quantity_kg for lot in dongyu) < 0.9
    chains = set().union(*(BUYERS[lot.id] for lot in dongyu))
    assert len(chains) > CASE.story.figures.chains_at_least
    named = {each.id for each in CASE.organisations if each.kind == "retailer" and not each.invented}
    assert named <= chains


def test_signed_outcomes_come_from_more_than_ten_chains() -> None:
    wanted = {demand.id: demand for demand in CASE.demands}
    signed = {
        CASE.buyer_of(wanted[key])
        for key, outcome in CASE.outcomes.items()
        if outcome.outcome == "signed" and wanted[key].produce in PEANUTS | {"peanut-oil"}
    }
    assert len(signed) > 10


def test_outcomes_count_each_step_within_the_one_before() -> None:
    for key, outcome in CASE.outcomes.items():
        assert (outcome.signed_percent > 0) == (outcome.outcome == "signed"), key
        assert 0 <= outcome.delivered_percent <= 100, key
        assert 0 <= outcome.paid_percent <= 100, key
        assert outcome.delivered_percent > 0 or outcome.paid_percent == 0, key
    assert {outcome.outcome for outcome in CASE.outcomes.values()} == {"signed", "intent", "quote", "sample"}
    assert CASE.outcome_of("D114").outcome == "none"


def test_the_meeting_has_the_frame_of_the_case() -> None:
    meeting = CASE.story.meeting
    assert (meeting.slots, meeting.tables, meeting.slot_minutes, meeting.half_day_after) == (10, 21, 20, 6)
    assert len(meeting.stops) == 4


def test_days_count_from_the_story_day() -> None:
    assert on(date(2026, 2, 27), 2) == date(2026, 3, 1)
    assert on(date(2026, 1, 1), -1) == date(2025, 12, 31)


def test_a_case_that_names_what_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "divisions", lambda: ())
    with pytest.raises(SeedError, match=r"organisations\.csv: division of daheigangzi"):
        case.__wrapped__()

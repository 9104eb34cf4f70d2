"""The live market against the engine: whatever happens, it ends where a full clearing does."""

import itertools
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.markets import Shape, synthetic_market
from market.errors import Conflict, Invalid, MarketError, NotFound
from market.matching.engine import solve_market
from market.matching.live import product as live_product
from market.matching.live import rows as live_rows
from market.matching.live.market import LiveMarket
from market.matching.live.sides import DEMANDS, LOTS
from market.matching.optimum.pairs import Pairs
from market.matching.rules import Demand, Lot, Parameters
from market.units import Gram
from tests.unit.matching.markets import demand, lot, tiny_markets
from tests.unit.matching.test_optimum import worths

PARAMETERS = Parameters()


def check_allocation(market: LiveMarket) -> None:
    """Quantities suffice, and no two that must not trade do."""
    lots, demands = {a.id: a for a in market.lots()}, {b.id: b for b in market.demands()}
    sold, served = dict.fromkeys(lots, 0), dict.fromkeys(demands, 0)
    admissible = worths([*lots.values()], [*demands.values()])
    places = [{id_: k for k, id_ in enumerate(side)} for side in (lots, demands)]
    for match in market.matches():
        sold[match.lot] += match.grams
        served[match.demand] += match.grams
        assert match.grams > 0
        worth = admissible[places[LOTS][match.lot], places[DEMANDS][match.demand]]
        assert match.worth_yuan == pytest.approx(worth * match.grams / 1000, abs=1e-9)
        assert (match.lot, match.demand) not in market.barred
    assert all(sold[id_] <= party.quantity for id_, party in lots.items())
    assert all(served[id_] <= party.quantity for id_, party in demands.items())


def check_bound(market: LiveMarket) -> None:
    """The gains cover every pair, so that the bound holds; the optimum lies between worth and bound."""
    lots, demands = market.lots(), market.demands()
    u, v = [market.gain("lot", a.id) for a in lots], [market.gain("demand", b.id) for b in demands]
    assert min([*u, *v], default=0.0) >= 0
    uncovered = [
        (i, j)
        for (i, j), w in worths(lots, demands).items()
        if u[i] + v[j] < w - 1e-9 and (lots[i].id, demands[j].id) not in market.barred
    ]
    assert uncovered == []
    optimum = solve_market(lots, demands, PARAMETERS, barred=market.barred).certificate.worth_yuan
    standing = market.standing()
    # Worth is reckoned in whole steps per gram, rounded up.
    assert standing.worth_yuan <= optimum * (1 + 1e-9) + 1e-6
    assert standing.upper_bound_yuan >= optimum - 1e-6
    assert standing.loss_yuan == pytest.approx(standing.upper_bound_yuan - standing.worth_yuan, abs=1e-9)
    if standing.settled:
        assert standing.worth_yuan == pytest.approx(optimum, rel=1e-9, abs=1e-6)


def events(draw: Any, market: LiveMarket, fresh: list[Lot | Demand]) -> Iterator[str]:
    """Let anything happen that can, a few times; yield what it was."""
    budgets = st.sampled_from([{"pivots": 0}, {"pivots": 1}, {"pivots": 3}, {}])
    for _ in range(draw(st.integers(1, 8))):
        lots, demands = market.lots(), market.demands()
        budget = draw(budgets)
        kind = draw(st.sampled_from(["appear", "withdraw", "sell", "quantity", "change", "bar"]))
        if kind == "appear" and fresh:
            market.appear(fresh.pop(), **budget)
        elif kind == "withdraw" and (lots or demands):
            party = draw(st.sampled_from([*lots, *demands]))
            market.withdraw("lot" if isinstance(party, Lot) else "demand", party.id, **budget)
        elif kind == "bar":
            if lots and demands:
                market.bar(draw(st.sampled_from(lots)).id, draw(st.sampled_from(demands)).id, **budget)
        elif kind == "sell":
            pairs = [(a, b) for a, b in itertools.product(lots, demands) if a.product == b.product]
            if pairs:
                a, b = draw(st.sampled_from(pairs))
                grams = draw(st.sampled_from([1, 500, 1_000_000_000]))
                market.sell(a.id, b.id, Gram(min(grams, a.quantity, b.quantity)), **budget)
        elif lots or demands:
            party = draw(st.sampled_from([*lots, *demands]))
            new: dict[str, Any] = {"quantity": Gram(draw(st.sampled_from([1, 5000, 10_000, 37_500])))}
            if kind == "change":
                price = Decimal(draw(st.integers(0, 60))) / 10
                new |= {"ask": price} if isinstance(party, Lot) else {"ceiling": price}
            market.change(msgspec.structs.replace(party, **new), **budget)
        yield kind


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_live_market_ends_where_a_full_clearing_does_whatever_happened(data: st.DataObject) -> None:
    lots, demands = data.draw(tiny_markets())
    more_lots, more_demands = data.draw(tiny_markets())
    fresh: list[Lot | Demand] = [msgspec.structs.replace(a, id=f"{a.id}n") for a in more_lots]
    fresh += [
        msgspec.structs.replace(
            b, id=f"{b.id}n", requires=data.draw(st.sampled_from([b.requires, frozenset({"new"})]))
        )
        for b in more_demands
    ]
    ids = [(a.id, b.id) for a in [*lots, *more_lots] for b in demands]
    barred = frozenset(data.draw(st.lists(st.sampled_from(ids), max_size=2)) if ids else ())
    market = LiveMarket(lots, demands, PARAMETERS, barred)
    for _ in events(data.draw, market, fresh):
        check_allocation(market)
        check_bound(market)
    standing = market.settle().standing
    assert standing.settled
    assert standing.loss_yuan == 0
    check_allocation(market)
    check_bound(market)
    cleared = market.clear()
    assert cleared.certificate.worth_yuan == pytest.approx(standing.worth_yuan, rel=1e-9, abs=1e-6)
    assert market.standing().worth_yuan == pytest.approx(standing.worth_yuan, rel=1e-12, abs=1e-9)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_stream_of_events_in_a_searched_market_ends_at_the_optimum(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arcs are searched, not listed; leaves are many; newcomers are cut into the leaves on the way."""
    monkeypatch.setattr(Pairs, "KEEP", 200)
    monkeypatch.setattr(live_rows, "_TOGETHER", 4)
    monkeypatch.setattr(live_rows, "_RECUT", 30)
    monkeypatch.setattr(live_rows, "_ONE_BY_ONE", 3)
    monkeypatch.setattr(live_product, "MORE", 2)
    monkeypatch.setattr(live_product, "_ROWS", 8)
    shape = Shape(lots=260, demands=260, products=2, round_kg=1000 if seed == 2 else 0)
    lots, demands = synthetic_market(shape, seed=seed)
    market = LiveMarket(lots[:150], demands[:150], PARAMETERS)
    rng = np.random.default_rng(seed)
    rest: list[Lot | Demand] = [*lots[150:], *demands[150:]]
    rest = [rest[k] for k in rng.permutation(len(rest)).tolist()]
    for k, party in enumerate(rest):
        market.appear(party, pivots=int(rng.choice([0, 5, 50])))
        if k % 3 == 0 and (matches := market.matches()):
            match = matches[int(rng.integers(len(matches)))]
            market.sell(match.lot, match.demand, match.grams, pivots=5)
        if k % 5 == 0:
            some = market.lots()
            a = some[int(rng.integers(len(some)))]
            market.change(
                msgspec.structs.replace(a, quantity=Gram(a.quantity * 2), ask=a.ask * Decimal("0.9")),
                pivots=5,
            )
        if k % 7 == 0:
            some_demands = market.demands()
            market.withdraw("demand", some_demands[int(rng.integers(len(some_demands)))].id, pivots=5)
        if k % 60 == 0:
            check_bound(market)
    assert market.settle().standing.settled
    check_allocation(market)
    check_bound(market)


@pytest.mark.parametrize("side", ["lot", "demand"])
def test_best_options_of_a_newcomer_are_those_of_a_search_of_every_pair(side: str) -> None:
    lots, demands = synthetic_market(Shape(lots=300, demands=300, products=1), seed=3)
    market = LiveMarket(lots[1:], demands[1:], PARAMETERS)
    gains = {("lot", a.id): market.gain("lot", a.id) for a in lots[1:]}
    gains |= {("demand", b.id): market.gain("demand", b.id) for b in demands[1:]}
    answer = market.appear(lots[0] if side == "lot" else demands[0], budget=0)
    if side == "lot":
        worth = {j: w for (i, j), w in worths(lots, demands).items() if i == 0 and j > 0}
        value = {demands[j].id: w - gains["demand", demands[j].id] for j, w in worth.items() if w >= 0}
    else:
        worth = {i: w for (i, j), w in worths(lots, demands).items() if j == 0 and i > 0}
        value = {lots[i].id: w - gains["lot", lots[i].id] for i, w in worth.items() if w >= 0}
    best = sorted(value.values(), reverse=True)[:10]
    told = [(each.demand if side == "lot" else each.lot, each.gain_yuan_per_kg) for each in answer.best]
    assert [gain for _, gain in told] == pytest.approx(best, abs=1e-8)
    assert [gain for _, gain in told] == pytest.approx([value[id_] for id_, _ in told], abs=1e-8)


def test_loss_left_after_a_newcomer_is_at_most_its_quantity_times_its_best_gain() -> None:
    lots, demands = synthetic_market(Shape(lots=200, demands=200, products=1), seed=5)
    market = LiveMarket(lots[1:], demands, PARAMETERS)
    before = market.standing()
    answer = market.appear(lots[0], budget=0)
    most = answer.best[0].gain_yuan_per_kg * lots[0].quantity / 1000
    assert most > 0
    assert answer.standing.worth_yuan == before.worth_yuan
    assert answer.standing.loss_yuan == pytest.approx(most, rel=1e-6)
    assert not answer.standing.settled
    settled = market.settle()
    assert settled.moved_lots
    assert 0 < settled.standing.worth_yuan - before.worth_yuan <= most


def test_newcomer_that_nobody_gains_by_leaves_the_market_settled() -> None:
    market = LiveMarket([lot("L1", kg="2000", ask="2")], [demand("D1", ceiling="3")], PARAMETERS)
    answer = market.appear(lot("L2", ask="2.5"), budget=0)
    assert answer.standing.settled
    assert [(each.demand, round(each.gain_yuan_per_kg, 6)) for each in answer.best] == [("D1", -0.5)]
    assert answer.matches == ()


def test_newcomer_takes_a_sale_and_whose_is_told() -> None:
    market = LiveMarket(
        [lot("L1", ask="2.5"), lot("L0", product="rice")], [demand("D1", ceiling="3")], PARAMETERS
    )
    answer = market.appear(lot("L2", ask="2"))
    assert [(each.demand, each.grams) for each in answer.matches] == [("D1", 1_000_000)]
    assert Decimal(2) <= answer.matches[0].price <= Decimal("2.5")
    assert (answer.moved_lots, answer.moved_demands) == (("L1",), ("D1",))
    assert answer.standing.settled


def test_sale_of_what_was_suggested_moves_nobody_else() -> None:
    lots, demands = synthetic_market(Shape(lots=100, demands=100, products=1), seed=6)
    market = LiveMarket(lots, demands, PARAMETERS)
    match = max(market.matches(), key=lambda each: each.grams)
    answer = market.sell(match.lot, match.demand, Gram(match.grams // 2))
    assert (answer.moved_lots, answer.moved_demands, answer.standing.settled) == ((), (), True)
    assert (
        market.find("lot", match.lot).quantity
        == next(a for a in lots if a.id == match.lot).quantity - match.grams // 2
    )


def test_what_is_sold_out_leaves_the_market() -> None:
    market = LiveMarket([lot()], [demand(kg="400")], PARAMETERS)
    answer = market.sell("L1", "D1", Gram(400_000))
    assert [a.quantity for a in market.lots()] == [600_000]
    assert market.demands() == []
    assert answer.standing == market.standing()
    assert answer.standing.worth_yuan == 0


def test_limits_forbid_options_and_mark_matches() -> None:
    lots = [lot("L1", kg="100"), lot("L2", kg="100"), lot("L3", kg="900", min_order=Gram(500_000))]
    market = LiveMarket(lots, [], PARAMETERS)
    answer = market.appear(demand("D1", kg="300", max_lots=1))
    assert [each.lot for each in answer.best] == ["L1", "L2"]
    assert {each.lot: each.breaks for each in answer.matches} == {
        each.lot: ("min_order", "max_lots") if each.lot == "L3" else ("max_lots",) for each in answer.matches
    }
    cleared = market.clear()
    assert [(pair.lot, pair.quantity) for pair in cleared.pairs] == [(0, 100_000)]


def test_barred_pair_is_never_suggested_to_one_that_comes_back() -> None:
    market = LiveMarket(
        [lot("L1")], [demand("D1"), demand("D2", ceiling="2.5")], PARAMETERS, frozenset({("L1", "D1")})
    )
    assert [each.demand for each in market.matches()] == ["D2"]
    market.withdraw("lot", "L1")
    answer = market.appear(lot("L1"))
    assert [each.demand for each in answer.best] == ["D2"]
    market.withdraw("demand", "D1")
    assert [each.lot for each in market.appear(demand("D1")).best] == []


def test_code_that_nobody_asked_for_before_is_looked_for_in_the_lots_that_were_there() -> None:
    lots = [lot("L1", ask="1"), lot("L2", credentials=frozenset({"gap"}))]
    market = LiveMarket(lots, [demand("D0", ceiling="1.5")], PARAMETERS)
    answer = market.appear(demand("D1", requires=frozenset({"gap"})))
    assert [each.lot for each in answer.best] == ["L2"]
    many = frozenset(f"c{k}" for k in range(130))
    assert market.appear(demand("D2", requires=many)).best == ()
    assert [each.demand for each in market.appear(lot("L3", credentials=many)).best] == ["D2"]


def test_product_moves_with_a_change() -> None:
    market = LiveMarket([lot("L1")], [demand("D1"), demand("D2", product="rice")], PARAMETERS)
    answer = market.change(lot("L1", product="rice"))
    assert [each.demand for each in answer.matches] == ["D2"]
    assert set(answer.moved_demands) == {"D1", "D2"}
    assert answer.standing.settled


def test_declined_pair_goes_to_the_next_best() -> None:
    market = LiveMarket([lot()], [demand("D1"), demand("D2", ceiling="2.5")], PARAMETERS)
    answer = market.bar("L1", "D1")
    assert [option.demand for option in answer.best] == ["D2"]
    assert [(match.demand, match.grams) for match in answer.matches] == [("D2", 1_000_000)]
    assert answer.moved_demands == ("D2",)
    assert market.barred == {("L1", "D1")}
    assert [pair.demand for pair in market.clear().pairs] == [1]


@pytest.mark.parametrize(
    ("refused", "event"),
    [
        (Conflict, lambda market: market.appear(lot("L1"))),
        (Invalid, lambda market: market.appear(lot("L2", kg="0"))),
        (NotFound, lambda market: market.withdraw("lot", "D1")),
        (NotFound, lambda market: market.change(demand("D9"))),
        (NotFound, lambda market: market.sell("L1", "L1", Gram(1))),
        (Invalid, lambda market: market.sell("L1", "D2", Gram(1))),
        (Invalid, lambda market: market.sell("L1", "D1", Gram(0))),
        (Conflict, lambda market: market.sell("L1", "D1", Gram(1_000_001))),
    ],
)
def test_event_that_cannot_be_changes_nothing(refused: type[MarketError], event: Any) -> None:
    market = LiveMarket([lot()], [demand(), demand("D2", product="rice")], PARAMETERS)
    before = market.lots(), market.demands(), market.matches(), market.standing()
    with pytest.raises(refused):
        event(market)
    assert (market.lots(), market.demands(), market.matches(), market.standing()) == before


def test_budget_in_milliseconds_is_kept_on_the_clock_that_is_given() -> None:
    ticks = itertools.count()
    lots, demands = synthetic_market(Shape(lots=100, demands=100, products=1), seed=8)
    market = LiveMarket(lots[:-1], demands, PARAMETERS, clock=lambda: next(ticks) / 1000)
    assert not market.appear(lots[-1], budget=0.5).standing.settled
    assert market.settle(budget=10_000).standing.settled


def test_worn_product_is_begun_anew_by_settle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_product, "_WORN", 3)
    lots, demands = synthetic_market(Shape(lots=40, demands=40, products=1), seed=9)
    market = LiveMarket(lots, demands, PARAMETERS)
    for party in lots[:30]:
        market.withdraw("lot", party.id, pivots=0)
    for wanted in demands[:20]:
        market.withdraw("demand", wanted.id, pivots=0)
    assert market._products["P001"].is_worn
    standing = market.settle().standing
    assert market._products["P001"].network.nodes == 31
    assert standing == market.standing()
    assert standing.settled
    check_bound(market)

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
from market.matching import live_product, live_rows
from market.matching.engine import solve_market
from market.matching.live import LiveMarket
from market.matching.live_product import DEMANDS, LOTS
from market.matching.pairs import Pairs
from market.matching.rules import Demand, Lot, Parameters
from market.units import Gram
from tests.unit.matching.markets import tiny_markets
from tests.unit.matching.test_optimum import worths

PARAMETERS = Parameters()


def check_allocation(market: LiveMarket) -> None:
    """Quantities suffice, and no two that must not trade do."""
    lots, demands = ({party.id: party for party in side} for side in (market.lots(), market.demands()))
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
        kind = draw(st.sampled_from(["appear", "withdraw", "sell", "quantity", "change"]))
        if kind == "appear" and fresh:
            market.appear(fresh.pop(), **budget)
        elif kind == "withdraw" and (lots or demands):
            party = draw(st.sampled_from([*lots, *demands]))
            market.withdraw("lot" if isinstance(party, Lot) else "demand", party.id, **budget)
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
    rng.shuffle(rest)  # type: ignore[arg-type]
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

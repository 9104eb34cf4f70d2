"""Smallest orders and most lots: rules kept, bounds never too low, repeatable, stopped at any time."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.markets import Shape, synthetic_market
from market.matching.engine import scale_of
from market.matching.limits.bound import Prices
from market.matching.limits.components import settle
from market.matching.limits.repair import Effort, Kept, effort_for, respect
from market.matching.limits.rules import Rules, some, worth
from market.matching.optimum.candidates import Arcs, Market
from market.matching.optimum.colgen import solve_product
from market.matching.optimum.gains import middle
from market.matching.optimum.pairs import Classes, Pairs
from market.matching.rules import Demand, Lot, Parameters
from tests.unit.matching.markets import tiny_markets
from tests.unit.matching.test_optimum import best, worths

SEARCH_ONLY = Effort(steps=300, rounds=60, arcs=0)
EVERYTHING = Effort(steps=300, rounds=60, arcs=1000)


class Product:
    """One product solved without the rules, ready for them."""

    def __init__(self, arrays: Market, product: int) -> None:
        lots, demands = arrays.lots_of[product], arrays.demands_of[product]
        self.scale = scale_of(arrays)
        self.rules = Rules(
            arrays.q[lots],
            arrays.d[demands],
            arrays.lot_min[lots],
            arrays.demand_min[demands],
            arrays.max_lots[demands],
        )
        self.classes = Classes(arrays, product, self.scale)
        self.solved = solve_product(self.classes, lambda: False)

    def keep(self, effort: Effort, late: Callable[[], bool] = lambda: False) -> Kept:
        solved = self.solved
        kept = respect(
            self.classes.pairs,
            solved.arcs,
            solved.x,
            self.rules,
            middle(solved.low, solved.high),
            effort=effort,
            late=late,
        )
        assert self.rules.kept_by(kept.arcs, kept.x)
        assert worth(kept.arcs, kept.x) == kept.worth <= kept.bound <= kept.by_prices
        return kept


def products(lots: list[Lot], demands: list[Demand]) -> list[Product]:
    arrays = Market(lots, demands, Parameters())
    return [Product(arrays, k) for k in range(len(arrays.products)) if arrays.limited(k)]


def synthetic(size: int, *, seed: int) -> Product:
    shape = Shape(lots=size, demands=size, products=1, min_orders=True, max_lots=True)
    (product,) = products(*synthetic_market(shape, seed=seed))
    return product


def optimum(lots: list[Lot], demands: list[Demand]) -> float:
    """The best of all choices of at most seven pairs, in yuan."""
    worth_of = worths(lots, demands)
    useful = [pair for pair, w in worth_of.items() if w >= 0]
    found = 0.0
    for size in range(min(len(useful), 7) + 1):
        for open_ in itertools.combinations(useful, size):
            taken = [sum(1 for pair in open_ if pair[1] == j) for j in range(len(demands))]
            if all(b.max_lots is None or n <= b.max_lots for b, n in zip(demands, taken, strict=True)):
                found = max(found, best(lots, demands, worth_of, open_))
    return found


@settings(max_examples=150, deadline=None)
@given(tiny_markets(limits=True))
def test_optimum_lies_between_worth_and_bound(market: tuple[list[Lot], list[Demand]]) -> None:
    lots, demands = market
    for product in {a.product for a in lots} & {b.product for b in demands}:
        mine = [a for a in lots if a.product == product], [b for b in demands if b.product == product]
        most = optimum(*mine)
        for one in products(*mine):
            unit = one.scale * 1000
            # A scaled step per gram is what rounding worth up may add.
            blur = sum(a.quantity for a in mine[0]) / unit + 1e-6
            searched, settled = one.keep(SEARCH_ONLY), one.keep(EVERYTHING)
            assert searched.worth / unit <= most + blur
            assert most <= searched.bound / unit + 1e-6
            assert most <= settled.bound / unit + 1e-6
            assert settled.worth / unit == pytest.approx(most, abs=blur)
            assert settled.bound / unit == pytest.approx(most, abs=blur, rel=1e-5)


def purchases(gain: list[int], least: list[int], cap: list[int], wanted: int, most: int) -> int:
    """The best that one demand can buy, over all sets of lots; gains, best first."""
    found = 0
    for size in range(min(most, len(gain)) + 1):
        for chosen in itertools.combinations(range(len(gain)), size):
            rest = wanted - sum(least[e] for e in chosen)
            if rest < 0:
                continue
            value = 0
            for e in chosen:
                more = min(rest, cap[e] - least[e])
                value += gain[e] * (least[e] + more)
                rest -= more
            found = max(found, value)
    return found


offers = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 9), st.integers(0, 9)), max_size=6)


@settings(max_examples=200, deadline=None)
@given(offers, st.integers(1, 20), st.integers(1, 4))
def test_demand_alone_buys_its_best(offered: list[tuple[int, int, int]], wanted: int, most: int) -> None:
    offered = sorted(offered, reverse=True)
    gain, least = [a for a, _, _ in offered], [b for _, b, _ in offered]
    q = [b + c for _, b, c in offered]
    n = len(offered)
    rules = Rules(
        np.array(q, np.int64),
        np.array([wanted], np.int64),
        np.array(least, np.int64),
        np.zeros(1, np.int64),
        np.array([most], np.int64),
    )
    arcs = Arcs(np.arange(n, dtype=np.int32), np.zeros(n, np.int32), np.array(gain, np.int64))
    arcs = some(arcs, rules.permit(arcs))
    bound = Prices(arcs, rules, np.zeros(n)).proof(np.full(1, -np.inf))
    can = [e for e in range(n) if least[e] <= min(q[e], wanted)]
    expected = purchases(
        [gain[e] for e in can], [least[e] for e in can], [min(q[e], wanted) for e in can], wanted, most
    )
    assert bound.of_demands.tolist() == [expected]


def test_bound_is_not_below_what_a_whole_programme_finds() -> None:
    for seed in (1, 2, 3):
        one = synthetic(45, seed=seed)
        permitted = one.classes.pairs.kept
        assert permitted is not None
        arcs = some(permitted, one.rules.permit(permitted))
        answer = settle(arcs, one.rules, np.inf)
        assert answer.x is not None
        assert one.rules.kept_by(arcs, answer.x)
        searched = one.keep(SEARCH_ONLY)
        assert worth(arcs, answer.x) <= searched.bound
        assert searched.worth <= answer.bound
        assert searched.worth >= 0.97 * worth(arcs, answer.x)


def test_bound_with_pairs_left_out_holds_for_all_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in (1, 2, 3):
        whole = synthetic(150, seed=seed).keep(SEARCH_ONLY)
        with monkeypatch.context() as patch:
            patch.setattr(Pairs, "KEEP", 100)
            patch.setattr("market.matching.limits.permitted.OF_DEMAND", 4)
            patch.setattr("market.matching.limits.permitted.OF_LOT", 2)
            part = synthetic(150, seed=seed).keep(SEARCH_ONLY)
        assert len(part.arcs.w) < len(whole.arcs.w)
        assert part.bound >= whole.worth
        assert part.worth >= 0.9 * whole.worth


def test_same_market_has_the_same_allocation_and_bound() -> None:
    first, second = (synthetic(90, seed=4).keep(effort_for(200)) for _ in range(2))
    assert first.x.tolist() == second.x.tolist()
    assert (first.worth, first.bound, first.u.tolist()) == (second.worth, second.bound, second.u.tolist())


@pytest.mark.parametrize("calls", [0, 1, 2, 5, 20, 41, 60, 100, 130])
def test_stopped_at_any_moment_the_result_keeps_the_rules(calls: int) -> None:
    one = synthetic(120, seed=5)
    left = iter(range(calls))
    stopped = one.keep(EVERYTHING, lambda: next(left, None) is None)
    assert stopped.worth > 0.8 * stopped.bound


def test_worth_and_bound_are_near_each_other() -> None:
    lots, demands = synthetic_market(Shape(lots=400, demands=400, products=5, min_orders=True, max_lots=True))
    kept = [one.keep(effort_for(400)) for one in products(lots, demands)]
    assert sum(k.worth for k in kept) >= 0.99 * sum(k.bound for k in kept)


def test_small_parts_are_settled_outright() -> None:
    lots, demands = synthetic_market(Shape(lots=60, demands=60, products=6, min_orders=True, max_lots=True))
    for one in products(lots, demands):
        kept = one.keep(EVERYTHING)
        assert kept.bound - kept.worth <= kept.bound * 1e-5


def test_effort_grows_with_time_and_shrinks_with_size() -> None:
    assert effort_for(10_000) == effort_for(10_000, 5.0)
    assert effort_for(10_000, 90.0).steps > 2 * effort_for(10_000).steps
    assert effort_for(1_000).steps > effort_for(10_000).steps > effort_for(100_000).steps


def test_rules_tell_and_prune_what_breaks_them() -> None:
    rules = Rules(
        np.array([100, 100, 100], np.int64),
        np.array([150, 60], np.int64),
        np.array([0, 50, 0], np.int64),
        np.array([20, 0], np.int64),
        np.array([1, np.iinfo(np.int64).max], np.int64),
    )
    arcs = Arcs(
        np.array([0, 1, 2, 1], np.int32), np.array([0, 0, 1, 1], np.int32), np.array([5, 9, 3, 1], np.int64)
    )
    assert rules.least(arcs).tolist() == [20, 50, 1, 50]
    assert rules.permit(arcs).tolist() == [True, True, True, True]
    assert not rules.kept_by(arcs, np.array([60, 60, 0, 0]))
    assert not rules.kept_by(arcs, np.array([19, 0, 0, 0]))
    assert not rules.kept_by(arcs, np.array([0, 101, 0, 0]))
    assert not rules.kept_by(arcs, np.array([0, 0, 40, 50]))
    assert rules.pruned(arcs, np.array([60, 60, 10, 40])).tolist() == [0, 60, 10, 0]
    assert rules.kept_by(arcs, np.array([0, 60, 10, 0]))

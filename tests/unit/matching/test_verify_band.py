"""The checker's price band is that of linear programming, and its pass over pairs that of a plain loop."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog

from fixtures.markets import Shape, synthetic_market
from market.matching.checker.files import Report
from market.matching.checker.input import read_side
from market.matching.checker.pairs import AllPairs, Book
from market.matching.checker.prices import best_flows, extreme_gains, supported
from market.matching.rules import Parameters, why_not
from tests.unit.matching.markets import write_market


def random_product(seed: int) -> tuple[Any, Any, Any, Any, Any]:
    rng = np.random.default_rng(seed)
    lots, demands = rng.integers(2, 7, 2)
    cells = rng.random((lots, demands)) < 0.7
    cells[0, 0] = True
    i, j = np.nonzero(cells)
    # Few different values, so that there are many ties.
    worth = rng.integers(0, 8, len(i)) / 4
    q, d = rng.integers(1, 5, lots).astype(float), rng.integers(1, 5, demands).astype(float)
    return i, j, worth, q, d


def solved(i: Any, j: Any, worth: Any, q: Any, d: Any) -> tuple[Any, float]:
    """Some gains of least total, and that total, from the dual problem."""
    rows = np.zeros((len(i), len(q) + len(d)))
    rows[np.arange(len(i)), i] = rows[np.arange(len(i)), j + len(q)] = -1
    best = linprog(np.concatenate([q, d]), A_ub=rows, b_ub=-worth)
    assert best.fun is not None
    return rows, float(best.fun)


@pytest.mark.parametrize("seed", range(60))
def test_ends_of_the_band_are_those_of_linear_programming(seed: int) -> None:
    i, j, worth, q, d = random_product(seed)
    rows, total = solved(i, j, worth, q, d)
    weights = np.concatenate([q, d])

    def end(goal: Any) -> Any:
        """Of all gains of least total those that are least by ``goal``."""
        return linprog(
            goal,
            A_ub=np.vstack([rows, weights]),
            b_ub=np.concatenate([-worth, [total + 1e-9]]),
        ).x

    flows, rest = best_flows((i, j, worth), (q, d))
    # Where to start within the band must not matter.
    middle = end(np.random.default_rng(seed).random(len(weights)))
    gains = middle[: len(q)], middle[len(q) :]
    assert supported(gains, flows, rest, 1e-6)
    low, high = extreme_gains((i, j, worth), gains, (flows[0], flows[1]), rest)
    ones = np.concatenate([np.ones(len(q)), np.zeros(len(d))])
    assert low == pytest.approx(end(ones)[: len(q)], abs=1e-6)
    assert high == pytest.approx(end(-ones)[: len(q)], abs=1e-6)


@pytest.mark.parametrize("seed", [1, 2])
def test_pass_over_all_pairs_finds_what_the_rules_admit(tmp_path: Path, seed: int) -> None:
    lots, demands = synthetic_market(Shape(lots=90, demands=80, products=3), seed=seed)
    supply, wanted = write_market(tmp_path, lots, demands)
    products: dict[str, int] = {}
    ours, theirs = read_side(supply, products, lot=True), read_side(wanted, products, lot=False)
    nothing, report = np.zeros(len(lots)), Report()
    everything = AllPairs(
        Book(ours, theirs, 0.6, 1.3), len(products), report, nothing, np.zeros(len(demands))
    )
    found = {
        (int(product.lots[near]), int(product.demands[far]))
        for product in everything.run(10**9)
        if product.pairs
        for near, far in zip(product.pairs[0], product.pairs[1], strict=True)
    }
    admitted = {
        (a, b)
        for a, lot in enumerate(lots)
        for b, demand in enumerate(demands)
        if not why_not(lot, demand, Parameters())
    }
    assert found == admitted
    assert everything.tally.lot_pairs.tolist() == [sum(a == k for a, _ in found) for k in range(len(lots))]
    assert everything.tally.demand_pairs.sum() == len(found)
    # With no gains at all every pair that is worth something would rather trade with each other.
    assert 0 < everything.tally.blocking == report.count <= len(found)


def test_pairs_beyond_what_is_kept_are_counted_all_the_same(tmp_path: Path) -> None:
    lots, demands = synthetic_market(Shape(lots=60, demands=60, products=1), seed=3)
    supply, wanted = write_market(tmp_path, lots, demands)
    products: dict[str, int] = {}
    ours, theirs = read_side(supply, products, lot=True), read_side(wanted, products, lot=False)
    endless = np.full(60, np.inf), np.full(60, np.inf)
    totals = []
    for keep in (10, 10**6):
        everything = AllPairs(Book(ours, theirs, 0.6, 1.3), 1, Report(), *endless)
        (product,) = everything.run(keep)
        assert (product.pairs is None) == (keep == 10)
        totals.append(everything.tally.lot_pairs.tolist())
    assert totals[0] == totals[1]

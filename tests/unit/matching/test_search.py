"""Searching by leaves against looking at every pair."""

from decimal import Decimal

import msgspec
import numpy as np
import pytest

from fixtures.markets import Shape, synthetic_market
from market.matching.optimum.candidates import Market
from market.matching.optimum.pairs import Pairs
from market.matching.rules import Demand, Lot, Parameters, freight_per_kg, kilometres, why_not

PARAMETERS = Parameters()
SCALE = 1e9


def market_of(seed: int, *, codes: int = 0) -> tuple[list[Lot], list[Demand]]:
    """One product; with ``codes``, so many different credentials that they need several words of bits."""
    lots, demands = synthetic_market(Shape(lots=180, demands=160, products=1), seed=seed)
    if codes:
        rng = np.random.default_rng(seed)
        names = [f"C{k:03d}" for k in range(codes)]
        lots = [
            msgspec.structs.replace(
                lot, credentials=frozenset(rng.choice(names, codes * 9 // 10, replace=False))
            )
            for lot in lots
        ]
        demands = [
            msgspec.structs.replace(demand, requires=frozenset(rng.choice(names, 2, replace=False)))
            for demand in demands
        ]
    return lots, demands


def table_of(
    lots: list[Lot], demands: list[Demand], barred: frozenset[tuple[str, str]]
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Worth of every pair by the rules in scalar form, -inf where it is not admissible."""
    table = np.full((len(lots), len(demands)), -np.inf)
    for i, a in enumerate(lots):
        for j, b in enumerate(demands):
            if not why_not(a, b, PARAMETERS) and (a.id, b.id) not in barred:
                freight = freight_per_kg(kilometres(a, b, PARAMETERS), PARAMETERS)
                table[i, j] = float(b.ceiling) - float(a.ask) - freight + float(a.priority)
    return table


@pytest.mark.parametrize(("seed", "codes"), [(1, 0), (2, 0), (3, 70)])
def test_search_finds_what_looking_at_every_pair_finds(seed: int, codes: int) -> None:
    lots, demands = market_of(seed, codes=codes)
    barred = frozenset((lots[k].id, demands[(7 * k) % len(demands)].id) for k in range(0, len(lots), 2))
    arrays = Market(lots, demands, PARAMETERS, barred)
    rows, columns = arrays.lots_of[0], arrays.demands_of[0]
    pairs = Pairs(arrays, rows, columns, SCALE)
    table = table_of(lots, demands, barred)[np.ix_(rows, columns)]
    admissible = np.isfinite(table)
    assert pairs.lot_pairs.tolist() == admissible.sum(axis=1).tolist()
    assert pairs.demand_pairs.tolist() == admissible.sum(axis=0).tolist()
    assert pairs.kept is not None
    assert sorted(zip(pairs.kept.i.tolist(), pairs.kept.j.tolist(), strict=True)) == sorted(
        zip(*(side.tolist() for side in np.nonzero(table >= 0)), strict=True)
    )
    table[table < 0] = -np.inf
    rng = np.random.default_rng(seed)
    u, v = rng.exponential(0.3, len(rows)), rng.exponential(0.3, len(columns))
    u[::9] = np.inf
    for floor in (-np.inf, 0.0, 0.4):
        found, value = pairs.best_lots(np.arange(len(columns)), u, np.full(len(columns), floor), 3)
        check(table.T - u[None, :], found, value, floor)
        found, value = pairs.best_demands(np.arange(len(rows)), v, np.full(len(rows), floor), 3)
        check(table - v[None, :], found, value, floor)


def check(
    reduced: np.ndarray[tuple[int, int], np.dtype[np.float64]],
    found: np.ndarray[tuple[int, int], np.dtype[np.int32]],
    value: np.ndarray[tuple[int, int], np.dtype[np.float64]],
    floor: float,
) -> None:
    for row, places, values in zip(reduced, found, value, strict=True):
        best = [float(w) for w in np.sort(row)[::-1][:3] if np.isfinite(w) and w > floor]
        assert values[: len(best)].tolist() == pytest.approx(best, abs=1e-9)
        assert (places[len(best) :] == -1).all()
        assert row[places[: len(best)]].tolist() == pytest.approx(best, abs=1e-9)


def test_product_without_a_side_has_no_pairs() -> None:
    lots, demands = market_of(1)
    arrays = Market(lots, [], PARAMETERS)
    nothing = Pairs(arrays, arrays.lots_of[0], arrays.demands_of[0], SCALE)
    assert (nothing.count, nothing.lot_pairs.sum()) == (0, 0)
    arrays = Market([], demands, PARAMETERS)
    assert Pairs(arrays, arrays.lots_of[0], arrays.demands_of[0], SCALE).count == 0


def test_pair_with_nothing_to_share_is_found_and_the_next_dearer_is_not() -> None:
    lots, demands = market_of(1)
    here = {"latitude": 30.0, "longitude": 110.0}
    base = msgspec.structs.replace(
        demands[0], requires=frozenset(), min_grade=0, max_distance_km=None, **here
    )
    same = msgspec.structs.replace(
        lots[0],
        available_from=base.deliver_from,
        available_to=base.deliver_to,
        ask=base.ceiling,
        priority=Decimal(0),
        **here,
    )
    dearer = msgspec.structs.replace(same, id="dearer", ask=base.ceiling + Decimal("0.0001"))
    arrays = Market([same, dearer], [base], PARAMETERS)
    assert Pairs(arrays, np.arange(2), np.arange(1), SCALE).lot_pairs.tolist() == [1, 0]

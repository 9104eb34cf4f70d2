"""The engine against an optimum found another way, on tiny markets with many ties."""

import itertools
from decimal import Decimal
from math import floor

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

from fixtures.markets import Shape, synthetic_market
from market.errors import Invalid
from market.matching.engine import Result, solve_market
from market.matching.optimum import colgen
from market.matching.optimum.candidates import Market
from market.matching.optimum.pairs import Classes, Pairs
from market.matching.rules import Demand, Lot, Parameters, freight_per_kg, kilometres, why_not
from market.units import Gram
from tests.unit.matching.markets import demand, lot, tiny_markets

PARAMETERS = Parameters()
Worths = dict[tuple[int, int], float]


def worths(lots: list[Lot], demands: list[Demand]) -> Worths:
    """Worth per kg of every admissible pair, by the rules in scalar form."""
    found = {}
    for (i, a), (j, b) in itertools.product(enumerate(lots), enumerate(demands)):
        if not why_not(a, b, PARAMETERS):
            freight = freight_per_kg(kilometres(a, b, PARAMETERS), PARAMETERS)
            found[i, j] = float(b.ceiling) - float(a.ask) - freight + float(a.priority)
    return found


def best(lots: list[Lot], demands: list[Demand], worth: Worths, open_: tuple[tuple[int, int], ...]) -> float:
    """The optimum if each of the pairs ``open_`` carries its smallest order; -1: impossible."""
    if not open_:
        return 0.0
    rows = np.zeros((len(lots) + len(demands), len(open_)))
    for k, (i, j) in enumerate(open_):
        rows[i, k] = rows[len(lots) + j, k] = 1
    limits = [a.quantity / 1000 for a in lots] + [b.quantity / 1000 for b in demands]
    least = [max(lots[i].min_order, demands[j].min_order) / 1000 for i, j in open_]
    answer = linprog(
        [-worth[pair] for pair in open_], A_ub=rows, b_ub=limits, bounds=[(m, None) for m in least]
    )
    return -float(answer.fun) if answer.success else -1.0


def check_rules(lots: list[Lot], demands: list[Demand], worth: Worths, result: Result) -> None:
    sold, served, count = [0] * len(lots), [0] * len(demands), [0] * len(demands)
    for pair in result.pairs:
        a, b = lots[pair.lot], demands[pair.demand]
        assert (pair.lot, pair.demand) in worth
        assert pair.quantity >= max(a.min_order, b.min_order, 1)
        assert pair.worth_yuan == pytest.approx(worth[pair.lot, pair.demand] * pair.quantity / 1000, abs=1e-9)
        assert a.ask <= pair.price_low <= pair.price <= pair.price_high
        assert float(pair.price_high) <= float(b.ceiling) - pair.freight_yuan_per_kg + 1e-9
        sold[pair.lot] += pair.quantity
        served[pair.demand] += pair.quantity
        count[pair.demand] += 1
    assert [side.traded for side in result.lots] == sold
    assert [side.traded for side in result.demands] == served
    assert [side.rest for side in result.lots] == [a.quantity - s for a, s in zip(lots, sold, strict=True)]
    assert all(side.rest >= 0 for side in (*result.lots, *result.demands))
    assert all(b.max_lots is None or n <= b.max_lots for b, n in zip(demands, count, strict=True))


def check_certificate(lots: list[Lot], demands: list[Demand], worth: Worths, result: Result) -> None:
    u, v = ([float(side.gain) for side in sides] for sides in (result.lots, result.demands))
    assert min([*u, *v], default=0) >= 0
    assert [pair for pair, w in worth.items() if u[pair[0]] + v[pair[1]] < w - 1e-12] == []
    bound = sum(a.quantity * g for a, g in zip(lots, u, strict=True)) / 1000
    bound += sum(b.quantity * g for b, g in zip(demands, v, strict=True)) / 1000
    assert result.certificate.upper_bound_yuan == pytest.approx(bound, abs=1e-7)
    assert result.certificate.pairs_admissible == len(worth)


@settings(max_examples=150, deadline=None)
@given(tiny_markets())
def test_worth_equals_the_optimum_of_a_linear_programme(market: tuple[list[Lot], list[Demand]]) -> None:
    lots, demands = market
    worth = worths(lots, demands)
    result = solve_market(lots, demands, PARAMETERS)
    check_rules(lots, demands, worth, result)
    check_certificate(lots, demands, worth, result)
    assert result.certificate.exact
    assert result.certificate.gap == 0
    assert result.certificate.worth_yuan == pytest.approx(best(lots, demands, worth, tuple(worth)), abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(tiny_markets(limits=True))
def test_worth_under_limits_equals_the_best_of_all_choices(market: tuple[list[Lot], list[Demand]]) -> None:
    lots, demands = market
    worth = worths(lots, demands)
    useful = [pair for pair, w in worth.items() if w >= 0]
    result = solve_market(lots, demands, PARAMETERS)
    check_rules(lots, demands, worth, result)
    check_certificate(lots, demands, worth, result)
    optimum = 0.0
    for size in range(min(len(useful), 6) + 1):
        for open_ in itertools.combinations(useful, size):
            taken = [sum(1 for pair in open_ if pair[1] == j) for j in range(len(demands))]
            if all(b.max_lots is None or n <= b.max_lots for b, n in zip(demands, taken, strict=True)):
                optimum = max(optimum, best(lots, demands, worth, open_))
    assert result.certificate.worth_yuan >= optimum - 1e-6
    assert result.certificate.exact == (result.certificate.gap == 0)


def highs(lots: list[Lot], demands: list[Demand], worth: Worths) -> float:
    """The optimum by HiGHS over all admissible pairs."""
    i, j = np.array(list(worth)).T
    pairs = np.arange(len(i))
    table = csr_matrix(
        (np.ones(2 * len(i)), (np.concatenate([i, j + len(lots)]), np.concatenate([pairs, pairs]))),
        shape=(len(lots) + len(demands), len(i)),
    )
    limits = [side.quantity / 1000 for side in (*lots, *demands)]
    return -float(linprog(-np.array(list(worth.values())), A_ub=table, b_ub=limits, method="highs").fun)


def reshaped(shape: str, seed: int) -> tuple[list[Lot], list[Demand]]:
    """One product, with more and more of it alike."""
    lots, demands = synthetic_market(
        Shape(lots=150, demands=150, products=1, reach=shape == "free", priorities=shape == "free"), seed=seed
    )
    if shape == "free":
        return lots, demands
    same = {"quantity": Gram(1_000_000)}
    if shape in ("one place", "all alike"):
        same |= {"latitude": 30.0, "longitude": 110.0}
    tied = [msgspec.structs.replace(a, ask=Decimal(3), **same) for a in lots]
    wanted = [msgspec.structs.replace(b, ceiling=Decimal(6), **same) for b in demands]
    if shape == "all alike":
        tied = [msgspec.structs.replace(tied[0], id=a.id) for a in tied]
        wanted = [
            msgspec.structs.replace(b, min_grade=0, requires=frozenset(), deliver_to=b.deliver_from)
            for b in [
                msgspec.structs.replace(wanted[0], id=b.id, deliver_from=tied[0].available_to) for b in wanted
            ]
        ]
    return tied, wanted


@pytest.mark.parametrize("more", [1, 4])
@pytest.mark.parametrize("shape", ["free", "tied", "one place", "all alike"])
def test_column_generation_finds_the_optimum_whatever_the_shape(
    shape: str, more: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lots, demands = reshaped(shape, 4)
    whole = solve_market(lots, demands, PARAMETERS)
    worth = worths(lots, demands)
    monkeypatch.setattr(Pairs, "KEEP", 200)
    monkeypatch.setattr(colgen, "FIRST", more)
    monkeypatch.setattr(colgen, "MORE", more)
    parts = solve_market(lots, demands, PARAMETERS)
    check_rules(lots, demands, worth, parts)
    check_certificate(lots, demands, worth, parts)
    assert parts.certificate.exact
    assert parts.certificate.worth_yuan == pytest.approx(highs(lots, demands, worth), rel=1e-9)
    assert [side.gain for side in parts.lots] == [side.gain for side in whole.lots]
    assert [side.gain for side in parts.demands] == [side.gain for side in whole.demands]
    assert [side.admissible_pairs for side in parts.lots] == [side.admissible_pairs for side in whole.lots]


def test_merged_twins_have_the_gains_they_have_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    lots, demands = reshaped("one place", 5)
    merged = solve_market(lots, demands, PARAMETERS)
    monkeypatch.setattr(Market, "limited", lambda *_: True)
    apart = solve_market(lots, demands, PARAMETERS)
    assert merged.certificate.worth_yuan == pytest.approx(apart.certificate.worth_yuan, rel=1e-12)
    assert [side.gain for side in merged.lots] == [side.gain for side in apart.lots]
    assert [side.gain for side in merged.demands] == [side.gain for side in apart.demands]
    assert [(p.price_low, p.price_high) for p in merged.pairs if p.lot == 0] == [
        (p.price_low, p.price_high) for p in apart.pairs if p.lot == 0
    ]


@pytest.mark.parametrize("calls", [1, 2, 4, 8])
def test_time_running_out_leaves_a_valid_bounded_result(calls: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lots, demands = reshaped("free", 6)
    worth = worths(lots, demands)
    monkeypatch.setattr(Pairs, "KEEP", 200)
    monkeypatch.setattr(colgen, "PIVOTS", 50)
    arrays = Market(lots, demands, PARAMETERS)
    left = iter(range(calls))
    solved = colgen.solve_product(Classes(arrays, 0, 1e9), lambda: next(left, None) is None)
    assert not solved.proven
    row, column = (
        {place: k for k, place in enumerate(of[0].tolist())} for of in (arrays.lots_of, arrays.demands_of)
    )
    for ends in (solved.low, solved.high):
        covered = [ends.u[row[i]] + ends.v[column[j]] >= w * 1e9 for (i, j), w in worth.items()]
        assert all(covered)
    assert (np.bincount(solved.arcs.i, solved.x, len(lots)) <= arrays.q[arrays.lots_of[0]]).all()
    assert (np.bincount(solved.arcs.j, solved.x, len(demands)) <= arrays.d[arrays.demands_of[0]]).all()
    assert solved.x.sum() > 0


def test_price_band_runs_from_buyers_best_to_sellers_best() -> None:
    result = solve_market([lot(ask="2")], [demand(ceiling="3")], PARAMETERS)
    (pair,) = result.pairs
    assert (pair.price_low, pair.price, pair.price_high) == (Decimal(2), Decimal("2.5"), Decimal(3))


def test_scarce_side_takes_the_gain() -> None:
    (pair,) = solve_market([lot(kg="2000", ask="2")], [demand(ceiling="3")], PARAMETERS).pairs
    assert (pair.price_low, pair.price_high) == (Decimal(2), Decimal(2))
    (pair,) = solve_market([lot(ask="2")], [demand(kg="2000", ceiling="3")], PARAMETERS).pairs
    assert (pair.price_low, pair.price_high) == (Decimal(3), Decimal(3))


def test_price_stays_inside_when_no_price_of_four_decimals_fits() -> None:
    result = solve_market([lot(ask="2.000012")], [demand(ceiling="2.00002")], PARAMETERS)
    assert [pair.price for pair in result.pairs] == [Decimal("2.000012")]


def test_sale_without_gain_is_made() -> None:
    result = solve_market([lot(ask="3")], [demand(ceiling="3")], PARAMETERS)
    assert [pair.quantity for pair in result.pairs] == [1_000_000]
    assert result.certificate.worth_yuan == 0


def test_priority_moves_the_lot_that_must_go_first() -> None:
    lots = [lot("L1", ask="2"), lot("L2", ask="2.1", priority=Decimal("0.5"))]
    result = solve_market(lots, [demand(ceiling="3")], PARAMETERS)
    assert [pair.lot for pair in result.pairs] == [1]


def test_declined_pair_is_not_proposed_again() -> None:
    lots, demands = [lot("L1", ask="1"), lot("L2", ask="2")], [demand()]
    result = solve_market(lots, demands, PARAMETERS, barred=frozenset({("L1", "D1"), ("L9", "D9")}))
    assert [pair.lot for pair in result.pairs] == [1]
    assert result.certificate.pairs_admissible == 1


def test_declined_pair_is_not_proposed_again_among_demands_that_are_alike() -> None:
    lots, demands = [lot("L1", kg="3000"), lot("L2", kg="3000")], [demand("D1"), demand("D2"), demand("D3")]
    barred = frozenset({("L1", "D2"), ("L2", "D3")})
    result = solve_market(lots, demands, PARAMETERS, barred=barred)
    assert result.certificate.pairs_admissible == 4
    assert barred.isdisjoint((lots[p.lot].id, demands[p.demand].id) for p in result.pairs)
    assert sum(pair.quantity for pair in result.pairs) == 3_000_000


def test_same_id_twice_is_refused() -> None:
    with pytest.raises(Invalid):
        solve_market([lot("L1"), lot("L1")], [], PARAMETERS)


def test_deadline_in_the_past_gives_a_valid_bounded_result() -> None:
    lots, demands = synthetic_market(Shape(lots=200, demands=200, products=3, min_orders=True, max_lots=True))
    worth = worths(lots, demands)
    result = solve_market(lots, demands, PARAMETERS, deadline=0.0, clock=lambda: 1.0)
    check_rules(lots, demands, worth, result)
    check_certificate(lots, demands, worth, result)
    assert not result.certificate.finished
    assert 0 < result.certificate.worth_yuan < result.certificate.upper_bound_yuan


def test_market_of_the_same_input_is_the_same() -> None:
    lots, demands = synthetic_market(Shape(lots=150, demands=150, products=4, round_kg=500))
    first, second = (solve_market(lots, demands, PARAMETERS, clock=lambda: 0.0) for _ in range(2))
    assert first == second


def sold_after(lots: list[Lot], demands: list[Demand], place: int) -> int:
    return solve_market(lots, demands, PARAMETERS).lots[place].traded


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_price_cut_of_the_diagnosis_sells_what_it_promises(seed: int) -> None:
    lots, demands = synthetic_market(Shape(lots=40, demands=40, products=2, reach=False), seed=seed)
    result = solve_market(lots, demands, PARAMETERS)
    tried = 0
    for place, unlocks in result.diagnosis.items():
        for unlock in unlocks:
            if unlock.obstacle not in ("price", "outbid"):
                continue
            tried += 1
            cut = [*lots]
            cut[place] = msgspec.structs.replace(lots[place], ask=lots[place].ask - unlock.cost)
            assert sold_after(cut, demands, place) >= result.lots[place].traded + unlock.grams
    assert tried > 5


@pytest.mark.parametrize("seed", [1, 2])
def test_grade_and_credentials_of_the_diagnosis_sell_what_they_promise(seed: int) -> None:
    lots, demands = synthetic_market(Shape(lots=60, demands=60, products=2), seed=seed)
    result = solve_market(lots, demands, PARAMETERS)
    tried = 0
    for place, unlocks in result.diagnosis.items():
        for unlock in unlocks:
            a = lots[place]
            wanted = [demands[j] for j in unlock.demands]
            if unlock.obstacle == "grade":
                better = msgspec.structs.replace(a, grade=max(b.min_grade for b in wanted))
            elif unlock.obstacle == "credential":
                codes = a.credentials.union(*(b.requires for b in wanted))
                better = msgspec.structs.replace(a, credentials=codes)
            elif unlock.obstacle == "window":
                better = msgspec.structs.replace(
                    a,
                    available_from=min([a.available_from, *(b.deliver_to for b in wanted)]),
                    available_to=max([a.available_to, *(b.deliver_from for b in wanted)]),
                )
            else:
                continue
            tried += 1
            changed = [*lots[:place], better, *lots[place + 1 :]]
            assert sold_after(changed, demands, place) >= result.lots[place].traded + unlock.grams
    assert tried > 5


def test_lot_nobody_asks_for_is_told_so() -> None:
    result = solve_market([lot(product="silk")], [demand()], PARAMETERS)
    assert [unlock.obstacle for unlock in result.diagnosis[0]] == ["no_demand"]


def test_smallest_order_that_bars_a_sale_is_named() -> None:
    result = solve_market([lot(min_order=500_000)], [demand(kg="100")], PARAMETERS)
    (unlock,) = result.diagnosis[0]
    assert (unlock.obstacle, unlock.grams, unlock.demands) == ("min_order", 100_000, (0,))


def test_smallest_price_cut_is_the_missing_money() -> None:
    result = solve_market([lot(ask="3.5")], [demand(ceiling="3")], PARAMETERS)
    (unlock,) = result.diagnosis[0]
    assert unlock.obstacle == "price"
    assert floor(unlock.cost * 1000) == 500
    assert unlock.grams == 1_000_000

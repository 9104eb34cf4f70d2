"""The best matches of one lot or demand at once: outright in a small product, by a search in a large one."""

import msgspec
import pytest

from fixtures.markets import Shape, synthetic_market
from market.matching.engine import solve_market
from market.matching.live import now as live_now
from market.matching.live.now import best_now
from market.matching.rules import Parameters
from tests.unit.matching.markets import demand, lot

PARAMETERS = Parameters()


def test_newcomer_in_a_small_product_is_given_what_a_clearing_gives_it() -> None:
    lots, demands = synthetic_market(Shape(lots=120, demands=120, products=2), seed=9)
    result = solve_market(lots, demands, PARAMETERS)
    sold = [k for k, side in enumerate(result.lots) if side.traded]
    told = best_now(lots[sold[0]], lots, demands, PARAMETERS)
    assert told.matches is not None
    assert sum(match.grams for match in told.matches) == result.lots[sold[0]].traded
    assert {match.lot for match in told.matches} == {lots[sold[0]].id}


@pytest.mark.parametrize("side", ["lot", "demand"])
def test_large_product_is_searched_against_the_last_gains(side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lots, demands = synthetic_market(Shape(lots=200, demands=200, products=1), seed=10)
    result = solve_market(lots, demands, PARAMETERS)
    gains = {b.id: float(each.gain) for b, each in zip(demands, result.demands, strict=True)}
    subject = lots[3] if side == "lot" else demands[3]
    if side == "demand":
        gains = {a.id: float(each.gain) for a, each in zip(lots, result.lots, strict=True)}
    outright = best_now(subject, lots, demands, PARAMETERS)
    monkeypatch.setattr(live_now, "AT_ONCE", 0)
    searched = best_now(subject, lots, demands, PARAMETERS, gains=gains)
    assert searched.matches is None
    assert len(searched.best) == len(outright.best) > 0
    for option in searched.best:
        other = option.demand if side == "lot" else option.lot
        assert option.gain_yuan_per_kg == pytest.approx(option.worth_yuan_per_kg - gains[other], abs=1e-7)
    best = [option.gain_yuan_per_kg for option in searched.best]
    assert best == sorted(best, reverse=True)


def test_subject_is_not_its_own_rival_and_barred_pairs_are_left_out() -> None:
    subject = lot("L1", ask="2")
    told = best_now(
        subject,
        [subject, lot("X1", product="rice")],
        [demand("D1"), demand("D2", kg="400", ceiling="2.5")],
        PARAMETERS,
        barred=frozenset({("L1", "D1")}),
    )
    assert [option.demand for option in told.best] == ["D2"]
    assert told.matches is not None
    assert [(match.demand, match.grams) for match in told.matches] == [("D2", 400_000)]


def test_subject_that_is_changed_stands_for_itself() -> None:
    known = lot("L1", ask="5")
    told = best_now(msgspec.structs.replace(known, ask=lot().ask), [known], [demand()], PARAMETERS)
    assert [option.demand for option in told.best] == ["D1"]

"""Work shared among processes: nothing lost, nothing twice, trouble told."""

import os

import pytest

from fixtures.markets import Shape, synthetic_market
from market.errors import Busy
from market.matching import engine
from market.matching.engine import solve_market
from market.matching.rules import Parameters
from market.matching.shares import made_by_processes


@pytest.mark.parametrize("threads", [1, 2, 3, 9])
def test_every_part_is_made_once(threads: int) -> None:
    made = list(made_by_processes(lambda part: (part * part, os.getpid()), range(7), threads))
    assert sorted(square for square, _ in made) == [k * k for k in range(7)]
    assert os.getpid() not in {by for _, by in made}


def test_trouble_in_a_process_is_raised_here() -> None:
    def make(part: int) -> int:
        if part == 3:
            raise ArithmeticError("part 3")
        return part

    with pytest.raises(ArithmeticError, match="part 3"):
        list(made_by_processes(make, range(6), 2))


def test_process_that_dies_is_told() -> None:
    def make(part: int) -> int:
        if part == 2:
            os._exit(9)
        return part

    with pytest.raises(Busy):
        list(made_by_processes(make, range(6), 2))


@pytest.mark.parametrize("limits", [False, True])
def test_several_processes_find_what_one_finds(limits: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    size = 150 if limits else 300
    lots, demands = synthetic_market(
        Shape(lots=size, demands=size, products=5, min_orders=limits, max_lots=limits, round_kg=100)
    )
    alone = solve_market(lots, demands, Parameters(), clock=lambda: 0.0)
    monkeypatch.setattr(engine, "ALONE", 0)
    shared = solve_market(lots, demands, Parameters(), clock=lambda: 0.0, threads=3)
    assert shared == alone

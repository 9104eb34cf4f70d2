"""The files of a synthetic market hold the market that the generator makes as objects."""

from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.market_files import shape_of, write_market_files
from fixtures.markets import Shape, synthetic_market
from fixtures.prices import WHOLESALE
from market.matching.files.reading import read_demand, read_supply


@pytest.mark.parametrize("limits", [False, True])
@pytest.mark.parametrize("real", [False, True])
def test_files_hold_the_same_market_as_the_objects(tmp_path: Path, limits: bool, real: bool) -> None:
    shape = replace(shape_of("1k", limits=limits, real_prices=real), lots=300, demands=200)
    supply, wanted = write_market_files(shape, tmp_path, seed=3)
    lots, demands = synthetic_market(shape, seed=3)
    assert read_supply(str(supply)) == (lots, [])
    assert read_demand(str(wanted)) == (demands, [])


def test_seed_makes_another_market(tmp_path: Path) -> None:
    shape = Shape(lots=20, demands=20, products=2)
    one, _ = write_market_files(shape, tmp_path / "one", seed=1)
    two, _ = write_market_files(shape, tmp_path / "two", seed=2)
    assert one.read_text() != two.read_text()


def test_real_prices_name_each_product_once() -> None:
    names = [name for name, _ in WHOLESALE]
    assert len(names) >= 40
    assert len(set(names)) == len(names)
    assert all(0.5 < price < 100 for _, price in WHOLESALE)

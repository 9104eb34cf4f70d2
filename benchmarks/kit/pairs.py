"""Every admissible pair of a market given as files, found by the checker's code and not by the engine's."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from market.matching.checker.files import Report
from market.matching.checker.input import Side, read_side
from market.matching.checker.pairs import AllPairs, Book

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class WholeMarket:
    """Places of lots and demands of every admissible pair, product after product, with worth per kg."""

    lots: Side
    demands: Side
    i: Ints
    j: Ints
    worth: Floats


def whole_market(supply: str, demand: str, *, freight: float = 0.6, road: float = 1.3) -> WholeMarket:
    """Read a market and find all of its admissible pairs: 24 bytes each."""
    products: dict[str, int] = {}
    lots, demands = read_side(supply, products, lot=True), read_side(demand, products, lot=False)
    endless = np.full(len(lots.ids), np.inf), np.full(len(demands.ids), np.inf)
    everything = AllPairs(Book(lots, demands, freight, road), len(products), Report(), *endless)
    parts = []
    for product in everything.run(2**62):
        assert product.pairs is not None
        near, far, worth = product.pairs
        parts.append((product.lots[near], product.demands[far], worth))
    i, j, worth = (np.concatenate(column) for column in zip(*parts, strict=True))
    return WholeMarket(lots, demands, i, j, worth)

"""What a live product is made of: its two sides, pairs that are barred, and what may be spent."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from market.matching.live.rows import Rows
from market.matching.rules import Demand, Lot

Ints = NDArray[np.int64]
Party = Lot | Demand

LOTS, DEMANDS = 0, 1
#: Pivots between two looks at the clock.
PIVOTS = 16


class Watch:
    """What may still be spent on a re-solve: until ``late()``, and at most so many pivots (None: any)."""

    def __init__(self, late: Callable[[], bool], pivots: int | None = None) -> None:
        self._late, self._pivots = late, pivots

    def over(self) -> bool:
        return self._pivots == 0 or self._late()

    def pivots(self) -> int:
        """Take some of the pivots."""
        if self._pivots is None:
            return PIVOTS
        some = min(PIVOTS, self._pivots)
        self._pivots -= some
        return some


class Barring:
    """Pairs of a lot's and a demand's id that must not be paired; ``of`` finds them by either id."""

    def __init__(self, pairs: frozenset[tuple[str, str]]) -> None:
        self.pairs = pairs
        self.of: tuple[dict[str, list[str]], dict[str, list[str]]] = ({}, {})
        for pair in pairs:
            self._keep(*pair)

    def add(self, lot: str, demand: str) -> None:
        if (lot, demand) not in self.pairs:
            self.pairs |= {(lot, demand)}
            self._keep(lot, demand)

    def _keep(self, lot: str, demand: str) -> None:
        self.of[LOTS].setdefault(lot, []).append(demand)
        self.of[DEMANDS].setdefault(demand, []).append(lot)


class Side:
    """The lots or the demands of a product. ``parties`` keep what is left of them as their quantity.

    ``place`` finds the row of an id that is in the market; rows that left it keep their number.
    """

    def __init__(self, parties: list[Party], rows: Rows, grams: Ints, nodes: Ints) -> None:
        self.parties, self.rows, self.grams, self.nodes = parties, rows, grams, nodes
        self.place = {party.id: row for row, party in enumerate(parties)}
        self.is_out = np.zeros(len(parties), np.bool_)

    def alive(self) -> list[Party]:
        return [self.parties[row] for row in self.place.values()]

"""What the searches of the diagnosis find, and in which words: outcomes, ways, hits, bits of obstacles.

Rows are lots and columns demands, or the other way round.
"""

from typing import NamedTuple

import numpy as np

from market.matching.optimum.candidates import Bools, Floats, Ints

GRADE, LATER, EARLIER, CREDENTIAL, DISTANCE, PRICE, OWN_MIN, THEIR_MIN, MAX_LOTS = (1 << k for k in range(9))
#: The code of each bit, as files and pages show it.
CODES = {
    GRADE: "grade",
    LATER: "window",
    EARLIER: "window",
    CREDENTIAL: "credential",
    DISTANCE: "distance",
    PRICE: "price",
    OWN_MIN: "min_order",
    THEIR_MIN: "min_order",
    MAX_LOTS: "max_lots",
}
BITS = tuple(CODES)
#: Hits that are kept per row and single obstacle, and per pair of them.
NEAREST, NEAREST_PAIRS = 8, 4
COUNT = np.array([bin(mask).count("1") for mask in range(1 << len(BITS))], np.int64)


class Room(NamedTuple):
    """Per column (demand): grams on the widest path, the row (lot) at its end, grams avoiding that row.

    An ``end`` of -1: the path ends in a column that is open, or there is none.
    """

    grams: Ints
    end: Ints
    other: Ints


class Outcome(NamedTuple):
    """One product after matching, seen by its rows: lots looking for demands, or the other way round.

    Local places; mass in grams; ``lots_taken`` is per demand, whichever side it is. ``price`` is what a
    newcomer must beat at each column, in yuan per kg: nothing where it is open, else its highest dual.
    ``beyond`` are, per row that trades but has something left, columns that hang on it alone: (column,
    dual price without the row, grams).
    """

    product: int
    #: True: rows are lots, columns demands.
    of_lots: bool
    left: Ints
    open: Ints
    traded: Ints
    lots_taken: Ints
    price: Floats
    #: The rows' own gains, at the end of the lattice where theirs are least.
    gain: Floats
    room: Room
    beyond: dict[int, list[tuple[int, float, int]]]
    scale: float
    #: Smallest orders or most lots may bind: what a change unlocks is then not proven.
    limited: bool

    @property
    def tie(self) -> float:
        """Yuan per kg below which two plans are a tie: what wins must win by more than rounding."""
        return max(1e-9, 16 / self.scale)

    @property
    def is_open(self) -> Bools:
        return self.open > 0


class Ways(NamedTuple):
    """Columns that a row could move to, and what that costs per kg: u + v - worth, in yuan."""

    row: Ints
    column: Ints
    cost: Floats


class Hits(NamedTuple):
    """Pairs that one or two changes open: local places, ordered by row, obstacles, and how near they are.

    ``short`` is the price that is missing, yuan per kg (0 where none); ``grams`` what it could take.
    """

    row: Ints
    column: Ints
    mask: Ints
    short: Floats
    grams: Ints

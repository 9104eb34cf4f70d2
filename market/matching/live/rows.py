"""One side of a product that is searched while its lots or demands come and go.

Newcomers lie in leaves of their own, a few in each, wherever they are: those are searched like the others,
only less quickly. Leaves are sorted by what offers cost with a gain that is never more than the one that is
asked with, so that a search stays exact while gains rise, and only what fell is sorted again.
"""

from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from market.matching.optimum.search import Barred, Leaves, Places, Sides, best_in_leaves, leaves_of

Kind = TypeVar("Kind", bound=np.generic)
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

#: Newcomers of a leaf of their own.
_TOGETHER = 64
#: When more leaves than this are touched, all are sorted at once.
_ONE_BY_ONE = 64
#: Newcomers after which the leaves are cut anew, unless there were more rows to begin with.
_RECUT = 500


class Rows:
    """The rows of one side, numbered from 0 in the order in which they came; none is ever taken out."""

    def __init__(self, side: Sides, *, offers: bool) -> None:
        """``offers``: the side is written as what it offers (lots), not as what it seeks (demands)."""
        self._offers = offers
        self.seeking, self.offering = (side.turned(), side) if offers else (side, side.turned())
        self._cut()

    def __len__(self) -> int:
        return len(self.offering.price)

    def _cut(self) -> None:
        self._leaves = leaves_of(self.offering)
        self._at_first = len(self)
        self._low = np.zeros(len(self))
        self._leaf = np.empty(len(self), np.int64)
        self._leaf[self._leaves.rows] = np.repeat(np.arange(len(self._leaves.radius)), self._sizes())
        self._key = np.zeros(len(self))
        self._has_open_leaf = False
        self._sort_all(self._low)

    def _sizes(self) -> Ints:
        return np.diff(self._leaves.begin)

    def add(self, side: Sides) -> None:
        """Add one row; its gain is 0 until ``sort`` tells."""
        seeking, offering = (side.turned(), side) if self._offers else (side, side.turned())
        row = len(self)
        self.seeking = _with_row(self.seeking, seeking)
        self.offering = _with_row(self.offering, offering)
        self._low = np.append(self._low, 0.0)
        if row - self._at_first >= max(_RECUT, self._at_first):
            self._cut()
            return
        if not self._has_open_leaf or self._sizes()[-1] >= _TOGETHER:
            self._open_leaf(offering)
        leaves, last = self._leaves, len(self._leaves.radius) - 1
        away = float(np.sqrt(((offering.xyz[0] - leaves.centre[last]) ** 2).sum()))
        leaves.begin[-1] += 1
        leaves.radius[last] = max(leaves.radius[last], away)
        leaves.grade[last] = max(leaves.grade[last], offering.grade[0])
        leaves.earliest[last] = min(leaves.earliest[last], offering.begin[0])
        leaves.latest[last] = max(leaves.latest[last], offering.end[0])
        leaves.codes[last] |= offering.codes[0]
        self._leaves = leaves._replace(rows=np.append(leaves.rows, np.int32(row)))
        self._key = np.append(self._key, 0.0)
        self._leaf = np.append(self._leaf, last)
        self._sort_leaf(last)

    def _open_leaf(self, offering: Sides) -> None:
        leaves = self._leaves
        self._leaves = Leaves(
            rows=leaves.rows,
            begin=np.append(leaves.begin, leaves.begin[-1]),
            centre=_put_behind(leaves.centre, offering.xyz),
            radius=np.append(leaves.radius, 0.0),
            grade=_put_behind(leaves.grade, offering.grade),
            earliest=_put_behind(leaves.earliest, offering.begin),
            latest=_put_behind(leaves.latest, offering.end),
            codes=_put_behind(leaves.codes, offering.codes),
        )
        self._has_open_leaf = True

    def hold(self, rows: Ints, word: int, bits: np.uint64) -> None:
        """Let offers hold codes that nobody asked for before."""
        self.offering.codes[rows, word] |= bits
        self.seeking.codes[rows, word] = ~self.offering.codes[rows, word]
        self._leaves.codes[np.unique(self._leaf[rows]), word] |= bits

    def sort(self, low: Floats) -> None:
        """Sort for gains of at least ``low`` per row, yuan per kg; infinite for what is out of the market."""
        touched = np.unique(self._leaf[np.flatnonzero(low != self._low)])
        if len(touched) > _ONE_BY_ONE:
            self._sort_all(low)
            return
        self._low = low
        for leaf in touched.tolist():
            self._sort_leaf(leaf)

    def _sort_leaf(self, leaf: int) -> None:
        begin, end = self._leaves.begin[leaf : leaf + 2].tolist()
        rows = self._leaves.rows[begin:end]
        cost = self.offering.price[rows] - self.offering.priority[rows] + self._low[rows]
        order = np.argsort(cost, kind="stable")
        self._leaves.rows[begin:end], self._key[begin:end] = rows[order], cost[order]

    def _sort_all(self, low: Floats) -> None:
        self._low = low
        rows = self._leaves.rows
        cost = self.offering.price - self.offering.priority + low
        order = np.lexsort((cost[rows], self._leaf[rows]))
        self._leaves = self._leaves._replace(rows=rows[order])
        self._key = cost[rows[order]]

    def best(
        self,
        seekers: Ints,
        of: "Rows",
        *,
        barred: Barred,
        ways: tuple[float, float],
        gain: Floats,
        floor: Floats,
        most: int,
    ) -> tuple[Places, Floats]:
        """For each of ``seekers``, rows of the other side ``of``, find its best rows here.

        As ``search.best_offers`` does. ``gain`` per row here, at least what ``sort`` was told.
        """
        return best_in_leaves(
            seekers, of.seeking, self.offering, self._leaves, self._key, barred, ways, gain, floor, most
        )


def _put_behind(many: NDArray[Kind], more: NDArray[Kind]) -> NDArray[Kind]:
    return np.concatenate([many, more])


def _with_row(many: Sides, one: Sides) -> Sides:
    both: Iterable[Any] = zip(many, one, strict=True)
    return Sides(*map(np.concatenate, both))

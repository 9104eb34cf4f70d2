"""A rough solution of one large product: which gains are about right, and which pairs could matter.

Column generation in 32-bit numbers and coarse steps of worth. It begins with the gains of a sample of
the market, a third of each side, solved in the same way. Gains may not fall far under the best known
ones in a round (the boxstep method, Marsten, Hogan and Blankenship 1975): without that, a round over
too few pairs throws them about, and tied markets take many rounds. Nothing here need be exact: what is
wrong or missing is found out afterwards (``colgen``).
"""

from collections.abc import Callable, Iterator
from math import gcd
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from market.matching.candidates import Arcs, Bools, Ints
from market.matching.pairs import Pairs
from market.matching.solver import Duals, best_flow, extreme_duals, middle

Singles = NDArray[np.float32]

#: Pairs per lot and demand that a search brings.
PER_NODE = 6
#: One in so many lots and demands makes the sample to begin with.
SAMPLE = 3
#: A table of no more cells than this is solved over all of them.
WHOLE = 250_000
#: How far gains may fall in a round, in parts of the mean gain, and the steps of worth that makes.
REACH, STEPS = 0.3, 1 << 12
#: The rounds end when gains that cover every pair are as near as this to those of the pairs taken in.
NEAR = 1e-4
ROUNDS = 16


class Gains(NamedTuple):
    """Gains in yuan per kg, to search by."""

    u: Singles
    v: Singles


class Rough(NamedTuple):
    """Rows and columns of the pairs that took part, their gains, and the step these were reckoned in."""

    i: Ints
    j: Ints
    gains: Gains
    step: float


class Field:
    """The worths that are searched: all of ``pairs``, or the table of a sample of them."""

    def __init__(self, pairs: Pairs, q: Ints, d: Ints, table: Singles | None = None) -> None:
        self.pairs, self.q, self.d, self.table = pairs, q, d, table
        self.cells = len(q) * len(d)

    def stripes(self) -> Iterator[tuple[slice, Singles]]:
        if self.table is None:
            return self.pairs.stripes()
        return iter([(slice(0, len(self.q)), self.table)])

    def corner(self, rows: Ints, columns: Ints) -> Singles:
        if self.table is None:
            return self.pairs.some(rows, columns)
        return self.table[np.ix_(rows, columns)]

    def cover_columns(self, u: Singles) -> Singles:
        """Return the least v >= 0 that covers every pair beside ``u``."""
        v = np.zeros(len(self.d), np.float32)
        for rows, worth in self.stripes():
            np.maximum(v, (worth - u[rows, None]).max(axis=0), out=v)
        return v

    def cover_rows(self, v: Singles) -> Singles:
        """Return the least u >= 0 that covers every pair beside ``v``."""
        u = np.zeros(len(self.q), np.float32)
        for rows, worth in self.stripes():
            u[rows] = (worth - v).max(axis=1).clip(0)
        return u

    def cover_from_columns(self, v: Singles) -> Gains:
        """Return gains that cover every pair, none larger than needed, beginning from ``v``."""
        u = self.cover_rows(v)
        return Gains(u, self.cover_columns(u))

    def cover_from_rows(self, u: Singles) -> Gains:
        v = self.cover_columns(u)
        return Gains(self.cover_rows(v), v)

    def bound(self, gains: Gains) -> float:
        return float(gains.u.astype(np.float64) @ self.q + gains.v.astype(np.float64) @ self.d)

    def near(self, gains: Gains, most: int) -> tuple[Ints, Ints, Singles]:
        """Return about ``most`` pairs of least slack u + v - w; where too many are alike, some of them."""
        u, v = gains
        rows = np.arange(0, len(self.q), max(1, len(self.q) // 64))
        slack = ((u[rows, None] + v) - self.corner(rows, np.arange(len(self.d)))).ravel()
        share = min(len(slack) - 1, int(len(slack) * most / self.cells))
        band = float(np.partition(slack, share)[share])
        if not np.isfinite(band):
            band = float(slack[np.isfinite(slack)].max(initial=0.0))
        band += 1e-6 * (1 + float(max(u.max(), v.max())))
        within = np.count_nonzero(slack <= band) / len(slack) * self.cells
        every = max(1, round(within / most / 1.5))
        while gcd(every, len(self.d)) > 1:
            every += 1
        found: list[tuple[Ints, Ints, Singles]] = []
        for stripe, worth in self.stripes():
            flat = np.flatnonzero(worth - v >= (u[stripe] - np.float32(band))[:, None])[::every]
            i, j = np.divmod(flat, len(self.d))
            found.append((i + stripe.start, j, worth[i, j]))
        i, j, w = (np.concatenate(column) for column in zip(*found, strict=True))
        return i, j, w


def solve_roughly(pairs: Pairs, late: Callable[[], bool]) -> Rough:
    return _solve(Field(pairs, pairs.q, pairs.d), late)


def _solve(field: Field, late: Callable[[], bool]) -> Rough:
    everything = np.arange(len(field.q)), np.arange(len(field.d))
    if field.cells <= WHOLE:
        worth = field.corner(*everything)
        i, j = np.nonzero(worth >= 0)
        nothing = Gains(*(np.zeros(len(side), np.float32) for side in everything))
        reach = float(worth.max(initial=0.0)) + 1e-3
        gains, _ = _boxed(field, (i, j, worth[i, j]), nothing, nothing, reach / STEPS)
        return Rough(i, j, gains, reach / STEPS)
    rows, columns = (_scrambled(len(side))[::SAMPLE] for side in everything)
    corner = Field(field.pairs, field.q[rows], field.d[columns], field.corner(rows, columns))
    first = _solve(corner, late).gains
    v = (field.corner(rows, everything[1]) - first.u[:, None]).max(axis=0).clip(0)
    best = field.cover_from_columns(v)
    bound = field.bound(best)
    reach = REACH * bound / float(field.q.sum() + field.d.sum()) + 1e-6
    step = reach / STEPS
    box = Gains(*(np.full(len(side), reach, np.float32) for side in everything))
    many = PER_NODE * (len(field.q) + len(field.d))
    pool = field.near(best, many)
    for _ in range(ROUNDS):
        gains, held = _boxed(field, pool, best, box, step)
        covers = field.cover_from_rows(gains.u), field.cover_from_columns(gains.v)
        restricted, excess = field.bound(gains), float("inf")
        for cover in covers:
            excess = min(excess, field.bound(cover) - restricted)
        if restricted + excess < bound:
            best, bound = min(covers, key=field.bound), restricted + excess
        if late() or (excess <= NEAR * restricted and not sum(side.any() for side in held)):
            break
        box = Gains(*(np.where(stuck, 2 * side, side) for stuck, side in zip(held, box, strict=True)))
        pool = _together([pool, *(field.near(cover, many // 2) for cover in covers)], len(field.d))
    return Rough(pool[0], pool[1], gains, step)


def _scrambled(size: int) -> Ints:
    """Return the places of ``size`` in a fixed order that follows no pattern of theirs."""
    return np.argsort(np.arange(size) * 2654435761 % 4294967291, kind="stable")


def _together(parts: list[tuple[Ints, Ints, Singles]], columns: int) -> tuple[Ints, Ints, Singles]:
    i, j, w = (np.concatenate(column) for column in zip(*parts, strict=True))
    once = np.unique(i * columns + j, return_index=True)[1]
    return i[once], j[once], w[once]


class Held(NamedTuple):
    """Which gains the box held up: those at its lower side that would rather fall."""

    u: Bools
    v: Bools


def _boxed(
    field: Field, pool: tuple[Ints, Ints, Singles], centre: Gains, box: Gains, step: float
) -> tuple[Gains, Held]:
    """Solve over ``pool`` in steps of worth, with no gain more than ``box`` under ``centre``.

    Gains of at least ``low`` are gains of at least 0 in a market whose worths are less by ``low``.
    """
    i, j, w = pool
    low_u, low_v = np.maximum(centre.u - box.u, 0), np.maximum(centre.v - box.v, 0)
    steps = np.floor((w.astype(np.float64) - low_u[i] - low_v[j]) / step).astype(np.int64) + 1
    keep = steps >= 0
    arcs = Arcs(i[keep].astype(np.int32), j[keep].astype(np.int32), steps[keep])
    x = best_flow(arcs, field.q, field.d)
    assert x is not None
    guess = Duals(((centre.u - low_u) / step).astype(np.int64), ((centre.v - low_v) / step).astype(np.int64))
    half = middle(*extreme_duals(arcs, x, field.q, field.d, guess))
    held = Held(
        (np.bincount(arcs.i, x, len(low_u)) < field.q) & (low_u > 0),
        (np.bincount(arcs.j, x, len(low_v)) < field.d) & (low_v > 0),
    )
    return Gains((low_u + half.u * step).astype(np.float32), (low_v + half.v * step).astype(np.float32)), held

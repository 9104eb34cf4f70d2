"""One product over all its pairs: few at once, many by column generation.

Column generation solves over a part of the arcs, then searches every pair of the product against the
gains: an arc with worth > u + v could still matter and joins; the simplex goes on from where it stood. It
begins from the gains of a sample of the market, solved in the same way, and ends only when no arc is left
that violates the gains, nor either end of their lattice: the part never limits the optimum nor the price
bands.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from market.matching.optimum.candidates import Arcs, Floats, Ints, join
from market.matching.optimum.gains import Duals
from market.matching.optimum.lattice import Pieces, farthest_shifts, pieces_of
from market.matching.optimum.network import Network
from market.matching.optimum.pairs import Classes, Pairs
from market.matching.optimum.search import Places

#: Arcs per lot and per demand to begin with, and that join in a round.
FIRST, MORE = 20, 8
#: If violating pairs are fewer than this a row, they are told as columns see them, else as rows do as well.
FEW = 0.1
#: One in so many lots and demands makes the sample to begin with.
SAMPLE = 4
#: A sample's gains are near enough when their bound is as near as this to what its arcs can reach.
NEAR = 1e-3
#: Pivots between two looks at the clock.
PIVOTS = 20_000

Late = Callable[[], bool]


class Solved(NamedTuple):
    """One product, solved. ``arcs`` are those that took part; ``proven`` is false if time ran out.

    ``low`` holds the buyers' best gains, ``high`` the sellers' best, in scaled steps, one per lot and
    demand; where time ran out they are some gains that cover every pair, and the same.
    """

    arcs: Arcs
    x: Ints
    low: Duals
    high: Duals
    proven: bool


class _Floor:
    """What a pair must be worth, less one side's gain, to violate gains in whole steps."""

    def __init__(self, scale: float) -> None:
        # Two steps for rounding up and down, and what floating point may blur.
        self.scale, self.margin = scale, 2 / scale + 1e-12

    def __call__(self, gains: Ints) -> Floats:
        return gains / self.scale - self.margin


class Program:
    """The arcs of a product that take part so far, on a network that stays optimal over them."""

    def __init__(self, pairs: Pairs) -> None:
        self.pairs = pairs
        self.network = Network(len(pairs.q) + len(pairs.d) + 1)
        self.rows, self.columns = self.network.add_lots(pairs.q), self.network.add_demands(pairs.d)
        self._slacks = self.network.arcs
        #: Whether the flow is the best over the arcs so far.
        self.settled = False
        self.arcs = join([])
        self._known = np.zeros(0, np.int64)

    def take(self, arcs: Arcs) -> None:
        """Begin with these arcs, each of which stands there once; no others may join."""
        self.network.add_arcs(self.rows[arcs.i], self.columns[arcs.j], arcs.w)
        self.arcs = arcs

    def add(self, more: Arcs) -> int:
        """Let arcs join, each once; return how many are new."""
        key, once = np.unique(more.i.astype(np.int64) * len(self.pairs.d) + more.j, return_index=True)
        at = np.minimum(np.searchsorted(self._known, key), max(0, len(self._known) - 1))
        new = self._known[at] != key if len(self._known) else np.ones(len(key), np.bool_)
        once = once[new]
        fresh = Arcs(more.i[once], more.j[once], more.w[once])
        self._known = np.sort(np.concatenate([self._known, key[new]]))
        self.network.add_arcs(self.rows[fresh.i], self.columns[fresh.j], fresh.w)
        self.arcs = join([self.arcs, fresh])
        return len(once)

    def solve(self, late: Late) -> bool:
        """Make the flow the best over the arcs so far; False if time ran out before."""
        while not late():
            self.settled = self.network.solve(PIVOTS)
            if self.settled:
                return True
        # The first pivots are quick and sell the most.
        self.settled = self.network.solve(self.network.nodes)
        return False

    @property
    def x(self) -> Ints:
        return self.network.flow[self._slacks :].copy()

    @property
    def gains(self) -> Duals:
        potential = self.network.potential
        return Duals(potential[self.rows], -potential[self.columns])


def solve_product(classes: Classes, late: Late) -> Solved:
    """Solve one product over all of its pairs. ``late()`` tells when to stop with the best so far."""
    pairs = classes.pairs
    program = Program(pairs)
    ends: tuple[Duals, Duals] | None = None
    if pairs.kept is not None:
        program.take(pairs.kept)
        proven = program.solve(late)
        if program.settled:
            ends = _ends(program, pieces_of(program.network))
    else:
        proven = generate(program, late, near=0.0)
        if proven:
            ends = _all_ends(program, late)
            proven = ends is not None
    if ends is None:
        ends = (covering(pairs, program.gains),) * 2
    low, high = ends
    arcs, x = classes.unmerge(program.arcs, program.x)
    low, high = (Duals(end.u[classes.of_lot], end.v[classes.of_demand]) for end in (low, high))
    return Solved(arcs, x, low, high, proven)


def generate(program: Program, late: Late, *, near: float) -> bool:
    """Let arcs join until none is left that could matter; or, with ``near``, until the bound is so near."""
    pairs = program.pairs
    u, v = _guess(pairs, late)
    program.add(_best_arcs(pairs, u, v))
    while program.solve(late):
        gains = program.gains
        more, excess = violating(pairs, gains)
        if not len(more.w):
            return True
        if near and _total(excess, pairs.d) <= near * (_total(gains.u, pairs.q) + _total(gains.v, pairs.d)):
            return True
        program.add(more)
    return False


def _total(gain: Ints, grams: Ints) -> float:
    # whole numbers would overflow
    return float(gain.astype(np.float64) @ grams)


def _guess(pairs: Pairs, late: Late) -> tuple[Floats, Floats]:
    """Gains from a sample of the market, carried over to all of it; they cover every pair."""
    part, rows, _ = pairs.sample(SAMPLE)
    program = Program(part)
    if part.kept is not None:
        program.take(part.kept)
        program.solve(late)
    else:
        generate(program, late, near=NEAR)
    u = np.full(len(pairs.q), np.inf)
    u[rows] = program.gains.u / pairs.scale
    everything = np.arange(len(pairs.q)), np.arange(len(pairs.d))
    v = pairs.best_lots(everything[1], u, np.zeros(len(pairs.d)), 1)[1][:, 0]
    u = pairs.best_demands(everything[0], v, np.zeros(len(pairs.q)), 1)[1][:, 0]
    return u, v


def _best_arcs(pairs: Pairs, u: Floats, v: Floats) -> Arcs:
    """The best few arcs of each row and each column under such gains."""
    rows, columns = np.arange(len(pairs.q)), np.arange(len(pairs.d))
    i, _ = pairs.best_lots(columns, u, np.full(len(columns), -np.inf), FIRST)
    j, _ = pairs.best_demands(rows, v, np.full(len(rows), -np.inf), FIRST)
    return join([_listed(pairs, i, columns, by_column=True), _listed(pairs, j, rows, by_column=False)])


def _listed(pairs: Pairs, found: Places, seekers: Ints, *, by_column: bool) -> Arcs:
    place, rank = np.nonzero(found >= 0)
    other = found[place, rank].astype(np.int64)
    return pairs.arcs(other, seekers[place]) if by_column else pairs.arcs(seekers[place], other)


def violating(pairs: Pairs, gains: Duals) -> tuple[Arcs, Ints]:
    """Return arcs with worth > u + v, the worst few of each row and column, and the most by column.

    None are returned only if no pair at all violates the gains.
    """
    floor = _Floor(pairs.scale)
    rows, columns = np.arange(len(pairs.q)), np.arange(len(pairs.d))
    i, _ = pairs.best_lots(columns, gains.u / pairs.scale, floor(gains.v), MORE)
    arcs = _listed(pairs, i, columns, by_column=True)
    excess = arcs.w - gains.u[arcs.i] - gains.v[arcs.j]
    over = np.zeros(len(columns), np.int64)
    np.maximum.at(over, arcs.j, excess)
    worse = np.flatnonzero(excess > 0)
    arcs = Arcs(arcs.i[worse], arcs.j[worse], arcs.w[worse])
    if len(worse) < FEW * len(rows):
        return arcs, over
    j, _ = pairs.best_demands(rows, gains.v / pairs.scale, floor(gains.u), MORE)
    others = _listed(pairs, j, rows, by_column=False)
    worse = np.flatnonzero(others.w > gains.u[others.i] + gains.v[others.j])
    return join([arcs, Arcs(others.i[worse], others.j[worse], others.w[worse])]), over


def covering(pairs: Pairs, gains: Duals) -> Duals:
    """Raise v until every pair is covered: any gains become feasible ones."""
    u = np.maximum(gains.u, 0)
    if pairs.kept is not None:
        v = np.zeros(len(pairs.d), np.int64)
        np.maximum.at(v, pairs.kept.j, pairs.kept.w - u[pairs.kept.i])
        return Duals(u, v)
    columns = np.arange(len(pairs.d))
    _, value = pairs.best_lots(columns, u / pairs.scale, np.zeros(len(columns)), 1)
    # A step for rounding worth up, and one for what floating point may blur.
    return Duals(u, np.ceil(value[:, 0] * pairs.scale).astype(np.int64) + 2)


def _ends(program: Program, pieces: Pieces) -> tuple[Duals, Duals]:
    """The ends of the lattice over the arcs that take part."""
    falls, rises = farthest_shifts(program.network, pieces)
    gains, rows, columns = program.gains, program.rows, program.columns
    low = Duals(gains.u - falls[rows], gains.v + falls[columns])
    high = Duals(gains.u + rises[rows], gains.v - rises[columns])
    return low, high


def _all_ends(program: Program, late: Late) -> tuple[Duals, Duals] | None:
    """The ends over all pairs: arcs that an end over some of them violates join. None if time ran out."""
    pieces = pieces_of(program.network)
    if pieces.number == 1:
        return program.gains, program.gains
    while not late():
        ends = _ends(program, pieces)
        more = join([violating(program.pairs, end)[0] for end in ends])
        if not len(more.w):
            return ends
        program.add(more)
    return None

"""Where a newcomer finds room: how many kilograms it could take at a demand's price, and at whose expense.

In the residual network of an optimal flow, a kilogram more for a demand pushes another lot out of it,
which moves to a demand on a tight arc (w = u + v), pushes out a third, and so on, until kilograms are
left over or a demand is still open. Such a path costs the demand's highest dual price v, to the unit.
The widest path (a bottleneck Dijkstra from its ends) is what one newcomer can surely take.

The same holds for a demand looking for lots, with the sides exchanged and the sellers' best gains.
"""

import heapq
from typing import NamedTuple

import numpy as np

from market.matching.candidates import Arcs, Bools, Floats, Ints, Market
from market.matching.solver import Duals

_NEVER = 2**62


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
    room: Room
    beyond: dict[int, list[tuple[int, float, int]]]
    #: Smallest orders or most lots may bind: what a change unlocks is then not proven.
    limited: bool

    @property
    def is_open(self) -> Bools:
        return self.open > 0


def outcome_of(
    market: Market,
    product: int,
    arcs: Arcs,
    x: Ints,
    ends: tuple[Duals, Duals],
    scale: float,
    *,
    of_lots: bool = True,
) -> Outcome:
    """Return a product's outcome, for its lots or for its demands.

    ``x`` are grams on ``arcs``; ``ends`` the buyers' best and the sellers' best gains, whole numbers of
    1/``scale`` yuan per kg.
    """
    lots, demands = market.lots_of[product], market.demands_of[product]
    low, high = ends
    q, d = market.q[lots], market.d[demands]
    used = np.flatnonzero(x)
    sold, served = np.zeros(len(lots), np.int64), np.zeros(len(demands), np.int64)
    np.add.at(sold, arcs.i[used], x[used])
    np.add.at(served, arcs.j[used], x[used])
    if of_lots:
        outcome = _outcome(market, product, arcs, x, low, (q, sold), (d, served), scale)
    else:
        turned = Arcs(arcs.j, arcs.i, arcs.w)
        outcome = _outcome(market, product, turned, x, Duals(high.v, high.u), (d, served), (q, sold), scale)
    taken = np.bincount(arcs.j[used], minlength=len(demands))
    return outcome._replace(of_lots=of_lots, lots_taken=taken)


def _outcome(
    market: Market,
    product: int,
    arcs: Arcs,
    x: Ints,
    duals: Duals,
    rows: tuple[Ints, Ints],
    columns: tuple[Ints, Ints],
    scale: float,
) -> Outcome:
    limited = market.limited(product)
    left, open_ = rows[0] - rows[1], columns[0] - columns[1]
    if not (left > 0).any():
        nothing = np.zeros(len(open_), np.int64)
        room, beyond = Room(nothing, nothing - 1, nothing), {}
    else:
        room, labels = _widest(arcs, x, duals, left, open_)
        beyond = {} if limited else _beyond(arcs, x, duals, left, rows[1], labels, scale)
    return Outcome(
        product=product,
        of_lots=True,
        left=left,
        open=open_,
        traded=rows[1],
        lots_taken=np.zeros(0, np.int64),
        price=np.where(open_ > 0, 0.0, duals.v / scale),
        room=room,
        beyond=beyond,
        limited=limited,
    )


class _Labels(NamedTuple):
    """Per node (rows, then columns): the ends of its two widest paths to different ends; -1: none."""

    first: list[int]
    second: list[int]


def _widest(arcs: Arcs, x: Ints, duals: Duals, left: Ints, open_: Ints) -> tuple[Room, _Labels]:
    """Widest tight paths from every column to two different ends, grown from the ends.

    Whoever is left over himself ends every path that reaches him, so a path that avoids an end avoids
    that row altogether.
    """
    rows, nodes = len(left), len(left) + len(open_)
    tight = np.flatnonzero((duals.u[arcs.i] + duals.v[arcs.j] == arcs.w) | (x > 0))
    takes: dict[int, list[tuple[int, int]]] = {}
    ways_in: dict[int, list[int]] = {}
    for i, j, grams in zip(arcs.i[tight].tolist(), arcs.j[tight].tolist(), x[tight].tolist(), strict=True):
        if grams:
            takes.setdefault(i, []).append((rows + j, grams))
        ways_in.setdefault(rows + j, []).append(i)
    ends = (left > 0) | (duals.u == 0)
    is_end = ends.tolist()
    heap = [(-_NEVER, k, k) for k in np.flatnonzero(ends).tolist()]
    heap += [(-int(open_[j]), rows + j, rows + j) for j in np.flatnonzero(open_ > 0).tolist()]
    heapq.heapify(heap)
    first, second = [-1] * nodes, [-1] * nodes
    wide, other = [0] * nodes, [0] * nodes
    while heap:
        width, node, end = heapq.heappop(heap)
        if first[node] < 0:
            first[node], wide[node] = end, -width
        elif first[node] != end and second[node] < 0 and not (node < rows and is_end[node]):
            second[node], other[node] = end, -width
        else:
            continue
        if node < rows:
            for to, grams in takes.get(node, ()):
                heapq.heappush(heap, (max(width, -grams), to, end))
        else:
            for to in ways_in.get(node, ()):
                if not is_end[to]:
                    heapq.heappush(heap, (width, to, end))
    found = np.array(first[rows:], np.int64)
    grams = np.array(wide[rows:], np.int64)
    return (
        Room(grams, np.where(found < rows, found, -1), np.array(other[rows:], np.int64)),
        _Labels(first, second),
    )


def _beyond(
    arcs: Arcs, x: Ints, duals: Duals, left: Ints, traded: Ints, labels: _Labels, scale: float
) -> dict[int, list[tuple[int, float, int]]]:
    """Columns to which every tight path ends in one row that trades: what they cost that row itself.

    Shortest residual paths that avoid the row, over reduced costs u + v - w of the arcs. Inside the part
    that hangs on the row alone they are searched; outside it the duals hold as they are.
    """
    rows = len(left)
    hangs: dict[int, list[int]] = {}
    alone = [
        end if end >= 0 and labels.second[node] < 0 and end != node else -1
        for node, end in enumerate(labels.first)
    ]
    partly = ((left > 0) & (traded > 0)).tolist()
    for node, end in enumerate(alone):
        if 0 <= end < rows and partly[end]:
            hangs.setdefault(end, []).append(node)
    if not hangs:
        return {}
    hung = np.zeros(len(alone), np.bool_)
    for nodes in hangs.values():
        hung[nodes] = True
    whose = np.array(alone, np.int64)
    i, j = arcs.i.astype(np.int64), arcs.j.astype(np.int64) + rows
    mine = np.flatnonzero(hung[i])
    slack = duals.u[i[mine]] + duals.v[arcs.j[mine]] - arcs.w[mine]
    # Leaving the part: to a column outside it, or unsold (which costs the row its gain u).
    exits = np.where(hung[:rows], duals.u, 0)
    outside = whose[i[mine]] != whose[j[mine]]
    np.minimum.at(exits, i[mine][outside], slack[outside])
    inner: dict[int, list[tuple[int, int]]] = {}
    for row, column, cost in zip(
        i[mine][~outside].tolist(), j[mine][~outside].tolist(), slack[~outside].tolist(), strict=True
    ):
        inner.setdefault(column, []).append((row, cost))
    flows: dict[int, list[tuple[int, int]]] = {}
    into = np.flatnonzero((x > 0) & hung[i])
    for row, column, grams in zip(i[into].tolist(), j[into].tolist(), x[into].tolist(), strict=True):
        flows.setdefault(row, []).append((column, grams))
    found: dict[int, list[tuple[int, float, int]]] = {}
    for end, nodes in hangs.items():
        dist: dict[int, tuple[int, int]] = {}
        heap = [(int(exits[node]), -_NEVER, node) for node in nodes if node < rows]
        heapq.heapify(heap)
        while heap:
            cost, width, node = heapq.heappop(heap)
            if node in dist:
                continue
            dist[node] = cost, -width
            if node < rows:
                for to, grams in flows.get(node, ()):
                    heapq.heappush(heap, (cost, max(width, -grams), to))
            else:
                for to, more in inner.get(node, ()):
                    heapq.heappush(heap, (cost + more, width, to))
        found[end] = [
            (node - rows, (int(duals.v[node - rows]) + dist[node][0]) / scale, dist[node][1])
            for node in nodes
            if node >= rows and node in dist
        ]
    return found

"""Where a newcomer finds room: how many kilograms it could take at a demand's price, and at whose expense.

In the residual network of an optimal flow, a kilogram more for a demand pushes another lot out of it,
which moves to a demand on a tight arc (w = u + v), pushes out a third, and so on, until kilograms are
left over or a demand is still open. Such a path costs the demand's highest dual price v, to the unit.
The widest path (a bottleneck Dijkstra from its ends) is what one newcomer can surely take.

The same holds for a demand looking for lots, with the sides exchanged and the sellers' best gains.
"""

import heapq
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from market.matching.diagnosis.seen import Outcome, Room, Ways
from market.matching.optimum.candidates import BLOCK, Arcs, Block, Bools, Floats, Ints, Market
from market.matching.optimum.gains import Duals

_NEVER = 2**62
#: Pairs of a product that are looked at once more for what is not among the arcs; beyond, the arcs must do.
CELLS = 1_000_000_000
#: Pairs of a product from which on machine code searches them; its loading takes half a second.
MANY = 200_000


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
        outcome = _outcome(market, product, True, arcs, x, low, (q, sold), (d, served), scale)
    else:
        turned, gains = Arcs(arcs.j, arcs.i, arcs.w), Duals(high.v, high.u)
        outcome = _outcome(market, product, False, turned, x, gains, (d, served), (q, sold), scale)
    return outcome._replace(lots_taken=np.bincount(arcs.j[used], minlength=len(demands)))


def _outcome(
    market: Market,
    product: int,
    of_lots: bool,
    arcs: Arcs,
    x: Ints,
    duals: Duals,
    rows: tuple[Ints, Ints],
    columns: tuple[Ints, Ints],
    scale: float,
) -> Outcome:
    limited = market.limited(product)
    left, open_ = rows[0] - rows[1], columns[0] - columns[1]
    gain, price = duals.u / scale, np.where(open_ > 0, 0.0, duals.v / scale)
    nothing = np.zeros(len(open_), np.int64)
    outcome = Outcome(
        product=product,
        of_lots=of_lots,
        left=left,
        open=open_,
        traded=rows[1],
        lots_taken=nothing,
        price=price,
        gain=gain,
        room=Room(nothing, nothing - 1, nothing),
        beyond={},
        scale=scale,
        limited=limited,
    )
    if not (left > 0).any() or not len(open_):
        return outcome
    used = np.flatnonzero(x)
    flow = Flow(arcs.i[used].astype(np.int64), arcs.j[used].astype(np.int64), x[used])
    ends = (left > 0) | (duals.u == 0)
    tight = duals.u[arcs.i] + duals.v[arcs.j] == arcs.w
    ways = Ways(arcs.i[tight].astype(np.int64), arcs.j[tight].astype(np.int64), np.zeros(int(tight.sum())))
    movers = np.flatnonzero(~ends & (rows[1] > 0))
    if len(used) == len(x) and len(movers) * len(open_) <= CELLS:
        # Twins were solved as one, and of their arcs only those with goods on them came back.
        ways = _ways(market, outcome, movers, lambda cost, _: cost <= 4 / scale)
    room, labels = _widest(flow, ways, ends, open_, len(left))
    outcome = outcome._replace(room=room)
    return outcome if limited else outcome._replace(beyond=_beyond(market, outcome, arcs, flow, labels))


class Flow(NamedTuple):
    """Grams of a row in a column."""

    row: Ints
    column: Ints
    grams: Ints


def tables(market: Market, product: int, of_lots: bool, rows: Ints) -> Iterator[tuple[slice, Block]]:
    """Yield the table of ``rows`` by stripes, rows first whichever side they are of."""
    lots, demands = market.lots_of[product], market.demands_of[product]
    step = max(1, BLOCK // max(1, len(demands) if of_lots else len(lots)))
    for start in range(0, len(rows), step):
        part = slice(start, min(start + step, len(rows)))
        some = rows[part]
        if of_lots:
            yield part, market.table(lots[some], demands, slice(0, len(some)))
        else:
            block = market.table(lots, demands[some], slice(0, len(lots)))
            turned = (None if one is None else one.T for one in block[1:])
            yield part, Block(slice(0, len(some)), *turned)  # type: ignore[arg-type]


def _ways(market: Market, outcome: Outcome, rows: Ints, which: Callable[[Floats, slice], Bools]) -> Ways:
    """Return the ways of ``rows`` over all pairs; ``which`` picks by their cost, stripe by stripe."""
    lots = market.lots_of[outcome.product]
    parts = []
    for part, table in tables(market, outcome.product, outcome.of_lots, rows):
        some = rows[part]
        bonus = market.priority[lots[some]][:, None] if outcome.of_lots else market.priority[lots][None, :]
        worth = table.surplus + bonus
        cost = outcome.gain[some][:, None] + outcome.price[None, :] - worth
        cost[~table.admissible() | (worth < 0)] = np.inf
        row, column = np.nonzero(which(cost, part))
        parts.append(Ways(some[row], column, np.maximum(cost[row, column], 0.0)))
    if not parts:
        none = np.zeros(0, np.int64)
        return Ways(none, none, np.zeros(0))
    return Ways(*(np.concatenate(column) for column in zip(*parts, strict=True)))


class _Labels(NamedTuple):
    """Per node (rows, then columns): the ends of its two widest paths to different ends; -1: none."""

    first: list[int]
    second: list[int]


def _widest(flow: Flow, ways: Ways, ends: Bools, open_: Ints, rows: int) -> tuple[Room, _Labels]:
    """Widest tight paths from every column to two different ends, grown from the ends.

    Whoever is left over himself ends every path that reaches him, so a path that avoids an end avoids
    that row altogether.
    """
    nodes = rows + len(open_)
    takes: dict[int, list[tuple[int, int]]] = {}
    for i, j, grams in zip(*(column.tolist() for column in flow), strict=True):
        takes.setdefault(i, []).append((rows + j, grams))
    ways_in: dict[int, list[int]] = {}
    movers = ~ends[ways.row]
    for i, j in zip(ways.row[movers].tolist(), ways.column[movers].tolist(), strict=True):
        ways_in.setdefault(rows + j, []).append(i)
    heap = [(-_NEVER, k, k) for k in np.flatnonzero(ends).tolist()]
    heap += [(-int(open_[j]), rows + j, rows + j) for j in np.flatnonzero(open_ > 0).tolist()]
    heapq.heapify(heap)
    is_end = ends.tolist()
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
                heapq.heappush(heap, (width, to, end))
    found = np.array(first[rows:], np.int64)
    return (
        Room(
            np.array(wide[rows:], np.int64),
            np.where(found < rows, found, -1),
            np.array(other[rows:], np.int64),
        ),
        _Labels(first, second),
    )


def _beyond(
    market: Market, outcome: Outcome, arcs: Arcs, flow: Flow, labels: _Labels
) -> dict[int, list[tuple[int, float, int]]]:
    """Columns to which every tight path ends in one row that trades: what they cost that row itself.

    Shortest residual paths that avoid the row, over the costs of all ways. Inside the part that hangs on
    the row alone they are searched; outside it the duals hold as they are.
    """
    rows = len(outcome.left)
    partly = (outcome.left > 0) & (outcome.traded > 0)
    first, second = np.array(labels.first, np.int64), np.array(labels.second, np.int64)
    alone = (first >= 0) & (first < rows) & (second < 0) & (first != np.arange(len(first)))
    alone[alone] = partly[first[alone]]
    whose = np.where(alone, first, -1)
    hung = np.flatnonzero(alone[:rows])
    if not alone.any():
        return {}
    ways = _ways_out(market, outcome, arcs, hung, whose)
    exits = outcome.gain.copy()
    inside = whose[ways.row] == whose[rows + ways.column]
    leaves, to, cost = ways.row[~inside], ways.column[~inside], ways.cost[~inside]
    np.minimum.at(exits, leaves, cost)
    room = outcome.room
    width = np.where(room.end[to] == whose[leaves], room.other[to], room.grams[to])
    width = np.where(outcome.is_open[to], outcome.open[to], width)
    through = np.where(exits == outcome.gain, _NEVER, 0)
    cheapest = cost == exits[leaves]
    np.maximum.at(through, leaves[cheapest], width[cheapest])
    # A way as dear as the row's own way out shortens nothing.
    inside &= ways.cost < exits[ways.row]
    within: dict[int, list[tuple[int, float]]] = {}
    for row, column, more in zip(*(one[inside].tolist() for one in ways), strict=True):
        within.setdefault(rows + column, []).append((row, more))
    takes: dict[int, list[tuple[int, int]]] = {}
    into = alone[flow.row]
    for row, column, grams in zip(*(one[into].tolist() for one in flow), strict=True):
        takes.setdefault(row, []).append((rows + column, grams))
    found: dict[int, list[tuple[int, float, int]]] = {}
    heaps: dict[int, list[tuple[float, int, int]]] = {}
    for row in hung.tolist():
        heaps.setdefault(int(whose[row]), []).append((float(exits[row]), -int(through[row]), row))
    for end, heap in heaps.items():
        heapq.heapify(heap)
        done: set[int] = set()
        while heap:
            cost_, width_, node = heapq.heappop(heap)
            if node in done:
                continue
            done.add(node)
            if node < rows:
                for next_, grams in takes.get(node, ()):
                    heapq.heappush(heap, (cost_, max(width_, -grams), next_))
            elif whose[node] == end:
                price = float(outcome.price[node - rows]) + cost_
                found.setdefault(end, []).append((node - rows, price, -width_))
                for next_, more in within.get(node, ()):
                    if next_ not in done:
                        heapq.heappush(heap, (cost_ + more, width_, next_))
    return found


def _ways_out(market: Market, outcome: Outcome, arcs: Arcs, hung: Ints, whose: Ints) -> Ways:
    """All ways of the hung rows inside their parts, and their cheapest out of them."""
    rows, columns = len(outcome.left), len(outcome.open)
    if MANY < len(hung) * columns <= CELLS:
        from market.matching.diagnosis.sweeps import ways_out

        return ways_out(market, outcome, hung, whose)
    if len(hung) * columns > CELLS:
        i, j = arcs.i.astype(np.int64), arcs.j.astype(np.int64)
        of_hung = np.isin(i, hung)
        i, j = i[of_hung], j[of_hung]
        cost = outcome.gain[i] + outcome.price[j] - arcs.w[of_hung] / outcome.scale
        return Ways(i, j, np.maximum(cost, 0.0))

    def matter(cost: Floats, part: slice) -> Bools:
        inside = whose[hung[part]][:, None] == whose[None, rows:]
        least = np.where(inside, np.inf, cost).min(axis=1)
        matters: Bools = np.isfinite(cost) & (inside | (cost <= least[:, None]))
        return matters

    return _ways(market, outcome, hung, matter)

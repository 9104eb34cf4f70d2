"""The transport problem of one product: the best flow, and the two extreme systems of gains.

The flow is a min-cost flow with one hub node: a lot's unsold kilograms go to the hub, a demand's
unfilled ones come from it. Whole numbers throughout, so optimality is exact.

Gains u (per lot) and v (per demand) are the dual prices: u, v >= 0, u_i + v_j >= w_ij, with equality
where goods flow, and zero where something is left over. All such systems form a lattice (Shapley and
Shubik 1971); its two ends, the buyers' best and the sellers' best, are longest and shortest paths from
the hub over the residual graph. Flow fixes the gains inside a connected piece up to one constant, so
the paths run over pieces instead of lots and demands.
"""

from typing import NamedTuple

import numpy as np
from ortools.graph.python import min_cost_flow
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import breadth_first_order, connected_components, dijkstra

from market.matching.optimum.candidates import Arcs, Ints

#: Costs times nodes must stay under this for the flow solver's own arithmetic.
COST_RANGE = 2**61


class Duals(NamedTuple):
    """Gains per kg, in scaled whole numbers: ``u`` per lot, ``v`` per demand."""

    u: Ints
    v: Ints


def scale_for(most_worth: float, nodes: int) -> float:
    """Return the finest power of ten (steps per yuan) whose costs stay in range."""
    scale = 1e11
    while scale > 1e3 and (
        most_worth * scale * 2 > 2**52 or most_worth * scale * 2 * (nodes + 3) > COST_RANGE
    ):
        scale /= 10
    return scale


def best_flow(arcs: Arcs, q: Ints, d: Ints, least: Ints | None = None) -> Ints | None:
    """Return grams per arc that maximise total worth within ``q`` and ``d``.

    ``least`` demands at least so many grams on each arc; None is returned if that cannot be.
    """
    i, j, w = arcs.i.astype(np.int64), arcs.j.astype(np.int64), arcs.w
    base = np.zeros(len(w), np.int64) if least is None else least
    free_q, free_d = q.copy(), d.copy()
    if least is not None:
        np.subtract.at(free_q, i, base)
        np.subtract.at(free_d, j, base)
        if (free_q < 0).any() or (free_d < 0).any():
            return None
    if not len(w):
        return base
    lots, demands = len(q), len(d)
    hub = lots + demands
    top = np.zeros(lots, np.int64)
    np.maximum.at(top, i, w)
    # Whole units of what divides every quantity: round quantities then part in round pieces.
    unit = max(1, int(np.gcd.reduce(np.concatenate([free_q, free_d]))))
    flow = min_cost_flow.SimpleMinCostFlow()
    flow.add_arcs_with_capacity_and_unit_cost(
        np.concatenate([i, np.arange(lots), np.full(demands, hub)]),
        np.concatenate([j + lots, np.full(lots, hub), np.arange(lots, hub)]),
        np.concatenate([np.minimum(free_q[i], free_d[j]), free_q, free_d]) // unit,
        np.concatenate([top[i] - w, top, np.zeros(demands, np.int64)]),
    )
    flow.set_nodes_supplies(
        np.arange(hub + 1), np.concatenate([free_q, -free_d, [free_d.sum() - free_q.sum()]]) // unit
    )
    status = flow.solve()
    if status != flow.OPTIMAL:
        raise ArithmeticError(f"min-cost flow ended with {status}")
    x: Ints = flow.flows(np.arange(len(w))) * unit + base
    return x


class _Pieces(NamedTuple):
    """Connected pieces of the flow, the hub's first; a node's gain is ``rel`` plus its piece's shift."""

    piece: Ints
    rel: Ints
    number: int


def _pieces(arcs: Arcs, x: Ints, left: Ints, unfilled: Ints) -> _Pieces:
    lots, demands = len(left), len(unfilled)
    hub = lots + demands
    used = np.flatnonzero(x > 0)
    a, b = arcs.i[used].astype(np.int64), arcs.j[used].astype(np.int64) + lots
    slack = np.concatenate([np.flatnonzero(left > 0), np.flatnonzero(unfilled > 0) + lots])
    tail = np.concatenate([a, slack])
    head = np.concatenate([b, np.full(len(slack), hub)])
    # The step from tail to head: rel[head] = rel[tail] + step. A demand carries -v, a lot u.
    step = np.concatenate([-arcs.w[used], np.zeros(len(slack), np.int64)])
    graph = csr_matrix((np.ones(len(tail), np.int8), (tail, head)), shape=(hub + 1, hub + 1))
    count, label = connected_components(graph, directed=False)
    label = label.astype(np.int64)
    swap = label[hub]
    piece = np.where(label == swap, 0, np.where(label == 0, swap, label))
    # One root per piece, all tied to the hub, so that a single walk reaches everything.
    roots = np.unique(piece, return_index=True)[1]
    roots[0] = hub
    others = roots[1:]
    walk = csr_matrix(
        (
            np.ones(len(tail) + len(others), np.int8),
            (np.concatenate([tail, np.full(len(others), hub)]), np.concatenate([head, others])),
        ),
        shape=(hub + 1, hub + 1),
    )
    order, before = breadth_first_order(walk, hub, directed=False)
    steps = dict(zip(zip(tail.tolist(), head.tolist(), strict=True), step.tolist(), strict=True))
    rel = [0] * (hub + 1)
    for node in order[1:].tolist():
        parent = int(before[node])
        if (forth := steps.get((parent, node))) is not None:
            rel[node] = rel[parent] + forth
        elif (back := steps.get((node, parent))) is not None:
            rel[node] = rel[parent] - back
    return _Pieces(piece, np.array(rel, np.int64), count)


def extreme_duals(arcs: Arcs, x: Ints, q: Ints, d: Ints, guess: Duals | None = None) -> tuple[Duals, Duals]:
    """Return the buyers' best and the sellers' best gains of an optimal flow ``x`` over ``arcs``.

    Gains that are about right, or better feasible, make it quicker: ``guess``.
    """
    lots, demands = len(q), len(d)
    hub = lots + demands
    i, j = arcs.i.astype(np.int64), arcs.j.astype(np.int64)
    left = q - np.bincount(i, x, lots).astype(np.int64)
    unfilled = d - np.bincount(j, x, demands).astype(np.int64)
    piece, rel, count = _pieces(arcs, x, left, unfilled)
    # shift[over] >= shift[under] + least, from u_i - (-v_j) >= w_ij, u_i >= 0 and -(-v_j) >= 0.
    over = np.concatenate([piece[i], piece[:lots], np.zeros(demands, np.int64)])
    under = np.concatenate([piece[j + lots], np.zeros(lots, np.int64), piece[lots:hub]])
    least = np.concatenate([arcs.w - rel[i] + rel[j + lots], -rel[:lots], rel[lots:hub]])
    if (least[over == under] > 0).any():
        raise ArithmeticError("the flow is not optimal")
    across = over != under
    over, under, least = over[across], under[across], least[across]
    if len(over):
        key = over * count + under
        order = np.argsort(key, kind="stable")
        first = np.flatnonzero(np.diff(key[order], prepend=-1))
        least = np.maximum.reduceat(least[order], first)
        over, under = over[order][first], under[order][first]
    near = None
    if guess is not None:
        near = np.zeros(count, np.int64)
        near[piece[:hub]] = np.concatenate([guess.u, -guess.v]) - rel[:hub]
        near[0] = 0
    low = _longest(over, under, least, count, near)
    high = -_longest(under, over, least, count, -low)
    return _duals(rel, piece, low, lots, hub), _duals(rel, piece, high, lots, hub)


def _longest(over: Ints, under: Ints, least: Ints, count: int, guess: Ints | None) -> Ints:
    """Longest path from piece 0: the smallest shifts with shift[over] >= shift[under] + least.

    Shifts rise until none changes, each pass following the steps from those that just rose. They may
    begin from any that are not too high. Such come from ``guess``: it turns lengths into ones that
    Dijkstra's algorithm takes, exactly where the guess is feasible, too short where it is not.
    """
    shift = np.full(count, np.iinfo(np.int64).min // 4, np.int64)
    shift[0] = 0
    if not len(over):
        return shift
    order = np.argsort(under, kind="stable")
    over, under, least = over[order], under[order], least[order]
    begin = np.searchsorted(under, np.arange(count + 1))
    rose = np.zeros(1, np.int64)
    if guess is not None:
        short = np.maximum(guess[over] - guess[under] - least, 0)
        far = dijkstra(
            csr_matrix((short.astype(np.float64), over, begin), shape=(count, count)), indices=[0]
        )[0]
        rose = np.flatnonzero(np.isfinite(far))
        shift[rose] = (guess - guess[0])[rose] - far[rose].astype(np.int64)
    for _ in range(count + 1):
        size = begin[rose + 1] - begin[rose]
        steps = np.arange(int(size.sum())) + np.repeat(begin[rose] - (np.cumsum(size) - size), size)
        before = shift.copy()
        np.maximum.at(shift, over[steps], shift[under[steps]] + least[steps])
        rose = np.flatnonzero(shift > before)
        if not len(rose):
            return shift
    raise ArithmeticError("the flow is not optimal")


def _duals(rel: Ints, piece: Ints, shift: Ints, lots: int, hub: int) -> Duals:
    gain = rel + shift[piece]
    return Duals(gain[:lots], -gain[lots:hub])


def middle(low: Duals, high: Duals) -> Duals:
    """Halfway between the two ends. Rounding u down and v up keeps u + v >= w in whole numbers."""
    return Duals((low.u + high.u) // 2, -((-low.v - high.v) // 2))

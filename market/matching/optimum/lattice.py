"""The two ends of the lattice of gains: the buyers' best and the sellers' best (Shapley and Shubik 1971).

Given an optimal flow and any gains that support it, all others that do are reached by shifts: goods that
flow tie the gains of a lot and a demand together, so the flow's connected pieces move as one, lots up and
demands down or the reverse. A piece can move as far as the slack u + v - worth of its arcs allows, and
the arcs' other ends move with it: its farthest is a shortest path from the hub, whose piece cannot move.
"""

import heapq
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from market.compiled import compiled
from market.matching.optimum.network import HUB, Network

Ints = NDArray[np.int64]
Places = NDArray[np.int32]
_FAR = 1 << 62


class Pieces(NamedTuple):
    """Nodes that the flow ties together: the piece of each node, the hub's being 0; and their number."""

    piece: Ints
    number: int


@compiled("int64(int32[::1], int32[::1], int64[::1], int32[::1])")
def _tie(tail: Places, head: Places, flow: Ints, root: Places) -> int:
    """Unite what flow connects; ``root`` leads from a node towards its piece's. Return the unions."""
    unions = 0
    for e in range(len(flow)):
        if flow[e] <= 0:
            continue
        a, b = tail[e], head[e]
        while root[a] != a:
            root[a] = root[root[a]]
            a = root[a]
        while root[b] != b:
            root[b] = root[root[b]]
            b = root[b]
        if a != b:
            # The smaller number stays the root, so that the hub is its piece's.
            if a < b:
                root[b] = a
            else:
                root[a] = b
            unions += 1
    for node in range(len(root)):
        root[node] = root[root[node]]
    return unions


def pieces_of(network: Network) -> Pieces:
    root = np.arange(network.nodes, dtype=np.int32)
    _tie(network.tail, network.head, network.flow, root)
    roots, piece = np.unique(root, return_inverse=True)
    return Pieces(piece.astype(np.int64), len(roots))


@compiled("void(int64[::1], int64[::1], int64[::1], int64[::1])")
def _shortest(begin: Ints, to: Ints, length: Ints, distance: Ints) -> None:
    """Dijkstra's algorithm from node 0 over arcs ``begin[k]:begin[k + 1]`` of node k, lengths >= 0."""
    distance[0] = 0
    heap = [(np.int64(0), np.int64(0))]
    while heap:
        far, node = heapq.heappop(heap)
        if far > distance[node]:
            continue
        for e in range(begin[node], begin[node + 1]):
            there = far + length[e]
            if there < distance[to[e]]:
                distance[to[e]] = there
                heapq.heappush(heap, (there, to[e]))


def farthest_shifts(network: Network, pieces: Pieces) -> tuple[Ints, Ints]:
    """Return how far each node's potential can fall and rise: to the buyers' and to the sellers' best.

    Over the network's arcs only, whose potentials must be optimal. Scaled steps per gram, per node.
    """
    falls, rises = np.zeros(network.nodes, np.int64), np.zeros(network.nodes, np.int64)
    if pieces.number == 1:
        return falls, rises
    tail, head = pieces.piece[network.tail], pieces.piece[network.head]
    across = np.flatnonzero(tail != head)
    potential = network.potential
    slack = potential[network.tail] - potential[network.head] - network.worth
    tail, head, slack = tail[across], head[across], slack[across]
    if len(slack) and slack.min() < 0:
        raise ArithmeticError("the potentials are not optimal")
    for out, source, target in ((falls, head, tail), (rises, tail, head)):
        key = source * pieces.number + target
        order = np.lexsort((slack, key))
        first = order[np.flatnonzero(np.diff(key[order], prepend=-1))]
        begin = np.searchsorted(source[first], np.arange(pieces.number + 1)).astype(np.int64)
        distance = np.full(pieces.number, _FAR, np.int64)
        _shortest(begin, target[first], slack[first], distance)
        # A piece that no path reaches holds nothing but nodes without goods: it stays.
        distance[distance == _FAR] = 0
        out[:] = distance[pieces.piece]
    assert falls[HUB] == rises[HUB] == 0
    return falls, rises

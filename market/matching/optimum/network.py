"""A network simplex for the transport problem that starts where it last ended.

The market is a network with one hub: goods flow from lots to demands along arcs that are worth something;
what stays unsold flows from its lot to the hub, what stays unfilled from the hub to its demand, along slack
arcs worth nothing. No arc needs a capacity: a lot's quantity and a demand's limit every flow there is.

A basis is a spanning tree rooted at the hub; flow runs on its arcs alone. Each node has a potential: a
lot's is its gain u, a demand's is -v, the hub's 0; on a tree arc u + v equals the arc's worth. An arc with
worth > u + v enters, flow turns along the cycle it closes, and the arc that runs dry leaves (Dantzig 1951;
trees as in Ahuja, Magnanti and Orlin, Network Flows, 1993, chapter 11). Ties leave by the rule of strongly
feasible trees (Cunningham 1976), so that it ends even where very many quantities are alike. Entering arcs
are sought block by block (Kovács 2015). New arcs and nodes join an optimal tree at any time, and the next
call goes on from there.

Whole numbers throughout: flow in grams, worth in scaled steps per gram.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from market.compiled import compiled

Ints = NDArray[np.int64]
Places = NDArray[np.int32]

HUB = 0
_NEVER = 1 << 62
#: What an arc is worth that must not be used: less than any gains, and far from overflowing with them.
_CLOSED = -(1 << 56)


_PLACES, _NUMBERS = "int32[::1]", "int64[::1]"
#: tail, head, worth and flow of arcs; potential of nodes; parent, link, next, before, last, size of nodes.
_NETWORK = ", ".join([_PLACES] * 2 + [_NUMBERS] * 3 + [_PLACES] * 6)


@compiled(f"int64(int64, int64, {_NETWORK})")
def _pivot(
    arc: int,
    nodes: int,
    tail: Places,
    head: Places,
    worth: Ints,
    flow: Ints,
    potential: Ints,
    parent: Places,
    link: Places,
    next_: Places,
    before: Places,
    last: Places,
    size: Places,
) -> int:
    """Let ``arc`` enter the tree; return the grams that turn along its cycle.

    ``link[node]`` is the arc between a node and its parent. ``next_`` runs through the tree in preorder,
    round and round, and ``before`` back; ``last[node]`` ends the run of its ``size[node]`` descendants.
    """
    a, b = tail[arc], head[arc]
    # Flow comes down from where the two paths meet to the tail, and goes up from the head to there. Where
    # several arcs run dry at once, the last of them in that direction leaves: hence < here and <= there.
    least = _NEVER
    out = np.int32(-1)
    behind_head = False
    while a != b:
        # an ancestor has more descendants, so the smaller of the two is none of the other's
        if size[a] <= size[b]:
            e = link[a]
            if tail[e] == a and flow[e] < least:
                least, out, behind_head = flow[e], a, False
            a = parent[a]
        else:
            e = link[b]
            if head[e] == b and flow[e] <= least:
                least, out, behind_head = flow[e], b, True
            b = parent[b]
    top = a
    if least > 0:
        flow[arc] += least
        a, b = tail[arc], head[arc]
        while a != top:
            e = link[a]
            flow[e] += -least if tail[e] == a else least
            a = parent[a]
        while b != top:
            e = link[b]
            flow[e] += -least if head[e] == b else least
            b = parent[b]
    # Cut the part below the leaving arc out of the run ...
    start, above = (head[arc], tail[arc]) if behind_head else (tail[arc], head[arc])
    moved, end = size[out], last[out]
    lead, follow = before[out], next_[end]
    next_[lead], before[follow] = follow, lead
    node = parent[out]
    while node >= 0 and last[node] == end:
        last[node] = lead
        node = parent[node]
    node = parent[out]
    while node != top:
        size[node] -= moved
        node = parent[node]
    # ... turn it over to hang by the entering arc: behind a node's run comes what is left of its parent's ...
    node, e, up = start, np.int32(arc), above
    inner = inner_lead = inner_follow = final = np.int32(0)
    inner_end = np.int32(-1)
    while True:
        mother, old, whole, own_lead, own_end = parent[node], link[node], size[node], before[node], last[node]
        own_follow = inner_follow if own_end == inner_end else next_[own_end]
        if node == start:
            final = own_end
        else:
            # The run closes up where the part that came first was in it, and follows that part.
            rest = inner_lead
            if own_end != inner_end:
                next_[inner_lead], before[inner_follow] = inner_follow, inner_lead
                rest = own_end
            next_[final], before[node] = node, final
            final = rest
        parent[node], link[node], size[node] = up, e, moved - inner
        inner, inner_lead, inner_end, inner_follow = whole, own_lead, own_end, own_follow
        if node == out:
            break
        up, e, node = node, old, mother
    node = out
    while node != above:
        last[node] = final
        node = parent[node]
    # ... and put it in behind its new parent.
    follow = next_[above]
    next_[above], before[start] = start, above
    next_[final], before[follow] = follow, final
    node = above
    while node >= 0 and last[node] == above:
        last[node] = final
        node = parent[node]
    node = above
    while node != top:
        size[node] += moved
        node = parent[node]
    # Potentials only matter against each other: the smaller part shifts.
    excess = worth[arc] - potential[tail[arc]] + potential[head[arc]]
    change = -excess if behind_head else excess
    node = start
    if 2 * moved > nodes:
        node, moved, change = follow, nodes - moved, -change
    for _ in range(moved):
        potential[node] += change
        node = next_[node]
    return least


@compiled(f"int64(int64, int64, int64, int64, int64, {_NETWORK})")
def _improve(
    start: int,
    arcs: int,
    block: int,
    pivots: int,
    nodes: int,
    tail: Places,
    head: Places,
    worth: Ints,
    flow: Ints,
    potential: Ints,
    parent: Places,
    link: Places,
    next_: Places,
    before: Places,
    last: Places,
    size: Places,
) -> int:
    """Pivot until no arc is worth more than its gains, or ``pivots`` are spent.

    Return the arc to begin at the next time, or -1 when the tree is optimal.
    """
    at, seen = start % max(arcs, 1), 0
    while seen < arcs:
        best, most, count = -1, 0, 0
        while seen < arcs:
            excess = worth[at] - potential[tail[at]] + potential[head[at]]
            if excess > most:
                best, most = at, excess
            at += 1
            if at == arcs:
                at = 0
            seen += 1
            count += 1
            if count >= block:
                if best >= 0:
                    break
                count = 0
        if best < 0:
            return -1
        if pivots == 0:
            return best
        _pivot(best, nodes, tail, head, worth, flow, potential, parent, link, next_, before, last, size)
        pivots -= 1
        seen = 0
    return -1


class Network:
    """Lots, demands and arcs with an always feasible flow; ``solve`` makes it optimal.

    Nodes and arcs are numbered from 0 in the order in which they join; node 0 is the hub. Every other
    node brings its slack arc, ``slack[node]``.
    """

    def __init__(self, nodes: int = 16, arcs: int = 64) -> None:
        self.nodes, self.arcs = 1, 0
        self._at = 0
        self._tail, self._head = np.zeros(arcs, np.int32), np.zeros(arcs, np.int32)
        self._worth, self._flow = np.zeros(arcs, np.int64), np.zeros(arcs, np.int64)
        self._potential = np.zeros(nodes, np.int64)
        self._parent, self._link = np.full(nodes, -1, np.int32), np.full(nodes, -1, np.int32)
        self._next, self._before = np.zeros(nodes, np.int32), np.zeros(nodes, np.int32)
        self._last, self._size = np.zeros(nodes, np.int32), np.ones(nodes, np.int32)
        self._slack = np.full(nodes, -1, np.int32)

    @property
    def slack(self) -> Places:
        """The slack arc of each node; -1 for the hub, which has none."""
        return self._slack[: self.nodes]

    @property
    def tail(self) -> Places:
        return self._tail[: self.arcs]

    @property
    def head(self) -> Places:
        return self._head[: self.arcs]

    @property
    def worth(self) -> Ints:
        return self._worth[: self.arcs]

    @property
    def flow(self) -> Ints:
        return self._flow[: self.arcs]

    @property
    def potential(self) -> Ints:
        """Against the hub's: u of a lot, -v of a demand."""
        against: Ints = self._potential[: self.nodes] - self._potential[HUB]
        return against

    def add_lots(self, grams: Ints) -> Ints:
        """Add lots, all unsold for now; return their nodes. Their slack arcs follow in the same order."""
        return self._add_nodes(grams, lots=True)

    def add_demands(self, grams: Ints) -> Ints:
        """Add demands, all unfilled for now; return their nodes."""
        return self._add_nodes(grams, lots=False)

    def _add_nodes(self, grams: Ints, *, lots: bool) -> Ints:
        count = len(grams)
        nodes = np.arange(self.nodes, self.nodes + count)
        self._make_room(nodes=self.nodes + count)
        self.nodes += count
        hub = np.full(count, HUB)
        tail, head = (nodes, hub) if lots else (hub, nodes)
        arcs = self.add_arcs(tail, head, np.zeros(count, np.int64))
        self._flow[arcs] = grams
        self._slack[nodes] = arcs
        self._link[nodes], self._parent[nodes], self._size[nodes] = arcs, HUB, 1
        self._potential[nodes] = self._potential[HUB]
        if count:
            # They follow the hub, each a run of its own.
            follow = self._next[HUB]
            self._next[nodes], self._before[nodes] = np.append(nodes[1:], follow), np.append(HUB, nodes[:-1])
            self._next[HUB], self._before[follow] = nodes[0], nodes[-1]
            self._last[nodes] = nodes
            if self._last[HUB] == HUB:
                self._last[HUB] = nodes[-1]
            self._size[HUB] += count
        return nodes

    def add_arcs(self, tail: Ints, head: Ints, worth: Ints) -> Ints:
        """Add arcs without flow from lots to demands (nodes); return their numbers."""
        arcs = np.arange(self.arcs, self.arcs + len(tail))
        # The search for what to improve begins at what is new.
        self._at = self.arcs
        self._make_room(arcs=self.arcs + len(tail))
        self.arcs += len(tail)
        self._tail[arcs], self._head[arcs], self._worth[arcs], self._flow[arcs] = tail, head, worth, 0
        return arcs

    def _make_room(self, *, nodes: int = 0, arcs: int = 0) -> None:
        if arcs > len(self._tail):
            size = max(arcs, 2 * len(self._tail))
            for name in ("_tail", "_head", "_worth", "_flow"):
                setattr(self, name, np.resize(getattr(self, name), size))
        if nodes > len(self._parent):
            size = max(nodes, 2 * len(self._parent))
            for name in ("_potential", "_parent", "_link", "_next", "_before", "_last", "_size", "_slack"):
                setattr(self, name, np.resize(getattr(self, name), size))

    def _arrays(self) -> tuple[Any, ...]:
        arcs = (self._tail, self._head, self._worth, self._flow)
        tree = (self._parent, self._link, self._next, self._before, self._last, self._size)
        return (*arcs, self._potential, *tree)

    def solve(self, pivots: int = _NEVER) -> bool:
        """Pivot until the flow is worth the most, at most ``pivots`` times; tell whether it is."""
        block = max(32, int(self.arcs**0.5))
        at = int(_improve(self._at, self.arcs, block, pivots, self.nodes, *self._arrays()))
        self._at = max(at, 0)
        return at < 0

    def enter(self, arc: int) -> int:
        """Let an arc enter the tree, whatever it is worth; return the grams that moved to it."""
        for node in (int(self._tail[arc]), int(self._head[arc])):
            if self._link[node] == arc:
                return 0
        return int(_pivot(arc, self.nodes, *self._arrays()))

    def increase(self, node: int, grams: int) -> None:
        """Give a lot or demand more, unsold or unfilled for now."""
        slack = int(self._slack[node])
        self.enter(slack)
        self._flow[slack] += grams

    def decrease(self, node: int, grams: int) -> None:
        """Take ``grams`` from a lot or demand, at most what it has; goods that flow are called back."""
        slack = int(self._slack[node])
        self.enter(slack)
        # A demand that keeps nothing open, but is served, would leave an arc without flow that leads away
        # from the hub, and the tree no longer strongly feasible: a gram more is called back.
        more = grams if self._tail[slack] == node else grams + 1
        if self._flow[slack] < more:
            for arc in self.served(node).tolist():
                other = self._head[arc] if self._tail[arc] == node else self._tail[arc]
                self.enter(int(self._slack[other]))
                if self._flow[slack] >= more:
                    break
        if not 0 <= grams <= self._flow[slack]:
            raise ValueError("a node cannot lose more than it has")
        self._flow[slack] -= grams

    def served(self, node: int) -> Ints:
        """The arcs of a lot or demand on which goods flow, without its slack arc."""
        arcs = np.flatnonzero((self.tail == node) | (self.head == node))
        used: Ints = arcs[(self.flow[arcs] > 0) & (arcs != self._slack[node])]
        return used

    def deliver(self, arc: int, grams: int) -> int:
        """Take up to ``grams`` that flow on an arc out of the market, at both ends; return how many.

        Gains are as good as before. Of an arc that leads away from the hub a gram stays behind, or the
        tree would be no longer strongly feasible.
        """
        stays = 0 if self._link[self._tail[arc]] == arc else 1
        moved = max(0, min(grams, int(self._flow[arc]) - stays))
        self._flow[arc] -= moved
        return moved

    def close(self, node: int) -> None:
        """Make a node that has nothing left a leaf of the hub, and its arcs never enter the tree again.

        Nodes that hang by it, without goods, move to the hub: through it they could send none there.
        """
        self.enter(int(self._slack[node]))
        arcs = np.flatnonzero((self.tail == node) | (self.head == node))
        arcs = arcs[arcs != self._slack[node]]
        ends = np.where(self.tail[arcs] == node, self.head[arcs], self.tail[arcs])
        for end in ends[self._link[ends] == arcs].tolist():
            self.enter(int(self._slack[end]))
        self._worth[arcs] = _CLOSED

    def forbid(self, arc: int) -> None:
        """Keep an arc from ever being used again; what flows on it is called back."""
        ends = int(self._tail[arc]), int(self._head[arc])
        for end in ends:
            if arc in (self._link[ends[0]], self._link[ends[1]]):
                self.enter(int(self._slack[end]))
        self._worth[arc] = _CLOSED

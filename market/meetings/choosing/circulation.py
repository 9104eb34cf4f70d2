"""A circulation that is best by several gains in turn, in whole numbers and with its own proof.

Each gain is maximised by min-cost flow. From shortest distances in what the flow leaves (its residual
network) come reduced costs: an arc whose reduced cost is positive is empty in every best flow, one whose
is negative is full (complementary slackness; Ahuja, Magnanti and Orlin, Network Flows, 1993, ch. 9).
Held there, the rest of the network carries all best flows of this gain and no others, and the next gain
is maximised among them. That there are such distances proves the flow best: a better one would leave a
negative cycle.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from ortools.graph.python import min_cost_flow

Ints = NDArray[np.int64]


class Network(Struct, frozen=True):
    """Arcs from ``tail`` to ``head`` that hold ``most`` units; an empty flow must be allowed."""

    nodes: int
    tail: Ints
    head: Ints
    most: Ints


def best_circulation(network: Network, gains: Sequence[Ints]) -> Ints:
    """Return the flow on each arc that maximises the first gain, among those the second, and so on."""
    low = np.zeros_like(network.most)
    high = network.most.copy()
    flow = low.copy()
    for gain in gains:
        free = np.flatnonzero(high > low)
        if not gain[free].any():
            continue
        flow[free] = _cheapest(network, flow, free, -gain)
        forward, backward = free[flow[free] < high[free]], free[flow[free] > low[free]]
        distance = _distances(
            network.nodes,
            np.concatenate([network.tail[forward], network.head[backward]]),
            np.concatenate([network.head[forward], network.tail[backward]]),
            np.concatenate([-gain[forward], gain[backward]]),
        )
        reduced = -gain[free] + distance[network.tail[free]] - distance[network.head[free]]
        held = free[reduced != 0]
        low[held] = high[held] = flow[held]
    return flow


def _cheapest(network: Network, flow: Ints, free: Ints, cost: Ints) -> Ints:
    """Return the flow on the arcs ``free`` that costs least, the others keeping theirs."""
    held = np.ones(len(flow), dtype=bool)
    held[free] = False
    supply = np.zeros(network.nodes, dtype=np.int64)
    np.add.at(supply, network.head[held], flow[held])
    np.subtract.at(supply, network.tail[held], flow[held])
    solver = min_cost_flow.SimpleMinCostFlow()
    arcs = solver.add_arcs_with_capacity_and_unit_cost(
        network.tail[free], network.head[free], network.most[free], cost[free]
    )
    solver.set_nodes_supplies(np.arange(network.nodes), supply)
    status = solver.solve()
    if status != solver.OPTIMAL:
        raise ArithmeticError(f"min-cost flow ended with {status}")
    found: Ints = solver.flows(arcs)
    return found


def _distances(nodes: int, tail: Ints, head: Ints, cost: Ints) -> Ints:
    """Return shortest distances from outside to every node, over arcs that may cost less than nothing.

    Raises:
        ArithmeticError: there is a negative cycle.
    """
    distance = np.zeros(nodes, dtype=np.int64)
    for _ in range(nodes + 1):
        nearer = distance.copy()
        np.minimum.at(nearer, head, distance[tail] + cost)
        if np.array_equal(nearer, distance):
            return distance
        distance = nearer
    raise ArithmeticError("the flow is not the best")

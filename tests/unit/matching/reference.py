"""The best flow by OR-Tools' cost scaling: another method by another hand, to compare with."""

import numpy as np
from numpy.typing import NDArray
from ortools.graph.python import min_cost_flow

Ints = NDArray[np.int64]


def reference_flow(i: Ints, j: Ints, worth: Ints, q: Ints, d: Ints) -> Ints:
    """Return grams per arc (lot i, demand j) that maximise total worth within q and d."""
    lots, demands = len(q), len(d)
    hub = lots + demands
    flow = min_cost_flow.SimpleMinCostFlow()
    flow.add_arcs_with_capacity_and_unit_cost(
        np.concatenate([i, np.arange(lots), np.full(demands, hub)]),
        np.concatenate([j + lots, np.full(lots, hub), np.arange(lots, hub)]),
        np.concatenate([np.minimum(q[i], d[j]), q, d]),
        np.concatenate([-worth, np.zeros(hub, np.int64)]),
    )
    flow.set_nodes_supplies(np.arange(hub + 1), np.concatenate([q, -d, [d.sum() - q.sum()]]))
    assert flow.solve() == flow.OPTIMAL
    return flow.flows(np.arange(len(worth)))

"""Named solvers given every admissible pair of a whole market at once.

    python -m benchmarks.kit.references flow|highs SUPPLY DEMAND

Prints JSON: seconds of building the model and solving it (finding the pairs is not counted, in the
solver's favour), and the worth it found.
"""

import json
import sys
import time
from typing import Any

import numpy as np
from ortools.graph.python import min_cost_flow
from scipy.optimize import linprog
from scipy.sparse import csr_array

from benchmarks.kit.pairs import WholeMarket, whole_market

#: Steps of a yuan per kg in which the flow solver reckons: it takes whole numbers only.
STEPS = 10**9


def flow(market: WholeMarket) -> float:
    """OR-Tools' SimpleMinCostFlow: lots, demands, and a hub for what is not traded."""
    q, d = market.lots.grams, market.demands.grams
    lots, demands = len(q), len(d)
    hub = lots + demands
    worth = np.rint(market.worth * STEPS).astype(np.int64)
    solver = min_cost_flow.SimpleMinCostFlow()
    solver.add_arcs_with_capacity_and_unit_cost(
        np.concatenate([market.i, np.arange(lots), np.full(demands, hub)]),
        np.concatenate([market.j + lots, np.full(lots, hub), np.arange(lots, hub)]),
        np.concatenate([np.minimum(q[market.i], d[market.j]), q, d]),
        np.concatenate([-worth, np.zeros(lots + demands, np.int64)]),
    )
    solver.set_nodes_supplies(np.arange(hub + 1), np.concatenate([q, -d, [d.sum() - q.sum()]]))
    if solver.solve() != solver.OPTIMAL:
        raise ArithmeticError("no optimum")
    grams = solver.flows(np.arange(len(worth)))
    return float((grams * market.worth).sum()) / 1000


def highs(market: WholeMarket) -> float:
    """HiGHS, its own choice of method, through scipy.optimize.linprog."""
    lots, demands = len(market.lots.ids), len(market.demands.ids)
    pairs = np.arange(len(market.i))
    rows = np.concatenate([market.i, market.j + lots])
    columns = np.concatenate([pairs, pairs])
    limits = np.concatenate([market.lots.grams, market.demands.grams]) / 1000
    matrix = csr_array((np.ones(len(rows)), (rows, columns)), shape=(lots + demands, len(pairs)))
    best: Any = linprog(np.negative(market.worth), A_ub=matrix, b_ub=limits, method="highs")  # type: ignore[call-overload]
    if best.x is None:
        raise ArithmeticError(best.message)
    return -float(best.fun)


def main() -> None:
    if len(sys.argv) != 4:
        sys.exit("flow|highs SUPPLY DEMAND")
    solve = {"flow": flow, "highs": highs}[sys.argv[1]]
    market = whole_market(sys.argv[2], sys.argv[3])
    begin = time.perf_counter()
    worth = solve(market)
    print(json.dumps({"seconds": time.perf_counter() - begin, "worth": worth, "pairs": len(market.i)}))


if __name__ == "__main__":
    main()

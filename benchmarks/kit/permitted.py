"""The LP bound of a market with limits: the best flow over the pairs that can keep a smallest order at all.

    python -m benchmarks.kit.permitted SUPPLY DEMAND

Prints JSON: the worth in yuan. All of these pairs at once, product by product.
"""

import json
import sys

from market.matching.certificate import weighted
from market.matching.engine import scale_of
from market.matching.files.reading import read_demand, read_supply
from market.matching.limits.rules import Rules
from market.matching.optimum.candidates import Market
from market.matching.optimum.network import Network
from market.matching.optimum.pairs import Classes, Pairs
from market.matching.rules import Parameters


def bound(supply: str, demand: str) -> float:
    """Yuan that no allocation exceeds which uses only pairs that smallest orders permit."""
    arrays = Market(read_supply(supply)[0], read_demand(demand)[0], Parameters())
    scale, total = scale_of(arrays), 0
    Pairs.KEEP = 10**8
    for product in range(len(arrays.products)):
        lots, demands = arrays.lots_of[product], arrays.demands_of[product]
        pairs = Classes(arrays, product, scale).pairs
        assert pairs.kept is not None
        rules = Rules(
            pairs.q, pairs.d, arrays.lot_min[lots], arrays.demand_min[demands], arrays.max_lots[demands]
        )
        ok = rules.permit(pairs.kept)
        network = Network()
        rows, columns = network.add_lots(pairs.q), network.add_demands(pairs.d)
        arcs = network.add_arcs(rows[pairs.kept.i[ok]], columns[pairs.kept.j[ok]], pairs.kept.w[ok])
        network.solve()
        total += weighted(network.worth[arcs], network.flow[arcs])
    return total / scale / 1000


if __name__ == "__main__":
    print(json.dumps(bound(sys.argv[1], sys.argv[2])))

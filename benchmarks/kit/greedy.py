"""What people do without an engine, on the same pairs: the best pair first, or first come, best served.

    python -m benchmarks.kit.greedy SUPPLY DEMAND

Prints JSON: the worth of each. Both keep smallest orders and most lots where the market has them.
"""

import json
import sys

import numpy as np

from benchmarks.kit.pairs import Ints, WholeMarket, whole_market
from market.compiled import compiled


@compiled("int64[::1](int64[::1],int64[::1],int64[::1],int64[::1],int64[::1],int64[::1],int64[::1])")
def _taken(i: Ints, j: Ints, q: Ints, d: Ints, least_q: Ints, least_d: Ints, most: Ints) -> Ints:
    """Grams for each pair, in this order: as much as both sides still have, if that is enough."""
    left, open_, lots_of = q.copy(), d.copy(), np.zeros(len(d), np.int64)
    grams = np.zeros(len(i), np.int64)
    for k in range(len(i)):
        a, b = i[k], j[k]
        amount = min(left[a], open_[b])
        if amount > 0 and amount >= least_q[a] and amount >= least_d[b] and lots_of[b] < most[b]:
            grams[k] = amount
            left[a] -= amount
            open_[b] -= amount
            lots_of[b] += 1
    return grams


def worth_in_order(market: WholeMarket, order: Ints) -> float:
    """Worth in yuan when pairs are served in ``order``."""
    most = np.minimum(market.demands.max_lots, 2.0**62).astype(np.int64)
    grams = _taken(
        np.ascontiguousarray(market.i[order]),
        np.ascontiguousarray(market.j[order]),
        market.lots.grams,
        market.demands.grams,
        market.lots.min_order,
        market.demands.min_order,
        most,
    )
    return float((grams * market.worth[order]).sum()) / 1000


def best_first(market: WholeMarket) -> float:
    """The pair that is worth most per kg first."""
    return worth_in_order(market, np.argsort(-market.worth, kind="stable"))


def first_come(market: WholeMarket) -> float:
    """Lots as they come in the file; each goes where it is worth most among what is still open."""
    return worth_in_order(market, np.lexsort((-market.worth, market.i)))


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("SUPPLY DEMAND")
    market = whole_market(sys.argv[1], sys.argv[2])
    print(json.dumps({"best_first": best_first(market), "first_come": first_come(market)}))


if __name__ == "__main__":
    main()

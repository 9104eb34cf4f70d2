"""The two ends of the price band, for the checker: shortest paths over all admissible pairs of a product.

Gains that support a best allocation are a system of differences: u_i + v_j >= worth_ij for every
admissible pair, equality where goods flow, 0 where something is left over, none below 0. With x_i = u_i
and y_j = -v_j every condition bounds the difference of two of them (or of one and 0), so the largest u is
a shortest distance from 0, and the smallest u one to 0 (Bellman; Shapley and Shubik 1971 for the lattice).
The gains of the result are one solution; with them as potentials no length is negative, and Dijkstra's
method applies.
"""

from typing import cast

import numpy as np

from market.matching.checker.files import Bools, Floats, Ints
from market.matching.checker.pairs import Pairs

#: Admissible pairs of a product up to which its band is recomputed.
MOST_PAIRS = 8_000_000
#: The same where the best allocation has to be found first.
MOST_SOLVED = 10_000


def supported(gains: tuple[Floats, Floats], flows: Pairs, rest: tuple[Bools, Bools], blur: float) -> bool:
    """Tell whether gains prove an allocation a best one: they divide the worth of every pair with goods
    on it (``flows``: lot, demand and worth), and are 0 where something is left over."""
    (u, v), (i, j, worth) = gains, flows
    divided = bool((np.abs(u[i] + v[j] - worth) <= blur).all())
    return divided and bool((u[rest[0]] <= blur).all()) and bool((v[rest[1]] <= blur).all())


def best_flows(pairs: Pairs, kg: tuple[Floats, Floats]) -> tuple[Pairs, tuple[Bools, Bools]]:
    """Solve a product without smallest orders and most lots (HiGHS).

    Returns the pairs with goods on them, and which lots and demands have something left.
    """
    from scipy.optimize import linprog
    from scipy.sparse import csr_array

    i, j, worth = pairs
    lots, demands = len(kg[0]), len(kg[1])
    if not len(worth):
        return (i, j, worth), (kg[0] > 0, kg[1] > 0)
    column = np.arange(len(worth))
    table = csr_array(
        (np.ones(2 * len(worth)), (np.concatenate([i, j + lots]), np.concatenate([column, column]))),
        shape=(lots + demands, len(worth)),
    )
    limits = np.concatenate(kg)
    best = linprog(np.negative(worth), A_ub=table, b_ub=limits, method="highs-ds")  # type: ignore[call-overload]
    if best.x is None:
        raise ArithmeticError(best.message)
    # Corners of this problem are whole grams; half of one tells nothing from something.
    used = np.flatnonzero(best.x > 0.0005)
    rest = limits - table @ best.x > 0.0005
    return (i[used], j[used], worth[used]), (rest[:lots], rest[lots:])


def extreme_gains(
    pairs: Pairs,
    gains: tuple[Floats, Floats],
    flows: tuple[Ints, Ints],
    rest: tuple[Bools, Bools],
) -> tuple[Floats, Floats]:
    """Return the lots' gains at the buyers' best and at the sellers' best equilibrium.

    All places are local. ``pairs``: lot, demand and worth of every admissible pair; ``gains``: u and v of
    the result; ``flows``: the pairs with goods on them; ``rest``: which lots and demands have some left.
    """
    i, j, worth = pairs
    u, v = gains
    lots, demands = len(u), len(v)
    slack = np.maximum(u[i] + v[j] - worth, 0.0)
    # No demand is further from 0 than v_j, no lot further than u_i: longer pairs cannot matter.
    high = _distances(
        lots,
        demands,
        out=(_places(rest[0]), np.arange(demands), v),
        across=(i, j, slack, slack < v[j]),
        back=flows,
    )
    low = _distances(
        demands,
        lots,
        out=(_places(rest[1]), np.arange(lots), u),
        across=(j, i, slack, slack < u[i]),
        back=(flows[1], flows[0]),
    )
    return np.maximum(u - low[demands:], 0.0), u + high[:lots]


def _places(chosen: Bools) -> Ints:
    return cast(Ints, np.flatnonzero(chosen))


def _distances(
    first: int,
    second: int,
    *,
    out: tuple[Ints, Ints, Floats],
    across: tuple[Ints, Ints, Floats, Bools],
    back: tuple[Ints, Ints],
) -> Floats:
    """Shortest distances from 0 to the ``first`` nodes and then to the ``second``, unreachable ones 0.

    Ways lead from 0 to the first ``out[0]`` at no length and to the second ``out[1]`` at ``out[2]``, over
    pairs from first to second at their slack, and where goods flow back from second to first at none.
    """
    # Slow to import, and of no use to the other commands.
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    free, ends, lengths = out
    a, b, slack, useful = across
    origin = first + second
    tails = np.concatenate([np.full(len(free) + len(ends), origin), a[useful], back[1] + first])
    heads = np.concatenate([free, ends + first, b[useful] + first, back[0]])
    weights = np.concatenate(
        [np.zeros(len(free)), np.maximum(lengths, 0.0), slack[useful], np.zeros(len(back[0]))]
    )
    # Built row by row rather than from triples: those would drop or add up what is 0 or twice there.
    order = np.argsort(tails, kind="stable")
    starts = np.searchsorted(tails[order], np.arange(origin + 2))
    graph = csr_array((weights[order], heads[order], starts), shape=(origin + 1, origin + 1))
    distance = dijkstra(graph, indices=[origin])[0, :origin]
    return cast(Floats, np.where(np.isfinite(distance), distance, 0.0))

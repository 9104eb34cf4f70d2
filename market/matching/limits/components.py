"""Parts of a product that trade with nobody else, small enough to be settled outright (HiGHS).

The integer programme of a part has a switch per pair: m y <= x <= cap y, within quantities, with at most
so many switches per demand. Its optimum is the part's optimum, and its own bound bounds the part.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_matrix, csr_matrix, vstack
from scipy.sparse.csgraph import connected_components

from market.matching.limits.flow import best_flow
from market.matching.limits.permitted import Permitted
from market.matching.limits.quiet import silence
from market.matching.limits.rules import Rules, some
from market.matching.optimum.candidates import Arcs, Bools, Floats, Ints

#: Grams in the unit of the programme: quantities of lots and demands are then of the size of 1 to 1000.
UNIT = 100_000
#: What the solver's tolerances may hide, many times over: the bound is raised by this share.
TOLERANCE = 2e-6
#: Branches after which a programme is left as it is.
BRANCHES = 400


class Settled(NamedTuple):
    """Grams on a part's arcs, or None if none were found; and the part's bound in scaled yuan-grams."""

    x: Ints | None
    bound: float


def parts_of(kept: Permitted, rules: Rules) -> tuple[Ints, Ints, Bools]:
    """Number the parts: of each lot, of each demand, and whether all pairs of each part are at hand."""
    lots, nodes = len(rules.q), len(rules.q) + len(rules.d)
    graph = csr_matrix(
        (np.ones(len(kept.arcs.w), np.int8), (kept.arcs.i, kept.arcs.j.astype(np.int64) + lots)),
        shape=(nodes, nodes),
    )
    number, label = connected_components(graph, directed=False)
    whole = np.ones(number, np.bool_)
    whole[label[lots:][~kept.whole]] = False
    return label[:lots].astype(np.int64), label[lots:].astype(np.int64), whole


def settle(arcs: Arcs, rules: Rules, seconds: float) -> Settled:
    """Settle a part that consists of ``arcs``; cut off after ``seconds`` (inf: by counted branches only)."""
    n = len(arcs.w)
    lots, i = np.unique(arcs.i, return_inverse=True)
    demands, j = np.unique(arcs.j, return_inverse=True)
    least = rules.least(arcs)
    base, top = least / UNIT, np.minimum(rules.q[arcs.i], rules.d[arcs.j]) / UNIT
    high = float(arcs.w.max())
    gain = arcs.w / high
    one, nothing, e = np.ones(n), np.zeros(n), np.arange(n)
    both, switched = np.concatenate([e, e]), np.concatenate([e, e + n])

    # The variables are what an arc carries above its least, and its switch.
    def rows(row: Ints, column: Ints, value: Floats, count: int) -> coo_matrix:
        return coo_matrix((value, (row, column)), shape=(count, 2 * n))

    matrix = vstack(
        [
            rows(np.concatenate([i, i]), switched, np.concatenate([one, base]), len(lots)),
            rows(np.concatenate([j, j]), switched, np.concatenate([one, base]), len(demands)),
            rows(j, e + n, one, len(demands)),
            rows(both, switched, np.concatenate([one, base - top]), n),
        ]
    ).tocsr()
    most = np.minimum(rules.most[demands], n).astype(np.float64)
    limit = np.concatenate([rules.q[lots] / UNIT, rules.d[demands] / UNIT, most, nothing])
    options: Any = {"node_limit": BRANCHES, "mip_rel_gap": 1e-7}
    if np.isfinite(seconds):
        options["time_limit"] = max(0.01, seconds)
    with silence():
        answer = milp(
            -np.concatenate([gain, gain * base]),
            constraints=LinearConstraint(matrix, -np.inf, limit),
            integrality=np.concatenate([nothing, one]),
            bounds=Bounds(np.zeros(2 * n), np.concatenate([top - base, one])),
            options=options,
        )
    bound = np.inf
    if answer.mip_dual_bound is not None and np.isfinite(answer.mip_dual_bound):
        bound = -float(answer.mip_dual_bound) * high * UNIT * (1 + TOLERANCE)
    if answer.x is None:
        return Settled(None, bound)
    open_ = np.flatnonzero(answer.x[n:] > 0.5)
    flow = best_flow(some(arcs, open_), rules.q, rules.d, least[open_])
    if flow is None:
        return Settled(None, bound)
    x = np.zeros(n, np.int64)
    x[open_] = flow
    return Settled(x, bound)

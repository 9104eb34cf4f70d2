"""The best quantities on given arcs where each must carry a least quantity."""

import numpy as np

from market.matching.optimum.candidates import Arcs, Ints
from market.matching.optimum.network import Network


def best_flow(arcs: Arcs, q: Ints, d: Ints, least: Ints) -> Ints | None:
    """Return grams per arc, at least ``least``, that maximise total worth within ``q`` and ``d``.

    None if the least quantities alone do not fit.
    """
    free_q, free_d = q.copy(), d.copy()
    np.subtract.at(free_q, arcs.i, least)
    np.subtract.at(free_d, arcs.j, least)
    if (free_q < 0).any() or (free_d < 0).any():
        return None
    # What has nothing left takes no part: only goods that can flow keep the simplex from turning in circles.
    open_ = np.flatnonzero((free_q[arcs.i] > 0) & (free_d[arcs.j] > 0) & (arcs.w > 0))
    rows, i = np.unique(arcs.i[open_], return_inverse=True)
    columns, j = np.unique(arcs.j[open_], return_inverse=True)
    network = Network(len(rows) + len(columns) + 1)
    tail, head = network.add_lots(free_q[rows])[i], network.add_demands(free_d[columns])[j]
    between = network.add_arcs(tail, head, arcs.w[open_])
    network.solve()
    x = least.copy()
    x[open_] += network.flow[between]
    return x

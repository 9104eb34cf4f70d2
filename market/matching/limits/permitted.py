"""The pairs that smallest orders permit at all, and among very many of them the strongest.

A pair whose smallest delivery is larger than its lot or its demand can carry nothing. Of the others each
demand keeps those that gain it most at given prices, and so does each lot, where they are too many to
list. What is left out is not forgotten: ``completed`` tells the most that it could gain a demand.
"""

from typing import NamedTuple

import numpy as np

from market.matching.limits.rules import Rules, some
from market.matching.optimum.candidates import Arcs, Bools, Floats, Ints, join
from market.matching.optimum.gains import Duals
from market.matching.optimum.pairs import Pairs
from market.matching.optimum.search import Places

#: Pairs that each demand, and each lot, keeps where not all are listed.
OF_DEMAND, OF_LOT = 64, 16


class Permitted(NamedTuple):
    """Arcs that smallest orders permit. ``whole`` marks the demands that have all of theirs here."""

    arcs: Arcs
    whole: Bools


def permitted(pairs: Pairs, rules: Rules, arcs: Arcs, x: Ints, duals: Duals) -> tuple[Permitted, Ints]:
    """Return permitted arcs, those with flow among them, and the flow ``x`` on them."""
    rows, columns = np.arange(len(rules.q)), np.arange(len(rules.d))
    used = np.flatnonzero((x > 0) & rules.permit(arcs))
    used_arcs, used_x = some(arcs, used), x[used]
    if pairs.kept is not None:
        found = some(pairs.kept, rules.permit(pairs.kept))
        whole = np.ones(len(columns), np.bool_)
    else:
        nothing = np.full(max(len(rows), len(columns)), -np.inf)
        i, _ = pairs.best_lots(columns, duals.u / pairs.scale, nothing[: len(columns)], OF_DEMAND)
        j, _ = pairs.best_demands(rows, duals.v / pairs.scale, nothing[: len(rows)], OF_LOT)
        column, row = np.nonzero(i >= 0), np.nonzero(j >= 0)
        found = _exact(
            pairs,
            rules,
            np.concatenate([i[column], row[0], used_arcs.i]),
            np.concatenate([column[0], j[row], used_arcs.j]),
        )
        whole = i[:, -1] < 0
    key, wanted = _key(found, len(columns)), _key(used_arcs, len(columns))
    order = np.argsort(key, kind="stable")
    grams = np.zeros(len(key), np.int64)
    grams[order[np.searchsorted(key[order], wanted)]] = used_x
    return Permitted(found, whole), grams


def completed(pairs: Pairs, rules: Rules, arcs: Arcs, u: Ints) -> tuple[Arcs, Floats]:
    """Add what gains demands most at the lots' prices ``u`` (scaled); tell what all others gain at most.

    The second is per demand, per gram, scaled, and never too little; -inf where nothing is left out.
    """
    columns = np.arange(len(rules.d))
    if pairs.kept is not None:
        return arcs, np.full(len(columns), -np.inf)
    i, gain = pairs.best_lots(columns, u / pairs.scale, np.zeros(len(columns)), OF_DEMAND)
    column = np.nonzero(i >= 0)
    listed = _exact(
        pairs,
        rules,
        np.concatenate([i[column], arcs.i]),
        np.concatenate([column[0], arcs.j.astype(np.int64)]),
    )
    # Two steps for rounding worth up, and what floating point may blur.
    least_listed = np.where(i[:, -1] >= 0, gain[:, -1], 0.0)
    return listed, (least_listed + 1e-12) * pairs.scale + 2


def _key(arcs: Arcs, columns: int) -> Ints:
    return arcs.i.astype(np.int64) * columns + arcs.j


def _exact(pairs: Pairs, rules: Rules, i: Ints | Places, j: Ints | Places) -> Arcs:
    """Return the permitted ones of such arcs, each once."""
    key = np.unique(i.astype(np.int64) * len(rules.d) + j)
    if not len(key):
        return join([])
    arcs = pairs.arcs(key // len(rules.d), key % len(rules.d))
    return some(arcs, rules.permit(arcs))

"""Allocations that also keep the smallest deliveries and the most lots per demand.

With ``min_order`` and ``max_lots`` the problem is no longer a flow (it is NP-hard), so this is a heuristic
around exact parts: dive from the flow's optimum, closing the worst offenders and solving again; then a
mixed-integer programme over the arcs that can still matter; then exact quantities on the arcs chosen.
Every result keeps every rule; the flow's duals stay a valid upper bound for it.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_matrix, vstack

from market.matching.candidates import Arcs, Bools, Ints
from market.matching.certificate import weighted
from market.matching.solver import Duals, best_flow

#: Arcs that the heuristic looks at, the nearest to mattering first.
MOST_ARCS = 60_000
#: Rounds of closing the worst offenders.
DIVES = 15
#: The integer programme is tried on at most so many arcs, and cut off after so many branches.
MIP_ARCS = 1_500
MIP_NODES = 500
MIP_SECONDS = 1.0


class Rules:
    """The rules of one product: least grams per arc, most lots per demand."""

    def __init__(self, arcs: Arcs, q: Ints, d: Ints, lot_min: Ints, demand_min: Ints, most: Ints) -> None:
        self.q, self.d, self.most = q, d, most
        self.lot_min, self.demand_min = lot_min, demand_min
        self.least = self.least_on(arcs)

    def least_on(self, arcs: Arcs) -> Ints:
        return np.maximum(self.lot_min[arcs.i], self.demand_min[arcs.j])

    def kept_by(self, arcs: Arcs, x: Ints) -> bool:
        """True if no delivery is too small and no demand has too many lots."""
        used = x > 0
        lots = np.bincount(arcs.j[used], minlength=len(self.d))
        return not (used & (x < self.least_on(arcs))).any() and not (lots > self.most).any()


def worth(arcs: Arcs, x: Ints) -> int:
    """Total worth in scaled whole yuan-grams; Python's own integers, since int64 would overflow."""
    used = np.flatnonzero(x)
    return weighted(arcs.w[used], x[used])


def respect(
    arcs: Arcs, x: Ints, rules: Rules, duals: Duals, scale: float, late: Callable[[], bool]
) -> tuple[Arcs, Ints]:
    """Return arcs and grams on them that keep the rules; worth as much as can be found."""
    slack = duals.u[arcs.i] + duals.v[arcs.j] - arcs.w
    can = rules.least <= np.minimum(rules.q[arcs.i], rules.d[arcs.j])
    if np.count_nonzero(can) > MOST_ARCS:
        order = np.argsort(np.where(can, slack, np.iinfo(np.int64).max), kind="stable")[:MOST_ARCS]
        near = np.zeros(len(can), np.bool_)
        near[order] = True
        can &= near
    arcs, x, slack = Arcs(arcs.i[can], arcs.j[can], arcs.w[can]), x[can], slack[can]
    least = rules.least[can]
    found = _Best(arcs, rules, least)
    found.offer(x)
    open_: Bools = np.ones(len(x), np.bool_)
    for _ in range(DIVES):
        if late():
            return arcs, found.x
        close = _worst(arcs, x, rules, least)
        if not close.any():
            break
        open_ &= ~close
        x = np.zeros(len(x), np.int64)
        places = np.flatnonzero(open_)
        x[places] = _flow(_some(arcs, places), rules)
        found.offer(x)
    found.polish()
    bound = _upper_bound(duals, rules)
    matter = _can_matter(slack, least, bound - found.worth) | (found.x > 0)
    if np.count_nonzero(matter) <= MIP_ARCS and not late():
        places = np.flatnonzero(matter)
        chosen = choose(_some(arcs, places), least[places], rules.q, rules.d, rules.most, scale)
        if chosen is not None:
            x = np.zeros(len(arcs.w), np.int64)
            x[places] = chosen
            found.offer(x)
            found.polish()
    else:
        _neighbourhoods(found, slack, scale, late)
    return arcs, found.x


def _some(arcs: Arcs, places: Ints | NDArray[np.intp]) -> Arcs:
    return Arcs(arcs.i[places], arcs.j[places], arcs.w[places])


def _flow(arcs: Arcs, rules: Rules) -> Ints:
    x = best_flow(arcs, rules.q, rules.d)
    assert x is not None
    return x


def _upper_bound(duals: Duals, rules: Rules) -> int:
    return weighted(duals.u, rules.q) + weighted(duals.v, rules.d)


def _can_matter(slack: Ints, least: Ints, gap: int) -> Bools:
    """Arcs whose use would not by itself cost more than the gap: opening one costs slack x least grams."""
    cost = slack.astype(np.float64) * np.maximum(least, 1)
    matter: Bools = cost <= float(gap) * (1 + 1e-9)
    return matter


def _worst(arcs: Arcs, x: Ints, rules: Rules, least: Ints) -> Bools:
    """Mark, per demand, the delivery furthest below its least, and the smallest one beyond max_lots."""
    close = np.zeros(len(x), np.bool_)
    used = x > 0
    small = np.flatnonzero(used & (x < least))
    count = np.bincount(arcs.j[used], minlength=len(rules.d))
    many = np.flatnonzero(used & (count > rules.most)[arcs.j])
    for places, size in ((small, x[small] / np.maximum(least[small], 1)), (many, x[many].astype(np.float64))):
        order = places[np.lexsort((size, arcs.j[places]))]
        close[order[np.flatnonzero(np.diff(arcs.j[order], prepend=-1))]] = True
    return close


class _Best:
    """The best allocation so far that keeps the rules."""

    def __init__(self, arcs: Arcs, rules: Rules, least: Ints) -> None:
        self.arcs, self.rules, self.least = arcs, rules, least
        self.by_worth = np.argsort(-arcs.w, kind="stable").tolist()
        self.i, self.j, self.floor = arcs.i.tolist(), arcs.j.tolist(), least.tolist()
        self.most = rules.most.tolist()
        self.x: Ints = np.zeros(len(arcs.w), np.int64)
        self.worth = 0

    def offer(self, x: Ints) -> None:
        """Make ``x`` keep the rules, fill it up, and keep it if it is the best."""
        x = self._fill(self._prune(x))
        value = worth(self.arcs, x)
        if value > self.worth:
            self.x, self.worth = x, value

    def polish(self) -> None:
        """Find the exact best quantities on the arcs in use."""
        places = np.flatnonzero(self.x)
        flow = best_flow(
            _some(self.arcs, places), self.rules.q, self.rules.d, np.maximum(self.least[places], 1)
        )
        if flow is not None:
            x = np.zeros(len(self.x), np.int64)
            x[places] = flow
            self.offer(x)

    def _prune(self, x: Ints) -> Ints:
        x = np.where(x < self.least, 0, x)
        used = np.flatnonzero(x)
        order = used[np.lexsort((-(x[used].astype(np.float64) * self.arcs.w[used]), self.arcs.j[used]))]
        demand = self.arcs.j[order]
        rank = np.arange(len(order)) - np.searchsorted(demand, demand)
        x[order[rank >= self.rules.most[demand]]] = 0
        return x

    def _fill(self, x: Ints) -> Ints:
        left = (self.rules.q - _sums(self.arcs.i, x, len(self.rules.q))).tolist()
        unfilled = (self.rules.d - _sums(self.arcs.j, x, len(self.rules.d))).tolist()
        lots = np.bincount(self.arcs.j[x > 0], minlength=len(self.rules.d)).tolist()
        grams = x.tolist()
        i, j, floor, most = self.i, self.j, self.floor, self.most
        for e in self.by_worth:
            more = min(left[i[e]], unfilled[j[e]])
            if more <= 0:
                continue
            if grams[e] == 0:
                if more < floor[e] or lots[j[e]] >= most[j[e]]:
                    continue
                lots[j[e]] += 1
            grams[e] += more
            left[i[e]] -= more
            unfilled[j[e]] -= more
        return np.array(grams, np.int64)


def _sums(places: NDArray[np.int32], x: Ints, size: int) -> Ints:
    total = np.zeros(size, np.int64)
    np.add.at(total, places, x)
    return total


def choose(arcs: Arcs, least: Ints, q: Ints, d: Ints, most: Ints, scale: float) -> Ints | None:
    """Solve the mixed-integer programme (HiGHS) over ``arcs``; exact grams, or None if it finds nothing."""
    n = len(arcs.w)
    if not n:
        return None
    i, j = arcs.i.astype(np.int64), arcs.j.astype(np.int64)
    lots, demands = np.unique(i, return_inverse=True), np.unique(j, return_inverse=True)
    cap = np.minimum(q[i], d[j]) / 1000
    one, nothing, e = np.ones(n), np.zeros(n), np.arange(n)

    def rows(row: Ints, column: Ints, value: NDArray[np.float64], count: int) -> coo_matrix:
        return coo_matrix((value, (row, column)), shape=(count, 2 * n))

    within_q = rows(lots[1], e, one, len(lots[0]))
    within_d = rows(demands[1], e, one, len(demands[0]))
    few = rows(demands[1], e + n, one, len(demands[0]))
    upper = rows(np.concatenate([e, e]), np.concatenate([e, e + n]), np.concatenate([one, -cap]), n)
    lower = rows(np.concatenate([e, e]), np.concatenate([e, e + n]), np.concatenate([-one, least / 1000]), n)
    limit = np.concatenate(
        [q[lots[0]] / 1000, d[demands[0]] / 1000, np.minimum(most[demands[0]], n), nothing, nothing]
    )
    answer = milp(
        np.concatenate([-arcs.w / scale, nothing]),
        constraints=LinearConstraint(vstack([within_q, within_d, few, upper, lower]).tocsr(), -np.inf, limit),
        integrality=np.concatenate([nothing, one]),
        bounds=Bounds(np.zeros(2 * n), np.concatenate([cap, one])),
        options={"node_limit": MIP_NODES, "time_limit": MIP_SECONDS, "mip_rel_gap": 1e-7},
    )
    if answer.x is None:
        return None
    open_ = np.flatnonzero(answer.x[n:] > 0.5)
    flow = best_flow(_some(arcs, open_), q, d, least[open_])
    if flow is None:
        return None
    x = np.zeros(n, np.int64)
    x[open_] = flow
    return x


#: Demands that are planned anew together, and how often.
TOGETHER = 6
NEIGHBOURHOODS = 60
NEIGHBOURHOOD_ARCS = 250


def _neighbourhoods(found: _Best, slack: Ints, scale: float, late: Callable[[], bool]) -> None:
    """Plan small groups of demands anew by the integer programme, the rest held still."""
    arcs, rules = found.arcs, found.rules
    by_demand = np.argsort(arcs.j, kind="stable")
    start = np.searchsorted(arcs.j[by_demand], np.arange(len(rules.d) + 1))
    by_lot = np.argsort(arcs.i, kind="stable")
    lot_start = np.searchsorted(arcs.i[by_lot], np.arange(len(rules.q) + 1))
    order = np.argsort(-(rules.d - _sums(arcs.j, found.x, len(rules.d))), kind="stable")
    touched: set[int] = set()
    tries = 0
    for seed in order.tolist():
        if tries >= NEIGHBOURHOODS or late():
            return
        if seed in touched or start[seed] == start[seed + 1]:
            continue
        tries += 1
        own = by_demand[start[seed] : start[seed + 1]]
        own = own[np.argsort(slack[own], kind="stable")[:8]]
        shared = np.concatenate([by_lot[lot_start[k] : lot_start[k + 1]] for k in np.unique(arcs.i[own])])
        shared = shared[np.lexsort((slack[shared], found.x[shared] == 0))]
        others = list(dict.fromkeys(arcs.j[shared].tolist()))[:TOGETHER]
        group = sorted({seed, *others})
        touched.update(group)
        places = np.concatenate([by_demand[start[k] : start[k + 1]] for k in group])
        places = places[np.lexsort((slack[places], found.x[places] == 0))[:NEIGHBOURHOOD_ARCS]]
        rest = found.x.copy()
        rest[places] = 0
        left = rules.q - _sums(arcs.i, rest, len(rules.q))
        unfilled = rules.d - _sums(arcs.j, rest, len(rules.d))
        most = rules.most - np.bincount(arcs.j[rest > 0], minlength=len(rules.d))
        room = np.minimum(left[arcs.i[places]], unfilled[arcs.j[places]])
        places = places[(room > 0) & (room >= found.least[places])]
        chosen = choose(_some(arcs, places), found.least[places], left, unfilled, most, scale)
        if chosen is not None:
            rest[places] = chosen
            found.offer(rest)

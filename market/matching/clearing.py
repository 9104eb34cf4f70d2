"""One product of a market, cleared: candidates, optimum, limits, diagnosis. Products are independent."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from market.matching.certificate import weighted
from market.matching.diagnosis.diagnosis import Unlock, diagnose_demands, diagnose_lots
from market.matching.limits.rules import Rules, worth
from market.matching.optimum.candidates import Ints, Market
from market.matching.optimum.colgen import solve_product
from market.matching.optimum.gains import Duals, middle
from market.matching.optimum.pairs import Classes

STAGES = ("candidates", "solve", "repair", "diagnosis")

#: What part of a product's time is kept for proving how good its allocation under limits is.
PROOF = 0.35

Clock = Callable[[], float]


class Cleared(NamedTuple):
    """One product's result, by the product's own lots and demands; ``i``, ``j``, ``x``: who sells grams whom.

    Gains are scaled whole steps per gram: ``gains`` midway, ``low_u`` the buyers' and ``high_u`` the
    sellers' best. ``diagnosis`` maps a place among the market's lots to changes.
    """

    product: int
    gains: Duals
    low_u: Ints
    high_u: Ints
    lot_pairs: Ints
    demand_pairs: Ints
    i: Ints
    j: Ints
    x: Ints
    whole_worth: int
    #: What no allocation exceeds that keeps smallest orders and most lots; in the same scaled yuan-grams.
    bound: int
    finished: bool
    diagnosis: dict[int, list[Unlock]]
    demand_diagnosis: dict[int, list[Unlock]]
    seconds: dict[str, float]


def clear_product(
    market: Market,
    product: int,
    scale: float,
    late: Callable[[], bool],
    clock: Clock,
    *,
    demands_too: bool = False,
    time_limit: float | None = None,
    left: Callable[[], float] = lambda: math.inf,
) -> Cleared:
    """Clear one product. ``late()`` tells when to stop with the best so far.

    ``demands_too``: diagnose the demands that are not served in full as well. Under smallest orders and
    most lots the effort goes by the whole market's ``time_limit`` in seconds; ``left()`` tells how many of
    them this product still has.
    """
    seconds = dict.fromkeys(STAGES, 0.0)
    last = [clock()]

    def spend(stage: str) -> None:
        now = clock()
        seconds[stage] += now - last[0]
        last[0] = now

    lots, demands = market.lots_of[product], market.demands_of[product]
    q, d = market.q[lots], market.d[demands]
    classes = Classes(market, product, scale)
    spend("candidates")
    solved = solve_product(classes, late)
    arcs, x, low, high, finished = solved
    spend("solve")
    gains = middle(low, high)
    bound = weighted(gains.u, q) + weighted(gains.v, d)
    rules = Rules(q, d, market.lot_min[lots], market.demand_min[demands], market.max_lots[demands])
    if not rules.kept_by(arcs, x):
        # Its libraries take a quarter of a second to load: only a market with limits pays for them.
        from market.matching.limits.repair import effort_for, respect

        proof = 0.0 if math.isinf(left()) else PROOF * left()
        kept = respect(
            classes.pairs,
            arcs,
            x,
            rules,
            gains,
            effort=effort_for(len(market.d), time_limit),
            late=lambda: late() or left() <= proof,
            left=left,
        )
        arcs, x, bound = kept.arcs, kept.x, kept.bound
        finished &= not late() and left() > proof
        spend("repair")
    sold = np.bincount(arcs.i, x, len(q))
    diagnosis = {}
    if (sold < q).any():
        diagnosis = diagnose_lots(market, product, arcs, x, (low, high), scale)
    demand_diagnosis = {}
    if demands_too:
        demand_diagnosis = diagnose_demands(market, product, arcs, x, (low, high), scale)
    spend("diagnosis")
    used = np.flatnonzero(x)
    return Cleared(
        product=product,
        gains=gains,
        low_u=low.u,
        high_u=high.u,
        lot_pairs=classes.lot_pairs,
        demand_pairs=classes.demand_pairs,
        i=arcs.i[used].astype(np.int64),
        j=arcs.j[used].astype(np.int64),
        x=x[used],
        whole_worth=worth(arcs, x),
        bound=bound,
        finished=finished,
        diagnosis=diagnosis,
        demand_diagnosis=demand_diagnosis,
        seconds=seconds,
    )

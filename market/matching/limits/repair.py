"""Allocations that also keep the smallest deliveries and the most lots per demand, and how good they are.

With ``min_order`` and ``max_lots`` the problem is no longer a flow (it is NP-hard). From the flow's optimum
the deliveries that break a rule are dropped; then searching among allocations (``exchange``) and seeking
prices that bound them all (``limits_bound``) take turns: the prices guide the search, the worth found
guides the prices. Parts that are small are settled outright (``components``). What is returned keeps every
rule and comes with a proven bound; effort is counted in steps, so that the same market has the same result.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from market.matching.certificate import weighted
from market.matching.limits.components import parts_of, settle
from market.matching.limits.flow import best_flow
from market.matching.limits.permitted import Permitted, completed, permitted
from market.matching.limits.rules import Rules, some, worth
from market.matching.optimum.candidates import Arcs, Ints
from market.matching.optimum.gains import Duals
from market.matching.optimum.pairs import Pairs

if TYPE_CHECKING:
    from market.matching.limits.bound import Bound

__all__ = ["Effort", "Kept", "Rules", "effort_for", "respect", "worth"]

Late = Callable[[], bool]
Left = Callable[[], float]


#: Search steps that even the smallest product has.
FEWEST_STEPS = 50_000


class Effort(NamedTuple):
    """How much to try: search steps per demand, rounds for prices, and arcs of a part to settle outright."""

    steps: int
    rounds: int
    arcs: int


class Kept(NamedTuple):
    """An allocation that keeps the rules: grams ``x`` on ``arcs``, each of them permitted.

    ``bound`` is what no allocation under the rules exceeds, ``worth`` what this one has, in scaled whole
    yuan-grams. ``by_prices`` is the part of the proof that anyone can check from the lots' scaled prices
    ``u`` alone; ``settled`` parts were solved outright, which may bring ``bound`` below it.
    """

    arcs: Arcs
    x: Ints
    worth: int
    bound: int
    by_prices: int
    u: Ints
    settled: int


def effort_for(demands: int, seconds: float | None = None) -> Effort:
    """Effort for a market of so many demands: some ten seconds of two processors at 10,000.

    It depends on the size and on the time limit as given, never on the clock; a limit that is much longer
    than usual buys more of it.
    """
    size = max(demands, 1) / 10_000
    usual = 10 * size**0.75
    fall = 0.8 if size < 1 else 0.5
    more = 1.0 if seconds is None else min(max(seconds / usual / 2, 1.0), 30.0)
    return Effort(
        steps=int(min(max(more * 900 * size**-fall, 50), 20_000)),
        rounds=int(min(max(more**0.5 * 150 * size**-0.3, 40), 600)),
        arcs=int(min(max(150 * size**-0.5, 50), 450) * more**0.25),
    )


def respect(
    pairs: Pairs,
    arcs: Arcs,
    x: Ints,
    rules: Rules,
    duals: Duals,
    *,
    effort: Effort,
    late: Late,
    left: Left = lambda: np.inf,
) -> Kept:
    """Return an allocation that keeps the rules, worth as much as can be found, and a bound of all.

    ``arcs``, ``x`` and ``duals`` are the product's best flow without the rules and its gains. ``late()``
    tells when to stop with the best so far, ``left()`` how many seconds there are until then.
    """
    # Compiled code takes half a second to load: only what needs it pays for it.
    from market.matching.limits.bound import Prices
    from market.matching.limits.exchange import Search

    kept, x = permitted(pairs, rules, arcs, x, duals)
    x = rules.pruned(kept.arcs, x)
    steps = max(effort.steps * len(rules.d), FEWEST_STEPS)
    v = duals.v.astype(np.float64)
    search = Search(kept.arcs, x, rules, duals.u.astype(np.float64), v)
    search.run(steps // 8, late)
    prices = Prices(kept.arcs, rules, duals.u.astype(np.float64))
    prices.seek(effort.rounds, search.value(), late)
    if not late():
        search = Search(kept.arcs, search.result(), rules, prices.u, v)
        search.run(steps - steps // 8, late)
        prices.seek(effort.rounds // 3, search.value(), late)
    x = _with_best_grams(kept.arcs, search.result(), rules)
    value = worth(kept.arcs, x)
    ceiling = weighted(duals.u, rules.q) + weighted(duals.v, rules.d)
    found = Kept(kept.arcs, x, value, max(ceiling, value), max(ceiling, value), duals.u, 0)
    if left() <= 0:
        return found
    u = prices.whole()
    every, extra = completed(pairs, rules, kept.arcs, u)
    proof = Prices(every, rules, u.astype(np.float64)).proof(np.where(kept.whole, -np.inf, extra))
    if (total := proof.total()) < ceiling:
        found = found._replace(bound=max(total, value), by_prices=max(total, value), u=u)
    return _settled(found, kept, rules, proof, effort, late, left)


def _settled(
    found: Kept, kept: Permitted, rules: Rules, proof: "Bound", effort: Effort, late: Late, left: Left
) -> Kept:
    """Solve small parts outright where worth and bound are apart, the widest apart first."""
    from market.matching.limits.bound import rounded_up

    arcs, x = kept.arcs, found.x.copy()
    of_lot, of_demand, whole = parts_of(kept, rules)
    part = of_demand[arcs.j]
    size = np.bincount(part, minlength=len(whole))
    have = np.bincount(part, arcs.w.astype(np.float64) * x, len(whole))
    bounds = np.bincount(of_lot, proof.of_lots, len(whole)) + np.bincount(
        of_demand, proof.of_demands, len(whole)
    )
    # The wider apart, the more arcs are worth the while.
    allowed = effort.arcs * np.clip(100 * (bounds - have) / np.maximum(have, 1), 1, 3)
    apart = np.where(whole & (size > 0) & (size <= allowed), bounds - have, 0.0)
    settled = 0
    for k in np.argsort(-apart, kind="stable").tolist():
        if apart[k] <= found.worth * 1e-6 or late():
            break
        places = np.flatnonzero(part == k)
        answer = settle(some(arcs, places), rules, left())
        settled += 1
        bounds[k] = min(bounds[k], answer.bound)
        if answer.x is not None and worth(some(arcs, places), answer.x) > worth(
            some(arcs, places), x[places]
        ):
            x[places] = answer.x
    value = worth(arcs, x)
    bound = max(min(found.bound, rounded_up(bounds.tolist())), value)
    return found._replace(x=x, worth=value, bound=bound, settled=settled)


def _with_best_grams(arcs: Arcs, x: Ints, rules: Rules) -> Ints:
    """Return the best grams on the arcs in use, if all of them stay in use."""
    used = np.flatnonzero(x)
    chosen = some(arcs, used)
    flow = best_flow(chosen, rules.q, rules.d, rules.least(chosen))
    if flow is None:
        return x
    better = np.zeros(len(x), np.int64)
    better[used] = flow
    return better if worth(arcs, better) > worth(arcs, x) else x

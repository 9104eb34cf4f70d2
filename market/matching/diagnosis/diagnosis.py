"""Why a lot is left over, or a demand unserved: ranked changes, each with what it opens.

``displacement`` tells where a newcomer finds room, ``obstacles`` what stands before each pair, and
``unlocks`` makes advice of it, in the words of ``sellers`` or ``buyers``. What is promised, and why it
holds, is in ``unlocks``.
"""

from collections.abc import Collection

import numpy as np

from market.matching.diagnosis.buyers import Buyer
from market.matching.diagnosis.displacement import outcome_of
from market.matching.diagnosis.obstacles import nearest, sweep
from market.matching.diagnosis.seen import Outcome
from market.matching.diagnosis.sellers import Seller
from market.matching.diagnosis.unlocks import Advice, Unlock, Voice, grouped
from market.matching.optimum.candidates import Arcs, Ints, Market
from market.matching.optimum.gains import Duals

__all__ = ["Unlock", "diagnose_demands", "diagnose_lots", "diagnosis_of"]


def diagnose_lots(
    market: Market,
    product: int,
    arcs: Arcs,
    x: Ints,
    ends: tuple[Duals, Duals],
    scale: float,
    only: Collection[int] | None = None,
) -> dict[int, list[Unlock]]:
    """Return, per lot (place in the market) with something left, its changes, the best first.

    ``x`` are grams on ``arcs`` (local places of ``product``); ``ends`` the buyers' best and the sellers'
    best gains, whole numbers of 1/``scale`` yuan per kg. ``only``: of these lots alone.
    """
    return diagnosis_of(market, outcome_of(market, product, arcs, x, ends, scale), only)


def diagnose_demands(
    market: Market,
    product: int,
    arcs: Arcs,
    x: Ints,
    ends: tuple[Duals, Duals],
    scale: float,
    only: Collection[int] | None = None,
) -> dict[int, list[Unlock]]:
    """Return the same per demand (place in the market) that is not wholly served."""
    return diagnosis_of(market, outcome_of(market, product, arcs, x, ends, scale, of_lots=False), only)


def diagnosis_of(
    market: Market, outcome: Outcome, only: Collection[int] | None = None
) -> dict[int, list[Unlock]]:
    """Return the advice for the rows of an outcome that have something left."""
    lots, demands = market.lots_of[outcome.product], market.demands_of[outcome.product]
    own, others = (lots, demands) if outcome.of_lots else (demands, lots)
    rows = np.flatnonzero(outcome.left > 0)
    if only is not None:
        rows = rows[np.isin(own[rows], list(only))]
    voice: Voice = Seller(market, outcome) if outcome.of_lots else Buyer(market, outcome)
    if not len(others):
        return {
            int(place): [voice.nothing_helps(int(place), -1, fits=False, allowed=True)] for place in own[rows]
        }
    found: dict[int, list[Unlock]] = {}
    for row, groups in grouped(market, outcome, sweep(market, outcome, rows)):
        if unlocks := Advice(voice, row, int(own[row]), groups).unlocks():
            found[int(own[row])] = unlocks
    helpless = rows[[int(place) not in found for place in own[rows]]]
    for row, column, fits, allowed in zip(helpless, *nearest(market, outcome, helpless), strict=True):
        place = int(own[row])
        found[place] = [
            voice.nothing_helps(place, int(others[column]), fits=bool(fits), allowed=bool(allowed))
        ]
    return {int(place): found[int(place)] for place in own[rows]}

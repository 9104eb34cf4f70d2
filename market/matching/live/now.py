"""The best matches of one lot or demand as the market stands, without a live market that is kept warm.

A product that is small is matched outright, then the one in question joins it. In a larger one only the
other side is searched, all of it, against what it gained in the last clearing; gains that have moved since
then change the order of what is told, never whether a pair can be.
"""

from collections.abc import Mapping, Sequence

import msgspec

from market.matching.live.answers import LiveMatch, Option
from market.matching.live.market import LiveMarket
from market.matching.rules import Demand, Lot, Parameters

#: Products with no more possible pairs than this are matched outright: a few tenths of a second.
AT_ONCE = 1_500_000


class BestNow(msgspec.Struct, frozen=True, kw_only=True):
    """``best``: the best pairs, best first. ``matches``: what it would be given by the best allocation of
    all, limits left aside; None where the product is too large to be matched at once."""

    best: tuple[Option, ...]
    matches: tuple[LiveMatch, ...] | None


def best_now(
    subject: Lot | Demand,
    lots: Sequence[Lot],
    demands: Sequence[Demand],
    parameters: Parameters,
    *,
    barred: frozenset[tuple[str, str]] = frozenset(),
    gains: Mapping[str, float] | None = None,
) -> BestNow:
    """Return the best matches of ``subject`` among the lots and demands of its product.

    ``gains``: of the other side in the last clearing, by id, in yuan per kg; 0 where there is none.
    """
    lots = [lot for lot in lots if lot.product == subject.product and not _is_same(lot, subject)]
    demands = [each for each in demands if each.product == subject.product and not _is_same(each, subject)]
    if (len(lots) + 1) * (len(demands) + 1) <= AT_ONCE:
        answer = LiveMarket(lots, demands, parameters, barred).appear(subject)
        return BestNow(best=answer.best, matches=answer.matches)
    one_side: tuple[Sequence[Lot], Sequence[Demand]] = (
        ([], demands) if isinstance(subject, Lot) else (lots, [])
    )
    most = [float(one.ceiling) for one in [*demands, subject] if isinstance(one, Demand)]
    most += [float(one.priority) for one in [*lots, subject] if isinstance(one, Lot)]
    market = LiveMarket(*one_side, parameters, barred, most_worth=2 * max(most, default=0.0))
    market.assume(gains or {})
    return BestNow(best=market.appear(subject, budget=0).best, matches=None)


def _is_same(party: Lot | Demand, subject: Lot | Demand) -> bool:
    return type(party) is type(subject) and party.id == subject.id

"""The best matches of a listing or a demand that has just been published, for the page that says so."""

import asyncio
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import msgspec

from market.db.session import fetch, fetch_value
from market.errors import Conflict, NotFound
from market.i18n import msg
from market.matching import lifecycle
from market.matching.explain import Names, names_of, place_to_compute
from market.matching.live.answers import LiveMatch, Option
from market.matching.queries import Gains, Snapshot, snapshot
from market.matching.rules import Demand, Lot, Parameters

if TYPE_CHECKING:
    from market.matching.live.now import BestNow


class BestMatches(msgspec.Struct, frozen=True, kw_only=True):
    """``best``: the best pairs as the market stands, best first; ``matches``: what the best allocation of the
    product would give, None where it is too large to be matched at once. Suggestions, nothing is stored.

    ``lot`` and ``demand`` in them are the numbers of listings and demands; ``names`` has their names.
    """

    best: tuple[Option, ...]
    matches: tuple[LiveMatch, ...] | None
    names: Names


async def best_of_listing(*, listing_id: int, organisation_id: int, on: date) -> BestMatches:
    """Return the best demands for a listing of the organisation's, or of its town's, among all that are free.

    Raises:
        NotFound: no such listing of the organisation's.
        Conflict: it is not in the market (suspended, sold out, promised).
        Busy: too many ask at once.
    """
    rows = await fetch(
        """SELECT owner.id AS owner, owner.town, lot.produce FROM listing
           JOIN organisation owner ON owner.id = listing.owner JOIN lot ON lot.id = listing.lot
           WHERE listing.id = $1 AND $2 IN (owner.id, owner.town)""",
        listing_id,
        organisation_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这批货源。"))
    town_id = rows[0]["town"] or rows[0]["owner"]
    market = await snapshot(town_id=town_id, on=on, produce=rows[0]["produce"])
    return await _best(market, town_id, listing=str(listing_id))


async def best_of_demand(*, demand_id: int, buyer_id: int, on: date) -> BestMatches:
    """Return the best listings for a demand of the buyer's, among those of all towns.

    Raises:
        NotFound: no such demand of the buyer's.
        Conflict: it is not in the market (closed, filled, promised).
        Busy: too many ask at once.
    """
    produce = await fetch_value(
        "SELECT produce FROM demand WHERE id = $1 AND buyer = $2", demand_id, buyer_id
    )
    if produce is None:
        raise NotFound(msg("没有找到这条采购需求，它可能已经取消。"))
    return await _best(await snapshot(town_id=None, on=on, produce=produce), None, demand=str(demand_id))


async def _best(
    market: Snapshot, town_id: int | None, *, listing: str | None = None, demand: str | None = None
) -> BestMatches:
    side: Sequence[Lot | Demand] = market.lots if listing else market.demands
    subject = next((one for one in side if one.id == (listing or demand)), None)
    if subject is None:
        raise Conflict(
            msg("这批货现在不在市场上：已暂停、已卖完、已过期，或剩下的都已答应给人。请先恢复销售再试。")
            if listing
            else msg("这条需求现在不在市场上：已截止、已买齐，或剩下的都已答应给人。")
        )
    parameters, gains = await _last_run(town_id)
    async with place_to_compute():
        found = await asyncio.to_thread(
            _search,
            subject,
            market,
            parameters,
            {id_: float(gain) for id_, gain in (gains.demands if listing else gains.lots).items()},
        )
    trades: list[Option | LiveMatch] = [*found.best, *(found.matches or ())]
    names = await names_of(
        lots=sorted({each.lot for each in trades}), demands=sorted({each.demand for each in trades})
    )
    return BestMatches(best=found.best, matches=found.matches, names=names)


def _search(
    subject: Lot | Demand, market: Snapshot, parameters: Parameters, gains: dict[str, float]
) -> "BestNow":
    """:func:`best_now`, for a thread of its own."""
    # Compiled code takes half a second to load: only the first who asks waits for it, nobody else.
    from market.matching.live.now import best_now

    return best_now(
        subject,
        market.lots,
        market.demands,
        parameters,
        barred=frozenset(market.barred),
        gains=gains,
    )


async def _last_run(town_id: int | None) -> tuple[Parameters, Gains]:
    """The parameters and the gains of the newest run that is done, of the town or of any."""
    rows = await fetch(
        """SELECT parameters, gains FROM run WHERE state = $1 AND ($2::bigint IS NULL OR town = $2)
           ORDER BY id DESC LIMIT 1""",
        lifecycle.DONE,
        town_id,
    )
    if not rows:
        return Parameters(), Gains({}, {})
    gains = msgspec.json.decode(rows[0]["gains"], type=Gains) if rows[0]["gains"] else Gains({}, {})
    return msgspec.json.decode(rows[0]["parameters"], type=Parameters), gains

"""The best matches of a listing or a demand that has just been published, for the page that says so."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar

import msgspec

from market.db.session import fetch
from market.matching import lifecycle
from market.matching.explain import (
    Names,
    demand_in,
    lot_in,
    names_of,
    place_to_compute,
    produce_of_demand,
    whereabouts_of_listing,
)
from market.matching.live.answers import LiveMatch, Option
from market.matching.queries import Gains, Snapshot, snapshot
from market.matching.rules import Demand, Lot, Parameters
from market.units import FenPerKg, yuan_per_kg

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
    produce, town_id = await whereabouts_of_listing(listing_id=listing_id, organisation_id=organisation_id)
    market = await snapshot(town_id=town_id, on=on, produce=produce)
    return await _best(lot_in(market, listing_id), market, town_id)


async def best_of_demand(*, demand_id: int, buyer_id: int, on: date) -> BestMatches:
    """Return the best listings for a demand of the buyer's, among those of all towns.

    Raises:
        NotFound: no such demand of the buyer's.
        Conflict: it is not in the market (closed, filled, promised).
        Busy: too many ask at once.
    """
    produce = await produce_of_demand(demand_id=demand_id, buyer_id=buyer_id)
    market = await snapshot(town_id=None, on=on, produce=produce)
    return await _best(demand_in(market, demand_id), market, None)


async def _best(subject: Lot | Demand, market: Snapshot, town_id: int | None) -> BestMatches:
    parameters, gains = await _last_run(town_id)
    async with place_to_compute():
        found = await asyncio.to_thread(
            _search,
            subject,
            market,
            parameters,
            {
                id_: float(gain)
                for id_, gain in (gains.demands if isinstance(subject, Lot) else gains.lots).items()
            },
        )
    trades: list[Option | LiveMatch] = [*found.best, *(found.matches or ())]
    lots = sorted({each.lot for each in trades})
    names = await names_of(lots=lots, demands=sorted({each.demand for each in trades}))
    fixed = await _fixed_prices(lots)
    return BestMatches(
        best=tuple(_offered(each, fixed) for each in found.best),
        matches=found.matches and tuple(_offered(each, fixed) for each in found.matches),
        names=names,
    )


Trade = TypeVar("Trade", Option, LiveMatch)


def _offered(trade: Trade, fixed: Mapping[str, Decimal]) -> Trade:
    """A fixed price is the price, whatever price the gains would bear."""
    return msgspec.structs.replace(trade, price=min(trade.price, fixed.get(trade.lot, trade.price)))


async def _fixed_prices(lots: Sequence[str]) -> dict[str, Decimal]:
    """Return the asks of those listings that are sold at a fixed price, in yuan per kg."""
    rows = await fetch(
        "SELECT id, ask FROM listing WHERE id = ANY($1::bigint[]) AND way = 'fixed'",
        [int(lot) for lot in lots],
    )
    return {str(row["id"]): yuan_per_kg(FenPerKg(row["ask"])) for row in rows}


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

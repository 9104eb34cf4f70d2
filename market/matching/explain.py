"""What if, on the database: the market as it stands now, solved with and without some changes.

Whatever needs solving runs in a process of its own, on the one product concerned.
"""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date

import msgspec

from market.db.processes import in_process
from market.db.session import fetch, fetch_into, fetch_value
from market.errors import Busy, Conflict, Invalid, NotFound
from market.i18n import msg
from market.matching import lifecycle
from market.matching.diagnosis.changes import (
    Change,
    DemandChange,
    DemandMinOrder,
    DemandWindow,
    LotChange,
    LotMinOrder,
    LotWindow,
    MaxLots,
    Reach,
    kind_of,
)
from market.matching.explaining.whatif import Effect, what_if
from market.matching.queries import Snapshot, snapshot
from market.matching.rules import Demand, Lot, Parameters

#: Seconds of computing that a page waits for.
PAGE_SECONDS = 20.0
#: So many are computed at once in this server; the next one is asked to come again.
MOST_AT_ONCE = 3
#: What one side may suppose of the other: what can be asked for at the table.
_OF_BUYERS = (DemandMinOrder, DemandWindow, MaxLots, Reach)
_OF_SELLERS = (LotMinOrder, LotWindow)

_computing = 0


@asynccontextmanager
async def place_to_compute() -> AsyncIterator[None]:
    """Hold one of the places for computing.

    Raises:
        Busy: all of them are taken.
    """
    global _computing
    if _computing >= MOST_AT_ONCE:
        raise Busy(msg("正在算的人太多，请过几秒再试。"), retry_after=5)
    _computing += 1
    try:
        yield
    finally:
        _computing -= 1


class Party(msgspec.Struct, frozen=True):
    """A listing or a demand by its name, and whose it is."""

    id: int
    title: str
    title_en: str
    owner: int
    owner_name: str
    owner_name_en: str


class Names(msgspec.Struct, frozen=True):
    """Names by the engine's ids."""

    lots: dict[str, Party]
    demands: dict[str, Party]


async def names_of(*, lots: Sequence[str], demands: Sequence[str]) -> Names:
    """Return the names of listings and demands. It asks nobody's leave: the caller knows who may see what."""
    listings = await fetch_into(
        Party,
        """SELECT listing.id, listing.title, listing.title_en, owner.id AS owner, owner.name AS owner_name,
                  owner.name_en AS owner_name_en
           FROM listing JOIN organisation owner ON owner.id = listing.owner
           WHERE listing.id = ANY($1::bigint[])""",
        [int(each) for each in lots],
    )
    wanted = await fetch_into(
        Party,
        """SELECT demand.id, demand.title, demand.title_en, buyer.id AS owner, buyer.name AS owner_name,
                  buyer.name_en AS owner_name_en
           FROM demand JOIN organisation buyer ON buyer.id = demand.buyer
           WHERE demand.id = ANY($1::bigint[])""",
        [int(each) for each in demands],
    )
    return Names(
        lots={str(each.id): each for each in listings}, demands={str(each.id): each for each in wanted}
    )


async def whereabouts_of_listing(*, listing_id: int, organisation_id: int) -> tuple[str, int]:
    """Return the produce and the town of a listing of the organisation's, or of its town's.

    Raises: NotFound.
    """
    rows = await fetch(
        """SELECT lot.produce, coalesce(owner.town, owner.id) AS town FROM listing
           JOIN organisation owner ON owner.id = listing.owner JOIN lot ON lot.id = listing.lot
           WHERE listing.id = $1 AND $2 IN (owner.id, owner.town)""",
        listing_id,
        organisation_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这批货源。"))
    return rows[0]["produce"], rows[0]["town"]


async def produce_of_demand(*, demand_id: int, buyer_id: int) -> str:
    """Raises: NotFound."""
    produce: str | None = await fetch_value(
        "SELECT produce FROM demand WHERE id = $1 AND buyer = $2", demand_id, buyer_id
    )
    if produce is None:
        raise NotFound(msg("没有找到这条采购需求，它可能已经取消。"))
    return produce


def lot_in(market: Snapshot, listing_id: int) -> Lot:
    """Return what the engine sees of a listing; Conflict if it is not in the market."""
    for lot in market.lots:
        if lot.id == str(listing_id):
            return lot
    raise Conflict(
        msg(
            "这批货现在不在市场上：已暂停、已卖完、已过期、正在密封报价或公开竞价，或剩下的都已答应给人。等它回到市场再试。"
        )
    )


def demand_in(market: Snapshot, demand_id: int) -> Demand:
    """Return what the engine sees of a demand; Conflict if it is not in the market."""
    for demand in market.demands:
        if demand.id == str(demand_id):
            return demand
    raise Conflict(msg("这条需求现在不在市场上：已截止、已买齐，或剩下的都已答应给人。"))


async def try_listing(
    *, listing_id: int, organisation_id: int, changes: Sequence[Change], on: date
) -> Effect:
    """Tell what ``changes`` would do to a listing of the organisation's, or of its town's, as of now.

    Raises:
        NotFound: no such listing of the organisation's.
        Conflict: it is not in the market (suspended, sold out, promised).
        Invalid: a change sets what cannot be, or what is not theirs to suppose.
        Busy: too many ask at once.
    """
    produce, town_id = await whereabouts_of_listing(listing_id=listing_id, organisation_id=organisation_id)
    for change in changes:
        if isinstance(change, DemandChange) and not isinstance(change, _OF_BUYERS):
            _refuse(change)
        if isinstance(change, LotChange) and change.of not in (None, str(listing_id)):
            _refuse(change)
    market = await snapshot(town_id=town_id, on=on, produce=produce)
    lot_in(market, listing_id)
    return await _tried(market, await _parameters(town_id), changes, lot_id=str(listing_id))


async def try_demand(*, demand_id: int, buyer_id: int, changes: Sequence[Change], on: date) -> Effect:
    """Tell what ``changes`` would do to a demand of the buyer's, in the town that looked for it last.

    Raises:
        NotFound: no such demand of the buyer's.
        Conflict: it is not in the market, or no town has run yet.
        Invalid: a change sets what cannot be, or what is not theirs to suppose.
        Busy: too many ask at once.
    """
    produce = await produce_of_demand(demand_id=demand_id, buyer_id=buyer_id)
    for change in changes:
        if isinstance(change, LotChange) and not isinstance(change, _OF_SELLERS):
            _refuse(change)
        if isinstance(change, DemandChange) and change.of not in (None, str(demand_id)):
            _refuse(change)
    town_id = await fetch_value(
        "SELECT town FROM run WHERE state = $1 ORDER BY id DESC LIMIT 1", lifecycle.DONE
    )
    if town_id is None:
        raise Conflict(msg("还没有一个镇撮合过，等第一次撮合之后再试。"))
    market = await snapshot(town_id=town_id, on=on, produce=produce)
    demand_in(market, demand_id)
    return await _tried(market, await _parameters(town_id), changes, demand_id=str(demand_id))


def _refuse(change: Change) -> None:
    problem = msg("只能试改自己的条件，或请对方放宽起订量、时间、路程和批次数。")
    raise Invalid(problem, {kind_of(change): problem})


async def _parameters(town_id: int) -> Parameters:
    """Return what the town's newest finished run reckoned with, or else what is usual."""
    stored = await fetch_value(
        "SELECT parameters FROM run WHERE town = $1 AND state = $2 ORDER BY id DESC LIMIT 1",
        town_id,
        lifecycle.DONE,
    )
    return msgspec.json.decode(stored, type=Parameters) if stored else Parameters()


async def _tried(
    market: Snapshot,
    parameters: Parameters,
    changes: Sequence[Change],
    *,
    lot_id: str | None = None,
    demand_id: str | None = None,
) -> Effect:
    async with place_to_compute():
        return await in_process(
            try_changes, market, parameters, list(changes), lot_id, demand_id, PAGE_SECONDS
        )


def try_changes(
    market: Snapshot,
    parameters: Parameters,
    changes: list[Change],
    lot_id: str | None,
    demand_id: str | None,
    seconds: float,
) -> Effect:
    """:func:`what_if` with a limit of time; module-level, for another process."""
    return what_if(
        market.lots,
        market.demands,
        parameters,
        barred=frozenset(market.barred),
        changes=changes,
        lot_id=lot_id,
        demand_id=demand_id,
        deadline=time.monotonic() + seconds,
    )

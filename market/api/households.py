"""The households of a pooled lot: who gave what, and the money that is divided among them."""

from datetime import date, datetime
from typing import Annotated

import msgspec
from litestar import Response
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler
from msgspec import Meta

from market.accounts.rules import require
from market.api.handling import acting, deed, marked_as, read, seen_in, unless_changed
from market.api.inputs import Grams, IdempotencyKey, IfMatch, Line, PathId, RowId, SignedIn
from market.api.stock import Name, Rest, on_lot, once_for
from market.meanwhile import marks_of
from market.supply.households import (
    MOST_FEN,
    Listed,
    Pool,
    SettlementLine,
    SettlementRow,
    Share,
    cancel_settlement,
    pool_of,
    set_shares,
    settle,
    settlement_page,
)
from market.supply.lots import lot_page
from market.units import Fen


class ShareToGive(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    household: Name
    grams: Grams


class Shares(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who gave what, in place of the list before; it adds up to what the lot took in.

    `reason`: why another list takes its place, needed once money was divided by the one that stands.
    """

    shares: Annotated[tuple[ShareToGive, ...], Meta(min_length=1, max_length=2_000)]
    reason: Line = ""


class Receipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Money that came in for a lot, in fen."""

    amount: Annotated[int, Meta(ge=1, le=MOST_FEN, description="Fen")]
    received_on: date
    deal_id: RowId | None = None
    note: Line = ""


class Settled(msgspec.Struct, frozen=True):
    settlement_id: int


class _Cancelled(msgspec.Struct, frozen=True):
    """All there is to say of it."""


class SettlementDetails(msgspec.Struct, frozen=True):
    settlement: SettlementRow
    lines: list[SettlementLine]


@deed("/lots/{lot_id:int}/shares", body=Shares, matched=True)
async def share(
    viewer: SignedIn,
    lot_id: PathId,
    data: JSONBody[Shares],
    key: IdempotencyKey = None,
    if_match: IfMatch = None,
) -> Rest:
    """Write down what each household gave of a pooled lot; only your organisation ever reads the names."""
    require(viewer, "seller")

    async def do(at: datetime) -> None:
        await set_shares(
            lot_id=lot_id,
            shares=[Share(each.household, each.grams) for each in data.shares],
            owner_id=viewer.organisation_id,
            actor=acting(viewer, "seller"),
            at=at,
            reason=data.reason,
            seen=seen_in(if_match),
        )

    with unless_changed(if_match):
        return await on_lot(viewer, key, lot_id, data, do)


@read("/lots/{lot_id:int}/shares", marked=True)
async def shares(viewer: SignedIn, lot_id: PathId) -> Response[Pool]:
    """What each household gave of this lot, or of the nearest one that it was made of."""
    require(viewer, "seller")
    await lot_page(lot_id, viewer.organisation_id)
    pool = await pool_of(lot_id, viewer.organisation_id) or Pool(lot_id, [])
    own = pool.shares if pool.lot == lot_id else []
    return marked_as(pool, marks_of(Listed(tuple(own))))


@deed("/lots/{lot_id:int}/settlements", body=Receipt, status=201)
async def receive(
    viewer: SignedIn, lot_id: PathId, data: JSONBody[Receipt], key: IdempotencyKey = None
) -> Settled:
    """Divide money that came in among the households, to the fen."""
    require(viewer, "seller")

    async def do(at: datetime) -> Settled:
        return Settled(
            await settle(
                lot_id=lot_id,
                money=Fen(data.amount),
                received_on=data.received_on,
                deal_id=data.deal_id,
                note=data.note,
                owner_id=viewer.organisation_id,
                actor=acting(viewer, "seller"),
                at=at,
            )
        )

    return await once_for(viewer, key, lot_id, data, Settled, do)


@read("/settlements/{settlement_id:int}")
async def settlement(viewer: SignedIn, settlement_id: PathId) -> SettlementDetails:
    """One settlement of yours: what each household gets, in fen."""
    require(viewer, "seller")
    found, lines = await settlement_page(settlement_id, viewer.organisation_id)
    return SettlementDetails(found, lines)


@deed("/settlements/{settlement_id:int}/cancel")
async def cancel(viewer: SignedIn, settlement_id: PathId, key: IdempotencyKey = None) -> SettlementDetails:
    """Cancel a settlement that was a mistake; it stays to be seen."""
    require(viewer, "seller")

    async def do(at: datetime) -> Settled:
        await cancel_settlement(
            settlement_id=settlement_id,
            owner_id=viewer.organisation_id,
            actor=acting(viewer, "seller"),
            at=at,
        )
        return Settled(settlement_id)

    # the names of households are in no reply that is kept
    await once_for(viewer, key, settlement_id, _Cancelled(), Settled, do)
    found, lines = await settlement_page(settlement_id, viewer.organisation_id)
    return SettlementDetails(found, lines)


routes: list[ControllerRouterHandler] = [share, shares, receive, settlement, cancel]

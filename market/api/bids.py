"""Bids: placing them, and the answers of both sides."""

from collections.abc import Awaitable, Callable
from datetime import date, datetime

import msgspec
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import Viewer, actor
from market.api.handling import deed, do_once, read
from market.api.inputs import Code, Grams, IdempotencyKey, Note, PathId, Price, RowId, SignedIn
from market.api.outputs import Moved
from market.bids import operations
from market.bids.operations import Accepted, NewBid, Placed
from market.bids.queries import BidRow, bid_of, bids_of
from market.bids.rules import REJECTED, SUBMITTED, WITHDRAWN
from market.units import FenPerKg, Gram


class BidToPlace(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`price` at the farm gate; `demand_id` is the demand of yours that it counts towards, if any."""

    listing_id: RowId
    quantity: Grams
    price: Price
    deliver_from: date
    deliver_to: date
    demand_id: RowId | None = None
    note: Note = ""


class Refusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why not: a reason of `/codes`, which the other side sees, and a word to it."""

    reason: Code
    note: Note = ""


@read("/bids")
async def mine(viewer: SignedIn) -> list[BidRow]:
    """The bids that your organisation made or received: what awaits an answer first."""
    return await bids_of(organisation_id=viewer.organisation_id)


@read("/bids/{bid_id:int}")
async def one(viewer: SignedIn, bid_id: PathId) -> BidRow:
    """One bid, for its two sides alone."""
    return await bid_of(bid_id=bid_id, organisation_id=viewer.organisation_id)


@deed("/bids", body=BidToPlace, status=201)
async def place(viewer: SignedIn, data: JSONBody[BidToPlace], key: IdempotencyKey = None) -> Placed:
    """Bid on a listing."""
    bid = NewBid(
        listing_id=data.listing_id,
        quantity=Gram(data.quantity),
        price=FenPerKg(data.price),
        deliver_from=data.deliver_from,
        deliver_to=data.deliver_to,
        demand_id=data.demand_id,
        note=data.note,
    )
    by = actor(viewer, "buyer")
    return Placed(
        await operations.place_bid(
            bid=bid, buyer_id=viewer.organisation_id, actor=by, at=clock.now(), key=key
        )
    )


@deed("/bids/{bid_id:int}/accept")
async def accept(viewer: SignedIn, bid_id: PathId, key: IdempotencyKey = None) -> Accepted:
    """Turn a bid on your goods into a deal; the stock is reserved at once."""
    by = actor(viewer, "seller")
    return Accepted(
        await operations.accept_bid(
            bid_id=bid_id, seller_id=viewer.organisation_id, actor=by, at=clock.now(), key=key
        )
    )


@deed("/bids/{bid_id:int}/reject", body=Refusal)
async def reject(
    viewer: SignedIn, bid_id: PathId, data: JSONBody[Refusal], key: IdempotencyKey = None
) -> Moved:
    """Decline a bid on your goods with a coded reason."""
    by = actor(viewer, "seller")

    async def do(at: datetime) -> str:
        await operations.reject_bid(
            bid_id=bid_id,
            seller_id=viewer.organisation_id,
            reason=data.reason,
            note=data.note,
            actor=by,
            at=at,
        )
        return REJECTED

    about = {"bid": bid_id, "reason": data.reason, "note": data.note}
    return await do_once(viewer=viewer, key=key, name="bid_reject", about=about, do=do)


async def _by_buyer(
    viewer: Viewer,
    bid_id: int,
    key: str | None,
    *,
    name: str,
    move: Callable[..., Awaitable[None]],
    goal: str,
) -> Moved:
    by = actor(viewer, "buyer")

    async def do(at: datetime) -> str:
        await move(bid_id=bid_id, buyer_id=viewer.organisation_id, actor=by, at=at)
        return goal

    return await do_once(viewer=viewer, key=key, name=name, about={"bid": bid_id}, do=do)


@deed("/bids/{bid_id:int}/withdraw")
async def withdraw(viewer: SignedIn, bid_id: PathId, key: IdempotencyKey = None) -> Moved:
    """Take your bid back."""
    return await _by_buyer(
        viewer, bid_id, key, name="bid_withdraw", move=operations.withdraw_bid, goal=WITHDRAWN
    )


@deed("/bids/{bid_id:int}/reconfirm")
async def reconfirm(viewer: SignedIn, bid_id: PathId, key: IdempotencyKey = None) -> Moved:
    """Let your bid stand under the listing's new terms."""
    return await _by_buyer(
        viewer, bid_id, key, name="bid_reconfirm", move=operations.reconfirm_bid, goal=SUBMITTED
    )


routes: list[ControllerRouterHandler] = [mine, one, place, accept, reject, withdraw, reconfirm]

"""Open bidding: the round as it stands, bids in it, and being let go of one."""

from datetime import date, datetime

import msgspec
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import ANSWER, actor
from market.api.handling import deed, do_once, read
from market.api.inputs import (
    Anybody,
    Grams,
    GramsOrNone,
    IdempotencyKey,
    Note,
    PathId,
    Price,
    RowId,
    SignedIn,
)
from market.api.outputs import Moved
from market.bids import open_bidding
from market.bids.meant import check_meant
from market.bids.open_bidding import BidInTheOpen, OpenBidPlaced
from market.bids.open_queries import Bidding, OwnOpenBid, bidding_of, open_bids_of
from market.bids.operations import NewBid
from market.supply.queries import listing_page
from market.units import FenPerKg, Gram


class OpenBidToPlace(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`price` at the farm gate; where only a part of `quantity` is left, you take it from `least` on.

    A price far from what the goods are asked for is asked back (422) unless you are `sure` of it.
    """

    listing_id: RowId
    quantity: Grams
    price: Price
    deliver_from: date
    deliver_to: date
    least: GramsOrNone = 0
    demand_id: RowId | None = None
    note: Note = ""
    sure: bool = False


class ReleaseAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether you let the bid go."""

    agreed: bool


@read("/listings/{listing_id:int}/bidding", guests=True)
async def standing(guest: Anybody, listing_id: PathId) -> Bidding:
    """The newest round of open bidding on a listing: bids for everybody, names for its seller alone."""
    organisation = guest.organisation_id if guest else None
    await listing_page(listing_id, organisation)
    return await bidding_of(listing_id=listing_id, viewer=organisation)


@read("/open-bids")
async def mine(viewer: SignedIn) -> list[OwnOpenBid]:
    """Your organisation's bids in open rounds, those that you have raised left out."""
    return await open_bids_of(buyer_id=viewer.organisation_id)


@deed("/open-bids", body=OpenBidToPlace, status=201)
async def place(
    viewer: SignedIn, data: JSONBody[OpenBidToPlace], key: IdempotencyKey = None
) -> OpenBidPlaced:
    """Bid in an open round, or raise your bid. It counts at once; a late one moves `closes_at`."""
    bid = NewBid(
        listing_id=data.listing_id,
        quantity=Gram(data.quantity),
        price=FenPerKg(data.price),
        deliver_from=data.deliver_from,
        deliver_to=data.deliver_to,
        demand_id=data.demand_id,
        note=data.note,
    )
    by = actor(viewer, "buyer", deed=ANSWER)
    await check_meant(bid.price, sure=data.sure, listing_id=bid.listing_id)
    return await open_bidding.bid_openly(
        wish=BidInTheOpen(bid, Gram(data.least)),
        buyer_id=viewer.organisation_id,
        actor=by,
        at=clock.now(),
        key=key,
    )


@deed("/open-bids/{open_bid_id:int}/withdraw")
async def withdraw(viewer: SignedIn, open_bid_id: PathId, key: IdempotencyKey = None) -> Moved:
    """Take a bid out of the round that would get nothing now; one that leads needs the seller's word."""

    async def do(at: datetime) -> str:
        await open_bidding.withdraw_open(
            open_bid_id=open_bid_id,
            buyer_id=viewer.organisation_id,
            actor=actor(viewer, "buyer", deed=ANSWER),
            at=at,
        )
        return "withdrawn"

    return await do_once(
        viewer=viewer, key=key, name="open_bid_withdraw", about={"open_bid": open_bid_id}, do=do
    )


@deed("/open-bids/{open_bid_id:int}/ask-release")
async def ask_release(viewer: SignedIn, open_bid_id: PathId, key: IdempotencyKey = None) -> Moved:
    """Ask the seller to let your leading bid go; until the answer it stands."""

    async def do(at: datetime) -> str:
        await open_bidding.ask_release(
            open_bid_id=open_bid_id,
            buyer_id=viewer.organisation_id,
            actor=actor(viewer, "buyer", deed=ANSWER),
            at=at,
        )
        return "standing"

    return await do_once(
        viewer=viewer, key=key, name="open_bid_ask_release", about={"open_bid": open_bid_id}, do=do
    )


@deed("/open-bids/{open_bid_id:int}/release", body=ReleaseAnswer)
async def release(
    viewer: SignedIn, open_bid_id: PathId, data: JSONBody[ReleaseAnswer], key: IdempotencyKey = None
) -> Moved:
    """Let a bid go whose buyer asked you to, or hold the buyer to it."""

    async def do(at: datetime) -> str:
        await open_bidding.answer_release(
            open_bid_id=open_bid_id,
            agreed=data.agreed,
            seller_id=viewer.organisation_id,
            actor=actor(viewer, "seller", deed=ANSWER),
            at=at,
        )
        return "withdrawn" if data.agreed else "standing"

    about = {"open_bid": open_bid_id, "agreed": data.agreed}
    return await do_once(viewer=viewer, key=key, name="open_bid_release", about=about, do=do)


routes: list[ControllerRouterHandler] = [standing, mine, place, withdraw, ask_release, release]

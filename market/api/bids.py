"""Bids: placing them, and the answers of both sides."""

from collections.abc import Awaitable, Callable
from datetime import date, datetime
from functools import partial

import msgspec
from litestar import Response
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import ANSWER, Viewer, actor
from market.api.handling import acting, deed, do_once, marked_as, read, seen_in, unless_changed
from market.api.inputs import Code, Grams, IdempotencyKey, IfMatch, Note, PathId, Price, RowId, SignedIn
from market.api.outputs import Moved
from market.bids import negotiating, operations
from market.bids.meant import check_meant
from market.bids.offer_queries import OfferRow, offers_on
from market.bids.offering import NewOffer, place_offer
from market.bids.operations import Accepted, NewBid, Placed
from market.bids.queries import BidRow, bid_of, bids_of, side_of, thread_of
from market.bids.rules import REJECTED, SUBMITTED, WITHDRAWN
from market.bids.sealing import Sealed, SealedRow, seal_bid, sealed_of, withdraw_sealed
from market.bids.under import Under, under_of
from market.demand.queries import demand_page
from market.meanwhile import marks_of
from market.units import FenPerKg, Gram


class BidToPlace(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`price` at the farm gate; `demand_id` is the demand of yours that it counts towards, if any.

    A price far from what the goods are asked for is asked back (422) unless you are `sure` of it.
    """

    listing_id: RowId
    quantity: Grams
    price: Price
    deliver_from: date
    deliver_to: date
    demand_id: RowId | None = None
    note: Note = ""
    sure: bool = False


class CounterTerms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The terms that you want instead; `price` at the farm gate.

    `least` is the smallest part that the other side may accept; without it all or nothing. A price far
    from what the goods are asked for is asked back (422) unless you are `sure` of it.
    """

    quantity: Grams
    price: Price
    deliver_from: date
    deliver_to: date
    note: Note = ""
    least: Grams | None = None
    sure: bool = False


class OfferToPlace(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`listing_id` is one of yours on sale; `price` at the farm gate; `least` and `sure` as in a counter.

    The price is compared with what the goods are asked for, and with what the demand pays at most.
    """

    listing_id: RowId
    quantity: Grams
    price: Price
    deliver_from: date
    deliver_to: date
    least: Grams | None = None
    note: Note = ""
    sure: bool = False


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much of a bid, an offer or a counter is accepted: at least its `least`."""

    quantity: Grams


class Refusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why not: a reason of `/codes`, which the other side sees, and a word to it."""

    reason: Code
    note: Note = ""


@read("/bids")
async def mine(viewer: SignedIn) -> list[BidRow]:
    """Your organisation's negotiations, each by its newest turn: what awaits your answer first."""
    return await bids_of(organisation_id=viewer.organisation_id)


@read("/bids/{bid_id:int}")
async def one(viewer: SignedIn, bid_id: PathId) -> BidRow:
    """One bid or counter, for its two sides alone."""
    return await bid_of(bid_id=bid_id, organisation_id=viewer.organisation_id)


def _bid_of(data: BidToPlace) -> NewBid:
    return NewBid(
        listing_id=data.listing_id,
        quantity=Gram(data.quantity),
        price=FenPerKg(data.price),
        deliver_from=data.deliver_from,
        deliver_to=data.deliver_to,
        demand_id=data.demand_id,
        note=data.note,
    )


@deed("/bids", body=BidToPlace, status=201)
async def place(viewer: SignedIn, data: JSONBody[BidToPlace], key: IdempotencyKey = None) -> Placed:
    """Bid on a listing; on one that is sold by sealed bids at `/sealed-bids` instead."""
    bid = _bid_of(data)
    by = actor(viewer, "buyer")
    await check_meant(bid.price, sure=data.sure, listing_id=bid.listing_id)
    return Placed(
        await operations.place_bid(
            bid=bid, buyer_id=viewer.organisation_id, actor=by, at=clock.now(), key=key
        )
    )


@read("/sealed-bids")
async def sealed(viewer: SignedIn) -> list[SealedRow]:
    """Your organisation's own sealed bids; nobody else learns of them before they are opened."""
    return await sealed_of(buyer_id=viewer.organisation_id)


@deed("/sealed-bids", body=BidToPlace, status=201)
async def seal(viewer: SignedIn, data: JSONBody[BidToPlace], key: IdempotencyKey = None) -> Sealed:
    """Bid under seal on a listing that is sold so. To change a bid, withdraw it and bid anew."""
    by = actor(viewer, "buyer")
    await check_meant(FenPerKg(data.price), sure=data.sure, listing_id=data.listing_id)
    mark = await seal_bid(
        bid=_bid_of(data), buyer_id=viewer.organisation_id, actor=by, at=clock.now(), key=key
    )
    return Sealed(mark)


@deed("/sealed-bids/{mark:str}/withdraw")
async def unseal(viewer: SignedIn, mark: FromPath[str], key: IdempotencyKey = None) -> Moved:
    """Take your sealed bid back before its round closes."""

    async def do(at: datetime) -> str:
        await withdraw_sealed(mark=mark, buyer_id=viewer.organisation_id, at=at)
        return WITHDRAWN

    return await do_once(viewer=viewer, key=key, name="sealed_withdraw", about={"mark": mark}, do=do)


@read("/bids/{bid_id:int}/thread")
async def thread(viewer: SignedIn, bid_id: PathId) -> list[BidRow]:
    """Every turn of the negotiation that a bid is a turn of, the first one first."""
    await bid_of(bid_id=bid_id, organisation_id=viewer.organisation_id)
    return await thread_of(bid_id=bid_id, organisation_id=viewer.organisation_id)


@read("/demands/{demand_id:int}/offers")
async def offers(viewer: SignedIn, demand_id: PathId) -> list[OfferRow]:
    """The offers on a demand side by side: all of them for its buyer, your own for you as a seller."""
    await demand_page(demand_id, viewer.organisation_id)
    return await offers_on(demand_id=demand_id, organisation_id=viewer.organisation_id)


@deed("/demands/{demand_id:int}/offers", body=OfferToPlace, status=201)
async def offer(
    viewer: SignedIn, demand_id: PathId, data: JSONBody[OfferToPlace], key: IdempotencyKey = None
) -> Placed:
    """Answer a demand with goods of yours: a turn of `/bids` that its buyer answers."""
    by, price = actor(viewer, "seller", deed=ANSWER), FenPerKg(data.price)
    await check_meant(price, sure=data.sure, listing_id=data.listing_id, demand_id=demand_id)
    placed = await place_offer(
        offer=NewOffer(
            demand_id=demand_id,
            listing_id=data.listing_id,
            quantity=Gram(data.quantity),
            price=price,
            deliver_from=data.deliver_from,
            deliver_to=data.deliver_to,
            least=None if data.least is None else Gram(data.least),
            note=data.note,
        ),
        seller_id=viewer.organisation_id,
        actor=by,
        at=clock.now(),
        key=key,
    )
    return Placed(placed)


async def _accept(viewer: Viewer, bid_id: int, key: str | None, part: Gram | None) -> Accepted:
    deal_id = await operations.accept_turn(
        bid_id=bid_id,
        organisation_id=viewer.organisation_id,
        actor=acting(viewer, operations.EITHER),
        at=clock.now(),
        key=key,
        quantity=part,
    )
    return Accepted(deal_id)


@deed("/bids/{bid_id:int}/accept")
async def accept(viewer: SignedIn, bid_id: PathId, key: IdempotencyKey = None) -> Accepted:
    """Turn what the other side offers into a deal; the stock is reserved at once."""
    return await _accept(viewer, bid_id, key, None)


@deed("/bids/{bid_id:int}/accept-part", body=Part)
async def accept_part(
    viewer: SignedIn, bid_id: PathId, data: JSONBody[Part], key: IdempotencyKey = None
) -> Accepted:
    """Turn a part of what the other side offers into a deal; the rest of it is not sold."""
    return await _accept(viewer, bid_id, key, Gram(data.quantity))


@deed("/bids/{bid_id:int}/counter", body=CounterTerms, status=201)
async def counter(
    viewer: SignedIn, bid_id: PathId, data: JSONBody[CounterTerms], key: IdempotencyKey = None
) -> Placed:
    """Answer with other terms: a new turn that refers to this one and awaits the other side."""
    side = await side_of(bid_id=bid_id, organisation_id=viewer.organisation_id)
    by, price = acting(viewer, side), FenPerKg(data.price)
    await check_meant(price, sure=data.sure, bid_id=bid_id)
    return Placed(
        await negotiating.counter_bid(
            counter=negotiating.Counter(
                bid_id=bid_id,
                quantity=Gram(data.quantity),
                price=price,
                deliver_from=data.deliver_from,
                deliver_to=data.deliver_to,
                note=data.note,
                least=None if data.least is None else Gram(data.least),
            ),
            organisation_id=viewer.organisation_id,
            side=side,
            actor=by,
            at=clock.now(),
            key=key,
        )
    )


@deed("/bids/{bid_id:int}/reject", body=Refusal)
async def reject(
    viewer: SignedIn, bid_id: PathId, data: JSONBody[Refusal], key: IdempotencyKey = None
) -> Moved:
    """Decline what the other side offers with a coded reason."""
    side = await side_of(bid_id=bid_id, organisation_id=viewer.organisation_id)

    async def do(at: datetime) -> str:
        await negotiating.reject_bid(
            bid_id=bid_id,
            organisation_id=viewer.organisation_id,
            side=side,
            reason=data.reason,
            note=data.note,
            actor=acting(viewer, side),
            at=at,
        )
        return REJECTED

    about = {"bid": bid_id, "reason": data.reason, "note": data.note}
    return await do_once(viewer=viewer, key=key, name="bid_reject", about=about, do=do)


async def _by_author(
    viewer: Viewer,
    bid_id: int,
    key: str | None,
    *,
    name: str,
    move: Callable[..., Awaitable[None]],
    goal: str,
) -> Moved:
    side = await side_of(bid_id=bid_id, organisation_id=viewer.organisation_id)

    async def do(at: datetime) -> str:
        by = acting(viewer, side)
        await move(bid_id=bid_id, organisation_id=viewer.organisation_id, side=side, actor=by, at=at)
        return goal

    return await do_once(viewer=viewer, key=key, name=name, about={"bid": bid_id}, do=do)


@deed("/bids/{bid_id:int}/withdraw")
async def withdraw(viewer: SignedIn, bid_id: PathId, key: IdempotencyKey = None) -> Moved:
    """Take your own bid or counter back."""
    move = negotiating.withdraw_bid
    return await _by_author(viewer, bid_id, key, name="bid_withdraw", move=move, goal=WITHDRAWN)


@read("/bids/{bid_id:int}/reconfirm", marked=True)
async def under(viewer: SignedIn, bid_id: PathId) -> Response[Under]:
    """The terms of listing and demand that a bid or counter would be confirmed under now."""
    bid = await bid_of(bid_id=bid_id, organisation_id=viewer.organisation_id)
    now = await under_of(listing_id=bid.listing, demand_id=bid.demand, answers=bid.answers)
    return marked_as(now, marks_of(now))


@deed("/bids/{bid_id:int}/reconfirm", matched=True)
async def reconfirm(
    viewer: SignedIn, bid_id: PathId, key: IdempotencyKey = None, if_match: IfMatch = None
) -> Moved:
    """Let your own bid or counter stand under new terms, with `If-Match` under no others than those read."""
    move = partial(negotiating.reconfirm_bid, seen=seen_in(if_match))
    with unless_changed(if_match):
        return await _by_author(viewer, bid_id, key, name="bid_reconfirm", move=move, goal=SUBMITTED)


routes: list[ControllerRouterHandler] = [
    mine,
    one,
    thread,
    place,
    sealed,
    seal,
    unseal,
    offers,
    offer,
    accept,
    accept_part,
    counter,
    reject,
    withdraw,
    under,
    reconfirm,
]

"""Sealed bids: until the round closes nobody but the author can learn of one.

Nothing is written here that anybody else reads: no bid, no notice, no record, and no number of a sequence
that shows elsewhere. All of it comes with the opening.
"""

import uuid
from datetime import date, datetime

import msgspec

from market.accounts.rules import ANSWER, Actor
from market.bids import rules
from market.bids.operations import NewBid, bid_binding, check_terms, on_sale
from market.db.replay import once
from market.db.session import execute, fetch, fetch_into, transaction
from market.errors import Conflict, NotFound
from market.i18n import msg, named
from market.organisations.approving import approvable, asks, bind
from market.supply.rules import SEALED


class Sealed(msgspec.Struct, frozen=True):
    #: What the bid is known by.
    mark: str


class SealBid(msgspec.Struct, frozen=True):
    bid: NewBid


@asks
async def seal_bid(*, bid: NewBid, buyer_id: int, actor: Actor, at: datetime, key: str | None = None) -> str:
    """Lay a bid under seal and return its mark; the same ``key`` again gives the same mark.

    Raises:
        NotFound: there is no such listing.
        Conflict: it is not on sale or not sold by sealed bids, the round is over, or this buyer's bid lies
            there already.
        Invalid: quantity, price or window do not fit the listing.
    """

    async def deed() -> Sealed:
        # shared with other bidders, never with the opening: no bid slips in while the others are read
        rows = await fetch(
            """SELECT listing.state, listing.title, listing.title_en, listing.owner, listing.way,
                      listing.round, listing.closes_at, listing.opened_at, listing.min_order,
                      listing.available_from, listing.available_to, lot.remaining
               FROM listing JOIN lot ON lot.id = listing.lot
               WHERE listing.id = $1 FOR SHARE OF listing""",
            bid.listing_id,
        )
        listing = on_sale(rows, buyer_id=buyer_id)
        if listing["way"] != SEALED:
            raise Conflict(msg("这批货不用密封报价，请直接出价。"))
        if listing["opened_at"] is not None or listing["closes_at"] <= at:
            raise Conflict(msg("报价已经截止，不再收。"))
        await check_terms(bid, listing=listing, buyer_id=buyer_id, at=at)
        # nobody but its own people learns that it waits: the other side is not named
        what = bid_binding("seal_bid", bid, bid, title=named(listing, "title"), other=None)
        await bind(
            actor=actor,
            organisation_id=buyer_id,
            side="buyer",
            deed=ANSWER,
            other=listing["owner"],
            what=msgspec.structs.replace(what, subject=f"sealed:{bid.listing_id}"),
        )
        mark = uuid.uuid4().hex
        laid = await fetch(
            """INSERT INTO sealed_bid (mark, listing, demand, buyer, quantity, price, deliver_from,
                                       deliver_to, note, state, created_by, created_at, round)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
               ON CONFLICT (listing, round, buyer, withdrawn_at) DO NOTHING RETURNING id""",
            mark,
            bid.listing_id,
            bid.demand_id,
            buyer_id,
            bid.quantity,
            bid.price,
            bid.deliver_from,
            bid.deliver_to,
            bid.note,
            rules.SEALED_BID.start,
            actor.person_id,
            at,
            listing["round"],
        )
        if not laid:
            raise Conflict(msg("贵单位已经密封过一份报价；要改，请先撤回再报。"))
        return Sealed(mark)

    sealed = await once(
        key=key, person_id=actor.person_id, request=SealBid(bid), reply_type=Sealed, deed=deed, at=at
    )
    return sealed.mark


@approvable("seal_bid", NewBid)
async def _seal_approved(bid: NewBid, buyer_id: int, actor: Actor, at: datetime) -> str:
    return f"/sealed/{await seal_bid(bid=bid, buyer_id=buyer_id, actor=actor, at=at)}"


async def withdraw_sealed(*, mark: str, buyer_id: int, at: datetime) -> None:
    """Take a sealed bid back before the round closes; nobody else ever learns that there was one.

    Raises:
        NotFound: no such bid of this buyer.
        Conflict: the round is over.
        WrongState: it was taken back or opened before.
    """
    async with transaction():
        # the bid alone is locked: where the opening comes first, it is open already
        rows = await fetch(
            """SELECT sealed_bid.id, sealed_bid.state, listing.closes_at FROM sealed_bid
               JOIN listing ON listing.id = sealed_bid.listing
               WHERE sealed_bid.mark = $1 AND sealed_bid.buyer = $2 FOR UPDATE OF sealed_bid""",
            mark,
            buyer_id,
        )
        if not rows:
            raise NotFound(msg("没有找到这笔出价。"))
        state = rules.SEALED_BID.apply("withdraw", state=rows[0]["state"], by="buyer")
        if rows[0]["closes_at"] <= at:
            raise Conflict(msg("报价已经截止，不能再撤回。"))
        await execute(
            "UPDATE sealed_bid SET state = $2, withdrawn_at = $3 WHERE id = $1", rows[0]["id"], state, at
        )


class SealedRow(msgspec.Struct, frozen=True):
    """A sealed bid as its author, and nobody else, sees it. Grams, and fen per kg at the farm gate."""

    mark: str
    listing: int
    title: str
    title_en: str
    seller_name: str
    seller_name_en: str
    quantity: int
    price: int
    deliver_from: date
    deliver_to: date
    note: str
    state: str
    closes_at: datetime
    #: What it became when it was opened.
    bid: int | None
    created_at: datetime


_SEALED = """SELECT sealed_bid.mark, sealed_bid.listing, listing.title, listing.title_en,
       seller.name AS seller_name, seller.name_en AS seller_name_en, sealed_bid.quantity, sealed_bid.price,
       sealed_bid.deliver_from, sealed_bid.deliver_to, sealed_bid.note, sealed_bid.state,
       listing.closes_at, sealed_bid.bid, sealed_bid.created_at
FROM sealed_bid JOIN listing ON listing.id = sealed_bid.listing
JOIN organisation AS seller ON seller.id = listing.owner
WHERE sealed_bid.buyer = $1
"""


async def sealed_of(*, buyer_id: int, listing_id: int | None = None) -> list[SealedRow]:
    """Return a buyer's own sealed bids, the newest first."""
    return await fetch_into(
        SealedRow,
        _SEALED
        + """AND ($2::bigint IS NULL OR sealed_bid.listing = $2)
             ORDER BY sealed_bid.id DESC LIMIT 200""",
        buyer_id,
        listing_id,
    )


async def sealed_bid(*, mark: str, buyer_id: int) -> SealedRow:
    """Raises: NotFound, where there is none, or it is not this buyer's."""
    rows = await fetch_into(SealedRow, _SEALED + "AND sealed_bid.mark = $2", buyer_id, mark)
    if not rows:
        raise NotFound(msg("没有找到这笔出价。"))
    return rows[0]

"""Bids in open bidding: placing and raising one, and being let go.

Whoever writes here holds the listing first, so that bids and the closing come one after the other.
"""

from datetime import datetime

import msgspec
from asyncpg import Record

from market.accounts.rules import ANSWER, Actor
from market.amounts import masses, prices
from market.audit.operations import record
from market.bids import open_rules, rules
from market.bids.open_rules import Standing
from market.bids.operations import NewBid, bid_binding, check_terms, on_sale
from market.db.replay import once
from market.db.session import execute, fetch, fetch_value, transaction
from market.errors import Conflict, NotFound
from market.i18n import msg, named
from market.notices.operations import Word, notify_all
from market.organisations.approving import approvable, asks, bind
from market.supply.operations import close_at
from market.supply.rules import OPEN
from market.units import FenPerKg, Gram


class OpenBidPlaced(msgspec.Struct, frozen=True):
    """The number of the bid, and when the round closes now."""

    open_bid_id: int
    closes_at: datetime


class BidInTheOpen(msgspec.Struct, frozen=True):
    """A bid for ``bid.quantity``, or for a part of it that is no less than ``least``. Grams."""

    bid: NewBid
    least: Gram = Gram(0)


@asks
async def bid_openly(
    *, wish: BidInTheOpen, buyer_id: int, actor: Actor, at: datetime, key: str | None = None
) -> OpenBidPlaced:
    """Place a bid, or raise the one that this buyer has; a late one moves the closing.

    Raises:
        NotFound: there is no such listing.
        Conflict: it is not on sale, not sold by open bidding, or the round is over.
        Invalid: the bid does not fit the listing, is too low, gets nothing, or is no raise.
    """

    async def deed() -> OpenBidPlaced:
        listing = await _held_listing(wish.bid.listing_id, buyer_id=buyer_id, at=at)
        await check_terms(wish.bid, listing=listing, buyer_id=buyer_id, at=at)
        # who bids is not told before the round ends, so nobody else learns that it waits
        what = bid_binding("bid_openly", wish, wish.bid, title=named(listing, "title"), other=None)
        await bind(
            actor=actor,
            organisation_id=buyer_id,
            side="buyer",
            deed=ANSWER,
            other=listing["owner"],
            what=msgspec.structs.replace(what, subject=f"open:{wish.bid.listing_id}"),
        )
        return await _place(wish, listing=listing, buyer_id=buyer_id, actor=actor, at=at)

    return await once(
        key=key, person_id=actor.person_id, request=wish, reply_type=OpenBidPlaced, deed=deed, at=at
    )


@approvable("bid_openly", BidInTheOpen)
async def _bid_approved(wish: BidInTheOpen, buyer_id: int, actor: Actor, at: datetime) -> str:
    await bid_openly(wish=wish, buyer_id=buyer_id, actor=actor, at=at)
    return f"/listings/{wish.bid.listing_id}"


async def _held_listing(listing_id: int, *, buyer_id: int | None = None, at: datetime) -> Record:
    """Hold a listing whose round takes bids, with what is ``remaining`` of its lot.

    ``buyer_id``: who is about to bid.

    Raises: NotFound, Conflict.
    """
    rows = await fetch(
        """SELECT listing.*, lot.remaining FROM listing JOIN lot ON lot.id = listing.lot
           WHERE listing.id = $1 FOR NO KEY UPDATE OF listing""",
        listing_id,
    )
    listing = on_sale(rows, buyer_id=buyer_id)
    if listing["way"] != OPEN:
        raise Conflict(msg("这批货不是公开竞价，请按页面上写的卖法出价。"))
    if listing["opened_at"] is not None or listing["closes_at"] <= at:
        raise Conflict(msg("竞价已经截止，不再收。"))
    return listing


async def standing_bids(listing: Record) -> list[Standing]:
    """Return the bids that stand in a listing's round; ``listing`` is held, or a moment of it will do."""
    rows = await fetch(
        """SELECT id, buyer, quantity, least, price FROM open_bid
           WHERE listing = $1 AND round = $2 AND state = $3""",
        listing["id"],
        listing["round"],
        rules.OPEN_BID.start,
    )
    return [msgspec.convert(dict(row), Standing) for row in rows]


async def _place(
    wish: BidInTheOpen, *, listing: Record, buyer_id: int, actor: Actor, at: datetime
) -> OpenBidPlaced:
    bid = wish.bid
    bids = await standing_bids(listing)
    before = next((each for each in bids if each.buyer == buyer_id), None)
    # a number beyond all others: at one price who came first goes first
    new = Standing(2**63 - 1, buyer_id, bid.quantity, wish.least, bid.price)
    displaced = open_rules.check_open_bid(
        new,
        [each for each in bids if each.buyer != buyer_id],
        before=before,
        available=Gram(listing["remaining"]),
        start=FenPerKg(listing["ask"]),
        step=FenPerKg(listing["min_step"]),
    )
    if before is not None:
        await _end(before.id, "raise", by="buyer")
    open_bid_id: int = await fetch_value(
        """INSERT INTO open_bid (listing, round, paddle, demand, buyer, quantity, least, price, deliver_from,
                                 deliver_to, note, state, created_by, created_at)
           SELECT $1, $2, coalesce(min(paddle) FILTER (WHERE buyer = $4), max(paddle) + 1, 1), $3, $4, $5, $6,
                  $7, $8, $9, $10, $11, $12, $13
           FROM open_bid WHERE listing = $1 AND round = $2 RETURNING id""",
        bid.listing_id,
        listing["round"],
        bid.demand_id,
        buyer_id,
        bid.quantity,
        wish.least,
        bid.price,
        bid.deliver_from,
        bid.deliver_to,
        bid.note,
        rules.OPEN_BID.start,
        actor.person_id,
        at,
    )
    closes_at = open_rules.closing_after(
        at=at, closes_at=listing["closes_at"], closes_latest=listing["closes_latest"]
    )
    if closes_at != listing["closes_at"]:
        await execute("UPDATE listing SET closes_at = $2 WHERE id = $1", bid.listing_id, closes_at)
        await close_at(bid.listing_id, closes_at)
    await record(
        subject=f"open_bid:{open_bid_id}",
        action="raise" if before else "place",
        actor=actor,
        at=at,
        details={
            "listing": bid.listing_id,
            "grams": bid.quantity,
            "fen_per_kg": bid.price,
            "before": before.id if before else None,
        },
    )
    owners = {each.id: each.buyer for each in bids}
    words = [
        Word(
            owners[lost],
            "open_bid_overbid",
            msg("“{title}”有人出价更高，您现在拿不到了，可以加价。", title=named(listing, "title"))
            if not left
            else msg(
                "“{title}”有人出价更高，您现在只拿得到 {mass}，可以加价。",
                title=named(listing, "title"),
                mass=masses(left),
            ),
            f"/listings/{bid.listing_id}#bid",
            at,
            closes_at,
        )
        for lost, left in displaced.items()
    ]
    if before is None:
        words.append(
            Word(
                listing["owner"],
                "open_bid_placed",
                msg(
                    "“{title}”的竞价来了新的买方：{mass}，{price}。",
                    title=named(listing, "title"),
                    mass=masses(bid.quantity),
                    price=prices(bid.price),
                ),
                f"/selling/{bid.listing_id}#bidding",
                at,
            )
        )
    await notify_all(words)
    return OpenBidPlaced(open_bid_id, closes_at)


async def _end(open_bid_id: int, move: str, *, by: str) -> None:
    await execute(
        "UPDATE open_bid SET state = $2, release_asked_at = NULL WHERE id = $1",
        open_bid_id,
        rules.OPEN_BID.apply(move, state=rules.OPEN_BID.start, by=by),
    )


async def withdraw_open(*, open_bid_id: int, buyer_id: int, actor: Actor, at: datetime) -> None:
    """Take a bid out of the round that would get nothing now.

    Raises:
        NotFound: no such bid of this buyer.
        Conflict: it leads, or the round is over.
        WrongState: it stands no longer.
    """
    async with transaction():
        bid, listing = await _held_bid(open_bid_id, at=at, buyer_id=buyer_id)
        shares = open_rules.share_out(await standing_bids(listing), available=Gram(listing["remaining"]))
        if shares[open_bid_id]:
            raise Conflict(msg("领先的出价不能自己撤回；可以请卖方同意撤回。"))
        await _end(bid["id"], "withdraw", by="buyer")
        await record(subject=f"open_bid:{open_bid_id}", action="withdraw", actor=actor, at=at, details={})


async def ask_release(*, open_bid_id: int, buyer_id: int, actor: Actor, at: datetime) -> None:
    """Ask the seller to let a bid go that leads; until it does, the bid stands.

    Raises: NotFound, Conflict, WrongState.
    """
    async with transaction():
        bid, listing = await _held_bid(open_bid_id, at=at, buyer_id=buyer_id)
        if bid["release_asked_at"] is not None:
            return
        await execute("UPDATE open_bid SET release_asked_at = $2 WHERE id = $1", open_bid_id, at)
        await record(subject=f"open_bid:{open_bid_id}", action="ask_release", actor=actor, at=at, details={})
        message = msg(
            "“{title}”的一个竞买人请您同意撤回出价；不答复就仍然算数。", title=named(listing, "title")
        )
        link = f"/selling/{listing['id']}#bidding"
        await notify_all(
            [Word(listing["owner"], "open_bid_release_asked", message, link, at, listing["closes_at"])]
        )


async def answer_release(
    *, open_bid_id: int, agreed: bool, seller_id: int, actor: Actor, at: datetime
) -> None:
    """Let a bid go whose author asked for it, or hold the author to it.

    Raises:
        NotFound: no such bid on this seller's goods.
        Conflict: nobody asked, or the round is over.
        WrongState: it stands no longer.
    """
    async with transaction():
        bid, listing = await _held_bid(open_bid_id, at=at, seller_id=seller_id)
        if bid["release_asked_at"] is None:
            raise Conflict(msg("买方没有请您同意撤回。"))
        if agreed:
            await _end(open_bid_id, "release", by="seller")
        else:
            await execute("UPDATE open_bid SET release_asked_at = NULL WHERE id = $1", open_bid_id)
        await record(
            subject=f"open_bid:{open_bid_id}",
            action="release" if agreed else "hold",
            actor=actor,
            at=at,
            details={},
        )
        message = (
            msg("卖方同意您撤回对“{title}”的出价。", title=named(listing, "title"))
            if agreed
            else msg("卖方不同意您撤回对“{title}”的出价，它仍然算数。", title=named(listing, "title"))
        )
        link = f"/listings/{listing['id']}#bid"
        await notify_all([Word(bid["buyer"], "open_bid_release_answered", message, link, at)])


async def _held_bid(
    open_bid_id: int, *, at: datetime, buyer_id: int | None = None, seller_id: int | None = None
) -> tuple[Record, Record]:
    """Hold the listing of a standing bid of this buyer's, or on this seller's goods; return both.

    Raises: NotFound, Conflict, WrongState.
    """
    listing_id = await fetch_value(
        """SELECT listing.id FROM open_bid JOIN listing ON listing.id = open_bid.listing
           WHERE open_bid.id = $1 AND (open_bid.buyer = $2 OR listing.owner = $3)""",
        open_bid_id,
        buyer_id,
        seller_id,
    )
    if listing_id is None:
        raise NotFound(msg("没有找到这笔出价。"))
    listing = await _held_listing(listing_id, at=at)
    # read under the listing's lock: nobody else writes it now
    bid = (await fetch("SELECT * FROM open_bid WHERE id = $1", open_bid_id))[0]
    rules.OPEN_BID.apply("raise", state=bid["state"], by="buyer")
    if bid["round"] != listing["round"]:
        raise Conflict(msg("竞价已经截止，不再收。"))
    return bid, listing

"""A round of open bidding as people see it: bids for all to see, names for the seller alone."""

from datetime import datetime

import msgspec

from market.bids import open_rules, rules
from market.bids.open_rules import Standing
from market.db.session import fetch, fetch_into
from market.errors import NotFound
from market.i18n import msg
from market.supply.rules import OPEN, PUBLISHED
from market.units import FenPerKg, Gram

#: So many bids of the past are shown.
_MOST_PAST = 200


class BidLine(msgspec.Struct, frozen=True, kw_only=True):
    """A bid of the round. Grams, and fen per kg at the farm gate."""

    id: int
    #: What its author is known by.
    paddle: int
    #: Its author, for the seller alone.
    buyer: int | None
    buyer_name: str | None
    buyer_name_en: str | None
    quantity: int
    #: The smallest part that the bidder takes.
    least: int
    price: int
    #: What it gets as things stand, or got; none for bids that stand no longer.
    share: int
    state: str
    created_at: datetime
    #: When its author asked to be let go; for the seller and the author.
    release_asked_at: datetime | None
    #: What it became at the closing; for the seller and the author.
    bid: int | None
    deal: int | None
    #: The viewer's organisation made it.
    mine: bool


class Bidding(msgspec.Struct, frozen=True, kw_only=True):
    """A round of open bidding. Grams, and fen per kg at the farm gate."""

    listing_id: int
    #: Bids are taken until ``closes_at``.
    is_on: bool
    closes_at: datetime
    #: Late bids move the closing, but not beyond this.
    closes_latest: datetime
    closed_at: datetime | None
    start: int
    min_step: int
    has_reserve: bool
    #: For the seller alone.
    reserve: int | None
    remaining: int
    #: From which price on a newcomer gets something.
    entry_price: int
    bidders: int
    #: Those that stand, or stood at the end: the best first.
    bids: list[BidLine]
    #: All that were made, the newest first.
    history: list[BidLine]


async def bidding_of(*, listing_id: int, viewer: int | None) -> Bidding:
    """Return the newest round of open bidding on a listing, as the organisation ``viewer`` may see it.

    That the viewer may see the listing at all, the caller has looked.

    Raises:
        NotFound: the listing has never been sold so.
    """
    rows = await fetch(
        """SELECT listing.id, listing.owner, listing.state, listing.way, listing.round, listing.ask,
                  listing.min_step, listing.reserve, listing.closes_at, listing.closes_latest,
                  listing.opened_at, lot.remaining
           FROM listing JOIN lot ON lot.id = listing.lot
           WHERE listing.id = $1 AND listing.closes_latest IS NOT NULL""",
        listing_id,
    )
    if not rows:
        raise NotFound(msg("这批货没有公开竞价。"))
    listing = rows[0]
    is_seller = listing["owner"] == viewer
    lines = await fetch_into(
        BidLine,
        """SELECT open_bid.id, open_bid.paddle, open_bid.quantity, open_bid.least, open_bid.price,
               open_bid.state, open_bid.created_at, open_bid.buyer IS NOT DISTINCT FROM $3 AS mine,
               coalesce(CASE WHEN open_bid.state = 'won' THEN bid.quantity END, 0) AS share,
               CASE WHEN $4 THEN open_bid.buyer END AS buyer, CASE WHEN $4 THEN buyer.name END AS buyer_name,
               CASE WHEN $4 THEN buyer.name_en END AS buyer_name_en,
               CASE WHEN $4 OR open_bid.buyer = $3 THEN open_bid.release_asked_at END AS release_asked_at,
               CASE WHEN $4 OR open_bid.buyer = $3 THEN open_bid.bid END AS bid,
               CASE WHEN $4 OR open_bid.buyer = $3 THEN bid.deal END AS deal
           FROM open_bid JOIN organisation AS buyer ON buyer.id = open_bid.buyer
           LEFT JOIN bid ON bid.id = open_bid.bid
           WHERE open_bid.listing = $1 AND open_bid.round = $2 ORDER BY open_bid.id DESC""",
        listing_id,
        listing["round"],
        viewer,
        is_seller,
    )
    standing = [line for line in lines if line.state not in ("raised", "withdrawn")]
    available = Gram(listing["remaining"])
    bids = [
        Standing(line.id, line.id, Gram(line.quantity), Gram(line.least), FenPerKg(line.price))
        for line in standing
    ]
    is_over = listing["opened_at"] is not None
    if not is_over:
        shares = open_rules.share_out(bids, available=available)
        standing = [msgspec.structs.replace(line, share=shares[line.id]) for line in standing]
    return Bidding(
        listing_id=listing_id,
        is_on=listing["way"] == OPEN and listing["state"] == PUBLISHED and not is_over,
        closes_at=listing["closes_at"],
        closes_latest=listing["closes_latest"],
        closed_at=listing["opened_at"],
        start=listing["ask"],
        min_step=listing["min_step"],
        has_reserve=listing["reserve"] is not None,
        reserve=listing["reserve"] if is_seller else None,
        remaining=listing["remaining"],
        entry_price=open_rules.entry_price(
            bids,
            available=available,
            start=FenPerKg(listing["ask"]),
            step=FenPerKg(listing["min_step"]),
        )
        if not is_over and available
        else listing["ask"],
        bidders=len({line.paddle for line in lines if line.state != "withdrawn"}),
        bids=sorted(standing, key=lambda line: (-line.price, line.id)),
        history=lines[:_MOST_PAST],
    )


class OwnOpenBid(msgspec.Struct, frozen=True):
    """A buyer's own bid in a round: the one that stands, or stood at the end. Grams, fen per kg."""

    id: int
    listing: int
    title: str
    title_en: str
    seller_name: str
    seller_name_en: str
    paddle: int
    quantity: int
    least: int
    price: int
    state: str
    closes_at: datetime
    bid: int | None
    deal: int | None
    created_at: datetime


async def open_bids_of(*, buyer_id: int) -> list[OwnOpenBid]:
    """Return a buyer's bids in open rounds, those that were raised left out: the newest first."""
    return await fetch_into(
        OwnOpenBid,
        """SELECT open_bid.id, open_bid.listing, listing.title, listing.title_en, seller.name AS seller_name,
               seller.name_en AS seller_name_en, open_bid.paddle, open_bid.quantity, open_bid.least,
               open_bid.price, open_bid.state,
               CASE WHEN listing.round = open_bid.round THEN listing.closes_at ELSE open_bid.created_at END
                 AS closes_at,
               open_bid.bid, bid.deal, open_bid.created_at
           FROM open_bid JOIN listing ON listing.id = open_bid.listing
           JOIN organisation AS seller ON seller.id = listing.owner LEFT JOIN bid ON bid.id = open_bid.bid
           WHERE open_bid.buyer = $1 AND open_bid.state <> $2 ORDER BY open_bid.id DESC LIMIT 200""",
        buyer_id,
        rules.OPEN_BID.apply("raise", state=rules.OPEN_BID.start, by="buyer"),
    )


async def open_bid_place(*, open_bid_id: int, organisation_id: int) -> int:
    """Return the listing of an open bid to its author or the seller.

    Raises:
        NotFound: there is none, or it is not yours.
    """
    rows = await fetch(
        """SELECT listing.id FROM open_bid JOIN listing ON listing.id = open_bid.listing
           WHERE open_bid.id = $1 AND $2 IN (open_bid.buyer, listing.owner)""",
        open_bid_id,
        organisation_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这笔出价。"))
    return int(rows[0]["id"])

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

import msgspec

from market.db.gathering import Gatherer, look_ups
from market.db.session import fetch, fetch_into, fetch_value
from market.errors import MarketError, NotFound
from market.i18n import msg


class BidRow(msgspec.Struct, frozen=True):
    """A turn. Grams, and fen per kg at the farm gate. Seen by its buyer and by its seller alone."""

    id: int
    #: What the negotiation answers, as ``rules.LISTING`` and ``rules.DEMAND``.
    answers: str
    #: The turn that this one answers, and the side that made it; ``answered_by`` is the next turn.
    parent: int | None
    answered_by: int | None
    author: str
    #: The side that must act, while the state is open.
    awaiting: str
    listing: int
    title: str
    title_en: str
    #: The buyer's demand that it counts towards, or answers.
    demand: int | None
    demand_title: str | None
    demand_title_en: str | None
    ask: int
    #: How the listing is sold, as ``supply.rules.WAYS``.
    way: str
    remaining: int
    seller: int
    seller_name: str
    seller_name_en: str
    buyer: int
    buyer_name: str
    buyer_name_en: str
    quantity: int
    #: Grams that may be accepted at least; None: all or nothing.
    least: int | None
    price: int
    deliver_from: date
    deliver_to: date
    note: str
    state: str
    reason: str | None
    reason_zh: str | None
    reason_en: str | None
    reason_note: str
    deal: int | None
    deal_number: str | None
    created_at: datetime
    expires_at: datetime


_BID = """SELECT bid.id, bid.answers, bid.parent, answer.id AS answered_by, bid.author, bid.awaiting,
       bid.listing, listing.title, listing.title_en, bid.demand,
       wanted.title AS demand_title, wanted.title_en AS demand_title_en, listing.ask, listing.way,
       lot.remaining,
       listing.owner AS seller, seller.name AS seller_name, seller.name_en AS seller_name_en,
       bid.buyer, buyer.name AS buyer_name, buyer.name_en AS buyer_name_en,
       bid.quantity, bid.least, bid.price, bid.deliver_from, bid.deliver_to, bid.note, bid.state,
       bid.reason, reason.zh AS reason_zh, reason.en AS reason_en, bid.reason_note, bid.deal,
       (SELECT number FROM deal WHERE deal.id = bid.deal) AS deal_number, bid.created_at, bid.expires_at
FROM bid JOIN listing ON listing.id = bid.listing JOIN lot ON lot.id = listing.lot
JOIN organisation seller ON seller.id = listing.owner
JOIN organisation buyer ON buyer.id = bid.buyer
LEFT JOIN demand wanted ON wanted.id = bid.demand
LEFT JOIN reason ON reason.code = bid.reason
LEFT JOIN bid AS answer ON answer.parent = bid.id
"""


async def bid_of(*, bid_id: int, organisation_id: int) -> BidRow:
    """Return one bid to one of its two sides.

    Raises:
        NotFound: there is none, or it is not yours.
    """
    rows = await fetch_into(
        BidRow, _BID + "WHERE bid.id = $1 AND $2 IN (bid.buyer, listing.owner)", bid_id, organisation_id
    )
    if not rows:
        raise NotFound(msg("没有找到这笔出价。"))
    return rows[0]


class _OfSide(NamedTuple):
    bid_id: int
    organisation_id: int


async def side_of(*, bid_id: int, organisation_id: int) -> str:
    """Return the side that an organisation has of a bid, ``seller`` or ``buyer``.

    Answers by the API begin with it, so that requests that come together are looked up together.

    Raises:
        NotFound: there is no such bid, or it is not yours.
        Busy: the database does not answer, or too many ask.
    """
    return await _SIDES.ask(_OfSide(bid_id, organisation_id))


async def _sides_of(asked: Sequence[_OfSide], _: bool) -> list[str | MarketError]:
    rows = await fetch(
        """SELECT bid.id, listing.owner, bid.buyer FROM bid JOIN listing ON listing.id = bid.listing
           WHERE bid.id = ANY($1)""",
        [each.bid_id for each in asked],
    )
    sides = {(row["id"], row["buyer"]): "buyer" for row in rows}
    sides |= {(row["id"], row["owner"]): "seller" for row in rows}
    return [sides.get(each) or NotFound(msg("没有找到这笔出价。")) for each in asked]


#: Those of this process.
_SIDES: Gatherer[_OfSide, str] = look_ups(_sides_of)


async def bids_of(
    *, organisation_id: int, listing_id: int | None = None, limit: int = 200, offset: int = 0
) -> list[BidRow]:
    """Return the negotiations of an organisation, each by its newest turn.

    What awaits an answer comes first, what awaits this organisation before the rest; then the newest.
    """
    return await fetch_into(
        BidRow,
        _BID
        + """WHERE $1 IN (bid.buyer, listing.owner) AND ($2::bigint IS NULL OR bid.listing = $2)
               AND bid.state <> 'countered'
             ORDER BY bid.state NOT IN ('submitted', 'needs_reconfirm'),
                 CASE bid.awaiting WHEN 'seller' THEN listing.owner ELSE bid.buyer END <> $1,
                 bid.created_at DESC, bid.id DESC
             LIMIT $3 OFFSET $4""",
        organisation_id,
        listing_id,
        limit,
        offset,
    )


async def count_of_bids(*, organisation_id: int) -> int:
    """Return how many negotiations an organisation has."""
    return int(
        await fetch_value(
            """SELECT count(*) FROM bid JOIN listing ON listing.id = bid.listing
               WHERE $1 IN (bid.buyer, listing.owner) AND bid.state <> 'countered'""",
            organisation_id,
        )
    )


async def thread_of(*, bid_id: int, organisation_id: int) -> list[BidRow]:
    """Return every turn of the negotiation that ``bid_id`` is a turn of, the first one first.

    Empty where it is not the organisation's.
    """
    return await fetch_into(
        BidRow,
        f"""WITH RECURSIVE before AS (
                SELECT id, parent FROM bid WHERE id = $1
                UNION ALL SELECT bid.id, bid.parent FROM bid JOIN before ON bid.id = before.parent),
            turn AS (
                SELECT id FROM before WHERE parent IS NULL
                UNION ALL SELECT bid.id FROM bid JOIN turn ON bid.parent = turn.id)
            {_BID} JOIN turn ON turn.id = bid.id
            WHERE $2 IN (bid.buyer, listing.owner) ORDER BY bid.id""",  # noqa: S608  words of ours; values are parameters
        bid_id,
        organisation_id,
    )

"""Reading offers on demands: side by side for the buyer, one's own for a seller, and what one may offer."""

from datetime import date, datetime

import msgspec

from market.catalogue.queries import CredentialKindView
from market.db.session import fetch_into
from market.supply.queries import CREDENTIALS, GRADE


class OfferRow(msgspec.Struct, frozen=True):
    """An offer by its newest turn, with the goods behind it. Grams, fen per kg at the farm gate."""

    id: int
    #: Who made the newest turn, and who must act.
    author: str
    awaiting: str
    state: str
    quantity: int
    least: int | None
    price: int
    deliver_from: date
    deliver_to: date
    note: str
    reason_zh: str | None
    reason_en: str | None
    reason_note: str
    deal: int | None
    #: Grams of the deal that came of it.
    bought: int | None
    created_at: datetime
    expires_at: datetime
    listing: int
    title: str
    title_en: str
    ask: int
    remaining: int
    grade: int
    grade_zh: str
    grade_en: str
    credentials: list[CredentialKindView]
    place: str
    lat: float
    lon: float
    seller: int
    seller_name: str
    seller_name_en: str
    seller_kind: str


_OFFERS = f"""SELECT bid.id, bid.author, bid.awaiting, bid.state, bid.quantity, bid.least, bid.price,
    bid.deliver_from, bid.deliver_to, bid.note, reason.zh AS reason_zh, reason.en AS reason_en,
    bid.reason_note, bid.deal,
    deal.quantity AS bought, bid.created_at, bid.expires_at, bid.listing, listing.title, listing.title_en,
    listing.ask, lot.remaining, lot.grade, {GRADE}, {CREDENTIALS}, coalesce(division.path, '') AS place,
    lot.lat, lot.lon, seller.id AS seller, seller.name AS seller_name, seller.name_en AS seller_name_en,
    seller.kind AS seller_kind
FROM bid JOIN listing ON listing.id = bid.listing JOIN lot ON lot.id = listing.lot
JOIN organisation AS seller ON seller.id = listing.owner
LEFT JOIN division ON division.code = lot.division
LEFT JOIN reason ON reason.code = bid.reason LEFT JOIN deal ON deal.id = bid.deal
WHERE bid.demand = $1 AND bid.answers = 'demand' AND bid.state <> 'countered'
"""  # noqa: S608  our own text


async def offers_on(*, demand_id: int, organisation_id: int) -> list[OfferRow]:
    """Return the offers on a demand: all to its buyer, a seller's own to that seller, none to others.

    Those still open come first, the cheapest first; the rest by age.
    """
    return await fetch_into(
        OfferRow,
        _OFFERS
        + """AND $2 IN (bid.buyer, listing.owner)
             ORDER BY bid.state NOT IN ('submitted', 'needs_reconfirm'), bid.price, bid.id LIMIT 200""",
        demand_id,
        organisation_id,
    )


class Goods(msgspec.Struct, frozen=True):
    """What a seller may offer from: goods on sale of the product, outside rounds of bidding."""

    listing: int
    title: str
    title_en: str
    remaining: int
    ask: int
    min_order: int
    grade: int
    grade_zh: str
    grade_en: str
    credentials: list[CredentialKindView]
    available_from: date
    available_to: date
    lat: float
    lon: float
    seller: int
    seller_name: str
    seller_name_en: str


GOODS = f"""SELECT listing.id AS listing, listing.title, listing.title_en, lot.remaining, listing.ask,
    listing.min_order, lot.grade, {GRADE}, {CREDENTIALS}, listing.available_from, listing.available_to,
    lot.lat, lot.lon, seller.id AS seller, seller.name AS seller_name, seller.name_en AS seller_name_en
FROM listing JOIN lot ON lot.id = listing.lot JOIN organisation AS seller ON seller.id = listing.owner
WHERE lot.produce = $1 AND listing.state = 'published' AND lot.remaining > 0
  AND NOT (listing.way IN ('sealed', 'open') AND listing.opened_at IS NULL)
"""  # noqa: S608  our own text


async def goods_of(*, seller_id: int, produce: str) -> list[Goods]:
    """Return what a seller may offer on a demand for ``produce``, the most first."""
    return await fetch_into(
        Goods, GOODS + "AND listing.owner = $2 ORDER BY lot.remaining DESC, listing.id", produce, seller_id
    )

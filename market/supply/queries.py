"""Reading goods on sale. Grams, fen per kg; the owner filter is part of every statement."""

from datetime import date, datetime
from typing import Any, Literal

import msgspec

from market.catalogue.queries import CredentialKindView
from market.db.session import fetch_into, fetch_one_into
from market.errors import NotFound
from market.i18n import msg
from market.supply.commands import NewWay, in_utc
from market.supply.rules import PUBLISHED, SOLD_OUT

#: What everybody may see.
PUBLIC = (PUBLISHED, SOLD_OUT)


class PictureView(msgspec.Struct, frozen=True):
    id: int
    position: int
    illustration: bool
    content_hash: str
    width: int
    height: int


class PictureFile(msgspec.Struct, frozen=True):
    content: bytes
    content_hash: str


class ListingDetails(msgspec.Struct, frozen=True):
    listing_id: int
    lot_id: int
    state: str
    title: str
    title_en: str
    produce: str
    produce_zh: str
    produce_en: str
    category: str
    category_zh: str
    category_en: str
    shelf_life_days: int | None
    price_low: int | None
    price_high: int | None
    variety: str
    grade: int
    grade_zh: str
    grade_en: str
    quantity: int
    remaining: int
    ask: int
    min_order: int
    available_from: date
    available_to: date
    harvested_on: date | None
    story: str
    story_en: str
    credentials: list[CredentialKindView]
    seller: int
    seller_name: str
    seller_name_en: str
    seller_kind: str
    town: int | None
    town_name: str | None
    town_name_en: str | None
    division: str | None
    place: str
    lat: float
    lon: float
    pictures: list[PictureView]
    published_at: datetime | None
    created_at: datetime
    invented: bool
    #: As ``rules.WAYS``; when the round of bidding ends, and when it was ended.
    way: str
    closes_at: datetime | None
    opened_at: datetime | None
    #: In open bidding: the latest closing, the step in fen per kg, and whether there is a reserve price.
    closes_latest: datetime | None
    min_step: int
    has_reserve: bool
    #: The viewer's organisation owns it.
    mine: bool


#: The names of a lot's credentials and grade, for a statement that has ``lot``.
CREDENTIALS = """coalesce((
    SELECT jsonb_agg(jsonb_build_object('code', code, 'zh', zh, 'en', en) ORDER BY code)
    FROM credential_kind WHERE code = ANY(lot.credentials)), '[]') AS credentials"""
GRADE = """coalesce((SELECT zh FROM grade WHERE level = lot.grade), '') AS grade_zh,
    coalesce((SELECT en FROM grade WHERE level = lot.grade), '') AS grade_en"""

_DETAILS = f"""
SELECT listing.id AS listing_id, lot.id AS lot_id, listing.state, listing.title, listing.title_en,
    lot.produce, produce.zh AS produce_zh, produce.en AS produce_en,
    produce.category, category.zh AS category_zh, category.en AS category_en,
    produce.shelf_life_days, produce.price_low, produce.price_high,
    lot.variety, lot.grade, {GRADE}, lot.quantity, lot.remaining, listing.ask, listing.min_order,
    listing.available_from, listing.available_to, lot.harvested_on, lot.story, lot.story_en, {CREDENTIALS},
    seller.id AS seller, seller.name AS seller_name, seller.name_en AS seller_name_en,
    seller.kind AS seller_kind, town.id AS town, town.name AS town_name, town.name_en AS town_name_en,
    lot.division, coalesce(division.path, '') AS place, lot.lat, lot.lon,
    coalesce((SELECT jsonb_agg(jsonb_build_object('id', id, 'position', position,
            'illustration', illustration, 'content_hash', content_hash, 'width', width, 'height', height)
            ORDER BY position) FROM picture WHERE picture.lot = lot.id), '[]') AS pictures,
    listing.published_at, listing.created_at, lot.invented,
    listing.way, listing.closes_at, listing.opened_at, listing.closes_latest, listing.min_step,
    listing.reserve IS NOT NULL AS has_reserve,
    listing.owner IS NOT DISTINCT FROM $2 AS mine
FROM listing JOIN lot ON lot.id = listing.lot
JOIN produce ON produce.code = lot.produce JOIN category ON category.code = produce.category
JOIN organisation AS seller ON seller.id = listing.owner
LEFT JOIN organisation AS town ON town.id = seller.town
LEFT JOIN division ON division.code = lot.division
WHERE listing.id = $1 AND
"""  # noqa: S608  words of ours; values are parameters

#: Who may see a listing: everybody what is on sale; its owner all; the town that looks after the owner
#: all but drafts; and whoever has bid on it or bought of it, what has been withdrawn since.
_VISIBLE = """(listing.state = ANY($3) OR listing.owner = $2 OR listing.state <> 'draft' AND (
    EXISTS (SELECT FROM organisation AS owner WHERE owner.id = listing.owner AND owner.town = $2)
    OR EXISTS (SELECT FROM deal WHERE deal.listing = listing.id AND deal.buyer = $2)
    OR EXISTS (SELECT FROM bid WHERE bid.listing = listing.id AND bid.buyer = $2)
    OR EXISTS (SELECT FROM match WHERE match.listing = listing.id AND match.buyer = $2)))"""


async def listing_page(listing_id: int, viewer: int | None) -> ListingDetails:
    """Return everything about a listing that the organisation ``viewer`` (None: a visitor) may see.

    Raises:
        NotFound: there is no such listing, or it is not public and not of the viewer's concern.
    """
    found = await fetch_one_into(ListingDetails, _DETAILS + _VISIBLE, listing_id, viewer, list(PUBLIC))
    if found is None:
        raise NotFound(msg("没有找到这批货源，它可能已经下架。"))
    return found


async def way_of(listing_id: int, owner_id: int) -> NewWay:
    """Return how a listing is sold, its reserve price with it, for its owner alone.

    Raises:
        NotFound: no such listing of this owner.
    """
    found = await fetch_one_into(
        NewWay,
        "SELECT way, closes_at, min_step, reserve FROM listing WHERE id = $1 AND owner = $2",
        listing_id,
        owner_id,
    )
    if found is None:
        raise NotFound(msg("没有找到这批货源。"))
    return in_utc(found)


async def picture(
    *, lot: int, position: int, size: Literal["image", "thumb"], viewer: int | None
) -> PictureFile:
    """Return a picture's file and the hash of its content. It is seen where a listing of its lot is.

    Raises:
        NotFound: there is none at this position, or the lot is not the viewer's to see.
    """
    found = await fetch_one_into(
        PictureFile,
        f"""SELECT {"thumb" if size == "thumb" else "image"} AS content, content_hash FROM picture
            WHERE lot = $1 AND position = $4
              AND EXISTS (SELECT FROM listing WHERE listing.lot = $1 AND {_VISIBLE})""",  # noqa: S608  words of ours; values are parameters
        lot,
        viewer,
        list(PUBLIC),
        position,
    )
    if found is None:
        raise NotFound(msg("没有找到这张图片。"))
    return found


class DiagnosisLine(msgspec.Struct, frozen=True):
    """The first obstacle that the last finished run found: see ``matching.Diagnosis``."""

    run: int
    obstacle: str
    change: Any
    unlocks: int


class OwnListing(msgspec.Struct, frozen=True):
    listing_id: int
    lot_id: int
    state: str
    title: str
    title_en: str
    produce: str
    produce_zh: str
    produce_en: str
    seller: int
    seller_name: str
    seller_name_en: str
    quantity: int
    remaining: int
    ask: int
    available_from: date
    available_to: date
    #: Days until the window ends; negative once it has.
    days_left: int
    #: Days since it was published; None for a draft.
    days_listed: int | None
    #: Bids that wait for an answer.
    open_bids: int
    #: Suggestions of the engine that are still open.
    open_matches: int
    #: Grams in contracts that hold.
    sold: int
    diagnosis: DiagnosisLine | None
    picture_position: int | None
    picture_hash: str | None
    invented: bool


_OWN = """
SELECT listing.id AS listing_id, lot.id AS lot_id, listing.state, listing.title, listing.title_en,
    lot.produce, produce.zh AS produce_zh, produce.en AS produce_en,
    seller.id AS seller, seller.name AS seller_name, seller.name_en AS seller_name_en,
    lot.quantity, lot.remaining, listing.ask, listing.available_from, listing.available_to,
    listing.available_to - $2::date AS days_left,
    $2::date - (listing.published_at AT TIME ZONE 'Asia/Shanghai')::date AS days_listed,
    (SELECT count(*) FROM bid WHERE bid.listing = listing.id AND bid.state = 'submitted'
        AND bid.awaiting = 'seller') AS open_bids,
    (SELECT count(*) FROM match WHERE match.listing = listing.id
        AND match.state IN ('proposed', 'one_side_agreed', 'agreed')) AS open_matches,
    (SELECT coalesce(sum(deal.quantity - deal.released), 0) FROM deal WHERE deal.listing = listing.id
        AND deal.state <> 'cancelled') AS sold,
    (SELECT jsonb_build_object('run', run.id, 'obstacle', obstacle, 'change', change, 'unlocks', unlocks)
        FROM diagnosis JOIN run ON run.id = diagnosis.run
        WHERE diagnosis.listing = listing.id AND run.state = 'done'
          AND run.id = (SELECT max(last.id) FROM run AS last
              WHERE last.town = run.town AND last.state = 'done')
        ORDER BY run.id DESC, rank LIMIT 1) AS diagnosis,
    shown.position AS picture_position, shown.content_hash AS picture_hash, lot.invented
FROM listing JOIN lot ON lot.id = listing.lot JOIN produce ON produce.code = lot.produce
JOIN organisation AS seller ON seller.id = listing.owner
LEFT JOIN LATERAL (SELECT position, content_hash FROM picture WHERE picture.lot = lot.id
    ORDER BY position LIMIT 1) AS shown ON true
"""


async def listings_of(owner: int, *, today: date) -> list[OwnListing]:
    """Return an owner's listings: those that need a hand (bids to answer, window ending) first."""
    return await fetch_into(
        OwnListing,
        f"""SELECT * FROM ({_OWN} WHERE listing.owner = $1) AS own
            ORDER BY state NOT IN ('draft', 'pending', 'published', 'suspended'),
                open_bids = 0, available_to, listing_id""",  # noqa: S608  words of ours; values are parameters
        owner,
        today,
    )


class StockDay(msgspec.Struct, frozen=True):
    """Grams: what came in, what was reserved or lost (less what was released), what was left in the end."""

    day: date
    added: int
    taken: int
    remaining: int


async def stock_history(town: int, *, until: date) -> list[StockDay]:
    """Return the stock of a town's sellers day by day, from the first entry of the ledger to ``until``.

    Days are China's. Empty where nothing was ever put in.
    """
    return await fetch_into(
        StockDay,
        """WITH entry AS (
               SELECT (stock_entry.at AT TIME ZONE 'Asia/Shanghai')::date AS day, stock_entry.kind, change
               FROM stock_entry JOIN lot ON lot.id = stock_entry.lot
               JOIN organisation AS owner ON owner.id = lot.owner
               WHERE owner.town = $1 OR owner.id = $1
           ),
           daily AS (
               SELECT day, sum(change) FILTER (WHERE kind = 'in') AS added,
                      -sum(change) FILTER (WHERE kind <> 'in') AS taken
               FROM entry GROUP BY day
           )
           SELECT each.day::date AS day, coalesce(added, 0) AS added, coalesce(taken, 0) AS taken,
               sum(coalesce(added, 0) - coalesce(taken, 0)) OVER (ORDER BY each.day) AS remaining
           FROM generate_series((SELECT min(day) FROM daily)::timestamp, $2::date::timestamp, '1 day')
               AS each(day)
           LEFT JOIN daily ON daily.day = each.day::date ORDER BY each.day""",
        town,
        until,
    )

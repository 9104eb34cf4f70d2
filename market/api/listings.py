"""Goods on sale: the hall, one's own, publishing and changing."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler
from msgspec import Meta

from market import clock
from market.accounts.rules import LIST, actor
from market.api.filters import filtered, filters_of
from market.api.handling import deed, do_once, marked_as, read, seen_in, unless_changed
from market.api.inputs import (
    Anybody,
    Code,
    Grams,
    GramsOrNone,
    IdempotencyKey,
    IfMatch,
    PathId,
    Price,
    Prose,
    Reader,
    SignedIn,
    Title,
)
from market.api.outputs import Moved, told
from market.bids.standing import revise_terms
from market.matching.findings import diagnosis_of
from market.meanwhile import marks_of
from market.paging import Page
from market.supply.commands import NewListing, NewTerms, NewWay
from market.supply.filters import BrowseFilters
from market.supply.hall import ListingCard, browse
from market.supply.operations import Published, choose_way, move_listing, publish_listing
from market.supply.queries import ListingDetails, OwnListing, listing_page, listings_of, way_of
from market.units import MOST_FEN_PER_KG, FenPerKg, Gram

Credentials = Annotated[tuple[Code, ...], Meta(max_length=20)]
Move = Literal["suspend", "resume", "withdraw"]
Way = Literal["fixed", "negotiable", "sealed", "open"]
PriceOrNone = Annotated[int, Meta(ge=0, le=MOST_FEN_PER_KG, description="Fen per kilogram; 0: none")]


class ListingToPublish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A lot and the terms it is sold on; `ask` at the farm gate. The place defaults to the owner's.

    `way`: `fixed` sells at the asked price alone, `negotiable` by bids and counters, `sealed` by bids that
    are opened together at `closes_at`, `open` by bids from `ask` up that everybody sees until `closes_at`, a
    moment with its time zone that no other way has. For `open`, a bid is `min_step` above the one that it
    raises or drives out, and nothing is sold by itself under the `reserve`, which you alone see.
    """

    produce: Code
    title: Title
    quantity: Grams
    ask: Price
    available_from: date
    available_to: date
    title_en: Title = ""
    variety: Title = ""
    grade: Annotated[int, Meta(ge=0, le=9)] = 0
    min_order: GramsOrNone = 0
    credentials: Credentials = ()
    harvested_on: date | None = None
    division: Annotated[str, Meta(pattern=r"^[0-9]{2,12}$")] | None = None
    lat: Annotated[float, Meta(ge=-90, le=90)] | None = None
    lon: Annotated[float, Meta(ge=-180, le=180)] | None = None
    story: Prose = ""
    story_en: Prose = ""
    way: Way = "negotiable"
    closes_at: datetime | None = None
    min_step: PriceOrNone = 0
    reserve: Price | None = None


class WayToSell(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a listing is sold from now on; as in `ListingToPublish`."""

    way: Way
    closes_at: datetime | None = None
    min_step: PriceOrNone = 0
    reserve: Price | None = None


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What of a listing may change while it is on sale; whoever has bid on it is asked again."""

    ask: Price
    available_from: date
    available_to: date
    min_order: GramsOrNone = 0
    credentials: Credentials = ()


class Unlock(msgspec.Struct, frozen=True):
    """One change that would open these demands to a listing. Grams; `cost` in hao per kg, `value` in fen.

    `confirmed`: so much is surely traded more; else the pairs are open and no more is proven.
    """

    rank: int
    obstacle: str
    change: str
    unlocks: int
    demands: list[int]
    cost: int
    value: int | None
    confirmed: bool


@read("/listings", guests=True, operation=filtered(BrowseFilters))
async def hall(request: Request[Any, Any, Any], guest: Anybody) -> Page[ListingCard]:
    """What is on sale, a page at a time: the same filters as the produce hall of the site."""
    filters = filters_of(request, BrowseFilters)
    return await browse(filters, guest.organisation_id if guest else None)


@read("/listings/mine")
async def mine(viewer: SignedIn) -> list[OwnListing]:
    """Your organisation's listings: those that need a hand first."""
    return await listings_of(viewer.organisation_id, today=clock.today())


@read("/listings/{listing_id:int}", guests=True)
async def one(guest: Anybody, listing_id: PathId) -> ListingDetails:
    """Everything about one listing."""
    return await listing_page(listing_id, guest.organisation_id if guest else None)


@read("/listings/{listing_id:int}/diagnosis")
async def diagnosis(viewer: SignedIn, language: Reader, listing_id: PathId) -> list[Unlock]:
    """Why it has not sold, for its owner and the town: what the newest finished run found."""
    await listing_page(listing_id, viewer.organisation_id)
    found = await diagnosis_of(listing_id=listing_id, organisation_id=viewer.organisation_id)
    return [told(Unlock, row, language) for row in found]


@deed("/listings", body=ListingToPublish, status=201)
async def publish(
    viewer: SignedIn, data: JSONBody[ListingToPublish], key: IdempotencyKey = None
) -> Published:
    """Take the lot into stock and put it on sale."""
    listing = NewListing(
        produce=data.produce,
        title=data.title,
        quantity=Gram(data.quantity),
        ask=FenPerKg(data.ask),
        available_from=data.available_from,
        available_to=data.available_to,
        title_en=data.title_en,
        variety=data.variety,
        grade=data.grade,
        min_order=Gram(data.min_order),
        credentials=data.credentials,
        harvested_on=data.harvested_on,
        division=data.division,
        lat=data.lat,
        lon=data.lon,
        story=data.story,
        story_en=data.story_en,
        way=data.way,
        closes_at=data.closes_at,
        min_step=FenPerKg(data.min_step),
        reserve=None if data.reserve is None else FenPerKg(data.reserve),
    )
    return Published(
        await publish_listing(
            listing=listing,
            owner_id=viewer.organisation_id,
            actor=actor(viewer, "seller"),
            at=clock.now(),
            key=key,
        )
    )


@read("/listings/{listing_id:int}/terms", guests=True, marked=True)
async def terms_now(guest: Anybody, listing_id: PathId) -> Response[Terms]:
    """The terms as they may be changed, with their ETag."""
    listing = await listing_page(listing_id, guest.organisation_id if guest else None)
    now = NewTerms(
        ask=FenPerKg(listing.ask),
        min_order=Gram(listing.min_order),
        available_from=listing.available_from,
        available_to=listing.available_to,
        credentials=tuple(kind.code for kind in listing.credentials),
    )
    return marked_as(Terms(**msgspec.structs.asdict(now)), marks_of(now))


@deed("/listings/{listing_id:int}/terms", body=Terms, matched=True)
async def revise(
    viewer: SignedIn,
    listing_id: PathId,
    data: JSONBody[Terms],
    key: IdempotencyKey = None,
    if_match: IfMatch = None,
) -> Moved:
    """Change the terms; open bids must then be confirmed by their buyers."""
    by = actor(viewer, "seller")
    terms = NewTerms(
        ask=FenPerKg(data.ask),
        min_order=Gram(data.min_order),
        available_from=data.available_from,
        available_to=data.available_to,
        credentials=data.credentials,
    )

    async def do(at: Any) -> str:
        await revise_terms(
            listing_id=listing_id,
            terms=terms,
            owner_id=viewer.organisation_id,
            actor=by,
            at=at,
            seen=seen_in(if_match),
            exact=True,
        )
        return (await listing_page(listing_id, viewer.organisation_id)).state

    about = {"listing": listing_id, "terms": msgspec.to_builtins(data)}
    with unless_changed(if_match):
        return await do_once(viewer=viewer, key=key, name="revise_listing", about=about, do=do)


@read("/listings/{listing_id:int}/way", marked=True)
async def way_now(viewer: SignedIn, listing_id: PathId) -> Response[WayToSell]:
    """How your listing is sold, with its ETag; the reserve price is told to nobody else."""
    now = await way_of(listing_id, viewer.organisation_id)
    return marked_as(WayToSell(**msgspec.structs.asdict(now)), marks_of(now))


@deed("/listings/{listing_id:int}/way", body=WayToSell, matched=True)
async def sell_so(
    viewer: SignedIn,
    listing_id: PathId,
    data: JSONBody[WayToSell],
    key: IdempotencyKey = None,
    if_match: IfMatch = None,
) -> Moved:
    """Sell in another way; not while a round lasts or somebody waits for an answer to a bid."""
    by = actor(viewer, "seller", deed=LIST)
    way = NewWay(
        way=data.way,
        closes_at=data.closes_at,
        min_step=FenPerKg(data.min_step),
        reserve=None if data.reserve is None else FenPerKg(data.reserve),
    )

    async def do(at: datetime) -> str:
        await choose_way(
            listing_id=listing_id,
            way=way,
            owner_id=viewer.organisation_id,
            actor=by,
            at=at,
            seen=seen_in(if_match),
        )
        return (await listing_page(listing_id, viewer.organisation_id)).state

    about = {"listing": listing_id, "way": msgspec.to_builtins(data)}
    with unless_changed(if_match):
        return await do_once(viewer=viewer, key=key, name="listing_way", about=about, do=do)


@deed("/listings/{listing_id:int}/{move:str}")
async def change(
    viewer: SignedIn, listing_id: PathId, move: FromPath[Move], key: IdempotencyKey = None
) -> Moved:
    """Suspend, resume or withdraw a listing."""
    by = actor(viewer, "seller")
    return await do_once(
        viewer=viewer,
        key=key,
        name=f"listing_{move}",
        about={"listing": listing_id},
        do=lambda at: move_listing(
            listing_id=listing_id, move=move, owner_id=viewer.organisation_id, actor=by, at=at
        ),
    )


routes: list[ControllerRouterHandler] = [
    hall,
    mine,
    one,
    diagnosis,
    publish,
    terms_now,
    revise,
    way_now,
    sell_so,
    change,
]

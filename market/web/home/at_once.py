"""What suits a listing or a demand best at this moment, shown on its own page as soon as it is published."""

from collections.abc import Awaitable, Sequence
from decimal import ROUND_HALF_UP, Decimal

import msgspec
from litestar import Response, get
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import Viewer
from market.demand.queries import DemandDetails, demand_page
from market.errors import Busy, Conflict, NotFound
from market.i18n import Message
from market.matching.at_once import BestMatches, best_of_demand, best_of_listing
from market.matching.live.answers import LiveMatch, Option
from market.supply.queries import ListingDetails, listing_page
from market.units import FEN_PER_YUAN, FenPerKg
from market.web.demands.wanted import own_demand
from market.web.edge.guards import SignedIn, WebRequest, require
from market.web.goods.selling import own_listing
from market.web.parts.pages import is_htmx
from market.web.parts.told import ask_fen
from market.web.parts.trade import show

#: So many are shown.
MOST_SHOWN = 5


class Trade(msgspec.Struct, frozen=True):
    """A possible trade as the two sides may see it: grams, fen per kg, km.

    What the pair is worth, what the other side gains and whom it trades with are not in here.
    """

    #: The most that the two could trade.
    grams: int
    #: Suggested, at the farm gate; and with freight.
    price: FenPerKg
    delivered: FenPerKg
    freight: FenPerKg
    km: float
    #: What the best allocation of this moment gives to the pair; None where it gives nothing or is not known.
    given: int | None
    #: That leaves a smallest order or the most lots aside: the run gives otherwise.
    breaks_limits: bool
    #: The other side does better elsewhere.
    better_elsewhere: bool


class Partner(msgspec.Struct, frozen=True):
    """A demand or a listing with what it says of itself in public, and the trade with it."""

    href: str
    title: str
    title_en: str
    owner_name: str
    owner_name_en: str
    place: str
    place_en: str
    #: Grams still wanted, or still on sale.
    left: int
    #: Fen per kg: the highest price delivered, or the ask at the farm gate.
    quote: int
    trade: Trade


class Answer(msgspec.Struct, frozen=True):
    """What the part of the page shows."""

    #: "listing" or "demand": whose page it is.
    side: str
    #: Of this part, for those who try again.
    href: str
    #: Of the findings about what is left.
    why: str
    partners: Sequence[Partner] = ()
    #: Grams and partners of the best allocation; None where the market is too large to be matched at once.
    given: tuple[int, int] | None = None
    #: It could not be reckoned.
    trouble: Message | None = None
    can_retry: bool = False


def _fen(yuan: Decimal) -> FenPerKg:
    return FenPerKg(int((yuan * FEN_PER_YUAN).to_integral_value(ROUND_HALF_UP)))


def _trade(option: Option, match: LiveMatch | None) -> Trade:
    freight = Decimal(str(option.freight_yuan_per_kg))
    return Trade(
        grams=option.grams,
        price=ask_fen(option.price),
        delivered=_fen(option.price + freight),
        freight=_fen(freight),
        km=option.km,
        given=match.grams if match else None,
        breaks_limits=bool(match and match.breaks),
        better_elsewhere=option.gain_yuan_per_kg < 0,
    )


async def _demands(found: BestMatches, viewer: Viewer) -> list[Partner]:
    """Demands by name, as far as the viewer may see them."""
    given = {match.demand: match for match in found.matches or ()}
    partners = []
    for option in found.best[:MOST_SHOWN]:
        try:
            demand = await demand_page(int(option.demand), viewer.organisation_id)
        except NotFound:  # taken back a moment ago
            continue
        partners.append(
            Partner(
                href=f"/demands/{option.demand}",
                title=demand.title,
                title_en=demand.title_en,
                owner_name=demand.buyer_name,
                owner_name_en=demand.buyer_name_en,
                place=demand.site_name or "",
                place_en=demand.site_name_en or "",
                left=demand.open,
                quote=demand.ceiling,
                trade=_trade(option, given.get(option.demand)),
            )
        )
    return partners


async def _listings(found: BestMatches, viewer: Viewer) -> list[Partner]:
    """Listings by name, as far as the viewer may see them."""
    given = {match.lot: match for match in found.matches or ()}
    partners = []
    for option in found.best[:MOST_SHOWN]:
        try:
            listing = await listing_page(int(option.lot), viewer.organisation_id)
        except NotFound:  # withdrawn a moment ago
            continue
        partners.append(
            Partner(
                href=f"/listings/{option.lot}",
                title=listing.title,
                title_en=listing.title_en,
                owner_name=listing.seller_name,
                owner_name_en=listing.seller_name_en,
                place="",
                place_en="",
                left=listing.remaining,
                quote=listing.ask,
                trade=_trade(option, given.get(option.lot)),
            )
        )
    return partners


async def _reckoned(
    request: WebRequest, viewer: Viewer, answer: Answer, search: Awaitable[BestMatches]
) -> Answer:
    """Fill in what ``search`` finds, or why it finds nothing; a part of a page never becomes an error."""
    try:
        found = await search
    except Conflict as trouble:
        return msgspec.structs.replace(answer, trouble=trouble.message)
    except Busy as trouble:
        if not is_htmx(request):
            raise
        return msgspec.structs.replace(answer, trouble=trouble.message, can_retry=True)
    named = _demands if answer.side == "listing" else _listings
    given = None
    if found.matches is not None:
        given = sum(match.grams for match in found.matches), len(found.matches)
    return msgspec.structs.replace(answer, partners=await named(found, viewer), given=given)


def _draw(
    request: WebRequest, answer: Answer, subject: ListingDetails | DemandDetails, back: str
) -> Response[str]:
    return show(
        request,
        "at_once/page.html",
        fragment="at_once/best.html",
        answer=answer,
        subject=subject,
        back=back,
        now=clock.now(),
    )


@get("/selling/{listing_id:int}/best", guards=[require("seller")])
async def best_buyers(request: WebRequest, viewer: SignedIn, listing_id: FromPath[int]) -> Response[str]:
    """The demands that suit an own listing best: a page, or the part that its desk loads."""
    listing = await own_listing(listing_id, viewer)
    back = f"/selling/{listing_id}"
    search = best_of_listing(listing_id=listing_id, organisation_id=viewer.organisation_id, on=clock.today())
    answer = await _reckoned(request, viewer, Answer("listing", f"{back}/best", f"{back}/why"), search)
    return _draw(request, answer, listing, back)


@get("/demands/{demand_id:int}/best", guards=[require("buyer")])
async def best_goods(request: WebRequest, viewer: SignedIn, demand_id: FromPath[int]) -> Response[str]:
    """The listings that suit an own demand best: a page, or the part that its page loads."""
    demand = await own_demand(demand_id, viewer)
    back = f"/demands/{demand_id}"
    search = best_of_demand(demand_id=demand_id, buyer_id=viewer.organisation_id, on=clock.today())
    answer = await _reckoned(request, viewer, Answer("demand", f"{back}/best", f"{back}/why"), search)
    return _draw(request, answer, demand, back)


routes: list[ControllerRouterHandler] = [best_buyers, best_goods]

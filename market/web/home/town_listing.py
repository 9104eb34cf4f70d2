"""One listing as its town sees it: why it does not sell, what could be tried, and the hardship bonus."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts import rules as accounts
from market.accounts.rules import Viewer
from market.audit.queries import history
from market.cases.queries import case_of_listing
from market.dashboard.listings import TownListing, town_listing
from market.errors import Invalid
from market.i18n import msg
from market.matching.findings import diagnosis_of
from market.meanwhile import ChangedMeanwhile, marks_of
from market.supply.commands import Bonus
from market.supply.operations import set_priority
from market.supply.queries import listing_page
from market.supply.rules import LISTING, PUBLISHED
from market.units import FenPerKg
from market.web.edge.addresses import row_number
from market.web.edge.guards import OFFICIAL, SignedIn, WebRequest
from market.web.edge.language import language_of
from market.web.matching.why import draw, listing_advice, listing_lab, try_out_listing
from market.web.parts import fields
from market.web.parts.changed_meanwhile import SEEN, merged
from market.web.parts.forms import Filled, Form
from market.web.parts.pages import redirect
from market.web.parts.told import words_for
from market.web.parts.trade import KEY, do_once, new_key

PRIORITY = Form(
    priority=fields.price(
        msg("照顾加分"),
        hint=msg("每公斤多算多少收益：只影响撮合的先后，不改变价格。留空表示不照顾。"),
        optional=True,
        unit="kg",
    ),
    seen=SEEN,
    key=KEY,
)


@get("/town/listings/{listing_id:int}", guards=OFFICIAL)
async def listing(request: WebRequest, viewer: SignedIn, listing_id: FromPath[int]) -> Response[str]:
    """Show one listing: why it does not sell, and what the town can do for it."""
    found = await town_listing(listing_id=row_number(listing_id), town_id=viewer.organisation_id)
    return await _draw(request, viewer, found, _standing(found))


def _standing(found: TownListing) -> Filled:
    """Return the form with the bonus that is granted now."""
    seen = marks_of(Bonus(FenPerKg(found.priority)))
    return PRIORITY.blank(priority=found.priority or None, seen=seen, key=new_key())


async def _draw(
    request: WebRequest,
    viewer: Viewer,
    found: TownListing,
    form: Filled,
    *,
    status: int = 200,
    tries: bool = False,
) -> Response[str]:
    details = await listing_page(found.listing, viewer.organisation_id)
    findings = await diagnosis_of(listing_id=found.listing, organisation_id=viewer.organisation_id)
    words = await words_for(language_of(request), findings)
    lab = await listing_lab(request, details, findings, words, town=True)
    if tries:
        lab, status = await try_out_listing(request, viewer, lab, details, findings)
    return draw(
        request,
        "town/listing.html",
        lab,
        status=status,
        listing=found,
        form=form,
        advice=await listing_advice(findings, words, ask=found.ask, viewer=viewer),
        case=await case_of_listing(listing_id=found.listing, organisation_id=viewer.organisation_id),
        on_sale=found.state == PUBLISHED and found.remaining > 0,
        granted=[
            each
            for each in await history(subjects=[f"listing:{found.listing}"])
            if each.action == "prioritise"
        ],
        days_left=(found.available_to - clock.today()).days,
        LISTING=LISTING,
    )


@post("/town/listings/{listing_id:int}/what-if", guards=OFFICIAL, status_code=200)
async def what_if(request: WebRequest, viewer: SignedIn, listing_id: FromPath[int]) -> Response[str]:
    """Try out changes of a listing of the town's: nothing is changed, and all whom it touches are named."""
    found = await town_listing(listing_id=row_number(listing_id), town_id=viewer.organisation_id)
    return await _draw(request, viewer, found, _standing(found), tries=True)


@post("/town/listings/{listing_id:int}/priority", guards=OFFICIAL)
async def prioritise(request: WebRequest, viewer: SignedIn, listing_id: FromPath[int]) -> Response[Any]:
    """Grant a listing a hardship bonus, or take it back."""
    found = await town_listing(listing_id=row_number(listing_id), town_id=viewer.organisation_id)
    filled = await PRIORITY.read(request)
    at = clock.now()
    try:
        filled.check()
        priority = FenPerKg(filled.values["priority"] or 0)
        await do_once(
            viewer=viewer,
            key=filled.values["key"],
            name="prioritise",
            about={"listing": listing_id, "fen_per_kg": int(priority)},
            deed=lambda: set_priority(
                listing_id=listing_id,
                bonus=Bonus(priority),
                town_id=viewer.organisation_id,
                actor=accounts.actor(viewer, "official"),
                at=at,
                seen=filled.values["seen"],
            ),
            at=at,
        )
    except ChangedMeanwhile as changed:
        found = await town_listing(listing_id=found.listing, town_id=viewer.organisation_id)
        again = merged(filled, changed, fresh=_standing(found), language=language_of(request))
        return await _draw(request, viewer, found, again, status=409)
    except Invalid as refused:
        return await _draw(request, viewer, found, filled.refused(refused), status=422)
    return redirect(request, f"/town/listings/{listing_id}", toast=msg("照顾加分已保存，下次撮合起作用。"))


routes: list[ControllerRouterHandler] = [listing, what_if, prioritise]

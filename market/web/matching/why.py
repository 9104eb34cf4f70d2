"""Why it does not sell, and why nobody serves a demand: what is in the way, and the changes to try out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import Viewer
from market.catalogue.queries import CredentialRouteView, credential_routes
from market.demand.queries import DemandDetails, demand_page
from market.demand.rules import DEMAND
from market.demand.rules import PUBLISHED as WANTED
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, msg
from market.matching.diagnosis.changes import Ask, Change, Credentials, Dropped, Grade
from market.matching.explain import try_demand, try_listing
from market.matching.findings import DemandFinding, DiagnosisRow, demand_findings_of, diagnosis_of
from market.meanwhile import marks_of
from market.supply.queries import ListingDetails, listing_page
from market.supply.rules import LISTING, PUBLISHED, SUSPENDED
from market.units import FenPerKg
from market.web.demands.wanted import own_demand
from market.web.edge.guards import SignedIn, WebRequest, require
from market.web.edge.language import language_of
from market.web.goods.selling import own_listing, revise, terms_now
from market.web.matching import whatif
from market.web.matching.outcomes import Outcome, demand_query, mean_fen, outcome_of, terms_query
from market.web.parts import fields
from market.web.parts.forms import Filled, Form
from market.web.parts.pages import is_htmx, redirect
from market.web.parts.told import Words, ask_fen, finding_told, obstacle, words_for
from market.web.parts.trade import KEY, name_in, show

#: Demands or listings named beside a finding.
_MOST_NAMED = 3


class Opened(msgspec.Struct, frozen=True):
    """A demand or a listing that a change would open; grams that it still wants or has."""

    href: str
    title: str
    title_en: str
    owner_name: str
    owner_name_en: str
    grams: int


class Advice(msgspec.Struct, frozen=True):
    """One finding as a step: what to change, whom it opens, and what a credential takes."""

    finding: DiagnosisRow | DemandFinding
    text: Message
    opened: list[Opened]
    #: How many it opens in all.
    count: int
    #: Ways to each credential, by its name.
    routes: list[tuple[str, list[CredentialRouteView]]]
    #: Fen per kg; None where another price alone is not what helps.
    price: FenPerKg | None = None


async def ways_to(changes: Sequence[Change], words: Words) -> list[tuple[str, list[CredentialRouteView]]]:
    """Return the ways to every credential that ``changes`` obtain or drop."""
    codes = sorted(
        {code for each in changes if isinstance(each, Credentials | Dropped) for code in each.codes}
    )
    if not codes:
        return []
    ways = await credential_routes(codes)
    return [
        (words.kinds.get(code, code), [way for way in ways if way.credential == code])
        for code in codes
        if any(way.credential == code for way in ways)
    ]


async def listing_advice(
    findings: Sequence[DiagnosisRow], words: Words, *, ask: int, viewer: Viewer
) -> list[Advice]:
    """Return the findings about a listing as steps."""
    advice = []
    for finding in findings:
        opened = []
        for demand_id in finding.demands[:_MOST_NAMED]:
            try:
                demand = await demand_page(demand_id, viewer.organisation_id)
            except NotFound:  # taken back since the run
                continue
            opened.append(
                Opened(
                    f"/demands/{demand_id}",
                    demand.title,
                    demand.title_en,
                    demand.buyer_name,
                    demand.buyer_name_en,
                    demand.open,
                )
            )
        price: FenPerKg | None = None
        match finding.terms:
            case [Ask(of=None, ask=yuan)] if 0 < ask_fen(yuan) < ask:
                price = ask_fen(yuan)
        advice.append(
            Advice(
                finding,
                finding_told(finding, words, price=ask),
                opened,
                len(finding.demands),
                await ways_to(finding.terms, words),
                price,
            )
        )
    return advice


async def demand_advice(
    findings: Sequence[DemandFinding], words: Words, *, ceiling: int, viewer: Viewer
) -> list[Advice]:
    """Return the findings about a demand as steps."""
    advice = []
    for finding in findings:
        opened = []
        for listing_id in finding.listings[:_MOST_NAMED]:
            try:
                listing = await listing_page(listing_id, viewer.organisation_id)
            except NotFound:  # withdrawn since the run
                continue
            opened.append(
                Opened(
                    f"/listings/{listing_id}",
                    listing.title,
                    listing.title_en,
                    listing.seller_name,
                    listing.seller_name_en,
                    listing.remaining,
                )
            )
        advice.append(
            Advice(
                finding,
                finding_told(finding, words, price=ceiling),
                opened,
                len(finding.listings),
                await ways_to(finding.terms, words),
            )
        )
    return advice


class Lab(msgspec.Struct, frozen=True):
    """What the part of a page shows that tries out changes: its form, and the outcome once it was tried."""

    #: Where the form is sent.
    action: str
    form: Filled
    rows: Mapping[str, Message]
    #: "listing" or "demand".
    side: str
    #: The reader may know whom else it touches.
    with_names: bool
    outcome: Outcome | None = None
    #: The form that applies what was tried; empty where the reader cannot apply it.
    apply: str = ""
    #: Something was tried that only work and papers can change.
    needs_work: bool = False
    #: It could not be tried at all.
    trouble: Message | None = None


Try = Callable[[Sequence[Change]], Any]


async def tried(
    lab: Lab,
    filled: Filled,
    changes: Sequence[Change],
    faults: Mapping[str, Message],
    attempt: Try,
    way: Callable[[Sequence[Change]], str],
) -> tuple[Lab, int]:
    """Return the part after trying ``changes``, and the status of the answer."""
    filled = msgspec.structs.replace(filled, errors=dict(faults))
    if faults or not changes:
        return msgspec.structs.replace(lab, form=filled), 422 if faults else 200
    try:
        effect = await attempt(changes)
    except Invalid as refused:
        return msgspec.structs.replace(lab, form=filled.refused(refused)), 422
    except Conflict as trouble:
        return msgspec.structs.replace(lab, form=filled, trouble=trouble.message), 200
    return (
        msgspec.structs.replace(
            lab,
            form=filled,
            outcome=await outcome_of(effect, with_names=lab.with_names),
            apply=way(changes),
            needs_work=any(map(_is_work, changes)),
        ),
        200,
    )


def _is_work(change: Change) -> bool:
    return isinstance(change, Credentials | Grade) or change.of is not None


async def listing_lab(
    request: WebRequest,
    listing: ListingDetails,
    findings: Sequence[DiagnosisRow],
    words: Words,
    *,
    town: bool,
) -> Lab:
    """Return the part that tries out changes of a listing, with the best suggestions in its form."""
    form = whatif.lot_form(listing, words, whatif.theirs(findings))
    base = "/town/listings" if town else "/selling"
    return Lab(
        action=f"{base}/{listing.listing_id}/what-if",
        form=whatif.prefilled(form, findings, whatif.now_of_lot(listing), pick=picked(request)),
        rows=whatif.LOT_ROWS,
        side="listing",
        with_names=town,
    )


def just_ticked(request: WebRequest) -> bool:
    """Tell whether the form was sent because a row was ticked or unticked, not by its button."""
    return is_htmx(request) and request.headers.get("hx-trigger-name") == "use"


def picked(request: WebRequest) -> int | None:
    """Return the rank of the finding that the address asks to try."""
    text = request.query_params.get("pick", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else None


async def try_out_listing(
    request: WebRequest, viewer: Viewer, lab: Lab, listing: ListingDetails, findings: Sequence[DiagnosisRow]
) -> tuple[Lab, int]:
    """Read the form, try what is ticked, and return the part with its outcome."""
    asks = whatif.theirs(findings)
    filled = await lab.form.form.read(request)
    if filled.values.get("pick"):
        filled = _picked_form(lab, filled, findings, whatif.now_of_lot(listing))
    changes, faults = whatif.lot_changes(filled, asks, lenient=just_ticked(request))
    return await tried(
        lab,
        filled,
        changes,
        faults,
        lambda changes: try_listing(
            listing_id=listing.listing_id,
            organisation_id=viewer.organisation_id,
            changes=changes,
            on=clock.today(),
        ),
        lambda changes: (
            f"/selling/{listing.listing_id}/terms?{query}"
            if not lab.with_names and (query := terms_query(changes))
            else ""
        ),
    )


def _picked_form(
    lab: Lab, filled: Filled, findings: Sequence[whatif.Finding], now: Mapping[str, Any]
) -> Filled:
    """Return the form as if the rows of the picked finding had been ticked and nothing else."""
    fresh = whatif.prefilled(lab.form.form, findings, now, pick=filled.values["pick"])
    return lab.form.form.parse(fresh.typed)


def draw(request: WebRequest, template: str, lab: Lab, *, status: int = 200, **context: Any) -> Response[str]:
    """Draw the page, or the part of it that htmx asks for: the outcome, or form and outcome together."""
    target = request.headers.get("hx-target", "")
    fragment = "explain/lab.html" if target == "lab" else "explain/effect.html"
    # an outcome that could not be had because a field is wrong: the form tells where
    if is_htmx(request) and lab.form.errors:
        fragment = "explain/lab.html"
    response = show(
        request,
        template,
        fragment=fragment,
        status=status,
        lab=lab,
        obstacle=obstacle,
        mean_fen=mean_fen,
        now=clock.now(),
        **context,
    )
    if is_htmx(request) and fragment == "explain/lab.html":
        response.headers["hx-retarget"] = "#lab"
        response.headers["hx-reswap"] = "outerHTML"
    return response


@get("/selling/{listing_id:int}/why", guards=[require("seller")])
async def listing_why(request: WebRequest, viewer: SignedIn, listing_id: FromPath[int]) -> Response[str]:
    """Why it does not sell: the findings of the newest run as steps, each to be tried out."""
    listing = await own_listing(listing_id, viewer)
    return await _listing_page(request, viewer, listing)


@post("/selling/{listing_id:int}/what-if", guards=[require("seller")], status_code=200)
async def listing_what_if(request: WebRequest, viewer: SignedIn, listing_id: FromPath[int]) -> Response[str]:
    """Try out changes of one's own listing: nothing is changed."""
    return await _listing_page(request, viewer, await own_listing(listing_id, viewer), tries=True)


async def _listing_page(
    request: WebRequest, viewer: Viewer, listing: ListingDetails, *, tries: bool = False
) -> Response[str]:
    findings = await diagnosis_of(listing_id=listing.listing_id, organisation_id=viewer.organisation_id)
    words = await words_for(language_of(request), findings)
    lab, status = await listing_lab(request, listing, findings, words, town=False), 200
    if tries:
        lab, status = await try_out_listing(request, viewer, lab, listing, findings)
    return draw(
        request,
        "selling/why.html",
        lab,
        status=status,
        listing=listing,
        advice=await listing_advice(findings, words, ask=listing.ask, viewer=viewer),
        on_sale=listing.state == PUBLISHED and listing.remaining > 0,
        can_revise=listing.state in (PUBLISHED, SUSPENDED),
        days_left=(listing.available_to - clock.today()).days,
        LISTING=LISTING,
    )


_PRICE = Form(price=fields.hidden(int), key=KEY)


@post("/selling/{listing_id:int}/price", guards=[require("seller")])
async def apply_price(request: WebRequest, viewer: SignedIn, listing_id: FromPath[int]) -> Response[Any]:
    """Set the advised price and leave the other terms as they are."""
    filled = await _PRICE.read(request)
    filled.check()
    listing = await own_listing(listing_id, viewer)
    if listing.ask != filled.values["price"]:
        now = terms_now(listing)
        terms = msgspec.structs.replace(now, ask=FenPerKg(filled.values["price"]))
        await revise(viewer, listing_id, terms, filled.values["key"], seen=marks_of(now))
    return redirect(request, f"/selling/{listing_id}/why", toast=msg("新价格已生效，下一次撮合就按它算。"))


@get("/demands/{demand_id:int}/why", guards=[require("buyer")])
async def demand_why(request: WebRequest, viewer: SignedIn, demand_id: FromPath[int]) -> Response[str]:
    """Why a demand is not served in full: the findings of the newest run, each to be tried out."""
    return await _demand_page(request, viewer, await own_demand(demand_id, viewer))


@post("/demands/{demand_id:int}/what-if", guards=[require("buyer")], status_code=200)
async def demand_what_if(request: WebRequest, viewer: SignedIn, demand_id: FromPath[int]) -> Response[str]:
    """Try out changes of one's own demand: nothing is changed."""
    return await _demand_page(request, viewer, await own_demand(demand_id, viewer), tries=True)


async def _demand_page(
    request: WebRequest, viewer: Viewer, demand: DemandDetails, *, tries: bool = False
) -> Response[str]:
    findings = await demand_findings_of(demand_id=demand.demand_id, buyer_id=viewer.organisation_id)
    language = language_of(request)
    words = await words_for(language, findings)
    asks = whatif.theirs(findings)
    form, now = whatif.demand_form(demand, words, asks), whatif.now_of_demand(demand)
    lab, status = (
        Lab(
            action=f"/demands/{demand.demand_id}/what-if",
            form=whatif.prefilled(form, findings, now, pick=picked(request)),
            rows=whatif.DEMAND_ROWS,
            side="demand",
            with_names=False,
        ),
        200,
    )
    if tries:
        filled = await form.read(request)
        if filled.values.get("pick"):
            filled = _picked_form(lab, filled, findings, now)
        changes, faults = whatif.demand_changes(filled, asks, lenient=just_ticked(request))
        lab, status = await tried(
            lab,
            filled,
            changes,
            faults,
            lambda changes: try_demand(
                demand_id=demand.demand_id,
                buyer_id=viewer.organisation_id,
                changes=changes,
                on=clock.today(),
            ),
            lambda changes: f"/demands/new?{demand_query(demand, changes)}",
        )
    return draw(
        request,
        "demands/why.html",
        lab,
        status=status,
        demand=demand,
        title=name_in(language, demand, "title"),
        advice=await demand_advice(findings, words, ceiling=demand.ceiling, viewer=viewer),
        wanted=demand.state == WANTED and demand.open > 0,
        life=DEMAND,
    )


routes: list[ControllerRouterHandler] = [
    listing_why,
    listing_what_if,
    apply_price,
    demand_why,
    demand_what_if,
]

"""A lot's page: what is for sale, on which terms, and the bid for it."""

import io
from uuid import UUID

import segno
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts import rules as accounts
from market.accounts.rules import Viewer
from market.bids import operations
from market.bids.operations import NewBid
from market.bids.queries import BidRow, bids_of
from market.bids.rules import BID, OPEN_BID, SEALED_BID
from market.bids.sealing import SealedRow, seal_bid, sealed_of
from market.catalogue.queries import shelf_rules_for
from market.errors import Conflict, Invalid, NotFound
from market.i18n import msg
from market.organisations.approval_queries import waiting_on
from market.organisations.delegating import entered_by
from market.supply.queries import ListingDetails, listing_page
from market.supply.rules import LISTING, OPEN, PUBLISHED, ROUNDS, SEALED, WAYS
from market.web.bids import open_round
from market.web.bids.bidding import bid_form, bid_problems, blank_bid, demands_for
from market.web.edge.addresses import row_number
from market.web.edge.guards import Anybody, SignedIn, WebRequest, require
from market.web.parts.badges import badges_of
from market.web.parts.forms import Filled, fault_message
from market.web.parts.pages import page, redirect
from market.web.parts.trade import new_key


@get("/listings/{listing_id:int}")
async def show(request: WebRequest, guest: Anybody, listing_id: FromPath[int]) -> Response[str]:
    """Show a lot to whoever may see it; a buyer finds the form of a bid on it."""
    organisation = guest.organisation_id if guest else None
    listing = await listing_page(row_number(listing_id), organisation)
    now = await open_round.round_now(listing, guest)
    form = None
    if guest is not None and await _may_bid(guest, listing):
        if listing.way == OPEN and now is not None:
            form = await open_round.blank_open(guest, listing, now)
        else:
            form = blank_bid(listing, await demands_for(guest, listing), today=clock.today())
    return await _page(request, guest, listing, form, now=now)


@post("/listings/{listing_id:int}/bids", guards=[require("buyer")])
async def place_bid(
    request: WebRequest, viewer: SignedIn, listing_id: FromPath[int]
) -> Response[str] | Response[bytes]:
    """Place the bid; the same form once more leads to the same bid."""
    listing = await listing_page(row_number(listing_id), viewer.organisation_id)
    if listing.way == OPEN:
        placed = await open_round.place(request, viewer, listing)
        if not isinstance(placed, tuple):
            return placed
        return await _page(request, viewer, listing, placed[0], status=placed[1])
    form = bid_form(await demands_for(viewer, listing), today=clock.today())
    filled = await form.read(request)
    problems = {**filled.errors, **bid_problems(filled.values, listing)}
    if problems:
        refused = filled.refused(Invalid(fault_message(problems), problems))
        return await _page(request, viewer, listing, refused, status=422)
    key: UUID = filled.values["key"]
    bid = NewBid(
        listing_id=listing_id,
        quantity=filled.values["quantity"],
        price=filled.values["price"],
        deliver_from=filled.values["deliver_from"],
        deliver_to=filled.values["deliver_to"],
        demand_id=int(filled.values["demand_id"]) or None,
        note=filled.values["note"],
    )
    own, by, at = viewer.organisation_id, accounts.actor(viewer, "buyer"), clock.now()
    try:
        if listing.way == SEALED:
            mark = await seal_bid(bid=bid, buyer_id=own, actor=by, at=at, key=str(key))
            return redirect(request, f"/sealed/{mark}", toast=msg("报价已密封，截止前谁也看不到。"))
        bid_id = await operations.place_bid(bid=bid, buyer_id=own, actor=by, at=at, key=str(key))
    except Invalid as error:
        return await _page(request, viewer, listing, filled.refused(error), status=422)
    except (Conflict, NotFound) as gone:
        refused = filled.refused(Invalid(gone.message))
        return await _page(request, viewer, listing, refused, status=409)
    return redirect(request, f"/bids/{bid_id}", toast=msg("出价已送达，卖方会在 7 天内答复。"))


@get("/listings/{listing_id:int}/qr.svg")
async def qr(request: WebRequest, guest: Anybody, listing_id: FromPath[int]) -> Response[bytes]:
    """Draw the address of a lot's page as a QR code."""
    organisation = guest.organisation_id if guest else None
    await listing_page(row_number(listing_id), organisation)
    drawing = io.BytesIO()
    segno.make(_address(request, listing_id), error="m", micro=False).save(
        drawing, kind="svg", border=2, dark="#123D2B", light="#FFFFFF", xmldecl=False, omitsize=True
    )
    headers = {"cache-control": "private, max-age=86400"}
    return Response(drawing.getvalue(), media_type="image/svg+xml", headers=headers)


async def _may_bid(viewer: Viewer, listing: ListingDetails) -> bool:
    if "buyer" not in viewer.sides or listing.mine or not _on_sale(listing):
        return False
    if listing.way not in ROUNDS:
        return True
    if _round_is_over(listing):
        return False
    if listing.way == OPEN:
        return True
    laid = await sealed_of(buyer_id=viewer.organisation_id, listing_id=listing.listing_id)
    return all(each.state != SEALED_BID.start for each in laid)


def _round_is_over(listing: ListingDetails) -> bool:
    """Whether bids of a round are no longer taken."""
    closes = listing.closes_at
    return listing.opened_at is not None or (closes is not None and closes <= clock.now())


def _on_sale(listing: ListingDetails) -> bool:
    return listing.state == PUBLISHED and listing.remaining > 0


def _address(request: WebRequest, listing_id: int) -> str:
    return f"{str(request.base_url).rstrip('/')}/listings/{listing_id}"


async def _page(
    request: WebRequest,
    viewer: Viewer | None,
    listing: ListingDetails,
    form: Filled | None,
    *,
    now: open_round.RoundNow | None = None,
    status: int = 200,
) -> Response[str]:
    bids: list[BidRow] = []
    if viewer is not None and (listing.mine or "buyer" in viewer.sides):
        bids = await bids_of(organisation_id=viewer.organisation_id, listing_id=listing.listing_id)
    sealed: list[SealedRow] = []
    if viewer is not None and "buyer" in viewer.sides and listing.opened_at is None:
        sealed = await sealed_of(buyer_id=viewer.organisation_id, listing_id=listing.listing_id)
    rules = await shelf_rules_for(listing.produce, on=clock.today())
    return page(
        request,
        "listings/show.html",
        status=status,
        listing=listing,
        form=form,
        bids=bids,
        bid_life=BID,
        sealed=sealed,
        sealed_life=SEALED_BID,
        ways=WAYS,
        round_is_over=_round_is_over(listing),
        round=now or await open_round.round_now(listing, viewer),
        OPEN_BID=OPEN_BID,
        new_key=new_key,
        life=LISTING,
        badges=await badges_of(listing.seller),
        entered=await entered_by(subject=f"listing:{listing.listing_id}", action="publish")
        if viewer
        else None,
        waits=await waiting_on(
            *(f"{kind}:{listing.listing_id}" for kind in ("listing", "sealed", "open")),
            organisation_id=viewer.organisation_id,
        )
        if viewer
        else [],
        on_sale=_on_sale(listing),
        shelf_rules=[each for each in rules if each.applies_to != ["all"]],
        trade_rules=[each for each in rules if each.applies_to == ["all"]],
        address=_address(request, listing.listing_id),
        site=str(request.base_url).rstrip("/"),
    )


routes: list[ControllerRouterHandler] = [show, place_bid, qr]

"""The first page: what is to be done today, for sellers and for buyers; a welcome for guests."""

from typing import Any

import msgspec
from litestar import Response, get
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import Viewer
from market.bids.queries import bids_of
from market.bids.rules import SUBMITTED
from market.deals.queries import DealRow, deals_of
from market.demand.queries import demands_of
from market.demand.rules import DEMAND
from market.matching.queries import matches_of
from market.meetings.queries import AppointmentRow, MeetingRow, appointments_of, meeting_of
from market.supply.queries import listings_of
from market.supply.rules import LISTING, PUBLISHED
from market.units import Fen, Gram
from market.web.edge.guards import Anybody, WebRequest
from market.web.edge.language import language_of
from market.web.goods.selling import changes_of
from market.web.home.todo import todo_of
from market.web.parts import pages
from market.web.parts.told import obstacle
from market.web.parts.trade import show

#: The first page shows so many of a buyer's demands; the rest stands on their own page.
_MOST_DEMANDS = 8
#: Those whose work is all on one page begin there.
_OWN_PAGES = {
    "official": "/town",
    "county": "/county/organisations",
    "verifier": "/county/organisations",
    "auditor": "/audit",
    "administrator": "/people",
}


@get("/")
async def home(request: WebRequest, guest: Anybody) -> Response[Any]:
    """Lead each side to what waits for it."""
    if guest is None:
        return show(request, "home/welcome.html")
    if guest.side in _OWN_PAGES:
        return pages.redirect(request, _OWN_PAGES[guest.side])
    if guest.side == "seller":
        return await _seller(request, guest)
    if guest.side == "buyer":
        return await _buyer(request, guest)
    return show(request, "home/other.html")


async def _seller(request: WebRequest, viewer: Viewer) -> Response[str]:
    today = clock.today()
    listings = await listings_of(viewer.organisation_id, today=today)
    bids = await bids_of(organisation_id=viewer.organisation_id)
    matches = await matches_of(organisation_id=viewer.organisation_id, only_open=True)
    deals = await deals_of(organisation_id=viewer.organisation_id)
    on_sale = [own for own in listings if own.state == PUBLISHED]
    change_of = await changes_of(language_of(request), on_sale, viewer.organisation_id)
    stuck = [own for own in on_sale if change_of(own) is not None]
    return show(
        request,
        "home/seller.html",
        todo=await todo_of(request, viewer, bids=bids, matches=matches, deals=deals, listings=listings),
        listings=on_sale,
        stuck=stuck[:5],
        stuck_count=len(stuck),
        left=Gram(sum(own.remaining for own in on_sale)),
        signed=_holding(deals),
        worth=_worth(deals),
        change_of=change_of,
        obstacle=obstacle,
        coming=await _coming(viewer),
        LISTING=LISTING,
    )


async def _buyer(request: WebRequest, viewer: Viewer) -> Response[str]:
    bids = await bids_of(organisation_id=viewer.organisation_id)
    matches = await matches_of(organisation_id=viewer.organisation_id, only_open=True)
    deals = await deals_of(organisation_id=viewer.organisation_id)
    published = [demand for demand in await demands_of(viewer.organisation_id) if demand.state == "published"]
    return show(
        request,
        "home/buyer.html",
        todo=await todo_of(request, viewer, bids=bids, matches=matches, deals=deals),
        # what is still wanted comes first
        demands=sorted(published, key=lambda demand: demand.open == 0)[:_MOST_DEMANDS],
        sought=sum(demand.open > 0 for demand in published),
        wanted=Gram(sum(demand.open for demand in published)),
        open_bids=[
            bid
            for bid in bids
            if bid.buyer == viewer.organisation_id and bid.state == SUBMITTED and bid.awaiting == "seller"
        ],
        signed=_holding(deals),
        worth=_worth(deals),
        coming=await _coming(viewer),
        DEMAND=DEMAND,
    )


class Coming(msgspec.Struct, frozen=True):
    """The next meeting with this organisation's own appointments there."""

    meeting: MeetingRow
    appointments: list[AppointmentRow]


async def _coming(viewer: Viewer) -> Coming | None:
    ahead = await appointments_of(organisation_id=viewer.organisation_id, on_or_after=clock.today())
    if not ahead:
        return None
    meeting = await meeting_of(meeting_id=ahead[0].meeting, organisation_id=viewer.organisation_id)
    return Coming(meeting, [each for each in ahead if each.meeting == meeting.id])


def _holding(deals: list[DealRow]) -> Gram:
    """Return what stands, signed or to be signed: the part of a terminated contract that was taken, too."""
    return Gram(sum(deal.standing for deal in deals))


def _worth(deals: list[DealRow]) -> Fen:
    return Fen(sum(deal.worth for deal in deals))


routes: list[ControllerRouterHandler] = [home]

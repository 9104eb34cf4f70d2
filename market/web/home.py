"""The first page: what is to be done today, for sellers and for buyers; a welcome for guests."""

from datetime import date, datetime
from typing import Any

import msgspec
from litestar import Response, get
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import Viewer
from market.bids.queries import BidRow, bids_of
from market.bids.rules import NEEDS_RECONFIRM, SUBMITTED
from market.clock import CHINA
from market.deals.queries import DealRow, deals_of, deliveries_of, payments_of
from market.deals.rules import ACTIVE
from market.demand.queries import OwnDemand, demands_of
from market.demand.rules import DEMAND
from market.i18n import Message, msg
from market.matching.queries import MatchRow, matches_of
from market.meetings.queries import AppointmentRow, MeetingRow, appointments_of, meeting_of
from market.supply.queries import OwnListing, listings_of
from market.supply.rules import LISTING, PUBLISHED
from market.units import Fen, Gram
from market.web import formats, pages
from market.web import matches as match_pages
from market.web.deal_sheet import needs_signature
from market.web.guards import Anybody, WebRequest
from market.web.language import language_of
from market.web.selling import SOON_DAYS, changes_of
from market.web.told import obstacle
from market.web.trade import name_in, show

#: Contracts whose deliveries and payments are looked through for what is to be done.
_MOST_ACTIVE = 20
#: A payment due within so many days is told.
_PAY_SOON_DAYS = 14


class Todo(msgspec.Struct, frozen=True):
    """One thing to do. ``due`` is until when; tone: bad (late or today), wait, plain."""

    label: Message
    title: str
    note: Message | str
    link: str
    act: Message
    due: date | None = None
    tone: str = "wait"


@get("/")
async def home(request: WebRequest, guest: Anybody) -> Response[Any]:
    """Lead each side to what waits for it."""
    if guest is None:
        return show(request, "home/welcome.html")
    if guest.side == "official":
        return pages.redirect(request, "/town")
    if guest.side in ("county", "verifier"):
        return pages.redirect(request, "/county/organisations")
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
    todo = [
        *_signatures(request, viewer, deals),
        *_answers(request, viewer, bids),
        *_suggestions(request, viewer, matches),
        *await _fulfilment(request, viewer, deals),
        *_expiring(request, listings),
    ]
    on_sale = [own for own in listings if own.state == PUBLISHED]
    change_of = await changes_of(language_of(request), on_sale)
    stuck = [own for own in on_sale if change_of(own) is not None]
    return show(
        request,
        "home/seller.html",
        todo=_in_order(todo),
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
    demands = await demands_of(viewer.organisation_id)
    todo = [
        *_signatures(request, viewer, deals),
        *_answers(request, viewer, bids),
        *_suggestions(request, viewer, matches),
        *await _fulfilment(request, viewer, deals),
    ]
    return show(
        request,
        "home/buyer.html",
        todo=_in_order(todo),
        demands=[demand for demand in demands if demand.state == "published"][:8],
        wanted=_wanted(demands),
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


def _in_order(todo: list[Todo]) -> list[Todo]:
    """Put what is due first on top; what has no day comes last, in the order it was found."""
    return sorted(todo, key=lambda one: one.due or date.max)


def _holding(deals: list[DealRow]) -> Gram:
    """Return what stands, signed or to be signed: the part of a terminated contract that was taken, too."""
    return Gram(sum(deal.standing for deal in deals))


def _worth(deals: list[DealRow]) -> Fen:
    return Fen(sum(deal.worth for deal in deals))


def _wanted(demands: list[OwnDemand]) -> Gram:
    return Gram(sum(demand.open for demand in demands if demand.state == "published"))


def _day(moment: datetime) -> date:
    return moment.astimezone(CHINA).date()


def _tone(due: date) -> str:
    return "bad" if due <= clock.today() else "wait"


def _signatures(request: WebRequest, viewer: Viewer, deals: list[DealRow]) -> list[Todo]:
    language = language_of(request)
    return [
        Todo(
            msg("待签字"),
            name_in(language, deal, "title"),
            _with_whom(
                name_in(
                    language, deal, "buyer_name" if deal.seller == viewer.organisation_id else "seller_name"
                )
            ),
            f"/deals/{deal.id}",
            msg("去签字"),
        )
        for deal in deals
        if needs_signature(deal, viewer)
    ]


def _with_whom(name: str) -> Message:
    return msg("对方：{name}", name=name)


def _answers(request: WebRequest, viewer: Viewer, bids: list[BidRow]) -> list[Todo]:
    """Turns that this side has to answer, or, being its own, to confirm."""
    language, now = language_of(request), clock.now()
    todo = []
    for bid in bids:
        if bid.expires_at <= now:
            continue
        title = name_in(language, bid, "title")
        side = "seller" if bid.seller == viewer.organisation_id else "buyer"
        if bid.awaiting != side or bid.state not in (SUBMITTED, NEEDS_RECONFIRM):
            continue
        other = name_in(language, bid, "buyer_name" if side == "seller" else "seller_name")
        if bid.state == NEEDS_RECONFIRM:
            label, act = msg("条件改了，待确认"), msg("去确认")
        else:
            label = msg("待答复出价") if bid.author == "buyer" else msg("待答复还价")
            act = msg("去答复")
        due = _day(bid.expires_at)
        todo.append(Todo(label, title, _with_whom(other), f"/bids/{bid.id}", act, due, _tone(due)))
    return todo


def _suggestions(request: WebRequest, viewer: Viewer, matches: list[MatchRow]) -> list[Todo]:
    """Suggestions to agree to: one line for each listing or demand of one's own."""
    language = language_of(request)
    waiting = [match for match in matches if match_pages.is_waiting(match, viewer)]
    own = [
        (match, name_in(language, match, "listing_title" if _sells(match, viewer) else "demand_title"))
        for match in waiting
    ]
    todo = []
    for title in dict.fromkeys(title for _, title in own):
        found = [match for match, of in own if of == title]
        due = min(_day(match.expires_at) for match in found)
        first = found[0]
        other = name_in(language, first, "buyer_name" if _sells(first, viewer) else "seller_name")
        note = (
            _with_whom(other)
            if len(found) == 1
            else msg(
                "{n} 条建议，共 {mass}",
                n=len(found),
                mass=formats.mass(Gram(sum(match.quantity for match in found)), language),
            )
        )
        link = f"/matches/{first.id}" if len(found) == 1 else "/matches"
        todo.append(Todo(msg("待同意撮合"), title, note, link, msg("看建议"), due, _tone(due)))
    return todo


def _sells(match: MatchRow, viewer: Viewer) -> bool:
    return match.seller == viewer.organisation_id


async def _fulfilment(request: WebRequest, viewer: Viewer, deals: list[DealRow]) -> list[Todo]:
    """Deliveries to send, to take in or to check, and payments that are nearly due."""
    language, today = language_of(request), clock.today()
    todo = []
    for deal in [deal for deal in deals if deal.state == ACTIVE][:_MOST_ACTIVE]:
        is_seller = deal.seller == viewer.organisation_id
        title = name_in(language, deal, "title")
        number = msg("合同 {number}", number=deal.number)
        for delivery in await deliveries_of(deal_id=deal.id):
            step = _delivery_step(delivery.state, is_seller=is_seller)
            if step:
                due = delivery.scheduled_on
                link = f"/deals/{deal.id}#deliveries"
                todo.append(Todo(step[0], title, number, link, step[1], due, _tone(due)))
        for payment in [] if is_seller else await payments_of(deal_id=deal.id):
            if payment.state != "paid" and (payment.due_on - today).days <= _PAY_SOON_DAYS:
                due = payment.due_on
                link = f"/deals/{deal.id}#payments"
                todo.append(Todo(msg("待付款"), title, number, link, msg("去付款"), due, _tone(due)))
    return todo


def _delivery_step(state: str, *, is_seller: bool) -> tuple[Message, Message] | None:
    if is_seller:
        return (msg("待发货"), msg("去发货")) if state == "scheduled" else None
    return {
        "dispatched": (msg("在途"), msg("确认到货")),
        "arrived": (msg("待验收"), msg("去验收")),
    }.get(state)


def _expiring(request: WebRequest, listings: list[OwnListing]) -> list[Todo]:
    language = language_of(request)
    return [
        Todo(
            msg("快到期"),
            name_in(language, own, "title"),
            msg("供应期只剩 {n} 天，可延长或降价", n=max(own.days_left, 0)),
            f"/selling/{own.listing_id}",
            msg("去处理"),
            own.available_to,
            _tone(own.available_to),
        )
        for own in listings
        if own.state == PUBLISHED and own.remaining and own.days_left <= SOON_DAYS
    ]


routes: list[ControllerRouterHandler] = [home]

"""Open bidding: the round as it stands, a bid in it, and being let go of one."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import ANSWER, Viewer, actor
from market.bids.open_bidding import BidInTheOpen, answer_release, ask_release, bid_openly, withdraw_open
from market.bids.open_queries import Bidding, BidLine, bidding_of, open_bid_place
from market.bids.operations import NewBid
from market.bids.rules import OPEN_BID
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, msg
from market.supply.queries import ListingDetails, listing_page
from market.units import FenPerKg, Gram
from market.web.bids.bidding import NO_DEMAND, bid_form, bid_problems, demands_for
from market.web.bids.way_form import EXTENSIONS
from market.web.edge.addresses import row_number
from market.web.edge.guards import Anybody, SignedIn, WebRequest, require
from market.web.parts import fields, pages
from market.web.parts.forms import Filled, Form, fault_message
from market.web.parts.trade import BARE, do_filled, show


class RoundNow(msgspec.Struct, frozen=True):
    """A round as a page shows it, at the moment ``now``."""

    bidding: Bidding
    now: datetime
    #: What the page says before anybody bids.
    extensions: dict[str, int] = msgspec.field(default_factory=lambda: EXTENSIONS)

    @property
    def takes_bids(self) -> bool:
        return self.bidding.is_on and self.now < self.bidding.closes_at

    @property
    def own(self) -> BidLine | None:
        """The viewer's bid that stands, or stood at the end."""
        return next((line for line in self.bidding.bids if line.mine), None)

    @property
    def left(self) -> Message:
        """How long bids are still taken."""
        if self.bidding.closed_at is not None:
            return msg("竞价已结束")
        if not self.takes_bids:
            return msg("已截止，正在定标")
        minutes, seconds = divmod(int((self.bidding.closes_at - self.now).total_seconds()), 60)
        hours, minutes = divmod(minutes, 60)
        days, hours = divmod(hours, 24)
        if days:
            return msg("还剩 {d} 天 {h} 小时", d=days, h=hours)
        if hours:
            return msg("还剩 {h} 小时 {m} 分", h=hours, m=minutes)
        return msg("还剩 {m} 分 {s} 秒", m=minutes, s=seconds)

    @property
    def pause(self) -> int:
        """Seconds until a page looks again: often towards the end."""
        return 3 if self.bidding.closes_at - self.now < timedelta(minutes=10) else 15


async def round_now(listing: ListingDetails, viewer: Viewer | None) -> RoundNow | None:
    """Return the newest round of open bidding on a listing; None where there has been none."""
    if listing.closes_latest is None:
        return None
    organisation = viewer.organisation_id if viewer else None
    return RoundNow(await bidding_of(listing_id=listing.listing_id, viewer=organisation), clock.now())


def open_form(base: Form) -> Form:
    """Return the form of a bid with the smallest part that the bidder takes."""
    least = fields.quantity(
        msg("最少要多少"), optional=True, hint=msg("轮到您时只剩一部分，少于这个数就不要。不填就是多少都要。")
    )
    return Form(**base.fields, least=least)


async def blank_open(viewer: Viewer, listing: ListingDetails, now: RoundNow) -> Filled:
    """Return the form as it stands at first: at the price that gets something, or a step over the own bid."""
    demands = await demands_for(viewer, listing)
    today = clock.today()
    own = now.own
    price = now.bidding.entry_price
    if own is not None:
        price = max(price if not own.share else 0, own.price + now.bidding.min_step)
    return open_form(bid_form(demands, today=today)).blank(
        key=str(uuid4()),
        quantity=Gram(own.quantity if own else listing.remaining),
        least=Gram(own.least) if own and own.least else None,
        price=FenPerKg(price),
        deliver_from=max(today, listing.available_from),
        deliver_to=listing.available_to,
        demand_id=str(demands[0].demand_id) if demands else NO_DEMAND,
    )


@get("/listings/{listing_id:int}/bidding")
async def standing(request: WebRequest, guest: Anybody, listing_id: FromPath[int]) -> Response[str]:
    """The bids and the time that is left: the fragment that the lot's page fetches anew."""
    organisation = guest.organisation_id if guest else None
    listing = await listing_page(row_number(listing_id), organisation)
    bidding = await bidding_of(listing_id=listing.listing_id, viewer=organisation)
    return show(
        request,
        "listings/bidding_page.html",
        fragment="listings/bidding.html",
        listing=listing,
        round=RoundNow(bidding, clock.now()),
        OPEN_BID=OPEN_BID,
    )


async def place(
    request: WebRequest, viewer: Viewer, listing: ListingDetails
) -> tuple[Filled, int] | Response[Any]:
    """Place the bid that a form of :func:`open_form` asks for.

    Return where to go then, or the form with its faults and the status to draw it with.
    """
    home = f"/listings/{listing.listing_id}"
    now = await round_now(listing, viewer)
    if now is None or not now.takes_bids:
        # the page shows how it ended
        return pages.redirect(request, home, toast=msg("竞价已经截止，不再收。"))
    form = open_form(bid_form(await demands_for(viewer, listing), today=clock.today()))
    filled = await form.read(request)
    problems = {**filled.errors, **bid_problems(filled.values, listing)}
    if problems:
        return filled.refused(Invalid(fault_message(problems), problems)), 422
    key: UUID = filled.values["key"]
    bid = NewBid(
        listing_id=listing.listing_id,
        quantity=filled.values["quantity"],
        price=filled.values["price"],
        deliver_from=filled.values["deliver_from"],
        deliver_to=filled.values["deliver_to"],
        demand_id=int(filled.values["demand_id"]) or None,
        note=filled.values["note"],
    )
    try:
        await bid_openly(
            wish=BidInTheOpen(bid, filled.values["least"] or Gram(0)),
            buyer_id=viewer.organisation_id,
            actor=actor(viewer, "buyer", deed=ANSWER),
            at=clock.now(),
            key=str(key),
        )
    except Invalid as error:
        return filled.refused(error), 422
    except (Conflict, NotFound) as over:
        return pages.redirect(request, home, toast=over.message)
    return pages.redirect(request, home, toast=msg("出价已算数，被人超过会通知您。"))


@post("/open-bids/{open_bid_id:int}/withdraw", guards=[require("buyer")])
async def withdraw(request: WebRequest, viewer: SignedIn, open_bid_id: FromPath[int]) -> Response[Any]:
    """Take a bid out that would get nothing."""
    number = row_number(open_bid_id)
    place = await open_bid_place(open_bid_id=number, organisation_id=viewer.organisation_id)
    filled = await BARE.read(request)
    filled.check()
    await do_filled(
        viewer,
        filled,
        "open_bid_withdraw",
        {"open_bid": number},
        lambda at: withdraw_open(
            open_bid_id=number,
            buyer_id=viewer.organisation_id,
            actor=actor(viewer, "buyer", deed=ANSWER),
            at=at,
        ),
    )
    return pages.redirect(request, f"/listings/{place}", toast=msg("出价已撤回。"))


@post("/open-bids/{open_bid_id:int}/ask-release", guards=[require("buyer")])
async def ask_to_go(request: WebRequest, viewer: SignedIn, open_bid_id: FromPath[int]) -> Response[Any]:
    """Ask the seller to let a leading bid go."""
    number = row_number(open_bid_id)
    place = await open_bid_place(open_bid_id=number, organisation_id=viewer.organisation_id)
    filled = await BARE.read(request)
    filled.check()
    await do_filled(
        viewer,
        filled,
        "open_bid_ask_release",
        {"open_bid": number},
        lambda at: ask_release(
            open_bid_id=number,
            buyer_id=viewer.organisation_id,
            actor=actor(viewer, "buyer", deed=ANSWER),
            at=at,
        ),
    )
    return pages.redirect(request, f"/listings/{place}", toast=msg("已请卖方同意；答复前出价仍然算数。"))


@post("/open-bids/{open_bid_id:int}/release/{answer:str}", guards=[require("seller")])
async def let_go(
    request: WebRequest, viewer: SignedIn, open_bid_id: FromPath[int], answer: FromPath[str]
) -> Response[Any]:
    """Let a bid go whose author asked, or (any answer but ``yes``) hold the author to it."""
    number, agreed = row_number(open_bid_id), answer == "yes"
    place = await open_bid_place(open_bid_id=number, organisation_id=viewer.organisation_id)
    filled = await BARE.read(request)
    filled.check()
    await do_filled(
        viewer,
        filled,
        "open_bid_release",
        {"open_bid": number, "agreed": agreed},
        lambda at: answer_release(
            open_bid_id=number,
            agreed=agreed,
            seller_id=viewer.organisation_id,
            actor=actor(viewer, "seller", deed=ANSWER),
            at=at,
        ),
    )
    toast = msg("已同意撤回。") if agreed else msg("不同意撤回，出价仍然算数。")
    return pages.redirect(request, f"/selling/{place}", toast=toast)


routes: list[ControllerRouterHandler] = [standing, withdraw, ask_to_go, let_go]

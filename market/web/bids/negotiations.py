"""Bids as both sides see them: the list, one negotiation as a timeline, and its answers."""

from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import Viewer
from market.audit.queries import RecordRow, history
from market.bids import rules
from market.bids.joint.queries import joints_of
from market.bids.joint.rules import JOINT
from market.bids.negotiating import (
    Counter,
    accept_counter,
    counter_bid,
    reconfirm_bid,
    reject_bid,
    withdraw_bid,
)
from market.bids.open_queries import open_bids_of
from market.bids.operations import accept_bid
from market.bids.queries import BidRow, bid_of, bids_of, thread_of
from market.bids.rules import (
    ACCEPTED,
    BID,
    DEMAND,
    LISTING,
    OPEN_BID,
    REJECTED,
    SEALED_BID,
    SUBMITTED,
    WITHDRAWN,
)
from market.bids.sealing import sealed_of
from market.bids.under import under_of
from market.errors import Conflict, Invalid
from market.i18n import Message, msg
from market.meanwhile import marks_of
from market.organisations.approval_queries import waiting_on
from market.supply.queries import listing_page
from market.supply.rules import NEGOTIABLE
from market.transitions import WrongState
from market.units import FenPerKg, Gram, amount
from market.web.bids.bidding import bid_problems, blank_counter, counter_form
from market.web.edge.addresses import row_number
from market.web.edge.guards import SignedIn, WebRequest, require
from market.web.parts import fields, pages
from market.web.parts.badges import badges_of
from market.web.parts.changed_meanwhile import SEEN
from market.web.parts.forms import Filled, Form, fault_message
from market.web.parts.trade import KEY, acting, do_once, new_key, refusal_form, show

#: What the record's words mean to people.
DEEDS: dict[str, Message] = {
    "place": msg("出了价"),
    "offer": msg("报了价"),
    "accept": msg("接受，生成合同"),
    "place_counter": msg("还了价"),
    "open": msg("开了标"),
    "reject": msg("谢绝了"),
    "withdraw": msg("已撤回"),
    "reconfirm": msg("确认仍然算数"),
    "revise": msg("条件改了"),
}
_TONES = {"accept": "good", "reject": "bad", "withdraw": "bad", "revise": "wait"}


#: What is accepted: the whole unless a part is named.
ACCEPT = Form(key=KEY, quantity=fields.quantity(msg("接受多少"), optional=True))


_BY_AUTHOR = Form(key=KEY, seen=SEEN)


def side_of(bid: BidRow, viewer: Viewer) -> str:
    return "seller" if bid.seller == viewer.organisation_id else "buyer"


@get("/bids", guards=[require("seller", "buyer")])
async def index(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """What awaits an answer first."""
    bids = await bids_of(organisation_id=viewer.organisation_id)
    return show(
        request,
        "bids/index.html",
        received=[bid for bid in bids if bid.seller == viewer.organisation_id and bid.answers == LISTING],
        made=[bid for bid in bids if bid.buyer == viewer.organisation_id and bid.answers == LISTING],
        offered=[bid for bid in bids if bid.seller == viewer.organisation_id and bid.answers == DEMAND],
        offers=[bid for bid in bids if bid.buyer == viewer.organisation_id and bid.answers == DEMAND],
        sealed=await sealed_of(buyer_id=viewer.organisation_id),
        joints=await joints_of(organisation_id=viewer.organisation_id),
        JOINT=JOINT,
        SEALED_BID=SEALED_BID,
        open_bids=await open_bids_of(buyer_id=viewer.organisation_id),
        OPEN_BID=OPEN_BID,
        now=clock.now(),
        sells="seller" in viewer.sides,
        buys="buyer" in viewer.sides,
        BID=BID,
        waits=_waits,
    )


def _waits(bid: BidRow, side: str) -> Message:
    """Return whom an open bid waits for, as ``side`` reads it."""
    confirm = bid.state == rules.NEEDS_RECONFIRM
    if bid.awaiting == side:
        return msg("等您确认") if confirm else msg("等您答复")
    return msg("等对方确认") if confirm else msg("等对方答复")


@get("/bids/{bid_id:int}")
async def one(request: WebRequest, viewer: SignedIn, bid_id: FromPath[int]) -> Response[str]:
    """One negotiation: what is offered, who must act until when, what has happened."""
    bid = await bid_of(bid_id=row_number(bid_id), organisation_id=viewer.organisation_id)
    return await _draw(request, viewer, bid)


class Turn(msgspec.Struct, frozen=True):
    """One turn of a negotiation with its differences to the one before. Grams, fen per kg."""

    bid: BidRow
    more: int
    dearer: int


def _turns(thread: list[BidRow]) -> list[Turn]:
    steps = [Turn(new, new.quantity - old.quantity, new.price - old.price) for old, new in pairwise(thread)]
    return [Turn(thread[0], 0, 0), *steps]


async def _draw(
    request: WebRequest,
    viewer: Viewer,
    bid: BidRow,
    *,
    refusal: Filled | None = None,
    counter: Filled | None = None,
    part: Filled | None = None,
    status: int = 200,
) -> Response[str]:
    thread = await thread_of(bid_id=bid.id, organisation_id=viewer.organisation_id)
    terms_of = f"{bid.answers}:{bid.demand if bid.answers == DEMAND else bid.listing}"
    records = await history(subjects=[*(f"bid:{turn.id}" for turn in thread), terms_of])
    side = side_of(bid, viewer)
    is_late = bid.expires_at <= clock.now()
    can = rules.moves_open(state=bid.state, author=bid.author, by=side)
    return show(
        request,
        "bids/one.html",
        status=status,
        bid=bid,
        side=side,
        turns=_turns(thread),
        newest=thread[-1],
        can=[
            move
            for move in can
            if (not is_late or move not in rules.ANSWERS)
            and (bid.answers == DEMAND or bid.way == NEGOTIABLE or move != "counter")
        ],
        is_late=is_late and bid.state == SUBMITTED,
        waits=_waits(bid, side),
        badges=await badges_of(bid.seller, bid.buyer),
        kept=await waiting_on(f"bid:{bid.id}", organisation_id=viewer.organisation_id),
        seen=marks_of(await under_of(listing_id=bid.listing, demand_id=bid.demand, answers=bid.answers)),
        total=amount(Gram(bid.quantity), FenPerKg(bid.price)),
        steps=[step for step in records if _concerns(step, thread)],
        deeds=DEEDS,
        tones=_TONES,
        refusal=refusal or (await refusal_form(request, side)).blank(key=new_key()),
        counter=counter or blank_counter(bid, today=clock.today()),
        part=part or ACCEPT.blank(key=new_key(), quantity=Gram(bid.quantity)),
        BID=BID,
    )


def _concerns(step: RecordRow, thread: list[BidRow]) -> bool:
    """Of the listing's own story only the changes of terms after the first bid belong to it."""
    if step.subject.startswith("bid:"):
        return step.action in DEEDS
    return step.action == "revise" and step.at >= thread[0].created_at


@post("/bids/{bid_id:int}/accept")
async def accept(request: WebRequest, viewer: SignedIn, bid_id: FromPath[int]) -> Response[Any]:
    """Make the deal, over a part where the other side allows it, and go to it."""
    filled = await ACCEPT.read(request)
    bid = await bid_of(bid_id=row_number(bid_id), organisation_id=viewer.organisation_id)
    if filled.errors:
        return await _draw(request, viewer, bid, part=filled, status=422)
    part = filled.values["quantity"]
    part = None if part == bid.quantity else part
    at, key = clock.now(), filled.values["key"]
    side, own = side_of(bid, viewer), viewer.organisation_id
    by = acting(viewer, side)
    try:
        if side == "seller":
            deal_id = await accept_bid(bid_id=bid_id, seller_id=own, actor=by, at=at, key=key, quantity=part)
        else:
            deal_id = await accept_counter(
                bid_id=bid_id, buyer_id=own, actor=by, at=at, key=key, quantity=part
            )
    except Invalid as error:
        return await _draw(request, viewer, bid, part=filled.refused(error), status=422)
    except Conflict:
        if bid.state != ACCEPTED or bid.deal is None or bid.author == side:
            raise
        deal_id = bid.deal
    return pages.redirect(request, f"/deals/{deal_id}", toast=msg("已接受，合同已生成，请双方签字。"))


@post("/bids/{bid_id:int}/counter")
async def counter(request: WebRequest, viewer: SignedIn, bid_id: FromPath[int]) -> Response[Any]:
    """Answer with other terms, and go to the new turn."""
    bid = await bid_of(bid_id=row_number(bid_id), organisation_id=viewer.organisation_id)
    side = side_of(bid, viewer)
    filled = await counter_form(today=clock.today()).read(request)
    listing = await listing_page(bid.listing, viewer.organisation_id)
    problems = {**filled.errors, **bid_problems(filled.values, listing)}
    if problems:
        refused = filled.refused(Invalid(fault_message(problems), problems))
        return await _draw(request, viewer, bid, counter=refused, status=422)
    try:
        new_id = await counter_bid(
            counter=Counter(
                bid_id=bid.id,
                quantity=filled.values["quantity"],
                price=filled.values["price"],
                deliver_from=filled.values["deliver_from"],
                deliver_to=filled.values["deliver_to"],
                note=filled.values["word"],
                least=filled.values["least"],
            ),
            organisation_id=viewer.organisation_id,
            side=side,
            actor=acting(viewer, side),
            at=clock.now(),
            key=filled.values["key"],
        )
    except Invalid as error:
        return await _draw(request, viewer, bid, counter=filled.refused(error), status=422)
    return pages.redirect(request, f"/bids/{new_id}", toast=msg("还价已送达，等对方在 7 天内答复。"))


@post("/bids/{bid_id:int}/reject")
async def reject(request: WebRequest, viewer: SignedIn, bid_id: FromPath[int]) -> Response[Any]:
    """Decline with a coded reason."""
    bid = await bid_of(bid_id=row_number(bid_id), organisation_id=viewer.organisation_id)
    side = side_of(bid, viewer)
    filled = await (await refusal_form(request, side)).read(request)
    try:
        filled.check()
        at = clock.now()
        await do_once(
            viewer=viewer,
            key=filled.values["key"],
            name="bid_reject",
            about={"bid": bid_id, "reason": filled.values["reason"], "note": filled.values["note"]},
            deed=lambda: reject_bid(
                bid_id=bid_id,
                organisation_id=viewer.organisation_id,
                side=side,
                reason=filled.values["reason"],
                note=filled.values["note"],
                actor=acting(viewer, side),
                at=at,
            ),
            at=at,
        )
    except Invalid as error:
        return await _draw(request, viewer, bid, refusal=filled.refused(error), status=422)
    except WrongState:
        if bid.state != REJECTED or bid.author == side:
            raise
    return pages.redirect(request, f"/bids/{bid_id}", toast=msg("已谢绝，对方会看到原因。"))


async def _by_author(
    request: WebRequest,
    viewer: Viewer,
    bid_id: int,
    move: Callable[..., Awaitable[None]],
    *,
    name: str,
    goal: str,
    toast: Message,
) -> Response[Any]:
    filled = await _BY_AUTHOR.read(request)
    filled.check()
    further = {"seen": filled.values["seen"] or None} if move is reconfirm_bid else {}
    bid = await bid_of(bid_id=row_number(bid_id), organisation_id=viewer.organisation_id)
    at, side = clock.now(), side_of(bid, viewer)
    try:
        await do_once(
            viewer=viewer,
            key=filled.values["key"],
            name=name,
            about={"bid": bid_id, **further},
            deed=lambda: move(
                bid_id=bid_id,
                organisation_id=viewer.organisation_id,
                side=side,
                actor=acting(viewer, side),
                at=at,
                **further,
            ),
            at=at,
        )
    except WrongState:
        if bid.state != goal or bid.author != side:
            raise
    return pages.redirect(request, f"/bids/{bid_id}", toast=toast)


@post("/bids/{bid_id:int}/withdraw")
async def withdraw(request: WebRequest, viewer: SignedIn, bid_id: FromPath[int]) -> Response[Any]:
    """Take one's own turn back."""
    return await _by_author(
        request,
        viewer,
        bid_id,
        withdraw_bid,
        name="bid_withdraw",
        goal=WITHDRAWN,
        toast=msg("已撤回。"),
    )


@post("/bids/{bid_id:int}/reconfirm")
async def reconfirm(request: WebRequest, viewer: SignedIn, bid_id: FromPath[int]) -> Response[Any]:
    """Let one's own turn stand under the new terms."""
    return await _by_author(
        request,
        viewer,
        bid_id,
        reconfirm_bid,
        name="bid_reconfirm",
        goal=SUBMITTED,
        toast=msg("已确认，等对方答复。"),
    )


routes: list[ControllerRouterHandler] = [index, one, accept, counter, reject, withdraw, reconfirm]

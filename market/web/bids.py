"""Bids as both sides see them: the list, one negotiation as a timeline, and its answers."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import Actor, Viewer
from market.audit.queries import RecordRow, history
from market.bids.operations import accept_bid, reconfirm_bid, reject_bid, withdraw_bid
from market.bids.queries import BidRow, bid_of, bids_of
from market.bids.rules import ACCEPTED, BID, REJECTED, SUBMITTED, WITHDRAWN
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, msg
from market.transitions import WrongState
from market.units import FenPerKg, Gram, amount
from market.web import pages
from market.web.addresses import row_number
from market.web.forms import Filled
from market.web.guards import SignedIn, WebRequest, require
from market.web.trade import BARE, acting, do_once, new_key, refusal_form, show

#: What the record's words mean to people.
DEEDS: dict[str, Message] = {
    "place": msg("出价"),
    "accept": msg("接受出价，生成合同"),
    "reject": msg("谢绝出价"),
    "withdraw": msg("已撤回出价"),
    "reconfirm": msg("确认出价仍然算数"),
    "revise": msg("货源条件改了"),
}
_TONES = {"accept": "good", "reject": "bad", "withdraw": "bad", "revise": "wait"}


def side_of(bid: BidRow, viewer: Viewer) -> str:
    return "seller" if bid.seller == viewer.organisation_id else "buyer"


@get("/bids", guards=[require("seller", "buyer")])
async def index(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """What awaits an answer first."""
    bids = await bids_of(organisation_id=viewer.organisation_id)
    return show(
        request,
        "bids/index.html",
        received=[bid for bid in bids if bid.seller == viewer.organisation_id],
        made=[bid for bid in bids if bid.buyer == viewer.organisation_id],
        now=clock.now(),
        sells="seller" in viewer.sides,
        buys="buyer" in viewer.sides,
        BID=BID,
    )


@get("/bids/{bid_id:int}")
async def one(request: WebRequest, viewer: SignedIn, bid_id: FromPath[int]) -> Response[str]:
    """One negotiation: what is offered, who must act until when, what has happened."""
    bid = await bid_of(bid_id=row_number(bid_id), organisation_id=viewer.organisation_id)
    return await _draw(request, viewer, bid, (await refusal_form(request)).blank(key=new_key()))


async def _draw(
    request: WebRequest, viewer: Viewer, bid: BidRow, refusal: Filled, *, status: int = 200
) -> Response[str]:
    records = await history(subjects=[f"bid:{bid.id}", f"listing:{bid.listing}"])
    side = side_of(bid, viewer)
    is_late = bid.expires_at <= clock.now()
    can = BID.available(state=bid.state, by=side)
    return show(
        request,
        "bids/one.html",
        status=status,
        bid=bid,
        side=side,
        can=[move for move in can if not is_late or move in ("withdraw", "reconfirm")],
        is_late=is_late and bid.state == SUBMITTED,
        total=amount(Gram(bid.quantity), FenPerKg(bid.price)),
        steps=[step for step in records if _concerns(step, bid)],
        deeds=DEEDS,
        tones=_TONES,
        refusal=refusal,
        BID=BID,
    )


def _concerns(step: RecordRow, bid: BidRow) -> bool:
    """Of the listing's own story only the changes of terms after the bid belong to it."""
    if step.subject == f"bid:{bid.id}":
        return True
    return step.action == "revise" and step.at >= bid.created_at


@post("/bids/{bid_id:int}/accept")
async def accept(request: WebRequest, viewer: SignedIn, bid_id: FromPath[int]) -> Response[Any]:
    """Make the deal and go to it."""
    filled = await BARE.read(request)
    filled.check()
    bid = await bid_of(bid_id=row_number(bid_id), organisation_id=viewer.organisation_id)
    if bid.seller != viewer.organisation_id:
        raise NotFound(msg("没有找到这笔出价。"))
    try:
        deal_id = await accept_bid(
            bid_id=bid_id,
            seller_id=viewer.organisation_id,
            actor=acting(viewer, "seller"),
            at=clock.now(),
            key=filled.values["key"],
        )
    except Conflict:
        if bid.state != ACCEPTED or bid.deal is None:
            raise
        deal_id = bid.deal
    return pages.redirect(request, f"/deals/{deal_id}", toast=msg("已接受，合同已生成，请双方签字。"))


@post("/bids/{bid_id:int}/reject")
async def reject(request: WebRequest, viewer: SignedIn, bid_id: FromPath[int]) -> Response[Any]:
    """Decline with a coded reason."""
    filled = await (await refusal_form(request)).read(request)
    bid = await bid_of(bid_id=row_number(bid_id), organisation_id=viewer.organisation_id)
    if bid.seller != viewer.organisation_id:
        raise NotFound(msg("没有找到这笔出价。"))
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
                seller_id=viewer.organisation_id,
                reason=filled.values["reason"],
                note=filled.values["note"],
                actor=acting(viewer, "seller"),
                at=at,
            ),
            at=at,
        )
    except Invalid as error:
        return await _draw(request, viewer, bid, filled.refused(error), status=422)
    except WrongState:
        if bid.state != REJECTED:
            raise
    return pages.redirect(request, f"/bids/{bid_id}", toast=msg("已谢绝，对方会看到原因。"))


BuyerMove = Callable[..., Awaitable[None]]


async def _by_buyer(
    request: WebRequest, viewer: Viewer, bid_id: int, move: BuyerMove, *, name: str, goal: str, toast: Message
) -> Response[Any]:
    filled = await BARE.read(request)
    filled.check()
    bid = await bid_of(bid_id=row_number(bid_id), organisation_id=viewer.organisation_id)
    at = clock.now()
    try:
        await do_once(
            viewer=viewer,
            key=filled.values["key"],
            name=name,
            about={"bid": bid_id},
            deed=lambda: _told(move, bid_id, viewer.organisation_id, acting(viewer, "buyer"), at),
            at=at,
        )
    except WrongState:
        if bid.state != goal or bid.buyer != viewer.organisation_id:
            raise
    return pages.redirect(request, f"/bids/{bid_id}", toast=toast)


async def _told(move: BuyerMove, bid_id: int, buyer_id: int, actor: Actor, at: datetime) -> None:
    await move(bid_id=bid_id, buyer_id=buyer_id, actor=actor, at=at)


@post("/bids/{bid_id:int}/withdraw")
async def withdraw(request: WebRequest, viewer: SignedIn, bid_id: FromPath[int]) -> Response[Any]:
    """Take the bid back."""
    return await _by_buyer(
        request,
        viewer,
        bid_id,
        withdraw_bid,
        name="bid_withdraw",
        goal=WITHDRAWN,
        toast=msg("出价已撤回。"),
    )


@post("/bids/{bid_id:int}/reconfirm")
async def reconfirm(request: WebRequest, viewer: SignedIn, bid_id: FromPath[int]) -> Response[Any]:
    """Let the bid stand under the new terms."""
    return await _by_buyer(
        request,
        viewer,
        bid_id,
        reconfirm_bid,
        name="bid_reconfirm",
        goal=SUBMITTED,
        toast=msg("已确认，等卖方答复。"),
    )


routes: list[ControllerRouterHandler] = [index, one, accept, reject, withdraw, reconfirm]

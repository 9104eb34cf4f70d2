"""Framework agreements: proposed from goods or from a demand, signed, and called off batch by batch."""

from datetime import timedelta
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import ANSWER as ANSWERING
from market.accounts.rules import SIGN, Viewer
from market.audit.queries import history
from market.bids.offer_queries import goods_of
from market.deals.clauses import WHOLE, Milestone, Terms
from market.deals.frames import rules
from market.deals.frames.calling import call_off, confirm_call, drop_call
from market.deals.frames.meant import check_batch_price, check_frame_prices
from market.deals.frames.operations import NewFrame, decline_frame, propose_frame, sign_frame
from market.deals.frames.queries import calls_of, frame_of, frames_of
from market.deals.frames.rules import Agreed, Batch
from market.deals.unfair import LEVELS, advice_on
from market.errors import Conflict, Invalid
from market.i18n import Message, msg
from market.meanwhile import marks_of
from market.units import FenPerKg, Gram, amount
from market.web.deals.frame_forms import Offered, call_form, confirm_form, frame_form, offered_in
from market.web.edge.addresses import row_number
from market.web.edge.guards import SignedIn, WebRequest, require
from market.web.edge.language import language_of
from market.web.parts.forms import Filled
from market.web.parts.pages import redirect
from market.web.parts.trade import BARE, acting, do_filled, new_key, refusal_form, show

USUAL_PAYMENT_DAYS, USUAL_WEEKS = 30, 12
#: What the record's words mean to people.
DEEDS: dict[str, Message] = {
    "propose": msg("提出了框架协议"),
    "sign": msg("签字生效"),
    "refuse": msg("谢绝了"),
    "withdraw": msg("已撤回"),
    "call": msg("要了一批货"),
    "confirm": msg("确认这批，合同生效"),
    "call_refuse": msg("这批不能供"),
    "call_withdraw": msg("撤回这批要货"),
    "call_expire": msg("这批过了确认期限"),
    "expire": msg("已过期"),
    "propose_end": msg("提出了提前结束"),
    "agree_end": msg("双方同意提前结束"),
    "refuse_end": msg("不同意提前结束"),
    "withdraw_end": msg("撤回提前结束"),
    "give_back": msg("合同没交完，余量退回框架"),
    "end": msg("已到期"),
}
_TONES = {
    "sign": "good",
    "confirm": "good",
    "refuse": "bad",
    "call_refuse": "bad",
    "call_expire": "bad",
    "give_back": "bad",
}


@get("/frames", guards=[require("seller", "buyer")])
async def index(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """One's agreements with what is left of each."""
    rows = await frames_of(organisation_id=viewer.organisation_id)
    own = viewer.organisation_id
    return show(request, "frames/index.html", rows=rows, own=own, FRAME=rules.FRAME)


@get("/frames/new", guards=[require("seller", "buyer")])
async def new(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """Show the form, with price and product of what it was come from."""
    offered = await offered_in(request, viewer)
    today = clock.today()
    form = await frame_form(offered, language=language_of(request), today=today)
    filled = form.blank(
        key=new_key(),
        price=offered.price,
        starts_on=today + timedelta(days=7),
        ends_on=today + timedelta(days=7 * (USUAL_WEEKS + 1)),
        notice_days="3",
        payment_days=str(USUAL_PAYMENT_DAYS),
        sites=tuple(str(each.id) for each in offered.sites[:1]),
        min_grade=str(offered.grade) if offered.grade else None,
    )
    return _draw_new(request, offered, filled)


def _draw_new(request: WebRequest, offered: Offered, form: Filled, *, status: int = 200) -> Response[str]:
    return show(request, "frames/new.html", status=status, offered=offered, form=form)


@post("/frames/new", guards=[require("seller", "buyer")])
async def propose(request: WebRequest, viewer: SignedIn) -> Response[Any]:
    """Propose it, signed for one's own side."""
    offered = await offered_in(request, viewer)
    form = await frame_form(offered, language=language_of(request), today=clock.today())
    filled = await form.read(request)
    values = filled.values
    try:
        filled.check()
        await check_frame_prices(
            {"price": values["price"], "floor": values["floor"]},
            produce=offered.produce,
            sure=values["sure"],
            asked=offered.price,
        )
        frame_id = await propose_frame(
            frame=NewFrame(
                offered.other,
                Agreed(
                    produce=offered.produce,
                    total=values["total"],
                    price=values["price"],
                    sites=tuple(int(each) for each in values["sites"]),
                    starts_on=values["starts_on"],
                    ends_on=values["ends_on"],
                    min_grade=int(values["min_grade"] or 0),
                    least=values["least"] or Gram(0),
                    most_per_week=values["most_per_week"],
                    floor=values["floor"],
                    notice_days=values["notice_days"],
                ),
                Terms(
                    deliver_from=values["starts_on"],
                    deliver_to=max(values["starts_on"], values["ends_on"]),
                    milestones=(Milestone("arrival", WHOLE, values["payment_days"]),),
                ),
                values["note"] or "",
            ),
            side=offered.side,
            organisation_id=viewer.organisation_id,
            actor=acting(viewer, offered.side, deed=SIGN),
            at=clock.now(),
            key=values["key"],
        )
    except Invalid as error:
        return _draw_new(request, offered, filled.refused(error), status=422)
    return redirect(request, f"/frames/{frame_id}", toast=msg("已提出并签字，等对方在 14 天内答复。"))


@get("/frames/{frame_id:int}")
async def one(request: WebRequest, viewer: SignedIn, frame_id: FromPath[int]) -> Response[str]:
    """One agreement: what was agreed, what is left, and every batch."""
    return await draw_frame(request, viewer, frame_id)


async def draw_frame(
    request: WebRequest,
    viewer: Viewer,
    frame_id: int,
    *,
    calling: Filled | None = None,
    refused: tuple[str, Filled] | None = None,
    fault: Message | None = None,
    status: int = 200,
) -> Response[str]:
    """``refused``: a no that is asked back, with which one it is: frame, end, keep, or a batch's number."""
    own, language, today = viewer.organisation_id, language_of(request), clock.today()
    frame = await frame_of(frame_id=row_number(frame_id), organisation_id=own)
    side = "seller" if frame.seller == own else "buyer"
    earliest = max(frame.starts_on, today + timedelta(days=frame.notice_days))
    form = call_form(frame, language=language, today=today)
    is_late = frame.state == rules.PROPOSED and frame.expires_at <= clock.now()
    goods = [
        each
        for each in (await goods_of(seller_id=own, produce=frame.produce) if side == "seller" else [])
        if each.grade >= frame.min_grade and each.available_from <= frame.ends_on
    ]
    by = "proposer" if frame.proposer == own else "other"
    why_not = await refusal_form(request, side)
    return show(
        request,
        "frames/one.html",
        status=status,
        frame=frame,
        side=side,
        calls=await calls_of(frame_id=frame.id, organisation_id=own),
        can=[
            move
            for move in rules.FRAME.available(state=frame.state, by=by)
            if not is_late or move == "withdraw"
        ],
        can_call=side == "buyer"
        and frame.state in rules.IN_FORCE
        and frame.left > 0
        and earliest <= frame.ends_on,
        can_end=rules.FRAME.available(state=frame.state, by=side),
        end_seen=marks_of(frame.early_end),
        can_answer=rules.CALL.available(state=rules.REQUESTED, by=side),
        worth=amount(Gram(frame.total), FenPerKg(frame.price)),
        payment_days=frame.terms.milestones[-1].days,
        advice=advice_on(frame.terms, in_frame=True),
        levels=LEVELS,
        confirming=confirm_form(goods, language).blank(key=new_key(), listing_id=str(goods[0].listing))
        if goods
        else None,
        calling=calling
        or form.blank(
            key=new_key(),
            quantity=Gram(
                min(frame.left, max(frame.least, min(frame.left, frame.most_per_week or frame.left)))
            ),
            deliver_from=earliest,
            deliver_to=min(frame.ends_on, earliest + timedelta(days=3)),
            **({"price": FenPerKg(frame.price)} if frame.floor else {}),
        ),
        no_to=lambda what: (
            refused[1] if refused and refused[0] == str(what) else why_not.blank(key=new_key())
        ),
        fault=fault,
        steps=[each for each in await history(subjects=[f"frame:{frame.id}"]) if each.action in DEEDS],
        deeds=DEEDS,
        tones=_TONES,
        FRAME=rules.FRAME,
        CALL=rules.CALL,
    )


@post("/frames/{frame_id:int}/sign")
async def sign(request: WebRequest, viewer: SignedIn, frame_id: FromPath[int]) -> Response[Any]:
    """Sign what the other has proposed."""
    filled = await BARE.read(request)
    filled.check()
    frame = await frame_of(frame_id=row_number(frame_id), organisation_id=viewer.organisation_id)
    side = "seller" if frame.seller == viewer.organisation_id else "buyer"
    if frame.state not in rules.IN_FORCE:  # pressed twice, it is signed already
        await sign_frame(
            frame_id=frame.id,
            organisation_id=viewer.organisation_id,
            actor=acting(viewer, side, deed=SIGN),
            at=clock.now(),
        )
    return redirect(request, f"/frames/{frame_id}", toast=msg("双方已签字，可以要货了。"))


@post("/frames/{frame_id:int}/decline")
async def decline(request: WebRequest, viewer: SignedIn, frame_id: FromPath[int]) -> Response[Any]:
    """Refuse with a coded reason; withdraw, where it is one's own."""
    frame = await frame_of(frame_id=row_number(frame_id), organisation_id=viewer.organisation_id)
    side = "seller" if frame.seller == viewer.organisation_id else "buyer"
    own = frame.proposer == viewer.organisation_id
    filled = await (BARE if own else await refusal_form(request, side)).read(request)
    values = filled.values
    try:
        filled.check()
        await do_filled(
            viewer,
            filled,
            "frame_decline",
            {"frame": frame.id, "reason": values.get("reason")},
            lambda at: decline_frame(
                frame_id=frame.id,
                organisation_id=viewer.organisation_id,
                actor=acting(viewer, side, deed=SIGN),
                at=at,
                reason=values.get("reason"),
                note=values.get("note") or "",
            ),
        )
    except Invalid as error:
        again: dict[str, Any] = (
            {"fault": error.message} if own else {"refused": ("frame", filled.refused(error))}
        )
        return await draw_frame(request, viewer, frame_id, **again, status=422)
    told = msg("已撤回。") if own else msg("已谢绝，对方会看到原因。")
    return redirect(request, f"/frames/{frame_id}", toast=told)


@post("/frames/{frame_id:int}/calls")
async def call(request: WebRequest, viewer: SignedIn, frame_id: FromPath[int]) -> Response[Any]:
    """Call a batch off."""
    frame = await frame_of(frame_id=row_number(frame_id), organisation_id=viewer.organisation_id)
    filled = await call_form(frame, language=language_of(request), today=clock.today()).read(request)
    values = filled.values
    try:
        filled.check()
        own_price = values.get("price")
        check_batch_price(own_price, agreed=FenPerKg(frame.price), sure=values.get("sure", False))
        await call_off(
            batch=Batch(
                frame_id=frame.id,
                quantity=values["quantity"],
                site_id=int(values["site_id"]),
                deliver_from=values["deliver_from"],
                deliver_to=values["deliver_to"],
                price=own_price,
                note=values["note"] or "",
            ),
            buyer_id=viewer.organisation_id,
            actor=acting(viewer, "buyer", deed=ANSWERING),
            at=clock.now(),
            key=values["key"],
        )
    except Invalid as error:
        return await draw_frame(request, viewer, frame_id, calling=filled.refused(error), status=422)
    return redirect(request, f"/frames/{frame_id}", toast=msg("要货已送达，等卖方在 3 天内确认。"))


@post("/frames/{frame_id:int}/calls/{call_id:int}/confirm")
async def confirm(
    request: WebRequest, viewer: SignedIn, frame_id: FromPath[int], call_id: FromPath[int]
) -> Response[Any]:
    """Serve a batch out of one's goods, and go to its contract."""
    frame = await frame_of(frame_id=row_number(frame_id), organisation_id=viewer.organisation_id)
    goods = await goods_of(seller_id=viewer.organisation_id, produce=frame.produce)
    filled = await confirm_form(goods, language_of(request)).read(request)
    try:
        filled.check()
        deal_id = await confirm_call(
            frame_id=frame.id,
            call_id=row_number(call_id),
            listing_id=int(filled.values["listing_id"]),
            seller_id=viewer.organisation_id,
            actor=acting(viewer, "seller", deed=SIGN),
            at=clock.now(),
            key=filled.values["key"],
        )
    except Invalid as error:
        return await draw_frame(request, viewer, frame_id, fault=error.message, status=422)
    except Conflict as error:
        return await draw_frame(request, viewer, frame_id, fault=error.message, status=409)
    return redirect(request, f"/deals/{deal_id}", toast=msg("已确认，合同已生效，请安排发货。"))


@post("/frames/{frame_id:int}/calls/{call_id:int}/drop")
async def drop(
    request: WebRequest, viewer: SignedIn, frame_id: FromPath[int], call_id: FromPath[int]
) -> Response[Any]:
    """Refuse a batch as its seller, withdraw it as its buyer."""
    frame = await frame_of(frame_id=row_number(frame_id), organisation_id=viewer.organisation_id)
    side = "seller" if frame.seller == viewer.organisation_id else "buyer"
    filled = await (BARE if side == "buyer" else await refusal_form(request, side)).read(request)
    values = filled.values
    try:
        filled.check()
        await do_filled(
            viewer,
            filled,
            "call_drop",
            {"call": call_id, "reason": values.get("reason")},
            lambda at: drop_call(
                frame_id=frame.id,
                call_id=row_number(call_id),
                organisation_id=viewer.organisation_id,
                actor=acting(viewer, side, deed=ANSWERING),
                at=at,
                reason=values.get("reason"),
                note=values.get("note") or "",
            ),
        )
    except Invalid as error:
        again: dict[str, Any] = (
            {"fault": error.message}
            if side == "buyer"
            else {"refused": (str(call_id), filled.refused(error))}
        )
        return await draw_frame(request, viewer, frame_id, **again, status=422)
    told = msg("已撤回。") if side == "buyer" else msg("已谢绝，对方会看到原因。")
    return redirect(request, f"/frames/{frame_id}", toast=told)


routes: list[ControllerRouterHandler] = [
    index,
    new,
    propose,
    one,
    sign,
    decline,
    call,
    confirm,
    drop,
]

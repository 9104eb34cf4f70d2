"""Joint offers: opened by a lead on a phone, filled by its neighbours, answered by the buyer at a desk."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts import rules as accounts
from market.accounts.rules import Viewer
from market.audit.queries import history
from market.bids.joint import rules
from market.bids.joint.answering import Changed, answer_share, submit_joint
from market.bids.joint.closing import accept_joint, reject_joint, withdraw_joint
from market.bids.joint.operations import NewJoint, NewShare, ask_to_join, invite, open_joint
from market.bids.joint.queries import Joint, ShareRow, goods_of_others, joint_of
from market.bids.meant import check_meant
from market.bids.offer_queries import Goods, goods_of
from market.bids.rules import ANSWERS
from market.catalogue.rules import BUYER_DECLINES
from market.demand.queries import DemandDetails, demand_page
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Language, Message, msg
from market.units import FenPerKg, Gram
from market.web.demands.joint_forms import ACCEPT, CONFIRM, SUBMIT, joint_form, mark_of, share_form
from market.web.demands.offer_view import lacking, way_to
from market.web.demands.offers import to_offer
from market.web.edge.addresses import row_number
from market.web.edge.guards import SignedIn, WebRequest, require
from market.web.edge.language import language_of
from market.web.parts import formats
from market.web.parts.forms import Filled
from market.web.parts.pages import redirect
from market.web.parts.trade import BARE, do_filled, new_key, refusal_form, show

#: What the record's words mean to people.
DEEDS: dict[str, Message] = {
    "open": msg("已发起拼货"),
    "invite": msg("已邀请一家"),
    "ask": msg("已申请加入"),
    "share_confirm": msg("确认份额"),
    "share_decline": msg("没有参加"),
    "share_withdraw": msg("已退出"),
    "share_admit": msg("已同意加入"),
    "share_refuse": msg("未列入"),
    "submit": msg("已交给买方"),
    "accept": msg("接受，生成合同"),
    "reject": msg("已谢绝"),
    "withdraw": msg("已撤回"),
    "expire": msg("已过期"),
}
_TONES = {"accept": "good", "reject": "bad", "withdraw": "bad", "share_withdraw": "bad"}
#: The buttons of a share: what they say, their kind, and what is told when it is done.
SHARE_MOVES: dict[str, tuple[Message, str, Message]] = {
    "confirm": (msg("确认我的份额"), "deal", msg("已确认。")),
    "decline": (msg("不参加拼货"), "quiet", msg("已告诉牵头方，对方会看到原因。")),
    "withdraw": (msg("退出"), "danger", msg("已退出，其他各家会重新确认。")),
    "admit": (msg("同意加入"), "deal", msg("已同意。")),
    "refuse": (msg("去掉"), "quiet", msg("已去掉，对方会看到原因。")),
}


@get("/demands/{demand_id:int}/joint", guards=[require("seller")])
async def new(request: WebRequest, viewer: SignedIn, demand_id: FromPath[int]) -> Response[str]:
    """Show the form of a joint offer with the lead's own goods in it."""
    demand, goods = await to_offer(viewer, demand_id)
    today = clock.today()
    form = joint_form(goods, language=language_of(request), today=today)
    filled = form.blank(key=new_key())
    if goods:
        best = goods[0]
        filled = form.blank(
            key=new_key(),
            listing_id=str(best.listing),
            quantity=Gram(min(best.remaining, demand.open)),
            price=FenPerKg(best.ask),
            deliver_from=max(today, demand.deliver_from),
            deliver_to=max(today, demand.deliver_to),
        )
    return _draw_new(request, demand, goods, filled)


def _draw_new(
    request: WebRequest, demand: DemandDetails, goods: Sequence[Goods], form: Filled, *, status: int = 200
) -> Response[str]:
    return show(request, "joint/new.html", status=status, demand=demand, goods=goods, form=form)


@post("/demands/{demand_id:int}/joint", guards=[require("seller")])
async def start(request: WebRequest, viewer: SignedIn, demand_id: FromPath[int]) -> Response[Any]:
    """Open it; the same form once more leads to the same joint offer."""
    demand, goods = await to_offer(viewer, demand_id)
    filled = await joint_form(goods, language=language_of(request), today=clock.today()).read(request)
    values = filled.values
    try:
        filled.check()
        listing_id = int(values["listing_id"])
        await check_meant(
            values["price"],
            sure=values["sure"],
            listing_id=listing_id,
            demand_id=demand.demand_id,
            lead_id=viewer.organisation_id,
        )
        joint_id = await open_joint(
            joint=NewJoint(
                demand_id=demand.demand_id,
                listing_id=listing_id,
                quantity=values["quantity"],
                price=values["price"],
                deliver_from=values["deliver_from"],
                deliver_to=values["deliver_to"],
                common=values["common"],
                least=values["least"],
                note=values["note"] or "",
            ),
            lead_id=viewer.organisation_id,
            actor=accounts.actor(viewer, "seller", deed=accounts.ANSWER),
            at=clock.now(),
            key=str(values["key"]),
        )
    except Invalid as error:
        return _draw_new(request, demand, goods, filled.refused(error), status=422)
    except Conflict as error:
        return _draw_new(request, demand, goods, filled.refused(Invalid(error.message)), status=409)
    return redirect(request, f"/joint/{joint_id}", toast=msg("拼货已发起，请邀请别的村一起。"))


class SeenShare(msgspec.Struct, frozen=True):
    """A share with its way, its price delivered, what its goods lack, and the reader's buttons."""

    share: ShareRow
    km: int
    delivered: FenPerKg
    lacks: list[Message]
    can: list[str]
    #: What a confirmation of it rests on (``joint_forms.CONFIRM``).
    seen: str


def _seen(
    share: ShareRow, joint: Joint, demand: DemandDetails, viewer: Viewer, language: Language
) -> SeenShare:
    way = way_to(demand, lat=share.lat, lon=share.lon)
    lacks = lacking(share, demand, language, way=way)
    if share.state != rules.SOLD and share.remaining < share.quantity:
        lacks.append(msg("现在只剩 {mass}", mass=formats.mass(Gram(share.remaining), language)))
    sides = [
        *(["seller"] if share.seller == viewer.organisation_id else []),
        *(["lead"] if joint.joint.role == "lead" else []),
    ]
    is_leads = share.seller == joint.joint.lead
    can = [
        move
        for side in sides
        for move in rules.SHARE.available(state=share.state, by=side)
        if move in SHARE_MOVES and joint.joint.state in rules.OPEN and (not is_leads or move == "confirm")
    ]
    others = sum(e.quantity for e in joint.shares if e.id != share.id and e.state in rules.JOINED)
    mark = f"{share.quantity}-{share.price}-{others}-{mark_of(joint.joint.expires_at)}"
    return SeenShare(share, way.km, FenPerKg(share.price + way.freight), lacks, can, mark)


@get("/joint/{joint_id:int}")
async def one(request: WebRequest, viewer: SignedIn, joint_id: FromPath[int]) -> Response[str]:
    """One joint offer: its shares, who has yet to say yes, and what the reader may do."""
    return await _draw(request, viewer, joint_id)


async def _draw(
    request: WebRequest,
    viewer: Viewer,
    joint_id: int,
    *,
    adding: Filled | None = None,
    part: Filled | None = None,
    refusal: Filled | None = None,
    saying: tuple[int, str, Filled] | None = None,
    stale: Message | None = None,
    status: int = 200,
) -> Response[str]:
    """``saying``: why a share is declined or left out, asked back: share, move and form."""
    found = await joint_of(joint_id=row_number(joint_id), organisation_id=viewer.organisation_id)
    joint, language = found.joint, language_of(request)
    demand = await demand_page(joint.demand, viewer.organisation_id)
    rows = [_seen(each, found, demand, viewer, language) for each in found.shares]
    is_late = joint.expires_at <= clock.now()
    can = [
        move
        for move in rules.JOINT.available(state=joint.state, by=joint.role)
        if not is_late or move not in ANSWERS
    ]
    goods: list[Goods] = []
    if joint.state in (rules.GATHERING, rules.NEEDS_RECONFIRM):
        if joint.role == "lead":
            goods = await goods_of_others(joint=joint)
        elif all(
            each.share.seller != viewer.organisation_id or each.share.state not in rules.IN for each in rows
        ):
            goods = await goods_of(seller_id=viewer.organisation_id, produce=joint.produce)
    inside = [each.share for each in rows if each.share.state in rules.IN]
    weight = joint.grams or 1
    delivered = sum(each.delivered * each.share.quantity for each in rows if each.share.state in rules.IN)
    why_not = {
        use: await refusal_form(request, use) for use in {*rules.NEEDS_REASON.values(), BUYER_DECLINES}
    }

    def no_to(share: int, move: str) -> Filled:
        if saying and saying[:2] == (share, move):
            return saying[2]
        return why_not[rules.NEEDS_REASON[move]].blank(key=new_key())

    form = share_form(goods, language=language, owners=joint.role == "lead")
    records = await history(subjects=[f"joint:{joint.id}"]) if joint.sees_all else []
    return show(
        request,
        "joint/one.html",
        status=status,
        joint=joint,
        demand=demand,
        rows=rows,
        goods=goods,
        can=can,
        is_late=is_late and joint.state in rules.OPEN,
        unconfirmed=[each for each in inside if each.state not in (rules.CONFIRMED, rules.SOLD)],
        mean=FenPerKg(round((joint.worth or 0) * 1_000 / weight)),
        delivered=FenPerKg(round(delivered / weight)),
        adding=adding
        or form.blank(key=new_key(), **({"price": FenPerKg(joint.price)} if joint.price else {})),
        part=part or ACCEPT.blank(key=new_key(), seen=joint.worth, quantity=Gram(joint.grams)),
        refusal=refusal or why_not[BUYER_DECLINES].blank(key=new_key()),
        no_to=no_to,
        until=mark_of(joint.expires_at),
        stale=stale,
        needs_reason=rules.NEEDS_REASON,
        steps=[step for step in records if step.action in DEEDS],
        deeds=DEEDS,
        tones=_TONES,
        moves=SHARE_MOVES,
        JOINT=rules.JOINT,
        SHARE=rules.SHARE,
    )


@post("/joint/{joint_id:int}/shares", guards=[require("seller")])
async def add(request: WebRequest, viewer: SignedIn, joint_id: FromPath[int]) -> Response[Any]:
    """Invite the owner of other goods, as the lead; ask to be let in, as anybody else."""
    found = (await joint_of(joint_id=row_number(joint_id), organisation_id=viewer.organisation_id)).joint
    leads = found.role == "lead"
    goods = (
        await goods_of_others(joint=found)
        if leads
        else await goods_of(seller_id=viewer.organisation_id, produce=found.produce)
    )
    filled = await share_form(goods, language=language_of(request), owners=leads).read(request)
    values, by = filled.values, accounts.actor(viewer, "seller", deed=accounts.ANSWER)
    own, at, key = viewer.organisation_id, clock.now(), values.get("key")
    try:
        filled.check()
        share = NewShare(found.id, int(values["listing_id"]), values["quantity"], values["price"])
        await check_meant(
            share.price,
            sure=values["sure"],
            listing_id=share.listing_id,
            demand_id=found.demand,
            joint_id=found.id,
        )
        if leads:
            await invite(share=share, lead_id=own, actor=by, at=at, key=key)
        else:
            await ask_to_join(share=share, seller_id=own, actor=by, at=at, key=key)
    except Invalid as error:
        return await _draw(request, viewer, joint_id, adding=filled.refused(error), status=422)
    told = msg("邀请已送达，对方确认后才算数。") if leads else msg("申请已送达，等牵头方同意。")
    return redirect(request, f"/joint/{joint_id}", toast=told)


@post("/joint/{joint_id:int}/shares/{share_id:int}/{move:str}", guards=[require("seller")])
async def move_share(
    request: WebRequest,
    viewer: SignedIn,
    joint_id: FromPath[int],
    share_id: FromPath[int],
    move: FromPath[str],
) -> Response[Any]:
    """Confirm, decline or give up one's own share; admit or leave out another's, as the lead."""
    if move not in SHARE_MOVES:
        raise NotFound(msg("这一页不存在，或者不对您开放。请检查地址，或从首页查找。"))
    use = rules.NEEDS_REASON.get(move)
    filled = await (await refusal_form(request, use) if use else CONFIRM).read(request)
    why: dict[str, Any] = {}
    try:
        filled.check()
        if use:
            why = {"reason": filled.values["reason"], "note": filled.values["note"] or ""}
        seen = None if use else filled.values["seen"]
        await do_filled(
            viewer,
            filled,
            f"joint_{move}",
            {"joint": joint_id, "share": share_id, **why},
            lambda at: answer_share(
                share_id=row_number(share_id),
                move=move,
                organisation_id=viewer.organisation_id,
                actor=accounts.actor(viewer, "seller", deed=accounts.ANSWER),
                at=at,
                seen=seen,
                **why,
            ),
        )
    except Invalid as error:
        again = (share_id, move, filled.refused(error))
        return await _draw(request, viewer, joint_id, saying=again, status=422)
    except Changed as changed:
        return await _draw(request, viewer, joint_id, stale=changed.message, status=409)
    return redirect(request, f"/joint/{joint_id}", toast=SHARE_MOVES[move][2])


async def _do(
    request: WebRequest,
    viewer: Viewer,
    joint_id: int,
    *,
    name: str,
    about: dict[str, Any],
    deed: Callable[[datetime], Awaitable[object]],
    toast: Message,
) -> Response[Any]:
    filled = await BARE.read(request)
    filled.check()
    await do_filled(viewer, filled, name, {"joint": joint_id, **about}, deed)
    return redirect(request, f"/joint/{joint_id}", toast=toast)


@post("/joint/{joint_id:int}/submit", guards=[require("seller")])
async def submit(request: WebRequest, viewer: SignedIn, joint_id: FromPath[int]) -> Response[Any]:
    """Put it to the buyer, as it was read."""
    filled = await SUBMIT.read(request)
    filled.check()

    async def deed(at: datetime) -> None:
        await submit_joint(
            joint_id=row_number(joint_id),
            lead_id=viewer.organisation_id,
            actor=accounts.actor(viewer, "seller", deed=accounts.ANSWER),
            at=at,
            until=filled.values["until"],
        )

    try:
        await do_filled(viewer, filled, "joint_submit", {"joint": joint_id}, deed)
    except Changed as changed:
        return await _draw(request, viewer, joint_id, stale=changed.message, status=409)
    return redirect(request, f"/joint/{joint_id}", toast=msg("已交给买方，等对方在 7 天内答复。"))


@post("/joint/{joint_id:int}/withdraw", guards=[require("seller")])
async def withdraw(request: WebRequest, viewer: SignedIn, joint_id: FromPath[int]) -> Response[Any]:
    """Take the whole back, as its lead."""
    return await _do(
        request,
        viewer,
        joint_id,
        name="joint_withdraw",
        about={},
        deed=lambda at: withdraw_joint(
            joint_id=row_number(joint_id),
            lead_id=viewer.organisation_id,
            actor=accounts.actor(viewer, "seller", deed=accounts.ANSWER),
            at=at,
        ),
        toast=msg("已撤回，各家都已通知。"),
    )


@post("/joint/{joint_id:int}/accept", guards=[require("buyer")])
async def accept(request: WebRequest, viewer: SignedIn, joint_id: FromPath[int]) -> Response[Any]:
    """Make one contract with each seller, of the whole or a part."""
    filled = await ACCEPT.read(request)
    found = (await joint_of(joint_id=row_number(joint_id), organisation_id=viewer.organisation_id)).joint
    try:
        filled.check()
        part = filled.values["quantity"]
        deals = await accept_joint(
            joint_id=found.id,
            buyer_id=viewer.organisation_id,
            actor=accounts.actor(viewer, "buyer", deed=accounts.ANSWER),
            at=clock.now(),
            quantity=None if part == found.grams else part,
            key=filled.values["key"],
            seen=filled.values["seen"],
        )
    except Invalid as error:
        return await _draw(request, viewer, joint_id, part=filled.refused(error), status=422)
    except Conflict as error:
        if found.worth in (None, filled.values["seen"]):
            raise
        fresh = ACCEPT.blank(key=new_key(), seen=found.worth, quantity=Gram(found.grams))
        again = fresh.refused(Invalid(error.message))
        return await _draw(request, viewer, joint_id, part=again, status=409)
    return redirect(
        request, f"/joint/{joint_id}", toast=msg("已接受，生成了 {n} 份合同，请逐份签字。", n=len(deals))
    )


@post("/joint/{joint_id:int}/reject", guards=[require("buyer")])
async def reject(request: WebRequest, viewer: SignedIn, joint_id: FromPath[int]) -> Response[Any]:
    """Decline with a coded reason."""
    filled = await (await refusal_form(request, BUYER_DECLINES)).read(request)
    await joint_of(joint_id=row_number(joint_id), organisation_id=viewer.organisation_id)
    try:
        filled.check()
        values = filled.values
        await do_filled(
            viewer,
            filled,
            "joint_reject",
            {"joint": joint_id, "reason": values["reason"], "note": values["note"]},
            lambda at: reject_joint(
                joint_id=joint_id,
                buyer_id=viewer.organisation_id,
                reason=values["reason"],
                note=values["note"] or "",
                actor=accounts.actor(viewer, "buyer", deed=accounts.ANSWER),
                at=at,
            ),
        )
    except Invalid as error:
        return await _draw(request, viewer, joint_id, refusal=filled.refused(error), status=422)
    return redirect(request, f"/joint/{joint_id}", toast=msg("已谢绝，对方会看到原因。"))


routes: list[ControllerRouterHandler] = [
    new,
    start,
    one,
    add,
    move_share,
    submit,
    withdraw,
    accept,
    reject,
]

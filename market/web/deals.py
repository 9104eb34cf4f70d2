"""Contracts: the list, one contract as a sheet that can be printed, and what is done under it."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import ROLES, Viewer
from market.audit.queries import history
from market.catalogue.queries import grades, produce_by_code
from market.deals.contacts import look_up_contacts
from market.deals.fulfilment import move_delivery, pay, schedule_delivery
from market.deals.operations import cancel as cancel_deal
from market.deals.operations import sign as sign_deal
from market.deals.queries import DealRow, deal_of, deals_of, deliveries_of, payments_of
from market.deals.rules import (
    ACTIVE,
    CANCELLED,
    CONTRACT,
    DELIVERY,
    HOLDING,
    PARTLY_SIGNED,
    PAYMENT,
    PAYMENT_DAYS,
    PENDING,
    SIGNED,
    TAKEN,
)
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, msg
from market.transitions import WrongState
from market.units import Fen, FenPerKg, Gram, amount
from market.web import fields, pages
from market.web.addresses import row_number
from market.web.forms import Filled, Form
from market.web.guards import SignedIn, WebRequest, require
from market.web.trade import BARE, KEY, acting, do_once, new_key, refusal_form, show

#: What the record's words mean to people.
DEEDS: dict[str, Message] = {
    "make": msg("生成合同，数量已占用"),
    "sign": msg("签字"),
    "countersign": msg("签字，合同生效"),
    "cancel": msg("签约前取消，数量已退回"),
    "schedule_delivery": msg("安排发货"),
    "delivery_dispatch": msg("发货"),
    "delivery_arrive": msg("到货"),
    "delivery_accept": msg("全部验收"),
    "delivery_accept_part": msg("部分验收"),
    "delivery_reject": msg("拒收"),
    "delivery_cancel": msg("取消发货"),
    "pay": msg("付款"),
}
_TONES = {
    "countersign": "good",
    "delivery_accept": "good",
    "pay": "good",
    "cancel": "bad",
    "delivery_reject": "bad",
}
SOURCES: dict[str, Message] = {
    "bid": msg("出价成交"),
    "match": msg("撮合成交"),
    "appointment": msg("对接会成交"),
}
#: The buttons of a delivery that need nothing but a press: label and kind of button.
DELIVERY_MOVES: dict[str, tuple[Message, str]] = {
    "dispatch": (msg("已发货"), "primary"),
    "arrive": (msg("已到货"), "primary"),
    "accept": (msg("全部验收"), "deal"),
    "cancel": (msg("取消这次发货"), "quiet"),
}
_SHELVES: dict[str, tuple[Message, frozenset[str]]] = {
    "": (msg("全部"), CONTRACT.states),
    "unsigned": (msg("待签约"), frozenset({PENDING, PARTLY_SIGNED})),
    "active": (msg("履约中"), frozenset({ACTIVE})),
    "done": (msg("已结束"), CONTRACT.states - {PENDING, PARTLY_SIGNED, ACTIVE}),
}


def side_of(deal: DealRow, viewer: Viewer) -> str | None:
    """Return which side the viewer is; None for the town, which only looks on."""
    return {deal.seller: "seller", deal.buyer: "buyer"}.get(viewer.organisation_id)


def has_signed(deal: DealRow, side: str | None) -> bool:
    return (deal.seller_signed_at if side == "seller" else deal.buyer_signed_at) is not None


def total_of(deal: DealRow) -> Fen:
    return amount(Gram(deal.quantity), FenPerKg(deal.price))


@get("/deals", guards=[require("seller", "buyer", "official")])
async def index(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """Every contract of the organisation; for an official those of the town's sellers."""
    chosen = request.query_params.get("state", "")
    shelf = _SHELVES.get(chosen, _SHELVES[""])[1]
    deals = await deals_of(organisation_id=viewer.organisation_id)
    holding = [deal for deal in deals if deal.state in HOLDING]
    return show(
        request,
        "deals/index.html",
        deals=[deal for deal in deals if deal.state in shelf],
        has_any=bool(deals),
        shelves=[
            (
                label,
                f"/deals?state={name}" if name else "/deals",
                name == chosen,
                sum(deal.state in states for deal in deals),
            )
            for name, (label, states) in _SHELVES.items()
        ],
        mass=Gram(sum(deal.quantity for deal in holding)),
        money=Fen(sum(total_of(deal) for deal in holding)),
        delivered=Gram(sum(deal.delivered for deal in deals)),
        paid=Fen(sum(deal.paid for deal in deals)),
        side_of=lambda deal: side_of(deal, viewer),
        needs_me=lambda deal: needs_signature(deal, viewer),
        total_of=total_of,
        CONTRACT=CONTRACT,
    )


def needs_signature(deal: DealRow, viewer: Viewer) -> bool:
    side = side_of(deal, viewer)
    return side is not None and deal.state in (PENDING, PARTLY_SIGNED) and not has_signed(deal, side)


@get("/deals/{deal_id:int}")
async def one(request: WebRequest, viewer: SignedIn, deal_id: FromPath[int]) -> Response[str]:
    """The contract with everything done under it."""
    deal = await deal_of(deal_id=row_number(deal_id), organisation_id=viewer.organisation_id)
    return await _draw(request, viewer, deal)


_SCHEDULE = Form(
    quantity=fields.quantity(msg("这次发多少")),
    on=fields.day(msg("哪天发货")),
    key=KEY,
)


async def _draw(
    request: WebRequest,
    viewer: Viewer,
    deal: DealRow,
    *,
    schedule: Filled | None = None,
    refused: tuple[int, str, Filled] | None = None,
    status: int = 200,
) -> Response[str]:
    """Draw the contract; ``refused`` is (delivery, what was tried, the form with its faults)."""
    side = side_of(deal, viewer)
    deliveries = await deliveries_of(deal_id=deal.id)
    planned = sum(
        (each.accepted or 0) if each.state in TAKEN else each.quantity
        for each in deliveries
        if each.state not in ("cancelled", "rejected")
    )
    left = Gram(deal.quantity - planned)
    if schedule is None:
        schedule = _SCHEDULE.blank(
            quantity=left if left > 0 else None, on=max(deal.deliver_from, clock.today()), key=new_key()
        )
    blank_part = (await part_form(request)).blank(key=new_key())
    blank_refusal = (await refusal_form(request)).blank(key=new_key())
    grade = next((each for each in await grades() if each.level == deal.grade), None)
    return show(
        request,
        "deals/one.html",
        status=status,
        deal=deal,
        side=side,
        produce=await produce_by_code(deal.produce),
        grade=grade,
        total=total_of(deal),
        source=SOURCES.get(deal.source),
        can_sign=needs_signature(deal, viewer),
        can_cancel=side is not None and "cancel" in CONTRACT.available(state=deal.state, by=side),
        deliveries=[(each, DELIVERY.available(state=each.state, by=side or "")) for each in deliveries],
        delivery_moves=DELIVERY_MOVES,
        payments=[
            (each, side == "buyer" and "pay" in PAYMENT.available(state=each.state, by="buyer"))
            for each in await payments_of(deal_id=deal.id)
        ],
        can_schedule=side == "seller" and deal.state == ACTIVE and left > 0,
        left=left,
        schedule=schedule,
        part_of=lambda delivery: _form_for(refused, delivery, "accept_part", blank_part),
        refusal_of=lambda delivery: _form_for(refused, delivery, "reject", blank_refusal),
        contacts=await look_up_contacts(
            deal_id=deal.id,
            organisation_id=viewer.organisation_id,
            actor=acting(viewer, side),
            at=clock.now(),
        )
        if side
        else [],
        roles=ROLES,
        steps=await history(subjects=[f"deal:{deal.id}"]),
        deeds=DEEDS,
        tones=_TONES,
        is_signed=deal.state in SIGNED,
        payment_days=PAYMENT_DAYS,
        CONTRACT=CONTRACT,
        DELIVERY=DELIVERY,
        PAYMENT=PAYMENT,
    )


def _form_for(refused: tuple[int, str, Filled] | None, delivery: int, move: str, blank: Filled) -> Filled:
    if refused and refused[:2] == (delivery, move):
        return refused[2]
    return blank


async def part_form(request: WebRequest) -> Form:
    """Return the form of a partial acceptance: how much, and why not all."""
    return await refusal_form(request, accepted=fields.quantity(msg("验收多少")))


async def _party(deal_id: int, viewer: Viewer) -> tuple[DealRow, str]:
    deal = await deal_of(deal_id=row_number(deal_id), organisation_id=viewer.organisation_id)
    side = side_of(deal, viewer)
    if side is None:
        raise NotFound(msg("没有找到这份合同。"))
    return deal, side


async def _do(
    viewer: Viewer,
    filled: Filled,
    name: str,
    about: dict[str, Any],
    deed: Callable[[datetime], Awaitable[object]],
) -> str:
    at = clock.now()
    return await do_once(
        viewer=viewer, key=filled.values["key"], name=name, about=about, deed=lambda: deed(at), at=at
    )


@post("/deals/{deal_id:int}/sign")
async def sign(request: WebRequest, viewer: SignedIn, deal_id: FromPath[int]) -> Response[Any]:
    """Sign for one's own side."""
    filled = await BARE.read(request)
    filled.check()
    deal, side = await _party(deal_id, viewer)
    try:
        state = await _do(
            viewer,
            filled,
            "deal_sign",
            {"deal": deal_id},
            lambda at: sign_deal(
                deal_id=deal_id, organisation_id=viewer.organisation_id, actor=acting(viewer, side), at=at
            ),
        )
    except Conflict:
        if not has_signed(deal, side) or deal.state == CANCELLED:
            raise
        state = deal.state
    toast = msg("双方已签字，合同生效。") if state in SIGNED else msg("已签字，等对方签字后生效。")
    return pages.redirect(request, f"/deals/{deal_id}", toast=toast)


@post("/deals/{deal_id:int}/cancel")
async def cancel(request: WebRequest, viewer: SignedIn, deal_id: FromPath[int]) -> Response[Any]:
    """Cancel a contract that does not bind yet."""
    filled = await BARE.read(request)
    filled.check()
    deal, side = await _party(deal_id, viewer)
    try:
        await _do(
            viewer,
            filled,
            "deal_cancel",
            {"deal": deal_id},
            lambda at: cancel_deal(
                deal_id=deal_id, organisation_id=viewer.organisation_id, actor=acting(viewer, side), at=at
            ),
        )
    except WrongState:
        if deal.state != CANCELLED:
            raise
    return pages.redirect(request, f"/deals/{deal_id}", toast=msg("合同已取消，数量已退回货源。"))


@post("/deals/{deal_id:int}/deliveries")
async def schedule(request: WebRequest, viewer: SignedIn, deal_id: FromPath[int]) -> Response[Any]:
    """Announce a delivery."""
    filled = await _SCHEDULE.read(request)
    deal, side = await _party(deal_id, viewer)
    try:
        filled.check()
        await _do(
            viewer,
            filled,
            "delivery_schedule",
            {"deal": deal_id, "quantity": filled.values["quantity"], "on": filled.values["on"].isoformat()},
            lambda at: schedule_delivery(
                deal_id=deal_id,
                quantity=filled.values["quantity"],
                on=filled.values["on"],
                organisation_id=viewer.organisation_id,
                actor=acting(viewer, side),
                at=at,
            ),
        )
    except Invalid as error:
        return await _draw(request, viewer, deal, schedule=filled.refused(error), status=422)
    return pages.redirect(request, f"/deals/{deal_id}#deliveries", toast=msg("已安排发货，对方会收到通知。"))


class _Step(msgspec.Struct, frozen=True):
    """A delivery's move as the post asked for it."""

    move: str
    accepted: Gram | None = None
    reason: str | None = None


async def _move(
    request: WebRequest, viewer: Viewer, deal_id: int, delivery_id: int, filled: Filled, step: _Step
) -> Response[Any]:
    deal, side = await _party(deal_id, viewer)
    before = {each.id: each.state for each in await deliveries_of(deal_id=deal_id)}
    if delivery_id not in before:
        raise NotFound(msg("没有找到这次发货。"))
    try:
        await _do(
            viewer,
            filled,
            f"delivery_{step.move}",
            {"delivery": delivery_id, "accepted": step.accepted, "reason": step.reason},
            lambda at: move_delivery(
                delivery_id=delivery_id,
                move=step.move,
                organisation_id=viewer.organisation_id,
                actor=acting(viewer, side),
                at=at,
                accepted=step.accepted,
                reason=step.reason,
            ),
        )
    except Invalid as error:
        refused = (delivery_id, step.move, filled.refused(error))
        return await _draw(request, viewer, deal, refused=refused, status=422)
    except WrongState:
        if all(move.target != before[delivery_id] for move in DELIVERY.moves if move.name == step.move):
            raise
    return pages.redirect(request, f"/deals/{deal_id}#deliveries", toast=msg("已记录，对方会收到通知。"))


@post("/deals/{deal_id:int}/deliveries/{delivery_id:int}/{move:str}")
async def move_one(
    request: WebRequest,
    viewer: SignedIn,
    deal_id: FromPath[int],
    delivery_id: FromPath[int],
    move: FromPath[str],
) -> Response[Any]:
    """Dispatch, arrive, accept or cancel: a press of a button."""
    if move not in DELIVERY_MOVES:
        raise NotFound(msg("没有这一步，请回到合同页面操作。"))
    filled = await BARE.read(request)
    filled.check()
    return await _move(request, viewer, deal_id, delivery_id, filled, _Step(move))


@post("/deals/{deal_id:int}/deliveries/{delivery_id:int}/accept-part")
async def accept_part(
    request: WebRequest, viewer: SignedIn, deal_id: FromPath[int], delivery_id: FromPath[int]
) -> Response[Any]:
    """Take a part, with the reason for the rest."""
    filled = await (await part_form(request)).read(request)
    step = _Step("accept_part", filled.values.get("accepted"), filled.values.get("reason"))
    return await _checked(request, viewer, deal_id, delivery_id, filled, step)


@post("/deals/{deal_id:int}/deliveries/{delivery_id:int}/reject")
async def reject(
    request: WebRequest, viewer: SignedIn, deal_id: FromPath[int], delivery_id: FromPath[int]
) -> Response[Any]:
    """Refuse a delivery with a coded reason."""
    filled = await (await refusal_form(request)).read(request)
    step = _Step("reject", None, filled.values.get("reason"))
    return await _checked(request, viewer, deal_id, delivery_id, filled, step)


async def _checked(
    request: WebRequest, viewer: Viewer, deal_id: int, delivery_id: int, filled: Filled, step: _Step
) -> Response[Any]:
    if filled.errors:
        deal, _ = await _party(deal_id, viewer)
        return await _draw(request, viewer, deal, refused=(delivery_id, step.move, filled), status=422)
    return await _move(request, viewer, deal_id, delivery_id, filled, step)


@post("/deals/{deal_id:int}/payments/{payment_id:int}/pay")
async def pay_one(
    request: WebRequest, viewer: SignedIn, deal_id: FromPath[int], payment_id: FromPath[int]
) -> Response[Any]:
    """Note that the buyer has paid."""
    filled = await BARE.read(request)
    filled.check()
    await _party(deal_id, viewer)
    before = {each.id: each.state for each in await payments_of(deal_id=deal_id)}
    if payment_id not in before:
        raise NotFound(msg("没有找到这笔货款。"))
    try:
        await _do(
            viewer,
            filled,
            "payment_pay",
            {"payment": payment_id},
            lambda at: pay(
                payment_id=payment_id,
                organisation_id=viewer.organisation_id,
                actor=acting(viewer, "buyer"),
                at=at,
            ),
        )
    except WrongState:
        if before[payment_id] != "paid":
            raise
    return pages.redirect(request, f"/deals/{deal_id}#payments", toast=msg("已记为付款。"))


routes: list[ControllerRouterHandler] = [
    index,
    one,
    sign,
    cancel,
    schedule,
    accept_part,
    reject,
    move_one,
    pay_one,
]

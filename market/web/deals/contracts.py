"""Contracts: the list, one contract as a sheet that can be printed, and what is done under it."""

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market.accounts.rules import Viewer
from market.catalogue.rules import CANCELS, GOODS_REFUSED
from market.dashboard.received import received_by
from market.deals.above import NoneSpare
from market.deals.fulfilment import move_delivery, schedule_delivery
from market.deals.operations import cancel as cancel_deal
from market.deals.operations import sign as sign_deal
from market.deals.paying import PaidMeanwhile, pay
from market.deals.queries import DealRow, deliveries_of, page_of_deals, payments_of, tallies_of
from market.deals.rules import (
    ACTIVE,
    CANCELLED,
    CONTRACT,
    DELIVERY,
    PARTLY_SIGNED,
    PENDING,
    SIGNED,
)
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, msg
from market.paging import Page, page_of
from market.transitions import WrongState
from market.units import Fen, Gram
from market.web.deals.sheet import (
    ACCEPT_LOSS,
    DELIVERY_MOVES,
    PAY,
    PAY_PART,
    SCHEDULE,
    deal_and_side,
    draw,
    has_signed,
    needs_signature,
    part_form,
    party,
    side_of,
    total_of,
)
from market.web.edge.guards import SignedIn, WebRequest, require
from market.web.parts import pages
from market.web.parts.forms import Filled
from market.web.parts.trade import BARE, acting, do_filled, new_key, refusal_form, show

_SHELVES: dict[str, tuple[Message, frozenset[str]]] = {
    "": (msg("全部"), CONTRACT.states),
    "unsigned": (msg("待签约"), frozenset({PENDING, PARTLY_SIGNED})),
    "active": (msg("履约中"), frozenset({ACTIVE})),
    "done": (msg("已结束"), CONTRACT.states - {PENDING, PARTLY_SIGNED, ACTIVE}),
}


@get("/deals", guards=[require("seller", "buyer", "official")])
async def index(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """Every contract of the organisation; for an official those of the town's sellers."""
    chosen = request.query_params.get("state", "")
    chosen = chosen if chosen in _SHELVES else ""
    mine = viewer.organisation_id
    tallies = await tallies_of(organisation_id=mine)
    numbers = {
        name: sum(each.number for each in tallies if each.state in states)
        for name, (_, states) in _SHELVES.items()
    }
    shown = page_of(range(numbers[chosen]), request.query_params.get("page", ""))
    deals = await page_of_deals(
        organisation_id=mine,
        states=_SHELVES[chosen][1],
        limit=shown.length,
        offset=(shown.page - 1) * shown.length,
    )
    return show(
        request,
        "deals/index.html",
        shown=Page(deals, shown.total, shown.page, shown.length),
        next_pages=f"/deals?state={chosen}&page=" if chosen else "/deals?page=",
        has_any=bool(tallies),
        shelves=[
            (
                label,
                f"/deals?state={name}" if name else "/deals",
                name == chosen,
                numbers[name],
            )
            for name, (label, _) in _SHELVES.items()
        ],
        mass=Gram(sum(each.grams for each in tallies)),
        money=Fen(sum(each.fen for each in tallies)),
        delivered=Gram(sum(each.delivered for each in tallies)),
        received=await received_by(organisation_id=mine),
        side_of=lambda deal: side_of(deal, viewer),
        needs_me=lambda deal: needs_signature(deal, viewer),
        total_of=total_of,
        CONTRACT=CONTRACT,
    )


@get("/deals/{deal_id:int}")
async def one(request: WebRequest, viewer: SignedIn, deal_id: FromPath[int]) -> Response[str]:
    """The contract with everything done under it."""
    deal, _ = await deal_and_side(deal_id, viewer)
    return await draw(request, viewer, deal)


@post("/deals/{deal_id:int}/sign")
async def sign(request: WebRequest, viewer: SignedIn, deal_id: FromPath[int]) -> Response[Any]:
    """Sign for one's own side."""
    filled = await BARE.read(request)
    filled.check()
    deal, side = await party(deal_id, viewer)
    try:
        state = await do_filled(
            viewer,
            filled,
            "deal_sign",
            {"deal": deal_id},
            lambda at: sign_deal(
                deal_id=deal_id, organisation_id=viewer.organisation_id, actor=acting(viewer, side), at=at
            ),
        )
    except Conflict:
        if not has_signed(deal, side) or deal.state not in (PARTLY_SIGNED, ACTIVE):
            raise
        state = deal.state
    toast = msg("双方已签字，合同生效。") if state in SIGNED else msg("已签字，等对方签字后生效。")
    return pages.redirect(request, f"/deals/{deal_id}", toast=toast)


@post("/deals/{deal_id:int}/cancel")
async def cancel(request: WebRequest, viewer: SignedIn, deal_id: FromPath[int]) -> Response[Any]:
    """Cancel a contract that does not bind yet, with a coded reason."""
    filled = await (await refusal_form(request, CANCELS)).read(request)
    deal, side = await party(deal_id, viewer)
    values = filled.values
    try:
        filled.check()
        await do_filled(
            viewer,
            filled,
            "deal_cancel",
            {"deal": deal_id, "reason": values["reason"], "note": values["note"]},
            lambda at: cancel_deal(
                deal_id=deal_id,
                reason=values["reason"],
                note=values["note"],
                organisation_id=viewer.organisation_id,
                actor=acting(viewer, side),
                at=at,
            ),
        )
    except Invalid as error:
        return await draw(request, viewer, deal, cancelling=filled.refused(error), status=422)
    except WrongState:
        if deal.state != CANCELLED:
            raise
    return pages.redirect(request, f"/deals/{deal_id}", toast=msg("合同已取消，数量已退回货源。"))


@post("/deals/{deal_id:int}/deliveries")
async def schedule(request: WebRequest, viewer: SignedIn, deal_id: FromPath[int]) -> Response[Any]:
    """Announce a delivery."""
    filled = await SCHEDULE.read(request)
    deal, side = await party(deal_id, viewer)
    try:
        filled.check()
        await do_filled(
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
    except (Invalid, NoneSpare) as error:
        at_field = (
            error if isinstance(error, Invalid) else Invalid(error.message, {"quantity": error.message})
        )
        return await draw(request, viewer, deal, schedule=filled.refused(at_field), status=422)
    return pages.redirect(request, f"/deals/{deal_id}#deliveries", toast=msg("已安排发货，对方会收到通知。"))


class _Step(msgspec.Struct, frozen=True):
    """A delivery's move as the post asked for it."""

    move: str
    accepted: Gram | None = None
    reason: str | None = None
    #: Natural loss.
    loss: Gram | None = None
    note: str = ""


async def _move(
    request: WebRequest, viewer: Viewer, deal_id: int, delivery_id: int, filled: Filled, step: _Step
) -> Response[Any]:
    deal, side = await party(deal_id, viewer)
    before = {each.id: each.state for each in await deliveries_of(deal_id=deal_id)}
    if delivery_id not in before:
        raise NotFound(msg("没有找到这次发货。"))
    try:
        await do_filled(
            viewer,
            filled,
            f"delivery_{step.move}",
            {
                "delivery": delivery_id,
                "accepted": step.accepted,
                "reason": step.reason,
                "loss": step.loss,
                "note": step.note,
            },
            lambda at: move_delivery(
                delivery_id=delivery_id,
                move=step.move,
                organisation_id=viewer.organisation_id,
                actor=acting(viewer, side),
                at=at,
                accepted=step.accepted,
                loss=step.loss,
                reason=step.reason,
                note=step.note,
            ),
        )
    except Invalid as error:
        refused = (delivery_id, step.move, filled.refused(error))
        return await draw(request, viewer, deal, refused=refused, status=422)
    except WrongState:
        done = {move.target for move in DELIVERY.moves if move.name == step.move and side in move.by}
        if before[delivery_id] not in done:
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
    values = filled.values
    step = _Step("accept_part", values.get("accepted"), values.get("reason"), note=values.get("note") or "")
    return await _checked(request, viewer, deal_id, delivery_id, filled, step)


@post("/deals/{deal_id:int}/deliveries/{delivery_id:int}/accept-loss")
async def accept_loss(
    request: WebRequest, viewer: SignedIn, deal_id: FromPath[int], delivery_id: FromPath[int]
) -> Response[Any]:
    """Take all that arrived, less what was lost on the way within the agreed rate."""
    filled = await ACCEPT_LOSS.read(request)
    step = _Step("accept", loss=filled.values.get("loss"))
    return await _checked(request, viewer, deal_id, delivery_id, filled, step)


@post("/deals/{deal_id:int}/deliveries/{delivery_id:int}/reject")
async def reject(
    request: WebRequest, viewer: SignedIn, deal_id: FromPath[int], delivery_id: FromPath[int]
) -> Response[Any]:
    """Refuse a delivery with a coded reason."""
    filled = await (await refusal_form(request, GOODS_REFUSED)).read(request)
    step = _Step("reject", reason=filled.values.get("reason"), note=filled.values.get("note") or "")
    return await _checked(request, viewer, deal_id, delivery_id, filled, step)


async def _checked(
    request: WebRequest, viewer: Viewer, deal_id: int, delivery_id: int, filled: Filled, step: _Step
) -> Response[Any]:
    if filled.errors:
        deal, _ = await party(deal_id, viewer)
        return await draw(request, viewer, deal, refused=(delivery_id, step.move, filled), status=422)
    return await _move(request, viewer, deal_id, delivery_id, filled, step)


@post("/deals/{deal_id:int}/payments/{payment_id:int}/pay")
async def pay_one(
    request: WebRequest, viewer: SignedIn, deal_id: FromPath[int], payment_id: FromPath[int]
) -> Response[Any]:
    """Note that the buyer has paid."""
    return await _pay(request, viewer, deal_id, payment_id, await PAY.read(request))


@post("/deals/{deal_id:int}/payments/{payment_id:int}/pay-part")
async def pay_part(
    request: WebRequest, viewer: SignedIn, deal_id: FromPath[int], payment_id: FromPath[int]
) -> Response[Any]:
    """Note that the buyer has paid some of it."""
    return await _pay(request, viewer, deal_id, payment_id, await PAY_PART.read(request))


async def _pay(
    request: WebRequest, viewer: Viewer, deal_id: int, payment_id: int, filled: Filled
) -> Response[Any]:
    deal, _ = await party(deal_id, viewer)
    before = {each.id: each.state for each in await payments_of(deal_id=deal_id)}
    if payment_id not in before:
        raise NotFound(msg("没有找到这笔货款。"))
    try:
        filled.check()
        money, seen = filled.values.get("money"), filled.values.get("open")
        await do_filled(
            viewer,
            filled,
            "payment_pay",
            {"payment": payment_id, "money": money},
            lambda at: pay(
                payment_id=payment_id,
                money=money,
                seen=None if seen is None else Fen(seen),
                organisation_id=viewer.organisation_id,
                actor=acting(viewer, "buyer"),
                at=at,
            ),
        )
    except PaidMeanwhile as changed:
        return await _pay_again(request, viewer, deal, payment_id, changed.message, status=409)
    except Invalid as error:
        if "money" not in filled.form.fields:
            return await _pay_again(request, viewer, deal, payment_id, error.message, status=422)
        refused = (payment_id, "pay", filled.refused(error))
        return await draw(request, viewer, deal, refused=refused, status=422)
    except WrongState:
        if before[payment_id] != "paid":
            raise
    return pages.redirect(request, f"/deals/{deal_id}#payments", toast=msg("已记为付款。"))


async def _pay_again(
    request: WebRequest, viewer: Viewer, deal: DealRow, payment_id: int, why: Message, *, status: int
) -> Response[Any]:
    """Say why all that was open was not noted as paid: beside the sum that can be noted now.

    Raises:
        Conflict: nothing can be noted now.
    """
    now = next(each for each in await payments_of(deal_id=deal.id) if each.id == payment_id)
    if now.amount <= now.paid + now.disputed:
        raise Conflict(why)
    again = PAY_PART.blank(key=new_key()).refused(Invalid(why, {"money": why}))
    return await draw(request, viewer, deal, refused=(payment_id, "pay", again), status=status)


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
    pay_part,
    accept_loss,
]

"""Contracts, their deliveries and payments."""

from datetime import date, datetime
from typing import Literal

import msgspec
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import Actor, Viewer
from market.api.handling import acting, deed, do_once, read
from market.api.inputs import Code, Fens, Grams, IdempotencyKey, Line, Note, PathId, SignedIn
from market.api.outputs import Moved
from market.catalogue.queries import check_reason
from market.catalogue.rules import GOODS_REFUSED
from market.db.replay import once
from market.deals import operations
from market.deals.fulfilment import move_delivery, schedule_delivery
from market.deals.paying import pay
from market.deals.queries import (
    DealRow,
    DeliveryRow,
    PaymentRow,
    deal_of,
    deals_of,
    deliveries_of,
    payments_of,
)
from market.deals.receipts import ReceiptRow, answer_receipt, receipts_under
from market.deals.rules import CANCELLED, PAID
from market.errors import NotFound
from market.i18n import msg
from market.units import Fen, Gram

ReceiptMove = Literal["confirm", "dispute", "withdraw"]
Step = Literal["dispatch", "arrive", "accept", "accept_part", "reject", "cancel"]
#: The steps that say why.
_WITH_REASON = frozenset({"accept_part", "reject"})


class Contract(msgspec.Struct, frozen=True):
    """A deal with what has been delivered and paid of it."""

    deal: DealRow
    deliveries: list[DeliveryRow]
    payments: list[PaymentRow]
    #: Money as the buyer wrote it down, and what the seller says of it.
    receipts: list[ReceiptRow]


class DeliveryToSchedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    quantity: Grams
    on: date


class DeliveryStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`accepted` grams go with `accept_part`, a `reason` of `/codes` and a `note` with it and with `reject`;
    else `{}`. The reason is one that is used for `goods`.

    `loss`: grams lost on the way within the agreed rate, with `accept` and `accept_part`.
    """

    accepted: Grams | None = None
    reason: Code | None = None
    loss: Grams | None = None
    note: Note = ""


class Cancelling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why: a reason of `/codes` that is used for `cancel`, and a word to it. The other side sees both."""

    reason: Code
    note: Note = ""


class ReceiptAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A word to the answer; money that is denied needs one."""

    note: Line = ""


class Money(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    money: Fens


class Scheduled(msgspec.Struct, frozen=True):
    delivery_id: int


class _Schedule(msgspec.Struct, frozen=True):
    deal_id: int
    delivery: DeliveryToSchedule


@read("/deals")
async def index(viewer: SignedIn) -> list[DealRow]:
    """Your organisation's deals, or those of its sellers where it is a town; newest first."""
    return await deals_of(organisation_id=viewer.organisation_id)


@read("/deals/{deal_id:int}")
async def one(viewer: SignedIn, deal_id: PathId) -> Contract:
    """One deal with its deliveries and payments."""
    return Contract(
        await deal_of(deal_id=deal_id, organisation_id=viewer.organisation_id),
        await deliveries_of(deal_id=deal_id),
        await payments_of(deal_id=deal_id),
        await receipts_under([deal_id]),
    )


async def actor_in(viewer: Viewer, deal_id: int) -> Actor:
    """Return the viewer as one who acts for its side of a deal; whoever has none does not find it."""
    row = await deal_of(deal_id=deal_id, organisation_id=viewer.organisation_id)
    side = {row.seller: "seller", row.buyer: "buyer"}.get(viewer.organisation_id)
    if side is None:
        raise NotFound(msg("没有找到这份合同。"))
    return acting(viewer, side)


@deed("/deals/{deal_id:int}/sign")
async def sign(viewer: SignedIn, deal_id: PathId, key: IdempotencyKey = None) -> Moved:
    """Sign for your side; the second signature makes the contract binding."""
    by = await actor_in(viewer, deal_id)
    return await do_once(
        viewer=viewer,
        key=key,
        name="deal_sign",
        about={"deal": deal_id},
        do=lambda at: operations.sign(
            deal_id=deal_id, organisation_id=viewer.organisation_id, actor=by, at=at
        ),
    )


@deed("/deals/{deal_id:int}/cancel", body=Cancelling)
async def cancel(
    viewer: SignedIn, deal_id: PathId, data: JSONBody[Cancelling], key: IdempotencyKey = None
) -> Moved:
    """Cancel a contract that does not bind yet; stock and demand are free again."""
    by = await actor_in(viewer, deal_id)

    async def do(at: datetime) -> str:
        await operations.cancel(
            deal_id=deal_id,
            reason=data.reason,
            note=data.note,
            organisation_id=viewer.organisation_id,
            actor=by,
            at=at,
        )
        return CANCELLED

    about = {"deal": deal_id, "reason": data.reason, "note": data.note}
    return await do_once(viewer=viewer, key=key, name="deal_cancel", about=about, do=do)


@deed("/deals/{deal_id:int}/deliveries", body=DeliveryToSchedule, status=201)
async def schedule(
    viewer: SignedIn, deal_id: PathId, data: JSONBody[DeliveryToSchedule], key: IdempotencyKey = None
) -> Scheduled:
    """Announce a delivery of your goods."""
    by, at = await actor_in(viewer, deal_id), clock.now()

    async def do() -> Scheduled:
        return Scheduled(
            await schedule_delivery(
                deal_id=deal_id,
                quantity=Gram(data.quantity),
                on=data.on,
                organisation_id=viewer.organisation_id,
                actor=by,
                at=at,
            )
        )

    return await once(
        key=key,
        person_id=viewer.person_id,
        request=_Schedule(deal_id, data),
        reply_type=Scheduled,
        deed=do,
        at=at,
    )


@deed("/deals/{deal_id:int}/deliveries/{delivery_id:int}/{step:str}", body=DeliveryStep)
async def move(
    viewer: SignedIn,
    deal_id: PathId,
    delivery_id: PathId,
    step: FromPath[Step],
    data: JSONBody[DeliveryStep],
    key: IdempotencyKey = None,
) -> Moved:
    """Take a delivery one step on; what the buyer accepts is invoiced at once."""
    by = await actor_in(viewer, deal_id)
    if delivery_id not in {each.id for each in await deliveries_of(deal_id=deal_id)}:
        raise NotFound(msg("没有找到这次发货。"))
    reason = data.reason if step in _WITH_REASON else None
    note = data.note if step in _WITH_REASON else ""
    if reason is not None:
        await check_reason(reason, GOODS_REFUSED, words=note)
    return await do_once(
        viewer=viewer,
        key=key,
        name=f"delivery_{step}",
        about={
            "delivery": delivery_id,
            "accepted": data.accepted,
            "reason": reason,
            "loss": data.loss,
            "note": note,
        },
        do=lambda at: move_delivery(
            delivery_id=delivery_id,
            move=step,
            organisation_id=viewer.organisation_id,
            actor=by,
            at=at,
            accepted=None if data.accepted is None else Gram(data.accepted),
            loss=None if data.loss is None else Gram(data.loss),
            reason=reason,
            note=note,
        ),
    )


@deed("/deals/{deal_id:int}/receipts/{receipt_id:int}/{move:str}", body=ReceiptAnswer)
async def answer_money(
    viewer: SignedIn,
    deal_id: PathId,
    receipt_id: PathId,
    move: FromPath[ReceiptMove],
    data: JSONBody[ReceiptAnswer],
    key: IdempotencyKey = None,
) -> Moved:
    """`confirm` that money came, `dispute` it with a `note` (seller), or `withdraw` a wrong claim (buyer)."""
    by = await actor_in(viewer, deal_id)
    if receipt_id not in {each.id for each in await receipts_under([deal_id])}:
        raise NotFound(msg("没有找到这笔付款。"))
    return await do_once(
        viewer=viewer,
        key=key,
        name=f"receipt_{move}",
        about={"receipt": receipt_id, "note": data.note},
        do=lambda at: answer_receipt(
            receipt_id=receipt_id,
            move=move,
            organisation_id=viewer.organisation_id,
            actor=by,
            at=at,
            note=data.note,
        ),
    )


@deed("/deals/{deal_id:int}/payments/{payment_id:int}/pay")
async def pay_one(viewer: SignedIn, deal_id: PathId, payment_id: PathId, key: IdempotencyKey = None) -> Moved:
    """Note that you have paid: a claim until the seller confirms it. Only then is a contract complete."""
    by = await actor_in(viewer, deal_id)
    if payment_id not in {each.id for each in await payments_of(deal_id=deal_id)}:
        raise NotFound(msg("没有找到这笔货款。"))

    async def do(at: datetime) -> str:
        await pay(payment_id=payment_id, organisation_id=viewer.organisation_id, actor=by, at=at)
        return PAID

    return await do_once(viewer=viewer, key=key, name="payment_pay", about={"payment": payment_id}, do=do)


@deed("/deals/{deal_id:int}/payments/{payment_id:int}/pay-part", body=Money)
async def pay_part(
    viewer: SignedIn,
    deal_id: PathId,
    payment_id: PathId,
    data: JSONBody[Money],
    key: IdempotencyKey = None,
) -> Moved:
    """Note that you have paid some of it, at most what is open."""
    by = await actor_in(viewer, deal_id)
    if payment_id not in {each.id for each in await payments_of(deal_id=deal_id)}:
        raise NotFound(msg("没有找到这笔货款。"))
    return await do_once(
        viewer=viewer,
        key=key,
        name="payment_pay_part",
        about={"payment": payment_id, "money": data.money},
        do=lambda at: pay(
            payment_id=payment_id,
            money=Fen(data.money),
            organisation_id=viewer.organisation_id,
            actor=by,
            at=at,
        ),
    )


routes: list[ControllerRouterHandler] = [
    index,
    one,
    sign,
    cancel,
    schedule,
    move,
    pay_one,
    pay_part,
    answer_money,
]

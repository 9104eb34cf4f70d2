"""One contract as a page: its terms, signatures, deliveries, payments, history, and whom to call."""

from litestar import Response

from market import clock
from market.accounts.rules import DELIVER, ROLES, Viewer
from market.audit.looks import LOOK_REASONS
from market.audit.queries import history
from market.bids.joint.queries import together_with
from market.catalogue.queries import grades, produce_by_code
from market.catalogue.rules import CANCELS, GOODS_REFUSED
from market.deals.above import still_to_plan
from market.deals.breach_queries import cases_of
from market.deals.clauses import Terms, price_of
from market.deals.contacts import look_up_contacts
from market.deals.endings.queries import endings_of
from market.deals.endings.rules import HOW
from market.deals.open_terms import open_proposal
from market.deals.punctual import out_of_time
from market.deals.queries import DealRow, DeliveryRow, deal_of, deliveries_of, payments_of
from market.deals.receipts import LONGEST_NOTE as LONGEST_DENIAL
from market.deals.receipts import receipts_under
from market.deals.rules import (
    ACTIVE,
    BOUND,
    BREACH,
    CANCELLED,
    CONTRACT,
    DELIVERY,
    PARTLY_SIGNED,
    PAYMENT,
    PENDING,
    PROPOSED,
    RECEIPT,
    SOURCES,
    TAKEN,
)
from market.deals.terms import terms_in_force
from market.deals.unfair import LEVELS, advice_on
from market.deals.wording import lines_of
from market.errors import NotFound
from market.i18n import Message, msg
from market.organisations.approval_queries import waiting_on
from market.units import Fen, FenPerKg, Gram, amount
from market.web.deals.arrival_forms import shown_arrivals
from market.web.deals.invoice_forms import shown_invoices
from market.web.deals.scan_forms import shown_scans
from market.web.edge.addresses import row_number
from market.web.edge.guards import WebRequest
from market.web.parts import fields
from market.web.parts.badges import badges_of
from market.web.parts.forms import Filled, Form
from market.web.parts.trade import KEY, acting, new_key, refusal_form, show

#: What the record's words mean to people.
DEEDS: dict[str, Message] = {
    "make": msg("生成合同，数量已占用"),
    "sign": msg("已签字"),
    "countersign": msg("签字，合同生效"),
    "cancel": msg("签约前取消，数量已退回"),
    "schedule_delivery": msg("已安排发货"),
    "delivery_dispatch": msg("发了货"),
    "delivery_arrive": msg("到货"),
    "state_arrival": msg("卖方说明已到货"),
    "confirm_arrival": msg("买方确认到货"),
    "deny_arrival": msg("买方说没有到货"),
    "withdraw_arrival": msg("卖方撤回到货说明"),
    "delivery_pass": msg("验收期过了没有答复，按验收处理"),
    "delivery_accept": msg("全部收下"),
    "delivery_accept_part": msg("收下一部分"),
    "delivery_reject": msg("没有收下"),
    "delivery_cancel": msg("取消发货"),
    "pay": msg("付了货款"),
    "pay_part": msg("付了一部分货款"),
    "confirm_receipt": msg("卖方确认收到货款"),
    "dispute_receipt": msg("卖方说货款没有收到"),
    "withdraw_receipt": msg("买方撤回记错的付款"),
    "terminate": msg("通知解除合同，余量重新上架"),
    "propose_ending": msg("提议了协商解除"),
    "agree_ending": msg("双方协商解除，余量重新上架"),
    "refuse_ending": msg("没有同意协商解除"),
    "withdraw_ending": msg("撤回协商解除的提议"),
    "force_majeure": msg("因不可抗力通知解除，余量重新上架"),
    "prove_ending": msg("补充不可抗力的证明"),
    "propose_terms": msg("提议了改条款"),
    "agree_terms": msg("新条款双方已签"),
    "refuse_terms": msg("不同意改条款"),
    "withdraw_terms": msg("撤回条款提议"),
    "upload_scan": msg("上传扫描件"),
    "present_scan": msg("凭扫描件签字"),
    "confirm_scan": msg("确认扫描件就是所签的"),
    "refuse_scan": msg("不认可扫描件"),
    "dispute_scan": msg("对归档的扫描件提出异议"),
    "withdraw_scan": msg("撤回扫描件"),
    "file_scan": msg("扫描件归档"),
    "outdate_scan": msg("条款改了或合同取消，扫描件不再作数"),
    "record_invoice": msg("记发票"),
    "refuse_invoice": msg("退了票"),
    "accept_invoice": msg("退过的票还是收下"),
    "reverse_invoice": msg("红冲发票"),
    "withdraw_invoice": msg("撤销记错的发票"),
}
_TONES = {
    "countersign": "good",
    "delivery_accept": "good",
    "confirm_receipt": "good",
    "dispute_receipt": "bad",
    "deny_arrival": "bad",
    "cancel": "bad",
    "terminate": "bad",
    "agree_ending": "bad",
    "force_majeure": "bad",
    "delivery_reject": "bad",
}
#: The buttons of a delivery that need nothing but a press: label and kind of button.
DELIVERY_MOVES: dict[str, tuple[Message, str]] = {
    "dispatch": (msg("已发货"), "primary"),
    "arrive": (msg("已到货"), "primary"),
    "accept": (msg("全部验收"), "deal"),
    "cancel": (msg("取消这次发货"), "quiet"),
}


def side_of(deal: DealRow, viewer: Viewer) -> str | None:
    """Return which side the viewer is; None for the town, which only looks on."""
    return {deal.seller: "seller", deal.buyer: "buyer"}.get(viewer.organisation_id)


async def deal_and_side(deal_id: int, viewer: Viewer) -> tuple[DealRow, str | None]:
    """Return a contract that the viewer may see, and which side of it the viewer is."""
    deal = await deal_of(deal_id=row_number(deal_id), organisation_id=viewer.organisation_id)
    return deal, side_of(deal, viewer)


async def party(deal_id: int, viewer: Viewer) -> tuple[DealRow, str]:
    """Return a contract of the viewer's, and which side of it the viewer is.

    Raises:
        NotFound: there is none, or it is not the viewer's to act under.
    """
    deal, side = await deal_and_side(deal_id, viewer)
    if side is None:
        raise NotFound(msg("没有找到这份合同。"))
    return deal, side


def has_signed(deal: DealRow, side: str | None) -> bool:
    return (deal.seller_signed_at if side == "seller" else deal.buyer_signed_at) is not None


def total_of(deal: DealRow) -> Fen:
    """Return what stands of a contract at its terms of now; of a cancelled one what it would have been."""
    if deal.state == CANCELLED:
        return amount(Gram(deal.quantity), FenPerKg(deal.price_now))
    return Fen(deal.worth)


def needs_signature(deal: DealRow, viewer: Viewer) -> bool:
    side = side_of(deal, viewer)
    return side is not None and deal.state in (PENDING, PARTLY_SIGNED) and not has_signed(deal, side)


SCHEDULE = Form(
    quantity=fields.quantity(msg("这次发多少")),
    on=fields.day(msg("哪天发货")),
    key=KEY,
)

#: Why the numbers of the other side are to be seen.
LOOK = Form(reason=fields.choice(msg("为什么要看"), LOOK_REASONS))


async def draw(
    request: WebRequest,
    viewer: Viewer,
    deal: DealRow,
    *,
    schedule: Filled | None = None,
    refused: tuple[int, str, Filled] | None = None,
    cancelling: Filled | None = None,
    look: str | None = None,
    look_form: Filled | None = None,
    scanning: Filled | None = None,
    invoicing: Filled | None = None,
    status: int = 200,
) -> Response[str]:
    """Draw the contract; ``refused`` is (delivery, what was tried, the form with its faults).

    ``look`` is the reason for which the other side's numbers are shown whole, this once.
    """
    side = side_of(deal, viewer)
    # an agent that was let do so delivers for a seller, and inspects for nobody
    delivers = viewer.delegation_id is None or (side == "seller" and DELIVER in viewer.delegated)
    deliveries = await deliveries_of(deal_id=deal.id)
    planned = sum(
        (each.accepted or 0) + each.loss if each.state in TAKEN else each.quantity
        for each in deliveries
        if each.state not in ("cancelled", "rejected")
    )
    version, terms = await terms_in_force(deal_id=deal.id)
    left, most = still_to_plan(terms, quantity=Gram(deal.quantity), so_far=Gram(planned))
    if schedule is None:
        schedule = SCHEDULE.blank(
            quantity=left if left > 0 else None, on=max(deal.deliver_from, clock.today()), key=new_key()
        )
    blank_part = (await part_form(request)).blank(key=new_key())
    blank_loss = ACCEPT_LOSS.blank(key=new_key())
    blank_pay = PAY_PART.blank(key=new_key())
    receipts = await receipts_under([deal.id])
    blank_refusal = (await refusal_form(request, GOODS_REFUSED)).blank(key=new_key())
    grade = next((each for each in await grades() if each.level == deal.grade), None)
    price = price_of(terms, FenPerKg(deal.price))
    return show(
        request,
        "deals/one.html",
        status=status,
        deal=deal,
        badges=await badges_of(deal.seller, deal.buyer),
        waits=await waiting_on(f"deal:{deal.id}", organisation_id=viewer.organisation_id),
        side=side,
        produce=await produce_by_code(deal.produce),
        grade=grade,
        price=price,
        total=amount(Gram(deal.quantity), price),
        source=SOURCES.get(deal.source),
        together=await together_with(deal_id=deal.id) if deal.source == "joint" else None,
        can_sign=needs_signature(deal, viewer),
        cancelling=cancelling or (await refusal_form(request, CANCELS)).blank(key=new_key()),
        can_cancel=side is not None and "cancel" in CONTRACT.available(state=deal.state, by=side),
        deliveries=[
            (each, DELIVERY.available(state=each.state, by=side or "") if delivers else ())
            for each in deliveries
        ],
        delivery_moves=DELIVERY_MOVES,
        out_of_time=lambda delivery: _out_of_time(deal, delivery, terms),
        payments=[
            (each, side == "buyer" and each.amount > each.paid + each.disputed)
            for each in await payments_of(deal_id=deal.id)
        ],
        can_schedule=delivers and side == "seller" and deal.state == ACTIVE and most > 0,
        left=left,
        most=most,
        schedule=schedule,
        part_of=lambda delivery: _form_for(refused, delivery, "accept_part", blank_part),
        refusal_of=lambda delivery: _form_for(refused, delivery, "reject", blank_refusal),
        loss_of=lambda delivery: _form_for(refused, delivery, "accept", blank_loss),
        pay_of=lambda payment: _form_for(refused, payment, "pay", blank_pay),
        receipts_of=lambda payment: [
            (each, RECEIPT.available(state=each.state, by=side or ""))
            for each in receipts
            if each.payment == payment
        ],
        denial_of=lambda receipt: _form_for(refused, receipt, "dispute", DENY.blank(key=new_key())),
        RECEIPT=RECEIPT,
        may_lose=terms.natural_loss > 0,
        kinds=PAYMENT_KINDS,
        cases=await cases_of(organisation_id=viewer.organisation_id, deal_id=deal.id),
        BREACH=BREACH,
        ending=next((e for e in await endings_of(deal_id=deal.id) if e.state == PROPOSED), None),
        ended_how=HOW.get(deal.ended_how or ""),
        contacts=await look_up_contacts(
            deal_id=deal.id,
            organisation_id=viewer.organisation_id,
            actor=acting(viewer, side),
            at=clock.now(),
            reason=look,
        )
        if side and viewer.delegation_id is None
        else [],
        look_form=look_form or LOOK.blank(),
        roles=ROLES,
        steps=await history(subjects=[f"deal:{deal.id}"]),
        deeds=DEEDS,
        tones=_TONES,
        is_signed=deal.state in BOUND,
        version=version,
        lines=lines_of(terms, price=FenPerKg(deal.price)),
        advice=advice_on(terms),
        levels=LEVELS,
        has_proposal=await open_proposal(deal_id=deal.id) is not None,
        **await shown_scans(
            deal,
            viewer,
            side,
            scanning=scanning,
            refused=(refused[0], refused[2]) if refused and refused[1] == "refuse_scan" else None,
        ),
        **await shown_arrivals(deal, side, delivers=delivers, refused=refused),
        **await shown_invoices(request, deal, side, deliveries, invoicing=invoicing, refused=refused),
        calls_for_invoice=terms.invoice != "none",
        CONTRACT=CONTRACT,
        DELIVERY=DELIVERY,
        PAYMENT=PAYMENT,
    )


def _out_of_time(deal: DealRow, delivery: DeliveryRow, terms: Terms) -> Message | None:
    """Return how a load that was, or is to be, delivered outside of the contract's time is marked."""
    if delivery.state == CANCELLED:
        return None
    found = out_of_time(
        freight=terms.freight,
        window=(deal.deliver_from, deal.deliver_to),
        scheduled_on=delivery.scheduled_on,
        dispatched_at=delivery.dispatched_at,
        arrived_at=delivery.arrived_at,
    )
    return {"late": msg("比约定晚"), "early": msg("比约定早")}[found] if found else None


def _form_for(refused: tuple[int, str, Filled] | None, delivery: int, move: str, blank: Filled) -> Filled:
    if refused and refused[:2] == (delivery, move):
        return refused[2]
    return blank


#: ``open``: fen that were open when it was read.
PAY = Form(open=fields.hidden(int, optional=True), key=KEY)
PAY_PART = Form(money=fields.money(msg("这次付多少")), key=KEY)
#: The payee's word that money did not come.
DENY = Form(
    note=fields.text(
        msg("没收到的说明"), most=LONGEST_DENIAL, hint=msg("例如 查到 11 月 30 日，对公账户没有这笔。")
    ),
    key=KEY,
)
ACCEPT_LOSS = Form(
    loss=fields.quantity(msg("途中失重多少"), unit="kg", hint=msg("约定损耗以内的失重；其余全部收下。")),
    key=KEY,
)
#: What a payment is for.
PAYMENT_KINDS: dict[str, Message] = {
    "deposit": msg("定金"),
    "advance": msg("预付款"),
    "goods": msg("货款"),
}


async def part_form(request: WebRequest) -> Form:
    """Return the form of a partial acceptance: how much, and why not all."""
    return await refusal_form(request, GOODS_REFUSED, accepted=fields.quantity(msg("验收多少")))

"""What waits for a seller or a buyer: one list, each thing with its day, what is late on top."""

from collections import defaultdict
from datetime import date, datetime

import msgspec

from market import clock
from market.accounts.rules import MANAGER, Viewer
from market.bids.joint.queries import joints_waiting_for
from market.bids.queries import BidRow
from market.bids.rules import NEEDS_RECONFIRM, SUBMITTED
from market.clock import CHINA
from market.deals.breach_queries import cases_of
from market.deals.clauses import Terms, least_performed, usual_terms
from market.deals.endings.queries import ending_to_answer
from market.deals.frames.queries import calls_of, frames_of
from market.deals.frames.rules import BUYER_ENDS, PROPOSED, REQUESTED, SELLER_ENDS
from market.deals.invoices.queries import sent_back
from market.deals.invoices.rules import issuer_of
from market.deals.queries import DealRow, DeliveryRow, PaymentRow, deliveries_under, payments_under
from market.deals.receipts import receipts_under
from market.deals.rules import ACTIVE, BOUND, BREACH, CLAIMED, FILED
from market.deals.scans.queries import awaits_confirming
from market.deals.terms import agreed_terms
from market.i18n import Message, msg, translate
from market.matching.queries import MatchRow
from market.organisations.approval_queries import approvals_of
from market.organisations.rules import WAITING
from market.supply.queries import OwnListing
from market.supply.rules import PUBLISHED
from market.units import Gram
from market.web.deals.sheet import needs_signature
from market.web.edge.guards import WebRequest
from market.web.edge.language import language_of
from market.web.goods.selling import SOON_DAYS
from market.web.matching import matches as match_pages
from market.web.parts import formats
from market.web.parts.trade import name_in

#: Contracts whose deliveries and payments are looked through for what is to be done.
_MOST_OPEN = 60
#: A payment due within so many days is told.
_PAY_SOON_DAYS = 14
#: What a joint offer waits for -> what it is called, and what to press.
_JOINT_STEPS: dict[str, tuple[Message, Message]] = {
    "answer": (msg("拼货报价待答复"), msg("去答复")),
    "admit": (msg("拼货申请待答复"), msg("去答复")),
    "submit": (msg("拼货待交给买方"), msg("去提交")),
    "confirm": (msg("拼货邀请待确认"), msg("去确认")),
    "reconfirm": (msg("拼货有变动，待确认"), msg("去确认")),
}
#: Deliveries that are planned or on their way.
_UNDER_WAY = frozenset({"scheduled", "dispatched", "arrived"})


class Todo(msgspec.Struct, frozen=True):
    """One thing to do. ``due`` is until when; tone: bad (late or today), wait, plain."""

    label: Message
    title: str
    note: Message | str
    link: str
    act: Message
    due: date | None = None
    tone: str = "wait"

    @property
    def is_late(self) -> bool:
        return self.due is not None and self.due < clock.today()

    @property
    def is_this_year(self) -> bool:
        return self.due is not None and self.due.year == clock.today().year


async def todo_of(
    request: WebRequest,
    viewer: Viewer,
    *,
    bids: list[BidRow],
    matches: list[MatchRow],
    deals: list[DealRow],
    listings: list[OwnListing] | None = None,
) -> list[Todo]:
    """Return everything that waits for this side, by its day; ``listings`` are a seller's own."""
    return _in_order(
        [
            *await _signatures(request, viewer, deals),
            *await _approvals(request, viewer),
            *_answers(request, viewer, bids),
            *await _joints(request, viewer),
            *_suggestions(request, viewer, matches),
            *await _breaches(request, viewer),
            *await _frames(request, viewer),
            *await _endings(request, viewer, deals),
            *await _fulfilment(request, viewer, deals),
            *await _invoices(request, viewer, deals),
            *_expiring(request, listings or []),
        ]
    )


def _in_order(todo: list[Todo]) -> list[Todo]:
    """Put what is due first on top; what has no day comes last, in the order it was found."""
    return sorted(todo, key=lambda one: one.due or date.max)


def _day(moment: datetime) -> date:
    return moment.astimezone(CHINA).date()


def _tone(due: date) -> str:
    return "bad" if due <= clock.today() else "wait"


async def _signatures(request: WebRequest, viewer: Viewer, deals: list[DealRow]) -> list[Todo]:
    """Contracts to sign: in the app, or by a word to the paper that the other side has scanned."""
    language = language_of(request)
    unsigned = [deal for deal in deals if needs_signature(deal, viewer)]
    on_paper = await awaits_confirming(organisation_id=viewer.organisation_id) if unsigned else frozenset()
    return [
        Todo(
            msg("扫描件待确认") if deal.id in on_paper else msg("待签字"),
            name_in(language, deal, "title"),
            _with_whom(
                name_in(
                    language, deal, "buyer_name" if deal.seller == viewer.organisation_id else "seller_name"
                )
            ),
            f"/deals/{deal.id}#scans" if deal.id in on_paper else f"/deals/{deal.id}",
            msg("去核对") if deal.id in on_paper else msg("去签字"),
        )
        for deal in unsigned
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


async def _joints(request: WebRequest, viewer: Viewer) -> list[Todo]:
    """Joint offers to answer, to pass on, or to say yes to with one's own share."""
    language, todo = language_of(request), []
    for joint in await joints_waiting_for(organisation_id=viewer.organisation_id, at=clock.now()):
        label, act = _JOINT_STEPS[joint.awaits]
        leads = joint.awaits in ("admit", "submit")
        other = name_in(language, joint, "buyer_name" if leads else "lead_name")
        note = _with_whom(other) if leads else msg("牵头：{name}", name=other)
        due = _day(joint.expires_at)
        link, title = f"/joint/{joint.id}", name_in(language, joint, "title")
        todo.append(Todo(label, title, note, link, act, due, _tone(due)))
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
    """Deliveries to plan, to send, to take in or to check, and payments that are nearly due or late."""
    language, today = language_of(request), clock.today()
    looked_at = [deal for deal in deals if _is_open(deal)][:_MOST_OPEN]
    numbers = [deal.id for deal in looked_at]
    deliveries: defaultdict[int, list[DeliveryRow]] = defaultdict(list)
    payments: defaultdict[int, list[PaymentRow]] = defaultdict(list)
    for delivery in await deliveries_under(numbers):
        deliveries[delivery.deal].append(delivery)
    for payment in await payments_under(numbers):
        payments[payment.deal].append(payment)
    claims = {each.deal for each in await receipts_under(numbers) if each.state == CLAIMED}
    agreed = await agreed_terms(numbers)
    todo = []
    for deal in looked_at:
        is_seller = deal.seller == viewer.organisation_id
        title = name_in(language, deal, "title")
        number = msg("合同 {number}", number=deal.number)
        loads = deliveries[deal.id]
        for load in loads:
            step = _delivery_step(load.state, is_seller=is_seller)
            if step:
                # whoever was told that goods came has until its time to inspect is over
                due = (None if is_seller else load.inspect_by) or load.scheduled_on
                link = f"/deals/{deal.id}#deliveries"
                todo.append(Todo(step[0], title, number, link, step[1], due, _tone(due)))
        if is_seller and deal.state == ACTIVE and _lacks_delivery(deal, loads, agreed.get(deal.id)):
            due, link = deal.deliver_to, f"/deals/{deal.id}#deliveries"
            refused = any(each.state == "rejected" for each in loads)
            label = msg("被拒收，待补发") if refused else msg("待安排发货")
            todo.append(Todo(label, title, number, link, msg("去安排"), due, _tone(due)))
        if is_seller and deal.id in claims:
            link = f"/deals/{deal.id}#payments"
            todo.append(Todo(msg("待确认到账"), title, number, link, msg("去确认")))
        for bill in [] if is_seller else payments[deal.id]:
            if bill.amount > bill.paid + bill.disputed and (bill.due_on - today).days <= _PAY_SOON_DAYS:
                due = bill.due_on
                link = f"/deals/{deal.id}#payments"
                label = msg("货款逾期") if due < today else msg("待付款")
                todo.append(Todo(label, title, number, link, msg("去付款"), due, _tone(due)))
    return todo


async def _invoices(request: WebRequest, viewer: Viewer, deals: list[DealRow]) -> list[Todo]:
    """Goods that were accepted and are not invoiced, where the contract calls for an invoice of this side."""
    language = language_of(request)
    lacking = [deal for deal in deals if deal.state in BOUND and deal.billed < deal.invoiced]
    agreed = await agreed_terms([deal.id for deal in lacking]) if lacking else {}
    owed = [
        deal
        for deal in lacking
        if (terms := agreed.get(deal.id)) is not None
        and terms.invoice != "none"
        and (deal.seller if issuer_of(terms.invoice) == "seller" else deal.buyer) == viewer.organisation_id
    ]
    returned = await sent_back([deal.id for deal in owed]) if owed else {}
    return [
        Todo(
            msg("发票被退，待重开") if deal.id in returned else msg("已验收，待开发票"),
            name_in(language, deal, "title"),
            msg("合同 {number}", number=deal.number),
            f"/deals/{deal.id}#invoices",
            msg("去看看") if deal.id in returned else msg("去记发票"),
        )
        for deal in owed[:_MOST_OPEN]
    ]


def _is_open(deal: DealRow) -> bool:
    """Whether a contract may still ask something: in force, or ended with goods on the way or money owed."""
    if deal.state == ACTIVE:
        return True
    return deal.state in BOUND and (deal.paid < deal.invoiced or deal.standing > deal.delivered + deal.lost)


def _lacks_delivery(deal: DealRow, deliveries: list[DeliveryRow], agreed: Terms | None) -> bool:
    """Whether a contract in force still wants goods that no delivery is planned for."""
    planned = sum(each.quantity for each in deliveries if each.state in _UNDER_WAY)
    covered = deal.delivered + deal.lost + planned
    terms = agreed or usual_terms(deliver_from=deal.deliver_from, deliver_to=deal.deliver_to)
    return covered < deal.standing and covered < least_performed(terms, Gram(deal.quantity))


async def _breaches(request: WebRequest, viewer: Viewer) -> list[Todo]:
    """Claims that this side has to answer in time, and offers of settlement from the other side."""
    language, own = language_of(request), viewer.organisation_id
    todo = []
    for case in await cases_of(organisation_id=own):
        is_claimant = case.claimant == own
        title = name_in(language, case, "title")
        other = name_in(language, case, "respondent_name" if is_claimant else "claimant_name")
        link = f"/breaches/{case.id}"
        if case.state == FILED and case.respondent == own:
            due = case.answer_by
            tone = _tone(due) if due else "wait"
            todo.append(Todo(msg("违约待答复"), title, _with_whom(other), link, msg("去答复"), due, tone))
        if case.offered_by not in (None, own) and case.state in BREACH.sources("settle"):
            todo.append(Todo(msg("和解方案待答复"), title, _with_whom(other), link, msg("去看看")))
    return todo


async def _endings(request: WebRequest, viewer: Viewer, deals: list[DealRow]) -> list[Todo]:
    """Contracts that the other side proposes to end by agreement."""
    language = language_of(request)
    waiting = await ending_to_answer(organisation_id=viewer.organisation_id)
    return [
        Todo(
            msg("协商解除待答复"),
            name_in(language, deal, "title"),
            msg("合同 {number}", number=deal.number),
            f"/deals/{deal.id}/ending",
            msg("去答复"),
        )
        for deal in deals
        if deal.id in waiting
    ]


async def _frames(request: WebRequest, viewer: Viewer) -> list[Todo]:
    """Framework agreements to sign or to answer an early end of, and batches to confirm."""
    language, own = language_of(request), viewer.organisation_id
    todo = []
    for frame in await frames_of(organisation_id=own):
        is_seller = frame.seller == own
        title = msg("{produce} · {number}", produce=name_in(language, frame, "produce"), number=frame.number)
        title_told = translate(title, language)
        note = _with_whom(name_in(language, frame, "buyer_name" if is_seller else "seller_name"))
        link = f"/frames/{frame.id}"
        if frame.state == PROPOSED and frame.proposer != own:
            due = _day(frame.expires_at)
            todo.append(Todo(msg("框架协议待签"), title_told, note, link, msg("去签字"), due, _tone(due)))
        elif frame.state == (BUYER_ENDS if is_seller else SELLER_ENDS):
            todo.append(Todo(msg("提前结束待答复"), title_told, note, link, msg("去答复")))
        if is_seller and frame.waiting:
            calls = await calls_of(frame_id=frame.id, organisation_id=own)
            due = min(_day(each.expires_at) for each in calls if each.state == REQUESTED)
            todo.append(Todo(msg("要货待确认"), title_told, note, link, msg("去确认"), due, _tone(due)))
    return todo


async def _approvals(request: WebRequest, viewer: Viewer) -> list[Todo]:
    """What buyers of this organisation have asked their manager for."""
    if MANAGER not in viewer.roles:
        return []
    language = language_of(request)
    return [
        Todo(
            msg("待审批"),
            translate(each.about, language),
            msg("由 {name} 提出", name=name_in(language, each, "asker")),
            f"/approvals/{each.id}",
            msg("去审批"),
            _day(each.expires_at),
            _tone(_day(each.expires_at)),
        )
        for each in await approvals_of(organisation_id=viewer.organisation_id)
        if each.state == WAITING and each.asked_by != viewer.person_id
    ]


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

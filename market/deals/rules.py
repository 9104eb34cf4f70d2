"""The life of a contract, of its deliveries and payments."""

from datetime import date, datetime, timedelta

from market.i18n import Message, msg
from market.transitions import Lifecycle, Move

PENDING, PARTLY_SIGNED, ACTIVE = "pending", "partly_signed", "active"
COMPLETED, TERMINATED, CANCELLED = "completed", "terminated", "cancelled"
BOTH = frozenset({"seller", "buyer"})

CONTRACT = Lifecycle(
    "contract",
    Move("sign", {PENDING}, PARTLY_SIGNED, by=BOTH),
    Move("countersign", {PARTLY_SIGNED}, ACTIVE, by=BOTH),
    # a signature that came with a scanned paper falls with that paper
    Move("unsign", {PARTLY_SIGNED}, PENDING, by={"system"}),
    Move("cancel", {PENDING, PARTLY_SIGNED}, CANCELLED, by=BOTH),
    Move("complete", {ACTIVE}, COMPLETED, by={"system"}),
    Move("terminate", {ACTIVE}, TERMINATED, by=BOTH),
    start=PENDING,
    labels={
        PENDING: msg("待签约"),
        PARTLY_SIGNED: msg("一方已签"),
        ACTIVE: msg("履约中"),
        COMPLETED: msg("已完成"),
        TERMINATED: msg("已终止"),
        CANCELLED: msg("已取消"),
    },
)
#: What a contract came from.
SOURCES: dict[str, Message] = {
    "bid": msg("出价成交"),
    "offer": msg("报价成交"),
    "joint": msg("拼货成交"),
    "call_off": msg("框架要货"),
    "match": msg("撮合成交"),
    "appointment": msg("对接会成交"),
}
#: A contract that holds goods: its quantity is reserved and counts as sold.
HOLDING = frozenset({PENDING, PARTLY_SIGNED, ACTIVE, COMPLETED})
SIGNED = frozenset({ACTIVE, COMPLETED})
#: Contracts that both sides have signed, be they over since.
BOUND = SIGNED | {TERMINATED}

SCHEDULED, DISPATCHED, ARRIVED, ACCEPTED = "scheduled", "dispatched", "arrived", "accepted"
PARTIALLY_ACCEPTED, REJECTED = "partially_accepted", "rejected"

DELIVERY = Lifecycle(
    "delivery",
    Move("dispatch", {SCHEDULED}, DISPATCHED, by={"seller"}),
    Move("arrive", {DISPATCHED}, ARRIVED, by={"buyer"}),
    Move("accept", {ARRIVED}, ACCEPTED, by={"buyer"}),
    Move("accept_part", {ARRIVED}, PARTIALLY_ACCEPTED, by={"buyer"}),
    Move("reject", {ARRIVED}, REJECTED, by={"buyer"}),
    # the time for inspection is over, and its buyer has said nothing (``arrivals.inspecting``)
    Move("pass", {DISPATCHED, ARRIVED}, ACCEPTED, by={"system"}),
    Move("cancel", {SCHEDULED}, CANCELLED, by=BOTH),
    start=SCHEDULED,
    labels={
        SCHEDULED: msg("待发货"),
        DISPATCHED: msg("已发货"),
        ARRIVED: msg("已到货"),
        ACCEPTED: msg("已验收"),
        PARTIALLY_ACCEPTED: msg("部分验收"),
        REJECTED: msg("拒收"),
        CANCELLED: msg("已取消"),
    },
)
#: Goods that the buyer has taken.
TAKEN = frozenset({ACCEPTED, PARTIALLY_ACCEPTED})

INVOICED, PART_PAID, PAID = "invoiced", "part_paid", "paid"
PAYMENT = Lifecycle(
    "payment",
    Move("pay_part", {INVOICED, PART_PAID}, PART_PAID, by={"buyer"}),
    Move("pay", {INVOICED, PART_PAID}, PAID, by={"buyer"}),
    # what its receipts add up to once the payee has spoken
    Move("open_again", {PART_PAID, PAID}, INVOICED, by={"system"}),
    Move("leave_part", {INVOICED, PAID}, PART_PAID, by={"system"}),
    Move("make_whole", {INVOICED, PART_PAID}, PAID, by={"system"}),
    start=INVOICED,
    labels={INVOICED: msg("待付"), PART_PAID: msg("部分付款"), PAID: msg("已付款")},
)
#: The move that follows from what a payment's receipts add up to, by the state that it leads to.
FOLLOWS = {INVOICED: "open_again", PART_PAID: "leave_part", PAID: "make_whole"}

CLAIMED, DISPUTED = "claimed", "disputed"
#: Money as its payer has written it down: the payee confirms or denies it, and silence is no answer.
RECEIPT = Lifecycle(
    "receipt",
    Move("confirm", {CLAIMED, DISPUTED}, "confirmed", by={"seller"}),
    Move("dispute", {CLAIMED}, DISPUTED, by={"seller"}),
    Move("withdraw", {CLAIMED, DISPUTED}, "withdrawn", by={"buyer"}),
    start=CLAIMED,
    labels={
        CLAIMED: msg("待卖方确认"),
        "confirmed": msg("卖方已收到"),
        DISPUTED: msg("卖方说没收到"),
        "withdrawn": msg("买方已撤回"),
    },
)
#: Receipts that count as paid.
COUNTED = frozenset({CLAIMED, "confirmed"})
#: A payee who says nothing is asked after so many days, ever more seldom.
REMIND_AFTER_DAYS = (7, 14, 30, 60, 90)
REMIND_RECEIPT = "deals.remind_receipt"


def next_reminder(claimed_at: datetime, *, after: datetime) -> datetime | None:
    """Return when a payee is asked next; None: often enough. What was missed is not made up for."""
    due = (claimed_at + timedelta(days=days) for days in REMIND_AFTER_DAYS)
    return next((moment for moment in due if moment > after), None)


def paid_state(*, paid: int, amount: int) -> str:
    """Return the state of a payment of ``amount`` of which ``paid`` is paid."""
    if paid == amount:
        return PAID
    return PART_PAID if paid else INVOICED


PROPOSED, AGREED, REFUSED, WITHDRAWN = "proposed", "agreed", "refused", "withdrawn"
SUPERSEDED = "superseded"
#: A change of the terms. It counts from the second signature on, not before.
TERMS = Lifecycle(
    "terms",
    Move("agree", {PROPOSED}, AGREED, by={"other"}),
    Move("refuse", {PROPOSED}, REFUSED, by={"other"}),
    Move("withdraw", {PROPOSED}, WITHDRAWN, by={"proposer"}),
    Move("supersede", {PROPOSED}, SUPERSEDED, by={"system"}),
    start=PROPOSED,
    labels={
        PROPOSED: msg("等对方签字"),
        AGREED: msg("双方已签"),
        REFUSED: msg("对方不同意"),
        WITHDRAWN: msg("已撤回"),
        SUPERSEDED: msg("已被新的提议代替"),
    },
)
#: Contracts whose terms may still be changed.
CHANGEABLE = frozenset({PENDING, PARTLY_SIGNED, ACTIVE})

DRAFT, FILED, ANSWERED, LAPSED = "draft", "filed", "answered", "lapsed"
CONFIRMED, NOT_CONFIRMED, SETTLED = "confirmed", "not_confirmed", "settled"
#: A case of breach (违约). The town's decision is a record, no judgment.
BREACH = Lifecycle(
    "breach",
    Move("file", {DRAFT}, FILED, by={"claimant"}),
    Move("answer", {FILED}, ANSWERED, by={"respondent"}),
    Move("lapse", {FILED}, LAPSED, by={"system"}),
    Move("confirm", {ANSWERED, LAPSED}, CONFIRMED, by={"official"}),
    Move("dismiss", {ANSWERED, LAPSED}, NOT_CONFIRMED, by={"official"}),
    Move("settle", {FILED, ANSWERED, LAPSED}, SETTLED, by={"claimant", "respondent"}),
    start=DRAFT,
    labels={
        DRAFT: msg("草稿"),
        FILED: msg("已提出"),
        ANSWERED: msg("已答复"),
        LAPSED: msg("逾期未答复"),
        CONFIRMED: msg("认定违约"),
        NOT_CONFIRMED: msg("不予认定"),
        SETTLED: msg("已和解"),
    },
)

#: Days after receipt within which a larger buyer pays a small seller: State Council Order 802.
PAYMENT_DAYS = 60


def contract_number(*, on: date, serial: int) -> str:
    """Return the printed number of the ``serial``-th contract, e.g. ``TT-20261123-0007``."""
    return f"TT-{on:%Y%m%d}-{serial:04d}"

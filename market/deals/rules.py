"""The life of a contract, of its deliveries and payments."""

from datetime import date

from market.i18n import msg
from market.transitions import Lifecycle, Move

PENDING, PARTLY_SIGNED, ACTIVE = "pending", "partly_signed", "active"
COMPLETED, TERMINATED, CANCELLED = "completed", "terminated", "cancelled"
BOTH = frozenset({"seller", "buyer"})

CONTRACT = Lifecycle(
    "contract",
    Move("sign", {PENDING}, PARTLY_SIGNED, by=BOTH),
    Move("countersign", {PARTLY_SIGNED}, ACTIVE, by=BOTH),
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
#: A contract that holds goods: its quantity is reserved and counts as sold.
HOLDING = frozenset({PENDING, PARTLY_SIGNED, ACTIVE, COMPLETED})
SIGNED = frozenset({ACTIVE, COMPLETED})

SCHEDULED, DISPATCHED, ARRIVED, ACCEPTED = "scheduled", "dispatched", "arrived", "accepted"
PARTIALLY_ACCEPTED, REJECTED = "partially_accepted", "rejected"

DELIVERY = Lifecycle(
    "delivery",
    Move("dispatch", {SCHEDULED}, DISPATCHED, by={"seller"}),
    Move("arrive", {DISPATCHED}, ARRIVED, by={"buyer"}),
    Move("accept", {ARRIVED}, ACCEPTED, by={"buyer"}),
    Move("accept_part", {ARRIVED}, PARTIALLY_ACCEPTED, by={"buyer"}),
    Move("reject", {ARRIVED}, REJECTED, by={"buyer"}),
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
    Move("pay_part", {INVOICED}, PART_PAID, by={"buyer"}),
    Move("pay", {INVOICED, PART_PAID}, PAID, by={"buyer"}),
    start=INVOICED,
    labels={INVOICED: msg("已开票"), PART_PAID: msg("部分付款"), PAID: msg("已付款")},
)

#: Days after receipt within which a larger buyer pays a small seller: State Council Order 802.
PAYMENT_DAYS = 60


def contract_number(*, on: date, serial: int) -> str:
    """Return the printed number of the ``serial``-th contract, e.g. ``TT-20261123-0007``."""
    return f"TT-{on:%Y%m%d}-{serial:04d}"

"""The life of a bid, and what a bid must respect."""

from datetime import date

from market.errors import Invalid
from market.i18n import Message, msg
from market.transitions import Lifecycle, Move
from market.units import FenPerKg, Gram, kg, yuan_per_kg

SUBMITTED, ACCEPTED, REJECTED = "submitted", "accepted", "rejected"
WITHDRAWN, EXPIRED, NEEDS_RECONFIRM = "withdrawn", "expired", "needs_reconfirm"
#: A bid that nobody answers lapses after this many days.
ANSWER_DAYS = 7

BID = Lifecycle(
    "bid",
    Move("accept", {SUBMITTED}, ACCEPTED, by={"seller"}),
    Move("reject", {SUBMITTED}, REJECTED, by={"seller"}),
    Move("withdraw", {SUBMITTED, NEEDS_RECONFIRM}, WITHDRAWN, by={"buyer"}),
    Move("expire", {SUBMITTED, NEEDS_RECONFIRM}, EXPIRED, by={"system"}),
    Move("unsettle", {SUBMITTED}, NEEDS_RECONFIRM, by={"system"}),
    Move("reconfirm", {NEEDS_RECONFIRM}, SUBMITTED, by={"buyer"}),
    start=SUBMITTED,
    labels={
        SUBMITTED: msg("待答复"),
        ACCEPTED: msg("已接受"),
        REJECTED: msg("已谢绝"),
        WITHDRAWN: msg("已撤回"),
        EXPIRED: msg("已过期"),
        NEEDS_RECONFIRM: msg("待重新确认"),
    },
)


def check_quantity(*, quantity: Gram, remaining: Gram, min_order: Gram) -> None:
    """Refuse a quantity that this listing cannot serve.

    The last rest of a lot may be bought even where it is smaller than the minimum order.

    Raises:
        Invalid: with the field ``quantity``.
    """
    problem: Message | None = None
    if quantity <= 0:
        problem = msg("数量须大于零。")
    elif quantity > remaining:
        problem = msg("只剩 {left} 公斤，请减少数量。", left=f"{kg(remaining):,f}")
    elif quantity < min_order and quantity != remaining:
        problem = msg("起订量是 {least} 公斤，请增加数量。", least=f"{kg(min_order):,f}")
    if problem:
        raise Invalid(problem, {"quantity": problem})


def check_price(price: FenPerKg, *, most: FenPerKg) -> None:
    """Raises: Invalid, with the field ``price``."""
    if not 0 < price <= most:
        problem = msg("单价须大于零，且不超过每公斤 {most} 元。", most=f"{yuan_per_kg(most):,f}")
        raise Invalid(problem, {"price": problem})


def check_window(*, start: date, end: date, first: date, last: date) -> None:
    """A delivery window must be in order and meet the window of the goods by a day at least.

    Raises:
        Invalid: with the field ``deliver_to`` or ``deliver_from``.
    """
    if end < start:
        problem = msg("交货截止日期早于开始日期，请对调或修改。")
        raise Invalid(problem, {"deliver_to": problem})
    if end < first or start > last:
        problem = msg(
            "货源供应期是 {first} 至 {last}，交货期须与它有重叠。",
            first=first.isoformat(),
            last=last.isoformat(),
        )
        raise Invalid(problem, {"deliver_from": problem})

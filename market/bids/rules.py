"""The life of a bid, and what a bid must respect."""

from market.errors import Invalid
from market.i18n import Message, msg
from market.transitions import Lifecycle, Move
from market.units import Gram, kg

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

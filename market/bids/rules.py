"""The life of a bid, and what a bid must respect."""

from datetime import date
from typing import Protocol

from market.errors import Invalid
from market.i18n import Message, msg
from market.transitions import Lifecycle, Move, WrongState
from market.units import FenPerKg, Gram, kg, yuan_per_kg

SUBMITTED, ACCEPTED, REJECTED = "submitted", "accepted", "rejected"
WITHDRAWN, EXPIRED, NEEDS_RECONFIRM = "withdrawn", "expired", "needs_reconfirm"
COUNTERED = "countered"
#: Each turn of a negotiation that nobody answers lapses after this many days.
ANSWER_DAYS = 7

BID = Lifecycle(
    "bid",
    Move("accept", {SUBMITTED}, ACCEPTED, by={"buyer", "seller"}),
    Move("counter", {SUBMITTED}, COUNTERED, by={"buyer", "seller"}),
    Move("reject", {SUBMITTED}, REJECTED, by={"buyer", "seller"}),
    Move("withdraw", {SUBMITTED, NEEDS_RECONFIRM}, WITHDRAWN, by={"buyer", "seller"}),
    Move("expire", {SUBMITTED, NEEDS_RECONFIRM}, EXPIRED, by={"system"}),
    Move("unsettle", {SUBMITTED}, NEEDS_RECONFIRM, by={"system"}),
    Move("reconfirm", {NEEDS_RECONFIRM}, SUBMITTED, by={"buyer", "seller"}),
    start=SUBMITTED,
    labels={
        SUBMITTED: msg("待答复"),
        ACCEPTED: msg("已接受"),
        COUNTERED: msg("已还价"),
        REJECTED: msg("已谢绝"),
        WITHDRAWN: msg("已撤回"),
        EXPIRED: msg("已过期"),
        NEEDS_RECONFIRM: msg("待重新确认"),
    },
)

#: A sealed bid until its round closes. What it becomes then has the life of a bid.
SEALED_BID = Lifecycle(
    "sealed bid",
    Move("withdraw", {"sealed"}, "withdrawn", by={"buyer"}),
    Move("open", {"sealed"}, "opened", by={"system"}),
    Move("void", {"sealed"}, "void", by={"system"}),
    start="sealed",
    labels={
        "sealed": msg("已密封"),
        "withdrawn": msg("已撤回"),
        "opened": msg("已开标"),
        "void": msg("未开标，已作废"),
    },
)
#: A sealed round with fewer bidders is no contest: it goes on as negotiation.
LEAST_BIDDERS = 3

SIDES = ("seller", "buyer")
#: What only the party may do whose turn it is; the rest is for the author of the turn.
ANSWERS = frozenset({"accept", "counter", "reject"})


def other(side: str) -> str:
    """Return the opposite of ``side``."""
    return "buyer" if side == "seller" else "seller"


def moves_open(*, state: str, author: str, by: str) -> tuple[str, ...]:
    """Return the moves that are open to side ``by`` in a turn that side ``author`` made.

    The other side answers; the author takes back or confirms. Nobody accepts what is their own.
    """
    return tuple(move for move in BID.available(state=state, by=by) if (move in ANSWERS) is (by != author))


def next_state(move: str, *, state: str, author: str, by: str) -> str:
    """Return the state after ``move``.

    Raises:
        WrongState: the move is not open in ``state``, or it is the other side's to make.
    """
    target = BID.apply(move, state=state, by=by)
    if move not in moves_open(state=state, author=author, by=by):
        raise WrongState(
            msg("这一轮该对方答复，您现在不能做这一步。")
            if by == author
            else msg("这一轮是对方提的，只有对方能这样做。")
        )
    return target


def awaited(*, state: str, author: str) -> str:
    """Return the side that must act: the other one to answer, the author to confirm."""
    return author if state == NEEDS_RECONFIRM else other(author)


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


def check_news(*, new: tuple[Gram, FenPerKg, date, date], old: tuple[Gram, FenPerKg, date, date]) -> None:
    """A counter differs from what it answers; the same terms are accepted instead.

    Raises:
        Invalid: with the field ``price``.
    """
    if new == old:
        problem = msg("和对方提的一样：请改数量、价格或交货期，或者直接接受。")
        raise Invalid(problem, {"price": problem})


class Terms(Protocol):
    """What of a listing a bid rests on. Grams, and fen per kg at the farm gate."""

    @property
    def ask(self) -> FenPerKg: ...
    @property
    def min_order(self) -> Gram: ...
    @property
    def available_from(self) -> date: ...
    @property
    def available_to(self) -> date: ...
    @property
    def credentials(self) -> tuple[str, ...]: ...


def matters(before: Terms | None, after: Terms) -> bool:
    """Whether open turns must be confirmed again: further proofs alone unsettle nobody."""
    if before is None:
        return False
    same = all(
        getattr(before, name) == getattr(after, name)
        for name in ("ask", "min_order", "available_from", "available_to")
    )
    return not same or not set(before.credentials) <= set(after.credentials)


def check_fixed(price: FenPerKg, *, ask: FenPerKg) -> None:
    """Raises: Invalid, with the field ``price``: goods at a fixed price are sold at that price alone."""
    if price != ask:
        problem = msg("这批货一口价 {price} 元/公斤，请按这个价出。", price=f"{yuan_per_kg(ask):.2f}")
        raise Invalid(problem, {"price": problem})


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

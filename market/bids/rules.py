"""The life of a bid, and what a bid must respect."""

from datetime import date
from typing import Protocol

from market.amounts import masses, prices
from market.errors import Invalid
from market.i18n import Message, msg, on_day
from market.transitions import Lifecycle, Move, WrongState
from market.units import FenPerKg, Gram

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
#: A bid in open bidding until the closing. What it becomes then has the life of a bid.
OPEN_BID = Lifecycle(
    "open bid",
    Move("raise", {"standing"}, "raised", by={"buyer"}),
    # one that leads only goes with the seller's word
    Move("withdraw", {"standing"}, "withdrawn", by={"buyer"}),
    Move("release", {"standing"}, "withdrawn", by={"seller"}),
    Move("win", {"standing"}, "won", by={"system"}),
    Move("lose", {"standing"}, "lost", by={"system"}),
    Move("negotiate", {"standing"}, "negotiated", by={"system"}),
    Move("void", {"standing"}, "void", by={"system"}),
    start="standing",
    labels={
        "standing": msg("竞价中"),
        "raised": msg("已加价"),
        "withdrawn": msg("已撤回"),
        "won": msg("已竞得"),
        "lost": msg("未竞得"),
        "negotiated": msg("已转议价"),
        "void": msg("停售，已作废"),
    },
)
#: A round with fewer bidders is no contest: it goes on as negotiation.
LEAST_BIDDERS = 3

#: What a negotiation answers: a listing (a buyer's bid opened it) or a demand (a seller's offer did).
LISTING, DEMAND = "listing", "demand"

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
        problem = msg("只剩 {left}，请减少数量。", left=masses(remaining))
    elif quantity < min_order and quantity != remaining:
        problem = msg("起订量是 {least}，请增加数量。", least=masses(min_order))
    if problem:
        raise Invalid(problem, {"quantity": problem})


def check_least(*, least: Gram | None, quantity: Gram) -> None:
    """The smallest part that may be accepted is a part. None: all or nothing.

    Raises: Invalid, with the field ``least``.
    """
    if least is not None and not 0 < least <= quantity:
        problem = msg("最少接受的数量要大于零，不超过报的数量。")
        raise Invalid(problem, {"least": problem})


def check_part(part: Gram, *, quantity: Gram, least: Gram | None) -> None:
    """What is accepted is the whole, or a part that its author has allowed.

    Raises: Invalid, with the field ``quantity``.
    """
    if part == quantity:
        return
    problem: Message | None = None
    if least is None or part <= 0:
        problem = msg("对方只接受整批：{whole}；要少买请还价。", whole=masses(quantity))
    elif not least <= part <= quantity:
        problem = msg(
            "可以接受 {least} 到 {whole}，请修改数量。",
            least=masses(least),
            whole=masses(quantity),
        )
    if problem:
        raise Invalid(problem, {"quantity": problem})


class Wants(Protocol):
    """What of a demand an offer rests on. Grams, and fen per kg delivered."""

    @property
    def quantity(self) -> Gram: ...
    @property
    def ceiling(self) -> FenPerKg: ...
    @property
    def deliver_from(self) -> date: ...
    @property
    def deliver_to(self) -> date: ...
    @property
    def min_grade(self) -> int: ...
    @property
    def min_order(self) -> Gram: ...
    @property
    def requires(self) -> tuple[str, ...]: ...


def wants_matter(before: Wants, after: Wants) -> bool:
    """Whether open offers must be confirmed again: what only asks less or pays more unsettles nobody."""
    return (
        (after.deliver_from, after.deliver_to) != (before.deliver_from, before.deliver_to)
        or after.quantity < before.quantity
        or after.ceiling < before.ceiling
        or after.min_grade > before.min_grade
        or after.min_order > before.min_order
        or not set(after.requires) <= set(before.requires)
    )


def check_wanted(
    *, quantity: Gram, open_: Gram, min_order: Gram, start: date, end: date, first: date, last: date
) -> None:
    """An offer fits into what its demand still wants, and into its days by one at least.

    ``first`` and ``last`` are the demand's, ``min_order`` is the least that it takes from one seller.

    Raises:
        Invalid: with the field ``quantity`` or ``deliver_from``.
    """
    if quantity > open_:
        problem = msg("这条需求只差 {left}，请减少数量。", left=masses(open_))
        raise Invalid(problem, {"quantity": problem})
    if quantity < min_order and quantity != open_:
        problem = msg("买方要求每家至少供 {least}，请增加数量或几家拼货。", least=masses(min_order))
        raise Invalid(problem, {"quantity": problem})
    check_arrival(start=start, end=end, first=first, last=last)


def check_arrival(*, start: date, end: date, first: date, last: date) -> None:
    """Goods arrive within the days of the demand, by one of them at least.

    Raises:
        Invalid: with the field ``deliver_from``.
    """
    if end < first or start > last:
        problem = msg(
            "买方的到货时间是 {first} 至 {last}，交货期须与它有重叠。",
            first=on_day(first),
            last=on_day(last),
        )
        raise Invalid(problem, {"deliver_from": problem})


def check_news(*, new: tuple[object, ...], old: tuple[object, ...]) -> None:
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
        problem = msg("这批货一口价 {price}，请按这个价出。", price=prices(ask))
        raise Invalid(problem, {"price": problem})


def check_price(price: FenPerKg, *, most: FenPerKg) -> None:
    """Raises: Invalid, with the field ``price``."""
    if not 0 < price <= most:
        problem = msg("单价须大于零，且不超过 {most}。", most=prices(most))
        raise Invalid(problem, {"price": problem})


def check_days(*, start: date, end: date, today: date) -> None:
    """A delivery window must be in order, and not be over.

    Raises:
        Invalid: with the field ``deliver_to``.
    """
    problem: Message | None = None
    if end < start:
        problem = msg("交货截止日期早于开始日期，请对调或修改。")
    elif end < today:
        problem = msg("交货截止日期已过，请改为今天或以后。")
    if problem:
        raise Invalid(problem, {"deliver_to": problem})


def check_window(*, start: date, end: date, first: date, last: date, today: date) -> None:
    """:func:`check_days`, and the window must meet that of the goods by a day at least.

    Raises:
        Invalid: with the field ``deliver_to`` or ``deliver_from``.
    """
    check_days(start=start, end=end, today=today)
    if end < first or start > last:
        problem = msg(
            "货源供应期是 {first} 至 {last}，交货期须与它有重叠。",
            first=on_day(first),
            last=on_day(last),
        )
        raise Invalid(problem, {"deliver_from": problem})

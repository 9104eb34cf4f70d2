"""Joint offers (拼货): the life of one and of its shares, and how a part of it is divided. Pure."""

from collections.abc import Sequence
from datetime import date

from market.catalogue.rules import BUYER_DECLINES, SELLER_DECLINES
from market.errors import Conflict
from market.i18n import msg
from market.supply.sharing import divided
from market.transitions import Lifecycle, Move
from market.units import GRAMS_PER_KG, Gram

GATHERING, SUBMITTED, NEEDS_RECONFIRM = "gathering", "submitted", "needs_reconfirm"
ACCEPTED, REJECTED, WITHDRAWN, EXPIRED = "accepted", "rejected", "withdrawn", "expired"
INVITED, ASKED, CONFIRMED, DECLINED = "invited", "asked", "confirmed", "declined"
REFUSED, SOLD = "refused", "sold"

JOINT = Lifecycle(
    "joint offer",
    Move("submit", {GATHERING, NEEDS_RECONFIRM}, SUBMITTED, by={"lead"}),
    Move("accept", {SUBMITTED}, ACCEPTED, by={"buyer"}),
    Move("reject", {SUBMITTED}, REJECTED, by={"buyer"}),
    Move("unsettle", {SUBMITTED}, NEEDS_RECONFIRM, by={"system"}),
    Move("withdraw", {GATHERING, SUBMITTED, NEEDS_RECONFIRM}, WITHDRAWN, by={"lead"}),
    Move("expire", {GATHERING, SUBMITTED, NEEDS_RECONFIRM}, EXPIRED, by={"system"}),
    start=GATHERING,
    labels={
        GATHERING: msg("拼货中"),
        SUBMITTED: msg("待买方答复"),
        NEEDS_RECONFIRM: msg("待重新确认"),
        ACCEPTED: msg("已接受"),
        REJECTED: msg("已谢绝"),
        WITHDRAWN: msg("已撤回"),
        EXPIRED: msg("已过期"),
    },
)

#: One seller's part. A seller who asked to join has confirmed by asking: the lead's yes is what is missing.
SHARE = Lifecycle(
    "joint share",
    Move("confirm", {INVITED, NEEDS_RECONFIRM}, CONFIRMED, by={"seller"}),
    Move("decline", {INVITED}, DECLINED, by={"seller"}),
    Move("withdraw", {ASKED, CONFIRMED, NEEDS_RECONFIRM}, WITHDRAWN, by={"seller"}),
    Move("admit", {ASKED}, CONFIRMED, by={"lead"}),
    Move("refuse", {INVITED, ASKED, CONFIRMED, NEEDS_RECONFIRM}, REFUSED, by={"lead"}),
    Move("invite", {DECLINED, WITHDRAWN, REFUSED}, INVITED, by={"lead"}),
    Move("ask", {DECLINED, WITHDRAWN, REFUSED}, ASKED, by={"seller"}),
    Move("unsettle", {CONFIRMED}, NEEDS_RECONFIRM, by={"system"}),
    Move("sell", {CONFIRMED}, SOLD, by={"system"}),
    start=INVITED,
    labels={
        INVITED: msg("等本人确认"),
        ASKED: msg("等牵头方同意"),
        CONFIRMED: msg("已确认"),
        NEEDS_RECONFIRM: msg("待重新确认"),
        DECLINED: msg("没有参加"),
        REFUSED: msg("未列入"),
        WITHDRAWN: msg("已退出"),
        SOLD: msg("已成交"),
    },
)
#: The moves that say no to a share: they take a coded reason, of those that this step offers. A lead chooses
#: among goods as a buyer does.
NEEDS_REASON: dict[str, str] = {"decline": SELLER_DECLINES, "refuse": BUYER_DECLINES}
#: Joint offers that somebody still has to act on.
OPEN = frozenset({GATHERING, SUBMITTED, NEEDS_RECONFIRM})
#: What of them a buyer sees.
SHOWN_TO_BUYER = frozenset({SUBMITTED, NEEDS_RECONFIRM, ACCEPTED, REJECTED})
#: Shares that are in it still.
IN = frozenset({INVITED, ASKED, CONFIRMED, NEEDS_RECONFIRM, SOLD})
#: Shares that make up what a seller joins: whoever has only asked to be let in is no part of it yet.
JOINED = frozenset({INVITED, CONFIRMED, NEEDS_RECONFIRM})
#: Shares that their sellers have agreed to, be they asked again since.
AGREED = frozenset({CONFIRMED, NEEDS_RECONFIRM})
LEAST_SELLERS = 2
#: More sellers than this are no joint load any more.
MOST_SELLERS = 50


def joint_number(*, on: date, serial: int) -> str:
    """Return the number of a joint delivery, e.g. ``PH-20261129-0007``."""
    return f"PH-{on:%Y%m%d}-{serial:04d}"


def check_ready(states: Sequence[str]) -> None:
    """What goes to the buyer has two sellers at least, each of whom has confirmed its own share.

    Raises: Conflict.
    """
    inside = [state for state in states if state in IN]
    if any(state != CONFIRMED for state in inside):
        raise Conflict(msg("还有份额没有确认：请等本人确认，或把它去掉后再提交。"))
    if len(inside) < LEAST_SELLERS:
        raise Conflict(msg("拼货至少要两家，请再邀请一家，或单独报价。"))


def part_of(quantity: Gram, shares: Sequence[Gram]) -> list[Gram]:
    """Divide ``quantity``, no more than the sum of ``shares``, in proportion to them; the parts sum to it.

    In whole kilograms where all of it is: nobody weighs grams. No part exceeds its share.
    """
    unit = GRAMS_PER_KG if not any(each % GRAMS_PER_KG for each in (quantity, *shares)) else 1
    return [Gram(part * unit) for part in divided(quantity // unit, [share // unit for share in shares])]

"""Framework agreements: their life, that of a batch called off, and what a batch must keep to. Pure."""

from datetime import date, timedelta

import msgspec

from market.amounts import masses, prices
from market.errors import Invalid
from market.i18n import Message, msg, on_day
from market.transitions import Lifecycle, Move
from market.units import MOST_FEN_PER_KG, MOST_GRAMS, FenPerKg, Gram

PROPOSED, ACTIVE, ENDED = "proposed", "active", "ended"
REFUSED, WITHDRAWN, EXPIRED = "refused", "withdrawn", "expired"
#: One side would end it early, and the other has not answered; then: both agreed to.
SELLER_ENDS, BUYER_ENDS, ENDED_EARLY = "seller_ends", "buyer_ends", "ended_early"
#: Batches may be called off. A wish to end changes nothing until the other agrees.
IN_FORCE = frozenset({ACTIVE, SELLER_ENDS, BUYER_ENDS})
REQUESTED, CONFIRMED = "requested", "confirmed"
#: Days that the other side has to sign, and the seller to confirm a batch.
SIGN_DAYS, CONFIRM_DAYS = 14, 3
#: Days before the end at which both are told what is left.
WARN_DAYS = 14
LONGEST_DAYS, MOST_NOTICE_DAYS = 366, 60

FRAME = Lifecycle(
    "framework agreement",
    Move("sign", {PROPOSED}, ACTIVE, by={"other"}),
    Move("refuse", {PROPOSED}, REFUSED, by={"other"}),
    Move("withdraw", {PROPOSED}, WITHDRAWN, by={"proposer"}),
    Move("expire", {PROPOSED}, EXPIRED, by={"system"}),
    Move("propose_end", {ACTIVE}, SELLER_ENDS, by={"seller"}),
    Move("propose_end", {ACTIVE}, BUYER_ENDS, by={"buyer"}),
    Move("agree_end", {SELLER_ENDS}, ENDED_EARLY, by={"buyer"}),
    Move("agree_end", {BUYER_ENDS}, ENDED_EARLY, by={"seller"}),
    Move("refuse_end", {SELLER_ENDS}, ACTIVE, by={"buyer"}),
    Move("refuse_end", {BUYER_ENDS}, ACTIVE, by={"seller"}),
    Move("withdraw_end", {SELLER_ENDS}, ACTIVE, by={"seller"}),
    Move("withdraw_end", {BUYER_ENDS}, ACTIVE, by={"buyer"}),
    Move("end", IN_FORCE, ENDED, by={"system"}),
    start=PROPOSED,
    labels={
        PROPOSED: msg("等对方签字"),
        ACTIVE: msg("执行中"),
        SELLER_ENDS: msg("卖方提出提前结束"),
        BUYER_ENDS: msg("买方提出提前结束"),
        ENDED: msg("已到期"),
        ENDED_EARLY: msg("双方同意提前结束"),
        REFUSED: msg("对方没有同意"),
        WITHDRAWN: msg("已撤回"),
        EXPIRED: msg("已过期"),
    },
)

CALL = Lifecycle(
    "call-off",
    Move("confirm", {REQUESTED}, CONFIRMED, by={"seller"}),
    Move("refuse", {REQUESTED}, REFUSED, by={"seller"}),
    Move("withdraw", {REQUESTED}, WITHDRAWN, by={"buyer"}),
    Move("expire", {REQUESTED}, EXPIRED, by={"system"}),
    start=REQUESTED,
    labels={
        REQUESTED: msg("等卖方确认"),
        CONFIRMED: msg("已确认"),
        REFUSED: msg("卖方不能供"),
        WITHDRAWN: msg("已撤回"),
        EXPIRED: msg("已过期"),
    },
)


def frame_number(*, on: date, serial: int) -> str:
    """Return the number of an agreement, e.g. ``KJ-20261129-0007``."""
    return f"KJ-{on:%Y%m%d}-{serial:04d}"


class EarlyEnd(msgspec.Struct, frozen=True):
    """What who agrees to an early end agrees to: ``left`` grams are not called any more, for that reason."""

    left: int
    reason: str | None
    note: str


class Agreed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What both sides sign. Grams, and fen per kg at the farm gate.

    ``floor``: each batch may have a price of its own, never below it; None: ``price`` is fixed.
    """

    produce: str
    total: Gram
    price: FenPerKg
    sites: tuple[int, ...]
    starts_on: date
    ends_on: date
    min_grade: int = 0
    least: Gram = Gram(0)
    most_per_week: Gram | None = None
    floor: FenPerKg | None = None
    notice_days: int = 3


def check_agreed(agreed: Agreed, *, today: date) -> None:
    """Raises: Invalid, with every field that is wrong."""
    found: dict[str, Message] = {}
    if not 0 < agreed.total <= MOST_GRAMS:
        found["total"] = msg("数量须大于零，且不超过 {most}。", most=masses(MOST_GRAMS))
    if not 0 <= agreed.least <= agreed.total:
        found["least"] = msg("每批最少不能超过总量。")
    if agreed.most_per_week is not None and not max(1, agreed.least) <= agreed.most_per_week <= agreed.total:
        found["most_per_week"] = msg("每周最多要在每批最少和总量之间。")
    if not 0 < agreed.price <= MOST_FEN_PER_KG:
        found["price"] = msg("单价须大于零，且不超过 {most}。", most=prices(MOST_FEN_PER_KG))
    if agreed.floor is not None and not 0 < agreed.floor <= agreed.price:
        found["floor"] = msg("保底价要大于零，不高于约定单价。")
    if not agreed.sites:
        found["sites"] = msg("请至少选一个收货门店。")
    if agreed.min_grade not in range(10):
        found["min_grade"] = msg("等级须在 0 到 9 之间。")
    if not 0 <= agreed.notice_days <= MOST_NOTICE_DAYS:
        found["notice_days"] = msg("提前天数要在 0 到 {most} 天之间。", most=MOST_NOTICE_DAYS)
    if agreed.ends_on < max(agreed.starts_on, today):
        found["ends_on"] = msg("结束日期不能早于开始日期和今天。")
    elif (agreed.ends_on - agreed.starts_on).days > LONGEST_DAYS:
        found["ends_on"] = msg("框架协议最长一年，请改结束日期。")
    if found:
        raise Invalid(msg("有 {count} 处需要修改。", count=len(found)), found)


class Batch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is called off. Grams, and fen per kg at the farm gate; ``price`` None: the agreed one."""

    frame_id: int
    quantity: Gram
    site_id: int
    deliver_from: date
    deliver_to: date
    price: FenPerKg | None = None
    note: str = ""


def week_of(day: date, *, starts_on: date) -> tuple[date, date]:
    """Return first and last day of the agreement's week that ``day`` lies in; weeks begin with its start."""
    first = starts_on + timedelta(days=(day - starts_on).days // 7 * 7)
    return first, first + timedelta(days=6)


def check_batch(batch: Batch, agreed: Agreed, *, left: Gram, left_in_week: Gram | None, today: date) -> None:
    """Hold a batch against what was agreed and what is left of it, in all and in its week.

    The last rest may be called even where it is smaller than the least of a batch.

    Raises: Invalid, with every field that is wrong.
    """
    found: dict[str, Message] = {}
    if batch.quantity > left:
        found["quantity"] = msg("框架里只剩 {left} 没有要。", left=masses(left))
    elif batch.quantity <= 0 or (batch.quantity < agreed.least and batch.quantity != left):
        found["quantity"] = msg("每批至少 {least}。", least=masses(agreed.least))
    elif left_in_week is not None and batch.quantity > left_in_week:
        found["quantity"] = msg("这一周最多还能要 {left}。", left=masses(left_in_week))
    earliest = max(agreed.starts_on, today + timedelta(days=agreed.notice_days))
    if batch.deliver_from < earliest:
        found["deliver_from"] = msg(
            "按约定要提前 {n} 天，最早 {day}。", n=agreed.notice_days, day=on_day(earliest)
        )
    if not batch.deliver_from <= batch.deliver_to <= agreed.ends_on:
        found["deliver_to"] = msg("交货要在框架期内：不晚于 {day}。", day=on_day(agreed.ends_on))
    if batch.site_id not in agreed.sites:
        found["site_id"] = msg("这个门店不在框架协议里。")
    if batch.price is not None and batch.price != agreed.price:
        if agreed.floor is None:
            found["price"] = msg("框架是固定价 {price}。", price=prices(agreed.price))
        elif not agreed.floor <= batch.price <= MOST_FEN_PER_KG:
            found["price"] = msg("不能低于保底价 {floor}。", floor=prices(agreed.floor))
    if found:
        raise Invalid(msg("有 {count} 处需要修改。", count=len(found)), found)

"""The life of a demand."""

from market.amounts import masses, prices
from market.demand.commands import DemandWants, NewDemand
from market.i18n import Message, msg
from market.transitions import Lifecycle, Move
from market.units import MOST_FEN_PER_KG, MOST_GRAMS

DRAFT, PUBLISHED, CLOSED = "draft", "published", "closed"
AWARDED, UNSUCCESSFUL, CANCELLED = "awarded", "unsuccessful", "cancelled"

DEMAND = Lifecycle(
    "demand",
    Move("publish", {DRAFT}, PUBLISHED, by={"buyer", "system"}),
    Move("close", {PUBLISHED}, CLOSED, by={"buyer", "system"}),
    Move("award", {CLOSED}, AWARDED, by={"buyer", "system"}),
    Move("fail", {CLOSED}, UNSUCCESSFUL, by={"buyer", "system"}),
    Move("cancel", {DRAFT, PUBLISHED, CLOSED}, CANCELLED, by={"buyer"}),
    start=DRAFT,
    labels={
        DRAFT: msg("草稿"),
        PUBLISHED: msg("求购中"),
        CLOSED: msg("已截止"),
        AWARDED: msg("已定标"),
        UNSUCCESSFUL: msg("未成交"),
        CANCELLED: msg("已取消"),
    },
)

LONGEST_TITLE = 60


def demand_problems(demand: NewDemand) -> dict[str, Message]:
    """Return field -> what is wrong and how to mend it; empty when the demand can stand."""
    problems: dict[str, Message] = {}
    if not demand.title.strip():
        problems["title"] = msg("请写一个标题，例如“中街店 11 月红薯”。")
    elif len(demand.title) > LONGEST_TITLE:
        problems["title"] = msg("标题最多 {most} 个字。", most=LONGEST_TITLE)
    if demand.max_lots is not None and demand.max_lots < 1:
        problems["max_lots"] = msg("最多批次至少是 1，不限请留空。")
    if demand.max_distance_km is not None and demand.max_distance_km < 1:
        problems["max_distance_km"] = msg("最远距离至少是 1 公里，不限请留空。")
    return problems | wants_problems(demand)


def wants_problems(demand: NewDemand | DemandWants) -> dict[str, Message]:
    """Return what is wrong with the part of a demand that may change while it is open."""
    problems: dict[str, Message] = {}
    if not 0 < demand.quantity <= MOST_GRAMS:
        problems["quantity"] = msg("数量须大于零，且不超过 {most}。", most=masses(MOST_GRAMS))
    if not 0 < demand.ceiling <= MOST_FEN_PER_KG:
        problems["ceiling"] = msg("单价须大于零，且不超过 {most}。", most=prices(MOST_FEN_PER_KG))
    if demand.min_grade not in range(10):
        problems["min_grade"] = msg("等级须在 0 到 9 之间。")
    if demand.min_order < 0 or demand.min_order > demand.quantity:
        problems["min_order"] = msg("起订量不能超过总数量，不限可填 0。")
    if demand.deliver_to < demand.deliver_from:
        problems["deliver_to"] = msg("交货截止日期早于开始日期，请对调或修改。")
    return problems

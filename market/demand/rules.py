"""The life of a demand."""

from market.i18n import msg
from market.transitions import Lifecycle, Move

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

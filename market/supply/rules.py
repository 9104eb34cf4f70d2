"""The life of a listing, and what may be asked of a lot."""

from market.i18n import Message, msg
from market.transitions import Lifecycle, Move

DRAFT, PENDING, PUBLISHED, SUSPENDED = "draft", "pending", "published", "suspended"
SOLD_OUT, EXPIRED, WITHDRAWN = "sold_out", "expired", "withdrawn"

LISTING = Lifecycle(
    "listing",
    Move("submit", {DRAFT}, PENDING, by={"seller"}),
    Move("publish", {DRAFT, PENDING}, PUBLISHED, by={"seller", "official", "system"}),
    Move("return", {PENDING}, DRAFT, by={"official"}),
    Move("suspend", {PUBLISHED}, SUSPENDED, by={"seller", "official"}),
    Move("resume", {SUSPENDED}, PUBLISHED, by={"seller", "official"}),
    Move("sell_out", {PUBLISHED}, SOLD_OUT, by={"system"}),
    Move("restock", {SOLD_OUT}, PUBLISHED, by={"system"}),
    Move("expire", {PUBLISHED, SUSPENDED}, EXPIRED, by={"system"}),
    Move("withdraw", {DRAFT, PENDING, PUBLISHED, SUSPENDED}, WITHDRAWN, by={"seller"}),
    start=DRAFT,
    labels={
        DRAFT: msg("草稿"),
        PENDING: msg("待审核"),
        PUBLISHED: msg("在售"),
        SUSPENDED: msg("暂停"),
        SOLD_OUT: msg("售罄"),
        EXPIRED: msg("已过期"),
        WITHDRAWN: msg("已撤回"),
    },
)

#: Why the stock of a lot changed.
STOCK_KINDS: dict[str, Message] = {
    "in": msg("入库"),
    "reserved": msg("成交占用"),
    "released": msg("释放"),
}

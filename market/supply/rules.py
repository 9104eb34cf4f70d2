"""The life of a listing, and what may be asked of a lot."""

from datetime import date, datetime, timedelta

from market.i18n import Message, msg
from market.supply.commands import NewListing, NewTerms
from market.transitions import Lifecycle, Move
from market.units import MOST_FEN_PER_KG, MOST_GRAMS, FenPerKg, Gram, kg, yuan_per_kg

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
    "out": msg("出库"),
    "returned": msg("退货入库"),
    "reserved": msg("成交占用"),
    "released": msg("释放"),
    "transformed": msg("加工"),
    "lost": msg("损耗"),
    "moved": msg("移库"),
}

FIXED, NEGOTIABLE, SEALED = "fixed", "negotiable", "sealed"
#: How a listing is sold: at the asked price alone; by bids and counters; by bids that nobody but their
#: author knows of until all are opened together.
WAYS: dict[str, Message] = {NEGOTIABLE: msg("可议价"), FIXED: msg("一口价"), SEALED: msg("密封报价")}
#: The job that ends a round of bidding. The room of bids does it.
CLOSING = "bids.close"
#: So long a round lasts, at least and at most.
SHORTEST_ROUND, LONGEST_ROUND = timedelta(minutes=30), timedelta(days=60)

#: China's extent: a place outside of it is a slip of the pen. Degrees, WGS-84.
NEAREST_LAT, FARTHEST_LAT = 18.0, 54.0
NEAREST_LON, FARTHEST_LON = 73.0, 136.0
LONGEST_TITLE = 60
MOST_CREDENTIALS = 20


def listing_problems(listing: NewListing, *, has_place: bool) -> dict[str, Message]:
    """Return field -> what is wrong and how to mend it; empty when the listing can stand."""
    problems = terms_problems(listing, quantity=listing.quantity)
    if not 0 < listing.quantity <= MOST_GRAMS:
        problems["quantity"] = msg("数量须大于零，且不超过 {most} 公斤。", most=f"{kg(MOST_GRAMS):,f}")
    if not listing.title.strip():
        problems["title"] = msg("请写一个标题，例如“东于村 红衣花生 带壳”。")
    elif len(listing.title) > LONGEST_TITLE:
        problems["title"] = msg("标题最多 {most} 个字。", most=LONGEST_TITLE)
    if listing.grade not in range(10):
        problems["grade"] = msg("等级须在 0 到 9 之间。")
    if listing.priority < 0 or listing.priority > listing.ask:
        problems["priority"] = msg("照顾加分须在零与要价之间。")
    if listing.way not in WAYS:
        problems["way"] = msg("没有这种卖法，请从列出的里面选一个。")
    elif listing.way != SEALED and listing.closes_at is not None:
        problems["closes_at"] = msg("只有密封报价才有截止时间，请清空，或改卖法。")
    if listing.lat is not None and not (
        NEAREST_LAT <= listing.lat <= FARTHEST_LAT and NEAREST_LON <= (listing.lon or 0.0) <= FARTHEST_LON
    ):
        problems["division"] = msg("经纬度不在中国境内，请检查是否写反。")
    elif not has_place:
        problems["division"] = msg("请先填写货源所在地，系统要据此算运费。")
    return problems


def round_problems(listing: NewListing, *, at: datetime, closes_on: date | None) -> dict[str, Message]:
    """Return what is wrong with the closing time of a round of bidding that begins at ``at``.

    ``closes_on`` is the day of the closing in China.
    """
    if listing.way != SEALED:
        return {}
    closes = listing.closes_at
    if closes is None or closes_on is None:
        return {"closes_at": msg("请写报价截止时间。")}
    if not SHORTEST_ROUND <= closes - at <= LONGEST_ROUND:
        return {"closes_at": msg("报价时间最短 30 分钟，最长 60 天，请改截止时间。")}
    if closes_on > listing.available_to:
        return {"closes_at": msg("报价截止不能晚于供应截止日期。")}
    return {}


def is_closed_book(*, way: str, opened: bool) -> bool:
    """Whether bids are sealed: nobody may learn of them, and the terms stay as they are."""
    return way == SEALED and not opened


def terms_problems(terms: NewListing | NewTerms, *, quantity: Gram) -> dict[str, Message]:
    """Return what is wrong with price, minimum order, window and credentials."""
    problems: dict[str, Message] = {}
    if not 0 < terms.ask <= MOST_FEN_PER_KG:
        problems["ask"] = msg(
            "单价须大于零，且不超过每公斤 {most} 元。", most=f"{yuan_per_kg(FenPerKg(MOST_FEN_PER_KG)):,f}"
        )
    if terms.min_order < 0 or terms.min_order > quantity:
        problems["min_order"] = msg("起订量不能超过总数量，不限可填 0。")
    if terms.available_to < terms.available_from:
        problems["available_to"] = msg("供应截止日期早于开始日期，请对调或修改。")
    if len(terms.credentials) > MOST_CREDENTIALS:
        problems["credentials"] = msg("资质最多 {most} 项。", most=MOST_CREDENTIALS)
    return problems

"""The life of a listing, and what may be asked of a lot."""

from datetime import date, datetime, timedelta

from market.amounts import masses, prices
from market.i18n import Message, msg
from market.supply.commands import NewListing, NewTerms, NewWay
from market.transitions import Lifecycle, Move
from market.units import MOST_FEN_PER_KG, MOST_GRAMS, FenPerKg, Gram

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

FIXED, NEGOTIABLE, SEALED, OPEN = "fixed", "negotiable", "sealed", "open"
#: How a listing is sold: at the asked price alone; by bids and counters; by bids that nobody but their
#: author knows of until all are opened together; by bids that everybody sees and that can only go up.
WAYS: dict[str, Message] = {
    NEGOTIABLE: msg("可议价"),
    FIXED: msg("一口价"),
    SEALED: msg("密封报价"),
    OPEN: msg("公开竞价"),
}
#: The ways that have a closing time.
ROUNDS = frozenset({SEALED, OPEN})
#: The job that ends a round of bidding. The room of bids does it.
CLOSING = "bids.close"
#: The job that looks whether goods that are on sale again after a round can be bid for. Bids' too.
AFTER_ROUND = "bids.after_round"
#: 定金 beyond this many basis points of the price has no effect as such (Civil Code, article 586).
MOST_DEPOSIT = 2_000
#: So long a round lasts, at least and at most.
SHORTEST_ROUND, LONGEST_ROUND = timedelta(minutes=30), timedelta(days=60)
#: An open bid that comes so shortly before the closing moves it by as much ...
EXTENSION = timedelta(minutes=5)
#: ... but all of them together by no more than this.
MOST_EXTENSION = timedelta(minutes=60)
#: Fen per kg: the step where the seller names none, one fen per jin.
USUAL_STEP = FenPerKg(2)

#: China's extent: a place outside of it is a slip of the pen. Degrees, WGS-84.
NEAREST_LAT, FARTHEST_LAT = 18.0, 54.0
NEAREST_LON, FARTHEST_LON = 73.0, 136.0
LONGEST_TITLE = 60
#: Goods that are offered now have been there since a year at most.
LONGEST_BACK = timedelta(days=366)
MOST_CREDENTIALS = 20


def listing_problems(listing: NewListing, *, has_place: bool) -> dict[str, Message]:
    """Return field -> what is wrong and how to mend it; empty when the listing can stand."""
    problems = terms_problems(listing, quantity=listing.quantity)
    if not 0 < listing.quantity <= MOST_GRAMS:
        problems["quantity"] = msg("数量须大于零，且不超过 {most}。", most=masses(MOST_GRAMS))
    if not listing.title.strip():
        problems["title"] = msg("请写一个标题，例如“东于村 红衣花生 带壳”。")
    elif len(listing.title) > LONGEST_TITLE:
        problems["title"] = msg("标题最多 {most} 个字。", most=LONGEST_TITLE)
    if listing.grade not in range(10):
        problems["grade"] = msg("等级须在 0 到 9 之间。")
    if listing.priority < 0 or listing.priority > listing.ask:
        problems["priority"] = msg("照顾加分须在零与要价之间。")
    if listing.lat is not None and not (
        NEAREST_LAT <= listing.lat <= FARTHEST_LAT and NEAREST_LON <= (listing.lon or 0.0) <= FARTHEST_LON
    ):
        problems["division"] = msg("经纬度不在中国境内，请检查是否写反。")
    elif not has_place:
        problems["division"] = msg("请先填写货源所在地，系统要据此算运费。")
    return problems


def day_problems(listing: NewListing, *, today: date) -> dict[str, Message]:
    """Return what is wrong with the days of goods that are there: slips of a year, mostly."""
    problems: dict[str, Message] = {}
    if listing.harvested_on is not None and listing.harvested_on > today:
        problems["harvested_on"] = msg("采收日期还没有到，请检查年份；还没采收的货可以不填。")
    if listing.available_from < today - LONGEST_BACK:
        problems["available_from"] = msg("供货开始的日期早了一年以上，请检查年份；现在就能供的填今天。")
    return problems


def way_problems(
    way: NewListing | NewWay, *, ask: FenPerKg, available_to: date, at: datetime, closes_on: date | None
) -> dict[str, Message]:
    """Return what is wrong with the way to sell, chosen at ``at``; ``ask`` is where open bidding begins.

    ``closes_on`` is the day of the closing in China.
    """
    if way.way not in WAYS:
        return {"way": msg("没有这种卖法，请从列出的里面选一个。")}
    problems: dict[str, Message] = {}
    if way.way == OPEN:
        if not 0 < way.min_step <= ask:
            problems["min_step"] = msg("每次至少加多少须大于零，且不超过起拍价。")
        if way.reserve is not None and not ask <= way.reserve <= MOST_FEN_PER_KG:
            problems["reserve"] = msg("保留价不能低于起拍价。")
    elif way.min_step or way.reserve is not None:
        name = "min_step" if way.min_step else "reserve"
        problems[name] = msg("只有公开竞价才有加价幅度和保留价，请清空。")
    if way.way not in ROUNDS:
        if way.closes_at is not None:
            problems["closes_at"] = msg("只有密封报价和公开竞价才有截止时间，请清空，或改卖法。")
        return problems
    closes = way.closes_at
    if closes is None or closes_on is None:
        problems["closes_at"] = msg("请写报价截止时间。")
    elif not SHORTEST_ROUND <= closes - at <= LONGEST_ROUND:
        problems["closes_at"] = msg("报价时间最短 30 分钟，最长 60 天，请改截止时间。")
    elif closes_on > available_to:
        problems["closes_at"] = msg("报价截止不能晚于供应截止日期。")
    return problems


def latest_closing(way: NewListing | NewWay) -> datetime | None:
    """Return the moment beyond which late bids do not move the closing; None where they never do."""
    return way.closes_at + MOST_EXTENSION if way.way == OPEN and way.closes_at else None


def in_round(*, way: str, opened: bool) -> bool:
    """Whether a round of bidding lasts: its goods are the bidders' alone, and the terms stay as they are."""
    return way in ROUNDS and not opened


def terms_problems(terms: NewListing | NewTerms, *, quantity: Gram) -> dict[str, Message]:
    """Return what is wrong with price, minimum order, window and credentials."""
    problems: dict[str, Message] = {}
    if not 0 < terms.ask <= MOST_FEN_PER_KG:
        problems["ask"] = msg("单价须大于零，且不超过 {most}。", most=prices(FenPerKg(MOST_FEN_PER_KG)))
    if terms.min_order < 0 or terms.min_order > quantity:
        problems["min_order"] = msg("起订量不能超过总数量，不限可填 0。")
    if terms.available_to < terms.available_from:
        problems["available_to"] = msg("供应截止日期早于开始日期，请对调或修改。")
    if len(terms.credentials) > MOST_CREDENTIALS:
        problems["credentials"] = msg("资质最多 {most} 项。", most=MOST_CREDENTIALS)
    return problems

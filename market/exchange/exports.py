"""What people take away as workbooks: the columns of each noun. Whose rows they are the caller knows."""

from collections.abc import Callable, Sequence
from typing import Any

from market.bids.queries import BidRow
from market.bids.rules import BID
from market.cases import rules as cases
from market.cases.queries import CaseRow
from market.catalogue.rules import told_reason
from market.clock import CHINA
from market.deals.queries import DealRow
from market.deals.rules import CANCELLED, CONTRACT, SOURCES
from market.exchange.table_book import Column, Piece, named, person_named, workbook
from market.followup import rules as followup
from market.followup.rules import Entry
from market.followup.shelf_queries import ShelfRow
from market.i18n import Language, msg
from market.supply.ledger import Movement
from market.supply.rules import STOCK_KINDS
from market.supply.stock_rules import CORRECTIONS


def _field(name: str) -> Callable[[Any, Language], Any]:
    return lambda row, _: getattr(row, name)


def _declined(row: BidRow, language: Language) -> str:
    """Why a turn was declined, with the words that were written beside it."""
    name = (row.reason_en if language == "en" else row.reason_zh) or ""
    return " · ".join(filter(None, told_reason(name, row.reason_note)))


_SELLER = Column(msg("卖方"), "text", named("seller_name"))
_BUYER = Column(msg("买方"), "text", named("buyer_name"))
_GOODS = Column(msg("货品"), "text", named("title"), 30)

LEDGER = (
    Column(msg("类别"), "text", lambda row, _: followup.KINDS[row.kind], 10),
    Column(msg("日期"), "day", _field("on")),
    Column(msg("合同编号"), "text", _field("number")),
    _GOODS,
    Column(msg("品类"), "text", named("produce_name"), 14),
    Column(msg("镇"), "text", named("town_name")),
    _SELLER,
    _BUYER,
    Column(
        msg("来源"), "text", lambda row, _: followup.SOURCES.get(row.source, followup.SOURCES["other"]), 12
    ),
    Column(msg("来源编号"), "whole", _field("source_id")),
    Column(msg("对接会"), "text", named("meeting_title"), 30),
    Column(msg("数量（公斤）"), "kg", lambda row, _: None if row.kind == "payment" else row.grams),
    Column(msg("单价（元/公斤）"), "price", lambda row, _: None if row.kind == "payment" else row.price),
    Column(msg("金额（元）"), "yuan", _field("fen")),
    Column(msg("已开发票（元）"), "yuan", _field("billed")),
)
DEALS = (
    Column(msg("合同编号"), "text", _field("number")),
    Column(msg("日期"), "day", lambda row, _: row.created_at.astimezone(CHINA).date()),
    _GOODS,
    _SELLER,
    _BUYER,
    Column(
        msg("数量（公斤）"), "kg", lambda row, _: row.quantity if row.state == CANCELLED else row.standing
    ),
    Column(msg("单价（元/公斤）"), "price", _field("price_now")),
    Column(msg("金额（元）"), "yuan", _field("worth")),
    Column(msg("终止数量（公斤）"), "kg", _field("ended")),
    Column(msg("状态"), "text", lambda row, _: CONTRACT.label(row.state), 12),
    Column(msg("来源"), "text", lambda row, _: SOURCES.get(row.source, row.source), 14),
    Column(msg("交货开始"), "day", _field("deliver_from")),
    Column(msg("交货截止"), "day", _field("deliver_to")),
    Column(msg("已交货（公斤）"), "kg", _field("delivered")),
    Column(msg("已验收货款（元）"), "yuan", _field("invoiced")),
    Column(msg("已开发票（元）"), "yuan", _field("billed")),
    Column(msg("已回款（元）"), "yuan", _field("paid")),
)
_SIDES = {"seller": msg("卖方"), "buyer": msg("买方")}
BIDS = (
    Column(msg("编号"), "whole", _field("id")),
    Column(msg("日期"), "moment", _field("created_at")),
    _GOODS,
    _SELLER,
    _BUYER,
    Column(msg("谁出的"), "text", lambda row, _: _SIDES[row.author], 10),
    Column(msg("数量（公斤）"), "kg", _field("quantity")),
    Column(msg("单价（元/公斤）"), "price", _field("price")),
    Column(msg("交货开始"), "day", _field("deliver_from")),
    Column(msg("交货截止"), "day", _field("deliver_to")),
    Column(msg("状态"), "text", lambda row, _: BID.label(row.state), 12),
    Column(msg("原因"), "text", _declined),
    Column(msg("合同编号"), "text", _field("deal_number")),
)


def _goods_moved(row: Any) -> int | None:
    """What came in with a new lot moved no other line: so the column adds up to what is there."""
    moved: int | None = row.moved
    return int(row.change) if moved is None and row.kind == "in" else moved


STOCK = (
    Column(msg("时间"), "moment", _field("at")),
    Column(msg("批次号"), "whole", _field("lot")),
    Column(msg("货品"), "text", named("produce"), 18),
    Column(msg("变动"), "text", lambda row, _: STOCK_KINDS[row.kind], 14),
    Column(msg("可卖变动（公斤）"), "kg", _field("change")),
    Column(msg("可卖剩余（公斤）"), "kg", _field("remaining")),
    Column(msg("实物变动（公斤）"), "kg", lambda row, _: _goods_moved(row)),
    Column(msg("存放地方"), "text", _field("storage_name")),
    Column(msg("合同编号"), "text", _field("deal_number")),
    Column(msg("原因"), "text", lambda row, _: CORRECTIONS.get(row.reason, "")),
    Column(msg("备注"), "text", _field("note"), 30),
)
CASES = (
    Column(msg("编号"), "whole", _field("id")),
    _GOODS,
    _SELLER,
    Column(msg("镇"), "text", named("town_name")),
    Column(msg("还剩（公斤）"), "kg", _field("remaining")),
    Column(msg("卡住自"), "day", _field("stuck_since")),
    Column(msg("立案原因"), "text", lambda row, _: cases.CAUSES[row.cause]),
    Column(msg("级别"), "text", lambda row, _: cases.LEVELS[row.level], 10),
    Column(msg("责任单位"), "text", named("owner_name")),
    Column(msg("责任人"), "text", person_named("in_charge"), 12),
    Column(msg("期限"), "day", _field("due_on")),
    Column(msg("状态"), "text", lambda row, _: cases.CASE.label(row.state), 10),
    Column(msg("销号原因"), "text", lambda row, _: cases.REASONS[row.reason] if row.reason else ""),
    Column(msg("日志条数"), "whole", _field("entries")),
)
SHELF = (
    Column(msg("商超"), "text", named("chain_name")),
    Column(msg("门店"), "text", named("site_name")),
    Column(msg("货品"), "text", _field("label"), 30),
    Column(msg("品类"), "text", named("produce_name"), 14),
    _SELLER,
    Column(msg("镇"), "text", named("town_name")),
    Column(msg("上架"), "day", _field("since")),
    Column(msg("下架"), "day", _field("gone_on")),
    Column(msg("货架价（元/公斤）"), "price", _field("price")),
    Column(msg("最后看到"), "day", _field("seen_on")),
    Column(msg("谁看到的"), "text", named("seen_by_name")),
)


def ledger_book(rows: Sequence[Entry], language: Language, piece: Piece | None = None) -> bytes:
    return workbook(name=msg("跟进台账"), columns=LEDGER, rows=rows, language=language, piece=piece)


def deals_book(rows: Sequence[DealRow], language: Language, piece: Piece | None = None) -> bytes:
    return workbook(name=msg("成交台账"), columns=DEALS, rows=rows, language=language, piece=piece)


def bids_book(rows: Sequence[BidRow], language: Language, piece: Piece | None = None) -> bytes:
    return workbook(name=msg("报价"), columns=BIDS, rows=rows, language=language, piece=piece)


def stock_book(rows: Sequence[Movement], language: Language, piece: Piece | None = None) -> bytes:
    return workbook(name=msg("库存台账"), columns=STOCK, rows=rows, language=language, piece=piece)


def cases_book(rows: Sequence[CaseRow], language: Language, piece: Piece | None = None) -> bytes:
    return workbook(name=msg("心病台账"), columns=CASES, rows=rows, language=language, piece=piece)


def shelf_book(rows: Sequence[ShelfRow], language: Language, piece: Piece | None = None) -> bytes:
    return workbook(name=msg("上架情况"), columns=SHELF, rows=rows, language=language, piece=piece)

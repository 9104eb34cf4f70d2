"""The town's deals as a table for spreadsheet programs."""

from collections.abc import Iterable
from decimal import Decimal

from market.clock import CHINA
from market.deals.queries import DealRow
from market.deals.rules import CANCELLED, CONTRACT, SOURCES
from market.exchange.sheets import people_csv
from market.i18n import Language, Message, msg, translate
from market.units import Fen, Gram, kg, yuan

HEADS: tuple[Message, ...] = (
    msg("合同编号"),
    msg("日期"),
    msg("货品"),
    msg("卖方"),
    msg("买方"),
    msg("数量（公斤）"),
    msg("单价（元/公斤）"),
    msg("金额（元）"),
    msg("状态"),
    msg("来源"),
    msg("交货开始"),
    msg("交货截止"),
    msg("已交货（公斤）"),
    msg("已回款（元）"),
)


def ledger_csv(deals: Iterable[DealRow], language: Language) -> bytes:
    """Return one row for each deal: masses in kg, money in yuan."""
    return people_csv(
        [translate(head, language) for head in HEADS], (_cells(deal, language) for deal in deals)
    )


def _cells(deal: DealRow, language: Language) -> tuple[object, ...]:
    stands = deal.quantity if deal.state == CANCELLED else deal.standing
    return (
        deal.number,
        deal.created_at.astimezone(CHINA).date().isoformat(),
        _name(deal.title, deal.title_en, language),
        _name(deal.seller_name, deal.seller_name_en, language),
        _name(deal.buyer_name, deal.buyer_name_en, language),
        f"{kg(Gram(stands)):f}",
        f"{Decimal(deal.price_now) / 100:.2f}",
        f"{yuan(Fen(deal.worth)):.2f}",
        translate(CONTRACT.label(deal.state), language),
        translate(SOURCES[deal.source], language) if deal.source in SOURCES else deal.source,
        deal.deliver_from.isoformat(),
        deal.deliver_to.isoformat(),
        f"{kg(Gram(deal.delivered)):f}",
        f"{Decimal(deal.paid) / 100:.2f}",
    )


def _name(zh: str, en: str, language: Language) -> str:
    return en if language == "en" and en else zh

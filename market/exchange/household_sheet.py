"""Households' shares as a sheet: read from one, and a settlement written as one to print and to sign."""

import io
from collections.abc import Sequence

from market.exchange.sheet_import import Column
from market.exchange.sheets import safe
from market.exchange.table_book import new_book
from market.i18n import Language, msg, translate
from market.supply.households import SettlementLine, SettlementRow
from market.units import Fen, Gram, kg, yuan

COLUMNS = (
    Column(
        field="household",
        zh="户名",
        en="Household",
        hint=msg("户主姓名。"),
        required=True,
        names=("姓名", "户主", "农户", "户主姓名", "name"),
    ),
    Column(
        field="quantity",
        zh="交货量",
        en="Quantity",
        hint=msg("列名写明单位，例如 交货量（斤）。"),
        kind="number",
        required=True,
        names=("数量", "重量", "斤数", "quantitygiven", "weight"),
        unit="",
        unit_field="quantity_unit",
    ),
    Column(
        field="quantity_unit", zh="单位", en="Unit", hint=msg("斤、公斤或吨。"), kind="unit", names=("unit",)
    ),
)


def settlement_workbook(
    *, settlement: SettlementRow, lines: Sequence[SettlementLine], owner: str, language: Language
) -> bytes:
    """Return the list of a settlement: what each household gave and gets, and room to sign.

    Names are written as text, and so that no program that gets them further takes them for a formula.
    """

    buffer = io.BytesIO()
    book = new_book(buffer)
    sheet = book.add_worksheet(translate(msg("结算清单"), language))
    bold = book.add_format({"bold": True, "font_size": 14})
    head = book.add_format({"bold": True, "border": 1, "bg_color": "#F0F7F3"})
    text = book.add_format({"border": 1})
    mass = book.add_format({"border": 1, "num_format": "#,##0.000"})
    money = book.add_format({"border": 1, "num_format": "#,##0.00"})
    produce = settlement.produce_en if language == "en" else settlement.produce_zh
    sheet.write_string(0, 0, f"{safe(owner)} {produce}", bold)
    sheet.write_string(1, 0, f"{settlement.received_on.isoformat()} {settlement.deal_number or ''}".strip())
    names = (msg("序号"), msg("户名"), msg("交货量（公斤）"), msg("应得（元）"), msg("签字"))
    for place, (name, width) in enumerate(zip(names, (8, 20, 18, 18, 24), strict=True)):
        sheet.write_string(3, place, translate(name, language), head)
        sheet.set_column(place, place, width)
    for at, line in enumerate(lines, start=4):
        sheet.write_number(at, 0, line.position, text)
        sheet.write_string(at, 1, str(safe(line.household)), text)
        sheet.write_number(at, 2, float(kg(Gram(line.grams))), mass)
        sheet.write_number(at, 3, float(yuan(Fen(line.amount))), money)
        sheet.write_blank(at, 4, None, text)
    last = 4 + len(lines)
    sheet.write_string(last, 1, translate(msg("合计"), language), head)
    sheet.write_number(last, 2, float(kg(Gram(sum(each.grams for each in lines)))), mass)
    sheet.write_number(last, 3, float(yuan(Fen(sum(each.amount for each in lines)))), money)
    sheet.repeat_rows(3)
    sheet.freeze_panes(4, 2)
    sheet.set_paper(9)
    book.close()
    return buffer.getvalue()

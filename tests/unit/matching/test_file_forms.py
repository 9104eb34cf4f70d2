"""What people and their programs write, read as what it means."""

import csv
import io
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from market.matching.files import read_demand, read_supply
from market.matching.rules import Demand, Lot
from tests.unit.matching.markets import tiny_markets, write_market

SUPPLY = {
    "lot": "L1",
    "seller": "东于村",
    "product": "花生",
    "grade": "2",
    "quantity_kg": "100.5",
    "ask_yuan_per_kg": "6.35",
    "lat": "41.5",
    "lon": "122.7",
    "available_from": "2024-12-01",
    "available_to": "2025-02-28",
    "min_order_kg": "20",
    "credentials": "sc;green-food",
    "priority_yuan_per_kg": "0.1",
}
DEMAND = {
    "demand": "D1",
    "buyer": "超市",
    "product": "花生",
    "min_grade": "1",
    "quantity_kg": "80",
    "ceiling_yuan_per_kg": "9",
    "lat": "41.8",
    "lon": "123.4",
    "deliver_from": "2024-12-01",
    "deliver_to": "2024-12-31",
    "min_order_kg": "10",
    "max_lots": "3",
    "requires": "sc",
    "max_distance_km": "300",
}


def text_of(rows: Sequence[Sequence[str]], delimiter: str = ",", ending: str = "\n") -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator=ending).writerows(rows)
    return out.getvalue()


def supply_of(folder: Path, content: str | bytes, name: str = "supply.csv") -> list[Lot]:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    lots, faults = read_supply(str(path))
    assert faults == []
    return lots


def one_lot(folder: Path, headings: dict[str, str] | None = None, **cells: str) -> Lot:
    """Read a file of one lot, some of whose cells and headings are others."""
    row = {**SUPPLY, **cells}
    names = [(headings or {}).get(name, name) for name in row]
    (lot,) = supply_of(folder, text_of([names, list(row.values())]))
    return lot


def one_demand(folder: Path, headings: dict[str, str] | None = None, **cells: str) -> Demand:
    row = {**DEMAND, **cells}
    names = [(headings or {}).get(name, name) for name in row]
    path = folder / "demand.csv"
    path.write_text(text_of([names, list(row.values())]), encoding="utf-8")
    (demand,), faults = read_demand(str(path))
    assert faults == []
    return demand


@pytest.mark.parametrize(
    ("written", "grams"),
    [
        ("250", 250_000),
        ("250.0", 250_000),
        ("+250", 250_000),
        (".5", 500),
        ("2.5e3", 2_500_000),
        ("0.0019", 1),
        (" 250 ", 250_000),
        ("２５０．５", 250_500),
        ("1,250.5", 1_250_500),
        ("1，250", 1_250_000),
        ("1,234,567.8", 1_234_567_800),
        ("250kg", 250_000),
        ("250 KG", 250_000),
        ("250公斤", 250_000),
        ("3,000 公斤", 3_000_000),
        ("250千克", 250_000),
        ("250㎏", 250_000),
        ("500斤", 250_000),
        ("５００斤", 250_000),
        ("500市斤", 250_000),
        ("1斤", 500),
        ("2吨", 2_000_000),
        ("1.5 t", 1_500_000),
        ("3万斤", 15_000_000),
        ("2万公斤", 20_000_000),
        ("1.2万", 12_000_000),
        ("5千斤", 2_500_000),
        ("750克", 750),
        ('="250"', 250_000),
        ("\u200b250\ufeff", 250_000),
        ("\u3000250\u00a0公斤", 250_000),
    ],
)
def test_quantity_is_read(written: str, grams: int, tmp_path: Path) -> None:
    assert one_lot(tmp_path, quantity_kg=written).quantity == grams
    assert one_demand(tmp_path, quantity_kg=written).quantity == grams


@pytest.mark.parametrize(
    ("written", "grams"),
    [("", 0), ("-", 0), ("—", 0), ("无", 0), ("/", 0), ("0.0011", 2), ("40斤", 20_000), ("不限", 0)],
)
def test_smallest_order_is_read_and_rounded_up(written: str, grams: int, tmp_path: Path) -> None:
    assert one_lot(tmp_path, min_order_kg=written).min_order == grams


@pytest.mark.parametrize(
    ("written", "yuan_per_kg"),
    [
        ("7", "7"),
        ("0", "0"),
        ("7.1234", "7.1234"),
        ("７．５", "7.5"),
        ("¥7", "7"),
        ("￥7.5", "7.5"),
        ("7元", "7"),
        ("7元/公斤", "7"),
        ("7 元／公斤", "7"),
        ("7元/kg", "7"),
        ("7 yuan/kg", "7"),
        ("¥7/kg", "7"),
        ("3.5元/斤", "7"),
        ("3.5/斤", "7"),
        ("3.5元每斤", "7"),
        ("每斤3.5元", "7"),
        ("每公斤 7 元", "7"),
        ("3.5块一斤", "7"),
        ("7000元/吨", "7"),
        ("7,000 元/吨", "7"),
        ("0.7万元/吨", "7"),
        ("1,250", "1250"),
    ],
)
def test_price_is_read(written: str, yuan_per_kg: str, tmp_path: Path) -> None:
    assert one_lot(tmp_path, ask_yuan_per_kg=written).ask == Decimal(yuan_per_kg)
    assert one_demand(tmp_path, ceiling_yuan_per_kg=written).ceiling == Decimal(yuan_per_kg)


@pytest.mark.parametrize(
    ("written", "yuan"), [("-0.3", "-0.3"), ("－０．３", "-0.3"), ("", "0"), ("0.1元/斤", "0.2")]
)
def test_priority_may_be_negative(written: str, yuan: str, tmp_path: Path) -> None:
    assert one_lot(tmp_path, priority_yuan_per_kg=written).priority == Decimal(yuan)


@pytest.mark.parametrize(
    "written",
    [
        "2024-12-01",
        "2024-12-1",
        "2024/12/1",
        "2024/12/01",
        "2024.12.1",
        "2024年12月1日",
        "2024 年 12 月 1 日",
        "2024年12月1号",
        "２０２４年１２月１日",
        "２０２４／１２／１",
        "20241201",
        "20241201.0",
        "45627",
        "45627.0",
        "2024-12-01 00:00:00",
        "2024-12-01T00:00:00",
        "2024/12/1 0:00",
    ],
)
def test_day_is_read(written: str, tmp_path: Path) -> None:
    lot = one_lot(tmp_path, available_from=written, available_to=written)
    assert (lot.available_from, lot.available_to) == (date(2024, 12, 1), date(2024, 12, 1))


@pytest.mark.parametrize(
    ("written", "first", "last"),
    [
        ("2024年12月", date(2024, 12, 1), date(2024, 12, 31)),
        ("2024年2月", date(2024, 2, 1), date(2024, 2, 29)),
        ("2024年2月份", date(2024, 2, 1), date(2024, 2, 29)),
        ("2025-02", date(2025, 2, 1), date(2025, 2, 28)),
        ("2025/2", date(2025, 2, 1), date(2025, 2, 28)),
        ("2024年12月上旬", date(2024, 12, 1), date(2024, 12, 10)),
        ("2024年12月中旬", date(2024, 12, 11), date(2024, 12, 20)),
        ("2025年2月下旬", date(2025, 2, 21), date(2025, 2, 28)),
    ],
)
def test_month_is_its_first_and_its_last_day(written: str, first: date, last: date, tmp_path: Path) -> None:
    lot = one_lot(tmp_path, available_from=written, available_to=written)
    assert (lot.available_from, lot.available_to) == (first, last)
    demand = one_demand(tmp_path, deliver_from=written, deliver_to=written)
    assert (demand.deliver_from, demand.deliver_to) == (first, last)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("13800000000.0", "13800000000"),
        ("0.0", "0"),
        ("13800000000", "13800000000"),
        ("007", "007"),
        ("007.0", "007.0"),
        ("1.10", "1.10"),
        ("Ｌ１", "L1"),
        (" L 1 ", "L 1"),
        ('="00123"', "00123"),
        ("批次,1", "批次,1"),
        ("东于村—3", "东于村—3"),
        ("无", "无"),
        ("1E5", "1E5"),
    ],
)
def test_id_is_read(written: str, read: str, tmp_path: Path) -> None:
    lot = one_lot(tmp_path, lot=written, seller=written, product=written)
    assert (lot.id, lot.seller, lot.product) == (read, read, read)


@pytest.mark.parametrize(
    ("written", "codes"),
    [
        ("", set()),
        ("-", set()),
        ("无", set()),
        ("sc", {"sc"}),
        ("sc;green-food", {"sc", "green-food"}),
        (" sc ; ;green-food; ", {"sc", "green-food"}),
        ("sc；绿色食品", {"sc", "绿色食品"}),
        ("sc、绿色食品", {"sc", "绿色食品"}),
        ("ｓｃ", {"sc"}),
    ],
)
def test_credentials_are_read(written: str, codes: set[str], tmp_path: Path) -> None:
    assert one_lot(tmp_path, credentials=written).credentials == codes
    assert one_demand(tmp_path, requires=written).requires == codes


@pytest.mark.parametrize(
    ("column", "written", "field", "read"),
    [
        ("max_lots", "", "max_lots", None),
        ("max_lots", "不限", "max_lots", None),
        ("max_lots", "３", "max_lots", 3),
        ("max_lots", "3.0", "max_lots", 3),
        ("max_lots", "3批", "max_lots", 3),
        ("max_lots", "1,000", "max_lots", 1000),
        ("max_distance_km", "", "max_distance_km", None),
        ("max_distance_km", "不限", "max_distance_km", None),
        ("max_distance_km", "300公里", "max_distance_km", 300.0),
        ("max_distance_km", "300.5 km", "max_distance_km", 300.5),
        ("max_distance_km", "1,200", "max_distance_km", 1200.0),
        ("min_grade", "", "min_grade", 0),
        ("min_grade", "-1", "min_grade", -1),
        ("min_grade", "２", "min_grade", 2),
        ("lat", "41.5°", "latitude", 41.5),
        ("lat", "４１．５", "latitude", 41.5),
        ("lon", "-122.7度", "longitude", -122.7),
        ("lon", "180", "longitude", 180.0),
    ],
)
def test_other_figures_are_read(column: str, written: str, field: str, read: Any, tmp_path: Path) -> None:
    assert getattr(one_demand(tmp_path, **{column: written}), field) == read


@pytest.mark.parametrize(
    ("column", "heading", "cell", "field", "read"),
    [
        ("quantity_kg", "数量（公斤）", "500", "quantity", 500_000),
        ("quantity_kg", "数量(斤)", "500", "quantity", 250_000),
        ("quantity_kg", "数量（斤）", "500公斤", "quantity", 500_000),
        ("quantity_kg", "数量斤", "500", "quantity", 250_000),
        ("quantity_kg", "供货量【吨】", "0.5", "quantity", 500_000),
        ("quantity_kg", "数量", "500斤", "quantity", 250_000),
        ("quantity_kg", "quantity (t)", "0.5", "quantity", 500_000),
        ("quantity_kg", "quantity_jin", "500", "quantity", 250_000),
        ("quantity_kg", "Quantity KG", "500", "quantity", 500_000),
        ("quantity_kg", "quantity_kg", "500斤", "quantity", 250_000),
        ("ask_yuan_per_kg", "要价（元/斤）", "3.5", "ask", Decimal(7)),
        ("ask_yuan_per_kg", "要价（元/斤）", "7元/公斤", "ask", Decimal(7)),
        ("ask_yuan_per_kg", "要价(元/公斤)", "7", "ask", Decimal(7)),
        ("ask_yuan_per_kg", "地头价（元／吨）", "7,000", "ask", Decimal(7)),
        ("ask_yuan_per_kg", "要价", "3.5元/斤", "ask", Decimal(7)),
        ("ask_yuan_per_kg", "要价（元）", "3.5/斤", "ask", Decimal(7)),
        ("ask_yuan_per_kg", "ask_yuan_per_jin", "3.5", "ask", Decimal(7)),
        ("ask_yuan_per_kg", "ask (yuan/t)", "7000", "ask", Decimal(7)),
        ("min_order_kg", "起订量（斤）", "40", "min_order", 20_000),
        ("priority_yuan_per_kg", "照顾加分（元/斤）", "0.1", "priority", Decimal("0.2")),
        ("lot", "批次", "L1", "id", "L1"),
        ("lot", " *批次号： ", "L1", "id", "L1"),
        ("lot", "\ufefflot", "L1", "id", "L1"),
        ("lot", "LOT", "L1", "id", "L1"),
        ("seller", "卖家", "张三", "seller", "张三"),
        ("product", "产品", "花生", "product", "花生"),
        ("product", "品名", "花生", "product", "花生"),
        ("grade", "等级", "3", "grade", 3),
        ("lat", "纬度", "41.5", "latitude", 41.5),
        ("lon", "经度", "122.7", "longitude", 122.7),
        ("available_from", "供货开始日期", "2024年12月", "available_from", date(2024, 12, 1)),
        ("available_to", "供货截止日期", "2024年12月", "available_to", date(2024, 12, 31)),
        ("credentials", "资质", "sc", "credentials", {"sc"}),
    ],
)
def test_heading_of_supply_is_known(
    column: str, heading: str, cell: str, field: str, read: Any, tmp_path: Path
) -> None:
    assert getattr(one_lot(tmp_path, {column: heading}, **{column: cell}), field) == read


@pytest.mark.parametrize(
    ("column", "heading", "cell", "field", "read"),
    [
        ("demand", "需求编号", "D9", "id", "D9"),
        ("buyer", "采购方", "超市", "buyer", "超市"),
        ("quantity_kg", "采购数量（吨）", "2", "quantity", 2_000_000),
        ("ceiling_yuan_per_kg", "最高到货价（元/斤）", "4.5", "ceiling", Decimal(9)),
        ("ceiling_yuan_per_kg", "ceiling yuan per jin", "4.5", "ceiling", Decimal(9)),
        ("min_grade", "最低等级", "2", "min_grade", 2),
        ("deliver_from", "最早到货", "2024/12/1", "deliver_from", date(2024, 12, 1)),
        ("deliver_to", "最晚到货", "2024/12/31", "deliver_to", date(2024, 12, 31)),
        ("min_order_kg", "最小收货量（斤）", "40", "min_order", 20_000),
        ("max_lots", "最多批次", "2", "max_lots", 2),
        ("requires", "所需资质", "sc", "requires", {"sc"}),
        ("max_distance_km", "最远距离（公里）", "300", "max_distance_km", 300.0),
        ("max_distance_km", "最远距离", "300公里", "max_distance_km", 300.0),
        ("max_distance_km", "max distance (km)", "300", "max_distance_km", 300.0),
    ],
)
def test_heading_of_demand_is_known(
    column: str, heading: str, cell: str, field: str, read: Any, tmp_path: Path
) -> None:
    assert getattr(one_demand(tmp_path, {column: heading}, **{column: cell}), field) == read


ROWS = [list(SUPPLY), list(SUPPLY.values())]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_file_is_read_in_its_dress(encoding: str, delimiter: str, ending: str, tmp_path: Path) -> None:
    (lot,) = supply_of(tmp_path, text_of(ROWS, delimiter, ending).encode(encoding))
    assert lot == one_lot(tmp_path)


@pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_known_by_its_mark(order: str, tmp_path: Path) -> None:
    (lot,) = supply_of(tmp_path, ("\ufeff" + text_of(ROWS, "\t", "\r\n")).encode(order))
    assert lot.seller == "东于村"


def test_each_line_is_read_in_the_encoding_that_it_certainly_has(tmp_path: Path) -> None:
    lines = text_of([ROWS[0], *([f"L{k}", *ROWS[1][1:]] for k in range(4))]).splitlines(keepends=True)
    mixed = b"".join(line.encode("gbk" if k % 2 else "utf-8") for k, line in enumerate(lines))
    lots = supply_of(tmp_path, mixed)
    assert [lot.id for lot in lots] == ["L0", "L1", "L2", "L3"]
    assert {(lot.seller, lot.product) for lot in lots} == {("东于村", "花生")}


def test_columns_may_come_in_any_order(tmp_path: Path) -> None:
    names = sorted(SUPPLY, reverse=True)
    (lot,) = supply_of(tmp_path, text_of([names, [SUPPLY[name] for name in names]]))
    assert lot == one_lot(tmp_path)


def test_columns_that_may_be_absent_may_be_absent(tmp_path: Path) -> None:
    names = [
        name
        for name in SUPPLY
        if name not in ("grade", "min_order_kg", "credentials", "priority_yuan_per_kg")
    ]
    (lot,) = supply_of(tmp_path, text_of([names, [SUPPLY[name] for name in names]]))
    assert (lot.grade, lot.min_order, lot.credentials, lot.priority) == (0, 0, frozenset(), 0)


def test_titles_and_blank_rows_and_unused_columns_are_passed(tmp_path: Path) -> None:
    title = ["东于村货源表", *[""] * 14]
    wide = [[*row, "", " "] for row in ROWS]
    (lot,) = supply_of(tmp_path, text_of([title, [], wide[0], [" "] * 15, wide[1], [], []]))
    assert lot == one_lot(tmp_path)


def test_line_that_names_the_separator_is_passed(tmp_path: Path) -> None:
    assert len(supply_of(tmp_path, "sep=;\r\n" + text_of(ROWS, ";"))) == 1


def test_short_row_lacks_what_may_be_absent(tmp_path: Path) -> None:
    (lot,) = supply_of(tmp_path, text_of([ROWS[0], ROWS[1][:10]]))
    assert (lot.min_order, lot.credentials, lot.priority) == (0, frozenset(), 0)


def test_file_may_come_through_a_pipe(tmp_path: Path) -> None:
    import os
    import threading

    pipe = tmp_path / "supply.csv"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text(text_of(ROWS), encoding="utf-8"))
    writer.start()
    lots, faults = read_supply(str(pipe))
    writer.join()
    assert ([lot.id for lot in lots], faults) == (["L1"], [])


def test_what_repeats_is_one_object(tmp_path: Path) -> None:
    rows = [ROWS[0], *([f"L{k}", *ROWS[1][1:]] for k in range(20_000))]
    lots = supply_of(tmp_path, text_of(rows))
    first, last = lots[0], lots[-1]
    assert len(lots) == 20_000
    for field in ("seller", "product", "ask", "available_from", "credentials", "priority"):
        assert getattr(first, field) is getattr(last, field)


def workbook(path: Path, rows: Sequence[Sequence[Any]], **options: Any) -> None:
    with xlsxwriter.Workbook(str(path), options) as book:
        sheet = book.add_worksheet()
        as_day = book.add_format({"num_format": "yyyy/m/d"})
        for number, row in enumerate(rows):
            for place, cell in enumerate(row):
                if isinstance(cell, date):
                    sheet.write_datetime(number, place, cell, as_day)
                elif isinstance(cell, (bool, str)):
                    sheet.write(number, place, cell)
                elif cell is not None:
                    sheet.write_number(number, place, cell)


@pytest.mark.parametrize(
    ("column", "cell", "field", "read"),
    [
        ("lot", 13800000000, "id", "13800000000"),
        ("lot", 17.0, "id", "17"),
        ("lot", 1.5, "id", "1.5"),
        ("quantity_kg", 100.5, "quantity", 100_500),
        ("quantity_kg", 0.7 * 3, "quantity", 2_100),
        ("quantity_kg", "500斤", "quantity", 250_000),
        ("ask_yuan_per_kg", 0.1 + 0.2, "ask", Decimal("0.3")),
        ("ask_yuan_per_kg", "3.5元/斤", "ask", Decimal(7)),
        ("grade", 2, "grade", 2),
        ("available_from", date(2024, 12, 1), "available_from", date(2024, 12, 1)),
        ("available_from", datetime.fromisoformat("2024-12-01"), "available_from", date(2024, 12, 1)),
        ("available_from", 45627, "available_from", date(2024, 12, 1)),
        ("available_from", 20241201, "available_from", date(2024, 12, 1)),
        ("available_from", "2024年12月", "available_from", date(2024, 12, 1)),
        ("min_order_kg", None, "min_order", 0),
        ("min_order_kg", "-", "min_order", 0),
        ("min_order_kg", 0, "min_order", 0),
    ],
)
def test_cell_of_a_workbook_is_read(column: str, cell: Any, field: str, read: Any, tmp_path: Path) -> None:
    path = tmp_path / "supply.xlsx"
    workbook(path, [list(SUPPLY), list({**SUPPLY, column: cell}.values())])
    (lot,), faults = read_supply(str(path))
    assert faults == []
    assert getattr(lot, field) == read


def test_workbook_may_begin_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "supply.xlsx"
    workbook(path, [[], ["", "", "货源"], [], *([None, None, *row] for row in ROWS)])
    assert read_supply(str(path)) == ([one_lot(tmp_path)], [])


def test_days_of_a_workbook_of_1904_are_days(tmp_path: Path) -> None:
    path = tmp_path / "supply.xlsx"
    days = {"available_from": date(2024, 12, 1), "available_to": date(2024, 12, 31)}
    workbook(path, [list(SUPPLY), list({**SUPPLY, **days}.values())], date_1904=True)
    (lot,), faults = read_supply(str(path))
    assert (faults, lot.available_from, lot.available_to) == ([], *days.values())


# The same market in any of the tolerated forms


def _grouped(number: Decimal) -> str:
    return f"{number:,f}"


def _wide(text: str) -> str:
    return "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in text)


MASS_FORMS: list[Callable[[Decimal], str]] = [
    lambda kg: f"{kg:f}",
    _grouped,
    lambda kg: _wide(f"{kg:f}"),
    lambda kg: f"{kg * 2:f}斤",
    lambda kg: f"{_grouped(kg * 2)} 市斤",
    lambda kg: f"{kg:f}公斤",
    lambda kg: f"{kg:f} kg",
    lambda kg: f"{kg / 1000:f}吨",
    lambda kg: f"{kg * 2 / 10_000:f}万斤",
    lambda kg: f"{kg * 1000:f}克",
]
PRICE_FORMS: list[Callable[[Decimal], str]] = [
    lambda yuan: f"{yuan:f}",
    lambda yuan: f"￥{yuan:f}",
    lambda yuan: _wide(f"{yuan:f}"),
    lambda yuan: f"{yuan:f}元/公斤",
    lambda yuan: f"{yuan / 2:f}元/斤",
    lambda yuan: f"{_grouped(yuan * 1000)} 元/吨",
    lambda yuan: f"每斤{yuan / 2:f}元",
]
DAY_FORMS: list[Callable[[date], str]] = [
    date.isoformat,
    lambda day: f"{day.year}/{day.month}/{day.day}",
    lambda day: f"{day.year}.{day.month}.{day.day}",
    lambda day: f"{day.year}年{day.month}月{day.day}日",
    lambda day: f"{day:%Y%m%d}",
    lambda day: str((day - date(1899, 12, 30)).days),
    lambda day: _wide(f"{day.year}/{day.month}/{day.day}"),
    lambda day: f"{day} 00:00:00",
]
ABSENT = ["", "-", "—", " ", "－"]
DRESSES = [
    (encoding, delimiter, ending)
    for encoding in ("utf-8", "utf-8-sig", "gbk", "utf-16")
    for delimiter in (",", "\t", "|")
    for ending in ("\n", "\r\n")
]


@st.composite
def dressed(draw: st.DrawFn) -> tuple[list[Lot], list[Demand], list[list[str]], list[list[str]], Any]:
    lots, demands = draw(tiny_markets(limits=draw(st.booleans())))

    def mass(grams: int) -> str:
        return draw(st.sampled_from(MASS_FORMS))(Decimal(grams) / 1000)

    def price(yuan: Decimal) -> str:
        return draw(st.sampled_from(PRICE_FORMS))(yuan)

    def day(of: date) -> str:
        return draw(st.sampled_from(DAY_FORMS))(of)

    def optional(value: str | None) -> str:
        return draw(st.sampled_from(ABSENT)) if value is None else value

    def codes(of: frozenset[str]) -> str:
        return draw(st.sampled_from([";", "；", "、", " ; "])).join(of) or optional(None)

    supply = [
        [
            lot.id,
            lot.seller,
            lot.product,
            str(lot.grade),
            mass(lot.quantity),
            price(lot.ask),
            repr(lot.latitude),
            repr(lot.longitude),
            day(lot.available_from),
            day(lot.available_to),
            mass(lot.min_order) if lot.min_order else optional(None),
            codes(lot.credentials),
            f"{lot.priority:f}",
        ]
        for lot in lots
    ]
    wanted = [
        [
            demand.id,
            demand.buyer,
            demand.product,
            str(demand.min_grade),
            mass(demand.quantity),
            price(demand.ceiling),
            repr(demand.latitude),
            repr(demand.longitude),
            day(demand.deliver_from),
            day(demand.deliver_to),
            mass(demand.min_order) if demand.min_order else optional(None),
            optional(None if demand.max_lots is None else str(demand.max_lots)),
            codes(demand.requires),
            optional(None if demand.max_distance_km is None else f"{demand.max_distance_km:g}公里"),
        ]
        for demand in demands
    ]
    tables = []
    for names, rows in ((list(SUPPLY), supply), (list(DEMAND), wanted)):
        order = draw(st.permutations(range(len(names))))
        tables.append([[row[place] for place in order] for row in [names, *rows]])
    return lots, demands, tables[0], tables[1], draw(st.sampled_from(DRESSES))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=dressed())
def test_market_in_any_dress_is_the_same_market(case: Any, tmp_path: Path) -> None:
    lots, demands, supply, wanted, (encoding, delimiter, ending) = case
    for name, rows in (("s.csv", supply), ("d.csv", wanted)):
        (tmp_path / name).write_bytes(text_of(rows, delimiter, ending).encode(encoding))
    assert read_supply(str(tmp_path / "s.csv")) == (lots, [])
    assert read_demand(str(tmp_path / "d.csv")) == (demands, [])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(market=tiny_markets(limits=True))
def test_market_as_a_workbook_is_the_same_market(market: Any, tmp_path: Path) -> None:
    lots, demands = market
    for path, name in zip(write_market(tmp_path, lots, demands), ("s.xlsx", "d.xlsx"), strict=True):
        with Path(path).open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        days = [place for place, heading in enumerate(header) if heading.endswith(("_from", "_to"))]
        texts = [
            place
            for place, heading in enumerate(header)
            if heading in ("lot", "demand", "seller", "buyer", "product", "credentials", "requires")
        ]
        workbook(
            tmp_path / name,
            [
                header,
                *(
                    [
                        date.fromisoformat(cell)
                        if place in days
                        else cell
                        if place in texts or cell in ("", "-")
                        else float(cell)
                        for place, cell in enumerate(row)
                    ]
                    for row in rows
                ),
            ],
        )
    assert read_supply(str(tmp_path / "s.xlsx")) == (lots, [])
    assert read_demand(str(tmp_path / "d.xlsx")) == (demands, [])


def test_serial_numbers_are_those_of_a_spreadsheet(tmp_path: Path) -> None:
    path = tmp_path / "supply.xlsx"
    days = [date(2000, 1, 1) + timedelta(k * 997) for k in range(36)]
    rows = [{**SUPPLY, "lot": f"L{k}", "available_to": "2100-12-31"} for k in range(len(days))]
    workbook(
        path,
        [list(SUPPLY), *(list({**r, "available_from": d}.values()) for r, d in zip(rows, days, strict=True))],
    )
    as_days = [lot.available_from for lot in read_supply(str(path))[0]]
    serials = [str((day - date(1899, 12, 30)).days) for day in days]
    lots = supply_of(
        tmp_path,
        text_of(
            [
                list(SUPPLY),
                *(list({**r, "available_from": s}.values()) for r, s in zip(rows, serials, strict=True)),
            ]
        ),
    )
    assert [lot.available_from for lot in lots] == as_days == days

"""The checker's own reader understands what the engine's reader understands, and the same by it."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from market.matching.checker.input import Side, Unreadable, read_side
from market.matching.files.reading import read_demand, read_supply
from market.matching.rules import Demand, Lot

SUPPLY = {
    "lot": "L1",
    "seller": "东于村",
    "product": "花生",
    "grade": "1",
    "quantity_kg": "100.5",
    "ask_yuan_per_kg": "6.35",
    "lat": "41.5",
    "lon": "122.7",
    "available_from": "2026-09-01",
    "available_to": "2026-09-30",
    "min_order_kg": "-",
    "credentials": "SC; green",
    "priority_yuan_per_kg": "",
}
DEMAND = {
    "demand": "D1",
    "buyer": "超市",
    "product": "花生",
    "min_grade": "",
    "quantity_kg": "80",
    "ceiling_yuan_per_kg": "9",
    "lat": "41.8",
    "lon": "123.4",
    "deliver_from": "2026-09-02",
    "deliver_to": "2026-09-20",
    "min_order_kg": "",
    "max_lots": "",
    "requires": "",
    "max_distance_km": "",
}
IDS = ["L1", "13800000000.0", "１２３", "007", "货-1", "A 1"]
MASSES = [
    "100",
    "1,250.5",
    "５００",
    "500斤",
    "0.5吨",
    "12.3456",
    "2万斤",
    "1.5 吨",
    "3千斤",
    "300公斤",
    "9e2",
    "800kg",
]
PRICES = [
    "6.35",
    "3.5元/斤",
    "6400元/吨",
    "6.123456",
    "¥6.4",
    "每斤3.2",
    "7 元/公斤",
    "６．５",
    "3.1元每斤",
    "0.65万元/吨",
    "2.34567元/斤",
]
DAYS = [
    "2026-09-01",
    "2026/9/1",
    "2026.9.1",
    "2026年9月1日",
    "20260901",
    "46266",
    "2026年9月",
    "2026-9",
    "2026年9月上旬",
]
NONE = ["", "-", "—", "无", "/"]


def write(
    path: Path, header: Sequence[str], rows: Sequence[Sequence[str]], encoding: str, parted: str
) -> str:
    lines = [parted.join(f'"{cell}"' if parted in cell else cell for cell in row) for row in (header, *rows)]
    path.write_bytes(("\r\n".join(lines) + "\r\n").encode(encoding))
    return str(path)


def assert_same(side: Side, parties: Sequence[Lot | Demand], products: dict[str, int]) -> None:
    """The checker's columns say what the engine's objects say."""
    names = list(products)
    for k, party in enumerate(parties):
        is_lot = isinstance(party, Lot)
        price = party.ask if isinstance(party, Lot) else party.ceiling
        window = (
            (party.available_from, party.available_to)
            if isinstance(party, Lot)
            else (party.deliver_from, party.deliver_to)
        )
        assert side.ids[k] == party.id
        assert names[side.product[k]] == party.product
        assert side.grams[k] == party.quantity
        assert side.min_order[k] == party.min_order
        assert side.price[k] == float(price)
        assert side.exact.get(k, round(price, 4)) == price or not is_lot
        assert (date.fromordinal(side.begin[k]), date.fromordinal(side.end[k])) == window
        if isinstance(party, Lot):
            assert side.grade[k] == party.grade
            assert side.sets[side.held[k]] == party.credentials
            assert side.priority[k] == float(party.priority)
        else:
            assert side.grade[k] == party.min_grade
            assert side.sets[side.held[k]] == party.requires
            assert side.max_lots[k] == (party.max_lots or float("inf"))
            assert side.reach[k] == (party.max_distance_km or float("inf"))
    assert len(side.ids) == len(parties)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_supply_is_read_as_the_engine_reads_it(tmp_path: Path, data: st.DataObject) -> None:
    draw = data.draw
    cells = {
        **SUPPLY,
        "lot": draw(st.sampled_from(IDS)),
        "grade": draw(st.sampled_from(["1", "２", "3.0", *NONE])),
        "quantity_kg": draw(st.sampled_from(MASSES)),
        "ask_yuan_per_kg": draw(st.sampled_from(PRICES)),
        "available_from": draw(st.sampled_from(DAYS)),
        "available_to": draw(st.sampled_from([*DAYS[:6], "2026年10月", "2026-11", "2026年9月下旬"])),
        "min_order_kg": draw(st.sampled_from([*NONE, *MASSES])),
        "credentials": draw(st.sampled_from(["SC;green", "SC；green", "SC、有机", "SC", *NONE])),
        "priority_yuan_per_kg": draw(st.sampled_from(["0.2", "-0.1元/斤", *NONE])),
    }
    headings = {
        "quantity_kg": ["quantity_kg", "数量（公斤）", "重量(斤)", "Quantity_KG", "数量/吨", "库存【千克】"],
        "ask_yuan_per_kg": ["ask_yuan_per_kg", "要价（元/斤）", "单价(元/公斤)", "地头价 元/吨"],
        "lot": ["lot", "批次", "批次编号*"],
        "product": ["product", "品名"],
        "available_from": ["available_from", "供货开始"],
        "credentials": ["credentials", "资质"],
    }
    header = [draw(st.sampled_from(headings.get(column, [column]))) for column in cells]
    parted = draw(st.sampled_from([",", "\t", ";"]))
    if parted == ";":
        cells["quantity_kg"] = cells["quantity_kg"].replace(",", "")
    rows = [list(cells.values()), [*{**SUPPLY, "lot": "last"}.values()]]
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "gb18030", "utf-16"]))
    path = write(tmp_path / "supply.csv", header, rows, encoding, parted)
    lots, faults = read_supply(path)
    if faults:
        # What the engine refuses gives no result: there is nothing to check.
        assert lots == []
        return
    products: dict[str, int] = {}
    assert_same(read_side(path, products, lot=True), lots, products)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_demand_is_read_as_the_engine_reads_it(tmp_path: Path, data: st.DataObject) -> None:
    draw = data.draw
    cells = {
        **DEMAND,
        "quantity_kg": draw(st.sampled_from(MASSES)),
        "ceiling_yuan_per_kg": draw(st.sampled_from(PRICES)),
        "max_lots": draw(st.sampled_from(["3", "２批", *NONE])),
        "requires": draw(st.sampled_from(["SC", "", "SC、有机"])),
        "max_distance_km": draw(st.sampled_from(["300", "300公里", "1,200", "", "不限"])),
    }
    headings = {
        "quantity_kg": ["quantity_kg", "采购量（斤）", "需求量(吨)"],
        "ceiling_yuan_per_kg": ["ceiling_yuan_per_kg", "最高价（元/斤）", "到货价(元/公斤)"],
        "max_distance_km": ["max_distance_km", "最远距离（公里）"],
    }
    header = [draw(st.sampled_from(headings.get(column, [column]))) for column in cells]
    path = write(tmp_path / "demand.csv", header, [list(cells.values())], "utf-8", ",\t"[draw(st.booleans())])
    demands, faults = read_demand(path)
    if faults:
        assert demands == []
        return
    products: dict[str, int] = {}
    assert_same(read_side(path, products, lot=False), demands, products)


@pytest.mark.parametrize("quantity", MASSES)
@pytest.mark.parametrize("price", PRICES)
def test_most_forms_are_read_by_both(tmp_path: Path, quantity: str, price: str) -> None:
    """So that the comparisons above are not all about refusals."""
    cells = {**SUPPLY, "quantity_kg": quantity, "ask_yuan_per_kg": price}
    path = write(tmp_path / "supply.csv", list(cells), [list(cells.values())], "utf-8", "\t")
    lots, faults = read_supply(path)
    assert faults == []
    products: dict[str, int] = {}
    assert_same(read_side(path, products, lot=True), lots, products)


@pytest.mark.parametrize("written", DAYS)
def test_days_are_read_by_both(tmp_path: Path, written: str) -> None:
    cells = {**SUPPLY, "available_from": written, "available_to": written.replace("上旬", "中旬")}
    path = write(tmp_path / "supply.csv", list(cells), [list(cells.values())], "gb18030", ",")
    lots, faults = read_supply(path)
    assert faults == []
    products: dict[str, int] = {}
    assert_same(read_side(path, products, lot=True), lots, products)


def test_workbook_is_read_as_the_engine_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "supply.xlsx"
    with xlsxwriter.Workbook(str(path), {"default_date_format": "yyyy-mm-dd"}) as book:
        sheet = book.add_worksheet()
        cells: dict[str, Any] = {
            **SUPPLY,
            "lot": 13800000000.0,
            "grade": 2.0,
            "quantity_kg": 0.1 + 0.2,
            "ask_yuan_per_kg": 6.35,
            "lat": 41.5,
            "available_from": date(2026, 9, 1),
            "available_to": 46295,
        }
        sheet.write_row(0, 0, list(cells))
        for place, value in enumerate(cells.values()):
            if isinstance(value, date):
                sheet.write_datetime(1, place, value)
            else:
                sheet.write(1, place, value)
    lots, faults = read_supply(str(path))
    assert faults == []
    products: dict[str, int] = {}
    assert_same(read_side(str(path), products, lot=True), lots, products)


def test_titles_above_the_header_and_blank_rows_are_passed(tmp_path: Path) -> None:
    path = tmp_path / "supply.csv"
    rows = [",".join(SUPPLY), "", ",".join(SUPPLY.values()), " , ,", ""]
    path.write_text("\n".join(["东于村九月货源", "", *rows]), encoding="utf-8")
    lots, faults = read_supply(str(path))
    assert (len(lots), faults) == (1, [])
    products: dict[str, int] = {}
    assert_same(read_side(str(path), products, lot=True), lots, products)


def test_lines_of_different_encodings_are_read_as_the_engine_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "supply.csv"
    one, two = ",".join(SUPPLY.values()), ",".join({**SUPPLY, "lot": "L2"}.values())
    path.write_bytes((",".join(SUPPLY) + "\n" + one + "\n").encode("utf-8") + (two + "\n").encode("gb18030"))
    lots, faults = read_supply(str(path))
    assert (len(lots), faults) == (2, [])
    products: dict[str, int] = {}
    assert_same(read_side(str(path), products, lot=True), lots, products)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("lot", ""),
        ("quantity_kg", "many"),
        ("quantity_kg", "1,25"),
        ("quantity_kg", "3筐"),
        ("ask_yuan_per_kg", "nan"),
        ("ask_yuan_per_kg", "3元/筐"),
        ("available_to", "09-30"),
        ("lat", "north"),
    ],
)
def test_what_has_no_certain_meaning_is_unreadable(tmp_path: Path, column: str, value: str) -> None:
    cells = {**SUPPLY, column: value}
    path = write(tmp_path / "supply.csv", list(cells), [list(cells.values())], "utf-8", "\t")
    with pytest.raises(Unreadable):
        read_side(path, {}, lot=True)

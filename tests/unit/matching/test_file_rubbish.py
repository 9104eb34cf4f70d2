"""What cannot be read with certainty is listed: which row, which column, what stands there, and why."""

import csv
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from market import cli_match
from market.matching.faults import Fault
from market.matching.files import read_demand, read_supply
from tests.unit.matching.test_file_forms import DEMAND, ROWS, SUPPLY, text_of, workbook

Told = tuple[int, str, str]


def faults_in(path: Path) -> list[Fault]:
    lots, faults = read_supply(str(path))
    assert not (lots and faults)
    return faults


def told(folder: Path, content: str | bytes, name: str = "supply.csv") -> list[Told]:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return [(fault.row, fault.column, fault.value) for fault in faults_in(path)]


def fault_of(folder: Path, column: str, value: str) -> Fault:
    """The one fault of a file whose second lot has ``value``."""
    row = {**SUPPLY, "lot": "L2", column: value}
    path = folder / "supply.csv"
    path.write_text(text_of([*ROWS, list(row.values())]), encoding="utf-8")
    (fault,) = faults_in(path)
    assert (fault.row, fault.column, fault.value) == (3, column, value[:200])
    return fault


NUMBER = "应是数字，例如 12500.5。"
COMMA = "逗号的位置不对：千分位写作 12,500.5，小数点用 .。"
MASS = "应大于 0，不超过 100000000 公斤（10 万吨）。"
PRICE = "应在 0 至 10000 元/公斤 之间。"
DAY = "应是真实的日期，写作 年-月-日，例如 2026-09-30。"
ORDER = "年、月、日的先后无法断定，请写作 年-月-日，例如 2026-09-30。"
NO_YEAR = "没有年份，请写作 年-月-日，例如 2026-09-30。"
FINITE = "应是有限的数字。"
EMPTY = "不能为空。"
SPACE = "数字中间有空格，请删去。"


def strange(rest: str) -> str:
    return f"数字后面的“{rest}”看不懂，请只写数字，或写明单位。"


def per(unit: str) -> str:
    return f"看不懂单位“{unit}”：请写 元/公斤、元/斤 或 元/吨。"


def invisible(code: str) -> str:
    return f"含有看不见的字符（U+{code}），请重新输入。"


def formula(value: str) -> str:
    return f"是公式算不出来的结果（{value}），请写实际的内容。"


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        # Quantities
        ("quantity_kg", "", EMPTY),
        ("quantity_kg", "-", EMPTY),
        ("quantity_kg", "——", EMPTY),
        ("quantity_kg", "无", NUMBER),
        ("quantity_kg", "0", MASS),
        ("quantity_kg", "-5", MASS),
        ("quantity_kg", "-500斤", MASS),
        ("quantity_kg", "100000001", MASS),
        ("quantity_kg", "100001吨", MASS),
        ("quantity_kg", "1e12", MASS),
        ("quantity_kg", "1e400", MASS),
        ("quantity_kg", "1e999999999", MASS),
        ("quantity_kg", "1e-9", "不足 0.001 公斤。"),
        ("quantity_kg", "0.0009", "不足 0.001 公斤。"),
        ("quantity_kg", "NaN", FINITE),
        ("quantity_kg", "inf", FINITE),
        ("quantity_kg", "-Infinity", FINITE),
        ("quantity_kg", "null", NUMBER),
        ("quantity_kg", "abc", NUMBER),
        ("quantity_kg", ".", NUMBER),
        ("quantity_kg", "٣", NUMBER),
        ("quantity_kg", "三百斤", NUMBER),
        ("quantity_kg", "约500斤", NUMBER),
        ("quantity_kg", ">500", NUMBER),
        ("quantity_kg", "(500)", NUMBER),
        ("quantity_kg", "=250+250", NUMBER),
        ("quantity_kg", "TRUE", NUMBER),
        ("quantity_kg", "500-600", strange("-600")),
        ("quantity_kg", "500斤左右", strange("斤左右")),
        ("quantity_kg", "500 lb", strange("lb")),
        ("quantity_kg", "500元", strange("元")),
        ("quantity_kg", "5mg", strange("mg")),
        ("quantity_kg", "10²", strange("²")),
        ("quantity_kg", "1_000", strange("_000")),
        ("quantity_kg", "0x10", strange("x10")),
        ("quantity_kg", "1.2.3", strange(".3")),
        ("quantity_kg", "50%", strange("%")),
        ("quantity_kg", "1 000", SPACE),
        ("quantity_kg", "1,5", COMMA),
        ("quantity_kg", "1,50,000", COMMA),
        ("quantity_kg", "1234,567", COMMA),
        ("quantity_kg", "0,500", COMMA),
        ("quantity_kg", "1,234,", COMMA),
        ("quantity_kg", "1.234,5", strange(",5")),
        ("quantity_kg", "#N/A", formula("#N/A")),
        ("quantity_kg", "#REF!", formula("#REF!")),
        ("quantity_kg", "########", formula("########")),
        ("quantity_kg", "\u202e500", invisible("202E")),
        ("quantity_kg", "500\x07", strange("\x07")),
        ("quantity_kg", "9" * 70, "内容过长。"),
        ("min_order_kg", "-1", "应在 0 至 100000000 公斤 之间。"),
        ("min_order_kg", "#DIV/0!", formula("#DIV/0!")),
        # Prices
        ("ask_yuan_per_kg", "", EMPTY),
        ("ask_yuan_per_kg", "-0.01", PRICE),
        ("ask_yuan_per_kg", "10001", PRICE),
        ("ask_yuan_per_kg", "6000元/斤", PRICE),
        ("ask_yuan_per_kg", "面议", NUMBER),
        ("ask_yuan_per_kg", "$7", NUMBER),
        ("ask_yuan_per_kg", "7美元", per("美元")),
        ("ask_yuan_per_kg", "7元/箱", per("元/箱")),
        ("ask_yuan_per_kg", "350分/斤", per("分/斤")),
        ("ask_yuan_per_kg", "每斤7元/公斤", per("元/公斤")),
        ("ask_yuan_per_kg", "6,35", COMMA),
        (
            "ask_yuan_per_kg",
            "3-4",
            per("-4"),
        ),
        ("priority_yuan_per_kg", "高", NUMBER),
        ("priority_yuan_per_kg", "-10001", "应在 -10000 至 10000 元/公斤 之间。"),
        # Places
        ("lat", "90.1", "应在 -90 至 90 之间。"),
        ("lat", "N41", NUMBER),
        ("lat", "41,5", COMMA),
        ("lat", "41,502", COMMA),
        ("lat", "41°30′", strange("°30′")),
        ("lon", "-180.5", "应在 -180 至 180 之间。"),
        ("lon", "", EMPTY),
        # Days
        ("available_from", "", EMPTY),
        ("available_from", "2024-02-30", DAY),
        ("available_from", "2023年2月29日", DAY),
        ("available_from", "2024/13/1", DAY),
        ("available_from", "20241301", DAY),
        ("available_from", "0000-00-00", DAY),
        ("available_from", "2024-W36-2", DAY),
        ("available_from", "202412", DAY),
        ("available_from", "2024.12", DAY),
        ("available_from", "90000", DAY),
        ("available_from", "36525", DAY),
        ("available_from", "45627.5", DAY),
        ("available_from", "2024-12-01 08:30", DAY),
        ("available_from", "明天", DAY),
        ("available_from", "二〇二四年十二月一日", DAY),
        ("available_from", "Dec 1, 2024", DAY),
        ("available_from", "2024年13月", DAY),
        ("available_from", "01/02/2024", ORDER),
        ("available_from", "24-12-1", ORDER),
        ("available_from", "12月1日", NO_YEAR),
        ("available_from", "12月", NO_YEAR),
        ("available_from", "#VALUE!", formula("#VALUE!")),
        # Grades and codes
        ("grade", "1.5", "应是 -1000 至 1000 之间的整数。"),
        ("grade", "1001", "应是 -1000 至 1000 之间的整数。"),
        ("grade", "一级", NUMBER),
        ("grade", "2级", strange("级")),
        ("credentials", "sc,green-food", "几项之间请用分号 ; 隔开，不用逗号。"),
        ("credentials", "sc\u200b", invisible("200B")),
        ("credentials", "#N/A", formula("#N/A")),
        # Ids and names
        ("lot", "", EMPTY),
        ("lot", "-", EMPTY),
        ("lot", "a\nb", "含有换行或控制字符，请删去。"),
        ("lot", "a\tb", "含有换行或控制字符，请删去。"),
        ("lot", "a\u2028b", "含有换行或控制字符，请删去。"),
        ("lot", "L2\u200b", invisible("200B")),
        ("lot", "\ufeffL2", invisible("FEFF")),
        ("lot", "L2\u202e", invisible("202E")),
        ("lot", "L\u00ad2", invisible("00AD")),
        ("lot", "L\ufffd", "含有读不出的字，多半是编码不一致；请重写这一格，整份存为“CSV UTF-8”。"),
        ("lot", "1.38E+10", "被 Excel 写成了科学记数，位数已丢失；请把这一格设为文本再写。"),
        ("lot", "=A1+1", "以 = 开头，像是公式；请写成文字。"),
        ("lot", "#NAME?", formula("#NAME?")),
        ("lot", '=""', EMPTY),
        ("seller", "", EMPTY),
        ("product", "x" * 5000, "内容过长。"),
        ("product", "#N/A", formula("#N/A")),
    ],
)
def test_bad_cell_is_listed_with_its_reason(column: str, value: str, reason: str, tmp_path: Path) -> None:
    assert str(fault_of(tmp_path, column, value).reason) == reason


@pytest.mark.parametrize(
    ("value", "row"),
    [("L1", 2), ("Ｌ１", 2), (" L1 ", 2)],
)
def test_id_that_was_used_names_where(value: str, row: int, tmp_path: Path) -> None:
    (fault,) = _faults(tmp_path, lot=value)
    assert (fault.row, fault.column, fault.value) == (3, "lot", "L1")
    assert str(fault.reason) == f"编号重复，第 {row} 行已用过。"


def _faults(folder: Path, **cells: str) -> list[Fault]:
    path = folder / "supply.csv"
    path.write_text(text_of([*ROWS, list({**SUPPLY, "lot": "L2", **cells}.values())]), encoding="utf-8")
    return faults_in(path)


def test_id_used_long_before_names_its_first_row(tmp_path: Path) -> None:
    rows = [ROWS[0], *([f"L{k}", *ROWS[1][1:]] for k in range(20_000)), ["L17", *ROWS[1][1:]]]
    (fault,) = _read(tmp_path, text_of(rows))
    assert (fault.row, str(fault.reason)) == (20_002, "编号重复，第 19 行已用过。")


def _read(folder: Path, content: str) -> list[Fault]:
    path = folder / "supply.csv"
    path.write_text(content, encoding="utf-8")
    return faults_in(path)


def test_window_that_ends_before_it_begins_is_listed(tmp_path: Path) -> None:
    (fault,) = _faults(tmp_path, available_to="2024/11/30")
    assert (fault.row, fault.column, fault.value) == (3, "available_to", "2024-11-30")
    assert str(fault.reason) == "结束日期早于开始日期（2024-12-01）。"


@pytest.mark.parametrize(("lat", "lon"), [("122.7", "41.5"), ("87.6", "43.8"), ("113.3度", "23.1")])
def test_latitude_and_longitude_in_each_others_place_are_told_once(
    lat: str, lon: str, tmp_path: Path
) -> None:
    (fault,) = _faults(tmp_path, lat=lat, lon=lon)
    assert (fault.row, fault.column, fault.value) == (3, "lat", lat)
    assert str(fault.reason) == "经纬度写反了，请对调。"


def test_place_that_is_only_wrong_is_not_called_swapped(tmp_path: Path) -> None:
    assert [fault.column for fault in _faults(tmp_path, lat="122.7", lon="241.5")] == ["lat", "lon"]


def test_comma_of_a_file_of_semicolons_could_be_either(tmp_path: Path) -> None:
    rows = [
        {**SUPPLY, "lot": "L1", "quantity_kg": "1,234"},
        {**SUPPLY, "lot": "L2", "quantity_kg": "1,234.5"},
        {**SUPPLY, "lot": "L3", "quantity_kg": "1,234,567"},
    ]
    content = text_of([list(SUPPLY), *(list(row.values()) for row in rows)], ";")
    assert told(tmp_path, content) == [(2, "quantity_kg", "1,234")]


@pytest.mark.parametrize(
    ("heading", "cells", "faults"),
    [
        ({"quantity_kg": "数量"}, {}, [(2, "数量", "100.5")]),
        ({"ask_yuan_per_kg": "单价"}, {}, [(2, "单价", "6.35")]),
        ({"ask_yuan_per_kg": "单价（元）"}, {}, [(2, "单价（元）", "6.35")]),
        ({"quantity_kg": "数量（箱）"}, {}, [(1, "数量（箱）", "数量（箱）"), (1, "quantity_kg", "")]),
        (
            {"ask_yuan_per_kg": "要价（美元/斤）"},
            {},
            [(1, "要价（美元/斤）", "要价（美元/斤）"), (1, "ask_yuan_per_kg", "")],
        ),
        (
            {"ask_yuan_per_kg": "到货价（元/斤）"},
            {},
            [(1, "到货价（元/斤）", "到货价（元/斤）"), (1, "ask_yuan_per_kg", "")],
        ),
        ({"grade": "quantity（斤）"}, {}, [(1, "quantity_kg", "quantity_kg")]),
        ({"grade": "批次"}, {}, [(1, "批次", "批次")]),
        ({"grade": "lot"}, {}, [(1, "lot", "lot")]),
        ({"grade": "colour"}, {}, [(1, "colour", "colour")]),
        ({"grade": "备注"}, {}, [(1, "备注", "备注")]),
        ({"lat": "y"}, {}, [(1, "y", "y"), (1, "lat", "")]),
        ({"grade": ""}, {}, [(2, "D", "2")]),
        ({"grade": "-"}, {}, [(2, "D", "2")]),
        ({"grade": ""}, {"grade": ""}, []),
        ({"quantity_kg": "数量（斤）"}, {"quantity_kg": "x"}, [(2, "数量（斤）", "x")]),
    ],
)
def test_headings_are_checked(
    heading: dict[str, str], cells: dict[str, str], faults: list[Told], tmp_path: Path
) -> None:
    names = [heading.get(name, name) for name in SUPPLY]
    assert told(tmp_path, text_of([names, list({**SUPPLY, **cells}.values())])) == faults


def test_alias_beside_its_binding_name_says_which_it_repeats(tmp_path: Path) -> None:
    (fault,) = _read(tmp_path, text_of([[*SUPPLY, "数量（斤）"], [*SUPPLY.values(), "3"]]))
    assert (fault.row, fault.column) == (1, "数量（斤）")
    assert str(fault.reason) == "与“quantity_kg”是同一列，只能留一列。"


@pytest.mark.parametrize(
    ("cells", "faults"),
    [
        ([*ROWS[1], "", " "], []),
        ([*ROWS[1], "", "x"], [(2, "O", "x")]),
        ([*ROWS[1], "-", "-"], []),
        (ROWS[1][:5], [(2, name, "") for name in list(SUPPLY)[5:10]]),
        (["L1"], [(2, name, "") for name in list(SUPPLY)[1:10] if name != "grade"]),
    ],
)
def test_row_of_another_width_is_checked(cells: list[str], faults: list[Told], tmp_path: Path) -> None:
    assert told(tmp_path, text_of([ROWS[0], cells])) == faults


def test_faults_are_told_row_by_row_and_from_left_to_right(tmp_path: Path) -> None:
    bad = {**SUPPLY, "lon": "x", "quantity_kg": "x", "seller": "", "available_to": "2024-01-01"}
    rows = [ROWS[1], list(bad.values()), [], [*ROWS[1], "extra"]]
    assert told(tmp_path, text_of([ROWS[0], *rows])) == [
        (3, "seller", ""),
        (3, "quantity_kg", "x"),
        (3, "lon", "x"),
        (3, "lot", "L1"),
        (3, "available_to", "2024-01-01"),
        (5, "N", "extra"),
        (5, "lot", "L1"),
    ]


def test_same_rubbish_is_listed_in_every_row_that_has_it(tmp_path: Path) -> None:
    rows = [[f"L{k}", *ROWS[1][1:4], "x" if k % 3 == 0 else "1", *ROWS[1][5:]] for k in range(20_000)]
    rows_told = [row for row, _, _ in told(tmp_path, text_of([ROWS[0], *rows]))]
    assert rows_told == [k + 2 for k in range(0, 20_000, 3)]


LINE = text_of([ROWS[1]])
SECOND = LINE.replace("L1", "L2")
HEADER = text_of([ROWS[0]])


@pytest.mark.parametrize(
    ("content", "faults"),
    [
        # What is in no encoding is named by its row; the rest of the file is read.
        (
            (HEADER + LINE).encode() + LINE.replace("L1", "L2").encode().replace(b"\xe4\xb8\x9c", b"\xff"),
            [(3, "seller")],
        ),
        ((HEADER + LINE).encode("gbk") + b"L2,S\xff," + LINE.split(",", 2)[2].encode("gbk"), [(3, "seller")]),
        # é of Latin-1 beside UTF-8
        ((HEADER + LINE).encode() + b"L2,Caf\xe9," + LINE.split(",", 2)[2].encode(), [(3, "seller")]),
        # A line whose bytes are good Chinese in both encodings, among lines of both
        (
            HEADER.encode()
            + LINE.encode()
            + LINE.replace("L1", "L2").encode("gbk")
            + LINE.replace("L1", "L3").replace("东于村", "茅").replace("花生", "p").encode("gbk"),
            [(4, "seller")],
        ),
    ],
)
def test_row_of_another_encoding_is_named(
    content: bytes, faults: list[tuple[int, str]], tmp_path: Path
) -> None:
    assert [(row, column) for row, column, _ in told(tmp_path, content)] == faults


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", b"", "文件是空的"),
        ("a.csv", b"\xef\xbb\xbf", "文件是空的"),
        ("a.csv", b"\n\n , ,\n", "文件是空的"),
        ("a.csv", b"\x89PNG\r\n\x1a\n\x00\x00", "不是文本文件"),
        ("a.csv", b"a,b\x00", "不是文本文件"),
        ("a.csv", "\ufefflot".encode("utf-32-le"), "不是文本文件"),
        ("a.csv", b"\xff\xfel\x00o", "UTF-16 的内容残缺"),
        ("a.csv", b"\xff\x80\x81", "编码不是 UTF-8，也不是 GBK"),
        ("a.csv", "Müller,Köln".encode("latin-1"), "编码不是 UTF-8，也不"),
        ("a.csv", b"PK\x03\x04rest", "内容是 Excel 工作簿"),
        ("a.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "这是旧式 .xls"),
        ("a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "这是旧式 .xls"),
        ("a.xlsx", b"lot,seller\n", "文件名以 .xlsx 结尾"),
        ("a.xlsx", b"PK\x03\x04broken", "工作簿已损坏"),
    ],
)
def test_file_that_is_not_what_it_says_is_told_as_a_whole(
    name: str, content: bytes, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    (fault,) = faults_in(path)
    assert (fault.row, fault.column, fault.value) == (0, "", "")
    assert str(fault.reason).startswith(reason)


def test_folder_in_place_of_a_file_is_told(tmp_path: Path) -> None:
    (fault,) = faults_in(tmp_path)
    assert str(fault.reason).startswith("文件读不出来")


def test_quote_without_its_end_names_its_row_after_the_faults_before_it(tmp_path: Path) -> None:
    bad = LINE.replace("100.5", "x")
    assert [row for row, _, _ in told(tmp_path, HEADER + bad + LINE.replace("L1", "L2") + '"L3,open')] == [
        2,
        4,
    ]


@pytest.mark.parametrize(
    ("column", "cell", "reason"),
    [
        ("quantity_kg", True, "应是数字。"),
        ("grade", False, "应是数字。"),
        ("quantity_kg", date(2024, 12, 1), "应是数字。"),
        ("quantity_kg", -1, MASS),
        ("quantity_kg", 1e300, MASS),
        ("lot", True, "这是逻辑值 TRUE 或 FALSE，不是文字。"),
        ("lot", date(2024, 3, 1), "被 Excel 改成了日期或时刻，请把这一格设为文本再写。"),
        ("seller", 440301199001011000, "超过 15 位的数字，Excel 已丢失末尾几位；请把这一格设为文本再写。"),
        ("available_from", 45627.5, "应是日期，不带时刻，例如 2026-09-30。"),
        ("available_from", 2024.12, DAY),
        ("available_from", 12, DAY),
        ("available_from", True, DAY),
        ("lat", 91, "应在 -90 至 90 之间。"),
    ],
)
def test_bad_cell_of_a_workbook_is_listed(column: str, cell: Any, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "supply.xlsx"
    rows = [{**SUPPLY, "grade": 1, "quantity_kg": 1}, {**SUPPLY, "lot": "L2", column: cell}]
    workbook(path, [list(SUPPLY), [], *(list(row.values()) for row in rows)])
    (fault,) = faults_in(path)
    assert (fault.row, fault.column, str(fault.reason)) == (4, column, reason)


@pytest.mark.parametrize(
    ("error", "column"), [("#N/A", "min_order_kg"), ("#DIV/0!", "quantity_kg"), ("#REF!", "lot")]
)
def test_formula_that_failed_is_not_taken_for_an_empty_cell(error: str, column: str, tmp_path: Path) -> None:
    path = tmp_path / "supply.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        sheet.write_row(1, 2, list(SUPPLY))
        sheet.write_row(2, 2, list(SUPPLY.values()))
        sheet.write_formula(2, 2 + list(SUPPLY).index(column), "=1/0", None, error)
    (fault,) = faults_in(path)
    assert (fault.row, fault.column, fault.value) == (3, column, error)


def test_bare_number_for_a_day_is_refused_in_a_workbook_of_1904(tmp_path: Path) -> None:
    path = tmp_path / "supply.xlsx"
    cells = {**SUPPLY, "available_from": 45627, "available_to": date(2030, 1, 1)}
    workbook(path, [list(SUPPLY), list(cells.values())], date_1904=True)
    (fault,) = faults_in(path)
    assert (fault.row, fault.column, fault.value) == (2, "available_from", "45627")


def test_time_of_day_in_a_workbook_is_no_day(tmp_path: Path) -> None:
    path = tmp_path / "supply.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, list(SUPPLY))
        sheet.write_row(1, 0, list(SUPPLY.values()))
        for place, value in ((8, time(8, 30)), (0, timedelta(hours=30))):
            sheet.write_datetime(1, place, value, book.add_format({"num_format": "[h]:mm"}))
    assert [(fault.row, fault.column) for fault in faults_in(path)] == [(2, "lot"), (2, "available_from")]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("max_lots", "0"),
        ("max_lots", "1.5"),
        ("max_lots", "-1"),
        ("max_lots", "两批"),
        ("max_lots", "2家"),
        ("max_distance_km", "-1"),
        ("max_distance_km", "300里"),
        ("max_distance_km", "300m"),
        ("max_distance_km", "100001"),
        ("max_distance_km", "远"),
        ("min_grade", "优"),
        ("ceiling_yuan_per_kg", "9/箱"),
        ("requires", "sc,barcode"),
        ("deliver_to", "2024-11-30"),
        ("demand", ""),
    ],
)
def test_bad_cell_of_a_demand_is_listed(column: str, value: str, tmp_path: Path) -> None:
    path = tmp_path / "demand.csv"
    row = {**DEMAND, "demand": "D2", column: value}
    path.write_text(text_of([list(DEMAND), list(DEMAND.values()), list(row.values())]), encoding="utf-8")
    demands, faults = read_demand(str(path))
    assert (demands, [(each.row, each.column, each.value) for each in faults]) == ([], [(3, column, value)])


def test_distance_needs_a_unit_where_its_heading_has_none(tmp_path: Path) -> None:
    path = tmp_path / "demand.csv"
    names = ["最远距离" if name == "max_distance_km" else name for name in DEMAND]
    path.write_text(text_of([names, list(DEMAND.values())]), encoding="utf-8")
    assert [(each.row, each.column) for each in read_demand(str(path))[1]] == [(2, "最远距离")]


def test_errors_of_both_files_are_written_and_nothing_else(tmp_path: Path) -> None:
    supply, wanted, out = tmp_path / "s.csv", tmp_path / "d.csv", tmp_path / "out"
    supply.write_bytes(text_of([ROWS[0], [*ROWS[1][:4], "1,5", *ROWS[1][5:]]]).encode("gbk"))
    wanted.write_text(text_of([list(DEMAND), list({**DEMAND, "lat": "123.4", "lon": "41.8"}.values())]))
    out.mkdir()
    for name in ("matches.csv", "certificate.json", "result.xlsx"):
        (out / name).write_text("of an earlier run")
    assert cli_match.main(["match", str(supply), str(wanted), "--out", str(out), "--lang", "en"]) == 2
    assert [path.name for path in out.iterdir()] == ["errors.csv"]
    with (out / "errors.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [
            ["file", "row", "column", "value", "reason"],
            [
                str(supply),
                "2",
                "quantity_kg",
                "1,5",
                "The comma is misplaced: thousands are written 12,500.5, decimals with a point.",
            ],
            [
                str(wanted),
                "2",
                "lat",
                "123.4",
                "Latitude and longitude stand in each other's place; swap them.",
            ],
        ]


def test_listing_ends_after_a_million_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("market.matching.faults.MOST_FAULTS", 3)
    rows = [[f"L{k}", *ROWS[1][1:4], "x", *ROWS[1][5:]] for k in range(9)]
    assert told(tmp_path, text_of([ROWS[0], *rows]))[2:] == [(4, "quantity_kg", "x"), (5, "", "")]

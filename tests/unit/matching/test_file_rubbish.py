"""A cell that cannot be read with certainty is listed: row, column, what stands there, and why."""

from pathlib import Path

import pytest

from market.matching.files.faults import Fault
from tests.unit.matching.market_files import ROWS, SUPPLY, faults_in, faults_of, faults_of_text, text_of

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


def fault_of(folder: Path, column: str, value: str) -> Fault:
    """The one fault of a file whose second lot has ``value``."""
    row = {**SUPPLY, "lot": "L2", column: value}
    path = folder / "supply.csv"
    path.write_text(text_of([*ROWS, list(row.values())]), encoding="utf-8")
    (fault,) = faults_in(path)
    assert (fault.row, fault.column, fault.value) == (3, column, value[:200])
    return fault


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
        ("lot", "NaN", "“NaN”像是程序写的空值，请写实际的内容。"),
        ("product", "null", "“null”像是程序写的空值，请写实际的内容。"),
        ("credentials", "nan", "“nan”像是程序写的空值，请写实际的内容。"),
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
    (fault,) = faults_of(tmp_path, lot=value)
    assert (fault.row, fault.column, fault.value) == (3, "lot", "L1")
    assert str(fault.reason) == f"编号重复，第 {row} 行已用过。"


def test_id_used_long_before_names_its_first_row(tmp_path: Path) -> None:
    rows = [ROWS[0], *([f"L{k}", *ROWS[1][1:]] for k in range(20_000)), ["L17", *ROWS[1][1:]]]
    (fault,) = faults_of_text(tmp_path, text_of(rows))
    assert (fault.row, str(fault.reason)) == (20_002, "编号重复，第 19 行已用过。")


def test_window_that_ends_before_it_begins_is_listed(tmp_path: Path) -> None:
    (fault,) = faults_of(tmp_path, available_to="2024/11/30")
    assert (fault.row, fault.column, fault.value) == (3, "available_to", "2024-11-30")
    assert str(fault.reason) == "结束日期早于开始日期（2024-12-01）。"


@pytest.mark.parametrize(("lat", "lon"), [("122.7", "41.5"), ("87.6", "43.8"), ("113.3度", "23.1")])
def test_latitude_and_longitude_in_each_others_place_are_told_once(
    lat: str, lon: str, tmp_path: Path
) -> None:
    (fault,) = faults_of(tmp_path, lat=lat, lon=lon)
    assert (fault.row, fault.column, fault.value) == (3, "lat", lat)
    assert str(fault.reason) == "经纬度写反了，请对调。"


def test_place_that_is_only_wrong_is_not_called_swapped(tmp_path: Path) -> None:
    assert [fault.column for fault in faults_of(tmp_path, lat="122.7", lon="241.5")] == ["lat", "lon"]

"""Files, headings and rows that cannot be read with certainty are named; nothing else is written then."""

import csv
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from market import cli_match
from market.matching.files.reading import read_demand
from tests.unit.matching.market_files import (
    DEMAND,
    ROWS,
    SUPPLY,
    Told,
    faults_in,
    faults_of_text,
    text_of,
    told,
    workbook,
)

MASS = "应大于 0，不超过 100000000 公斤（10 万吨）。"
DAY = "应是真实的日期，写作 年-月-日，例如 2026-09-30。"


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
    (fault,) = faults_of_text(tmp_path, text_of([[*SUPPLY, "数量（斤）"], [*SUPPLY.values(), "3"]]))
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
        ("a.csv", "\ufefflot".encode("utf-32-le"), "编码是 UTF-32"),
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


def test_listing_ends_after_a_millionfaults_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("market.matching.files.faults.MOST_FAULTS", 3)
    rows = [[f"L{k}", *ROWS[1][1:4], "x", *ROWS[1][5:]] for k in range(9)]
    assert told(tmp_path, text_of([ROWS[0], *rows]))[2:] == [(4, "quantity_kg", "x"), (5, "", "")]


@pytest.mark.parametrize("form", ['yyyy"年"m"月"', "mmm-yy", "[$-804]yyyy-mm;@"])
def test_month_that_excel_made_a_day_of_is_certain_as_a_beginning_only(form: str, tmp_path: Path) -> None:
    """Excel keeps 2024年12月 as its first day, which as an end is what nobody meant."""
    path = tmp_path / "supply.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        sheet, as_month = book.add_worksheet(), book.add_format({"num_format": form})
        sheet.write_row(0, 1, list(SUPPLY))
        for row, (begin, end) in enumerate([("2024-12-01", "2025-02-28"), ("2024-12-01", "2025-02-01")], 1):
            sheet.write_row(row, 1, list({**SUPPLY, "lot": f"L{row}"}.values()))
            for place, day in ((9, begin), (10, end)):
                sheet.write_datetime(row, place, date.fromisoformat(day), as_month)
    (fault,) = faults_in(path)
    assert (fault.row, fault.column, fault.value) == (3, "available_to", "2025-02")


def test_day_with_its_day_shown_is_an_end_like_any_other(tmp_path: Path) -> None:
    path = tmp_path / "supply.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        as_day = book.add_format({"num_format": '[$-804]yyyy"年"m"月"d"日";@'})
        sheet.write_row(0, 0, list(SUPPLY))
        sheet.write_row(1, 0, list(SUPPLY.values()))
        sheet.write_datetime(1, 9, date(2025, 2, 1), as_day)
    assert faults_in(path) == []

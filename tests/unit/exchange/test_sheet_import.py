"""Files as they come: headings, units and rows found, everything doubtful refused."""

import io
import struct
import zipfile
from datetime import date

import pytest
import xlsxwriter

from market.errors import Invalid
from market.exchange import demand_sheet, listing_sheet, workbook_rows, workbooks
from market.exchange.sheet_import import MOST_ROWS, Fault, Table, read_table
from market.i18n import msg

COLUMNS = listing_sheet.COLUMNS
HEAD = "品名,数量,单位,单价,单价单位,供应开始,供应截止"
ROW = "白菜,25000,斤,0.85,元/斤,2026-12-01,2026-12-31"


def read(text: str, *, encoding: str = "utf-8") -> Table:
    return read_table(name="ledger.csv", raw=text.encode(encoding), columns=COLUMNS)


def refusal(raw: bytes, name: str = "ledger.csv") -> str:
    with pytest.raises(Invalid) as caught:
        read_table(name=name, raw=raw, columns=COLUMNS)
    assert list(caught.value.fields) == ["file"]
    return caught.value.message.text


def workbook(*rows: tuple[object, ...], above: int = 0) -> bytes:
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    sheet = book.add_worksheet("货源")
    for at, cells in enumerate(rows, start=above):
        sheet.write_row(at, 0, cells)
    book.close()
    return buffer.getvalue()


def replaced(raw: bytes, part: str, old: bytes, new: bytes) -> bytes:
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(raw)) as source,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            content = source.read(name)
            target.writestr(name, content.replace(old, new) if name == part else content)
    return out.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk"])
def test_encodings_of_chinese_spreadsheets_are_read(encoding: str) -> None:
    [row] = read(f"{HEAD},介绍\n{ROW},“头茬”——沙地里长的\n", encoding=encoding).rows
    assert row.cells["produce"] == "白菜"
    assert row.cells["story"] == "“头茬”——沙地里长的"


@pytest.mark.parametrize("delimiter", ["\t", ";"])
def test_other_delimiters_are_read(delimiter: str) -> None:
    [row] = read(f"{HEAD}\n{ROW}\n".replace(",", delimiter)).rows
    assert row.typed["quantity"] == ["25000"]


def test_english_headings_are_read() -> None:
    head = "Produce,Quantity,Unit,Price,Price unit,Available from,Available to"
    [row] = read(f"{head}\ncabbage,5,t,1.7,yuan/kg,2026-12-01,2026-12-31").rows
    assert (row.typed["quantity_unit"], row.typed["ask_unit"], row.faults) == (["t"], ["kg"], {})


def test_headings_may_carry_the_units_and_vary_in_signs() -> None:
    head = "序号,品 名*,数量（斤）,单价（元／公斤）,供应开始,供应截止,起订量（斤）"
    [row] = read(f"{head}\n1,白菜,25000,1.7,2026-12-01,2026-12-31,500").rows
    assert (row.typed["quantity_unit"], row.typed["ask_unit"], row.typed["min_order_unit"]) == (
        ["jin"],
        ["kg"],
        ["jin"],
    )
    # what goes back has the headings of the template: its cells must say what the old headings said
    assert (row.cells["quantity_unit"], row.cells["ask_unit"], row.cells["min_order"]) == (
        "斤",
        "元/公斤",
        "500斤",
    )


def test_unknown_columns_are_named_not_lost_silently() -> None:
    assert read(f"{HEAD},仓位\n{ROW},三号\n").ignored == ["仓位"]


def test_a_misspelt_heading_is_asked_back() -> None:
    assert refusal(f"{HEAD},起定量\n{ROW},三号\n".encode()).startswith("不认识“{name}”这一列")


def test_rows_are_numbered_as_the_spreadsheet_shows_them() -> None:
    raw = workbook(("东于村台账",), (), tuple(HEAD.split(",")), (), tuple(ROW.split(",")), above=2)
    table = read_table(name="台账.XLSX", raw=raw, columns=COLUMNS)
    assert [row.number for row in table.rows] == [7]


def test_the_example_row_is_left_out() -> None:
    table = read(f"{HEAD}\n{ROW.replace('白菜', '示例：白菜')}\n{ROW}\n")
    assert ([row.number for row in table.rows], table.examples) == ([3], 1)


@pytest.mark.parametrize(
    ("written", "read_as"),
    [("46357", "2026-12-01"), ("2026-12-01 00:00:00", "2026-12-01"), ("2026年12月1日", "2026年12月1日")],
)
def test_days_of_spreadsheets_are_days(written: str, read_as: str) -> None:
    [row] = read(f"{HEAD}\n{ROW.replace('2026-12-01', written)}\n").rows
    assert row.typed["available_from"] == [read_as]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        (("25000,斤", "25000,"), "quantity_unit"),
        (("25000,斤", "25000,筐"), "quantity_unit"),
        (("25000,斤", "25吨,斤"), "quantity_unit"),
        (("0.85,元/斤", "0.85,"), "ask_unit"),
        (("0.85,元/斤", "0.85元/斤,元/公斤"), "ask_unit"),
    ],
)
def test_a_unit_is_never_guessed(changed: tuple[str, str], field: str) -> None:
    [row] = read(f"{HEAD}\n{ROW.replace(*changed)}\n").rows
    assert list(row.faults) == [field]


def test_a_unit_behind_the_number_is_enough() -> None:
    [row] = read(f"{HEAD}\n{ROW.replace('25000,斤', '12.5 吨,')}\n").rows
    assert (row.typed["quantity_unit"], row.faults) == (["t"], {})


def test_floating_dust_is_not_shown() -> None:
    assert [workbook_rows.text(cell) for cell in (0.1 + 0.2, 25000.0, 1e15, True)] == [
        "0.3",
        "25000",
        "1000000000000000",
        "TRUE",
    ]


@pytest.mark.parametrize(
    ("name", "raw", "told"),
    [
        ("a.xlsx", b"", "文件名以 .xlsx 结尾"),
        ("a.csv", b"", "文件里什么也没有"),
        ("a.csv", b"\n , ,\n", "文件里什么也没有"),
        ("a.xlsx", HEAD.encode(), "文件名以 .xlsx 结尾"),
        ("a.xlsx", b"%PDF-1.7", "文件名以 .xlsx 结尾"),
        ("a.csv", workbook((1,)), "内容是 Excel 工作簿"),
        ("a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "这是旧式 .xls"),
        ("a.xlsx", b"PK\x03\x04" + b"\x00" * 200, "工作簿已损坏"),
        ("a.xlsx", workbook((1,))[:900], "工作簿已损坏"),
        ("a.csv", b"\x89PNG\r\n\x1a\n\x00\x00", "不是文本文件"),
        ("a.csv", HEAD.encode("utf-16"), "编码是 UTF-16"),
        ("a.csv", HEAD.encode("utf-32"), "编码是 UTF-32"),
        ("a.csv", ("\ufeff" + HEAD).encode("utf-32-be"), "编码是 UTF-32"),
        ("a.csv", bytes(range(128, 256)), "编码不是 UTF-8"),
        ("a.csv", f'{HEAD}\n"白菜,1'.encode(), "第 {row} 行的引号不成对"),
        ("a.csv", "什么,也,没有\n1,2,3".encode(), "没有找到表头"),
        ("a.csv", b"<html><body>500</body></html>", "没有找到表头"),
        ("a.csv", HEAD.encode(), "表头下面没有货"),
        ("a.csv", f"{HEAD}\n示例：白菜,1".encode(), "表头下面没有货"),
        ("a.csv", "品名,数量,单位\n白菜,1,斤".encode(), "“{sheet}”缺少这些列"),
        ("a.csv", f"{HEAD},品名\n{ROW},花生".encode(), "“{name}”这一列出现了两次"),
        ("a.csv", f"{HEAD}\n{ROW}".replace("数量", "数量（箱）").encode(), "看不懂“{name}”里的单位"),
        ("a.csv", (f"{HEAD}\n" + f"{ROW}\n" * (MOST_ROWS + 1)).encode(), "超过 {most} 行"),
        ("a.xlsx", workbook(*[tuple(HEAD.split(","))] * (MOST_ROWS + 60)), "超过 {most} 行"),
        ("a.csv", b"a" * 5_000_001, "文件超过 5 MB"),
    ],
)
def test_rubbish_is_refused_with_its_reason(name: str, raw: bytes, told: str) -> None:
    assert refusal(raw, name)[: len(told)] == told


def test_a_part_that_unpacks_to_a_mountain_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * (workbook_rows.MOST_UNPACKED + 1))
    assert len(out.getvalue()) < 100_000
    assert refusal(out.getvalue(), "a.xlsx").startswith("工作簿解开后太大")


def test_a_part_that_lies_about_its_size_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * (workbook_rows.MOST_UNPACKED + 1))
    true, small = struct.pack("<L", workbook_rows.MOST_UNPACKED + 1), struct.pack("<L", 1000)
    assert out.getvalue().count(true) == 2
    assert refusal(out.getvalue().replace(true, small), "a.xlsx").startswith("工作簿解开后太大")


@pytest.mark.parametrize("far", [b"XFD1048576", b"A1048576"])
def test_a_cell_at_the_end_of_the_world_harms_nobody(far: bytes) -> None:
    raw = workbook(tuple(HEAD.split(",")), ("x",))
    raw = replaced(raw, "xl/worksheets/sheet1.xml", b'r="A2"', b'r="%s"' % far)
    assert refusal(raw, "a.xlsx").startswith(("工作簿已损坏", "超过 {most} 行"))


def test_one_long_text_in_every_cell_harms_nobody() -> None:
    rows = [tuple(HEAD.split(",")), *[("x",) * 50] * 1900]
    raw = replaced(workbook(*rows), "xl/sharedStrings.xml", b"<t>x</t>", b"<t>%s</t>" % (b"x" * 3_000_000))
    assert len(raw) < 500_000
    assert refusal(raw, "a.xlsx").startswith("工作簿已损坏")


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("sheet", [listing_sheet, demand_sheet])
def test_the_template_holds_nothing_but_its_example(sheet: object, language: str) -> None:
    columns = sheet.COLUMNS  # type: ignore[attr-defined]
    example = sheet.EXAMPLE_EN if language == "en" else sheet.EXAMPLE  # type: ignore[attr-defined]
    raw = workbooks.template(
        name="货源",
        columns=columns,
        example=example,
        choices={columns[0].field: ["白菜", "花生"]},
        today=date(2026, 11, 23),
        language=language,  # type: ignore[arg-type]
    )
    with pytest.raises(Invalid, match="表头下面没有货"):
        read_table(name="a.xlsx", raw=raw, columns=columns)


def test_rows_sent_back_come_in_again_as_they_were() -> None:
    text = f"{HEAD},介绍\n{ROW},=1+1\n{ROW.replace('白菜', '@SUM(A1)')},+86\n"
    rows = read(text).rows
    raw = workbooks.rest(
        name="货源",
        columns=COLUMNS,
        rows=[(row.number, row.cells) for row in rows],
        faults=[Fault(3, "produce", "@SUM(A1)", msg("不能为空。"))],
        language="zh",
    )
    again = read_table(name="a.xlsx", raw=raw, columns=COLUMNS)
    assert [row.cells for row in again.rows] == [row.cells for row in rows]
    assert again.ignored == []
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        assert b"<f>" not in archive.read("xl/worksheets/sheet1.xml")

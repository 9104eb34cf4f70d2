"""Rubbish in, every bad row out; good files in whatever dress they come."""

import csv
import io
import json
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
import xlsxwriter

from market import cli_match
from market.i18n import translate
from market.matching.engine import solve_market
from market.matching.files.reading import Fault, read_demand, read_supply
from market.matching.rules import Demand, Lot, Parameters
from market.units import Gram
from tests.unit.matching.markets import demand, lot, write_market

HEADER = "lot,seller,product,quantity_kg,ask_yuan_per_kg,lat,lon,available_from,available_to"
GOOD = {
    "lot": "L1",
    "seller": "东于村",
    "product": "peanut",
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


def supply_csv(**cells: str) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, GOOD.keys())
    writer.writeheader()
    writer.writerow(GOOD)
    writer.writerow({**GOOD, "lot": "L2", **cells})
    return out.getvalue()


def faults_of(folder: Path, content: str | bytes, name: str = "supply.csv") -> list[Fault]:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    lots, faults = read_supply(str(path))
    assert not (lots and faults)
    return faults


def test_every_bad_cell_of_every_row_is_listed(tmp_path: Path) -> None:
    rows = [HEADER, "L1,S,p,x,-1,91,0,2026-09-01,2026-09-02", "", 'L1,"S",p,1,1,0,181,no,2026-09-02']
    faults = faults_of(tmp_path, "\n".join(rows))
    assert [(fault.row, fault.column) for fault in faults] == [
        (2, "quantity_kg"),
        (2, "ask_yuan_per_kg"),
        (2, "lat"),
        (4, "lon"),
        (4, "available_from"),
        (4, "lot"),
    ]


def test_rows_are_numbered_as_a_spreadsheet_does(tmp_path: Path) -> None:
    rows = (
        HEADER
        + '\r\nL1,"S\r\nwith a break",p,1,1,0,0,2026-09-01,2026-09-02\r\nL2,S,p,,1,0,0,2026-09-01,2026-09-02'
    )
    assert [(f.row, f.column) for f in faults_of(tmp_path, rows)] == [(2, "seller"), (3, "quantity_kg")]


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        (HEADER + ",colour", ["colour"]),
        (HEADER.replace(",lat", ""), ["lat"]),
        (HEADER + ",lot", ["lot"]),
        (HEADER + ",批次", ["批次"]),
        (HEADER.replace("lot,", "lots,"), ["lots", "lot"]),
    ],
)
def test_header_is_checked(header: str, columns: list[str], tmp_path: Path) -> None:
    faults = faults_of(tmp_path, header + "\n")
    assert [(fault.row, fault.column) for fault in faults] == [(1, column) for column in columns]


def test_missing_file_is_told(tmp_path: Path) -> None:
    (fault,) = read_supply(str(tmp_path / "none.csv"))[1]
    assert fault.row == 0


def test_header_alone_is_an_empty_market(tmp_path: Path) -> None:
    assert faults_of(tmp_path, HEADER) == []
    assert read_supply("-") == ([], [])


@pytest.mark.parametrize("dress", ["utf-8", "utf-8-sig", "gbk", "gb18030"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_chinese_file_is_read_in_its_encoding(dress: str, ending: str, tmp_path: Path) -> None:
    content = supply_csv().replace("\r\n", ending)
    path = tmp_path / "supply.csv"
    path.write_bytes(content.encode(dress))
    lots, faults = read_supply(str(path))
    assert faults == []
    assert [a.seller for a in lots] == ["东于村", "东于村"]
    assert lots[0].quantity == 100_500
    assert lots[0].credentials == frozenset({"SC", "green"})


def workbook(path: Path, rows: list[list[Any]]) -> None:
    book = xlsxwriter.Workbook(str(path), {"default_date_format": "yyyy-mm-dd"})
    sheet = book.add_worksheet()
    for number, row in enumerate(rows):
        for place, cell in enumerate(row):
            if isinstance(cell, date):
                sheet.write_datetime(number, place, cell)  # type: ignore[arg-type]
            else:
                sheet.write(number, place, cell)
    book.close()


def test_workbook_with_numbers_and_dates_is_read(tmp_path: Path) -> None:
    path = tmp_path / "supply.xlsx"
    days = [date(2026, 9, 1), date(2026, 9, 30)]
    workbook(path, [HEADER.split(","), [17, "村", "花生", 100.5, 6.35, 41.5, 122.7, *days]])
    (read,), faults = read_supply(str(path))
    assert faults == []
    assert (read.id, read.quantity, str(read.ask), read.available_to) == ("17", 100_500, "6.35", days[1])


def test_bad_cell_of_a_workbook_is_listed_by_its_row(tmp_path: Path) -> None:
    path = tmp_path / "supply.xlsx"
    days = [date(2026, 9, 1), date(2026, 9, 30)]
    workbook(path, [HEADER.split(","), [], ["L1", "S", "p", True, 6.35, 41.5, 122.7, *days]])
    _, faults = read_supply(str(path))
    assert [(fault.row, fault.column) for fault in faults] == [(3, "quantity_kg")]


@pytest.mark.parametrize("value", ["0", "1.5", "-1", "two"])
def test_bad_max_lots_is_listed(value: str, tmp_path: Path) -> None:
    _, wanted = write_market(tmp_path, [], [demand(max_lots=7)])
    Path(wanted).write_text(Path(wanted).read_text().replace(",7,", f",{value},"))
    demands, faults = read_demand(wanted)
    assert (demands, [fault.column for fault in faults]) == ([], ["max_lots"])


def run(*args: str) -> int:
    return cli_match.main(["match", *args])


def test_match_writes_the_five_files(tmp_path: Path) -> None:
    supply, wanted = write_market(tmp_path, [lot()], [demand()])
    out = tmp_path / "out"
    assert run(supply, wanted, "--out", str(out)) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "certificate.json",
        "demands.csv",
        "diagnosis.csv",
        "lots.csv",
        "matches.csv",
    ]
    certificate = json.loads((out / "certificate.json").read_text())
    assert certificate["worth_yuan"] == pytest.approx(1000)
    assert certificate["exact"] is True


def test_bad_input_leaves_only_the_list_of_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    supply, wanted = write_market(tmp_path, [lot()], [demand()])
    out = tmp_path / "out"
    assert run(supply, wanted, "--out", str(out), "--quiet") == 0
    Path(supply).write_text(Path(supply).read_text().replace("41.5", "141.5"))
    assert run(supply, wanted, "--out", str(out), "--lang", "en") == 2
    assert [path.name for path in out.iterdir()] == ["errors.csv"]
    (row,) = csv.DictReader((out / "errors.csv").open(encoding="utf-8"))
    assert row == {
        "file": supply,
        "row": "2",
        "column": "lat",
        "value": "141.5",
        "reason": "Must be between -90 and 90.",
    }
    Path(supply).write_text(Path(supply).read_text().replace("141.5", "41.5"))
    assert run(supply, wanted, "--out", str(out), "--quiet") == 0
    assert not (out / "errors.csv").exists()


def test_no_time_gives_the_best_so_far_and_status_three(tmp_path: Path) -> None:
    supply, wanted = write_market(tmp_path, [lot()], [demand()])
    assert run(supply, wanted, "--out", str(tmp_path / "out"), "--time-limit", "0", "--quiet") == 3
    assert cli_match.main(["verify", supply, wanted, str(tmp_path / "out"), "--quiet"]) == 0


@pytest.mark.parametrize(
    "option",
    [
        ("--freight", "nan"),
        ("--freight", "-1"),
        ("--road-factor", "x"),
        ("--threads", "0"),
        ("--threads", "1.5"),
        ("--time-limit", "-1"),
    ],
)
def test_bad_option_is_named(
    option: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    supply, wanted = write_market(tmp_path, [lot()], [demand()])
    assert run(supply, wanted, "--out", str(tmp_path / "out"), *option) == 2
    assert option[0] in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_result_never_overwrites_its_input(tmp_path: Path) -> None:
    supply, wanted = write_market(tmp_path, [lot()], [demand()])
    inside = tmp_path / "demands.csv"
    Path(wanted).rename(inside)
    before = inside.read_bytes()
    assert run(supply, str(inside), "--out", str(tmp_path)) == 2
    assert inside.read_bytes() == before


def test_absent_files_are_an_empty_market(tmp_path: Path) -> None:
    assert run("-", "-", "--out", str(tmp_path / "out"), "--quiet") == 0
    assert cli_match.main(["verify", "-", "-", str(tmp_path / "out"), "--quiet"]) == 0


@pytest.mark.parametrize(
    ("lots", "demands", "said"),
    [
        ([lot(kg="1000", ask="2")], [demand(kg="1000", ceiling="3")], "proven optimal"),
        (
            [lot(kg="1000", ask="2")],
            [demand(kg="1000", ceiling="3", min_order=Gram(2_000_000))],
            "proven that none which keeps smallest orders and most lots is better",
        ),
    ],
)
def test_summary_says_what_is_proven(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lots: list[Lot], demands: list[Demand], said: str
) -> None:
    supply, wanted = write_market(tmp_path, lots, demands)
    assert run(supply, wanted, "--out", str(tmp_path / "out"), "--lang", "en") == 0
    assert f" {said}; " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("bound", "within", "gap", "said"),
    [
        (
            100.0,
            50.0,
            1e-7,
            "within 0.001% of the upper bound of those that keep smallest orders and most lots",
        ),
        (100.0, 100.0, 0.25, "within 25.000% of the upper bound"),
    ],
)
def test_gap_that_is_left_names_its_bound(bound: float, within: float, gap: float, said: str) -> None:
    certificate = solve_market([lot()], [demand()], Parameters()).certificate
    certificate = msgspec.structs.replace(
        certificate,
        upper_bound_yuan=bound,
        bound_with_limits_yuan=within,
        gap_with_limits=gap,
        exact=False,
    )
    assert translate(cli_match.proof_of(certificate), "en") == said

"""Results as files: whole or not at all, the same as a workbook."""

import csv
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from python_calamine import CalamineWorkbook

from market import cli_match
from market.i18n import msg
from market.matching.diagnosis.unlocks import Unlock
from market.matching.engine import Pair, Result, Side, solve_market
from market.matching.files import results
from market.matching.files import workbook as result_workbook
from market.matching.files.results import OUR_FILES, RESULT_FILES, WORKBOOK, write_faults, write_result
from market.matching.rules import Demand, Lot, Parameters
from market.units import Gram
from tests.unit.matching.markets import demand, lot, write_market

LOTS = [lot("L1", kg="1000"), lot("=L2", kg="500", ask="2.5"), lot("需求", ask="9")]
DEMANDS = [demand("D1", kg="1200"), demand("unsold", kg="10", product="rice")]


def solved() -> Result:
    return solve_market(LOTS, DEMANDS, Parameters())


def rows_of(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_every_pair_lot_and_demand_has_its_row(tmp_path: Path) -> None:
    result = solved()
    assert write_result(tmp_path, result, LOTS, DEMANDS, "zh") is None
    assert names_in(tmp_path) == sorted(RESULT_FILES)
    matches = rows_of(tmp_path / "matches.csv")
    assert [row[:3] for row in matches[1:]] == [["L1", "D1", "1000.000"], ["=L2", "D1", "200.000"]]
    assert [row[:3] for row in rows_of(tmp_path / "lots.csv")[1:]] == [
        ["L1", "1000.000", "0.000"],
        ["=L2", "200.000", "300.000"],
        ["需求", "0.000", "1000.000"],
    ]
    assert [row[0] for row in rows_of(tmp_path / "demands.csv")[1:]] == ["D1", "unsold"]
    certificate = json.loads((tmp_path / "certificate.json").read_text())
    assert certificate == msgspec.to_builtins(result.certificate)


@pytest.mark.parametrize(
    ("price", "written"),
    [
        ("2", "2.0000"),
        ("2.5", "2.5000"),
        ("2.1234", "2.1234"),
        ("2.12345", "2.12345"),
        ("0.0001", "0.0001"),
        ("1E-7", "0.0000001"),
        ("1E+3", "1000.0000"),
        ("-0.3", "-0.3000"),
    ],
)
def test_price_has_at_least_four_decimals(price: str, written: str, tmp_path: Path) -> None:
    pair = Pair(
        lot=0,
        demand=0,
        quantity=Gram(1),
        price=Decimal(price),
        price_low=Decimal(price),
        price_high=Decimal(price),
        freight_yuan_per_kg=0.1,
        km=1.5,
        worth_yuan=2.25,
        reason=msg("{first}{second}", first=msg("批次"), second="x"),
    )
    result = msgspec.structs.replace(solved(), pairs=(pair,))
    write_result(tmp_path, result, LOTS, DEMANDS, "en")
    assert rows_of(tmp_path / "matches.csv")[1] == [
        "L1",
        "D1",
        "0.001",
        *[written] * 3,
        "0.100000000",
        "1.500000",
        "2.250000",
        "lot x",
    ]


@pytest.mark.parametrize(
    ("gain", "written"),
    [("0", "0"), ("0E-9", "0"), ("1.500", "1.5"), ("100", "100"), ("1E-9", "0.000000001"), ("1E+2", "100")],
)
def test_gain_has_no_needless_zeros(gain: str, written: str, tmp_path: Path) -> None:
    side = Side(traded=Gram(0), rest=Gram(1_000_001), gain=Decimal(gain), admissible_pairs=3, status="unsold")
    result = msgspec.structs.replace(solved(), lots=(side,) * 3)
    write_result(tmp_path, result, LOTS, DEMANDS, "zh")
    assert rows_of(tmp_path / "lots.csv")[1] == ["L1", "0.000", "1000.001", written, "3", "unsold"]


def workbook_of(path: Path) -> dict[str, list[list[Any]]]:
    book = CalamineWorkbook.from_path(str(path))
    return {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}


@pytest.mark.parametrize(
    ("language", "sheets", "state"),
    [
        ("zh", ["撮合结果", "各批次", "各需求", "为什么卖不动", "证明"], "已售完"),
        ("en", ["Result of matching", "Lots", "Demands", "Why it does not sell", "Certificate"], "Sold out"),
    ],
)
def test_workbook_says_what_the_files_say(
    language: Any, sheets: list[str], state: str, tmp_path: Path
) -> None:
    assert write_result(tmp_path, solved(), LOTS, DEMANDS, language, with_workbook=True) is None
    assert names_in(tmp_path) == sorted((*RESULT_FILES, WORKBOOK))
    book = workbook_of(tmp_path / WORKBOOK)
    assert list(book) == sheets
    matches, lots = rows_of(tmp_path / "matches.csv"), rows_of(tmp_path / "lots.csv")
    assert len(book[sheets[0]]) == len(matches)
    for written, shown in zip(matches[1:], book[sheets[0]][1:], strict=True):
        assert shown == [*written[:2], *map(float, written[2:9]), written[9]]
    assert [row[0] for row in book[sheets[1]][1:]] == [row[0] for row in lots[1:]] == ["L1", "=L2", "需求"]
    assert book[sheets[1]][1][5] == state
    assert book[sheets[2]][2][0] == "unsold"
    assert len(book[sheets[3]]) == len(rows_of(tmp_path / "diagnosis.csv"))
    entries = dict(row[:2] for row in book[sheets[4]][1:])
    certificate = json.loads((tmp_path / "certificate.json").read_text())
    assert entries["worth_yuan"] == certificate["worth_yuan"]
    assert entries["exact"] == json.dumps(certificate["exact"])
    assert entries["parameters.road_factor"] == "1.3"


def test_obstacles_are_told_in_words(tmp_path: Path) -> None:
    def unlock(obstacle: str) -> Unlock:
        return Unlock(obstacle=obstacle, change=msg("批次"), grams=Gram(1))

    found = {0: [unlock("price+credential"), unlock("outbid"), unlock("of_tomorrow")]}
    result = msgspec.structs.replace(solved(), diagnosis=found)
    write_result(tmp_path, result, LOTS, DEMANDS, "en", with_workbook=True)
    assert [row[2] for row in rows_of(tmp_path / "diagnosis.csv")[1:]] == [
        "price+credential",
        "outbid",
        "of_tomorrow",
    ]
    shown = [row[2] for row in workbook_of(tmp_path / WORKBOOK)["Why it does not sell"][1:]]
    assert shown == ["Price＋Credentials", "Competition", "of_tomorrow"]


def test_workbook_has_texts_and_no_formulas(tmp_path: Path) -> None:
    import zipfile

    write_result(tmp_path, solved(), LOTS, DEMANDS, "zh", with_workbook=True)
    with zipfile.ZipFile(tmp_path / WORKBOOK) as archive:
        sheets = [archive.read(name) for name in archive.namelist() if "worksheets/" in name]
    assert len(sheets) == 5
    assert [sheet.count(b"<f>") for sheet in sheets] == [0] * 5
    assert [sheet.count(b'state="frozen"') for sheet in sheets] == [1] * 5


def test_text_too_long_for_a_cell_is_cut_in_the_workbook_alone(tmp_path: Path) -> None:
    long_ = [lot("L" * 40_000), *LOTS[1:]]
    write_result(tmp_path, solved(), long_, DEMANDS, "zh", with_workbook=True)
    assert len(rows_of(tmp_path / "lots.csv")[1][0]) == 40_000
    shown = workbook_of(tmp_path / WORKBOOK)["各批次"][1][0]
    assert (len(shown), shown[-1]) == (32_767, "…")


def test_rows_beyond_a_sheet_leave_the_files_and_no_workbook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_result(tmp_path, solved(), LOTS, DEMANDS, "zh", with_workbook=True)
    monkeypatch.setattr(result_workbook, "MOST_ROWS", 3)
    refused = write_result(tmp_path, solved(), LOTS, DEMANDS, "zh", with_workbook=True)
    assert str(refused) == "没有写 result.xlsx：lots.csv 有 4 行，超过 Excel 一张表的 3 行；其余文件已写好。"
    assert names_in(tmp_path) == sorted(RESULT_FILES)


def test_files_of_an_earlier_run_are_replaced_and_others_stay(tmp_path: Path) -> None:
    for name in (*OUR_FILES, "notes.txt"):
        (tmp_path / name).write_text("old")
    write_result(tmp_path, solved(), LOTS, DEMANDS, "zh")
    assert names_in(tmp_path) == sorted((*RESULT_FILES, "notes.txt"))
    assert [name for name in RESULT_FILES if (tmp_path / name).read_text() == "old"] == []
    write_faults(tmp_path, [], "zh")
    assert names_in(tmp_path) == ["errors.csv", "notes.txt"]


def test_result_that_cannot_be_written_leaves_the_earlier_one(tmp_path: Path) -> None:
    write_result(tmp_path, solved(), LOTS, DEMANDS, "zh", with_workbook=True)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match="zip"):
        write_result(tmp_path, solved(), LOTS, DEMANDS[:1], "zh")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_seal_is_put_in_place_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[str] = []
    replace = results.os.replace

    def follow(source: Path, target: Path) -> None:
        assert not (tmp_path / RESULT_FILES[-1]).exists()
        moved.append(target.name)
        replace(source, target)

    write_result(tmp_path, solved(), LOTS, DEMANDS, "zh", with_workbook=True)
    monkeypatch.setattr(results.os, "replace", follow)
    write_result(tmp_path, solved(), LOTS, DEMANDS, "zh", with_workbook=True)
    assert moved == [WORKBOOK, *RESULT_FILES]


def test_match_writes_the_workbook_where_it_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    supply, wanted = write_market(tmp_path, [lot()], [demand()])
    out = tmp_path / "out"
    assert cli_match.main(["match", supply, wanted, "--out", str(out), "--xlsx", "--quiet"]) == 0
    assert names_in(out) == sorted((*RESULT_FILES, WORKBOOK))
    assert cli_match.main(["verify", supply, wanted, str(out), "--quiet"]) == 0
    monkeypatch.setattr(result_workbook, "MOST_ROWS", 1)
    assert cli_match.main(["match", supply, wanted, "--out", str(out), "--xlsx", "--lang", "en"]) == 0
    assert capsys.readouterr().err.startswith("No result.xlsx was written: matches.csv has 2 rows")
    assert names_in(out) == sorted(RESULT_FILES)


def test_workbook_never_overwrites_an_input(tmp_path: Path) -> None:
    _, wanted = write_market(tmp_path, [lot()], [demand()])
    inside = tmp_path / WORKBOOK
    inside.write_bytes(b"PK")
    assert cli_match.main(["match", str(inside), wanted, "--out", str(tmp_path)]) == 2
    assert inside.read_bytes() == b"PK"


def test_kilograms_agree_between_the_files(tmp_path: Path) -> None:
    lots: list[Lot] = LOTS
    demands: list[Demand] = DEMANDS
    write_result(tmp_path, solved(), lots, demands, "zh")
    sold = sum(Decimal(row[1]) for row in rows_of(tmp_path / "lots.csv")[1:])
    served = sum(Decimal(row[1]) for row in rows_of(tmp_path / "demands.csv")[1:])
    matched = sum(Decimal(row[2]) for row in rows_of(tmp_path / "matches.csv")[1:])
    assert sold == served == matched == Decimal(1200)

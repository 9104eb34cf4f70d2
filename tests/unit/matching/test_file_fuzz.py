"""Whatever a file holds, reading it ends in parties or in faults, never in an exception."""

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from market.matching.files.reading import read_demand, read_supply
from tests.unit.matching.market_files import DEMAND, ROWS, SUPPLY, text_of, workbook

anyhow = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SIGNS = "0123456789.,-+eE/年月日斤公吨万元每¥ :;\t\"'=#N\u200b\u202e٣²½Ⅷ\ufffd無"
#: Without NUL, at which a file is no text at all, and a bare return, at which a row ends.
some_text = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=8)
cells = st.one_of(st.text(st.sampled_from(SIGNS), max_size=12), some_text)


def check(path: Path) -> None:
    """Read a file as both kinds; what is read is either whole or named."""
    for read, name in ((read_supply, "id"), (read_demand, "id")):
        found, faults = read(str(path))
        assert not (found and faults)
        assert len({getattr(each, name) for each in found}) == len(found)
        for fault in faults:
            assert fault.file == str(path)
            assert fault.row >= 0
            assert str(fault.reason)


@anyhow
@given(column=st.sampled_from(list(SUPPLY)), cell=cells)
@example(column="quantity_kg", cell="1e99999999999999999999")
@example(column="quantity_kg", cell="-0")
@example(column="available_from", cell="0000年0月")
@example(column="available_to", cell="9999年12月")
@example(column="ask_yuan_per_kg", cell="每斤")
def test_any_cell_of_supply_is_read_or_named(column: str, cell: str, tmp_path: Path) -> None:
    path = tmp_path / "supply.csv"
    path.write_text(text_of([*ROWS, list({**SUPPLY, "lot": "L2", column: cell}.values())]), encoding="utf-8")
    lots, faults = read_supply(str(path))
    assert [fault.row for fault in faults] == [3] * len(faults)
    assert len(lots) == (0 if faults else 2)


@anyhow
@given(column=st.sampled_from(list(DEMAND)), cell=cells)
def test_any_cell_of_demand_is_read_or_named(column: str, cell: str, tmp_path: Path) -> None:
    path = tmp_path / "demand.csv"
    path.write_text(text_of([list(DEMAND), list({**DEMAND, column: cell}.values())]), encoding="utf-8")
    demands, faults = read_demand(str(path))
    assert len(demands) == (0 if faults else 1)


@anyhow
@given(heading=cells, place=st.integers(0, len(SUPPLY) - 1))
def test_any_heading_is_known_or_named(heading: str, place: int, tmp_path: Path) -> None:
    names = list(SUPPLY)
    names[place] = heading
    path = tmp_path / "supply.csv"
    path.write_text(text_of([names, ROWS[1]]), encoding="utf-8")
    check(path)


@anyhow
@given(content=st.binary(max_size=200))
@example(content=b"\xff\xfe")
@example(content=b"\xff\xfe\x00\xd8")
@example(content=b"\xef\xbb\xbf\xef\xbb\xbf")
@example(content=b'"')
@example(content=b"\r\r\r")
def test_any_bytes_are_named(content: bytes, tmp_path: Path) -> None:
    for name in ("any.csv", "any.xlsx"):
        path = tmp_path / name
        path.write_bytes(content)
        assert read_supply(str(path))[1] != []
        check(path)


@anyhow
@given(at=st.integers(0, 10_000), sign=st.integers(0, 255))
def test_csv_with_one_byte_changed_is_read_or_named(at: int, sign: int, tmp_path: Path) -> None:
    raw = bytearray(text_of([*ROWS, *([f"L{k}", *ROWS[1][1:]] for k in range(2, 9))]).encode("gbk"))
    raw[at % len(raw)] = sign
    path = tmp_path / "supply.csv"
    path.write_bytes(raw)
    check(path)


def test_carriage_return_within_a_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "supply.csv"
    path.write_bytes(text_of(ROWS).replace(",", "\rx,", 1).encode())
    assert read_supply(str(path))[1] != []
    check(path)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    path = tmp_path_factory.mktemp("book") / "supply.xlsx"
    workbook(path, [*ROWS])
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@anyhow
@given(at=st.integers(0, 100_000), sign=st.integers(0, 255), which=st.integers(0, 5), cut=st.booleans())
def test_workbook_with_one_part_broken_is_read_or_named(
    at: int, sign: int, which: int, cut: bool, parts: dict[str, bytes], tmp_path: Path
) -> None:
    name = sorted(name for name in parts if name.startswith("xl/") and "theme" not in name)[which % 5]
    content = bytearray(parts[name])
    at %= len(content)
    content[at] = sign
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for each, whole in parts.items():
            archive.writestr(each, whole if each != name else bytes(content[:at] if cut else content))
    path = tmp_path / "supply.xlsx"
    path.write_bytes(out.getvalue())
    check(path)

"""The checker passes what the engine writes, and refuses every planted fault."""

import ast
import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import market.matching.checker.verify
from fixtures.markets import Shape, synthetic_market
from market import cli_match
from market.matching.checker.verify import verify
from tests.unit.matching.markets import tiny_markets, write_market

Rows = list[dict[str, str]]


@pytest.fixture(scope="module", params=[False, True], ids=["exact", "limits"])
def solved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, Path]:
    folder = tmp_path_factory.mktemp("market")
    shape = Shape(lots=60, demands=60, products=3, min_orders=request.param, max_lots=request.param)
    supply, wanted = write_market(folder, *synthetic_market(shape, seed=5))
    assert cli_match.main(["match", supply, wanted, "--out", str(folder / "out"), "--quiet"]) == 0
    assert verify(supply, wanted, str(folder / "out")).faults == []
    return supply, wanted, folder / "out"


def planted(solved: tuple[str, str, Path], to: Path, file: str, change: Callable[[Any], Any]) -> int:
    """Copy the result, change one file of it, and count what the checker finds."""
    supply, wanted, out = solved
    for path in out.iterdir():
        (to / path.name).write_bytes(path.read_bytes())
    target = to / file
    if file.endswith(".json"):
        claim = json.loads(target.read_text())
        change(claim)
        target.write_text(json.dumps(claim))
    else:
        with target.open(encoding="utf-8", newline="") as opened:
            rows = list(csv.DictReader(opened))
        header = list(rows[0])
        rows = change(rows) or rows
        with target.open("w", encoding="utf-8", newline="") as opened:
            writer = csv.DictWriter(opened, header)
            writer.writeheader()
            writer.writerows(rows)
    return verify(supply, wanted, str(to)).count


def add(column: str, by: float, row: int = 0) -> Callable[[Rows], None]:
    def change(rows: Rows) -> None:
        rows[row][column] = f"{float(rows[row][column]) + by:.6f}"

    return change


def put(column: str, value: str, row: int = 0) -> Callable[[Rows], None]:
    def change(rows: Rows) -> None:
        rows[row][column] = value

    return change


def richest(rows: Rows) -> None:
    row = max(rows, key=lambda row: float(row["gain_yuan_per_kg"]))
    row["gain_yuan_per_kg"] = str(float(row["gain_yuan_per_kg"]) - 0.01)


def claims(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(claim: dict[str, Any]) -> None:
        claim[name] = claim[name] + value if not isinstance(value, (bool, str, dict)) else value

    return change


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("matches.csv", add("quantity_kg", 0.001)),
        ("matches.csv", add("quantity_kg", -1)),
        ("matches.csv", put("quantity_kg", "nan")),
        ("matches.csv", put("quantity_kg", "-5")),
        ("matches.csv", add("price_yuan_per_kg", 0.01)),
        ("matches.csv", add("price_yuan_per_kg", -0.01)),
        ("matches.csv", put("price_low", "99999")),
        ("matches.csv", put("price_high", "0")),
        ("matches.csv", add("freight_yuan_per_kg", 0.001)),
        ("matches.csv", add("km", 0.5)),
        ("matches.csv", add("worth_yuan", 0.01)),
        ("matches.csv", put("reason", "")),
        ("matches.csv", put("lot", "L999999")),
        ("matches.csv", put("demand", "nobody")),
        ("matches.csv", lambda rows: rows[1:]),
        ("matches.csv", lambda rows: [*rows, rows[0]]),
        ("matches.csv", lambda rows: [{**rows[0], "demand": rows[-1]["demand"]}, *rows[1:]]),
        ("lots.csv", add("sold_kg", 1)),
        ("lots.csv", add("left_kg", 1)),
        ("lots.csv", richest),
        ("lots.csv", add("gain_yuan_per_kg", 0.5)),
        ("lots.csv", put("gain_yuan_per_kg", "-1")),
        ("lots.csv", put("admissible_pairs", "9999")),
        ("lots.csv", put("status", "sold")),
        ("lots.csv", lambda rows: rows[1:]),
        ("lots.csv", lambda rows: [*rows, rows[0]]),
        ("lots.csv", lambda rows: rows[::-1]),
        ("demands.csv", add("served_kg", 1)),
        ("demands.csv", richest),
        ("demands.csv", put("open_kg", "inf")),
        ("demands.csv", put("status", "")),
        ("demands.csv", lambda rows: rows[:-1]),
        ("diagnosis.csv", put("lot", "L999999")),
        ("diagnosis.csv", put("rank", "7")),
        ("diagnosis.csv", put("unlock_kg", "1000000000")),
        ("diagnosis.csv", put("unlock_demands", "D999999")),
        ("diagnosis.csv", put("cost_yuan_per_kg", "-1")),
        ("certificate.json", claims("worth_yuan", 1)),
        ("certificate.json", claims("upper_bound_yuan", 1)),
        ("certificate.json", claims("gap", 0.001)),
        ("certificate.json", claims("blocking_pairs", 1)),
        ("certificate.json", claims("pairs_admissible", 1)),
        ("certificate.json", claims("exact", "yes")),
        ("certificate.json", claims("parameters", {})),
        ("certificate.json", lambda claim: claim["parameters"].update(freight_yuan_per_tonne_km="0.7")),
        ("certificate.json", lambda claim: claim.pop("gap")),
    ],
)
def test_planted_fault_is_refused(
    solved: tuple[str, str, Path], tmp_path: Path, file: str, change: Callable[[Any], Any]
) -> None:
    assert planted(solved, tmp_path, file, change) > 0


def test_false_claim_of_exactness_is_refused(solved: tuple[str, str, Path], tmp_path: Path) -> None:
    def flip(claim: dict[str, Any]) -> None:
        claim["exact"] = not claim["exact"]

    assert planted(solved, tmp_path, "certificate.json", flip) == 1


@pytest.mark.parametrize(
    "name", ["matches.csv", "lots.csv", "demands.csv", "diagnosis.csv", "certificate.json"]
)
@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00", b"a,b\n1,2\n", b"[]"])
def test_missing_or_broken_file_is_refused(
    solved: tuple[str, str, Path], tmp_path: Path, name: str, content: bytes | None
) -> None:
    supply, wanted, out = solved
    for path in out.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)
    assert cli_match.main(["verify", supply, wanted, str(tmp_path)]) == 1


def test_unreadable_input_is_status_two(solved: tuple[str, str, Path], tmp_path: Path) -> None:
    assert cli_match.main(["verify", str(tmp_path / "none.csv"), solved[1], str(solved[2])]) == 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "lot, seller, product"),
        (b"lot,seller,product\n", "quantity_kg, ask_yuan_per_kg"),
        ("\ufefflot,seller,product\n".encode("utf-32-le"), "supply.csv"),
    ],
    ids=["empty", "columns lacking", "utf-32"],
)
def test_faulty_input_is_not_a_faulty_result(
    content: bytes,
    reason: str,
    solved: tuple[str, str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    supply = tmp_path / "supply.csv"
    supply.write_bytes(content)
    assert cli_match.main(["verify", str(supply), solved[1], str(solved[2]), "--lang", "en"]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"The input itself is faulty; check it first with market match: {supply}")
    assert reason in told


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_changed_digit_of_a_quantity_price_or_gain_is_refused(
    solved: tuple[str, str, Path], tmp_path: Path, data: st.DataObject
) -> None:
    file, column = data.draw(
        st.sampled_from(
            [
                ("matches.csv", "quantity_kg"),
                ("matches.csv", "price_yuan_per_kg"),
                ("lots.csv", "sold_kg"),
                ("lots.csv", "gain_yuan_per_kg"),
                ("demands.csv", "open_kg"),
                ("demands.csv", "gain_yuan_per_kg"),
            ]
        )
    )

    def change(rows: Rows) -> None:
        row = data.draw(st.sampled_from(rows))
        by = data.draw(st.sampled_from([-10, -1, -0.1, 0.1, 1, 10]))
        row[column] = f"{float(row[column]) + by:.9f}"

    assert planted(solved, tmp_path, file, change) > 0


_TEXTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["1e308", "-1e308", "9" * 30, "0." + "3" * 40, "1e-400", "٣", "٣.٥", "+1", ".5", "5."]),
    st.floats().map(str),
    st.integers(-(10**20), 10**20).map(str),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_rubbish_in_a_cell_is_passed_or_makes_the_checker_fail(
    solved: tuple[str, str, Path], tmp_path: Path, data: st.DataObject
) -> None:
    file = data.draw(st.sampled_from(["matches.csv", "lots.csv", "demands.csv", "diagnosis.csv"]))
    text = data.draw(_TEXTS)
    told: dict[str, Any] = {}

    def change(rows: Rows) -> None:
        row = data.draw(st.sampled_from(rows))
        column = data.draw(st.sampled_from(sorted(set(row) - {"reason", "change", "unlock_kg"})))
        told["old"], told["is_number"] = row[column], column[-2:] in ("kg", "km", "an", "ow", "gh")
        # a larger cut than the smallest opens the same demand: the row stays true
        told["may_rise"] = column == "cost_yuan_per_kg" and "outbid" in row["obstacle"]
        row[column] = text

    count = planted(solved, tmp_path, file, change)
    try:
        is_same = told["old"] == text or (told["is_number"] and abs(float(told["old"]) - float(text)) < 1e-12)
        is_same |= told["may_rise"] and float(told["old"]) <= float(text)
    except ValueError:
        is_same = False
    assert count > 0 or is_same


_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=_VALUES, data=st.data())
def test_no_rubbish_in_the_certificate_is_passed_or_makes_the_checker_fail(
    solved: tuple[str, str, Path], tmp_path: Path, value: Any, data: st.DataObject
) -> None:
    told: dict[str, Any] = {}

    def change(claim: dict[str, Any]) -> None:
        names = ["worth_yuan", "upper_bound_yuan", "gap", "exact", "blocking_pairs", "pairs_admissible"]
        place, name = claim, data.draw(st.sampled_from([*names, "parameters", "freight", "road"]))
        if name in ("freight", "road"):
            name = {"freight": "freight_yuan_per_tonne_km", "road": "road_factor"}[name]
            place = claim["parameters"]
        told["old"] = place[name]
        place[name] = value

    assert planted(solved, tmp_path, "certificate.json", change) > 0 or told["old"] == value


def test_checker_shares_no_code_with_the_engine() -> None:
    """Only the list of headings, which is data; and the words of its messages."""
    folder = Path(market.matching.checker.verify.__file__).parent
    allowed = {"market.i18n", "market.matching.files.headings"}
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert not any(alias.name.startswith("market") for alias in node.names), path.name
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("market"):
                module = str(node.module)
                is_own = module.startswith("market.matching.checker")
                assert is_own or module in allowed, (path.name, module)
                if module == "market.matching.files.headings":
                    assert {a.name for a in node.names} == {"LOT_COLUMNS", "DEMAND_COLUMNS"}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=tiny_markets(limits=True))
def test_whatever_the_engine_writes_passes(made: tuple[Any, Any], tmp_path: Path) -> None:
    supply, wanted = write_market(tmp_path, *made)
    assert cli_match.main(["match", supply, wanted, "--out", str(tmp_path / "out"), "--quiet"]) == 0
    assert verify(supply, wanted, str(tmp_path / "out")).faults == []

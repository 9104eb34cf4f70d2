"""Every cell of a result is changed in many ways, one at a time; the checker must refuse each of them."""

import csv
import json
import random
import re
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import pytest

from fixtures.markets import Shape, synthetic_market
from market import cli_match
from market.matching.checker.verify import verify
from tests.unit.matching.markets import write_market

Rows = list[dict[str, str]]
Change = Callable[[Rows], Rows]
FILES = ("matches.csv", "lots.csv", "demands.csv", "diagnosis.csv")
#: Rows of a file of which each cell is changed in every way.
CHANGED = 2


class Planted:
    """A result that passes, and copies of it with one thing changed."""

    def __init__(self, folder: Path, *, limits: bool) -> None:
        shape = Shape(lots=50, demands=50, products=3, min_orders=limits, max_lots=limits)
        self.supply, self.wanted = write_market(folder, *synthetic_market(shape, seed=8))
        self.out, self.copy = folder / "out", folder / "copy"
        words = ["match", self.supply, self.wanted, "--out", str(self.out), "--quiet"]
        assert cli_match.main(words) == 0
        assert self.found(self.out) == 0
        self.copy.mkdir()
        for path in self.out.iterdir():
            (self.copy / path.name).write_bytes(path.read_bytes())
        self.rows = {name: self._read(name) for name in FILES}
        self.certificate = json.loads((self.out / "certificate.json").read_text())

    def found(self, folder: Path) -> int:
        return verify(self.supply, self.wanted, str(folder)).count

    def _read(self, name: str) -> Rows:
        with (self.out / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def refused(self, name: str, change: Change) -> bool:
        rows = change([dict(row) for row in self.rows[name]])
        with (self.copy / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0] if rows else self.rows[name][0]))
            writer.writeheader()
            writer.writerows(rows)
        count = self.found(self.copy)
        (self.copy / name).write_bytes((self.out / name).read_bytes())
        return count > 0

    def refused_certificate(self, claim: Any) -> bool:
        (self.copy / "certificate.json").write_text(json.dumps(claim))
        count = self.found(self.copy)
        (self.copy / "certificate.json").write_bytes((self.out / "certificate.json").read_bytes())
        return count > 0


@pytest.fixture(scope="module", params=[False, True], ids=["exact", "limits"])
def planted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Planted:
    return Planted(tmp_path_factory.mktemp("planted"), limits=request.param)


def put(row: int, column: str, value: str) -> Change:
    def change(rows: Rows) -> Rows:
        rows[row][column] = value
        return rows

    return change


def same(old: str, new: str) -> bool:
    """A change that changes nothing: the same number in other words."""
    try:
        return Decimal(old) == Decimal(new)
    except InvalidOperation:
        return old == new


def wrong_numbers(written: str, least: str) -> Iterator[str]:
    """Other numbers than ``written``, from ``least`` apart, and things that are no number."""
    value = Decimal(written)
    for by in (Decimal(least), 10 * Decimal(least), Decimal(1), Decimal(1000)):
        yield f"{value + by:f}"
        yield f"{value - by:f}"
    yield from (f"{value * 2:f}", f"{-value:f}", "0", "", "-", "nan", "inf", "x", f"{value:f} ", "1_0")


#: Column -> the smallest change that must be noticed: its last decimal, or what is worth 0.01 yuan.
NUMBERS = {
    "matches.csv": {
        "quantity_kg": "0.001",
        "price_yuan_per_kg": "0.0002",
        "price_low": "0.0002",
        "price_high": "0.0002",
        "freight_yuan_per_kg": "0.000000002",
        "km": "0.000002",
        "worth_yuan": "0.000002",
    },
    "lots.csv": {
        "sold_kg": "0.001",
        "left_kg": "0.001",
        "gain_yuan_per_kg": "0.000001",
        "admissible_pairs": "1",
    },
    "demands.csv": {
        "served_kg": "0.001",
        "open_kg": "0.001",
        "gain_yuan_per_kg": "0.000001",
        "admissible_pairs": "1",
    },
}


@pytest.mark.parametrize(("name", "column"), [(name, column) for name in NUMBERS for column in NUMBERS[name]])
def test_every_changed_number_is_refused(planted: Planted, name: str, column: str) -> None:
    rows = planted.rows[name]
    missed = []
    for k in random.Random(column).sample(range(len(rows)), min(CHANGED, len(rows))):
        changes = [
            value
            for value in wrong_numbers(rows[k][column], NUMBERS[name][column])
            if not same(rows[k][column], value)
        ]
        missed += [(rows[k], value) for value in changes if not planted.refused(name, put(k, column, value))]
    assert missed == []


@pytest.mark.parametrize("name", ["lots.csv", "demands.csv"])
def test_every_changed_status_is_refused(planted: Planted, name: str) -> None:
    states = {row["status"] for row in planted.rows[name]}
    assert len(states) == 3
    rows = planted.rows[name]
    missed = [
        (k, state)
        for k in range(0, len(rows), 9)
        for state in (*states, "", "sold")
        if state != rows[k]["status"] and not planted.refused(name, put(k, "status", state))
    ]
    assert missed == []


def swap(column: str, k: int, other: int) -> Change:
    def change(rows: Rows) -> Rows:
        rows[k][column], rows[other][column] = rows[other][column], rows[k][column]
        return rows

    return change


@pytest.mark.parametrize("column", ["lot", "demand"])
def test_swapped_pairs_are_refused(planted: Planted, column: str) -> None:
    rows = planted.rows["matches.csv"]
    pairs = [(k, other) for k in range(0, len(rows), 5) for other in range(1, len(rows), 7)]
    different = [(k, o) for k, o in pairs if rows[k][column] != rows[o][column]]
    assert different
    missed = [(k, o) for k, o in different if not planted.refused("matches.csv", swap(column, k, o))]
    assert missed == []


def other_figures(rows: Rows, column: str, k: int) -> Iterator[str]:
    """A row's sentence with each of its figures changed."""
    text = rows[k][column]
    for found in re.finditer(r"[0-9]+(?:\.[0-9]+)?", text):
        yield f"{text[: found.start()]}{float(found[0]) + 0.2:.4f}{text[found.end() :]}"


def test_every_changed_figure_of_a_reason_is_refused(planted: Planted) -> None:
    rows = planted.rows["matches.csv"]
    wrong = [(k, text) for k in (0, len(rows) - 1) for text in other_figures(rows, "reason", k)]
    assert len(wrong) == 10
    wrong += [(0, text) for text in ("", " ")]
    assert [text for k, text in wrong if not planted.refused("matches.csv", put(k, "reason", text))] == []
    # whoever writes a result finds words of his own
    assert not planted.refused("matches.csv", put(0, "reason", "nearest with the grade asked for"))


def test_change_without_its_figure_is_refused(planted: Planted) -> None:
    """A change is told with a figure or the credential that it takes; in which words is open."""
    rows = planted.rows["diagnosis.csv"]
    seen, missed = set(), []
    for k, row in enumerate(rows):
        if row["obstacle"] not in seen and row["obstacle"] not in WORDS_ONLY:
            seen.add(row["obstacle"])
            bare = re.sub(r"[0-9A-Za-z]", "", row["change"])
            missed += [] if planted.refused("diagnosis.csv", put(k, "change", bare)) else [row]
    assert {"grade", "window", "credential"} <= {code for codes in seen for code in codes.split("+")}
    assert missed == []


def shift(k: int, other: int, kg: str) -> Change:
    """Move kilograms from one match to another: the total stays."""

    def change(rows: Rows) -> Rows:
        for row, by in ((k, -Decimal(kg)), (other, Decimal(kg))):
            rows[row]["quantity_kg"] = str(Decimal(rows[row]["quantity_kg"]) + by)
        return rows

    return change


def test_kilograms_moved_between_matches_are_refused(planted: Planted) -> None:
    count = len(planted.rows["matches.csv"])
    missed = [k for k in range(count - 1) if not planted.refused("matches.csv", shift(k, k + 1, "0.5"))]
    assert missed == []


def split(k: int) -> Change:
    """One match told as two halves of the same pair."""

    def change(rows: Rows) -> Rows:
        row = rows[k]
        half = Decimal(row["quantity_kg"]) // 2
        worth = Decimal(row["worth_yuan"]) * half / Decimal(row["quantity_kg"])
        rest = {
            "quantity_kg": str(Decimal(row["quantity_kg"]) - half),
            "worth_yuan": f"{Decimal(row['worth_yuan']) - worth:.6f}",
        }
        one = {**row, "quantity_kg": str(half), "worth_yuan": f"{worth:.6f}"}
        return [*rows[:k], one, {**row, **rest}, *rows[k + 1 :]]

    return change


@pytest.mark.parametrize("name", FILES)
def test_rows_dropped_doubled_or_foreign_are_refused(planted: Planted, name: str) -> None:
    count = len(planted.rows[name])
    key = "lot" if name != "demands.csv" else "demand"
    changes: list[Change] = []
    for k in range(0, count, max(1, count // (2 * CHANGED))):
        changes.append(lambda rows, k=k: [*rows[:k], *rows[k:], rows[k]])  # type: ignore[misc]
        changes.append(put(k, key, "nobody"))
        changes.append(put(k, key, ""))
        if name != "diagnosis.csv":
            # What else might help a lot need not be told; that nothing is told is refused below.
            changes.append(lambda rows, k=k: [*rows[:k], *rows[k + 1 :]])  # type: ignore[misc]
        if name == "matches.csv":
            changes.append(split(k))
    changes.append(lambda rows: rows[:0])
    missed = [n for n, change in enumerate(changes) if not planted.refused(name, change)]
    assert missed == []


@pytest.mark.parametrize("name", FILES)
def test_columns_missing_renamed_or_reordered_are_refused(planted: Planted, name: str) -> None:
    columns = list(planted.rows[name][0])

    def only(kept: list[str]) -> Change:
        return lambda rows: [{column: row[column] for column in kept} for row in rows]

    for k in range(len(columns)):
        assert planted.refused(name, only([*columns[:k], *columns[k + 1 :]])), columns[k]
        moved = [*columns[1:], columns[0]] if k == 0 else [*columns[: k - 1], columns[k], columns[k - 1]]
        assert planted.refused(name, only([*moved, *columns[len(moved) :]])), columns[k]

        def renamed(rows: Rows, k: int = k) -> Rows:
            return [{f"{c}_" if c == columns[k] else c: value for c, value in row.items()} for row in rows]

        assert planted.refused(name, renamed), columns[k]


def test_every_changed_claim_is_refused(planted: Planted) -> None:
    claim = planted.certificate
    worth, bound = claim["worth_yuan"], claim["upper_bound_yuan"]
    wrong: dict[str, list[Any]] = {
        "worth_yuan": [worth + 0.01, worth - 0.01, worth * 2, -worth, 0, None, "1", True, float("nan")],
        "upper_bound_yuan": [bound + 0.01, bound - 0.01, bound / 2, 0, None, float("inf")],
        "gap": [claim["gap"] + 1e-8, -1, 1, None, "0"],
        "bound_with_limits_yuan": [worth - 0.01, bound + 0.01, 0, None, "x", True, float("nan")],
        "gap_with_limits": [claim["gap_with_limits"] + 1e-8, -1, 1, None, "0", float("nan")],
        "finished": [None, 1, "true"],
        "exact": [not claim["exact"], None, "true", 1 if claim["exact"] else 0],
        "blocking_pairs": [1, -1, 0.0, None, True],
        "pairs_admissible": [claim["pairs_admissible"] + 1, claim["pairs_admissible"] - 1, 0, None, 1.5],
        "parameters": [{}, None, [], {"freight_yuan_per_tonne_km": "0.6"}],
        "seconds": [None, {"solve": -1}, 3],
        "peak_memory_mib": [-1, None],
        "version": ["", None, 3],
    }
    missed = [
        (name, value)
        for name, values in wrong.items()
        for value in values
        if not planted.refused_certificate({**claim, name: value})
    ]
    missed += [
        (name, "absent") for name in wrong if planted.refused_certificate(_without(claim, name)) is False
    ]
    for name in claim["parameters"]:
        for value in ("0.61", "1.31", "-1", "x", "nan", "inf", None):
            parameters = {**claim["parameters"], name: value}
            if not planted.refused_certificate({**claim, "parameters": parameters}):
                missed.append((name, value))
    assert missed == []


def _without(claim: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in claim.items() if key != name}


def test_another_systems_of_gains_is_refused_unless_its_prices_are_told(planted: Planted) -> None:
    """Moving value from all sellers to all buyers keeps the bound; the prices no longer fit."""
    rows = {name: [dict(row) for row in planted.rows[name]] for name in ("lots.csv", "demands.csv")}
    for name, by in (("lots.csv", Decimal("0.001")), ("demands.csv", Decimal("-0.001"))):
        for row in rows[name]:
            row["gain_yuan_per_kg"] = str(max(Decimal(0), Decimal(row["gain_yuan_per_kg"]) + by))
        with (planted.copy / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[name][0]))
            writer.writeheader()
            writer.writerows(rows[name])
    count = planted.found(planted.copy)
    for name in rows:
        (planted.copy / name).write_bytes((planted.out / name).read_bytes())
    assert count > 0


CODES = ("grade", "window", "credential", "distance", "price", "outbid", "quantity", "no_demand", "luck")


#: Obstacles about which there is no figure to tell.
WORDS_ONLY = ("quantity", "no_demand", "own", "declined")


def test_every_changed_diagnosis_is_refused(planted: Planted) -> None:
    """A smaller promise, and other words for a change, may be as true; all else is not."""
    rows = planted.rows["diagnosis.csv"]
    left = {row["lot"]: row["left_kg"] for row in planted.rows["lots.csv"]}
    sold_out = next(lot for lot, kg in left.items() if Decimal(kg) == 0)
    other_product = _other_products(planted)
    missed = []
    for k in range(0, len(rows), max(1, len(rows) // (2 * CHANGED))):
        row = rows[k]
        named = [name for name in row["unlock_demands"].split(";") if name]
        priced = "price" in row["obstacle"] or "outbid" in row["obstacle"]
        # Which of the two limits of a pair binds is one code; further ones may bind as well.
        others = [code for code in CODES if code not in row["obstacle"].split("+")]
        changes = {
            "lot": [sold_out],
            "rank": ["0", "9", "", "x", "1.0", str(int(row["rank"]) + 1)],
            "obstacle": ["", " ", f"{row['obstacle']}+luck"] + (others if named else ["no_demand", "luck"]),
            "change": ["", " "] + (["zz"] if row["obstacle"] not in WORDS_ONLY else []),
            "unlock_kg": [f"{Decimal(left[row['lot']]) + 1}", "-1", "", "x", "0.0001", "nan"]
            + (["0.000"] if named else ["1.000"]),
            "unlock_demands": ["nobody", "D1;D1", other_product[row["lot"]]] + ([""] if named else []),
            "cost_yuan_per_kg": ["-0.1", "", "x", "nan", "0.00001"] + (["0.0000"] if priced else ["0.1000"]),
        }
        if "price" in row["obstacle"]:
            cost = Decimal(row["cost_yuan_per_kg"])
            changes["cost_yuan_per_kg"] += [str(cost - Decimal("0.0002")), str(cost + Decimal("0.0002"))]
        for column, values in changes.items():
            missed += [
                (row, column, value)
                for value in values
                if value != row[column] and not planted.refused("diagnosis.csv", put(k, column, value))
            ]
    assert missed == []


def _other_products(planted: Planted) -> dict[str, str]:
    """Each lot's id, and some demand for another product."""
    with open(planted.supply, encoding="utf-8", newline="") as file:
        lots = list(csv.DictReader(file))
    with open(planted.wanted, encoding="utf-8", newline="") as file:
        demands = list(csv.DictReader(file))
    return {
        lot["lot"]: next(each["demand"] for each in demands if each["product"] != lot["product"])
        for lot in lots
    }

"""Reading for the checker: input and result files as plain rows, and the faults found in them.

A light reader of its own, apart from the engine's: what the engine misreads, this does not.
"""

import csv
import json
import math
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from python_calamine import CalamineWorkbook

from market.i18n import Message, msg

#: Faults told in full; the rest are counted.
TOLD = 20
Row = dict[str, str]
Array = Any


@dataclass
class Report:
    """``faults`` are the first ``TOLD`` of ``count``; ``unreadable`` if the input itself cannot be read."""

    checked: list[Message] = field(default_factory=list)
    faults: list[Message] = field(default_factory=list)
    count: int = 0
    unreadable: Message | None = None

    def wrong(self, file: str, row: object, what: str, expected: object, got: object) -> None:
        self.count += 1
        if len(self.faults) < TOLD:
            self.faults.append(
                msg(
                    "{file} {row} 的 {what}：应为 {expected}，写的是 {got}",
                    file=file,
                    row=str(row),
                    what=what,
                    expected=str(expected),
                    got=str(got),
                )
            )


class Unreadable(Exception):
    def __init__(self, message: Message) -> None:
        super().__init__(message)
        self.message = message


MATCH_COLUMNS = [
    "lot",
    "demand",
    "quantity_kg",
    "price_yuan_per_kg",
    "price_low",
    "price_high",
    "freight_yuan_per_kg",
    "km",
    "worth_yuan",
    "reason",
]
LOT_COLUMNS = ["lot", "sold_kg", "left_kg", "gain_yuan_per_kg", "admissible_pairs", "status"]
DEMAND_COLUMNS = ["demand", "served_kg", "open_kg", "gain_yuan_per_kg", "admissible_pairs", "status"]
DIAGNOSIS_COLUMNS = ["lot", "rank", "obstacle", "change", "unlock_kg", "unlock_demands", "cost_yuan_per_kg"]


def cell(value: Any) -> str:
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    written = repr(value) if isinstance(value, float) else str(value)
    written = unicodedata.normalize("NFKC", written).strip()
    return "" if written == "-" else written


def read_input(path: str) -> list[Row]:
    """The rows of SUPPLY or DEMAND as plain text by column."""
    if path == "-":
        return []
    file = Path(path)
    try:
        if file.suffix.lower() == ".xlsx":
            table: list[list[Any]] = CalamineWorkbook.from_path(str(file)).get_sheet_by_index(0).to_python()
        else:
            raw = file.read_bytes()
            try:
                text = raw.decode("utf-8-sig")
            except UnicodeDecodeError:
                text = raw.decode("gb18030")
            table = list(csv.reader(text.splitlines(keepends=True)))
    except Exception as trouble:
        why = getattr(trouble, "strerror", None) or type(trouble).__name__
        raise Unreadable(msg("读不出 {file}：{why}", file=path, why=why)) from trouble
    rows = [[cell(value) for value in row] for row in table]
    rows = [row for row in rows if any(row)]
    if not rows:
        return []
    header = rows[0]
    return [dict(zip(header, row + [""] * len(header), strict=False)) for row in rows[1:]]


def read_output(report: Report, folder: Path, name: str, columns: list[str]) -> list[Row] | None:
    try:
        with (folder / name).open(encoding="utf-8", newline="") as file:
            table = list(csv.reader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as trouble:
        report.wrong(
            name, "-", "file", "readable", getattr(trouble, "strerror", None) or type(trouble).__name__
        )
        return None
    if not table or table[0] != columns:
        report.wrong(name, "-", "header", ",".join(columns), ",".join(table[0]) if table else "")
        return None
    rows = []
    for number, cells in enumerate(table[1:], start=2):
        if len(cells) != len(columns):
            report.wrong(name, number, "cells", len(columns), len(cells))
            return None
        rows.append(dict(zip(columns, cells, strict=True)))
    return rows


def finite(report: Report, file: str, key: object, row: Row, column: str) -> float:
    try:
        value = float(row[column])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        report.wrong(file, key, column, "a number", row[column])
        return 0.0
    return value


class InputSide:
    """Columns of one input file as arrays."""

    def __init__(self, rows: list[Row], *, lot: bool) -> None:
        def numbers(column: str, default: float) -> Array:
            return np.array([float(row.get(column) or default) for row in rows], np.float64)

        def days(column: str) -> Array:
            return np.array([date.fromisoformat(row[column]).toordinal() for row in rows], np.int64)

        def sets(column: str) -> list[frozenset[str]]:
            return [
                frozenset(code.strip() for code in (row.get(column) or "").split(";") if code.strip())
                for row in rows
            ]

        self.ids = [row["lot" if lot else "demand"] for row in rows]
        self.place = {name: k for k, name in enumerate(self.ids)}
        self.product = np.array([row["product"] for row in rows], dtype=object)
        self.kg = numbers("quantity_kg", 0)
        self.price = numbers("ask_yuan_per_kg" if lot else "ceiling_yuan_per_kg", 0)
        self.lat, self.lon = np.radians(numbers("lat", 0)), np.radians(numbers("lon", 0))
        self.begin = days("available_from" if lot else "deliver_from")
        self.end = days("available_to" if lot else "deliver_to")
        self.grade = numbers("grade" if lot else "min_grade", 0)
        self.min_order = numbers("min_order_kg", 0)
        self.codes = sets("credentials" if lot else "requires")
        self.priority = numbers("priority_yuan_per_kg", 0)
        self.max_lots = numbers("max_lots", math.inf)
        self.reach = numbers("max_distance_km", math.inf)
        self.ask_exact = [Decimal(row["ask_yuan_per_kg"]) for row in rows] if lot else []


def read_certificate(report: Report, path: Path) -> dict[str, Any] | None:
    try:
        claim = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as trouble:
        report.wrong(
            path.name, "-", "file", "readable", getattr(trouble, "strerror", None) or type(trouble).__name__
        )
        return None
    kinds: dict[str, Callable[[Any], bool]] = {
        "worth_yuan": is_number,
        "upper_bound_yuan": is_number,
        "gap": is_number,
        "exact": lambda value: isinstance(value, bool),
        "blocking_pairs": is_count,
        "pairs_admissible": is_count,
        "parameters": lambda value: isinstance(value, dict),
    }
    if not isinstance(claim, dict):
        report.wrong(path.name, "-", "file", "an object", type(claim).__name__)
        return None
    bad = [name for name, fits in kinds.items() if not fits(claim.get(name))]
    for name in bad:
        report.wrong(path.name, "-", name, "a fitting value", claim.get(name))
    return None if bad else claim


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0

"""One lot and one demand as files, in the forms that the tests give them."""

import csv
import io
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import xlsxwriter

from market.matching.files.faults import Fault
from market.matching.files.reading import read_demand, read_supply
from market.matching.rules import Demand, Lot

SUPPLY = {
    "lot": "L1",
    "seller": "东于村",
    "product": "花生",
    "grade": "2",
    "quantity_kg": "100.5",
    "ask_yuan_per_kg": "6.35",
    "lat": "41.5",
    "lon": "122.7",
    "available_from": "2024-12-01",
    "available_to": "2025-02-28",
    "min_order_kg": "20",
    "credentials": "sc;green-food",
    "priority_yuan_per_kg": "0.1",
}
DEMAND = {
    "demand": "D1",
    "buyer": "超市",
    "product": "花生",
    "min_grade": "1",
    "quantity_kg": "80",
    "ceiling_yuan_per_kg": "9",
    "lat": "41.8",
    "lon": "123.4",
    "deliver_from": "2024-12-01",
    "deliver_to": "2024-12-31",
    "min_order_kg": "10",
    "max_lots": "3",
    "requires": "sc",
    "max_distance_km": "300",
}
#: SUPPLY as a table.
ROWS = [list(SUPPLY), list(SUPPLY.values())]


def text_of(rows: Sequence[Sequence[str]], delimiter: str = ",", ending: str = "\n") -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator=ending).writerows(rows)
    return out.getvalue()


def supply_of(folder: Path, content: str | bytes, name: str = "supply.csv") -> list[Lot]:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    lots, faults = read_supply(str(path))
    assert faults == []
    return lots


def one_lot(folder: Path, headings: dict[str, str] | None = None, **cells: str) -> Lot:
    """Read a file of one lot, some of whose cells and headings are others."""
    row = {**SUPPLY, **cells}
    names = [(headings or {}).get(name, name) for name in row]
    (lot,) = supply_of(folder, text_of([names, list(row.values())]))
    return lot


def one_demand(folder: Path, headings: dict[str, str] | None = None, **cells: str) -> Demand:
    row = {**DEMAND, **cells}
    names = [(headings or {}).get(name, name) for name in row]
    path = folder / "demand.csv"
    path.write_text(text_of([names, list(row.values())]), encoding="utf-8")
    (demand,), faults = read_demand(str(path))
    assert faults == []
    return demand


def workbook(path: Path, rows: Sequence[Sequence[Any]], **options: Any) -> None:
    with xlsxwriter.Workbook(str(path), options) as book:
        sheet = book.add_worksheet()
        as_day = book.add_format({"num_format": "yyyy/m/d"})
        for number, row in enumerate(rows):
            for place, cell in enumerate(row):
                if isinstance(cell, date):
                    sheet.write_datetime(number, place, cell, as_day)
                elif isinstance(cell, (bool, str)):
                    sheet.write(number, place, cell)
                elif cell is not None:
                    sheet.write_number(number, place, cell)


Told = tuple[int, str, str]


def faults_in(path: Path) -> list[Fault]:
    lots, faults = read_supply(str(path))
    assert not (lots and faults)
    return faults


def told(folder: Path, content: str | bytes, name: str = "supply.csv") -> list[Told]:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return [(fault.row, fault.column, fault.value) for fault in faults_in(path)]


def faults_of(folder: Path, **cells: str) -> list[Fault]:
    """Read a file of two lots, the second with ``cells``."""
    rows = [*ROWS, list({**SUPPLY, "lot": "L2", **cells}.values())]
    return faults_of_text(folder, text_of(rows))


def faults_of_text(folder: Path, content: str) -> list[Fault]:
    path = folder / "supply.csv"
    path.write_text(content, encoding="utf-8")
    return faults_in(path)

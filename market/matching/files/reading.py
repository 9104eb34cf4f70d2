"""SUPPLY and DEMAND files in: CSV and .xlsx, a million rows each, with every bad cell listed.

What is certainly meant is read (``readings``, ``days``, ``headings``); all else is named with file, row (as
a spreadsheet numbers it), column, value and what to write instead. Rows come in batches and are read
column by column, each different value once, so that a batch without faults costs no step per cell.
"""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from market.matching.files.faults import Fault, Sheet
from market.matching.files.headings import DEMAND_COLUMNS, LOT_COLUMNS, Columns, Headings
from market.matching.files.rows import Cut, open_rows
from market.matching.files.table import Table
from market.matching.rules import Demand, Lot

__all__ = ["DEMAND_COLUMNS", "LOT_COLUMNS", "Fault", "read_demand", "read_supply"]

Party = TypeVar("Party")


def read_supply(path: str) -> tuple[list[Lot], list[Fault]]:
    """Read SUPPLY; ``-`` is no supply at all. Where there are faults, there are no lots."""
    return _read(path, LOT_COLUMNS, _lots)


def read_demand(path: str) -> tuple[list[Demand], list[Fault]]:
    """Read DEMAND; ``-`` is no demand at all. Where there are faults, there are no demands."""
    return _read(path, DEMAND_COLUMNS, _demands)


def _lots(columns: Sequence[Sequence[Any]]) -> Iterator[Lot]:
    return (
        Lot(
            id=id_,
            seller=seller,
            product=product,
            grade=grade,
            quantity=quantity,
            ask=ask,
            latitude=latitude,
            longitude=longitude,
            available_from=begin,
            available_to=end,
            min_order=min_order,
            credentials=credentials,
            priority=priority,
        )
        for (
            id_,
            seller,
            product,
            grade,
            quantity,
            ask,
            latitude,
            longitude,
            begin,
            end,
            min_order,
            credentials,
            priority,
        ) in zip(*columns, strict=True)
    )


def _demands(columns: Sequence[Sequence[Any]]) -> Iterator[Demand]:
    return (
        Demand(
            id=id_,
            buyer=buyer,
            product=product,
            min_grade=min_grade,
            quantity=quantity,
            ceiling=ceiling,
            latitude=latitude,
            longitude=longitude,
            deliver_from=begin,
            deliver_to=end,
            min_order=min_order,
            max_lots=max_lots,
            requires=requires,
            max_distance_km=max_distance_km,
        )
        for (
            id_,
            buyer,
            product,
            min_grade,
            quantity,
            ceiling,
            latitude,
            longitude,
            begin,
            end,
            min_order,
            max_lots,
            requires,
            max_distance_km,
        ) in zip(*columns, strict=True)
    )


@contextmanager
def _without_collection() -> Iterator[None]:
    """Nothing that is read refers to itself; looking for such rings would take half of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _read(
    path: str, columns: Columns, build: Callable[[Sequence[Sequence[Any]]], Iterator[Party]]
) -> tuple[list[Party], list[Fault]]:
    if path == "-":
        return [], []
    sheet = Sheet(path)
    found: list[Party] = []
    headings = Headings(columns)
    try:
        with _without_collection(), open_rows(Path(path), headings.count) as rows:
            for values in Table(sheet, columns, headings, rows).batches():
                if not sheet.faults:
                    found.extend(build(values))
    except Cut as cut:
        sheet.fault(cut.reason, row=cut.row)
    return ([] if sheet.faults else found), sheet.faults

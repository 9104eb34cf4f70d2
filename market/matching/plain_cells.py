"""Whole columns of cells that need no thought: the fast way through a million rows.

Each takes the texts of a column and returns their values, or None where any of them is not plain or is out of
its range; then the cells are read one by one (``readings``), to the same values where both can.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from market.matching.readings import MOST_KG
from market.units import GRAMS_PER_KG

PlainColumn = Callable[[Sequence[str]], list[Any] | None]

_NAMES = re.compile(r"(?:[A-Za-z0-9_\u4e00-\u9fff][A-Za-z0-9_\u4e00-\u9fff-]{0,99}+\n)*+").fullmatch
_KILOGRAMS = re.compile(r"(?:[0-9]{1,9}+(?:\.[0-9]{1,3}+)?+\n)*+").fullmatch
_DEGREES = re.compile(r"(?:[0-9]{1,3}+(?:\.[0-9]{1,20}+)?+\n)*+").fullmatch


def _lines(cells: Sequence[str]) -> str | None:
    """The cells a line each; None if a cell has lines of its own."""
    lines = "\n".join(cells) + "\n"
    return lines if lines.count("\n") == len(cells) else None


def names(cells: Sequence[str]) -> list[str] | None:
    lines = _lines(cells)
    return list(cells) if lines and _NAMES(lines) else None


def kilograms(cells: Sequence[str]) -> list[int] | None:
    """Grams of quantities in kg with at most three decimals: exact, as all are below 2**53 grams."""
    lines = _lines(cells)
    if not lines or not _KILOGRAMS(lines):
        return None
    grams = [round(number * GRAMS_PER_KG) for number in map(float, cells)]
    return grams if min(grams) > 0 and max(grams) <= MOST_KG * GRAMS_PER_KG else None


def degrees(cells: Sequence[str], most: int) -> list[float] | None:
    lines = _lines(cells)
    if not lines or not _DEGREES(lines):
        return None
    numbers = list(map(float, cells))
    return numbers if max(numbers) <= most else None

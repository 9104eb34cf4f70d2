"""Whole columns of cells that need no thought: the fast way through a million rows.

Each takes the cells of a column, all texts or all a spreadsheet's numbers, and returns their values, or None
where any of them is not plain or is out of its range; then the cells are read one by one (``readings``), to
the same values where both can.
"""

import re
from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any

from market.matching.files.readings import NO_TEXT
from market.units import GRAMS_PER_KG, MOST_GRAMS

PlainColumn = Callable[[Sequence[Any]], list[Any] | None]

_NAMES = re.compile(r"(?:[A-Za-z0-9_\u4e00-\u9fff][A-Za-z0-9_\u4e00-\u9fff-]{0,99}+\n)*+").fullmatch
_KILOGRAMS = re.compile(r"(?:[0-9]{1,9}+(?:\.[0-9]{1,3}+)?+\n)*+").fullmatch
_DEGREES = re.compile(r"(?:[0-9]{1,3}+(?:\.[0-9]{1,20}+)?+\n)*+").fullmatch
#: A product of a number and 1,000 is this near to the whole number that is meant, relative to it; half of
#: the step between numbers of fifteen digits, which is what a spreadsheet shows, is more.
_NEAR = 4e-16


def names(cells: Sequence[Any]) -> list[str] | None:
    lines = _lines(cells)
    return list(cells) if lines and _NAMES(lines) and NO_TEXT.isdisjoint(cells) else None


def kilograms(cells: Sequence[Any]) -> list[int] | None:
    """Grams of quantities in kg with at most three decimals: exact, as all are below 2**53 grams."""
    if set(map(type, cells)) == {float} and all(map(isfinite, cells)):
        numbers = cells
    elif (lines := _lines(cells)) and _KILOGRAMS(lines):
        numbers = list(map(float, cells))
    else:
        return None
    if not (min(numbers) > 0 and max(numbers) * GRAMS_PER_KG <= MOST_GRAMS):
        return None
    exact = [number * GRAMS_PER_KG for number in numbers]
    grams = list(map(round, exact))
    are_whole = all(abs(a - b) <= _NEAR * b for a, b in zip(exact, grams, strict=True))
    return grams if are_whole and min(grams) > 0 else None


def degrees(cells: Sequence[Any], most: int) -> list[float] | None:
    if set(map(type, cells)) == {float} and all(map(isfinite, cells)):
        numbers = list(cells)
    elif (lines := _lines(cells)) and _DEGREES(lines):
        numbers = list(map(float, cells))
    else:
        return None
    return numbers if min(numbers) >= -most and max(numbers) <= most else None


def _lines(cells: Sequence[Any]) -> str | None:
    """Texts a line each; None if one is no text or has lines of its own."""
    if set(map(type, cells)) != {str}:
        return None
    lines = "\n".join(cells) + "\n"
    return lines if lines.count("\n") == len(cells) else None

"""What a cell of SUPPLY or DEMAND means, for the checker: numbers, masses, prices, days, ids, headings.

Written apart from the engine's reading, with which it shares only the list of headings (data). It takes
what has one meaning; anything else is a ValueError, and the file has to be mended before there is anything
to check.
"""

import re
import unicodedata
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any

from market.matching.files.headings import DEMAND_COLUMNS, LOT_COLUMNS

#: Kilograms in a unit of mass as people write it.
MASS = {
    **dict.fromkeys(("公斤", "千克", "kg", "kgs"), Decimal(1)),
    **dict.fromkeys(("斤", "市斤", "jin"), Decimal("0.5")),
    **dict.fromkeys(("吨", "公吨", "t", "tonne", "tonnes"), Decimal(1_000)),
    **dict.fromkeys(("克", "g"), Decimal("0.001")),
}
_TIMES = {"万": 10_000, "千": 1_000}
_ABSENT = frozenset(("", "-", "—", "——", "–", "−"))
_NOTHING = _ABSENT | {"无", "没有", "不限", "/", "none", "None"}
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff"))
_NUMBER = re.compile(
    r"[+-]?(?:[1-9][0-9]{0,2}(?:,[0-9]{3})+(?![0-9,])|[0-9]+)?(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,9})?"
)
_PRICE_WORDS = ("元", "块", "yuan", "rmb", "cny", "")
_DAY = re.compile(
    r"([0-9]{4}) ?(?:([-/.]) ?([0-9]{1,2}) ?\2 ?([0-9]{1,2})|年 ?([0-9]{1,2}) ?月 ?([0-9]{1,2}) ?[日号]?)"
    r"(?:[ T][0:.]+)?"
)
_EIGHT_DIGITS = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:\.0)?")
_MONTH = re.compile(r"([0-9]{4}) ?(?:年 ?([0-9]{1,2}) ?月份?|[-/]([0-9]{1,2}))(上旬|中旬|下旬)?")
_SERIAL = re.compile(r"([0-9]{5})(?:\.0+)?")
#: Day 0 of a spreadsheet's calendar, for every day after February 1900.
_DAY_ZERO = date(1899, 12, 30)
_FORMULA = re.compile(r'="([^"]*)"')


def plain(cell: Any) -> str:
    """A cell as text: compatible forms folded, a lone dash empty, whole floats without a tail."""
    if isinstance(cell, str):
        written = unicodedata.normalize("NFKC", cell).strip()
        formula = _FORMULA.fullmatch(written)
        written = formula[1].strip() if formula else written
        return "" if written in _ABSENT else written
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float):
        # Fifteen digits are what a spreadsheet shows.
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else f"{cell:.15g}"
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == datetime.min.time() else cell.isoformat()
    return "" if cell is None else str(cell)


def is_nothing(text: str) -> bool:
    """Tell whether a cell that may be empty says so."""
    return text in _NOTHING


def name(text: str) -> str:
    """An id or a name; a telephone number that a spreadsheet wrote as 13800000000.0 is whole again."""
    whole = re.fullmatch(r"(0|[1-9][0-9]{0,14})\.0", text)
    return whole[1] if whole else text


def codes(text: str) -> frozenset[str]:
    return frozenset(code for part in re.split("[;、]", text) if (code := part.strip()))


def _split(text: str) -> tuple[Decimal, str]:
    """The number that a cell begins with, and the words after it."""
    text = text.translate(_INVISIBLE).strip()
    found = _NUMBER.match(text)
    if not found or not any(map(str.isdigit, found[0])):
        raise ValueError(text)
    rest = text[found.end() :].lower().replace(" ", "")
    if rest[:1].isdigit() or rest[:1] in (",", "."):
        raise ValueError(text)
    return Decimal(found[0].replace(",", "")), rest


def number(*words: str) -> Callable[[str], Decimal]:
    """Read a number, after which only one of ``words`` may stand."""

    def read(text: str) -> Decimal:
        value, rest = _split(text)
        if rest and rest not in words:
            raise ValueError(text)
        return value

    return read


def mass(unit: str | None) -> Callable[[str], Decimal]:
    """Read kilograms, from ``unit`` where the cell itself names none."""

    def read(text: str) -> Decimal:
        value, rest = _split(text)
        if rest not in MASS and rest[:1] in _TIMES:
            value, rest = value * _TIMES[rest[0]], rest[1:]
        return value * MASS[rest or unit or ""]

    return read


def price(unit: str | None) -> Callable[[str], Decimal]:
    """Read yuan per kg, from yuan per ``unit`` where the cell itself names none."""

    def read(text: str) -> Decimal:
        text = text.translate(_INVISIBLE).replace(" ", "")
        each = re.match(r"每([^0-9¥+.-]+)(?=[0-9¥+.-])", text)
        if each:
            text = text[each.end() :]
        value, rest = _split(text.removeprefix("¥"))
        if rest.startswith("万"):
            value, rest = value * 10_000, rest[1:]
        head, per = per_unit(rest)
        if head not in _PRICE_WORDS or (each and per):
            raise ValueError(text)
        return value / MASS[each[1] if each else per or unit or ""]

    return read


def per_unit(words: str) -> tuple[str, str]:
    """``元/斤`` and ``元每斤`` in two; the second is empty where no unit is named."""
    parts = re.split(r"/|每|per|一", words, maxsplit=1)
    return parts[0], parts[1] if len(parts) > 1 else ""


def day(*, end: bool) -> Callable[[str], Decimal]:
    """Read a day as its ordinal; a month, or a third of one, is its first day, or its last where ``end``."""

    def read(text: str) -> Decimal:
        text = text.translate(_INVISIBLE).strip()
        if found := _DAY.fullmatch(text):
            year, _, month, day_, chinese_month, chinese_day = found.groups()
            return _ordinal(year, month or chinese_month, day_ or chinese_day)
        if found := _EIGHT_DIGITS.fullmatch(text):
            return _ordinal(*found.groups())
        if found := _SERIAL.fullmatch(text):
            return Decimal((_DAY_ZERO + timedelta(int(found[1]))).toordinal())
        if found := _MONTH.fullmatch(text):
            return _in_month(int(found[1]), int(found[2] or found[3]), found[4], end=end)
        raise ValueError(text)

    return read


def _ordinal(*parts: str) -> Decimal:
    return Decimal(date(*map(int, parts)).toordinal())


def _in_month(year: int, month: int, third: str | None, *, end: bool) -> Decimal:
    begin = date(year, month, {"中旬": 11, "下旬": 21}.get(third or "", 1))
    if not end:
        return Decimal(begin.toordinal())
    if third in ("上旬", "中旬"):
        return Decimal(begin.toordinal() + 9)
    return Decimal((date(year + month // 12, month % 12 + 1, 1) - timedelta(1)).toordinal())


def heading(words: str, *, lot: bool) -> tuple[str, str | None]:
    """Return a column's name in the format, and the unit that its heading names (None: none).

    ``quantity_kg``, ``数量（斤）`` and ``要价(元/吨)`` are headings; one that nobody knows is a ValueError.
    """
    found = _known_heading(words, lot)
    if found is None:
        raise ValueError(words)
    return found


@lru_cache(maxsize=1024)  # the first lines of a file are taken apart in several ways: mostly the same words
def _known_heading(words: str, lot: bool) -> tuple[str, str | None] | None:
    wanted = _folded(words)
    whole, starts = _headings(lot)
    if wanted in whole:
        return whole[wanted]
    for start, column in starts:
        rest = wanted.removeprefix(start)
        if wanted.startswith(start):
            head, per = per_unit(rest)
            is_price = "yuan" in column
            unit = per if is_price and head in _PRICE_WORDS else rest
            if unit in MASS or (is_price and rest in ("元", "yuan")):
                return column, unit if unit in MASS else None
            if column == "max_distance_km" and rest in ("km", "公里", "千米"):
                return column, "km"
    return None


def _folded(words: str) -> str:
    """Without what people vary: width, capitals, spaces, brackets, stars."""
    plain_words = unicodedata.normalize("NFKC", words).translate(_INVISIBLE).lower()
    return "".join(sign for sign in plain_words if not sign.isspace() and sign not in "_*:()[]【】-")


@cache
def _headings(lot: bool) -> tuple[dict[str, tuple[str, str | None]], list[tuple[str, str]]]:
    """The headings that are known as a whole, and the beginnings of those that end in a unit."""
    columns = {
        column: [_folded(each) for each in entry.names]
        for column, entry in (LOT_COLUMNS if lot else DEMAND_COLUMNS).items()
    }
    whole: dict[str, tuple[str, str | None]] = {}
    starts = []
    for column, others in columns.items():
        measured = column.endswith(("_kg", "_km"))
        whole[_folded(column)] = (column, column[-2:] if measured else None)
        whole.update((each, (column, None)) for each in others)
        starts += [(each, column) for each in others if measured]
    return whole, sorted(starts, key=lambda each: -len(each[0]))

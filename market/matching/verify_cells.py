"""What a cell of SUPPLY or DEMAND means, for the checker: numbers, masses, prices, days, ids.

Written apart from the engine's reading. Only what is certain is taken; anything else is a ValueError,
and the file has to be mended before there is anything to check.
"""

import re
import unicodedata
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

#: Kilograms in a unit of mass as people write it.
MASS = {
    "kg": Decimal(1),
    "千克": Decimal(1),
    "公斤": Decimal(1),
    "斤": Decimal("0.5"),
    "市斤": Decimal("0.5"),
    "万斤": Decimal(5_000),
    "t": Decimal(1_000),
    "吨": Decimal(1_000),
}
_NUMBER = re.compile(
    r"([+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]*)?|[+-]?\.[0-9]+)([eE][+-]?[0-9]+)?"
)
_DAYS = (
    re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"),
    re.compile(r"([0-9]{4})/([0-9]{1,2})/([0-9]{1,2})"),
    re.compile(r"([0-9]{4})\.([0-9]{1,2})\.([0-9]{1,2})"),
    re.compile(r"([0-9]{4})年([0-9]{1,2})月([0-9]{1,2})[日号]"),
    re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})"),
)
_MONTH = re.compile(r"([0-9]{4})年([0-9]{1,2})月|([0-9]{4})[-/.]([0-9]{1,2})")
#: Day 0 of a spreadsheet's calendar, for every day after February 1900.
_SPREADSHEET = date(1899, 12, 30)
_SERIALS = range(20_000, 80_000)


def plain(cell: Any) -> str:
    """A cell as text: full-width signs folded, a lone dash empty, days and whole floats without a tail."""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 2**53 else repr(cell)
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == datetime.min.time() else cell.isoformat()
    if cell is None:
        return ""
    written = unicodedata.normalize("NFKC", str(cell)).strip()
    return "" if written == "-" else written


def name(text: str) -> str:
    """An id or a name; a telephone number that a spreadsheet wrote as 13800000000.0 is whole again."""
    head, dot, tail = text.partition(".")
    return head if dot and head.isdigit() and tail and not tail.strip("0") else text


def _split(text: str) -> tuple[Decimal, str]:
    found = _NUMBER.match(text)
    if not found:
        raise ValueError(text)
    try:
        return Decimal(found[0].replace(",", "")), text[found.end() :].strip()
    except InvalidOperation:
        raise ValueError(text) from None


def number(text: str) -> Decimal:
    value, rest = _split(text)
    if rest:
        raise ValueError(text)
    return value


def kilometres(text: str) -> Decimal:
    value, rest = _split(text)
    if rest.lower() not in ("", "km", "公里", "千米"):
        raise ValueError(text)
    return value


def mass(unit: str) -> Callable[[str], Decimal]:
    """Read kilograms, from ``unit`` where the cell itself names none."""

    def read(text: str) -> Decimal:
        value, rest = _split(text)
        return value * MASS[_unit(rest) or unit]

    return read


def price(unit: str) -> Callable[[str], Decimal]:
    """Read yuan per kg, from yuan per ``unit`` where the cell itself names none."""

    def read(text: str) -> Decimal:
        value, rest = _split(text.removeprefix("¥"))
        head, slash, per = rest.partition("/")
        if head not in ("", "元") or (slash and not per):
            raise ValueError(text)
        return value / MASS[_unit(per) or unit]

    return read


def _unit(written: str) -> str:
    unit = written.strip().lower()
    if unit and unit not in MASS:
        raise ValueError(written)
    return unit


def day(*, end: bool) -> Callable[[str], Decimal]:
    """Read a day as its ordinal; a month is its first day, or its last where ``end``."""

    def read(text: str) -> Decimal:
        for shape in _DAYS:
            if found := shape.fullmatch(text):
                return Decimal(date(*map(int, found.groups())).toordinal())
        if found := _MONTH.fullmatch(text):
            year, month = (int(part) for part in found.groups() if part)
            first = date(year, month, 1)
            last = date(year + month // 12, month % 12 + 1, 1) - timedelta(1)
            return Decimal((last if end else first).toordinal())
        head, _, tail = text.partition(".")
        if head.isdigit() and int(head) in _SERIALS and not tail.strip("0"):
            return Decimal((_SPREADSHEET + timedelta(int(head))).toordinal())
        raise ValueError(text)

    return read


def codes(text: str) -> frozenset[str]:
    return frozenset(code for part in text.split(";") if (code := part.strip()))


#: Other words for a column, without what is in brackets. ``{}`` of both sides at the end.
_BOTH = {
    "product": "产品 品种 品名 产品名称 货品",
    "lat": "纬度",
    "lon": "经度",
    "quantity_kg": "数量 重量",
    "min_order_kg": "起订量 最小起订量",
}
_LOT = {
    "lot": "批次 批次编号 批次号 货源编号",
    "seller": "卖方 供方 供货方 卖家",
    "grade": "等级",
    "ask_yuan_per_kg": "要价 单价 价格 地头价",
    "available_from": "供货开始 可供开始 起始日期 开始日期",
    "available_to": "供货结束 可供结束 截止日期 结束日期",
    "credentials": "资质",
    "priority_yuan_per_kg": "照顾加分",
}
_DEMAND = {
    "demand": "需求 需求编号 需求号",
    "buyer": "买方 采购方 买家",
    "min_grade": "最低等级",
    "ceiling_yuan_per_kg": "最高价 最高到货价 到货价",
    "deliver_from": "交货开始 起始日期 开始日期",
    "deliver_to": "交货结束 截止日期 结束日期",
    "max_lots": "最多批次 批次上限",
    "requires": "要求资质 资质要求",
    "max_distance_km": "最远距离 最大距离",
}


def heading(words: str, *, lot: bool) -> tuple[str, str]:
    """Return a column's name in the format, and the unit of mass that its heading names ("" for none).

    ``quantity_kg``, ``数量（斤）`` and ``要价(元/吨)`` are headings; one that is not known is a ValueError.
    """
    known = {**_BOTH, **(_LOT if lot else _DEMAND)}
    if words in known or words in ("grade", "seller"):
        return words, ""
    head, _, bracket = words.rstrip(")]】").replace("[", "(").replace("【", "(").partition("(")
    unit = bracket.strip().lower().rpartition("/")[2]
    for column, others in known.items():
        if head.strip() in (column, *others.split()):
            if unit in ("", "元", "km", "公里", "度"):
                return column, ""
            return column, _unit(unit)
    raise ValueError(words)

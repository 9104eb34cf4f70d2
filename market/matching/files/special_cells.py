"""Cells of a workbook that its reader gives as something else than what they show.

A formula that failed comes as an empty cell. A day shown as a month (2024年12月, which Excel makes of that
text) comes as the first day of the month.
"""

import html
import re
import zipfile
from datetime import date, datetime
from typing import Any

from market.matching.files.days import day_of_serial
from market.matching.files.readings import ShownAsMonth

_CHUNK = 1 << 22
#: No tag of a cell, with its formula, that matters is longer.
_LONGEST_TAG = 20_000
_ERROR_CELL = re.compile(
    rb"""<(?:\w+:)?c\s[^>]*?\bt=["']e["'][^>]*>(?:(?!</(?:\w+:)?c>).)*?<(?:\w+:)?v>(#[^<]*)""", re.DOTALL
)
_PLACE = re.compile(rb"""\br=["']([A-Z]{1,3})([0-9]{1,7})["']""")
_FORMAT = re.compile(r"""<(?:\w+:)?numFmt\s[^>]*>""")
_STYLES = re.compile(r"<(?:\w+:)?cellXfs[\s>].*?</(?:\w+:)?cellXfs>", re.DOTALL)
_STYLE = re.compile(r"<(?:\w+:)?xf\s[^>]*>")
#: Formats without a text of their own that show year and month: mmm-yy, and those of Chinese Excel.
_MONTH_FORMATS = frozenset((17, 27, 36, 50, 52, 57))

#: Row, from 1 -> place, from 0 -> the error, or None for a day shown as a month.
Special = dict[int, dict[int, str | None]]


def special_cells(archive: zipfile.ZipFile, part: str) -> Special:
    """Return the special cells of a sheet."""
    months = _month_styles(archive)
    shown_as_month = None
    if months:
        any_of = b"|".join(str(style).encode() for style in months)
        shown_as_month = re.compile(rb"""<(?:\w+:)?c\s[^>]*?\bs=["'](?:""" + any_of + rb""")["'][^>]*>""")
    found: Special = {}
    with archive.open(part) as sheet:
        rest = b""
        while chunk := sheet.read(_CHUNK):
            chunk = rest + chunk
            if b't="e"' in chunk or b"t='e'" in chunk:
                for cell in _ERROR_CELL.finditer(chunk):
                    _put(found, cell[0], cell[1].decode("ascii", "replace"))
            if shown_as_month:
                for cell in shown_as_month.finditer(chunk):
                    _put(found, cell[0], None)
            rest = chunk[-_LONGEST_TAG:]
    return found


def as_month(cell: Any) -> Any:
    """A cell that is shown as a month, if it holds the first day of one; any other as it is."""
    if isinstance(cell, float):
        cell = day_of_serial(cell) or cell
    if isinstance(cell, datetime):
        cell = cell.date()
    return ShownAsMonth(cell) if isinstance(cell, date) and cell.day == 1 else cell


def _put(found: Special, tag: bytes, error: str | None) -> None:
    if place := _PLACE.search(tag):
        row = found.setdefault(int(place[2]), {})
        row[_place(place[1].decode())] = error


def _month_styles(archive: zipfile.ZipFile) -> list[int]:
    """Return the numbers of the styles that show a day by its year and month alone."""
    try:
        styles = archive.read("xl/styles.xml").decode()
    except (KeyError, UnicodeDecodeError):
        return []
    months = set(_MONTH_FORMATS)
    for tag in _FORMAT.findall(styles):
        number, code = _attribute(tag, "numFmtId"), _attribute(tag, "formatCode")
        if number.isdecimal() and _is_month(html.unescape(code)):
            months.add(int(number))
    found = _STYLES.search(styles)
    numbers = [_attribute(tag, "numFmtId") for tag in _STYLE.findall(found[0])] if found else []
    return [place for place, number in enumerate(numbers) if number.isdecimal() and int(number) in months]


def _attribute(tag: str, name: str) -> str:
    found = re.search(rf"""\s{name}=(?:"([^"]*)"|'([^']*)')""", tag)
    return (found[1] or found[2] or "") if found else ""


def _is_month(code: str) -> bool:
    """Tell whether a format shows year and month, and no day or time."""
    plain = re.sub(r"""\[[^\]]*\]|"[^"]*"|\\.|_.""", "", code.partition(";")[0]).lower()
    return "y" in plain and "m" in plain and not set("dhs") & set(plain)


def _place(column: str) -> int:
    place = 0
    for sign in column:
        place = place * 26 + ord(sign) - ord("A") + 1
    return place - 1

"""Days as people and spreadsheets write them: 2024/12/1, 2024年12月1日, 20241201, 45627, 2024年12月."""

import calendar
import re
from datetime import date, datetime, time, timedelta
from typing import Any

from market.i18n import msg
from market.matching.files.readings import ShownAsMonth, Unclear, folded_cell

#: Day 0 of a spreadsheet's calendar, and the days that a bare number may be: 2000 to 2100.
_EPOCH = date(1899, 12, 30)
_FIRST_SERIAL, _LAST_SERIAL = (date(2000, 1, 1) - _EPOCH).days, (date(2100, 12, 31) - _EPOCH).days

_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch
_PARTS = re.compile(
    r"([0-9]{4}) ?(?:([-/.]) ?([0-9]{1,2}) ?\2 ?([0-9]{1,2})|年 ?([0-9]{1,2}) ?月 ?([0-9]{1,2}) ?[日号]?)"
    r"(?:[ T]0?0:00(?::00(?:\.0+)?)?)?"
).fullmatch
_EIGHT = re.compile(r"((?:20|19)[0-9]{2})([0-9]{2})([0-9]{2})(?:\.0)?").fullmatch
_SERIAL = re.compile(r"[0-9]{5}(?:\.0+)?").fullmatch
_MONTH = re.compile(
    r"([0-9]{4}) ?(?:年 ?([0-9]{1,2}) ?月(?:份)?|[-/]([0-9]{1,2}))(上旬|中旬|下旬)?"
).fullmatch
_THIRDS = {"上旬": (1, 10), "中旬": (11, 20), "下旬": (21, 31)}


def day(cell: Any, *, is_end: bool, has_1904: bool = False) -> date:
    """A day; of a month (2024年12月) or a third of one (12月上旬) the first or, for an end, the last.

    Bare numbers are a spreadsheet's count of days, from 2000 to 2100; a workbook that counts from 1904
    (``has_1904``) must say its days as days.
    """
    if isinstance(cell, ShownAsMonth):
        if is_end:
            raise Unclear(
                msg(
                    "显示的是 {month}，存的却是 1 日；请写明哪一天，或把这一格设为文本再写。", month=str(cell)
                )
            )
        return cell.first
    if isinstance(cell, datetime):
        if cell.time() != time.min:
            raise Unclear(msg("应是日期，不带时刻，例如 2026-09-30。"))
        return cell.date()
    if isinstance(cell, date):
        return cell
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        if not float(cell).is_integer():
            has_time = _FIRST_SERIAL <= cell <= _LAST_SERIAL
            raise Unclear(msg("应是日期，不带时刻，例如 2026-09-30。")) if has_time else _no_day()
        value = str(int(cell))
    elif isinstance(cell, str):
        if _ISO(cell):
            return _day(cell[:4], cell[5:7], cell[8:])
        value = folded_cell(cell)
    else:
        raise _no_day()
    if parts := _PARTS(value):
        year, _, month, number, chinese_month, chinese_number = parts.groups()
        return _day(year, month or chinese_month, number or chinese_number)
    if parts := _EIGHT(value):
        return _day(*parts.groups())
    if _SERIAL(value) and (found := day_of_serial(float(value))):
        if has_1904:
            raise Unclear(msg("这份工作簿的日期从 1904 年数起，数字无法断定是哪天；请把这一列设为日期。"))
        return found
    if parts := _MONTH(value):
        return _in_month(parts[1], parts[2] or parts[3], parts[4], is_end)
    if re.fullmatch(r"[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{1,4}", value):
        raise Unclear(msg("年、月、日的先后无法断定，请写作 年-月-日，例如 2026-09-30。"))
    if re.fullmatch(r"[0-9]{1,2}月[0-9]{1,2}[日号]?|[0-9]{1,2}月(份)?(上旬|中旬|下旬)?", value):
        raise Unclear(msg("没有年份，请写作 年-月-日，例如 2026-09-30。"))
    raise _no_day()


def day_of_serial(number: float) -> date | None:
    """The day that a spreadsheet's number is, from 2000 to 2100; None for any other number."""
    if float(number).is_integer() and _FIRST_SERIAL <= number <= _LAST_SERIAL:
        return _EPOCH + timedelta(int(number))
    return None


def _no_day() -> Unclear:
    return Unclear(msg("应是真实的日期，写作 年-月-日，例如 2026-09-30。"))


def _day(year: str, month: str, number: str) -> date:
    try:
        return date(int(year), int(month), int(number))
    except ValueError:
        raise _no_day() from None


def _in_month(year: str, month: str, third: str | None, is_end: bool) -> date:
    first, last = _THIRDS.get(third or "", (1, 31))
    begin = _day(year, month, str(first))
    if not is_end:
        return begin
    return begin.replace(day=min(last, calendar.monthrange(begin.year, begin.month)[1]))

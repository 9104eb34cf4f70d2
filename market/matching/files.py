"""SUPPLY and DEMAND files in: CSV and .xlsx, with every bad row listed.

Nothing is guessed silently: a column nobody knows, a number that could be a slip, a date that is not one,
all are named with file, row (as a spreadsheet numbers it), column, value and what to write instead.
"""

import csv
import io
import re
import unicodedata
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from python_calamine import CalamineWorkbook

from market.cells import Unreadable, decoded
from market.i18n import Message, msg
from market.matching.rules import Demand, Lot
from market.units import MOST_FEN_PER_KG, MOST_GRAMS, Gram, grams_from_kg, kg, yuan_per_kg

MOST_PRICE = yuan_per_kg(MOST_FEN_PER_KG)
MOST_KG = kg(MOST_GRAMS)
#: A cell longer than this is not an id or a name but a broken file.
LONGEST_CELL = 2_000
#: Files larger than this are not read.
MOST_BYTES = 512 * 1024 * 1024
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PLAIN_DIGITS = frozenset("0123456789+-.eE")


@dataclass(frozen=True)
class Fault:
    """One thing wrong in a file. ``row`` 0 and ``column`` "": the file as a whole."""

    file: str
    row: int
    column: str
    value: str
    reason: Message


@dataclass
class Sheet:
    """One file's reading: its records and its faults."""

    file: str
    faults: list[Fault] = field(default_factory=list)

    def fault(self, reason: Message, *, row: int = 0, column: str = "", value: object = "") -> None:
        shown = str(value)
        self.faults.append(Fault(self.file, row, column, shown[:200], reason))


class _Bad(Exception):
    """A cell that cannot be taken."""

    def __init__(self, reason: Message) -> None:
        super().__init__(reason)
        self.reason = reason


Parse = Callable[[Any], Any]
_REQUIRED = object()


def text(cell: Any) -> str:
    """A cell as text: full-width signs folded, whole numbers of a spreadsheet without ``.0``."""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    if isinstance(cell, datetime) and cell.time() == datetime.min.time():
        return cell.date().isoformat()
    return unicodedata.normalize("NFKC", str(cell)).strip()


def _name(cell: Any) -> str:
    value = text(cell)
    if any(unicodedata.category(sign) == "Cc" for sign in value):
        raise _Bad(msg("含有换行或控制字符，请删去。"))
    return value


def _number(cell: Any) -> Decimal:
    if isinstance(cell, (bool, date, datetime)):
        raise _Bad(msg("应是数字。"))
    value = repr(cell) if isinstance(cell, float) else text(cell)
    if "," in value or " " in value:
        raise _Bad(msg("应是不带千分位逗号和空格的数字，例如 12500.5。"))
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise _Bad(msg("应是数字，例如 12500.5，不带单位。")) from None
    if not number.is_finite():
        raise _Bad(msg("应是有限的数字。"))
    if not set(value) <= _PLAIN_DIGITS:
        raise _Bad(msg("应是数字，例如 12500.5，不带单位。"))
    return number


def _between(low: Decimal, high: Decimal, unit: Message | str = "") -> Parse:
    def parse(cell: Any) -> Decimal:
        number = _number(cell)
        if not low <= number <= high:
            raise _Bad(msg("应在 {low} 至 {high}{unit} 之间。", low=f"{low:f}", high=f"{high:f}", unit=unit))
        return number

    return parse


def _whole(low: int, high: int) -> Parse:
    def parse(cell: Any) -> int:
        number = _number(cell)
        if not low <= number <= high or number != number.to_integral_value():
            raise _Bad(msg("应是 {low} 至 {high} 之间的整数。", low=low, high=high))
        return int(number)

    return parse


def _quantity(cell: Any) -> Gram:
    """Whole grams, rounded down: nobody can be made to sell or take more than the file says."""
    number = _number(cell)
    if not 0 < number <= MOST_KG:
        raise _Bad(msg("应大于 0，不超过 {most} 公斤（10 万吨）。", most=f"{MOST_KG:f}"))
    grams = int(number * 1000)
    if grams == 0:
        raise _Bad(msg("不足 0.001 公斤。"))
    return Gram(grams)


def _least(cell: Any) -> Gram:
    """Whole grams, rounded up: a smallest delivery is never undercut."""
    number = _between(Decimal(0), MOST_KG, msg(" 公斤"))(cell)
    grams = grams_from_kg(number)
    return Gram(grams + 1) if grams < number * 1000 else grams


def _day(cell: Any) -> date:
    if isinstance(cell, datetime):
        if cell.time() != datetime.min.time():
            raise _Bad(msg("应是日期，不带时刻，例如 2026-09-30。"))
        return cell.date()
    if isinstance(cell, date):
        return cell
    value = text(cell)
    try:
        if not _DAY.fullmatch(value):
            raise ValueError(value)
        return date.fromisoformat(value)
    except ValueError:
        raise _Bad(msg("应是真实的日期，写作 年-月-日，例如 2026-09-30。")) from None


def _codes(cell: Any) -> frozenset[str]:
    return frozenset(code for part in _name(cell).split(";") if (code := part.strip()))


_PRICE = _between(Decimal(0), MOST_PRICE, msg(" 元/公斤"))
_PRIORITY = _between(-MOST_PRICE, MOST_PRICE, msg(" 元/公斤"))
_GRADE = _whole(-1000, 1000)
_LAT = _between(Decimal(-90), Decimal(90))
_LON = _between(Decimal(-180), Decimal(180))

#: column -> (field, how to read it, default)
Column = tuple[str, Parse, Any]
LOT_COLUMNS: dict[str, Column] = {
    "lot": ("id", _name, _REQUIRED),
    "seller": ("seller", _name, _REQUIRED),
    "product": ("product", _name, _REQUIRED),
    "grade": ("grade", _GRADE, 0),
    "quantity_kg": ("quantity", _quantity, _REQUIRED),
    "ask_yuan_per_kg": ("ask", _PRICE, _REQUIRED),
    "lat": ("latitude", _LAT, _REQUIRED),
    "lon": ("longitude", _LON, _REQUIRED),
    "available_from": ("available_from", _day, _REQUIRED),
    "available_to": ("available_to", _day, _REQUIRED),
    "min_order_kg": ("min_order", _least, Gram(0)),
    "credentials": ("credentials", _codes, frozenset()),
    "priority_yuan_per_kg": ("priority", _PRIORITY, Decimal(0)),
}
DEMAND_COLUMNS: dict[str, Column] = {
    "demand": ("id", _name, _REQUIRED),
    "buyer": ("buyer", _name, _REQUIRED),
    "product": ("product", _name, _REQUIRED),
    "min_grade": ("min_grade", _GRADE, 0),
    "quantity_kg": ("quantity", _quantity, _REQUIRED),
    "ceiling_yuan_per_kg": ("ceiling", _PRICE, _REQUIRED),
    "lat": ("latitude", _LAT, _REQUIRED),
    "lon": ("longitude", _LON, _REQUIRED),
    "deliver_from": ("deliver_from", _day, _REQUIRED),
    "deliver_to": ("deliver_to", _day, _REQUIRED),
    "min_order_kg": ("min_order", _least, Gram(0)),
    "max_lots": ("max_lots", _whole(1, 10**9), None),
    "requires": ("requires", _codes, frozenset()),
    "max_distance_km": ("max_distance_km", _between(Decimal(0), Decimal(100_000), msg(" 公里")), None),
}


def read_supply(path: str) -> tuple[list[Lot], list[Fault]]:
    """Read SUPPLY; ``-`` is no supply at all. The lots are of use only if there are no faults."""
    sheet = Sheet(path)
    rows = _records(sheet, path, LOT_COLUMNS, ("available_from", "available_to"))
    return [Lot(**_floats(row)) for row in rows], sheet.faults


def read_demand(path: str) -> tuple[list[Demand], list[Fault]]:
    """Read DEMAND; ``-`` is no demand at all. The demands are of use only if there are no faults."""
    sheet = Sheet(path)
    rows = _records(sheet, path, DEMAND_COLUMNS, ("deliver_from", "deliver_to"))
    return [Demand(**_floats(row)) for row in rows], sheet.faults


def _floats(row: dict[str, Any]) -> dict[str, Any]:
    for name in ("latitude", "longitude", "max_distance_km"):
        if row.get(name) is not None:
            row[name] = float(row[name])
    return row


def _records(
    sheet: Sheet, path: str, columns: Mapping[str, Column], window: tuple[str, str]
) -> list[dict[str, Any]]:
    if path == "-":
        return []
    rows = _rows(sheet, Path(path))
    header: Sequence[Any] | None = None
    places: dict[str, int] = {}
    found: list[dict[str, Any]] = []
    first_seen: dict[str, int] = {}
    for number, cells in enumerate(rows, start=1):
        if header is None:
            if all(_absent(cell) for cell in cells):
                continue
            header = cells
            places = _places(sheet, cells, number, columns)
            if not places:
                return []
            continue
        if all(str(cell).strip() == "" for cell in cells):
            continue
        for extra in range(len(header), len(cells)):
            if not _absent(cells[extra]):
                reason = msg("这一行的格数多于表头；文字里有逗号时请加引号。")
                sheet.fault(reason, row=number, value=text(cells[extra]))
                break
        record = _record(sheet, number, cells, places, columns)
        key = record.get("id")
        if key is not None:
            if key in first_seen:
                reason = msg("编号重复，第 {row} 行已用过。", row=first_seen[key])
                sheet.fault(reason, row=number, column=next(iter(columns)), value=key)
            first_seen.setdefault(key, number)
        begin, end = (record.get(name) for name in window)
        if begin is not None and end is not None and begin > end:
            reason = msg("结束日期早于开始日期（{begin}）。", begin=begin.isoformat())
            sheet.fault(reason, row=number, column=window[1], value=end.isoformat())
        found.append(record)
    if header is None and not sheet.faults:
        sheet.fault(msg("文件是空的，第一行应是列名：{columns}。", columns=", ".join(columns)))
    return [] if sheet.faults else found


def _absent(cell: Any) -> bool:
    return cell is None or str(cell).strip() in ("", "-")


def _places(sheet: Sheet, cells: Sequence[Any], row: int, columns: Mapping[str, Column]) -> dict[str, int]:
    places: dict[str, int] = {}
    names = [text(cell) for cell in cells]
    if len(names) == 1 and any(sign in names[0] for sign in ";\t|"):
        sheet.fault(msg("各列应以英文逗号分隔。"), row=row, value=names[0])
        return {}
    for place, name in enumerate(names):
        if name == "":
            continue
        if name not in columns:
            reason = msg("不认识的列；可用的列：{columns}。", columns=", ".join(columns))
            sheet.fault(reason, row=row, column=name, value=name)
        elif name in places:
            sheet.fault(msg("这一列出现了两次。"), row=row, column=name, value=name)
        else:
            places[name] = place
    for name, (_, _, default) in columns.items():
        if default is _REQUIRED and name not in places:
            sheet.fault(msg("缺少这一列。"), row=row, column=name)
    return places


def _record(
    sheet: Sheet, row: int, cells: Sequence[Any], places: Mapping[str, int], columns: Mapping[str, Column]
) -> dict[str, Any]:
    record: dict[str, Any] = {}
    for name, (target, parse, default) in columns.items():
        place = places.get(name)
        cell = cells[place] if place is not None and place < len(cells) else None
        if _absent(cell):
            if default is _REQUIRED:
                if place is not None:
                    sheet.fault(msg("不能为空。"), row=row, column=name, value="" if cell is None else cell)
            else:
                record[target] = default
            continue
        if len(str(cell)) > LONGEST_CELL:
            sheet.fault(msg("内容过长。"), row=row, column=name, value=cell)
            continue
        try:
            record[target] = parse(cell)
        except _Bad as bad:
            sheet.fault(bad.reason, row=row, column=name, value=text(cell))
    return record


def _rows(sheet: Sheet, path: Path) -> Iterator[Sequence[Any]]:
    """Yield the rows of a file; what makes the file unreadable becomes a fault."""
    try:
        if path.stat().st_size > MOST_BYTES:
            sheet.fault(msg("文件超过 512 MiB，请分批。"))
            return
        raw = path.read_bytes()
    except FileNotFoundError:
        sheet.fault(msg("没有这个文件。"))
        return
    except OSError as trouble:
        sheet.fault(msg("文件读不出来：{why}", why=trouble.strerror or type(trouble).__name__))
        return
    zipped = raw.startswith(b"PK\x03\x04")
    ending = path.suffix.lower()
    if ending == ".xlsx" and not zipped:
        sheet.fault(
            msg("文件名以 .xlsx 结尾，内容却不是 Excel 工作簿；请用 Excel 另存为 .xlsx，或改名为 .csv。")
        )
    elif ending != ".xlsx" and zipped:
        sheet.fault(msg("内容是 Excel 工作簿（或压缩包），文件名应以 .xlsx 结尾。"))
    elif ending == ".xlsx":
        yield from _xlsx(sheet, raw)
    else:
        yield from _csv(sheet, raw)


def _xlsx(sheet: Sheet, raw: bytes) -> Iterator[Sequence[Any]]:
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            if sum(part.file_size for part in archive.infolist()) > 4 * MOST_BYTES:
                sheet.fault(msg("文件超过 512 MiB，请分批。"))
                return
        rows = CalamineWorkbook.from_filelike(io.BytesIO(raw)).get_sheet_by_index(0)
        yield from rows.to_python(skip_empty_area=False)
    # The reader and the archive each raise kinds of their own; all mean that the workbook is broken.
    except Exception:
        sheet.fault(msg("工作簿已损坏或不是 .xlsx，请用 Excel 重新另存。"))


def _csv(sheet: Sheet, raw: bytes) -> Iterator[Sequence[Any]]:
    content = _decode(sheet, raw)
    if content is None:
        return
    number = 0
    try:
        for cells in csv.reader(io.StringIO(content, newline=""), strict=True):
            number += 1
            yield cells
    except csv.Error:
        reason = msg("第 {row} 行的引号不成对，或内容过长。", row=number + 1)
        sheet.fault(reason, row=number + 1)


def _decode(sheet: Sheet, raw: bytes) -> str | None:
    try:
        return decoded(raw)
    except Unreadable as trouble:
        sheet.fault(trouble.reason)
        return None

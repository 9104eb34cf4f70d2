"""A ledger that somebody kept in a spreadsheet: its columns found, its rows as text.

What the cells mean is not decided here: a row leaves as the answers to a form, so that a ledger and a page
refuse the same things in the same words. Row numbers are those that the spreadsheet program shows.
"""

import csv
import difflib
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Literal

import msgspec

from market.cells import Unreadable, decoded
from market.errors import Invalid
from market.exchange.workbook_rows import Broken, Sheet, TooLarge, sheets_of
from market.i18n import Message, msg

MOST_BYTES = 5_000_000
MOST_ROWS = 2_000
ENDINGS = (".xlsx", ".csv")
#: Titles and remarks may stand above the header, no further down than this.
_MOST_ABOVE = 15
_MOST_COLUMNS = 60
_LONGEST_CELL = 4_000
#: Headings that our own answer to a bad row adds; they come back with it.
REASON = ("原因", "reason")
SOURCE_ROW = ("原行号", "original row")

_PLAIN = {0xFF01 + n: 0x21 + n for n in range(94)} | {ord("　"): " ", ord("【"): "(", ord("】"): ")"}
_MASS_WORDS = {
    "斤": "jin", "市斤": "jin", "jin": "jin", "公斤": "kg", "千克": "kg", "kg": "kg",
    "吨": "t", "t": "t", "tonne": "t", "tonnes": "t",
}  # fmt: skip
#: The unit that a number carries at its end. 公斤 before 斤.
_CARRIED = re.compile(r"(市斤|公斤|千克|kg|jin|斤|吨|tonnes?|t)$")
_TRAILING_MIDNIGHT = re.compile(r"[ T]0?0:00(:00)?$")
_SERIAL = re.compile(r"[3-7][0-9]{4}")
_EXAMPLE = ("示例", "例：", "例:", "example")
#: Day 0 of a spreadsheet's calendar.
_EPOCH = date(1899, 12, 30)


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One column: the question of the form that it answers, and what it may be called."""

    field: str
    zh: str
    en: str
    hint: Message
    kind: Literal["text", "number", "day", "unit", "several"] = "text"
    required: bool = False
    #: Further names, folded as :func:`folded` does.
    names: tuple[str, ...] = ()
    #: For a number: the unit where the sheet has no column for it and its heading names none.
    unit: str = ""
    #: For a number: the field of its unit column.
    unit_field: str = ""
    is_price: bool = False
    width: int = 12


class Row(msgspec.Struct, frozen=True):
    """One row. ``cells``: field -> text as it stands in the file; ``typed``: what the form is to read."""

    number: int
    cells: dict[str, str]
    typed: dict[str, list[str]]
    faults: dict[str, Message]


class Table(msgspec.Struct, frozen=True):
    """What a file holds. ``ignored``: headings that nobody knows; ``examples``: rows left out as such."""

    rows: list[Row]
    ignored: list[str]
    examples: int


class Fault(msgspec.Struct, frozen=True):
    """One thing wrong in a row, at a column of ours."""

    row: int
    field: str
    value: str
    reason: Message


def folded(heading: str) -> str:
    """Return a heading without what people vary: width, case, spaces, stars and what is in brackets."""
    plain = heading.translate(_PLAIN).lower()
    return re.sub(r"\(.*?\)|[\s*:/_-]", "", plain)


def read_table(*, name: str, raw: bytes, columns: Sequence[Column]) -> Table:
    """Return the rows of the first sheet whose headings fit. Blocks: call it in a thread.

    Raises:
        Invalid: for ``file``, where it is not what its ending says, is empty, broken or too large, has no
            sheet with the headings, or headings that could mean two things.
    """
    if len(raw) > MOST_BYTES:
        raise refused(msg("文件超过 5 MB，请分成几个文件，每个只放货源这一张表。"))
    sheets = _sheets(name.lower(), raw)
    if not any(any(any(row) for row in sheet.rows) for sheet in sheets):
        raise refused(msg("文件里什么也没有。请下载模板，从第 2 行起填写。"))
    heads = [(sheet, _head(sheet, columns)) for sheet in sheets]
    sheet, (at, known) = max(heads, key=lambda each: each[1][1])
    wanted = [column for column in columns if column.required]
    places, units, ignored = (
        _places(sheet.rows[at], columns) if known >= 2 else ({}, dict[str, str](), list[str]())
    )
    missing = [column for column in wanted if column.field not in places]
    if known < 2:
        raise refused(
            msg(
                "没有找到表头。要有一行列名，至少包括：{names}。可以下载模板来填。",
                names=_names(wanted),
            )
        )
    if missing:
        raise refused(
            msg("“{sheet}”缺少这些列：{names}。请补上列名后再传。", sheet=sheet.name, names=_names(missing))
        )
    body = [(number, cells) for number, cells in enumerate(sheet.rows[at + 1 :], start=at + 2) if any(cells)]
    if len(body) > MOST_ROWS or sheet.is_cut:
        raise refused(msg("超过 {most} 行，请分成几个文件。", most=f"{MOST_ROWS:,}"))
    first = columns[0].field
    kept = [each for each in body if not _cell(each[1], places.get(first)).lower().startswith(_EXAMPLE)]
    if not kept:
        raise refused(msg("表头下面没有货（示例行不算）。请从表头下一行起填写。"))
    rows = [_row(number, cells, columns, places, units) for number, cells in kept]
    return Table(rows=rows, ignored=ignored, examples=len(body) - len(kept))


def refused(reason: Message) -> Invalid:
    """Return the refusal of a file as a whole."""
    return Invalid(reason, {"file": reason})


def _names(columns: Iterable[Column]) -> Message:
    named = list(columns)
    return msg(
        "{zh}（{en}）",
        zh="、".join(each.zh for each in named),
        en=", ".join(each.en for each in named),
    )


def _sheets(name: str, raw: bytes) -> list[Sheet]:
    zipped = raw.startswith(b"PK\x03\x04")
    if raw.startswith(b"\xd0\xcf\x11\xe0"):
        raise refused(
            msg("这是旧式 .xls 或加了密码的工作簿。请用 Excel 或 WPS 打开，去掉密码，另存为 .xlsx 再传。")
        )
    if name.endswith(".xlsx") and not zipped:
        raise refused(
            msg("文件名以 .xlsx 结尾，内容却不是 Excel 工作簿；请用 Excel 另存为 .xlsx，或改名为 .csv。")
        )
    if not name.endswith(".xlsx") and zipped:
        raise refused(msg("内容是 Excel 工作簿（或压缩包），文件名应以 .xlsx 结尾。"))
    if not zipped:
        return [Sheet("CSV", *_csv_rows(raw))]
    try:
        return sheets_of(raw, most_rows=MOST_ROWS + _MOST_ABOVE + 20)
    except TooLarge:
        raise refused(
            msg("工作簿解开后太大，不像一本台账。请新建一个工作簿，只把要导入的行复制过去。")
        ) from None
    except Broken:
        raise refused(msg("工作簿已损坏或不是 .xlsx，请用 Excel 重新另存。")) from None


def _csv_rows(raw: bytes) -> tuple[list[list[str]], bool]:
    try:
        content = decoded(raw)
    except Unreadable as trouble:
        raise refused(trouble.reason) from None
    first = next((line for line in content.splitlines() if line.strip()), "")
    delimiter = max(",\t;", key=first.count)
    rows: list[list[str]] = []
    try:
        for cells in csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True):
            if len(rows) > MOST_ROWS + _MOST_ABOVE:
                return rows, True
            rows.append([cell.strip() for cell in cells[:_MOST_COLUMNS]])
    except csv.Error:
        raise refused(msg("第 {row} 行的引号不成对，或内容过长。", row=len(rows) + 1)) from None
    return rows, False


def _head(sheet: Sheet, columns: Sequence[Column]) -> tuple[int, int]:
    """Return the row that names most of the columns, and how many it names."""
    known = {name for column in columns for name in _folded_names(column)}
    counts = [
        (len({folded(cell) for cell in row} & known), -place)
        for place, row in enumerate(sheet.rows[:_MOST_ABOVE])
    ]
    count, place = max(counts, default=(0, 0))
    return -place, count


def _folded_names(column: Column) -> set[str]:
    return {folded(column.zh), folded(column.en), *column.names}


def _places(
    row: Sequence[str], columns: Sequence[Column]
) -> tuple[dict[str, int], dict[str, str], list[str]]:
    """Return field -> place, field -> the unit that its heading names, and the headings nobody knows."""
    owners = {name: column for column in columns for name in _folded_names(column)}
    places: dict[str, int] = {}
    units: dict[str, str] = {}
    unknown: list[str] = []
    for place, heading in enumerate(row):
        name = folded(heading)
        column = owners.get(name)
        if column is None:
            if name and name not in {folded(ours) for ours in (*REASON, *SOURCE_ROW)}:
                unknown.append(heading[:40])
        elif column.field in places:
            raise refused(msg("“{name}”这一列出现了两次，请只留一列。", name=heading[:40]))
        else:
            places[column.field] = place
            if column.kind == "number" and (column.unit or column.unit_field):
                units[column.field] = _heading_unit(heading, column)
    names = {name: owner.zh for name, owner in owners.items() if owner.field not in places}
    for heading in unknown:
        near = next((zh for name, zh in names.items() if _is_slip(folded(heading), name)), None)
        if near:
            raise refused(
                msg("不认识“{name}”这一列，是不是“{near}”？请改好列名再传。", name=heading, near=near)
            )
    return places, units, unknown


def _is_slip(written: str, name: str) -> bool:
    """Tell whether a heading is a name with one sign wrong (起定量), or very near to one."""
    if len(written) == len(name) >= 3 and sum(a != b for a, b in zip(written, name, strict=True)) == 1:
        return True
    return difflib.SequenceMatcher(None, written, name).ratio() >= 0.8


def _heading_unit(heading: str, column: Column) -> str:
    """Return the unit in the brackets of a heading: 数量（斤）, 单价(元/公斤)."""
    found = re.search(r"\((.+?)\)", heading.translate(_PLAIN).lower())
    if not found:
        return column.unit
    named = _unit(found[1])
    if named not in ("jin", "kg", "t"):
        raise refused(
            msg("看不懂“{name}”里的单位，请写斤、公斤或吨（单价写元/斤或元/公斤）。", name=heading[:40])
        )
    return named


def _unit(text: str) -> str:
    """Return the form's word for a unit; what is none comes back as it is, for the form to refuse."""
    plain = re.sub(r"\s", "", text.translate(_PLAIN).lower())
    plain = re.sub(r"^(元|yuan|rmb|¥)?[/每]", "", plain)
    return _MASS_WORDS.get(plain, plain)


def _cell(cells: Sequence[str], place: int | None) -> str:
    return cells[place].strip() if place is not None and place < len(cells) else ""


def _row(
    number: int,
    cells: Sequence[str],
    columns: Sequence[Column],
    places: Mapping[str, int],
    units: Mapping[str, str],
) -> Row:
    found = {column.field: _cell(cells, places.get(column.field)) for column in columns}
    typed: dict[str, list[str]] = {}
    faults: dict[str, Message] = {}
    for column in columns:
        value = found[column.field]
        if len(value) > _LONGEST_CELL:
            faults[column.field] = msg("内容过长，最多 {most} 个字。", most=f"{_LONGEST_CELL:,}")
        elif column.kind == "several":
            typed[column.field] = [part for each in re.split("[;；、,，]", value) if (part := each.strip())]
        elif column.kind == "day":
            typed[column.field] = [_day(value)]
        elif column.kind == "number" or column.kind == "text":
            typed[column.field] = [value]
    for column in columns:
        if column.kind == "number" and (column.unit or column.unit_field) and found[column.field]:
            unit = _unit_of(column, found, units.get(column.field, ""), faults)
            typed[f"{column.field}_unit"] = [unit]
            if column.unit_field and not found[column.unit_field]:
                found[column.unit_field] = _written(unit, is_price=column.is_price)
            elif not column.unit_field and unit != column.unit and not _carried(found[column.field]):
                found[column.field] += _written(unit, is_price=column.is_price)
    return Row(number=number, cells=found, typed=typed, faults=faults)


def _unit_of(column: Column, found: Mapping[str, str], heading: str, faults: dict[str, Message]) -> str:
    """Return the unit of one number: from its cell, its unit column or its heading, if they agree."""
    beside = found.get(column.unit_field, "") if column.unit_field else ""
    carried = _carried(found[column.field])
    stated = _unit(beside) if beside else ""
    if stated and stated not in ("jin", "kg", "t"):
        faults[column.unit_field] = msg("看不懂这个单位，请写斤、公斤或吨（单价写元/斤或元/公斤）。")
        return "kg"
    if stated and carried and stated != carried:
        faults[column.unit_field] = msg("和数字后面写的单位不一致，请只写一处。")
        return carried
    unit = carried or stated or heading
    if not unit:
        faults[column.unit_field or column.field] = msg("请写单位：斤和公斤差一倍，系统不替您猜。")
        return "kg"
    return unit


def _carried(value: str) -> str:
    found = _CARRIED.search(re.sub(r"\s", "", value.translate(_PLAIN).lower()))
    return _MASS_WORDS[found[1]] if found else ""


def _written(unit: str, *, is_price: bool) -> str:
    word = {"jin": "斤", "kg": "公斤", "t": "吨"}[unit]
    return f"元/{word}" if is_price else word


def _day(value: str) -> str:
    """Return a day as the form reads it; a bare serial number of a spreadsheet is a day too."""
    if _SERIAL.fullmatch(value):
        return (_EPOCH + timedelta(days=int(value))).isoformat()
    return _TRAILING_MIDNIGHT.sub("", value)

"""Tables as workbooks (.xlsx): numbers as numbers, days as days, the head frozen, nothing a formula."""

import io
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

import msgspec
import xlsxwriter

from market.catalogue.persons import person_in
from market.clock import CHINA
from market.exchange.sheets import safe
from market.i18n import Language, Message, msg, translate
from market.units import GRAMS_PER_KG, Fen, FenPerKg, Gram, kg, yuan, yuan_per_kg

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
#: Rows of one workbook, at most: more than a spreadsheet program opens gladly. More come in several.
MOST_ROWS = 100_000
_GREEN = "#1F6B4A"
_NOTE = "#B42318"

#: What a workbook says of its making: the same for all, so that what one holds is all that tells two apart,
#: and how often or when something was downloaded stays out of it.
_MADE = datetime(2026, 1, 1)  # noqa: DTZ001  the format knows no zones

#: ``kg``: grams, shown in kg. ``yuan``: fen. ``price``: fen per kg. ``moment``: China's time.
Kind = Literal["text", "kg", "yuan", "price", "day", "moment", "whole"]
_FORMATS: dict[Kind, str] = {
    "text": "@",
    "kg": "#,##0.###",
    "yuan": "#,##0.00",
    "price": "#,##0.00",
    "day": "yyyy-mm-dd",
    "moment": "yyyy-mm-dd hh:mm",
    "whole": "0",
}
#: Programs show a whole number under ``#,##0.###`` with a point behind it.
_WHOLE_KG = "#,##0"
_WIDTHS: dict[Kind, int] = {
    "text": 22,
    "kg": 14,
    "yuan": 16,
    "price": 14,
    "day": 12,
    "moment": 17,
    "whole": 10,
}


def new_book(buffer: io.BytesIO) -> xlsxwriter.Workbook:
    """Return an empty workbook in which text stays text, whatever it begins with; the same content gives the
    same bytes.
    """
    book = xlsxwriter.Workbook(
        buffer, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    )
    book.set_properties({"created": _MADE})
    return book


class Column(msgspec.Struct, frozen=True):
    """``of`` takes a row and the reader's language; a Message that it returns is translated."""

    head: Message
    kind: Kind
    of: Callable[[Any, Language], Any]
    width: int | None = None


class Piece(msgspec.Struct, frozen=True):
    """Which of several workbooks one is, where there are more rows than one takes: the ``part``-th, from 1.

    ``most``: rows of each but the last; ``total``: of all together; ``another``: the address of another one.
    """

    part: int
    most: int
    total: int
    another: str

    @property
    def parts(self) -> int:
        return parts_of(self.total, self.most)

    def told(self, here: int) -> Message:
        """Return the note over the rows that are ``here``."""
        first = (self.part - 1) * self.most
        return msg(
            "共 {total} 行，一个文件放不下，分成 {parts} 个。"
            "这是第 {part} 个，里面是第 {first} 至 {last} 行；其余的请在下载地址里写 part=1 到 part={parts}，"
            "例如 {another}",
            total=f"{self.total:,}",
            parts=self.parts,
            part=self.part,
            first=f"{first + 1:,}",
            last=f"{first + here:,}",
            another=self.another,
        )


def parts_of(total: int, most: int = MOST_ROWS) -> int:
    """Return in how many workbooks so many rows come."""
    return max(1, -(-total // most))


def named(name: str) -> Callable[[Any, Language], str]:
    """Return the reader's own language where there is one: ``name`` or ``name_en``."""

    def of(row: Any, language: Language) -> str:
        english = getattr(row, f"{name}_en", None)
        return (english if language == "en" and english else getattr(row, name)) or ""

    return of


def person_named(name: str) -> Callable[[Any, Language], str]:
    """Return the person that ``name`` names, in the reader's language."""
    told = named(name)
    return lambda row, language: person_in(told(row, language), language)


def workbook(
    *,
    name: Message,
    columns: Sequence[Column],
    rows: Sequence[Any],
    language: Language,
    piece: Piece | None = None,
) -> bytes:
    """Return one sheet with ``rows`` under the heads of ``columns``, ready to be filtered.

    Where these are not all rows there are, a note over the heads says so: nobody scrolls to the last of them.
    """
    if len(rows) > MOST_ROWS:
        raise ValueError(f"{len(rows)} rows are more than a workbook takes: cut them up and say so")
    top = 0 if piece is None else 1
    buffer = io.BytesIO()
    book = new_book(buffer)
    sheet = book.add_worksheet(translate(name, language)[:31])
    head = book.add_format(
        {"bold": True, "font_color": "#FFFFFF", "bg_color": _GREEN, "valign": "vcenter", "text_wrap": True}
    )
    looks = {kind: book.add_format({"num_format": form, "valign": "top"}) for kind, form in _FORMATS.items()}
    whole_kg = book.add_format({"num_format": _WHOLE_KG, "valign": "top"})
    if piece is not None:
        note = book.add_format({"bold": True, "font_color": _NOTE})
        sheet.write_string(0, 0, translate(piece.told(len(rows)), language), note)
    for place, column in enumerate(columns):
        label = translate(column.head, language)
        sheet.write_string(top, place, label, head)
        sheet.set_column(place, place, max(column.width or _WIDTHS[column.kind], 2 + len(label)))
        for at, row in enumerate(rows, start=top + 1):
            value = column.of(row, language)
            is_whole = column.kind == "kg" and value is not None and not value % GRAMS_PER_KG
            _write(sheet, at, place, column, value, whole_kg if is_whole else looks[column.kind], language)
    sheet.set_row(top, 32)
    sheet.freeze_panes(top + 1, 1)
    sheet.autofilter(top, 0, top + max(1, len(rows)), len(columns) - 1)
    book.close()
    return buffer.getvalue()


def _write(
    sheet: Any, at: int, place: int, column: Column, value: Any, look: Any, language: Language
) -> None:
    if value is None or value == "":
        sheet.write_blank(at, place, None, look)
    elif column.kind == "day":
        assert isinstance(value, date)
        sheet.write_datetime(at, place, datetime(value.year, value.month, value.day), look)  # noqa: DTZ001
    elif column.kind == "moment":
        assert isinstance(value, datetime)
        sheet.write_datetime(at, place, value.astimezone(CHINA).replace(tzinfo=None), look)
    elif column.kind == "text":
        text = translate(value, language) if isinstance(value, Message) else str(value)
        sheet.write_string(at, place, str(safe(text)), look)
    else:
        sheet.write_number(at, place, float(_number(column.kind, value)), look)


def _number(kind: Kind, value: int) -> Decimal | int:
    if kind == "kg":
        return kg(Gram(value))
    if kind == "yuan":
        return yuan(Fen(value))
    if kind == "price":
        return yuan_per_kg(FenPerKg(value))
    return value

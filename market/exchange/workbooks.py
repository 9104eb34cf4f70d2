"""Workbooks that people fill and get back: a template, and the rows of theirs that could not be taken.

Text is written as text whatever it begins with: nothing here ever becomes a formula.
"""

import io
import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import xlsxwriter

from market.exchange.sheet_import import MOST_ROWS, REASON, SOURCE_ROW, Column, Fault
from market.exchange.table_book import new_book
from market.i18n import Language, msg, translate

_GREEN, _PALE, _BAD, _INK = "#1F6B4A", "#F0F7F3", "#FCE7D6", "#3F4A44"
_PLAIN_NUMBER = re.compile(r"(0|[1-9][0-9]{0,11})(\.[0-9]{1,6})?")
#: What stands behind a list of choices: the columns that are chosen from, and how strictly.
_STRICT = frozenset({"quantity_unit", "ask_unit", "ceiling_unit"})


def template(
    *,
    name: str,
    columns: Sequence[Column],
    example: Mapping[str, str],
    choices: Mapping[str, Sequence[str]],
    today: date,
    language: Language,
) -> bytes:
    """Return an empty ledger with headings, a row as an example, choices, and a sheet that explains."""
    buffer = io.BytesIO()
    book = new_book(buffer)
    sheet = book.add_worksheet(name)
    notes = book.add_worksheet(translate(msg("填写说明"), language))
    shown = {
        **example,
        **_example_days(columns, today),
        **{field: names[0] for field, names in choices.items() if field == "site_id" and names},
    }
    faint = book.add_format({"font_color": _INK, "italic": True, "bg_color": _PALE, "valign": "top"})
    for place, column in enumerate(columns):
        _heading(book, sheet, place, column, language)
        hint = translate(column.hint, language)
        sheet.write_comment(0, place, hint, {"x_scale": 1.6, "y_scale": 0.8})
        sheet.write_string(1, place, shown.get(column.field, ""), faint)
    places = _explain(book, notes, columns, choices, language)
    for place, column in enumerate(columns):
        if column.field in places:
            sheet.data_validation(
                2,
                place,
                MOST_ROWS,
                place,
                {
                    "validate": "list",
                    "source": places[column.field],
                    # other names are understood as well, and several at once: the list only helps
                    "show_error": column.field in _STRICT,
                    "error_title": translate(msg("请从列表里选"), language),
                },
            )
    sheet.freeze_panes(1, 1)
    book.close()
    return buffer.getvalue()


def rest(
    *,
    name: str,
    columns: Sequence[Column],
    rows: Sequence[tuple[int, Mapping[str, str]]],
    faults: Sequence[Fault],
    language: Language,
) -> bytes:
    """Return the rows that could not be taken, as they were written, with what is wrong beside them.

    The cells in question are coloured. Mended, the workbook can be sent back as it is.
    """
    buffer = io.BytesIO()
    book = new_book(buffer)
    sheet = book.add_worksheet(name)
    plain = book.add_format({"valign": "top", "text_wrap": True})
    wrong = book.add_format({"valign": "top", "text_wrap": True, "bg_color": _BAD, "border": 1})
    by_row: dict[int, list[Fault]] = {}
    for fault in faults:
        by_row.setdefault(fault.row, []).append(fault)
    for place, column in enumerate(columns):
        _heading(book, sheet, place, column, language)
    last = len(columns)
    english = language == "en"
    head = book.add_format(
        {"bold": True, "font_color": "#FFFFFF", "bg_color": "#B42318", "valign": "vcenter"}
    )
    sheet.write_string(0, last, REASON[english].capitalize(), head)
    sheet.write_string(0, last + 1, SOURCE_ROW[english].capitalize(), head)
    sheet.set_column(last, last, 60)
    sheet.set_column(last + 1, last + 1, 12)
    for at, (number, cells) in enumerate(rows, start=1):
        found = by_row.get(number, [])
        fields = {fault.field for fault in found}
        for place, column in enumerate(columns):
            value = cells.get(column.field, "")
            look = wrong if column.field in fields else plain
            if column.kind == "number" and _PLAIN_NUMBER.fullmatch(value):
                sheet.write_number(at, place, float(value), look)
            elif value:
                sheet.write_string(at, place, value, look)
            else:
                sheet.write_blank(at, place, None, look)
        names = {column.field: column.en if english else column.zh for column in columns}
        words = [
            translate(
                msg("{column}：{reason}", column=names.get(fault.field, fault.field), reason=fault.reason),
                language,
            )
            for fault in found
        ]
        sheet.write_string(at, last, "\n".join(words), plain)
        sheet.write_number(at, last + 1, number, plain)
    sheet.freeze_panes(1, 1)
    book.close()
    return buffer.getvalue()


def _heading(
    book: "xlsxwriter.Workbook",
    sheet: "xlsxwriter.worksheet.Worksheet",
    place: int,
    column: Column,
    language: Language,
) -> None:
    look = {"bold": True, "font_color": "#FFFFFF", "bg_color": _GREEN, "valign": "vcenter", "text_wrap": True}
    heading = column.en if language == "en" else column.zh
    sheet.write_string(0, place, f"{heading} *" if column.required else heading, book.add_format(look))
    sheet.set_column(place, place, max(column.width, 2 + len(heading)))
    sheet.set_row(0, 32)


def _example_days(columns: Sequence[Column], today: date) -> dict[str, str]:
    days = [column.field for column in columns if column.kind == "day"]
    return {
        field: (today + timedelta(days=after)).isoformat()
        for field, after in zip(days, (1, 60), strict=False)
    }


def _explain(
    book: "xlsxwriter.Workbook",
    sheet: "xlsxwriter.worksheet.Worksheet",
    columns: Sequence[Column],
    choices: Mapping[str, Sequence[str]],
    language: Language,
) -> dict[str, str]:
    """Write what each column means and the choices; return field -> where its choices stand."""
    bold = book.add_format({"bold": True, "bg_color": _PALE})
    wrap = book.add_format({"text_wrap": True, "valign": "top"})
    title = translate(msg("填写说明"), language)
    for place, text in enumerate((msg("列"), msg("必填"), msg("怎么填"))):
        sheet.write_string(0, place, translate(text, language), bold)
    sheet.set_column(0, 0, 22)
    sheet.set_column(2, 2, 60)
    for at, column in enumerate(columns, start=1):
        sheet.write_string(at, 0, column.en if language == "en" else column.zh)
        sheet.write_string(at, 1, translate(msg("必填"), language) if column.required else "")
        sheet.write_string(at, 2, translate(column.hint, language), wrap)
    places = {}
    for place, (field, names) in enumerate(choices.items(), start=4):
        if not names:
            continue
        heading = next((c.en if language == "en" else c.zh for c in columns if c.field == field), field)
        sheet.write_string(0, place, heading, bold)
        sheet.set_column(place, place, 22)
        sheet.write_column(1, place, list(names))
        letter = xlsxwriter.utility.xl_col_to_name(place)
        places[field] = f"='{title}'!${letter}$2:${letter}${len(names) + 1}"
    return places

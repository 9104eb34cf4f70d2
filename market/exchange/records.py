"""The auditor's records as files: a workbook to read, and JSON lines whose hashes can be computed."""

import io
from collections.abc import Sequence

import msgspec
import xlsxwriter

from market.audit.auditing import AuditRow
from market.audit.words import action_words, said, subject_words
from market.clock import CHINA
from market.i18n import Language, Message, msg, translate

_HEADINGS = (
    msg("时间"),
    msg("对象"),
    msg("第几条"),
    msg("做了什么"),
    msg("人员"),
    msg("单位"),
    msg("内容"),
    msg("哈希"),
)
_WIDTHS = (20, 18, 8, 22, 14, 24, 60, 66)


def workbook(rows: Sequence[AuditRow], language: Language) -> bytes:
    """Return an .xlsx in words; a cell that begins like a formula stays text."""
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(
        buffer, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    )
    sheet = book.add_worksheet(translate(msg("留痕"), language))
    bold = book.add_format({"bold": True})
    for place, (heading, width) in enumerate(zip(_HEADINGS, _WIDTHS, strict=True)):
        sheet.write_string(0, place, translate(heading, language), bold)
        sheet.set_column(place, place, width)
    sheet.freeze_panes(1, 0)

    def word(text: Message | str) -> str:
        return translate(text, language) if isinstance(text, Message) else text

    for n, row in enumerate(rows, 1):
        person = row.person_en if language == "en" and row.person_en else row.person
        organisation = row.organisation_en if language == "en" and row.organisation_en else row.organisation
        told = "; ".join(f"{word(each.label)}: {_cell(each.value, language)}" for each in said(row.details))
        sheet.write_string(n, 0, row.at.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S"))
        sheet.write_string(n, 1, word(subject_words(row.subject)))
        sheet.write_number(n, 2, row.position)
        deed = action_words(row.action)
        for place, text in enumerate(
            (word(deed) if deed else row.action, person, organisation, told, row.hash), 3
        ):
            sheet.write_string(n, place, text)
    book.close()
    return buffer.getvalue()


def _cell(value: object, language: Language) -> str:
    return translate(value, language) if isinstance(value, Message) else str(value)


def lines(rows: Sequence[AuditRow]) -> bytes:
    """Return one JSON object a line: the record as it is hashed, with the names of who acted beside it."""
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)

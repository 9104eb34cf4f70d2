"""Workbooks: what programs show of a number, and that the same content gives the same bytes."""

import io
import re
import zipfile

from market.exchange.table_book import Column, new_book, workbook
from market.i18n import msg


def test_whole_kilograms_are_shown_without_a_point() -> None:
    column = Column(msg("数量（公斤）"), "kg", lambda row, _: row)
    raw = workbook(name=msg("库存台账"), columns=[column], rows=[25_000_000, 1_500, 0], language="zh")
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        styles = archive.read("xl/styles.xml").decode()
        cells = archive.read("xl/worksheets/sheet1.xml").decode()
    formats = dict(re.findall(r'numFmtId="([0-9]+)" formatCode="([^"]+)"', styles)) | {"3": "#,##0"}
    looks = re.findall(r'<xf numFmtId="([0-9]+)"', styles.partition("<cellXfs")[2])
    shown = re.findall(r'<c r="A[2-9]" s="([0-9]+)"><v>([^<]+)</v>', cells)
    assert [(value, formats[looks[int(look)]]) for look, value in shown] == [
        ("25000", "#,##0"),
        ("1.5", "#,##0.###"),
        ("0", "#,##0"),
    ]


def test_a_workbook_does_not_tell_when_it_was_made() -> None:
    buffer = io.BytesIO()
    book = new_book(buffer)
    book.add_worksheet("台账").write_string(0, 0, "=1")
    book.close()
    with zipfile.ZipFile(buffer) as archive:
        core = archive.read("docProps/core.xml").decode()
    assert set(re.findall(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z", core)) == {"2026-01-01T00:00:00Z"}

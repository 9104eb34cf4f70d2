"""The rows of an .xlsx workbook, read in a process of its own.

``python -I workbook_rows.py 100 < book.xlsx`` writes :class:`Sheet` as JSON. A workbook of a few
kilobytes can name a cell a million rows down, or repeat one long text in every cell: the reader then asks
for memory that no machine has and takes its whole process with it. So that process is not the server:
it has limits, and its death is an answer like any other.
"""

import io
import resource
import subprocess
import sys
import threading
import zipfile
import zlib
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import msgspec

#: Unpacked, a workbook of the largest ledger that is taken has about a tenth of this.
MOST_UNPACKED = 40 * 1024 * 1024
_MOST_PARTS = 500
_MOST_SHEETS = 12
_MOST_COLUMNS = 60
_MOST_OUTPUT = 32 * 1024 * 1024
_MEMORY = 1024 * 1024 * 1024
_SECONDS = 15
#: Each reading may take a gigabyte: so many at a time.
_AT_ONCE = threading.BoundedSemaphore(2)


class Sheet(msgspec.Struct, frozen=True):
    """One sheet's rows from its first on, cells as text; ``is_cut``: there are more than were asked for."""

    name: str
    rows: list[list[str]]
    is_cut: bool


class Broken(Exception):
    """It is no workbook, or one that cannot be read."""


class TooLarge(Exception):
    """Unpacked it is larger than any ledger."""


def sheets_of(raw: bytes, *, most_rows: int) -> list[Sheet]:
    """Return the visible sheets with at most ``most_rows`` rows of each. Blocks: call it in a thread.

    Raises:
        Broken: it cannot be read, or not within the limits.
        TooLarge: it unpacks to more than ``MOST_UNPACKED`` bytes.
    """
    _check_parts(raw)
    try:
        with _AT_ONCE:
            done = subprocess.run(  # noqa: S603  our own module
                [sys.executable, "-I", __file__, str(most_rows)],
                input=raw,
                env={},
                capture_output=True,
                timeout=2 * _SECONDS,
                check=False,
            )
    except subprocess.TimeoutExpired:
        raise Broken from None
    if done.returncode != 0:
        raise Broken
    return msgspec.json.decode(done.stdout, type=list[Sheet])


def _check_parts(raw: bytes) -> None:
    """Unpack every part as far as it says it goes; one that says less than it holds is a bomb."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            parts = archive.infolist()
            if len(parts) > _MOST_PARTS or sum(part.file_size for part in parts) > MOST_UNPACKED:
                raise TooLarge
            for part in parts:
                if part.flag_bits & 1 or part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise Broken
                if part.compress_type == zipfile.ZIP_DEFLATED:
                    _check_size(raw, part)
    except (zipfile.BadZipFile, zlib.error, ValueError, OSError, IndexError):
        raise Broken from None


def _check_size(raw: bytes, part: zipfile.ZipInfo) -> None:
    head = raw[part.header_offset : part.header_offset + 30]
    start = (
        part.header_offset
        + 30
        + int.from_bytes(head[26:28], "little")
        + int.from_bytes(head[28:30], "little")
    )
    unpacked = zlib.decompressobj(-zlib.MAX_WBITS).decompress(
        raw[start : start + part.compress_size], part.file_size + 1
    )
    if len(unpacked) > part.file_size:
        raise TooLarge


def text(cell: Any) -> str:
    """Return a cell as people see it: whole numbers without ``.0``, days as ``2026-12-01``."""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float):
        # fifteen digits are what a spreadsheet shows; what lies beyond is binary dust
        return f"{Decimal(f'{cell:.15g}'):f}"
    if isinstance(cell, datetime):
        at_midnight = cell.time() == time.min
        return cell.date().isoformat() if at_midnight else cell.isoformat(" ", "minutes")
    if isinstance(cell, date):
        return cell.isoformat()
    return str(cell).strip()


def _read(raw: bytes, most_rows: int) -> list[Sheet]:
    from python_calamine import CalamineWorkbook, SheetVisibleEnum

    book = CalamineWorkbook.from_filelike(io.BytesIO(raw))
    visible = [sheet.name for sheet in book.sheets_metadata if sheet.visible == SheetVisibleEnum.Visible]
    sheets = []
    for name in visible[:_MOST_SHEETS]:
        rows: list[list[str]] = []
        is_cut = False
        for cells in book.get_sheet_by_name(name).iter_rows():
            if len(rows) == most_rows:
                is_cut = True
                break
            rows.append([text(cell) for cell in cells[:_MOST_COLUMNS]])
        sheets.append(Sheet(name, rows, is_cut))
    return sheets


def main() -> int:
    """Read standard input within the limits and write its sheets to standard output."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        answer = msgspec.json.encode(_read(sys.stdin.buffer.read(), int(sys.argv[1])))
    except Exception:
        # the reader has kinds of its own for every way to be broken: all mean the same here
        return 1
    if len(answer) > _MOST_OUTPUT:
        return 1
    sys.stdout.buffer.write(answer)
    return 0


if __name__ == "__main__":
    sys.exit(main())

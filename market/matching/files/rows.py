"""The rows of a CSV or .xlsx file as its cells stand there, one after another."""

import csv
import io
import itertools
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from market.cells import Unreadable, text_lines
from market.i18n import Message, msg, system_words
from market.matching.files.special_cells import as_month, special_cells

#: Files larger than this are not read.
MOST_BYTES = 512 * 1024 * 1024
#: The most bytes of a workbook unpacked.
_MOST_UNPACKED = 4 * MOST_BYTES
#: Titles may stand above the header, no further down than this.
MOST_ABOVE = 15
_SEPARATORS = ",\t;|"
_IS_1904 = re.compile(rb"""\bdate1904=["'](?:1|true)["']""")
_SHEET = re.compile(rb"""<(?:\w+:)?sheet\s[^>]*?:id=["']([^"']+)["']""")
_RELATIONSHIP = re.compile(rb"<(?:\w+:)?Relationship\s[^>]*>")
_TARGET = re.compile(rb"""\sTarget=["']([^"']+)["']""")

Cells = Sequence[Any]


class Cut(Exception):
    """Reading ended early. ``row`` 0: the file as a whole."""

    def __init__(self, reason: Message, row: int = 0) -> None:
        super().__init__(reason)
        self.reason, self.row = reason, row


@dataclass
class Rows:
    """Rows in order, numbered as a spreadsheet does from ``1``; iterating may raise ``Cut``.

    ``first_place``: the place in the sheet, from 0, of the first cell of every row.
    """

    cells: Iterator[Cells]
    has_semicolons: bool = False
    has_1904: bool = False
    first_place: int = 0
    #: A workbook's cells are numbers, days and truths; those of a text are texts.
    is_typed: bool = False


def letters(place: int) -> str:
    """The name that a spreadsheet gives to the column at ``place``, from 0: A, B, ... Z, AA."""
    name = ""
    place += 1
    while place:
        place, sign = divmod(place - 1, 26)
        name = chr(ord("A") + sign) + name
    return name


@contextmanager
def open_rows(path: Path, known: Callable[[Cells], int]) -> Iterator[Rows]:
    """Open a file and close it. What parts its columns is found by ``known``: how many of a row's cells
    name a column.

    Raises:
        Cut: there is no such file, or its content cannot be told.
    """
    try:
        file = _opened(path)
    except FileNotFoundError:
        raise Cut(msg("没有这个文件。")) from None
    except OSError as trouble:
        raise Cut(msg("文件读不出来：{why}", why=system_words(trouble))) from None
    with file:
        yield _workbook(file) if _is_workbook(file, path.suffix.lower()) else _text(file, known)


def _is_workbook(file: BinaryIO, ending: str) -> bool:
    head = file.read(8)
    file.seek(0)
    is_zip = head.startswith(b"PK\x03\x04")
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise Cut(msg("这是旧式 .xls 或加了密码的工作簿。请用 Excel 或 WPS 打开，去掉密码，另存为 .xlsx。"))
    if ending == ".xlsx" and not is_zip:
        raise Cut(
            msg("文件名以 .xlsx 结尾，内容却不是 Excel 工作簿；请用 Excel 另存为 .xlsx，或改名为 .csv。")
        )
    if ending != ".xlsx" and is_zip:
        raise Cut(msg("内容是 Excel 工作簿（或压缩包），文件名应以 .xlsx 结尾。"))
    return is_zip


def _opened(path: Path) -> BinaryIO:
    """Open a file that can be read twice; what comes through a pipe is copied first."""
    file = path.open("rb")
    try:
        if not file.seekable():
            copy = tempfile.TemporaryFile()  # noqa: SIM115 (it lives as long as its rows)
            shutil.copyfileobj(file, copy)
            file.close()
            copy.seek(0)
            file = copy  # type: ignore[assignment]
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    if size > MOST_BYTES:
        file.close()
        raise Cut(msg("文件超过 512 MiB，请分批。"))
    return file


def _text(file: BinaryIO, known: Callable[[Cells], int]) -> Rows:
    try:
        lines = iter(text_lines(file))
    except Unreadable as trouble:
        raise Cut(trouble.reason) from None
    first = list(itertools.islice(lines, MOST_ABOVE + 1))
    separator = _separator(first, known)
    cells = _csv_rows(itertools.chain(first, lines), separator)
    return Rows(cells, has_semicolons=separator == ";")


def _separator(lines: Iterable[str], known: Callable[[Cells], int]) -> str:
    """Return what parts the columns: what makes the most of their names appear in some line."""

    def names(separator: str) -> int:
        most = 0
        for line in lines:
            if len(line) < 10_000:
                # a line that is no CSV has no names; whoever reads the rows says what is wrong with it
                with suppress(csv.Error):
                    most = max(most, known(next(csv.reader([line], delimiter=separator), [])))
        return most

    return max(_SEPARATORS, key=names)


def _csv_rows(lines: Iterable[str], separator: str) -> Iterator[Cells]:
    number = 0
    try:
        for cells in csv.reader(lines, delimiter=separator, strict=True):
            number += 1
            yield cells
    except csv.Error:
        reason = msg("第 {row} 行的引号不成对，或内容过长。", row=number + 1)
        raise Cut(reason, number + 1) from None


def _workbook(file: BinaryIO) -> Rows:
    from python_calamine import CalamineWorkbook

    try:
        with zipfile.ZipFile(file) as archive:
            if sum(part.file_size for part in archive.infolist()) > _MOST_UNPACKED:
                raise Cut(msg("文件超过 512 MiB，请分批。"))
            book = archive.read("xl/workbook.xml")
            part = _first_sheet(archive, book)
            special = special_cells(archive, part) if part else {}
        file.seek(0)
        sheet = CalamineWorkbook.from_filelike(file).get_sheet_by_index(0)
    except Cut:
        raise
    # The reader and the archive each raise kinds of their own; all mean that the workbook is broken.
    except Exception:
        raise Cut(msg("工作簿已损坏或不是 .xlsx，请用 Excel 重新另存。")) from None
    place = sheet.start[1] if sheet.start else 0
    cells: Iterator[Cells] = sheet.iter_rows()
    if special:
        cells = _with_special(cells, special, place)
    return Rows(cells, has_1904=bool(_IS_1904.search(book)), first_place=place, is_typed=True)


def _first_sheet(archive: zipfile.ZipFile, book: bytes) -> str | None:
    """Return the name of the archive's part that holds the first sheet."""
    sheet = _SHEET.search(book)
    if not sheet:
        return None
    for tag in _RELATIONSHIP.findall(archive.read("xl/_rels/workbook.xml.rels")):
        target = _TARGET.search(tag)
        if target and re.search(rb"""\sId=["']""" + re.escape(sheet[1]) + rb"""["']""", tag):
            name = target[1].decode()
            return name[1:] if name.startswith("/") else f"xl/{name}"
    return None


def _with_special(
    rows: Iterable[Cells], special: dict[int, dict[int, str | None]], first_place: int
) -> Iterator[Cells]:
    for number, cells in enumerate(rows, start=1):
        if number in special:
            cells = list(cells)
            for place, error in special[number].items():
                if first_place <= place < first_place + len(cells):
                    at = place - first_place
                    cells[at] = as_month(cells[at]) if error is None else error
        yield cells

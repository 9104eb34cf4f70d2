"""A result as one .xlsx for people: a sheet per file, words in their language, numbers as numbers.

Made from the files that were just written, row by row, so that it says the same and needs no memory.
"""

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from market.i18n import Language, Message, msg, translate
from market.matching.rules import OBSTACLES

#: What a sheet of Excel holds at most, and a cell.
MOST_ROWS = 1_048_576
_LONGEST = 32_767

#: Heading and width of each column; ``0.000`` and the like: a number shown so, "" a text.
Columns = Sequence[tuple[Message, int, str]]

_KG, _YUAN, _COUNT, _TEXT = "#,##0.000", "0.0000", "#,##0", ""
#: A text that is a code, shown in words.
_CODE = "code"
_GAIN = "0.0000######"


def _sheets() -> dict[str, tuple[Message, Columns]]:
    """File -> name of its sheet and its columns, in the order of the file."""
    sides = (
        (msg("每公斤得利（元）"), 16, _GAIN),
        (msg("可行组合数"), 12, _COUNT),
        (msg("状态"), 12, _CODE),
    )
    return {
        "matches.csv": (
            msg("撮合结果"),
            (
                (msg("批次"), 16, _TEXT),
                (msg("需求"), 16, _TEXT),
                (msg("数量（公斤）"), 16, _KG),
                (msg("地头价（元/公斤）"), 18, _YUAN),
                (msg("最低可到（元/公斤）"), 18, _YUAN),
                (msg("最高可到（元/公斤）"), 18, _YUAN),
                (msg("运费（元/公斤）"), 16, _YUAN),
                (msg("路程（公里）"), 14, "0.0"),
                (msg("收益（元）"), 16, "#,##0.00"),
                (msg("为什么"), 80, _TEXT),
            ),
        ),
        "lots.csv": (
            msg("各批次"),
            (
                (msg("批次"), 16, _TEXT),
                (msg("已售（公斤）"), 16, _KG),
                (msg("剩余（公斤）"), 16, _KG),
                *sides,
            ),
        ),
        "demands.csv": (
            msg("各需求"),
            (
                (msg("需求"), 16, _TEXT),
                (msg("已满足（公斤）"), 16, _KG),
                (msg("未满足（公斤）"), 16, _KG),
                *sides,
            ),
        ),
        "diagnosis.csv": (
            msg("为什么卖不动"),
            (
                (msg("批次"), 16, _TEXT),
                (msg("名次"), 8, _COUNT),
                (msg("障碍"), 14, _CODE),
                (msg("怎么改"), 60, _TEXT),
                (msg("打开的数量（公斤）"), 18, _KG),
                (msg("打开的需求"), 30, _TEXT),
                (msg("代价（元/公斤）"), 16, _YUAN),
            ),
        ),
    }


def _words() -> dict[str, Message]:
    """Codes of the files in words."""
    return {
        "unsold": msg("未售出"),
        "partly_sold": msg("部分售出"),
        "sold_out": msg("已售完"),
        "unfilled": msg("未满足"),
        "partly_filled": msg("部分满足"),
        "filled": msg("已满足"),
        **OBSTACLES,
    }


def rows_beyond(counts: Mapping[str, int]) -> Message | None:
    """Return why there can be no workbook of tables with so many rows; None if there can."""
    for name, count in counts.items():
        if count + 1 > MOST_ROWS:
            return msg(
                "没有写 result.xlsx：{name} 有 {count} 行，超过 Excel 一张表的 {most} 行；其余文件已写好。",
                name=name,
                count=f"{count + 1:,}",
                most=f"{MOST_ROWS:,}",
            )
    return None


def write_workbook(path: Path, folder: Path, language: Language) -> None:
    """Write the result's files in ``folder`` as a workbook at ``path``."""
    # Only who asks for a workbook pays for loading its writer.
    import xlsxwriter

    options = {
        "constant_memory": True,
        "tmpdir": str(folder),
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    words = {code: translate(text, language) for code, text in _words().items()}
    with xlsxwriter.Workbook(str(path), options) as book:
        bold = book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
        for name, (title, columns) in _sheets().items():
            sheet = book.add_worksheet(translate(title, language))
            sheet.freeze_panes(1, 1)
            writers = []
            for place, (_, width, form) in enumerate(columns):
                style = {} if form in (_TEXT, _CODE) else {"num_format": form}
                sheet.set_column(place, place, width, book.add_format(style))
                writers.append(_writer(sheet, place, form, words))
            for place, (heading, _, _) in enumerate(columns):
                sheet.write_string(0, place, translate(heading, language), bold)
            for number, cells in enumerate(_rows(folder / name), start=1):
                for write, cell in zip(writers, cells, strict=True):
                    write(number, cell)
        _write_certificate(book, folder / "certificate.json", bold, language)


def _rows(path: Path) -> Iterator[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        yield from rows


def _writer(sheet: Any, place: int, form: str, words: Mapping[str, str]) -> Callable[[int, str], None]:
    def text(row: int, cell: str) -> None:
        shown = "＋".join(words.get(code, code) for code in cell.split("+")) if form == _CODE else cell
        sheet.write_string(row, place, shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…")

    def number(row: int, cell: str) -> None:
        sheet.write_number(row, place, float(cell))

    return text if form in (_TEXT, _CODE) else number


def _write_certificate(book: Any, path: Path, bold: Any, language: Language) -> None:
    """What the certificate says, a line for each of its entries, those of a group as ``group.entry``."""
    sheet = book.add_worksheet(translate(msg("证明"), language))
    sheet.freeze_panes(1, 1)
    sheet.set_column(0, 0, 40)
    sheet.set_column(1, 1, 24)
    sheet.write_string(0, 0, translate(msg("项目"), language), bold)
    sheet.write_string(0, 1, translate(msg("值"), language), bold)
    for row, (name, value) in enumerate(_entries(json.loads(path.read_text(encoding="utf-8"))), start=1):
        sheet.write_string(row, 0, name)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            sheet.write_number(row, 1, value)
        else:
            sheet.write_string(row, 1, json.dumps(value) if isinstance(value, bool) else str(value))


def _entries(tree: Mapping[str, Any], group: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _entries(value, f"{group}{name}.")
        else:
            yield f"{group}{name}", value

"""What the checker finds, and its reading of a result's files: by column, in stripes of bounded size.

Shares no code with the writer, so that a mistake there cannot hide here.
"""

import csv
import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from market.i18n import Message, msg, system_words

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
#: The texts of a stripe by column.
Columns = dict[str, Sequence[str]]

#: Faults told in full; the rest are counted.
TOLD = 20
#: Larger numbers are slips; none is needed, and sums of them would leave floating point.
MOST = 1e9
#: Rows of a file that are held as text at one time.
STRIPE = 1 << 16

MATCH_COLUMNS = (
    "lot",
    "demand",
    "quantity_kg",
    "price_yuan_per_kg",
    "price_low",
    "price_high",
    "freight_yuan_per_kg",
    "km",
    "worth_yuan",
    "reason",
)
LOT_COLUMNS = ("lot", "sold_kg", "left_kg", "gain_yuan_per_kg", "admissible_pairs", "status")
DEMAND_COLUMNS = ("demand", "served_kg", "open_kg", "gain_yuan_per_kg", "admissible_pairs", "status")
DIAGNOSIS_COLUMNS = ("lot", "rank", "obstacle", "change", "unlock_kg", "unlock_demands", "cost_yuan_per_kg")

_NUMBER = r"-?+[0-9]++(?:\.[0-9]++)?+(?:[eE][+-]?+[0-9]++)?+"
_ONE_NUMBER = re.compile(_NUMBER)
#: Plain numbers, one a line: a whole column is judged at once.
_NUMBERS = re.compile(rf"(?:{_NUMBER}\n)*+")


@dataclass
class Report:
    """``faults`` are the first ``TOLD`` of ``count``; ``unreadable`` if the input itself cannot be read."""

    checked: list[Message] = field(default_factory=list)
    faults: list[Message] = field(default_factory=list)
    count: int = 0
    unreadable: Message | None = None

    def wrong(self, file: str, row: object, what: str | Message, expected: object, got: object) -> None:
        """Report one fault. Names and figures stand as they are; words are a Message."""
        self.count += 1
        if len(self.faults) < TOLD:
            self.faults.append(
                msg(
                    "{file} {row} 的 {what}：应为 {expected}，写的是 {got}",
                    file=file,
                    row=str(row),
                    what=what,
                    expected=_told(expected),
                    got=_told(got),
                )
            )

    def wrong_at(
        self,
        bad: Bools,
        file: str,
        row: Callable[[int], object],
        what: str | Message,
        expected: Callable[[int], object],
        got: Callable[[int], object],
    ) -> None:
        """Report every place where ``bad`` holds; the words are made only for those that are told."""
        places = np.flatnonzero(bad)
        told = places[: max(0, TOLD - len(self.faults))].tolist()
        for k in told:
            self.wrong(file, row(k), what, expected(k), got(k))
        self.count += len(places) - len(told)


def _told(value: object) -> str | Message:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, Message) else str(value)


def why_unread(trouble: Exception) -> Message:
    """Return in words why a file could not be read."""
    match trouble:
        case OSError():
            return system_words(trouble)
        case UnicodeDecodeError():
            return msg("不是 UTF-8 文字")
        case csv.Error():
            return msg("不是 CSV 表格")
        case json.JSONDecodeError() | RecursionError():
            return msg("不是 JSON")
        case _:
            return msg("读不出内容")


class FileFault(Exception):
    """A result file that cannot be read as what it should be; the fault is in the report already."""


def stripes(report: Report, folder: Path, name: str, columns: Sequence[str]) -> Iterator[tuple[int, Columns]]:
    """Yield (number of the first row, texts by column) of a result file, ``STRIPE`` rows at a time.

    The file begins with ``columns`` in this order; further ones may follow and are not looked at.
    Raises FileFault.
    """
    try:
        with (folder / name).open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            if tuple(header[: len(columns)]) != tuple(columns) or len(set(header)) != len(header):
                report.wrong(name, "-", msg("表头"), ",".join(columns), ",".join(header))
                raise FileFault
            number = 2
            rows: list[list[str]] = []
            for row in reader:
                if len(row) != len(header):
                    report.wrong(name, number + len(rows), msg("格数"), len(header), len(row))
                    raise FileFault
                rows.append(row)
                if len(rows) == STRIPE:
                    yield number, dict(zip(header, zip(*rows, strict=True), strict=True))
                    number, rows = number + len(rows), []
            if rows:
                yield number, dict(zip(header, zip(*rows, strict=True), strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as trouble:
        report.wrong(name, "-", msg("整个文件"), msg("可读的"), why_unread(trouble))
        raise FileFault from trouble


def numbers(report: Report, file: str, first: int, texts: Sequence[str], column: str) -> Floats:
    """A column as floats; what is no plain number within reason is reported and taken as 0."""
    if _NUMBERS.fullmatch("\n".join(texts) + "\n"):
        values = np.array(list(map(float, texts)), np.float64)
    else:
        values = np.array([float(t) if _ONE_NUMBER.fullmatch(t) else math.nan for t in texts], np.float64)
    bad = ~(np.abs(values) <= MOST)
    if bad.any():
        report.wrong_at(
            bad, file, lambda k: first + k, column, lambda _: msg("一个数"), lambda k: repr(texts[k])
        )
        values[bad] = 0.0
    return values


def counts(report: Report, file: str, first: int, texts: Sequence[str], column: str) -> Ints:
    """A column as counts: digits and nothing else."""
    plain = [text.isascii() and text.isdigit() and len(text) < 18 for text in texts]
    if not all(plain):
        bad = ~np.array(plain, np.bool_)
        report.wrong_at(bad, file, lambda k: first + k, column, lambda _: msg("一个整数"), lambda k: texts[k])
    return np.array([int(t) if fits else -1 for t, fits in zip(texts, plain, strict=True)], np.int64)


def decimals(text: str) -> int:
    """How many decimals a plain number is written with, zeros at the end not counted."""
    return len(text.partition(".")[2].rstrip("0"))


def read_certificate(report: Report, path: Path) -> dict[str, Any] | None:
    """The claims of certificate.json, each of its kind; None after a fault."""
    try:
        claim = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as trouble:
        report.wrong(path.name, "-", msg("整个文件"), msg("可读的"), why_unread(trouble))
        return None
    if not isinstance(claim, dict):
        report.wrong(path.name, "-", msg("整个文件"), msg("一个 JSON 对象"), msg("别的东西"))
        return None
    kinds: dict[str, Callable[[Any], bool]] = {
        "worth_yuan": is_number,
        "upper_bound_yuan": is_number,
        "gap": is_number,
        "bound_with_limits_yuan": is_number,
        "gap_with_limits": is_number,
        "finished": lambda value: isinstance(value, bool),
        "exact": lambda value: isinstance(value, bool),
        "blocking_pairs": is_count,
        "pairs_admissible": is_count,
        "parameters": lambda value: isinstance(value, dict),
        "seconds": lambda value: isinstance(value, dict) and all(_spent(each) for each in value.values()),
        "peak_memory_mib": _spent,
        "version": lambda value: isinstance(value, str) and value != "",
    }
    bad = [name for name, fits in kinds.items() if not fits(claim.get(name))]
    for name in bad:
        report.wrong(path.name, "-", name, msg("合乎格式的值"), json.dumps(claim.get(name))[:80])
    return None if bad else claim


def is_number(value: Any) -> bool:
    is_plain = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_plain and abs(value) < 1e18


def is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _spent(value: Any) -> bool:
    return is_number(value) and value >= 0

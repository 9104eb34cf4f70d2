"""CSV as the house writes it."""

import csv
import io
from collections.abc import Iterable, Sequence

#: What makes a spreadsheet program take a text for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
#: Spreadsheet programs take a file without it for the local encoding.
BOM = b"\xef\xbb\xbf"


def plain_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Return CSV for programs: UTF-8, no mark before it, every cell as it is."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue().encode()


def people_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Return CSV for spreadsheet programs: with the mark, and no text that they would run as a formula."""
    return BOM + plain_csv(header, ([safe(cell) for cell in row] for row in rows))


def safe(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell

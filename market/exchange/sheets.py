"""CSV as the house writes it."""

import csv
import io
import re
from collections.abc import Iterable, Sequence

#: What makes a spreadsheet program take a text for a formula, also behind signs that it takes off; those of
#: full width are the same to programs in East Asia. A number is a number.
_FORMULA = re.compile(
    r"[\s\x00-\x1f\u00ad\u200b-\u200f\u2060-\u2064\ufeff]*"
    r"[=+\-@\uff1d\uff0b\uff0d\uff20\ufe62\ufe63\ufe66\ufe6b]|[\t\r\n]"
)
_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")
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
    """Return ``cell`` as a spreadsheet program shows it: as words, where it would compute them."""
    if not isinstance(cell, str) or _NUMBER.fullmatch(cell) or not _FORMULA.match(cell):
        return cell
    return f"'{cell}"

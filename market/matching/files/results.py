"""DIR out: the result's files, whole or not at all, and the list of bad rows.

Rows go to the disk as they are made; only when all files stand aside complete are they moved into place.
"""

import csv
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import msgspec

from market.i18n import Language, Message, msg, system_words, translate
from market.matching.engine import Result, Side
from market.matching.files.faults import Fault
from market.matching.files.workbook import rows_beyond, write_workbook
from market.matching.rules import Demand, Lot

#: In the order in which they are put in place: the certificate last, as the seal.
RESULT_FILES = ("matches.csv", "lots.csv", "demands.csv", "diagnosis.csv", "certificate.json")
ERROR_FILE = "errors.csv"
WORKBOOK = "result.xlsx"
#: Every file that a run may write into DIR, and so may replace or take away.
OUR_FILES = (*RESULT_FILES, ERROR_FILE, WORKBOOK)
_BUFFER = 1 << 20

Rows = Iterable[Sequence[object]]

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
ERROR_COLUMNS = ("file", "row", "column", "value", "reason")


def folder_refused(folder: Path, inputs: Iterable[str]) -> Message | None:
    """Return why nothing may be written into ``folder``: it is a file, or ``inputs`` would be overwritten."""
    try:
        if folder.exists() and not folder.is_dir():
            return msg("{path} 不是文件夹。", path=str(folder))
        ours = {(folder / name).resolve() for name in OUR_FILES}
        for given in inputs:
            if given != "-" and Path(given).resolve() in ours:
                return msg("结果会覆盖输入文件 {file}，请换一个文件夹。", file=given)
    except OSError as trouble:
        # the system has never heard of such a name: too long, or in a circle
        return msg("写不进 {where}：{why}", where=str(folder), why=system_words(trouble))
    except ValueError:
        # a name with a sign that no file system takes
        return msg("“{folder}”不能作文件夹的名称。", folder=repr(str(folder))[1:-1])
    return None


def write_result(
    folder: Path,
    result: Result,
    lots: Sequence[Lot],
    demands: Sequence[Demand],
    language: Language,
    *,
    with_workbook: bool = False,
) -> Message | None:
    """Put the five files of a result into ``folder``, replacing those of an earlier run.

    ``with_workbook``: the same as one .xlsx besides. Returns why there is none where the rows do not fit
    into one; the other files are written all the same.
    """
    tables: dict[str, tuple[Sequence[str], Rows]] = {
        "matches.csv": (MATCH_COLUMNS, _matches(result, lots, demands, language)),
        "lots.csv": (LOT_COLUMNS, _sides((lot.id for lot in lots), result.lots)),
        "demands.csv": (DEMAND_COLUMNS, _sides((demand.id for demand in demands), result.demands)),
        "diagnosis.csv": (DIAGNOSIS_COLUMNS, _diagnosis(result, lots, demands, language)),
    }
    refused: list[Message | None] = [None]

    def write(aside: Path) -> None:
        counts = {name: _csv(aside / name, *table) for name, table in tables.items()}
        certificate = msgspec.json.format(msgspec.json.encode(result.certificate), indent=2) + b"\n"
        (aside / RESULT_FILES[-1]).write_bytes(certificate)
        if with_workbook:
            refused[0] = rows_beyond(counts)
            if refused[0] is None:
                write_workbook(aside / WORKBOOK, aside, language)

    _replace(folder, write)
    return refused[0]


def write_faults(folder: Path, faults: Iterable[Fault], language: Language) -> None:
    """Put errors.csv into ``folder`` and take away the result of an earlier run: it is not of this input."""
    rows = (
        (fault.file, fault.row or "", fault.column, fault.value, translate(fault.reason, language))
        for fault in faults
    )
    _replace(folder, lambda aside: _csv(aside / ERROR_FILE, ERROR_COLUMNS, rows))


def _matches(
    result: Result, lots: Sequence[Lot], demands: Sequence[Demand], language: Language
) -> Iterator[Sequence[object]]:
    reasons = _told((pair.reason for pair in result.pairs), language)
    for pair, reason in zip(result.pairs, reasons, strict=True):
        yield (
            lots[pair.lot].id,
            demands[pair.demand].id,
            _kg(pair.quantity),
            _price(pair.price),
            _price(pair.price_low),
            _price(pair.price_high),
            f"{pair.freight_yuan_per_kg:.9f}",
            f"{pair.km:.6f}",
            f"{pair.worth_yuan:.6f}",
            reason,
        )


def _sides(ids: Iterable[str], sides: Iterable[Side]) -> Iterator[Sequence[object]]:
    for id_, side in zip(ids, sides, strict=True):
        yield id_, _kg(side.traded), _kg(side.rest), _plain(side.gain), side.admissible_pairs, side.status


def _diagnosis(
    result: Result, lots: Sequence[Lot], demands: Sequence[Demand], language: Language
) -> Iterator[Sequence[object]]:
    for place, unlocks in result.diagnosis.items():
        for rank, unlock in enumerate(unlocks, start=1):
            yield (
                lots[place].id,
                rank,
                unlock.obstacle,
                translate(unlock.change, language),
                _kg(unlock.grams),
                ";".join(demands[j].id for j in unlock.demands),
                f"{unlock.cost:.4f}",
            )


def _kg(grams: int) -> str:
    return f"{grams // 1000}.{grams % 1000:03d}"


def _text(number: Decimal) -> str:
    """Digits without an exponent. ``str`` is several times faster than a format, and mostly the same."""
    text = str(number)
    return f"{number:f}" if "E" in text else text


def _plain(number: Decimal) -> str:
    if not number:
        return "0"
    text = _text(number)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _price(price: Decimal) -> str:
    """All decimals, at least four."""
    text = _text(price)
    return text if "." in text[:-4] else f"{price:.4f}"


def _told(messages: Iterable[Message], language: Language) -> Iterator[str]:
    """Messages in words. Most say the same with other figures: its translation is looked up once."""
    templates: dict[str, str] = {}
    for message in messages:
        template = templates.get(message.text)
        if template is None:
            template = templates[message.text] = translate(Message(message.text), language)
        values = message.values
        if any(isinstance(value, Message) for value in values.values()):
            yield translate(message, language)
        else:
            yield template.format_map(values) if values else template


def _csv(path: Path, header: Sequence[str], rows: Rows) -> int:
    """Write a table; return how many rows it has, the header not counted."""
    count = 0

    def counted() -> Iterator[Sequence[object]]:
        nonlocal count
        for count, row in enumerate(rows, start=1):  # noqa: B007 (the count outlives the loop)
            yield row

    with path.open("w", encoding="utf-8", newline="", buffering=_BUFFER) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(counted())
    return count


def _replace(folder: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a folder aside; then drop the old seal, and move the new files in one by one."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".market-") as aside:
        write(Path(aside))
        written = [name for name in _IN_PLACE if (Path(aside) / name).exists()]
        (folder / RESULT_FILES[-1]).unlink(missing_ok=True)
        for name in OUR_FILES:
            if name not in written:
                (folder / name).unlink(missing_ok=True)
        for name in written:
            os.replace(Path(aside) / name, folder / name)


#: The seal comes last, after the workbook too.
_IN_PLACE = (WORKBOOK, ERROR_FILE, *RESULT_FILES)

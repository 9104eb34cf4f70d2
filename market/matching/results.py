"""DIR out: the result's files, whole or not at all, and the list of bad rows."""

import csv
import io
import os
import tempfile
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path

import msgspec

from market.i18n import Language, translate
from market.matching.engine import Result
from market.matching.faults import Fault
from market.matching.rules import Demand, Lot

#: In the order in which they are put in place: the certificate last, as the seal.
RESULT_FILES = ("matches.csv", "lots.csv", "demands.csv", "diagnosis.csv", "certificate.json")
ERROR_FILE = "errors.csv"


def _kg(grams: int) -> str:
    return f"{grams // 1000}.{grams % 1000:03d}"


def _plain(number: Decimal) -> str:
    whole = f"{number:f}"
    return whole.rstrip("0").rstrip(".") if "." in whole else whole


def _price(price: Decimal) -> str:
    whole = f"{price:f}"
    decimals = len(whole.partition(".")[2])
    return whole if decimals >= 4 else f"{price:.4f}"


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue().encode()


def write_result(
    folder: Path, result: Result, lots: Sequence[Lot], demands: Sequence[Demand], language: Language
) -> None:
    """Put the five files of a result into ``folder``, replacing those of an earlier run."""
    matches = _csv(
        (
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
        ),
        (
            (
                lots[pair.lot].id,
                demands[pair.demand].id,
                _kg(pair.quantity),
                _price(pair.price),
                _price(pair.price_low),
                _price(pair.price_high),
                f"{pair.freight_yuan_per_kg:.9f}",
                f"{pair.km:.6f}",
                f"{pair.worth_yuan:.6f}",
                translate(pair.reason, language),
            )
            for pair in result.pairs
        ),
    )
    lot_rows = _csv(
        ("lot", "sold_kg", "left_kg", "gain_yuan_per_kg", "admissible_pairs", "status"),
        (
            (lot.id, _kg(s.traded), _kg(s.rest), _plain(s.gain), s.admissible_pairs, s.status)
            for lot, s in zip(lots, result.lots, strict=True)
        ),
    )
    demand_rows = _csv(
        ("demand", "served_kg", "open_kg", "gain_yuan_per_kg", "admissible_pairs", "status"),
        (
            (demand.id, _kg(s.traded), _kg(s.rest), _plain(s.gain), s.admissible_pairs, s.status)
            for demand, s in zip(demands, result.demands, strict=True)
        ),
    )
    diagnosis = _csv(
        ("lot", "rank", "obstacle", "change", "unlock_kg", "unlock_demands", "cost_yuan_per_kg"),
        (
            (
                lots[place].id,
                rank,
                unlock.obstacle,
                translate(unlock.change, language),
                _kg(unlock.grams),
                ";".join(demands[j].id for j in unlock.demands),
                f"{unlock.cost:.4f}",
            )
            for place, unlocks in result.diagnosis.items()
            for rank, unlock in enumerate(unlocks, start=1)
        ),
    )
    certificate = msgspec.json.format(msgspec.json.encode(result.certificate), indent=2) + b"\n"
    contents = (matches, lot_rows, demand_rows, diagnosis, certificate)
    _replace(folder, dict(zip(RESULT_FILES, contents, strict=True)))


def write_faults(folder: Path, faults: Iterable[Fault], language: Language) -> None:
    """Put errors.csv into ``folder`` and take away the result of an earlier run: it is not of this input."""
    rows = (
        (fault.file, fault.row or "", fault.column, fault.value, translate(fault.reason, language))
        for fault in faults
    )
    _replace(folder, {ERROR_FILE: _csv(("file", "row", "column", "value", "reason"), rows)})


def _replace(folder: Path, contents: dict[str, bytes]) -> None:
    """Write all contents aside first; then drop the old seal, and move the new files in one by one."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".market-") as aside:
        for name, content in contents.items():
            path = Path(aside) / name
            path.write_bytes(content)
        (folder / RESULT_FILES[-1]).unlink(missing_ok=True)
        for name in (*RESULT_FILES, ERROR_FILE):
            if name not in contents:
                (folder / name).unlink(missing_ok=True)
        for name in contents:
            os.replace(Path(aside) / name, folder / name)

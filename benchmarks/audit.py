"""Checking the whole record: seconds and memory of ``market audit`` on a ledger of a given size.

The ledger is written past the operations (COPY), with the hashes that they would have made: chains of 1 to
20 records, details as a bid's. Then the commands run as operators run them.

    python -m benchmarks.audit [--records 1000000]
"""

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from benchmarks.kit.run import keep, run, table
from market.audit.rules import GENESIS, record_hash
from market.db.migrate import migrate_forwards
from market.db.session import connection, started_pool, transaction
from market.settings import Settings

COLUMNS = ("what", "records", "subjects", "seconds", "records a second", "peak MiB")
_BEGAN = datetime(2026, 1, 1, tzinfo=timezone.utc)


def ledger(records: int) -> Iterator[tuple[Any, ...]]:
    """Yield rows of ``audit_record``, chain after chain."""
    draw, number, subject = random.Random(7), 0, 0
    while number < records:
        subject += 1
        previous = GENESIS
        for position in range(1, min(draw.randint(1, 20), records - number) + 1):
            number += 1
            details = {"grams": draw.randint(1, 10**9), "price": draw.randint(100, 9999), "reason": "quality"}
            at = _BEGAN + timedelta(microseconds=number * 999_983)
            made = record_hash(
                previous=previous,
                row_id=number,
                subject=f"bid:{subject}",
                position=position,
                action="counter",
                person_id=None,
                organisation_id=None,
                at=at,
                details=details,
            )
            yield (
                *(number, f"bid:{subject}", position, "counter", at),
                *(json.dumps(details), previous, made, 2),
            )
            previous = made


async def fill(home: Path, records: int) -> int:
    """Write the ledger; return the number of its chains."""
    async with started_pool(Settings(data_dir=home), as_owner=True):
        await migrate_forwards()
        async with transaction(statement_timeout=0), connection() as own:
            await own.copy_records_to_table(
                "audit_record",
                records=ledger(records),
                columns=[
                    *("id", "subject", "position", "action", "at"),
                    *("details", "previous_hash", "hash", "scheme"),
                ],
                timeout=600,
            )
            await own.execute("ANALYZE audit_record", timeout=60)
            return int(await own.fetchval("SELECT count(DISTINCT subject) FROM audit_record", timeout=60))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    records = parser.parse_args().records
    rows = []
    with tempfile.TemporaryDirectory(prefix="tiantou-audit-") as folder:
        home, heads = Path(folder), Path(folder) / "heads.json"
        os.environ |= {"MARKET_DATA_DIR": folder, "DATABASE_URL": "", "MARKET_SECRET_KEY": "benchmark"}
        subjects = asyncio.run(fill(home, records))
        for what, words in (
            ("heads", ("heads", "--out", str(heads))),
            ("verify", ("verify",)),
            ("verify with heads", ("verify", "--heads", str(heads))),
        ):
            spent = run([sys.executable, "-m", "market", "audit", *words, "--lang", "en"])
            if spent.status != 0:
                print(spent.output)
                return 1
            told = (what, records, subjects, spent.seconds, round(records / spent.seconds), spent.peak_mib)
            rows.append(dict(zip(COLUMNS, told, strict=True)))
    print(table(rows, COLUMNS))
    keep("audit", rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

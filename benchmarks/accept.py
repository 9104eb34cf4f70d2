"""Accepting bids at speed, beside pgbench's simple-update on the same server in the same run.

64 clients, each with one accept under way, take bids of one kg: all on one lot, or going round 1,000 lots.
They call the operation that pages and API call, on the event loop that serves, each accept under a key of
its own; over HTTP they call the API, with one process that serves. Beside them what keeps goods from being
oversold, by itself: ``reserve_stocks`` called by pgbench, 64 reservations a call on one lot and one a call on
1,000. The server is one of our own with the settings that an installation has (fsync on, every commit on
disk); ``pgbench -N -c 64 -j 2`` runs before and after each measurement; a ratio is to the mean of the two.

    python -m benchmarks.accept [--seconds 10] [--bids 150000]

Exits with 1 where a lot was oversold or its books are wrong.
"""

import argparse
import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import uvloop

from benchmarks.kit.accepts import Load, Stall, books, closed_loop, stall, token_of
from benchmarks.kit.run import keep, table
from fixtures.factories import Factory
from market import clock
from market.bids.operations import accept_bid
from market.cli_serve import answers, free_port
from market.db import embedded
from market.db.cluster import SUPERUSER
from market.db.embedded import Server
from market.db.migrate import migrate_forwards
from market.db.session import fetch, fetch_value, started_pool
from market.settings import Settings

CLIENTS = 64
WARM = 1.5
#: Contracts that goods are reserved for where they are reserved alone.
CONTRACTS = 900
COLUMNS = (
    "what",
    "a second",
    "simple-update",
    "ratio",
    "to reach",
    "p50 ms",
    "p99 ms",
    "oversold",
    "wrong lots",
    "load",
)
REACH = {"one hot lot": 2.0, "1,000 lots": 0.6, "HTTP, one hot lot": 0.3, "HTTP, 1,000 lots": 0.3}


def pgbench(server: Server, *words: str) -> str:
    """Run the pgbench that came with the server."""
    return subprocess.run(
        [
            server.programs.folder / "pgbench",
            *("-h", server.socket, "-p", "5432", "-U", "tiantou"),
            *words,
            "tiantou",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def simple_update(server: Server, seconds: int) -> float:
    return _a_second(server, seconds, "-N")


def _a_second(server: Server, seconds: int, *what: str) -> float:
    told = pgbench(server, *what, "-n", "-c", str(CLIENTS), "-j", "2", "-T", str(seconds))
    return float(re.search(r"tps = ([\d.]+)", told)[1])  # type: ignore[index]


async def goods_alone(server: Server, own: Stall, *, together: int, seconds: int) -> tuple[float, int]:
    """Reserve a gram again and again for some contract; return how often a second, and wrong lots.

    Lot and ledger line are what an accept writes of the goods; contract, record, notices and reply are not
    written here. A lot is wrong where its ledger adds up to something else than it has. There are contracts
    enough that clients seldom meet at one: each line of the ledger holds its contract's row.
    """
    deals = await asyncio.gather(
        *(
            accept_bid(
                bid_id=bid_id,
                seller_id=own.seller.organisation_id,
                actor=own.seller.actor,
                at=clock.now(),
            )
            for bid_id in range(own.first, own.first + CONTRACTS)
        )
    )
    goods = await fetch(
        "SELECT min(id) AS first, max(id) AS last FROM lot WHERE owner = $1", own.seller.organisation_id
    )
    several = f"::bigint, ARRAY[{together}])"
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(
            f"\\set lot random({goods[0]['first']}, {goods[0]['last']})\n"
            f"\\set deal random({min(deals)}, {max(deals)})\n"
            f"SELECT reserve_stocks(array_fill(:lot{several}, array_fill(1{several},"
            f" array_fill(:deal{several}, array_fill(now(), ARRAY[{together}]));\n"
        )
        script.flush()
        rate = await asyncio.to_thread(_a_second, server, seconds, "-f", script.name)
    wrong = await fetch_value(
        """SELECT count(*) FROM lot WHERE owner = $1
           AND remaining <> (SELECT sum(change) FROM stock_entry WHERE stock_entry.lot = lot.id)""",
        own.seller.organisation_id,
    )
    return rate * together, int(wrong)


async def checkpoint(server: Server) -> None:
    """Nobody pays for what another has left in memory."""
    own = await asyncpg.connect(**{**server.address, "user": SUPERUSER})
    await own.execute("VACUUM ANALYZE")
    await own.execute("CHECKPOINT")
    await own.close()


async def in_process(own: Stall, seconds: float) -> Load:
    async def accept(bid_id: int) -> bool:
        await accept_bid(
            bid_id=bid_id,
            seller_id=own.seller.organisation_id,
            actor=own.seller.actor,
            at=clock.now(),
            key=str(uuid.uuid4()),
        )
        return True

    return await closed_loop(
        iter(range(own.first, own.last + 1)), [accept] * CLIENTS, seconds=seconds, warm=WARM
    )


@contextmanager
def serving(home: Path) -> Iterator[int]:
    """Run ``market serve`` with one process that serves; give its port."""
    port = free_port("127.0.0.1", 18_500)
    words = ["serve", "--workers", "1", "--port", str(port)]
    environment = {**os.environ, "MARKET_DATA_DIR": str(home), "MARKET_SECRET_KEY": "k" * 32}
    environment.pop("DATABASE_URL", None)
    child = subprocess.Popen(
        [sys.executable, "-m", "market", *words], env=environment, stdout=subprocess.DEVNULL
    )
    try:
        if not answers("127.0.0.1", port, patience=60):
            raise SystemExit("the app does not answer")
        yield port
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(30)


async def through_http(own: Stall, seconds: float, home: Path) -> Load:
    token = await token_of(own.seller)
    with serving(home) as port:
        words = [str(port), token, str(seconds), str(WARM), str(CLIENTS), str(own.first), str(own.last)]
        # into a file: of half a megabyte through a pipe a part was missing once
        with tempfile.TemporaryFile() as told:
            asked = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "benchmarks.kit.accepts", *words, stdout=told
            )
            await asked.wait()
            told.seek(0)
            return Load(**json.load(told))


async def measure(server: Server, home: Path, *, seconds: int, bids: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    factory = Factory(seed=15)
    async with started_pool(Settings(data_dir=home), as_owner=True):
        await migrate_forwards()
        await factory.catalogue()
        pgbench(server, "-i", "-s", "20", "-q")
        ways: list[tuple[str, int, Callable[[Stall], Awaitable[Load]]]] = [
            ("one hot lot", 1, lambda own: in_process(own, seconds)),
            ("1,000 lots", 1_000, lambda own: in_process(own, seconds)),
            ("HTTP, one hot lot", 1, lambda own: through_http(own, seconds, home)),
            ("HTTP, 1,000 lots", 1_000, lambda own: through_http(own, seconds, home)),
        ]
        # plans that were made for empty tables stay for a while: no measurement begins with them
        await in_process(await stall(factory, lots=100, bids=40_000), 1)
        await checkpoint(server)
        before = await asyncio.to_thread(simple_update, server, seconds)
        for name, lots, way in ways:
            own = await stall(factory, lots=lots, bids=bids)
            await checkpoint(server)
            load = await way(own)
            await checkpoint(server)
            after = await asyncio.to_thread(simple_update, server, seconds)
            found = await books(own)
            beside = (before + after) / 2
            rows.append(
                {
                    "what": name,
                    "a second": load.rate,
                    "simple-update": beside,
                    "ratio": load.rate / beside,
                    "to reach": REACH[name],
                    "p50 ms": load.percentile(0.5),
                    "p99 ms": load.percentile(0.99),
                    "accepted": load.accepted,
                    "failed": load.failed,
                    "deals": found["deals"],
                    "oversold": found["oversold"],
                    "wrong lots": found["wrong"] + (found["deals"] != load.accepted),
                    "load": round(os.getloadavg()[0], 1),
                }
            )
            print(table(rows[-1:], COLUMNS).splitlines()[-1], flush=True)
            before = after
        for name, lots, together in (
            ("goods alone, one hot lot", 1, 64),
            ("goods alone, 1,000 lots", 1_000, 1),
        ):
            own = await stall(factory, lots=lots, bids=2_000, kg=1_000_000)
            await checkpoint(server)
            rate, wrong = await goods_alone(server, own, together=together, seconds=seconds)
            await checkpoint(server)
            after = await asyncio.to_thread(simple_update, server, seconds)
            beside = (before + after) / 2
            rows.append(
                {
                    "what": name,
                    "a second": rate,
                    "simple-update": beside,
                    "ratio": rate / beside,
                    "wrong lots": wrong,
                }
            )
            print(table(rows[-1:], COLUMNS).splitlines()[-1], flush=True)
            before = after
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--bids", type=int, default=150_000)
    asked = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="tiantou-accept-"))
    busy = round(os.getloadavg()[0], 1)
    try:
        with embedded.running(Settings(data_dir=home)) as server:
            rows = uvloop.run(measure(server, home, seconds=asked.seconds, bids=asked.bids))
            version = f"PostgreSQL {server.programs.major}, {server.programs.source}"
    finally:
        shutil.rmtree((home / "postgres").resolve(), ignore_errors=True)
        shutil.rmtree(home, ignore_errors=True)
    print(table(rows, COLUMNS))
    keep("accept", rows, clients=CLIENTS, seconds=asked.seconds, server=version, load_before=busy)
    if any(row.get("oversold") or row["wrong lots"] or row.get("failed") for row in rows):
        raise SystemExit("the books are wrong")


if __name__ == "__main__":
    main()

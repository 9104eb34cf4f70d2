"""Accepts while the app and PostgreSQL are killed: what was acknowledged stays, nothing counts twice.

``make soak`` runs it; SOAK_KILLS says how often each is killed.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from benchmarks.kit.accepts import Caller, Stall, books, stall, token_of
from fixtures.factories import Factory
from market.cli_serve import answers, free_port
from market.db import embedded
from market.db.migrate import migrate_forwards
from market.db.session import fetch, fetch_value, started_pool
from market.settings import Settings
from tests.integration.db.conftest import Person, people
from tests.integration.db.conftest import home_of as home_of

KILLS = int(os.environ.get("SOAK_KILLS", "30"))
CLIENTS = 24
LOTS = 20
#: Accepts that must have come through between two kills.
BETWEEN = 40
BIDS = KILLS * 2 * BETWEEN * 12

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]


class Installation:
    """An own server and an app on it, in processes of this test alone."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.log = home.parent / "log"
        self.port = free_port("127.0.0.1", 18_600)
        self._servers = AsyncExitStack()
        self._app: subprocess.Popen[bytes] | None = None

    async def start_database(self) -> None:
        server = embedded.running(Settings(data_dir=self.home))
        await asyncio.to_thread(server.__enter__)
        self._servers.push_async_callback(asyncio.to_thread, server.__exit__, None, None, None)

    async def start_app(self) -> None:
        self._begin_app()
        assert await asyncio.to_thread(answers, "127.0.0.1", self.port, patience=90)

    def _begin_app(self) -> None:
        words = ["serve", "--workers", "2", "--port", str(self.port)]
        environment = {**os.environ, "MARKET_DATA_DIR": str(self.home), "MARKET_SECRET_KEY": "k" * 32}
        environment.pop("DATABASE_URL", None)
        self._app = subprocess.Popen(
            [sys.executable, "-m", "market", *words],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=self.log.open("ab"),
            start_new_session=True,
        )

    def kill_app(self) -> None:
        """SIGKILL for the session that we began: the parent and the processes that serve."""
        assert self._app is not None
        os.killpg(self._app.pid, signal.SIGKILL)
        self._app.wait()

    def kill_database(self) -> None:
        """SIGKILL for the postmaster of our own cluster, and for its children."""
        data = (self.home / "postgres").resolve() / "data"
        postmaster = int((data / "postmaster.pid").read_text().splitlines()[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        for pid in (postmaster, *map(int, children)):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    async def stop(self) -> None:
        if self._app is not None and self._app.poll() is None:
            self.kill_app()
        await self._servers.aclose()


@pytest.fixture
async def installation(home_of: Callable[[Person], Path]) -> AsyncIterator[Installation]:
    own = Installation(home_of(people()[0]))
    await own.start_database()
    try:
        yield own
    finally:
        await own.stop()


class Clients:
    """Buyers' answers, and what is asked again and again until there is one."""

    def __init__(self, port: int, token: str, own: Stall) -> None:
        self._port = port
        self._token = token
        self._bids = iter(range(own.first, own.last + 1))
        self.stopping = False
        self._goal = 0
        self._reached = asyncio.Event()
        #: Key -> the bid and the contract that were acknowledged.
        self.accepted: dict[str, tuple[int, int]] = {}
        self.refused: set[int] = set()
        #: Requests that got no answer and were sent again.
        self.in_doubt = 0
        self.busy = 0
        self.unexpected: list[tuple[int, bytes]] = []

    async def run(self) -> None:
        caller: Caller | None = None
        while not self.stopping:
            bid, key = next(self._bids), str(uuid.uuid4())
            while True:
                try:
                    if caller is None:
                        caller = await self._connect()
                    status, body = await caller.ask(bid, key)
                except OSError:
                    self.in_doubt += caller is not None
                    caller = None
                    await asyncio.sleep(0.05)  # the pause of a client that tries again
                    continue
                if status == 503:
                    self.busy += 1
                    await asyncio.sleep(0.05)
                    continue
                break
            if status == 200:
                self.accepted[key] = bid, json.loads(body)["deal_id"]
            elif status == 409:
                self.refused.add(bid)
            else:
                self.unexpected.append((status, body))
            if len(self.accepted) + len(self.refused) >= self._goal:
                self._reached.set()
        if caller is not None:
            caller.close()

    async def _connect(self) -> Caller:
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(lambda: Caller(self._token), "127.0.0.1", self._port))[1]

    async def more(self, count: int) -> None:
        """Wait until so many more have been answered."""
        self._goal = len(self.accepted) + len(self.refused) + count
        self._reached.clear()
        async with asyncio.timeout(120):
            await self._reached.wait()


async def test_kills_lose_nothing_and_double_nothing(installation: Installation) -> None:
    settings = Settings(data_dir=installation.home)
    async with started_pool(settings, as_owner=True):
        await migrate_forwards()
        factory = Factory(seed=6)
        await factory.catalogue()
        # half of the bids can be served: stock runs out while the kills go on
        own = await stall(factory, lots=LOTS, bids=BIDS, kg=BIDS // 2 // LOTS)
        token = await token_of(own.seller)
    await installation.start_app()
    clients = Clients(installation.port, token, own)
    running = [asyncio.create_task(clients.run()) for _ in range(CLIENTS)]
    for turn in range(KILLS):
        await clients.more(BETWEEN + turn)  # not always at the same point of a batch
        installation.kill_app()
        await installation.start_app()
        await clients.more(BETWEEN + turn)
        installation.kill_database()
        await installation.start_database()
    await clients.more(BETWEEN)
    clients.stopping = True
    await asyncio.gather(*running)
    assert clients.unexpected == [], installation.log.read_text()[-5000:]
    assert clients.in_doubt > 0
    await check_keys(clients, installation.port, token)
    installation.kill_app()
    async with started_pool(settings):
        await check_books(clients, own)
    print(f"{len(clients.accepted)} accepted, {len(clients.refused)} refused, {clients.in_doubt} in doubt")


async def check_keys(clients: Clients, port: int, token: str) -> None:
    """A key that has been answered gives the same contract again."""
    caller = await clients._connect()
    for key, (bid, deal) in list(clients.accepted.items())[::7]:
        status, body = await caller.ask(bid, key)
        assert (status, json.loads(body)["deal_id"]) == (200, deal)
    caller.close()


async def check_books(clients: Clients, own: Stall) -> None:
    kept = {row["source_id"]: row["id"] for row in await fetch("SELECT id, source_id FROM deal")}
    # acknowledged and lost: none; doubled: none; nothing that nobody was told of
    assert dict(clients.accepted.values()) == kept
    assert clients.refused.isdisjoint(kept)
    assert await books(own) == {"deals": len(kept), "wrong": 0, "oversold": 0}
    # what belongs to a deal came with it, once
    for counted, each in (
        ("SELECT count(*) FROM stock_entry WHERE kind = 'reserved'", 1),
        ("SELECT count(*) FROM audit_record WHERE action = 'accept' AND subject LIKE 'bid:%'", 1),
        ("SELECT count(*) FROM audit_record WHERE action = 'make' AND subject LIKE 'deal:%'", 1),
        ("SELECT count(*) FROM notice WHERE kind = 'deal_made'", 2),
        ("SELECT count(*) FROM replay", 1),
        ("SELECT count(*) FROM bid WHERE state = 'accepted' AND deal IS NOT NULL", 1),
    ):
        assert await fetch_value(counted) == len(kept) * each, counted

"""A word from one process to viewers in all of them: "something of this has changed, look again".

PostgreSQL carries it (NOTIFY in the transaction of the cause, so that what did not happen is never told).
Each process listens on one connection of its own, however many are watching in it, and on none while
nobody is. A word may be lost with that connection: who watches looks again when :meth:`Signals.watch`
says so, and from time to time by itself.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg

from market.db.session import DB, execute

CHANNEL = "changed"
#: Seconds before a lost connection is opened again.
PAUSE = 1.0


async def signal(subject: str) -> None:
    """Tell whoever watches ``subject``, when the current transaction commits."""
    await execute("SELECT pg_notify($1, $2)", CHANNEL, subject)


class Watch:
    """One viewer's ear: words that come while it is not listening are one word in the end."""

    def __init__(self) -> None:
        self._heard = asyncio.Event()

    def hear(self) -> None:
        self._heard.set()

    async def wait(self, seconds: float) -> bool:
        """Return True once something has changed, False after ``seconds`` without."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._heard.wait()
        heard = self._heard.is_set()
        self._heard.clear()
        return heard


class Signals:
    """The ears of this process, and the one connection behind them."""

    def __init__(self) -> None:
        self._watches: dict[str, set[Watch]] = {}
        self._task: asyncio.Task[None] | None = None
        #: Set while words arrive.
        self.listening = asyncio.Event()

    @property
    def count(self) -> int:
        return sum(map(len, self._watches.values()))

    @asynccontextmanager
    async def watch(self, subject: str) -> AsyncIterator[Watch]:
        """Listen for ``subject`` while the block runs."""
        own = Watch()
        self._watches.setdefault(subject, set()).add(own)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._listen())
        try:
            yield own
        finally:
            self._watches[subject].discard(own)
            if not self._watches[subject]:
                del self._watches[subject]
            if not self._watches and self._task is not None:
                self._task.cancel()
                self._task = None

    def _pass_on(self, subject: str) -> None:
        for each in tuple(self._watches.get(subject, ())):
            each.hear()

    async def _listen(self) -> None:
        gone = asyncio.Event()
        while True:
            own: asyncpg.Connection | None = None
            gone.clear()
            try:
                own = await DB.get_new_connection()
                own.add_termination_listener(lambda _: gone.set())
                await own.add_listener(CHANNEL, lambda *word: self._pass_on(str(word[3])))
                self.listening.set()
                # what was said while nobody listened is not known: all look again
                for subject in tuple(self._watches):
                    self._pass_on(subject)
                await gone.wait()
            except (OSError, asyncpg.PostgresError):
                pass
            finally:
                self.listening.clear()
                if own is not None and not own.is_closed():
                    own.terminate()
            await asyncio.sleep(PAUSE)


#: Those of this process.
SIGNALS = Signals()

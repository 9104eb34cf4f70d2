"""Work that can wait: written with its cause, done once, by whichever worker comes first.

A job is claimed under SKIP LOCKED for the length of a lease. The claim's token fences: the effect and
"done" are one commit, and that commit is refused once another worker has claimed the job since. So a job
may be begun more than once, but its effect in the database happens once.

A handler is either short, and runs inside the transaction that marks the job done::

    @job("notices.send")
    async def send(run: Run) -> None: ...

or long, and computes outside any transaction before it keeps its result::

    @job("matching.run", long=True)
    async def match(run: Run) -> None:
        result = await asyncio.to_thread(solve, ...)
        async with run.finishing():
            ...  # store the result; the job is done when this block commits
"""

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any, TypeVar

import asyncpg
import msgspec

from market.db.session import DB, execute, fetch_into, fetch_one_into, fetch_value, transaction
from market.errors import Busy, Invalid
from market.i18n import msg

S = TypeVar("S", bound=msgspec.Struct)

CHANNEL = "job"
#: Seconds without a sign of life after which another worker may take the job.
LEASE = 60.0
MOST_ATTEMPTS = 6
#: Longest sleep without looking: a notification may be lost with its connection.
LONGEST_SLEEP = 5.0
#: Seconds that a worker gives its jobs in hand when it is told to stop.
GRACE = 5.0
#: Days that finished jobs are kept for questions.
KEPT_DAYS = 7

log = logging.getLogger("market.jobs")


class LostLease(Exception):
    """Another worker has taken the job over; what this one did is rolled back."""


class Waiting(msgspec.Struct, frozen=True):
    """A claimed job as its handler gets it."""

    id: int
    kind: str
    payload: dict[str, Any]
    attempts: int
    token: int


class Run:
    """One attempt at a job."""

    def __init__(self, claimed: Waiting) -> None:
        self.job = claimed
        self.finished = False

    @property
    def payload(self) -> dict[str, Any]:
        return self.job.payload

    def read(self, kind: type[S]) -> S:
        """Return the payload as ``kind``."""
        return msgspec.convert(self.job.payload, kind)

    @asynccontextmanager
    async def finishing(self) -> AsyncIterator[None]:
        """Open the transaction in which the effect is kept and the job is done.

        Raises:
            LostLease: another worker has the job; nothing is kept.
        """
        async with transaction():
            # first of all: who has lost the job must not wait for the locks of who has it
            await self._keep(
                "SELECT id FROM job WHERE id = $1 AND token = $2 AND state = 'running' FOR UPDATE"
            )
            yield
            await self._keep(
                "UPDATE job SET state = 'done', finished_at = now(), leased_until = NULL, trouble = NULL"
                " WHERE id = $1 AND token = $2 RETURNING id"
            )
        self.finished = True

    async def _keep(self, sql: str) -> None:
        if await fetch_value(sql, self.job.id, self.job.token) is None:
            raise LostLease(f"{self.job.kind} {self.job.id}")


Handler = Callable[[Run], Awaitable[None]]


class _Registered(msgspec.Struct, frozen=True):
    handler: Handler
    long: bool
    endless: bool


_handlers: dict[str, _Registered] = {}


def job(kind: str, *, long: bool = False, endless: bool = False) -> Callable[[Handler], Handler]:
    """Register the handler of ``kind``. ``long`` ones call ``run.finishing()`` themselves.

    An ``endless`` one is never given up: each puts the next one down, and nobody else would. Where it has
    failed often enough it is tried again an hour later.
    """

    def register(handler: Handler) -> Handler:
        if kind in _handlers and _handlers[kind].handler is not handler:
            raise ValueError(f"two handlers for {kind!r}")
        _handlers[kind] = _Registered(handler, long, endless)
        return handler

    return register


def kinds_within(names: Iterable[str]) -> list[str]:
    """Return the registered kinds that ``names`` mean: a kind, or a room with all of its kinds.

    Raises:
        Invalid: a name means none.
    """
    wanted: set[str] = set()
    for name in names:
        meant = [kind for kind in _handlers if kind == name or kind.startswith(f"{name}.")]
        if not meant:
            known = "、".join(sorted({*_handlers, *(kind.partition(".")[0] for kind in _handlers)}))
            raise Invalid(msg("没有叫“{name}”的后台工作，可以写：{known}。", name=name, known=known))
        wanted.update(meant)
    return sorted(wanted)


async def enqueue(
    kind: str,
    payload: Mapping[str, object] | msgspec.Struct,
    *,
    run_at: datetime | None = None,
    key: str | None = None,
) -> int | None:
    """Write a job into the current transaction; it can be claimed when that commits.

    With a ``key``, a job of this kind and key that has not begun yet is enough: then None is returned,
    else the new job's number. The kind is checked when it is worked on, for its handler may live in
    another process.
    """
    number: int | None = await fetch_value(
        "INSERT INTO job (kind, payload, key, state, run_at, attempts, token, enqueued_at)"
        " VALUES ($1, $2, $3, 'waiting', coalesce($4, now()), 0, 0, now())"
        " ON CONFLICT (kind, key) WHERE state = 'waiting' DO NOTHING RETURNING id",
        kind,
        msgspec.json.encode(payload).decode(),
        key,
        run_at,
    )
    if number is not None and run_at is None:
        await execute(f"NOTIFY {CHANNEL}")
    return number


_CLAIM = """
UPDATE job SET state = 'running', token = token + 1, attempts = attempts + 1,
       leased_until = now() + $2 * interval '1 second', worker = $3
WHERE id = (
    SELECT id FROM job
    WHERE kind = ANY($1)
      AND ((state IN ('waiting', 'retrying') AND run_at <= now())
           OR (state = 'running' AND leased_until < now()))
    ORDER BY run_at, id
    FOR UPDATE SKIP LOCKED LIMIT 1
)
RETURNING id, kind, payload, attempts, token
"""

#: Retries wait 2, 4, 8 ... seconds, an hour at most; $5: it is never given up, but begun anew an hour later.
_FAIL = """
UPDATE job SET state = CASE WHEN attempts >= $3 AND NOT $5 THEN 'dead' ELSE 'retrying' END,
       run_at = now() + interval '1 second' *
                CASE WHEN attempts >= $3 AND $5 THEN 3600 ELSE least(3600, 2 ^ least(attempts, 20)) END,
       finished_at = CASE WHEN attempts >= $3 AND NOT $5 THEN now() END,
       attempts = CASE WHEN attempts >= $3 AND $5 THEN 0 ELSE attempts END,
       leased_until = NULL, trouble = $4
WHERE id = $1 AND token = $2
"""

#: An attempt that was called off does not count.
_HAND_BACK = """
UPDATE job SET state = 'retrying', run_at = now(), attempts = attempts - 1, leased_until = NULL
WHERE id = $1 AND token = $2 AND state = 'running'
"""


class Worker:
    """Works on jobs in ``tasks`` tasks until :meth:`stop`; jobs in hand are finished first.

    ``kinds``: on these alone; without, on every kind that has a handler in this process.
    """

    def __init__(self, *, tasks: int = 1, lease: float = LEASE, kinds: Collection[str] | None = None) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self._lease = lease
        self._kinds = kinds
        self._count = tasks
        self._tasks: list[asyncio.Task[None]] = []
        self._wake = asyncio.Event()
        self._stopping = False
        #: Set while a commit that enqueues wakes this worker.
        self.listening = asyncio.Event()

    @property
    def kinds(self) -> list[str]:
        """The kinds of jobs that this worker takes."""
        return [kind for kind in _handlers if self._kinds is None or kind in self._kinds]

    async def claim(self) -> Waiting | None:
        """Take the next due job of a kind that this worker takes, or None."""
        return await fetch_one_into(Waiting, _CLAIM, self.kinds, self._lease, self.name)

    async def work_once(self) -> bool:
        """Work on one due job; return whether there was one."""
        claimed = await self.claim()
        if claimed is None:
            return False
        await self.work_on(claimed)
        return True

    async def work_on(self, claimed: Waiting) -> None:
        """Run the handler of ``claimed``, keeping the lease alive; write down what goes wrong."""
        run = Run(claimed)
        registered = _handlers[claimed.kind]
        if claimed.attempts > MOST_ATTEMPTS:  # it takes its workers down with it
            await self._fail(claimed, "the lease ran out every time")
            return
        heart = asyncio.create_task(self._renew(claimed))
        try:
            if registered.long:
                await registered.handler(run)
                if not run.finished:
                    async with run.finishing():
                        pass
            else:
                async with run.finishing():
                    await registered.handler(run)
        except asyncio.CancelledError:
            await execute(_HAND_BACK, claimed.id, claimed.token)
            raise
        except LostLease:
            log.warning("job %s %s was taken over by another worker", claimed.kind, claimed.id)
        except Exception as trouble:
            log.exception("job %s %s failed", claimed.kind, claimed.id)
            await self._fail(claimed, f"{type(trouble).__name__}: {trouble}"[:2000])
        finally:
            heart.cancel()
            with suppress(asyncio.CancelledError):
                await heart

    async def _fail(self, claimed: Waiting, trouble: str) -> None:
        is_endless = _handlers[claimed.kind].endless
        await execute(_FAIL, claimed.id, claimed.token, MOST_ATTEMPTS, trouble, is_endless)

    async def _renew(self, claimed: Waiting) -> None:
        while True:
            await asyncio.sleep(self._lease / 3)
            with suppress(Busy):
                await self.renew(claimed)

    async def renew(self, claimed: Waiting) -> None:
        """Push the end of the lease out. A job row that its own finishing transaction holds is left."""
        await execute(
            "UPDATE job SET leased_until = now() + $3 * interval '1 second' WHERE id ="
            " (SELECT id FROM job WHERE id = $1 AND token = $2 AND state = 'running' FOR UPDATE SKIP LOCKED)",
            claimed.id,
            claimed.token,
            self._lease,
        )

    async def start(self) -> None:
        """Begin working in the background."""
        self._stopping = False
        self._tasks = [asyncio.create_task(self._listen())]
        self._tasks += [asyncio.create_task(self._loop()) for _ in range(self._count)]

    async def stop(self) -> None:
        """Let the jobs in hand finish for a few seconds; hand the others back."""
        self._stopping = True
        self._wake.set()
        loops = self._tasks[1:]
        if loops:
            await asyncio.wait(loops, timeout=GRACE)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def _loop(self) -> None:
        while not self._stopping:
            self._wake.clear()  # before looking, so that what comes while we look is not missed
            try:
                while await self.work_once() and not self._stopping:
                    pass
                pause = await self._pause()
            except Busy:
                pause = LONGEST_SLEEP
            except Exception:
                log.exception("worker")
                pause = LONGEST_SLEEP
            if not self._stopping:
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._wake.wait()

    async def _pause(self) -> float:
        """Return the seconds until the next job is due, the longest sleep at most."""
        seconds = await fetch_value(
            "SELECT extract(epoch FROM min(run_at) - now())::float8 FROM job"
            " WHERE state IN ('waiting', 'retrying') AND kind = ANY($1)",
            self.kinds,
        )
        # a job that is due but just being claimed by another worker must not make us spin
        return LONGEST_SLEEP if seconds is None else min(LONGEST_SLEEP, max(0.2, seconds))

    async def _listen(self) -> None:
        """Keep one connection of our own that wakes the loops; open it again when it breaks."""
        gone = asyncio.Event()
        while not self._stopping:
            own: asyncpg.Connection | None = None
            gone.clear()
            try:
                own = await DB.get_new_connection()
                own.add_termination_listener(lambda _: gone.set())
                await own.add_listener(CHANNEL, lambda *_: self._wake.set())
                self._wake.set()
                self.listening.set()
                await gone.wait()
            except (OSError, asyncpg.PostgresError):
                pass
            finally:
                self.listening.clear()
                if own is not None and not own.is_closed():
                    own.terminate()
            await asyncio.sleep(1)


@asynccontextmanager
async def working(*, tasks: int) -> AsyncIterator[Worker | None]:
    """Run a worker while the block runs: the app's lifespan. None where ``tasks`` is 0."""
    if tasks == 0:
        yield None
        return
    worker = Worker(tasks=tasks)
    await worker.start()
    try:
        yield worker
    finally:
        await worker.stop()


async def dead_jobs() -> list[Waiting]:
    """Return the jobs that were given up, newest first."""
    return await fetch_into(
        Waiting,
        "SELECT id, kind, payload, attempts, token FROM job WHERE state = 'dead' ORDER BY finished_at DESC",
    )


async def forget_finished() -> None:
    """Delete done jobs older than KEPT_DAYS; dead ones stay until somebody looks."""
    await execute(
        "DELETE FROM job WHERE state = 'done' AND finished_at < now() - $1 * interval '1 day'", KEPT_DAYS
    )

"""Jobs while the processes that work on them are killed, or stopped past their lease and woken again.

None is lost, and each has its effect once, whatever becomes of its workers. ``make soak`` runs the long one;
SOAK_KILLS says how often somebody is struck.
"""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from market.db import jobs
from market.db.jobs import Run, Worker, enqueue, job
from market.db.session import Engine, execute, fetch, fetch_value, started_pool
from market.settings import Settings

#: Seconds without a sign of life: short, so that the tests are.
LEASE = 0.4


class Hand:
    """A process that works on jobs. Forked: it begins at once.

    ``gate`` is where the first job in hand waits, until it is opened: "computing" (no transaction), or
    "keeping" (its effect is written, and not committed). ``fenced``: as always; without, the claim's token
    is not asked for. ``idle`` is after how many milliseconds the server ends a transaction that does nothing.
    """

    def __init__(
        self, address: dict[str, Any], home: Path, *, gate: str = "", fenced: bool = True, idle: int = 15_000
    ) -> None:
        told, telling = os.pipe()
        opening, opened = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(opened)
                _toil(address, home, gate, telling, opening, fenced, idle)
            finally:
                os._exit(1)
        os.close(telling)
        os.close(opening)
        self._told, self._opened = told, opened
        self.stopped = False

    async def inside(self) -> None:
        """Wait until it stands at its gate."""
        async with asyncio.timeout(20):
            assert await asyncio.to_thread(os.read, self._told, 1) == b"."

    def open_gate(self) -> None:
        # for as many jobs as come; hands that began later hold the pipe too, closing it would tell nothing
        os.write(self._opened, b"." * 64)

    def stop(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)
        self.stopped = True

    def wake(self) -> None:
        os.kill(self.pid, signal.SIGCONT)
        self.stopped = False

    def kill(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0
            os.close(self._opened)
            os.close(self._told)


def _toil(
    address: dict[str, Any], home: Path, gate: str, telling: int, opening: int, fenced: bool, idle: int
) -> None:
    """What a hand does until it is killed. Its handlers are its own."""
    jobs._handlers.clear()
    jobs.LONGEST_SLEEP = 0.1
    if not fenced:

        async def unasked(run: Run, sql: str) -> None:
            await fetch_value(sql.replace("AND token = $2", "AND $2 > 0"), run.job.id, run.job.token)

        Run._keep = unasked  # type: ignore[method-assign]

    async def pass_gate(where: str) -> None:
        if where == gate:
            os.write(telling, b".")
            await asyncio.to_thread(os.read, opening, 1)

    async def leave(run: Run) -> None:
        await execute("INSERT INTO scratch_done VALUES ($1, $2, $3)", run.job.id, run.job.token, os.getpid())

    @job("long", long=True)
    async def long(run: Run) -> None:
        await asyncio.sleep(run.payload.get("seconds", 0))
        await pass_gate("computing")
        async with run.finishing():
            await leave(run)
            await pass_gate("keeping")

    @job("short")
    async def short(run: Run) -> None:
        await leave(run)
        if (left := run.payload["left"]) > 0:
            await enqueue("short", {"left": left - 1})
        await asyncio.sleep(0.01)

    async def work() -> None:
        limits = Settings(data_dir=home, idle_timeout=idle, pool_least=1, pool_most=4)
        async with started_pool(limits, address=address):
            await Worker(tasks=2, lease=LEASE).start()
            await asyncio.Event().wait()

    asyncio.run(work())


@pytest.fixture
async def hire(
    db: Engine, database: dict[str, Any], cluster_home: Path
) -> AsyncIterator[Callable[..., Hand]]:
    """Begin a hand; all of them end with the test. They leave what they did in a table."""
    await execute("CREATE TABLE IF NOT EXISTS scratch_done (job bigint, token bigint, pid bigint)")
    await execute("TRUNCATE scratch_done")
    hands: list[Hand] = []

    def begin(**how: Any) -> Hand:
        hands.append(Hand(database, cluster_home, **how))
        return hands[-1]

    yield begin
    for hand in hands:
        hand.kill()
    await execute("DROP TABLE scratch_done")


async def until(sql: str, *values: object, seconds: float = 20) -> None:
    """Wait until the database says yes."""
    async with asyncio.timeout(seconds):
        while not await fetch_value(sql, *values):
            await fetch("SELECT pg_sleep(0.02)")


IS_DONE = "SELECT state = 'done' FROM job WHERE id = $1"
LEASE_IS_OVER = "SELECT leased_until < now() FROM job WHERE id = $1"


async def done(number: int) -> list[int]:
    """The claims under which a job has left its effect."""
    rows = await fetch("SELECT token FROM scratch_done WHERE job = $1 ORDER BY token", number)
    return [row["token"] for row in rows]


async def wakes_and_does_another(hand: Hand) -> None:
    """Let a stopped hand end what it had begun; then it is as good as new."""
    hand.open_gate()
    hand.wake()
    other = await enqueue("long", {})
    await until(IS_DONE, other)


@pytest.mark.parametrize("gate", ["computing", "keeping"])
async def test_job_of_a_killed_process_is_done_by_another_once(hire: Callable[..., Hand], gate: str) -> None:
    victim, number = hire(gate=gate), await enqueue("long", {})
    assert number
    await victim.inside()
    victim.kill()
    hire()
    await until(IS_DONE, number)
    assert await done(number) == [2]


@pytest.mark.parametrize("fenced", [True, False])
async def test_process_stopped_past_its_lease_cannot_keep_what_another_has_done(
    hire: Callable[..., Hand], fenced: bool
) -> None:
    """Without the claim's token it can: the proof that this test can fail."""
    victim, number = hire(gate="computing", fenced=fenced), await enqueue("long", {})
    assert number
    await victim.inside()
    victim.stop()
    other = hire()
    await until(IS_DONE, number)
    other.kill()
    await wakes_and_does_another(victim)
    if fenced:
        assert await done(number) == [2]
    else:
        await until("SELECT count(*) > 1 FROM scratch_done WHERE job = $1", number)
    assert await fetch_value(IS_DONE, number)


async def test_process_stopped_while_it_keeps_its_effect_is_waited_for(hire: Callable[..., Hand]) -> None:
    victim, number = hire(gate="keeping"), await enqueue("long", {})
    assert number
    await victim.inside()
    victim.stop()
    hire()
    await until(LEASE_IS_OVER, number)
    another = await enqueue("long", {})
    await until(IS_DONE, another)  # by the other one, which left the first job alone
    victim.open_gate()
    victim.wake()
    await until(IS_DONE, number)
    assert await done(number) == [1]


async def test_process_that_never_ends_its_transaction_is_cut_off_and_another_does_the_job(
    hire: Callable[..., Hand],
) -> None:
    victim, number = hire(gate="keeping", idle=1_000), await enqueue("long", {})
    assert number
    await victim.inside()
    victim.stop()
    other = hire()
    await until(IS_DONE, number)
    assert await done(number) == [2]
    other.kill()
    await wakes_and_does_another(victim)
    assert await done(number) == [2]


async def strike(
    hire: Callable[..., Hand], *, hands: int, tasks: int, chain: int, blows: int, seed: int
) -> None:
    """Let hands work on ``tasks`` long jobs and as many chains of short ones, and strike ``blows`` of them.

    A blow kills one, and another begins; or it stops one until somebody else has been given its jobs.
    """
    chance = random.Random(seed)
    for n in range(tasks):
        await enqueue("long", {"seconds": 0.02 * (n % 5)})
        await enqueue("short", {"left": chain - 1})
    crew = [hire() for _ in range(hands)]
    for _ in range(blows):
        await fetch("SELECT pg_sleep($1)", chance.uniform(0.05, 0.3))
        at = chance.randrange(hands)
        if chance.random() < 0.5:
            crew[at].kill()
            crew[at] = hire()
        else:
            crew[at].stop()
            await fetch("SELECT pg_sleep($1)", LEASE * chance.uniform(1.0, 2.5))
            crew[at].wake()
    await until(
        "SELECT count(*) = $1 FROM job WHERE state = 'done'", tasks * (1 + chain), seconds=60 + tasks * chain
    )
    assert await fetch_value("SELECT count(*) FROM job") == tasks * (1 + chain)
    rows = await fetch(
        "SELECT scratch_done.job, scratch_done.token = job.token AS is_last FROM scratch_done"
        " JOIN job ON job.id = scratch_done.job"
    )
    assert set(Counter(row["job"] for row in rows).values()) == {1}
    assert (len(rows), all(row["is_last"] for row in rows)) == (tasks * (1 + chain), True)


async def test_no_job_is_lost_and_none_counts_twice_while_processes_are_struck(
    hire: Callable[..., Hand],
) -> None:
    await strike(hire, hands=3, tasks=12, chain=3, blows=4, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(0)
async def test_no_job_is_lost_and_none_counts_twice_in_a_long_storm(hire: Callable[..., Hand]) -> None:
    blows = int(os.environ.get("SOAK_KILLS", "60"))
    await strike(hire, hands=4, tasks=20 * blows, chain=4, blows=blows, seed=random.randrange(10**6))

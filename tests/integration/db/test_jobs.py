"""Jobs: written with their cause, done once, also when workers die."""

import asyncio
from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from market.db import jobs
from market.db.jobs import MOST_ATTEMPTS, LostLease, Run, Worker, dead_jobs, enqueue, forget_finished, job
from market.db.session import Engine, execute, fetch, fetch_row, fetch_value, transaction


@pytest.fixture(autouse=True)
def handlers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """No handlers but the test's own."""
    own: dict[str, Any] = {}
    monkeypatch.setattr(jobs, "_handlers", own)
    return own


@pytest.fixture
async def effects(db: Engine) -> Any:
    """A table in which handlers leave what they did."""
    await execute("CREATE TABLE IF NOT EXISTS scratch_effect (by text)")
    await execute("TRUNCATE scratch_effect")
    yield None
    await execute("DROP TABLE scratch_effect")


async def done_by() -> list[str]:
    return [row["by"] for row in await fetch("SELECT by FROM scratch_effect ORDER BY by")]


async def states() -> list[str]:
    return [row["state"] for row in await fetch("SELECT state FROM job ORDER BY id")]


async def let_lease_run_out() -> None:
    """As if the worker had been silent for an hour."""
    await execute("UPDATE job SET leased_until = leased_until - interval '1 hour'")


class Greeting(msgspec.Struct):
    name: str


async def test_job_is_done_with_its_effect(effects: None) -> None:
    @job("greet")
    async def greet(run: Run) -> None:
        await execute("INSERT INTO scratch_effect VALUES ($1)", run.read(Greeting).name)

    await enqueue("greet", Greeting("东余"))
    assert await Worker().work_once() is True
    assert await Worker().work_once() is False
    assert (await done_by(), await states()) == (["东余"], ["done"])


async def test_job_is_written_only_if_its_cause_is(db: Engine) -> None:
    with pytest.raises(ZeroDivisionError):
        async with transaction():
            await enqueue("greet", {})
            raise ZeroDivisionError
    assert await states() == []


async def test_job_with_a_key_waits_once(db: Engine) -> None:
    @job("greet")
    async def greet(run: Run) -> None:
        assert await enqueue("greet", {}, key="k") is not None  # this one has begun: its inputs may be old

    first = await enqueue("greet", {}, key="k")
    assert first is not None
    assert await enqueue("greet", {}, key="k") is None
    assert await enqueue("greet", {}, key="other") is not None
    await Worker().work_once()
    assert await states() == ["done", "waiting", "waiting"]


async def test_job_for_later_waits_for_its_time(db: Engine) -> None:
    @job("greet")
    async def greet(run: Run) -> None: ...

    await enqueue("greet", {}, run_at=datetime.now(timezone.utc) + timedelta(hours=1))
    assert await Worker().work_once() is False
    await execute("UPDATE job SET run_at = now()")
    assert await Worker().work_once() is True


async def test_job_of_an_unknown_kind_is_left_to_others(db: Engine) -> None:
    await enqueue("elsewhere", {})
    assert await Worker().work_once() is False
    assert await states() == ["waiting"]


async def test_two_workers_never_take_the_same_job(db: Engine) -> None:
    @job("greet")
    async def greet(run: Run) -> None: ...

    for _ in range(8):
        await enqueue("greet", {})
    taken = await asyncio.gather(*(Worker().claim() for _ in range(8)))
    assert len({claimed.id for claimed in taken if claimed}) == 8
    assert await Worker().claim() is None


async def test_job_that_fails_is_tried_again_later_and_given_up_at_last(effects: None) -> None:
    @job("greet")
    async def greet(run: Run) -> None:
        await execute("INSERT INTO scratch_effect VALUES ('half')")
        raise ZeroDivisionError("no name")

    await enqueue("greet", {"name": "x"})
    waits = []
    for _ in range(MOST_ATTEMPTS):
        await execute("UPDATE job SET run_at = now()")
        assert await Worker().work_once() is True
        row = await fetch_row("SELECT trouble, round(extract(epoch FROM run_at - now())) AS wait FROM job")
        assert row is not None
        waits.append(int(row["wait"]))
        assert row["trouble"] == "ZeroDivisionError: no name"
    assert waits == [2, 4, 8, 16, 32, 64]
    assert (await states(), await done_by()) == (["dead"], [])
    assert [given_up.payload for given_up in await dead_jobs()] == [{"name": "x"}]
    await execute("UPDATE job SET run_at = now()")
    assert await Worker().work_once() is False


async def test_endless_job_is_never_given_up(db: Engine) -> None:
    @job("greet", endless=True)
    async def greet(run: Run) -> None:
        raise ZeroDivisionError("no name")

    await enqueue("greet", {})
    waits = []
    for _ in range(MOST_ATTEMPTS + 1):
        await execute("UPDATE job SET run_at = now()")
        assert await Worker().work_once() is True
        waits.append(int(await fetch_value("SELECT round(extract(epoch FROM run_at - now())) FROM job")))
        assert await states() == ["retrying"]
    assert waits == [2, 4, 8, 16, 32, 3_600, 2]


async def test_job_of_a_worker_that_died_is_done_by_another(effects: None) -> None:
    @job("greet")
    async def greet(run: Run) -> None:
        await execute("INSERT INTO scratch_effect VALUES ('second')")

    await enqueue("greet", {})
    assert await Worker().claim() is not None  # and never heard of again
    assert await Worker().work_once() is False
    await let_lease_run_out()
    assert await Worker().work_once() is True
    assert (await done_by(), await states()) == (["second"], ["done"])


async def test_worker_that_was_only_slow_cannot_keep_its_effect(effects: None) -> None:
    """The first is held up past its lease; the second does the job; then the first wakes."""
    order: list[str] = []

    @job("greet", long=True)
    async def greet(run: Run) -> None:
        if run.job.token == 1:
            await let_lease_run_out()
            assert await Worker().work_once() is True
        async with run.finishing():
            await execute("INSERT INTO scratch_effect VALUES ($1)", f"attempt {run.job.token}")
        order.append(f"attempt {run.job.token}")

    await enqueue("greet", {})
    await Worker().work_once()
    assert order == ["attempt 2"]
    assert (await done_by(), await states()) == (["attempt 2"], ["done"])


async def test_lost_lease_is_told_to_the_handler(db: Engine) -> None:
    @job("greet", long=True)
    async def greet(run: Run) -> None: ...

    await enqueue("greet", {})
    claimed = await Worker().claim()
    assert claimed is not None
    await let_lease_run_out()
    assert await Worker().claim() is not None
    with pytest.raises(LostLease):
        async with Run(claimed).finishing():
            pass


async def test_job_that_kills_every_worker_is_given_up(db: Engine) -> None:
    @job("greet")
    async def greet(run: Run) -> None:
        raise AssertionError("must not run again")

    await enqueue("greet", {})
    for _ in range(MOST_ATTEMPTS):
        assert await Worker().claim() is not None
        await let_lease_run_out()
    assert await Worker().work_once() is True
    assert await states() == ["dead"]
    assert await fetch_value("SELECT trouble FROM job") == "the lease ran out every time"


async def test_long_job_renews_its_lease_while_it_computes(db: Engine) -> None:
    worker = Worker(lease=100)

    @job("greet", long=True)
    async def greet(run: Run) -> None:
        await execute("UPDATE job SET leased_until = now() + interval '1 second'")
        await worker.renew(run.job)
        assert await fetch_value("SELECT leased_until > now() + interval '90 seconds' FROM job") is True

    await enqueue("greet", {})
    await worker.work_once()
    assert await states() == ["done"]


async def test_heart_beats_without_being_asked(db: Engine) -> None:
    worker = Worker(lease=0.06)
    beaten = asyncio.Event()
    renew = worker.renew

    async def renew_and_tell(claimed: jobs.Waiting) -> None:
        await renew(claimed)
        beaten.set()

    worker.renew = renew_and_tell  # type: ignore[method-assign]

    @job("greet", long=True)
    async def greet(run: Run) -> None:
        await asyncio.wait_for(beaten.wait(), 10)

    await enqueue("greet", {})
    await worker.work_once()
    assert await states() == ["done"]


async def test_started_worker_is_woken_by_a_commit(db: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "LONGEST_SLEEP", 3600.0)
    did = asyncio.Event()

    @job("greet")
    async def greet(run: Run) -> None:
        did.set()

    async with jobs.working(tasks=2) as worker:
        assert worker is not None
        await worker.listening.wait()
        await enqueue("greet", {})
        await asyncio.wait_for(did.wait(), 10)
    assert await states() == ["done"]


async def test_worker_hands_an_unfinished_job_back_when_it_stops(
    db: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "GRACE", 0.01)
    begun = asyncio.Event()

    @job("greet", long=True)
    async def greet(run: Run) -> None:
        begun.set()
        await asyncio.Event().wait()

    await enqueue("greet", {})
    async with jobs.working(tasks=1):
        await asyncio.wait_for(begun.wait(), 10)
    row = await fetch_row("SELECT state, attempts, leased_until, run_at <= now() AS due FROM job")
    assert row is not None
    assert tuple(row.values()) == ("retrying", 0, None, True)


async def test_no_worker_where_none_is_wanted(db: Engine) -> None:
    async with jobs.working(tasks=0) as worker:
        assert worker is None


async def test_done_jobs_are_forgotten_after_a_week_and_dead_ones_kept(db: Engine) -> None:
    for state, days in (("done", 8), ("done", 6), ("dead", 8)):
        await execute(
            "INSERT INTO job (kind, payload, state, run_at, enqueued_at, finished_at)"
            " VALUES ('greet', '{}', $1, now(), now(), now() - $2 * interval '1 day')",
            state,
            days,
        )
    await forget_finished()
    assert await states() == ["done", "dead"]


def test_two_handlers_of_one_kind_are_refused() -> None:
    @job("greet")
    async def one(run: Run) -> None: ...

    with pytest.raises(ValueError, match="two handlers"):

        @job("greet")
        async def two(run: Run) -> None: ...

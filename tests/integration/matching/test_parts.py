"""A run in parts: several worker processes, one killed, a market that moves; always the same result."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest

import market as program
from fixtures.factories import Factory, Member
from fixtures.markets import Shape
from fixtures.stored import store_market
from market import settings as chosen
from market.db.jobs import Worker
from market.db.session import execute, fetch, fetch_value
from market.matching.operations import request_run, run_now
from market.matching.queries import inputs_of, run_of
from market.matching.run_jobs import MOST_READINGS, MOST_TRIES

ROOT = Path(__file__).parents[3]
#: 1,000 x 1,000 in 20 products has some 62,000 possible pairs.
SMALL_PARTS = "2500"
MARKET = Shape(lots=500, demands=500, products=20)
TOWN_SIZED = Shape(lots=40, demands=40, products=3, min_orders=True, max_lots=True)
#: The same without limits, which take their time: for what does not depend on the result.
QUICK = Shape(lots=40, demands=40, products=3)


def now() -> datetime:
    return datetime.now(timezone.utc)


@pytest.fixture
async def town(factory: Factory) -> Member:
    return await factory.member(role="official")


@pytest.fixture
def parted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Let runs be cut into parts of so many pairs, here and in the processes that we start."""

    def set_to(pairs: str) -> None:
        monkeypatch.setenv("MARKET_RUN_PART_PAIRS", pairs)
        chosen.settings.cache_clear()

    yield set_to
    monkeypatch.undo()
    chosen.settings.cache_clear()


@pytest.fixture
async def workers(database: dict[str, Any]) -> AsyncIterator[Callable[[int], list[subprocess.Popen[str]]]]:
    """Start ``market worker`` processes on the test's database; they end with the test."""
    started: list[subprocess.Popen[str]] = []
    environment = {
        **os.environ,
        "DATABASE_URL": (
            f"postgresql://{database['user']}@/{database['database']}"
            f"?host={database['host']}&port={database['port']}"
        ),
        "LANG": "C",
    }

    def start(number: int) -> list[subprocess.Popen[str]]:
        new = [
            subprocess.Popen(
                [sys.executable, "-P", "-m", "market", "worker", "--tasks", "1", "--jobs", "matching"],
                env={**environment, "MARKET_RUN_PART_PAIRS": os.environ["MARKET_RUN_PART_PAIRS"]},
                cwd=ROOT,
                text=True,
                stdout=subprocess.PIPE,
            )
            for _ in range(number)
        ]
        started.extend(new)
        return new

    yield start
    for process in started:
        if process.poll() is None:
            process.terminate()
            process.wait(60)
        if process.stdout:
            process.stdout.close()


async def until(sql: str, *values: object) -> Any:
    """Look until ``sql`` gives something true, and return it."""
    async with asyncio.timeout(240):
        while not (found := await fetch_value(sql, *values)):  # noqa: ASYNC110  others' doing sets no event
            await asyncio.sleep(0.05)
    return found


async def finished(run_id: int) -> str:
    return str(await until("SELECT state FROM run WHERE id = $1 AND state IN ('done', 'failed')", run_id))


async def everything(run_id: int) -> dict[str, Any]:
    """Return all that a run found, without its number and how long it took."""
    found: dict[str, Any] = {}
    for table, order in (
        ("match", "listing, demand"),
        ("diagnosis", "listing, rank"),
        ("demand_diagnosis", "demand, rank"),
    ):
        rows = await fetch(f"SELECT * FROM {table} WHERE run = $1 ORDER BY {order}", run_id)
        left_out = {"id", "run", "state", "created_at", "expires_at"}
        found[table] = [{name: value for name, value in row.items() if name not in left_out} for row in rows]
    (row,) = await fetch("SELECT certificate, gains, worth, inputs_hash FROM run WHERE id = $1", run_id)
    certificate = msgspec.json.decode(row["certificate"])
    del certificate["seconds"], certificate["peak_memory_mib"]
    found["certificate"] = certificate
    found["gains"] = msgspec.json.decode(row["gains"])
    found["worth"], found["inputs_hash"] = row["worth"], row["inputs_hash"]
    return found


async def alone(town: Member) -> dict[str, Any]:
    """Return what a run in one process finds on the same market."""
    return await everything(await run_now(town_id=town.organisation_id, actor=town.actor, at=now()))


async def jobs_done(kind: str) -> list[str]:
    rows = await fetch("SELECT worker FROM job WHERE kind = $1 AND state = 'done' ORDER BY id", kind)
    return [row["worker"] for row in rows]


async def left_over() -> tuple[int, ...]:
    return tuple(
        [await fetch_value(f"SELECT count(*) FROM {table}") for table in ("run_part", "run_cleared")]
    )


async def work(number: int) -> None:
    """Work on so many jobs; there must be so many."""
    for _ in range(number):
        assert await Worker().work_once() is True


async def parts_of(run_id: int) -> int:
    return int(await fetch_value("SELECT count(*) FROM run_part WHERE run = $1", run_id))


async def test_several_worker_processes_find_what_one_finds(
    town: Member,
    parted: Callable[[str], None],
    workers: Callable[[int], list[subprocess.Popen[str]]],
) -> None:
    await store_market(MARKET, town_id=town.organisation_id, begins=now().date(), at=now())
    parted(SMALL_PARTS)
    run_id = await request_run(town_id=town.organisation_id, actor=town.actor, at=now())
    workers(2)
    assert await finished(run_id) == "done"
    by = await jobs_done("matching.part")
    assert len(by) >= 5
    assert len(set(by)) >= 2
    assert len(await jobs_done("matching.assemble")) == 1
    together = await everything(run_id)
    assert len(together["match"]) > 120
    assert together == await alone(town)
    assert await left_over() == (0, 0)
    inputs = await inputs_of(run_id=run_id, town_id=town.organisation_id)
    assert (len(inputs.lots), len(inputs.demands)) == (500, 500)


async def test_part_of_a_worker_that_is_killed_is_done_by_another(
    town: Member,
    parted: Callable[[str], None],
    workers: Callable[[int], list[subprocess.Popen[str]]],
) -> None:
    await store_market(MARKET, town_id=town.organisation_id, begins=now().date(), at=now())
    parted(SMALL_PARTS)
    run_id = await request_run(town_id=town.organisation_id, actor=town.actor, at=now())
    (victim,) = workers(1)
    name = await until(
        "SELECT worker FROM job WHERE kind = 'matching.part' AND state = 'running' AND EXISTS"
        " (SELECT FROM job WHERE kind = 'matching.part' AND state = 'done')"
    )
    assert name.endswith(f":{victim.pid}")
    victim.kill()
    victim.wait()
    (held,) = await fetch("SELECT id, token FROM job WHERE state = 'running'")
    (heir,) = workers(1)
    # as if its lease had run out: nobody renews it any more
    await execute(
        "UPDATE job SET leased_until = now() WHERE id = $1 AND token = $2", held["id"], held["token"]
    )
    assert await finished(run_id) == "done"
    (taken,) = await fetch("SELECT state, token, attempts, worker FROM job WHERE id = $1", held["id"])
    assert (taken["state"], taken["token"], taken["attempts"]) == ("done", held["token"] + 1, 2)
    assert taken["worker"].endswith(f":{heir.pid}")
    assert await everything(run_id) == await alone(town)


async def test_only_products_that_have_moved_are_cleared_again(
    town: Member, parted: Callable[[str], None]
) -> None:
    await store_market(TOWN_SIZED, town_id=town.organisation_id, begins=now().date(), at=now())
    parted("1")
    run_id = await request_run(town_id=town.organisation_id, actor=town.actor, at=now())
    await work(1)
    assert await parts_of(run_id) == 3
    await work(3)
    before = {row["fingerprint"] for row in await fetch("SELECT fingerprint FROM run_cleared")}
    # one price changes and one lot goes, of two products, before the parts are put together
    changed, gone = [
        row["id"]
        for row in await fetch(
            """SELECT DISTINCT ON (lot.produce) listing.id FROM listing JOIN lot ON lot.id = listing.lot
               ORDER BY lot.produce, listing.id LIMIT 2"""
        )
    ]
    await execute("UPDATE listing SET ask = ask + 1 WHERE id = $1", changed)
    await execute("UPDATE listing SET state = 'withdrawn' WHERE id = $1", gone)
    await work(1)
    assert await fetch_value("SELECT reading FROM run_input") == 2
    assert await parts_of(run_id) == 2
    progress = (await run_of(run_id=run_id, town_id=town.organisation_id)).progress
    assert progress is not None
    assert (progress.done, progress.whole) == (1, 3)
    await work(2)
    after = {row["fingerprint"] for row in await fetch("SELECT fingerprint FROM run_cleared")}
    assert (len(after), len(before & after)) == (3, 1)
    await work(1)
    assert await Worker().work_once() is False
    assert await finished(run_id) == "done"
    assert await everything(run_id) == await alone(town)


async def test_market_that_never_holds_still_is_given_up_with_a_word(
    town: Member, parted: Callable[[str], None]
) -> None:
    await store_market(QUICK, town_id=town.organisation_id, begins=now().date(), at=now())
    parted("1")
    run_id = await request_run(town_id=town.organisation_id, actor=town.actor, at=now())
    await work(4)
    await execute("UPDATE run_input SET reading = $1", MOST_READINGS)
    await execute(
        "UPDATE job SET payload = payload || jsonb_build_object('reading', $1::int) WHERE state = 'waiting'",
        MOST_READINGS,
    )
    await execute("UPDATE listing SET ask = ask + 1")
    await work(1)
    run = await run_of(run_id=run_id, town_id=town.organisation_id)
    assert (run.state, str(run.error)) == ("failed", "市场变动太快，这次撮合没有保存，请稍后再试。")
    assert await fetch_value("SELECT count(*) FROM run_input") == 0
    assert await left_over() == (0, 0)


async def test_progress_counts_products(town: Member, parted: Callable[[str], None]) -> None:
    await store_market(QUICK, town_id=town.organisation_id, begins=now().date(), at=now())
    parted("1")
    run_id = await request_run(town_id=town.organisation_id, actor=town.actor, at=now())
    seen = []
    for _ in range(4):
        await work(1)
        progress = (await run_of(run_id=run_id, town_id=town.organisation_id)).progress
        assert progress is not None
        seen.append((progress.done, progress.whole))
    assert seen == [(done, 3) for done in range(4)]


async def test_part_that_fails_fails_the_run_and_the_other_parts_stop(
    town: Member, parted: Callable[[str], None]
) -> None:
    """As when the hosts' programs differ."""
    await store_market(QUICK, town_id=town.organisation_id, begins=now().date(), at=now())
    parted("1")
    run_id = await request_run(town_id=town.organisation_id, actor=town.actor, at=now())
    await work(1)
    await execute("UPDATE run_input SET version = '0.0.0'")
    await work(1)
    run = await run_of(run_id=run_id, town_id=town.organisation_id)
    assert (run.state, str(run.error)) == (
        "failed",
        f"另一个工作进程存下的结果对不上（0.0.0 ≠ {program.__version__}）。"
        "请让所有主机用同一版本的程序，再撮合一次。",
    )
    await work(2)
    assert await Worker().work_once() is False
    assert await fetch_value("SELECT count(*) FROM match") == 0
    await request_run(town_id=town.organisation_id, actor=town.actor, at=now())


async def test_part_that_ends_its_workers_again_and_again_fails_the_run(
    town: Member, parted: Callable[[str], None]
) -> None:
    await store_market(QUICK, town_id=town.organisation_id, begins=now().date(), at=now())
    parted("1")
    run_id = await request_run(town_id=town.organisation_id, actor=town.actor, at=now())
    await work(1)
    await execute("UPDATE job SET attempts = $1 WHERE kind = 'matching.part'", MOST_TRIES)
    await work(1)
    run = await run_of(run_id=run_id, town_id=town.organisation_id)
    assert (run.state, str(run.error)) == (
        "failed",
        "计算一再中断（可能是内存不够，或数据库太忙），这次撮合没有完成。请联系管理员。",
    )


async def test_stored_result_of_another_market_is_refused(
    town: Member, parted: Callable[[str], None]
) -> None:
    await store_market(QUICK, town_id=town.organisation_id, begins=now().date(), at=now())
    parted("1")
    run_id = await request_run(town_id=town.organisation_id, actor=town.actor, at=now())
    await work(4)
    await execute("UPDATE run_cleared SET result = (SELECT result FROM run_cleared ORDER BY id LIMIT 1)")
    await work(1)
    run = await run_of(run_id=run_id, town_id=town.organisation_id)
    assert run.state == "failed"
    assert str(run.error).startswith("另一个工作进程存下的结果对不上（")


async def test_small_market_is_one_job(town: Member) -> None:
    await store_market(TOWN_SIZED, town_id=town.organisation_id, begins=now().date(), at=now())
    run_id = await request_run(town_id=town.organisation_id, actor=town.actor, at=now())
    await work(1)
    assert await Worker().work_once() is False
    assert await finished(run_id) == "done"
    assert await everything(run_id) == await alone(town)

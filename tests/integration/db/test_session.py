"""Transactions, savepoints, limits, and rows into Structs."""

import asyncio
from datetime import date
from decimal import Decimal

import asyncpg
import msgspec
import pytest

from market.db.session import (
    DB,
    Engine,
    connection,
    execute,
    fetch,
    fetch_into,
    fetch_one_into,
    fetch_row,
    fetch_value,
    transaction,
)
from market.db.tables import Job
from market.errors import Busy, Conflict
from market.i18n import Message, msg
from market.settings import settings


async def enqueue_bare(kind: str) -> None:
    await execute(
        "INSERT INTO job (kind, payload, state, run_at, enqueued_at)"
        " VALUES ($1, '{}', 'waiting', now(), now())",
        kind,
    )


async def kinds() -> list[str]:
    return [row["kind"] for row in await fetch("SELECT kind FROM job ORDER BY kind")]


def free(engine: Engine) -> int:
    """How many connections nobody holds."""
    assert engine.pool is not None
    return engine.pool.get_idle_size()


async def test_transaction_keeps_what_is_written_in_it(db: Engine) -> None:
    async with transaction():
        await enqueue_bare("a")
        await enqueue_bare("b")
    assert await kinds() == ["a", "b"]


async def test_transaction_undoes_everything_on_an_error(db: Engine) -> None:
    with pytest.raises(ZeroDivisionError):
        async with transaction():
            await enqueue_bare("a")
            raise ZeroDivisionError
    assert await kinds() == []


async def test_transaction_inside_another_undoes_only_itself(db: Engine) -> None:
    async with transaction():
        await enqueue_bare("outer")
        with pytest.raises(ZeroDivisionError):
            async with transaction():
                await enqueue_bare("inner")
                raise ZeroDivisionError
        await enqueue_bare("after")
    assert await kinds() == ["after", "outer"]


async def test_transaction_inside_another_survives_a_refused_statement(db: Engine) -> None:
    async with transaction():
        await enqueue_bare("outer")
        with pytest.raises(asyncpg.CheckViolationError):
            async with transaction():
                await execute("UPDATE job SET state = 'nonsense'")
        assert await kinds() == ["outer"]


async def test_transaction_inside_another_goes_with_the_outer(db: Engine) -> None:
    with pytest.raises(ZeroDivisionError):
        async with transaction():
            async with transaction():
                await enqueue_bare("inner")
            raise ZeroDivisionError
    assert await kinds() == []


async def test_piccolo_queries_are_part_of_the_transaction(db: Engine) -> None:
    with pytest.raises(ZeroDivisionError):
        async with transaction():
            await enqueue_bare("ours")
            assert await Job.count().where(Job.kind == "ours") == 1
            await Job.update({Job.kind: "theirs"}, force=True)
            raise ZeroDivisionError
    assert await Job.count() == 0


async def test_piccolo_own_transaction_inside_ours_is_a_savepoint(db: Engine) -> None:
    async with transaction():
        await enqueue_bare("ours")
        with pytest.raises(ZeroDivisionError):
            async with DB.transaction():
                await Job.delete(force=True)
                raise ZeroDivisionError
    assert await kinds() == ["ours"]


@pytest.fixture
async def pair(db: Engine) -> None:
    """A constraint that is checked at COMMIT: the way in which a COMMIT fails."""
    await execute("DROP TABLE IF EXISTS scratch_pair")
    await execute("CREATE TABLE scratch_pair (one int UNIQUE DEFERRABLE INITIALLY DEFERRED)")


async def test_commit_that_fails_gives_the_connection_back(db: Engine, pair: None) -> None:
    assert db.pool is not None
    for _ in range(db.pool.get_max_size() + 1):
        with pytest.raises(asyncpg.UniqueViolationError):
            async with transaction():
                await execute("INSERT INTO scratch_pair VALUES (1), (1)")
    assert free(db) == db.pool.get_size()
    assert await fetch_value("SELECT count(*) FROM scratch_pair") == 0
    await execute("DROP TABLE scratch_pair")


async def test_transaction_whose_connection_is_cut_gives_it_back(db: Engine) -> None:
    assert db.pool is not None
    with pytest.raises(Busy):
        async with transaction():
            own = await fetch_value("SELECT pg_backend_pid()")
            async with asyncio.TaskGroup() as aside:
                aside.create_task(cut(own))
            await fetch("SELECT 1")
    assert await fetch_value("SELECT 1") == 1
    assert free(db) == db.pool.get_size()


async def cut(backend: int) -> None:
    other = await DB.get_new_connection()
    await other.fetchval("SELECT pg_terminate_backend($1, 3000)", backend)
    await other.close()


async def test_error_is_not_hidden_by_a_rollback_that_cannot_be_said(db: Engine) -> None:
    with pytest.raises(Conflict):
        async with transaction() as own:
            # as where the server says goodbye while a COPY begins: something is still under way
            asking = asyncio.create_task(own.connection.fetch("SELECT pg_sleep(20)"))
            await asyncio.sleep(0)
            raise Conflict(msg("这份合同还没有生效。"))
    with pytest.raises(asyncpg.ConnectionDoesNotExistError):
        await asking
    assert await fetch_value("SELECT 1") == 1


async def test_transaction_does_not_leak_into_another_task(db: Engine) -> None:
    async with transaction():
        with pytest.raises(RuntimeError, match="stays in the task"):
            await asyncio.gather(fetch("SELECT 1"))
        with pytest.raises(RuntimeError, match="stays in the task"):
            await asyncio.gather(Job.count().run())
        assert await fetch_value("SELECT 1") == 1


async def test_cancelled_transaction_keeps_nothing_and_gives_its_connection_back(db: Engine) -> None:
    begun = asyncio.Event()

    async def hang() -> None:
        async with transaction():
            await enqueue_bare("a")
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hang())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert db.pool is not None
    assert free(db) == db.pool.get_size()
    assert await kinds() == []


async def test_wait_for_a_lock_ends_as_busy(db: Engine) -> None:
    await enqueue_bare("a")
    other = await DB.get_new_connection()
    try:
        async with other.transaction():
            await other.fetch("SELECT * FROM job FOR UPDATE")
            with pytest.raises(Busy) as caught:
                async with transaction(lock_timeout=10):
                    await execute("UPDATE job SET kind = 'b'")
    finally:
        await other.close()
    assert caught.value.retry_after == 2
    assert await kinds() == ["a"]


async def test_statement_that_runs_too_long_ends_as_busy(db: Engine) -> None:
    with pytest.raises(Busy):
        async with transaction(statement_timeout=10):
            await fetch("SELECT pg_sleep(5)")


async def test_limits_of_one_transaction_do_not_outlive_it(db: Engine) -> None:
    async with transaction(statement_timeout=0, lock_timeout=7):
        assert await fetch_value("SHOW lock_timeout") == "7ms"
        assert await fetch_value("SHOW statement_timeout") == "0"
    for _ in range(20):
        row = await fetch_row(
            "SELECT current_setting('lock_timeout') AS lock,"
            " current_setting('statement_timeout') AS statement,"
            " current_setting('idle_in_transaction_session_timeout') AS idle"
        )
        assert row is not None
        assert tuple(row.values()) == ("3s", "10s", "15s")


async def test_every_connection_in_use_ends_as_busy(db: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert db.pool is not None
    held = [await db.acquire() for _ in range(db.pool.get_max_size())]
    monkeypatch.setattr(db, "_wait", 0.01)
    try:
        with pytest.raises(Busy):
            await fetch("SELECT 1")
        with pytest.raises(Busy):
            await Job.count()
        with pytest.raises(Busy):
            async with transaction():
                pass
    finally:
        for one in held:
            await db.release(one)


async def test_serialization_failure_ends_as_busy(db: Engine) -> None:
    await enqueue_bare("a")
    other = await DB.get_new_connection()
    try:
        with pytest.raises(Busy):
            async with transaction(isolation="repeatable_read"):
                await fetch("SELECT * FROM job")
                await other.execute("UPDATE job SET kind = 'b'")
                await execute("UPDATE job SET kind = 'c'")
    finally:
        await other.close()
    assert await kinds() == ["b"]


async def test_readonly_transaction_refuses_a_write(db: Engine) -> None:
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        async with transaction(readonly=True):
            await enqueue_bare("a")


async def test_limits_of_an_inner_transaction_are_refused(db: Engine) -> None:
    async with transaction():
        with pytest.raises(RuntimeError, match="outermost"):
            transaction(lock_timeout=1)


async def test_connection_copies_inside_the_transaction(db: Engine) -> None:
    await execute("CREATE TABLE scratch_copy (one int)")
    with pytest.raises(ZeroDivisionError):
        async with transaction():
            async with connection() as own:
                await own.copy_records_to_table("scratch_copy", records=[(n,) for n in range(1000)])
            assert await fetch_value("SELECT count(*) FROM scratch_copy") == 1000
            raise ZeroDivisionError
    assert await fetch_value("SELECT count(*) FROM scratch_copy") == 0
    await execute("DROP TABLE scratch_copy")


class Seen(msgspec.Struct, frozen=True):
    whole: int
    exact: Decimal
    day: date
    title: Message
    names: list[str]
    note: str | None = None


async def test_fetch_into_reads_sums_json_arrays_and_nulls(db: Engine) -> None:
    sql = (
        "SELECT sum(n) AS whole, 1.50::numeric AS exact, date '2024-10-01' AS day, $1::jsonb AS title,"
        " ARRAY['花生', '地瓜'] AS names, NULL::text AS note FROM generate_series(1, 3) n"
    )
    title = msg("{n} 吨", n=3)
    expected = Seen(
        whole=6, exact=Decimal("1.50"), day=date(2024, 10, 1), title=title, names=["花生", "地瓜"]
    )
    stored = msgspec.json.encode(title).decode()
    assert await fetch_into(Seen, sql, stored) == [expected]
    assert await fetch_one_into(Seen, sql, stored) == expected
    assert await fetch_one_into(Seen, f"{sql} HAVING false", stored) is None


async def test_fetch_into_refuses_a_fraction_where_a_whole_number_belongs(db: Engine) -> None:
    class Whole(msgspec.Struct):
        n: int

    with pytest.raises(msgspec.ValidationError):
        await fetch_into(Whole, "SELECT 1.5::numeric AS n")


async def test_application_is_no_superuser(db: Engine) -> None:
    assert await fetch_value("SELECT usesuper FROM pg_user WHERE usename = current_user") is False
    assert settings().database_url == ""

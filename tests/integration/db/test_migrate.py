"""The whole schema from nothing, again without effect, and by several processes at once."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from market.db.columns import UNCHECKED
from market.db.embedded import Server
from market.db.migrate import migrate_forwards, status
from market.db.piccolo_app import APP_CONFIG
from market.db.programs import NoDatabase
from market.db.session import DB, Engine, execute, fetch, fetch_value, started_pool
from tests.databases import create_database, limits

FOLDER = APP_CONFIG.migrations_folder_path


@pytest.fixture
async def bare(server: Server, worker_id: str) -> dict[str, Any]:
    """The address of a database without a schema."""
    return await create_database(server, f"bare_{worker_id}", template="template1")


@pytest.fixture
async def empty(bare: dict[str, Any], cluster_home: Path) -> AsyncIterator[Engine]:
    """A pool on a database without a schema, beside the session's own."""
    pool, config = DB.pool, DB.config
    DB.pool = None
    async with started_pool(limits(cluster_home), address=bare) as engine:
        yield engine
    DB.pool, DB.config = pool, config


async def schema() -> list[tuple[Any, ...]]:
    """Return every column, constraint and index, as PostgreSQL names them."""
    columns = await fetch(
        "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns"
        " WHERE table_schema = 'public' ORDER BY 1, 2"
    )
    constraints = await fetch(
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2"
    )
    indexes = await fetch(
        "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2"
    )
    return [tuple(row.values()) for row in (*columns, *constraints, *indexes)]


async def test_migrations_build_every_table_and_again_do_nothing(empty: Engine) -> None:
    before = await status()
    assert (before.applied, len(before.waiting) > 0) == ([], True)
    assert await migrate_forwards() == before.waiting
    built = await schema()
    tables = {
        row["tablename"] for row in await fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    }
    assert tables == {table._meta.tablename for table in APP_CONFIG.table_classes} | {"migration"}
    assert await migrate_forwards() == []
    assert await schema() == built
    after = await status()
    assert (after.applied, after.waiting) == (before.waiting, [])


async def test_migrations_leave_every_column_as_the_tables_say(empty: Engine) -> None:
    """What ``piccolo migrations new --auto`` would find to do: nothing."""
    await migrate_forwards()
    found = {
        (row["table_name"], row["column_name"]): row["is_nullable"] == "YES"
        for row in await fetch(
            "SELECT table_name, column_name, is_nullable FROM information_schema.columns"
            " WHERE table_schema = 'public'"
        )
    }
    declared = {
        (table._meta.tablename, column._meta.db_column_name): column._meta.null
        for table in APP_CONFIG.table_classes
        for column in table._meta.columns
    }
    assert {place: found.get(place) for place in declared} == declared
    held = {
        (row["name"], row["column"])
        for row in await fetch(
            """SELECT conrelid::regclass::text AS name, attname AS column FROM pg_constraint
               JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]
               WHERE contype = 'f' AND cardinality(conkey) = 1"""
        )
    }
    references = {
        (table._meta.tablename, column._meta.db_column_name): column._meta.help_text != UNCHECKED
        for table in APP_CONFIG.table_classes
        for column in table._meta.foreign_key_columns
    }
    assert {place for place, checked in references.items() if checked} == held
    assert {table for (table, _), checked in references.items() if not checked} == {
        *("audit_record", "notice", "replay", "stock_entry")
    }


async def test_migrations_of_three_processes_at_once_run_once(bare: dict[str, Any]) -> None:
    url = f"postgresql://{bare['user']}@/{bare['database']}?host={bare['host']}&port={bare['port']}"
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "market", "db", "up"),
            env={**os.environ, "DATABASE_URL": url, "LC_ALL": "C"},
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(3)
    ]
    told = [(await process.communicate())[0].decode() for process in processes]
    everything = len([name for name in os.listdir(FOLDER) if name.endswith(".py") and name != "__init__.py"])
    assert sorted(told) == sorted(f"已执行 {count} 个迁移。\n" for count in (0, 0, everything))
    assert [process.returncode for process in processes] == [0, 0, 0]


async def test_migration_that_fails_leaves_nothing_behind(empty: Engine) -> None:
    await execute("CREATE TABLE job (n int)")
    with pytest.raises(NoDatabase, match="数据库结构没有升级成，保持原样"):
        await migrate_forwards()
    assert await fetch_value("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 1

"""Databases for tests: one cluster per test session, made from templates that are filled once."""

import asyncio
import fcntl
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg

from market.db.cluster import SUPERUSER
from market.db.embedded import Server
from market.db.migrate import migrate_forwards
from market.db.rights import SERVING
from market.db.session import started_pool
from market.settings import Settings

#: Nothing of a test's cluster must survive a power cut.
FAST = ("-F", "-c synchronous_commit=off", "-c full_page_writes=off", "-c max_connections=200")

#: The database with the migrated, empty schema.
EMPTY = "template_empty"


def limits(home: Path) -> Settings:
    """Return settings as an installation has them, whatever the environment of the tests says."""
    return Settings(data_dir=home)


@asynccontextmanager
async def as_superuser(server: Server, database: str = "postgres") -> AsyncIterator[asyncpg.Connection]:
    """Connect past every right and trigger."""
    connection = await asyncpg.connect(**{**server.address, "user": SUPERUSER, "database": database})
    try:
        yield connection
    finally:
        await connection.close()


def address_of(server: Server, database: str) -> dict[str, Any]:
    """Return asyncpg's arguments for ``database``."""
    return {**server.address, "database": database}


async def create_database(server: Server, name: str, *, template: str) -> dict[str, Any]:
    """Make database ``name`` anew as a copy of ``template`` and return its address."""
    async with as_superuser(server) as connection:
        await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" OWNER tiantou')
    return address_of(server, name)


async def ensure_template(
    server: Server, home: Path, name: str, *, template: str, fill: Callable[[], Awaitable[object]]
) -> str:
    """Make the template ``name`` unless another worker has; ``fill`` runs with its pool started."""
    with (home / f"{name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # asked of the file itself: the position is that of the opening, before another worker was done
        if os.fstat(lock.fileno()).st_size == 0:
            address = await create_database(server, name, template=template)
            async with started_pool(limits(home), address=address):
                await fill()
            lock.write(f"{os.getpid()}\n")
    return name


async def ensure_empty_template(server: Server, home: Path) -> str:
    """Make the template with the migrated, empty schema."""
    return await ensure_template(server, home, EMPTY, template="template1", fill=migrate_forwards)


def environment(database: dict[str, Any], home: Path) -> dict[str, str]:
    """Return what a process of its own finds: the database, served as an installation should be."""
    url = "postgresql://{user}@/{database}?host={host}&port={port}"
    return {
        **os.environ,
        # as an installation should be: whoever serves owns no table
        "DATABASE_URL": url.format(**{**database, "user": SERVING}),
        "MARKET_OWNER_URL": url.format(**database),
        "MARKET_DATA_DIR": str(home),
        "MARKET_SECRET_KEY": "the key of the browser tests",
        "PYTHONUNBUFFERED": "1",
    }


async def demo_template(server: Server, home: Path, stage: str) -> str:
    """Fill a template with the demonstration up to ``stage``, unless another worker has.

    The command line fills it: the pool of this process may be at work on another database.
    """
    name = f"template_demo_{stage}"
    empty = await ensure_empty_template(server, home)
    with (home / f"{name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.fstat(lock.fileno()).st_size == 0:
            database = await create_database(server, name, template=empty)
            await asyncio.to_thread(
                subprocess.run,
                [sys.executable, "-m", "market", "demo", "load", "--stage", stage],
                env=environment(database, home),
                stdout=subprocess.DEVNULL,
                check=True,
            )
            lock.write(f"{os.getpid()}\n")
    return name


async def tables_to_clean(admin: asyncpg.Connection) -> list[str]:
    """Return every table but the record of migrations; a migration must not bring rows along."""
    names = [
        row["tablename"]
        for row in await admin.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        if row["tablename"] != "migration"
    ]
    assert await tables_with_rows(admin, names) == []
    return names


async def tables_with_rows(admin: asyncpg.Connection, names: list[str]) -> list[str]:
    """Return those of ``names`` that are not empty."""
    if not names:
        return []
    each = " UNION ALL ".join(
        f"SELECT '{name}' AS name WHERE EXISTS (SELECT FROM \"{name}\")" for name in names
    )
    return [row["name"] for row in await admin.fetch(each)]


async def prepare_cleaning(admin: asyncpg.Connection) -> None:
    """Make ``admin`` one that cleans: it passes the triggers that forbid it, and knows how.

    To truncate takes a new file for each table and index, some 10 ms a table: rows are deleted while they
    fill no more than one page. Larger tables are truncated, so that rows lie in the order in which they
    came, as they do in new tables.
    """
    names = await tables_to_clean(admin)
    sequences = await admin.fetch(
        "SELECT sequencename AS name, start_value FROM pg_sequences WHERE schemaname = 'public'"
    )
    # every statement stands there by itself: the session keeps its plan
    tables = "".join(
        f"""
        CASE WHEN pg_relation_size('"{name}"') > current_setting('block_size')::int
             THEN large := large || '"{name}"'::text;
             WHEN pg_relation_size('"{name}"') > 0 THEN DELETE FROM "{name}";
             ELSE NULL;
        END CASE;"""
        for name in names
    )
    numbers = "".join(
        f"""
        IF (SELECT is_called FROM "{row["name"]}") THEN
            PERFORM setval('"{row["name"]}"', {row["start_value"]}, false);
        END IF;"""
        for row in sequences
    )
    listed = ", ".join(f'"{name}"' for name in names)
    await admin.execute(
        f"""SET session_replication_role = replica;
        SET lock_timeout = '5s';
        CREATE FUNCTION pg_temp.clean() RETURNS void LANGUAGE plpgsql AS $$
        DECLARE large text[] := '{{}}';
        BEGIN
        -- a test that left a transaction open is found here
        LOCK TABLE {listed} IN ACCESS EXCLUSIVE MODE;{tables}
        IF large <> '{{}}' THEN
            EXECUTE 'TRUNCATE ' || array_to_string(large, ', ') || ' CASCADE';
        END IF;{numbers}
        END $$"""
    )


async def clean(admin: asyncpg.Connection) -> None:
    """Empty all tables and begin all numbers anew; ``admin`` comes from :func:`prepare_cleaning`."""
    await admin.execute("SELECT pg_temp.clean()")

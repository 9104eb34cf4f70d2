"""The role that serves may add to history and read it, and nothing else."""

import re
from pathlib import Path
from typing import Any

import asyncpg
import pytest

import market
from market.db.embedded import Server
from market.db.migrate import migrate_forwards
from market.db.rights import SERVING, append_only_tables
from market.db.session import Engine, fetch_value, started_pool
from tests import databases
from tests.integration.audit.test_tampering import ledger as ledger


@pytest.fixture
async def served(server: Server, database: dict[str, Any], ledger: asyncpg.Connection) -> Any:
    connection = await asyncpg.connect(**{**server.serving_address, "database": database["database"]})
    yield connection
    await connection.close()


async def test_serving_role_adds_and_reads_the_record_and_can_do_no_more(served: asyncpg.Connection) -> None:
    assert await served.fetchval("SELECT current_user") == SERVING
    count = await served.fetchval("SELECT count(*) FROM audit_record")
    await served.execute(
        """INSERT INTO audit_record (subject, position, action, at, details, previous_hash, hash)
           VALUES ('x:1', 1, 'make', now(), '{}', '', '')"""
    )
    assert await served.fetchval("SELECT count(*) FROM audit_record") == count + 1
    # PostgreSQL only warns of this one
    await served.execute("GRANT UPDATE, DELETE ON audit_record TO tiantou_app")
    for statement in (
        "UPDATE audit_record SET action = 'x'",
        "DELETE FROM audit_record",
        "TRUNCATE audit_record",
        "ALTER TABLE audit_record DISABLE TRIGGER ALL",
        "DROP TRIGGER audit_record_append_only ON audit_record",
        "SET session_replication_role = replica",
        "SET ROLE tiantou",
        "SELECT setval('audit_record_id_seq', 1)",
        "UPDATE audit_seal SET heads = 0",
        "DELETE FROM audit_seal_head",
        "DELETE FROM consent_act",
        "INSERT INTO migration (name) VALUES ('x')",
        "CREATE TABLE more (n int)",
    ):
        try:
            done = await served.execute(statement)
        except asyncpg.InsufficientPrivilegeError:
            continue
        pytest.fail(f"{statement}: {done}")


async def test_every_append_only_table_is_closed_to_the_serving_role(
    served: asyncpg.Connection, ledger: asyncpg.Connection
) -> None:
    tables = await append_only_tables()
    assert {"audit_record", "audit_seal", "audit_seal_head", "consent_act", "stock_entry"} <= set(tables)
    rights = {
        row["table_name"]: row["rights"]
        for row in await ledger.fetch(
            """SELECT table_name, array_agg(privilege_type::text ORDER BY privilege_type::text) AS rights
               FROM information_schema.role_table_grants WHERE grantee = $1 GROUP BY table_name""",
            SERVING,
        )
    }
    assert {name: rights[name] for name in tables} == {name: ["INSERT", "SELECT"] for name in tables}
    # of bids and contracts only the terms stand: their state and signatures move on
    for name in ("person", "bid", "open_bid", "contract_terms"):
        assert rights[name] == ["DELETE", "INSERT", "SELECT", "UPDATE"]


#: A statement that changes rows or removes them, as the rooms write it: verb and table.
_CHANGES = re.compile(
    r"""\b(?:(UPDATE|DELETE)(?:\s+FROM)?\s+"?([a-z_]+)"?(?=\s+(?:AS\s+)?(?:[a-z_]+\s+)?(?:SET|WHERE|USING)\b|\s*["'])
        |INSERT\s+INTO\s+([a-z_]+)(?=[^;]{0,600}?ON\s+CONFLICT[^;]{0,200}?DO\s+(UPDATE)))""",
    re.VERBOSE,
)


async def test_serving_role_may_write_whatever_a_room_writes(served: asyncpg.Connection) -> None:
    wanted = {
        (verb or again, table or into)
        for path in Path(market.__file__).parent.rglob("*.py")
        for verb, table, into, again in _CHANGES.findall(path.read_text())
    }
    assert {("UPDATE", "contract_terms"), ("DELETE", "payment"), ("UPDATE", "replay")} <= wanted
    known = {
        row["tablename"]
        for row in await served.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    }
    refused = [
        (verb, table)
        for verb, table in sorted(wanted)
        if table in known
        and not await served.fetchval("SELECT has_table_privilege(current_user, $2, $1)", verb, table)
    ]
    assert refused == []


async def test_database_that_waits_for_no_migration_gets_its_rights_too(
    server: Server, database: dict[str, Any], cluster_home: Path, db: Engine
) -> None:
    async def may_sign() -> bool:
        return bool(await fetch_value("SELECT has_table_privilege($1, 'contract_terms', 'UPDATE')", SERVING))

    async with databases.as_superuser(server, database["database"]) as admin:
        await admin.execute(f"REVOKE UPDATE ON contract_terms FROM {SERVING}")
    assert not await may_sign()
    async with started_pool(databases.limits(cluster_home), address=database):
        assert await migrate_forwards() == []
    assert await may_sign()

"""The role that serves may add to history and read it, and nothing else."""

from typing import Any

import asyncpg
import pytest

from market.db.embedded import Server
from market.db.rights import SERVING, append_only_tables
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
    # of bids only the terms stand: their state moves on
    for name in ("person", "bid", "open_bid"):
        assert rights[name] == ["DELETE", "INSERT", "SELECT", "UPDATE"]

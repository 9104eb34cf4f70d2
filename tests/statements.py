"""What is said to the database while something is done."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from market.db.session import Engine


@asynccontextmanager
async def heard(db: Engine) -> AsyncIterator[list[str]]:
    """Give the statements as they are said, on one connection; what the pool itself says is left out."""
    said: list[str] = []

    def hear(record: Any) -> None:
        # said to a connection that comes back to the pool
        if "pg_advisory_unlock_all" not in record.query:
            said.append(record.query)

    async def listen(connection: Any) -> None:
        connection.add_query_logger(hear)

    usual = db.pool
    async with asyncpg.create_pool(**db.config, min_size=1, max_size=1, init=listen) as pool:
        db.pool = pool
        try:
            yield said
        finally:
            db.pool = usual

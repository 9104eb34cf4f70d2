"""What tests of many at once share: connections enough, and an end of all of them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import asynccontextmanager
from typing import TypeVar

import asyncpg

from market.db.session import Engine

T = TypeVar("T")


@asynccontextmanager
async def connections(db: Engine, count: int) -> AsyncIterator[None]:
    """Serve the same database through ``count`` connections, so that nobody waits for one."""
    narrow = db.pool
    async with asyncpg.create_pool(**db.config, min_size=count, max_size=count) as pool:
        db.pool = pool
        try:
            yield
        finally:
            db.pool = narrow


async def at_once(tries: Iterable[Awaitable[T]]) -> list[T]:
    """Return what all of them returned, or raise what one of them did, when every one has ended.

    One that went on after the test would hold the next test's tables.
    """
    ends = await asyncio.gather(*tries, return_exceptions=True)
    done = []
    for end in ends:
        if isinstance(end, BaseException):
            raise end
        done.append(end)
    return done

"""What races share: connections enough, an end of all of them, and how their locks are taken away."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any, TypeVar

import asyncpg
import pytest

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


_LOCK = re.compile(r"\s+FOR (NO KEY )?(UPDATE|SHARE)( OF \w+(, \w+)*)?(?= *$)", re.MULTILINE)
#: What rooms read with.
_READERS = ("fetch", "fetch_row", "fetch_value", "fetch_one_into", "fetch_into", "execute")


def take_locks_away(monkeypatch: pytest.MonkeyPatch, *modules: ModuleType) -> list[str]:
    """Let ``modules`` read without their row locks, and give others time between their looking and writing.

    Returns a list that names each lock which was passed by: one that stays empty proves nothing.
    """
    passed: list[str] = []
    for module in modules:
        for name in _READERS:
            if hasattr(module, name):
                monkeypatch.setattr(module, name, _unlocked(getattr(module, name), passed))
    return passed


def _unlocked(reader: Callable[..., Any], passed: list[str]) -> Callable[..., Any]:
    async def read(*values: Any) -> Any:
        at = next(n for n, each in enumerate(values) if isinstance(each, str))
        without = _LOCK.sub("", values[at])
        done = await reader(*values[:at], without, *values[at + 1 :])
        if without != values[at]:
            passed.append(values[at])
            await asyncio.sleep(0.03)
        return done

    return read

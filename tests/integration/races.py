"""What races share: connections enough, an end of all of them, and how their locks are taken away."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from types import ModuleType
from typing import Any, NamedTuple, TypeVar

import asyncpg
import pytest

from fixtures.factories import Factory
from market.db.session import Engine, execute, fetch_value
from market.errors import Busy, MarketError

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
#: A lock by name, where there may be no row yet that could be held.
_BY_NAME = re.compile(r"pg_advisory_xact_lock\(hashtextextended\((\$\d), 0\)\)")
#: What rooms read with.
_READERS = ("fetch", "fetch_row", "fetch_value", "fetch_one_into", "fetch_into", "execute")


def take_locks_away(monkeypatch: pytest.MonkeyPatch, *modules: ModuleType, runners: int) -> list[str]:
    """Let ``modules`` read without their locks: all have looked before anybody writes.

    Returns a list that names each lock which was passed by: one that stays empty proves nothing.
    """
    passed: list[str] = []
    start = _Start(runners)
    for module in modules:
        for name in _READERS:
            if hasattr(module, name):
                monkeypatch.setattr(module, name, _unlocked(getattr(module, name), passed, start))
    return passed


class _Start:
    """Where runners wait for each other, once; but not for long for those who never come."""

    def __init__(self, runners: int) -> None:
        self._runners = runners
        self._here: set[object] = set()
        self._all = asyncio.Event()

    async def wait(self) -> None:
        me = asyncio.current_task()
        if me in self._here:
            return
        self._here.add(me)
        if len(self._here) == self._runners:
            self._all.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._all.wait(), 0.3)


def _unlocked(reader: Callable[..., Any], passed: list[str], start: _Start) -> Callable[..., Any]:
    async def read(*values: Any) -> Any:
        at = next(n for n, each in enumerate(values) if isinstance(each, str))
        without = _BY_NAME.sub(r"\1::text", _LOCK.sub("", values[at]))
        done = await reader(*values[:at], without, *values[at + 1 :])
        if without != values[at]:
            passed.append(values[at])
            await start.wait()
        return done

    return read


_FUNCTION_LOCK = re.compile(r"PERFORM FROM [^;]* FOR NO KEY UPDATE;")


@asynccontextmanager
async def functions_without_locks(*names: str) -> AsyncIterator[None]:
    """Take the row locks out of the database's functions, and let them take a breath before they look."""
    sources = [str(await fetch_value("SELECT pg_get_functiondef($1::regproc)", name)) for name in names]
    try:
        for source in sources:
            unlocked, locks = _FUNCTION_LOCK.subn("", source)
            assert locks, source
            # the breath is between the looking and the writing, which every function leaves to another
            await execute(unlocked.replace("PERFORM write_", "PERFORM pg_sleep(0.2); PERFORM write_", 1))
        yield
    finally:
        for source in sources:
            await execute(source)


Tries = Sequence[Callable[[], Awaitable[object]]]
#: Of what each try came to ("done", "refused", "clash"): is all as it must be?
Judge = Callable[[list[str]], Awaitable[bool]]


class Race(NamedTuple):
    """``begin`` sets the scene, and returns who runs and how it is judged.

    ``rooms`` hold the locks, ``functions`` those that the database's own functions take.
    """

    begin: Callable[[Factory], Awaitable[tuple[Tries, Judge]]]
    rooms: tuple[ModuleType, ...]
    functions: tuple[str, ...] = ()


async def is_kept(race: Race, factory: Factory, monkeypatch: pytest.MonkeyPatch, *, locked: bool) -> bool:
    """Run a race as it is, or with its locks taken away; tell whether all was as it must be."""
    tries, kept = await race.begin(factory)
    async with AsyncExitStack() as stack:
        passed = [] if locked else take_locks_away(monkeypatch, *race.rooms, runners=len(tries))
        if race.functions and not locked:
            await stack.enter_async_context(functions_without_locks(*race.functions))
        ends = await at_once([_tried(each) for each in tries])
    assert bool(passed) is not locked, "no lock was passed by"
    print(ends)
    return "clash" not in ends and await kept(ends)


async def _tried(deed: Callable[[], Awaitable[object]]) -> str:
    """A clash is what no caller should ever meet: a lock's timeout, or a constraint as the last resort."""
    try:
        await deed()
    except (Busy, asyncpg.PostgresError):
        return "clash"
    except MarketError:
        return "refused"
    return "done"


async def count(sql: str, *values: object) -> int:
    """Return how many rows there are FROM ``sql``."""
    return int(await fetch_value(f"SELECT count(*) FROM {sql}", *values))


async def total(column: str, table: str) -> int:
    """Return the sum over a table, 0 where it is empty."""
    return int(await fetch_value(f"SELECT coalesce(sum({column}), 0)::bigint FROM {table}"))

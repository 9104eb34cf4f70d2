"""A word that one process says reaches whoever watches in another, over one connection a process."""

import asyncio
from typing import Any

import asyncpg
import pytest

from market.db.session import Engine, fetch_value, transaction
from market.db.signals import Signals, signal

LISTENING = (
    "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"
)
#: Seconds after which a word that should have come has not.
PATIENCE = 10.0


@pytest.fixture
async def other_process(db: Engine) -> Any:
    """A connection that this process's pool knows nothing of."""
    connection = await asyncpg.connect(**db.config)
    yield connection
    await connection.close()


async def test_word_of_another_process_reaches_every_watcher_of_its_subject(
    db: Engine, other_process: asyncpg.Connection
) -> None:
    signals = Signals()
    async with (
        signals.watch("meeting:1") as one,
        signals.watch("meeting:1") as two,
        signals.watch("meeting:2") as other,
    ):
        await signals.listening.wait()
        # listening begins with a look at everything
        assert [await each.wait(PATIENCE) for each in (one, two, other)] == [True, True, True]
        await other_process.execute("SELECT pg_notify('changed', 'meeting:1')")
        assert [await each.wait(PATIENCE) for each in (one, two)] == [True, True]
        assert await other.wait(0.01) is False


async def test_many_watchers_share_one_connection_and_none_is_left_when_they_go(db: Engine) -> None:
    signals = Signals()
    before = await fetch_value(LISTENING)
    watches = [signals.watch(f"meeting:{n}") for n in range(20)]
    for each in watches:
        await each.__aenter__()
    await signals.listening.wait()
    assert await fetch_value(LISTENING) == before + 1
    for each in watches:
        await each.__aexit__(None, None, None)
    assert signals.count == 0
    async with asyncio.timeout(PATIENCE):
        while await fetch_value(LISTENING) != before:
            await fetch_value("SELECT pg_sleep(0.02)")


async def test_word_is_said_when_its_cause_is_kept_and_not_before(db: Engine) -> None:
    signals = Signals()
    async with signals.watch("meeting:1") as watch:
        await signals.listening.wait()
        await watch.wait(PATIENCE)
        async with transaction():
            await signal("meeting:1")
            assert await watch.wait(0.05) is False
        assert await watch.wait(PATIENCE) is True
        with pytest.raises(ZeroDivisionError):
            async with transaction():
                await signal("meeting:1")
                raise ZeroDivisionError
        assert await watch.wait(0.05) is False


async def test_lost_connection_is_opened_again_and_all_look_anew(db: Engine) -> None:
    signals = Signals()
    async with signals.watch("meeting:1") as watch:
        await signals.listening.wait()
        await watch.wait(PATIENCE)
        await fetch_value(
            """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE query LIKE 'LISTEN%changed%' AND datname = current_database()"""
        )
        assert await watch.wait(PATIENCE) is True
        await signal("meeting:1")
        assert await watch.wait(PATIENCE) is True

"""Computing in a process of its own: what comes back, and that nothing is left behind."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from market.db.processes import (
    ProcessDied,
    in_process,
    in_process_connected,
    in_process_telling,
    tell_parent,
)
from market.db.session import Engine, execute, fetch_value
from market.errors import Invalid
from market.i18n import msg


def twice(number: int) -> tuple[int, int]:
    return 2 * number, os.getpid()


def seen_from_here(name: str) -> str | None:
    return os.environ.get(name)


def refuse() -> None:
    raise Invalid(msg("价格不对。"), {"price": msg("太高")})


def refuse_unpicklably() -> None:
    class LocalError(Exception):
        pass

    raise LocalError("here only")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def tell_three_and_wait(heard: str) -> str:
    """A word that nobody has taken when the result is there is told no more: this one waits for it."""
    for word in range(3):
        tell_parent(word)
    while not Path(heard).exists():
        time.sleep(0.01)
    return "done"


def compute_for_ever(at: str) -> None:
    Path(at).write_text(str(os.getpid()))
    while True:
        time.sleep(0.01)


async def count_here(more: int) -> int:
    return int(await fetch_value("SELECT count(*) FROM job")) + more


def is_running(pid: int) -> bool:
    """A zombie that nobody has waited for yet computes no more."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def seen(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not what():  # noqa: ASYNC110  what another process does sets no event
            await asyncio.sleep(0.01)


async def test_result_comes_from_another_process() -> None:
    result, pid = await in_process(twice, 21)
    assert result == 42
    assert pid != os.getpid()


async def test_process_has_its_parents_environment_as_it_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    await in_process(twice, 1)  # from now on the server of forks is there, with the environment of its start
    monkeypatch.setenv("MARKET_TOLD_LATER", "yes")
    assert await in_process(seen_from_here, "MARKET_TOLD_LATER") == "yes"
    monkeypatch.delenv("MARKET_TOLD_LATER")
    assert await in_process(seen_from_here, "MARKET_TOLD_LATER") is None


async def test_error_comes_back_whole() -> None:
    with pytest.raises(Invalid) as caught:
        await in_process(refuse)
    assert (str(caught.value), caught.value.fields) == ("价格不对。", {"price": msg("太高")})


async def test_error_that_cannot_travel_comes_back_in_words() -> None:
    with pytest.raises(RuntimeError, match=r"^LocalError: here only$"):
        await in_process(refuse_unpicklably)


async def test_process_that_dies_is_an_error() -> None:
    with pytest.raises(ProcessDied):
        await in_process(die)


async def test_words_come_before_the_result(tmp_path: Path) -> None:
    told: list[int] = []
    heard = tmp_path / "heard"

    async def tell(word: int) -> None:
        told.append(word)
        heard.touch()

    assert await in_process_telling(tell, tell_three_and_wait, str(heard)) == "done"
    assert told == [0]  # the others came too soon after it


async def test_connected_process_works_on_the_same_database(db: Engine) -> None:
    await execute(
        "INSERT INTO job (kind, payload, state, run_at, attempts, token, enqueued_at)"
        " VALUES ('x', '{}', 'waiting', now(), 0, 0, now())"
    )
    assert await in_process_connected(None, count_here, 10) == 11


async def test_process_that_nobody_waits_for_is_ended_and_the_loop_stays_free(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    waiting = asyncio.create_task(in_process(compute_for_ever, str(file)))
    await seen(lambda: file.exists() and file.read_text() != "")
    pid = int(file.read_text())
    assert is_running(pid)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await seen(lambda: not is_running(pid))


async def test_process_ends_with_its_parent(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    code = (
        "import asyncio\n"
        "from market.db.processes import in_process\n"
        "from tests.integration.db import test_processes\n"
        f"asyncio.run(in_process(test_processes.compute_for_ever, {str(file)!r}))\n"
    )
    root = Path(__file__).parents[3]
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=root)  # noqa: ASYNC220
    await seen(lambda: file.exists() and file.read_text() != "")
    pid = int(file.read_text())
    assert is_running(pid)
    parent.kill()
    parent.wait()
    await seen(lambda: not is_running(pid))

"""Long computing in a process of its own: the event loop stays free, and so does the interpreter's lock.

A process for each call: what the solvers hold of memory goes with it. It is ended as soon as nobody waits
for it any more, be it that the waiting task was called off or that the whole parent has died.

Each is a fork of one server process that has loaded what is long in loading (:func:`keep_ready`): solvers
take seconds to import, and that once only, when the first computation is asked for.
"""

import asyncio
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, ParamSpec, TypeVar, cast

from market import settings
from market.db.session import DB, started_pool

P = ParamSpec("P")
R = TypeVar("R")
Tell = Callable[[Any], Awaitable[None]]

#: Seconds between two words of a computation about how far it has come.
TELL_EVERY = 1.0

#: A fork of this process would do neither: it has threads and open sockets. A server of forks has none.
_context = multiprocessing.get_context("forkserver")
_ready: list[str] = []

#: In a computing process: the way to its parent.
_parent: Connection | None = None
_told_at = 0.0


class ProcessDied(RuntimeError):
    """The computing process ended without a result: killed, or out of memory."""


def keep_ready(*modules: str) -> None:
    """Have ``modules`` loaded before a computation asks for them. Call it while modules are imported."""
    _ready.extend(module for module in modules if module not in _ready)
    _context.set_forkserver_preload(_ready)


async def in_process(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Return what the module-level ``function`` returns in a fresh process; its errors are raised here.

    Never call it inside a transaction.

    Raises:
        ProcessDied: the process ended without a result.
    """
    return cast(R, await _computed(None, partial(function, *args, **kwargs)))


async def in_process_telling(tell: Tell, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Do as :func:`in_process`, and await ``tell`` with the newest of what ``function`` tells by
    :func:`tell_parent`, once in ``TELL_EVERY`` seconds at most.
    """
    return cast(R, await _computed(tell, partial(function, *args, **kwargs)))


async def in_process_connected(
    tell: Tell | None,
    function: Callable[P, Coroutine[Any, Any, R]],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> R:
    """Await the module-level coroutine ``function`` in a fresh process with a pool to the same database.

    For work that reads or writes so many rows that they alone would hold up an event loop.
    """
    return cast(R, await _computed(tell, partial(_connected, DB.config, partial(function, *args, **kwargs))))


def _connected(address: dict[str, Any], function: Callable[[], Coroutine[Any, Any, R]]) -> R:
    async def main() -> R:
        async with started_pool(address=address):
            return await function()

    return asyncio.run(main())


async def _computed(tell: Tell | None, function: Callable[[], Any]) -> Any:
    here, there = _context.Pipe()
    process = _context.Process(target=_compute, args=(there,))
    loop = asyncio.get_running_loop()
    # a start may have to wait for the loading, and what goes over the link may be large: a thread's work
    thread = ThreadPoolExecutor(max_workers=1)

    async def through(step: Callable[..., Any], *args: Any) -> Any:
        try:
            return await loop.run_in_executor(thread, step, *args)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            await loop.run_in_executor(thread, process.join)
            raise ProcessDied(f"the computing process ended with {process.exitcode}") from None

    started = False
    try:
        await through(_start, process, there)
        started = True
        await through(here.send, dict(os.environ))
        await through(here.send, function)
        while True:
            kind, word = await through(_newest, here)
            if kind == "made":
                return word
            if kind == "raised":
                raise word
            if tell is not None:
                await tell(word)
    finally:
        if started:
            process.kill()  # which also ends the thread's waiting, if it waits
        thread.submit(_bury, process, here)
        thread.shutdown(wait=False)


def _newest(link: Connection) -> tuple[str, Any]:
    said: tuple[str, Any] = link.recv()
    while said[0] == "told" and link.poll():
        said = link.recv()
    return said


def _start(process: BaseProcess, link: Connection) -> None:
    process.start()
    link.close()


def _bury(process: BaseProcess, link: Connection) -> None:
    if process.pid is not None:
        process.kill()
        process.join()
    link.close()


def _compute(link: Connection) -> None:
    """What the process does: one computation, and its result or its error goes home."""
    global _parent
    _parent = link
    # Ctrl-C reaches the whole group: it is the parent that decides
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True, name="parent").start()
    with suppress(BrokenPipeError):
        try:
            _live_in(link.recv())
            link.send(("made", link.recv()()))
        except BrokenPipeError:
            raise
        except BaseException as trouble:
            _send_trouble(link, trouble)


def _live_in(environment: dict[str, str]) -> None:
    """Take on the parent's environment: that of the server of forks is as old as the server."""
    os.environ.clear()
    os.environ.update(environment)
    settings.settings.cache_clear()


def _send_trouble(link: Connection, trouble: BaseException) -> None:
    trouble.add_note("".join(traceback.format_exception(trouble)))
    try:
        link.send(("raised", trouble))
    except BrokenPipeError:
        raise
    except Exception:  # it cannot be pickled
        link.send(("raised", RuntimeError(f"{type(trouble).__name__}: {trouble}")))


def _end_with_parent() -> None:
    """Computing for nobody would only hold up others."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def tell_parent(word: object) -> None:
    """Tell the process that waits how far this one has come; without such a process nothing happens."""
    global _told_at
    now = time.monotonic()
    if _parent is not None and now - _told_at >= TELL_EVERY:
        _told_at = now
        _parent.send(("told", word))

"""Long computing in a process of its own: the event loop stays free, and so does the interpreter's lock."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

#: Seconds between two words of a computation about how far it has come.
TELL_EVERY = 1.0

#: In a computing process: the way to its parent.
_parent: Connection | None = None
_told_at = 0.0


async def in_process(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Return what the module-level ``function`` returns in a fresh process; its errors are raised here.

    A process for each call: what the solvers hold of memory goes with it. Never call it inside a
    transaction.
    """
    loop = asyncio.get_running_loop()
    # spawn, not fork: the parent has threads and open sockets
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return await loop.run_in_executor(pool, partial(function, *args, **kwargs))


async def in_process_telling(
    tell: Callable[[Any], Awaitable[None]], function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
) -> R:
    """Do as :func:`in_process`, and await ``tell`` with the newest of what ``function`` tells by
    :func:`tell_parent`, once in ``TELL_EVERY`` seconds at most.
    """
    loop = asyncio.get_running_loop()
    context = get_context("spawn")
    here, there = context.Pipe(duplex=False)
    try:
        with ProcessPoolExecutor(
            max_workers=1, mp_context=context, initializer=_begin, initargs=(there,)
        ) as pool:
            computing = loop.run_in_executor(pool, partial(function, *args, **kwargs))
            while not computing.done():
                await asyncio.wait({computing}, timeout=TELL_EVERY)
                newest = None
                while here.poll():
                    newest = here.recv()
                if newest is not None and not computing.done():
                    await tell(newest)
            return computing.result()
    finally:
        here.close()
        there.close()


def _begin(there: Connection) -> None:
    global _parent  # noqa: PLW0603  one computation in this process, and this is its way home
    _parent = there


def tell_parent(word: object) -> None:
    """Tell the process that waits how far this one has come; without such a process nothing happens."""
    global _told_at  # noqa: PLW0603
    now = time.monotonic()
    if _parent is not None and now - _told_at >= TELL_EVERY / 2:
        _told_at = now
        _parent.send(word)

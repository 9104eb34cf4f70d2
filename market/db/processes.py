"""Long computing in a process of its own: the event loop stays free, and so does the interpreter's lock."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


async def in_process(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Return what the module-level ``function`` returns in a fresh process; its errors are raised here.

    A process for each call: what the solvers hold of memory goes with it. Never call it inside a
    transaction.
    """
    loop = asyncio.get_running_loop()
    # spawn, not fork: the parent has threads and open sockets
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return await loop.run_in_executor(pool, partial(function, *args, **kwargs))

"""Sharing the products of a market among processes of this machine."""

import os
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from market.errors import Busy
from market.forked import helper
from market.i18n import msg

Part = TypeVar("Part")
Made = TypeVar("Made")


def processors() -> int:
    """How many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def made_by_processes(make: Callable[[Part], Made], parts: Sequence[Part], threads: int) -> Iterator[Made]:
    """Yield ``make(part)`` for every part as they are ready, by ``threads`` forked processes.

    The processes see this one's memory as it was, so that nothing but the results is copied; each takes
    the next part when it has done one. What ``make`` raises in one of them is raised here; Busy if one of
    them is ended from outside. None of them outlives this process.
    """
    links: list[Connection] = []
    workers = []
    following = iter(range(len(parts)))
    try:
        for first in [k for _, k in zip(range(threads), following, strict=False)]:
            ours, theirs = Pipe()
            worker = helper(_serve, make, parts, theirs)
            worker.start()
            theirs.close()
            links.append(ours)
            workers.append(worker)
            ours.send(first)
        while links:
            for link in wait(links):
                assert isinstance(link, Connection)
                try:
                    made, trouble = link.recv()
                except EOFError:
                    # the system ends what takes too much memory
                    raise Busy(
                        msg("一个计算进程中断了，多半是内存不够；请用更少的进程（--threads）再试。")
                    ) from None
                if trouble is not None:
                    raise trouble
                after = next(following, None)
                link.send(after)
                if after is None:
                    links.remove(link)
                yield made
    finally:
        for worker in workers:
            if links:
                worker.terminate()
            worker.join()


def _serve(make: Callable[[Any], Any], parts: Sequence[Any], link: Connection) -> None:
    while (k := link.recv()) is not None:
        try:
            link.send((make(parts[k]), None))
        except Exception as trouble:
            link.send((None, trouble))
            return

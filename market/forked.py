"""Processes that reckon for the one that forked them, and are of no use without it."""

import ctypes
import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.process import BaseProcess

_PR_SET_PDEATHSIG = 1


def helper(target: Callable[..., object], *args: object) -> BaseProcess:
    """Return a process, not yet started, that sees this one's memory and does not outlive it.

    A solver in compiled code hears of nothing: where this process is ended by a signal, which leaves it no
    time to end others, the solver would go on for hours for nobody.
    """
    context = multiprocessing.get_context("fork")
    return context.Process(target=_run, args=(os.getpid(), target, args), daemon=True)


def _run(parent: int, target: Callable[..., object], args: tuple[object, ...]) -> None:
    try:
        # Linux alone knows this call
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    except (AttributeError, OSError):  # pragma: no cover - another system
        pass
    else:
        if os.getppid() != parent:
            # it has ended before this could be said
            return
    target(*args)

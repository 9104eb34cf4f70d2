"""Libraries that print to standard output although told not to, silenced."""

import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_muting = threading.Lock()


@contextmanager
def silence() -> Iterator[None]:
    """Keep what compiled libraries print off standard output, which belongs to the whole process."""
    with _muting:
        sys.stdout.flush()
        try:
            kept, sink = os.dup(1), os.open(os.devnull, os.O_WRONLY)
        except OSError:
            yield
            return
        c_library = None
        with suppress(OSError, TypeError):
            c_library = ctypes.CDLL(None)
        try:
            os.dup2(sink, 1)
            yield
        finally:
            if c_library is not None:
                c_library.fflush(None)
            os.dup2(kept, 1)
            os.close(kept)
            os.close(sink)

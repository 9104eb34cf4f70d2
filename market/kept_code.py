"""Machine code that Numba keeps on disk: none may be older than the source that is compiled into it."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any


def forget_older(function: Callable[..., Any], sources: Iterable[str]) -> None:
    """Remove what is kept of ``function`` where one of ``sources``, paths of files, has changed since.

    Numba looks at the time of a function's own file alone: a change in what it calls would not reach it.
    """
    changed = max(_changed_at(Path(source)) for source in sources)
    own = Path(function.__code__.co_filename)
    # a name in angle brackets or the like is a name here, not a pattern
    start = f"{own.stem}.{function.__qualname__}-"
    for index in (own.parent / "__pycache__").glob("*.nbi"):
        if index.name.startswith(start) and _changed_at(index) < changed:
            with suppress(OSError):
                index.unlink()


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0

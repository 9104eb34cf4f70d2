"""Inner loops as machine code (Numba), compiled once and kept on disk beside the source."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

from market.kept_code import forget_older

Function = Callable[..., Any]

#: What Numba loads where it finds it, for features that nothing here uses: a third of a second at each start.
_UNUSED = ("scipy.linalg", "cffi")


@contextmanager
def _lightly() -> Iterator[None]:
    """Let Numba find none of ``_UNUSED`` for the moment; others find it as ever."""
    hidden = [name for name in _UNUSED if name not in sys.modules]
    # None in sys.modules is Python's own way to say: not to be found.
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


with _lightly():
    import numba
    from numba.core.dispatcher import Dispatcher


def compiled(signature: str) -> Callable[[Function], Function]:
    """Compile a function for one ``signature`` when its module is imported.

    One signature with contiguous arrays: a call with anything else is an error instead of a second
    compilation of some seconds. Where no folder can keep the machine code it is made at every start.
    Division follows NumPy: by zero it is undefined, and not an error.
    """
    return _compiled(signature)


def inlined(signature: str) -> Callable[[Function], Function]:
    """Compile a step of a loop, into whatever compiled function calls it; it must not make arrays.

    Without arrays of its own it counts no references: over arrays that are passed from step to step this
    counting takes longer than the steps do. ``_nrt`` is Numba's own name for it, and in no manual of theirs.
    """
    return _compiled(signature, forceinline=True, _nrt=False)


def _compiled(signature: str, **options: Any) -> Callable[[Function], Function]:
    made = partial(numba.njit, signature, nogil=True, error_model="numpy", **options)

    def compile_(function: Function) -> Function:
        sources = _sources(function)
        forget_older(function, sources)
        with _lightly():
            try:
                code = cast(Function, made(cache=True)(function))
            except RuntimeError:
                code = cast(Function, made()(function))
        _made_from[code] = sources
        return code

    return compile_


#: Compiled function -> the files whose code is in it: its own, and those of what it calls.
_made_from: dict[Function, frozenset[str]] = {}


def _sources(function: Function) -> frozenset[str]:
    code = function.__code__
    called = [function.__globals__.get(name) for name in code.co_names]
    theirs = [_made_from[each] for each in called if isinstance(each, Dispatcher) and each in _made_from]
    return frozenset({code.co_filename}.union(*theirs))

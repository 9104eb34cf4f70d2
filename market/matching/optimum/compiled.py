"""Inner loops as machine code (Numba), compiled once and kept on disk beside the source."""

from collections.abc import Callable
from typing import Any, cast

import numba

Function = Callable[..., Any]


def compiled(signature: str) -> Callable[[Function], Function]:
    """Compile a function for one ``signature`` when its module is imported.

    One signature with contiguous arrays: a call with anything else is an error instead of a second
    compilation of some seconds. Where no folder can keep the machine code it is made at every start.
    """

    def compile_(function: Function) -> Function:
        try:
            return cast(Function, numba.njit(signature, cache=True, nogil=True)(function))
        except RuntimeError:
            return cast(Function, numba.njit(signature, nogil=True)(function))

    return compile_

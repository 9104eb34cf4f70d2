"""Gains, the dual prices: what of a kilogram's worth goes to its seller (u) and to its buyer (v).

Gains support a flow if u, v >= 0, u + v >= worth for every pair, with equality where goods flow and zero
where something is left over. They are reckoned in scaled whole steps, so that optimality is exact.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

#: Steps of worth times nodes must stay under this: potentials add up along a path of the tree.
RANGE = 2**61


class Duals(NamedTuple):
    """Gains per kg, in scaled whole numbers: ``u`` per lot, ``v`` per demand."""

    u: Ints
    v: Ints


def scale_for(most_worth: float, nodes: int) -> float:
    """Return the finest power of ten (steps per yuan) whose costs stay in range."""
    scale = 1e11
    while scale > 1e3 and (most_worth * scale * 2 > 2**52 or most_worth * scale * 2 * (nodes + 3) > RANGE):
        scale /= 10
    return scale


def middle(low: Duals, high: Duals) -> Duals:
    """Halfway between the two ends. Rounding u down and v up keeps u + v >= w in whole numbers."""
    return Duals((low.u + high.u) // 2, -((-low.v - high.v) // 2))

"""Gains that cover every pair of a product, kept so while rows come, go and are looked at again.

A cover has u, v >= 0 and u + v >= worth for every pair, so that sum(quantity x gain) over both sides bounds
any allocation whatever (weak duality), however far the matches have come. It stays a cover when a gain
rises, and when a row's gain falls to what the best of all its pairs leaves; that is how it follows the
simplex down without ever being wrong.
"""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

_LOW, _MIDDLE = 19, 18


def weigh(gain: Ints, grams: Ints) -> int:
    """Sum of gain x grams, exact: |gain| < 2**54, 0 <= grams < 2**38, products past what 64 bits hold."""
    total = 0
    for shift, part in ((0, grams & ((1 << _LOW) - 1)), (_LOW, grams >> _LOW)):
        rest = gain
        for step in range(3):
            limb = rest if step == 2 else rest & ((1 << _MIDDLE) - 1)
            total += int(limb @ part) << (shift + _MIDDLE * step)
            rest = rest >> _MIDDLE
    return total


class Cover:
    """Gains of both sides, lots first: ``gains[0]`` are u, ``gains[1]`` are v, in whole steps per gram."""

    def __init__(self, u: Ints, v: Ints) -> None:
        self.gains = [u.copy(), v.copy()]

    def add(self, side: int, gain: int) -> None:
        """A newcomer with a gain that covers all of its pairs."""
        self.gains[side] = np.append(self.gains[side], gain)

    def raise_to(self, other: "list[Ints]") -> None:
        for side in (0, 1):
            np.maximum(self.gains[side], other[side], out=self.gains[side])

    def bound(self, grams: "list[Ints]") -> int:
        """What no allocation of ``grams`` is worth more than, in scaled steps x grams."""
        return weigh(self.gains[0], grams[0]) + weigh(self.gains[1], grams[1])

    def copy(self) -> "Cover":
        return Cover(*self.gains)

"""The proof that comes with a result: gains that bound every allocation whatever."""

import msgspec

from market.matching.optimum.candidates import Ints


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """Money in yuan. ``gap`` is (bound - worth) / bound; ``exact``: the worth reaches the bound, to the gram.

    The first bound follows from the gains alone and holds for every allocation whatever. The second holds
    for those that keep smallest orders and most lots; where these bind it is nearer.
    """

    worth_yuan: float
    upper_bound_yuan: float
    gap: float
    bound_with_limits_yuan: float
    gap_with_limits: float
    exact: bool
    blocking_pairs: int
    pairs_admissible: int
    finished: bool
    parameters: dict[str, str]
    seconds: dict[str, float]
    peak_memory_mib: float
    version: str


def weighted(gain: Ints, grams: Ints) -> int:
    """Sum of gain x grams; Python's own integers, since int64 would overflow."""
    total = 0
    for per_kg, mass in zip(gain.tolist(), grams.tolist(), strict=True):
        total += per_kg * mass
    return total


def relative_gap(worth: float, bound: float) -> float:
    """(bound - worth) / bound; below 1e-9, or below 1e-9 yuan in all, which is rounding, it is 0."""
    if bound <= 1e-6 or bound - worth <= 1e-9:
        return 0.0
    gap = (bound - worth) / bound
    return 0.0 if gap < 1e-9 else gap

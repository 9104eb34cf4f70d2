"""What the live market answers: best matches at once, who else is moved, and how far from the best it is."""

from decimal import Decimal

import msgspec

from market.units import Gram


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """A possible trade, best first by ``gain``: its worth less what the other side's goods or money gain
    already, in yuan per kg. Below 0 the other side does better with those it has.

    ``grams`` is the most that the two could trade; ``price`` at the farm gate, supported by the gains.
    """

    lot: str
    demand: str
    grams: Gram
    price: Decimal
    freight_yuan_per_kg: float
    km: float
    worth_yuan_per_kg: float
    gain_yuan_per_kg: float


class LiveMatch(msgspec.Struct, frozen=True, kw_only=True):
    """A trade of the best allocation so far. ``breaks`` names the limits that it does not keep:
    ``min_order``, ``max_lots``; the full clearing keeps them."""

    lot: str
    demand: str
    grams: Gram
    price: Decimal
    freight_yuan_per_kg: float
    km: float
    worth_yuan: float
    breaks: tuple[str, ...] = ()


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How good the matches are at this moment, limits left aside. Money in yuan.

    No allocation whatever is worth more than ``upper_bound_yuan``; ``loss_yuan`` is the most that is still
    to be had. ``settled``: nothing is; the matches are the best over all pairs. Worth is reckoned in whole
    steps per gram, rounded up, as the engine does: some 1e-9 of it.
    """

    worth_yuan: float
    upper_bound_yuan: float
    loss_yuan: float
    settled: bool


class Suggestions(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to an event. ``lot`` or ``demand`` is its subject, or both, or none.

    ``best``: the subject's best options over all pairs, exact; ``matches``: what it has been given so far.
    ``moved_lots`` and ``moved_demands``: whose matches are no longer as they were, the subject left out.
    """

    lot: str | None = None
    demand: str | None = None
    best: tuple[Option, ...] = ()
    matches: tuple[LiveMatch, ...] = ()
    moved_lots: tuple[str, ...] = ()
    moved_demands: tuple[str, ...] = ()
    standing: Standing

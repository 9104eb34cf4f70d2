"""What can be asked of this room."""

from datetime import UTC, date, datetime

import msgspec

from market.units import FenPerKg, Gram


class NewListing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A lot and the terms it is sold on. Grams, and fen per kg at the farm gate."""

    produce: str
    title: str
    quantity: Gram
    ask: FenPerKg
    available_from: date
    available_to: date
    title_en: str = ""
    variety: str = ""
    grade: int = 0
    min_order: Gram = Gram(0)
    priority: FenPerKg = FenPerKg(0)
    credentials: tuple[str, ...] = ()
    harvested_on: date | None = None
    division: str | None = None
    lat: float | None = None
    lon: float | None = None
    story: str = ""
    story_en: str = ""
    invented: bool = False
    #: As :class:`NewWay`.
    way: str = "negotiable"
    closes_at: datetime | None = None
    min_step: FenPerKg = FenPerKg(0)
    reserve: FenPerKg | None = None


class Bonus(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The hardship bonus that a town grants a listing in matching, in fen per kg; 0: none."""

    priority: FenPerKg = FenPerKg(0)


class NewWay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How goods are sold. ``way`` as ``rules.WAYS``; a round of bidding closes at ``closes_at``.

    In open bidding a bid is higher by ``min_step`` than the one that it raises or drives out, and nothing
    is sold by itself under the ``reserve``, which the owner alone sees. Fen per kg at the farm gate.
    """

    way: str
    closes_at: datetime | None = None
    min_step: FenPerKg = FenPerKg(0)
    reserve: FenPerKg | None = None


def in_utc(way: NewWay) -> NewWay:
    """Return the way with its closing in UTC: the same moment has the same mark (``market.meanwhile``)."""
    return msgspec.structs.replace(way, closes_at=way.closes_at and way.closes_at.astimezone(UTC))


class NewTerms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What of a listing may change while it is on sale."""

    ask: FenPerKg
    min_order: Gram
    available_from: date
    available_to: date
    credentials: tuple[str, ...]

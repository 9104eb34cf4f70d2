"""What is known before a choice, and what is chosen: whom to invite, and who meets whom.

Worth is in fen, volume in grams. Slots are those in which talks may lie, numbered from 1.
"""

from typing import Literal

from msgspec import Struct

from market.i18n import Message

PartySide = Literal["seller", "buyer"]
Level = Literal["must", "want", "may", "never"]


class Candidate(Struct, frozen=True):
    """A listing that a buyer might take: what the engine suggested, or what is admissible.

    ``stuck``: the lot behind the listing does not sell. ``matched``: the pair belongs to the clearing's
    result. ``volume``: what is left of both, the listing's lot and the demand, after all matches.
    """

    seller: int
    buyer: int
    listing: int
    worth: int
    demand: int | None = None
    stuck: bool = False
    matched: bool = False
    volume: int = 0


class Capacity(Struct, frozen=True):
    """What the meeting has room for. ``most`` of one participant; of one side alone where that is given.

    ``most_of_one_person``: of whoever comes for several participants, all of these together.
    """

    slots: int
    tables: int
    most: int | None = None
    most_of_sellers: int | None = None
    most_of_buyers: int | None = None
    most_of_one_person: int | None = None

    @property
    def room(self) -> int:
        """Return how many talks there is room for."""
        return self.slots * self.tables


class Party(Struct, frozen=True):
    """A participant of whom more is known than that a candidate names it.

    ``most`` is its own and stands in place of the meeting's. ``person`` is whoever comes for it, where
    that is one person alone: those with the same person cannot sit in two talks at once.
    """

    id: int
    name: str = ""
    name_en: str = ""
    absent: tuple[int, ...] = ()
    most: int | None = None
    person: str | None = None


class Wish(Struct, frozen=True):
    """How much one side of a pair wants to meet the other. "never" is a veto."""

    seller: int
    buyer: int
    by: PartySide
    level: Level


Ended = Literal["traded", "unwanted", "parted"]


class Past(Struct, frozen=True):
    """What the two have behind them.

    "traded": they have done business and need no meeting to talk. "unwanted": they talked, nothing came
    of it, and one of them would rather not do so again. "parted": both would rather not, whatever came of it.
    """

    seller: int
    buyer: int
    ended: Ended


class Chosen(Struct, frozen=True):
    """An appointment to offer: one per pair of seller and buyer, over all that they may talk about.

    ``grade``: how much they wish it, see ``pairs.GRADES``. ``stuck``: over a lot that does not sell.
    """

    seller: int
    buyer: int
    listings: tuple[int, ...]
    demands: tuple[int, ...]
    worth: int
    stuck: bool
    grade: int
    why: Message


class LeftOut(Struct, frozen=True):
    """A pair that gets no appointment, and why."""

    seller: int
    buyer: int
    worth: int
    grade: int
    reason: Message


class Choice(Struct, frozen=True):
    """``appointments`` and whom they invite; ``without``: stuck sellers that no appointment reaches.

    ``proven``: no other choice is better by the order of ``levels``. Where time ran out before that was
    shown, ``most_worth`` is what the choice's worth could at most have come to.
    """

    appointments: tuple[Chosen, ...]
    sellers: tuple[int, ...]
    buyers: tuple[int, ...]
    left_out: tuple[LeftOut, ...]
    without: tuple[tuple[int, Message], ...]
    worth: int
    most_worth: int
    proven: bool

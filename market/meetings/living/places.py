"""Where an appointment lies on the day, and what cannot be used any more."""

from collections.abc import Callable, Collection

from msgspec import Struct

from market.i18n import Message, msg

#: How a slot is told: by its number, or by the hours on the clock that readers know it by.
Label = Callable[[int], Message | str]


def by_number(slot: int) -> Message:
    return msg("第 {slot} 时段", slot=slot)


class Place(Struct, frozen=True):
    """Slot and table, both from 1."""

    slot: int
    table: int


class Closure(Struct, frozen=True):
    """A table that cannot be used in a slot; without a table the whole slot is lost."""

    slot: int
    table: int | None = None


class CalledOff(Struct, frozen=True):
    """An appointment that finds no place any more, and why."""

    id: str
    reason: Message


class Repair(Struct, frozen=True):
    """The timetable after a disruption.

    ``moved``: appointments that were placed and lie elsewhere now (another table counts); ``added``: those
    that had no place and have one now; ``called_off``: those that find none; ``changed``: participants whose
    day is not what it was. Nobody else need be told.
    """

    placed: dict[str, Place]
    moved: tuple[str, ...]
    added: tuple[str, ...]
    called_off: tuple[CalledOff, ...]
    changed: tuple[str, ...]


class MoveCheck(Struct, frozen=True):
    """Whether a move by hand is fine; if not, each thing that it clashes with. ``placed`` is as after it."""

    fine: bool
    clashes: tuple[Message, ...]
    placed: dict[str, Place]


def open_tables(tables: int, slot: int, closed: Collection[Closure]) -> list[int]:
    """Return the tables that can be used in ``slot``."""
    here = [each for each in closed if each.slot == slot]
    if any(each.table is None for each in here):
        return []
    gone = {each.table for each in here}
    return [table for table in range(1, tables + 1) if table not in gone]


def is_open(place: Place, tables: int, closed: Collection[Closure]) -> bool:
    """Tell whether a place can still be used."""
    return 1 <= place.table <= tables and not any(
        each.slot == place.slot and each.table in (None, place.table) for each in closed
    )

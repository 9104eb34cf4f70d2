"""Who is in the house, read from the log of what happened at the door.

Phones may have been without a network: what they read arrives late and in any order. Therefore no reading
changes a state by itself; the states follow from all readings, put in order of the time at which they
were made. Whichever comes first, the end is the same.

Whom the desk checked in by mistake has not come: that word takes out of the log what was read of them on that
day up to then, wherever it was read and whenever it arrives. So does its word that it was a mistake to say
that they did not come.
"""

from collections.abc import Callable, Iterable
from datetime import datetime

from msgspec import Struct

from market.meetings.rules import ATTENDANCE

#: The log's moves: those of ATTENDANCE. Anything else in the log (a reading set aside) does nothing.
MOVES = frozenset(move.name for move in ATTENDANCE.moves)
#: The move of a reading that was set aside.
SET_ASIDE = "set_aside"
#: The desk's word that whoever was checked in has not come.
UNDO = "undo_check_in"
#: The desk's words that something was a mistake, and what of the log each takes out.
_UNDONE = {UNDO: frozenset({"check_in", "leave"}), "undo_no_show": frozenset({"mark_no_show"})}


class Event(Struct, frozen=True):
    """Something at the door. ``attendee`` None: it is about the whole organisation."""

    move: str
    at: datetime
    attendee: int | None = None
    #: Settles the order of two at the same moment.
    id: int = 0


class Presence(Struct, frozen=True):
    """How one stands, since when they came, and when they left (None while they are in)."""

    state: str = ATTENDANCE.start
    checked_in_at: datetime | None = None
    left_at: datetime | None = None

    def after(self, event: Event) -> "Presence":
        """Return how it stands after ``event``; a move that is not open changes nothing."""
        move = ATTENDANCE.find(event.move, state=self.state, by="official")
        if move is None:
            return self
        if move.target == ATTENDANCE.start:
            return Presence()
        if move.target == "checked_in":
            return Presence(move.target, self.checked_in_at or event.at)
        return Presence(move.target, self.checked_in_at, event.at if move.target == "left" else None)


def without_mistakes(events: Iterable[Event], day_of: Callable[[datetime], int]) -> list[Event]:
    """Return the events less those that the desk has taken back, and less its words that did so.

    Of a whole organisation they are taken back with those of its persons.
    """
    known = list(events)
    mistakes = [each for each in known if each.move in _UNDONE]
    return [
        each
        for each in known
        if each.move not in _UNDONE
        and not any(
            each.move in _UNDONE[word.move]
            and word.attendee in (None, each.attendee)
            and each.at <= word.at
            and day_of(each.at) == day_of(word.at)
            for word in mistakes
        )
    ]


def on_day(events: Iterable[Event], number: int, day_of: Callable[[datetime], int]) -> list[Event]:
    """Return what happened on the meeting's day ``number``: who came on one day is not in on the next."""
    return [each for each in events if day_of(each.at) == number]


def days_here(
    events: Iterable[Event], attendees: Iterable[int], day_of: Callable[[datetime], int]
) -> tuple[list[int], dict[int, list[int]]]:
    """Return the meeting's days on which the organisation, and each of its persons, came."""
    house: set[int] = set()
    persons: dict[int, set[int]] = {each: set() for each in attendees}
    for event in events:
        if event.move != "check_in":
            continue
        if event.attendee is None:
            house.add(day_of(event.at))
        elif event.attendee in persons:
            house.add(day_of(event.at))
            persons[event.attendee].add(day_of(event.at))
    return sorted(house), {number: sorted(days) for number, days in persons.items()}


def presence_of(events: Iterable[Event], attendees: Iterable[int]) -> tuple[Presence, dict[int, Presence]]:
    """Return how an organisation and each of its persons stand after ``events``, in whatever order.

    The first person in checks the organisation in, the last one out takes it out. What is said of the
    whole organisation holds for all of its persons that are in (leave) or awaited (did not come).
    """
    house = Presence()
    persons = {each: Presence() for each in attendees}
    for event in sorted(events, key=lambda each: (each.at, each.id)):
        if event.attendee is None:
            house = house.after(event)
            if event.move != "check_in":
                persons = {number: each.after(event) for number, each in persons.items()}
            continue
        if event.attendee not in persons:
            continue
        persons[event.attendee] = persons[event.attendee].after(event)
        if event.move == "check_in" or (
            event.move == "leave" and not any(each.state == "checked_in" for each in persons.values())
        ):
            house = house.after(event)
    return house, persons

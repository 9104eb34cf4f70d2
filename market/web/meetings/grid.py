"""A timetable as it is drawn: slots down and tables across, the other way round, or by participant."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec

from market.meetings.queries import AppointmentRow, InvitationRow, MeetingRow

#: With more tables than this they are drawn down the page: it scrolls more readily that way.
MOST_ACROSS = 12


class Slot(msgspec.Struct, frozen=True):
    """One row of the timetable: what is at each table, None where nothing is."""

    number: int
    label: str
    cells: list[AppointmentRow | None]
    #: The pause lies before this slot.
    after_pause: bool
    #: Nobody talks in it: the slot is kept for something else.
    blocked: bool = False

    @property
    def talks(self) -> list[AppointmentRow]:
        return [each for each in self.cells if each is not None]


class Line(msgspec.Struct, frozen=True):
    """One participant's day, slot by slot; ``breaks``: gaps between two of its talks."""

    organisation: int
    name: str
    name_en: str
    side: str
    cells: list[AppointmentRow | None]
    breaks: int

    @property
    def talks(self) -> list[AppointmentRow]:
        return [each for each in self.cells if each is not None]


def timetable(
    meeting: MeetingRow, talks: Sequence[AppointmentRow], *, numbers: Iterable[int] | None = None
) -> tuple[list[int], list[Slot]]:
    """Return the tables that are used and the slots (``numbers``, else all) with what is at each."""
    placed = {(each.slot, each.table_number): each for each in talks if each.slot and each.table_number}
    tables = sorted({table for _, table in placed if table})
    blocked = set(meeting.blocked_slots)
    slots = [
        Slot(
            number,
            meeting.slot_label(number),
            [placed.get((number, table)) for table in tables],
            meeting.half_day_after is not None and (number - 1) % meeting.slots == meeting.half_day_after,
            number in blocked,
        )
        for number in (numbers or range(1, meeting.all_slots + 1))
    ]
    return tables, slots


def slots_of_day(meeting: MeetingRow, day: int) -> range:
    """Return the slots of the meeting's ``day``, from 1."""
    first = (day - 1) * meeting.slots + 1
    return range(first, first + meeting.slots)


def lines_of(
    meeting: MeetingRow,
    guests: Sequence[InvitationRow],
    talks: Sequence[AppointmentRow],
    *,
    side: str,
    numbers: Sequence[int],
) -> list[Line]:
    """Return one line for each invited of ``side`` who comes, in the order of the invitations."""
    at: dict[int, dict[int, AppointmentRow]] = {}
    for talk in talks:
        if talk.slot is not None:
            for one in (talk.seller, talk.buyer):
                at.setdefault(one, {})[talk.slot] = talk
    return [
        Line(
            guest.organisation,
            guest.name,
            guest.name_en,
            guest.side,
            [at.get(guest.organisation, {}).get(number) for number in numbers],
            gaps(
                [number in at.get(guest.organisation, {}) for number in numbers],
                pause=_pause_in(meeting, numbers),
            ),
        )
        for guest in guests
        if guest.side == side and (guest.state not in ("declined", "expired", "revoked"))
    ]


def gaps(busy: Sequence[bool], *, pause: int | None) -> int:
    """Return how often somebody waits between two talks of one half day.

    ``pause`` is the place before which the pause lies, None where there is none.
    """
    halves = [busy] if pause is None else [busy[:pause], busy[pause:]]
    found = 0
    for half in halves:
        places = [place for place, is_busy in enumerate(half) if is_busy]
        found += sum(after - before > 1 for before, after in pairwise(places))
    return found


def _pause_in(meeting: MeetingRow, numbers: Sequence[int]) -> int | None:
    if meeting.half_day_after is None or len(numbers) != meeting.slots:
        return None
    return meeting.half_day_after

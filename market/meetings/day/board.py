"""The board of the day: who sits at which table now, who comes next, and who is missing."""

from collections.abc import Iterable
from datetime import datetime

import msgspec
from asyncpg import Record

from market.clock import CHINA
from market.db.session import fetch
from market.meetings.planning.unfit import CALLED_OFF
from market.meetings.queries import MeetingRow
from market.meetings.rules import day_number

#: Those who are in the house.
_HERE = "checked_in"


class Hour(msgspec.Struct, frozen=True):
    """Where the clock stands: the slot that runs, None before, between and after them; and the next one.

    ``left`` is how many minutes the running slot still has, or until the next one begins.
    """

    now: int | None
    next: int | None
    left: int | None


class Party(msgspec.Struct, frozen=True):
    organisation: int
    name: str
    name_en: str
    attendance: str

    @property
    def is_missing(self) -> bool:
        return self.attendance != _HERE


class Talk(msgspec.Struct, frozen=True):
    """What belongs at a table in a slot. ``over``: minutes that it has run past the end of its slot."""

    id: int
    slot: int
    table: int
    buyer: Party
    seller: Party
    state: str
    started_at: datetime | None
    ended_at: datetime | None
    over: int = 0

    @property
    def missing(self) -> list[Party]:
        return [each for each in (self.buyer, self.seller) if each.is_missing]

    @property
    def is_on(self) -> bool:
        """They are sitting there: it was begun and not ended."""
        return self.started_at is not None and self.ended_at is None and self.state == "scheduled"

    @property
    def is_done(self) -> bool:
        return self.ended_at is not None or self.state in ("held", "no_show", "cancelled")


class TableLine(msgspec.Struct, frozen=True):
    """One table: who is there, who waits because somebody stays longer, who comes next.

    ``broken``: it cannot be used in the slot that runs, or else in the next one.
    """

    number: int
    now: Talk | None
    waiting: Talk | None
    next: Talk | None
    broken: bool = False


class Missed(msgspec.Struct, frozen=True):
    """Somebody who should be at a table now or next and has not come."""

    party: Party
    side: str
    talk: Talk


class Board(msgspec.Struct, frozen=True):
    hour: Hour
    tables: list[TableLine]
    missing: list[Missed]
    #: Organisations that are here, of all that are awaited today; talks that are over, of all.
    here: int
    awaited: int
    done: int
    talks: int


def hour_of(meeting: MeetingRow, at: datetime) -> Hour:
    """Return where ``at`` falls in the meeting's slots."""
    local = at.astimezone(CHINA)
    minutes = local.hour * 60 + local.minute
    today = local.date()
    running = following = None
    left = None
    for slot in range(1, meeting.all_slots + 1):
        day, start = meeting.slot_day(slot), meeting.slot_start(slot)
        if day == today and start <= minutes < start + meeting.slot_minutes:
            running, left = slot, start + meeting.slot_minutes - minutes
        elif (day, start) > (today, minutes):
            following = slot
            break
    if running is None and following is not None and meeting.slot_day(following) == today:
        left = meeting.slot_start(following) - minutes
    return Hour(running, following, left)


def hour_in(meeting: MeetingRow, slot: int) -> Hour:
    """Return the hour as it stands at the beginning of ``slot``: for a look ahead."""
    return Hour(slot, slot + 1 if slot < meeting.all_slots else None, meeting.slot_minutes)


def _over(meeting: MeetingRow, talk: Talk, at: datetime) -> int:
    """Return by how many minutes a talk that is on has outrun its slot."""
    local = at.astimezone(CHINA)
    if not talk.is_on or local.date() != meeting.slot_day(talk.slot):
        return 0
    return max(0, local.hour * 60 + local.minute - meeting.slot_start(talk.slot) - meeting.slot_minutes)


async def talks_of_day(*, meeting_id: int) -> list[Talk]:
    """Return everything that has a place and is not off, by slot and table. Nothing of goods is in it."""
    rows = await fetch(
        f"""SELECT appointment.id, appointment.slot, appointment.table_number AS table, appointment.state,
                  appointment.started_at, appointment.ended_at,
                  buyer.id AS buyer, buyer.name AS buyer_name, buyer.name_en AS buyer_name_en,
                  coalesce(of_buyer.attendance, 'expected') AS buyer_attendance,
                  seller.id AS seller, seller.name AS seller_name, seller.name_en AS seller_name_en,
                  coalesce(of_seller.attendance, 'expected') AS seller_attendance
           FROM appointment
           JOIN organisation buyer ON buyer.id = appointment.buyer
           JOIN organisation seller ON seller.id = appointment.seller
           LEFT JOIN invitation of_buyer
             ON of_buyer.meeting = appointment.meeting AND of_buyer.organisation = appointment.buyer
           LEFT JOIN invitation of_seller
             ON of_seller.meeting = appointment.meeting AND of_seller.organisation = appointment.seller
           WHERE appointment.meeting = $1 AND appointment.slot IS NOT NULL
             AND appointment.table_number IS NOT NULL AND appointment.state <> 'cancelled'
             AND NOT {CALLED_OFF}
           ORDER BY appointment.slot, appointment.table_number, appointment.id""",  # noqa: S608  our own text
        meeting_id,
    )
    return [
        Talk(
            row["id"],
            row["slot"],
            row["table"],
            _party(row, "buyer"),
            _party(row, "seller"),
            row["state"],
            row["started_at"],
            row["ended_at"],
        )
        for row in rows
    ]


def _party(row: Record, side: str) -> Party:
    return Party(row[side], row[f"{side}_name"], row[f"{side}_name_en"], row[f"{side}_attendance"])


async def board_of_meeting(meeting: MeetingRow, *, at: datetime, slot: int | None = None) -> Board:
    """Return the board as it stands at ``at``, or as it will at the beginning of ``slot``."""
    hour = hour_in(meeting, slot) if slot else hour_of(meeting, at)
    talks = [
        msgspec.structs.replace(each, over=_over(meeting, each, at))
        for each in await talks_of_day(meeting_id=meeting.id)
    ]
    broken = await _broken(meeting.id, hour)
    lines = [
        msgspec.structs.replace(_line(number, talks, hour), broken=number in broken)
        for number in sorted({each.table for each in talks} | (broken if talks else set()))
    ]
    number = day_number(at.astimezone(CHINA).date(), held_on=meeting.held_on, days=meeting.days)
    # of several days each has its own count: whoever has no talk today is not awaited
    today = [each for each in talks if (each.slot - 1) // meeting.slots + 1 == number]
    parties = {party.organisation: party for each in today for party in (each.buyer, each.seller)}
    return Board(
        hour,
        lines,
        _missing(lines),
        sum(each.attendance in (_HERE, "left") for each in parties.values()),
        len(parties),
        sum(each.is_done for each in talks),
        len(talks),
    )


class _Closed(msgspec.Struct, frozen=True):
    closed: tuple[tuple[int, int | None], ...] = ()


class _Details(msgspec.Struct, frozen=True):
    """What an incident keeps (``replanning.Details``), as far as tables go."""

    effects: _Closed


async def _broken(meeting_id: int, hour: Hour) -> set[int]:
    """Return the tables that were said to be of no use now."""
    rows = await fetch(
        """SELECT details FROM incident
           WHERE meeting = $1 AND kind = 'table_broken' AND undone_at IS NULL""",
        meeting_id,
    )
    return {
        table
        for row in rows
        for slot, table in msgspec.json.decode(row["details"], type=_Details).effects.closed
        if table is not None and slot == (hour.now or hour.next)
    }


def _line(number: int, talks: Iterable[Talk], hour: Hour) -> TableLine:
    here = [each for each in talks if each.table == number and each.state != "no_show"]
    due = next((each for each in here if each.slot == hour.now), None)
    # whoever still sits there keeps the table, whatever the clock says
    longer = next((each for each in here if each.is_on and each is not due), None)
    after = hour.now or (hour.next or 0) - 1
    coming = next((each for each in here if each.slot > after and not each.is_done and not each.is_on), None)
    return TableLine(number, longer or due, due if longer and due and not due.is_done else None, coming)


def _missing(lines: Iterable[TableLine]) -> list[Missed]:
    """Return who is awaited soonest: each once, for the first talk that waits for them."""
    found: dict[int, Missed] = {}
    awaited = sorted(
        (
            each
            for line in lines
            for each in (line.now, line.waiting, line.next)
            if each and not each.is_done and not each.is_on
        ),
        key=lambda each: (each.slot, each.table),
    )
    for talk in awaited:
        for side, party in (("buyer", talk.buyer), ("seller", talk.seller)):
            if party.is_missing:
                found.setdefault(party.organisation, Missed(party, side, talk))
    return list(found.values())

"""What calendars are told of a meeting: each event with a number that rises when it changes.

Calendars forget nothing by themselves: a talk that moved must come under the same UID with a higher
SEQUENCE, one that is no more must be called off. So what was told last is kept, and compared whenever
somebody's calendar asks.
"""

from datetime import datetime
from typing import Any

import msgspec

from market.db.session import execute, fetch, fetch_into, transaction
from market.meetings.planning.unfit import CALLED_OFF
from market.meetings.queries import MeetingRow

#: States of a talk that stands in a calendar.
_STANDS = ("scheduled", "held", "no_show")


class EntryRow(msgspec.Struct, frozen=True):
    """One event. ``seller`` and ``buyer`` are None for the meeting as a whole."""

    uid: str
    seller: int | None
    seller_name: str | None
    seller_name_en: str | None
    buyer: int | None
    buyer_name: str | None
    buyer_name_en: str | None
    content: "Told"
    sequence: int
    cancelled: bool
    changed_at: datetime


class Told(msgspec.Struct, frozen=True):
    """When and where. A change of any of it is a change of the event."""

    starts: datetime
    ends: datetime
    title: str
    venue: str
    table: int | None = None
    title_en: str = ""
    venue_en: str = ""


async def entries_of(*, meeting: MeetingRow, organisation_id: int, at: datetime) -> list[EntryRow]:
    """Return the events of an organisation's calendar, the meeting first; those called off among them.

    Talks are told once the timetable is published. What has changed since a calendar asked last is
    written down with a higher sequence.
    """
    found = await _kept(meeting.id, organisation_id)
    wanted = await _wanted(meeting, organisation_id)
    off = meeting.state in ("cancelled", "postponed")
    fresh = {
        uid: told
        for uid, (told, _, _) in wanted.items()
        if uid not in found or found[uid].content != told or found[uid].cancelled != off
    }
    gone = [uid for uid, row in found.items() if uid not in wanted and not row.cancelled]
    if fresh or gone:
        async with transaction():
            for uid, told in fresh.items():
                _, seller, buyer = wanted[uid]
                await _tell(meeting.id, uid, told, seller, buyer, cancelled=off, at=at)
            await execute(
                """UPDATE calendar_entry SET cancelled = true, sequence = sequence + 1, changed_at = $2
                   WHERE uid = ANY($1::text[]) AND NOT cancelled""",
                gone,
                at,
            )
        found = await _kept(meeting.id, organisation_id)
    return list(found.values())


async def last_told(*, meeting_id: int, organisation_id: int) -> list[EntryRow]:
    """Return what an organisation's calendars were told last, the meeting first, and tell nothing new."""
    return list((await _kept(meeting_id, organisation_id)).values())


def uid_of_meeting(meeting_id: int) -> str:
    return f"meeting-{meeting_id}@tiantou"


async def _kept(meeting_id: int, organisation_id: int) -> dict[str, EntryRow]:
    rows = await fetch_into(
        EntryRow,
        """SELECT entry.uid, entry.seller, seller.name AS seller_name, seller.name_en AS seller_name_en,
                  entry.buyer, buyer.name AS buyer_name, buyer.name_en AS buyer_name_en,
                  entry.content, entry.sequence, entry.cancelled, entry.changed_at
           FROM calendar_entry entry LEFT JOIN organisation seller ON seller.id = entry.seller
           LEFT JOIN organisation buyer ON buyer.id = entry.buyer
           WHERE entry.meeting = $1 AND (entry.seller IS NULL OR $2 IN (entry.seller, entry.buyer))
           ORDER BY entry.seller IS NOT NULL, entry.content ->> 'starts', entry.id""",
        meeting_id,
        organisation_id,
    )
    return {row.uid: row for row in rows}


async def _wanted(
    meeting: MeetingRow, organisation_id: int
) -> dict[str, tuple[Told, int | None, int | None]]:
    """Return UID -> what is to be told, seller and buyer."""
    whole = Told(
        meeting.slot_moment(1),
        meeting.slot_moment(meeting.all_slots, after=meeting.slot_minutes),
        meeting.title,
        meeting.venue,
        title_en=meeting.title_en,
        venue_en=meeting.venue_en,
    )
    wanted: dict[str, tuple[Told, int | None, int | None]] = {uid_of_meeting(meeting.id): (whole, None, None)}
    if meeting.published_at is None:
        return wanted
    for row in await fetch(
        f"""SELECT seller, buyer, slot, table_number FROM appointment
           WHERE meeting = $1 AND $2 IN (seller, buyer) AND slot IS NOT NULL AND state = ANY($3::text[])
             AND NOT {CALLED_OFF}""",  # noqa: S608  our own text
        meeting.id,
        organisation_id,
        list(_STANDS),
    ):
        told = Told(
            meeting.slot_moment(row["slot"]),
            meeting.slot_moment(row["slot"], after=meeting.slot_minutes),
            meeting.title,
            meeting.venue,
            row["table_number"],
            meeting.title_en,
            meeting.venue_en,
        )
        # the pair is the talk: its row may be written anew when the timetable is
        uid = f"talk-{meeting.id}-{row['seller']}-{row['buyer']}@tiantou"
        wanted[uid] = (told, row["seller"], row["buyer"])
    return wanted


async def _tell(
    meeting_id: int,
    uid: str,
    told: Told,
    seller: int | None,
    buyer: int | None,
    *,
    cancelled: bool,
    at: datetime,
) -> None:
    """Write one event; two calendars that ask at once raise its sequence once."""
    values: tuple[Any, ...] = (meeting_id, uid, seller, buyer, msgspec.json.encode(told).decode())
    await execute(
        """INSERT INTO calendar_entry (meeting, uid, seller, buyer, content, sequence, cancelled, changed_at)
           VALUES ($1, $2, $3, $4, $5, 0, $6, $7)
           ON CONFLICT (uid) DO UPDATE SET content = excluded.content, cancelled = excluded.cancelled,
             sequence = calendar_entry.sequence + 1, changed_at = excluded.changed_at
             WHERE calendar_entry.content <> excluded.content
                OR calendar_entry.cancelled <> excluded.cancelled""",
        *values,
        cancelled,
        at,
    )

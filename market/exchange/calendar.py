"""A meeting in the calendar of somebody invited (iCalendar, RFC 5545): the day, and every talk of theirs.

Times are UTC, so that no calendar needs to know a time zone. Nothing depends on when the file is
written: the same state gives the same bytes, and a calendar that subscribes is told "not modified".
"""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

from icalendar import Calendar, Event, vCalAddress, vText

from market.i18n import Language, Message, msg, translate
from market.meetings.calendar_entries import EntryRow, uid_of_meeting
from market.meetings.invitations.queries import InviteeRow
from market.meetings.queries import MeetingRow

_ENDED = msg("这个链接的日历已停用")
#: How often a calendar that subscribes should ask.
_REFRESH = timedelta(hours=1)
#: A state of an invitation as iCalendar's PARTSTAT.
PARTSTAT = {
    "needs_action": "NEEDS-ACTION",
    "accepted": "ACCEPTED",
    "tentative": "TENTATIVE",
    "declined": "DECLINED",
    "delegated": "DELEGATED",
    "expired": "NEEDS-ACTION",
    "revoked": "DECLINED",
}


def calendar(
    meeting: MeetingRow,
    entries: Sequence[EntryRow],
    *,
    invited: InviteeRow,
    language: Language,
    link: str = "",
) -> bytes:
    """Return the calendar of ``invited``; ``link`` is the address of the invitation, where it has one."""
    made = _blank(_name(meeting, "title", language))
    for entry in entries:
        made.add_component(_event(meeting, entry, invited, language, link))
    written: bytes = made.to_ical()
    return written


def ended_calendar(
    entries: Sequence[EntryRow], *, invited: InviteeRow, version: int, shown: bool, language: Language
) -> bytes:
    """Return what a link of ``version`` that has ended leaves of its calendar: each event called off.

    Programs that subscribe take what is called off, or is no more in the file, out of the calendar. The file
    tells no place, no name and no time but those of talks that the link had ``shown``; the day may have been
    moved since, and of a link that was replaced, talks may have been added.
    """
    made = _blank(translate(_ENDED, language))
    whole = uid_of_meeting(invited.meeting)
    known = {entry.uid: entry for entry in entries if entry.uid == whole or shown}
    for uid in {whole: None, **known}:
        entry = known.get(uid)
        # an event has to begin some time: the meeting's own is not told
        begins = changed = invited.created_at
        if entry is not None and uid != whole:
            begins, changed = entry.content.starts, entry.changed_at
        event = Event()
        event.add("uid", uid)
        event.add("sequence", _sequence(entry.sequence if entry else 0, version) + 1)
        event.add("dtstamp", changed.astimezone(timezone.utc))
        event.add("dtstart", begins.astimezone(timezone.utc))
        event.add("summary", translate(_ENDED, language))
        event.add("status", "CANCELLED")
        event.add("transp", "TRANSPARENT")
        made.add_component(event)
    written: bytes = made.to_ical()
    return written


def _blank(title: str) -> Calendar:
    made = Calendar()
    made.add("prodid", "-//Tiantou//Meetings//EN")
    made.add("version", "2.0")
    # names beginning with X are not escaped unless one says that they are text
    made.add("x-wr-calname", vText(title))
    made.add("refresh-interval", _REFRESH, parameters={"VALUE": "DURATION"})
    made.add("x-published-ttl", "PT1H")
    return made


def _sequence(told: int, version: int) -> int:
    """Return the number under which a link of this version tells an event.

    The next link's number is higher by two: between them is room for the word that the link has ended.
    """
    return told + 2 * (version - 1)


def last_change(entries: Sequence[EntryRow], *, invited: InviteeRow) -> datetime:
    """Return when anything of the calendar changed last, to the second."""
    moments = [entry.changed_at for entry in entries]
    moments += [each for each in (invited.responded_at, invited.created_at) if each]
    return max(moments).astimezone(timezone.utc).replace(microsecond=0)


def _event(meeting: MeetingRow, entry: EntryRow, invited: InviteeRow, language: Language, link: str) -> Event:
    told = entry.content
    title, venue = _name(meeting, "title", language), _name(meeting, "venue", language)
    summary: Message | str = title
    place: Message | str = venue
    if entry.seller is not None:
        other = "buyer_name" if entry.seller == invited.organisation else "seller_name"
        summary = msg("{title}：与{name}洽谈", title=title, name=_name(entry, other, language))
        if told.table is not None:
            place = msg("{venue}，{n} 号桌", venue=venue, n=told.table)
    event = Event()
    event.add("uid", entry.uid)
    event.add("sequence", _sequence(entry.sequence, invited.link_version))
    changed = entry.changed_at.astimezone(timezone.utc)
    event.add("dtstamp", changed)
    event.add("last-modified", changed)
    event.add("dtstart", told.starts.astimezone(timezone.utc))
    event.add("dtend", told.ends.astimezone(timezone.utc))
    event.add("summary", translate(summary, language))
    event.add("location", translate(place, language))
    event.add("status", _status(entry, invited))
    # the day itself must not look taken from end to end: its talks do
    event.add("transp", "TRANSPARENT" if entry.seller is None else "OPAQUE")
    event.add("organizer", _address(meeting.town, _name(meeting, "town_name", language)))
    attendee = _address(invited.organisation, _name(invited, "name", language))
    attendee.params["PARTSTAT"] = PARTSTAT[invited.state]
    attendee.params["ROLE"] = "NON-PARTICIPANT" if invited.side == "guest" else "REQ-PARTICIPANT"
    if invited.delegated_to is not None:
        attendee.params["DELEGATED-TO"] = f"urn:tiantou:organisation:{invited.delegated_to}"
    event.add("attendee", attendee)
    if link:
        event.add("url", link)
    return event


def _status(entry: EntryRow, invited: InviteeRow) -> str:
    if entry.cancelled:
        return "CANCELLED"
    return "TENTATIVE" if invited.state in ("needs_action", "tentative") else "CONFIRMED"


def _address(organisation: int, name: str) -> vCalAddress:
    """Return who somebody is: organisations have a number with us and no mailbox."""
    address = vCalAddress(f"urn:tiantou:organisation:{organisation}")
    address.params["CN"] = name
    return address


def _name(row: object, name: str, language: Language) -> str:
    english = getattr(row, f"{name}_en", "")
    return str(english if language == "en" and english else getattr(row, name))

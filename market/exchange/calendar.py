"""A meeting's own timetable as iCalendar (RFC 5545): one event for each talk, or the meeting as a whole."""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

from market.clock import CHINA
from market.i18n import Language, msg, translate
from market.meetings.queries import AppointmentRow, MeetingRow

#: A content line is folded before this many octets.
_LINE = 73
_CALENDAR = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Tiantou//Meetings//EN
"""
_EVENT = """\
BEGIN:VEVENT
UID:{uid}@tiantou
DTSTAMP:{at}
DTSTART:{start}
DTEND:{end}
SUMMARY:{title}
LOCATION:{place}
END:VEVENT
"""


def calendar(
    meeting: MeetingRow,
    talks: Sequence[AppointmentRow],
    *,
    organisation: int,
    language: Language,
    at: datetime,
) -> bytes:
    """Return the calendar of ``organisation``; ``at`` is when it was written."""
    lines = _CALENDAR.splitlines()
    title, venue = _name(meeting, "title", language), _name(meeting, "venue", language)
    placed = [each for each in talks if each.slot is not None and each.state in ("scheduled", "held")]
    if not placed:
        end = meeting.slot_start(meeting.slots) + meeting.slot_minutes
        lines += _event(
            f"meeting-{meeting.id}",
            _moment(meeting, meeting.starts_at),
            _moment(meeting, end),
            title,
            venue,
            at,
        )
    for talk in placed:
        assert talk.slot is not None
        start = meeting.slot_start(talk.slot)
        other = "buyer_name" if talk.seller == organisation else "seller_name"
        words = msg("{title}：与{name}洽谈", title=title, name=_name(talk, other, language))
        place = msg("{venue}，{n} 号桌", venue=venue, n=talk.table_number or 0)
        lines += _event(
            f"talk-{talk.id}",
            _moment(meeting, start),
            _moment(meeting, start + meeting.slot_minutes),
            translate(words, language),
            translate(place, language),
            at,
        )
    lines.append("END:VCALENDAR")
    return "".join(f"{folded}\r\n" for line in lines for folded in _folded(line)).encode()


def _event(uid: str, start: datetime, end: datetime, title: str, place: str, at: datetime) -> list[str]:
    event = _EVENT.format(
        uid=uid, at=_utc(at), start=_utc(start), end=_utc(end), title=_text(title), place=_text(place)
    )
    return event.rstrip("\n").split("\n")


def _moment(meeting: MeetingRow, minutes: int) -> datetime:
    midnight = datetime(meeting.held_on.year, meeting.held_on.month, meeting.held_on.day, tzinfo=CHINA)
    return midnight + timedelta(minutes=minutes)


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(timezone.utc):%Y%m%dT%H%M%SZ}"


def _text(words: str) -> str:
    for sign in "\\;,":
        words = words.replace(sign, f"\\{sign}")
    return "\\n".join(words.splitlines())


def _folded(line: str) -> list[str]:
    """Fold at whole characters; a continuation begins with a space."""
    parts, part = [], ""
    for sign in line:
        if len((part + sign).encode()) > _LINE:
            parts.append(part)
            part = " "
        part += sign
    return [*parts, part]


def _name(row: object, name: str, language: Language) -> str:
    english = getattr(row, f"{name}_en", "")
    return str(english if language == "en" and english else getattr(row, name))

"""Calendar files: one for who downloads it and for who subscribes, who mostly hears "not modified"."""

import hashlib
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime

from litestar import Response

from market import clock
from market.exchange.calendar import calendar, ended_calendar, last_change
from market.meetings.calendar_entries import entries_of, last_told
from market.meetings.invitations.links import invitation_path
from market.meetings.invitations.queries import Ended, InviteeRow
from market.meetings.queries import MeetingRow
from market.settings import settings
from market.web.edge.guards import WebRequest
from market.web.edge.language import language_of


def site_address(request: WebRequest) -> str:
    """Return what links to this site begin with: the setting, or the address that this reader uses."""
    return settings().public_url.rstrip("/") or str(request.base_url).rstrip("/")


async def calendar_answer(request: WebRequest, meeting: MeetingRow, invited: InviteeRow) -> Response[bytes]:
    """Return the invited's calendar, or 304 where the reader's copy is still true."""
    entries = await entries_of(meeting=meeting, organisation_id=invited.organisation, at=clock.now())
    link = site_address(request) + invitation_path(invited.id, invited.link_version)
    content = calendar(meeting, entries, invited=invited, language=language_of(request), link=link)
    return _told(request, meeting.id, content, last_change(entries, invited=invited))


async def ended_answer(request: WebRequest, ended: Ended, version: int) -> Response[bytes]:
    """Return what calls off, in calendars that subscribe, what an ended link of ``version`` told them."""
    invited = ended.invited
    entries = await last_told(meeting_id=invited.meeting, organisation_id=invited.organisation)
    content = ended_calendar(
        entries, invited=invited, version=version, shown=ended.shown, language=language_of(request)
    )
    return _told(request, invited.meeting, content, None)


def _told(request: WebRequest, meeting_id: int, content: bytes, changed: datetime | None) -> Response[bytes]:
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {
        "content-disposition": f'attachment; filename="meeting-{meeting_id}.ics"',
        # anybody's own: no proxy keeps it, a reader asks before using a copy
        "cache-control": "private, no-cache",
        "etag": tag,
    }
    if changed is not None:
        headers["last-modified"] = format_datetime(changed, usegmt=True)
    if _is_fresh(request, tag, changed):
        return Response(b"", status_code=304, headers=headers, media_type="text/calendar")
    return Response(content, headers=headers, media_type="text/calendar")


def _is_fresh(request: WebRequest, tag: str, changed: datetime | None) -> bool:
    """Tell whether the reader's copy is this one (RFC 9110: a tag counts more than a time).

    When a link ended is not kept: such a calendar goes by its tag alone.
    """
    given = request.headers.get("if-none-match")
    if given is not None:
        # what passed a compressing proxy comes back as a weak tag
        return given.strip() == "*" or tag in [part.strip().removeprefix("W/") for part in given.split(",")]
    try:
        since = parsedate_to_datetime(request.headers.get("if-modified-since", ""))
    except (ValueError, OverflowError):
        return False
    return changed is not None and since.tzinfo is not None and changed <= since

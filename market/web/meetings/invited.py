"""Meetings as those see them who are invited: the invitation, the answer, the own timetable."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import Viewer, party_actor
from market.errors import NotFound
from market.i18n import Message, msg
from market.meetings.commands import wishes_closed
from market.meetings.invitations.queries import invitee_of
from market.meetings.invitations.wish_queries import counterparts_of
from market.meetings.operations import respond
from market.meetings.queries import (
    AppointmentRow,
    InvitationRow,
    MeetingRow,
    appointments_of_meeting,
    invitations_of,
    meeting_of,
    meetings_of,
)
from market.meetings.rules import APPOINTMENT, INVITATION, MEETING, OUTCOMES, PLANNABLE
from market.meetings.talks.noting import Notes, notes_of
from market.meetings.tour.queries import route_of
from market.transitions import WrongState
from market.web.edge.addresses import row_number
from market.web.edge.guards import SignedIn, WebRequest
from market.web.edge.language import language_of
from market.web.meetings.running import facts_of
from market.web.parts import formats
from market.web.parts.calendars import calendar_answer
from market.web.parts.pages import redirect
from market.web.parts.trade import BARE, show

#: What may be answered: label, kind of button.
ANSWERS: dict[str, tuple[Message, str]] = {
    "accepted": (msg("参加"), "primary"),
    "tentative": (msg("可能参加"), "secondary"),
    "declined": (msg("不参加"), "secondary"),
}


class Wishing(msgspec.Struct, frozen=True):
    """How many counterparts there are, and to how many a wish was given."""

    all: int
    chosen: int


class Invited(msgspec.Struct, frozen=True):
    """A meeting with the viewer's own invitation to it."""

    meeting: MeetingRow
    invitation: InvitationRow
    #: The viewer's own talks that can be seen by now and were not called off.
    talks: int = 0


async def own_invitation(meeting: MeetingRow, viewer: Viewer) -> InvitationRow:
    """Return the viewer's invitation to the meeting.

    Raises:
        NotFound: there is none, or it was revoked.
    """
    for each in await invitations_of(meeting_id=meeting.id):
        if each.organisation == viewer.organisation_id and each.state != "revoked":
            return each
    raise NotFound(msg("没有找到这场对接会。"))


async def _seen_talks(meeting: MeetingRow, viewer: Viewer) -> int:
    return sum(each.state != "cancelled" and not each.called_off for each in await own_talks(meeting, viewer))


def can_answer(meeting: MeetingRow) -> bool:
    return meeting.state in PLANNABLE and meeting.held_on >= clock.today()


@get("/meetings")
async def index(request: WebRequest, viewer: SignedIn) -> Response[Any]:
    """List the meetings that one is invited to; an official has the town's own page."""
    if "official" in viewer.sides:
        return redirect(request, "/town/meetings")
    today = clock.today()
    rows = [
        Invited(each, await own_invitation(each, viewer), await _seen_talks(each, viewer))
        for each in await meetings_of(organisation_id=viewer.organisation_id)
        if each.town != viewer.organisation_id
    ]
    return show(
        request,
        "invited/index.html",
        ahead=[each for each in rows if each.meeting.slot_day(each.meeting.all_slots) >= today],
        past=[each for each in rows if each.meeting.slot_day(each.meeting.all_slots) < today],
        answers=ANSWERS,
        can_answer=can_answer,
        MEETING=MEETING,
        INVITATION=INVITATION,
    )


@get("/meetings/{meeting_id:int}")
async def one(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[Any]:
    """Show the invitation, the answer and the own timetable."""
    meeting = await meeting_of(meeting_id=row_number(meeting_id), organisation_id=viewer.organisation_id)
    if meeting.town == viewer.organisation_id:
        return redirect(request, f"/town/meetings/{meeting.id}")
    invitation = await own_invitation(meeting, viewer)
    mine = await own_appointments(meeting, viewer)
    talks = [each for each in mine if each.slot is not None]
    language = language_of(request)
    now, following = now_and_next(meeting, talks, at=clock.now())
    tour = await route_of(meeting.id)
    notes = await notes_for(meeting, viewer)
    partners = {party for each in talks for party in (each.seller, each.buyer)}
    return show(
        request,
        "invited/show.html",
        meeting=meeting,
        invitation=invitation,
        talks=talks,
        # agreed, but without a place: on the day whatever happened has taken it
        gone=[each for each in mine if each.slot is None and each.state == "accepted"],
        is_shown=is_shown(meeting),
        now=now,
        next=following,
        notes=notes,
        kept=[each for about, each in notes.items() if about not in partners],
        wishing=await _wishing(meeting, invitation),
        tour=tour if tour is not None and tour.is_told else None,
        days=formats.held_days(meeting, language),
        facts=facts_of(meeting, language, for_guests=True),
        answers=ANSWERS,
        can_answer=can_answer(meeting),
        names=OUTCOMES,
        MEETING=MEETING,
        INVITATION=INVITATION,
        APPOINTMENT=APPOINTMENT,
    )


def is_shown(meeting: MeetingRow) -> bool:
    """Tell whether participants see their timetables: it was published, or is being kept to."""
    return meeting.published_at is not None or meeting.state not in PLANNABLE


def now_and_next(
    meeting: MeetingRow, talks: Sequence[AppointmentRow], *, at: datetime
) -> tuple[AppointmentRow | None, AppointmentRow | None]:
    """Return the talk that is on and the one after it, on a day of the meeting; None where there is none."""
    if meeting.state not in ("timetabled", "in_progress"):
        return None, None
    local = at.astimezone(clock.CHINA)
    minute = local.hour * 60 + local.minute
    now = None
    for talk in talks:
        if talk.slot is None or talk.state != "scheduled" or talk.called_off:
            continue
        if meeting.slot_day(talk.slot) != local.date():
            continue
        start = meeting.slot_start(talk.slot)
        if start <= minute < start + meeting.slot_minutes:
            now = talk
        elif start > minute:
            return now, talk
    return now, None


async def _wishing(meeting: MeetingRow, invitation: InvitationRow) -> Wishing | None:
    """Return how far the choice of counterparts is; None where one cannot choose."""
    closed = wishes_closed(
        wishes_by=meeting.wishes_by, published=meeting.published_at is not None, today=clock.today()
    )
    gone = invitation.state in ("declined", "expired")
    if closed or gone or invitation.side == "guest" or meeting.state not in PLANNABLE:
        return None
    rows = await counterparts_of(meeting.id, invitation.organisation)
    return Wishing(len(rows), sum(each.wish is not None for each in rows)) if rows else None


async def own_talks(meeting: MeetingRow, viewer: Viewer) -> list[AppointmentRow]:
    """Return the viewer's talks, once they are published; somebody who only looks on has none."""
    return [each for each in await own_appointments(meeting, viewer) if each.slot is not None]


async def notes_for(meeting: MeetingRow, viewer: Viewer) -> dict[int, Notes]:
    """Return whom the viewer's side meets -> its notes; an agent of another organisation reads none."""
    if viewer.delegation_id is not None:
        return {}
    return await notes_of(
        meeting_id=meeting.id, organisation_id=viewer.organisation_id, person_id=viewer.person_id
    )


async def own_appointments(meeting: MeetingRow, viewer: Viewer) -> list[AppointmentRow]:
    """Return the viewer's talks with those that have no place in the timetable (any more)."""
    if not is_shown(meeting):
        return []
    return await appointments_of_meeting(meeting_id=meeting.id, organisation_id=viewer.organisation_id)


@post("/meetings/{meeting_id:int}/answer/{answer:str}")
async def reply(
    request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int], answer: FromPath[str]
) -> Response[bytes]:
    """Answer the invitation; giving the same answer twice is harmless."""
    if answer not in ANSWERS:
        raise NotFound(msg("没有这个回复，请在邀请页面上选。"))
    (await BARE.read(request)).check()
    meeting = await meeting_of(meeting_id=row_number(meeting_id), organisation_id=viewer.organisation_id)
    invitation = await own_invitation(meeting, viewer)
    try:
        await respond(
            meeting_id=meeting.id,
            organisation_id=viewer.organisation_id,
            answer=answer,
            actor=party_actor(viewer, invitation.side),
            at=clock.now(),
        )
    except WrongState:
        if (await own_invitation(meeting, viewer)).state != answer:
            raise
    return redirect(
        request,
        f"/meetings/{meeting.id}",
        toast=msg("已回复：{answer}。", answer=ANSWERS[answer][0]),
    )


@get("/meetings/{meeting_id:int}/calendar.ics")
async def ics(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[bytes]:
    """Return the own timetable for a calendar program."""
    meeting = await meeting_of(meeting_id=row_number(meeting_id), organisation_id=viewer.organisation_id)
    invited = await invitee_of(meeting_id=meeting.id, organisation_id=viewer.organisation_id)
    return await calendar_answer(request, meeting, invited)


routes: list[ControllerRouterHandler] = [index, one, reply, ics]

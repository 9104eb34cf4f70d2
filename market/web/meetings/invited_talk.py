"""One talk as a side of it sees it: whom one meets and why, both sides' goods side by side, own notes."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import Viewer
from market.errors import Invalid, NotFound
from market.i18n import msg
from market.meetings.queries import AppointmentRow, MeetingRow, appointment_of, meeting_of
from market.meetings.rules import APPOINTMENT, MEETING, OUTCOMES
from market.meetings.talks.noting import LONGEST_NOTE, keep_note, notes_of
from market.meetings.talks.side_by_side import side_by_side
from market.web.edge.addresses import row_number
from market.web.edge.guards import SignedIn, WebRequest
from market.web.edge.language import language_of
from market.web.meetings.invited import own_invitation, own_talks
from market.web.parts import fields
from market.web.parts.forms import Filled, Form
from market.web.parts.pages import is_htmx, redirect
from market.web.parts.told import plain, words_for
from market.web.parts.trade import acting, show

NOTE = Form(text=fields.text(msg("我的笔记"), most=LONGEST_NOTE, lines=True, optional=True))


async def _talk(
    meeting_id: int, appointment_id: int, viewer: Viewer
) -> tuple[MeetingRow, AppointmentRow, list[AppointmentRow]]:
    """Return the meeting, the talk and all talks of the viewer there; only what is published is seen."""
    meeting = await meeting_of(meeting_id=row_number(meeting_id), organisation_id=viewer.organisation_id)
    talk = await appointment_of(
        appointment_id=row_number(appointment_id), organisation_id=viewer.organisation_id
    )
    own = await own_talks(meeting, viewer)
    if talk.id not in {each.id for each in own}:
        raise NotFound(msg("没有找到这场洽谈。"))
    return meeting, talk, own


@get("/meetings/{meeting_id:int}/talks/{appointment_id:int}")
async def page(
    request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int], appointment_id: FromPath[int]
) -> Response[Any]:
    """Show whom one meets, and what each side has and wants."""
    meeting, talk, own = await _talk(meeting_id, appointment_id, viewer)
    notes = await notes_of(meeting_id=meeting.id, organisation_id=viewer.organisation_id)
    kept = notes.get(talk.id)
    form = NOTE.blank(text=kept.text if kept else "")
    return await _draw(request, viewer, meeting, talk, own, form)


async def _draw(
    request: WebRequest,
    viewer: Viewer,
    meeting: MeetingRow,
    talk: AppointmentRow,
    own: list[AppointmentRow],
    form: Filled,
    *,
    status: int = 200,
) -> Response[str]:
    both = await side_by_side(appointment_id=talk.id, organisation_id=viewer.organisation_id)
    told = [each.message for one in both.together for each in one.obstacles.values()]
    words = await words_for(language_of(request), messages=told)
    place = [each.id for each in own].index(talk.id)
    return show(
        request,
        "invited/talk.html",
        status=status,
        meeting=meeting,
        invitation=await own_invitation(meeting, viewer),
        talk=talk,
        before=own[place - 1] if place else None,
        after=own[place + 1] if place + 1 < len(own) else None,
        both=both,
        plain=lambda message: plain(message, words),
        form=form,
        names=OUTCOMES,
        MEETING=MEETING,
        APPOINTMENT=APPOINTMENT,
    )


@post("/meetings/{meeting_id:int}/talks/{appointment_id:int}/note")
async def note(
    request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int], appointment_id: FromPath[int]
) -> Response[Any]:
    """Keep the viewer's own note; htmx, which sends it as one writes, gets the word that it is kept."""
    meeting, talk, own = await _talk(meeting_id, appointment_id, viewer)
    invitation = await own_invitation(meeting, viewer)
    filled = await NOTE.read(request)
    at = clock.now()
    fault = None
    try:
        filled.check()
        await keep_note(
            appointment_id=talk.id,
            text=filled.values["text"],
            actor=acting(viewer, invitation.side),
            at=at,
        )
    except Invalid as refused:
        filled = filled.refused(refused)
        fault = filled.error("text") or refused.message
        if not is_htmx(request):
            return await _draw(request, viewer, meeting, talk, own, filled, status=422)
    if is_htmx(request):
        return show(
            request,
            "invited/note_kept.html",
            status=422 if fault else 200,
            at=at.astimezone(clock.CHINA),
            fault=fault,
        )
    return redirect(request, f"/meetings/{meeting.id}/talks/{talk.id}#note", toast=msg("笔记已保存。"))


routes: list[ControllerRouterHandler] = [page, note]

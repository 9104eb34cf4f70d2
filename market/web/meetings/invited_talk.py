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
from market.meetings.talks.noting import LONGEST_NOTE, NotedElsewhere, Notes, keep_note
from market.meetings.talks.side_by_side import side_by_side
from market.web.edge.addresses import row_number
from market.web.edge.guards import SignedIn, WebRequest
from market.web.edge.language import language_of
from market.web.meetings.invited import notes_for, own_invitation, own_talks
from market.web.parts import fields
from market.web.parts.changed_meanwhile import SEEN
from market.web.parts.forms import Filled, Form
from market.web.parts.pages import is_htmx, redirect
from market.web.parts.told import plain, words_for
from market.web.parts.trade import KEY, acting, new_key, show

#: ``page`` goes on writing what it wrote itself; ``over``: what stands instead has been seen, and goes.
NOTE = Form(
    text=fields.text(msg("我的笔记"), most=LONGEST_NOTE, lines=True, optional=True),
    seen=SEEN,
    over=SEEN,
    page=KEY,
)


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
    return await _draw(request, viewer, meeting, talk, own)


async def _notes(meeting: MeetingRow, talk: AppointmentRow, viewer: Viewer) -> Notes:
    notes = await notes_for(meeting, viewer)
    return notes.get(talk.buyer if viewer.organisation_id == talk.seller else talk.seller, Notes())


async def _draw(
    request: WebRequest,
    viewer: Viewer,
    meeting: MeetingRow,
    talk: AppointmentRow,
    own: list[AppointmentRow],
    form: Filled | None = None,
    *,
    status: int = 200,
    kept: dict[str, Any] | None = None,
) -> Response[str]:
    both = await side_by_side(appointment_id=talk.id, organisation_id=viewer.organisation_id)
    told = [each.message for one in both.together for each in one.obstacles.values()]
    words = await words_for(language_of(request), messages=told)
    place = [each.id for each in own].index(talk.id)
    notes = await _notes(meeting, talk, viewer)
    if form is None:
        form = NOTE.blank(text=notes.own.text if notes.own else "", seen=notes.marks, page=new_key())
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
        colleagues=notes.others,
        names=OUTCOMES,
        MEETING=MEETING,
        APPOINTMENT=APPOINTMENT,
        **(kept or {"elsewhere": ""}),
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
    kept: dict[str, Any] = {"at": at.astimezone(clock.CHINA), "fault": None, "elsewhere": ""}
    status = 200
    try:
        filled.check()
        await keep_note(
            appointment_id=talk.id,
            text=filled.values["text"],
            actor=acting(viewer, invitation.side),
            at=at,
            seen=filled.values["over"] or filled.values["seen"],
            page=filled.values["page"] or "",
        )
    except Invalid as refused:
        filled, status = filled.refused(refused), 422
        kept["fault"] = filled.error("text") or refused.message
    except NotedElsewhere as refused:
        status = 409
        kept |= {"fault": refused.message, "elsewhere": refused.text, "over": refused.marks}
    if is_htmx(request):
        return show(request, "invited/note_kept.html", status=status, **kept)
    if kept["fault"]:
        return await _draw(request, viewer, meeting, talk, own, filled, status=status, kept=kept)
    return redirect(request, f"/meetings/{meeting.id}/talks/{talk.id}#note", toast=msg("笔记已保存。"))


routes: list[ControllerRouterHandler] = [page, note]

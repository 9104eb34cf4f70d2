"""The invited say whom they want to meet, and when they cannot: one tap each, on the phone."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import Viewer
from market.errors import Invalid
from market.i18n import Message, msg
from market.meetings.invitations.wishing import set_absences, set_wish
from market.meetings.queries import InvitationRow, MeetingRow, meeting_of
from market.meetings.rules import INVITATION, MEETING, WISHES
from market.web.edge.addresses import row_number
from market.web.edge.guards import SignedIn, WebRequest
from market.web.meetings.invited import own_invitation
from market.web.meetings.wish_form import SHOWN, WISH, choosing, read_slots, slot_days
from market.web.parts.pages import is_htmx, redirect
from market.web.parts.trade import acting, show


async def _invited(meeting_id: int, viewer: Viewer) -> tuple[MeetingRow, InvitationRow]:
    meeting = await meeting_of(meeting_id=row_number(meeting_id), organisation_id=viewer.organisation_id)
    return meeting, await own_invitation(meeting, viewer)


@get("/meetings/{meeting_id:int}/wishes")
async def page(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[Any]:
    """Show whom one could meet and why, with the four levels beside each."""
    meeting, invitation = await _invited(meeting_id, viewer)
    if invitation.side == "guest":
        return redirect(request, f"/meetings/{meeting.id}")
    return await _draw(request, meeting, invitation)


async def _draw(
    request: WebRequest,
    meeting: MeetingRow,
    invitation: InvitationRow,
    *,
    fault: Message | None = None,
    fault_at: int | None = None,
    absent_fault: Message | None = None,
    status: int = 200,
) -> Response[str]:
    here = f"/meetings/{meeting.id}/wishes"
    chosen = await choosing(request, meeting, organisation_id=invitation.organisation, base=here)
    row = chosen.row(fault_at) if fault_at else None
    return show(
        request,
        "invited/wishes.html",
        fragment="invited/wish_one.html" if row else None,
        status=status,
        meeting=meeting,
        invitation=invitation,
        choosing=chosen,
        row=row,
        here=here,
        keep={},
        lists=SHOWN,
        wishes=WISHES,
        slot_days=slot_days(meeting),
        fault=fault,
        fault_at=fault_at,
        absent_fault=absent_fault,
        MEETING=MEETING,
        INVITATION=INVITATION,
    )


@post("/meetings/{meeting_id:int}/wishes/{about:int}")
async def wish(
    request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int], about: FromPath[int]
) -> Response[Any]:
    """Keep one wish; htmx gets the card anew, a plain post comes back to it."""
    meeting, invitation = await _invited(meeting_id, viewer)
    about = row_number(about)
    filled = await WISH.read(request)
    try:
        filled.check()
        level = filled.values["level"]
        await set_wish(
            meeting_id=meeting.id,
            organisation_id=viewer.organisation_id,
            about=about,
            level=None if level == "none" else level,
            note=filled.values["note"],
            actor=acting(viewer, invitation.side),
            at=clock.now(),
        )
    except Invalid as refused:
        told = next(iter(refused.fields.values()), refused.message)
        return await _draw(request, meeting, invitation, fault=told, fault_at=about, status=422)
    if is_htmx(request):
        return await _draw(request, meeting, invitation, fault_at=about)
    return redirect(request, f"/meetings/{meeting.id}/wishes#c-{about}")


@get(["/meetings/{meeting_id:int}/wishes/absent", "/meetings/{meeting_id:int}/wishes/{about:int}"])
async def back(request: WebRequest, meeting_id: FromPath[int]) -> Response[Any]:
    """Lead who asks for the address of a post, as after a refusal, to the page."""
    return redirect(request, f"/meetings/{row_number(meeting_id)}/wishes")


@post("/meetings/{meeting_id:int}/wishes/absent")
async def absent(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[Any]:
    """Keep the slots in which one cannot come."""
    meeting, invitation = await _invited(meeting_id, viewer)
    typed = [str(value) for name, value in (await request.form()).multi_items() if name == "slots"]
    try:
        await set_absences(
            meeting_id=meeting.id,
            organisation_id=viewer.organisation_id,
            slots=read_slots(typed),
            actor=acting(viewer, invitation.side),
            at=clock.now(),
        )
    except Invalid as refused:
        told = next(iter(refused.fields.values()), refused.message)
        return await _draw(request, meeting, invitation, absent_fault=told, status=422)
    return redirect(request, f"/meetings/{meeting.id}/wishes#absent", toast=msg("已保存不能来的时段。"))


routes: list[ControllerRouterHandler] = [page, wish, absent, back]

"""Changing a meeting that has not begun: a new day, more tables, another place."""

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts import rules as accounts
from market.errors import Conflict, Invalid
from market.i18n import msg
from market.meanwhile import ChangedMeanwhile, settled
from market.meetings.commands import COLUMNS, NewMeeting
from market.meetings.planning.plan import request_plan
from market.meetings.planning.revising import revise_meeting
from market.meetings.queries import MeetingRow, invitations_of
from market.meetings.rules import MEETING, PLANNABLE
from market.web.edge.guards import OFFICIAL, SignedIn, WebRequest
from market.web.edge.language import language_of
from market.web.meetings.form import PARTS, filled_with, meeting_form, meeting_from, notes_on, open_parts
from market.web.meetings.running import own_meeting
from market.web.meetings.steps import steps_of
from market.web.parts.changed_meanwhile import merged, saved_with, with_theirs
from market.web.parts.forms import Filled
from market.web.parts.pages import redirect
from market.web.parts.trade import do_once, show


@get("/town/meetings/{meeting_id:int}/edit", guards=OFFICIAL)
async def edit(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[str]:
    """Show the form with what is announced standing in it."""
    meeting = await own_meeting(meeting_id, viewer)
    if meeting.state not in PLANNABLE:
        raise Conflict(msg("会议已开始或已取消，不能再改。"))
    guests = await invitations_of(meeting_id=meeting.id)
    media = any(each.side == "guest" for each in guests)
    form = filled_with(meeting_form(is_new=False), meeting, invite_media=media)
    return await _form(request, meeting, form)


@post("/town/meetings/{meeting_id:int}/edit", guards=OFFICIAL)
async def change(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[Any]:
    """Keep the change and queue a new timetable."""
    meeting = await own_meeting(meeting_id, viewer)
    filled = await meeting_form(is_new=False).read(request)
    actor, at = accounts.actor(viewer, "official"), clock.now()
    language, theirs = language_of(request), frozenset[str]()
    try:
        filled.check()
        wanted, key = meeting_from(filled)
        theirs = settled(wanted, now=_standing(meeting), seen=filled.values["seen"], names=COLUMNS).theirs

        async def deed() -> int:
            town_id = viewer.organisation_id
            await revise_meeting(
                meeting_id=meeting.id,
                meeting=wanted,
                town_id=town_id,
                actor=actor,
                at=at,
                seen=filled.values["seen"],
            )
            await request_plan(meeting_id=meeting.id, town_id=town_id, actor=actor, at=at)
            return meeting.id

        await do_once(
            viewer=viewer,
            key=key,
            name="revise_meeting",
            about={"meeting": meeting.id, **msgspec.to_builtins(wanted)},
            deed=deed,
            at=at,
        )
    except Invalid as refused:
        form = filled.refused(refused)
        if theirs:
            form = with_theirs(form, theirs, fresh=filled_with(form.form, meeting), language=language)
        return await _form(request, meeting, form, status=422)
    except ChangedMeanwhile as changed:
        meeting = await own_meeting(meeting_id, viewer)
        form = merged(filled, changed, fresh=filled_with(filled.form, meeting), language=language)
        return await _form(request, meeting, form, status=409)
    except Conflict as refused:
        # a timetable is being made just now, say: what was filled in is not lost by that
        return await _form(request, meeting, filled.refused(Invalid(refused.message)), status=409)
    done = saved_with(msg("已保存，正在重新排桌。"), filled, theirs)
    return redirect(request, f"/town/meetings/{meeting.id}", toast=done)


def _standing(meeting: MeetingRow) -> NewMeeting:
    return NewMeeting(**{name: getattr(meeting, name) for name in COLUMNS})


async def _form(
    request: WebRequest,
    meeting: MeetingRow,
    form: Filled,
    *,
    status: int = 200,
) -> Response[str]:
    return show(
        request,
        "meetings/edit.html",
        status=status,
        form=form,
        meeting=meeting,
        steps=await steps_of(request, meeting),
        parts=PARTS,
        opened=open_parts(form),
        notes=notes_on(form),
        MEETING=MEETING,
    )


routes: list[ControllerRouterHandler] = [edit, change]

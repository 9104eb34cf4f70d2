"""Changing a meeting that has not begun: a new day, more tables, another place."""

from datetime import time
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts import rules as accounts
from market.errors import Conflict, Invalid
from market.i18n import msg
from market.meetings.commands import NewMeeting
from market.meetings.planning import request_plan
from market.meetings.queries import MeetingRow, invitations_of
from market.meetings.revising import revise_meeting
from market.meetings.rules import PLANNABLE
from market.web.forms import Filled
from market.web.guards import SignedIn, WebRequest
from market.web.meetings import meeting_form, own_meeting
from market.web.pages import redirect
from market.web.town import OFFICIAL
from market.web.trade import do_once, new_key, show


@get("/town/meetings/{meeting_id:int}/edit", guards=OFFICIAL)
async def edit(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[str]:
    """Show the form with what is announced standing in it."""
    meeting = await own_meeting(meeting_id, viewer)
    if meeting.state not in PLANNABLE:
        raise Conflict(msg("会议已开始或已取消，不能再改。"))
    guests = await invitations_of(meeting_id=meeting.id)
    form = meeting_form(is_new=False).blank(
        title=meeting.title,
        title_en=meeting.title_en,
        held_on=meeting.held_on,
        starts_at=time(meeting.starts_at // 60, meeting.starts_at % 60),
        venue=meeting.venue,
        venue_en=meeting.venue_en,
        slot_minutes=meeting.slot_minutes,
        slots=meeting.slots,
        tables=meeting.tables,
        half_day_after=meeting.half_day_after,
        pause_minutes=meeting.pause_minutes,
        most_appointments=meeting.most_appointments,
        invite_media=any(each.side == "guest" for each in guests),
        programme=meeting.programme,
        programme_en=meeting.programme_en,
        key=new_key(),
    )
    return _form(request, meeting, form)


@post("/town/meetings/{meeting_id:int}/edit", guards=OFFICIAL)
async def change(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[Any]:
    """Keep the change and queue a new timetable."""
    meeting = await own_meeting(meeting_id, viewer)
    filled = await meeting_form(is_new=False).read(request)
    actor, at = accounts.actor(viewer, "official"), clock.now()
    try:
        filled.check()
        values = dict(filled.values)
        key, begins = values.pop("key"), values.pop("starts_at")
        wanted = NewMeeting(**values, starts_at=begins.hour * 60 + begins.minute)

        async def deed() -> int:
            town_id = viewer.organisation_id
            await revise_meeting(meeting_id=meeting.id, meeting=wanted, town_id=town_id, actor=actor, at=at)
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
        return _form(request, meeting, filled.refused(refused), status=422)
    return redirect(request, f"/town/meetings/{meeting.id}", toast=msg("已保存，正在重新排桌。"))


def _form(request: WebRequest, meeting: MeetingRow, form: Filled, *, status: int = 200) -> Response[str]:
    return show(request, "meetings/edit.html", status=status, form=form, meeting=meeting)


routes: list[ControllerRouterHandler] = [edit, change]

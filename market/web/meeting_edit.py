"""Changing a meeting that has not begun: a new day, more tables, another place."""

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts import rules as accounts
from market.errors import Conflict, Invalid
from market.i18n import Message, msg
from market.meetings.commands import NewMeeting, differing, marks_of
from market.meetings.planning import request_plan
from market.meetings.queries import MeetingRow, invitations_of
from market.meetings.revising import ChangedMeanwhile, revise_meeting
from market.meetings.rules import MEETING, PLANNABLE
from market.web.forms import Filled
from market.web.guards import SignedIn, WebRequest
from market.web.meeting_form import PARTS, filled_with, meeting_form, meeting_from, notes_on, open_parts
from market.web.meeting_steps import steps_of
from market.web.meetings import own_meeting
from market.web.pages import redirect
from market.web.town import OFFICIAL
from market.web.trade import do_once, show


class Moved(msgspec.Struct, frozen=True):
    """What is other now than when the form was opened. ``kept``: it was changed in the form too."""

    label: Message
    now: str
    kept: bool


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
    try:
        filled.check()
        wanted, key = meeting_from(filled)

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
        return await _form(request, meeting, filled.refused(refused), status=422)
    except ChangedMeanwhile as refused:
        meeting = await own_meeting(meeting_id, viewer)
        form, moved = merged(filled, wanted, meeting, refused.names)
        return await _form(request, meeting, form, moved=moved, status=409)
    except Conflict as refused:
        # a timetable is being made just now, say: what was filled in is not lost by that
        return await _form(request, meeting, filled.refused(Invalid(refused.message)), status=409)
    return redirect(request, f"/town/meetings/{meeting.id}", toast=msg("已保存，正在重新排桌。"))


def merged(
    filled: Filled, wanted: NewMeeting, meeting: MeetingRow, names: frozenset[str]
) -> tuple[Filled, list[Moved]]:
    """Return the form as it was filled in, with what others changed meanwhile, and what that is.

    ``names`` are the columns that others changed. What was left alone in this form takes what stands there
    now, so that saving does not bring the old back; what was changed here too stays as it was typed.
    """
    touched = differing(filled.values["seen"], marks_of(msgspec.structs.asdict(wanted)))
    now = filled_with(filled.form, meeting)
    typed = dict(filled.typed)
    for name in {*(names - touched), "seen"}:
        typed[name] = now.typed.get(name, [])
    moved = [
        Moved(field.label, _told(now, name), kept=name in touched)
        for name, field in filled.form.fields.items()
        if name in names
    ]
    return msgspec.structs.replace(filled, typed=typed), moved


def _told(form: Filled, name: str) -> str:
    """Return what stands in a field, in a line; a tick is told as such."""
    text = " ".join(form.text(name).split())
    if form.field(name).kind == "tick":
        return "✓" if text else "–"
    return text or "–"


async def _form(
    request: WebRequest,
    meeting: MeetingRow,
    form: Filled,
    *,
    moved: Sequence[Moved] = (),
    status: int = 200,
) -> Response[str]:
    return show(
        request,
        "meetings/edit.html",
        status=status,
        form=form,
        meeting=meeting,
        moved=moved,
        steps=await steps_of(request, meeting),
        parts=PARTS,
        opened=open_parts(form),
        notes=notes_on(form),
        MEETING=MEETING,
    )


routes: list[ControllerRouterHandler] = [edit, change]

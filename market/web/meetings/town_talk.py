"""One talk as the town sees it: its result, what each side says, and how it is set right or settled."""

from functools import partial
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts import rules as accounts
from market.errors import NotFound
from market.i18n import Message, msg
from market.meetings.queries import AppointmentRow, MeetingRow, appointment_of
from market.meetings.rules import APPOINTMENT, MEETING, OUTCOMES
from market.meetings.talks.correcting import settle_outcome
from market.meetings.talks.recording import clock_talk, undo_start
from market.web.edge.addresses import row_number
from market.web.edge.guards import OFFICIAL, SignedIn, WebRequest
from market.web.edge.language import language_of
from market.web.meetings.running import own_meeting
from market.web.meetings.talk_form import (
    RECORDABLE,
    correct_or_draw,
    correction_form,
    record_or_draw,
    talk_form,
    told_of,
)
from market.web.meetings.talk_told import forms_of, reason_words, told_of_talk, was_quicker
from market.web.parts import fields
from market.web.parts.forms import Filled, Form
from market.web.parts.pages import redirect
from market.web.parts.trade import BARE, KEY, show

#: The buttons of a talk's clock.
CLOCK: dict[str, Message] = {"start": msg("已记下开谈时间。"), "end": msg("已记下谈完时间。")}
#: Those of the town, which mends a tap on the wrong talk.
_CLOCK = {**CLOCK, "undo_start": msg("开谈已撤销，按没有开谈过算。")}
#: Which statement stands.
_CHOICE = Form(statement=fields.hidden(lambda typed: int(typed[:18])), key=KEY)


async def _talk(appointment_id: int, meeting: MeetingRow, viewer: SignedIn) -> AppointmentRow:
    talk = await appointment_of(
        appointment_id=row_number(appointment_id), organisation_id=viewer.organisation_id
    )
    if talk.meeting != meeting.id:
        raise NotFound(msg("没有找到这场洽谈。"))
    return talk


@get("/town/meetings/{meeting_id:int}/talks/{appointment_id:int}", guards=OFFICIAL)
async def talk_page(
    request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int], appointment_id: FromPath[int]
) -> Response[str]:
    """Show one talk: the form that records it, or its result and the ways to settle it and set it right."""
    meeting = await own_meeting(meeting_id, viewer)
    talk = await _talk(appointment_id, meeting, viewer)
    return await _draw(request, viewer, meeting, talk)


async def _draw(
    request: WebRequest,
    viewer: SignedIn,
    meeting: MeetingRow,
    talk: AppointmentRow,
    *,
    form: Filled | None = None,
    correction: Filled | None = None,
    late: Filled | None = None,
    status: int = 200,
) -> Response[str]:
    language = language_of(request)
    told = await told_of_talk(meeting, talk, side="official", organisation_id=viewer.organisation_id)
    drawn = await forms_of(
        talk, language, said=told.counts, seen=told.seen, form=form, correction=correction, late=late
    )
    return show(
        request,
        "meetings/talk.html",
        status=status,
        meeting=meeting,
        talk=talk,
        form=drawn.form,
        correction=drawn.correction,
        corrects=drawn.corrects,
        quicker=was_quicker(told, language, with_person=True) if late else None,
        told=told,
        titles={topic.id: topic for topic in talk.topics},
        times=talk if talk.started_at else None,
        recordable=meeting.state in RECORDABLE and (talk.state == "scheduled" or form is not None),
        post_to=f"/town/meetings/{meeting.id}/talks/{talk.id}",
        back=f"/town/meetings/{meeting.id}/desk",
        names=OUTCOMES,
        reason_words=lambda row: reason_words(language, row),
        MEETING=MEETING,
        APPOINTMENT=APPOINTMENT,
    )


@post("/town/meetings/{meeting_id:int}/talks/{appointment_id:int}", guards=OFFICIAL)
async def record(
    request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int], appointment_id: FromPath[int]
) -> Response[Any]:
    """Write a talk's result down, once however often it is sent; what was signed becomes a deal."""
    meeting = await own_meeting(meeting_id, viewer)
    talk = await _talk(appointment_id, meeting, viewer)
    filled = await (await talk_form(talk, language_of(request))).read(request)
    draw = partial(_draw, request, viewer, meeting)
    recorded = await record_or_draw(
        filled,
        talk,
        accounts.actor(viewer, "official"),
        draw=draw,
        again=partial(_talk, appointment_id, meeting, viewer),
    )
    if isinstance(recorded, Response):
        return recorded
    return redirect(request, f"/town/meetings/{meeting.id}/desk#talk-{talk.id}", toast=told_of(recorded))


@post("/town/meetings/{meeting_id:int}/talks/{appointment_id:int}/correct", guards=OFFICIAL)
async def correct(
    request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int], appointment_id: FromPath[int]
) -> Response[Any]:
    """Set right what was recorded; what was said before stays on the page."""
    meeting = await own_meeting(meeting_id, viewer)
    talk = await _talk(appointment_id, meeting, viewer)
    filled = await (await correction_form(talk, language_of(request))).read(request)
    draw = partial(_draw, request, viewer, meeting)
    corrected = await correct_or_draw(filled, talk, accounts.actor(viewer, "official"), draw=draw)
    if isinstance(corrected, Response):
        return corrected
    return redirect(
        request, f"/town/meetings/{meeting.id}/talks/{talk.id}", toast=msg("已更正，双方都已通知。")
    )


@post("/town/meetings/{meeting_id:int}/talks/{appointment_id:int}/settle", guards=OFFICIAL)
async def settle(
    request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int], appointment_id: FromPath[int]
) -> Response[bytes]:
    """Say which of several records stands; pressing twice is harmless."""
    meeting = await own_meeting(meeting_id, viewer)
    talk = await _talk(appointment_id, meeting, viewer)
    filled = await _CHOICE.read(request)
    filled.check()
    await settle_outcome(
        appointment_id=talk.id,
        statement_id=filled.values["statement"],
        organisation_id=viewer.organisation_id,
        actor=accounts.actor(viewer, "official"),
        at=clock.now(),
        key=filled.values["key"],
    )
    return redirect(
        request, f"/town/meetings/{meeting.id}/talks/{talk.id}", toast=msg("已定下来，双方都已通知。")
    )


@post("/town/meetings/{meeting_id:int}/talks/{appointment_id:int}/clock/{move:str}", guards=OFFICIAL)
async def tap_clock(
    request: WebRequest,
    viewer: SignedIn,
    meeting_id: FromPath[int],
    appointment_id: FromPath[int],
    move: FromPath[str],
) -> Response[bytes]:
    """Note that a talk begins or ends, in one tap, or take the beginning back; a second one is harmless."""
    if move not in _CLOCK:
        raise NotFound(msg("没有这一步，请回到签到页面操作。"))
    (await BARE.read(request)).check()
    meeting = await own_meeting(meeting_id, viewer)
    talk = await _talk(appointment_id, meeting, viewer)
    by, at = accounts.actor(viewer, "official"), clock.now()
    if move == "undo_start":
        await undo_start(appointment_id=talk.id, town_id=viewer.organisation_id, actor=by, at=at)
    else:
        await clock_talk(
            appointment_id=talk.id, move=move, organisation_id=viewer.organisation_id, actor=by, at=at
        )
    path = f"/town/meetings/{meeting.id}"
    # after the end comes the result; at the beginning one stays at the list
    return redirect(
        request,
        f"{path}/talks/{talk.id}" if move == "end" else f"{path}/desk#talk-{talk.id}",
        toast=_CLOCK[move],
    )


routes: list[ControllerRouterHandler] = [talk_page, record, correct, settle, tap_clock]

"""A talk's result as one of the two sides writes it down, at the table, on a phone."""

from functools import partial
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import Actor
from market.errors import NotFound
from market.i18n import msg
from market.meetings.queries import AppointmentRow, MeetingRow, appointment_of, meeting_of
from market.meetings.rules import APPOINTMENT, MEETING, OUTCOMES
from market.meetings.talks.recording import clock_talk
from market.web.edge.addresses import row_number
from market.web.edge.guards import SignedIn, WebRequest
from market.web.edge.language import language_of
from market.web.meetings.talk_form import (
    RECORDABLE,
    correct_or_draw,
    correction_form,
    record_or_draw,
    talk_form,
    told_of,
)
from market.web.meetings.talk_told import forms_of, reason_words, told_of_talk, was_quicker
from market.web.meetings.town_talk import CLOCK
from market.web.parts.forms import Filled
from market.web.parts.pages import redirect
from market.web.parts.trade import BARE, acting, show


async def _talk(meeting_id: int, appointment_id: int, viewer: SignedIn) -> tuple[MeetingRow, AppointmentRow]:
    """Return a talk in which the viewer's organisation is one of the two sides.

    Raises:
        NotFound: there is none.
    """
    talk = await appointment_of(
        appointment_id=row_number(appointment_id), organisation_id=viewer.organisation_id
    )
    meeting = await meeting_of(meeting_id=row_number(meeting_id), organisation_id=viewer.organisation_id)
    if talk.meeting != meeting.id or viewer.organisation_id not in (talk.seller, talk.buyer):
        raise NotFound(msg("没有找到这场洽谈。"))
    return meeting, talk


def _actor(talk: AppointmentRow, viewer: SignedIn) -> Actor:
    return acting(viewer, "seller" if viewer.organisation_id == talk.seller else "buyer")


@get("/meetings/{meeting_id:int}/talks/{appointment_id:int}/result")
async def result(
    request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int], appointment_id: FromPath[int]
) -> Response[str]:
    """Show the form, or what this side has written down and how it may set that right."""
    meeting, talk = await _talk(meeting_id, appointment_id, viewer)
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
    side = "seller" if viewer.organisation_id == talk.seller else "buyer"
    told = await told_of_talk(meeting, talk, side=side, organisation_id=viewer.organisation_id)
    own = told.of(viewer.organisation_id)
    drawn = await forms_of(
        talk, language, said=own, seen=told.seen, form=form, correction=correction, late=late
    )
    page = f"/meetings/{meeting.id}/talks/{talk.id}"
    return show(
        request,
        "invited/result.html",
        status=status,
        meeting=meeting,
        talk=talk,
        form=drawn.form,
        correction=drawn.correction,
        corrects=drawn.corrects,
        quicker=was_quicker(told, language, with_person=False) if late else None,
        told=told,
        own=own,
        reason_words=lambda row: reason_words(language, row),
        titles={topic.id: topic for topic in talk.topics},
        times=talk if talk.started_at else None,
        recordable=meeting.state in RECORDABLE
        and own is None
        and (
            talk.state == "scheduled" or (talk.state == "held" and bool(told.statements)) or form is not None
        ),
        post_to=f"{page}/result",
        back=page,
        names=OUTCOMES,
        MEETING=MEETING,
        APPOINTMENT=APPOINTMENT,
    )


@post("/meetings/{meeting_id:int}/talks/{appointment_id:int}/result")
async def record(
    request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int], appointment_id: FromPath[int]
) -> Response[Any]:
    """Write down what this side says came of the talk, once however often it is sent."""
    meeting, talk = await _talk(meeting_id, appointment_id, viewer)
    filled = await (await talk_form(talk, language_of(request))).read(request)

    async def again() -> AppointmentRow:
        return (await _talk(meeting_id, appointment_id, viewer))[1]

    draw = partial(_draw, request, viewer, meeting)
    recorded = await record_or_draw(filled, talk, _actor(talk, viewer), draw=draw, again=again)
    if isinstance(recorded, Response):
        return recorded
    return redirect(request, f"/meetings/{meeting.id}/talks/{talk.id}/result", toast=told_of(recorded))


@post("/meetings/{meeting_id:int}/talks/{appointment_id:int}/result/correct")
async def correct(
    request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int], appointment_id: FromPath[int]
) -> Response[Any]:
    """Set right what this side wrote down, as long as nobody else has written anything."""
    meeting, talk = await _talk(meeting_id, appointment_id, viewer)
    filled = await (await correction_form(talk, language_of(request))).read(request)
    draw = partial(_draw, request, viewer, meeting)
    corrected = await correct_or_draw(filled, talk, _actor(talk, viewer), draw=draw)
    if isinstance(corrected, Response):
        return corrected
    return redirect(
        request,
        f"/meetings/{meeting.id}/talks/{talk.id}/result",
        toast=msg("已更正，对方和镇里都已通知。"),
    )


@post("/meetings/{meeting_id:int}/talks/{appointment_id:int}/clock/{move:str}")
async def tap_clock(
    request: WebRequest,
    viewer: SignedIn,
    meeting_id: FromPath[int],
    appointment_id: FromPath[int],
    move: FromPath[str],
) -> Response[bytes]:
    """Note that one's own talk begins or ends, in one tap; a second one is harmless."""
    if move not in CLOCK:
        raise NotFound(msg("没有找到这场洽谈。"))
    (await BARE.read(request)).check()
    meeting, talk = await _talk(meeting_id, appointment_id, viewer)
    await clock_talk(
        appointment_id=talk.id,
        move=move,
        organisation_id=viewer.organisation_id,
        actor=_actor(talk, viewer),
        at=clock.now(),
    )
    return redirect(request, f"/meetings/{meeting.id}/talks/{talk.id}/result", toast=CLOCK[move])


routes: list[ControllerRouterHandler] = [result, record, correct, tap_clock]

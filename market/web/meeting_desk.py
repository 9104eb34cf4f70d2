"""On the day: who has come, and how each talk ended."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts import rules as accounts
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, msg
from market.meetings.attendance import mark_attendance
from market.meetings.board import hour_of
from market.meetings.queries import (
    AppointmentRow,
    MeetingRow,
    appointment_of,
    appointments_of_meeting,
    invitations_of,
)
from market.meetings.recording import clock_talk, disputed, statements_of, times_of
from market.meetings.rules import APPOINTMENT, ATTENDANCE, INVITATION, MEETING, OUTCOMES
from market.meetings.scanning import unknown_scans
from market.transitions import WrongState
from market.web.addresses import row_number
from market.web.checkin import is_open
from market.web.forms import Filled
from market.web.guards import SignedIn, WebRequest
from market.web.language import language_of
from market.web.meeting_steps import steps_of
from market.web.meetings import SHOWN_OUTCOMES, own_meeting, tally
from market.web.pages import redirect
from market.web.talk_form import RECORDABLE, kept_after, record_from, talk_form, told_of, usual_result
from market.web.town import OFFICIAL
from market.web.trade import BARE, show

ATTENDING: dict[str, tuple[Message, str]] = {
    "check_in": (msg("签到"), "checked_in"),
    "mark_no_show": (msg("未到场"), "no_show"),
    "leave": (msg("离场"), "left"),
}
#: The buttons of a talk's clock.
CLOCK: dict[str, Message] = {"start": msg("已记下开谈时间。"), "end": msg("已记下谈完时间。")}


@get("/town/meetings/{meeting_id:int}/desk", guards=OFFICIAL)
async def desk(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[str]:
    """The check-in list, and every talk with its result or the button to record it."""
    meeting = await own_meeting(meeting_id, viewer)
    guests = [each for each in await invitations_of(meeting_id=meeting.id) if each.state != "revoked"]
    talks = await appointments_of_meeting(meeting_id=meeting.id)
    shown = request.query_params.get("show")
    open_only = shown != "all"
    hour = hour_of(meeting, clock.now())
    # those at the tables now and next, and those before them that nobody has recorded yet
    soon = [
        each
        for each in talks
        if each.state == "scheduled" and (each.slot or 0) <= (hour.next or meeting.all_slots)
    ]
    held = [each for each in talks if each.state == "held"]
    return show(
        request,
        "meetings/desk.html",
        meeting=meeting,
        steps=await steps_of(request, meeting),
        guests=guests,
        talks=soon
        if shown == "now"
        else ([each for each in talks if each.state == "scheduled"] if open_only else talks),
        soon=soon,
        now_only=shown == "now",
        held=held,
        all_talks=talks,
        open_only=open_only,
        outcomes=tally(each.outcome for each in held),
        names=SHOWN_OUTCOMES,
        arrived=sum(each.attendance in ("checked_in", "left") for each in guests),
        disputed=await disputed(meeting_id=meeting.id),
        times=await times_of(meeting_id=meeting.id),
        unknown=len(await unknown_scans(meeting_id=meeting.id)),
        recordable=meeting.state in RECORDABLE,
        is_open=is_open(meeting),
        attending=ATTENDING,
        MEETING=MEETING,
        INVITATION=INVITATION,
        ATTENDANCE=ATTENDANCE,
        APPOINTMENT=APPOINTMENT,
    )


@post("/town/meetings/{meeting_id:int}/attendance/{organisation_id:int}/{move:str}", guards=OFFICIAL)
async def attend(
    request: WebRequest,
    viewer: SignedIn,
    meeting_id: FromPath[int],
    organisation_id: FromPath[int],
    move: FromPath[str],
) -> Response[bytes]:
    """Check somebody in or out, or note that they did not come; pressing twice is harmless."""
    if move not in ATTENDING:
        raise NotFound(msg("没有这一步，请回到签到页面操作。"))
    (await BARE.read(request)).check()
    meeting = await own_meeting(meeting_id, viewer)
    if not is_open(meeting):
        raise Conflict(msg("会议当天、排好桌以后才能签到。"))
    try:
        await mark_attendance(
            meeting_id=meeting.id,
            organisation_id=row_number(organisation_id),
            move=move,
            town_id=viewer.organisation_id,
            actor=accounts.actor(viewer, "official"),
            at=clock.now(),
        )
    except WrongState:
        now = {each.organisation: each.attendance for each in await invitations_of(meeting_id=meeting.id)}
        if now.get(organisation_id) != ATTENDING[move][1]:
            raise
    return redirect(request, f"/town/meetings/{meeting.id}/desk#guest-{organisation_id}")


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
    """Show one talk: its result, or the form that records it, or that settles what the sides differ on."""
    meeting = await own_meeting(meeting_id, viewer)
    talk = await _talk(appointment_id, meeting, viewer)
    form = await talk_form(talk, language_of(request))
    return await _draw(request, viewer, meeting, talk, usual_result(form, talk))


async def _draw(
    request: WebRequest,
    viewer: SignedIn,
    meeting: MeetingRow,
    talk: AppointmentRow,
    form: Filled,
    *,
    status: int = 200,
) -> Response[str]:
    statements = await statements_of(appointment_id=talk.id)
    by_others = [each for each in statements if each.organisation != viewer.organisation_id]
    has_deal = any(topic.deal for topic in talk.topics)
    to_settle = (
        talk.state == "held" and bool(by_others) and len(by_others) == len(statements) and not has_deal
    )
    return show(
        request,
        "meetings/talk.html",
        status=status,
        meeting=meeting,
        talk=talk,
        form=form,
        statements=statements,
        is_disputed=talk.id in await disputed(meeting_id=meeting.id, appointment_id=talk.id),
        to_settle=to_settle,
        titles={topic.id: topic for topic in talk.topics},
        times=(await times_of(meeting_id=meeting.id)).get(talk.id),
        recordable=meeting.state in RECORDABLE and (talk.state == "scheduled" or to_settle),
        post_to=f"/town/meetings/{meeting.id}/talks/{talk.id}",
        back=f"/town/meetings/{meeting.id}/desk",
        names=OUTCOMES,
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
    try:
        recorded = await record_from(filled, talk, accounts.actor(viewer, "official"))
    except Invalid as refused:
        return await _draw(request, viewer, meeting, talk, filled.refused(refused), status=422)
    except WrongState:
        raise
    except Conflict as refused:
        gone = kept_after(filled, refused)
        return await _draw(request, viewer, meeting, talk, gone, status=409)
    return redirect(request, f"/town/meetings/{meeting.id}/desk#talk-{talk.id}", toast=told_of(recorded))


@post("/town/meetings/{meeting_id:int}/talks/{appointment_id:int}/clock/{move:str}", guards=OFFICIAL)
async def tap_clock(
    request: WebRequest,
    viewer: SignedIn,
    meeting_id: FromPath[int],
    appointment_id: FromPath[int],
    move: FromPath[str],
) -> Response[bytes]:
    """Note that a talk begins or ends, in one tap; a second one is harmless."""
    if move not in CLOCK:
        raise NotFound(msg("没有这一步，请回到签到页面操作。"))
    (await BARE.read(request)).check()
    meeting = await own_meeting(meeting_id, viewer)
    talk = await _talk(appointment_id, meeting, viewer)
    await clock_talk(
        appointment_id=talk.id,
        move=move,
        organisation_id=viewer.organisation_id,
        actor=accounts.actor(viewer, "official"),
        at=clock.now(),
    )
    path = f"/town/meetings/{meeting.id}"
    # after the end comes the result; at the beginning one stays at the list
    return redirect(
        request,
        f"{path}/talks/{talk.id}" if move == "end" else f"{path}/desk#talk-{talk.id}",
        toast=CLOCK[move],
    )


routes: list[ControllerRouterHandler] = [desk, attend, talk_page, record, tap_clock]

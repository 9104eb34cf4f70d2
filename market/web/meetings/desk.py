"""On the day: who has come, and how each talk ended."""

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts import rules as accounts
from market.errors import NotFound
from market.i18n import msg
from market.meetings.alike import told_apart
from market.meetings.day.attendance import mark_attendance
from market.meetings.day.board import hour_of
from market.meetings.day.scanning import unknown_scans
from market.meetings.queries import (
    AppointmentRow,
    TopicRow,
    appointments_of_meeting,
    invitations_of,
)
from market.meetings.rules import APPOINTMENT, ATTENDANCE, INVITATION, MEETING
from market.meetings.talks.recording import times_of
from market.meetings.talks.statements import disputed
from market.transitions import WrongState
from market.web.edge.addresses import row_number
from market.web.edge.guards import OFFICIAL, SignedIn, WebRequest
from market.web.meetings import town_talk
from market.web.meetings.checkin import is_open
from market.web.meetings.running import SHOWN_OUTCOMES, own_meeting, tally
from market.web.meetings.steps import steps_of
from market.web.meetings.talk_form import RECORDABLE
from market.web.parts.pages import redirect
from market.web.parts.trade import BARE, show

#: Move -> where it leads; a mistaken check-in that is taken back leads to where they stood before it.
ATTENDING: dict[str, tuple[str, ...]] = {
    "check_in": ("checked_in",),
    "mark_no_show": ("no_show",),
    "leave": ("left",),
    "undo_check_in": ("expected", "no_show"),
    "undo_no_show": ("expected",),
}


@get("/town/meetings/{meeting_id:int}/desk", guards=OFFICIAL)
async def desk(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[str]:
    """The check-in list, and every talk with its result or the button to record it."""
    meeting = await own_meeting(meeting_id, viewer)
    guests = [each for each in await invitations_of(meeting_id=meeting.id) if each.state != "revoked"]
    # as the overview counts them: those with a place; the others are not held
    talks = [
        each
        for each in await appointments_of_meeting(meeting_id=meeting.id)
        if each.slot is not None and each.state != "cancelled"
    ]
    shown = request.query_params.get("show", "open")
    to_settle = await disputed(meeting_id=meeting.id)
    hour = hour_of(meeting, clock.now())
    waiting = [
        each for each in talks if each.state == "scheduled" and not each.called_off and not each.missed
    ]
    # those at the tables now and next, and those before them that nobody has recorded yet
    soon = [each for each in waiting if (each.slot or 0) <= (hour.next or meeting.all_slots)]
    held = [each for each in talks if each.state == "held"]
    parts = {
        "now": soon,
        "open": waiting,
        "disputed": [each for each in talks if each.id in to_settle],
        "all": talks,
    }
    return show(
        request,
        "meetings/desk.html",
        meeting=meeting,
        steps=await steps_of(request, meeting),
        guests=guests,
        alike=await told_apart([each.organisation for each in guests]),
        talks=parts.get(shown, parts["open"]),
        parts=parts,
        shown=shown if shown in parts else "open",
        goods={each.id: goods_of(each) for each in talks},
        held=held,
        outcomes=tally(each.outcome for each in held),
        names=SHOWN_OUTCOMES,
        arrived=sum(each.attendance in ("checked_in", "left") for each in guests),
        by_day=[
            (
                meeting.slot_day(1 + (number - 1) * meeting.slots),
                sum(number in each.days_here for each in guests),
            )
            for number in range(1, meeting.days + 1)
        ],
        disputed=to_settle,
        times=await times_of(meeting_id=meeting.id),
        unknown=len(await unknown_scans(meeting_id=meeting.id)),
        recordable=meeting.state in RECORDABLE,
        is_open=is_open(meeting),
        MEETING=MEETING,
        INVITATION=INVITATION,
        ATTENDANCE=ATTENDANCE,
        APPOINTMENT=APPOINTMENT,
    )


def goods_of(talk: AppointmentRow) -> list[TopicRow]:
    """Return what a talk is about, each lot once, however many demands meet it there."""
    lots: dict[int, TopicRow] = {}
    for topic in talk.topics:
        lots.setdefault(topic.listing, topic)
    return list(lots.values())


@post("/town/meetings/{meeting_id:int}/attendance/{organisation_id:int}/{move:str}", guards=OFFICIAL)
async def attend(
    request: WebRequest,
    viewer: SignedIn,
    meeting_id: FromPath[int],
    organisation_id: FromPath[int],
    move: FromPath[str],
) -> Response[bytes]:
    """Check somebody in or out, undo it, or note that they did not come; pressing twice is harmless."""
    if move not in ATTENDING:
        raise NotFound(msg("没有这一步，请回到签到页面操作。"))
    (await BARE.read(request)).check()
    meeting = await own_meeting(meeting_id, viewer)
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
        if now.get(organisation_id) not in ATTENDING[move]:
            raise
    return redirect(request, f"/town/meetings/{meeting.id}/desk#guest-{organisation_id}")


routes: list[ControllerRouterHandler] = [desk, attend, *town_talk.routes]

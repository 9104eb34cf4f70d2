"""Changing the timetable by hand before the meeting: add, move, hold in place, take out."""

from collections.abc import Awaitable
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts import rules as accounts
from market.errors import Conflict, Invalid, MarketError, NotFound
from market.i18n import Message, msg
from market.meetings.planning.moving import move_appointment
from market.meetings.planning.pairing import add_appointment, fix_appointment, remove_appointment
from market.meetings.queries import MeetingRow, appointment_of
from market.transitions import WrongState
from market.web.edge.addresses import MOST_ID, row_number
from market.web.edge.guards import OFFICIAL, SignedIn, WebRequest
from market.web.meetings.running import own_meeting
from market.web.meetings.timetable import draw
from market.web.parts import fields
from market.web.parts.forms import Filled, Form
from market.web.parts.pages import redirect
from market.web.parts.trade import BARE

#: What is done with one appointment, and what is said when it is done.
DEEDS: dict[str, Message] = {
    "fix": msg("已固定，重新排桌也不动它。"),
    "free": msg("已放开，重新排桌时可以挪动。"),
    "remove": msg("已移出日程；除非再加进来，以后不会再排。"),
}
_PLACE = {
    "slot": fields.whole(msg("时段"), least=1, most=10_000, optional=True),
    "table": fields.whole(msg("桌号"), least=1, most=10_000, optional=True),
}
MOVE = Form(**_PLACE, seen=fields.hidden(str, optional=True))
ADD = Form(
    seller=fields.whole(msg("卖方"), least=1, most=MOST_ID),
    buyer=fields.whole(msg("买方"), least=1, most=MOST_ID),
    **_PLACE,
)


async def _tried(
    request: WebRequest,
    meeting: MeetingRow,
    deed: Awaitable[object],
    *,
    talk: int | None,
    said: Message,
    filled: Filled | None = None,
) -> Response[Any]:
    """Do ``deed`` and come back; what cannot be is told on the page, where it can be mended."""
    try:
        await deed
    except (NotFound, WrongState):
        raise
    except (Conflict, Invalid) as refused:
        return await refused_page(request, meeting, refused, talk=talk, filled=filled)
    return redirect(request, f"/town/meetings/{meeting.id}/timetable#timetable", toast=said)


async def refused_page(
    request: WebRequest,
    meeting: MeetingRow,
    refused: MarketError,
    *,
    talk: int | None,
    filled: Filled | None = None,
) -> Response[str]:
    """Return the timetable with the reason why it could not be changed, and what was sent."""
    told, where = refused.message, ""
    if isinstance(refused, Invalid) and refused.fields:
        where, told = next(iter(refused.fields.items()))
    return await draw(
        request,
        meeting,
        talk=talk,
        fault=told,
        fault_at=where,
        typed={name: filled.text(name) for name in filled.form.fields} if filled else {},
        status=422 if isinstance(refused, Invalid) else 409,
    )


@post("/town/meetings/{meeting_id:int}/timetable/add", guards=OFFICIAL)
async def add(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[Any]:
    """Have two of the invited meet, at once in a slot or wherever the next plan finds a place."""
    meeting = await own_meeting(meeting_id, viewer)
    filled = await ADD.read(request)
    try:
        if {"seller", "buyer"} & filled.errors.keys():
            raise Invalid(msg("请选一家供货方和一家采购商，都要在邀请名单里。"))
        filled.check()
    except Invalid as refused:
        return await refused_page(request, meeting, refused, talk=None, filled=filled)
    values = filled.values
    deed = add_appointment(
        meeting_id=meeting.id,
        seller=values["seller"],
        buyer=values["buyer"],
        slot=values["slot"],
        table=values["table"] if values["slot"] else None,
        town_id=viewer.organisation_id,
        actor=accounts.actor(viewer, "official"),
        at=clock.now(),
    )
    said = msg("已加进日程。") if values["slot"] else msg("已加上，重新排桌时会给它找时段。")
    return await _tried(request, meeting, deed, talk=None, said=said, filled=filled)


async def _own_talk(meeting: MeetingRow, appointment_id: int, viewer: SignedIn) -> int:
    talk = await appointment_of(
        appointment_id=row_number(appointment_id), organisation_id=viewer.organisation_id
    )
    if talk.meeting != meeting.id:
        raise NotFound(msg("没有找到这场洽谈。"))
    return talk.id


@post("/town/meetings/{meeting_id:int}/timetable/{appointment_id:int}/move", guards=OFFICIAL)
async def move(
    request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int], appointment_id: FromPath[int]
) -> Response[Any]:
    """Put one appointment into another slot."""
    meeting = await own_meeting(meeting_id, viewer)
    talk = await _own_talk(meeting, appointment_id, viewer)
    filled = await MOVE.read(request)
    try:
        filled.check()
        if filled.values["slot"] is None:
            raise Invalid(msg("请选一个时段。"), {"slot": msg("请选一个时段。")})
    except Invalid as refused:
        return await refused_page(request, meeting, refused, talk=talk, filled=filled)
    deed = move_appointment(
        appointment_id=talk,
        slot=filled.values["slot"],
        table=filled.values["table"],
        seen=filled.values["seen"],
        town_id=viewer.organisation_id,
        actor=accounts.actor(viewer, "official"),
        at=clock.now(),
    )
    said = msg("已换好，并固定在新的时段。")
    return await _tried(request, meeting, deed, talk=talk, said=said, filled=filled)


@post("/town/meetings/{meeting_id:int}/timetable/{appointment_id:int}/{deed:str}", guards=OFFICIAL)
async def change(
    request: WebRequest,
    viewer: SignedIn,
    meeting_id: FromPath[int],
    appointment_id: FromPath[int],
    deed: FromPath[str],
) -> Response[Any]:
    """Hold one appointment where it is, let go of it, or take it out."""
    if deed not in DEEDS:
        raise NotFound(msg("没有这一步，请回到对接会页面操作。"))
    (await BARE.read(request)).check()
    meeting = await own_meeting(meeting_id, viewer)
    talk = await _own_talk(meeting, appointment_id, viewer)
    actor, at = accounts.actor(viewer, "official"), clock.now()
    doing: Awaitable[object]
    if deed == "remove":
        doing = remove_appointment(appointment_id=talk, town_id=viewer.organisation_id, actor=actor, at=at)
    else:
        doing = fix_appointment(
            appointment_id=talk, fixed=deed == "fix", town_id=viewer.organisation_id, actor=actor, at=at
        )
    return await _tried(request, meeting, doing, talk=talk, said=DEEDS[deed])


@get(
    [
        "/town/meetings/{meeting_id:int}/timetable/add",
        "/town/meetings/{meeting_id:int}/timetable/{appointment_id:int}/{deed:str}",
    ],
    guards=OFFICIAL,
)
async def back(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[Any]:
    """Lead who asks for the address of a post, as after a refusal, to the timetable."""
    meeting = await own_meeting(meeting_id, viewer)
    return redirect(request, f"/town/meetings/{meeting.id}/timetable")


routes: list[ControllerRouterHandler] = [add, move, change, back]

"""A meeting's public page: what, when, where, how many come, and the form to ask for a place."""

from datetime import date
from itertools import groupby
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, msg
from market.meetings.invitations.links import (
    PUBLIC_PATH,
    invitation_path,
    read_registration_token,
    registration_token,
)
from market.meetings.invitations.persons import LONGEST_NAME
from market.meetings.invitations.registering import (
    LONGEST_OFFERS,
    NewRegistration,
    attendance_of,
    public_meeting,
    register,
    registration_of,
    takes_registrations,
    withdraw,
)
from market.meetings.invitations.replying import LONGEST_ORGANISATION
from market.meetings.queries import MeetingRow
from market.meetings.rules import MEETING, REGISTRATION
from market.web.edge.addresses import row_number
from market.web.edge.guards import WebRequest
from market.web.parts import fields
from market.web.parts.forms import Filled, Form
from market.web.parts.pages import redirect
from market.web.parts.trade import BARE, show

_SIDES: dict[str, Message | str] = {
    "buyer": msg("我要采购"),
    "seller": msg("我要卖货"),
    "guest": msg("采访、观摩"),
}
#: Robots fill in every field, also the one that people do not see.
TRAP = "website"
REGISTRATION_PATH = "/r/"
_REGISTER = Form(
    organisation_name=fields.text(
        msg("单位名称"), most=LONGEST_ORGANISATION, hint=msg("个人报名就写本人姓名。")
    ),
    side=fields.choice(msg("来做什么"), _SIDES, chips=True),
    person_name=fields.text(msg("到场人姓名"), most=LONGEST_NAME),
    phone=fields.phone(msg("手机号"), hint=msg("只给主办的镇里看，用来联系您。")),
    offers=fields.text(
        msg("想买什么或卖什么"),
        most=LONGEST_OFFERS,
        lines=True,
        optional=True,
        hint=msg("品类、数量、要求，写得越清楚，越好安排。"),
    ),
    website=fields.text(msg("请留空"), most=200, optional=True),
)


class Line(msgspec.Struct, frozen=True):
    """One line of the day."""

    time: str
    what: Message


def courses_of(meeting: MeetingRow) -> list[tuple[date | None, list[Line]]]:
    """Return the course of each day with that day; one course for all (None) where they are alike."""
    courses = [(meeting.slot_day(1 + n * meeting.slots), day_lines(meeting, n)) for n in range(meeting.days)]
    if all(lines == courses[0][1] for _, lines in courses):
        return [(None, courses[0][1])]
    return list(courses)


def day_lines(meeting: MeetingRow, number: int = 0) -> list[Line]:
    """Return the course of a day (from 0): talks, what else is in the hall, and the pause between."""
    half = meeting.half_day_after or meeting.slots
    parts = [range(1, half + 1), range(half + 1, meeting.slots + 1)]
    lines: list[Line] = []
    for part in parts:
        for is_free, run in groupby(part, key=lambda n: _is_free(meeting, n + number * meeting.slots)):
            slots = list(run)
            times = f"{meeting.slot_label(slots[0])[-11:-6]}–{meeting.slot_label(slots[-1])[-5:]}"
            lines.append(Line(times, _talks(meeting, len(slots)) if is_free else msg("会场活动，不排洽谈")))
        if part.start == 1 and parts[1] and meeting.pause_minutes:
            pause = f"{meeting.slot_label(half)[-5:]}–{meeting.slot_label(half + 1)[-11:-6]}"
            lines.append(Line(pause, msg("休息")))
    return lines


def _is_free(meeting: MeetingRow, slot: int) -> bool:
    return slot not in meeting.blocked_slots


def _talks(meeting: MeetingRow, slots: int) -> Message:
    return msg(
        "一对一洽谈，{tables} 张桌，{slots} 轮，每轮 {minutes} 分钟",
        tables=meeting.tables,
        slots=slots,
        minutes=meeting.slot_minutes,
    )


@get(PUBLIC_PATH + "{meeting_id:int}")
async def page(request: WebRequest, meeting_id: FromPath[int]) -> Response[str]:
    """Show the meeting to everybody, where the town wants that."""
    meeting = await public_meeting(meeting_id=row_number(meeting_id))
    return await _draw(request, meeting, _REGISTER.blank())


async def _draw(
    request: WebRequest, meeting: MeetingRow, form: Filled, *, status: int = 200
) -> Response[str]:
    return show(
        request,
        "public/meeting.html",
        status=status,
        meeting=meeting,
        path_here=f"{PUBLIC_PATH}{meeting.id}",
        attendance=await attendance_of(meeting_id=meeting.id),
        courses=courses_of(meeting),
        is_open=takes_registrations(meeting, at=clock.now()),
        form=form,
        MEETING=MEETING,
    )


@post(PUBLIC_PATH + "{meeting_id:int}")
async def ask(request: WebRequest, meeting_id: FromPath[int]) -> Response[Any]:
    """Take a registration; the same one again leads to the same page."""
    meeting = await public_meeting(meeting_id=row_number(meeting_id))
    filled = await _REGISTER.read(request)
    if filled.text(TRAP):
        # a robot is told what people are told, and nothing is kept
        return redirect(request, f"{PUBLIC_PATH}{meeting.id}", toast=msg("报名已收到。"))
    try:
        filled.check()
        values = {name: value for name, value in filled.values.items() if name != TRAP}
        number = await register(
            meeting_id=meeting.id,
            asked=NewRegistration(**values),
            address=request.client.host if request.client else "-",
            at=clock.now(),
        )
    except Invalid as refused:
        return await _draw(request, meeting, filled.refused(refused), status=422)
    except Conflict as refused:
        told = filled.refused(Invalid(refused.message))
        return await _draw(request, meeting, told, status=409)
    return redirect(request, REGISTRATION_PATH + registration_token(number), toast=msg("报名已收到。"))


def _number(token: str) -> int:
    number = read_registration_token(token)
    if number is None:
        raise NotFound(msg("没有找到这份报名。"))
    return number


@get(REGISTRATION_PATH + "{token:str}")
async def state(request: WebRequest, token: FromPath[str]) -> Response[str]:
    """Show whoever registered how it stands."""
    row = await registration_of(registration_id=_number(token))
    meeting = await public_meeting(meeting_id=row.meeting)
    link = None
    if row.is_new and row.invitation and row.link_version and row.invitation_state != "revoked":
        link = invitation_path(row.invitation, row.link_version)
    return show(
        request,
        "public/registration.html",
        meeting=meeting,
        row=row,
        sides=_SIDES,
        link=link,
        path_here=REGISTRATION_PATH + token,
        public_path=f"{PUBLIC_PATH}{meeting.id}",
        REGISTRATION=REGISTRATION,
    )


@post(REGISTRATION_PATH + "{token:str}/withdraw")
async def take_back(request: WebRequest, token: FromPath[str]) -> Response[bytes]:
    """Take the registration back; twice is harmless."""
    (await BARE.read(request)).check()
    number = _number(token)
    try:
        await withdraw(registration_id=number, at=clock.now())
    except Conflict:
        if (await registration_of(registration_id=number)).state != "withdrawn":
            raise
    return redirect(request, REGISTRATION_PATH + token, toast=msg("报名已撤回。"))


routes: list[ControllerRouterHandler] = [page, ask, state, take_back]

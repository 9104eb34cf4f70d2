"""Docking meetings as the official runs them: open one, plan it, watch the answers, start and close it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import time
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts import rules as accounts
from market.accounts.rules import Viewer
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, msg
from market.matching.queries import latest_run, open_proposals
from market.meetings.commands import LONGEST_TITLE, MOST_SLOTS, MOST_TABLES, NewMeeting, usual_meeting
from market.meetings.operations import move_meeting
from market.meetings.planning import open_meeting, request_plan
from market.meetings.queries import (
    AppointmentRow,
    InvitationRow,
    MeetingRow,
    appointments_of_meeting,
    invitations_of,
    left_out_of,
    meeting_of,
    meetings_of,
)
from market.meetings.rules import APPOINTMENT, ATTENDANCE, INVITATION, MEETING, OUTCOMES, PLANNABLE
from market.transitions import WrongState
from market.web import fields
from market.web.addresses import row_number
from market.web.forms import Filled, Form
from market.web.guards import SignedIn, WebRequest
from market.web.pages import redirect
from market.web.town import OFFICIAL
from market.web.trade import BARE, KEY, do_once, new_key, show

#: The buttons of a meeting: label, kind, what follows, and the state that it leads to.
MOVES: dict[str, tuple[Message, str, Message, str]] = {
    "start": (
        msg("开始会议"),
        "primary",
        msg("开始后可以签到和记录结果，日程不再改动。"),
        "in_progress",
    ),
    "close": (msg("结束会议"), "primary", msg("结束后仍可补记结果，但不能再签到。"), "closed"),
    "finish_follow_up": (msg("跟进完成"), "primary", msg("这场对接会的合同都已跟进到底。"), "followed_up"),
    "postpone": (msg("延期"), "secondary", msg("通知所有受邀方：会议延期；重新排桌后恢复。"), "postponed"),
    "cancel": (msg("取消会议"), "danger", msg("通知所有受邀方：会议取消，不能恢复。"), "cancelled"),
}
STEPS: tuple[Message, ...] = (
    msg("基本信息"),
    msg("邀请"),
    msg("互选（略）"),
    msg("排桌"),
    msg("发布"),
    msg("签到"),
    msg("记录"),
    msg("跟进"),
)
#: Results in the order in which they are told, the best last.
SHOWN_OUTCOMES = dict(reversed(OUTCOMES.items()))


def meeting_form(*, is_new: bool = True) -> Form:
    """Return the form of a meeting."""
    return Form(
        title=fields.text(msg("会议名称"), most=LONGEST_TITLE, hint=msg("会印在邀请和桌签上。")),
        held_on=fields.day(msg("日期"), earliest=clock.today() if is_new else None),
        starts_at=fields.clock_time(msg("几点开始")),
        venue=fields.text(msg("地点"), most=120),
        slot_minutes=fields.whole(msg("每场洽谈几分钟"), least=5, most=240),
        slots=fields.whole(msg("排几个时段"), least=1, most=MOST_SLOTS),
        tables=fields.whole(msg("摆几张桌"), least=1, most=MOST_TABLES),
        half_day_after=fields.whole(
            msg("上午几个时段"), least=1, most=MOST_SLOTS, optional=True, hint=msg("不分上下午就留空。")
        ),
        pause_minutes=fields.whole(msg("午间休息几分钟"), least=0, most=240),
        most_appointments=fields.whole(
            msg("每家最多谈几场"), least=1, most=MOST_SLOTS, optional=True, hint=msg("留空表示不限。")
        ),
        invite_media=fields.tick(msg("同时邀请媒体到场")),
        programme=fields.text(msg("议程"), most=1_000, lines=True, optional=True),
        title_en=fields.text(msg("英文名称"), most=120, optional=True),
        venue_en=fields.text(msg("英文地点"), most=160, optional=True),
        programme_en=fields.text(msg("英文议程"), most=1_000, lines=True, optional=True),
        key=KEY,
    )


def step_of(meeting: MeetingRow, talks: Sequence[AppointmentRow], guests: Sequence[InvitationRow]) -> int:
    """Return the place in ``STEPS`` that the meeting stands at, from 0; past the last when all is done."""
    if meeting.state == "followed_up":
        return len(STEPS)
    if meeting.state == "closed":
        return 7
    if meeting.state == "in_progress":
        any_in = any(each.attendance != "expected" for each in guests)
        return 6 if any_in or any(each.state == "held" for each in talks) else 5
    if meeting.state == "timetabled":
        return 5 if meeting.held_on <= clock.today() else 4
    return 3


class Slot(msgspec.Struct, frozen=True):
    """One row of the timetable: what is at each table, None where nothing is."""

    number: int
    label: str
    cells: list[AppointmentRow | None]
    #: The pause lies before this slot.
    after_pause: bool

    @property
    def talks(self) -> list[AppointmentRow]:
        return [each for each in self.cells if each is not None]


def timetable(meeting: MeetingRow, talks: Sequence[AppointmentRow]) -> tuple[list[int], list[Slot]]:
    """Return the tables that are used and the slots with what is at each."""
    placed = {(each.slot, each.table_number): each for each in talks if each.slot and each.table_number}
    tables = sorted({table for _, table in placed if table})
    slots = [
        Slot(
            number,
            meeting.slot_label(number),
            [placed.get((number, table)) for table in tables],
            meeting.half_day_after is not None and number == meeting.half_day_after + 1,
        )
        for number in range(1, meeting.slots + 1)
    ]
    return tables, slots


def tally(values: Iterable[str | None]) -> dict[str, int]:
    """Count how often each value stands there."""
    counted: dict[str, int] = {}
    for value in values:
        if value is not None:
            counted[value] = counted.get(value, 0) + 1
    return counted


def available_moves(meeting: MeetingRow) -> Mapping[str, tuple[Message, str, Message, str]]:
    names = MEETING.available(state=meeting.state, by="official")
    return {name: MOVES[name] for name in MOVES if name in names}


@get("/town/meetings", guards=OFFICIAL)
async def index(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """List the town's meetings."""
    return show(
        request,
        "meetings/index.html",
        meetings=[
            each
            for each in await meetings_of(organisation_id=viewer.organisation_id)
            if each.town == viewer.organisation_id
        ],
        today=clock.today(),
        MEETING=MEETING,
    )


@get("/town/meetings/new", guards=OFFICIAL)
async def new(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """Show the form, with what is usual standing in it."""
    usual = usual_meeting(
        town=viewer.organisation_name, town_en=viewer.organisation_name_en, today=clock.today()
    )
    form = meeting_form().blank(
        title=usual.title,
        title_en=usual.title_en,
        held_on=usual.held_on,
        venue=usual.venue,
        venue_en=usual.venue_en,
        starts_at=time(usual.starts_at // 60, usual.starts_at % 60),
        slot_minutes=usual.slot_minutes,
        slots=usual.slots,
        tables=usual.tables,
        half_day_after=usual.half_day_after,
        pause_minutes=usual.pause_minutes,
        invite_media=usual.invite_media,
        key=new_key(),
    )
    return await _form(request, viewer, form)


async def _form(request: WebRequest, viewer: Viewer, form: Filled, *, status: int = 200) -> Response[str]:
    return show(
        request,
        "meetings/new.html",
        status=status,
        form=form,
        run=await latest_run(town_id=viewer.organisation_id),
        proposals=await open_proposals(town_id=viewer.organisation_id),
    )


@post("/town/meetings/new", guards=OFFICIAL)
async def create(request: WebRequest, viewer: SignedIn) -> Response[Any]:
    """Open the meeting and queue its planning; the same form once more leads to the same meeting."""
    filled = await meeting_form().read(request)
    actor, at = accounts.actor(viewer, "official"), clock.now()
    try:
        filled.check()
        values = dict(filled.values)
        key, begins = values.pop("key"), values.pop("starts_at")
        meeting = NewMeeting(**values, starts_at=begins.hour * 60 + begins.minute)

        async def deed() -> int:
            made = await open_meeting(meeting=meeting, town_id=viewer.organisation_id, actor=actor, at=at)
            await request_plan(meeting_id=made, town_id=viewer.organisation_id, actor=actor, at=at)
            return made

        meeting_id = await do_once(
            viewer=viewer,
            key=key,
            name="open_meeting",
            about=msgspec.to_builtins(meeting),
            deed=deed,
            at=at,
        )
    except Invalid as refused:
        return await _form(request, viewer, filled.refused(refused), status=422)
    return redirect(request, f"/town/meetings/{meeting_id}", toast=msg("对接会已建好，正在排桌。"))


async def own_meeting(meeting_id: int, viewer: Viewer) -> MeetingRow:
    """Return a meeting that the viewer's town holds.

    Raises:
        NotFound: there is none.
    """
    meeting = await meeting_of(meeting_id=row_number(meeting_id), organisation_id=viewer.organisation_id)
    if meeting.town != viewer.organisation_id:
        raise NotFound(msg("没有找到这场对接会。"))
    return meeting


@get("/town/meetings/{meeting_id:int}", guards=OFFICIAL)
async def one(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[str]:
    """Show where a meeting stands: proof, timetable, answers, what was left out, and the next move."""
    meeting = await own_meeting(meeting_id, viewer)
    if "hx-request" in request.headers and not meeting.planning:
        # the page that waited for the timetable is drawn whole
        return Response("", headers={"hx-refresh": "true"}, media_type="text/html")
    talks = await appointments_of_meeting(meeting_id=meeting.id)
    guests = await invitations_of(meeting_id=meeting.id)
    live = [each for each in guests if each.state != "revoked"]
    tables, slots = timetable(meeting, talks)
    return show(
        request,
        "meetings/show.html",
        fragment="meetings/planning.html",
        meeting=meeting,
        steps=STEPS,
        step=step_of(meeting, talks, live),
        talks=talks,
        tables=tables,
        slots=slots,
        guests=guests,
        live=live,
        answers=tally(each.state for each in live),
        arrived=sum(each.attendance in ("checked_in", "left") for each in live),
        outcomes=tally(each.outcome for each in talks),
        names=SHOWN_OUTCOMES,
        left_out=await left_out_of(meeting_id=meeting.id),
        moves=available_moves(meeting),
        plannable=meeting.state in PLANNABLE and not meeting.planning,
        is_day=meeting.held_on <= clock.today(),
        MEETING=MEETING,
        INVITATION=INVITATION,
        ATTENDANCE=ATTENDANCE,
        APPOINTMENT=APPOINTMENT,
    )


@post("/town/meetings/{meeting_id:int}/plan", guards=OFFICIAL)
async def plan(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[bytes]:
    """Make the timetable anew from today's matches and answers."""
    (await BARE.read(request)).check()
    meeting = await own_meeting(meeting_id, viewer)
    try:
        await request_plan(
            meeting_id=meeting.id,
            town_id=viewer.organisation_id,
            actor=accounts.actor(viewer, "official"),
            at=clock.now(),
        )
    except Conflict:
        if not (await own_meeting(meeting_id, viewer)).planning:
            raise
    return redirect(request, f"/town/meetings/{meeting.id}", toast=msg("正在排桌，几秒后自动显示。"))


@post("/town/meetings/{meeting_id:int}/move/{move:str}", guards=OFFICIAL)
async def move(
    request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int], move: FromPath[str]
) -> Response[bytes]:
    """Start, close, finish, postpone or cancel a meeting; pressing twice is harmless."""
    if move not in MOVES:
        raise NotFound(msg("没有这一步，请回到对接会页面操作。"))
    (await BARE.read(request)).check()
    meeting = await own_meeting(meeting_id, viewer)
    label, _, _, leads_to = MOVES[move]
    try:
        await move_meeting(
            meeting_id=meeting.id,
            move=move,
            town_id=viewer.organisation_id,
            actor=accounts.actor(viewer, "official"),
            at=clock.now(),
        )
    except WrongState:
        if (await own_meeting(meeting_id, viewer)).state != leads_to:
            raise
    path = f"/town/meetings/{meeting.id}"
    return redirect(
        request, f"{path}/desk" if move == "start" else path, toast=msg("{move}：已办好。", move=label)
    )


routes: list[ControllerRouterHandler] = [index, new, create, one, plan, move]

"""Docking meetings as the official runs them: open one, plan it, watch the answers, start and close it."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts import rules as accounts
from market.accounts.rules import Viewer
from market.catalogue.persons import person_in
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Language, Message, msg, translate
from market.matching.queries import latest_run, open_proposals
from market.meetings.commands import usual_meeting
from market.meetings.operations import StillToCome, move_meeting
from market.meetings.planning.plan import open_meeting, request_plan
from market.meetings.queries import (
    MeetingRow,
    appointments_of_meeting,
    meeting_of,
    meetings_of,
    talks_that_stand,
)
from market.meetings.rules import MEETING, OUTCOMES, PLANNABLE, not_startable
from market.transitions import WrongState
from market.web.edge.addresses import row_number
from market.web.edge.guards import OFFICIAL, SignedIn, WebRequest
from market.web.edge.language import language_of
from market.web.meetings.form import PARTS, filled_with, meeting_form, meeting_from, notes_on, open_parts
from market.web.meetings.steps import steps_of
from market.web.parts import fields, formats
from market.web.parts.forms import Filled, Form
from market.web.parts.pages import redirect
from market.web.parts.trade import BARE, KEY, do_once, name_in, show

#: The buttons of a meeting: label, kind, what follows, and the state that it leads to.
MOVES: dict[str, tuple[Message, str, Message, str]] = {
    "start": (
        msg("开始会议"),
        "primary",
        msg("开始后可以签到和记录结果；现场有变动用“改排”。"),
        "in_progress",
    ),
    "close": (msg("结束会议"), "primary", msg("结束后仍可补记结果，但不能再签到。"), "closed"),
    "finish_follow_up": (
        msg("结束跟进"),
        "primary",
        msg("跟进告一段落；以后的回访、交货和回款照样记下。"),
        "followed_up",
    ),
    "postpone": (msg("延期"), "secondary", msg("通知所有受邀方：会议延期；重新排桌后恢复。"), "postponed"),
    "cancel": (msg("取消会议"), "danger", msg("通知所有受邀方：会议取消，不能恢复。"), "cancelled"),
}
#: ``sure``: whoever closes has been told what is still to come.
_MOVE = Form(key=KEY, sure=fields.hidden(optional=True))
#: Results in the order in which they are told, the best last.
SHOWN_OUTCOMES = dict(reversed(OUTCOMES.items()))


def tally(values: Iterable[str | None]) -> dict[str, int]:
    """Count how often each value stands there."""
    counted: dict[str, int] = {}
    for value in values:
        if value is not None:
            counted[value] = counted.get(value, 0) + 1
    return counted


def available_moves(meeting: MeetingRow) -> Mapping[str, tuple[Message, str, Message, str]]:
    names = set(MEETING.available(state=meeting.state, by="official"))
    is_told = meeting.published_at is not None
    if not_startable(held_on=meeting.held_on, published=is_told, today=clock.today()):
        names.discard("start")
    return {name: MOVES[name] for name in MOVES if name in names}


@get("/town/meetings", guards=OFFICIAL)
async def index(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """List the town's meetings."""
    meetings = [
        each
        for each in await meetings_of(organisation_id=viewer.organisation_id)
        if each.town == viewer.organisation_id
    ]
    return show(
        request,
        "meetings/index.html",
        meetings=meetings,
        talks=await talks_that_stand(meetings=[each.id for each in meetings]),
        today=clock.today(),
        MEETING=MEETING,
    )


@get("/town/meetings/new", guards=OFFICIAL)
async def new(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """Show the form, with what is usual standing in it."""
    usual = usual_meeting(
        town=viewer.organisation_name, town_en=viewer.organisation_name_en, today=clock.today()
    )
    form = filled_with(meeting_form(), usual)
    return await _form(request, viewer, form)


async def _form(request: WebRequest, viewer: Viewer, form: Filled, *, status: int = 200) -> Response[str]:
    return show(
        request,
        "meetings/new.html",
        status=status,
        form=form,
        parts=PARTS,
        opened=open_parts(form),
        notes=notes_on(form),
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
        meeting, key = meeting_from(filled)

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
    """Show where a meeting stands: the one next step, every step with what it lacks, and the key figures."""
    meeting = await own_meeting(meeting_id, viewer)
    if "hx-request" in request.headers and not meeting.planning:
        # the page that waited for the timetable is drawn whole
        return Response("", headers={"hx-refresh": "true"}, media_type="text/html")
    language = language_of(request)
    steps = await steps_of(request, meeting)
    standing = steps.standing
    talks = await appointments_of_meeting(meeting_id=meeting.id) if standing.held else []
    return show(
        request,
        "meetings/show.html",
        fragment="meetings/planning.html",
        meeting=meeting,
        standing=standing,
        steps=steps,
        outcomes=tally(each.outcome for each in talks),
        names=SHOWN_OUTCOMES,
        days=formats.held_days(meeting, language),
        facts=facts_of(meeting, language),
        moves=available_moves(meeting),
        changeable=meeting.state in PLANNABLE and not meeting.planning,
        begun=meeting.state in ("in_progress", "closed", "followed_up"),
        MEETING=MEETING,
    )


def facts_of(meeting: MeetingRow, language: Language, *, for_guests: bool = False) -> list[tuple[str, str]]:
    """Return what is written down of the meeting, label and value; what is not, is left out.

    ``for_guests`` leaves out what only who runs the meeting needs.
    """

    def day(on: date | None) -> str:
        return formats.day(on, language) if on else ""

    def told(text: Message) -> str:
        return translate(text, language)

    ends = meeting.slot_label(meeting.slots)[-5:]
    contact = person_in(meeting.contact, language)
    common: list[tuple[Message, str]] = [
        (msg("日期"), formats.held_days(meeting, language)),
        (msg("时间"), f"{meeting.slot_label(1)[-11:-6]}–{ends}"),
        (msg("地点"), name_in(language, meeting, "venue")),
        (msg("雨天安排"), name_in(language, meeting, "weather_plan")),
        (msg("联系人"), " ".join(each for each in (contact, meeting.contact_phone) if each)),
    ]
    host = [(msg("主办"), name_in(language, meeting, "town_name"))]
    run = [
        (
            msg("时段"),
            told(msg("{n} 个，每个 {minutes} 分钟", n=meeting.all_slots, minutes=meeting.slot_minutes)),
        ),
        (msg("桌子"), told(msg("{n} 张", n=meeting.tables))),
        (msg("容纳"), told(msg("{n} 人", n=meeting.capacity)) if meeting.capacity else ""),
        (msg("回复截止"), day(meeting.answer_by)),
        (msg("互选截止"), day(meeting.wishes_by)),
        (msg("公开页面"), told(msg("任何人可看、可报名")) if meeting.is_public else ""),
        (msg("依据"), told(msg("第 {n} 号撮合", n=meeting.run) if meeting.run else msg("没有撮合"))),
    ]
    return [(told(label), value) for label, value in common + (host if for_guests else run) if value]


@post("/town/meetings/{meeting_id:int}/plan", guards=OFFICIAL)
async def plan(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[bytes]:
    """Make the timetable anew from today's matches and answers."""
    return await planned_anew(request, viewer, meeting_id)


async def planned_anew(
    request: WebRequest, viewer: SignedIn, meeting_id: int, *, sure: bool = False
) -> Response[bytes]:
    """Ask for the timetable; pressing twice is harmless. ``sure``: although talks that are known are lost."""
    (await BARE.read(request)).check()
    meeting = await own_meeting(meeting_id, viewer)
    try:
        await request_plan(
            meeting_id=meeting.id,
            town_id=viewer.organisation_id,
            actor=accounts.actor(viewer, "official"),
            at=clock.now(),
            sure=sure,
        )
    except Conflict:
        if not (await own_meeting(meeting_id, viewer)).planning:
            raise
    return redirect(
        request, f"/town/meetings/{meeting.id}/timetable", toast=msg("正在排桌，几秒后自动显示。")
    )


@post("/town/meetings/{meeting_id:int}/move/{move:str}", guards=OFFICIAL)
async def move(
    request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int], move: FromPath[str]
) -> Response[Any]:
    """Start, close, finish, postpone or cancel a meeting; pressing twice is harmless.

    Closing asks back while something of the meeting is still to come.
    """
    if move not in MOVES:
        raise NotFound(msg("没有这一步，请回到对接会页面操作。"))
    filled = await _MOVE.read(request)
    filled.check()
    meeting = await own_meeting(meeting_id, viewer)
    label, _, _, leads_to = MOVES[move]
    try:
        await move_meeting(
            meeting_id=meeting.id,
            move=move,
            town_id=viewer.organisation_id,
            actor=accounts.actor(viewer, "official"),
            at=clock.now(),
            sure=bool(filled.values["sure"]),
        )
    except StillToCome as asked:
        return show(
            request,
            "meetings/close.html",
            status=422,
            meeting=meeting,
            steps=await steps_of(request, meeting),
            open_talks=asked.talks,
            alone=asked.alone,
            days=[formats.day_short(each, language_of(request)) for each in asked.days],
            what_follows=MOVES["close"][2],
            MEETING=MEETING,
        )
    except WrongState:
        if (await own_meeting(meeting_id, viewer)).state != leads_to:
            raise
    path = f"/town/meetings/{meeting.id}"
    return redirect(
        request, f"{path}/desk" if move == "start" else path, toast=msg("{move}：已办好。", move=label)
    )


routes: list[ControllerRouterHandler] = [index, new, create, one, plan, move]

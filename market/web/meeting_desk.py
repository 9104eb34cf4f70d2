"""On the day: who has come, and how each talk ended."""

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts import rules as accounts
from market.catalogue.queries import reasons
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Language, Message, msg
from market.meetings.commands import Outcome, TopicResult
from market.meetings.operations import mark_attendance, record_outcome
from market.meetings.queries import (
    AppointmentRow,
    MeetingRow,
    TopicRow,
    appointment_of,
    appointments_of_meeting,
    invitations_of,
)
from market.meetings.rules import APPOINTMENT, ATTENDANCE, INVITATION, MEETING, OUTCOMES
from market.transitions import WrongState
from market.units import FenPerKg, Gram
from market.web import fields
from market.web.addresses import row_number
from market.web.forms import Filled, Form
from market.web.guards import SignedIn, WebRequest
from market.web.language import language_of
from market.web.meetings import SHOWN_OUTCOMES, own_meeting, tally
from market.web.pages import redirect
from market.web.town import OFFICIAL
from market.web.trade import BARE, KEY, new_key, show

ATTENDING: dict[str, tuple[Message, str]] = {
    "check_in": (msg("签到"), "checked_in"),
    "mark_no_show": (msg("未到场"), "no_show"),
    "leave": (msg("离场"), "left"),
}
#: Results that say what was talked of, how much and for how much.
WITH_FIGURES = frozenset({"intent", "quote", "signed"})
#: The meeting is on, or over: what was said can be written down.
RECORDABLE = frozenset({"in_progress", "closed"})


@get("/town/meetings/{meeting_id:int}/desk", guards=OFFICIAL)
async def desk(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[str]:
    """The check-in list, and every talk with its result or the button to record it."""
    meeting = await own_meeting(meeting_id, viewer)
    guests = [each for each in await invitations_of(meeting_id=meeting.id) if each.state != "revoked"]
    talks = await appointments_of_meeting(meeting_id=meeting.id)
    open_only = request.query_params.get("show") != "all"
    held = [each for each in talks if each.state == "held"]
    return show(
        request,
        "meetings/desk.html",
        meeting=meeting,
        guests=guests,
        talks=[each for each in talks if each.state == "scheduled"] if open_only else talks,
        held=held,
        all_talks=talks,
        open_only=open_only,
        outcomes=tally(each.outcome for each in held),
        names=SHOWN_OUTCOMES,
        arrived=sum(each.attendance in ("checked_in", "left") for each in guests),
        recordable=meeting.state in RECORDABLE,
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
    if meeting.state != "in_progress":
        raise Conflict(msg("会议进行中才能签到，请先开始会议。"))
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


async def talk_form(talk: AppointmentRow, language: Language) -> Form:
    """Return the form of a talk's result: one tick, quantity and price for each thing talked of."""
    options: dict[str, Message | str] = {
        each.code: each.en if language == "en" else each.zh for each in await reasons()
    }
    topics: dict[str, fields.Field] = {}
    for topic in talk.topics:
        topics[f"take_{topic.id}"] = fields.tick(msg("谈成这一项"))
        topics[f"quantity_{topic.id}"] = fields.quantity(msg("数量"), optional=True)
        topics[f"price_{topic.id}"] = fields.price(msg("地头单价"), optional=True)
    return Form(
        outcome=fields.choice(msg("洽谈结果"), OUTCOMES, chips=True),
        **topics,
        reason=fields.choice(
            msg("原因"),
            options,
            optional=True,
            hint=msg("没有结果时必选，双方都能看到，供改进。"),
            chips=True,
        ),
        note=fields.text(msg("备注"), most=500, lines=True, optional=True),
        key=KEY,
    )


def usual_result(form: Form, talk: AppointmentRow) -> Filled:
    """Return the form with the match's own quantity and price standing in it."""
    values: dict[str, object] = {"key": new_key()}
    for topic in talk.topics:
        values[f"take_{topic.id}"] = topic.match is not None
        values[f"quantity_{topic.id}"] = _usual_quantity(topic)
        values[f"price_{topic.id}"] = FenPerKg(topic.proposed_price or topic.ask)
    return form.blank(**values)


def _usual_quantity(topic: TopicRow) -> Gram | None:
    if topic.proposed:
        return Gram(topic.proposed)
    room = min(topic.remaining, topic.remaining if topic.demand_open is None else topic.demand_open)
    return Gram(room) if room > 0 else None


def outcome_of(values: Mapping[str, Any], talk: AppointmentRow) -> Outcome:
    """Return the command that a filled form stands for.

    Raises:
        Invalid: a ticked topic lacks its quantity or its price, or nothing is ticked that should be.
    """
    results, problems = [], {}
    if values["outcome"] in WITH_FIGURES:
        for topic in talk.topics:
            if not values[f"take_{topic.id}"]:
                continue
            quantity, price = values[f"quantity_{topic.id}"], values[f"price_{topic.id}"]
            for name, value in ((f"quantity_{topic.id}", quantity), (f"price_{topic.id}", price)):
                if value is None:
                    problems[name] = msg("请填写这一项。")
            if quantity is not None and price is not None:
                results.append(TopicResult(topic.id, quantity, price))
    if problems:
        raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)
    return Outcome(values["outcome"], tuple(results), values["reason"], values["note"])


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
    """Show one talk: its result, or the form that records it."""
    meeting = await own_meeting(meeting_id, viewer)
    talk = await _talk(appointment_id, meeting, viewer)
    form = await talk_form(talk, language_of(request))
    return _draw(request, meeting, talk, usual_result(form, talk))


def _draw(
    request: WebRequest, meeting: MeetingRow, talk: AppointmentRow, form: Filled, *, status: int = 200
) -> Response[str]:
    return show(
        request,
        "meetings/talk.html",
        status=status,
        meeting=meeting,
        talk=talk,
        form=form,
        recordable=meeting.state in RECORDABLE and talk.state == "scheduled",
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
        filled.check()
        recorded = await record_outcome(
            appointment_id=talk.id,
            outcome=outcome_of(filled.values, talk),
            organisation_id=viewer.organisation_id,
            actor=accounts.actor(viewer, "official"),
            at=clock.now(),
            key=filled.values["key"],
        )
    except Invalid as refused:
        return _draw(request, meeting, talk, filled.refused(refused), status=422)
    except WrongState:
        raise
    except Conflict as refused:
        # stock or demand have gone meanwhile: what was typed stays, to be mended
        gone = msgspec.structs.replace(filled, errors={**filled.errors, "": refused.message})
        return _draw(request, meeting, talk, gone, status=409)
    done = (
        msg("已记录，生成 {n} 份合同，等双方签字。", n=len(recorded.deal_ids))
        if recorded.deal_ids
        else msg("已记录。")
    )
    return redirect(request, f"/town/meetings/{meeting.id}/desk#talk-{talk.id}", toast=done)


routes: list[ControllerRouterHandler] = [desk, attend, talk_page, record]

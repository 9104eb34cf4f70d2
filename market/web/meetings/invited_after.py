"""After a meeting, for those who talked: what has become of it, what they thought of it, their contracts."""

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import Viewer
from market.deals.rules import CANCELLED
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, msg
from market.meanwhile import ChangedMeanwhile
from market.meetings.after.concluding import conclude_topic, may_conclude
from market.meetings.after.following import LONGEST_NOTE, answer_follow_up
from market.meetings.after.judging import Judgement, give_feedback
from market.meetings.after.queries import (
    FeedbackRow,
    FollowUpRow,
    SampleRow,
    feedback_of,
    follow_ups_of,
    samples_of_meeting,
)
from market.meetings.queries import (
    AppointmentRow,
    MeetingRow,
    TopicRow,
    appointment_of,
    appointments_of_meeting,
    meeting_of,
)
from market.meetings.rules import FOLLOW_UP_LEVELS, MEETING, OUTCOMES, SAMPLE, SAMPLE_VERDICTS
from market.transitions import WrongState
from market.units import FenPerKg, Gram
from market.web.edge.addresses import row_number
from market.web.edge.guards import SignedIn, WebRequest
from market.web.edge.language import language_of
from market.web.meetings.after import ANSWER
from market.web.parts import fields
from market.web.parts.changed_meanwhile import SEEN, merged
from market.web.parts.forms import Filled, Form
from market.web.parts.pages import redirect
from market.web.parts.trade import KEY, acting, new_key, show

SCORES: dict[str, Message] = {
    "5": msg("5 正合适"),
    "4": msg("4 有用"),
    "3": msg("3 一般"),
    "2": msg("2 用处不大"),
    "1": msg("1 白谈了"),
}
FEEDBACK = Form(
    score=fields.choice(msg("这场谈得值不值"), SCORES, chips=True),
    again=fields.choice(msg("下次还想见这家吗"), {"yes": msg("还想见"), "no": msg("不必再见")}, chips=True),
    note=fields.text(msg("说明"), most=LONGEST_NOTE, optional=True),
    seen=SEEN,
    key=KEY,
)
CONTRACT_FORM = Form(
    quantity=fields.quantity(msg("数量")),
    price=fields.price(msg("地头单价")),
    sure=fields.tick(msg("价格没有写错，就按这个数订合同")),
    key=KEY,
)


class Talk(msgspec.Struct, frozen=True):
    """One talk with everything that there is to say about it afterwards."""

    row: AppointmentRow
    samples: list[SampleRow]
    due: list[FollowUpRow]
    answered: list[FollowUpRow]
    feedback: FeedbackRow | None


@get("/meetings/{meeting_id:int}/after")
async def after(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[Any]:
    """Show the talks that one has had, with what is asked about each."""
    return await _draw(request, viewer, await _meeting(meeting_id, viewer))


async def _meeting(meeting_id: int, viewer: Viewer) -> MeetingRow:
    return await meeting_of(meeting_id=row_number(meeting_id), organisation_id=viewer.organisation_id)


async def _draw(
    request: WebRequest,
    viewer: Viewer,
    meeting: MeetingRow,
    *,
    faulty: dict[int, Filled] | None = None,
    answers: dict[int, Filled] | None = None,
    status: int = 200,
) -> Response[Any]:
    """``faulty``: feedback of talks, ``answers``: to questions; both were sent and are to be mended."""
    if meeting.town == viewer.organisation_id:
        return redirect(request, f"/town/meetings/{meeting.id}/after")
    mine = {"meeting_id": meeting.id, "organisation_id": viewer.organisation_id}
    talks = [each for each in await appointments_of_meeting(**mine) if each.state == "held"]
    samples, asked = await samples_of_meeting(**mine), await follow_ups_of(**mine)
    said = {each.appointment: each for each in await feedback_of(**mine)}
    today = clock.today()
    rows = [
        Talk(
            talk,
            [each for each in samples if each.appointment == talk.id],
            [each for each in asked if each.appointment == talk.id and each.is_due(today)],
            [each for each in asked if each.appointment == talk.id and each.level is not None],
            said.get(talk.id),
        )
        for talk in talks
    ]
    return show(
        request,
        "after/invited.html",
        status=status,
        meeting=meeting,
        # what waits for an answer first
        talks=sorted(rows, key=lambda each: (not each.due, each.feedback is not None)),
        forms={row.row.id: (faulty or {}).get(row.row.id) or _feedback_form(row.feedback) for row in rows},
        faulty=faulty or {},
        answers=answers or {},
        waiting=sum(len(each.due) for each in rows),
        may_conclude=may_conclude,
        names=OUTCOMES,
        levels=FOLLOW_UP_LEVELS,
        verdicts=SAMPLE_VERDICTS,
        SAMPLE=SAMPLE,
        MEETING=MEETING,
    )


def _feedback_form(said: FeedbackRow | None) -> Filled:
    if said is None:
        return FEEDBACK.blank(seen=Judgement().marks, key=new_key())
    return FEEDBACK.blank(
        score=str(said.score),
        again="yes" if said.again else "no",
        note=said.note,
        seen=Judgement(said.score, said.again, said.note).marks,
        key=new_key(),
    )


@post("/meetings/{meeting_id:int}/after/answers/{follow_up_id:int}")
async def answer(
    request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int], follow_up_id: FromPath[int]
) -> Response[Any]:
    """Say what has become of a talk, or set right what one has said."""
    filled = await ANSWER.read(request)
    meeting = await _meeting(meeting_id, viewer)
    rows = await follow_ups_of(meeting_id=meeting.id, organisation_id=viewer.organisation_id)
    row = next((each for each in rows if each.id == follow_up_id), None)
    if row is None:
        raise NotFound(msg("没有找到这次回访。"))
    try:
        filled.check()
        await answer_follow_up(
            follow_up_id=row.id,
            level=filled.values["level"],
            note=filled.values["note"],
            organisation_id=viewer.organisation_id,
            actor=acting(viewer, "seller" if row.seller == viewer.organisation_id else "buyer"),
            at=clock.now(),
        )
    except Invalid as refused:
        again, status = filled.refused(refused), 422
    except Conflict as refused:
        again = msgspec.structs.replace(filled, errors={**filled.errors, "": refused.message})
        status = 409
    else:
        return redirect(
            request, f"/meetings/{meeting.id}/after#talk-{row.appointment}", toast=msg("谢谢，已记下。")
        )
    return await _draw(request, viewer, meeting, answers={row.id: again}, status=status)


@post("/meetings/{meeting_id:int}/after/talks/{appointment_id:int}/feedback")
async def feedback(
    request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int], appointment_id: FromPath[int]
) -> Response[Any]:
    """Say what a talk was worth; only the town sees it."""
    meeting = await _meeting(meeting_id, viewer)
    talk = await appointment_of(
        appointment_id=row_number(appointment_id), organisation_id=viewer.organisation_id
    )
    if talk.meeting != meeting.id:
        raise NotFound(msg("没有找到这场洽谈。"))
    filled = await FEEDBACK.read(request)
    try:
        filled.check()
        await give_feedback(
            appointment_id=talk.id,
            score=int(filled.values["score"]),
            again=filled.values["again"] == "yes",
            note=filled.values["note"],
            organisation_id=viewer.organisation_id,
            actor=acting(viewer, "seller" if talk.seller == viewer.organisation_id else "buyer"),
            at=clock.now(),
            seen=filled.values["seen"],
        )
    except ChangedMeanwhile as changed:
        given = await feedback_of(meeting_id=meeting.id, organisation_id=viewer.organisation_id)
        fresh = _feedback_form(next((each for each in given if each.appointment == talk.id), None))
        again = merged(filled, changed, fresh=fresh, language=language_of(request))
        return await _draw(request, viewer, meeting, faulty={talk.id: again}, status=409)
    except Invalid as refused:
        return await _draw(request, viewer, meeting, faulty={talk.id: filled.refused(refused)}, status=422)
    return redirect(request, f"/meetings/{meeting.id}/after#talk-{talk.id}", toast=msg("谢谢您的评价。"))


def _topic(talk: AppointmentRow, topic_id: int) -> TopicRow:
    for topic in talk.topics:
        if topic.id == topic_id:
            return topic
    raise NotFound(msg("没有找到这场洽谈。"))


@get("/talks/{appointment_id:int}/contract/{topic_id:int}")
async def contract_page(
    request: WebRequest, viewer: SignedIn, appointment_id: FromPath[int], topic_id: FromPath[int]
) -> Response[Any]:
    """Show what was said at the table, as the contract's terms to be set right."""
    talk = await appointment_of(
        appointment_id=row_number(appointment_id), organisation_id=viewer.organisation_id
    )
    topic = _topic(talk, topic_id)
    if topic.deal_state not in (None, CANCELLED):
        return redirect(request, f"/deals/{topic.deal}")
    form = CONTRACT_FORM.blank(
        quantity=Gram(quantity) if (quantity := topic.intent_quantity or topic.proposed) else None,
        price=FenPerKg(topic.intent_price or topic.proposed_price or topic.ask),
        key=new_key(),
    )
    return _contract(request, viewer, talk, topic, form)


def _contract(
    request: WebRequest,
    viewer: Viewer,
    talk: AppointmentRow,
    topic: TopicRow,
    form: Filled,
    status: int = 200,
) -> Response[Any]:
    is_town = viewer.organisation_id not in (talk.seller, talk.buyer)
    back = f"/town/meetings/{talk.meeting}/after" if is_town else f"/meetings/{talk.meeting}/after"
    return show(
        request,
        "after/contract.html",
        status=status,
        talk=talk,
        topic=topic,
        form=form,
        back=back,
        can=talk.state == "held" and may_conclude(outcome=talk.outcome, deal_state=topic.deal_state),
        names=OUTCOMES,
    )


@post("/talks/{appointment_id:int}/contract/{topic_id:int}")
async def conclude(
    request: WebRequest, viewer: SignedIn, appointment_id: FromPath[int], topic_id: FromPath[int]
) -> Response[Any]:
    """Make the contract, once however often it is sent; both sides still sign it."""
    talk = await appointment_of(
        appointment_id=row_number(appointment_id), organisation_id=viewer.organisation_id
    )
    topic = _topic(talk, topic_id)
    sides = {talk.seller: "seller", talk.buyer: "buyer"}
    filled = await CONTRACT_FORM.read(request)
    try:
        filled.check()
        made = await conclude_topic(
            topic_id=topic.id,
            quantity=filled.values["quantity"],
            price=filled.values["price"],
            organisation_id=viewer.organisation_id,
            actor=acting(viewer, sides.get(viewer.organisation_id, "official")),
            at=clock.now(),
            key=filled.values["key"],
            sure=filled.values["sure"],
        )
    except Invalid as refused:
        return _contract(request, viewer, talk, topic, filled.refused(refused), status=422)
    except WrongState:
        raise
    except Conflict as refused:
        gone = msgspec.structs.replace(filled, errors={**filled.errors, "": refused.message})
        return _contract(request, viewer, talk, topic, gone, status=409)
    return redirect(request, f"/deals/{made.deal_id}", toast=msg("合同已生成，等双方签字。"))


routes: list[ControllerRouterHandler] = [after, answer, feedback, contract_page, conclude]

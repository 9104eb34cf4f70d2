"""After a meeting: both sides are asked what has become of their talks, and say what those were worth."""

from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from litestar import Response
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler
from msgspec import Meta

from market import clock
from market.api.handling import acting, deed, do_once, marked_as, read, seen_in, unless_changed
from market.api.inputs import IdempotencyKey, IfMatch, Note, PathId, Reader, SignedIn
from market.api.outputs import Moved, told
from market.api.talk_results import actor_at
from market.db.replay import once
from market.meetings.after.following import answer_follow_up
from market.meetings.after.judging import SCORES, give_feedback, judgement_of
from market.meetings.after.queries import feedback_of, follow_ups_of, talk_asked_about
from market.meetings.queries import meeting_of, own_talk_of


class FollowUpAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`note`: a further word, which the other side and the town see."""

    level: Literal["no_contact", "useful", "negotiating", "agreed"]
    note: Note = ""


class FollowUpView(msgspec.Struct, frozen=True):
    """A question of so many `days` after the meeting. `organisation`: whose answer it is. `passed_on`: when
    the next question about the same talk is due, which asks instead of this one.
    """

    id: int
    appointment: int
    seller: int
    buyer: int
    days: int
    due_on: date
    level: str | None
    note: str
    organisation: int | None
    answered_at: datetime | None
    passed_on: date | None


@read("/meetings/{meeting_id:int}/follow-ups")
async def follow_ups(viewer: SignedIn, language: Reader, meeting_id: PathId) -> list[FollowUpView]:
    """What is asked about the talks after the meeting: all for the town, of its own talks for a side."""
    meeting = await meeting_of(meeting_id=meeting_id, organisation_id=viewer.organisation_id)
    own = None if meeting.town == viewer.organisation_id else viewer.organisation_id
    rows = await follow_ups_of(meeting_id=meeting.id, organisation_id=own)
    return [told(FollowUpView, row, language) for row in rows]


@deed("/follow-ups/{follow_up_id:int}/answer", body=FollowUpAnswer)
async def answer(
    viewer: SignedIn, follow_up_id: PathId, data: JSONBody[FollowUpAnswer], key: IdempotencyKey = None
) -> Moved:
    """Say what has become of a talk; again, to set right what you have said.

    Where the other side or the town has answered, only they or the town may (409).
    """
    talk = await talk_asked_about(follow_up_id=follow_up_id)
    by = await actor_at(viewer, talk)

    async def do(at: datetime) -> str:
        await answer_follow_up(
            follow_up_id=follow_up_id,
            level=data.level,
            note=data.note,
            organisation_id=viewer.organisation_id,
            actor=by,
            at=at,
        )
        return data.level

    about = {"follow_up": follow_up_id, "level": data.level, "note": data.note}
    return await do_once(viewer=viewer, key=key, name="follow_up_answer", about=about, do=do)


class FeedbackToGive(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`score` from 1 (of no use) to 5 (just what was needed); `again`: you want to meet them another time.

    The town reads it, the other side does not.
    """

    score: Annotated[int, Meta(ge=SCORES[0], le=SCORES[-1])]
    again: bool
    note: Note = ""


class FeedbackGiven(msgspec.Struct, frozen=True):
    """What your side has said of a talk; `score` and `again` are null where it has said nothing yet."""

    score: int | None
    again: bool | None
    note: str


class FeedbackView(msgspec.Struct, frozen=True):
    """What one side, `organisation`, said of a talk."""

    appointment: int
    organisation: int
    side: str
    score: int
    again: bool
    note: str
    created_at: datetime


class _Feedback(msgspec.Struct, frozen=True):
    appointment_id: int
    feedback: FeedbackToGive


@read("/meetings/{meeting_id:int}/feedback")
async def feedback_at(viewer: SignedIn, language: Reader, meeting_id: PathId) -> list[FeedbackView]:
    """What the sides said their talks were worth: all of it for the town, its own for a side."""
    meeting = await meeting_of(meeting_id=meeting_id, organisation_id=viewer.organisation_id)
    own = None if meeting.town == viewer.organisation_id else viewer.organisation_id
    rows = await feedback_of(meeting_id=meeting.id, organisation_id=own)
    return [told(FeedbackView, row, language) for row in rows]


@read("/appointments/{appointment_id:int}/feedback", marked=True)
async def own_feedback(viewer: SignedIn, appointment_id: PathId) -> Response[FeedbackGiven]:
    """What your side has said that a talk was worth."""
    talk = await own_talk_of(appointment_id=appointment_id, organisation_id=viewer.organisation_id)
    said = await judgement_of(appointment_id=talk.id, organisation_id=viewer.organisation_id)
    view = FeedbackGiven(said.score or None, said.again if said.score else None, said.note)
    return marked_as(view, said.marks)


@deed("/appointments/{appointment_id:int}/feedback", body=FeedbackToGive, matched=True)
async def feedback(
    viewer: SignedIn,
    appointment_id: PathId,
    data: JSONBody[FeedbackToGive],
    key: IdempotencyKey = None,
    if_match: IfMatch = None,
) -> FeedbackGiven:
    """Say, for your side, what a talk that was held was worth; again, to say something else."""
    talk = await own_talk_of(appointment_id=appointment_id, organisation_id=viewer.organisation_id)
    by = acting(viewer, "seller" if viewer.organisation_id == talk.seller else "buyer")
    at = clock.now()

    async def done() -> FeedbackGiven:
        await give_feedback(
            appointment_id=talk.id,
            score=data.score,
            again=data.again,
            note=data.note,
            organisation_id=viewer.organisation_id,
            actor=by,
            at=at,
            seen=seen_in(if_match),
        )
        return FeedbackGiven(data.score, data.again, data.note)

    with unless_changed(if_match):
        return await once(
            key=key,
            person_id=viewer.person_id,
            request=_Feedback(talk.id, data),
            reply_type=FeedbackGiven,
            deed=done,
            at=at,
        )


routes: list[ControllerRouterHandler] = [follow_ups, answer, feedback_at, own_feedback, feedback]

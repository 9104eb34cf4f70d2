"""After a meeting: both sides are asked what has become of their talks, and may set their answer right."""

from datetime import date, datetime
from typing import Literal

import msgspec
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler

from market.api.handling import deed, do_once, read
from market.api.inputs import IdempotencyKey, Note, PathId, Reader, SignedIn
from market.api.outputs import Moved, told
from market.api.talk_results import actor_at
from market.meetings.after.following import answer_follow_up
from market.meetings.after.queries import follow_ups_of, talk_asked_about
from market.meetings.queries import meeting_of


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


routes: list[ControllerRouterHandler] = [follow_ups, answer]

"""Samples: asked for at a table, then sent, received and answered; every step has its day."""

from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler
from msgspec import Meta

from market.api.handling import deed, do_once, read
from market.api.inputs import ONE_LINE, IdempotencyKey, Note, PathId, Reader, SignedIn
from market.api.outputs import Moved, told
from market.api.talk_results import actor_at
from market.meetings.after.queries import sample_of, samples_of, samples_of_meeting
from market.meetings.after.samples import LONGEST_CARRIER, move_sample
from market.meetings.queries import meeting_of

Step = Literal["send", "receive", "answer", "call_off"]
_Carrier = Annotated[str, Meta(max_length=LONGEST_CARRIER, pattern=ONE_LINE)]


class SampleStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`carrier` (needed) and `tracking` go with `send`; `verdict` (needed) and a `note` with `answer`, which
    `improve` asks for; a `note` with `call_off`. With `receive` the body may be left away.
    """

    carrier: _Carrier = ""
    tracking: _Carrier = ""
    verdict: Literal["approved", "improve", "rejected"] | None = None
    note: Note = ""


_BARE = SampleStep()


class SampleView(msgspec.Struct, frozen=True):
    """A sample of a listing that a talk asked for. `due_on`: until when the next step is due, null where none
    is. `note`: what goes with the answer, or why it is not sent any more.
    """

    id: int
    appointment: int
    meeting: int
    listing: int
    title: str
    title_en: str
    seller: int
    seller_name: str
    seller_name_en: str
    buyer: int
    buyer_name: str
    buyer_name_en: str
    state: str
    carrier: str
    tracking: str
    due_on: date | None
    sent_at: datetime | None
    received_at: datetime | None
    answered_at: datetime | None
    verdict: str | None
    note: str
    created_at: datetime


@read("/samples")
async def index(viewer: SignedIn, language: Reader) -> list[SampleView]:
    """The samples that your organisation sends, gets, or follows as a town; the first due first."""
    rows = await samples_of(organisation_id=viewer.organisation_id)
    return [told(SampleView, row, language) for row in rows]


@read("/meetings/{meeting_id:int}/samples")
async def of_meeting(viewer: SignedIn, language: Reader, meeting_id: PathId) -> list[SampleView]:
    """The samples that a meeting's talks asked for: all for the town, its own for a side."""
    meeting = await meeting_of(meeting_id=meeting_id, organisation_id=viewer.organisation_id)
    own = None if meeting.town == viewer.organisation_id else viewer.organisation_id
    rows = await samples_of_meeting(meeting_id=meeting.id, organisation_id=own)
    return [told(SampleView, row, language) for row in rows]


@read("/samples/{sample_id:int}")
async def one(viewer: SignedIn, language: Reader, sample_id: PathId) -> SampleView:
    """One sample, for its two sides and the town."""
    row = await sample_of(sample_id=sample_id, organisation_id=viewer.organisation_id)
    return told(SampleView, row, language)


@deed("/samples/{sample_id:int}/{move:str}", body=SampleStep, bare=True)
async def step(
    viewer: SignedIn,
    sample_id: PathId,
    move: FromPath[Step],
    data: JSONBody[SampleStep] = _BARE,
    key: IdempotencyKey = None,
) -> Moved:
    """Take a sample one step on: the seller sends, the buyer receives and answers, either calls it off.

    The town does each of them after a telephone call. A sample that is `rejected` bars its goods and the
    demand that was talked about from being proposed to each other again.
    """
    sample = await sample_of(sample_id=sample_id, organisation_id=viewer.organisation_id)
    by = await actor_at(viewer, sample.appointment)

    async def do(at: datetime) -> str:
        return await move_sample(
            sample_id=sample_id,
            move=move,
            organisation_id=viewer.organisation_id,
            actor=by,
            at=at,
            carrier=data.carrier,
            tracking=data.tracking,
            verdict=data.verdict if move == "answer" else None,
            note=data.note,
        )

    about = {"sample": sample_id, **msgspec.to_builtins(data)}
    return await do_once(viewer=viewer, key=key, name=f"sample_{move}", about=about, do=do)


routes: list[ControllerRouterHandler] = [index, of_meeting, one, step]

"""What came of talks: recorded by a side or the town, set right, settled where records differ."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler
from msgspec import Meta

from market import clock
from market.accounts.rules import Actor, actor
from market.api.handling import acting, deed, read
from market.api.inputs import LINES, Code, Grams, IdempotencyKey, PathId, Price, Reader, RowId, SignedIn
from market.api.outputs import told
from market.errors import NotFound
from market.i18n import msg
from market.meetings.commands import Outcome, TopicResult
from market.meetings.operations import Recorded, record_outcome
from market.meetings.queries import appointment_of
from market.meetings.talks.correcting import LONGEST_WHY, correct_outcome, counting, settle_outcome
from market.meetings.talks.figures import LONGEST_NOTE
from market.meetings.talks.statements import replaced_statements, settlements_of, statements_of

_ResultNote = Annotated[str, Meta(max_length=LONGEST_NOTE, pattern=LINES)]


class TopicOutcome(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was said of one listing at the table; `price` at the farm gate."""

    topic_id: RowId
    quantity: Grams
    price: Price


class OutcomeToRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`signed` turns the topics into deals at once; `none` needs a `reason` of `/codes`, `other` a `note`."""

    outcome: Literal["none", "sample", "intent", "quote", "signed"]
    topics: Annotated[tuple[TopicOutcome, ...], Meta(max_length=50)] = ()
    reason: Code | None = None
    note: _ResultNote = ""
    #: Topics of which a sample is wanted, where the outcome is `sample`; none named: all.
    samples: Annotated[tuple[RowId, ...], Meta(max_length=50)] = ()
    #: A price or a quantity far from what is known is meant: without this it is asked back (422).
    sure: bool = False

    @property
    def outcome_said(self) -> Outcome:
        return Outcome(
            outcome=self.outcome,
            topics=tuple(TopicResult(each.topic_id, each.quantity, each.price) for each in self.topics),
            reason=self.reason,
            note=self.note,
            samples=self.samples,
        )


class OutcomeToCorrect(OutcomeToRecord, frozen=True, kw_only=True):
    """The result as it should have been recorded, and `why`, which both sides see."""

    why: Annotated[str, Meta(min_length=1, max_length=LONGEST_WHY)]
    #: The last statement that was seen: where there is a later one, nothing is done (409).
    seen: RowId | None = None


class StatementToSettle(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    statement: RowId


class StatementView(msgspec.Struct, frozen=True):
    """What one party says came of a talk. `replaced_at`: since when it is set right by a later one."""

    id: int
    organisation: int
    name: str
    name_en: str
    outcome: str
    reason: str | None
    note: str
    topics: list[TopicResult]
    samples: list[int]
    why: str
    created_at: datetime
    replaced_at: datetime | None
    #: It is the one that counts.
    counts: bool


async def actor_at(viewer: SignedIn, appointment_id: int) -> Actor:
    """Return the viewer as who they are at this talk: a side of it, or the town's official.

    Raises:
        NotFound: neither.
    """
    row = await appointment_of(appointment_id=appointment_id, organisation_id=viewer.organisation_id)
    side = {row.seller: "seller", row.buyer: "buyer"}.get(viewer.organisation_id, "official")
    if side == "official" and side not in viewer.sides:
        raise NotFound(msg("没有找到这场洽谈。"))
    return acting(viewer, side)


@deed("/appointments/{appointment_id:int}/outcome", body=OutcomeToRecord)
async def record(
    viewer: SignedIn, appointment_id: PathId, data: JSONBody[OutcomeToRecord], key: IdempotencyKey = None
) -> Recorded:
    """Write down how a talk ended; a deal made here still needs both signatures."""
    return await record_outcome(
        appointment_id=appointment_id,
        outcome=data.outcome_said,
        organisation_id=viewer.organisation_id,
        actor=await actor_at(viewer, appointment_id),
        at=clock.now(),
        key=key,
        sure=data.sure,
    )


@deed("/appointments/{appointment_id:int}/correction", body=OutcomeToCorrect)
async def correct(
    viewer: SignedIn, appointment_id: PathId, data: JSONBody[OutcomeToCorrect], key: IdempotencyKey = None
) -> Recorded:
    """Set right how a talk ended: the town, or a side while the meeting is on and its record the only one.

    The record before is kept. An unsigned contract goes with it; where one is signed nothing can be changed.
    """
    return await correct_outcome(
        appointment_id=appointment_id,
        outcome=data.outcome_said,
        why=data.why,
        organisation_id=viewer.organisation_id,
        actor=await actor_at(viewer, appointment_id),
        at=clock.now(),
        key=key,
        sure=data.sure,
        seen=data.seen,
    )


@deed("/appointments/{appointment_id:int}/settlement", body=StatementToSettle)
async def settle(
    viewer: SignedIn, appointment_id: PathId, data: JSONBody[StatementToSettle], key: IdempotencyKey = None
) -> Recorded:
    """Say, for the town, which of several records of a talk stands."""
    by = actor(viewer, "official")
    return await settle_outcome(
        appointment_id=appointment_id,
        statement_id=data.statement,
        organisation_id=viewer.organisation_id,
        actor=by,
        at=clock.now(),
        key=key,
    )


@read("/appointments/{appointment_id:int}/statements")
async def statements(viewer: SignedIn, appointment_id: PathId, language: Reader) -> list[StatementView]:
    """What each party says came of a talk, and what was said before it was set right."""
    row = await appointment_of(appointment_id=appointment_id, organisation_id=viewer.organisation_id)
    now = await statements_of(appointment_id=row.id)
    counts = counting(now, await settlements_of(appointment_id=row.id))
    before = await replaced_statements(appointment_id=row.id)
    return [
        told(StatementView, each, language, counts=counts is not None and each.id == counts.id)
        for each in [*before, *now]
    ]


routes: list[ControllerRouterHandler] = [record, correct, settle, statements]

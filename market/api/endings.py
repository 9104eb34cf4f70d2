"""Contracts that end without a breach: by agreement, or by a notice of force majeure."""

from collections.abc import Awaitable, Callable
from datetime import date, datetime
from typing import Annotated, Any, Literal

import msgspec
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler
from msgspec import Meta

from market import clock
from market.api.breaches import Said, Words
from market.api.deals import actor_in
from market.api.handling import deed, do_once, read
from market.api.inputs import MOST_ID, Code, IdempotencyKey, Note, PathId, SignedIn
from market.api.outputs import Moved
from market.db.replay import once
from market.deals.endings import operations
from market.deals.endings.queries import EndingRow, ProofRow, endings_of, proof_under
from market.deals.endings.seen import Rest, rest_of
from market.deals.pieces import Piece
from market.deals.queries import deal_of
from market.units import Fen, Gram

Count = Annotated[int, Meta(ge=0, le=MOST_ID)]


class EndingToPropose(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`reason` of `/codes` that is used for `cancel`; `words`: what becomes of what is delivered and paid.

    `deposit` is needed where a deposit was paid, and left out where none was: what no goods stand against
    goes `back` to the buyer or is `kept` by the seller.
    """

    reason: Code
    words: Words
    deposit: Literal["back", "kept"] | None = None


class SeenRest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Grams that would be free and that are on their way, fen paid as deposit: the `rest` that was read."""

    free: Count
    under_way: Count
    deposit: Count


class EndingAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`withdraw` is for the side that proposed it, the others for the other.

    To refuse takes a `reason` of `/codes` that your side may use; the other side sees it. To agree, `seen`
    says what you have read that it comes to: if it is something else by now, it is a 409.
    """

    move: Literal["agree", "refuse", "withdraw"]
    reason: Code | None = None
    note: Note = ""
    seen: SeenRest | None = None


class ForceMajeure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What happened, when, and how it keeps you from performing."""

    event: Literal["flood", "drought", "hail", "frost", "quake", "epidemic", "order", "other"]
    happened_on: date
    words: Words


class Endings(msgspec.Struct, frozen=True):
    """Proposals and notices, the newest first, what was put to a notice, and what an end now comes to."""

    endings: list[EndingRow]
    proof: list[ProofRow]
    rest: Rest


class Begun(msgspec.Struct, frozen=True):
    ending_id: int


class Proved(msgspec.Struct, frozen=True):
    proof_id: int


class _Wish(msgspec.Struct, frozen=True):
    deal_id: int
    wish: EndingToPropose | ForceMajeure


class _Prove(msgspec.Struct, frozen=True):
    ending_id: int
    words: str


@read("/deals/{deal_id:int}/endings")
async def index(viewer: SignedIn, deal_id: PathId) -> Endings:
    """What was proposed or noticed to end a deal without a breach."""
    deal = await deal_of(deal_id=deal_id, organisation_id=viewer.organisation_id)
    return Endings(
        await endings_of(deal_id=deal.id),
        await proof_under(deal_id=deal.id),
        await rest_of(deal_id=deal.id, quantity=deal.quantity),
    )


async def _begin(
    viewer: SignedIn,
    deal_id: int,
    key: str | None,
    wish: EndingToPropose | ForceMajeure,
    do: Callable[..., Awaitable[int]],
) -> Begun:
    by, at = await actor_in(viewer, deal_id), clock.now()

    async def begun() -> Begun:
        return Begun(await do(deal_id=deal_id, organisation_id=viewer.organisation_id, actor=by, at=at))

    return await once(
        key=key,
        person_id=viewer.person_id,
        request=_Wish(deal_id, wish),
        reply_type=Begun,
        deed=begun,
        at=at,
    )


@deed("/deals/{deal_id:int}/endings", body=EndingToPropose, status=201)
async def propose(
    viewer: SignedIn, deal_id: PathId, data: JSONBody[EndingToPropose], key: IdempotencyKey = None
) -> Begun:
    """Propose to end a deal by agreement; nothing changes until the other side agrees."""
    proposal = operations.Proposal(data.reason, data.words, data.deposit)

    async def do(**by: Any) -> int:
        return await operations.propose_ending(proposal=proposal, **by)

    return await _begin(viewer, deal_id, key, data, do)


@deed("/deals/{deal_id:int}/endings/{ending_id:int}/answer", body=EndingAnswer)
async def answer(
    viewer: SignedIn,
    deal_id: PathId,
    ending_id: PathId,
    data: JSONBody[EndingAnswer],
    key: IdempotencyKey = None,
) -> Moved:
    """Agree to a proposal (what is not taken is on sale again at once), refuse it, or withdraw your own."""
    said: dict[str, Any] = {"reason": data.reason, "note": data.note} if data.move == "refuse" else {}
    by, seen = await actor_in(viewer, deal_id), None
    if data.seen is not None:
        seen = Rest(Gram(data.seen.free), Gram(data.seen.under_way), Fen(data.seen.deposit))

    async def do(at: datetime) -> str:
        return await operations.answer_ending(
            deal_id=deal_id,
            ending_id=ending_id,
            move=data.move,
            organisation_id=viewer.organisation_id,
            actor=by,
            at=at,
            seen=seen,
            **said,
        )

    about = {"deal": deal_id, "ending": ending_id, **said}
    return await do_once(viewer=viewer, key=key, name=f"{data.move}_ending", about=about, do=do)


@deed("/deals/{deal_id:int}/force-majeure", body=ForceMajeure, status=201)
async def give_notice(
    viewer: SignedIn, deal_id: PathId, data: JSONBody[ForceMajeure], key: IdempotencyKey = None
) -> Begun:
    """End a deal for a force majeure; the other side may dispute it as a case (`not_excused`)."""
    notice = operations.Notice(data.event, data.happened_on, data.words)

    async def do(**by: Any) -> int:
        return await operations.give_force_majeure(notice=notice, **by)

    return await _begin(viewer, deal_id, key, data, do)


@deed("/deals/{deal_id:int}/endings/{ending_id:int}/proof", body=Said, status=201)
async def prove(
    viewer: SignedIn,
    deal_id: PathId,
    ending_id: PathId,
    data: JSONBody[Said],
    key: IdempotencyKey = None,
) -> Proved:
    """Put words to a notice of force majeure as either side. Photos are added on the page."""
    by, at = await actor_in(viewer, deal_id), clock.now()

    async def do() -> Proved:
        return Proved(
            await operations.add_proof(
                deal_id=deal_id,
                ending_id=ending_id,
                proof=Piece(data.words),
                organisation_id=viewer.organisation_id,
                actor=by,
                at=at,
            )
        )

    return await once(
        key=key,
        person_id=viewer.person_id,
        request=_Prove(ending_id, data.words),
        reply_type=Proved,
        deed=do,
        at=at,
    )


routes: list[ControllerRouterHandler] = [index, propose, answer, give_notice, prove]

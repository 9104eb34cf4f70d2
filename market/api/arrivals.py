"""A seller's word that goods have come; its paper as base64 within JSON."""

from datetime import date
from typing import Literal

import msgspec
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler

from market import clock
from market.api.deals import actor_in
from market.api.files import MOST_SIGNS, FileContent, SentFile, decoded, file_content
from market.api.handling import deed, do_once, read
from market.api.inputs import IdempotencyKey, Note, PathId, SignedIn
from market.api.outputs import Moved
from market.db.replay import once
from market.deals.arrivals.operations import answer_arrival, state_arrival
from market.deals.arrivals.queries import ArrivalRow, arrival_content, arrivals_of
from market.deals.queries import deal_of, deliveries_of
from market.errors import NotFound
from market.i18n import msg
from market.sent_papers import paper_in

Answer = Literal["confirm", "deny", "withdraw"]


class ArrivalToState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The day `on` which the load came; `file` is the receipt that was signed for it."""

    on: date
    file: SentFile
    note: Note = ""


class ArrivalAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A word to the answer; what is denied needs one."""

    note: Note = ""


class ArrivalStated(msgspec.Struct, frozen=True):
    arrival_id: int


class _State(msgspec.Struct, frozen=True):
    deal_id: int
    delivery_id: int
    arrival: ArrivalToState


@read("/deals/{deal_id:int}/arrivals")
async def index(viewer: SignedIn, deal_id: PathId) -> list[ArrivalRow]:
    """What the seller has said of goods that came, and what the buyer answered."""
    await deal_of(deal_id=deal_id, organisation_id=viewer.organisation_id)
    return await arrivals_of(deal_id=deal_id)


@read("/deals/{deal_id:int}/arrivals/{arrival_id:int}/file")
async def one(viewer: SignedIn, deal_id: PathId, arrival_id: PathId) -> FileContent:
    """The paper of a stated arrival."""
    await deal_of(deal_id=deal_id, organisation_id=viewer.organisation_id)
    found = await arrival_content(deal_id=deal_id, arrival_id=arrival_id)
    return file_content(found.name, found.media_type, found.content_hash, found.content)


@deed(
    "/deals/{deal_id:int}/deliveries/{delivery_id:int}/arrived",
    body=ArrivalToState,
    status=201,
    most_bytes=MOST_SIGNS + 100_000,
)
async def state(
    viewer: SignedIn,
    deal_id: PathId,
    delivery_id: PathId,
    data: JSONBody[ArrivalToState],
    key: IdempotencyKey = None,
) -> ArrivalStated:
    """Say that a load of yours has come. The buyer confirms or denies it.

    Without an answer it counts, once the time for inspection is over that ran from when the buyer was told.
    """
    by, at = await actor_in(viewer, deal_id), clock.now()
    if delivery_id not in {each.id for each in await deliveries_of(deal_id=deal_id)}:
        raise NotFound(msg("没有找到这次发货。"))
    paper = await paper_in("file", data.file.name, decoded(data.file, "file"))

    async def do() -> ArrivalStated:
        return ArrivalStated(
            await state_arrival(
                delivery_id=delivery_id,
                on=data.on,
                paper=paper,
                note=data.note,
                organisation_id=viewer.organisation_id,
                actor=by,
                at=at,
            )
        )

    return await once(
        key=key,
        person_id=viewer.person_id,
        request=_State(deal_id, delivery_id, data),
        reply_type=ArrivalStated,
        deed=do,
        at=at,
    )


@deed("/deals/{deal_id:int}/arrivals/{arrival_id:int}/{move:str}", body=ArrivalAnswer)
async def answer(
    viewer: SignedIn,
    deal_id: PathId,
    arrival_id: PathId,
    move: FromPath[Answer],
    data: JSONBody[ArrivalAnswer],
    key: IdempotencyKey = None,
) -> Moved:
    """`confirm` the day, `deny` it with a `note` (buyer), or `withdraw` it (seller)."""
    by = await actor_in(viewer, deal_id)
    if arrival_id not in {each.id for each in await arrivals_of(deal_id=deal_id)}:
        raise NotFound(msg("没有找到这次发货。"))
    return await do_once(
        viewer=viewer,
        key=key,
        name=f"arrival_{move}",
        about={"arrival": arrival_id, "note": data.note},
        do=lambda at: answer_arrival(
            arrival_id=arrival_id,
            move=move,
            note=data.note,
            organisation_id=viewer.organisation_id,
            actor=by,
            at=at,
        ),
    )


routes: list[ControllerRouterHandler] = [index, one, state, answer]

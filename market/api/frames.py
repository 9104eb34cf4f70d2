"""Framework agreements, and the batches called off of them."""

from collections.abc import Awaitable, Callable
from datetime import date
from functools import partial
from typing import Annotated, Any, Literal

import msgspec
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler
from msgspec import Meta

from market import clock
from market.accounts.rules import ANSWER, SIGN, Viewer
from market.api.bids import Refusal
from market.api.handling import acting, deed, do_once, read
from market.api.inputs import Code, Grams, GramsOrNone, IdempotencyKey, Note, PathId, Price, RowId, SignedIn
from market.api.outputs import Moved
from market.deals.clauses import WHOLE, Milestone, Terms
from market.deals.frames.calling import Called, Confirmed, call_off, confirm_call, drop_call
from market.deals.frames.ending import answer_end, propose_end
from market.deals.frames.meant import check_batch_price, check_frame_prices
from market.deals.frames.operations import NewFrame, Proposed, decline_frame, propose_frame, sign_frame
from market.deals.frames.queries import CallRow, FrameRow, calls_of, frame_of, frames_of
from market.deals.frames.rules import Agreed, Batch, EarlyEnd
from market.meanwhile import marks_of
from market.units import MOST_GRAMS, FenPerKg, Gram

Days = Annotated[int, Meta(ge=0, le=365)]


class FrameToPropose(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`side` is yours; `sites` are the buyer's. With `floor` a batch may have a price of its own above it.

    `most_per_week` counts weeks from `starts_on`; each batch is paid within `payment_days` of its arrival.
    A `price` or `floor` far from what the produce usually costs is asked back (422) unless you are `sure`.
    """

    side: Literal["seller", "buyer"]
    other_id: RowId
    produce: Code
    total: Grams
    price: Price
    sites: Annotated[tuple[RowId, ...], Meta(min_length=1, max_length=50)]
    starts_on: date
    ends_on: date
    min_grade: Annotated[int, Meta(ge=0, le=9)] = 0
    least: GramsOrNone = 0
    most_per_week: Grams | None = None
    floor: Price | None = None
    notice_days: Annotated[int, Meta(ge=0, le=60)] = 3
    payment_days: Days = 30
    note: Note = ""
    sure: bool = False


class BatchToCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One batch; without a `price` at the agreed one. One far from it is asked back unless you are `sure`."""

    quantity: Grams
    site_id: RowId
    deliver_from: date
    deliver_to: date
    price: Price | None = None
    note: Note = ""
    sure: bool = False


class ServedFrom(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The listing of yours that the batch is served from."""

    listing_id: RowId


class SeenEnd(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of the agreement as it was read: grams `left`, and why it is to end early."""

    left: Annotated[int, Meta(ge=0, le=MOST_GRAMS)]
    reason: Code
    reason_note: Note = ""


class EndAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`withdraw` is for the side that proposed the end, the others for the other.

    To refuse takes a `reason` of `/codes` that your side may use; the other side sees it. To agree, `seen`
    says what you have read that it comes to: if it is something else by now, it is a 409.
    """

    move: Literal["agree", "refuse", "withdraw"]
    reason: Code | None = None
    note: Note = ""
    seen: SeenEnd | None = None


class FrameWithCalls(msgspec.Struct, frozen=True):
    frame: FrameRow
    calls: list[CallRow]


@read("/frames")
async def mine(viewer: SignedIn) -> list[FrameRow]:
    """Your organisation's framework agreements with what is left of each."""
    return await frames_of(organisation_id=viewer.organisation_id)


@read("/frames/{frame_id:int}")
async def one(viewer: SignedIn, frame_id: PathId) -> FrameWithCalls:
    """One agreement and every batch called off of it."""
    own = viewer.organisation_id
    frame = await frame_of(frame_id=frame_id, organisation_id=own)
    return FrameWithCalls(frame, await calls_of(frame_id=frame_id, organisation_id=own))


@deed("/frames", body=FrameToPropose, status=201)
async def propose(viewer: SignedIn, data: JSONBody[FrameToPropose], key: IdempotencyKey = None) -> Proposed:
    """Propose an agreement, signed for your side; it holds once the other side has signed."""
    frame = NewFrame(
        data.other_id,
        Agreed(
            produce=data.produce,
            total=Gram(data.total),
            price=FenPerKg(data.price),
            sites=data.sites,
            starts_on=data.starts_on,
            ends_on=data.ends_on,
            min_grade=data.min_grade,
            least=Gram(data.least),
            most_per_week=None if data.most_per_week is None else Gram(data.most_per_week),
            floor=None if data.floor is None else FenPerKg(data.floor),
            notice_days=data.notice_days,
        ),
        Terms(
            deliver_from=data.starts_on,
            deliver_to=max(data.starts_on, data.ends_on),
            milestones=(Milestone("arrival", WHOLE, data.payment_days),),
        ),
        data.note,
    )
    await check_frame_prices(
        {"price": frame.agreed.price, "floor": frame.agreed.floor},
        produce=frame.agreed.produce,
        sure=data.sure,
    )
    proposed = await propose_frame(
        frame=frame,
        side=data.side,
        organisation_id=viewer.organisation_id,
        actor=acting(viewer, data.side, deed=SIGN),
        at=clock.now(),
        key=key,
    )
    return Proposed(proposed)


async def _side(viewer: Viewer, frame_id: int) -> str:
    """Raises: NotFound."""
    frame = await frame_of(frame_id=frame_id, organisation_id=viewer.organisation_id)
    return "seller" if frame.seller == viewer.organisation_id else "buyer"


async def _move(
    viewer: Viewer,
    key: str | None,
    name: str,
    operation: Callable[..., Awaitable[str]],
    *,
    binds: str = SIGN,
    **about: Any,
) -> Moved:
    """Do to the agreement what ``about`` asks ``operation`` for, on the viewer's side of it."""
    by = acting(viewer, await _side(viewer, about["frame_id"]), deed=binds)
    own = viewer.organisation_id
    return await do_once(
        viewer=viewer,
        key=key,
        name=name,
        about=about,
        do=lambda at: operation(**about, organisation_id=own, actor=by, at=at),
    )


@deed("/frames/{frame_id:int}/sign")
async def sign(viewer: SignedIn, frame_id: PathId, key: IdempotencyKey = None) -> Moved:
    """Sign what the other side has proposed."""
    return await _move(viewer, key, "frame_sign", sign_frame, frame_id=frame_id)


@deed("/frames/{frame_id:int}/decline", body=Refusal)
async def decline(
    viewer: SignedIn, frame_id: PathId, data: JSONBody[Refusal], key: IdempotencyKey = None
) -> Moved:
    """Refuse what the other side has proposed with a coded reason, or withdraw your own proposal."""
    told = msgspec.to_builtins(data)
    return await _move(viewer, key, "frame_decline", decline_frame, frame_id=frame_id, **told)


@deed("/frames/{frame_id:int}/end", body=Refusal)
async def end(
    viewer: SignedIn, frame_id: PathId, data: JSONBody[Refusal], key: IdempotencyKey = None
) -> Moved:
    """Propose to end an agreement early, with a coded reason; it holds until the other side agrees."""
    told = msgspec.to_builtins(data)
    return await _move(viewer, key, "frame_propose_end", propose_end, frame_id=frame_id, **told)


@deed("/frames/{frame_id:int}/end/answer", body=EndAnswer)
async def answer_to_end(
    viewer: SignedIn, frame_id: PathId, data: JSONBody[EndAnswer], key: IdempotencyKey = None
) -> Moved:
    """Agree to an early end or refuse it, or withdraw your own proposal; batches called stay as they are."""
    move = f"{data.move}_end"
    said: dict[str, Any] = {"reason": data.reason, "note": data.note} if data.move == "refuse" else {}
    seen = None
    if data.seen is not None:
        seen = marks_of(EarlyEnd(data.seen.left, data.seen.reason, data.seen.reason_note))
    answering = partial(answer_end, seen=seen)
    return await _move(viewer, key, f"frame_{move}", answering, frame_id=frame_id, move=move, **said)


@deed("/frames/{frame_id:int}/calls", body=BatchToCall, status=201)
async def call(
    viewer: SignedIn, frame_id: PathId, data: JSONBody[BatchToCall], key: IdempotencyKey = None
) -> Called:
    """Call a batch off, as the buyer; the seller confirms it in time, or it lapses."""
    batch = Batch(
        frame_id=frame_id,
        quantity=Gram(data.quantity),
        site_id=data.site_id,
        deliver_from=data.deliver_from,
        deliver_to=data.deliver_to,
        price=None if data.price is None else FenPerKg(data.price),
        note=data.note,
    )
    own = viewer.organisation_id
    agreed = (await frame_of(frame_id=frame_id, organisation_id=own)).price
    check_batch_price(batch.price, agreed=FenPerKg(agreed), sure=data.sure)
    by = acting(viewer, await _side(viewer, frame_id), deed=ANSWER)
    return Called(await call_off(batch=batch, buyer_id=own, actor=by, at=clock.now(), key=key))


@deed("/frames/{frame_id:int}/calls/{call_id:int}/confirm", body=ServedFrom)
async def confirm(
    viewer: SignedIn,
    frame_id: PathId,
    call_id: PathId,
    data: JSONBody[ServedFrom],
    key: IdempotencyKey = None,
) -> Confirmed:
    """Serve a batch, as the seller: its stock is reserved, and its contract is in force."""
    by = acting(viewer, await _side(viewer, frame_id), deed=SIGN)
    deal_id = await confirm_call(
        frame_id=frame_id,
        call_id=call_id,
        listing_id=data.listing_id,
        seller_id=viewer.organisation_id,
        actor=by,
        at=clock.now(),
        key=key,
    )
    return Confirmed(deal_id)


@deed("/frames/{frame_id:int}/calls/{call_id:int}/drop", body=Refusal)
async def drop(
    viewer: SignedIn,
    frame_id: PathId,
    call_id: PathId,
    data: JSONBody[Refusal],
    key: IdempotencyKey = None,
) -> Moved:
    """Refuse a batch as its seller, with a coded reason, or withdraw it as its buyer."""
    told = {"call_id": call_id, **msgspec.to_builtins(data)}
    return await _move(viewer, key, "call_drop", drop_call, binds=ANSWER, frame_id=frame_id, **told)


routes: list[ControllerRouterHandler] = [
    mine,
    one,
    propose,
    sign,
    decline,
    end,
    answer_to_end,
    call,
    confirm,
    drop,
]

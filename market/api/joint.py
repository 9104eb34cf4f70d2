"""Joint offers: several sellers answer one demand together."""

from collections.abc import Awaitable, Callable
from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler
from msgspec import Meta

from market import clock
from market.accounts.rules import ANSWER, Viewer, actor
from market.api.bids import Refusal
from market.api.handling import deed, do_once, read
from market.api.inputs import (
    MOST_ID,
    Code,
    Fens,
    Grams,
    IdempotencyKey,
    Note,
    PathId,
    Price,
    RowId,
    SignedIn,
)
from market.api.outputs import Moved
from market.bids.joint import rules
from market.bids.joint.answering import Seen, answer_share, submit_joint
from market.bids.joint.closing import JointAccepted, accept_joint, reject_joint, withdraw_joint
from market.bids.joint.operations import (
    NewJoint,
    NewShare,
    Opened,
    Shared,
    ask_to_join,
    invite,
    open_joint,
)
from market.bids.joint.queries import Joint, JointRow, joint_of, joints_of, joints_on
from market.bids.meant import check_meant
from market.demand.queries import demand_page
from market.units import Fen, FenPerKg, Gram

ShareMove = Literal["confirm", "decline", "withdraw", "admit", "refuse"]


class JointToOpen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Your own share, and what holds for all: `common` binds everybody to your `price` at the farm gate.

    `least` is the smallest part of the whole that the buyer may accept; without it all or nothing. A price
    far from what the goods are asked for, and from what the demand pays, is asked back (422) unless you are
    `sure` of it.
    """

    listing_id: RowId
    quantity: Grams
    price: Price
    deliver_from: date
    deliver_to: date
    common: bool = False
    least: Grams | None = None
    note: Note = ""
    sure: bool = False


class ShareTerms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """As the lead: goods of another seller that you invite. Else: goods of yours to join with.

    `sure` as where one is opened.
    """

    listing_id: RowId
    quantity: Grams
    price: Price
    sure: bool = False


class SeenShare(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The share's grams and fen per kg; `others`: grams of the other shares that are invited or confirmed.

    `until`: the joint offer's `expires_at`: whatever unsettles it, as terms that change, gives it a new one.
    """

    quantity: Grams
    price: Price
    others: Annotated[int, Meta(ge=0, le=MOST_ID)] = 0
    until: Annotated[datetime, Meta(tz=True)] | None = None


class ShareAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who declines or refuses a share says why, with a `reason` of `/codes` that the other side sees.

    One with the use `seller` to decline, one with `buyer` to refuse; the other moves need no body. To confirm
    or admit, `seen` says what you have read of it: if it is something else by now, it is a 409.
    """

    reason: Code | None = None
    note: Note = ""
    seen: SeenShare | None = None


class JointToSubmit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`until`: the joint offer's `expires_at` as you have read it: if something unsettled it since, a 409."""

    until: Annotated[datetime, Meta(tz=True)] | None = None


class JointPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much of the whole you accept: at least its `least`; without it the whole.

    `worth` is what you have read the whole to come to: if it comes to something else by now, it is a 409.
    """

    quantity: Grams | None = None
    worth: Fens | None = None


_NO_WORDS, _UNREAD = ShareAnswer(), JointToSubmit()


@read("/joint-offers")
async def mine(viewer: SignedIn) -> list[JointRow]:
    """The joint offers that you are in, or have before you as a buyer; open ones first."""
    return await joints_of(organisation_id=viewer.organisation_id)


@read("/joint-offers/{joint_id:int}")
async def one(viewer: SignedIn, joint_id: PathId) -> Joint:
    """One joint offer with its shares; sellers who are not in it see none of them."""
    return await joint_of(joint_id=joint_id, organisation_id=viewer.organisation_id)


@read("/demands/{demand_id:int}/joint-offers")
async def on_demand(viewer: SignedIn, demand_id: PathId) -> list[JointRow]:
    """The joint offers on a demand that concern you."""
    await demand_page(demand_id, viewer.organisation_id)
    return await joints_on(demand_id=demand_id, organisation_id=viewer.organisation_id)


@deed("/demands/{demand_id:int}/joint-offers", body=JointToOpen, status=201)
async def start(
    viewer: SignedIn, demand_id: PathId, data: JSONBody[JointToOpen], key: IdempotencyKey = None
) -> Opened:
    """Open a joint offer on a demand and lead it."""
    by, price = actor(viewer, "seller", deed=ANSWER), FenPerKg(data.price)
    own = viewer.organisation_id
    await check_meant(price, sure=data.sure, listing_id=data.listing_id, demand_id=demand_id, lead_id=own)
    opened = await open_joint(
        joint=NewJoint(
            demand_id=demand_id,
            listing_id=data.listing_id,
            quantity=Gram(data.quantity),
            price=price,
            deliver_from=data.deliver_from,
            deliver_to=data.deliver_to,
            common=data.common,
            least=None if data.least is None else Gram(data.least),
            note=data.note,
        ),
        lead_id=own,
        actor=by,
        at=clock.now(),
        key=key,
    )
    return Opened(opened)


@deed("/joint-offers/{joint_id:int}/shares", body=ShareTerms, status=201)
async def add(
    viewer: SignedIn, joint_id: PathId, data: JSONBody[ShareTerms], key: IdempotencyKey = None
) -> Shared:
    """Invite the owner of goods, as the lead, or ask to be let in. Nothing counts that is not confirmed."""
    found = (await joint_of(joint_id=joint_id, organisation_id=viewer.organisation_id)).joint
    share = NewShare(joint_id, data.listing_id, Gram(data.quantity), FenPerKg(data.price))
    own, by, at = viewer.organisation_id, actor(viewer, "seller", deed=ANSWER), clock.now()
    await check_meant(
        share.price,
        sure=data.sure,
        listing_id=share.listing_id,
        demand_id=found.demand,
        joint_id=joint_id,
    )
    if found.role == "lead":
        return Shared(await invite(share=share, lead_id=own, actor=by, at=at, key=key))
    return Shared(await ask_to_join(share=share, seller_id=own, actor=by, at=at, key=key))


async def _do(
    viewer: Viewer,
    joint_id: int,
    key: str | None,
    name: str,
    side: str,
    state: str,
    deed_: Callable[..., Awaitable[object]],
    about: dict[str, object] | None = None,
) -> Moved:
    by = actor(viewer, side, deed=ANSWER)

    async def do(at: datetime) -> str:
        await deed_(joint_id=joint_id, actor=by, at=at)
        return state

    return await do_once(viewer=viewer, key=key, name=name, about={"joint": joint_id, **(about or {})}, do=do)


@deed("/joint-offers/{joint_id:int}/shares/{share_id:int}/{move:str}", body=ShareAnswer, bare=True)
async def move_share(
    viewer: SignedIn,
    joint_id: PathId,
    share_id: PathId,
    move: FromPath[ShareMove],
    data: JSONBody[ShareAnswer] = _NO_WORDS,
    key: IdempotencyKey = None,
) -> Moved:
    """Confirm, decline or withdraw your own share; admit or refuse another's, as the lead.

    To decline and to refuse take a coded reason.
    """
    await joint_of(joint_id=joint_id, organisation_id=viewer.organisation_id)
    by = actor(viewer, "seller", deed=ANSWER)
    told = {"reason": data.reason, "note": data.note}
    read = data.seen
    seen = None if read is None else Seen(read.quantity, read.price, read.others, read.until)
    # a move without a reason is the wish that it was before there were any: its key finds what was done
    why = told if move in rules.NEEDS_REASON else {}
    return await do_once(
        viewer=viewer,
        key=key,
        name=f"joint_{move}",
        about={"share": share_id, **why},
        do=lambda at: answer_share(
            share_id=share_id,
            move=move,
            organisation_id=viewer.organisation_id,
            actor=by,
            at=at,
            reason=data.reason,
            note=data.note,
            seen=seen,
        ),
    )


@deed("/joint-offers/{joint_id:int}/submit", body=JointToSubmit, bare=True)
async def submit(
    viewer: SignedIn,
    joint_id: PathId,
    data: JSONBody[JointToSubmit] = _UNREAD,
    key: IdempotencyKey = None,
) -> Moved:
    """Put it to the buyer, once every share is confirmed."""

    async def move(**given: object) -> None:
        await submit_joint(lead_id=viewer.organisation_id, until=data.until, **given)  # type: ignore[arg-type]

    return await _do(viewer, joint_id, key, "joint_submit", "seller", rules.SUBMITTED, move)


@deed("/joint-offers/{joint_id:int}/withdraw")
async def withdraw(viewer: SignedIn, joint_id: PathId, key: IdempotencyKey = None) -> Moved:
    """Take the whole back, as its lead."""

    async def move(**given: object) -> None:
        await withdraw_joint(lead_id=viewer.organisation_id, **given)  # type: ignore[arg-type]

    return await _do(viewer, joint_id, key, "joint_withdraw", "seller", rules.WITHDRAWN, move)


@deed("/joint-offers/{joint_id:int}/accept", body=JointPart)
async def accept(
    viewer: SignedIn, joint_id: PathId, data: JSONBody[JointPart], key: IdempotencyKey = None
) -> JointAccepted:
    """One contract with each seller, all of them or none; a part is divided by the shares."""
    deals = await accept_joint(
        joint_id=joint_id,
        buyer_id=viewer.organisation_id,
        actor=actor(viewer, "buyer", deed=ANSWER),
        at=clock.now(),
        quantity=None if data.quantity is None else Gram(data.quantity),
        key=key,
        seen=None if data.worth is None else Fen(data.worth),
    )
    return JointAccepted(deals)


@deed("/joint-offers/{joint_id:int}/reject", body=Refusal)
async def reject(
    viewer: SignedIn, joint_id: PathId, data: JSONBody[Refusal], key: IdempotencyKey = None
) -> Moved:
    """Decline with a coded reason, which every seller in it sees."""

    async def move(**given: object) -> None:
        own = viewer.organisation_id
        await reject_joint(buyer_id=own, reason=data.reason, note=data.note, **given)  # type: ignore[arg-type]

    about: dict[str, object] = {"reason": data.reason, "note": data.note}
    return await _do(viewer, joint_id, key, "joint_reject", "buyer", rules.REJECTED, move, about)


routes: list[ControllerRouterHandler] = [
    mine,
    one,
    on_demand,
    start,
    add,
    move_share,
    submit,
    withdraw,
    accept,
    reject,
]

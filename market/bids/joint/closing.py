"""How a joint offer ends: accepted, refused, taken back, lapsed; and what unsettles it from outside."""

from datetime import datetime

import msgspec
from asyncpg import Record

from market.accounts.rules import ANSWER, SYSTEM, Actor
from market.amounts import masses
from market.audit.operations import Entry, record, record_all
from market.bids.joint import rules
from market.bids.joint.answering import unsettle_joint
from market.bids.joint.operations import held
from market.bids.rules import check_part
from market.catalogue.queries import check_reason
from market.catalogue.rules import BUYER_DECLINES
from market.db.replay import once
from market.db.session import execute, fetch, transaction
from market.deals.making import DealWish, NewDeal, make_deals
from market.errors import Conflict, MarketError, NotFound
from market.i18n import Message, msg, named
from market.notices.operations import Word, notify_all
from market.organisations.approving import Binding, approvable, asks, bind
from market.units import Fen, FenPerKg, Gram, amount, yuan


class AcceptJoint(msgspec.Struct, frozen=True):
    joint_id: int
    quantity: Gram | None


class JointAccepted(msgspec.Struct, frozen=True):
    """The contracts, one for each seller."""

    deal_ids: list[int]


@asks
async def accept_joint(
    *,
    joint_id: int,
    buyer_id: int,
    actor: Actor,
    at: datetime,
    quantity: Gram | None = None,
    key: str | None = None,
    seen: Fen | None = None,
) -> list[int]:
    """Accept the whole, or ``quantity`` of it, divided by the shares; return the sellers' contracts.

    All of them are made in one transaction, or none. ``seen`` is what the whole came to when the buyer read
    it, where that is known: a village that dropped out since, or came in anew, is asked back.

    Raises:
        NotAllowed: the organisation is suspended, or has not let this agent answer.
        NotFound: no such joint offer to this buyer.
        WrongState, Conflict: it is not with the buyer, it lapsed, comes to something else than was ``seen``,
            or a seller has not got its share any more.
        Invalid: so small a part may not be accepted.
    """

    async def deed() -> JointAccepted:
        joint = await _to_buyer(joint_id, buyer_id)
        state = rules.JOINT.apply("accept", state=joint["state"], by="buyer")
        if joint["expires_at"] <= at:
            raise Conflict(msg("这份拼货报价已过答复期限，请卖方重新提交。"))
        shares = await fetch(
            """SELECT joint_share.*, seller.name AS seller_name FROM joint_share
               JOIN organisation AS seller ON seller.id = joint_share.seller
               WHERE joint = $1 AND state = $2 ORDER BY joint_share.id""",
            joint_id,
            rules.CONFIRMED,
        )
        whole = Gram(sum(share["quantity"] for share in shares))
        now = sum(amount(Gram(share["quantity"]), FenPerKg(share["price"])) for share in shares)
        if seen is not None and seen != now:
            raise Conflict(
                msg(
                    "这份拼货在您打开以后变了：现在 {n} 家，合起来 {mass}，{money} 元。请看过再答复。",
                    n=len(shares),
                    mass=masses(whole),
                    money=f"{yuan(Fen(now)):,.2f}",
                )
            )
        taken = whole if quantity is None else quantity
        check_part(taken, quantity=whole, least=joint["least"])
        parts = rules.part_of(taken, [Gram(share["quantity"]) for share in shares])
        bought = [(share, part) for share, part in zip(shares, parts, strict=True) if part]
        worth = sum(amount(part, FenPerKg(share["price"])) for share, part in bought)
        await bind(
            actor=actor,
            organisation_id=buyer_id,
            side="buyer",
            deed=ANSWER,
            what=Binding(
                "accept_joint",
                AcceptJoint(joint_id, quantity),
                Fen(worth),
                msg("接受拼货报价 {mass}", mass=masses(taken)),
                f"joint:{joint_id}",
                f"/joint/{joint_id}",
                joint["lead"],
            ),
        )
        outcomes = await make_deals(
            [
                DealWish(
                    NewDeal(
                        listing_id=share["listing"],
                        demand_id=joint["demand"],
                        buyer_id=buyer_id,
                        quantity=part,
                        price=FenPerKg(share["price"]),
                        source="joint",
                        source_id=share["id"],
                        deliver_from=joint["deliver_from"],
                        deliver_to=joint["deliver_to"],
                    ),
                    actor,
                    at,
                )
                for share, part in bought
            ]
        )
        deals: list[int] = []
        for (share, _), outcome in zip(bought, outcomes, strict=True):
            if isinstance(outcome, MarketError):
                # raised, so that the others' contracts are taken back with the transaction
                raise Conflict(
                    msg(
                        "{name}的那份没有成，整份都没有成交：{why}",
                        name=share["seller_name"],
                        why=outcome.message,
                    )
                ) from outcome
            deals.append(outcome)
        await execute(
            """UPDATE joint_share SET state = $3, deal = made.deal
               FROM unnest($1::bigint[], $2::bigint[]) AS made (id, deal) WHERE joint_share.id = made.id""",
            [share["id"] for share, _ in bought],
            deals,
            rules.SHARE.apply("sell", state=rules.CONFIRMED, by="system"),
        )
        await execute(
            "UPDATE joint_offer SET state = $2, accepted = $3 WHERE id = $1", joint_id, state, taken
        )
        await record(
            subject=f"joint:{joint_id}",
            action="accept",
            actor=actor,
            at=at,
            details={"grams": taken, "deals": deals},
        )
        return JointAccepted(deals)

    accepted = await once(
        key=key,
        person_id=actor.person_id,
        request=AcceptJoint(joint_id, quantity),
        reply_type=JointAccepted,
        deed=deed,
        at=at,
    )
    return accepted.deal_ids


@approvable("accept_joint", AcceptJoint)
async def _accept_approved(wish: AcceptJoint, buyer_id: int, actor: Actor, at: datetime) -> str:
    await accept_joint(joint_id=wish.joint_id, buyer_id=buyer_id, actor=actor, at=at, quantity=wish.quantity)
    return f"/joint/{wish.joint_id}"


async def reject_joint(
    *, joint_id: int, buyer_id: int, reason: str, note: str, actor: Actor, at: datetime
) -> None:
    """Decline with a coded reason, which every seller in it sees.

    Raises: NotFound, WrongState, Conflict; Invalid, with ``reason``.
    """
    async with transaction():
        await check_reason(reason, BUYER_DECLINES, words=note)
        joint = await _to_buyer(joint_id, buyer_id)
        state = rules.JOINT.apply("reject", state=joint["state"], by="buyer")
        await execute(
            "UPDATE joint_offer SET state = $2, reason = $3, reason_note = $4 WHERE id = $1",
            joint_id,
            state,
            reason,
            note,
        )
        await record(
            subject=f"joint:{joint_id}", action="reject", actor=actor, at=at, details={"reason": reason}
        )
        message = msg("买方谢绝了“{title}”的拼货报价，原因已写明。", title=named(joint, "title"))
        await _tell_sellers(joint, "joint_rejected", message, at=at)


async def withdraw_joint(*, joint_id: int, lead_id: int, actor: Actor, at: datetime) -> None:
    """Let the lead take the whole back; everybody in it is told, and the buyer who has it before him.

    Raises: NotFound, Conflict, WrongState.
    """
    async with transaction():
        joint = await held(joint_id)
        if joint["lead"] != lead_id:
            raise NotFound(msg("没有找到这次拼货。"))
        state = rules.JOINT.apply("withdraw", state=joint["state"], by="lead")
        await execute("UPDATE joint_offer SET state = $2 WHERE id = $1", joint_id, state)
        await record(subject=f"joint:{joint_id}", action="withdraw", actor=actor, at=at, details={})
        await _tell_sellers(
            joint,
            "joint_withdrawn",
            msg("“{title}”的拼货，牵头方撤回了。", title=named(joint, "title")),
            at=at,
            besides=lead_id,
        )
        if joint["state"] in rules.SHOWN_TO_BUYER:
            told = msg("“{title}”的一份拼货报价，卖方撤回了。", title=named(joint, "title"))
            link = f"/demands/{joint['demand']}/offers"
            await notify_all([Word(joint["buyer"], "joint_withdrawn", told, link, at)])


async def expire_joints(*, at: datetime) -> int:
    """Let joint offers lapse that nobody acted on in time, or whose demand is closed; return how many."""
    async with transaction():
        lapsed = await fetch(
            """UPDATE joint_offer SET state = $1 FROM demand
               WHERE joint_offer.state = ANY($2::text[]) AND demand.id = joint_offer.demand
                 AND (joint_offer.expires_at <= $3 OR demand.state <> 'published' OR demand.open = 0)
               RETURNING joint_offer.id, joint_offer.demand, joint_offer.lead, demand.title,
                         demand.title_en, demand.buyer""",
            rules.EXPIRED,
            sorted(rules.JOINT.sources("expire")),
            at,
        )
        await record_all([Entry(f"joint:{joint['id']}", "expire", SYSTEM, at, {}) for joint in lapsed])
        for joint in lapsed:
            message = msg("“{title}”的拼货过了期限或需求已结束，没有成交。", title=named(joint, "title"))
            await _tell_sellers(joint, "joint_expired", message, at=at)
    return len(lapsed)


async def unsettle_joints_of_demand(*, demand_id: int, at: datetime) -> None:
    """Ask all sellers in joint offers on a demand again: what it wants has changed to their harm."""
    for joint in await _held_where("joint_offer.demand = $1", demand_id):
        message = msg("买方改了“{title}”的需求，请确认您的份额是否还算数。", title=named(joint, "title"))
        await unsettle_joint(joint, message=message, at=at)


async def unsettle_joints_of_listing(*, listing_id: int, at: datetime) -> None:
    """Ask all sellers in joint offers with goods of a listing again, whose terms have changed."""
    part = """EXISTS (SELECT FROM joint_share WHERE joint_share.joint = joint_offer.id
                AND joint_share.listing = $1 AND joint_share.state IN ('confirmed', 'needs_reconfirm'))"""
    for joint in await _held_where(part, listing_id):
        message = msg(
            "“{title}”的拼货里有一批货的条件改了，请确认您的份额是否还算数。", title=named(joint, "title")
        )
        await unsettle_joint(joint, message=message, at=at)


async def hold_joints_of_listing(listing_id: int) -> None:
    """Lock the open joint offers with goods of a listing, for a caller that is about to lock the goods."""
    await _held_where(
        "EXISTS (SELECT FROM joint_share WHERE joint_share.joint = joint_offer.id"
        " AND joint_share.listing = $1)",
        listing_id,
    )


async def hold_joints_of_demand(demand_id: int) -> None:
    """Lock the open joint offers on a demand, for a caller that is about to lock the demand."""
    await _held_where("joint_offer.demand = $1", demand_id)


async def _held_where(condition: str, value: int) -> list[Record]:
    return await fetch(
        f"""SELECT joint_offer.*, demand.title, demand.title_en, demand.buyer FROM joint_offer
            JOIN demand ON demand.id = joint_offer.demand
            WHERE joint_offer.state = ANY($2::text[]) AND {condition}
            ORDER BY joint_offer.id FOR NO KEY UPDATE OF joint_offer""",  # noqa: S608  our own words
        value,
        sorted(rules.OPEN),
    )


async def _to_buyer(joint_id: int, buyer_id: int) -> Record:
    """Raises: NotFound, also where the sellers have not put it to the buyer yet; Conflict."""
    joint = await held(joint_id)
    if joint["buyer"] != buyer_id or joint["state"] not in rules.SHOWN_TO_BUYER:
        raise NotFound(msg("没有找到这次拼货。"))
    return joint


async def _tell_sellers(
    joint: Record, kind: str, message: Message, *, at: datetime, besides: int | None = None
) -> None:
    rows = await fetch(
        "SELECT seller FROM joint_share WHERE joint = $1 AND state = ANY($2::text[])",
        joint["id"],
        sorted(rules.IN),
    )
    await notify_all(
        [
            Word(row["seller"], kind, message, f"/joint/{joint['id']}", at)
            for row in rows
            if row["seller"] != besides
        ]
    )

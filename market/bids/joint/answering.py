"""What sellers do with shares of a joint offer, and its way to the buyer."""

from datetime import datetime, timedelta

import msgspec
from asyncpg import Record

from market.accounts.rules import ANSWER, Actor
from market.accounts.standing import permit
from market.amounts import masses, prices
from market.audit.operations import record
from market.bids.joint import rules
from market.bids.joint.operations import check_in_time, held
from market.bids.operations import answer_until, check_demand_terms, demand_held
from market.bids.rules import ANSWER_DAYS, check_days, check_least
from market.catalogue.queries import check_reason
from market.clock import CHINA
from market.db.session import execute, fetch, fetch_value, transaction
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, msg, named
from market.notices.operations import Word, notify, notify_all
from market.supply.rules import in_round
from market.units import FenPerKg, Gram


class Changed(Conflict):
    """A share is not what was read of it."""


class Seen(msgspec.Struct, frozen=True):
    """What was read of a share before it is confirmed: grams, fen per kg, grams of the others in it.

    ``until``: the joint offer's time as it was read. Whatever unsettles it, gives it a new one.
    """

    quantity: int
    price: int
    others: int
    until: datetime | None = None


async def answer_share(
    *,
    share_id: int,
    move: str,
    organisation_id: int,
    actor: Actor,
    at: datetime,
    reason: str | None = None,
    note: str = "",
    seen: Seen | None = None,
) -> str:
    """Confirm, decline or give up one's own share, or, as the lead, admit or refuse one; its new state.

    Who declines or refuses says why, by a code that the other side sees, with a ``note`` where they like.
    Where a share that was confirmed goes, every other seller is asked again: what they joined has changed.
    ``seen`` is what was read before confirming or admitting, where that is known: other terms, or less of the
    others than that, is asked back.

    Raises:
        NotAllowed: the organisation is suspended, or has not let this agent answer.
        NotFound: no such share of this organisation's, or of a joint offer that it leads.
        WrongState: the move is not open now, or not to this side.
        Conflict: the joint offer is closed or past its time, or the goods do not suffice.
        Changed: it is not what was ``seen``.
        Invalid: with ``reason``, where it is declined or refused without one.
    """
    async with transaction():
        rows = await fetch("SELECT joint FROM joint_share WHERE id = $1", share_id)
        if not rows:
            raise NotFound(msg("没有找到这份份额。"))
        joint = await held(rows[0]["joint"])
        share = (await fetch("SELECT * FROM joint_share WHERE id = $1", share_id))[0]
        by = "lead" if move in ("admit", "refuse") else "seller"
        if organisation_id != (joint["lead"] if by == "lead" else share["seller"]):
            raise NotFound(msg("没有找到这份份额。"))
        check_in_time(joint, at=at)
        if share["seller"] == joint["lead"] and move != "confirm":
            raise Conflict(msg("牵头方的份额不能单独退出；要散伙，请撤回整份拼货。"))
        state = rules.SHARE.apply(move, state=share["state"], by=by)
        if seen is not None and state == rules.CONFIRMED:
            await _check_seen(share, seen)
            check_unchanged(joint, seen.until)
        said: dict[str, str | None] = {}
        why: Message | str = ""
        if move in rules.NEEDS_REASON:
            why = await check_reason(reason, rules.NEEDS_REASON[move], words=note)
            said = {"reason": reason, "note": note}
        if state == rules.CONFIRMED:
            await permit(actor=actor, organisation_id=organisation_id, side="seller", deed=ANSWER)
        if move == "confirm":
            await _check_stock(share["listing"], share["seller"], quantity=Gram(share["quantity"]))
        confirms = state == rules.CONFIRMED
        await execute(
            """UPDATE joint_share SET state = $2,
                      confirmed_at = CASE WHEN $3 THEN $4::timestamptz ELSE confirmed_at END,
                      confirmed_by = CASE WHEN $3 AND $6 THEN $5::bigint ELSE confirmed_by END,
                      reason = $7, reason_note = $8
               WHERE id = $1""",
            share_id,
            state,
            confirms,
            at,
            actor.person_id,
            by == "seller",
            said.get("reason"),
            said.get("note", ""),
        )
        await record(
            subject=f"joint:{joint['id']}",
            action=f"share_{move}",
            actor=actor,
            at=at,
            details={"share": share_id, "grams": share["quantity"], "fen_per_kg": share["price"], **said},
        )
        left = share["state"] in (rules.CONFIRMED, rules.NEEDS_RECONFIRM) and not confirms
        if left:
            await unsettle_joint(joint, message=_left(joint, share), at=at)
        told = share["seller"] if by == "lead" else joint["lead"]
        if told != organisation_id:
            await notify(
                organisation_id=told,
                kind=f"joint_share_{move}",
                message=_told(move, named(joint, "title"), why=why),
                link=f"/joint/{joint['id']}",
                at=at,
            )
    return state


async def _check_seen(share: Record, seen: Seen) -> None:
    """Raises: Changed: the share has other terms, or somebody has left, since it was read."""
    if (share["quantity"], share["price"]) != (seen.quantity, seen.price):
        raise Changed(
            msg(
                "这份份额在您打开以后变了：现在是 {mass}，{price}。请看过再确认。",
                mass=masses(Gram(share["quantity"])),
                price=prices(FenPerKg(share["price"])),
            )
        )
    others = await fetch_value(
        """SELECT coalesce(sum(quantity), 0)::bigint FROM joint_share
           WHERE joint = $1 AND id <> $2 AND state = ANY($3)""",
        *(share["joint"], share["id"], sorted(rules.JOINED)),
    )
    if others < seen.others:
        raise Changed(
            msg(
                "这份拼货在您打开以后变了：有人退出，其他各家现在合起来 {mass}。请看过再确认。",
                mass=masses(Gram(others)),
            )
        )


def check_unchanged(joint: Record, until: datetime | None) -> None:
    """Raises: Changed: something has unsettled the joint offer since its time was read as ``until``."""
    if until is not None and until != joint["expires_at"]:
        raise Changed(msg("需求、货源的条件或各家的份额在您打开以后变了。请看过再确认。"))


def _told(move: str, title: Message, *, why: Message | str) -> Message:
    return {
        "confirm": msg("“{title}”的拼货有一家确认了份额。", title=title),
        "decline": msg("“{title}”的拼货有一家没有参加，原因：{why}。", title=title, why=why),
        "withdraw": msg("“{title}”的拼货有一家退出了。", title=title),
        "admit": msg("牵头方同意您加入“{title}”的拼货。", title=title),
        "refuse": msg("牵头方没有把您列入“{title}”的拼货，原因：{why}。", title=title, why=why),
    }[move]


def _left(joint: Record, share: Record) -> Message:
    return msg(
        "“{title}”的拼货少了 {mass}，请确认您的份额是否还算数。",
        title=named(joint, "title"),
        mass=masses(Gram(share["quantity"])),
    )


async def submit_joint(
    *, joint_id: int, lead_id: int, actor: Actor, at: datetime, until: datetime | None = None
) -> None:
    """Put the joint offer to the buyer; submitting confirms the lead's own share, nobody else's.

    ``until``: as :class:`Seen` has it, where it is known.

    Raises:
        NotAllowed: as :func:`answer_share`.
        NotFound: no such joint offer of this lead.
        WrongState: it is with the buyer, or closed.
        Changed: it was unsettled since it was read.
        Conflict: a share is not confirmed, or there are too few, or the demand needs less.
        Invalid: the smallest part is more than the whole.
    """
    async with transaction():
        joint = await held(joint_id)
        if joint["lead"] != lead_id:
            raise NotFound(msg("没有找到这次拼货。"))
        check_in_time(joint, at=at)
        check_unchanged(joint, until)
        await permit(actor=actor, organisation_id=lead_id, side="seller", deed=ANSWER)
        state = rules.JOINT.apply("submit", state=joint["state"], by="lead")
        await execute(
            """UPDATE joint_share SET state = $3, confirmed_at = $4, confirmed_by = $5
               WHERE joint = $1 AND seller = $2 AND state = $6""",
            joint_id,
            lead_id,
            rules.SHARE.apply("confirm", state=rules.NEEDS_RECONFIRM, by="seller"),
            at,
            actor.person_id,
            rules.NEEDS_RECONFIRM,
        )
        shares = await fetch("SELECT state, quantity FROM joint_share WHERE joint = $1", joint_id)
        rules.check_ready([share["state"] for share in shares])
        total = Gram(sum(share["quantity"] for share in shares if share["state"] in rules.IN))
        demand = await demand_held(joint["demand"])
        try:
            check_demand_terms(
                demand,
                quantity=total,
                deliver_from=joint["deliver_from"],
                deliver_to=joint["deliver_to"],
            )
            check_days(
                start=joint["deliver_from"], end=joint["deliver_to"], today=at.astimezone(CHINA).date()
            )
            check_least(least=joint["least"], quantity=total)
        except Invalid as wrong:
            raise Conflict(next(iter(wrong.fields.values()))) from wrong
        until = answer_until(at=at, deliver_to=joint["deliver_to"])
        await execute(
            "UPDATE joint_offer SET state = $2, expires_at = $3 WHERE id = $1", joint_id, state, until
        )
        await record(
            subject=f"joint:{joint_id}", action="submit", actor=actor, at=at, details={"grams": total}
        )
        await notify(
            organisation_id=joint["buyer"],
            kind="joint_submitted",
            message=msg(
                "“{title}”收到拼货报价：{n} 家一起供 {mass}，请答复。",
                title=named(joint, "title"),
                n=sum(share["state"] in rules.IN for share in shares),
                mass=masses(total),
            ),
            link=f"/joint/{joint_id}",
            at=at,
            due_at=until,
        )


async def unsettle_joint(joint: Record, *, message: Message, at: datetime) -> None:
    """Ask every seller of a joint offer again, which the caller holds; till then nobody can accept it.

    Who is asked already and has not answered learns that there is something new to read.
    """
    state = joint["state"]
    if state == rules.SUBMITTED:
        state = rules.JOINT.apply("unsettle", state=state, by="system")
    until = at + timedelta(days=ANSWER_DAYS)
    await execute(
        "UPDATE joint_offer SET state = $2, expires_at = $3 WHERE id = $1", joint["id"], state, until
    )
    asked = await fetch(
        """UPDATE joint_share SET state = $2 WHERE joint = $1 AND state = ANY($3::text[])
           RETURNING seller""",
        joint["id"],
        rules.SHARE.apply("unsettle", state=rules.CONFIRMED, by="system"),
        sorted(rules.AGREED),
    )
    link = f"/joint/{joint['id']}"
    words = [Word(row["seller"], "joint_unsettled", message, link, at, until) for row in asked]
    if joint["state"] == rules.SUBMITTED:
        told = msg("“{title}”的拼货报价有变动，卖方重新确认后才能接受。", title=named(joint, "title"))
        words.append(Word(joint["buyer"], "joint_unsettled", told, link, at))
    await notify_all(words)


async def _check_stock(listing_id: int, seller_id: int, *, quantity: Gram) -> None:
    """What a seller confirms it has: on sale, and enough of it. Raises: Conflict."""
    rows = await fetch(
        """SELECT listing.state, listing.way, listing.opened_at, lot.remaining
           FROM listing JOIN lot ON lot.id = listing.lot WHERE listing.id = $1 AND listing.owner = $2""",
        listing_id,
        seller_id,
    )
    if not rows or rows[0]["state"] != "published":
        raise Conflict(msg("这批货现在不在售，不能确认；请先恢复销售，或退出。"))
    if in_round(way=rows[0]["way"], opened=rows[0]["opened_at"] is not None):
        raise Conflict(msg("这批货正在密封报价或公开竞价，这一轮结束前不能另外报给别人。"))
    if rows[0]["remaining"] < quantity:
        raise Conflict(msg("这批货只剩 {left}，不够这份份额。", left=masses(Gram(rows[0]["remaining"]))))

"""Calling batches off a framework agreement (要货): each one confirmed becomes a contract with its own stock.

Everybody locks the agreement first, then lots, listings. What is called is counted under its lock.
"""

from datetime import date, datetime, timedelta

import msgspec
from asyncpg import Record

from market.accounts.rules import ANSWER, SIGN, Actor
from market.amounts import masses
from market.audit.operations import record
from market.catalogue.queries import check_reason
from market.clock import CHINA, day_ends
from market.db.replay import once
from market.db.session import execute, fetch, fetch_value, transaction
from market.deals import rules as contracts
from market.deals.clauses import Terms
from market.deals.frames import rules
from market.deals.frames.operations import held, other_of, side_of
from market.deals.frames.rules import Agreed, Batch
from market.deals.making import NewDeal, make_deal
from market.deals.paying import fall_due_at_signing
from market.errors import Conflict, Invalid, NotFound
from market.i18n import msg, on_day
from market.notices.operations import notify
from market.organisations.approving import Binding, approvable, asks, bind
from market.units import FenPerKg, Gram, amount


class Called(msgspec.Struct, frozen=True):
    call_id: int


@asks
async def call_off(*, batch: Batch, buyer_id: int, actor: Actor, at: datetime, key: str | None = None) -> int:
    """Ask for a batch and return its number; until the seller answers it counts as called.

    Raises:
        NotAllowed: as ``approving.bind``; what was signed within the limit, at the price that was signed,
            needs no approval, a batch at a higher price does.
        NotFound: no such agreement of this buyer.
        Conflict: it is not in force.
        Invalid: with every field that is not as agreed.
    """

    async def deed() -> Called:
        frame = await held(batch.frame_id, buyer_id)
        if side_of(frame, buyer_id) != "buyer":
            raise NotFound(msg("没有找到这份框架协议。"))
        today = at.astimezone(CHINA).date()
        if frame["state"] not in rules.IN_FORCE or frame["ends_on"] < today:
            raise Conflict(msg("这份框架协议现在不能要货。"))
        agreed = agreed_of(frame)
        left = Gram(frame["total"] - frame["called"])
        in_week = await left_in_week(batch.frame_id, agreed, on=batch.deliver_from)
        rules.check_batch(batch, agreed, left=left, left_in_week=in_week, today=today)
        # nobody confirms a batch whose days are over
        until = min(at + timedelta(days=rules.CONFIRM_DAYS), day_ends(batch.deliver_to))
        price = batch.price if batch.price is not None else agreed.price
        await bind(
            actor=actor,
            organisation_id=buyer_id,
            side="buyer",
            deed=ANSWER,
            other=frame["seller"],
            what=_binding(batch, price, frame) if price > agreed.price else None,
        )
        call_id = int(
            await fetch_value(
                """INSERT INTO call_off (frame, quantity, price, site, deliver_from, deliver_to, note, state,
                                         created_by, created_at, expires_at)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING id""",
                batch.frame_id,
                batch.quantity,
                price,
                batch.site_id,
                batch.deliver_from,
                batch.deliver_to,
                batch.note,
                rules.CALL.start,
                actor.person_id,
                at,
                until,
            )
        )
        await execute("UPDATE frame SET called = called + $2 WHERE id = $1", batch.frame_id, batch.quantity)
        await record(
            subject=f"frame:{batch.frame_id}",
            action="call",
            actor=actor,
            at=at,
            details={"call": call_id, "grams": batch.quantity, "fen_per_kg": price},
        )
        await notify(
            organisation_id=frame["seller"],
            kind="call_placed",
            message=msg(
                "框架协议 {number} 要货 {mass}，{day} 起交，请确认。",
                number=frame["number"],
                mass=masses(batch.quantity),
                day=on_day(batch.deliver_from),
            ),
            link=f"/frames/{batch.frame_id}",
            at=at,
            due_at=until,
        )
        return Called(call_id)

    called = await once(
        key=key, person_id=actor.person_id, request=batch, reply_type=Called, deed=deed, at=at
    )
    return called.call_id


def _binding(batch: Batch, price: FenPerKg, frame: Record) -> Binding:
    """Return what a batch above the agreed price binds the buyer to."""
    return Binding(
        "call_off",
        batch,
        amount(batch.quantity, price),
        msg("从框架协议 {number} 要货 {mass}", number=frame["number"], mass=masses(batch.quantity)),
        f"frame:{batch.frame_id}",
        f"/frames/{batch.frame_id}",
        frame["seller"],
    )


@approvable("call_off", Batch)
async def _call_approved(wish: Batch, buyer_id: int, actor: Actor, at: datetime) -> str:
    await call_off(batch=wish, buyer_id=buyer_id, actor=actor, at=at)
    return f"/frames/{wish.frame_id}"


class ConfirmCall(msgspec.Struct, frozen=True):
    frame_id: int
    call_id: int
    listing_id: int


class Confirmed(msgspec.Struct, frozen=True):
    deal_id: int


async def confirm_call(
    *,
    frame_id: int,
    call_id: int,
    listing_id: int,
    seller_id: int,
    actor: Actor,
    at: datetime,
    key: str | None = None,
) -> int:
    """Serve a batch out of a listing and return the contract's number: its stock is reserved, and it is in
    force at once, as both have signed the agreement, one has called and the other confirms.

    Raises:
        NotAllowed: as ``approving.bind``.
        NotFound: no such call to this seller.
        WrongState, Conflict: it was answered, it lapsed, or the goods do not suffice.
        Invalid: other goods than agreed.
    """

    async def deed() -> Confirmed:
        frame, call = await _held_call(frame_id, call_id, seller_id)
        if side_of(frame, seller_id) != "seller":
            raise NotFound(msg("没有找到这批要货。"))
        state = rules.CALL.apply("confirm", state=call["state"], by="seller")
        if call["expires_at"] <= at:
            raise Conflict(msg("这批要货过了确认期限，请买方重新要货。"))
        await bind(actor=actor, organisation_id=seller_id, side="seller", deed=SIGN, other=frame["buyer"])
        await _check_goods(listing_id, seller_id, frame)
        deal_id = await make_deal(
            deal=NewDeal(
                listing_id=listing_id,
                demand_id=None,
                buyer_id=frame["buyer"],
                quantity=Gram(call["quantity"]),
                price=FenPerKg(call["price"]),
                source="call_off",
                source_id=call_id,
                deliver_from=call["deliver_from"],
                deliver_to=call["deliver_to"],
            ),
            actor=actor,
            at=at,
        )
        await _put_in_force(deal_id, frame, call, actor=actor, at=at)
        await execute("UPDATE call_off SET state = $2, deal = $3 WHERE id = $1", call_id, state, deal_id)
        await record(
            subject=f"frame:{frame['id']}",
            action="confirm",
            actor=actor,
            at=at,
            details={"call": call_id, "deal": deal_id, "grams": call["quantity"]},
        )
        await notify(
            organisation_id=frame["buyer"],
            kind="call_confirmed",
            message=msg(
                "框架协议 {number} 的 {mass}，卖方已确认，合同已生效。",
                number=frame["number"],
                mass=masses(Gram(call["quantity"])),
            ),
            link=f"/deals/{deal_id}",
            at=at,
        )
        return Confirmed(deal_id)

    confirmed = await once(
        key=key,
        person_id=actor.person_id,
        request=ConfirmCall(frame_id, call_id, listing_id),
        reply_type=Confirmed,
        deed=deed,
        at=at,
    )
    return confirmed.deal_id


async def drop_call(
    *,
    frame_id: int,
    call_id: int,
    organisation_id: int,
    actor: Actor,
    at: datetime,
    reason: str | None = None,
    note: str = "",
) -> str:
    """Refuse a batch as its seller, with a coded ``reason``, or withdraw it as its buyer; its new state.

    Its quantity may be called off again.

    Raises: NotFound, WrongState; Invalid, with ``reason``, where a refusal has none.
    """
    async with transaction():
        frame, call = await _held_call(frame_id, call_id, organisation_id)
        side = side_of(frame, organisation_id)
        move = "refuse" if side == "seller" else "withdraw"
        if move == "refuse":
            await check_reason(reason, side, words=note)
        state = rules.CALL.apply(move, state=call["state"], by=side)
        await execute(
            "UPDATE call_off SET state = $2, reason = $3, reason_note = $4 WHERE id = $1",
            call_id,
            state,
            reason if move == "refuse" else None,
            note,
        )
        await execute("UPDATE frame SET called = called - $2 WHERE id = $1", frame["id"], call["quantity"])
        await record(
            subject=f"frame:{frame['id']}",
            action=f"call_{move}",
            actor=actor,
            at=at,
            details={"call": call_id, "grams": call["quantity"], "reason": reason or ""},
        )
        message = (
            msg("框架协议 {number} 的一批要货，卖方不能供，原因已写明。", number=frame["number"])
            if move == "refuse"
            else msg("框架协议 {number} 的一批要货，买方撤回了。", number=frame["number"])
        )
        await notify(
            organisation_id=other_of(frame, organisation_id),
            kind=f"call_{state}",
            message=message,
            link=f"/frames/{frame['id']}",
            at=at,
        )
    return state


def agreed_of(frame: Record) -> Agreed:
    """Return what both sides have signed."""
    return Agreed(
        produce=frame["produce"],
        total=Gram(frame["total"]),
        price=FenPerKg(frame["price"]),
        sites=tuple(frame["sites"]),
        starts_on=frame["starts_on"],
        ends_on=frame["ends_on"],
        min_grade=frame["min_grade"],
        least=Gram(frame["least"]),
        most_per_week=None if frame["most_per_week"] is None else Gram(frame["most_per_week"]),
        floor=None if frame["floor"] is None else FenPerKg(frame["floor"]),
        notice_days=frame["notice_days"],
    )


async def left_in_week(frame_id: int, agreed: Agreed, *, on: date) -> Gram | None:
    """Return what may still be called for the agreement's week of the day ``on``; None: any quantity."""
    if agreed.most_per_week is None:
        return None
    first, last = rules.week_of(on, starts_on=agreed.starts_on)
    called = await fetch_value(
        """SELECT coalesce(sum(call_off.quantity - coalesce(deal.released, 0)), 0)::bigint
           FROM call_off LEFT JOIN deal ON deal.id = call_off.deal
           WHERE frame = $1 AND call_off.state = ANY($2::text[])
             AND call_off.deliver_from BETWEEN $3 AND $4""",
        frame_id,
        [rules.REQUESTED, rules.CONFIRMED],
        first,
        last,
    )
    return Gram(max(0, agreed.most_per_week - called))


async def _held_call(frame_id: int, call_id: int, organisation_id: int) -> tuple[Record, Record]:
    """Lock the agreement, then read its call, which changes under that lock alone. Raises: NotFound."""
    frame = await held(frame_id, organisation_id)
    calls = await fetch("SELECT * FROM call_off WHERE id = $1 AND frame = $2", call_id, frame_id)
    if not calls:
        raise NotFound(msg("没有找到这批要货。"))
    return frame, calls[0]


async def _check_goods(listing_id: int, seller_id: int, frame: Record) -> None:
    rows = await fetch(
        """SELECT lot.produce, lot.grade FROM listing JOIN lot ON lot.id = listing.lot
           WHERE listing.id = $1 AND listing.owner = $2""",
        listing_id,
        seller_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这批货源。"))
    if rows[0]["produce"] != frame["produce"] or rows[0]["grade"] < frame["min_grade"]:
        problem = msg("这批货和框架协议约定的品类、等级不符，请另选一批。")
        raise Invalid(problem, {"listing_id": problem})


async def _put_in_force(deal_id: int, frame: Record, call: Record, *, actor: Actor, at: datetime) -> None:
    """Sign the batch's contract on both sides: by who called it off, and by who confirms it."""
    site = await fetch_value("SELECT name FROM site WHERE id = $1", call["site"])
    agreed = msgspec.json.decode(frame["terms"], type=Terms)
    terms = msgspec.structs.replace(
        agreed, deliver_from=call["deliver_from"], deliver_to=call["deliver_to"], place=site
    )
    await execute(
        """INSERT INTO contract_terms (deal, version, terms, state, note, seller_signed_at, seller_signed_by,
                                       buyer_signed_at, buyer_signed_by, created_at)
           VALUES ($1, 1, $2, $3, $4, $5, $6, $7, $8, $5)""",
        deal_id,
        msgspec.json.encode(terms).decode(),
        contracts.AGREED,
        frame["number"],
        at,
        actor.person_id,
        call["created_at"],
        call["created_by"],
    )
    state = contracts.CONTRACT.apply("sign", state=contracts.CONTRACT.start, by="buyer")
    state = contracts.CONTRACT.apply("countersign", state=state, by="seller")
    rows = await fetch(
        """UPDATE deal SET state = $2, seller_signed_at = $3, seller_signed_by = $4, buyer_signed_at = $5,
                  buyer_signed_by = $6 WHERE id = $1 RETURNING *""",
        deal_id,
        state,
        at,
        actor.person_id,
        call["created_at"],
        call["created_by"],
    )
    await fall_due_at_signing(deal=rows[0], terms=terms, at=at)
    await record(
        subject=f"deal:{deal_id}",
        action="countersign",
        actor=actor,
        at=at,
        details={"frame": frame["id"], "state": state},
    )

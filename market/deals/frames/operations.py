"""Proposing a framework agreement and signing it. It reserves no goods; each batch reserves its own."""

from datetime import datetime, timedelta

import msgspec
from asyncpg import Record

from market.accounts.rules import SIGN, Actor, Standing, is_able
from market.amounts import masses
from market.audit.operations import record
from market.catalogue.queries import check_reason
from market.clock import CHINA, day_ends
from market.db.replay import once
from market.db.session import execute, fetch, fetch_value, transaction
from market.deals.clauses import Terms, check
from market.deals.frames import rules
from market.deals.frames.rules import Agreed
from market.errors import Conflict, Invalid, NotFound
from market.i18n import msg
from market.notices.operations import notify
from market.organisations.approving import Binding, approvable, asks, bind
from market.units import FenPerKg, Gram, amount


class NewFrame(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``terms`` hold for every batch; their days and place are the batch's own."""

    other_id: int
    agreed: Agreed
    terms: Terms
    note: str = ""


class Proposed(msgspec.Struct, frozen=True):
    frame_id: int


@asks
async def propose_frame(
    *, frame: NewFrame, side: str, organisation_id: int, actor: Actor, at: datetime, key: str | None = None
) -> int:
    """Propose an agreement, signed for one's own ``side``, and return its number; nothing holds until the
    other signs.

    Raises:
        NotAllowed: as ``approving.bind``.
        NotFound: no such other side.
        Invalid: with every field that is wrong.
    """

    async def deed() -> Proposed:
        agreed = frame.agreed
        rules.check_agreed(agreed, today=at.astimezone(CHINA).date())
        check(frame.terms)
        seller, buyer = (
            (organisation_id, frame.other_id) if side == "seller" else (frame.other_id, organisation_id)
        )
        await _check_parties(seller, buyer, agreed)
        await bind(
            actor=actor,
            organisation_id=organisation_id,
            side=side,
            deed=SIGN,
            other=frame.other_id,
            what=Binding(
                "propose_frame",
                frame,
                amount(agreed.total, agreed.price),
                msg("提出框架协议：{mass}", mass=masses(agreed.total)),
                f"organisation:{frame.other_id}",
                "/frames",
                frame.other_id,
            )
            if side == "buyer"
            else None,
        )
        frame_id = int(await fetch_value("SELECT nextval(pg_get_serial_sequence('frame', 'id'))"))
        # nobody signs an agreement whose days are over
        until = min(at + timedelta(days=rules.SIGN_DAYS), day_ends(agreed.ends_on))
        await execute(
            """INSERT INTO frame (id, number, seller, buyer, produce, min_grade, total, least, most_per_week,
                                  price, floor, sites, starts_on, ends_on, notice_days, terms, note, state,
                                  proposer, created_by, created_at, expires_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
                       $20, $21, $22)""",
            frame_id,
            rules.frame_number(on=at.astimezone(CHINA).date(), serial=frame_id),
            seller,
            buyer,
            agreed.produce,
            agreed.min_grade,
            agreed.total,
            agreed.least,
            agreed.most_per_week,
            agreed.price,
            agreed.floor,
            list(agreed.sites),
            agreed.starts_on,
            agreed.ends_on,
            agreed.notice_days,
            msgspec.json.encode(frame.terms).decode(),
            frame.note,
            rules.FRAME.start,
            organisation_id,
            actor.person_id,
            at,
            until,
        )
        await _sign(frame_id, side, actor, at)
        await record(
            subject=f"frame:{frame_id}",
            action="propose",
            actor=actor,
            at=at,
            details={"side": side, "grams": agreed.total, "fen_per_kg": agreed.price},
        )
        await notify(
            organisation_id=frame.other_id,
            kind="frame_proposed",
            message=msg("对方提出一份框架协议：{mass}，请签字或谢绝。", mass=masses(agreed.total)),
            link=f"/frames/{frame_id}",
            at=at,
            due_at=until,
        )
        return Proposed(frame_id)

    proposed = await once(
        key=key, person_id=actor.person_id, request=frame, reply_type=Proposed, deed=deed, at=at
    )
    return proposed.frame_id


@approvable("propose_frame", NewFrame)
async def _propose_approved(wish: NewFrame, buyer_id: int, actor: Actor, at: datetime) -> str:
    frame_id = await propose_frame(frame=wish, side="buyer", organisation_id=buyer_id, actor=actor, at=at)
    return f"/frames/{frame_id}"


class SignFrame(msgspec.Struct, frozen=True):
    frame_id: int


@asks
async def sign_frame(*, frame_id: int, organisation_id: int, actor: Actor, at: datetime) -> str:
    """Sign what the other has proposed: it holds from now on. Return the new state.

    Raises:
        NotAllowed: as ``approving.bind``.
        NotFound, WrongState: nothing for this organisation to sign.
        Conflict: the time to sign is over.
    """
    async with transaction():
        frame = await held(frame_id, organisation_id)
        state = rules.FRAME.apply("sign", state=frame["state"], by=_part(frame, organisation_id))
        if frame["expires_at"] <= at:
            raise Conflict(msg("这份框架协议过了签字期限，请对方重新提出。"))
        side = side_of(frame, organisation_id)
        await bind(
            actor=actor,
            organisation_id=organisation_id,
            side=side,
            deed=SIGN,
            other=other_of(frame, organisation_id),
            what=Binding(
                "sign_frame",
                SignFrame(frame_id),
                amount(Gram(frame["total"]), FenPerKg(frame["price"])),
                msg("签框架协议 {number}", number=frame["number"]),
                f"frame:{frame_id}",
                f"/frames/{frame_id}",
                frame["seller"],
            )
            if side == "buyer"
            else None,
        )
        await execute("UPDATE frame SET state = $2 WHERE id = $1", frame_id, state)
        await _sign(frame_id, side, actor, at)
        await record(subject=f"frame:{frame_id}", action="sign", actor=actor, at=at, details={"side": side})
        await notify(
            organisation_id=other_of(frame, organisation_id),
            kind="frame_signed",
            message=msg("框架协议 {number} 双方已签字，可以要货了。", number=frame["number"]),
            link=f"/frames/{frame_id}",
            at=at,
        )
    return state


@approvable("sign_frame", SignFrame)
async def _sign_approved(wish: SignFrame, buyer_id: int, actor: Actor, at: datetime) -> str:
    await sign_frame(frame_id=wish.frame_id, organisation_id=buyer_id, actor=actor, at=at)
    return f"/frames/{wish.frame_id}"


async def decline_frame(
    *,
    frame_id: int,
    organisation_id: int,
    actor: Actor,
    at: datetime,
    reason: str | None = None,
    note: str = "",
) -> str:
    """Refuse what the other has proposed, with a coded ``reason``, or withdraw one's own; its new state.

    Raises: NotFound, WrongState; Invalid, with ``reason``, where a refusal has none.
    """
    async with transaction():
        frame = await held(frame_id, organisation_id)
        part = _part(frame, organisation_id)
        move = "withdraw" if part == "proposer" else "refuse"
        if move == "refuse":
            await check_reason(reason, side_of(frame, organisation_id), words=note)
        state = rules.FRAME.apply(move, state=frame["state"], by=part)
        await execute(
            "UPDATE frame SET state = $2, reason = $3, reason_note = $4 WHERE id = $1",
            frame_id,
            state,
            reason if move == "refuse" else None,
            note,
        )
        await record(
            subject=f"frame:{frame_id}", action=move, actor=actor, at=at, details={"reason": reason or ""}
        )
        message = (
            msg("框架协议 {number} 对方没有同意，原因已写明。", number=frame["number"])
            if move == "refuse"
            else msg("框架协议 {number} 对方撤回了。", number=frame["number"])
        )
        await notify(
            organisation_id=other_of(frame, organisation_id),
            kind=f"frame_{state}",
            message=message,
            link=f"/frames/{frame_id}",
            at=at,
        )
    return state


async def held(frame_id: int, organisation_id: int) -> Record:
    """Return an agreement to one of its sides, locked. Whoever writes batches, too, takes this lock first.

    Raises: NotFound.
    """
    rows = await fetch(
        "SELECT * FROM frame WHERE id = $1 AND $2 IN (seller, buyer) FOR NO KEY UPDATE",
        frame_id,
        organisation_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这份框架协议。"))
    return rows[0]


def side_of(frame: Record, organisation_id: int) -> str:
    return "seller" if frame["seller"] == organisation_id else "buyer"


def other_of(frame: Record, organisation_id: int) -> int:
    return int(frame["buyer"] if frame["seller"] == organisation_id else frame["seller"])


def _part(frame: Record, organisation_id: int) -> str:
    return "proposer" if frame["proposer"] == organisation_id else "other"


async def _sign(frame_id: int, side: str, actor: Actor, at: datetime) -> None:
    await execute(
        f"UPDATE frame SET {side}_signed_at = $2, {side}_signed_by = $3 WHERE id = $1",  # noqa: S608  two words
        frame_id,
        at,
        actor.person_id,
    )


async def _check_parties(seller: int, buyer: int, agreed: Agreed) -> None:
    """The sites are the buyer's, the product is known, one side can sell and the other can buy.

    Raises: NotFound; Invalid, with ``sites`` or ``produce``.
    """
    rows = await fetch(
        "SELECT id, kind, granted, withheld FROM organisation WHERE id IN ($1, $2)", seller, buyer
    )
    able = [
        is_able(
            Standing(row["kind"], granted=frozenset(row["granted"]), withheld=frozenset(row["withheld"])),
            side="seller" if row["id"] == seller else "buyer",
        )
        for row in rows
    ]
    if len(able) != 2 or not all(able):
        raise NotFound(msg("没有找到对方单位。"))
    if not await fetch("SELECT code FROM produce WHERE code = $1", agreed.produce):
        problem = msg("品类表里没有“{name}”，请从提示中选一个。", name=agreed.produce)
        raise Invalid(problem, {"produce": problem})
    if await fetch_value(
        "SELECT count(*) <> $3 FROM site WHERE organisation = $1 AND id = ANY($2)",
        buyer,
        list(agreed.sites),
        len(set(agreed.sites)),
    ):
        problem = msg("收货门店要是买方自己的。")
        raise Invalid(problem, {"sites": problem})

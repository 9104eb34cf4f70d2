"""A joint offer comes together: opened by its lead, filled by invitation or on asking.

Everybody locks in this order: the joint offer, then lots, listings, demand. Shares are changed under the
lock of their joint offer alone.
"""

from datetime import date, datetime, timedelta

import msgspec
from asyncpg import Record

from market.accounts.rules import ANSWER, Actor
from market.accounts.standing import permit
from market.amounts import masses, prices
from market.audit.operations import record
from market.bids.joint import rules
from market.bids.offering import goods_held
from market.bids.operations import demand_held
from market.bids.rules import ANSWER_DAYS, check_arrival, check_days, check_least, check_price
from market.clock import CHINA
from market.db.replay import once
from market.db.session import fetch, fetch_value
from market.errors import Conflict, Invalid, NotFound
from market.i18n import msg, named
from market.notices.operations import notify
from market.units import MOST_FEN_PER_KG, FenPerKg, Gram


class NewJoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A joint offer with the lead's own share. Grams, and fen per kg at the farm gate.

    ``common``: everybody sells at ``price``; else each at its own. ``least`` is the smallest part of the
    whole that the buyer may accept; None: all or nothing.
    """

    demand_id: int
    listing_id: int
    quantity: Gram
    price: FenPerKg
    deliver_from: date
    deliver_to: date
    common: bool = False
    least: Gram | None = None
    note: str = ""


class NewShare(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one seller brings: out of which listing, how much, at what price. Grams, fen per kg."""

    joint_id: int
    listing_id: int
    quantity: Gram
    price: FenPerKg


class Opened(msgspec.Struct, frozen=True):
    joint_id: int


class Shared(msgspec.Struct, frozen=True):
    share_id: int


async def open_joint(
    *, joint: NewJoint, lead_id: int, actor: Actor, at: datetime, key: str | None = None
) -> int:
    """Open a joint offer and return its number; the lead's share is confirmed by opening it.

    Raises:
        NotAllowed: the organisation is suspended, or has not let this agent answer.
        NotFound: there is no such demand, or the goods are not the lead's and on sale.
        Conflict: the demand is not open, the goods are in a round of bidding, or the lead leads one on this
            demand already.
        Invalid: with the field that is wrong.
    """

    async def deed() -> Opened:
        await permit(actor=actor, organisation_id=lead_id, side="seller", deed=ANSWER)
        goods = await goods_held(listing_id=joint.listing_id, seller_id=lead_id)
        demand = await demand_held(joint.demand_id)
        if demand["buyer"] == lead_id:
            raise Conflict(msg("不能给自己单位的需求报价。"))
        _check_goods(goods, demand, quantity=joint.quantity, price=joint.price)
        check_days(start=joint.deliver_from, end=joint.deliver_to, today=at.astimezone(CHINA).date())
        check_arrival(
            start=joint.deliver_from,
            end=joint.deliver_to,
            first=demand["deliver_from"],
            last=demand["deliver_to"],
        )
        check_least(least=joint.least, quantity=Gram(demand["open"]))
        joint_id = int(await fetch_value("SELECT nextval(pg_get_serial_sequence('joint_offer', 'id'))"))
        opened = await fetch(
            """INSERT INTO joint_offer (id, number, demand, lead, price, least, deliver_from, deliver_to,
                                        note, state, created_by, created_at, expires_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
               ON CONFLICT DO NOTHING RETURNING id""",
            joint_id,
            rules.joint_number(on=at.astimezone(CHINA).date(), serial=joint_id),
            joint.demand_id,
            lead_id,
            joint.price if joint.common else None,
            joint.least,
            joint.deliver_from,
            joint.deliver_to,
            joint.note,
            rules.JOINT.start,
            actor.person_id,
            at,
            at + timedelta(days=ANSWER_DAYS),
        )
        if not opened:
            raise Conflict(msg("您已经为这条需求牵头拼货，请在那里继续。"))
        await _put_share(
            NewShare(joint_id, joint.listing_id, joint.quantity, joint.price),
            seller_id=lead_id,
            state=rules.CONFIRMED,
            actor=actor,
            at=at,
        )
        await record(
            subject=f"joint:{joint_id}",
            action="open",
            actor=actor,
            at=at,
            details={"demand": joint.demand_id, "grams": joint.quantity, "fen_per_kg": joint.price},
        )
        return Opened(joint_id)

    opened = await once(
        key=key, person_id=actor.person_id, request=joint, reply_type=Opened, deed=deed, at=at
    )
    return opened.joint_id


class Invite(msgspec.Struct, frozen=True):
    share: NewShare


async def invite(*, share: NewShare, lead_id: int, actor: Actor, at: datetime, key: str | None = None) -> int:
    """Propose a share to the owner of other goods; it counts only once that seller confirms it.

    Raises:
        NotAllowed: as :func:`open_joint`.
        NotFound: no such joint offer of this lead, or no such goods on sale.
        Conflict: it is closed, or that seller is in it already.
        Invalid: with the field that is wrong.
    """

    async def deed() -> Shared:
        joint = await held(share.joint_id)
        if joint["lead"] != lead_id:
            raise NotFound(msg("没有找到这次拼货。"))
        await permit(actor=actor, organisation_id=lead_id, side="seller", deed=ANSWER)
        rows = await fetch("SELECT owner FROM listing WHERE id = $1", share.listing_id)
        if not rows or rows[0]["owner"] == lead_id:
            raise NotFound(msg("没有找到这批在售的货，请刷新后再选。"))
        owner = rows[0]["owner"]
        if owner == joint["buyer"]:
            raise NotFound(msg("没有找到这批在售的货，请刷新后再选。"))
        share_id = await _add(joint, share, seller_id=owner, move="invite", actor=actor, at=at)
        await notify(
            organisation_id=owner,
            kind="joint_invited",
            message=msg(
                "{lead}邀请您一起给“{title}”供货：{mass}，{price}。您确认了才算数。",
                lead=named(joint, "lead_name"),
                title=named(joint, "title"),
                mass=masses(share.quantity),
                price=prices(share.price),
            ),
            link=f"/joint/{share.joint_id}",
            at=at,
            due_at=joint["expires_at"],
        )
        return Shared(share_id)

    done = await once(
        key=key, person_id=actor.person_id, request=Invite(share), reply_type=Shared, deed=deed, at=at
    )
    return done.share_id


async def ask_to_join(
    *, share: NewShare, seller_id: int, actor: Actor, at: datetime, key: str | None = None
) -> int:
    """Ask the lead to be let in with a share of one's own; the lead's yes is what is missing then.

    Raises: NotFound, Conflict, Invalid, as :func:`invite`.
    """

    async def deed() -> Shared:
        joint = await held(share.joint_id)
        if joint["lead"] == seller_id or joint["buyer"] == seller_id:
            raise NotFound(msg("没有找到这次拼货。"))
        await permit(actor=actor, organisation_id=seller_id, side="seller", deed=ANSWER)
        share_id = await _add(joint, share, seller_id=seller_id, move="ask", actor=actor, at=at)
        await notify(
            organisation_id=joint["lead"],
            kind="joint_asked",
            message=msg(
                "“{title}”的拼货有人想加入：{mass}，{price}，请答复。",
                title=named(joint, "title"),
                mass=masses(share.quantity),
                price=prices(share.price),
            ),
            link=f"/joint/{share.joint_id}",
            at=at,
            due_at=joint["expires_at"],
        )
        return Shared(share_id)

    done = await once(key=key, person_id=actor.person_id, request=share, reply_type=Shared, deed=deed, at=at)
    return done.share_id


async def held(joint_id: int) -> Record:
    """Return an open joint offer with its demand's title and buyer, locked; every change goes through here.

    Raises: NotFound; Conflict, where it is closed.
    """
    rows = await fetch(
        """SELECT joint_offer.*, demand.title, demand.title_en, demand.buyer, demand.produce,
                  lead.name AS lead_name, lead.name_en AS lead_name_en
           FROM joint_offer JOIN demand ON demand.id = joint_offer.demand
           JOIN organisation AS lead ON lead.id = joint_offer.lead
           WHERE joint_offer.id = $1 FOR NO KEY UPDATE OF joint_offer""",
        joint_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这次拼货。"))
    if rows[0]["state"] not in rules.OPEN:
        raise Conflict(msg("这次拼货已经结束，请刷新后再看。"))
    return rows[0]


def check_in_time(joint: Record, *, at: datetime) -> None:
    """What is past its time is over, whether the upkeep has come by or not. Raises: Conflict."""
    if joint["expires_at"] <= at:
        raise Conflict(msg("这次拼货已过期限，请重新发起。"))


async def _add(
    joint: Record, share: NewShare, *, seller_id: int, move: str, actor: Actor, at: datetime
) -> int:
    """Add a share, or propose anew to a seller who is out of it; what is with the buyer comes back first."""
    check_in_time(joint, at=at)
    if joint["state"] == rules.SUBMITTED:
        raise Conflict(msg("已经交给买方了；要加人，请先撤回，重新拼一份。"))
    if joint["price"] is not None and share.price != joint["price"]:
        problem = msg("这次拼货统一价 {price}。", price=prices(FenPerKg(joint["price"])))
        raise Invalid(problem, {"price": problem})
    goods = await goods_held(listing_id=share.listing_id, seller_id=seller_id)
    demand = await demand_held(joint["demand"])
    _check_goods(goods, demand, quantity=share.quantity, price=share.price)
    old = await fetch(
        "SELECT id, state FROM joint_share WHERE joint = $1 AND seller = $2", share.joint_id, seller_id
    )
    if old and old[0]["state"] in rules.IN:
        raise Conflict(msg("这一家已经在这次拼货里了。"))
    if not old and await fetch_value(
        "SELECT count(*) >= $2 FROM joint_share WHERE joint = $1", share.joint_id, rules.MOST_SELLERS
    ):
        raise Conflict(msg("一次拼货最多 {most} 家。", most=rules.MOST_SELLERS))
    by = "lead" if move == "invite" else "seller"
    if old:
        state = rules.SHARE.apply(move, state=old[0]["state"], by=by)
    else:
        state = rules.INVITED if move == "invite" else rules.ASKED
    share_id = await _put_share(share, seller_id=seller_id, state=state, actor=actor, at=at)
    await record(
        subject=f"joint:{share.joint_id}",
        action=move,
        actor=actor,
        at=at,
        details={"share": share_id, "grams": share.quantity, "fen_per_kg": share.price},
    )
    return share_id


async def _put_share(share: NewShare, *, seller_id: int, state: str, actor: Actor, at: datetime) -> int:
    """Write a share; by one's own hand (``confirmed`` or ``asked``) it is signed with one's own name."""
    own = state != rules.INVITED
    return int(
        await fetch_value(
            """INSERT INTO joint_share (joint, seller, listing, quantity, price, state, confirmed_at,
                                        confirmed_by, created_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
               ON CONFLICT (joint, seller) DO UPDATE SET listing = excluded.listing,
                 quantity = excluded.quantity, price = excluded.price, state = excluded.state,
                 confirmed_at = excluded.confirmed_at, confirmed_by = excluded.confirmed_by,
                 reason = NULL, reason_note = ''
               RETURNING id""",
            share.joint_id,
            seller_id,
            share.listing_id,
            share.quantity,
            share.price,
            state,
            at if own else None,
            actor.person_id if own else None,
            at,
        )
    )


def _check_goods(goods: Record, demand: Record, *, quantity: Gram, price: FenPerKg) -> None:
    """Raises: Invalid, with ``listing_id``, ``quantity`` or ``price``."""
    if goods["produce"] != demand["produce"]:
        problem = msg("这批货和需求不是同一品类，请另选一批。")
        raise Invalid(problem, {"listing_id": problem})
    left = min(goods["remaining"], demand["open"])
    if not 0 < quantity <= left:
        problem = msg("份额要大于零，不超过 {left}。", left=masses(Gram(left)))
        raise Invalid(problem, {"quantity": problem})
    check_price(price, most=MOST_FEN_PER_KG)

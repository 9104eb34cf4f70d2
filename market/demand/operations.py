"""Posting demands and taking them back."""

from datetime import datetime

import msgspec

from market.accounts.rules import LIST, SYSTEM, Actor
from market.accounts.standing import permit
from market.amounts import masses
from market.audit.operations import MOST_AT_ONCE, Entry, record, record_all
from market.clock import CHINA
from market.db.replay import once
from market.db.session import execute, fetch, transaction
from market.demand import rules
from market.demand.commands import DemandWants, NewDemand
from market.errors import Conflict, Invalid, NotFound
from market.i18n import msg
from market.units import Gram


class Posted(msgspec.Struct, frozen=True):
    demand_id: int


async def publish_demand(
    *, demand: NewDemand, buyer_id: int, actor: Actor, at: datetime, key: str | None = None
) -> int:
    """Return the number of the new demand; the same ``key`` again gives the same number.

    Raises:
        Invalid: with every field that is wrong.
    """

    async def deed() -> Posted:
        return Posted(await _publish(demand=demand, buyer_id=buyer_id, actor=actor, at=at))

    posted = await once(
        key=key, person_id=actor.person_id, request=demand, reply_type=Posted, deed=deed, at=at
    )
    return posted.demand_id


async def _publish(*, demand: NewDemand, buyer_id: int, actor: Actor, at: datetime) -> int:
    await permit(actor=actor, organisation_id=buyer_id, side="buyer", deed=LIST)
    problems = rules.demand_problems(demand)
    if demand.deliver_to < at.astimezone(CHINA).date():
        problems["deliver_to"] = msg("交货截止日期已过，请改为今天或以后。")
    if not await fetch("SELECT code FROM produce WHERE code = $1", demand.produce):
        problems["produce"] = msg("品类表里没有“{name}”，请从提示中选一个。", name=demand.produce)
    known = {row["code"] for row in await fetch("SELECT code FROM credential_kind")}
    if unknown := set(demand.requires) - known:
        problems["requires"] = msg("没有“{name}”这种资质。", name=min(unknown))
    site = await fetch(
        "SELECT lat, lon FROM site WHERE id = $1 AND organisation = $2", demand.site_id, buyer_id
    )
    if not site:
        problems["site_id"] = msg("请选择贵单位的一个收货门店。")
    if problems:
        raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)
    rows = await fetch(
        """INSERT INTO demand (buyer, site, produce, title, title_en, min_grade, quantity, open, ceiling,
                               lat, lon, deliver_from, deliver_to, min_order, max_lots, requires,
                               max_distance_km, note, note_en, state, invented, created_by, created_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
                   $19, $20, $21, $22) RETURNING id""",
        buyer_id,
        demand.site_id,
        demand.produce,
        demand.title,
        demand.title_en,
        demand.min_grade,
        demand.quantity,
        demand.ceiling,
        site[0]["lat"],
        site[0]["lon"],
        demand.deliver_from,
        demand.deliver_to,
        demand.min_order,
        demand.max_lots,
        list(demand.requires),
        demand.max_distance_km,
        demand.note,
        demand.note_en,
        rules.DEMAND.apply("publish", state=rules.DEMAND.start, by="buyer"),
        demand.invented,
        actor.person_id,
        at,
    )
    demand_id = int(rows[0]["id"])
    await record(
        subject=f"demand:{demand_id}",
        action="publish",
        actor=actor,
        at=at,
        details={"grams": demand.quantity, "fen_per_kg": demand.ceiling},
    )
    return demand_id


async def wants_held(*, demand_id: int, buyer_id: int) -> DemandWants:
    """Return what a demand wants, held until the transaction ends.

    Raises: NotFound: no such demand of this buyer.
    """
    rows = await fetch(
        """SELECT quantity, ceiling, deliver_from, deliver_to, min_grade, min_order, requires
           FROM demand WHERE id = $1 AND buyer = $2 FOR UPDATE""",
        demand_id,
        buyer_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这条采购需求。"))
    return DemandWants(**{**rows[0], "requires": tuple(rows[0]["requires"])})


async def revise_demand(
    *, demand_id: int, wants: DemandWants, buyer_id: int, actor: Actor, at: datetime
) -> None:
    """Change what an open demand wants.

    Open offers are not touched here: ``bids.standing.revise_wants`` is the call that also asks their
    authors again.

    Raises:
        NotFound: no such demand of this buyer.
        Conflict: it is no longer open.
        Invalid: with every field that is wrong.
    """
    async with transaction():
        rows = await fetch(
            "SELECT * FROM demand WHERE id = $1 AND buyer = $2 FOR UPDATE", demand_id, buyer_id
        )
        if not rows:
            raise NotFound(msg("没有找到这条采购需求。"))
        old = rows[0]
        if old["state"] != rules.PUBLISHED:
            raise Conflict(msg("这条需求已经不在求购，条件不能再改。"))
        problems = rules.wants_problems(wants)
        if wants.deliver_to < at.astimezone(CHINA).date():
            problems["deliver_to"] = msg("交货截止日期已过，请改为今天或以后。")
        known = {row["code"] for row in await fetch("SELECT code FROM credential_kind")}
        if unknown := set(wants.requires) - known:
            problems["requires"] = msg("没有“{name}”这种资质。", name=min(unknown))
        bought = old["quantity"] - old["open"]
        if wants.quantity < bought:
            problems["quantity"] = msg("已经买了 {mass}，总量不能少于它。", mass=masses(Gram(bought)))
        if problems:
            raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)
        await execute(
            """UPDATE demand SET quantity = $2, open = $3, ceiling = $4, deliver_from = $5,
                      deliver_to = $6, min_grade = $7, min_order = $8, requires = $9 WHERE id = $1""",
            demand_id,
            wants.quantity,
            wants.quantity - bought,
            wants.ceiling,
            wants.deliver_from,
            wants.deliver_to,
            wants.min_grade,
            wants.min_order,
            list(wants.requires),
        )
        await record(
            subject=f"demand:{demand_id}",
            action="revise",
            actor=actor,
            at=at,
            details={"grams": wants.quantity, "fen_per_kg": wants.ceiling},
        )


async def move_demand(*, demand_id: int, move: str, buyer_id: int, actor: Actor, at: datetime) -> str:
    """Close or cancel a demand; return its new state.

    Raises:
        NotFound: no such demand of this buyer.
        WrongState: the move is not open now.
    """
    async with transaction():
        rows = await fetch(
            "SELECT state FROM demand WHERE id = $1 AND buyer = $2 FOR UPDATE", demand_id, buyer_id
        )
        if not rows:
            raise NotFound(msg("没有找到这条采购需求。"))
        state = rules.DEMAND.apply(move, state=rows[0]["state"], by="buyer")
        await execute("UPDATE demand SET state = $2 WHERE id = $1", demand_id, state)
        await record(subject=f"demand:{demand_id}", action=move, actor=actor, at=at, details={})
    return state


async def close_overdue(*, at: datetime) -> int:
    """Close demands whose delivery window is over; return how many, at most ``MOST_AT_ONCE``."""
    async with transaction():
        rows = await fetch(
            """WITH due AS (SELECT id FROM demand WHERE state = ANY($2::text[]) AND deliver_to < $3
                            ORDER BY id LIMIT $4 FOR UPDATE SKIP LOCKED)
               UPDATE demand SET state = $1 FROM due WHERE demand.id = due.id RETURNING demand.id""",
            rules.CLOSED,
            sorted(rules.DEMAND.sources("close")),
            at.astimezone(CHINA).date(),
            MOST_AT_ONCE,
        )
        await record_all([Entry(f"demand:{row['id']}", "close", SYSTEM, at, {}) for row in rows])
    return len(rows)

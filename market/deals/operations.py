"""Making a deal and signing it. Every way to sell ends here, so that nothing is ever sold twice."""

from datetime import date, datetime

import msgspec
from asyncpg import Record

from market.accounts.rules import Actor
from market.audit.operations import record
from market.clock import CHINA
from market.db.session import execute, fetch, transaction
from market.deals import rules
from market.errors import Conflict, NotFound
from market.i18n import msg
from market.notices.operations import notify
from market.units import FenPerKg, Gram, kg


class NewDeal(msgspec.Struct, frozen=True):
    """``quantity`` in grams, ``price`` in fen per kg at the farm gate."""

    listing_id: int
    demand_id: int | None
    buyer_id: int
    quantity: Gram
    price: FenPerKg
    source: str
    source_id: int
    deliver_from: date
    deliver_to: date


async def make_deal(*, deal: NewDeal, actor: Actor, at: datetime) -> int:
    """Reserve the stock and return the number of the new, unsigned contract; all or nothing.

    Everybody locks in this order: lot (inside ``reserve_stock``), listing, demand.

    Raises:
        NotFound: no such listing.
        Conflict: it is not on sale, or less remains than asked for, or the demand needs less.
    """
    async with transaction():
        rows = await fetch(
            "SELECT lot, owner, title FROM listing WHERE id = $1 AND state <> 'draft'", deal.listing_id
        )
        if not rows:
            raise NotFound(msg("没有找到这批货源。"))
        listing = rows[0]
        rows = await fetch("SELECT nextval(pg_get_serial_sequence('deal', 'id')) AS id")
        deal_id = int(rows[0]["id"])
        number = rules.contract_number(on=at.astimezone(CHINA).date(), serial=deal_id)
        await execute(
            """INSERT INTO deal (id, number, listing, demand, seller, buyer, quantity, price, source,
                                 source_id, state, deliver_from, deliver_to, created_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)""",
            deal_id,
            number,
            deal.listing_id,
            deal.demand_id,
            listing["owner"],
            deal.buyer_id,
            deal.quantity,
            deal.price,
            deal.source,
            deal.source_id,
            rules.CONTRACT.start,
            deal.deliver_from,
            deal.deliver_to,
            at,
        )
        rows = await fetch(
            "SELECT reserve_stock($1, $2, $3, $4) AS rest", listing["lot"], deal.quantity, deal_id, at
        )
        rest = rows[0]["rest"]
        if rest is None:
            raise Conflict(msg("剩余数量不够了，请减少数量后再试。"))
        state = "sold_out" if rest == 0 else "published"
        on_sale = await fetch(
            "UPDATE listing SET state = $2 WHERE id = $1 AND state = 'published' RETURNING id",
            deal.listing_id,
            state,
        )
        if not on_sale:
            raise Conflict(msg("这批货源现在不在售，请刷新后再看。"))
        if deal.demand_id is not None:
            await _fill_demand(demand_id=deal.demand_id, quantity=deal.quantity)
        await record(
            subject=f"deal:{deal_id}",
            action="make",
            actor=actor,
            at=at,
            details={
                "listing": deal.listing_id,
                "buyer": deal.buyer_id,
                "grams": deal.quantity,
                "fen_per_kg": deal.price,
                "source": f"{deal.source}:{deal.source_id}",
            },
        )
        for party in (listing["owner"], deal.buyer_id):
            await notify(
                organisation_id=party,
                kind="deal_made",
                message=msg(
                    "“{title}”成交 {mass} 公斤，合同 {number} 待双方签字。",
                    title=listing["title"],
                    mass=f"{kg(deal.quantity):,f}",
                    number=number,
                ),
                link=f"/deals/{deal_id}",
                at=at,
            )
    return deal_id


async def sign(*, deal_id: int, organisation_id: int, actor: Actor, at: datetime) -> str:
    """Sign for one party; the second signature makes the contract binding. Return the new state.

    Raises:
        NotFound: no such deal of this organisation.
        WrongState: nothing to sign any more.
        Conflict: this side has signed already.
    """
    async with transaction():
        deal = await _locked(deal_id=deal_id, organisation_id=organisation_id)
        side = "seller" if deal["seller"] == organisation_id else "buyer"
        if deal[f"{side}_signed_at"] is not None:
            raise Conflict(msg("您这一方已经签过字，等对方签字即可。"))
        move = "sign" if deal["state"] == rules.PENDING else "countersign"
        state = rules.CONTRACT.apply(move, state=deal["state"], by=side)
        await execute(
            f"""UPDATE deal SET state = $2, {side}_signed_at = $3, {side}_signed_by = $4
                WHERE id = $1""",  # noqa: S608  side is one of two words above
            deal_id,
            state,
            at,
            actor.person_id,
        )
        await record(
            subject=f"deal:{deal_id}", action=move, actor=actor, at=at, details={"side": side, "state": state}
        )
        other = deal["buyer"] if side == "seller" else deal["seller"]
        await notify(
            organisation_id=other,
            kind="deal_signed",
            message=msg("合同 {number} 对方已签字，双方签完即生效。", number=deal["number"])
            if state == rules.PARTLY_SIGNED
            else msg("合同 {number} 双方已签字，现已生效。", number=deal["number"]),
            link=f"/deals/{deal_id}",
            at=at,
        )
    return state


async def cancel(*, deal_id: int, organisation_id: int, actor: Actor, at: datetime) -> None:
    """Cancel a contract that is not yet binding; its stock and the demand are free again.

    Raises:
        NotFound: no such deal of this organisation.
        WrongState: it is binding already, or gone.
    """
    async with transaction():
        deal = await _locked(deal_id=deal_id, organisation_id=organisation_id)
        side = "seller" if deal["seller"] == organisation_id else "buyer"
        state = rules.CONTRACT.apply("cancel", state=deal["state"], by=side)
        await execute("UPDATE deal SET state = $2 WHERE id = $1", deal_id, state)
        await fetch("SELECT release_stock($1, $2, $3, $4)", deal["lot"], deal["quantity"], deal_id, at)
        await execute(
            "UPDATE listing SET state = 'published' WHERE id = $1 AND state = 'sold_out'", deal["listing"]
        )
        if deal["demand"] is not None:
            await execute(
                "UPDATE demand SET open = open + $2 WHERE id = $1", deal["demand"], deal["quantity"]
            )
        await record(subject=f"deal:{deal_id}", action="cancel", actor=actor, at=at, details={"side": side})
        await notify(
            organisation_id=deal["buyer"] if side == "seller" else deal["seller"],
            kind="deal_cancelled",
            message=msg("合同 {number} 对方在签约前取消了，数量已退回。", number=deal["number"]),
            link=f"/deals/{deal_id}",
            at=at,
        )


async def _locked(*, deal_id: int, organisation_id: int) -> Record:
    rows = await fetch(
        """SELECT deal.*, listing.lot FROM deal JOIN listing ON listing.id = deal.listing
           WHERE deal.id = $1 AND $2 IN (deal.seller, deal.buyer) FOR UPDATE OF deal""",
        deal_id,
        organisation_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这份合同。"))
    return rows[0]


async def _fill_demand(*, demand_id: int, quantity: Gram) -> None:
    filled = await fetch(
        """UPDATE demand SET open = open - $2
           WHERE id = $1 AND state = 'published' AND open >= $2 RETURNING id""",
        demand_id,
        quantity,
    )
    if not filled:
        raise Conflict(msg("对方的采购需求已不够这个数量，请刷新后再看。"))

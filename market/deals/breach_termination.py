"""Notice of termination: what is left of a broken contract goes back on sale and is matched again."""

from datetime import datetime

import msgspec

from market.accounts.rules import Actor
from market.audit.operations import record
from market.db.jobs import enqueue
from market.db.session import execute, fetch, transaction
from market.deals import breach_rules, rules
from market.deals.breach_queries import performed
from market.errors import Conflict, NotFound
from market.i18n import msg
from market.notices.operations import notify
from market.units import Gram, kg

#: The job that asks for a run; matching has its handler.
REMATCH = "matching.rematch"


class Rematch(msgspec.Struct, frozen=True):
    """Whose goods are to be matched again."""

    town_id: int


async def terminate(*, breach_id: int, organisation_id: int, actor: Actor, at: datetime) -> Gram:
    """Give notice of termination as the claimant; return the grams that are free again.

    What is on its way stays under the contract until it is taken or refused. The buyer's demand is open
    again where the seller failed; a buyer that failed gets no quantity back to ask for.

    Raises:
        NotFound: no such case of this claimant.
        Conflict: the case is a draft or was not confirmed or settled, or notice was given before.
        WrongState: the contract is not in force.
    """
    async with transaction():
        rows = await fetch(
            """SELECT breach.state AS case_state, breach.terminated_at AS noticed, breach.respondent,
                      deal.*, listing.lot, listing.title, seller.town
               FROM breach JOIN deal ON deal.id = breach.deal JOIN listing ON listing.id = deal.listing
               JOIN organisation seller ON seller.id = deal.seller
               WHERE breach.id = $1 AND breach.claimant = $2 FOR UPDATE OF breach, deal""",
            breach_id,
            organisation_id,
        )
        if not rows:
            raise NotFound(msg("没有找到这件违约。"))
        deal = rows[0]
        if deal["case_state"] not in breach_rules.MAY_TERMINATE or deal["noticed"] is not None:
            raise Conflict(msg("现在不能通知解除：要先提出违约，而且只通知一次。"))
        side = "seller" if deal["seller"] == organisation_id else "buyer"
        state = rules.CONTRACT.apply("terminate", state=deal["state"], by=side)
        await execute(
            "UPDATE delivery SET state = $2 WHERE deal = $1 AND state = $3",
            deal["id"],
            rules.CANCELLED,
            rules.SCHEDULED,
        )
        settled, under_way = await performed(deal_id=deal["id"])
        free = breach_rules.residual(quantity=deal["quantity"], settled=settled, under_way=under_way)
        await execute("UPDATE deal SET state = $2, terminated_at = $3 WHERE id = $1", deal["id"], state, at)
        await execute("UPDATE breach SET terminated_at = $2 WHERE id = $1", breach_id, at)
        await release(
            deal_id=deal["id"],
            lot=deal["lot"],
            listing=deal["listing"],
            demand=deal["demand"] if deal["respondent"] == deal["seller"] else None,
            grams=free,
            town_id=deal["town"],
            at=at,
        )
        await record(
            subject=f"breach:{breach_id}",
            action="terminate",
            actor=actor,
            at=at,
            details={"deal": deal["id"], "grams": free},
        )
        await record(
            subject=f"deal:{deal['id']}",
            action="terminate",
            actor=actor,
            at=at,
            details={"breach": breach_id, "side": side, "grams": free},
        )
        for party in (deal["respondent"], deal["town"]):
            if party is not None:
                await notify(
                    organisation_id=party,
                    kind="deal_terminated",
                    message=msg(
                        "合同 {number} 对方通知解除，余下 {mass} 公斤重新上架；这不等于放弃追究违约。",
                        number=deal["number"],
                        mass=f"{kg(free):,f}",
                    ),
                    link=f"/breaches/{breach_id}",
                    at=at,
                )
    return free


async def release(
    *,
    deal_id: int,
    lot: int,
    listing: int,
    demand: int | None,
    grams: Gram,
    town_id: int | None,
    at: datetime,
) -> None:
    """Put what a terminated contract still held back on sale, and ask for a match. Its row is locked."""
    if grams <= 0:
        return
    await fetch("SELECT release_stock($1, $2, $3, $4)", lot, grams, deal_id, at)
    await execute("UPDATE deal SET released = released + $2 WHERE id = $1", deal_id, grams)
    await execute("UPDATE listing SET state = 'published' WHERE id = $1 AND state = 'sold_out'", listing)
    if demand is not None:
        await execute("UPDATE demand SET open = least(quantity, open + $2) WHERE id = $1", demand, grams)
    if town_id is not None:
        await enqueue(REMATCH, Rematch(town_id), key=f"town:{town_id}")

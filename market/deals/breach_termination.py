"""Notice of termination: what is left of a broken contract goes back on sale and is matched again."""

from datetime import datetime

from market.accounts.rules import Actor
from market.amounts import masses
from market.audit.operations import record
from market.db.session import execute, fetch, transaction
from market.deals import breach_rules
from market.deals.ending import end_contract
from market.deals.endings.rules import BREACH
from market.errors import Conflict, NotFound
from market.i18n import Message, msg
from market.notices.operations import notify
from market.units import Gram


async def terminate(*, breach_id: int, organisation_id: int, actor: Actor, at: datetime) -> Gram:
    """Give notice of termination as the claimant; return the grams that are free again.

    What is on its way stays under the contract until it is taken or refused. Deposit and advance payments
    stay due only as far as goods have used them.

    Raises:
        NotFound: no such case of this claimant.
        Conflict: the case is a draft or was not confirmed or settled, or notice was given before.
        WrongState: the contract is not in force.
    """
    async with transaction():
        # NO KEY: a line of the stock ledger names the contract while it holds the lot that is wanted below
        rows = await fetch(
            """SELECT breach.state AS case_state, breach.terminated_at AS noticed, breach.respondent,
                      deal.*, listing.lot, listing.title, seller.town
               FROM breach JOIN deal ON deal.id = breach.deal JOIN listing ON listing.id = deal.listing
               JOIN organisation seller ON seller.id = deal.seller
               WHERE breach.id = $1 AND breach.claimant = $2 FOR NO KEY UPDATE OF breach, deal""",
            breach_id,
            organisation_id,
        )
        if not rows:
            raise NotFound(msg("没有找到这件违约。"))
        deal = rows[0]
        if deal["case_state"] not in breach_rules.MAY_TERMINATE or deal["noticed"] is not None:
            raise Conflict(msg("现在不能通知解除：要先提出违约，而且只通知一次。"))
        side = "seller" if deal["seller"] == organisation_id else "buyer"
        await execute("UPDATE breach SET terminated_at = $2 WHERE id = $1", breach_id, at)
        ended = await end_contract(deal=deal, by=side, how=BREACH, at=at)
        free = ended.grams
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
            details={"breach": breach_id, "side": side, "grams": free, "fen_due_no_more": ended.waived},
        )
        message = _told(deal["number"], free, on_sale=ended.on_sale)
        for party in (deal["respondent"], deal["town"]):
            if party is not None:
                await notify(
                    organisation_id=party,
                    kind="deal_terminated",
                    message=message,
                    link=f"/breaches/{breach_id}",
                    at=at,
                )
    return free


def _told(number: str, free: Gram, *, on_sale: bool) -> Message:
    if not free:
        return msg("合同 {number} 对方通知解除；这不等于放弃追究违约。", number=number)
    if on_sale:
        return msg(
            "合同 {number} 对方通知解除，余下 {mass}重新上架；这不等于放弃追究违约。",
            number=number,
            mass=masses(free),
        )
    return msg(
        "合同 {number} 对方通知解除，余下 {mass}已释放；这不等于放弃追究违约。",
        number=number,
        mass=masses(free),
    )

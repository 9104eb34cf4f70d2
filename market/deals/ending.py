"""A contract ends before it is fulfilled, whyever: what is not taken is free again and matched anew."""

from datetime import datetime

import msgspec
from asyncpg import Record

from market.amounts import masses
from market.clock import CHINA
from market.db.session import execute, fetch_value
from market.deals import rules
from market.deals.above import let_go_above
from market.deals.beforehand import end_prepayments
from market.deals.breach_queries import performed
from market.deals.breach_rules import residual
from market.deals.endings.outdating import outdate_proposals
from market.deals.joint_gaps import tell_of_gap
from market.deals.releasing import release
from market.i18n import msg
from market.notices.operations import notify
from market.units import Fen, Gram


class Ended(msgspec.Struct, frozen=True):
    """Grams that are free again, whether they are on sale, and fen that are due no more."""

    grams: Gram
    on_sale: bool
    waived: Fen


async def end_contract(*, deal: Record, by: str, how: str, at: datetime) -> Ended:
    """End a contract (its row with ``lot`` and ``town``, locked) as side ``by``, for ``endings.rules.HOW``.

    What is on its way stays under the contract until it is taken or refused. Deposit and advance payments
    stay due only as far as goods have used them. Records and notices of why are the caller's.

    Raises:
        WrongState: the contract is not in force.
    """
    state = rules.CONTRACT.apply("terminate", state=deal["state"], by=by)
    await execute(
        "UPDATE delivery SET state = $2 WHERE deal = $1 AND state = $3",
        deal["id"],
        rules.CANCELLED,
        rules.SCHEDULED,
    )
    await let_go_above(deal=deal, at=at)
    settled, under_way = await performed(deal_id=deal["id"])
    free = residual(quantity=deal["quantity"], settled=settled, under_way=under_way)
    await execute(
        "UPDATE deal SET state = $2, terminated_at = $3, ended_how = $4 WHERE id = $1",
        *(deal["id"], state, at, how),
    )
    await outdate_proposals(deal_id=deal["id"])
    await release(deal=deal, grams=free, at=at)
    waived = await end_prepayments(deal_id=deal["id"])
    on_sale = await fetch_value(
        "SELECT state = 'published' AND available_to >= $2 FROM listing WHERE id = $1",
        deal["listing"],
        at.astimezone(CHINA).date(),
    )
    if free and not on_sale:
        # what nobody can buy is matched with nobody: only its owner can put it on sale again
        await notify(
            organisation_id=deal["seller"],
            kind="goods_freed",
            message=msg(
                "合同 {number} 余下的 {mass}已释放，但原来的货源已不在售：请重新上架，才能卖给别人。",
                number=deal["number"],
                mass=masses(free),
            ),
            link=f"/selling/lots/{deal['lot']}",
            at=at,
        )
    await tell_of_gap(deal=deal, state=state, grams=free, at=at)
    return Ended(free, bool(on_sale), waived)

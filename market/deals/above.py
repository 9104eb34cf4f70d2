"""Goods delivered above a contract's quantity, within its tolerance (溢短装): held, or given back.

What is held above the quantity stands in ``deal.released`` below nought: quantity less released is what the
contract holds of its lot, whichever way it went.
"""

from datetime import datetime

from asyncpg import Record

from market.db.session import execute, fetch_value
from market.deals.clauses import Terms, most_performed
from market.deals.releasing import give_back
from market.errors import Conflict
from market.i18n import msg
from market.supply.rules import ROUNDS
from market.units import Gram


class NoneSpare(Conflict):
    """The lot has nothing to deliver above the quantity now."""


_PLANNED = """SELECT coalesce(sum(CASE WHEN state IN ('accepted', 'partially_accepted') THEN accepted + loss
                                       ELSE quantity END), 0)::bigint
   FROM delivery WHERE deal = $1 AND state NOT IN ('cancelled', 'rejected')"""


async def planned(*, deal_id: int) -> Gram:
    """Return the grams that are announced, on their way or taken, natural loss counted in."""
    return Gram(await fetch_value(_PLANNED, deal_id))


def still_to_plan(terms: Terms, *, quantity: Gram, so_far: Gram) -> tuple[Gram, Gram]:
    """Return the grams that are lacking yet, and the most that the tolerance allows."""
    return Gram(max(0, quantity - so_far)), Gram(max(0, most_performed(terms, quantity) - so_far))


async def hold_above(*, deal: Record, total: Gram, at: datetime) -> Gram:
    """Hold of the lot what ``total`` grams of deliveries want beyond what the contract (locked) holds.

    Returns what was held besides: none, as long as the contract's own quantity is enough.

    Raises:
        NoneSpare: the lot has not so much left that is free, or a round of bidding is going on for it.
    """
    lacking = Gram(total - (deal["quantity"] - deal["released"]))
    if lacking <= 0:
        return Gram(0)
    rest = await fetch_value("SELECT reserve_stock($1, $2, $3, $4)", deal["lot"], lacking, deal["id"], at)
    if rest is None:
        raise NoneSpare(msg("这批货没有多余的可以多交：合同以外的都卖出或占用了，请按合同数量发货。"))
    if await fetch_value(
        """SELECT EXISTS (SELECT FROM listing WHERE lot = $1 AND state = 'published' AND way = ANY($2)
             AND opened_at IS NULL)""",
        *(deal["lot"], sorted(ROUNDS)),
    ):
        raise NoneSpare(msg("这批货正在密封报价或公开竞价，这一轮结束前不能从里面多交。"))
    await execute("UPDATE deal SET released = released - $2 WHERE id = $1", deal["id"], lacking)
    if rest == 0:
        await execute(
            "UPDATE listing SET state = 'sold_out' WHERE lot = $1 AND state = 'published'", deal["lot"]
        )
    return lacking


async def let_go_above(*, deal: Record, at: datetime) -> Gram:
    """Give back what is held above the quantity and wanted no more (row with ``lot``, locked); return it."""
    excess = Gram(
        await fetch_value(
            f"""SELECT greatest(0, -released - greatest(0, ({_PLANNED}) - quantity)) FROM deal
                WHERE id = $1""",  # noqa: S608  our own text
            deal["id"],
        )
    )
    if excess:
        await give_back(deal=deal, grams=excess, demand=None, at=at)
        await execute("UPDATE deal SET released = released + $2 WHERE id = $1", deal["id"], excess)
    return excess

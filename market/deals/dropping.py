"""A contract that does not bind yet goes: its goods and its demand are free again."""

from datetime import datetime

from asyncpg import Record

from market.accounts.rules import Actor
from market.audit.operations import record
from market.db.session import execute
from market.deals import rules
from market.deals.releasing import give_back
from market.deals.scans.outdating import outdate
from market.units import Gram


async def drop(
    deal: Record,
    *,
    side: str,
    actor: Actor,
    at: datetime,
    details: dict[str, object],
    by: int | None = None,
    reason: str | None = None,
    note: str = "",
) -> None:
    """Cancel a contract that the caller has locked, with its lot, in the caller's transaction.

    ``by``: the organisation that cancels it and tells why; None: it rests on a mistake. Who is told of it
    is for the caller to say.

    Raises: WrongState: it is binding already, or gone.
    """
    state = rules.CONTRACT.apply("cancel", state=deal["state"], by=side)
    await execute(
        """UPDATE deal
           SET state = $2, dropped_at = $3, dropped_by = $4, dropped_for = $5, dropped_note = $6
           WHERE id = $1""",
        *(deal["id"], state, at, by, reason, note),
    )
    await outdate(deal_id=deal["id"], at=at)
    await give_back(deal=deal, grams=Gram(deal["quantity"]), demand=deal["demand"], at=at)
    await record(subject=f"deal:{deal['id']}", action="cancel", actor=actor, at=at, details=details)

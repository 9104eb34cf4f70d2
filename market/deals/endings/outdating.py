"""A contract that is over ends in no other way: a proposal to end it that waits counts no more."""

from market.db.session import execute
from market.deals.endings.rules import ENDING, OUTDATED


async def outdate_proposals(*, deal_id: int) -> None:
    """The contract's row is locked."""
    await execute(
        "UPDATE contract_ending SET state = $2 WHERE deal = $1 AND state = ANY($3)",
        *(deal_id, OUTDATED, sorted(ENDING.sources("outdate"))),
    )

"""Goods of a contract at the gate: they leave with its deliveries, and come back with what is refused."""

from datetime import datetime

from market.accounts.rules import Actor
from market.audit.operations import record
from market.db.session import fetch_value
from market.units import Gram


async def follow_deliveries(
    *, lot_id: int, deal_id: int, actor: Actor, at: datetime, back: Gram | None = None
) -> int:
    """Let the stock ledger follow a load that was just dispatched, or inspected with ``back`` grams refused.

    Return the grams that came back, or left (negative). What somebody has written down at the gate by hand
    is not written again. The caller has locked the contract and written down the delivery's new state.
    """
    moved = int(
        await fetch_value(
            "SELECT follow_deliveries($1, $2, $3, $4, $5)", lot_id, deal_id, back or 0, actor.person_id, at
        )
    )
    if moved:
        await record(
            subject=f"lot:{lot_id}",
            action="send" if moved < 0 else "take_back",
            actor=actor,
            at=at,
            details={"grams": abs(moved), "deal": deal_id},
        )
    return moved

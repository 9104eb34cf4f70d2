"""Goods of a contract that ended before they were taken: back on sale, and matched again."""

from datetime import datetime

import msgspec
from asyncpg import Record

from market.accounts.rules import SYSTEM
from market.audit.operations import record
from market.db.jobs import enqueue
from market.db.session import execute, fetch, fetch_value
from market.deals.endings.rules import AGREEMENT, FORCE_MAJEURE
from market.supply.rules import AFTER_ROUND, ROUNDS
from market.units import Gram

#: The job that asks for a run; matching has its handler.
REMATCH = "matching.rematch"


class Rematch(msgspec.Struct, frozen=True):
    """Whose goods are to be matched again."""

    town_id: int


async def give_back(*, deal: Record, grams: Gram, demand: int | None, at: datetime) -> None:
    """Put goods of a contract (its row with its ``lot``, locked) back on sale, and into the demand."""
    await fetch("SELECT release_stock($1, $2, $3, $4)", deal["lot"], grams, deal["id"], at)
    way = await fetch_value(
        "UPDATE listing SET state = 'published' WHERE id = $1 AND state = 'sold_out' RETURNING way",
        deal["listing"],
    )
    if way in ROUNDS:
        await enqueue(AFTER_ROUND, {"listing_id": deal["listing"]}, key=str(deal["listing"]))
    if demand is not None:
        await execute("UPDATE demand SET open = least(quantity, open + $2) WHERE id = $1", demand, grams)


async def release(*, deal: Record, grams: Gram, at: datetime) -> None:
    """Give back goods of a terminated contract (its row with ``lot`` and ``town``, locked); ask for a match.

    The buyer's demand is open again where the seller failed, or nobody did; a buyer that failed gets no
    quantity back to ask for. A batch goes back into its framework agreement whoever failed: the agreement
    binds both still.
    """
    if grams <= 0:
        return
    if deal["source"] == "call_off":
        await _back_to_frame(deal=deal, grams=grams, at=at)
    opens = await fetch_value(
        """SELECT ended_how IN ($2, $3) OR EXISTS (SELECT FROM breach WHERE breach.deal = deal.id
                    AND breach.terminated_at IS NOT NULL AND breach.respondent = deal.seller)
           FROM deal WHERE id = $1""",
        *(deal["id"], AGREEMENT, FORCE_MAJEURE),
    )
    await give_back(deal=deal, grams=grams, demand=deal["demand"] if opens else None, at=at)
    await execute("UPDATE deal SET released = released + $2 WHERE id = $1", deal["id"], grams)
    if deal["town"] is not None:
        await enqueue(REMATCH, Rematch(deal["town"]), key=f"town:{deal['town']}")


async def _back_to_frame(*, deal: Record, grams: Gram, at: datetime) -> None:
    """Let the buyer call ``grams`` off again. Before any lot, as who confirms a batch locks them."""
    frame_id = await fetch_value(
        """UPDATE frame SET called = called - $2 FROM call_off
           WHERE call_off.id = $1 AND frame.id = call_off.frame RETURNING frame.id""",
        deal["source_id"],
        grams,
    )
    await record(
        subject=f"frame:{frame_id}",
        action="give_back",
        actor=SYSTEM,
        at=at,
        details={"deal": deal["id"], "grams": grams},
    )

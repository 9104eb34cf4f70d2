"""The stock ledger of a lot, as its owner reads it."""

from datetime import datetime

import msgspec

from market.db.session import fetch_into


class LedgerLine(msgspec.Struct, frozen=True):
    """Grams: ``change`` is signed, ``remaining`` is what was left after it."""

    #: As ``rules.STOCK_KINDS``.
    kind: str
    change: int
    remaining: int
    deal: int | None
    deal_number: str | None
    at: datetime


async def ledger_of(*, listing_id: int, owner_id: int, limit: int = 50) -> list[LedgerLine]:
    """Return the newest lines of the ledger of an owner's lot; empty where it is not theirs."""
    return await fetch_into(
        LedgerLine,
        """SELECT stock_entry.kind, stock_entry.change, stock_entry.remaining, stock_entry.deal,
                  deal.number AS deal_number, stock_entry.at
           FROM stock_entry JOIN listing ON listing.lot = stock_entry.lot
           LEFT JOIN deal ON deal.id = stock_entry.deal
           WHERE listing.id = $1 AND listing.owner = $2
           ORDER BY stock_entry.id DESC LIMIT $3""",
        listing_id,
        owner_id,
        limit,
    )

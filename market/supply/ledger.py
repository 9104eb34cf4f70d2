"""The stock ledger of a lot, as its owner reads it."""

from datetime import datetime

import msgspec

from market.db.session import fetch_into, fetch_value


class LedgerLine(msgspec.Struct, frozen=True):
    """Grams: ``change`` is signed, ``remaining`` is what was left after it."""

    #: As ``rules.STOCK_KINDS``.
    kind: str
    change: int
    remaining: int
    deal: int | None
    deal_number: str | None
    at: datetime
    #: Grams that came to a place or left it (signed); None: nothing moved, or nobody said where.
    moved: int | None
    storage: int | None
    storage_name: str | None
    #: As ``stock_rules.CORRECTIONS``; empty where the kind says all.
    reason: str
    note: str


_LINES = """SELECT stock_entry.kind, stock_entry.change, stock_entry.remaining, stock_entry.deal,
       deal.number AS deal_number, stock_entry.at, stock_entry.moved, stock_entry.storage,
       storage.name AS storage_name, stock_entry.reason, stock_entry.note
FROM stock_entry JOIN lot ON lot.id = stock_entry.lot
LEFT JOIN deal ON deal.id = stock_entry.deal LEFT JOIN storage ON storage.id = stock_entry.storage
"""


async def ledger_of(*, listing_id: int, owner_id: int, limit: int = 50) -> list[LedgerLine]:
    """Return the newest lines of the ledger of an owner's lot; empty where it is not theirs."""
    return await fetch_into(
        LedgerLine,
        _LINES + "JOIN listing ON listing.lot = lot.id WHERE listing.id = $1 AND lot.owner = $2"
        " ORDER BY stock_entry.id DESC LIMIT $3",
        listing_id,
        owner_id,
        limit,
    )


async def ledger_of_lot(*, lot_id: int, owner_id: int, limit: int = 500) -> list[LedgerLine]:
    """Return the newest lines of the ledger of an owner's lot, on sale or not."""
    return await fetch_into(
        LedgerLine,
        _LINES + "WHERE lot.id = $1 AND lot.owner = $2 ORDER BY stock_entry.id DESC LIMIT $3",
        lot_id,
        owner_id,
        limit,
    )


class Movement(LedgerLine, frozen=True, kw_only=True):
    """A line of the ledger of any of an owner's lots."""

    lot: int
    produce: str
    produce_en: str


async def movements_of(*, owner_id: int, limit: int = 100_000, offset: int = 0) -> list[Movement]:
    """Return the newest lines of the ledgers of all of an owner's lots."""
    return await fetch_into(
        Movement,
        _LINES.replace(
            "FROM stock_entry",
            ", lot.id AS lot, produce.zh AS produce, produce.en AS produce_en\nFROM stock_entry",
        )
        + "JOIN produce ON produce.code = lot.produce WHERE lot.owner = $1"
        " ORDER BY stock_entry.id DESC LIMIT $2 OFFSET $3",
        owner_id,
        limit,
        offset,
    )


async def count_of_movements(*, owner_id: int) -> int:
    """Return how many lines the ledgers of all of an owner's lots have."""
    return int(
        await fetch_value(
            "SELECT count(*) FROM stock_entry JOIN lot ON lot.id = stock_entry.lot WHERE lot.owner = $1",
            owner_id,
        )
    )

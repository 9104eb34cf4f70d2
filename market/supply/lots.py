"""Reading lots as their owner has them: where they stand, what they came from, what became of them."""

from datetime import datetime

import msgspec

from market.db.session import fetch_into, fetch_one_into
from market.errors import NotFound
from market.i18n import msg


class StorageView(msgspec.Struct, frozen=True):
    """Grams."""

    id: int
    name: str
    kind: str
    capacity: int
    held: int
    lots: int
    is_open: bool


class LotRow(msgspec.Struct, frozen=True):
    """Grams: ``quantity`` is what there is to sell in all, ``remaining`` what nobody has reserved,
    ``sent`` what has left and not come back, ``placed`` what stands in a named place."""

    id: int
    produce: str
    produce_zh: str
    produce_en: str
    variety: str
    quantity: int
    remaining: int
    sent: int
    placed: int
    #: The newest listing of it, if it was ever put on sale.
    listing: int | None
    listing_state: str | None
    title: str | None
    title_en: str | None
    #: The process and the lot that it was made by and of.
    process: str | None
    process_zh: str | None
    process_en: str | None
    made_of: int | None
    is_pooled: bool
    created_at: datetime

    @property
    def here(self) -> int:
        """What is still physically there."""
        return self.quantity - self.sent

    @property
    def unplaced(self) -> int:
        return self.here - self.placed


class HoldingRow(msgspec.Struct, frozen=True):
    """Grams of a lot in a place."""

    lot: int
    produce_zh: str
    produce_en: str
    variety: str
    storage: int
    storage_name: str
    grams: int


class Descendant(msgspec.Struct, frozen=True):
    """A lot that was made out of this one; grams as they came out."""

    lot: int
    produce_zh: str
    produce_en: str
    variety: str
    grams: int


class Making(msgspec.Struct, frozen=True):
    """One time that goods of a lot were made into others. Grams."""

    id: int
    process_zh: str
    process_en: str
    grams: int
    loss: int
    at: datetime
    made: list[Descendant]


class LotDeal(msgspec.Struct, frozen=True):
    """A contract on a lot; ``sent``: grams that have left and not come back."""

    id: int
    number: str
    quantity: int
    price: int
    sent: int

    @property
    def left(self) -> int:
        return self.quantity - self.sent


_NAMES = """(SELECT zh FROM recipe_yield WHERE process = transformation.process LIMIT 1) AS process_zh,
       (SELECT en FROM recipe_yield WHERE process = transformation.process LIMIT 1) AS process_en"""

_LOTS = f"""
SELECT lot.id, lot.produce, produce.zh AS produce_zh, produce.en AS produce_en, lot.variety, lot.quantity,
       lot.remaining,
       -coalesce((SELECT sum(moved) FROM stock_entry
                  WHERE lot = lot.id AND kind IN ('out', 'returned')), 0) AS sent,
       coalesce((SELECT sum(grams) FROM holding WHERE lot = lot.id), 0) AS placed,
       newest.id AS listing, newest.state AS listing_state, newest.title, newest.title_en,
       transformation.process, {_NAMES}, transformation.source AS made_of,
       EXISTS (SELECT FROM household_share WHERE lot = lot.id) AS is_pooled, lot.created_at
FROM lot JOIN produce ON produce.code = lot.produce
LEFT JOIN transformation ON transformation.id = lot.made_by
LEFT JOIN LATERAL (SELECT id, state, title, title_en FROM listing WHERE listing.lot = lot.id
    ORDER BY id DESC LIMIT 1) AS newest ON true
WHERE lot.owner = $1
"""  # noqa: S608  words of ours; values are parameters


async def lots_of(owner: int) -> list[LotRow]:
    """Return an owner's lots, those with goods first, the newest first."""
    return await fetch_into(LotRow, _LOTS + " ORDER BY lot.remaining = 0, lot.id DESC", owner)


async def lot_page(lot_id: int, owner: int) -> LotRow:
    """
    Raises:
        NotFound: no such lot of this owner.
    """
    found = await fetch_one_into(LotRow, _LOTS + " AND lot.id = $2", owner, lot_id)
    if found is None:
        raise NotFound(msg("没有找到这批货。"))
    return found


async def storages_of(owner: int) -> list[StorageView]:
    return await fetch_into(
        StorageView,
        """SELECT id, name, kind, capacity, held, closed_at IS NULL AS is_open,
                  (SELECT count(*) FROM holding WHERE storage = storage.id AND grams > 0) AS lots
           FROM storage WHERE owner = $1 ORDER BY closed_at IS NOT NULL, kind, name, id""",
        owner,
    )


async def holdings_of(
    owner: int, *, lot_id: int | None = None, storage_id: int | None = None
) -> list[HoldingRow]:
    """Return what stands where, of one lot or in one place if it is named."""
    return await fetch_into(
        HoldingRow,
        """SELECT holding.lot, produce.zh AS produce_zh, produce.en AS produce_en, lot.variety,
                  storage.id AS storage, storage.name AS storage_name, holding.grams
           FROM holding JOIN lot ON lot.id = holding.lot JOIN produce ON produce.code = lot.produce
           JOIN storage ON storage.id = holding.storage
           WHERE lot.owner = $1 AND holding.grams > 0
             AND ($2::bigint IS NULL OR holding.lot = $2) AND ($3::bigint IS NULL OR storage.id = $3)
           ORDER BY storage.name, holding.lot""",
        owner,
        lot_id,
        storage_id,
    )


async def makings_of(lot_id: int, owner: int) -> list[Making]:
    """Return what was made out of a lot, the first time first."""
    return await fetch_into(
        Making,
        f"""SELECT transformation.id, {_NAMES}, transformation.grams, loss, at,
                   coalesce((SELECT jsonb_agg(jsonb_build_object('lot', made.id, 'produce_zh', produce.zh,
                       'produce_en', produce.en, 'variety', made.variety, 'grams', (SELECT change
                           FROM stock_entry WHERE lot = made.id AND kind = 'transformed'
                           ORDER BY stock_entry.id LIMIT 1)) ORDER BY made.id)
                     FROM lot AS made JOIN produce ON produce.code = made.produce
                     WHERE made.made_by = transformation.id), '[]') AS made
            FROM transformation JOIN lot ON lot.id = transformation.source
            WHERE source = $1 AND lot.owner = $2 ORDER BY transformation.id""",  # noqa: S608  words of ours; values are parameters
        lot_id,
        owner,
    )


_DEALS = """
SELECT deal.id, number, deal.quantity - deal.released AS quantity, price, gone.sent
FROM deal JOIN listing ON listing.id = deal.listing
CROSS JOIN LATERAL (SELECT -coalesce(sum(moved), 0)::bigint AS sent FROM stock_entry
    WHERE lot = listing.lot AND deal = deal.id AND kind IN ('out', 'returned')) AS gone
WHERE listing.lot = $1 AND listing.owner = $2
"""


async def open_deals_of(lot_id: int, owner: int) -> list[LotDeal]:
    """Return the contracts in force on a lot."""
    return await fetch_into(
        LotDeal, _DEALS + " AND deal.state IN ('active', 'completed') ORDER BY deal.id", lot_id, owner
    )


async def sent_deals_of(lot_id: int, owner: int) -> list[LotDeal]:
    """Return the contracts that goods of a lot have left for, in force or not."""
    return await fetch_into(LotDeal, _DEALS + " AND gone.sent > 0 ORDER BY deal.id", lot_id, owner)

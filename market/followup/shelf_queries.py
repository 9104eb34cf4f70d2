"""Which stores carry what: as the seller, the chain and the seller's town read it."""

from datetime import date, datetime

import msgspec

from market.db.session import fetch_into
from market.errors import NotFound
from market.followup.shelf_rules import is_stale
from market.i18n import msg


class ShelfRow(msgspec.Struct, frozen=True):
    """A product on a shelf, or that was. Fen per kg."""

    id: int
    site: int
    site_name: str
    site_name_en: str
    chain: int
    chain_name: str
    chain_name_en: str
    seller: int
    seller_name: str
    seller_name_en: str
    town: int | None
    town_name: str | None
    town_name_en: str | None
    produce: str
    produce_name: str
    produce_name_en: str
    label: str
    price: int | None
    since: date
    gone_on: date | None
    seen_on: date
    seen_by: int
    seen_by_name: str
    seen_by_name_en: str

    @property
    def is_on(self) -> bool:
        return self.gone_on is None

    def is_stale(self, today: date) -> bool:
        """It is said to be there, but nobody has looked for long."""
        return self.is_on and is_stale(self.seen_on, today=today)


_SHELF = """SELECT shelf_spell.id, site.id AS site, site.name AS site_name, site.name_en AS site_name_en,
       chain.id AS chain, chain.name AS chain_name, chain.name_en AS chain_name_en, seller.id AS seller,
       seller.name AS seller_name, seller.name_en AS seller_name_en, town.id AS town, town.name AS town_name,
       town.name_en AS town_name_en, produce.code AS produce, produce.zh AS produce_name,
       produce.en AS produce_name_en, shelf_spell.label, shelf_spell.price, shelf_spell.since,
       shelf_spell.gone_on, shelf_spell.seen_on, shelf_spell.seen_by, eye.name AS seen_by_name,
       eye.name_en AS seen_by_name_en
FROM shelf_spell JOIN site ON site.id = shelf_spell.site
JOIN organisation chain ON chain.id = site.organisation
JOIN organisation seller ON seller.id = shelf_spell.seller
LEFT JOIN organisation town ON town.id = seller.town
JOIN produce ON produce.code = shelf_spell.produce JOIN organisation eye ON eye.id = shelf_spell.seen_by
WHERE $1 IN (seller.id, chain.id, seller.town)
"""


async def shelf_of(*, organisation_id: int, limit: int | None = 100_000) -> list[ShelfRow]:
    """Return every product on a shelf that concerns the organisation: what is there first, then by chain."""
    return await fetch_into(
        ShelfRow,
        _SHELF
        + """ORDER BY shelf_spell.gone_on IS NOT NULL, chain.name, site.name, seller.name, shelf_spell.id DESC
             LIMIT $2""",
        organisation_id,
        limit,
    )


async def spell_of(*, spell_id: int, organisation_id: int) -> ShelfRow:
    """Return one product on one shelf.

    Raises:
        NotFound: there is none, or it is not yours to see.
    """
    rows = await fetch_into(ShelfRow, _SHELF + "AND shelf_spell.id = $2", organisation_id, spell_id)
    if not rows:
        raise NotFound(msg("没有找到这条上架记录。"))
    return rows[0]


class Sighting(msgspec.Struct, frozen=True):
    kind: str
    on: date
    price: int | None
    note: str
    organisation_name: str
    organisation_name_en: str
    person: str | None
    created_at: datetime


async def sightings_of(*, spell_id: int) -> list[Sighting]:
    """Return who saw what, the oldest first. Who may see the spell is for the caller to know."""
    return await fetch_into(
        Sighting,
        """SELECT shelf_sighting.kind, shelf_sighting."on", shelf_sighting.price, shelf_sighting.note,
                  organisation.name AS organisation_name, organisation.name_en AS organisation_name_en,
                  person.name AS person, shelf_sighting.created_at
           FROM shelf_sighting JOIN organisation ON organisation.id = shelf_sighting.organisation
           LEFT JOIN person ON person.id = shelf_sighting.person
           WHERE shelf_sighting.spell = $1 ORDER BY shelf_sighting.id""",
        spell_id,
    )


class Product(msgspec.Struct, frozen=True):
    """Something that one seller has sold to one chain under a signed contract."""

    seller: int
    seller_name: str
    seller_name_en: str
    chain: int
    chain_name: str
    chain_name_en: str
    produce: str
    title: str
    title_en: str


async def products_of(*, organisation_id: int) -> list[Product]:
    """Return what can be on a shelf: what was sold, newest first; each title once for each pair of sides."""
    return await fetch_into(
        Product,
        """SELECT deal.seller, seller.name AS seller_name, seller.name_en AS seller_name_en,
                  deal.buyer AS chain, buyer.name AS chain_name, buyer.name_en AS chain_name_en, lot.produce,
                  listing.title, max(listing.title_en) AS title_en
           FROM deal JOIN listing ON listing.id = deal.listing JOIN lot ON lot.id = listing.lot
           JOIN organisation seller ON seller.id = deal.seller
           JOIN organisation buyer ON buyer.id = deal.buyer
           WHERE $1 IN (deal.seller, deal.buyer) AND deal.state IN ('active', 'completed', 'terminated')
           GROUP BY deal.seller, seller.name, seller.name_en, deal.buyer, buyer.name, buyer.name_en,
                    lot.produce, listing.title
           ORDER BY max(deal.id) DESC LIMIT 200""",
        organisation_id,
    )


class Store(msgspec.Struct, frozen=True):
    id: int
    chain: int
    chain_name: str
    chain_name_en: str
    name: str
    name_en: str


async def stores_of(*, chains: list[int]) -> list[Store]:
    """Return the stores of some chains."""
    return await fetch_into(
        Store,
        """SELECT site.id, organisation.id AS chain, organisation.name AS chain_name,
                  organisation.name_en AS chain_name_en, site.name, site.name_en
           FROM site JOIN organisation ON organisation.id = site.organisation
           WHERE organisation.id = ANY($1::bigint[]) ORDER BY organisation.name, site.name""",
        chains,
    )

"""One listing as its town sees it."""

from datetime import date

import msgspec

from market.db.session import fetch_one_into
from market.errors import NotFound
from market.i18n import msg


class TownListing(msgspec.Struct, frozen=True):
    """Grams, and fen per kg. ``priority`` is the hardship bonus that the town grants in matching."""

    listing: int
    state: str
    title: str
    title_en: str
    seller: int
    seller_name: str
    seller_name_en: str
    quantity: int
    remaining: int
    ask: int
    priority: int
    available_from: date
    available_to: date


async def town_listing(*, listing_id: int, town_id: int) -> TownListing:
    """Return a listing of a seller of the town that is or was on sale.

    Raises:
        NotFound: there is none, or it is another town's.
    """
    found = await fetch_one_into(
        TownListing,
        """SELECT listing.id AS listing, listing.state, listing.title, listing.title_en,
                  owner.id AS seller, owner.name AS seller_name, owner.name_en AS seller_name_en,
                  lot.quantity, lot.remaining, listing.ask, listing.priority, listing.available_from,
                  listing.available_to
           FROM listing JOIN lot ON lot.id = listing.lot JOIN organisation owner ON owner.id = listing.owner
           WHERE listing.id = $1 AND owner.town = $2 AND listing.state <> 'draft'""",
        listing_id,
        town_id,
    )
    if found is None:
        raise NotFound(msg("没有找到这批货源。"))
    return found

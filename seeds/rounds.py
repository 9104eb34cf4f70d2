"""A round of open bidding in the demonstration, for goods that the meeting left: buyers can try it."""

from datetime import timedelta

from market import clock
from market.bids.open_bidding import BidInTheOpen, bid_openly
from market.bids.operations import NewBid
from market.supply.commands import NewWay
from market.supply.operations import choose_way
from market.supply.queries import listings_of
from market.supply.rules import OPEN
from market.units import GRAMS_PER_KG, FenPerKg, Gram
from seeds.case import Case
from seeds.story import People

#: The lot of the case, the step of a bid in fen per kg, and how long the round lasts from its first day on.
LOT, STEP, LASTS = "L03", FenPerKg(5), timedelta(days=6)
#: Who has bid already, in tonnes, and fen per kg above what the seller asks.
_BIDS = (("hegu", 18, 5), ("mancang", 15, 15))
#: A buyer takes delivery within so many days.
_WINDOW = timedelta(days=10)


async def open_round(loaded: Case, people: People) -> None:
    """Put the lot up for open bidding since yesterday, with two bids; it lasts some days more."""
    lot = next(each for each in loaded.lots if each.id == LOT)
    seller, at, today = people.organisations[lot.seller], clock.now() - timedelta(days=1), clock.today()
    listing = next(each for each in await listings_of(seller, today=today) if each.title == lot.title_zh)
    way = NewWay(OPEN, closes_at=at + LASTS, min_step=STEP)
    by = people.actors[lot.seller]
    await choose_way(listing_id=listing.listing_id, way=way, owner_id=seller, actor=by, at=at)
    for hours, (buyer, tonnes, above) in enumerate(_BIDS, start=1):
        bid = NewBid(
            listing_id=listing.listing_id,
            quantity=Gram(tonnes * 1_000 * GRAMS_PER_KG),
            price=FenPerKg(lot.ask + above),
            deliver_from=today + _WINDOW,
            deliver_to=today + 2 * _WINDOW,
        )
        await bid_openly(
            wish=BidInTheOpen(bid),
            buyer_id=people.organisations[buyer],
            actor=people.actors[buyer],
            at=at + timedelta(hours=4 * hours),
        )

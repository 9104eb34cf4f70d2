"""Many deals in one transaction."""

from datetime import timedelta

from fixtures.factories import STORY, TODAY, Factory, Member
from market.db.session import execute, fetch, fetch_value
from market.deals.making import DealWish, NewDeal, make_deals
from market.errors import Conflict
from market.units import FenPerKg, Gram


def wish(seller: Member, buyer: Member, listing_id: int, *, kg: int) -> DealWish:
    deal = NewDeal(
        listing_id=listing_id,
        demand_id=None,
        buyer_id=buyer.organisation_id,
        quantity=Gram(kg * 1_000),
        price=FenPerKg(701),
        source="bid",
        source_id=1,
        deliver_from=TODAY,
        deliver_to=TODAY + timedelta(days=9),
    )
    return DealWish(deal, seller.actor, STORY)


async def test_what_the_ledger_refuses_spoils_nobody_elses_deal(factory: Factory) -> None:
    """The ledger has the last word: who it gives nothing has no contract, the others have theirs."""
    seller, buyer = await factory.member(role="secretary"), await factory.member(role="buyer")
    listings = [await factory.listing(seller) for _ in range(2)]
    wishes = [wish(seller, buyer, listing_id, kg=1_000) for listing_id in listings]
    source = await fetch_value("SELECT pg_get_functiondef('reserve_stocks'::regproc)")
    taken = "wish.grams > 0 AND"
    assert source.count(taken) == 1
    try:
        await execute(source.replace(taken, f"wish.n > 1 AND {taken}"))
        refused, deal = await make_deals(wishes)
    finally:
        await execute(source)
    assert isinstance(refused, Conflict)
    assert [row["id"] for row in await fetch("SELECT id FROM deal")] == [deal]
    rows = await fetch("SELECT state, remaining FROM listing JOIN lot ON lot.id = lot ORDER BY listing.id")
    assert [tuple(row.values()) for row in rows] == [("published", 1_000_000), ("sold_out", 0)]


async def test_nobody_sells_to_itself_and_others_have_their_deals(factory: Factory) -> None:
    seller, buyer = await factory.member(role="secretary"), await factory.member(role="buyer")
    listing_id = await factory.listing(seller)
    wishes = [wish(seller, party, listing_id, kg=600) for party in (seller, buyer)]
    refused, deal = await make_deals(wishes)
    assert isinstance(refused, Conflict)
    assert [row["id"] for row in await fetch("SELECT id FROM deal")] == [deal]

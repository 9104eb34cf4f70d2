from datetime import timedelta

from fixtures.factories import STORY, TODAY, Factory
from market.bids.operations import NewBid, place_bid
from market.bids.standing import expire_bids
from market.db.jobs import Worker
from market.db.session import execute, fetch, fetch_value
from market.demand.operations import close_overdue
from market.matching.agreement import expire_matches
from market.matching.operations import run_now
from market.notices.queries import inbox
from market.supply.operations import expire_listings
from market.units import FenPerKg, Gram
from market.upkeep import schedule_upkeep


async def test_what_has_lapsed_is_moved_on_and_its_author_told(factory: Factory) -> None:
    town = await factory.member(role="official")
    seller = await factory.member(role="secretary", town_id=town.organisation_id)
    buyer = await factory.member(role="buyer")
    listing_id = await factory.listing(seller)
    await factory.demand(buyer)
    await run_now(town_id=town.organisation_id, actor=town.actor, at=STORY)
    await place_bid(
        bid=NewBid(listing_id, Gram(1_000), FenPerKg(700), TODAY, TODAY),
        buyer_id=buyer.organisation_id,
        actor=buyer.actor,
        at=STORY,
    )
    soon, late = STORY + timedelta(days=1), STORY + timedelta(days=90)
    assert (await expire_bids(at=soon), await expire_matches(at=soon)) == (0, 0)
    assert (await expire_bids(at=late), await expire_matches(at=late)) == (1, 1)
    assert (await inbox(organisation_id=buyer.organisation_id))[0].kind == "bid_expired"
    assert (await expire_listings(today=TODAY), await close_overdue(today=TODAY)) == (0, 0)
    assert (await expire_listings(today=late.date()), await close_overdue(today=late.date())) == (1, 1)
    assert await fetch_value("SELECT state FROM listing") == "expired"
    assert await fetch_value("SELECT state FROM demand") == "closed"


async def test_a_round_puts_down_the_next_one_and_asking_twice_makes_one(factory: Factory) -> None:
    for _ in range(2):
        await schedule_upkeep()
    assert await fetch_value("SELECT count(*) FROM job") == 1
    await execute("UPDATE job SET run_at = now() - interval '1 minute'")
    assert await Worker(tasks=1).work_once()
    rows = await fetch("SELECT state FROM job WHERE kind = 'upkeep' ORDER BY id")
    assert [row["state"] for row in rows] == ["done", "waiting"]

"""The best matches of what has just been published."""

from datetime import timedelta

import pytest

from fixtures.factories import STORY, TODAY, Factory, Member
from market.errors import Conflict, NotFound
from market.matching.at_once import best_of_demand, best_of_listing
from market.matching.operations import run_now
from market.supply.operations import move_listing


@pytest.fixture
async def people(factory: Factory) -> tuple[Member, Member, Member]:
    town = await factory.member(role="official")
    seller = await factory.member(role="secretary", town_id=town.organisation_id)
    return town, seller, await factory.member(role="buyer")


async def test_listing_sees_its_best_demands_at_once(
    people: tuple[Member, Member, Member], factory: Factory
) -> None:
    town, seller, buyer = people
    dear = await factory.demand(buyer, kg=600, ceiling=1_000)
    cheap = await factory.demand(buyer, kg=600, ceiling=900)
    await factory.demand(buyer, kg=600, ceiling=100)
    listing_id = await factory.listing(seller, kg=1_000, ask=700)
    for who in (seller, town):
        told = await best_of_listing(listing_id=listing_id, organisation_id=who.organisation_id, on=TODAY)
        assert [(option.demand, option.grams) for option in told.best] == [
            (str(dear), 600_000),
            (str(cheap), 600_000),
        ]
        assert told.matches is not None
        assert {match.demand: match.grams for match in told.matches} == {
            str(dear): 600_000,
            str(cheap): 400_000,
        }
        assert told.names.demands.keys() == {str(dear), str(cheap)}
        assert told.names.lots.keys() == {str(listing_id)}


async def test_demand_sees_the_listings_of_every_town(
    people: tuple[Member, Member, Member], factory: Factory
) -> None:
    town, seller, buyer = people
    other_town = await factory.member(role="official")
    neighbour = await factory.member(role="secretary", town_id=other_town.organisation_id)
    here = await factory.listing(seller, kg=500, ask=700)
    there = await factory.listing(neighbour, kg=500, ask=600)
    await run_now(town_id=town.organisation_id, actor=town.actor, at=STORY)
    demand_id = await factory.demand(buyer, kg=800, ceiling=900)
    told = await best_of_demand(demand_id=demand_id, buyer_id=buyer.organisation_id, on=TODAY)
    assert [option.lot for option in told.best] == [str(there), str(here)]
    assert told.matches is not None
    assert {match.lot: match.grams for match in told.matches} == {str(there): 500_000, str(here): 300_000}


async def test_strangers_are_told_nothing(people: tuple[Member, Member, Member], factory: Factory) -> None:
    _, seller, buyer = people
    listing_id, demand_id = await factory.listing(seller), await factory.demand(buyer)
    stranger = await factory.member(role="secretary")
    with pytest.raises(NotFound):
        await best_of_listing(listing_id=listing_id, organisation_id=stranger.organisation_id, on=TODAY)
    with pytest.raises(NotFound):
        await best_of_demand(demand_id=demand_id, buyer_id=seller.organisation_id, on=TODAY)


async def test_what_is_not_in_the_market_is_refused(
    people: tuple[Member, Member, Member], factory: Factory
) -> None:
    _, seller, buyer = people
    listing_id, demand_id = await factory.listing(seller), await factory.demand(buyer)
    await move_listing(
        listing_id=listing_id, owner_id=seller.organisation_id, move="suspend", actor=seller.actor, at=STORY
    )
    with pytest.raises(Conflict):
        await best_of_listing(listing_id=listing_id, organisation_id=seller.organisation_id, on=TODAY)
    with pytest.raises(Conflict):
        await best_of_demand(
            demand_id=demand_id, buyer_id=buyer.organisation_id, on=TODAY + timedelta(days=4_000)
        )

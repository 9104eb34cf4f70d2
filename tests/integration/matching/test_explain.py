"""What if on the database: who may suppose what, and what comes out of it."""

from datetime import timedelta
from decimal import Decimal

import pytest

from fixtures.factories import STORY, TODAY, Factory, Member
from market.errors import Conflict, Invalid, NotFound
from market.matching.diagnosis.changes import (
    Ask,
    Ceiling,
    Change,
    Credentials,
    DemandQuantity,
    LotQuantity,
    Reach,
)
from market.matching.explain import names_of, try_demand, try_listing
from market.matching.operations import run_now
from market.supply.operations import move_listing
from market.units import Gram


@pytest.fixture
async def people(factory: Factory) -> tuple[Member, Member, Member]:
    town = await factory.member(role="official")
    seller = await factory.member(role="secretary", town_id=town.organisation_id)
    return town, seller, await factory.member(role="buyer")


async def test_a_lower_ask_is_tried_without_changing_anything(
    people: tuple[Member, Member, Member], factory: Factory
) -> None:
    town, seller, buyer = people
    listing_id = await factory.listing(seller, kg=1_000, ask=1_200)
    demand_id = await factory.demand(buyer, kg=600, ceiling=900)
    for who in (seller, town):
        effect = await try_listing(
            listing_id=listing_id,
            organisation_id=who.organisation_id,
            changes=[Ask(ask=Decimal("8"))],
            on=TODAY,
        )
        assert (effect.before.traded, effect.after.traded, effect.after.rest) == (0, 600_000, 400_000)
        assert [(trade.partner, trade.quantity) for trade in effect.after.trades] == [
            (str(demand_id), 600_000)
        ]
        assert effect.exact
    again = await try_listing(
        listing_id=listing_id, organisation_id=seller.organisation_id, changes=[], on=TODAY
    )
    assert again.before == again.after


async def test_who_else_is_touched_is_told(people: tuple[Member, Member, Member], factory: Factory) -> None:
    _, seller, buyer = people
    dear = await factory.listing(seller, kg=500, ask=800)
    cheap = await factory.listing(seller, kg=500, ask=700)
    await factory.demand(buyer, kg=500, ceiling=900)
    effect = await try_listing(
        listing_id=dear,
        organisation_id=seller.organisation_id,
        changes=[Ask(ask=Decimal("6"))],
        on=TODAY,
    )
    assert [(shift.side, shift.id, shift.before, shift.after) for shift in effect.others] == [
        ("lot", str(cheap), 500_000, 0)
    ]


async def test_a_demand_is_tried_by_its_buyer_once_a_town_has_run(
    people: tuple[Member, Member, Member], factory: Factory
) -> None:
    town, seller, buyer = people
    await factory.listing(seller, kg=1_000, ask=1_200)
    demand_id = await factory.demand(buyer, kg=600, ceiling=900)
    changes: list[Change] = [Ceiling(ceiling=Decimal(14))]
    with pytest.raises(Conflict):
        await try_demand(demand_id=demand_id, buyer_id=buyer.organisation_id, changes=changes, on=TODAY)
    await run_now(town_id=town.organisation_id, actor=town.actor, at=STORY)
    effect = await try_demand(demand_id=demand_id, buyer_id=buyer.organisation_id, changes=changes, on=TODAY)
    assert (effect.before.traded, effect.after.traded) == (0, 600_000)


async def test_nobody_supposes_for_another(people: tuple[Member, Member, Member], factory: Factory) -> None:
    town, seller, buyer = people
    listing_id = await factory.listing(seller)
    other = await factory.listing(seller, ask=650)
    demand_id = await factory.demand(buyer)
    await run_now(town_id=town.organisation_id, actor=town.actor, at=STORY)
    stranger = await factory.member(role="secretary", town_id=town.organisation_id)
    with pytest.raises(NotFound):
        await try_listing(
            listing_id=listing_id, organisation_id=stranger.organisation_id, changes=[], on=TODAY
        )
    with pytest.raises(NotFound):
        await try_demand(demand_id=demand_id, buyer_id=seller.organisation_id, changes=[], on=TODAY)
    for change in (
        LotQuantity(of=str(other), quantity=Gram(1_000)),
        Ceiling(of=str(demand_id), ceiling=Decimal(1)),
        DemandQuantity(of=str(demand_id), quantity=Gram(1_000)),
    ):
        with pytest.raises(Invalid):
            await try_listing(
                listing_id=listing_id, organisation_id=seller.organisation_id, changes=[change], on=TODAY
            )
    for theirs in (Ask(of=str(other), ask=Decimal(1)), Reach(of="999", max_distance_km=None)):
        with pytest.raises(Invalid):
            await try_demand(demand_id=demand_id, buyer_id=buyer.organisation_id, changes=[theirs], on=TODAY)


async def test_what_is_not_on_sale_cannot_be_tried(
    people: tuple[Member, Member, Member], factory: Factory
) -> None:
    _, seller, _ = people
    listing_id = await factory.listing(seller)
    await move_listing(
        listing_id=listing_id,
        move="suspend",
        owner_id=seller.organisation_id,
        actor=seller.actor,
        at=STORY,
    )
    with pytest.raises(Conflict):
        await try_listing(listing_id=listing_id, organisation_id=seller.organisation_id, changes=[], on=TODAY)


async def test_impossible_values_are_refused_with_their_field(
    people: tuple[Member, Member, Member], factory: Factory
) -> None:
    _, seller, _ = people
    listing_id = await factory.listing(seller)
    with pytest.raises(Invalid) as refused:
        await try_listing(
            listing_id=listing_id,
            organisation_id=seller.organisation_id,
            changes=[Ask(ask=Decimal(-1)), Credentials(codes=frozenset())],
            on=TODAY + timedelta(days=1),
        )
    assert set(refused.value.fields) == {"ask", "credentials"}


async def test_names_are_those_of_listings_and_demands(
    people: tuple[Member, Member, Member], factory: Factory
) -> None:
    _, seller, buyer = people
    listing_id, demand_id = await factory.listing(seller, title="甲"), await factory.demand(buyer, title="乙")
    names = await names_of(lots=[str(listing_id)], demands=[str(demand_id), "999999"])
    assert {key: (one.title, one.owner) for key, one in names.lots.items()} == {
        str(listing_id): ("甲", seller.organisation_id)
    }
    assert [one.title for one in names.demands.values()] == ["乙"]

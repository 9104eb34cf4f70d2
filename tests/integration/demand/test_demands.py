from datetime import date, timedelta

import pytest

from fixtures.factories import STORY, TODAY, Factory
from market.bids.operations import NewBid, accept_bid, place_bid
from market.db.session import execute
from market.demand.filters import DemandFilters
from market.demand.operations import move_demand
from market.demand.queries import demand_page, demands_of, open_demands
from market.errors import NotFound
from market.units import FenPerKg, Gram


async def titles(**filters: object) -> list[str]:
    return [each.title for each in (await open_demands(DemandFilters(**filters))).rows]  # type: ignore[arg-type]


async def test_open_demands_are_found_by_kind_title_and_buyer(factory: Factory) -> None:
    buyer = await factory.member(role="buyer")
    await factory.demand(buyer, title="求购大粒花生")
    await factory.demand(buyer, produce="peanut-oil", title="年货用油")
    assert await titles() == ["年货用油", "求购大粒花生"]
    assert await titles(q="花生油") == ["年货用油"]
    assert await titles(q="peanut oil") == ["年货用油"]
    assert await titles(q="大粒") == ["求购大粒花生"]
    assert await titles(q="peanut-oil", produce="peanut") == []
    assert await titles(produce="peanut") == ["求购大粒花生"]
    assert await titles(category="oilcrop", buyer=buyer.organisation_id) == ["年货用油", "求购大粒花生"]
    assert await titles(buyer=buyer.organisation_id + 1) == []
    for q in ("%", "_", "😀", "\0", "'; DROP TABLE demand; --"):
        assert (q, await titles(q=q)) == (q, [])


async def test_filters_of_day_quantity_and_grade(factory: Factory) -> None:
    buyer = await factory.member(role="buyer")
    await factory.demand(buyer, kg=500, title="少")
    strict = await factory.demand(buyer, kg=5_000, title="多")
    await execute("UPDATE demand SET min_grade = 3 WHERE id = $1", strict)
    assert await titles(quantity=Gram(1_000_000)) == ["多"]
    assert await titles(grade=2) == ["少"]
    assert await titles(on=TODAY + timedelta(days=30), sort="quantity") == ["多", "少"]
    assert await titles(on=date(2030, 1, 1)) == []


async def test_facets_count_categories_beside_the_chosen_one(factory: Factory) -> None:
    await execute("INSERT INTO category (code, zh, en, position) VALUES ('oil', '食用油', 'Oil', 2)")
    await execute("UPDATE produce SET category = 'oil' WHERE code = 'peanut-oil'")
    buyer = await factory.member(role="buyer")
    await factory.demand(buyer)
    await factory.demand(buyer, produce="peanut-oil")
    page = await open_demands(DemandFilters(category="oil"))
    assert page.total == 1
    assert [(each.code, each.count, each.chosen) for each in page.facets["category"]] == [
        ("oilcrop", 1, False),
        ("oil", 1, True),
    ]


async def test_a_cancelled_demand_is_its_buyers_alone(factory: Factory) -> None:
    buyer, other = await factory.member(role="buyer"), await factory.member(role="buyer")
    demand_id = await factory.demand(buyer, requires=("test-report",))
    shown = await demand_page(demand_id, None)
    assert ([each.code for each in shown.requires], shown.open, shown.mine) == (
        ["test-report"],
        1_000_000,
        False,
    )
    await move_demand(
        demand_id=demand_id, move="cancel", buyer_id=buyer.organisation_id, actor=buyer.actor, at=STORY
    )
    assert await titles() == []
    assert (await demand_page(demand_id, buyer.organisation_id)).mine
    for viewer in (None, other.organisation_id):
        with pytest.raises(NotFound):
            await demand_page(demand_id, viewer)
    with pytest.raises(NotFound):
        await demand_page(0, None)


async def test_a_buyers_demands_come_with_what_was_bought(factory: Factory) -> None:
    seller, buyer = await factory.member(role="secretary"), await factory.member(role="buyer")
    demand_id = await factory.demand(buyer, kg=1_000)
    untouched = await factory.demand(buyer)
    listing_id = await factory.listing(seller)
    bid_id = await place_bid(
        bid=NewBid(
            listing_id=listing_id,
            demand_id=demand_id,
            quantity=Gram(400_000),
            price=FenPerKg(720),
            deliver_from=TODAY,
            deliver_to=TODAY + timedelta(days=10),
        ),
        buyer_id=buyer.organisation_id,
        actor=buyer.actor,
        at=STORY,
    )
    await accept_bid(bid_id=bid_id, seller_id=seller.organisation_id, actor=seller.actor, at=STORY)
    own = {each.demand_id: each for each in await demands_of(buyer.organisation_id)}
    assert (own[demand_id].deals, own[demand_id].bought, own[demand_id].worth) == (1, 400_000, 288_000)
    assert own[demand_id].open == 600_000
    assert (own[untouched].deals, own[untouched].bought, own[untouched].worth) == (0, 0, 0)
    assert await demands_of(seller.organisation_id) == []

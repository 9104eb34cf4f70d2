"""A finished run looked at again: pairs explained, villages reported, bonuses weighed, computed once more."""

import pytest

from fixtures.factories import STORY, Factory, Member
from market.db.session import execute, fetch_value
from market.errors import NotFound
from market.matching.agreement import decline
from market.matching.operations import run_now
from market.matching.queries import gains_of, matches_of
from market.matching.review import bonus_of_run, compute_again, villages_of_run, why_in_run
from market.supply.commands import Bonus
from market.supply.operations import set_priority
from market.units import FenPerKg


@pytest.fixture
async def town(factory: Factory) -> Member:
    return await factory.member(role="official")


async def run(town: Member) -> int:
    return await run_now(town_id=town.organisation_id, actor=town.actor, at=STORY)


async def test_a_pair_is_explained_from_what_the_run_kept(town: Member, factory: Factory) -> None:
    seller = await factory.member(role="secretary", town_id=town.organisation_id)
    buyer = await factory.member(role="buyer")
    cheap = await factory.listing(seller, kg=500, ask=650)
    dear = await factory.listing(seller, kg=500, ask=700)
    oil = await factory.listing(seller, kg=500, produce="peanut-oil")
    demand_id = await factory.demand(buyer, kg=500, ceiling=900)
    run_id = await run(town)
    codes = {}
    for listing_id in (cheap, dear, oil):
        why = await why_in_run(
            run_id=run_id, town_id=town.organisation_id, listing_id=listing_id, demand_id=demand_id
        )
        codes[listing_id] = why.code
        if listing_id == dear:
            assert why.figures
            assert why.figures.lot_gain + why.figures.demand_gain >= why.figures.worth - 1e-6
            assert [use.partner for use in why.competitors] == [str(cheap)]
    assert codes[cheap] == "paired"
    assert codes[dear] in ("better_elsewhere", "tie")
    assert codes[oil] == "product"
    # a run of before gains were kept is solved again, to the same answer
    await execute("UPDATE run SET gains = NULL WHERE id = $1", run_id)
    assert await gains_of(run_id=run_id, town_id=town.organisation_id) is None
    solved = await why_in_run(
        run_id=run_id, town_id=town.organisation_id, listing_id=dear, demand_id=demand_id
    )
    assert solved.code == codes[dear]


async def test_a_declined_pair_is_explained_as_declined(town: Member, factory: Factory) -> None:
    seller = await factory.member(role="secretary", town_id=town.organisation_id)
    buyer = await factory.member(role="buyer")
    listing_id, demand_id = await factory.listing(seller), await factory.demand(buyer)
    await run(town)
    (match,) = await matches_of(organisation_id=buyer.organisation_id)
    await decline(
        match_id=match.id,
        organisation_id=buyer.organisation_id,
        reason="quality",
        note="",
        actor=buyer.actor,
        at=STORY,
    )
    why = await why_in_run(
        run_id=await run(town),
        town_id=town.organisation_id,
        listing_id=listing_id,
        demand_id=demand_id,
    )
    assert why.code == "declined"


async def test_only_the_town_and_only_what_the_run_knew(town: Member, factory: Factory) -> None:
    seller = await factory.member(role="secretary", town_id=town.organisation_id)
    listing_id = await factory.listing(seller)
    run_id = await run(town)
    stranger = await factory.member(role="official")
    for town_id, demand_id in ((stranger.organisation_id, 1), (town.organisation_id, 999_999)):
        with pytest.raises(NotFound):
            await why_in_run(run_id=run_id, town_id=town_id, listing_id=listing_id, demand_id=demand_id)
    for look in (villages_of_run, bonus_of_run):
        with pytest.raises(NotFound):
            await look(run_id=run_id, town_id=stranger.organisation_id)
    with pytest.raises(NotFound):
        await compute_again(run_id=run_id, town_id=stranger.organisation_id, actor=stranger.actor, at=STORY)


async def test_every_village_is_reported_also_one_that_sold_nothing(town: Member, factory: Factory) -> None:
    sellers = [await factory.member(role="secretary", town_id=town.organisation_id) for _ in range(2)]
    buyer = await factory.member(role="buyer")
    await factory.listing(sellers[0], kg=1_000, ask=700)
    await factory.listing(sellers[1], kg=800, ask=3_000)
    await factory.demand(buyer, kg=1_000, ceiling=900)
    found = await villages_of_run(run_id=await run(town), town_id=town.organisation_id)
    assert [(each.id, each.report.offered, each.report.sold, each.report.left) for each in found] == [
        (sellers[1].organisation_id, 800_000, 0, 800_000),
        (sellers[0].organisation_id, 1_000_000, 1_000_000, 0),
    ]
    assert found[0].report.obstacle
    assert found[1].report.revenue >= 700_000


async def test_a_bonus_is_weighed_once_and_kept(town: Member, factory: Factory) -> None:
    seller = await factory.member(role="secretary", town_id=town.organisation_id)
    buyer = await factory.member(role="buyer")
    await factory.listing(seller, kg=500, ask=690)
    marked = await factory.listing(seller, kg=500, ask=700)
    await factory.demand(buyer, kg=500, ceiling=900)
    plain = await run(town)
    assert await bonus_of_run(run_id=plain, town_id=town.organisation_id) is None
    await set_priority(
        listing_id=marked,
        bonus=Bonus(FenPerKg(50)),
        town_id=town.organisation_id,
        actor=town.actor,
        at=STORY,
    )
    run_id = await run(town)
    cost = await bonus_of_run(run_id=run_id, town_id=town.organisation_id)
    assert cost
    assert (cost.marked_without.sold, cost.marked_with.sold) == (0, 500_000)
    # 0.10 yuan dearer for 500 kg
    assert cost.cost_yuan == pytest.approx(50)
    assert await fetch_value("SELECT bonus IS NOT NULL FROM run WHERE id = $1", run_id)
    assert await bonus_of_run(run_id=run_id, town_id=town.organisation_id) == cost


async def test_computing_again_gives_the_same_and_notices_what_was_altered(
    town: Member, factory: Factory
) -> None:
    seller = await factory.member(role="secretary", town_id=town.organisation_id)
    buyer = await factory.member(role="buyer")
    await factory.listing(seller)
    await factory.demand(buyer, kg=600)
    run_id = await run(town)
    again = await compute_again(run_id=run_id, town_id=town.organisation_id, actor=town.actor, at=STORY)
    assert (again.identical, again.pairs, again.differing, again.finished) == (True, 1, [], True)
    await execute("UPDATE match SET quantity = quantity - 1 WHERE run = $1", run_id)
    altered = await compute_again(run_id=run_id, town_id=town.organisation_id, actor=town.actor, at=STORY)
    assert (altered.identical, len(altered.differing)) == (False, 1)

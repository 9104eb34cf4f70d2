from datetime import timedelta
from decimal import Decimal

import pytest

from fixtures.factories import STORY, TODAY, Factory, Member
from market.bids.opening import open_round
from market.db.session import execute, fetch_value
from market.deals.queries import deal_of, deals_of
from market.errors import Conflict, Invalid, NotFound
from market.matching.agreement import agree, decline
from market.matching.at_once import best_of_listing
from market.matching.findings import diagnosis_of
from market.matching.operations import request_run, run_now
from market.matching.queries import (
    inputs_of,
    latest_run,
    match_of,
    matches_of,
    matches_of_run,
    possible_pairs,
    run_of,
    stamp_of,
)
from market.matching.review import compute_again
from market.matching.run_jobs import fail_abandoned
from market.notices.queries import inbox
from market.supply.commands import NewListing, NewWay
from market.supply.operations import choose_way, publish_listing
from market.transitions import WrongState
from market.units import FenPerKg, Gram


async def town_with_a_village(factory: Factory) -> tuple[Member, Member, Member]:
    town = await factory.member(role="official")
    seller = await factory.member(role="secretary", town_id=town.organisation_id)
    return town, seller, await factory.member(role="buyer")


async def run(town: Member) -> int:
    return await run_now(town_id=town.organisation_id, actor=town.actor, at=STORY)


async def test_a_run_pairs_the_market_with_proof_and_tells_both_sides(factory: Factory) -> None:
    town, seller, buyer = await town_with_a_village(factory)
    listing_id = await factory.listing(seller, kg=1_000, ask=700)
    demand_id = await factory.demand(buyer, kg=600, ceiling=900)
    run_id = await run(town)
    (match,) = await matches_of_run(run_id=run_id, town_id=town.organisation_id)
    assert (match.listing, match.demand, match.quantity, match.state) == (
        listing_id,
        demand_id,
        600_000,
        "proposed",
    )
    assert 70_000 <= match.price_low <= match.price <= match.price_high <= 90_000 - match.freight
    found = await latest_run(town_id=town.organisation_id)
    assert found
    assert found.certificate
    assert (found.certificate["exact"], found.certificate["gap"], found.matches) == (True, 0.0, 1)
    for member, link in ((seller, "/matches"), (buyer, "/matches"), (town, f"/town/runs/{run_id}")):
        assert link in [notice.link for notice in await inbox(organisation_id=member.organisation_id)]


@pytest.mark.parametrize("side", ["seller", "buyer"])
async def test_the_suspended_are_left_out_and_what_was_proposed_before_says_so(
    factory: Factory, side: str
) -> None:
    town, seller, buyer = await town_with_a_village(factory)
    other = await factory.member(role="secretary", town_id=town.organisation_id)
    for each in (seller, other):
        await factory.listing(each, kg=400, ask=700)
    await factory.demand(buyer, kg=600, ceiling=900)
    await factory.demand(await factory.member(role="buyer"), kg=200, ceiling=900)
    where = {"town_id": town.organisation_id}
    before = await matches_of_run(run_id=await run(town), **where)
    assert len({each.seller for each in before}) == len({each.buyer for each in before}) == 2
    assert {each.suspended for each in before} == {None}
    barred = (seller if side == "seller" else buyer).organisation_id
    stamp = await stamp_of(on=TODAY, **where)
    pairs = await possible_pairs(on=TODAY, **where)
    await execute("UPDATE organisation SET standing = 'suspended' WHERE id = $1", barred)
    assert await stamp_of(on=TODAY, **where) != stamp
    assert (pairs, await possible_pairs(on=TODAY, **where)) == (4, 2)
    told = [await match_of(match_id=each.id, organisation_id=each.seller) for each in before]
    assert {each.suspended for each in told if barred in (each.seller, each.buyer)} == {barred}
    assert {each.suspended for each in told if barred not in (each.seller, each.buyer)} <= {None}
    run_id = await run(town)
    after = await matches_of_run(run_id=run_id, **where)
    assert after
    assert all(barred not in (each.seller, each.buyer) for each in after)
    # the proof is one of the market that the run has read, and stays so when the suspension is over
    await execute("UPDATE organisation SET standing = 'unverified' WHERE id = $1", barred)
    market = await inputs_of(run_id=run_id, **where)
    assert str(barred) not in {each.seller for each in market.lots} | {each.buyer for each in market.demands}
    found = await run_of(run_id=run_id, **where)
    assert found.certificate
    assert (found.certificate["exact"], found.certificate["gap"]) == (True, 0.0)


async def test_goods_in_a_sealed_round_are_no_runs_until_it_is_opened(factory: Factory) -> None:
    town, seller, buyer = await town_with_a_village(factory)
    closes = STORY + timedelta(days=2)
    listing_id = await publish_listing(
        listing=NewListing(
            produce="peanut",
            title="红衣花生",
            quantity=Gram(1_000_000),
            ask=FenPerKg(700),
            available_from=TODAY,
            available_to=TODAY + timedelta(days=60),
            way="sealed",
            closes_at=closes,
        ),
        owner_id=seller.organisation_id,
        actor=seller.actor,
        at=STORY,
    )
    await factory.demand(buyer, kg=600)
    assert await possible_pairs(town_id=town.organisation_id, on=TODAY) == 0
    assert await matches_of_run(run_id=await run(town), town_id=town.organisation_id) == []
    assert await inbox(organisation_id=buyer.organisation_id) == []
    with pytest.raises(Conflict, match="密封报价"):
        await best_of_listing(listing_id=listing_id, organisation_id=seller.organisation_id, on=TODAY)

    assert await open_round(listing_id=listing_id, at=closes)
    assert await possible_pairs(town_id=town.organisation_id, on=TODAY) == 1
    (match,) = await matches_of_run(run_id=await run(town), town_id=town.organisation_id)
    assert match.listing == listing_id


async def test_goods_at_a_fixed_price_are_offered_at_it_whatever_the_engine_reckons(
    factory: Factory,
) -> None:
    town, seller, buyer = await town_with_a_village(factory)
    listing_id = await factory.listing(seller, kg=600, ask=700)
    await choose_way(
        listing_id=listing_id,
        way=NewWay("fixed"),
        owner_id=seller.organisation_id,
        actor=seller.actor,
        at=STORY,
    )
    await factory.demand(buyer, kg=600, ceiling=900)
    run_id = await run(town)
    again = await compute_again(run_id=run_id, town_id=town.organisation_id, actor=town.actor, at=STORY)
    assert again.differing == []
    (match,) = await matches_of(organisation_id=buyer.organisation_id)
    assert (match.price, match.engine_price > 70_000) == (70_000, True)
    assert match.price_low <= match.engine_price <= match.price_high
    assert match.reason.values["seller"] == "0.00"
    live = await best_of_listing(listing_id=listing_id, organisation_id=seller.organisation_id, on=TODAY)
    assert {each.price for each in live.best} == {Decimal(7)}
    for side in (seller, buyer):
        done = await agree(
            match_id=match.id, organisation_id=side.organisation_id, actor=side.actor, at=STORY
        )
    assert await fetch_value("SELECT price FROM deal WHERE id = $1", done.deal_id) == 700


async def test_what_is_left_is_told_why(factory: Factory) -> None:
    town, seller, buyer = await town_with_a_village(factory)
    listing_id = await factory.listing(seller, kg=1_000, ask=700)
    await factory.demand(buyer, kg=400, requires=("test-report",))
    await run(town)
    first = (await diagnosis_of(listing_id=listing_id, organisation_id=seller.organisation_id))[0]
    assert (first.obstacle, first.unlocks) == ("credential", 400_000)
    stranger = await factory.member(role="secretary")
    assert await diagnosis_of(listing_id=listing_id, organisation_id=stranger.organisation_id) == []


async def test_agreement_of_both_sides_makes_one_deal(factory: Factory) -> None:
    town, seller, buyer = await town_with_a_village(factory)
    await factory.listing(seller, kg=1_000)
    await factory.demand(buyer, kg=600)
    await run(town)
    (match,) = await matches_of(organisation_id=seller.organisation_id)
    first = await agree(
        match_id=match.id, organisation_id=seller.organisation_id, actor=seller.actor, at=STORY, key="a"
    )
    again = await agree(
        match_id=match.id, organisation_id=seller.organisation_id, actor=seller.actor, at=STORY, key="a"
    )
    assert (first.state, first) == ("one_side_agreed", again)
    second = await agree(
        match_id=match.id, organisation_id=buyer.organisation_id, actor=buyer.actor, at=STORY
    )
    assert second.deal_id
    deal = await deal_of(deal_id=second.deal_id, organisation_id=seller.organisation_id)
    assert (deal.quantity, deal.price) == (600_000, match.price // 100)
    assert await fetch_value("SELECT remaining FROM lot") == 400_000
    assert await fetch_value("SELECT open FROM demand") == 0


async def test_a_lapsed_match_cannot_be_agreed_to(factory: Factory) -> None:
    town, seller, buyer = await town_with_a_village(factory)
    await factory.listing(seller)
    await factory.demand(buyer)
    await run(town)
    (match,) = await matches_of(organisation_id=seller.organisation_id)
    with pytest.raises(Conflict):
        await agree(
            match_id=match.id,
            organisation_id=seller.organisation_id,
            actor=seller.actor,
            at=match.expires_at + timedelta(seconds=1),
        )


async def test_a_declined_pair_is_not_proposed_again(factory: Factory) -> None:
    town, seller, buyer = await town_with_a_village(factory)
    await factory.listing(seller)
    await factory.demand(buyer)
    await run(town)
    (match,) = await matches_of(organisation_id=buyer.organisation_id)
    with pytest.raises(Invalid):
        await decline(
            match_id=match.id,
            organisation_id=buyer.organisation_id,
            reason="",
            note="",
            actor=buyer.actor,
            at=STORY,
        )
    await decline(
        match_id=match.id,
        organisation_id=buyer.organisation_id,
        reason="quality",
        note="",
        actor=buyer.actor,
        at=STORY,
    )
    with pytest.raises(WrongState):
        await agree(match_id=match.id, organisation_id=seller.organisation_id, actor=seller.actor, at=STORY)
    again = await run(town)
    assert await matches_of_run(run_id=again, town_id=town.organisation_id) == []


async def test_nobody_is_paired_with_themselves(factory: Factory) -> None:
    town = await factory.member(role="official")
    seller = await factory.member(role="secretary", town_id=town.organisation_id)
    await execute("UPDATE organisation SET granted = '{buy}' WHERE id = $1", seller.organisation_id)
    await factory.listing(seller)
    await factory.demand(seller)
    await run_now(town_id=town.organisation_id, actor=town.actor, at=STORY)
    assert await fetch_value("SELECT count(*) FROM match") == 0


async def test_what_one_side_has_agreed_to_stays_out_of_the_next_run(factory: Factory) -> None:
    town, seller, buyer = await town_with_a_village(factory)
    await factory.listing(seller, kg=1_000)
    await factory.demand(buyer, kg=600)
    await run(town)
    (match,) = await matches_of(organisation_id=seller.organisation_id)
    await agree(match_id=match.id, organisation_id=seller.organisation_id, actor=seller.actor, at=STORY)
    await factory.demand(buyer, kg=700)
    again = await run(town)
    (fresh,) = await matches_of_run(run_id=again, town_id=town.organisation_id)
    assert fresh.quantity == 400_000
    inputs = await inputs_of(run_id=again, town_id=town.organisation_id)
    assert [lot.quantity for lot in inputs.lots] == [400_000]
    kept = await match_of(match_id=match.id, organisation_id=buyer.organisation_id)
    assert kept.state == "one_side_agreed"


async def test_a_new_run_supersedes_what_nobody_took_up(factory: Factory) -> None:
    town, seller, buyer = await town_with_a_village(factory)
    await factory.listing(seller)
    await factory.demand(buyer)
    first = await run(town)
    second = await run(town)
    assert [m.state for m in await matches_of_run(run_id=first, town_id=town.organisation_id)] == [
        "superseded"
    ]
    assert [m.state for m in await matches_of_run(run_id=second, town_id=town.organisation_id)] == [
        "proposed"
    ]
    assert len(await matches_of(organisation_id=buyer.organisation_id)) == 1


async def test_two_runs_of_one_town_do_not_overlap(factory: Factory) -> None:
    town, *_ = await town_with_a_village(factory)
    await request_run(town_id=town.organisation_id, actor=town.actor, at=STORY)
    with pytest.raises(Conflict):
        await request_run(town_id=town.organisation_id, actor=town.actor, at=STORY)


async def test_matches_are_nobody_elses(factory: Factory) -> None:
    town, seller, buyer = await town_with_a_village(factory)
    await factory.listing(seller)
    await factory.demand(buyer)
    await run(town)
    (match,) = await matches_of(organisation_id=seller.organisation_id)
    stranger = await factory.member(role="buyer")
    with pytest.raises(NotFound):
        await match_of(match_id=match.id, organisation_id=stranger.organisation_id)
    with pytest.raises(NotFound):
        await agree(
            match_id=match.id, organisation_id=stranger.organisation_id, actor=stranger.actor, at=STORY
        )
    assert await deals_of(organisation_id=seller.organisation_id) == []


async def test_a_run_that_nobody_works_on_any_more_makes_room_for_another(factory: Factory) -> None:
    town, *_ = await town_with_a_village(factory)
    first = await request_run(town_id=town.organisation_id, actor=town.actor, at=STORY)
    late = STORY + timedelta(hours=2)
    assert await fail_abandoned(at=late) == 0  # its job still waits
    await execute("UPDATE job SET state = 'dead' WHERE kind = 'matching.run'")
    assert await fail_abandoned(at=STORY) == 0  # too early to tell
    assert await fail_abandoned(at=late) == 1
    failed = await run_of(run_id=first, town_id=town.organisation_id)
    assert (failed.state, str(failed.error)) == ("failed", "计算中断了，请重新撮合。")
    await request_run(town_id=town.organisation_id, actor=town.actor, at=late)


async def test_lots_under_contract_count_among_the_most_lots_of_a_demand(factory: Factory) -> None:
    town, seller, buyer = await town_with_a_village(factory)
    await factory.listing(seller, kg=400, ask=700)
    demand_id = await factory.demand(buyer, kg=600, ceiling=900, max_lots=1)
    run_id = await run(town)
    (match,) = await matches_of_run(run_id=run_id, town_id=town.organisation_id)
    for side in (seller, buyer):
        await agree(match_id=match.id, organisation_id=side.organisation_id, actor=side.actor, at=STORY)
    assert await fetch_value("SELECT open FROM demand WHERE id = $1", demand_id) == 200_000
    await factory.listing(seller, kg=400, ask=650)
    again = await run(town)
    assert await matches_of_run(run_id=again, town_id=town.organisation_id) == []

from fixtures.factories import STORY, TODAY, Factory
from market.dashboard.queries import counts, flows, funnel, money, stuck
from market.db.session import execute, fetch_value
from market.deals.fulfilment import move_delivery, schedule_delivery
from market.deals.operations import sign
from market.deals.paying import pay
from market.deals.queries import deals_of, payments_of
from market.matching.agreement import agree
from market.matching.operations import run_now
from market.matching.queries import matches_of
from market.supply.operations import move_listing
from market.supply.transforming import ListingOfLot, list_lot
from market.units import FenPerKg, Gram, amount


async def test_figures_are_the_sums_of_the_deals(factory: Factory) -> None:
    town = await factory.member(role="official")
    seller = await factory.member(role="secretary", town_id=town.organisation_id)
    buyers = [await factory.member(role="buyer") for _ in range(3)]
    await factory.listing(seller, kg=1_000)
    for buyer, kg in zip(buyers, (100, 200, 300), strict=True):
        await factory.demand(buyer, kg=kg)
    town_id = town.organisation_id
    await run_now(town_id=town_id, actor=town.actor, at=STORY)
    proposed = await funnel(town_id=town_id)
    assert (proposed.listed, proposed.matched, proposed.signed) == (1_000_000, 600_000, 0)

    for match in await matches_of(organisation_id=seller.organisation_id):
        buyer = next(each for each in buyers if each.organisation_id == match.buyer)
        for side in (seller, buyer):
            await agree(match_id=match.id, organisation_id=side.organisation_id, actor=side.actor, at=STORY)
    deals = {deal.buyer: deal for deal in await deals_of(organisation_id=town_id)}
    # two of three are signed, one of them is delivered and paid
    for buyer in buyers[:2]:
        for side in (seller, buyer):
            await sign(
                deal_id=deals[buyer.organisation_id].id,
                organisation_id=side.organisation_id,
                actor=side.actor,
                at=STORY,
            )
    done = deals[buyers[1].organisation_id]
    delivery_id = await schedule_delivery(
        deal_id=done.id,
        quantity=Gram(done.quantity),
        on=TODAY,
        organisation_id=seller.organisation_id,
        actor=seller.actor,
        at=STORY,
    )
    for side, move in ((seller, "dispatch"), (buyers[1], "arrive"), (buyers[1], "accept")):
        await move_delivery(
            delivery_id=delivery_id,
            move=move,
            organisation_id=side.organisation_id,
            actor=side.actor,
            at=STORY,
        )
    for payment in await payments_of(deal_id=done.id):
        await pay(
            payment_id=payment.id,
            organisation_id=buyers[1].organisation_id,
            actor=buyers[1].actor,
            at=STORY,
        )

    rows = await deals_of(organisation_id=town_id)
    signed = [deal for deal in rows if deal.state in ("active", "completed")]
    stages = await funnel(town_id=town_id)
    assert stages.matched == sum(deal.quantity for deal in rows) == 600_000
    assert stages.signed == sum(deal.quantity for deal in signed) == 300_000
    assert stages.delivered == sum(deal.delivered for deal in rows) == 200_000
    sums = await money(town_id=town_id)
    assert sums.signed == sum(amount(deal.quantity, deal.price) for deal in signed)
    assert sums.intended == sum(amount(deal.quantity, deal.price) for deal in rows) - sums.signed
    assert sums.received.goods == sums.received.goods_due == sums.delivered > 0
    assert sums.delivered == sum(deal.paid for deal in rows)
    assert sum(flow.grams for flow in await flows(town_id=town_id)) == 600_000
    counted = await counts(town_id=town_id)
    assert (counted.deals, counted.signed_deals, counted.buyers, counted.sellers) == (3, 2, 2, 1)
    assert [(each.remaining, each.promised) for each in await stuck(town_id=town_id)] == [(400_000, 0)]


async def test_obstacle_is_the_newest_runs_alone(factory: Factory) -> None:
    town = await factory.member(role="official")
    seller = await factory.member(role="secretary", town_id=town.organisation_id)
    await factory.listing(seller, kg=1_000)
    told = []
    await run_now(town_id=town.organisation_id, actor=town.actor, at=STORY)
    for state in ("failed", "done"):
        told += [each.obstacle is None for each in await stuck(town_id=town.organisation_id)]
        # another run that says nothing of the listing; one that came to nothing changes nothing
        await execute(
            """INSERT INTO run (town, state, parameters, created_at)
               SELECT town, $2, parameters, created_at FROM run WHERE town = $1 ORDER BY id LIMIT 1""",
            town.organisation_id,
            state,
        )
    told += [each.obstacle is None for each in await stuck(town_id=town.organisation_id)]
    assert told == [False, False, True]


async def test_another_towns_goods_are_not_counted(factory: Factory) -> None:
    here, there = await factory.member(role="official"), await factory.member(role="official")
    seller = await factory.member(role="secretary", town_id=there.organisation_id)
    await factory.listing(seller)
    assert (await funnel(town_id=here.organisation_id)).listed == 0
    assert (await funnel(town_id=there.organisation_id)).listed == 1_000_000


async def test_goods_that_were_put_on_sale_twice_are_counted_once(factory: Factory) -> None:
    town = await factory.member(role="official")
    seller = await factory.member(role="secretary", town_id=town.organisation_id)
    first = await factory.listing(seller, kg=1_000)
    await factory.listing(seller, kg=200)
    lot_id = await fetch_value("SELECT lot FROM listing WHERE id = $1", first)
    mine = {"owner_id": seller.organisation_id, "actor": seller.actor, "at": STORY}
    await move_listing(listing_id=first, move="withdraw", **mine)
    again = ListingOfLot("红衣花生", FenPerKg(650), TODAY, TODAY)
    await list_lot(lot_id=lot_id, listing=again, **mine)
    assert (await funnel(town_id=town.organisation_id)).listed == 1_200_000

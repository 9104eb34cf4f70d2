"""Several processes accept offers of many lots on few demands, which change meanwhile and get goods back."""

import asyncio
import os
import random
from pathlib import Path
from typing import Any

import pytest

from fixtures.factories import STORY, TODAY, Factory, Member
from market.bids.negotiating import accept_counter
from market.bids.offering import NewOffer, place_offer
from market.bids.standing import revise_wants
from market.db.session import Engine, fetch, fetch_value, started_pool
from market.deals.operations import cancel
from market.demand.commands import DemandWants
from market.errors import MarketError
from market.units import FenPerKg, Gram
from tests import databases
from tests.integration.db.conftest import Child, people
from tests.integration.trading.floor import broken_laws

KG = 1_000
KG_EACH, KG_WANTED = 30, 500


async def offers_on(factory: Factory, buyer: Member, *, demands: int, lots: int) -> list[int]:
    """Offers of 30 kg, each lot on every demand: more than any demand wants, and each lot fits one only."""
    seller = await factory.member(role="secretary")
    wanted = [await factory.demand(buyer, kg=KG_WANTED) for _ in range(demands)]
    return [
        await place_offer(
            offer=NewOffer(demand, listing, Gram(KG_EACH * KG), FenPerKg(700), TODAY, TODAY),
            seller_id=seller.organisation_id,
            actor=seller.actor,
            at=STORY,
        )
        for listing in [await factory.listing(seller, kg=KG_EACH) for _ in range(lots)]
        for demand in wanted
    ]


def accept_all(address: dict[str, Any], home: Path, buyer: Member, offers: list[int]) -> list[int]:
    """Accept the offers, eight at a time, in a process of its own; return how many were, and were not."""

    async def work() -> list[int]:
        left, done = iter(offers), [0, 0]

        async def one() -> None:
            for offer in left:
                try:
                    await accept_counter(
                        bid_id=offer, buyer_id=buyer.organisation_id, actor=buyer.actor, at=STORY
                    )
                    done[0] += 1
                except MarketError:
                    done[1] += 1

        async with started_pool(databases.limits(home), address=address):
            await asyncio.gather(*(one() for _ in range(8)))
        return done

    return asyncio.run(work())


async def change_meanwhile(buyer: Member, chance: random.Random) -> None:
    """Want more or less, or cancel a contract that nobody has signed, until it is called off.

    It begins with the first contract: who changes what he wants before anybody accepts has to be asked again.
    """
    by = {"actor": buyer.actor, "at": STORY}
    while not await fetch_value("SELECT count(*) FROM deal"):
        await fetch("SELECT pg_sleep(0.005)")
    while True:
        try:
            if chance.random() < 0.5:
                deal = await fetch_value(
                    "SELECT id FROM deal WHERE state = 'pending' ORDER BY random() LIMIT 1"
                )
                if deal is not None:
                    await cancel(
                        reason="other",
                        note="不做了",
                        deal_id=deal,
                        organisation_id=buyer.organisation_id,
                        **by,
                    )
            else:
                demand = (await fetch("SELECT * FROM demand ORDER BY random() LIMIT 1"))[0]
                kg = chance.choice([KG_WANTED, KG_WANTED + 100])
                wants = DemandWants(
                    Gram(kg * KG), FenPerKg(900), demand["deliver_from"], demand["deliver_to"], 0, Gram(0), ()
                )
                await revise_wants(demand_id=demand["id"], wants=wants, buyer_id=buyer.organisation_id, **by)
        except MarketError:
            pass
        await fetch("SELECT pg_sleep(0.01)")


async def race(
    factory: Factory, address: dict[str, Any], home: Path, *, hands: int, demands: int, lots: int, seed: int
) -> None:
    buyer = await factory.member(role="buyer")
    offers = await offers_on(factory, buyer, demands=demands, lots=lots)
    chance = random.Random(seed)
    chance.shuffle(offers)
    at_work = [
        Child(people()[0], lambda own=offers[n::hands]: accept_all(address, home, buyer, own))
        for n in range(hands)
    ]
    changing = asyncio.create_task(change_meanwhile(buyer, chance))
    try:
        ends = await asyncio.gather(*(asyncio.to_thread(each.result) for each in at_work))
    finally:
        changing.cancel()
        await asyncio.gather(changing, return_exceptions=True)
    accepted = sum(done for done, _ in ends)
    assert accepted == await fetch_value("SELECT count(*) FROM deal") > 0
    assert sum(refused for _, refused in ends) == len(offers) - accepted > 0
    assert await broken_laws() == {}


async def test_demands_that_change_are_never_overfilled_by_several_processes(
    db: Engine, factory: Factory, database: dict[str, Any], cluster_home: Path
) -> None:
    await race(factory, database, cluster_home, hands=2, demands=2, lots=30, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(0)
async def test_demands_are_never_overfilled_in_a_long_race(
    db: Engine, factory: Factory, database: dict[str, Any], cluster_home: Path
) -> None:
    lots = int(os.environ.get("SOAK_LOTS", "200"))
    await race(factory, database, cluster_home, hands=4, demands=20, lots=lots, seed=random.randrange(10**6))

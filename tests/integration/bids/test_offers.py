"""Offers of sellers on demands: the turns of bids, the other way round."""

from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import msgspec
import pytest

from fixtures.factories import STORY, TODAY, Factory, Member, window_end
from market.audit.queries import history
from market.bids.accepting import AcceptWish, accept_bid, serve
from market.bids.negotiating import Counter, accept_counter, counter_bid, reconfirm_bid, reject_bid
from market.bids.offer_queries import goods_of, offers_on
from market.bids.offering import NewOffer, place_offer
from market.bids.queries import bids_of
from market.bids.standing import end_offers, move_wants, revise_wants
from market.db.gathering import NotTogether
from market.db.session import Engine, execute, fetch, fetch_value
from market.deals.queries import deal_of
from market.demand.commands import DemandWants
from market.errors import Conflict, Invalid, MarketError, NotFound
from market.notices.queries import inbox
from market.transitions import WrongState
from market.units import FenPerKg, Gram
from tests.integration.races import at_once, connections

WANTS = DemandWants(
    quantity=Gram(1_000_000), ceiling=FenPerKg(900), deliver_from=TODAY, deliver_to=window_end(30)
)
DAYS = (TODAY, TODAY + timedelta(days=10))


class Scene(msgspec.Struct):
    """A buyer wants 1,000 kg of peanuts; one seller has 800 kg of them on sale."""

    buyer: Member
    seller: Member
    demand_id: int
    listing_id: int

    async def offer(
        self, *, kg: int = 600, price: int = 700, least: int | None = None, key: str | None = None
    ) -> int:
        return await place_offer(
            offer=NewOffer(
                self.demand_id,
                self.listing_id,
                Gram(kg * 1_000),
                FenPerKg(price),
                *DAYS,
                least=None if least is None else Gram(least * 1_000),
            ),
            seller_id=self.seller.organisation_id,
            actor=self.seller.actor,
            at=STORY,
            key=key,
        )

    async def accept(self, bid_id: int, *, kg: int | None = None, key: str | None = None) -> int:
        return await accept_counter(
            bid_id=bid_id,
            buyer_id=self.buyer.organisation_id,
            actor=self.buyer.actor,
            at=STORY,
            key=key,
            quantity=None if kg is None else Gram(kg * 1_000),
        )

    async def revise(self, **changes: object) -> None:
        await revise_wants(
            demand_id=self.demand_id,
            wants=msgspec.structs.replace(WANTS, **changes),
            buyer_id=self.buyer.organisation_id,
            actor=self.buyer.actor,
            at=STORY,
        )


@pytest.fixture
async def scene(factory: Factory) -> Scene:
    buyer, seller = await factory.member(role="buyer"), await factory.member(role="secretary")
    return Scene(buyer, seller, await factory.demand(buyer, kg=1_000), await factory.listing(seller, kg=800))


async def state_of(bid_id: int) -> tuple[str, str]:
    rows = await fetch("SELECT state, awaiting FROM bid WHERE id = $1", bid_id)
    return rows[0]["state"], rows[0]["awaiting"]


async def test_offer_is_countered_and_accepted_in_part_from_stock_and_demand_alike(scene: Scene) -> None:
    goods = await goods_of(seller_id=scene.seller.organisation_id, produce="peanut")
    assert [(each.listing, each.remaining) for each in goods] == [(scene.listing_id, 800_000)]
    bid_id = await scene.offer(key="one")
    assert await scene.offer(key="one") == bid_id
    assert await state_of(bid_id) == ("submitted", "buyer")
    told = await inbox(organisation_id=scene.buyer.organisation_id)
    assert (told[0].kind, told[0].link) == ("offer_placed", f"/demands/{scene.demand_id}/offers")
    with pytest.raises(Conflict, match="已经给这条需求报过价"):
        await scene.offer(kg=500)
    with pytest.raises(WrongState):
        await accept_bid(
            bid_id=bid_id,
            seller_id=scene.seller.organisation_id,
            actor=scene.seller.actor,
            at=STORY,
        )
    first = await counter_bid(
        counter=Counter(bid_id, Gram(700_000), FenPerKg(650), *DAYS),
        organisation_id=scene.buyer.organisation_id,
        side="buyer",
        actor=scene.buyer.actor,
        at=STORY,
    )
    second = await counter_bid(
        counter=Counter(first, Gram(700_000), FenPerKg(680), *DAYS, least=Gram(300_000)),
        organisation_id=scene.seller.organisation_id,
        side="seller",
        actor=scene.seller.actor,
        at=STORY,
    )
    for kg in (299, 701):
        with pytest.raises(Invalid):
            await scene.accept(second, kg=kg)
    deal_id = await scene.accept(second, kg=400, key="take")
    assert await scene.accept(second, kg=400, key="take") == deal_id
    deal = await deal_of(deal_id=deal_id, organisation_id=scene.seller.organisation_id)
    assert (deal.quantity, deal.price, deal.source, deal.demand) == (400_000, 680, "offer", scene.demand_id)
    assert await fetch_value("SELECT remaining FROM lot") == 400_000
    assert await fetch_value("SELECT open FROM demand") == 600_000
    for member in (scene.buyer, scene.seller):
        rows = await offers_on(demand_id=scene.demand_id, organisation_id=member.organisation_id)
        assert [(row.id, row.state, row.bought) for row in rows] == [(second, "accepted", 400_000)]
    assert [row.answers for row in await bids_of(organisation_id=scene.buyer.organisation_id)] == ["demand"]
    assert [step.action for step in await history(subjects=[f"bid:{bid_id}"])] == ["offer", "counter"]


async def test_offer_must_fit_demand_and_goods_and_is_for_its_two_sides_alone(
    scene: Scene, factory: Factory
) -> None:
    stranger = await factory.member(role="secretary")
    oil = await factory.listing(scene.seller, produce="peanut-oil", title="花生油")
    big = await factory.listing(scene.seller, kg=5_000, title="另一批")
    taken = msgspec.structs.replace(scene, seller=stranger)
    for wrong, kg, error in (
        (scene, 801, Invalid),
        (msgspec.structs.replace(scene, listing_id=big), 1_001, Invalid),
        (msgspec.structs.replace(scene, listing_id=oil), 100, Invalid),
        (taken, 100, NotFound),
        (msgspec.structs.replace(scene, demand_id=999), 100, NotFound),
    ):
        with pytest.raises(error):
            await wrong.offer(kg=kg)
    with pytest.raises(Invalid, match="最少接受"):
        await scene.offer(kg=100, least=101)
    await execute("UPDATE listing SET way = 'sealed', closes_at = $1 WHERE id = $2", STORY, big)
    with pytest.raises(Conflict, match="密封报价"):
        await msgspec.structs.replace(scene, listing_id=big).offer(kg=100)
    await scene.offer()
    assert await offers_on(demand_id=scene.demand_id, organisation_id=stranger.organisation_id) == []


async def test_what_matters_in_a_demand_asks_the_seller_again_and_its_end_ends_offers(
    scene: Scene, factory: Factory
) -> None:
    bid_id = await scene.offer()
    await scene.revise(quantity=Gram(1_200_000), ceiling=FenPerKg(950))
    assert await state_of(bid_id) == ("submitted", "buyer")
    await scene.revise(quantity=Gram(1_200_000), ceiling=FenPerKg(950), requires=("test-report",))
    assert await state_of(bid_id) == ("needs_reconfirm", "seller")
    assert (await inbox(organisation_id=scene.seller.organisation_id))[0].kind == "offer_unsettled"
    # while it waits to be confirmed, terms that change once more are told once more
    await scene.revise(quantity=Gram(1_200_000), ceiling=FenPerKg(940), requires=("test-report",))
    told = await inbox(organisation_id=scene.seller.organisation_id)
    assert [each.kind for each in told].count("offer_unsettled") == 2
    with pytest.raises(WrongState):
        await scene.accept(bid_id)
    await reconfirm_bid(
        bid_id=bid_id,
        organisation_id=scene.seller.organisation_id,
        side="seller",
        actor=scene.seller.actor,
        at=STORY,
    )
    await reject_bid(
        bid_id=bid_id,
        organisation_id=scene.buyer.organisation_id,
        side="buyer",
        reason="price",
        note="",
        actor=scene.buyer.actor,
        at=STORY,
    )
    rows = await offers_on(demand_id=scene.demand_id, organisation_id=scene.seller.organisation_id)
    assert (rows[0].state, rows[0].reason_zh) == ("rejected", "price")
    again = await scene.offer()
    await scene.accept(
        await msgspec.structs.replace(scene, listing_id=await factory.listing(scene.seller, kg=500)).offer(
            kg=300
        )
    )
    with pytest.raises(Invalid) as refused:
        await scene.revise(quantity=Gram(299_000))
    assert set(refused.value.fields) == {"quantity"}
    assert await end_offers(at=STORY) == 0
    await move_wants(
        demand_id=scene.demand_id,
        move="close",
        buyer_id=scene.buyer.organisation_id,
        actor=scene.buyer.actor,
        at=STORY,
    )
    assert (await state_of(again))[0] == "expired"
    with pytest.raises(Conflict):
        await scene.revise()


BUYS, KG_EACH, KG_WANTED = 40, 30, 1_000


@pytest.fixture
async def wide(factory: Factory, db: Engine) -> AsyncIterator[Factory]:
    async with connections(db, BUYS):
        yield factory


async def race(factory: Factory) -> tuple[int, int, int]:
    """Let 40 accepts of 30 kg, each from a lot of its own, run into one demand of 1,000 kg.

    Returns how many were accepted, the grams in deals, and the grams still open.
    """
    buyer = await factory.member(role="buyer")
    demand_id = await factory.demand(buyer, kg=KG_WANTED)
    seller = await factory.member(role="secretary")
    offers = [
        await Scene(buyer, seller, demand_id, await factory.listing(seller, kg=KG_EACH)).offer(kg=KG_EACH)
        for _ in range(BUYS)
    ]

    async def accept(bid_id: int) -> bool:
        wish = AcceptWish(bid_id, buyer.organisation_id, "buyer", buyer.actor, STORY, None)
        try:
            return not isinstance((await serve([wish], True))[0], MarketError)
        except (MarketError, NotTogether, asyncpg.CheckViolationError):
            return False

    accepted = sum(await at_once(map(accept, offers)))
    sold = await fetch_value("SELECT coalesce(sum(quantity), 0)::bigint FROM deal")
    return accepted, sold, await fetch_value("SELECT open FROM demand WHERE id = $1", demand_id)


async def test_concurrent_accepts_of_many_lots_never_fill_a_demand_twice(wide: Factory) -> None:
    accepted, sold, left = await race(wide)
    assert accepted == KG_WANTED // KG_EACH
    assert (sold, left) == (accepted * KG_EACH * 1_000, KG_WANTED * 1_000 - sold)


async def test_without_the_demands_lock_the_same_race_goes_wrong(wide: Factory) -> None:
    """The proof that the test above can fail: it sees what the lock, and the check below it, prevent."""
    source = await fetch_value("SELECT pg_get_functiondef('hold_goods'::regproc)")
    lock = "PERFORM FROM demand WHERE id = ANY(p_demands) ORDER BY id FOR NO KEY UPDATE;"
    assert lock in source
    try:
        await execute("ALTER TABLE demand DROP CONSTRAINT demand_open_not_negative")
        await execute(source.replace(lock, ""))
        accepted, _, left = await race(wide)
    finally:
        await execute(source)
        await execute("TRUNCATE demand CASCADE")
        await execute("ALTER TABLE demand ADD CONSTRAINT demand_open_not_negative CHECK (open >= 0)")
    assert accepted > KG_WANTED // KG_EACH
    assert left < 0

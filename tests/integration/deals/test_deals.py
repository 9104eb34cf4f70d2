import asyncpg
import pytest

from fixtures.factories import STORY, TODAY, Factory, Member
from market.db.session import execute, fetch, fetch_value
from market.deals.fulfilment import move_delivery, schedule_delivery
from market.deals.operations import cancel, sign
from market.deals.paying import pay
from market.deals.queries import deal_of, deals_of, payments_of
from market.deals.receipts import answer_receipt, receipts_under
from market.errors import Conflict, Invalid, NotFound
from market.transitions import WrongState
from market.units import Gram
from tests.integration.deals.scene import contract


async def made(
    factory: Factory, *, kg: int = 400, demand_kg: int | None = None
) -> tuple[Member, Member, int]:
    seller, buyer = await factory.member(role="secretary"), await factory.member(role="buyer")
    listing_id = await factory.listing(seller)
    demand_id = await factory.demand(buyer, kg=demand_kg) if demand_kg else None
    deal_id = await contract(seller, buyer, listing_id=listing_id, demand_id=demand_id, grams=kg * 1_000)
    return seller, buyer, deal_id


async def sign_both(seller: Member, buyer: Member, deal_id: int) -> None:
    for side in (seller, buyer):
        await sign(deal_id=deal_id, organisation_id=side.organisation_id, actor=side.actor, at=STORY)


async def test_both_signatures_make_the_contract_binding(factory: Factory) -> None:
    seller, buyer, deal_id = await made(factory)
    first = await sign(deal_id=deal_id, organisation_id=buyer.organisation_id, actor=buyer.actor, at=STORY)
    with pytest.raises(Conflict):
        await sign(deal_id=deal_id, organisation_id=buyer.organisation_id, actor=buyer.actor, at=STORY)
    second = await sign(deal_id=deal_id, organisation_id=seller.organisation_id, actor=seller.actor, at=STORY)
    assert (first, second) == ("partly_signed", "active")
    with pytest.raises(WrongState):
        await cancel(
            reason="other",
            note="不做了",
            deal_id=deal_id,
            organisation_id=seller.organisation_id,
            actor=seller.actor,
            at=STORY,
        )


async def test_cancelling_gives_stock_and_demand_back(factory: Factory) -> None:
    seller, _, deal_id = await made(factory, kg=1_000, demand_kg=1_500)
    assert await fetch_value("SELECT open FROM demand") == 500_000
    assert await fetch_value("SELECT state FROM listing") == "sold_out"
    await cancel(
        reason="other",
        note="不做了",
        deal_id=deal_id,
        organisation_id=seller.organisation_id,
        actor=seller.actor,
        at=STORY,
    )
    assert await fetch_value("SELECT open FROM demand") == 1_500_000
    assert await fetch_value("SELECT remaining FROM lot") == 1_000_000
    assert await fetch_value("SELECT state FROM listing") == "published"
    kinds = [row["kind"] for row in await fetch("SELECT kind FROM stock_entry ORDER BY id")]
    assert kinds == ["in", "reserved", "released"]


async def test_a_deal_takes_no_more_than_the_demand_wants(factory: Factory) -> None:
    with pytest.raises(Conflict):
        await made(factory, kg=400, demand_kg=300)
    assert await fetch_value("SELECT remaining FROM lot") == 1_000_000
    assert await fetch_value("SELECT count(*) FROM deal") == 0


async def test_a_deal_is_seen_by_its_sides_and_the_sellers_town_only(factory: Factory) -> None:
    town = await factory.member(role="official")
    seller = await factory.member(role="secretary", town_id=town.organisation_id)
    buyer, stranger = await factory.member(role="buyer"), await factory.member(role="buyer")
    deal_id = await contract(seller, buyer, listing_id=await factory.listing(seller), grams=1_000)
    for member in (town, seller, buyer):
        seen = await deals_of(organisation_id=member.organisation_id)
        assert [deal.id for deal in seen] == [deal_id]
    assert await deals_of(organisation_id=stranger.organisation_id) == []
    with pytest.raises(NotFound):
        await deal_of(deal_id=deal_id, organisation_id=stranger.organisation_id)
    with pytest.raises(NotFound):
        await sign(deal_id=deal_id, organisation_id=town.organisation_id, actor=town.actor, at=STORY)


async def test_goods_delivered_and_paid_complete_the_contract(factory: Factory) -> None:
    seller, buyer, deal_id = await made(factory)
    with pytest.raises(Conflict):
        await schedule_delivery(
            deal_id=deal_id,
            quantity=Gram(400_000),
            on=TODAY,
            organisation_id=seller.organisation_id,
            actor=seller.actor,
            at=STORY,
        )
    await sign_both(seller, buyer, deal_id)
    with pytest.raises(Invalid):
        await schedule_delivery(
            deal_id=deal_id,
            quantity=Gram(400_001),
            on=TODAY,
            organisation_id=seller.organisation_id,
            actor=seller.actor,
            at=STORY,
        )
    for grams in (150_000, 250_000):
        delivery_id = await schedule_delivery(
            deal_id=deal_id,
            quantity=Gram(grams),
            on=TODAY,
            organisation_id=seller.organisation_id,
            actor=seller.actor,
            at=STORY,
        )
        for side, move in ((seller, "dispatch"), (buyer, "arrive"), (buyer, "accept")):
            await move_delivery(
                delivery_id=delivery_id,
                move=move,
                organisation_id=side.organisation_id,
                actor=side.actor,
                at=STORY,
            )
    payments = await payments_of(deal_id=deal_id)
    assert [payment.amount for payment in payments] == [105_150, 175_250]
    for payment in payments:
        await pay(payment_id=payment.id, organisation_id=buyer.organisation_id, actor=buyer.actor, at=STORY)
    for receipt in await receipts_under([deal_id]):
        await answer_receipt(
            receipt_id=receipt.id,
            move="confirm",
            organisation_id=seller.organisation_id,
            actor=seller.actor,
            at=STORY,
        )
    deal = await deal_of(deal_id=deal_id, organisation_id=seller.organisation_id)
    assert (deal.state, deal.delivered, deal.paid) == ("completed", 400_000, 280_400)


async def test_refused_goods_need_a_reason_and_are_not_invoiced(factory: Factory) -> None:
    seller, buyer, deal_id = await made(factory)
    await sign_both(seller, buyer, deal_id)
    delivery_id = await schedule_delivery(
        deal_id=deal_id,
        quantity=Gram(400_000),
        on=TODAY,
        organisation_id=seller.organisation_id,
        actor=seller.actor,
        at=STORY,
    )
    for side, move in ((seller, "dispatch"), (buyer, "arrive")):
        await move_delivery(
            delivery_id=delivery_id,
            move=move,
            organisation_id=side.organisation_id,
            actor=side.actor,
            at=STORY,
        )
    refuse = {"delivery_id": delivery_id, "organisation_id": buyer.organisation_id, "actor": buyer.actor}
    with pytest.raises(Invalid):
        await move_delivery(move="reject", at=STORY, **refuse)
    await move_delivery(move="reject", at=STORY, reason="quality", **refuse)
    assert await payments_of(deal_id=deal_id) == []


async def test_stock_is_written_by_the_stock_functions_alone(factory: Factory) -> None:
    await made(factory)
    with pytest.raises(asyncpg.RaiseError):
        await execute("UPDATE lot SET remaining = remaining + 1")


async def test_history_cannot_be_rewritten(factory: Factory) -> None:
    await made(factory)
    for statement in ("DELETE FROM audit_record", "UPDATE stock_entry SET change = 0"):
        with pytest.raises(asyncpg.RaiseError):
            await execute(statement)

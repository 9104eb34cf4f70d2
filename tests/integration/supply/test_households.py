"""The 172 households of a pooled lot: their shares, and money that is divided among them."""

from datetime import date

import pytest

from fixtures.factories import STORY, Factory, Member
from market.db.session import execute, fetch, fetch_value, transaction
from market.errors import Conflict, Invalid, NotFound
from market.supply.households import (
    Share,
    cancel_settlement,
    pool_of,
    replaced_lists,
    set_shares,
    settle,
    settlement_page,
    settlements_of,
)
from market.supply.money_in import money_of
from market.units import Fen
from tests.integration.supply.test_listings import lot_of
from tests.integration.supply.test_stock import correct, sold
from tests.integration.supply.test_transforming import press, processes

HOUSEHOLDS = [Share(f"第{n}户", 5_000_000 + n * 1_237) for n in range(172)]
TONNES = sum(each.grams for each in HOUSEHOLDS)


@pytest.fixture
async def seller(factory: Factory) -> Member:
    await processes()
    return await factory.member(role="secretary")


async def pooled(factory: Factory, owner: Member) -> int:
    """A lot of 172 households, to the gram."""
    lot = await lot_of(await factory.listing(owner, kg=860_000))
    await execute(
        "SELECT correct_stock($1, $2, NULL, 'gathered', '', NULL, $3)", lot, TONNES - 860_000_000, STORY
    )
    await share_out(owner, lot, HOUSEHOLDS)
    return lot


async def share_out(owner: Member, lot: int, shares: list[Share]) -> None:
    await set_shares(lot_id=lot, shares=shares, owner_id=owner.organisation_id, actor=owner.actor, at=STORY)


async def pay(
    owner: Member, lot: int, fen: int, *, deal: int | None = None, on: date = date(2026, 11, 20)
) -> int:
    return await settle(
        lot_id=lot,
        money=Fen(fen),
        received_on=on,
        deal_id=deal,
        note="",
        owner_id=owner.organisation_id,
        actor=owner.actor,
        at=STORY,
    )


async def test_money_for_oil_goes_to_the_households_of_the_peanuts(factory: Factory, seller: Member) -> None:
    lot = await pooled(factory, seller)
    oil = (await press(seller, lot)).lots[0]
    # no money is divided before it is there
    with pytest.raises(Invalid) as early:
        await pay(seller, oil, 100, on=date(2026, 11, 24))
    assert early.value.fields.keys() == {"received_on"}
    settled = await pay(seller, oil, 123_456_789)
    row, lines = await settlement_page(settled, seller.organisation_id)
    assert (row.lot, row.pool, row.households, row.amount) == (oil, lot, 172, 123_456_789)
    assert sum(line.amount for line in lines) == 123_456_789
    assert [line.household for line in lines] == [each.household for each in HOUSEHOLDS]
    assert [each.id for each in await settlements_of(lot, seller.organisation_id)] == [settled]


async def test_shares_must_add_up_to_the_gram(factory: Factory, seller: Member) -> None:
    lot = await lot_of(await factory.listing(seller, kg=1))
    with pytest.raises(Invalid) as refused:
        await share_out(seller, lot, [Share("甲", 600), Share("乙", 399)])
    assert list(refused.value.fields) == ["rows"]
    assert await pool_of(lot, seller.organisation_id) is None
    await share_out(seller, lot, [Share("甲", 600), Share("乙", 400)])
    await correct(seller, lot, 1, "gathered")
    with pytest.raises(Invalid):
        await pay(seller, lot, 100)


async def test_loss_is_borne_by_all_and_leaves_the_shares(factory: Factory, seller: Member) -> None:
    lot = await lot_of(await factory.listing(seller, kg=3))
    await share_out(seller, lot, [Share("甲", 1_000), Share("乙", 2_000)])
    await correct(seller, lot, -1, "dried")
    _, lines = await settlement_page(await pay(seller, lot, 100), seller.organisation_id)
    assert [line.amount for line in lines] == [33, 67]


async def pay_in(deal: int, fen: int, *, kind: str = "goods") -> None:
    """The buyer has paid."""
    await execute(
        """INSERT INTO payment (deal, amount, paid, kind, state, due_on)
           VALUES ($1, $2, $2, $3, 'paid', '2026-11-20')""",
        *(deal, fen, kind),
    )


async def test_contract_is_settled_up_to_what_came_in_and_no_further(
    factory: Factory, seller: Member
) -> None:
    buyer = await factory.member(role="buyer")
    listing = await factory.listing(seller, kg=1_000)
    lot = await lot_of(listing)
    await share_out(seller, lot, [Share("甲", 1_000_000)])
    deal = await sold(factory, seller, buyer, listing, kg=100)
    with pytest.raises(Invalid) as refused:
        await pay(seller, lot, 1, deal=deal)
    assert await money_of(lot, seller.organisation_id) == []
    await pay_in(deal, 70_000)
    settled = await pay(seller, lot, 70_000, deal=deal)
    with pytest.raises(Invalid) as refused:
        await pay(seller, lot, 1, deal=deal)
    assert list(refused.value.fields) == ["amount"]

    async def cancel() -> None:
        await cancel_settlement(
            settlement_id=settled, owner_id=seller.organisation_id, actor=seller.actor, at=STORY
        )

    await cancel()
    with pytest.raises(Conflict):
        await cancel()
    await pay(seller, lot, 70_000, deal=deal)


async def test_deposit_of_a_contract_that_ended_counts_only_where_the_buyer_broke_it(
    factory: Factory, seller: Member
) -> None:
    buyer = await factory.member(role="buyer")
    listing = await factory.listing(seller, kg=1_000)
    lot = await lot_of(listing)
    deal = await sold(factory, seller, buyer, listing, kg=100)
    await pay_in(deal, 30_000, kind="deposit")
    await execute("UPDATE deal SET state = 'terminated', released = quantity WHERE id = $1", deal)
    left = [
        (each.received, each.to_return, each.left) for each in await money_of(lot, seller.organisation_id)
    ]
    assert left == [(30_000, 30_000, 0)]
    await execute(
        """INSERT INTO breach (deal, claimant, respondent, ground, statement, state, created_at)
           VALUES ($1, $2, $3, 'walked_away', '', 'confirmed', $4)""",
        *(deal, seller.organisation_id, buyer.organisation_id, STORY),
    )
    left = [
        (each.received, each.to_return, each.left) for each in await money_of(lot, seller.organisation_id)
    ]
    # beyond a fifth of the price it was no deposit
    assert left == [(30_000, 16_000, 14_000)]


async def test_a_list_that_money_was_divided_by_is_replaced_with_a_reason_and_kept(
    factory: Factory, seller: Member
) -> None:
    lot = await lot_of(await factory.listing(seller, kg=1))
    first, second = [Share("甲", 600), Share("乙", 400)], [Share("甲", 1_000)]
    await share_out(seller, lot, first)
    await pay(seller, lot, 100)
    with pytest.raises(Invalid) as refused:
        await share_out(seller, lot, second)
    assert list(refused.value.fields) == ["reason"]
    await share_out(seller, lot, first)  # the same list changes nothing
    await set_shares(
        lot_id=lot,
        shares=second,
        owner_id=seller.organisation_id,
        actor=seller.actor,
        at=STORY,
        reason="乙的货记在甲名下",
    )
    kept = await replaced_lists(lot, seller.organisation_id)
    assert [(each.shares, each.reason) for each in kept] == [(first, "乙的货记在甲名下")]
    other = await factory.member(role="secretary")
    assert await replaced_lists(lot, other.organisation_id) == []
    with pytest.raises(Exception, match="append-only"):
        await execute("DELETE FROM replaced_shares")


async def test_households_are_the_owners_alone(factory: Factory, seller: Member) -> None:
    other = await factory.member(role="secretary")
    lot = await lot_of(await factory.listing(seller, kg=1))
    await share_out(seller, lot, [Share("甲", 1_000)])
    settled = await pay(seller, lot, 100)
    with pytest.raises(NotFound):
        await share_out(other, lot, [Share("乙", 1_000)])
    with pytest.raises(NotFound):
        await pay(other, lot, 100)
    with pytest.raises(NotFound):
        await settlement_page(settled, other.organisation_id)
    assert await pool_of(lot, other.organisation_id) is None
    assert await settlements_of(lot, other.organisation_id) == []
    told = [row["details"] for row in await fetch("SELECT details::text FROM audit_record")]
    assert [text for text in told if "甲" in text] == []


async def test_the_table_refuses_parts_that_do_not_add_up(factory: Factory, seller: Member) -> None:
    lot = await lot_of(await factory.listing(seller, kg=1))
    await share_out(seller, lot, [Share("甲", 1_000)])
    settled = await pay(seller, lot, 100)
    with pytest.raises(Exception, match="do not add up"):
        async with transaction():
            await execute("UPDATE settlement SET amount = 101 WHERE id = $1", settled)
    with pytest.raises(Exception, match="append-only"):
        await execute("UPDATE settlement_line SET amount = 101")
    assert await fetch_value("SELECT amount FROM settlement") == 100

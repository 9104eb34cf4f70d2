"""The log of quotes: who may add to it and when, and what it makes of a loss."""

from datetime import timedelta

import asyncpg
import pytest

from fixtures.factories import TODAY, Factory, Member
from market.db.session import execute
from market.deals.breach import NewCase, file_case, open_case
from market.deals.breach_termination import terminate
from market.errors import Conflict, Invalid, NotFound
from market.followup.quote_rules import difference_of
from market.followup.quotes import add_quote, quotes_of
from market.units import FenPerKg, Gram
from tests.integration.deals.scene import Contracted, contract


def test_loss_is_the_worse_side_of_the_middle_quote() -> None:
    def fen(against: str, *prices: int) -> int | None:
        found = difference_of(prices, against=against, contract=FenPerKg(700), uncovered=Gram(10_000))
        return None if found is None else found.fen

    assert fen("buyer") is None
    assert fen("buyer", 600) == 1_000
    assert fen("buyer", 650, 500, 640) == 600
    assert fen("buyer", 600, 650) == 750
    assert fen("buyer", 800) == 0
    assert fen("seller", 800) == 1_000
    assert fen("seller", 600) == 0


async def test_both_sides_add_quotes_once_notice_is_given(factory: Factory) -> None:
    seller, buyer = await factory.member(role="secretary"), await factory.member(role="buyer")
    listing_id = await factory.listing(seller, kg=400)
    deal = Contracted(seller, buyer, await contract(seller, buyer, listing_id=listing_id))
    await deal.sign()
    case = NewCase(deal_id=deal.deal_id, ground="not_taken", statement="不收货。")
    breach_id = await open_case(case=case, **deal.by(seller))
    await file_case(breach_id=breach_id, **deal.by(seller))

    async def quote(by: Member, *, days: int = 0, price: int = 600, source: str = "批发市场") -> int:
        return await add_quote(
            breach_id=breach_id,
            on=TODAY + timedelta(days=days),
            price=FenPerKg(price),
            source=source,
            **deal.by(by),
        )

    with pytest.raises(Conflict):
        await quote(seller)
    await terminate(breach_id=breach_id, **deal.by(seller))
    await quote(seller)
    await quote(buyer, days=-3, price=680, source="网上报价")
    for field, wrong in {
        "on": {"days": 1},
        "price": {"price": 0},
        "source": {"source": "  "},
    }.items():
        with pytest.raises(Invalid) as refused:
            await quote(seller, **wrong)  # type: ignore[arg-type]
        assert list(refused.value.fields) == [field]
    with pytest.raises(Invalid):
        await quote(seller, days=-31)
    with pytest.raises(NotFound):
        await quote(await factory.member(role="buyer"))
    assert [(each.price, each.source) for each in await quotes_of(breach_id=breach_id)] == [
        (680, "网上报价"),
        (600, "批发市场"),
    ]
    with pytest.raises(asyncpg.RaiseError):
        await execute("UPDATE price_quote SET price = 1")

"""What is in the way of goods is told with the name of the place, and how much goes in or out of it."""

import pytest

from fixtures.factories import STORY, Factory
from market.db.session import execute
from market.errors import Invalid
from tests.integration.supply.test_listings import lot_of
from tests.integration.supply.test_stock import put, tank


async def test_the_place_in_the_way_is_named(factory: Factory) -> None:
    seller = await factory.member(role="secretary")
    lot = await lot_of(await factory.listing(seller, kg=5_000))
    first, second = await tank(seller), await tank(seller, "2 号罐")
    await put(seller, lot, 1_800, first)
    await put(seller, lot, 1_200, second)
    for kg, source, field, words in (
        (1_801, first, "quantity", "“1 号罐”里这批货只有 3,600 斤（1,800 公斤）"),
        (1_801, None, "storage", "“2 号罐”放不下了：还能放 3,600 斤（1,800 公斤）"),
        (2_001, None, "quantity", "没有指明存放地方的只有 4,000 斤（2,000 公斤）"),
    ):
        with pytest.raises(Invalid) as refused:
            await put(seller, lot, kg, second, source=source)
        assert words in str(refused.value.fields[field])
    await execute("UPDATE storage SET closed_at = $1 WHERE id = $2", STORY, second)
    with pytest.raises(Invalid) as refused:
        await put(seller, lot, 1, second)
    assert "“2 号罐”已停用" in str(refused.value.fields["storage"])

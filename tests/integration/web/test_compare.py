"""Lots side by side."""

import re

import pytest

from fixtures.factories import Factory, Member
from market import clock
from market.supply.operations import move_listing
from tests.integration.web import shop
from tests.integration.web.conftest import Browser


@pytest.fixture
async def lots(factory: Factory, seller: Member) -> list[int]:
    await shop.stock_catalogue()
    return [
        await shop.put_on_sale(seller, title=f"白菜 {n}", ask=150 - n, kg=1_000 * (7 - n)) for n in range(6)
    ]


def subjects(text: str) -> list[str]:
    return re.findall(r'<th scope="col"><a href="/listings/\d+">([^<]+)</a>', text)


async def test_lots_stand_side_by_side_with_the_best_marked(guest: Browser, lots: list[int]) -> None:
    page = await guest.get(f"/compare?ids={lots[0]}&ids={lots[2]}")
    assert (page.status_code, subjects(page.text)) == (200, ["白菜 0", "白菜 2"])
    best = re.findall(r'<td class="best">([^<]+)<', page.text)
    assert best == ["0.74 元/斤", "14,000 斤 / 7 吨"]


async def test_at_most_five_are_compared_and_the_rest_is_told(guest: Browser, lots: list[int]) -> None:
    page = await guest.get("/compare?ids=" + ",".join(str(each) for each in lots))
    assert len(subjects(page.text)) == 5
    assert "一次最多比 5 批，后面 1 批没有列出。" in page.text


async def test_lot_that_is_gone_is_told_and_nonsense_passed_over(
    guest: Browser, seller: Member, lots: list[int]
) -> None:
    await move_listing(
        listing_id=lots[1],
        move="withdraw",
        owner_id=seller.organisation_id,
        actor=seller.actor,
        at=clock.now(),
    )
    page = await guest.get(f"/compare?ids={lots[0]},{lots[1]},{lots[0]},x,-1,{'9' * 50},²&lang=en")
    assert (page.status_code, subjects(page.text)) == (200, ["Lot of cabbage"])
    assert "1 of the lots are no longer on sale" in page.text


@pytest.mark.parametrize("query", ["", "?ids=", "?ids=abc"])
async def test_nothing_chosen_leads_to_the_hall(guest: Browser, lots: list[int], query: str) -> None:
    page = await guest.get(f"/compare{query}")
    assert (page.status_code, subjects(page.text)) == (200, [])
    assert '<a class="btn primary" href="/listings">' in page.text


async def test_one_can_be_taken_out(guest: Browser, lots: list[int]) -> None:
    page = await guest.get(f"/compare?ids={lots[0]},{lots[1]},{lots[2]}")
    outs = re.findall(r'class="compare-off" href="/compare\?ids=([^"]+)"', page.text)
    assert outs == [f"{lots[1]},{lots[2]}", f"{lots[0]},{lots[2]}", f"{lots[0]},{lots[1]}"]

"""What suits a listing or a demand best at this moment, on the pages of those whose they are."""

import asyncio
import html
import re
from contextlib import AsyncExitStack

import pytest

from fixtures.factories import Factory, Member
from market import clock
from market.db.session import execute
from market.matching.agreement import decline
from market.matching.explain import MOST_AT_ONCE, place_to_compute
from market.matching.operations import run_now
from market.matching.queries import matches_of
from market.supply.operations import move_listing
from tests.integration.web.conftest import Browser, SignedInAs


class Scene:
    """A town, a village and a rival in it, a buyer; a demand that both can serve."""

    def __init__(self, town: Member, village: Member, rival: Member, buyer: Member) -> None:
        self.town, self.village, self.rival, self.buyer = town, village, rival, buyer
        self.listing = self.rivals = self.demand = 0


@pytest.fixture
async def scene(factory: Factory) -> Scene:
    town = await factory.member(role="official")
    made = Scene(
        town,
        await factory.member(role="secretary", town_id=town.organisation_id),
        await factory.member(role="secretary", town_id=town.organisation_id),
        await factory.member(role="buyer"),
    )
    made.listing = await factory.listing(made.village, kg=1_000, ask=700, title="本村花生")
    made.rivals = await factory.listing(made.rival, kg=300, ask=650, title="邻村花生")
    made.demand = await factory.demand(made.buyer, kg=600, ceiling=1_000, title="求购花生果")
    return made


@pytest.fixture
async def village(scene: Scene, browser_of: SignedInAs) -> Browser:
    return await browser_of(scene.village)


@pytest.fixture
async def buyer_page(scene: Scene, browser_of: SignedInAs) -> Browser:
    return await browser_of(scene.buyer)


def words(page: str) -> str:
    main = page[page.index("<main") : page.index("</main>")] if "<main" in page else page
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", main)).split())


def linked(page: str) -> list[str]:
    """Whom the list names, in its order."""
    return re.findall(r'class="best-name"><a href="([^"]+)"', page)


async def test_page_leaves_the_reckoning_to_a_part_that_comes_after(
    scene: Scene, village: Browser, buyer_page: Browser
) -> None:
    for browser, page in (
        (village, f"/selling/{scene.listing}"),
        (buyer_page, f"/demands/{scene.demand}"),
    ):
        text = (await browser.get(page)).text
        assert f'hx-get="{page}/best" hx-trigger="load"' in text
        assert f'<a href="{page}/best">看最合适的几家</a>' in text
        assert linked(text) == []


async def test_seller_sees_the_best_demands_and_what_the_best_allocation_gives(
    scene: Scene, village: Browser, factory: Factory
) -> None:
    poorer = await factory.demand(scene.buyer, kg=600, ceiling=900, title="出价低的")
    await factory.demand(scene.buyer, kg=600, ceiling=100, title="出价太低的")
    answer = await village.get(f"/selling/{scene.listing}/best", htmx=True)
    assert answer.status_code == 200
    assert "<main" not in answer.text
    assert linked(answer.text) == [f"/demands/{scene.demand}", f"/demands/{poorer}"]
    text = words(answer.text)
    # the rival's 300 kg is cheaper and goes to either; of 1,200 wanted 900 are left
    assert "照此刻最优的配法，可以配上 1,800 斤 / 0.9 吨，共 2 条求购。" in text
    assert "还要 1,200 斤 / 0.6 吨，最高到店价 5.00 元/斤 · 10.00 元/公斤" in text
    assert re.search(r"求购花生果 在最优配法里 .+店 · \d+ 公里", text)
    assert re.search(r"运费约 0\.\d\d 元/公斤", text)
    assert "对谁都没有约束，也没有通知对方。正式建议由镇里撮合时提出，双方都同意才算数" in text
    assert "邻村花生" not in text


async def test_suggested_price_lies_between_what_both_have_published(scene: Scene, village: Browser) -> None:
    answer = (await village.get(f"/selling/{scene.listing}/best", htmx=True)).text
    price = re.search(r'<p class="faint">([\d.]+) 元/公斤</p>', answer)
    freight = re.search(r"运费约 ([\d.]+) 元/公斤", answer)
    assert price
    assert freight
    assert 7.0 <= float(price[1]) <= 10.0 - float(freight[1]) + 0.01


async def test_buyer_sees_the_best_lots_with_their_price_delivered(scene: Scene, buyer_page: Browser) -> None:
    answer = (await buyer_page.get(f"/demands/{scene.demand}/best", htmx=True)).text
    assert linked(answer) == [f"/listings/{scene.rivals}", f"/listings/{scene.listing}"]
    text = words(answer)
    assert "照此刻最优的配法，可以配到 1,200 斤 / 0.6 吨，共 2 批货。" in text
    assert "还有 600 斤 / 0.3 吨，地头要价 3.25 元/斤 · 6.50 元/公斤" in text
    assert len(re.findall(r"到店约 \d+\.\d\d 元/公斤", text)) == 2


async def test_at_most_five_are_shown(scene: Scene, village: Browser, factory: Factory) -> None:
    for _ in range(6):
        await factory.demand(scene.buyer, kg=100, ceiling=950)
    answer = await village.get(f"/selling/{scene.listing}/best", htmx=True)
    assert len(linked(answer.text)) == 5


async def test_without_javascript_it_is_a_page_of_its_own(
    scene: Scene, village: Browser, buyer_page: Browser
) -> None:
    page = (await village.get(f"/selling/{scene.listing}/best")).text
    assert "<h1>此刻最合适的买家</h1>" in page
    assert f'<a href="/selling/{scene.listing}">本村花生</a>' in page
    assert linked(page) == [f"/demands/{scene.demand}"]
    page = (await buyer_page.get(f"/demands/{scene.demand}/best?lang=en")).text
    assert "<h1>Best lots right now</h1>" in page
    assert "binding on nobody" in words(page)
    assert linked(page) == [f"/listings/{scene.rivals}", f"/listings/{scene.listing}"]


async def test_what_is_not_published_shows_nothing(scene: Scene, village: Browser) -> None:
    await move_listing(
        listing_id=scene.listing,
        owner_id=scene.village.organisation_id,
        move="suspend",
        actor=scene.village.actor,
        at=clock.now(),
    )
    assert 'id="best"' not in (await village.get(f"/selling/{scene.listing}")).text
    answer = await village.get(f"/selling/{scene.listing}/best", htmx=True)
    assert answer.status_code == 200
    assert linked(answer.text) == []
    assert "这批货现在不在市场上" in words(answer.text)


async def test_closed_demand_shows_nothing(scene: Scene, buyer_page: Browser) -> None:
    await buyer_page.post(f"/demands/{scene.demand}/close", form=f"/demands/{scene.demand}")
    assert 'id="best"' not in (await buyer_page.get(f"/demands/{scene.demand}")).text
    answer = await buyer_page.get(f"/demands/{scene.demand}/best", htmx=True)
    assert linked(answer.text) == []
    assert "这条需求现在不在市场上" in words(answer.text)


async def test_what_is_somebody_elses_is_not_there(
    scene: Scene, browser_of: SignedInAs, factory: Factory, guest: Browser
) -> None:
    rival = await browser_of(scene.rival)
    other_buyer = await browser_of(await factory.member(role="buyer"))
    assert (await rival.get(f"/selling/{scene.listing}/best", htmx=True)).status_code == 404
    assert (await other_buyer.get(f"/demands/{scene.demand}/best", htmx=True)).status_code == 404
    assert 'id="best"' not in (await other_buyer.get(f"/demands/{scene.demand}")).text
    assert 'id="best"' not in (await guest.get(f"/demands/{scene.demand}")).text
    assert (await guest.get(f"/demands/{scene.demand}/best")).headers["location"].startswith("/sign-in")
    assert (await rival.get(f"/selling/{2**70}/best")).status_code == 404


async def test_pair_that_was_declined_is_not_shown_again(scene: Scene, village: Browser) -> None:
    await run_now(town_id=scene.town.organisation_id, actor=scene.town.actor, at=clock.now())
    [match] = [
        each
        for each in await matches_of(organisation_id=scene.village.organisation_id)
        if each.listing == scene.listing
    ]
    await decline(
        match_id=match.id,
        organisation_id=scene.village.organisation_id,
        reason="price",
        note="",
        actor=scene.village.actor,
        at=clock.now(),
    )
    answer = await village.get(f"/selling/{scene.listing}/best", htmx=True)
    assert linked(answer.text) == []
    assert "此刻没有一条求购和这批货对得上" in words(answer.text)


async def test_nobody_fits_and_the_page_says_what_to_do(scene: Scene, village: Browser) -> None:
    await execute("UPDATE listing SET ask = 2000 WHERE id = $1", scene.listing)
    answer = (await village.get(f"/selling/{scene.listing}/best", htmx=True)).text
    assert linked(answer) == []
    assert f'<a href="/selling/{scene.listing}/why">试试改什么有用</a>' in answer


async def test_lot_that_fits_but_loses_to_another_is_told_so(
    scene: Scene, village: Browser, factory: Factory
) -> None:
    await factory.listing(scene.rival, kg=5_000, ask=500, title="便宜花生")
    answer = (await village.get(f"/selling/{scene.listing}/best", htmx=True)).text
    assert linked(answer) == [f"/demands/{scene.demand}"]
    text = words(answer)
    assert "合得上，但此刻这些买家从别家买更合算。" in text
    assert "对方另有更合算的" in text
    assert "最多可成交 1,200 斤 / 0.6 吨" in text
    assert "在最优配法里" not in text


async def test_when_too_many_ask_the_part_offers_another_try(scene: Scene, village: Browser) -> None:
    page = f"/selling/{scene.listing}/best"
    async with AsyncExitStack() as places:
        for _ in range(MOST_AT_ONCE):
            await places.enter_async_context(place_to_compute())
        part, whole = await asyncio.gather(village.get(page, htmx=True), village.get(page))
    assert part.status_code == 200
    assert f'<a href="{page}" hx-get="{page}"' in part.text
    assert whole.status_code == 503
    assert whole.headers["retry-after"] == "5"
    assert linked((await village.get(page, htmx=True)).text) == [f"/demands/{scene.demand}"]


async def test_match_below_a_smallest_order_is_marked(
    scene: Scene, village: Browser, factory: Factory
) -> None:
    picky = await factory.listing(scene.village, kg=1_000, ask=690, min_order_kg=400, title="起订四百")
    # the rival's 300 kg come first; of the 600 kg wanted only 300 are left for it
    answer = (await village.get(f"/selling/{picky}/best", htmx=True)).text
    assert "其中可配 600 斤 / 0.3 吨 不合起订量或家数" in words(answer)
    answer = (await village.get(f"/selling/{scene.listing}/best", htmx=True)).text
    assert "不合起订量或家数" not in answer

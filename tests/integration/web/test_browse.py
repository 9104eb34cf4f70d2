"""The produce hall: search, filters in the address, what is told where nothing fits, and its weight."""

import re
from datetime import timedelta

import httpx
import pytest

from fixtures.factories import Factory, Member
from market import clock
from tests.integration.web import shop
from tests.integration.web.conftest import Browser, SignedInAs, faults

KB = 1024


@pytest.fixture
async def hall(factory: Factory, seller: Member) -> Member:
    """A seller with cabbage, two oils and peanuts on sale."""
    await shop.stock_catalogue()
    await shop.put_on_sale(seller)
    await shop.put_on_sale(seller, produce="rapeseed-oil", title="压榨菜籽油", kg=3_000, ask=1_400, grade=3)
    await shop.put_on_sale(
        seller,
        produce="sesame-oil",
        title="小磨香油",
        kg=800,
        ask=5_600,
        division="210181",
        credentials=("test-report",),
    )
    return seller


def titles(page: httpx.Response) -> list[str]:
    return re.findall(r'<h2><a href="/listings/\d+">([^<]+)</a>', page.text)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("q=白菜", ["辽中大白菜"]),
        ("q=baicai", ["辽中大白菜"]),
        ("q=czy", ["压榨菜籽油"]),
        ("q=zhimayuo", ["小磨香油"]),
        ("q=Rapeseed", ["压榨菜籽油"]),
        ("q=辽中 菜籽油", ["压榨菜籽油"]),
        ("category=oil&sort=price", ["压榨菜籽油", "小磨香油"]),
        ("place=210181", ["小磨香油"]),
        ("grade=3", ["压榨菜籽油"]),
        ("quantity=1000&sort=quantity", ["辽中大白菜", "压榨菜籽油"]),
        ("price_low=10&price_high=20", ["压榨菜籽油"]),
        ("credentials=test-report", ["小磨香油"]),
        ("category=oil&place=210115", ["压榨菜籽油"]),
        ("category=&place=&q=&quantity=&sort=price", ["辽中大白菜", "压榨菜籽油", "小磨香油"]),
    ],
)
async def test_address_decides_what_is_shown(
    hall: Member, guest: Browser, asked: str, found: list[str]
) -> None:
    page = await guest.get(f"/listings?{asked}")
    assert (page.status_code, titles(page)) == (200, found)


async def test_day_on_sale_is_a_filter(hall: Member, guest: Browser) -> None:
    later = clock.today() + timedelta(days=60)
    await shop.put_on_sale(hall, title="窖藏白菜", first=later)
    assert titles(await guest.get(f"/listings?on={later}")) == ["窖藏白菜"]


async def test_every_condition_that_is_on_can_be_taken_off(hall: Member, guest: Browser) -> None:
    page = await guest.get("/listings?category=oil&place=210115&price_high=20")
    offs = re.findall(r'<a class="chip on" href="([^"]+)"><span>([^<]+)</span>', page.text)
    assert [(path.replace("&amp;", "&"), text) for path, text in offs] == [
        ("/listings?place=210115&price_high=20.00", "食用油"),
        ("/listings?category=oil&price_high=20.00", "辽中区"),
        ("/listings?category=oil&place=210115", "不高于 20.00 元/公斤"),
    ]


async def test_picked_choice_stays_picked_where_nothing_is_left_of_it(hall: Member, guest: Browser) -> None:
    page = await guest.get("/listings?category=vegetable&credentials=test-report&grade=3")
    assert titles(page) == []
    picked = re.findall(r'<input type="(?:radio|checkbox)"[^>]* value="([^"]+)" checked>', page.text)
    assert picked == ["vegetable", "3", "test-report"]


async def test_empty_result_says_which_condition_bars_and_offers_a_prefilled_demand(
    hall: Member, guest: Browser
) -> None:
    page = await guest.get("/listings?produce=cabbage&price_high=1&quantity=500")
    assert titles(page) == []
    assert "没有一批货同时满足这 3 个条件。" in page.text
    ways = re.findall(r'<li><a href="([^"]+)">(去掉[^<]+)</a>', page.text)
    assert [(path.replace("&amp;", "&"), text) for path, text in ways] == [
        ("/listings?produce=cabbage&quantity=500", "去掉“不高于 1.00 元/公斤”，有 1 批")
    ]
    assert 'href="/demands/new?produce=cabbage&amp;quantity=500&amp;ceiling=1.00"' in page.text


async def test_empty_result_offers_a_seller_to_clear_the_conditions(
    hall: Member, browser_of: SignedInAs
) -> None:
    page = await (await browser_of(hall)).get("/listings?q=xyzzy")
    assert ("清除全部条件" in page.text, "/demands/new" in page.text) == (True, False)


@pytest.mark.parametrize(
    ("lang", "told"),
    [
        (
            "zh",
            {
                "quantity": "请填写 0 到 100,000,000 之间的数字。",
                "price_low": "“NaN”不是数字，请填写例如 3.60。",
                "on": "“2026-02-30”不是日期，请写成 2026-11-23 的样子。",
            },
        ),
        (
            "en",
            {
                "quantity": "Please enter a number between 0 and 100,000,000.",
                "price_low": "“NaN” is not a number. Please enter one such as 3.60.",
                "on": "“2026-02-30” is not a date. Please write it like 2026-11-23.",
            },
        ),
    ],
)
async def test_faulty_filters_are_told_in_place_and_the_others_still_hold(
    hall: Member, guest: Browser, lang: str, told: dict[str, str]
) -> None:
    page = await guest.get(
        f"/listings?lang={lang}&category=oil&quantity=-5&price_low=NaN&on=2026-02-30&bogus=1&sort=price"
    )
    assert page.status_code == 422
    assert faults(page, prefix="h-") == told
    assert re.findall(r'id="h-(?:quantity|price_low|on)"[^>]*value="([^"]+)"', page.text) == [
        "2026-02-30",
        "-5",
        "NaN",
    ]
    assert "bogus" in page.text
    assert len(titles(page)) == 2


async def test_enormous_and_hostile_addresses_are_answered(hall: Member, guest: Browser) -> None:
    for query in ("quantity=1e400", "page=99999999", "grade=" + "9" * 40, "town=9" + "9" * 30, "q=%00%25_'"):
        assert (await guest.get(f"/listings?{query}")).status_code in (200, 422)
    assert (await guest.get("/listings?page=5")).status_code == 200


async def test_htmx_gets_the_results_and_the_tidy_address(hall: Member, guest: Browser) -> None:
    part = await guest.get("/listings?q=&category=oil&quantity=&sort=best", htmx=True)
    assert (part.status_code, part.headers["hx-push-url"]) == (200, "/listings?category=oil")
    assert ("<html" in part.text, len(titles(part))) == (False, 2)
    assert part.text.count('hx-swap-oob="true"') == 4


async def test_pages_keep_the_filters(hall: Member, guest: Browser) -> None:
    for n in range(30):
        await shop.put_on_sale(hall, title=f"白菜 {n:02}", kg=1_000 + n)
    page = await guest.get("/listings?category=vegetable&sort=quantity")
    assert len(titles(page)) == 24
    assert 'href="/listings?category=vegetable&amp;sort=quantity&amp;page=2"' in page.text
    assert len(titles(await guest.get("/listings?category=vegetable&sort=quantity&page=2"))) == 7


async def test_own_lots_are_marked_for_their_seller(hall: Member, browser_of: SignedInAs) -> None:
    page = await (await browser_of(hall)).get("/listings")
    assert page.text.count('<span class="mark-word own">本单位</span>') == 3


async def weight(browser: Browser, path: str, **headers: str) -> int:
    """Return how many bytes of the body go over the line."""
    sent = {"accept-encoding": "br", **{name.replace("_", "-"): text for name, text in headers.items()}}
    async with browser.client.stream("GET", path, headers=sent) as answer:
        assert answer.headers["content-encoding"] == "br"
        return sum([len(part) async for part in answer.aiter_raw()])


async def test_first_load_and_swap_of_a_full_page_stay_light(hall: Member, guest: Browser) -> None:
    for n in range(24):
        listing = await shop.put_on_sale(
            hall,
            title=f"辽中某村第 {n} 批露地大白菜",
            kg=997 * (n + 2),
            ask=130 + n,
            credentials=("traceability",),
        )
        await shop.give_picture(hall, listing)
    page = await guest.get("/listings")
    assert len(titles(page)) == 24
    parts = re.findall(r'(?:href|src)="(/assets/[^"#]+\.(?:css|js))"', page.text)
    assert len(parts) == 4
    first = await weight(guest, "/listings") + sum([await weight(guest, part) for part in parts])
    assert first <= 45 * KB
    assert await weight(guest, "/listings?category=vegetable", hx_request="true") <= 8 * KB
    pictures = re.findall(r'<img class="photo" src="/pictures/[^>]+>', page.text)
    assert len(pictures) == 24
    assert [tag for tag in pictures if 'width="96" height="96" loading="lazy"' not in tag] == []

"""Demands: the public list, one's own, a new one, and how one ends."""

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from fixtures.factories import Factory, Member
from market import clock
from market.accounts.operations import NewSite, add_site
from market.db.session import execute, fetch, fetch_value
from tests.integration.web import shop
from tests.integration.web.conftest import Browser, SignedInAs, faults


@pytest.fixture
async def site(factory: Factory, buyer: Member) -> int:
    await shop.stock_catalogue()
    return await add_site(
        organisation_id=buyer.organisation_id,
        site=NewSite(name="中街店", name_en="Zhongjie", lat=41.8, lon=123.4),
    )


@pytest.fixture
async def browser(browser_of: SignedInAs, buyer: Member, site: int) -> Browser:
    return await browser_of(buyer)


def demand(site: int, **changed: Any) -> dict[str, Any]:
    today = clock.today()
    return {
        "key": str(uuid4()),
        "produce_text": "菜籽油",
        "quantity": "5",
        "quantity_unit": "t",
        "ceiling": "15",
        "ceiling_unit": "kg",
        "site_id": str(site),
        "deliver_from": (today + timedelta(days=3)).isoformat(),
        "deliver_to": (today + timedelta(days=20)).isoformat(),
        **changed,
    }


async def count() -> int:
    return int(await fetch_value("SELECT count(*) FROM demand"))


def offered(page: httpx.Response) -> list[str]:
    return re.findall(r'name="produce" value="([^"]+)"', page.text)


async def test_posted_demand_is_told_in_two_units_and_listed(
    browser: Browser, guest: Browser, site: int
) -> None:
    more = {"min_grade": "2", "requires": ["test-report"], "max_distance_km": "120", "min_order": "2000"}
    answer = await browser.post("/demands/new", demand(site, **more, note="桶装"))
    number = await fetch_value("SELECT id FROM demand")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/demands/{number}")
    row = dict((await fetch("SELECT * FROM demand"))[0])
    kept = ("produce", "title", "title_en", "quantity", "ceiling", "min_grade", "requires", "max_distance_km")
    assert {name: row[name] for name in (*kept, "min_order", "max_lots", "note", "site")} == {
        "produce": "rapeseed-oil",
        "title": "求购菜籽油 5 吨",
        "title_en": "Wanted: Rapeseed oil, 5 t",
        "quantity": 5_000_000,
        "ceiling": 1_500,
        "min_grade": 2,
        "requires": ["test-report"],
        "max_distance_km": 120,
        "min_order": 1_000_000,
        "max_lots": None,
        "note": "桶装",
        "site": site,
    }
    page = await guest.get(f"/demands/{number}")
    for text in ("求购菜籽油 5 吨", "7.50 元/斤", "15.00 元/公斤", "10,000 斤 / 5 吨", "中街店", "120 公里"):
        assert text in page.text
    assert f'href="/demands/{number}"' in (await guest.get("/demands/open")).text
    page = await browser.get("/demands")
    assert (f'href="/demands/{number}"' in page.text, "已买齐" in page.text) == (True, False)
    await execute("UPDATE demand SET open = 0")
    page = await browser.get("/demands")
    assert ("已买齐" in page.text, "暂无撮合建议" in page.text) == (True, False)


async def test_same_form_twice_posts_one_demand(browser: Browser, site: int) -> None:
    form = demand(site)
    first = await browser.post("/demands/new", form)
    second = await browser.post("/demands/new", form)
    assert (second.headers["location"], await count()) == (first.headers["location"], 1)


@pytest.mark.parametrize(
    ("lang", "told"),
    [
        (
            "zh",
            {
                "produce_text": "请填写这一项。",
                "quantity": "不能是负数，请检查后重填。",
                "ceiling": "“便宜”不是数字，请只填数字，例如 25000 或 0.85。",
                "site_id": "没有这个选项，请从列出的里面选一个。",
                "deliver_from": "“明天”看不出是哪一天，请写成 2026年12月1日 或 2026-12-01。",
                "max_lots": "要在 1 到 1000 之间。",
                "max_distance_km": "请填整数。",
                "title": "太长了：最多 60 个字，现在 61 个。",
            },
        ),
        (
            "en",
            {
                "produce_text": "Please fill this in.",
                "quantity": "It cannot be negative. Please check the number.",
                "ceiling": "“便宜” is not a number. Please give digits only, such as 25000 or 0.85.",
                "site_id": "There is no such choice. Please choose one of those listed.",
                "deliver_from": "“明天” is not a date. Please write it as 2026-12-01.",
                "max_lots": "It must be between 1 and 1000.",
                "max_distance_km": "Please give a whole number.",
                "title": "Too long: at most 60 characters, now 61.",
            },
        ),
    ],
)
async def test_every_faulty_field_is_told_and_keeps_what_was_typed(
    browser: Browser, site: int, lang: str, told: dict[str, str]
) -> None:
    await browser.get(f"/demands?lang={lang}")
    wrong = {
        "produce_text": "",
        "quantity": "-5",
        "ceiling": "便宜",
        "site_id": "99999",
        "deliver_from": "明天",
        "max_lots": "0",
        "max_distance_km": "1.5",
        "title": "长" * 61,
    }
    answer = await browser.post("/demands/new", demand(site, **wrong))
    assert (answer.status_code, faults(answer), await count()) == (422, told, 0)
    for name in ("quantity", "ceiling", "deliver_from", "max_lots", "max_distance_km", "title"):
        assert re.search(f'name="{name}"[^>]* value="{wrong[name]}"', answer.text), name


async def test_unknown_produce_is_refused_with_what_was_perhaps_meant(browser: Browser, site: int) -> None:
    refused = await browser.post("/demands/new", demand(site, produce_text="caiziyuo"))
    assert refused.status_code == 422
    assert list(faults(refused)) == ["produce_text"]
    assert offered(refused)[0] == "rapeseed-oil"
    picked = await browser.post("/demands/new", demand(site, produce_text="caiziyuo", produce="rapeseed-oil"))
    assert picked.status_code == 303
    assert await fetch_value("SELECT produce FROM demand") == "rapeseed-oil"


async def test_pick_left_over_from_an_earlier_word_does_not_count(browser: Browser, site: int) -> None:
    await browser.post("/demands/new", demand(site, produce_text="香油", produce="cabbage", ceiling="80"))
    assert await fetch_value("SELECT produce FROM demand") == "sesame-oil"
    refused = await browser.post("/demands/new", demand(site, produce_text="qqqq", produce="cabbage"))
    assert (refused.status_code, list(faults(refused)), await count()) == (422, ["produce_text"], 1)


async def test_words_being_typed_are_answered_with_kinds(browser: Browser) -> None:
    part = await browser.get("/demands/produce?produce_text=czy", htmx=True)
    assert (part.status_code, offered(part), "<html" in part.text) == (200, ["rapeseed-oil"], False)
    for nothing in ("", "%00", "%25_", "+"):
        assert offered(await browser.get(f"/demands/produce?produce_text={nothing}", htmx=True)) == []


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"min_order": "6", "min_order_unit": "t"}, "min_order"),
        ({"quantity": "1000000000000"}, "quantity"),
        ({"deliver_from": "2020-01-01"}, "deliver_from"),
        ({"min_grade": "7"}, "min_grade"),
        ({"requires": ["no-such"]}, "requires"),
    ],
)
async def test_condition_that_cannot_be_met_is_told_beside_its_field(
    browser: Browser, site: int, changed: dict[str, Any], field: str
) -> None:
    refused = await browser.post("/demands/new", demand(site, **changed))
    assert (refused.status_code, list(faults(refused)), await count()) == (422, [field], 0)


async def test_days_in_wrong_order_are_refused(browser: Browser, site: int) -> None:
    early = (clock.today() + timedelta(days=1)).isoformat()
    refused = await browser.post("/demands/new", demand(site, deliver_to=early))
    assert faults(refused) == {"deliver_to": "交货截止日期早于开始日期，请对调或修改。"}


async def test_unusual_ceiling_is_asked_back_once(browser: Browser, site: int) -> None:
    form = demand(site, ceiling="150")
    asked = await browser.post("/demands/new", form)
    assert (list(faults(asked)), 'name="sure"' in asked.text) == (["ceiling"], True)
    assert (await browser.post("/demands/new", {**form, "sure": "1"})).status_code == 303


async def test_store_of_another_buyer_is_refused(browser: Browser, factory: Factory, site: int) -> None:
    other = await factory.member(role="buyer")
    theirs = await add_site(
        organisation_id=other.organisation_id, site=NewSite(name="别家", lat=41.8, lon=123.4)
    )
    refused = await browser.post("/demands/new", demand(theirs))
    assert (list(faults(refused)), await count()) == (["site_id"], 0)


async def test_form_begins_with_what_was_looked_for_in_vain(browser: Browser, site: int) -> None:
    page = await browser.get(
        "/demands/new?produce=rapeseed-oil&quantity=500&ceiling=12.00&min_grade=2&requires=test-report"
    )
    for control in (
        'name="produce_text"[^>]* value="菜籽油"',
        'name="produce" value="rapeseed-oil" checked',
        'name="quantity" value="500"',
        'name="ceiling" value="12.00"',
        f'<option value="{site}" selected>中街店',
        '<option value="2" selected>二级',
        'name="requires" value="test-report" checked',
    ):
        assert re.search(control, page.text), control
    odd = await browser.get("/demands/new?produce=%00<script>&quantity=NaN&deliver_from=x&requires=y&other=1")
    assert (odd.status_code, "<script>" in odd.text.partition("<main")[2]) == (200, False)


async def test_only_buyers_post_demands(
    guest: Browser, browser_of: SignedInAs, seller: Member, site: int
) -> None:
    village = await browser_of(seller)
    assert (await village.get("/demands")).headers["location"] == "/demands/open"
    assert (await village.get("/demands/new")).status_code == 403
    assert (await village.post("/demands/new", demand(site))).status_code == 403
    assert (await guest.post("/demands/new", demand(site))).headers["location"] == "/sign-in"
    assert await count() == 0


async def state_of(number: int) -> str:
    return str(await fetch_value("SELECT state FROM demand WHERE id = $1", number))


def buttons(page: httpx.Response) -> list[str]:
    return re.findall(r'action="/demands/\d+/(\w+)"', page.text)


async def test_demand_is_closed_and_then_ends_one_way(
    browser: Browser, factory: Factory, buyer: Member
) -> None:
    number = await factory.demand(buyer)
    assert buttons(await browser.get(f"/demands/{number}")) == ["close", "cancel"]
    answer = await browser.post(f"/demands/{number}/close")
    assert (answer.headers["location"], await state_of(number)) == (f"/demands/{number}", "closed")
    assert buttons(await browser.get(f"/demands/{number}")) == ["award", "fail", "cancel"]
    again = await browser.post(f"/demands/{number}/close")
    assert (again.status_code, await state_of(number)) == (409, "closed")
    await browser.post(f"/demands/{number}/fail")
    assert buttons(await browser.get(f"/demands/{number}")) == []


async def test_cancelled_demand_is_seen_by_its_buyer_alone(
    browser: Browser, guest: Browser, factory: Factory, buyer: Member
) -> None:
    number = await factory.demand(buyer)
    await browser.post(f"/demands/{number}/cancel")
    assert [(await each.get(f"/demands/{number}")).status_code for each in (browser, guest)] == [200, 404]
    assert f'href="/demands/{number}"' not in (await guest.get("/demands/open")).text


async def test_demand_of_another_buyer_cannot_be_moved(
    browser: Browser, browser_of: SignedInAs, factory: Factory, seller: Member
) -> None:
    other = await factory.member(role="buyer")
    number = await factory.demand(other)
    assert buttons(await browser.get(f"/demands/{number}")) == []
    assert (await browser.post(f"/demands/{number}/cancel")).status_code == 404
    assert (await (await browser_of(seller)).post(f"/demands/{number}/cancel")).status_code == 403
    assert await state_of(number) == "published"


@pytest.mark.parametrize("path", ["999999", "9" * 40, "1/publish", "1/award"])
async def test_what_is_not_there_is_not_found(browser: Browser, path: str) -> None:
    answer = await (browser.post(f"/demands/{path}") if "/" in path else browser.get(f"/demands/{path}"))
    assert answer.status_code == 404


async def test_open_demands_are_searched_and_filtered(
    guest: Browser, factory: Factory, buyer: Member, site: int
) -> None:
    await factory.demand(buyer, produce="rapeseed-oil", title="要菜籽油", ceiling=1_500)
    await factory.demand(buyer, produce="cabbage", title="要大白菜", ceiling=200)

    async def found(query: str) -> list[str]:
        page = await guest.get(f"/demands/open?{query}")
        return re.findall(r'<h2><a href="/demands/\d+">([^<]+)</a>', page.text)

    assert await found("sort=price") == ["要菜籽油", "要大白菜"]
    assert await found("q=dabaicai") == ["要大白菜"]
    assert await found("category=oil") == ["要菜籽油"]
    assert await found("q=xyzzy") == []
    faulty = await guest.get("/demands/open?quantity=x&category=oil")
    assert (faulty.status_code, "“x”不是数字，请填写例如 500。" in faulty.text) == (422, True)
    part = await guest.get("/demands/open?q=&category=oil", htmx=True)
    assert (part.headers["hx-push-url"], "<html" in part.text) == ("/demands/open?category=oil", False)

"""Open bidding on its pages and over the API: the seller puts up, buyers outbid each other, it closes."""

import re
from datetime import datetime, time, timedelta
from typing import Any
from uuid import uuid4

import pytest

from fixtures.factories import Factory, Member
from market import clock
from market.bids.opening import open_overdue
from market.clock import CHINA
from market.db.session import execute, fetch_value
from tests.forms import filled_in
from tests.integration.web import shop
from tests.integration.web.conftest import Browser, NewBrowser, SignedInAs, faults


def goods(**changed: Any) -> dict[str, str]:
    today = clock.today()
    return {
        "produce": "cabbage",
        "quantity": "1",
        "quantity_unit": "t",
        "ask": "2",
        "ask_unit": "kg",
        "available_from": today.isoformat(),
        "available_to": (today + timedelta(days=30)).isoformat(),
        "place": "辽中区",
        "title": "辽中白菜",
        "way": "open",
        "closes_on": (today + timedelta(days=2)).isoformat(),
        "closes_time": "16:30",
        "min_step": "0.1",
        "min_step_unit": "kg",
        "reserve": "2.2",
        "reserve_unit": "kg",
        "confirm": "1",
        "key": str(uuid4()),
        **changed,
    }


def bid(price: str, *, kg: int = 600, **changed: Any) -> dict[str, str]:
    today = clock.today()
    return {
        "key": str(uuid4()),
        "quantity": str(kg),
        "quantity_unit": "kg",
        "price": price,
        "price_unit": "kg",
        "deliver_from": (today + timedelta(days=3)).isoformat(),
        "deliver_to": (today + timedelta(days=9)).isoformat(),
        **changed,
    }


@pytest.fixture
async def seller_page(browser_of: SignedInAs, seller: Member) -> Browser:
    await shop.stock_catalogue()
    return await browser_of(seller)


async def test_a_round_from_its_beginning_to_its_end(
    seller_page: Browser, browser_of: SignedInAs, factory: Factory, guest: Browser
) -> None:
    refused = await seller_page.post("/selling/new", goods(reserve="1.9", closes_on=""))
    assert set(faults(refused)) == {"closes_on", "reserve"}
    put_up = await seller_page.post("/selling/new", goods())
    listing = int(put_up.headers["location"].rpartition("/")[2].partition("?")[0])
    closes = datetime.combine(clock.today() + timedelta(days=2), time(16, 30), CHINA)
    assert await fetch_value("SELECT closes_at FROM listing WHERE id = $1", listing) == closes

    assert "公开竞价，" in (await guest.get("/listings")).text
    members = [await factory.member(role="buyer") for _ in range(3)]
    buyers = [await browser_of(each) for each in members]
    path = f"/listings/{listing}"
    rules = (await buyers[0].get(path)).text
    for told in (
        "截止前 5 分钟内有人出价，截止时间顺延 5 分钟",
        "最多顺延 60 分钟",
        "有保留价",
        "0.05 元/斤",
    ):
        assert told in rules
    low = await buyers[0].post(f"{path}/bids", bid("1.99"))
    assert (low.status_code, faults(low)) == (422, {"price": "至少要出 1.00 元/斤（2.00 元/公斤）。"})
    for buyer, price in zip(buyers, ("2.30", "2.40", "2.50"), strict=True):
        placed = await buyer.post(f"{path}/bids", bid(price))
        assert (placed.status_code, placed.headers["location"]) == (303, path)
    stepless = await buyers[0].post(f"{path}/bids", bid("2.55"))
    assert faults(stepless) == {"price": "至少要出 1.30 元/斤（2.60 元/公斤）。"}

    seen = (await guest.get(f"{path}/bidding", htmx=True)).text
    assert "<html" not in seen
    assert [re.sub(r"<.*?>|\s+", " ", row).split()[:3] for row in re.findall(r"<tr>.*?</tr>", seen)[1:]] == [
        ["3", "号", "1.25"],
        ["2", "号", "1.20"],
        ["1", "号", "1.15"],
    ]
    assert 'hx-trigger="every 15s"' in seen
    names = [
        await fetch_value("SELECT name FROM organisation WHERE id = $1", m.organisation_id) for m in members
    ]
    other = (await buyers[1].get(path)).text
    assert "（我）" in other
    assert names[2] not in other
    desk = (await seller_page.get(f"/selling/{listing}")).text
    assert all(name in desk for name in names)
    assert "您的保留价" in desk
    assert "您的保留价" not in other
    assert "2.20" not in other

    # who leads asks, and the seller does not agree
    asked = await buyers[2].post("/open-bids/3/ask-release", {"key": str(uuid4())})
    assert asked.headers["location"] == path
    assert "同意撤回" in (await seller_page.get(f"/selling/{listing}")).text
    await seller_page.post("/open-bids/3/release/no", {"key": str(uuid4())})
    assert (await buyers[2].post("/open-bids/3/withdraw", {"key": str(uuid4())})).status_code == 409
    assert (await buyers[1].post("/open-bids/3/withdraw", {"key": str(uuid4())})).status_code == 404
    gone = await buyers[0].post("/open-bids/1/withdraw", {"key": str(uuid4())})
    assert gone.status_code == 303
    await buyers[0].post(f"{path}/bids", bid("2.60", kg=100))

    assert (await seller_page.get(f"/selling/{listing}/way")).status_code == 200
    await execute("UPDATE listing SET closes_at = $1 WHERE id = $2", clock.now(), listing)
    assert await open_overdue(at=clock.now()) == 1
    page = (await buyers[0].get(path)).text
    assert "竞价已结束" in page
    assert 'action="/listings' not in page
    assert await fetch_value("SELECT array_agg(quantity ORDER BY price) FROM deal") == [
        300_000,
        600_000,
        100_000,
    ]
    late = await buyers[1].post(f"{path}/bids", bid("3.00"))
    assert (late.status_code, late.headers["location"]) == (303, path)
    assert "我参加的竞价" in (await buyers[1].get("/bids")).text


async def test_what_is_left_after_a_round_is_bid_for_on_the_same_page(
    seller_page: Browser, browser_of: SignedInAs, factory: Factory
) -> None:
    put_up = await seller_page.post("/selling/new", goods())
    path = "/listings/" + put_up.headers["location"].rpartition("/")[2].partition("?")[0]
    buyers = [await browser_of(await factory.member(role="buyer")) for _ in range(3)]
    for buyer, price in zip(buyers, ("2.10", "2.40", "2.50"), strict=True):
        await buyer.post(f"{path}/bids", bid(price, kg=300))
    await execute("UPDATE listing SET closes_at = $1", clock.now())
    await open_overdue(at=clock.now())
    page = (await buyers[0].get(path)).text
    assert "剩下的货可以出价" in page
    assert "竞价规则" not in page
    # the one under the reserve has bought nothing
    assert await fetch_value("SELECT array_agg(price ORDER BY price) FROM deal") == [240, 250]
    placed = await buyers[0].post(f"{path}/bids", bid("2.10", kg=100))
    assert placed.headers["location"].startswith("/bids/")
    way = f"{path.replace('listings', 'selling')}/way"
    asked = await seller_page.post(way, {"way": "open", "min_step": "0.03", "min_step_unit": "jin"})
    assert (asked.status_code, "还有出价没有答复" in asked.text) == (409, True)
    kept = filled_in(asked.text, way)
    assert (kept["way"], kept["min_step"]) == (["open"], ["0.03"])


async def test_the_seller_chooses_another_way_on_a_page(seller_page: Browser, seller: Member) -> None:
    listing = await shop.put_on_sale(seller)
    form = {"way": "open", "min_step": "0.02", "min_step_unit": "jin", "key": str(uuid4())}
    refused = await seller_page.post(f"/selling/{listing}/way", form)
    assert set(faults(refused)) == {"closes_on"}
    day = (clock.today() + timedelta(days=3)).isoformat()
    done = await seller_page.post(f"/selling/{listing}/way", {**form, "closes_on": day})
    assert done.status_code == 303
    assert await fetch_value("SELECT (way, min_step, round) = ('open', 4, 1) FROM listing")
    again = await seller_page.post(f"/selling/{listing}/way", {"way": "fixed", "key": str(uuid4())})
    assert again.status_code == 409


async def test_the_api_takes_bids_in_the_open(
    new_browser: NewBrowser, browser_of: SignedInAs, seller: Member, factory: Factory
) -> None:
    await shop.stock_catalogue()
    listing = await shop.put_on_sale(seller, kg=1_000)
    api = (await browser_of(seller)).client
    token = {"x-csrf-token": re.search(r"x-csrf-token&#34;: &#34;([^&]+)", (await api.get("/")).text)[1]}  # type: ignore[index]
    closes = (clock.now() + timedelta(days=1)).isoformat()
    way = {"way": "open", "closes_at": closes, "min_step": 10}
    assert (await api.post(f"/api/v1/listings/{listing}/way", json=way, headers=token)).status_code == 200
    buyer = (await browser_of(await factory.member(role="buyer"))).client
    token = {"x-csrf-token": re.search(r"x-csrf-token&#34;: &#34;([^&]+)", (await buyer.get("/")).text)[1]}  # type: ignore[index]
    day = clock.today().isoformat()
    wish = {"listing_id": listing, "quantity": 400_000, "price": 170, "deliver_from": day, "deliver_to": day}
    placed = await buyer.post("/api/v1/open-bids", json=wish, headers={**token, "idempotency-key": "one"})
    assert placed.status_code == 201
    again = await buyer.post("/api/v1/open-bids", json=wish, headers={**token, "idempotency-key": "one"})
    assert again.json() == placed.json()
    number = placed.json()["open_bid_id"]
    told = (await new_browser().client.get(f"/api/v1/listings/{listing}/bidding")).json()
    assert [(line["price"], line["share"], line["buyer_name"]) for line in told["bids"]] == [
        (170, 400_000, None)
    ]
    assert "reserve" in told
    refused = await buyer.post(f"/api/v1/open-bids/{number}/withdraw", headers=token)
    assert refused.status_code == 409
    assert [each["id"] for each in (await buyer.get("/api/v1/open-bids")).json()] == [number]

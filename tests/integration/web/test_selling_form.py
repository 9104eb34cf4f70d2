"""Publishing a lot on the phone: what is typed becomes a listing, what is wrong is told beside its field."""

import asyncio
import io
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from PIL import Image

from fixtures.factories import Factory, Member
from market import clock
from market.db.session import fetch, fetch_value
from tests.integration.web import shop
from tests.integration.web.conftest import Browser, SignedInAs, faults, token_in


@pytest.fixture
async def secretary(factory: Factory, seller: Member, browser_of: SignedInAs) -> Browser:
    await shop.stock_catalogue()
    return await browser_of(seller)


def lot(**changed: Any) -> dict[str, Any]:
    today = clock.today()
    return {
        "key": str(uuid4()),
        "produce": "白菜",
        "quantity": "25000",
        "quantity_unit": "jin",
        "ask": "0.85",
        "ask_unit": "jin",
        "available_from": today.isoformat(),
        "available_to": (today + timedelta(days=30)).isoformat(),
        "grade": "2",
        **changed,
    }


def photo(width: int = 900, height: int = 600) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((width, height), 60).convert("RGB").save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


async def send(browser: Browser, data: dict[str, Any], *photos: bytes) -> httpx.Response:
    page = await browser.get("/selling/new")
    return await browser.client.post(
        "/selling/new",
        data={"_csrf": token_in(page), **data},
        files=[("pictures", (f"{n}.jpg", content, "image/jpeg")) for n, content in enumerate(photos)] or None,
    )


async def listings() -> list[dict[str, Any]]:
    rows = await fetch(
        """SELECT produce, lot.quantity, remaining, ask, grade, min_order, title, state, division,
                  (SELECT count(*) FROM picture WHERE picture.lot = lot.id) AS pictures
           FROM listing JOIN lot ON lot.id = listing.lot ORDER BY listing.id"""
    )
    return [dict(row) for row in rows]


async def test_publishing_puts_the_lot_on_sale(secretary: Browser, seller: Member) -> None:
    answer = await send(secretary, lot(min_order="1", min_order_unit="t", place="辽中"), photo())
    assert answer.status_code == 303, faults(answer)
    name = await fetch_value("SELECT name FROM organisation WHERE id = $1", seller.organisation_id)
    assert await listings() == [
        {
            "produce": "cabbage",
            "quantity": 12_500_000,
            "remaining": 12_500_000,
            "ask": 170,
            "grade": 2,
            "min_order": 1_000_000,
            "title": f"{name} 大白菜",
            "state": "published",
            "division": "210115",
            "pictures": 1,
        }
    ]
    managed = await secretary.get(answer.headers["location"])
    assert "25,000 斤 / 12.5 吨" in managed.text
    assert "0.85 元/斤" in managed.text


async def test_same_form_sent_twice_at_once_publishes_once(secretary: Browser) -> None:
    data, picture = lot(), photo()
    answers = await asyncio.gather(*(send(secretary, data, picture) for _ in range(3)))
    assert [answer.status_code for answer in answers] == [303, 303, 303]
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert [(row["title"], row["pictures"]) for row in await listings()] == [
        ((await listings())[0]["title"], 1)
    ]


async def test_every_faulty_field_is_told_and_what_was_typed_stays(secretary: Browser) -> None:
    today = clock.today()
    answer = await send(
        secretary,
        lot(
            produce="大白采",
            quantity="-5",
            ask="NaN",
            available_from=(today + timedelta(days=9)).isoformat(),
            available_to=(today + timedelta(days=3)).isoformat(),
            min_order="1000000000000",
            story="自家种的",
        ),
    )
    assert answer.status_code == 422
    told = faults(answer)
    assert sorted(told) == ["ask", "available_to", "min_order", "produce", "quantity"]
    assert "大白菜" in told["produce"]
    assert told["quantity"] == "不能是负数，请检查后重填。"
    assert told["available_to"] == "供应截止日期早于开始日期，请对调或修改。"
    for typed in ("大白采", "-5", "NaN", "1000000000000", "自家种的"):
        assert typed in answer.text
    assert await listings() == []


async def test_faults_are_told_in_english(secretary: Browser) -> None:
    await secretary.get("/selling/new?lang=en")
    answer = await send(secretary, lot(produce="", quantity="0", available_to="2020-01-01"))
    assert faults(answer) == {
        "produce": "Please fill this in.",
        "quantity": "The quantity must be above 0.",
        "available_to": "This day is past. Please give today or a later day.",
    }


async def test_price_far_off_the_usual_is_asked_back_once(secretary: Browser) -> None:
    data = lot(produce="菜籽油", ask="70")
    asked = await send(secretary, data)
    assert asked.status_code == 422
    assert "5.00 元/斤 到 9.00 元/斤" in faults(asked)["confirm"]
    assert await listings() == []
    confirmed = await send(secretary, {**data, "confirm": "1"})
    assert confirmed.status_code == 303, faults(confirmed)
    assert [row["ask"] for row in await listings()] == [14_000]


async def test_chosen_kind_counts_where_the_typed_name_is_none(secretary: Browser) -> None:
    answer = await send(secretary, lot(produce="zhimayou", produce_code="sesame-oil", ask="30"))
    assert answer.status_code == 303, faults(answer)
    assert [row["produce"] for row in await listings()] == ["sesame-oil"]


async def test_file_that_is_no_picture_is_refused_and_nothing_is_written(secretary: Browser) -> None:
    answer = await send(secretary, lot(), b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    assert answer.status_code == 422
    assert faults(answer) == {"pictures": "“0.jpg”的内容不是 JPG、PNG 或 WebP 图片，请重新选择照片。"}
    assert await listings() == []


async def test_search_gives_a_fragment_to_htmx_and_a_page_to_everybody(
    guest: Browser, factory: Factory
) -> None:
    await shop.stock_catalogue()
    fragment = await guest.get("/produce?produce=zmy", htmx=True)
    assert fragment.text.count('name="produce_code"') == 1
    assert 'value="sesame-oil"' in fragment.text
    assert "<html" not in fragment.text
    page = await guest.get("/produce?q=白菜")
    assert 'href="/listings?produce=cabbage"' in page.text


async def test_form_is_for_sellers(guest: Browser, buyer: Member, browser_of: SignedInAs) -> None:
    led = await guest.get("/selling/new")
    assert (led.status_code, led.headers["location"]) == (303, "/sign-in?next=%2Fselling%2Fnew")
    assert (await (await browser_of(buyer)).get("/selling/new")).status_code == 403

"""A lot's page, the bid for it, its pictures and its QR code."""

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from fixtures.factories import Factory, Member
from market import clock
from market.db.session import fetch, fetch_value
from market.supply.operations import move_listing
from tests.integration.web import shop
from tests.integration.web.conftest import Browser, SignedInAs, faults


@pytest.fixture
async def lot(factory: Factory, seller: Member) -> int:
    await shop.stock_catalogue()
    return await shop.put_on_sale(
        seller, produce="rapeseed-oil", title="压榨菜籽油", kg=3_000, ask=1_400, min_order_kg=100
    )


def bid(**changed: Any) -> dict[str, str]:
    today = clock.today()
    return {
        "key": str(uuid4()),
        "quantity": "500",
        "quantity_unit": "kg",
        "price": "6.90",
        "price_unit": "jin",
        "deliver_from": (today + timedelta(days=2)).isoformat(),
        "deliver_to": (today + timedelta(days=9)).isoformat(),
        "note": "每桶 20 升",
        **changed,
    }


async def bids() -> list[dict[str, Any]]:
    rows = await fetch("SELECT listing, buyer, demand, quantity, price, note, state FROM bid ORDER BY id")
    return [dict(row) for row in rows]


async def test_guest_reads_the_lot_and_is_led_to_sign_in_for_a_bid(guest: Browser, lot: int) -> None:
    page = await guest.get(f"/listings/{lot}")
    assert page.status_code == 200
    for text in ("压榨菜籽油", "7.00 元/斤", "14.00 元/公斤", "剩余 6,000 斤 / 3 吨", "须有食品生产许可证"):
        assert text in page.text
    assert f'action="/listings/{lot}/bids' not in page.text
    assert f'href="/sign-in?next=/listings/{lot}%23bid"' in page.text


async def test_page_carries_what_messengers_show_of_a_link(guest: Browser, seller: Member, lot: int) -> None:
    await shop.give_picture(seller, lot)
    page = await guest.get(f"/listings/{lot}?lang=en")
    told = dict(re.findall(r'<meta property="og:(\w+)" content="([^"]+)">', page.text))
    lot_id = await fetch_value("SELECT lot FROM listing WHERE id = $1", lot)
    assert told == {
        "type": "product",
        "site_name": "Tiantou",
        "title": "Lot of rapeseed-oil",
        "description": "¥7.00/jin · ¥14.00/kg, 6,000 jin / 3 t left,"
        " Liaoning · Shenyang · Liaozhong District",
        "url": f"http://market.test/listings/{lot}",
        "image": f"http://market.test/pictures/{lot_id}/1-image.webp?v=abababababab",
    }
    assert "A drawing, not a photo of the goods" in page.text


@pytest.mark.parametrize("number", ["999999", "0", "9" * 40])
async def test_lot_that_is_not_there_is_not_found(guest: Browser, lot: int, number: str) -> None:
    assert (await guest.get(f"/listings/{number}")).status_code == 404


async def test_withdrawn_lot_is_its_owners_alone(
    guest: Browser, browser_of: SignedInAs, seller: Member, buyer: Member, lot: int
) -> None:
    await shop.give_picture(seller, lot)
    lot_id = await fetch_value("SELECT lot FROM listing WHERE id = $1", lot)
    await move_listing(
        listing_id=lot, move="withdraw", owner_id=seller.organisation_id, actor=seller.actor, at=clock.now()
    )
    own, other = await browser_of(seller), await browser_of(buyer)
    for path in (f"/listings/{lot}", f"/listings/{lot}/qr.svg", f"/pictures/{lot_id}/1-thumb.webp"):
        answers = [(await browser.get(path)).status_code for browser in (guest, other, own)]
        assert (path, answers) == (path, [404, 404, 200])
    assert (await other.post(f"/listings/{lot}/bids", bid())).status_code == 404


async def test_bid_reaches_the_seller(browser_of: SignedInAs, buyer: Member, lot: int) -> None:
    browser = await browser_of(buyer)
    form = await browser.get(f"/listings/{lot}")
    assert 'name="quantity" value="6000"' in form.text
    assert 'name="price" value="7.00"' in form.text
    answer = await browser.post(f"/listings/{lot}/bids", bid())
    number = await fetch_value("SELECT id FROM bid")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/bids/{number}")
    assert await bids() == [
        {
            "listing": lot,
            "buyer": buyer.organisation_id,
            "demand": None,
            "quantity": 500_000,
            "price": 1_380,
            "note": "每桶 20 升",
            "state": "submitted",
        }
    ]


async def test_same_form_twice_makes_one_bid(browser_of: SignedInAs, buyer: Member, lot: int) -> None:
    browser = await browser_of(buyer)
    form = bid()
    first = await browser.post(f"/listings/{lot}/bids", form)
    second = await browser.post(f"/listings/{lot}/bids", form)
    assert (second.status_code, second.headers["location"]) == (303, first.headers["location"])
    assert len(await bids()) == 1
    changed = await browser.post(f"/listings/{lot}/bids", {**form, "quantity": "600"})
    assert (changed.status_code, len(await bids())) == (409, 1)


@pytest.mark.parametrize(
    ("lang", "told"),
    [
        (
            "zh",
            {
                "quantity": "数量要大于 0。",
                "price": "“nan”不是数字，请只填数字，例如 25000 或 0.85。",
                "deliver_from": "日历上没有 2026-02-30 这一天。",
                "deliver_to": "请填写这一项。",
                "note": "太长了：最多 300 个字，现在 301 个。",
            },
        ),
        (
            "en",
            {
                "quantity": "The quantity must be above 0.",
                "price": "“nan” is not a number. Please give digits only, such as 25000 or 0.85.",
                "deliver_from": "There is no 2026-02-30 in the calendar.",
                "deliver_to": "Please fill this in.",
                "note": "Too long: at most 300 characters, now 301.",
            },
        ),
    ],
)
async def test_every_faulty_field_of_a_bid_is_told_and_keeps_what_was_typed(
    browser_of: SignedInAs, buyer: Member, lot: int, lang: str, told: dict[str, str]
) -> None:
    browser = await browser_of(buyer)
    await browser.get(f"/listings/{lot}?lang={lang}")
    answer = await browser.post(
        f"/listings/{lot}/bids",
        bid(quantity="0", price="NaN", deliver_from="2026-02-30", deliver_to="", note="长" * 301),
    )
    assert (answer.status_code, faults(answer)) == (422, told)
    for typed in ('value="0"', 'value="NaN"', 'value="2026-02-30"', "长" * 301):
        assert typed in answer.text
    assert await bids() == []


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"quantity": "3001"}, {"quantity": "只剩 6,000 斤（3,000 公斤），请减少数量。"}),
        ({"quantity": "99"}, {"quantity": "起订量是 200 斤（100 公斤），请增加数量。"}),
        ({"quantity": "-3"}, {"quantity": "不能是负数，请检查后重填。"}),
        ({"quantity": "1000000000000"}, {"quantity": "最多 200,000,000 斤 / 100,000 吨，请检查数字和单位。"}),
        ({"quantity_unit": "lb"}, {"quantity": "请选单位：斤、公斤或吨。"}),
        (
            {"price": "1000000000000"},
            {"price": "最多 5,000.00 元/斤（10,000.00 元/公斤），请检查数字和单位。"},
        ),
        ({"demand_id": "12345"}, {}),
    ],
)
async def test_bid_that_does_not_fit_the_lot_is_told_how_to_fit(
    browser_of: SignedInAs, buyer: Member, lot: int, changed: dict[str, str], told: dict[str, str]
) -> None:
    browser = await browser_of(buyer)
    answer = await browser.post(f"/listings/{lot}/bids", bid(**changed))
    assert (answer.status_code, faults(answer), await bids()) == (422, told, [])


async def test_window_of_delivery_is_in_order_and_meets_that_of_the_goods(
    browser_of: SignedInAs, buyer: Member, lot: int
) -> None:
    browser = await browser_of(buyer)
    today = clock.today()

    async def told(first: int, last: int) -> list[str]:
        window = {
            "deliver_from": (today + timedelta(days=first)).isoformat(),
            "deliver_to": (today + timedelta(days=last)).isoformat(),
        }
        return list(faults(await browser.post(f"/listings/{lot}/bids", bid(**window))))

    assert await told(9, 2) == ["deliver_to"]
    assert await told(-3, 2) == ["deliver_from"]
    assert await told(40, 50) == ["deliver_from"]
    assert await bids() == []


async def test_price_far_from_the_asking_price_is_asked_back_once(
    browser_of: SignedInAs, buyer: Member, lot: int
) -> None:
    browser = await browser_of(buyer)
    form = bid(price="69")
    asked = await browser.post(f"/listings/{lot}/bids", form)
    assert asked.status_code == 422
    assert list(faults(asked)) == ["price"]
    assert "您写的是 69.00 元/斤（138.00 元/公斤），平常约 7.00 元/斤" in asked.text
    assert ('name="sure"' in asked.text, 'value="69"' in asked.text) == (True, True)
    sure = await browser.post(f"/listings/{lot}/bids", {**form, "sure": "1"})
    assert (sure.status_code, [each["price"] for each in await bids()]) == (303, [13_800])


async def test_bid_may_count_towards_a_demand_of_ones_own_only(
    factory: Factory, browser_of: SignedInAs, buyer: Member, lot: int
) -> None:
    own = await factory.demand(buyer, produce="rapeseed-oil", title="门店要菜籽油")
    other = await factory.demand(await factory.member(role="buyer"), produce="rapeseed-oil")
    browser = await browser_of(buyer)
    page = await browser.get(f"/listings/{lot}")
    choices = re.findall(r'<option value="(\d+)"( selected)?>', page.text)
    assert choices == [(str(own), " selected"), ("0", "")]
    refused = await browser.post(f"/listings/{lot}/bids", bid(demand_id=str(other)))
    assert faults(refused) == {"demand_id": "没有这个选项，请从列出的里面选一个。"}
    await browser.post(f"/listings/{lot}/bids", bid(demand_id=str(own)))
    await browser.post(f"/listings/{lot}/bids", bid(demand_id="0"))
    assert [each["demand"] for each in await bids()] == [own, None]
    assert "门店要菜籽油" in (await browser.get(f"/demands/{own}")).text


async def test_only_buyers_bid(guest: Browser, browser_of: SignedInAs, factory: Factory, lot: int) -> None:
    village = await factory.member(role="secretary")
    browser = await browser_of(village)
    assert "只有商超采购员能出价" in (await browser.get(f"/listings/{lot}")).text
    assert (await browser.post(f"/listings/{lot}/bids", bid())).status_code == 403
    answer = await guest.post(f"/listings/{lot}/bids", bid())
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert await bids() == []


async def test_seller_sees_the_bids_and_other_buyers_do_not(
    browser_of: SignedInAs, factory: Factory, seller: Member, buyer: Member, lot: int
) -> None:
    await (await browser_of(buyer)).post(f"/listings/{lot}/bids", bid())
    number = await fetch_value("SELECT id FROM bid")
    rival = await factory.member(role="buyer")
    seen = []
    for member in (seller, buyer, rival):
        page = await (await browser_of(member)).get(f"/listings/{lot}")
        seen.append(f'href="/bids/{number}"' in page.text)
    assert seen == [True, True, False]


async def test_picture_is_kept_for_ever_under_the_address_with_its_hash(
    guest: Browser, browser_of: SignedInAs, seller: Member, lot: int
) -> None:
    await shop.give_picture(seller, lot)
    lot_id = await fetch_value("SELECT lot FROM listing WHERE id = $1", lot)
    path = f"/pictures/{lot_id}/1-thumb.webp"
    fixed = await guest.get(f"{path}?v=abababababab")
    assert (fixed.content, fixed.headers["content-type"]) == (b"RIFF-thumb", "image/webp")
    assert fixed.headers["cache-control"] == "public, max-age=31536000, immutable"
    for guessed in ("", "?v=", "?v=ab", "?v=cdcdcdcdcdcd"):
        assert (await guest.get(path + guessed)).headers["cache-control"] == "public, no-cache"
    again = await guest.get(path, if_none_match=fixed.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    assert (await guest.get(f"/pictures/{lot_id}/1-image.webp")).content == b"RIFF-image"
    own = await (await browser_of(seller)).get(path)
    assert own.headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize("name", ["2-thumb.webp", "1-thumb.png", "1-huge.webp", "x", "0-image.webp"])
async def test_picture_that_is_not_there_is_not_found(
    guest: Browser, seller: Member, lot: int, name: str
) -> None:
    await shop.give_picture(seller, lot)
    lot_id = await fetch_value("SELECT lot FROM listing WHERE id = $1", lot)
    assert (await guest.get(f"/pictures/{lot_id}/{name}")).status_code == 404
    assert (await guest.get(f"/pictures/{'9' * 30}/1-thumb.webp")).status_code == 404


async def test_qr_code_is_a_drawing(guest: Browser, lot: int) -> None:
    drawn = await guest.get(f"/listings/{lot}/qr.svg")
    assert (drawn.status_code, drawn.headers["content-type"]) == (200, "image/svg+xml")
    assert drawn.text.startswith("<svg")

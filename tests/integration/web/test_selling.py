"""A seller's goods: the list, the desk of one listing, its terms, and why it does not sell."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from msgspec import json

from fixtures.factories import PASSWORD, Factory, Member
from market import clock
from market.db.session import execute, fetch_value
from market.i18n import msg
from market.matching.diagnosis.changes import LotMinOrder
from market.units import Gram
from tests.integration.web import shop, trading
from tests.integration.web.conftest import Browser, SignedInAs, faults


@pytest.fixture
async def listing(factory: Factory, seller: Member) -> int:
    await shop.stock_catalogue()
    return await shop.put_on_sale(seller)


@pytest.fixture
async def secretary(seller: Member, browser_of: SignedInAs) -> Browser:
    return await browser_of(seller)


@pytest.fixture
async def stranger(factory: Factory, browser_of: SignedInAs) -> Browser:
    return await browser_of(await factory.member(role="secretary", password=PASSWORD))


async def state_of(listing_id: int) -> str:
    return str(await fetch_value("SELECT state FROM listing WHERE id = $1", listing_id))


async def test_list_shows_stock_bids_and_days(
    secretary: Browser, seller: Member, buyer: Member, listing: int
) -> None:
    await trading.bid_on(listing, buyer)
    page = await secretary.get("/selling")
    for text in ("辽中大白菜", "剩余 40,000 斤 / 20 吨", "还有 30 天", "1 笔出价待答复"):
        assert text in page.text
    assert "辽中大白菜" not in (await secretary.get("/selling?state=gone")).text


async def test_list_tells_a_newcomer_what_to_do(stranger: Browser) -> None:
    page = await stranger.get("/selling")
    assert "还没有货源" in page.text
    assert 'href="/selling/new"' in page.text


async def test_buttons_are_the_moves_that_are_open(secretary: Browser, listing: int) -> None:
    page = await secretary.get(f"/selling/{listing}")
    assert f"/selling/{listing}/move/suspend" in page.text
    assert f"/selling/{listing}/move/resume" not in page.text
    answer = await secretary.post(f"/selling/{listing}/move/suspend", {"key": str(uuid4())})
    assert answer.headers["location"] == f"/selling/{listing}"
    page = await secretary.get(f"/selling/{listing}")
    assert f"/selling/{listing}/move/resume" in page.text
    assert f"/selling/{listing}/move/suspend" not in page.text


async def test_move_pressed_twice_is_done_once(secretary: Browser, listing: int) -> None:
    for _ in range(2):
        answer = await secretary.post(f"/selling/{listing}/move/withdraw", {"key": str(uuid4())})
        assert answer.status_code == 303
    assert await state_of(listing) == "withdrawn"
    assert await fetch_value("SELECT count(*) FROM audit_record WHERE action = 'withdraw'") == 1


async def test_move_that_is_closed_is_refused(secretary: Browser, listing: int) -> None:
    await secretary.post(f"/selling/{listing}/move/withdraw")
    answer = await secretary.post(f"/selling/{listing}/move/suspend")
    assert answer.status_code == 409
    assert await state_of(listing) == "withdrawn"
    assert (await secretary.post(f"/selling/{listing}/move/sell_out")).status_code == 404


@pytest.mark.parametrize("path", ["", "/terms", "/why"])
async def test_listing_of_somebody_else_is_not_found(stranger: Browser, listing: int, path: str) -> None:
    assert (await stranger.get(f"/selling/{listing}{path}")).status_code == 404


@pytest.mark.parametrize("path", ["/move/withdraw", "/terms", "/price"])
async def test_listing_of_somebody_else_is_not_changed(stranger: Browser, listing: int, path: str) -> None:
    answer = await stranger.post(f"/selling/{listing}{path}", {"price": "1"} if path == "/price" else {})
    assert answer.status_code == 404
    assert await state_of(listing) == "published"
    assert await fetch_value("SELECT ask FROM listing WHERE id = $1", listing) == 160


async def test_number_that_no_row_can_have_is_not_found(secretary: Browser) -> None:
    assert (await secretary.get(f"/selling/{10**30}")).status_code == 404


def terms(**changed: Any) -> dict[str, str]:
    today = clock.today()
    return {
        "key": str(uuid4()),
        "ask": "0.75",
        "ask_unit": "jin",
        "available_from": today.isoformat(),
        "available_to": (today + timedelta(days=60)).isoformat(),
        "credentials": "test-report",
        **changed,
    }


async def test_new_terms_hold_and_bidders_are_asked_again(
    secretary: Browser, buyer: Member, listing: int
) -> None:
    bid_id = await trading.bid_on(listing, buyer)
    answer = await secretary.post(f"/selling/{listing}/terms", terms())
    assert answer.status_code == 303, faults(answer)
    page = await secretary.get(f"/selling/{listing}")
    assert "0.75 元/斤" in page.text
    assert "test-report" in page.text
    assert "条件已改；有出价的买方已收到通知" in page.text
    assert await fetch_value("SELECT state FROM bid WHERE id = $1", bid_id) == "needs_reconfirm"


async def test_new_terms_without_a_bid_ask_nobody(secretary: Browser, listing: int) -> None:
    assert (await secretary.post(f"/selling/{listing}/terms", terms())).status_code == 303
    page = (await secretary.get(f"/selling/{listing}")).text
    assert "条件已改。" in page
    assert "有出价的买方" not in page


async def test_faulty_terms_are_told_beside_their_fields(secretary: Browser, listing: int) -> None:
    data = terms(ask="0", min_order="99999", min_order_unit="t", available_to="2020-02-30")
    answer = await secretary.post(f"/selling/{listing}/terms", data)
    assert answer.status_code == 422
    assert sorted(faults(answer)) == ["ask", "available_to"]
    assert 'value="2020-02-30"' in answer.text
    refused = await secretary.post(f"/selling/{listing}/terms", terms(min_order="99999", min_order_unit="t"))
    assert faults(refused) == {"min_order": "起订量不能超过总数量，不限可填 0。"}


async def test_diagnosis_becomes_a_step_that_one_tap_takes(
    factory: Factory, secretary: Browser, listing: int
) -> None:
    town = await factory.member(role="official")
    await trading.diagnose(town, listing, cost=1_050)
    page = await secretary.get(f"/selling/{listing}/why")
    # the engine's 1.495 yuan is no price of the market: text and button both say the fen below
    assert "要价降 0.11 元/公斤，到 0.745 元/斤 · 1.49 元/公斤" in page.text
    assert "直接改成 0.745 元/斤 · 1.49 元/公斤" in page.text
    assert "打开 0 条需求，600 斤 / 0.3 吨，按改后的价约 447 元" in page.text
    assert 'name="price" value="149"' in page.text
    answer = await secretary.post(f"/selling/{listing}/price", {"price": "149", "key": str(uuid4())})
    assert answer.headers["location"] == f"/selling/{listing}/why"
    assert await fetch_value("SELECT ask FROM listing WHERE id = $1", listing) == 149


async def test_list_says_in_one_line_why_a_lot_is_stuck(
    factory: Factory, secretary: Browser, listing: int
) -> None:
    await trading.diagnose(await factory.member(role="official"), listing, cost=1_000)
    page = await secretary.get("/selling")
    assert "卖不动：价格" in page.text
    assert f'href="/selling/{listing}/why"' in page.text
    # the list and the first page say it as the page behind the line does, in both units
    least = LotMinOrder(min_order=Gram(50_000))
    await execute(
        "UPDATE diagnosis SET obstacle = 'min_order', change = $2, terms = $3 WHERE listing = $1",
        listing,
        json.encode(msg("把起订量从 {now} 公斤降到 {kg} 公斤。", now="100", kg="50")).decode(),
        json.encode([least]).decode(),
    )
    for path in ("/", "/selling", f"/selling/{listing}/why"):
        assert "把起订量改为 100 斤 / 50 公斤" in (await secretary.get(path)).text, path


async def test_without_a_run_the_page_says_what_will_come(secretary: Browser, listing: int) -> None:
    assert "还没有诊断" in (await secretary.get(f"/selling/{listing}/why")).text

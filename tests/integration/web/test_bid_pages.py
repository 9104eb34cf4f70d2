"""A bid as its two sides see it, and the answers to it."""

import asyncio
from uuid import uuid4

import pytest

from fixtures.factories import PASSWORD, Factory, Member
from market.db.session import execute, fetch_value
from tests.forms import filled_in
from tests.integration.web import shop, trading
from tests.integration.web.conftest import Browser, SignedInAs, faults


@pytest.fixture
async def bid(factory: Factory, seller: Member, buyer: Member) -> int:
    await shop.stock_catalogue()
    return await trading.bid_on(await shop.put_on_sale(seller), buyer)


@pytest.fixture
async def secretary(seller: Member, browser_of: SignedInAs) -> Browser:
    return await browser_of(seller)


@pytest.fixture
async def purchaser(buyer: Member, browser_of: SignedInAs) -> Browser:
    return await browser_of(buyer)


async def state_of(bid_id: int) -> str:
    return str(await fetch_value("SELECT state FROM bid WHERE id = $1", bid_id))


async def test_both_sides_see_the_bid_and_nobody_else(
    factory: Factory, secretary: Browser, purchaser: Browser, browser_of: SignedInAs, bid: int
) -> None:
    for browser in (secretary, purchaser):
        page = await browser.get(f"/bids/{bid}")
        assert "0.75 元/斤" in page.text
        assert "750 元" in page.text
        assert f'href="/bids/{bid}"' in (await browser.get("/bids")).text
    other = await browser_of(await factory.member(role="buyer", password=PASSWORD))
    assert (await other.get(f"/bids/{bid}")).status_code == 404
    assert (await other.post(f"/bids/{bid}/accept")).status_code == 404
    assert (await other.post(f"/bids/{bid}/withdraw")).status_code == 404
    assert "还没有出过价" in (await other.get("/bids")).text
    assert await state_of(bid) == "submitted"


async def test_buttons_belong_to_the_side_that_may_press_them(
    secretary: Browser, purchaser: Browser, bid: int
) -> None:
    assert f'action="/bids/{bid}/accept"' in (await secretary.get(f"/bids/{bid}")).text
    assert f'action="/bids/{bid}/withdraw"' not in (await secretary.get(f"/bids/{bid}")).text
    assert f'action="/bids/{bid}/withdraw"' in (await purchaser.get(f"/bids/{bid}")).text
    assert f'action="/bids/{bid}/accept"' not in (await purchaser.get(f"/bids/{bid}")).text
    assert (await purchaser.post(f"/bids/{bid}/accept")).status_code == 409
    assert await state_of(bid) == "submitted"


async def test_accepting_makes_one_deal_however_often_it_is_sent(secretary: Browser, bid: int) -> None:
    key = str(uuid4())
    answers = await asyncio.gather(*(secretary.post(f"/bids/{bid}/accept", {"key": key}) for _ in range(3)))
    answers.append(await secretary.post(f"/bids/{bid}/accept", {"key": str(uuid4())}))
    deal = await fetch_value("SELECT id FROM deal")
    assert {answer.headers["location"] for answer in answers} == {f"/deals/{deal}"}
    assert await fetch_value("SELECT count(*) FROM deal") == 1


async def test_declining_needs_a_reason_which_the_buyer_reads(
    secretary: Browser, purchaser: Browser, bid: int
) -> None:
    refused = await secretary.post(f"/bids/{bid}/reject", {"reason": "", "note": "不够成本"})
    assert (refused.status_code, faults(refused)) == (422, {"reason": "请选一项。"})
    assert "不够成本" in refused.text
    assert await state_of(bid) == "submitted"
    for _ in range(2):
        answer = await secretary.post(f"/bids/{bid}/reject", {"reason": "quality", "note": "不够成本"})
        assert answer.headers["location"] == f"/bids/{bid}"
    page = await purchaser.get(f"/bids/{bid}")
    assert "谢绝的原因" in page.text
    assert "quality" in page.text
    assert "不够成本" in page.text


async def test_buyer_withdraws_and_may_press_twice(purchaser: Browser, bid: int) -> None:
    for _ in range(2):
        assert (await purchaser.post(f"/bids/{bid}/withdraw")).status_code == 303
    assert await state_of(bid) == "withdrawn"


async def test_withdrawn_bid_cannot_be_accepted(secretary: Browser, purchaser: Browser, bid: int) -> None:
    await purchaser.post(f"/bids/{bid}/withdraw")
    answer = await secretary.post(f"/bids/{bid}/accept")
    assert answer.status_code == 409
    assert await fetch_value("SELECT count(*) FROM deal") == 0


async def test_bid_stands_again_when_its_buyer_confirms(purchaser: Browser, bid: int) -> None:
    await execute("UPDATE bid SET state = 'needs_reconfirm'")
    assert "您的出价还算数吗" in (await purchaser.get(f"/bids/{bid}")).text
    assert (await purchaser.post(f"/bids/{bid}/reconfirm")).status_code == 303
    assert await state_of(bid) == "submitted"


async def test_a_bid_is_confirmed_under_the_terms_that_were_read(purchaser: Browser, bid: int) -> None:
    """Terms that change once more are told to whoever has an older page open."""
    await execute("UPDATE bid SET state = 'needs_reconfirm'")
    action = f"/bids/{bid}/reconfirm"
    stale = filled_in((await purchaser.get(f"/bids/{bid}")).text, action)
    await execute("UPDATE listing SET available_to = available_to + 1")
    refused = await purchaser.post(action, stale)
    assert (refused.status_code, await state_of(bid)) == (409, "needs_reconfirm")
    assert "条件在您打开以后又变了" in refused.text
    again = filled_in((await purchaser.get(f"/bids/{bid}")).text, action)
    assert (await purchaser.post(action, again)).status_code == 303
    assert await state_of(bid) == "submitted"


async def test_page_tells_what_happened_by_whom(secretary: Browser, bid: int) -> None:
    await secretary.post(f"/bids/{bid}/accept")
    page = await secretary.get(f"/bids/{bid}?lang=en")
    assert "Accepted; the contract was made" in page.text
    assert "It has become a contract." in page.text


async def test_turns_go_to_and_fro_with_their_differences(
    secretary: Browser, purchaser: Browser, bid: int
) -> None:
    page = await secretary.get(f"/bids/{bid}")
    assert f'action="/bids/{bid}/counter"' in page.text
    assert f'action="/bids/{bid}/counter"' not in (await purchaser.get(f"/bids/{bid}")).text
    same = await secretary.post(f"/bids/{bid}/counter", await terms_of(bid))
    assert (same.status_code, list(faults(same))) == (422, ["price"])
    counter = await secretary.post(f"/bids/{bid}/counter", {**await terms_of(bid), "price": "0.80"})
    turn = await fetch_value("SELECT id FROM bid WHERE parent = $1", bid)
    assert counter.headers["location"] == f"/bids/{turn}"
    page = await purchaser.get(f"/bids/{turn}")
    assert "卖方还价" in page.text
    for told in ("单价 +0.05 元/斤", "数量 不变", "1.60 元/公斤"):
        assert told in page.text
    assert "等您答复" in (await purchaser.get("/bids")).text
    assert "待答复还价" in (await purchaser.get("/")).text
    assert f'href="/bids/{turn}"' in (await secretary.get(f"/bids/{bid}")).text
    assert (await secretary.post(f"/bids/{turn}/accept")).status_code == 409
    answer = await purchaser.post(f"/bids/{turn}/accept")
    assert answer.headers["location"] == f"/deals/{await fetch_value('SELECT id FROM deal')}"
    assert await fetch_value("SELECT price FROM deal") == 160


async def terms_of(bid_id: int) -> dict[str, str]:
    """The fields of a counter that says what the bid says."""
    day = "SELECT {}::text FROM bid WHERE id = $1"
    return {
        "quantity": "500",
        "quantity_unit": "kg",
        "price": "0.75",
        "price_unit": "jin",
        "deliver_from": await fetch_value(day.format("deliver_from"), bid_id),
        "deliver_to": await fetch_value(day.format("deliver_to"), bid_id),
        "key": str(uuid4()),
    }

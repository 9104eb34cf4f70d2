"""Suggestions of the engine and the answers of both sides."""

from uuid import uuid4

import pytest

from fixtures.factories import PASSWORD, Factory, Member
from market.db.session import execute, fetch, fetch_value
from tests.integration.web import shop, trading
from tests.integration.web.conftest import Browser, SignedInAs, faults


@pytest.fixture
async def match(factory: Factory, seller: Member, buyer: Member) -> int:
    await shop.stock_catalogue()
    town = await factory.member(role="official")
    return (await trading.propose(factory, town, seller, buyer))[0]


@pytest.fixture
async def secretary(seller: Member, browser_of: SignedInAs) -> Browser:
    return await browser_of(seller)


@pytest.fixture
async def purchaser(buyer: Member, browser_of: SignedInAs) -> Browser:
    return await browser_of(buyer)


async def test_list_gives_reason_price_and_band(secretary: Browser, match: int) -> None:
    page = await secretary.get("/matches")
    for text in (
        "路程 91.5 公里。",
        "0.85 元/斤",
        "对买方最好 0.80 元/斤",
        "对卖方最好 0.90 元/斤",
        "680 元",
    ):
        assert text in page.text
    assert "等您答复" in page.text


async def test_match_of_others_is_not_found(factory: Factory, browser_of: SignedInAs, match: int) -> None:
    other = await browser_of(await factory.member(role="buyer", password=PASSWORD))
    assert (await other.get(f"/matches/{match}")).status_code == 404
    assert (await other.post(f"/matches/{match}/agree")).status_code == 404
    assert (await other.post(f"/matches/{match}/decline", {"reason": "price"})).status_code == 404
    assert "还没有撮合建议" in (await other.get("/matches")).text


async def test_while_one_side_is_suspended_nobody_is_asked_to_agree(
    secretary: Browser, purchaser: Browser, buyer: Member, match: int
) -> None:
    await execute("UPDATE organisation SET standing = 'suspended' WHERE id = $1", buyer.organisation_id)
    agree = f'action="/matches/{match}/agree"'
    for browser in (secretary, purchaser):
        listed, page = await browser.get("/matches"), await browser.get(f"/matches/{match}")
        assert ("一方已被暂停" in listed.text, agree in listed.text) == (True, False)
        assert ("已被县里暂停，恢复之前不能再签新的合同" in page.text, agree in page.text) == (True, False)
    assert (await secretary.post(f"/matches/{match}/agree", {"key": str(uuid4())})).status_code == 409
    # to decline is no binding, and stays open
    assert (await secretary.post(f"/matches/{match}/decline", {"reason": "price"})).status_code == 303


async def test_both_agree_and_the_contract_is_made(
    secretary: Browser, purchaser: Browser, match: int
) -> None:
    first = await secretary.post(f"/matches/{match}/agree", {"key": str(uuid4())})
    assert first.headers["location"] == f"/matches/{match}"
    assert f'action="/matches/{match}/agree"' not in (await secretary.get(f"/matches/{match}")).text
    second = await purchaser.post(f"/matches/{match}/agree", {"key": str(uuid4())})
    deals = [dict(row) for row in await fetch("SELECT id, quantity, price, source FROM deal")]
    assert deals == [{"id": deals[0]["id"], "quantity": 400_000, "price": 170, "source": "match"}]
    assert second.headers["location"] == f"/deals/{deals[0]['id']}"


async def test_agreeing_again_changes_nothing(secretary: Browser, purchaser: Browser, match: int) -> None:
    for _ in range(2):
        answer = await secretary.post(f"/matches/{match}/agree", {"key": str(uuid4())})
        assert answer.headers["location"] == f"/matches/{match}"
    key = str(uuid4())
    for _ in range(2):
        await purchaser.post(f"/matches/{match}/agree", {"key": key})
    assert await fetch_value("SELECT count(*) FROM deal") == 1


async def test_declining_tells_the_other_side_why(secretary: Browser, purchaser: Browser, match: int) -> None:
    refused = await secretary.post(f"/matches/{match}/decline", {"reason": "nonsense"})
    assert faults(refused) == {"reason": "没有这个选项，请从列出的里面选一个。"}
    for _ in range(2):
        assert (await secretary.post(f"/matches/{match}/decline", {"reason": "price"})).status_code == 303
    page = await purchaser.get(f"/matches/{match}")
    assert "谢绝了，原因是" in page.text
    assert f'action="/matches/{match}/agree"' not in page.text
    assert (await purchaser.post(f"/matches/{match}/agree")).status_code == 409

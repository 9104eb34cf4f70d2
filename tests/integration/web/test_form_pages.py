"""An address that only takes posts leads to the page that its form belongs to, also after an error."""

from uuid import uuid4

import pytest

from fixtures.factories import Member
from tests.integration.web import shop, trading
from tests.integration.web.conftest import Browser, SignedInAs


@pytest.mark.parametrize(
    ("address", "page"),
    [
        ("/bids/4/counter", "/bids/4"),
        ("/selling/4/move/suspend", "/selling/4"),
        ("/deals/3/payments/9/pay", "/deals/3"),
        ("/sign-out", "/"),
    ],
)
async def test_an_address_for_posts_alone_leads_to_its_page(guest: Browser, address: str, page: str) -> None:
    for query in ("", "?lang=en"):
        answer = await guest.get(address + query)
        assert (answer.status_code, answer.headers["location"]) == (303, page)


async def test_after_an_error_the_language_can_be_switched_and_the_way_back_is_open(
    seller: Member, buyer: Member, browser_of: SignedInAs
) -> None:
    await shop.stock_catalogue()
    listing_id = await shop.put_on_sale(seller)
    bid_id = await trading.bid_on(listing_id, buyer)
    browser = await browser_of(seller)
    wrong = await browser.post(f"/bids/{bid_id}/counter", {"quantity": "x"})
    assert wrong.status_code == 422
    assert f'href="/bids/{bid_id}?lang=en"' in wrong.text
    assert "counter?lang=en" not in wrong.text
    await browser.post(f"/selling/{listing_id}/move/withdraw", {"key": str(uuid4())})
    late = await browser.post(f"/selling/{listing_id}/move/suspend", {"key": str(uuid4())})
    assert late.status_code == 409
    assert f'href="/selling/{listing_id}"' in late.text
    assert "回到刚才的页面" in late.text


async def test_a_page_that_takes_its_own_form_keeps_its_address(
    seller: Member, browser_of: SignedInAs
) -> None:
    await shop.stock_catalogue()
    browser = await browser_of(seller)
    wrong = await browser.post("/selling/new", {"ask": "x"})
    assert 'href="/selling/new?lang=en"' in wrong.text

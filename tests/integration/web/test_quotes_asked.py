"""A buyer that wants a quote: the seller is told, and offers what was said at the table."""

import re
from html import unescape

import pytest

from fixtures.factories import Factory
from market.db.session import fetch_value
from tests.forms import filled_in
from tests.integration.meetings.after_scene import After
from tests.integration.web.conftest import SignedInAs


@pytest.fixture
async def after(factory: Factory) -> After:
    return await After(factory).begun()


async def test_who_is_asked_for_a_quote_is_told_and_offers_what_was_said(
    after: After, browser_of: SignedInAs
) -> None:
    talk, other = after.talks[:2]
    await after.record(talk, "quote", kg=3_000, price=810)
    await after.record(other, "intent", kg=2_000, price=800)
    seller, buyer = [await browser_of(after.side(talk, name)) for name in ("seller", "buyer")]
    told = (await seller.get("/notices")).text
    page = f"/meetings/{after.meeting_id}/after"
    assert "请您报价" in told
    link = await fetch_value("SELECT link FROM notice WHERE kind = 'quote_asked'")
    assert link == f"{page}#talk-{talk.id}"
    (link,) = re.findall(r'href="(/demands/\d+/offer\?[^"]+)"', (await seller.get(page)).text)
    form = (await seller.get(unescape(link))).text
    values = filled_in(form, f"/demands/{talk.topics[0].demand}/offer")
    shown = {name: values[name] for name in ("quantity", "quantity_unit", "price", "price_unit")}
    assert shown == {"quantity": ["6000"], "quantity_unit": ["jin"], "price": ["4.05"], "price_unit": ["jin"]}
    # the buyer has asked; and nobody offers upon an intent, which becomes a contract
    assert "/offer?" not in (await buyer.get(page)).text
    assert "请您报价" not in (await buyer.get("/notices")).text
    # what a link says that is no figure is not taken
    odd = f"/demands/{talk.topics[0].demand}/offer?listing=x&quantity=-5&price=²"
    assert (await seller.get(odd)).status_code == 200

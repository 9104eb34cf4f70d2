"""The follow-up ledger as a page: a figure leads to its rows and is their sum, strangers see nothing."""

import re

import pytest

from fixtures.factories import PASSWORD, Factory, Member
from tests.integration.deals.scene import Contracted, contract
from tests.integration.web.conftest import SignedInAs


@pytest.fixture
async def sides(factory: Factory) -> tuple[Member, Contracted]:
    """A town, and a contract of its village under which a part was delivered; one more waits."""
    town = await factory.member(role="official", password=PASSWORD)
    seller = await factory.member(role="secretary", town_id=town.organisation_id)
    buyer = await factory.member(role="buyer", password=PASSWORD)
    listing_id = await factory.listing(seller, kg=1_000)
    deal = Contracted(seller, buyer, await contract(seller, buyer, listing_id=listing_id, price=700))
    await deal.sign()
    await deal.send(100_000, "dispatch", "arrive", "accept")
    await contract(seller, buyer, listing_id=listing_id, price=700, source_id=2)
    return town, deal


async def test_figure_leads_to_its_rows_and_is_their_sum(
    sides: tuple[Member, Contracted], browser_of: SignedInAs
) -> None:
    town, deal = sides
    for member, by in ((town, "seller"), (deal.buyer, "buyer")):
        browser = await browser_of(member)
        page = (await browser.get(f"/ledger?by={by}")).text
        key = deal.seller.organisation_id if by == "seller" else deal.buyer.organisation_id
        grouped = "" if by == "seller" else f"by={by}&amp;"
        query = f"{grouped}kind=contract&amp;{by}={key}"
        assert f'href="/ledger/rows?{query}"><b>1</b>' in page
        rows = (await browser.get("/ledger/rows?" + query.replace("&amp;", "&"))).text
        assert rows.count('<th scope="row">') == 1
        assert re.search(r"合同 1 笔 · 800 斤 / 0\.4 吨 · <strong>2,800 元</strong>", rows)
        assert f'href="/deals/{deal.deal_id}"' in rows
        english = (await browser.get("/ledger/rows?kind=delivery&lang=en")).text
        assert "Quantity that buyers have accepted" in english
        assert "¥700" in english


async def test_nonsense_in_the_address_is_left_out_and_a_stranger_sees_an_empty_ledger(
    sides: tuple[Member, Contracted], browser_of: SignedInAs, factory: Factory
) -> None:
    town, _ = sides
    browser = await browser_of(town)
    whole = (await browser.get("/ledger/rows")).text.count('<th scope="row">')
    assert whole == 3
    for odd in ("by=x", "kind=%00", "seller=x", "month=2026", "first=never", "page=0", "x=1", "meeting=9e9"):
        answer = await browser.get(f"/ledger/rows?{odd}")
        assert (answer.status_code, answer.text.count('<th scope="row">')) == (200, whole)
    kept = (await browser.get("/ledger/rows?kind=delivery&by=x")).text
    assert kept.count('<th scope="row">') == 1
    stranger = await browser_of(await factory.member(role="buyer", password=PASSWORD))
    assert "还没有可跟进的" in (await stranger.get("/ledger")).text
    assert (await stranger.get("/ledger/rows")).text.count('<th scope="row">') == 0

"""Invoices go over the API by the rules of the pages."""

import base64

from fixtures.factories import TODAY, Factory
from market.clock import today
from tests.integration.deals.scene import Contracted, contract

from .conftest import People

NUMBER = "26372000000012345678"


async def test_invoice_is_recorded_sent_back_taken_reversed_and_read(
    factory: Factory, people: People
) -> None:
    seller, buyer = await factory.member(role="secretary"), await factory.member(role="buyer")
    listing = await factory.listing(seller, kg=400)
    deal = Contracted(seller, buyer, await contract(seller, buyer, listing_id=listing))
    await deal.sign()
    load = await deal.send(400_000, "dispatch", "arrive", "accept")
    sells, buys = await people.caller(seller), await people.caller(buyer)
    address = f"/deals/{deal.deal_id}/invoices"
    content = base64.b64encode(b"%PDF-1.7").decode()
    wish = {
        "kind": "plain",
        "number": NUMBER,
        "issued_on": TODAY.isoformat(),
        "amount": 280_400,
        "deliveries": [load],
        "file": {"name": "a.pdf", "content": content},
    }
    assert (await buys.post(address, wish)).status_code == 422
    assert (await sells.post(address, {**wish, "amount": 280_401})).json()["fields"].keys() == {"sure"}
    recorded = await sells.post(address, wish)
    assert recorded.status_code == 201
    one = f"{address}/{recorded.json()['invoice_id']}"
    assert (await sells.post(address, wish)).status_code == 422
    assert (await buys.post(f"{one}/refuse", {"reason": "title"})).json() == {"state": "refused"}
    assert (await buys.post(f"{one}/take")).json() == {"state": "recorded"}
    told = (await buys.get(address)).json()
    assert (told["sums"], told["invoices"][0]["deliveries"]) == (
        {"billed": 280_400, "accepted": 280_400},
        [load],
    )
    assert (await buys.get(f"{one}/file")).json()["content"] == content
    red = {"number": NUMBER[:-1] + "9", "issued_on": today().isoformat(), "reason": "returned"}
    assert (await sells.post(f"{one}/reverse", red)).json() == {"state": "reversed"}
    assert (await sells.post(f"{one}/withdraw", {"reason": "mistake"})).status_code == 409

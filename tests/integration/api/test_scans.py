"""A scanned contract goes over the API by the rules of the pages, its files as base64."""

import base64

from fixtures.factories import Factory
from market.deals.scans.queries import mark_in_force
from tests.integration.deals.scene import contract

from .conftest import People


async def test_scan_is_uploaded_presented_confirmed_and_read(factory: Factory, people: People) -> None:
    seller, buyer = await factory.member(role="secretary"), await factory.member(role="buyer")
    deal_id = await contract(seller, buyer, listing_id=await factory.listing(seller, kg=400))
    sells, buys = await people.caller(seller), await people.caller(buyer)
    address = f"/deals/{deal_id}/scans"
    content = base64.b64encode(b"%PDF-1.7").decode()
    wish = {"files": [{"name": "1.pdf", "content": content}], "mark": await mark_in_force(deal_id=deal_id)}
    for wrong in ({**wish, "mark": ""}, {**wish, "files": [{"name": "1.pdf", "content": "AAAAA"}]}):
        assert (await sells.post(address, wrong)).status_code == 422
    uploaded = await sells.post(address, wish)
    assert uploaded.status_code == 201
    scan = uploaded.json()["scan_id"]
    assert (await buys.get(address)).json() == []
    assert (await sells.post(f"{address}/{scan}/present")).json() == {"state": "waiting"}
    file = (await buys.get(address)).json()[0]["files"][0]
    assert (await buys.get(f"{address}/{scan}/files/{file['id']}")).json()["content"] == content
    assert (await buys.post(f"{address}/{scan}/confirm")).json() == {"state": "confirmed"}
    assert (await buys.get(f"/deals/{deal_id}")).json()["deal"]["state"] == "active"
    stranger = await people.caller(await factory.member(role="buyer"))
    assert (await stranger.get(address)).status_code == 404

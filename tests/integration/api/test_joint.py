"""Offers on demands and joint offers through the API."""

from datetime import date
from typing import Any

from fixtures.factories import Factory

from .conftest import Caller, People


async def test_a_joint_offer_is_gathered_and_refused_and_a_part_of_a_single_one_accepted(
    people: People, factory: Factory, window: dict[str, date]
) -> None:
    seller, neighbour = await factory.member(role="secretary"), await factory.member(role="secretary")
    member = await factory.member(role="buyer")
    first, second = await factory.listing(seller, kg=500), await factory.listing(neighbour, kg=500)
    demand_id = await factory.demand(member, kg=1_000)
    lead, other, buyer = [await people.caller(each) for each in (seller, neighbour, member)]

    async def post(who: Caller, path: str, status: int = 200, **body: Any) -> Any:
        answer = await who.post(path, body)
        assert answer.status_code == status, answer.text
        return answer.json()

    terms = {"quantity": 400_000, "price": 700}
    joint = {"listing_id": first, **terms, **window}
    # a slip of a nought is asked back before anybody hears of it
    start, join = f"/demands/{demand_id}/joint-offers", "/joint-offers/1/shares"
    assert "price" in (await post(lead, start, 422, **joint | {"price": 7_000}))["fields"]
    assert await post(lead, start, 201, **joint) == {"joint_id": 1}
    odd = {"listing_id": second, **terms, "price": 7}
    assert "price" in (await post(lead, join, 422, **odd))["fields"]
    meant = await post(lead, join, 201, **odd, sure=True)
    no = f"{join}/{meant['share_id']}/refuse"
    assert set((await post(lead, no, 422))["fields"]) == {"reason"}
    await post(lead, no, reason="quality", note="太小")
    said = (await other.get("/joint-offers/1")).json()["shares"][0]
    assert (said["reason_zh"], said["reason_note"]) == ("quality", "太小")
    added = await post(lead, join, 201, listing_id=second, **terms)
    share = f"/joint-offers/1/shares/{added['share_id']}"
    assert (await lead.post(f"{share}/confirm")).status_code == 404
    assert (await lead.post("/joint-offers/1/submit")).status_code == 409
    assert (await buyer.get("/joint-offers/1")).status_code == 404
    assert (await other.post(f"{share}/confirm", key="yes")).json() == {"state": "confirmed"}
    assert (await lead.post("/joint-offers/1/submit")).json() == {"state": "submitted"}
    rows = (await buyer.get("/joint-offers")).json()
    assert [(row["role"], row["grams"], row["sellers"]) for row in rows] == [("buyer", 800_000, 2)]
    assert (await buyer.get(f"/demands/{demand_id}/joint-offers")).json() == rows
    seen = (await buyer.get("/joint-offers/1")).json()
    assert [each["state"] for each in seen["shares"]] == ["confirmed", "confirmed"]
    await post(buyer, "/joint-offers/1/accept", 422, quantity=100_000)
    await post(buyer, "/joint-offers/1/accept", 409, worth=840_000)
    refused = await post(buyer, "/joint-offers/1/reject", reason="price")
    assert refused == {"state": "rejected"}

    placed = await post(lead, f"/demands/{demand_id}/offers", 201, **joint, least=100_000)
    part = f"/bids/{placed['bid_id']}/accept-part"
    await post(buyer, part, 422, quantity=99_999)
    assert await post(buyer, part, quantity=150_000) == {"deal_id": 1}
    assert (await buyer.get(f"/demands/{demand_id}/offers")).json()[0]["bought"] == 150_000
    wants = {"quantity": 900_000, "ceiling": 950, **window}
    assert await post(buyer, f"/demands/{demand_id}/terms", **wants) == {"state": "published"}
    assert (await buyer.get(f"/demands/{demand_id}")).json()["open"] == 750_000

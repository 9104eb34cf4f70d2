"""Quotes, shelves and capacity over the API, by the rules of the pages."""

from typing import Any

from fixtures.factories import Factory
from market import clock
from market.db.session import fetch_value
from tests.integration.deals.scene import Contracted, contract

from .conftest import Caller, People


async def test_quotes_shelves_and_capacity_go_over_the_api(factory: Factory, people: People) -> None:
    town = await factory.member(role="official")
    seller = await factory.member(role="secretary", town_id=town.organisation_id)
    buyer = await factory.member(role="buyer")
    await factory.demand(buyer)
    site = await fetch_value("SELECT id FROM site")
    listing_id = await factory.listing(seller, kg=400)
    deal = Contracted(seller, buyer, await contract(seller, buyer, listing_id=listing_id, price=700))
    await deal.sign()
    sells, buys, looks_on = [await people.caller(each) for each in (seller, buyer, town)]
    stranger = await people.caller(await factory.member(role="buyer"))
    today = clock.today().isoformat()

    async def post(who: Caller, path: str, status: int, body: Any, key: str | None = None) -> Any:
        answer = await who.post(path, body, key=key)
        assert answer.status_code == status, answer.text
        return answer.json()

    on_shelf = {
        "site_id": site,
        "seller_id": seller.organisation_id,
        "produce": "peanut",
        "label": "老边头",
        "on": today,
        "price": 1_200,
    }
    await post(looks_on, "/shelf", 403, on_shelf)
    await post(stranger, "/shelf", 404, on_shelf)
    assert "label" in (await post(buys, "/shelf", 422, {**on_shelf, "label": ""}))["fields"]
    for _ in range(2):
        assert await post(buys, "/shelf", 201, on_shelf, key="shelf") == {"spell_id": 1}
    await post(sells, "/shelf", 409, on_shelf)
    seen = {"kind": "seen", "on": today, "price": 1_250}
    await post(stranger, "/shelf/1/sightings", 404, seen)
    assert await post(sells, "/shelf/1/sightings", 200, seen) == {"state": "seen"}
    (row,) = (await looks_on.get("/shelf")).json()
    assert (row["price"], row["seen_by"]) == (1_250, seller.organisation_id)
    assert [each["kind"] for each in (await buys.get("/shelf/1")).json()["sightings"]] == ["put", "seen"]
    assert (await stranger.get("/shelf/1")).status_code == 404

    tanks = {"kind": "tank", "on": today, "units": 7, "grams": 3_000_000}
    await post(buys, "/capacity", 403, tanks)
    assert "kind" in (await post(sells, "/capacity", 422, {**tanks, "kind": "pond"}))["fields"]
    await post(sells, "/capacity", 200, tanks)
    (grown,) = (await looks_on.get("/capacity")).json()
    assert grown["points"] == [{"on": today, "units": 7, "grams": 21_000_000}]
    assert (await buys.get("/capacity")).status_code == 403

    opened = await post(
        sells, f"/deals/{deal.deal_id}/breaches", 201, {"ground": "not_taken", "statement": "不收货"}
    )
    address = f"/breaches/{opened['breach_id']}"
    quote = {"on": today, "price": 650, "source": "县批发市场"}
    assert (await sells.post(f"{address}/file")).status_code == 200
    await post(sells, f"{address}/quotes", 409, quote)
    assert (await sells.post(f"{address}/terminate")).status_code == 200
    assert await post(sells, f"{address}/quotes", 201, quote) == {"quote_id": 1}
    assert await post(buys, f"{address}/quotes", 201, {**quote, "price": 670}) == {"quote_id": 2}
    await post(looks_on, f"{address}/quotes", 404, quote)
    log = (await looks_on.get(f"{address}/quotes")).json()
    assert [each["price"] for each in log["quotes"]] == [650, 670]
    assert (log["loss"]["price"], log["loss"]["per_kg"]) == (660, 40)
    assert (await stranger.get(f"{address}/quotes")).status_code == 404

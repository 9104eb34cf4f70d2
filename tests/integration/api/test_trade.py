"""Listing, demand, bid, deal, delivery and payment through the API."""

from datetime import date
from typing import Any

from fixtures.factories import Factory
from market.db.session import execute, fetch_value

from .conftest import People


async def test_a_lot_is_listed_bid_for_signed_delivered_and_paid(
    people: People, factory: Factory, lot: dict[str, Any], window: dict[str, date]
) -> None:
    seller = await people.caller(await factory.member(role="secretary"))
    buyer = await people.caller(await factory.member(role="buyer"))
    published = await seller.post("/listings", lot)
    assert (published.status_code, published.json()) == (201, {"listing_id": 1})
    found = (await people.visitor.get("/listings?quantity=900&price_high=7")).json()
    assert (found["total"], found["rows"][0]["title"], found["rows"][0]["mine"]) == (1, "红衣花生", False)
    bid = {"listing_id": 1, "quantity": 400_000, "price": 690, **window}
    placed = await buyer.post("/bids", bid)
    assert (placed.status_code, placed.json()) == (201, {"bid_id": 1})
    assert [row["state"] for row in (await seller.get("/bids")).json()] == ["submitted"]
    assert (await seller.post("/bids/1/accept")).json() == {"deal_id": 1}
    assert (await buyer.post("/deals/1/sign")).json() == {"state": "partly_signed"}
    assert (await seller.post("/deals/1/sign")).json() == {"state": "active"}
    delivery = {"quantity": 400_000, "on": window["deliver_from"]}
    assert (await seller.post("/deals/1/deliveries", delivery)).json() == {"delivery_id": 1}
    steps = ((seller, "dispatch", {}), (buyer, "arrive", {}))
    for side, step, body in steps:
        assert (await side.post(f"/deals/1/deliveries/1/{step}", body)).status_code == 200
    part = {"accepted": 300_000, "reason": "quality"}
    assert (await buyer.post("/deals/1/deliveries/1/accept_part", part)).json() == {
        "state": "partially_accepted"
    }
    assert (await buyer.post("/deals/1/payments/1/pay")).json() == {"state": "paid"}
    answer = "/deals/1/receipts/1"
    assert set((await seller.post(f"{answer}/dispute", {})).json()["fields"]) == {"note"}
    denied = await seller.post(f"{answer}/dispute", {"note": "没有到账"})
    assert denied.json() == {"state": "disputed"}
    assert (await seller.get("/deals/1")).json()["payments"][0]["disputed"] == 207_000
    assert (await buyer.post(f"{answer}/confirm", {})).status_code == 409
    assert (await seller.post(f"{answer}/confirm", {})).json() == {"state": "confirmed"}
    contract = (await seller.get("/deals/1")).json()
    assert (contract["deal"]["delivered"], contract["deal"]["paid"]) == (300_000, 207_000)
    assert [payment["state"] for payment in contract["payments"]] == ["paid"]


async def test_a_demand_is_posted_for_a_site_of_the_buyers_and_cancelled(
    people: People, factory: Factory, window: dict[str, date]
) -> None:
    member = await factory.member(role="buyer")
    await factory.demand(member)
    buyer = await people.caller(member)
    site = (await buyer.get("/me")).json()["sites"][0]["id"]
    demand = {
        "produce": "peanut",
        "title": "求购花生",
        "quantity": 500_000,
        "ceiling": 900,
        "site_id": site,
        "requires": ["test-report"],
        **window,
    }
    assert (await buyer.post("/demands", demand)).json() == {"demand_id": 2}
    assert (await buyer.get("/demands/2")).json()["requires"] == [
        {"code": "test-report", "zh": "test-report", "en": "test-report"}
    ]
    assert (await buyer.post("/demands/2/cancel")).json() == {"state": "cancelled"}
    assert [row["state"] for row in (await buyer.get("/demands/mine")).json()] == ["published", "cancelled"]


async def test_new_terms_ask_the_bidder_again(
    people: People, factory: Factory, lot: dict[str, Any], window: dict[str, date]
) -> None:
    seller = await people.caller(await factory.member(role="secretary"))
    buyer = await people.caller(await factory.member(role="buyer"))
    await seller.post("/listings", lot)
    await buyer.post("/bids", {"listing_id": 1, "quantity": 400_000, "price": 690, **window})
    terms = {name: lot[name] for name in ("available_from", "available_to")} | {"ask": 650}
    assert (await seller.post("/listings/1/terms", terms)).json() == {"state": "published"}
    assert (await buyer.post("/bids/1/reconfirm")).json() == {"state": "submitted"}
    assert (await buyer.post("/bids/1/withdraw")).json() == {"state": "withdrawn"}
    assert (await seller.post("/listings/1/suspend")).json() == {"state": "suspended"}
    assert (await seller.post("/listings/1/suspend")).status_code == 409


async def test_a_repeated_key_does_the_deed_once(
    people: People, factory: Factory, lot: dict[str, Any], window: dict[str, date]
) -> None:
    seller = await people.caller(await factory.member(role="secretary"))
    buyer = await people.caller(await factory.member(role="buyer"))
    for _ in range(2):
        assert (await seller.post("/listings", lot, key="a")).json() == {"listing_id": 1}
    assert (await seller.post("/listings", {**lot, "ask": 710}, key="a")).status_code == 409
    bid = {"listing_id": 1, "quantity": 400_000, "price": 690, **window}
    await buyer.post("/bids", bid)
    # a seller does not decline as a buyer would: the field is named, and what fits
    await execute("UPDATE reason SET uses = ARRAY['buyer'] WHERE code = 'quality'")
    wrong = await seller.post("/bids/1/reject", {"reason": "quality"})
    said = wrong.json()["fields"]["reason"]
    assert (wrong.status_code, "price" in said, "quality" in said) == (422, True, False)
    refusal = {"reason": "price", "note": "再高一点"}
    for _ in range(2):
        assert (await seller.post("/bids/1/reject", refusal, key="b")).json() == {"state": "rejected"}
    assert (await seller.post("/bids/1/reject", refusal, key="c")).status_code == 409
    assert await fetch_value("SELECT count(*) FROM listing") == 1
    assert (await seller.post("/listings", lot, key="x" * 81)).status_code == 422


async def test_a_delivery_is_refused_for_known_reasons_only(
    people: People, factory: Factory, lot: dict[str, Any], window: dict[str, date]
) -> None:
    seller = await people.caller(await factory.member(role="secretary"))
    buyer = await people.caller(await factory.member(role="buyer"))
    await seller.post("/listings", lot)
    await buyer.post("/bids", {"listing_id": 1, "quantity": 400_000, "price": 690, **window})
    await seller.post("/bids/1/accept")
    for side in (seller, buyer):
        await side.post("/deals/1/sign")
    await seller.post("/deals/1/deliveries", {"quantity": 400_000, "on": window["deliver_from"]})
    await seller.post("/deals/1/deliveries/1/dispatch", {})
    await buyer.post("/deals/1/deliveries/1/arrive", {})
    unknown = await buyer.post("/deals/1/deliveries/1/reject", {"reason": "weather"})
    assert (unknown.status_code, list(unknown.json()["fields"])) == (422, ["reason"])
    assert (await buyer.post("/deals/1/deliveries/1/reject", {})).status_code == 422
    refused = await buyer.post("/deals/1/deliveries/1/reject", {"reason": "quality"})
    assert refused.json() == {"state": "rejected"}


async def test_prices_that_look_like_a_slip_are_asked_back(
    people: People, factory: Factory, lot: dict[str, Any], window: dict[str, date]
) -> None:
    sells, buys = [await factory.member(role=role) for role in ("secretary", "buyer")]
    seller, buyer = await people.caller(sells), await people.caller(buys)
    await seller.post("/listings", lot)
    demand_id = await factory.demand(buys, kg=500)
    terms = {"quantity": 400_000, **window}
    low, high = lot["ask"] // 10, lot["ask"] * 10

    async def asked_back(who: Any, address: str, wish: dict[str, Any], key: str) -> int:
        odd = await who.post(address, wish)
        assert (odd.status_code, set(odd.json()["fields"])) == (422, {"price"})
        assert (await who.post(address, {**wish, "sure": True}, key=key)).status_code == 201
        return int((await who.post(address, {**wish, "sure": True}, key=key)).json()["bid_id"])

    bid = await asked_back(buyer, "/bids", {"listing_id": 1, **terms, "price": low}, "bid")
    await asked_back(seller, f"/bids/{bid}/counter", {**terms, "price": high}, "counter")
    offer = {"listing_id": 1, **terms, "price": low}
    await asked_back(seller, f"/demands/{demand_id}/offers", offer, "offer")
    for address, body in (("/sealed-bids", {}), ("/open-bids", {"least": 0})):
        odd = await buyer.post(address, {"listing_id": 1, **terms, **body, "price": high})
        assert (odd.status_code, set(odd.json()["fields"])) == (422, {"price"})
    # goods that are no longer on sale ask nothing back: what was done is told again
    await seller.post("/listings/1/withdraw")
    again = {"listing_id": 1, **terms, "price": low, "sure": True}
    assert (await buyer.post("/bids", again, key="bid")).json() == {"bid_id": bid}


async def test_counters_pass_the_turn_to_the_other_side(
    people: People, factory: Factory, lot: dict[str, Any], window: dict[str, date]
) -> None:
    seller = await people.caller(await factory.member(role="secretary"))
    buyer = await people.caller(await factory.member(role="buyer"))
    await seller.post("/listings", lot)
    terms = {"quantity": 400_000, "price": 690, **window}
    await buyer.post("/bids", {"listing_id": 1, **terms})
    assert (await buyer.post("/bids/1/counter", {**terms, "price": 680})).status_code == 409
    countered = await seller.post("/bids/1/counter", {**terms, "price": 700})
    assert (countered.status_code, countered.json()) == (201, {"bid_id": 2})
    assert (await seller.post("/bids/2/accept")).status_code == 409
    thread = (await buyer.get("/bids/2/thread")).json()
    assert [(turn["id"], turn["author"], turn["awaiting"], turn["state"]) for turn in thread] == [
        (1, "buyer", "seller", "countered"),
        (2, "seller", "buyer", "submitted"),
    ]
    assert (await people.visitor.get("/bids/2/thread")).status_code == 401
    assert (await buyer.post("/bids/2/accept")).json() == {"deal_id": 1}

"""A framework agreement through the API."""

from datetime import timedelta
from typing import Any

from fixtures.factories import Factory
from market import clock
from market.db.session import execute

from .conftest import Caller, People


async def test_an_agreement_is_signed_called_off_and_served(people: People, factory: Factory) -> None:
    selling, buying = await factory.member(role="secretary"), await factory.member(role="buyer")
    await factory.demand(buying)  # it brings the store
    listing_id = await factory.listing(selling, kg=500)
    seller, buyer = await people.caller(selling), await people.caller(buying)
    stranger = await people.caller(await factory.member(role="buyer"))
    today = clock.today()

    async def post(who: Caller, path: str, status: int = 200, **body: Any) -> Any:
        answer = await who.post(path, body or None)
        assert answer.status_code == status, answer.text
        return answer.json()

    frame = {
        "side": "seller",
        "other_id": buying.organisation_id,
        "produce": "peanut",
        "total": 1_000_000,
        "price": 700,
        "sites": [1],
        "starts_on": today.isoformat(),
        "ends_on": (today + timedelta(days=30)).isoformat(),
        "notice_days": 0,
    }
    assert set((await post(seller, "/frames", 422, **{**frame, "sites": [7]}))["fields"]) == {"sites"}
    assert await post(seller, "/frames", 201, **frame) == {"frame_id": 1}
    await post(stranger, "/frames/1/sign", 404)
    await post(seller, "/frames/1/sign", 409)
    assert await post(buyer, "/frames/1/sign") == {"state": "active"}
    batch = {
        "quantity": 400_000,
        "site_id": 1,
        "deliver_from": today.isoformat(),
        "deliver_to": (today + timedelta(days=2)).isoformat(),
    }
    await post(buyer, "/frames/1/calls", 422, **{**batch, "price": 701})
    assert await post(buyer, "/frames/1/calls", 201, **batch) == {"call_id": 1}
    assert await post(buyer, "/frames/1/calls", 201, **batch) == {"call_id": 2}
    assert await post(seller, "/frames/1/calls/1/confirm", listing_id=listing_id) == {"deal_id": 1}
    await post(seller, "/frames/1/calls/2/confirm", 409, listing_id=listing_id)
    await execute("UPDATE reason SET uses = ARRAY['buyer'] WHERE code = 'quality'")
    for deed in ("/frames/1/calls/2/drop", "/frames/1/end"):
        wrong = await post(seller, deed, 422, reason="quality")
        assert set(wrong["fields"]) == {"reason"}, deed
    assert await post(seller, "/frames/1/calls/2/drop", reason="other", note="不做了") == {"state": "refused"}
    whole = (await buyer.get("/frames/1")).json()
    assert (whole["frame"]["left"], whole["frame"]["confirmed"]) == (600_000, 400_000)
    assert [(each["state"], each["deal"]) for each in whole["calls"]] == [("refused", None), ("confirmed", 1)]
    assert [row["number"] for row in (await seller.get("/frames")).json()] == [whole["frame"]["number"]]
    assert (await buyer.get("/deals/1")).json()["deal"]["state"] == "active"
    assert await post(buyer, "/frames/1/end", reason="other", note="不做了") == {"state": "buyer_ends"}
    await post(buyer, "/frames/1/end/answer", 409, move="agree")
    await post(stranger, "/frames/1/end/answer", 404, move="agree")
    assert set((await post(seller, "/frames/1/end/answer", 422, move="refuse"))["fields"]) == {"reason"}
    assert await post(seller, "/frames/1/end/answer", move="refuse", reason="price") == {"state": "active"}
    assert (await buyer.get("/frames/1")).json()["frame"]["end_refused_zh"] == "price"
    await post(buyer, "/frames/1/end", reason="other", note="不做了")
    answer, found = "/frames/1/end/answer", (await seller.get("/frames/1")).json()["frame"]
    seen = {name: found[name] for name in ("left", "reason", "reason_note")}
    # who agrees, agrees to what was read: what is left by now, and why it is to end
    await post(buyer, "/frames/1/calls", 201, **{**batch, "quantity": 100_000})
    stale = await post(seller, answer, 409, move="agree", seen=seen)
    assert "500 公斤" in stale["detail"]
    seen["left"] = 500_000
    await post(buyer, answer, move="withdraw")
    await post(buyer, "/frames/1/end", reason="price", note="不做了")
    await post(seller, answer, 409, move="agree", seen=seen)
    seen["reason"] = "price"
    assert await post(seller, answer, move="agree", seen=seen) == {"state": "ended_early"}

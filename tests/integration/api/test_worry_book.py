"""The worry book over the API."""

from datetime import date, timedelta

from fixtures.factories import Factory
from market import clock
from market.db.session import fetch_value

from .conftest import People


async def test_a_case_is_opened_written_into_closed_and_opened_again(
    factory: Factory, people: People
) -> None:
    town = await factory.member(role="official")
    village = await factory.member(role="secretary", town_id=town.organisation_id)
    seller, official = await people.caller(village), await people.caller(town)
    buyer = await people.caller(await factory.member(role="buyer"))
    listing_id = await factory.listing(village)
    new = {"listing_id": listing_id, "note": "没人要"}
    assert (await buyer.post("/cases", new)).status_code == 403
    for _ in range(2):
        assert (await seller.post("/cases", new, key="first")).json() == {"state": "open"}
    assert (await seller.post("/cases", new)).status_code == 409
    (case,) = (await official.get("/cases")).json()
    assert (case["listing"], case["level"], case["cause"]) == (listing_id, "village", "by_hand")
    path = f"/cases/{case['id']}"
    for _ in range(2):
        await official.post(f"{path}/entries", {"kind": "call", "note": "问了三家"}, key="second")
    refused = await official.post(f"{path}/entries", {"kind": "dream", "note": "问了三家"})
    assert (refused.status_code, set(refused.json()["fields"])) == (422, {"kind"})
    refused = await seller.post(f"{path}/close", {"reason": "sold_out"})
    assert (refused.status_code, set(refused.json()["fields"])) == (422, {"reason"})
    assert (await seller.post(f"{path}/close", {"reason": "own_use"})).json() == {"state": "closed"}
    assert (await official.get("/cases")).json() == []
    assert (await seller.post(f"{path}/reopen", {"note": "没用完"})).json() == {"state": "open"}
    told = (await seller.get(path, **{"accept-language": "en"})).json()
    assert [line["kind"] for line in told["diary"]] == ["opened", "call", "closed", "reopened"]
    assert (await buyer.get(path)).status_code == 404


async def test_the_town_puts_somebody_in_charge_and_sends_a_case_up(factory: Factory, people: People) -> None:
    town = await factory.member(role="official")
    village = await factory.member(role="secretary", town_id=town.organisation_id)
    seller, official = await people.caller(village), await people.caller(town)
    await seller.post("/cases", {"listing_id": await factory.listing(village), "note": "没人要"})
    (case,) = (await official.get("/cases")).json()
    path = f"/cases/{case['id']}"
    charge = {
        "owner": town.organisation_id,
        "in_charge": "赵敏",
        "due_on": (clock.today() + timedelta(days=9)).isoformat(),
    }
    assert (await seller.post(f"{path}/charge", charge)).status_code == 403
    read = await official.get(f"{path}/charge")
    assert read.json()["due_on"] == case["due_on"]
    tag = {"if-match": read.headers["etag"]}
    taken = await official.call("POST", f"{path}/charge", charge, headers=tag)
    assert (taken.status_code, taken.json()) == (200, {"state": "open"})
    assert (await seller.get(f"{path}/charge")).json() == charge
    stale = await official.call("POST", f"{path}/charge", {**charge, "in_charge": "钱多"}, headers=tag)
    assert (stale.status_code, stale.json()["changed"]["in_charge"]) == (412, {"sent": "钱多", "now": "赵敏"})
    for wrong, field in (
        ({"owner": 987_654}, "owner"),
        ({"due_on": str(date(2001, 1, 1))}, "due_on"),
        ({"decided": True}, "note"),
    ):
        refused = await official.post(f"{path}/charge", {**charge, **wrong})
        assert (refused.status_code, set(refused.json()["fields"])) == (422, {field})
    assert (await seller.post(f"{path}/climb", {"note": "村里没办法"})).status_code == 403
    for _ in range(2):
        climbed = await official.post(f"{path}/climb", {"note": "村里没办法"}, key="up")
        assert climbed.json() == {"state": "open"}
    assert (await official.get(path)).json()["case"]["level"] == "town"


async def test_a_case_is_opened_for_a_lot_that_was_never_on_sale(factory: Factory, people: People) -> None:
    town = await factory.member(role="official")
    village = await factory.member(role="secretary", town_id=town.organisation_id)
    seller = await people.caller(village)
    listing_id = await factory.listing(village)
    lot_id = await fetch_value("UPDATE listing SET state = 'draft' WHERE id = $1 RETURNING lot", listing_id)
    for goods in ({}, {"listing_id": listing_id, "lot_id": lot_id}):
        refused = await seller.post("/cases", {**goods, "note": "没包装"})
        assert (refused.status_code, set(refused.json()["fields"])) == (422, {"listing_id", "lot_id"})
    assert (await seller.post("/cases", {"lot_id": lot_id, "note": "没包装"})).json() == {"state": "open"}
    (case,) = (await seller.get("/cases")).json()
    assert (case["lot"], case["listing"], case["title"]) == (lot_id, None, "花生果")

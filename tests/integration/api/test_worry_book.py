"""The worry book over the API."""

from fixtures.factories import Factory

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

"""Places, corrections, processing, and money among households, through the API."""

from fixtures.factories import Factory
from market.db.session import fetch_value
from tests.integration.supply.test_transforming import processes

from .conftest import People


async def test_a_pooled_lot_is_stored_pressed_and_settled(people: People, factory: Factory) -> None:
    await processes()
    member = await factory.member(role="secretary")
    await factory.listing(member, kg=1_000)
    seller = await people.caller(member)
    other = await people.caller(await factory.member(role="secretary"))
    buyer = await people.caller(await factory.member(role="buyer"))
    tank = {"name": "1 号罐", "kind": "tank", "capacity": 3_000_000}
    assert (await seller.post("/storages", tank)).json() == {"storage_id": 1}
    assert (await buyer.get("/storages")).status_code == 403
    shares = {"shares": [{"household": "甲", "grams": 600_000}, {"household": "乙", "grams": 400_000}]}
    assert (await seller.post("/lots/1/shares", shares)).json() == {"remaining": 1_000_000}
    loss = {"direction": "lost", "reason": "dried", "grams": 10_000}
    assert (await seller.post("/lots/1/corrections", loss)).json() == {"remaining": 990_000}
    assert (await seller.post("/lots/1/moves", {"grams": 990_000, "to_id": 1})).status_code == 200
    pressing = {
        "process": "press",
        "grams": 900_000,
        "loss": 600_000,
        "outputs": [{"produce": "peanut-oil", "grams": 300_000, "storage_id": 1}],
        "storage_id": 1,
    }
    assert "loss" in (await seller.post("/lots/1/transformations", {**pressing, "loss": 1})).json()["fields"]
    assert (await seller.post("/lots/1/transformations", pressing)).json() == {
        "transformation_id": 1,
        "lots": [2],
    }
    assert [each["held"] for each in (await seller.get("/storages")).json()] == [390_000]
    oil = (await seller.get("/lots/2")).json()
    assert (oil["lot"]["made_of"], oil["lot"]["remaining"]) == (1, 300_000)
    kinds = [line["kind"] for line in (await seller.get("/lots/1/ledger")).json()]
    assert kinds == ["lost", "transformed", "moved", "lost", "in"]
    received = {"amount": 101, "received_on": "2026-11-20"}
    assert (await seller.post("/lots/2/settlements", received)).json() == {"settlement_id": 1}
    told = (await seller.get("/settlements/1")).json()
    assert [(line["household"], line["amount"]) for line in told["lines"]] == [("甲", 61), ("乙", 40)]
    # the oil's households are those of the peanuts
    assert (await seller.get("/lots/2/shares")).json() == {"lot": 1, **shares}
    for path in ("/settlements/1", "/lots/1", "/lots/1/ledger", "/lots/1/shares"):
        assert (await other.get(path)).status_code == 404
    assert (await other.post("/settlements/1/cancel", {})).status_code == 404
    cancelled = (await seller.post("/settlements/1/cancel", {}, key="once")).json()
    assert (await seller.post("/settlements/1/cancel", {}, key="once")).json() == cancelled
    assert cancelled["settlement"]["is_cancelled"]
    assert cancelled["lines"] == told["lines"]
    assert (await seller.post("/settlements/1/cancel", {})).status_code == 409
    # what is kept for a key names no household
    assert await fetch_value("SELECT count(*) FROM replay WHERE reply::text LIKE '%甲%'") == 0


async def test_a_list_by_which_money_was_divided_is_replaced_with_a_reason(
    people: People, factory: Factory
) -> None:
    member = await factory.member(role="secretary")
    await factory.listing(member, kg=1_000)
    seller = await people.caller(member)
    path = "/lots/1/shares"

    def shares(first: int) -> list[dict[str, object]]:
        return [{"household": "甲", "grams": first}, {"household": "乙", "grams": 1_000_000 - first}]

    await seller.post(path, {"shares": shares(600_000)})
    tag = (await seller.get(path)).headers["etag"]
    await seller.post("/lots/1/settlements", {"amount": 101, "received_on": "2026-11-20"})
    other = {"shares": shares(500_000)}
    assert set((await seller.post(path, other)).json()["fields"]) == {"reason"}
    assert (await seller.post(path, {**other, "reason": "甲多记了"})).status_code == 200
    assert await fetch_value("SELECT reason FROM replaced_shares") == "甲多记了"
    third = {"shares": shares(400_000), "reason": "再改"}
    stale = await seller.call("POST", path, third, headers={"if-match": tag})
    assert (stale.status_code, stale.json()["changed"]["shares"]["now"]) == (412, other["shares"])

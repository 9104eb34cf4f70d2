"""After a meeting through the API: samples step by step, and what a talk was worth."""

from fixtures.factories import Factory
from market.db.session import fetch_value

from .conftest import Caller, People
from .test_talk_results import NOTHING, Table, table

__all__ = ["table"]  # the fixture


async def _asked_for(table: Table) -> str:
    """Let the talk ask for a sample; return the sample's path."""
    wanted = {"outcome": "sample", "samples": [table.topic]}
    assert (await table.buyer.post(f"{table.path}/outcome", wanted)).status_code == 200
    return f"/samples/{await fetch_value('SELECT id FROM sample')}"


async def test_sample_goes_from_hand_to_hand(table: Table) -> None:
    path = await _asked_for(table)
    asked = (await table.seller.get(path)).json()
    assert (asked["state"], asked["seller"], asked["sent_at"]) == ("requested", table.sold_by, None)
    assert asked["due_on"] is not None
    bare = await table.seller.post(f"{path}/send")
    assert (bare.status_code, list(bare.json()["fields"])) == (422, ["carrier"])
    long = await table.seller.post(f"{path}/send", {"carrier": "顺" * 61})
    assert (long.status_code, list(long.json()["fields"])) == (422, ["carrier"])
    sent = {"carrier": "顺丰", "tracking": "SF1"}
    assert (await table.buyer.post(f"{path}/send", sent)).status_code == 409
    for _ in range(2):
        done = await table.seller.post(f"{path}/send", sent, key="sent")
        assert (done.status_code, done.json()) == (200, {"state": "sent"})
    assert (await table.seller.post(f"{path}/send", sent)).status_code == 409
    assert (await table.buyer.post(f"{path}/receive")).json() == {"state": "received"}
    wordless = await table.buyer.post(f"{path}/answer", {"verdict": "improve"})
    assert (wordless.status_code, list(wordless.json()["fields"])) == (422, ["note"])
    answer = {"verdict": "improve", "note": "包装要小"}
    assert (await table.buyer.post(f"{path}/answer", answer)).json() == {"state": "answered"}
    seen = (await table.seller.get(path)).json()
    assert [seen[name] for name in ("state", "carrier", "tracking", "verdict", "note", "due_on")] == [
        "answered",
        "顺丰",
        "SF1",
        "improve",
        "包装要小",
        None,
    ]
    assert (await table.seller.post(f"{path}/call_off")).status_code == 409
    assert (await table.seller.post(f"{path}/keep")).status_code == 422


async def test_town_takes_a_sample_on_by_telephone(table: Table) -> None:
    path = await _asked_for(table)
    off = await table.office.post(f"{path}/call_off", {"note": "卖方没有小样了"})
    assert (off.status_code, off.json()) == (200, {"state": "called_off"})
    assert (await table.buyer.get(path)).json()["note"] == "卖方没有小样了"


async def test_samples_are_listed_to_their_sides_and_the_town_alone(
    table: Table, factory: Factory, people: People
) -> None:
    path = await _asked_for(table)
    strangers = await people.caller(await factory.member(role="buyer"))
    other = await people.caller(await factory.member(role="official"))

    async def ids(caller: Caller, of: str) -> list[str]:
        return [f"/samples/{each['id']}" for each in (await caller.get(of)).json()]

    for caller in (table.office, table.seller, table.buyer):
        assert await ids(caller, "/samples") == [path]
        assert await ids(caller, f"{table.meeting}/samples") == [path]
    for caller in (strangers, other):
        assert await ids(caller, "/samples") == []
        assert (await caller.get(path)).status_code == 404
        assert (await caller.post(f"{path}/receive")).status_code == 404
        assert (await caller.get(f"{table.meeting}/samples")).status_code == 404


async def test_feedback_is_ones_own_and_asked_back_where_a_colleague_gave_another(table: Table) -> None:
    path = f"{table.path}/feedback"
    said = {"score": 4, "again": True, "note": "合适"}
    assert (await table.seller.post(path, said)).status_code == 409
    await table.office.post(f"{table.path}/outcome", NOTHING)
    empty = await table.seller.get(path)
    assert empty.json() == {"score": None, "again": None, "note": ""}
    read = {"if-match": empty.headers["etag"]}
    given = await table.seller.call("POST", path, said, headers=read)
    assert (given.status_code, given.json()) == (200, said)
    stale = await table.seller.call("POST", path, {**said, "score": 2, "again": False}, headers=read)
    assert (stale.status_code, stale.json()["changed"]["score"]) == (412, {"sent": 2, "now": 4})
    again = await table.seller.get(path)
    assert (again.json(), again.headers["etag"]) == (said, stale.headers["etag"])
    fresh = {"if-match": again.headers["etag"]}
    assert (await table.seller.call("POST", path, {**said, "score": 2}, headers=fresh)).status_code == 200
    for odd in ({**said, "score": 6}, {"score": 3}, {**said, "note": "字" * 301}):
        assert (await table.seller.post(path, odd)).status_code == 422


async def test_feedback_is_read_by_the_town_and_never_by_the_other_side(table: Table) -> None:
    path = f"{table.path}/feedback"
    await table.office.post(f"{table.path}/outcome", NOTHING)
    await table.seller.post(path, {"score": 1, "again": False, "note": "价格差太远"})
    assert (await table.buyer.get(path)).json() == {"score": None, "again": None, "note": ""}
    assert (await table.buyer.get(f"{table.meeting}/feedback")).json() == []
    [of_town] = (await table.office.get(f"{table.meeting}/feedback")).json()
    assert [of_town[name] for name in ("organisation", "side", "score", "again", "note")] == [
        table.sold_by,
        "seller",
        1,
        False,
        "价格差太远",
    ]
    # the town has no opinion of its own to give
    assert (await table.office.get(path)).status_code == 404
    assert (await table.office.post(path, {"score": 1, "again": True})).status_code == 404

"""What was read is changed only as long as it stands so: ETag and If-Match."""

from typing import Any

import httpx
import pytest

from fixtures.factories import Factory, Member
from market.db.session import execute, fetch_value
from tests.integration.api.conftest import Caller, People
from tests.integration.web import shop


async def send(caller: Caller, path: str, body: object, tag: str | None = None) -> httpx.Response:
    return await caller.call("POST", path, body, headers={"if-match": tag} if tag else None)


@pytest.fixture
async def seller(factory: Factory) -> Member:
    return await factory.member(role="secretary")


@pytest.fixture
async def buyer(factory: Factory) -> Member:
    return await factory.member(role="buyer")


@pytest.fixture
async def village(people: People, seller: Member) -> Caller:
    await shop.stock_catalogue()
    return await people.caller(seller)


async def test_terms_are_changed_as_long_as_they_stand_as_read(village: Caller, seller: Member) -> None:
    path = f"/listings/{await shop.put_on_sale(seller)}/terms"
    read = await village.get(path)
    tag, terms = read.headers["etag"], read.json()
    assert (await send(village, path, {**terms, "ask": 220}, tag)).status_code == 200
    stale = await send(village, path, {**terms, "ask": 180, "min_order": 1_000}, tag)
    assert (stale.status_code, stale.headers["content-type"]) == (412, "application/problem+json")
    told: dict[str, Any] = stale.json()
    assert (told["status"], told["changed"]) == (412, {"ask": {"sent": 180, "now": 220}})
    assert await fetch_value("SELECT (ask, min_order) FROM listing") == (220, 0)
    assert stale.headers["etag"] == (await village.get(path)).headers["etag"] != tag
    # what others alone have changed is told as well: a program has not looked at it
    other = await send(village, path, {**terms, "min_order": 1_000}, tag)
    assert (other.status_code, set(other.json()["changed"])) == (412, {"ask"})
    # the same request is never refused for what it did itself, and the new tag opens the way
    again = await send(village, path, {**terms, "ask": 180, "min_order": 1_000}, stale.headers["etag"])
    assert (again.status_code, await fetch_value("SELECT ask FROM listing")) == (200, 180)


@pytest.mark.parametrize("tag", [None, "*"])
async def test_without_a_tag_it_is_meant_whatever_stands_there(
    village: Caller, seller: Member, tag: str | None
) -> None:
    path = f"/listings/{await shop.put_on_sale(seller)}/terms"
    terms = (await village.get(path)).json()
    await send(village, path, {**terms, "ask": 220})
    assert (await send(village, path, {**terms, "ask": 180}, tag)).status_code == 200
    assert await fetch_value("SELECT ask FROM listing") == 180


async def test_a_tag_of_something_else_is_no_reading_of_this(village: Caller, seller: Member) -> None:
    path = f"/listings/{await shop.put_on_sale(seller)}/terms"
    terms = (await village.get(path)).json()
    assert (await send(village, path, {**terms, "ask": 180}, '"abcdef"')).status_code == 412
    assert (await send(village, path, {**terms, "ask": 180}, "abcdef")).status_code in (400, 422)
    assert await fetch_value("SELECT ask FROM listing") == terms["ask"]


async def test_a_lost_answer_is_given_again_though_the_tag_is_old_by_then(
    village: Caller, seller: Member
) -> None:
    path = f"/listings/{await shop.put_on_sale(seller)}/terms"
    read = await village.get(path)
    headers = {"if-match": read.headers["etag"], "idempotency-key": "once"}
    body = {**read.json(), "ask": 220}
    first, second = [await village.call("POST", path, body, headers=headers) for _ in range(2)]
    assert (first.status_code, second.status_code, second.json()) == (200, 200, first.json())


async def test_demands_and_places_have_tags_too(
    village: Caller, people: People, factory: Factory, buyer: Member
) -> None:
    await village.post("/storages", {"name": "1 号罐", "kind": "tank", "capacity": 3_000_000})
    shopper = await people.caller(buyer)
    demand = f"/demands/{await factory.demand(buyer, produce='cabbage', ceiling=200)}/terms"
    await execute("UPDATE demand SET deliver_from = current_date, deliver_to = current_date + 20")
    place = f"/storages/{await fetch_value('SELECT id FROM storage')}"
    for caller, path, field, values in (
        (shopper, demand, "ceiling", (210, 220)),
        (village, place, "capacity", (4_000_000, 5_000_000)),
    ):
        read = await caller.get(path)
        known = ("name", "kind", "capacity")
        body = {name: each for name, each in read.json().items() if path == demand or name in known}
        first, second = [
            await send(caller, path, {**body, field: value}, read.headers["etag"]) for value in values
        ]
        assert (first.status_code, second.status_code) == (200, 412)
        assert second.json()["changed"] == {field: {"sent": values[1], "now": values[0]}}


async def test_who_may_not_change_it_learns_nothing_of_what_stands_there(
    village: Caller, people: People, factory: Factory, seller: Member
) -> None:
    path = f"/listings/{await shop.put_on_sale(seller)}/terms"
    terms = (await village.get(path)).json()
    stranger = await people.caller(await factory.member(role="seller"))
    refused = await send(stranger, path, {**terms, "ask": 180}, '"abcdef"')
    assert (refused.status_code, "changed" in refused.json()) == (404, False)


async def test_a_way_of_selling_is_changed_as_long_as_it_stands_as_read(
    village: Caller, seller: Member, people: People, buyer: Member
) -> None:
    path = f"/listings/{await shop.put_on_sale(seller)}/way"
    read = await village.get(path)
    tag = read.headers["etag"]
    assert read.json()["way"] == "negotiable"
    assert (await send(village, path, {"way": "fixed"}, tag)).status_code == 200
    stale = await send(village, path, {"way": "negotiable", "min_step": 0}, tag)
    # it is wanted as it was read, but others chose otherwise meanwhile
    assert (stale.status_code, stale.json()["changed"]) == (
        412,
        {"way": {"sent": "negotiable", "now": "fixed"}},
    )
    assert await fetch_value("SELECT way FROM listing") == "fixed"
    assert (await send(village, path, {"way": "negotiable"}, stale.headers["etag"])).status_code == 200
    # the reserve price stands in it: nobody else reads it
    assert (await (await people.caller(buyer)).get(path)).status_code == 404


async def test_a_bid_is_confirmed_under_the_terms_that_were_read(
    village: Caller, seller: Member, people: People, buyer: Member, factory: Factory
) -> None:
    listing = f"/listings/{await shop.put_on_sale(seller)}/terms"
    terms = (await village.get(listing)).json()
    shopper = await people.caller(buyer)
    bid = {"listing_id": 1, "quantity": 400_000, "price": terms["ask"]}
    window = {"deliver_from": terms["available_from"], "deliver_to": terms["available_to"]}
    assert (await shopper.post("/bids", bid | window)).status_code == 201
    await send(village, listing, {**terms, "ask": terms["ask"] + 10})
    path = "/bids/1/reconfirm"
    read = await shopper.get(path)
    assert (read.status_code, read.json()["ask"], read.json()["wanted"]) == (200, terms["ask"] + 10, None)
    await send(village, listing, {**terms, "ask": terms["ask"] + 20})
    stale = await send(shopper, path, None, read.headers["etag"])
    # nothing was sent beside the word itself, so only what stands now is told
    assert (stale.status_code, stale.json()["changed"]) == (412, {"ask": {"now": terms["ask"] + 20}})
    assert await fetch_value("SELECT state FROM bid") == "needs_reconfirm"
    assert (await send(shopper, path, None, stale.headers["etag"])).json() == {"state": "submitted"}
    # the two sides read it, nobody else
    stranger = await people.caller(await factory.member(role="buyer"))
    assert [(await each.get(path)).status_code for each in (village, stranger)] == [200, 404]

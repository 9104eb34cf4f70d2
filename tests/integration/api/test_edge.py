"""Signing in, bad input and errors of the API."""

from typing import Any

import pytest

from fixtures.factories import PASSWORD, Factory
from market.web.edge.csrf import SESSION

from .conftest import People


async def test_a_token_signs_in_and_out(people: People, factory: Factory) -> None:
    member = await factory.member(role="buyer", password=PASSWORD)
    wrong = await people.visitor.post("/sign-in", {"phone": member.phone, "password": "wrong"})
    assert (wrong.status_code, wrong.headers["content-type"]) == (422, "application/problem+json")
    answer = await people.visitor.post("/sign-in", {"phone": member.phone, "password": PASSWORD})
    assert (answer.status_code, "set-cookie" in answer.headers) == (201, False)
    bearer = {"authorization": f"Bearer {answer.json()['token']}"}
    me = await people.visitor.call("GET", "/me", headers=bearer)
    assert (me.json()["organisation"], me.json()["roles"]) == (member.organisation_id, ["buyer"])
    assert (await people.visitor.call("POST", "/sign-out", headers=bearer)).json() == {"state": "signed_out"}
    assert (await people.visitor.call("GET", "/me", headers=bearer)).status_code == 401


async def test_too_many_tries_are_refused(people: People) -> None:
    tries = [
        (await people.visitor.post("/sign-in", {"phone": "19900010000", "password": "guess"})).status_code
        for _ in range(11)
    ]
    assert tries == [422] * 10 + [429]


async def test_a_cookie_needs_its_token_and_a_bearer_does_not(
    people: People, factory: Factory, lot: dict[str, Any]
) -> None:
    caller = await people.caller(await factory.member(role="secretary"))
    cookie = {"cookie": f"{SESSION}={caller.token}"}
    assert (await people.visitor.call("GET", "/me", headers=cookie)).status_code == 200
    assert (await people.visitor.call("POST", "/listings", lot, headers=cookie)).status_code == 403
    assert (await caller.post("/listings", lot)).status_code == 201


@pytest.mark.parametrize("path", ["/me", "/bids", "/deals", "/matches", "/meetings", "/notices", "/runs"])
async def test_visitors_are_asked_to_sign_in(people: People, path: str) -> None:
    answer = await people.visitor.get(path)
    assert (answer.status_code, answer.json()["status"], answer.json()["title"]) == (401, 401, "请先登录")


async def test_a_role_that_may_not_is_refused(people: People, factory: Factory, lot: dict[str, Any]) -> None:
    buyer = await people.caller(await factory.member(role="buyer"))
    assert (await buyer.post("/listings", lot)).status_code == 403


async def test_every_fault_of_a_body_is_told_at_once(people: People, factory: Factory) -> None:
    seller = await people.caller(await factory.member(role="secretary"))
    body = {
        "title": "a\0b",
        "quantity": "1000",
        "ask": 10**12,
        "available_from": "2026-13-01",
        "available_to": "2026-12-31",
        "priority": 5,
    }
    answer = await seller.post("/listings", body)
    assert (answer.status_code, sorted(answer.json()["fields"])) == (
        422,
        ["ask", "available_from", "priority", "produce", "quantity", "title"],
    )
    assert answer.json()["fields"]["ask"] == "须是 1 到 1000000 之间的整数，不带引号。"


async def test_a_whole_number_may_be_written_with_a_point(
    people: People, factory: Factory, lot: dict[str, Any]
) -> None:
    seller = await people.caller(await factory.member(role="secretary"))
    assert (await seller.post("/listings", {**lot, "quantity": 5_000.0})).status_code == 201
    assert (await people.visitor.get("/listings/1")).json()["quantity"] == 5_000
    refused = await seller.post("/listings", {**lot, "quantity": 5_000.5})
    assert (refused.status_code, list(refused.json()["fields"])) == (422, ["quantity"])


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"[]",
        b'{"title": "\\ud800"}',
        b'{"title": "\xff"}',
        b'{"ask": NaN}',
        b'{"ask": 1e999}',
        b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"",
    ],
)
async def test_a_body_that_is_no_json_object_is_refused(people: People, factory: Factory, raw: bytes) -> None:
    seller = await people.caller(await factory.member(role="secretary"))
    answer = await people.client.post(
        "/api/v1/listings", content=raw, headers={"authorization": f"Bearer {seller.token}"}
    )
    assert (answer.status_code, answer.json()["status"]) == (422, 422)


@pytest.mark.parametrize("number", ["0", "-1", str(2**53), str(2**63), str(10**30)])
async def test_numbers_that_no_row_can_have_are_refused(
    people: People, factory: Factory, number: str
) -> None:
    buyer = await people.caller(await factory.member(role="buyer"))
    for path in ("/listings", "/bids", "/deals", "/matches", "/demands"):
        answer = await buyer.get(f"{path}/{number}")
        assert (path, answer.status_code, "fields" in answer.json()) == (path, 422, True)
    assert (await buyer.get(f"/bids/{2**53 - 1}")).status_code == 404
    assert (await buyer.get("/bids/one")).status_code == 404


async def test_faulty_filters_are_told_by_name(people: People) -> None:
    answer = await people.visitor.get("/listings?quantity=many&page=0&colour=red")
    assert (answer.status_code, sorted(answer.json()["fields"])) == (422, ["colour", "page", "quantity"])
    assert (await people.visitor.get("/produce?limit=1000")).status_code == 422


@pytest.mark.parametrize("text", ["%00", "%ED%A0%80", "%F0%9F%A5%9C", "%25_", "a" * 101])
async def test_odd_texts_in_an_address_break_nothing(people: People, text: str) -> None:
    for path in (
        f"/produce?q={text}",
        f"/divisions?q={text}",
        f"/divisions?parent={text}",
        f"/produce/{text}",
        f"/divisions/{text}",
        f"/listings?q={text}",
        f"/demands?q={text}",
    ):
        assert (path, (await people.visitor.get(path)).status_code < 500) == (path, True)


async def test_the_catalogue_is_open_to_everybody(people: People) -> None:
    found = (await people.visitor.get("/produce?q=花生油")).json()
    assert found[0]["code"] == "peanut-oil"
    assert (await people.visitor.get("/produce/peanut")).json()["zh"] == "花生果"
    assert (await people.visitor.get("/produce/gold")).status_code == 404
    codes = (await people.visitor.get("/codes")).json()
    assert [row["code"] for row in codes["reasons"]] == ["price", "quality", "other"]

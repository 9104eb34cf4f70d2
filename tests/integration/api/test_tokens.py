"""API tokens: made for some groups, held to them in one place, revoked, never good on pages."""

from datetime import timedelta

import pytest
from litestar.handlers import HTTPRouteHandler

from fixtures.factories import PASSWORD, Factory
from market import clock
from market.accounts.tokens import READ, SCOPES, SESSION_ONLY
from market.api.scopes import KEY, scope_of
from market.app import create_app
from market.db.session import execute, fetch, fetch_value
from market.web.edge.cookies import Edge
from market.web.edge.csrf import SESSION

from .conftest import Caller, People

#: What no token may do, however it was made.
CLOSED = {
    "POST /api/v1/sign-in",
    "POST /api/v1/sign-out",
    "GET /api/v1/tokens",
    "POST /api/v1/tokens",
    "POST /api/v1/tokens/{token_id:int}/revoke",
}


def handlers() -> dict[str, HTTPRouteHandler]:
    app = create_app(edge=Edge(secret=b"tests", secure=False), lifespan=[])
    return {
        f"{method} {route.path}": handler
        for route in app.routes
        if route.path.startswith("/api/v1")
        for handler in getattr(route, "route_handlers", [])
        for method in handler.http_methods - {"HEAD", "OPTIONS"}
    }


def test_every_route_has_a_scope_and_every_scope_a_route() -> None:
    """A room that is added without one is closed to tokens, and is found here."""
    routes = handlers()
    assert len(routes) > 80
    groups = {name: handler.opt.get(KEY) for name, handler in routes.items()}
    assert {name: group for name, group in groups.items() if group not in {*SCOPES, SESSION_ONLY}} == {}
    needed = {name: scope_of(handler) for name, handler in routes.items()}
    assert {name for name, scope in needed.items() if scope is None} == CLOSED
    assert {scope for scope in needed.values() if scope} == set(SCOPES)
    assert {scope for name, scope in needed.items() if name.startswith("GET ")} == {READ, None}
    assert READ not in {scope for name, scope in needed.items() if not name.startswith("GET ")}


async def made(caller: Caller, *scopes: str) -> str:
    body = {"name": "库存软件", "scopes": scopes, "days": 90, "password": PASSWORD}
    answer = await caller.post("/tokens", body)
    assert answer.status_code == 201, answer.text
    token = str(answer.json()["token"])
    assert token.startswith("tt_")
    return token


async def test_token_does_what_it_was_made_for_and_nothing_else(
    people: People, factory: Factory, lot: dict[str, object]
) -> None:
    member = await factory.member(role="secretary", password=PASSWORD)
    session = await people.caller(member)
    token = Caller(people.client, await made(session, "read", "listings"))
    assert (await token.get("/me")).json()["organisation"] == member.organisation_id
    assert (await token.post("/listings", lot)).status_code == 201
    assert (await token.post("/listings/1/withdraw")).status_code == 200
    for path in ("/notices/read", "/sign-out", "/tokens", "/tokens/1/revoke"):
        answer = await token.post(path, {} if path == "/tokens" else None)
        assert answer.status_code == 403, path
    assert (await token.get("/tokens")).status_code == 403
    writer = Caller(people.client, await made(session, "notices"))
    assert [(await writer.post("/notices/read")).status_code, (await writer.get("/me")).status_code] == [
        200,
        403,
    ]
    # what its person may not do, it may not do either
    buyer = Caller(people.client, await made(session, *SCOPES))
    assert (await buyer.get("/runs")).status_code == 403
    # it is listed by its first signs, and its hash is all that is stored
    listed = (await session.get("/tokens")).json()
    assert [
        row["prefix"] == each.token[:9]
        for row, each in zip(listed[::-1], (token, writer, buyer), strict=True)
    ]
    assert listed[-1]["last_used_at"] is not None
    stored = await fetch("SELECT row_to_json(api_token)::text AS row FROM api_token")
    assert [row["row"] for row in stored if str(token.token)[9:] in row["row"]] == []


async def test_token_ends_by_revocation_by_time_and_with_its_person(people: People, factory: Factory) -> None:
    member = await factory.member(role="buyer", password=PASSWORD)
    session = await people.caller(member)
    tokens = [Caller(people.client, await made(session, "read")) for _ in range(2)]
    stranger = await people.caller(await factory.member(role="buyer"))
    assert (await stranger.post("/tokens/1/revoke")).status_code == 404
    for _ in range(2):
        assert (await session.post("/tokens/1/revoke")).json() == {"state": "revoked"}
    assert [(await each.get("/me")).status_code for each in tokens] == [401, 200]
    await execute("UPDATE api_token SET expires_at = $1 WHERE id = 2", clock.now())
    assert (await tokens[1].get("/me")).status_code == 401
    third = Caller(people.client, await made(session, "read"))
    left = await fetch_value("SELECT max(expires_at) FROM api_token") - clock.now()
    assert timedelta(days=89) < left <= timedelta(days=90)
    await execute("UPDATE person SET active = false WHERE id = $1", member.person_id)
    assert (await third.get("/me")).status_code == 401


async def test_making_one_asks_for_the_password_again(people: People, factory: Factory) -> None:
    session = await people.caller(await factory.member(role="buyer", password=PASSWORD))
    body = {"name": "x", "scopes": ["read"], "days": 90, "password": "wrong"}
    tries = [(await session.post("/tokens", body)).status_code for _ in range(11)]
    assert tries == [422] * 10 + [429]


async def test_faults_of_a_token_are_told_together(people: People, factory: Factory) -> None:
    session = await people.caller(await factory.member(role="buyer", password=PASSWORD))
    body = {"name": " ", "scopes": ["everything"], "days": 31, "password": PASSWORD}
    answer = await session.post("/tokens", body)
    assert (answer.status_code, set(answer.json()["fields"])) == (422, {"name", "scopes", "days"})


async def test_bearer_needs_no_csrf_token_a_cookie_does_and_pages_take_no_bearer(
    people: People, factory: Factory, lot: dict[str, object]
) -> None:
    session = await people.caller(await factory.member(role="secretary", password=PASSWORD))
    bearer = {"authorization": f"Bearer {await made(session, 'read', 'listings')}"}
    cookie = {"cookie": f"{SESSION}={session.token}"}
    visitor = people.visitor
    assert (await visitor.call("POST", "/listings", lot, headers=cookie)).status_code == 403
    assert (await visitor.call("POST", "/listings", lot, headers=bearer)).status_code == 201
    # with both, the bearer counts: the cookie adds nothing to what the token may do
    both = {**bearer, **cookie}
    assert (await visitor.call("POST", "/listings", lot, headers=both)).status_code == 201
    assert (await visitor.call("POST", "/notices/read", headers=both)).status_code == 403
    page = await people.client.get("/account", headers=bearer)
    assert (page.status_code, page.headers["location"]) == (303, "/sign-in?next=%2Faccount")


@pytest.mark.parametrize("token", ["tt_" + "x" * 43, "tt_", "", "tt_' OR 1=1 --"])
async def test_unknown_tokens_open_nothing(people: People, factory: Factory, token: str) -> None:
    assert (await Caller(people.client, token or " ").get("/me")).status_code == 401

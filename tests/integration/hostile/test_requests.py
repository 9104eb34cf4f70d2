"""Hostile requests: every one is answered by a page that helps or a problem that programs read."""

import ipaddress
import logging
import re

import msgspec
import pytest

from fixtures.hostile import addresses, bodies
from fixtures.hostile.bodies import Ask, Body
from market.app import create_app
from market.web.edge.cookies import Edge

from .conftest import KEY, World, ask, bearer


@pytest.mark.parametrize("body", bodies.BODIES, ids=[each.name for each in bodies.BODIES])
async def test_bodies_of_the_api(world: World, body: Body) -> None:
    answer = await world.client.post(
        "/api/v1/listings",
        content=body.raw,
        headers={**bearer(world.tokens["seller"]), "content-type": body.media_type},
    )
    told = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (body.status, "application/problem+json")
    assert {"type", "title", "status", "detail", "instance", "request_id"} <= set(told)
    assert told["request_id"] == answer.headers["x-request-id"]
    assert len(answer.content) < 200_000


@pytest.mark.parametrize("each", bodies.ASKS, ids=[each.name for each in bodies.ASKS])
async def test_requests(world: World, each: Ask) -> None:
    answer = await ask(world.app, each.method, each.path, headers=each.headers, raw=each.raw)
    assert answer.status == each.status, answer.body[:500]
    assert len(answer.header("x-request-id")) == 16
    assert answer.header("content-security-policy").startswith("default-src 'none'")
    assert b"Traceback" not in answer.body
    if each.status < 400 or each.method == "HEAD":
        return
    if each.path.startswith("/api"):
        assert answer.header("content-type") == "application/problem+json"
    elif each.status != 422:  # a list tells faulty filters by itself
        assert answer.header("content-type").startswith("text/html")
        assert answer.header("x-request-id").encode() in answer.body
        assert b'href="/"' in answer.body


@pytest.mark.parametrize("name", bodies.HOSTS)
async def test_hosts(name: str, world: World) -> None:
    given, is_ours = bodies.HOSTS[name]
    app = _strict()
    answer = await ask(app, "GET", "/sign-in", headers=((b"host", given),))
    assert answer.status == (200 if is_ours else 421)
    told = await ask(app, "GET", "/api/v1/codes", headers=((b"host", given),))
    assert told.header("content-type") == ("application/json" if is_ours else "application/problem+json")


async def test_two_hosts_or_none_are_refused(world: World) -> None:
    two = ((b"host", b"tiantou.example"), (b"host", b"evil.example"))
    assert (await ask(_strict(), "GET", "/sign-in", headers=two)).status == 421


_made: list[object] = []


def _strict() -> object:
    """An application that goes by one name, behind a proxy at 10.0.0.1."""
    if not _made:
        edge = Edge(
            secret=KEY,
            secure=True,
            hosts=frozenset({"tiantou.example"}),
            proxies=(ipaddress.ip_network("10.0.0.1"),),
        )
        _made.append(create_app(edge=edge, lifespan=[]))
    return _made[0]


@pytest.mark.parametrize("name", bodies.REQUEST_IDS)
async def test_request_ids(name: str, world: World) -> None:
    given, is_taken = bodies.REQUEST_IDS[name]
    headers = ((b"host", b"tiantou.example"), (b"x-request-id", given))
    trusted = await ask(_strict(), "GET", "/nowhere", headers=headers, client="10.0.0.1")
    assert (trusted.header("x-request-id").encode("latin-1") == given) == is_taken
    stranger = await ask(_strict(), "GET", "/nowhere", headers=headers)
    for answer in (trusted, stranger):
        name_shown = answer.header("x-request-id")
        assert name_shown.encode() in answer.body
        assert name_shown.replace("-", "").isalnum()
    assert stranger.header("x-request-id").encode("latin-1") != given


async def test_a_failure_is_logged_under_the_name_that_is_shown(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(*_: object) -> None:
        raise RuntimeError("the secret of the house")

    world.app.state["find_viewer"], kept = fails, world.app.state["find_viewer"]
    try:
        with caplog.at_level(logging.ERROR, logger="market.web"):
            cookie = ((b"cookie", b"market=x"), (b"accept-language", b"en"))
            page = await ask(world.app, "GET", "/listings", headers=cookie)
            told = await ask(world.app, "GET", "/api/v1/me", headers=((b"authorization", b"Bearer x"),))
    finally:
        world.app.state["find_viewer"] = kept
    assert (page.status, told.status) == (500, 500)
    assert msgspec.json.decode(told.body)["status"] == 500
    for answer in (page, told):
        assert b"secret of the house" not in answer.body
        assert b"Traceback" not in answer.body
        assert answer.header("x-request-id") in caplog.text


@pytest.mark.parametrize("name", addresses.PATHS)
async def test_paths_of_downloads(world: World, name: str) -> None:
    typed = addresses.PATHS[name]
    cookie = ((b"cookie", f"market={world.tokens['official']}".encode()),)
    for stem in ("/assets/", "/pictures/1/", f"/town/runs/{world.run_id}/files/", "/"):
        answer = await ask(world.app, "GET", stem + typed.replace("?", "%3f"), headers=cookie)
        assert answer.status in (404, 405), (stem, answer.status)
        assert b"root:x:0" not in answer.body


@pytest.mark.parametrize("name", addresses.ONWARD)
async def test_ways_onward_stay_here(world: World, name: str) -> None:
    given = addresses.ONWARD[name]
    shown = await world.guest.client.get("/sign-in", params={"next": given})
    assert 'name="next" value="/"' in shown.text
    led = await world.seller.client.get("/sign-in", params={"next": given})
    assert (led.status_code, led.headers["location"]) == (303, "/")
    assert "evil" not in led.headers.get("set-cookie", "")


@pytest.mark.parametrize(
    "path", ["//evil.example/", "/\\evil.example", "///evil.example", "/%5cevil.example"]
)
async def test_no_link_of_a_page_leads_to_where_its_address_says(world: World, path: str) -> None:
    answer = await ask(world.app, "GET", path)
    assert answer.status == 404
    for each in re.findall(rb'href="([^"]*)"', answer.body):
        assert each.startswith((b"/", b"#")), each
        assert not each.startswith((b"//", b"/\\")), each

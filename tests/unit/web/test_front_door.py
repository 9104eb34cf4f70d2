"""The door: whose word is taken, how long a body may take, what an installation's settings come to."""

import asyncio
from ipaddress import ip_network
from typing import Any

import pytest
from litestar import Response
from litestar.exceptions import HTTPException

from market.errors import Invalid
from market.settings import Settings
from market.web.edge import door
from market.web.edge.cookies import Edge
from market.web.edge.door import Door, edge_from

PROXIES = (ip_network("10.0.0.0/8"), ip_network("::1/128"))


def answered(_: Any, error: Exception) -> Response[str]:
    raise AssertionError(error)


async def passed(
    peer: str, headers: dict[str, str], *, method: str = "GET", pieces: tuple[float, ...] = ()
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Let a request through to an application that reads its body; return what scope it saw, and its answer.

    ``pieces``: the seconds before each piece of the body.
    """
    seen: dict[str, Any] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.update(scope)
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok", "more_body": False})

    waits = list(pieces)

    async def receive() -> dict[str, Any]:
        if waits:
            await asyncio.sleep(waits.pop(0))
        return {"type": "http.request", "body": b"a", "more_body": bool(waits)}

    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    given = [(b"host", b"a"), *((name.encode(), value.encode()) for name, value in headers.items())]
    scope = {
        "type": "http",
        "method": method,
        "scheme": "http",
        "headers": given,
        "client": (peer, 1),
        "state": {},
    }
    edge = Edge(secret=b"k", proxies=PROXIES)
    await Door(app, edge=edge, tell=answered)(scope, receive, send)  # type: ignore[arg-type]
    return seen, sent


@pytest.mark.parametrize(
    ("peer", "forwarded", "reader"),
    [
        ("203.0.113.9", "198.51.100.7", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("::1", "2001:db8::7", "2001:db8::7"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "198.51.100.7, 10.0.0.2", "198.51.100.7"),
        ("10.0.0.1", "1.1.1.1, forged, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "forged", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1\r\nx: y", "10.0.0.1"),
        ("10.0.0.1", ", ".join(["10.0.0.3"] * 10_000), "10.0.0.3"),
    ],
)
async def test_the_reader_is_the_first_who_is_no_proxy(peer: str, forwarded: str, reader: str) -> None:
    seen, _ = await passed(peer, {"x-forwarded-for": forwarded})
    assert seen["client"][0] == reader


@pytest.mark.parametrize(
    ("peer", "said", "scheme"),
    [("10.0.0.1", "https", "https"), ("203.0.113.9", "https", "http"), ("10.0.0.1", "gopher", "http")],
)
async def test_the_scheme_is_a_proxys_word(peer: str, said: str, scheme: str) -> None:
    seen, _ = await passed(peer, {"x-forwarded-proto": said})
    assert seen["scheme"] == scheme


async def test_a_head_is_a_get_without_its_content() -> None:
    seen, sent = await passed("203.0.113.9", {}, method="HEAD")
    assert (seen["method"], sent[0]["headers"], sent[1]["body"]) == ("GET", [(b"content-length", b"2")], b"")


async def test_a_body_that_stops_or_trickles_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "BODY_PAUSE", 0.1)
    monkeypatch.setattr(door, "BODY_SECONDS", 0.3)
    for pieces in ((0.01, 5.0), (0.05,) * 50):
        with pytest.raises(HTTPException) as slow:
            await passed("203.0.113.9", {}, method="POST", pieces=pieces)
        assert slow.value.status_code == 408
    assert (await passed("203.0.113.9", {}, method="POST", pieces=(0.02, 0.02)))[1][0]["status"] == 200


@pytest.mark.parametrize(
    ("given", "secure", "hosts"),
    [
        ({}, False, frozenset()),
        ({"public_url": "http://127.0.0.1:8000"}, False, frozenset({"127.0.0.1"})),
        ({"public_url": "https://Tiantou.example/"}, True, frozenset({"tiantou.example"})),
        ({"secure_cookies": True, "hosts": "A.example, b.example"}, True, {"a.example", "b.example"}),
        ({"hosts": "*"}, False, None),
    ],
)
def test_settings_come_to_an_edge(given: dict[str, Any], secure: bool, hosts: Any) -> None:
    edge = edge_from(Settings(**given), secret="k")
    assert (edge.secure, edge.hosts) == (secure, hosts)


@pytest.mark.parametrize(
    "given", [{"hosts": "https://a.example"}, {"hosts": "a.example:80"}, {"proxies": "proxy.example"}]
)
def test_settings_that_cannot_be_read_are_named(given: dict[str, str]) -> None:
    with pytest.raises(Invalid) as refused:
        edge_from(Settings(**given), secret="k")
    assert list(refused.value.fields) == [f"MARKET_{next(iter(given)).upper()}"]

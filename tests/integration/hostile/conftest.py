"""A small market for a whole file of tests: hostile input is refused, so nothing needs cleaning."""

import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, NamedTuple, cast
from urllib.parse import unquote_to_bytes

import asyncpg
import httpx
import pytest
from litestar import Litestar

from fixtures.factories import Factory, Member
from market import clock
from market.accounts.rules import SYSTEM, token_hash
from market.app import create_app
from market.db.session import Engine, execute
from market.matching.operations import run_now
from market.web.edge.cookies import Edge
from market.web.edge.csrf import SESSION
from tests import databases
from tests.integration.web import shop
from tests.integration.web.conftest import Browser, token_in

KEY = b"k" * 32


class Answer(NamedTuple):
    """What the application sent, as it sent it."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: str) -> str:
        return next((v.decode("latin-1") for n, v in self.headers if n == name.encode()), "")


async def ask(
    app: Any,
    method: str,
    target: str,
    *,
    headers: tuple[tuple[bytes, bytes], ...] = (),
    raw: bytes = b"",
    client: str = "203.0.113.9",
) -> Answer:
    """Call the application as a server does that checks nothing itself; only the first piece is ever late."""
    path, _, query = target.partition("?")
    host = () if any(name == b"host" for name, _ in headers) else ((b"host", b"market.test"),)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote_to_bytes(path).decode("utf-8", "replace"),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [*host, *headers],
        "client": (client, 1),
        "server": ("market.test", 80),
    }
    pieces: list[dict[str, Any]] = [{"type": "http.request", "body": raw, "more_body": False}]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return pieces.pop(0) if pieces else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return Answer(sent[0]["status"], list(sent[0]["headers"]), body)


class World(NamedTuple):
    """The application and the people who use it."""

    app: Litestar
    client: httpx.AsyncClient
    seller: Browser
    buyer: Browser
    official: Browser
    guest: Browser
    tokens: dict[str, str]
    #: The seller's token for forms; it holds as long as the session.
    csrf: str
    run_id: int


async def token_of(member: Member) -> str:
    """Return the token of a new session of ``member``."""
    token = secrets.token_urlsafe()
    await execute(
        """INSERT INTO session (token_hash, person, organisation, created_at, expires_at, seen_at)
           VALUES ($1, $2, $3, $4, $5, $4)""",
        token_hash(token),
        member.person_id,
        member.organisation_id,
        clock.now(),
        clock.now() + timedelta(days=1),
    )
    return token


@pytest.fixture(scope="session")
def app() -> Litestar:
    """The application, made once for every case."""
    return create_app(edge=Edge(secret=KEY, secure=False), lifespan=[])


@pytest.fixture(scope="module")
async def world(_pool: Engine, _cleaning: asyncpg.Connection, app: Litestar) -> AsyncIterator[World]:
    """A seller, a buyer and their town, goods and a demand, matched."""
    await databases.clean(_cleaning)
    factory = Factory(seed=1)
    await factory.catalogue()
    await shop.stock_catalogue()
    town = await factory.member(role="official")
    seller = await factory.member(role="secretary", town_id=town.organisation_id)
    buyer = await factory.member(role="buyer")
    await factory.listing(seller)
    await factory.demand(buyer)
    run_id = await run_now(town_id=town.organisation_id, actor=SYSTEM, at=clock.now())
    transport = httpx.ASGITransport(app=cast(Any, app), raise_app_exceptions=False)
    tokens = {
        name: await token_of(member)
        for name, member in (("seller", seller), ("buyer", buyer), ("official", town))
    }
    clients = {
        name: httpx.AsyncClient(transport=transport, base_url="http://market.test")
        for name in (*tokens, "guest")
    }
    for name, token in tokens.items():
        clients[name].cookies.set(SESSION, token, domain="market.test", path="/")
    browsers = {name: Browser(client) for name, client in clients.items()}
    yield World(
        app=app,
        client=clients["guest"],
        tokens=tokens,
        csrf=token_in(await browsers["seller"].get("/notices")),
        run_id=int(cast(Any, run_id)),
        **browsers,
    )
    for client in clients.values():
        await client.aclose()


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}

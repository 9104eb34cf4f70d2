import secrets
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import httpx
import msgspec
import pytest

from fixtures.factories import Factory, Member
from market import clock
from market.accounts.rules import token_hash
from market.app import create_app
from market.db.session import execute
from market.web.edge.cookies import Edge


class Caller:
    """One member's calls of the API, signed in by a bearer token; None stands for a visitor."""

    def __init__(self, client: httpx.AsyncClient, token: str | None) -> None:
        self.token = token
        self._client = client

    async def call(
        self, method: str, path: str, body: object = None, *, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        sent = {"authorization": f"Bearer {self.token}"} if self.token else {}
        content = None if body is None else msgspec.json.encode(body)
        return await self._client.request(
            method, f"/api/v1{path}", content=content, headers={**sent, **(headers or {})}
        )

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.call("GET", path, headers=headers)

    async def post(self, path: str, body: object = None, *, key: str | None = None) -> httpx.Response:
        return await self.call("POST", path, body, headers={"idempotency-key": key} if key else None)


class People:
    """Makes callers of members."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.visitor = Caller(client, None)

    async def caller(self, member: Member) -> Caller:
        """Sign a member in without a password."""
        token = secrets.token_urlsafe(16)
        now = clock.now()
        await execute(
            """INSERT INTO session (token_hash, person, organisation, created_at, expires_at, seen_at)
               VALUES ($1, $2, $3, $4, $5, $4)""",
            token_hash(token),
            member.person_id,
            member.organisation_id,
            now,
            now + timedelta(hours=1),
        )
        return Caller(self.client, token)


@pytest.fixture(scope="session")
def transport() -> httpx.ASGITransport:
    """The application, made once: it keeps nothing between requests, the database does."""
    app = create_app(edge=Edge(secret=b"tests", secure=False), lifespan=[])
    return httpx.ASGITransport(app=app, raise_app_exceptions=False)


@pytest.fixture
async def people(factory: Factory, transport: httpx.ASGITransport) -> AsyncIterator[People]:
    # compressing and unpacking thousands of answers takes as long as making them
    plain = {"accept-encoding": "identity"}
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=plain) as client:
        yield People(client)


@pytest.fixture
def lot() -> dict[str, Any]:
    """A listing as it is sent."""
    return {
        "produce": "peanut",
        "title": "红衣花生",
        "quantity": 1_000_000,
        "ask": 700,
        "available_from": clock.today().isoformat(),
        "available_to": (clock.today() + timedelta(days=60)).isoformat(),
    }


@pytest.fixture
def window() -> dict[str, date]:
    return {"deliver_from": clock.today(), "deliver_to": clock.today() + timedelta(days=20)}

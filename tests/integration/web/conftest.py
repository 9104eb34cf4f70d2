"""Browsers on the real application and the real database."""

import html
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest

from fixtures.factories import PASSWORD, STORY, Factory, Member, hash_once
from market import clock
from market.accounts.rules import token_hash
from market.app import create_app
from market.db.session import Engine, execute
from market.matching.operations import run_now
from market.web.edge.cookies import Edge
from market.web.edge.csrf import SESSION

if TYPE_CHECKING:
    from tests.integration.web.meeting_scene import Scene


class Browser:
    """Somebody's browser: it keeps cookies and posts every form with the token that the form carries."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def get(self, path: str, *, htmx: bool = False, **headers: str) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.get(path, headers={**sent, **({"hx-request": "true"} if htmx else {})})

    async def post(self, path: str, data: dict[str, Any] | None = None, *, form: str = "") -> httpx.Response:
        """Post ``data`` with the token of the page ``form`` (any page where it is empty)."""
        page = await self.client.get(form or "/listings")
        return await self.client.post(path, data={"_csrf": token_in(page), **(data or {})})

    async def shown(self, path: str, data: dict[str, Any] | None = None) -> httpx.Response:
        """Post ``data`` and return the page that the post leads to; the post itself shows nothing."""
        answer = await self.post(path, data)
        assert (answer.status_code, answer.content) == (303, b""), answer.text
        return await self.client.get(answer.headers["location"])

    async def upload(
        self, path: str, data: dict[str, Any], files: dict[str, tuple[str, bytes]]
    ) -> httpx.Response:
        """Post ``data`` with files (field -> name and content)."""
        page = await self.client.get("/listings")
        return await self.client.post(path, data={"_csrf": token_in(page), **data}, files=files)

    async def sign_in(self, member: Member) -> httpx.Response:
        return await self.post("/sign-in", {"phone": member.phone, "password": PASSWORD})


def token_in(page: httpx.Response) -> str:
    found = re.search(r'name="_csrf" value="([^"]+)"', page.text) or re.search(
        r"x-csrf-token&#34;: &#34;([^&]+)&#34;", page.text
    )
    assert found, page.text[:500]
    return found[1]


def faults(page: httpx.Response, *, prefix: str = "f-") -> dict[str, str]:
    """Return what a form says beside its fields, by field."""
    found = re.findall(rf'<p class="fault" id="{prefix}(\w+)-fault">.*?</svg>(.*?)</p>', page.text)
    return {name: html.unescape(text) for name, text in found}


NewBrowser = Callable[[], Browser]


@pytest.fixture(scope="session")
def transport() -> httpx.ASGITransport:
    """The application, made once: it keeps nothing between requests, the database does."""
    app = create_app(edge=Edge(secret=b"k" * 32, secure=False), lifespan=[])
    return httpx.ASGITransport(app=cast(Any, app), raise_app_exceptions=False)


@pytest.fixture
async def new_browser(db: Engine, transport: httpx.ASGITransport) -> AsyncIterator[NewBrowser]:
    """Opens browsers that know nothing of each other."""
    opened: list[httpx.AsyncClient] = []

    def open_one() -> Browser:
        opened.append(
            httpx.AsyncClient(
                transport=transport, base_url="http://market.test", headers={"accept-encoding": "identity"}
            )
        )
        return Browser(opened[-1])

    yield open_one
    for client in opened:
        await client.aclose()


@pytest.fixture
def guest(new_browser: NewBrowser) -> Browser:
    return new_browser()


SignedInAs = Callable[[Member], Awaitable[Browser]]


@pytest.fixture
def browser_of(new_browser: NewBrowser) -> SignedInAs:
    """Opens a browser in which a member has signed in: the session is made without the slow password."""

    async def opened(member: Member) -> Browser:
        browser = new_browser()
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
        browser.client.cookies.set(SESSION, token, domain="market.test", path="/")
        return browser

    return opened


@pytest.fixture(scope="session")
async def password_hash() -> str:
    """The hash of the factory's password, made once: it is slow on purpose."""
    return await hash_once(PASSWORD)


async def _with_password(member: Member, password_hash: str) -> Member:
    await execute("UPDATE person SET password_hash = $2 WHERE id = $1", member.person_id, password_hash)
    return member


@pytest.fixture
async def buyer(factory: Factory, password_hash: str) -> Member:
    return await _with_password(await factory.member(role="buyer"), password_hash)


@pytest.fixture
async def seller(factory: Factory, password_hash: str) -> Member:
    return await _with_password(await factory.member(role="secretary"), password_hash)


@pytest.fixture
async def scene(factory: Factory, browser_of: SignedInAs) -> "Scene":
    """A town with two villages, two chains and the media, matched, and its official's browser."""
    from tests.integration.web.meeting_scene import Scene  # it knows this module's Browser

    official = await factory.member(role="official", password=PASSWORD)
    sellers = [
        await factory.member(role="secretary", town_id=official.organisation_id, password=PASSWORD)
        for _ in range(2)
    ]
    buyers = [await factory.member(role="buyer") for _ in range(2)]
    await factory.member(role="buyer", kind="media")
    for seller, kg in zip(sellers, (1_000, 800), strict=True):
        await factory.listing(seller, kg=kg)
    for buyer in buyers:
        await factory.demand(buyer, kg=900)
    await run_now(town_id=official.organisation_id, actor=official.actor, at=STORY)
    return Scene(official, sellers, buyers, await browser_of(official))

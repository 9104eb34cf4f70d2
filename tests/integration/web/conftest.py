"""Browsers on the real application and the real database."""

import html
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import httpx
import pytest

from fixtures.factories import PASSWORD, Factory, Member
from market.app import create_app
from market.db.session import Engine
from market.web.cookies import Edge


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


@pytest.fixture
async def new_browser(db: Engine) -> AsyncIterator[NewBrowser]:
    """Opens browsers that know nothing of each other."""
    app = create_app(edge=Edge(secret=b"k" * 32, secure=False), lifespan=[])
    transport = httpx.ASGITransport(app=cast(Any, app), raise_app_exceptions=False)
    opened: list[httpx.AsyncClient] = []

    def open_one() -> Browser:
        opened.append(httpx.AsyncClient(transport=transport, base_url="http://market.test"))
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
    """Opens a browser and signs a member in, who must have the password of the factory."""

    async def opened(member: Member) -> Browser:
        browser = new_browser()
        answer = await browser.sign_in(member)
        assert answer.status_code == 303, answer.text[:2000]
        return browser

    return opened


@pytest.fixture
async def buyer(factory: Factory) -> Member:
    return await factory.member(role="buyer", password=PASSWORD)


@pytest.fixture
async def seller(factory: Factory) -> Member:
    return await factory.member(role="secretary", password=PASSWORD)

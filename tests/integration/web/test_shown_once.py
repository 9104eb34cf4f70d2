"""What is shown once: a page of its own after the post, which shows nothing when it is opened anew."""

import re
from datetime import timedelta

import pytest

from fixtures.factories import PASSWORD, Factory, Member
from market import clock
from market.db.session import fetch_value
from tests.integration.web.conftest import Browser, SignedInAs

ASKED = {"name": "库存软件", "scopes": "stock", "days": "30", "password": PASSWORD}
TOKEN = re.compile(r'id="token"[^>]*>([^<]+)<')


@pytest.fixture
async def own(seller: Member, browser_of: SignedInAs) -> Browser:
    return await browser_of(seller)


async def test_opening_the_page_anew_makes_no_other_and_shows_nothing(own: Browser) -> None:
    answer = await own.post("/account/tokens", ASKED)
    page = answer.headers["location"]
    assert (answer.status_code, page) == (303, "/account/tokens/made")
    first = await own.get(page)
    found = TOKEN.search(first.text)
    assert found
    assert first.headers["cache-control"] == "no-store"
    # neither an address nor a header that a log would keep shows it, and no cookie can be read
    assert not any(found[1] in each for each in (*answer.headers.values(), str(answer.url)))
    again = await own.get(page)
    assert (again.status_code, again.headers["location"]) == (303, "/account/tokens")
    assert "已经显示过了" in (await own.get("/account/tokens")).text
    assert await fetch_value("SELECT count(*) FROM api_token") == 1


async def test_another_session_and_another_page_open_nothing(
    own: Browser, factory: Factory, browser_of: SignedInAs
) -> None:
    answer = await own.post("/account/tokens", ASKED)
    (name, sealed), *_ = [each for each in own.client.cookies.items() if "once-" in each[0]]
    other = await browser_of(await factory.member(role="seller"))
    other.client.cookies.set(name, sealed)
    assert (await other.get(answer.headers["location"])).status_code == 303
    own.client.cookies.set("once-codes", sealed)
    assert (await own.get("/account/second-factor/codes")).status_code == 303
    own.client.cookies.set(name, "rubbish", domain="market.test")
    assert TOKEN.search((await own.get(answer.headers["location"])).text) is None


async def test_it_is_not_kept_for_long(own: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = await own.post("/account/tokens", ASKED)
    later = clock.now() + timedelta(minutes=6)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert (await own.get(answer.headers["location"])).status_code == 303

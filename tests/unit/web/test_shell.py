"""The shell around every page: tokens, languages, redirects, errors, headers, assets."""

import html
import json
import re
from collections.abc import AsyncIterator
from typing import Any, cast

import brotli
import httpx
import pytest
from litestar import Response, get, post
from litestar.params import FromPath

from market.accounts.rules import Viewer, token_hash
from market.app import create_app
from market.errors import Busy, Conflict, Invalid, NotAllowed, NotFound
from market.i18n import msg
from market.privacy.rules import VERSION
from market.web.edge import assets
from market.web.edge.cookies import Edge, sign, unsign
from market.web.edge.guards import SignedIn, WebRequest, require, safe_path
from market.web.parts.pages import page, redirect

BUYER = Viewer(
    session_id=1,
    person_id=2,
    name="李明",
    organisation_id=3,
    organisation_name="永辉超市",
    organisation_name_en="Yonghui",
    organisation_kind="retailer",
    roles=frozenset({"buyer"}),
    language="zh",
    unread={"bid_placed": 2, "deal_made": 1},
    notice_read=VERSION,
)
ERRORS: dict[str, Exception] = {
    "404": NotFound(msg("没有这批货。")),
    "403": NotAllowed(msg("不行。")),
    "409": Conflict(msg("变了。")),
    "422": Invalid(msg("不对。"), {"price": msg("太低")}),
    "503": Busy(msg("忙。"), retry_after=7),
    "500": RuntimeError("the database password is hunter2"),
}


@get("/fail/{kind:str}", sync_to_thread=False)
def fail(kind: FromPath[str]) -> None:
    raise ERRORS[kind]


@get("/api/fail/{kind:str}", sync_to_thread=False)
def api_fail(kind: FromPath[str]) -> None:
    raise ERRORS[kind]


@post("/api/echo", sync_to_thread=False)
def api_echo() -> str:
    return "done"


@get("/mine", sync_to_thread=False)
def mine(viewer: SignedIn) -> str:
    return viewer.name


@get("/town", guards=[require("official")], sync_to_thread=False)
def town() -> str:
    return "town"


@get("/part", sync_to_thread=False)
def part(request: WebRequest) -> Response[str]:
    return page(request, "style.html", fragment="errors/fragment.html", trouble=ERRORS["409"])


@post("/save", sync_to_thread=False)
def save(request: WebRequest) -> Response[bytes]:
    return redirect(request, "/style", toast=msg("剩余 {mass}", mass="<b>5</b>"))


@get("/notices", sync_to_thread=False)
def notices() -> str:
    return "notices"


async def find(hashed: bytes, for_page: bool) -> Viewer | None:
    return BUYER if hashed == token_hash("good") else None


@pytest.fixture(scope="module")
def transport() -> httpx.ASGITransport:
    app = create_app(
        edge=Edge(secret=b"k" * 32, secure=False, development=True),
        find_viewer=find,
        lifespan=[],
        routes=[assets.asset, fail, api_fail, api_echo, mine, town, part, save, notices],
    )
    return httpx.ASGITransport(app=cast(Any, app), raise_app_exceptions=False)


@pytest.fixture
async def browser(transport: httpx.ASGITransport) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
        yield client


def form_token(response: httpx.Response) -> str:
    found = re.search(r'name="_csrf" value="([^"]+)"', response.text)
    assert found
    return found[1]


HTMX = {"hx-request": "true"}


async def test_form_posts_with_its_token_only(browser: httpx.AsyncClient) -> None:
    token = form_token(await browser.get("/style"))
    assert (await browser.post("/save", data={"_csrf": token})).status_code == 303
    assert (await browser.post("/save", headers={"x-csrf-token": token})).status_code == 303
    for wrong in ("", "x", token[:-4], token[4:] + token[:4], "5" * len(token)):
        assert (await browser.post("/save", data={"_csrf": wrong})).status_code == 403


async def test_token_of_another_reader_is_refused(browser: httpx.AsyncClient) -> None:
    token = form_token(await browser.get("/style"))
    browser.cookies.set("visit", "somebody-else")
    assert (await browser.post("/save", data={"_csrf": token})).status_code == 403


async def test_lost_cookie_is_healed_by_the_refusal_itself(browser: httpx.AsyncClient) -> None:
    token = form_token(await browser.get("/style"))
    browser.cookies.clear()
    refused = await browser.post("/save", data={"_csrf": token})
    assert refused.status_code == 403
    assert "visit" in refused.cookies
    again = form_token(await browser.get("/style"))
    assert (await browser.post("/save", data={"_csrf": again})).status_code == 303


FROM_HERE = {"origin": "http://t"}


async def test_a_stale_form_comes_back_filled_in(browser: httpx.AsyncClient) -> None:
    """Sent from a page of this site, it is there to be sent once more; a password is typed again."""
    browser.cookies.set("visit", "somebody-else")
    typed = {"_csrf": "stale", "name": '红衣"花生<b>', "key": "7", "password": "hidden away"}
    refused = await browser.post("/save", data=typed, headers=FROM_HERE)
    assert refused.status_code == 403
    kept = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', refused.text))
    assert {name: html.unescape(kept[name]) for name in ("name", "key")} == {
        "name": '红衣"花生<b>',
        "key": "7",
    }
    assert "hidden away" not in refused.text
    assert 'action="/save"' in refused.text
    assert (await browser.post("/save", data={**typed, **kept}, headers=FROM_HERE)).status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "null"},
        {"origin": "http://evil.example"},
        {"origin": "http://t.evil.example"},
        {"origin": "http://t:81"},
        {"sec-fetch-site": "cross-site", "origin": "http://t"},
        {"sec-fetch-site": "same-site", "origin": "http://t"},
        {"sec-fetch-site": "none"},
    ],
)
async def test_what_another_site_filled_in_is_not_offered(
    browser: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    browser.cookies.set("visit", "somebody-else")
    refused = await browser.post("/save", data={"_csrf": "stale", "price": "forged"}, headers=headers)
    assert (refused.status_code, "forged" in refused.text) == (403, False)


async def test_a_fragment_gets_the_new_token(browser: httpx.AsyncClient) -> None:
    browser.cookies.set("visit", "somebody-else")
    sent = {"x-csrf-token": "stale", **FROM_HERE, **HTMX}
    refused = await browser.post("/save", data={"name": "花生"}, headers=sent)
    assert refused.status_code == 403
    token = json.loads(refused.headers["hx-trigger"])["token"]
    assert (await browser.post("/save", data={"_csrf": token})).status_code == 303


async def test_api_is_guarded_where_a_session_cookie_comes_along(browser: httpx.AsyncClient) -> None:
    assert (await browser.post("/api/echo")).status_code == 201
    browser.cookies.set("market", "good")
    refused = await browser.post("/api/echo")
    assert (refused.status_code, refused.headers["content-type"]) == (403, "application/problem+json")


async def test_language_is_chinese_until_asked_for_otherwise_and_is_remembered(
    browser: httpx.AsyncClient,
) -> None:
    first = await browser.get("/style", headers={"accept-language": "en"})
    assert '<html lang="zh-CN">' in first.text
    assert '<html lang="en">' in (await browser.get("/style?lang=en")).text
    assert '<html lang="en">' in (await browser.get("/style")).text
    assert '<html lang="en">' in (await browser.get("/style?lang=tlh")).text


async def test_language_switch_keeps_the_address(browser: httpx.AsyncClient) -> None:
    text = (await browser.get("/style?q=%E8%8A%B1&page=2&lang=zh")).text
    assert 'href="/style?q=%E8%8A%B1&amp;page=2&amp;lang=en"' in text


async def test_toast_survives_one_redirect_and_is_escaped(browser: httpx.AsyncClient) -> None:
    token = form_token(await browser.get("/style"))
    answer = await browser.post("/save", data={"_csrf": token})
    assert answer.headers["location"] == "/style"
    assert "剩余 &lt;b&gt;5&lt;/b&gt;" in (await browser.get("/style")).text
    assert "剩余 &lt;b&gt;5&lt;/b&gt;" not in (await browser.get("/style")).text


async def test_redirect_of_an_htmx_post_moves_the_whole_page(browser: httpx.AsyncClient) -> None:
    token = form_token(await browser.get("/style"))
    answer = await browser.post("/save", data={"_csrf": token}, headers=HTMX)
    assert (answer.status_code, answer.headers["hx-redirect"]) == (204, "/style")


async def test_htmx_gets_the_fragment_and_history_the_page(browser: httpx.AsyncClient) -> None:
    text = (await browser.get("/part", headers=HTMX)).text
    assert text.strip().startswith('<div class="toast error">')


async def test_guest_is_led_to_sign_in_and_back(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/mine?a=1&b=%2F")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=%2Fmine%3Fa%3D1%26b%3D%252F"


async def test_viewer_of_a_page_is_known_by_the_cookie_and_by_no_bearer_token(
    browser: httpx.AsyncClient,
) -> None:
    for token in ("good", "bad"):
        sent_away = await browser.get("/mine", headers={"authorization": f"Bearer {token}"})
        assert (sent_away.status_code, sent_away.text) == (303, "")
        assert sent_away.headers["location"].startswith("/sign-in")
    browser.cookies.set("market", "good")
    assert (await browser.get("/mine")).text == "李明"
    assert 'aria-label="通知，3 条未读"' in (await browser.get("/style")).text
    assert (await browser.get("/town")).status_code == 403


@pytest.mark.parametrize("kind", sorted(ERRORS))
async def test_error_is_a_page_for_people_and_a_problem_for_the_api(
    browser: httpx.AsyncClient, kind: str
) -> None:
    for_people = await browser.get(f"/fail/{kind}")
    for_api = await browser.get(f"/api/fail/{kind}")
    assert for_people.status_code == for_api.status_code == int(kind)
    assert for_people.headers["content-type"] == "text/html; charset=utf-8"
    assert for_people.headers["x-request-id"] in for_people.text
    problem: dict[str, Any] = for_api.json()
    assert for_api.headers["content-type"] == "application/problem+json"
    assert problem["status"] == int(kind)
    assert problem["request_id"] == for_api.headers["x-request-id"]
    assert "hunter2" not in for_api.text
    assert for_people.headers.get("retry-after") == ("7" if kind == "503" else None)
    assert problem.get("fields") == ({"price": "太低"} if kind == "422" else None)


async def test_unexpected_error_keeps_its_words_to_the_log() -> None:
    app = create_app(edge=Edge(secret=b"k" * 32), find_viewer=find, lifespan=[], routes=[fail])
    transport = httpx.ASGITransport(app=cast(Any, app), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="https://t") as client:
        answer = await client.get("/fail/500")
        assert answer.status_code == 500
        assert "hunter2" not in answer.text
        assert answer.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
        assert "Secure" in (await client.get("/nowhere?lang=en")).headers["set-cookie"]
        assert (await client.get("/style")).status_code == 404


async def test_error_for_htmx_is_a_passing_word(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/fail/409", headers=HTMX)
    assert (answer.status_code, answer.headers["hx-retarget"], answer.headers["hx-reswap"]) == (
        409,
        "#toasts",
        "beforeend",
    )
    assert "<html" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("POST", "/mine", 405), ("GET", "/assets/x.js", 404)],
)
async def test_address_without_a_page_is_told_to_people(
    browser: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await browser.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert answer.headers["content-security-policy"].startswith("default-src 'none';")
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_pages_keep_to_the_policy_without_inline_script_or_style(browser: httpx.AsyncClient) -> None:
    for path in ("/style", "/style?faulty=1", "/nowhere"):
        text = (await browser.get(path)).text
        assert re.findall(r"<script(?! src)|<style|\sstyle=|\son\w+=|javascript:", text) == []
        assert re.findall(r'(?:src|href)="(?:https?:)?//', text) == []


async def test_faulty_form_comes_back_with_faults_and_input(browser: httpx.AsyncClient) -> None:
    token = form_token(await browser.get("/style"))
    answer = await browser.post(
        "/style", data={"_csrf": token, "quantity": "NaN", "quantity_unit": "t", "x": "1"}
    )
    assert answer.status_code == 422
    assert 'value="NaN"' in answer.text
    assert '<option value="t" selected>' in answer.text
    assert 'aria-describedby="f-quantity-echo f-quantity-fault"' in answer.text
    assert "“NaN”不是数字" in answer.text


@pytest.mark.parametrize(
    ("path", "safe"),
    [
        ("/lots?a=1", "/lots?a=1"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil", "/"),
        ("/a\nb", "/"),
        ("/\tb", "/"),
        ("", "/"),
        (None, "/"),
    ],
)
def test_only_paths_of_this_site_are_followed(path: str | None, safe: str) -> None:
    assert safe_path(path) == safe


def test_signature_is_bound_to_key_and_purpose() -> None:
    signed = sign("花生", secret=b"k", purpose="toast")
    assert unsign(signed, secret=b"k", purpose="toast") == "花生"
    assert unsign(signed, secret=b"k", purpose="other") is None
    assert unsign(signed, secret=b"x", purpose="toast") is None
    assert unsign(f"x{signed}", secret=b"k", purpose="toast") is None
    assert unsign("é", secret=b"k", purpose="toast") is None


async def test_assets_are_hashed_compressed_and_kept_for_ever(browser: httpx.AsyncClient) -> None:
    css = assets.manifest()["app.css"]
    answer = await browser.get(css.path, headers={"accept-encoding": "br"})
    assert answer.headers["content-encoding"] == "br"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.content == css.plain
    assert brotli.decompress(css.brotli) == css.plain
    assert (await browser.get(css.path, headers={"accept-encoding": "identity"})).content == css.plain


def test_assets_keep_to_the_budget() -> None:
    sizes = {name: len(assets.manifest()[name].brotli) for name in ("app.css", "app.js", "htmx.js")}
    assert sum(sizes.values()) <= 30_000
    assert sizes["app.css"] <= 8_000
    assert sizes["app.js"] <= 4_000


async def test_page_is_compressed_within_the_first_load(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/style", headers={"accept-encoding": "br"})
    shell = sum(len(assets.manifest()[name].brotli) for name in ("app.css", "app.js", "htmx.js", "icons.svg"))
    assert int(answer.headers["content-length"]) + shell <= 45_000


async def test_openapi_is_json_and_of_the_api_only(browser: httpx.AsyncClient) -> None:
    document = (await browser.get("/api/openapi.json")).json()
    assert document["info"]["title"] == "Tiantou"
    assert [path for path in document["paths"] if not path.startswith("/api/")] == []


async def test_openapi_gives_texts_and_no_messages_that_wait_for_a_language(
    browser: httpx.AsyncClient,
) -> None:
    schemas = (await browser.get("/api/openapi.json")).json()["components"]["schemas"]
    assert [name for name in schemas if name.endswith("Message")] == []

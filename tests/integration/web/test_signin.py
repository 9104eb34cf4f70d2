"""Signing in and out, as a browser sees it."""

import pytest

from fixtures.factories import PASSWORD, Factory, Member
from market.accounts.rules import TRIES_PER_ACCOUNT
from market.db.session import fetch_value
from tests.integration.web.conftest import Browser, NewBrowser, faults


async def sessions() -> int:
    return int(await fetch_value("SELECT count(*) FROM session"))


async def test_sign_in_opens_a_session_and_leads_to_where_one_was_going(
    guest: Browser, buyer: Member
) -> None:
    sent_away = await guest.get("/demands/new?produce=peanut")
    assert sent_away.headers["location"] == "/sign-in?next=%2Fdemands%2Fnew%3Fproduce%3Dpeanut"
    form = await guest.get(sent_away.headers["location"])
    assert 'name="next" value="/demands/new?produce=peanut"' in form.text
    answer = await guest.post(
        "/sign-in", {"phone": buyer.phone, "password": PASSWORD, "next": "/demands/new?produce=peanut"}
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/demands/new?produce=peanut")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("market=")
    assert ("HttpOnly" in cookie, "SameSite=Lax" in cookie) == (True, True)
    assert (await guest.get("/demands/new")).status_code == 200


async def test_session_is_rotated_at_sign_in_and_the_old_one_ends(guest: Browser, buyer: Member) -> None:
    await guest.sign_in(buyer)
    first = guest.client.cookies["market"]
    await guest.sign_in(buyer)
    second = guest.client.cookies["market"]
    assert (first != second, await sessions()) == (True, 1)
    guest.client.cookies.set("market", first)
    assert (await guest.get("/demands")).headers["location"] == "/sign-in?next=%2Fdemands"


async def test_token_that_the_browser_chose_never_becomes_a_session(guest: Browser, buyer: Member) -> None:
    guest.client.cookies.set("market", "chosen-by-me")
    await guest.sign_in(buyer)
    chosen = [cookie for cookie in guest.client.cookies.jar if cookie.value == "chosen-by-me"]
    for cookie in chosen:  # httpx keeps a cookie set by hand apart from the one of the host
        guest.client.cookies.jar.clear(cookie.domain, cookie.path, cookie.name)
    assert guest.client.cookies["market"] != "chosen-by-me"
    assert (await guest.get("/demands")).status_code == 200


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "/a b", "evil", ""],
)
async def test_next_never_leads_off_this_site(guest: Browser, buyer: Member, target: str) -> None:
    answer = await guest.post("/sign-in", {"phone": buyer.phone, "password": PASSWORD, "next": target})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


async def test_next_never_leads_back_to_sign_in(guest: Browser, buyer: Member) -> None:
    answer = await guest.post(
        "/sign-in", {"phone": buyer.phone, "password": PASSWORD, "next": "/sign-in?next=/demands"}
    )
    assert answer.headers["location"] == "/"


async def test_unknown_account_and_wrong_password_get_the_same_page(
    new_browser: NewBrowser, buyer: Member
) -> None:
    pages = []
    for phone, password in (("13800000000", PASSWORD), (buyer.phone, "something else")):
        answer = await new_browser().post("/sign-in", {"phone": phone, "password": password})
        assert answer.status_code == 422
        assert "手机号或密码不对，请再试一次。" in answer.text
        pages.append(len(answer.text.replace(phone, "")))
    assert pages[0] == pages[1]
    assert await sessions() == 0


async def test_password_is_never_drawn_again_and_the_phone_number_stays(guest: Browser) -> None:
    answer = await guest.post("/sign-in", {"phone": "13800000000", "password": "my-secret-words"})
    assert 'value="13800000000"' in answer.text
    assert "my-secret-words" not in answer.text


@pytest.mark.parametrize(
    ("lang", "phone", "password"),
    [
        ("zh", "手机号要有 11 位，以 1 开头，例如 13800000000。", "请填写这一项。"),
        (
            "en",
            "A mobile number has 11 digits and starts with 1, such as 13800000000.",
            "Please fill this in.",
        ),
    ],
)
async def test_every_faulty_field_is_told_at_once(
    guest: Browser, lang: str, phone: str, password: str
) -> None:
    await guest.get(f"/sign-in?lang={lang}")
    answer = await guest.post("/sign-in", {"phone": "12-ab", "password": ""})
    assert answer.status_code == 422
    assert faults(answer) == {"phone": phone, "password": password}
    assert 'value="12-ab"' in answer.text


async def test_too_many_tries_are_refused_even_with_the_right_password(guest: Browser, buyer: Member) -> None:
    for _ in range(TRIES_PER_ACCOUNT):
        answer = await guest.post("/sign-in", {"phone": buyer.phone, "password": "wrong"})
        assert answer.status_code == 422
    refused = await guest.post("/sign-in", {"phone": buyer.phone, "password": PASSWORD})
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "900")
    assert "试得太多了，请 15 分钟后再试。" in refused.text
    assert f'value="{buyer.phone}"' in refused.text


async def test_sign_out_ends_the_session_in_the_database(guest: Browser, buyer: Member) -> None:
    await guest.sign_in(buyer)
    assert await sessions() == 1
    answer = await guest.post("/sign-out")
    assert (answer.status_code, answer.headers["location"], await sessions()) == (303, "/sign-in", 0)
    assert (await guest.get("/demands")).status_code == 303
    assert (await guest.post("/sign-out")).status_code == 303


async def test_who_has_signed_in_is_led_on_from_the_sign_in_page(guest: Browser, buyer: Member) -> None:
    await guest.sign_in(buyer)
    assert (await guest.get("/sign-in?next=/demands")).headers["location"] == "/demands"


async def test_post_without_token_is_refused(guest: Browser, factory: Factory, buyer: Member) -> None:
    answer = await guest.client.post("/sign-in", data={"phone": buyer.phone, "password": PASSWORD})
    assert (answer.status_code, await sessions()) == (403, 0)

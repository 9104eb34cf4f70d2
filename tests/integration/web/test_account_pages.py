"""One's own account: devices, the second factor, fixation of sessions."""

import html
import re
from datetime import timedelta

import httpx
import msgspec
import pyotp
import pytest

from fixtures.factories import PASSWORD, Factory, Member
from market import clock, settings
from market.audit.queries import history
from market.db.session import execute, fetch, fetch_value
from tests.integration.web.conftest import Browser, NewBrowser, SignedInAs, faults

ANDROID = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/120 Mobile MicroMessenger/8.0"


@pytest.fixture
def minutes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Add to it, and the clock moves on by so many minutes."""
    moved: list[int] = []
    real = clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + timedelta(minutes=sum(moved)))
    return moved


async def turn_on(browser: Browser, minutes: list[int]) -> tuple[pyotp.TOTP, list[str]]:
    """Turn on the second factor; return the app and the backup codes."""
    begun = await browser.post("/account/second-factor/begin", {"password": PASSWORD})
    assert begun.headers["location"] == "/account/second-factor/confirm"
    page = await browser.get("/account/second-factor/confirm")
    shown = re.search(r'class="once-code[^"]*">([A-Z2-7 ]+)<', page.text)
    assert shown
    app = pyotp.TOTP(shown[1].replace(" ", ""))
    wrong = await browser.post("/account/second-factor/confirm", {"code": "000000"})
    assert (wrong.status_code, set(faults(wrong))) == (422, {"code"})
    right = await browser.shown("/account/second-factor/confirm", {"code": app.at(clock.now())})
    codes = re.findall(r'class="once-code">(\d-[a-z2-7]{5}-[a-z2-7]{5})<', right.text)
    assert (right.status_code, len(set(codes)), [code[0] for code in codes]) == (200, 10, list("0123456789"))
    minutes.append(1)
    return app, codes


async def enter(browser: Browser, member: Member, code: str) -> httpx.Response:
    first = await browser.sign_in(member)
    assert first.headers["location"] == "/sign-in/code?next=%2F"
    return await browser.post("/sign-in/code", {"code": code, "next": "/demands"})


async def test_second_factor_is_asked_for_and_each_code_is_taken_once(
    buyer: Member, new_browser: NewBrowser, minutes: list[int]
) -> None:
    own, other = new_browser(), new_browser()
    await own.sign_in(buyer)
    await other.sign_in(buyer)
    wrong = await own.post("/account/second-factor/begin", {"password": "wrong"})
    assert (wrong.status_code, set(faults(wrong))) == (422, {"password"})
    before = own.client.cookies["market"]
    app, codes = await turn_on(own, minutes)
    # the session has another token, the other device is signed out
    assert own.client.cookies["market"] != before
    assert [(await each.get("/account")).status_code for each in (own, other)] == [200, 303]
    # with the password alone one is not in
    assert (await other.sign_in(buyer)).headers["location"].startswith("/sign-in/code")
    waiting = other.client.cookies["market"]
    for path in ("/account", "/demands", "/account/sessions"):
        assert (await other.get(path)).headers["location"].startswith("/sign-in?next=")
    assert (await other.get("/sign-in/code")).status_code == 200
    code = app.at(clock.now())
    entered = await other.post("/sign-in/code", {"code": f"{code[:3]} {code[3:]}", "next": "/demands"})
    assert entered.headers["location"] == "/demands"
    assert other.client.cookies["market"] != waiting
    assert (await other.get("/account")).status_code == 200
    # seen over a shoulder, a code is worth nothing; nor is one from before
    third = new_browser()
    assert (await enter(third, buyer, code)).status_code == 422
    assert (
        await third.post("/sign-in/code", {"code": app.at(clock.now() - timedelta(seconds=30))})
    ).status_code == 422
    # a backup code stands in, once, however it is written
    assert (
        await third.post("/sign-in/code", {"code": codes[3].upper().replace("-", " ")})
    ).status_code == 303
    assert (await enter(new_browser(), buyer, codes[3])).status_code == 422
    assert "备用码还剩 9 个" in (await own.get("/account/second-factor")).text
    renewed = await own.shown("/account/second-factor/codes", {"password": PASSWORD})
    fresh = re.findall(r'class="once-code">([^<]+)<', renewed.text)
    assert (await enter(new_browser(), buyer, codes[4])).status_code == 422
    assert (await enter(new_browser(), buyer, fresh[4])).status_code == 303
    # what is stored opens nothing
    row = (await fetch("SELECT secret, last_step FROM second_factor"))[0]
    assert app.secret.encode() not in row["secret"]
    assert await fetch_value("SELECT count(*) FROM backup_code WHERE code_hash LIKE '$argon2id$%'") == 10
    # and off again, by password
    minutes.append(16)
    assert (await own.post("/account/second-factor/drop", {"password": "wrong"})).status_code == 422
    assert (await own.post("/account/second-factor/drop", {"password": PASSWORD})).status_code == 303
    assert (await new_browser().sign_in(buyer)).headers["location"] == "/"
    recorded = await history(subjects=[f"person:{buyer.person_id}"])
    assert [each.action for each in recorded if each.action.startswith(("second_", "backup_"))] == [
        "second_factor_on",
        "backup_codes_renewed",
        "second_factor_off",
    ]


async def test_codes_have_a_limit_of_their_own(
    buyer: Member, new_browser: NewBrowser, minutes: list[int]
) -> None:
    own = new_browser()
    await own.sign_in(buyer)
    app, _ = await turn_on(own, minutes)  # two codes
    thief = new_browser()
    await thief.sign_in(buyer)
    tries = [(await thief.post("/sign-in/code", {"code": f"{n:06}"})).status_code for n in range(9)]
    assert tries == [422] * 8 + [429]
    refused = await thief.post("/sign-in/code", {"code": app.at(clock.now())})
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "900")
    # the thief's half of a session is over soon
    minutes.append(11)
    assert (await thief.get("/sign-in/code")).headers["location"] == "/sign-in"


async def test_role_that_must_have_a_second_factor_is_led_to_it(
    buyer: Member, browser_of: SignedInAs, minutes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = msgspec.structs.replace(settings.settings(), second_factor_for="administrator, buyer")
    monkeypatch.setattr("market.accounts.second_factor.settings", lambda: strict)
    own = await browser_of(buyer)
    for path in ("/", "/demands", "/account/sessions", "/people"):
        assert (await own.get(path)).headers["location"] == "/account/second-factor"
    assert (await own.get("/api/v1/bids")).status_code == 403
    page = await own.get("/account/second-factor")
    assert "您的角色必须用第二重验证" in page.text
    token = re.search(r'name="_csrf" value="([^"]+)"', page.text)
    assert token
    begun = await own.client.post(
        "/account/second-factor/begin", data={"_csrf": token[1], "password": PASSWORD}
    )
    assert begun.headers["location"] == "/account/second-factor/confirm"
    secret = re.search(
        r'class="once-code[^"]*">([A-Z2-7 ]+)<', (await own.get(begun.headers["location"])).text
    )
    assert secret
    code = pyotp.TOTP(secret[1].replace(" ", "")).at(clock.now())
    data = {"_csrf": token[1], "code": code}
    assert (await own.client.post("/account/second-factor/confirm", data=data)).status_code == 303
    assert (await own.get("/demands")).status_code == 200
    assert (await own.post("/account/second-factor/drop", {"password": PASSWORD})).status_code == 403


async def test_devices_are_listed_and_signed_out_one_by_one_and_together(
    factory: Factory, buyer: Member, new_browser: NewBrowser
) -> None:
    desk, phone, stranger = new_browser(), new_browser(), new_browser()
    phone.client.headers["user-agent"] = ANDROID
    for each in (phone, desk):
        await each.sign_in(buyer)
    page = html.unescape((await desk.get("/account/sessions")).text)
    assert ["微信，安卓手机" in page, "不认识的设备" in page, page.count("就是这台")] == [True, True, 1]
    phone_id = await fetch_value("SELECT id FROM session WHERE device = 'wechat android'")
    other = await factory.member(role="buyer", password=PASSWORD)
    await stranger.sign_in(other)
    assert (await stranger.post(f"/account/sessions/{phone_id}/end")).status_code == 404
    assert (await desk.post(f"/account/sessions/{phone_id}/end")).status_code == 303
    assert [(await each.get("/account")).status_code for each in (phone, desk)] == [303, 200]
    await phone.sign_in(buyer)
    assert (await desk.post("/account/sessions/others")).status_code == 303
    assert [(await each.get("/account")).status_code for each in (phone, desk)] == [303, 200]
    assert (await stranger.get("/account")).status_code == 200


async def test_token_known_before_signing_in_opens_nothing_after_it(
    buyer: Member, new_browser: NewBrowser
) -> None:
    """Whoever plants a cookie, their own live session's included, is not in when the victim signs in."""
    thief, victim = new_browser(), new_browser()
    await thief.sign_in(buyer)
    planted = thief.client.cookies["market"]
    victim.client.cookies.set("market", planted, domain="market.test", path="/")
    await victim.post("/sign-in", {"phone": buyer.phone, "password": "wrong"})
    await victim.post("/sign-out")
    victim.client.cookies.set("market", "chosen-by-the-thief", domain="market.test", path="/")
    await victim.sign_in(buyer)
    live = {cookie.value for cookie in victim.client.cookies.jar if cookie.name == "market"}
    for token in (planted, "chosen-by-the-thief"):
        assert token not in live
        spy = new_browser()
        spy.client.cookies.set("market", token, domain="market.test", path="/")
        assert (await spy.get("/account")).status_code == 303
    assert (await victim.get("/account")).status_code == 200


async def test_known_device_is_let_in_while_others_guess(
    buyer: Member, new_browser: NewBrowser, guest: Browser
) -> None:
    own = new_browser()
    await own.sign_in(buyer)
    await own.post("/sign-out")
    await execute(
        """UPDATE tries SET times = array_fill(now() + interval '1 second', ARRAY[60])
           WHERE subject LIKE 'account:%'"""
    )
    assert (await guest.sign_in(buyer)).status_code == 429
    forged = new_browser()
    forged.client.cookies.set("known", "bmFtZQ." + "x" * 32, domain="market.test", path="/")
    assert (await forged.sign_in(buyer)).status_code == 429
    assert (await own.sign_in(buyer)).status_code == 303

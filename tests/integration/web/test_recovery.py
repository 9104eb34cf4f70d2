"""A lost password is replaced in person, by whoever looks after the one who lost it."""

import re
from datetime import timedelta

import pytest

from fixtures.factories import PASSWORD, Factory, Member
from market import clock
from market.audit.queries import history
from market.db.session import execute, fetch, fetch_value
from tests.integration.web.conftest import Browser, NewBrowser, SignedInAs, faults

NEW = "新麦上场 晒满院子"


@pytest.fixture
async def official(factory: Factory) -> Member:
    return await factory.member(role="official", password=PASSWORD)


@pytest.fixture
async def village(factory: Factory, official: Member) -> Member:
    return await factory.member(role="secretary", town_id=official.organisation_id, password=PASSWORD)


async def ask(browser: Browser, phone: str) -> str:
    """Ask for a new password and return the code that is shown."""
    page = await browser.shown("/recover", {"phone": phone})
    found = re.search(r'class="once-code">([2-9A-HJKMNP-Z]{4}-[2-9A-HJKMNP-Z]{4})<', page.text)
    assert (page.status_code, found is not None) == (200, True)
    assert found
    return found[1]


async def test_password_is_reset_in_person_and_everything_else_ends(
    official: Member, village: Member, browser_of: SignedInAs, new_browser: NewBrowser
) -> None:
    town, device, phone = await browser_of(official), await browser_of(village), new_browser()
    first = await ask(phone, village.phone)
    code = await ask(phone, village.phone)
    assert "要重设密码的人" in (await town.get("/people")).text
    path = f"/people/recoveries/{village.person_id}"
    for typed, proof, field in (("ABCD-EFGH", "id_card", "code"), (code, "", "proof")):
        refused = await town.post(path, {"code": typed, "proof": proof})
        assert (refused.status_code, set(faults(refused))) == (422, {field})
    given = await town.shown(path, {"code": code.lower(), "proof": "id_card"})
    link = re.search(r"/reset/[\w-]{32}(?![\w-])", given.text)
    assert link
    # the other request is over, and looking uses the link up as little as chat programs do
    assert (await town.post(path, {"code": first, "proof": "known"})).status_code == 422
    assert [(await phone.get(link[0])).status_code for _ in range(2)] == [200, 200]
    for new, again, field in ((village.phone, village.phone, "new"), (NEW, NEW + "！", "again")):
        refused = await phone.post(link[0], {"new": new, "again": again})
        assert (refused.status_code, set(faults(refused))) == (422, {field})
    assert (await device.get("/account")).status_code == 200
    assert (await phone.post(link[0], {"new": NEW, "again": NEW})).headers["location"] == "/sign-in"
    assert (await device.get("/account")).status_code == 303
    assert [(await phone.get(link[0])).status_code, (await phone.post(link[0])).status_code] == [404, 404]
    assert (await phone.sign_in(village)).status_code == 422
    assert (await phone.post("/sign-in", {"phone": village.phone, "password": NEW})).status_code == 303
    assert "的密码已重设" in (await phone.get("/notices")).text
    recorded = await history(subjects=[f"person:{village.person_id}"])
    assert [(each.action, each.details) for each in recorded if "_p" in each.action or "_r" in each.action][
        -2:
    ] == [
        ("grant_recovery", {"proof": "id_card", "drops_second_factor": False}),
        ("reset_password", {"recovery": 2, "ended": 1}),
    ]


async def test_link_grows_old_and_a_request_can_be_refused(
    official: Member, village: Member, browser_of: SignedInAs, guest: Browser
) -> None:
    town = await browser_of(official)
    path = f"/people/recoveries/{village.person_id}"
    given = await town.shown(path, {"code": await ask(guest, village.phone), "proof": "known"})
    link = re.search(r"/reset/[\w-]{32}(?![\w-])", given.text)
    assert link
    left = await fetch_value("SELECT expires_at - granted_at FROM recovery")
    assert left == timedelta(minutes=30)
    await execute("UPDATE recovery SET expires_at = $1", clock.now())
    assert [(await guest.get(link[0])).status_code, (await guest.post(link[0])).status_code] == [404, 404]
    code = await ask(guest, village.phone)
    assert (await town.post(f"{path}/refuse")).headers["location"] == "/people"
    assert (await town.post(path, {"code": code, "proof": "known"})).status_code == 404
    states = [row["state"] for row in await fetch("SELECT state FROM recovery ORDER BY id")]
    assert states == ["refused", "refused"]


async def test_known_and_unknown_numbers_are_answered_alike_and_limited(
    village: Member, new_browser: NewBrowser
) -> None:
    pages = []
    for phone in (village.phone, "13700000000"):
        browser = new_browser()
        page = await browser.shown("/recover", {"phone": phone})
        pages.append(
            re.sub(r'once-code">[^<]+<|value="[^"]+"|&#34;[^&]{40,}&#34;|[0-9a-f]{16}', "", page.text)
        )
        statuses = [(await browser.post("/recover", {"phone": phone})).status_code for _ in range(3)]
        assert statuses == [303, 303, 429]
    assert pages[0] == pages[1]
    assert await fetch_value("SELECT count(*) FROM recovery WHERE person IS NULL") == 3


async def test_only_who_looks_after_every_place_of_a_person_helps(
    factory: Factory, official: Member, village: Member, browser_of: SignedInAs, guest: Browser
) -> None:
    code = await ask(guest, village.phone)
    form = {"code": code, "proof": "known"}
    path = f"/people/recoveries/{village.person_id}"
    stranger = await factory.member(role="official")
    buyer = await factory.member(role="buyer")
    own = await browser_of(village)  # nobody does it for themselves
    for browser in (await browser_of(stranger), own):
        assert [(await browser.get(path)).status_code, (await browser.post(path, form)).status_code] == [
            404,
            404,
        ]
        assert (await browser.post(f"{path}/refuse")).status_code == 404
    assert (await (await browser_of(buyer)).post(path, form)).status_code == 404
    # a place elsewhere takes the person out of the town's hands
    elsewhere = "INSERT INTO membership (person, organisation, role) VALUES ($1, $2, 'manager')"
    await execute(elsewhere, village.person_id, buyer.organisation_id)
    town = await browser_of(official)
    assert (await town.post(path, form)).status_code == 404
    await execute("DELETE FROM membership WHERE organisation = $1", buyer.organisation_id)
    await execute(elsewhere.replace("manager", "administrator"), village.person_id, village.organisation_id)
    assert (await town.post(path, form)).status_code == 404
    await execute("DELETE FROM membership WHERE role = 'administrator'")
    assert (await town.post(path, form)).status_code == 303

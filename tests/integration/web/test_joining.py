"""People are invited by link or QR code, and join on their phone."""

import re
from contextlib import suppress
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest

from fixtures.factories import PASSWORD, Factory, Member
from market import clock
from market.accounts import inviting
from market.accounts.inviting import NewInvitation
from market.accounts.rules import OFFICIAL, TOWN, Viewer
from market.audit.queries import history
from market.db.session import Engine, execute, fetch, fetch_value
from market.errors import NotFound
from market.organisations import members
from tests.integration.races import at_once, connections, take_locks_away
from tests.integration.web.conftest import Browser, NewBrowser, SignedInAs, faults

PHONE = "13812345678"
NEW = "麦苗 青青 在田头"


@pytest.fixture
async def official(factory: Factory) -> Member:
    return await factory.member(role="official", password=PASSWORD)


@pytest.fixture
async def village(factory: Factory, official: Member) -> Member:
    return await factory.member(role="secretary", town_id=official.organisation_id, password=PASSWORD)


async def invite(browser: Browser, village: Member, **more: str) -> str:
    """Invite somebody into the village and return the path of the link."""
    form = {"role": "seller", "name": "周会计", "phone": PHONE, **more}
    return path_in(await browser.shown(f"/people/organisations/{village.organisation_id}", form))


def path_in(page: httpx.Response) -> str:
    assert page.status_code == 200, page.text
    found = re.search(r"/join/[\w-]{32}(?![\w-])", page.text)
    assert found
    return found[0]


async def join(browser: Browser, path: str, **more: str) -> httpx.Response:
    form = {"name": "周会计", "phone": PHONE, "new": NEW, "again": NEW, **more}
    return await browser.post(path, form)


async def test_invited_person_joins_once_and_is_in(
    official: Member, village: Member, browser_of: SignedInAs, new_browser: NewBrowser
) -> None:
    town = await browser_of(official)
    path = await invite(town, village)
    phone = new_browser()
    for _ in range(3):  # chat programs look at links before people do
        page = await phone.get(path)
        assert (page.status_code, "138****5678" in page.text, PHONE in page.text) == (200, True, False)
    refused = await join(phone, path, phone="13812345670")
    assert (refused.status_code, "手机号与邀请的不一致" in refused.text) == (422, True)
    for password, again, field in (("password1", "password1", "new"), (NEW, NEW + "！", "again")):
        refused = await join(phone, path, new=password, again=again)
        assert (refused.status_code, set(faults(refused))) == (422, {field})
    joined = await join(phone, path)
    assert (joined.status_code, joined.headers["location"]) == (303, "/")
    account = await phone.get("/account")
    assert (account.status_code, "周会计" in account.text) == (200, True)
    stored = await fetch("SELECT name, phone FROM person WHERE phone = $1", PHONE)
    assert [tuple(row) for row in stored] == [("周会计", PHONE)]
    # once only, and the other browser signs in with what was chosen
    other = new_browser()
    assert (await other.get(path)).status_code == 404
    assert (await join(other, path)).status_code == 404
    assert (await other.post("/sign-in", {"phone": PHONE, "password": NEW})).status_code == 303
    recorded = await history(subjects=["account_invitation:1"])
    assert [(each.action, each.details) for each in recorded] == [
        ("invite", {"organisation": village.organisation_id, "role": "seller"}),
        ("accept", {"role": "seller", "account": "new"}),
    ]
    assert "周会计 已加入" in (await town.get("/notices")).text
    assert "已加入" in (await town.get("/people")).text


async def test_open_invitation_is_renewed_and_revoked_and_grows_old(
    official: Member, village: Member, browser_of: SignedInAs, guest: Browser
) -> None:
    town, own = await browser_of(official), await browser_of(village)
    first = await invite(town, village)
    second = await invite(own, village)  # the same place for the same person: a new link for it
    third = path_in(await town.shown("/people/invitations/1/renew"))
    assert [(await guest.get(path)).status_code for path in (first, second, third)] == [404, 404, 200]
    await execute("UPDATE account_invitation SET expires_at = $1", clock.now())
    assert (await guest.get(third)).status_code == 404
    assert "已过期" in (await own.get("/people")).text
    fourth = path_in(await own.shown("/people/invitations/1/renew"))
    assert (await guest.get(fourth)).status_code == 200
    assert (await own.post("/people/invitations/1/revoke")).headers["location"] == "/people"
    assert (await guest.get(fourth)).status_code == 404
    assert (await own.post("/people/invitations/1/renew")).status_code == 409
    assert await fetch_value("SELECT count(*) FROM account_invitation") == 1
    assert await fetch_value("SELECT count(*) FROM membership WHERE role = 'seller'") == 0


@pytest.mark.parametrize("step", ["role", "end"])
async def test_links_given_out_by_who_looks_after_it_no_longer_open_nothing(
    factory: Factory, official: Member, village: Member, browser_of: SignedInAs, guest: Browser, step: str
) -> None:
    colleague = await factory.member(role="secretary")
    await execute(
        "UPDATE membership SET organisation = $2 WHERE person = $1",
        colleague.person_id,
        village.organisation_id,
    )
    town, own = await browser_of(official), await browser_of(village)
    first = await invite(own, village)
    second = await invite(own, village, phone="13812345679")
    third = path_in(await town.shown("/people/invitations/2/renew"))  # it is the town's now
    other = await invite(town, village, phone="13812345670")
    page = f"/people/organisations/{village.organisation_id}/members/{village.person_id}/{step}"
    given = {"role": "seller"} if step == "role" else {}
    assert (await town.post(page, {**given, "key": str(uuid4())})).status_code == 303
    opened = [(await guest.get(path)).status_code for path in (first, second, third, other)]
    assert opened == [404, 404, 200, 200]
    recorded = (await history(subjects=["account_invitation:1"]))[-1]
    assert (recorded.action, recorded.organisation_id) == ("revoke", official.organisation_id)


@pytest.mark.parametrize("locked", [True, False], ids=["locked", "unlocked"])
async def test_who_leaves_while_inviting_leaves_no_link_behind(
    factory: Factory, db: Engine, monkeypatch: pytest.MonkeyPatch, *, locked: bool
) -> None:
    official, colleague = [await factory.member(role="official") for _ in range(2)]
    town = official.organisation_id
    await execute("UPDATE membership SET organisation = $2 WHERE person = $1", colleague.person_id, town)
    viewer = Viewer(0, official.person_id, "", town, "", "", TOWN, frozenset({OFFICIAL}), "zh")
    invitation = NewInvitation(role=OFFICIAL, name="周干事", phone=PHONE)
    passed = [] if locked else take_locks_away(monkeypatch, inviting, runners=2)

    async def invited() -> None:
        with suppress(NotFound):
            await inviting.invite(viewer=viewer, organisation_id=town, invitation=invitation, at=clock.now())

    async with connections(db, 2):
        await at_once(
            (
                invited(),
                members.end_membership(
                    person_id=official.person_id,
                    organisation_id=town,
                    actor=official.actor,
                    at=clock.now(),
                ),
            )
        )
    assert bool(passed) is not locked
    left = await fetch_value("SELECT count(*) FROM account_invitation WHERE state = 'open'")
    assert (left == 0) is locked


async def test_account_that_is_there_is_never_taken_over_by_a_link(
    factory: Factory, official: Member, village: Member, browser_of: SignedInAs, new_browser: NewBrowser
) -> None:
    buyer = await factory.member(role="buyer", password=PASSWORD)
    path = await invite(await browser_of(official), village, phone=buyer.phone)
    before = await fetch_value("SELECT password_hash FROM person WHERE id = $1", buyer.person_id)
    refused = await join(new_browser(), path, phone=buyer.phone)
    stranger = await join(new_browser(), path, phone=PHONE)
    sentence = "手机号与邀请的不一致，或者这个手机号已有账号而密码不对。"
    assert [sentence in each.text for each in (refused, stranger)] == [True, True]
    assert await fetch_value("SELECT password_hash FROM person WHERE id = $1", buyer.person_id) == before
    phone = new_browser()
    assert (await join(phone, path, phone=buyer.phone, new=PASSWORD, again=PASSWORD)).status_code == 303
    # it acts for both, and the session gets another name with each change
    first = phone.client.cookies["market"]
    own = {"organisation": str(buyer.organisation_id)}
    assert (await phone.post("/account/organisation", own)).headers["location"] == "/"
    assert phone.client.cookies["market"] != first
    assert (await phone.get("/demands")).status_code == 200


async def test_only_who_looks_after_an_organisation_invites_into_it(
    factory: Factory, official: Member, village: Member, browser_of: SignedInAs
) -> None:
    await invite(await browser_of(official), village)
    strangers = [await factory.member(role="official"), await factory.member(role="secretary")]
    for stranger in strangers:
        browser = await browser_of(stranger)
        path = f"/people/organisations/{village.organisation_id}"
        assert [(await browser.get(path)).status_code, (await browser.post(path, {})).status_code] == [
            404,
            404,
        ]
        for step in ("renew", "revoke"):
            assert (await browser.post(f"/people/invitations/1/{step}")).status_code == 404
        assert "周会计" not in (await browser.get("/people")).text
    # a role that is not the village's, or not the secretary's to give
    own = await browser_of(village)
    for role in ("official", "buyer", "administrator"):
        form = {"role": role, "name": "某人", "phone": PHONE}
        assert (await own.post(f"/people/organisations/{village.organisation_id}", form)).status_code == 422
    colleague = await factory.member(role="buyer")
    await execute(  # with a manager there, a buyer looks after nobody
        "INSERT INTO membership (person, organisation, role) VALUES ($1, $2, 'manager')",
        official.person_id,
        colleague.organisation_id,
    )
    assert (await (await browser_of(colleague)).get("/people")).status_code == 403


async def test_links_that_open_nothing_are_limited_and_tokens_are_not_stored(
    official: Member, village: Member, browser_of: SignedInAs, guest: Browser
) -> None:
    path = await invite(await browser_of(official), village)
    answers = [(await guest.get("/join/" + "x" * 32)).status_code for _ in range(31)]
    assert answers == [404] * 30 + [429]
    assert (await guest.get(path)).status_code == 200
    token = path.removeprefix("/join/")
    dumped = await fetch_value("SELECT row_to_json(account_invitation)::text FROM account_invitation")
    assert token not in dumped
    assert timedelta(days=6) < await fetch_value("SELECT expires_at - now() FROM account_invitation")

"""The page of an organisation's channels."""

from uuid import uuid4

import msgspec
import pytest

from fixtures.factories import Factory, Member
from market.db.session import execute, fetch, fetch_value
from market.notices.rules import MOST_CHANNELS
from tests.integration.web.conftest import Browser, SignedInAs, faults

PAGE = "/account/channels"


@pytest.fixture
async def member(factory: Factory) -> Member:
    return await factory.member(role="buyer")


@pytest.fixture
async def browser(member: Member, browser_of: SignedInAs) -> Browser:
    return await browser_of(member)


async def test_channel_is_added_once_shown_without_its_secret_and_removed(
    browser: Browser, member: Member
) -> None:
    sent = {"name": "采购部群", "address": "https://erp.example.com/in/s3cret-key", "key": str(uuid4())}
    for _ in range(2):
        done = await browser.post(PAGE, sent, form=PAGE)
        assert (done.status_code, done.headers["location"]) == (303, PAGE)
    page = (await browser.get(PAGE)).text
    assert ("采购部群" in page, "erp.example.com/…" in page, "s3cret" in page) == (True, True, False)
    number = await fetch_value("SELECT id FROM channel")
    assert (await browser.post(f"{PAGE}/{number}/test")).status_code == 303
    assert "待发送" in (await browser.get(PAGE)).text
    assert (await browser.post(f"{PAGE}/{number}/test")).status_code == 409
    assert (await browser.post(f"{PAGE}/{number}/remove")).status_code == 303
    assert (await browser.post(f"{PAGE}/{number}/remove")).status_code == 404
    assert "还没有通知渠道" in (await browser.get(PAGE)).text
    rows = await fetch(
        "SELECT action, details FROM audit_record WHERE subject = $1 ORDER BY position",
        f"organisation:{member.organisation_id}",
    )
    assert [row["action"] for row in rows] == ["add_channel", "remove_channel"]
    assert all("s3cret" not in row["details"] for row in rows)


@pytest.mark.parametrize(
    ("sent", "fields"),
    [
        ({"name": "", "address": ""}, ["address", "name"]),
        ({"name": "群" * 31, "address": "a@example.com"}, ["name"]),
        ({"name": "群", "address": "file:///etc/passwd"}, ["address"]),
        ({"name": "群", "address": "mailto://me:secret@smtp.example.com"}, ["address"]),
    ],
)
async def test_wrong_channel_is_refused_beside_its_field(
    browser: Browser, sent: dict[str, str], fields: list[str]
) -> None:
    answer = await browser.post(PAGE, {**sent, "key": str(uuid4())}, form=PAGE)
    assert (answer.status_code, sorted(faults(answer))) == (422, fields)
    assert await fetch_value("SELECT count(*) FROM channel") == 0


async def test_more_channels_than_there_may_be_are_refused(browser: Browser) -> None:
    codes = [
        (
            await browser.post(
                PAGE, {"name": "群", "address": f"b{n}@example.com", "key": str(uuid4())}, form=PAGE
            )
        ).status_code
        for n in range(MOST_CHANNELS + 1)
    ]
    assert codes == [303] * MOST_CHANNELS + [409]


async def test_channels_are_the_organisations_own(
    browser: Browser, factory: Factory, browser_of: SignedInAs, guest: Browser
) -> None:
    await browser.post(PAGE, {"name": "群", "address": "a@example.com", "key": str(uuid4())}, form=PAGE)
    number = await fetch_value("SELECT id FROM channel")
    stranger = await browser_of(await factory.member(role="buyer"))
    for deed in ("test", "remove"):
        assert (await stranger.post(f"{PAGE}/{number}/{deed}")).status_code == 404
    assert (await guest.get(PAGE)).headers["location"].startswith("/sign-in")
    assert await fetch_value("SELECT count(*) FROM channel") == 1


async def test_channel_is_its_adders_and_the_managers(
    browser: Browser, member: Member, factory: Factory, browser_of: SignedInAs
) -> None:
    sent = {"name": "采购部群", "address": "https://erp.example.com/in/s3cret", "key": str(uuid4())}
    await browser.post(PAGE, sent, form=PAGE)
    number = await fetch_value("SELECT id FROM channel")
    colleague, manager = [await factory.member(role=role) for role in ("buyer", "manager")]
    await execute(
        "UPDATE membership SET organisation = $1 WHERE person = ANY($2)",
        member.organisation_id,
        [colleague.person_id, manager.person_id],
    )
    other, keeper = [
        await browser_of(msgspec.structs.replace(each, organisation_id=member.organisation_id))
        for each in (colleague, manager)
    ]
    mine, seen = [(await each.get(PAGE)).text for each in (browser, other)]
    for page, whole in ((mine, True), (seen, False)):
        assert "采购部群" in page
        assert [word in page for word in ("erp.example.com", "whsec_", f"/{number}/remove")] == [whole] * 3
    name = await fetch_value("SELECT name FROM person WHERE id = $1", member.person_id)
    assert name in seen
    for deed in ("test", "remove"):
        refused = await other.post(f"{PAGE}/{number}/{deed}")
        assert (refused.status_code, "这个渠道是同事加的" in refused.text) == (403, True)
    assert "whsec_" in (await keeper.get(PAGE)).text
    assert (await keeper.post(f"{PAGE}/{number}/remove")).status_code == 303

"""Consent, looks, correction, copy, closing and periods, through the pages that people use."""

import asyncio
import io
import json
import re
import zipfile
from datetime import timedelta
from typing import Any

import pytest

from fixtures.factories import STORY, Factory, Member
from market import clock
from market.accounts.operations import NewPerson, register_person
from market.accounts.rules import masked
from market.audit.checking import check
from market.db.jobs import Worker
from market.db.session import Engine, execute, fetch, fetch_value
from market.organisations import delegating
from market.privacy import leaving
from market.privacy import own_data as own_data  # the job's handler
from market.privacy.retention import keep_to_periods
from market.privacy.rules import GONE, VERSION
from tests.integration.races import connections, take_locks_away
from tests.integration.web import shop, trading
from tests.integration.web.conftest import Browser, SignedInAs, faults


@pytest.fixture
async def secretary(factory: Factory, seller: Member, browser_of: SignedInAs) -> Browser:
    await shop.stock_catalogue()
    return await browser_of(seller)


async def actions_of(person_id: int) -> list[str]:
    rows = await fetch(
        "SELECT action FROM audit_record WHERE subject = $1 ORDER BY position", f"person:{person_id}"
    )
    return [row["action"] for row in rows]


async def test_number_is_shown_for_a_reason_only_where_its_owner_agrees_and_each_look_is_told(
    secretary: Browser, seller: Member, buyer: Member, browser_of: SignedInAs
) -> None:
    deal_id = await trading.binding_deal(seller, buyer)
    path = f"/deals/{deal_id}"
    before = await secretary.get(path)
    assert (buyer.phone in before.text, masked(buyer.phone) in before.text) == (False, True)
    refused = await secretary.post(f"{path}/contacts", {"reason": ""})
    assert (refused.status_code, buyer.phone in refused.text) == (422, False)
    assert (await secretary.post(f"{path}/contacts", {"reason": "curious"})).status_code == 422
    looks = "SELECT action, person, details::text AS said FROM audit_record WHERE subject = $1"
    assert await fetch(looks, f"contacts:{deal_id}") == []
    shown = await secretary.post(f"{path}/contacts", {"reason": "delivery"})
    assert (shown.status_code, f"tel:{buyer.phone}" in shown.text) == (200, True)
    kept = [(row["action"], row["person"]) for row in await fetch(looks, f"contacts:{deal_id}")]
    assert kept == [("look_up", seller.person_id)]
    assert buyer.phone not in (await secretary.get(path)).text
    other = await browser_of(buyer)
    assert "约定送货、验货" in (await other.get("/my-data")).text

    taken_back = await other.post("/my-data/consent", {"purpose": "contact", "given": "0"})
    assert taken_back.status_code == 303
    again = await secretary.post(f"{path}/contacts", {"reason": "urgent"})
    assert (buyer.phone in again.text, masked(buyer.phone) in again.text) == (False, True)
    assert len(await fetch(looks, f"contacts:{deal_id}")) == 1
    assert await actions_of(buyer.person_id) == ["read_notice", "withdraw_consent"]
    assert (await other.post("/my-data/consent", {"purpose": "everything", "given": "1"})).status_code == 422


async def test_notice_is_asked_for_until_it_is_answered_and_again_when_it_changes(
    secretary: Browser, seller: Member, guest: Browser
) -> None:
    assert "各样信息留多久" in (await guest.get("/privacy")).text
    strip = 'href="/privacy?next='
    assert strip not in (await secretary.get("/selling")).text
    # the text has changed since this person answered
    await execute("ALTER TABLE consent_act DISABLE TRIGGER consent_act_append_only")
    await execute("UPDATE consent_act SET version = 'old' WHERE person = $1", seller.person_id)
    await execute("ALTER TABLE consent_act ENABLE TRIGGER consent_act_append_only")
    assert strip in (await secretary.get("/selling")).text
    answered = await secretary.post("/privacy", {"next": "/selling"})
    assert (answered.status_code, answered.headers["location"]) == (303, "/selling")
    assert strip not in (await secretary.get("/selling")).text
    newest = await fetch(
        "SELECT purpose, version, given FROM consent_act WHERE person = $1 ORDER BY id DESC LIMIT 2",
        seller.person_id,
    )
    assert [tuple(row.values()) for row in newest] == [("contact", VERSION, False), ("notice", VERSION, True)]
    away = await secretary.post("/privacy", {"next": "//evil.example"})
    assert away.headers["location"] == "/"


async def test_name_is_corrected_and_number_changed_once_the_official_has_called_it(
    factory: Factory, browser_of: SignedInAs
) -> None:
    town = await factory.member(role="official")
    village = await factory.member(role="secretary", town_id=town.organisation_id)
    own, official = await browser_of(village), await browser_of(town)
    assert (await own.post("/my-data/name", {"name": " 王新名 ", "name_en": ""})).status_code == 303
    assert await fetch_value("SELECT name FROM person WHERE id = $1", village.person_id) == "王新名"
    assert faults(await own.post("/my-data/name", {"name": ""})).keys() == {"name"}

    new = "13912345678"
    assert faults(await own.post("/my-data/phone", {"phone": village.phone})).keys() == {"phone"}
    assert (await own.post("/my-data/phone", {"phone": new})).status_code == 303
    assert (await own.post("/my-data/phone", {"phone": "13912345679"})).status_code == 409
    waiting = await official.get("/phone-changes")
    assert (new in waiting.text, masked(new) in waiting.text) == (False, True)
    # nobody confirms the own number, and no town those of another
    assert masked(new) not in (await own.get("/phone-changes")).text
    change = await fetch_value("SELECT id FROM phone_change")
    stranger = await browser_of(await factory.member(role="official"))
    for step, data in (("look", {"reason": "identify"}), ("confirm", {}), ("refuse", {})):
        for browser in (stranger, own):
            assert (await browser.post(f"/phone-changes/{change}/{step}", data)).status_code == 404
    shown = await official.post(f"/phone-changes/{change}/look", {"reason": "identify"})
    assert f"tel:{new}" in shown.text
    assert (await official.post(f"/phone-changes/{change}/confirm")).status_code == 303
    assert await fetch_value("SELECT phone FROM person WHERE id = $1", village.person_id) == new
    assert await fetch_value("SELECT phone || state FROM phone_change") == "confirmed"
    assert (await official.post(f"/phone-changes/{change}/refuse")).status_code == 404

    # a number that somebody else has is told to who confirms, not to who asks
    assert (await own.post("/my-data/phone", {"phone": town.phone})).status_code == 303
    change = await fetch_value("SELECT max(id) FROM phone_change")
    assert (await official.post(f"/phone-changes/{change}/confirm")).status_code == 409
    assert (await own.post("/my-data/phone/withdraw")).status_code == 303
    assert await actions_of(village.person_id) == [
        *("read_notice", "correct_name", "ask_phone", "look_up", "confirm_phone"),
        *("ask_phone", "withdraw_phone"),
    ]


async def test_copy_of_own_data_is_made_by_a_job_and_fetched_once_by_its_owner(
    secretary: Browser, seller: Member, buyer: Member, browser_of: SignedInAs
) -> None:
    deal_id = await trading.binding_deal(seller, buyer)
    other = await browser_of(buyer)
    await other.post(f"/deals/{deal_id}/contacts", {"reason": "payment"})
    assert (await secretary.post("/my-data/copy")).status_code == 303
    assert (await secretary.post("/my-data/copy")).status_code == 409
    number = await fetch_value("SELECT id FROM data_export")
    assert (await secretary.post(f"/my-data/copy/{number}")).status_code == 404
    worker = Worker(tasks=1, kinds=["privacy.copy"])
    assert await worker.work_once()
    assert f'action="/my-data/copy/{number}"' in (await secretary.get("/my-data")).text
    assert (await other.post(f"/my-data/copy/{number}")).status_code == 404
    taken = await secretary.post(f"/my-data/copy/{number}")
    with zipfile.ZipFile(io.BytesIO(taken.content)) as archive:
        told: dict[str, list[dict[str, Any]]] = json.loads(archive.read("my-data.json"))
        readable = archive.read("my-data.html").decode()
    assert told["person"][0]["phone"] == seller.phone
    assert [each["reason"] for each in told["looked_at_me"]] == ["payment"]
    assert {each["action"] for each in told["deeds"]} >= {"read_notice", "sign", "accept"}
    assert (buyer.phone in json.dumps(told), buyer.phone in readable, seller.phone in readable) == (
        *(False, False),
        True,
    )
    assert (await secretary.post(f"/my-data/copy/{number}")).status_code == 404
    # one that nobody finished does not stand in the way of another for ever
    assert (await secretary.post("/my-data/copy")).status_code == 303
    await execute("UPDATE data_export SET asked_at = asked_at - interval '61 minutes'")
    assert (await secretary.post("/my-data/copy")).status_code == 303


async def test_closed_account_leaves_no_name_or_number_and_the_record_still_fits(
    factory: Factory, secretary: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.binding_deal(seller, buyer)
    name = await fetch_value("SELECT name FROM person WHERE id = $1", seller.person_id)
    stranded = await secretary.post("/my-data/close", {"sure": "1"})
    assert (stranded.status_code, "唯一能联系的人" in stranded.text) == (409, True)
    await register_person(
        person=NewPerson(name="同事", phone="19900099998", invented=True),
        organisation_id=seller.organisation_id,
        roles=frozenset({"secretary"}),
        at=STORY,
    )
    assert faults(await secretary.post("/my-data/close")).keys() == {"sure"}
    assert (await secretary.post("/my-data/close", {"sure": "1"})).status_code == 303
    assert (await secretary.get("/my-data")).status_code in (303, 401)
    row = (await fetch("SELECT * FROM person WHERE id = $1", seller.person_id))[0]
    assert (row["name"], row["phone"], row["password_hash"], row["active"]) == (
        *(GONE, f"gone-{seller.person_id}", None),
        False,
    )
    tables = await fetch(
        """SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'
           AND data_type IN ('text', 'jsonb') AND table_name <> 'migration'"""
    )
    left = [
        (each["table_name"], each["column_name"])
        for each in tables
        for sign in (name, seller.phone)
        if await fetch_value(
            f'SELECT EXISTS (SELECT FROM "{each["table_name"]}"'
            f' WHERE position($1 IN "{each["column_name"]}"::text) > 0)',
            sign,
        )
    ]
    # kept apart by law, for a contract that runs
    assert left == [("kept_name", "name")]
    assert await fetch_value("SELECT count(*) FROM membership WHERE person = $1", seller.person_id) == 0
    assert (await check()).faults == []
    assert await fetch_value("SELECT seller_signed_by FROM deal WHERE id = $1", deal_id) == seller.person_id
    later = clock.now() + timedelta(days=3 * 365 + 2)
    assert (await keep_to_periods(at=later, today=later.date()))["names"] == 1
    assert await fetch_value("SELECT count(*) FROM kept_name") == 0


@pytest.mark.parametrize("locked", [True, False], ids=["locked", "unlocked"])
async def test_of_the_last_two_who_close_their_accounts_at_once_one_stays_for_the_contract(
    db: Engine, seller: Member, buyer: Member, monkeypatch: pytest.MonkeyPatch, locked: bool
) -> None:
    await shop.stock_catalogue()
    await trading.binding_deal(seller, buyer)
    colleague = await register_person(
        person=NewPerson(name="同事", phone="19900099998", invented=True),
        organisation_id=seller.organisation_id,
        roles=frozenset({"secretary"}),
        at=STORY,
    )
    passed = [] if locked else take_locks_away(monkeypatch, leaving, runners=2)
    async with connections(db, 2):
        ends = await asyncio.gather(
            *(
                leaving.close_account(
                    person_id=each, sure=True, actor=seller.actor, at=clock.now(), today=clock.today()
                )
                for each in (seller.person_id, colleague)
            ),
            return_exceptions=True,
        )
    assert bool(passed) is not locked
    assert (sorted(type(end).__name__ for end in ends) == ["Conflict", "NoneType"]) is locked


async def test_closed_account_takes_along_whatever_its_person_alone_had(
    factory: Factory, browser_of: SignedInAs, guest: Browser, password_hash: str
) -> None:
    town = await factory.member(role="official")
    village = await factory.member(role="secretary", town_id=town.organisation_id)
    principal = await factory.member(role="secretary", town_id=town.organisation_id)
    await execute("UPDATE person SET password_hash = $2 WHERE id = $1", village.person_id, password_hash)
    own, official = await browser_of(village), await browser_of(town)
    name = await fetch_value("SELECT name FROM person WHERE id = $1", village.person_id)
    delegation = await delegating.grant(
        agent_id=village.person_id,
        deeds=("list",),
        until=clock.today() + timedelta(days=30),
        words="",
        organisation_id=principal.organisation_id,
        actor=principal.actor,
        at=clock.now(),
    )
    # two who are invited to one place, and neither has come
    for invited in (village.phone, "13911112222"):
        given = await official.shown(
            f"/people/organisations/{principal.organisation_id}",
            {"role": "seller", "name": name, "phone": invited},
        )
        assert given.status_code == 200
    # a password given anew by the official: the notice names both
    asked = await guest.shown("/recover", {"phone": village.phone})
    code = re.search(r'class="once-code">([^<]+)<', asked.text)
    assert code
    granted = await official.shown(
        f"/people/recoveries/{village.person_id}", {"code": code[1], "proof": "known"}
    )
    link = re.search(r"/reset/[\w-]{32}", granted.text)
    assert link
    new = "新麦上场 晒满院子"
    assert (await guest.post(link[0], {"new": new, "again": new})).status_code == 303
    own = await browser_of(village)
    made = await own.shown(
        "/account/tokens", {"name": "报表", "scopes": "listings", "days": "30", "password": new}
    )
    assert made.status_code == 200, made.text
    await execute(
        """WITH factor AS (INSERT INTO second_factor (person, secret, confirmed_at, last_step, created_at)
                           VALUES ($1, 'sealed', $2, 0, $2))
           INSERT INTO backup_code (person, position, code_hash) VALUES ($1, 0, 'hash')""",
        village.person_id,
        clock.now(),
    )
    told = await own_data.gathered(person_id=village.person_id)
    assert [each["name"] for each in told["tokens"]] == ["报表"]
    assert [each["deeds"] for each in told["delegations"]] == [["list"]]
    assert own_data.packed(told)
    assert (await own.post("/my-data/close", {"sure": "1"})).status_code == 303
    mine = await fetch(
        "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public'"
        " AND column_name = 'person' AND table_name NOT IN ('audit_record', 'consent_act')"
    )
    left = [
        each["table_name"]
        for each in mine
        if await fetch_value(
            f'SELECT EXISTS (SELECT FROM "{each["table_name"]}" WHERE person::text = $1::text)',
            str(village.person_id),
        )
    ]
    # what was done is told by the record; whoever was let act for others is let no more
    assert left == []
    assert await fetch_value("SELECT revoked_by FROM delegation WHERE id = $1", delegation) == (
        village.person_id
    )
    naming = "SELECT count(*) FROM notice WHERE position($1 IN message::text) > 0"
    assert (await fetch_value(naming, name), await fetch_value(naming, GONE)) == (0, 1)
    states = "SELECT state, phone FROM account_invitation ORDER BY id"
    assert [tuple(row.values()) for row in await fetch(states)] == [("revoked", ""), ("open", "13911112222")]
    later = clock.now() + timedelta(days=100)
    assert (await keep_to_periods(at=later, today=later.date()))["invitations"] == 1
    assert [tuple(row.values()) for row in await fetch(states)] == [("revoked", "")] * 2


async def test_what_has_been_kept_long_enough_goes_and_what_has_not_stays(
    factory: Factory, seller: Member, buyer: Member
) -> None:
    await shop.stock_catalogue()
    await trading.binding_deal(seller, buyer)
    now = clock.now()
    await execute(
        "INSERT INTO data_export (person, asked_at, ready_at, content) VALUES ($1, $2, $2, 'zip')",
        seller.person_id,
        now,
    )
    notices = await fetch_value("SELECT count(*) FROM notice")
    soon = now + timedelta(days=6)
    assert await keep_to_periods(at=soon, today=soon.date()) == {}
    week = now + timedelta(days=8)
    assert await keep_to_periods(at=week, today=week.date()) == {"exports": 1}
    year = now + timedelta(days=366)
    assert await keep_to_periods(at=year, today=year.date()) == {"notices": notices}
    assert await fetch_value("SELECT count(*) FROM notice") == 0
    assert await fetch_value("SELECT count(*) FROM audit_record WHERE action = 'forget'") == 2

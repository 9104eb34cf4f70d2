"""A meeting's public page: anybody asks for a place, the town admits or refuses, a link tells."""

import asyncio
import re
from typing import Any

import pytest

from fixtures.factories import STORY, Factory
from market.db.session import execute, fetch, fetch_value
from market.meetings.invitations.persons import NewAttendee, set_attendees
from market.meetings.invitations.registering import TRIES_PER_ADDRESS, TRIES_PER_PHONE
from tests.integration.meetings.invited import Gathering, gathering, told
from tests.integration.web.conftest import Browser, NewBrowser, SignedInAs, faults

ASKED = {
    "organisation_name": "新民便民超市",
    "side": "buyer",
    "person_name": "赵六",
    "phone": "13800000003",
    "offers": "花生 2 吨",
    "website": "",
}


@pytest.fixture
async def day(factory: Factory) -> Gathering:
    return await gathering(factory, is_public=True)


@pytest.fixture
async def office(day: Gathering, browser_of: SignedInAs) -> Browser:
    return await browser_of(day.town)


async def ask(browser: Browser, day: Gathering, **changes: str) -> Any:
    path = f"/m/{day.meeting_id}"
    return await browser.post(path, {**ASKED, **changes}, form=path)


async def decide(office: Browser, day: Gathering, verdict: str, **data: str) -> Any:
    number = await fetch_value("SELECT max(id) FROM registration")
    return await office.post(f"/town/meetings/{day.meeting_id}/registrations/{number}/{verdict}", data)


async def test_page_tells_the_facts_in_numbers_and_no_names(day: Gathering, guest: Browser) -> None:
    page = (await guest.get(f"/m/{day.meeting_id}")).text
    for words in ("东岗对接会", "村部大院", "09:00–09:40", "10:40–11:20", "休息", "我要报名"):
        assert words in page
    for invited in (day.buyer, day.seller):
        name = await fetch_value(
            "SELECT name FROM organisation WHERE id = $1", invited.member.organisation_id
        )
        assert name not in page
    await execute("UPDATE meeting SET weather_plan = '改到礼堂', weather_plan_en = 'Into the hall'")
    assert "改到礼堂" in (await guest.get(f"/m/{day.meeting_id}")).text
    english = (await guest.get(f"/m/{day.meeting_id}?lang=en")).text
    assert ("Into the hall" in english, "改到礼堂" in english) == (True, False)
    assert "Donggang meeting" in english
    assert "One-to-one talks: 3 tables, 2 rounds of 20 minutes" in english


@pytest.mark.parametrize("change", ["is_public = false", "state = 'draft'"])
async def test_page_is_not_there_where_the_town_does_not_want_it(
    day: Gathering, guest: Browser, change: str
) -> None:
    await execute(f"UPDATE meeting SET {change}")
    assert (await guest.get(f"/m/{day.meeting_id}")).status_code == 404
    assert (await guest.get("/m/999999999999999999999")).status_code == 404


async def test_registration_is_taken_once_and_its_link_tells_how_it_stands(
    day: Gathering, guest: Browser, office: Browser
) -> None:
    answers = [await ask(guest, day) for _ in range(2)]
    assert [each.status_code for each in answers] == [303, 303]
    link = answers[0].headers["location"]
    assert answers[1].headers["location"] == link
    assert await told(day.town) == ["registration"]
    page = (await guest.get(link)).text
    assert ("等镇里审核" in page, "138****0003" in page, "13800000003" in page) == (True, True, False)
    listed = (await office.get(day.page)).text
    assert ("新民便民超市" in listed, "花生 2 吨" in listed) == (True, True)
    assert (await decide(office, day, "admit")).status_code == 303
    page = (await guest.get(link)).text
    own = re.search(r'href="(/i/[\w-]+)"', page)
    assert own
    invitation = (await guest.get(own[1])).text
    assert ('value="赵六"' in invitation, "报名参加：花生 2 吨" in invitation) == (True, True)
    row = (await fetch("SELECT name, kind FROM organisation ORDER BY id DESC LIMIT 1"))[0]
    assert tuple(row) == ("新民便民超市", "retailer")


async def test_whoever_registers_under_a_known_name_gets_no_link_to_its_invitation(
    day: Gathering, guest: Browser, office: Browser
) -> None:
    buyer = day.buyer.member.organisation_id
    name = await fetch_value("SELECT name FROM organisation WHERE id = $1", buyer)
    link = (await ask(guest, day, organisation_name=name)).headers["location"]
    listed = (await office.get(day.page)).text
    assert f'name="chosen" value="{buyer}"' in listed
    await decide(office, day, "admit", chosen=str(buyer))
    page = (await guest.get(link)).text
    assert ("邀请已发给您的单位" in page, "/i/" in page) == (True, False)
    assert await fetch_value("SELECT count(*) FROM invitation") == 2
    assert await fetch_value("SELECT name FROM attendee WHERE invitation = $1", day.buyer.id) == "赵六"


@pytest.mark.parametrize(("state", "then"), [("declined", "needs_action"), ("delegated", "delegated")])
async def test_whoever_said_no_is_asked_again_once_admitted_and_its_badges_still_hold(
    day: Gathering, guest: Browser, office: Browser, state: str, then: str
) -> None:
    buyer = day.buyer.member.organisation_id
    await set_attendees(
        meeting_id=day.meeting_id,
        organisation_id=buyer,
        persons=[NewAttendee("张三", phone="13800000009")],
        actor=day.buyer.member.actor,
        at=STORY,
    )
    printed = await fetch_value("SELECT code FROM attendee")
    await execute("UPDATE invitation SET state = $2 WHERE id = $1", day.buyer.id, state)
    await ask(guest, day)
    assert (await decide(office, day, "admit", chosen=str(buyer))).status_code == 303
    rows = await fetch("SELECT name, code FROM attendee ORDER BY id")
    assert [row["name"] for row in rows] == ["张三", "赵六"]
    assert rows[0]["code"] == printed
    assert await fetch_value("SELECT state FROM invitation WHERE id = $1", day.buyer.id) == then
    assert await told(day.buyer.member) == ["meeting_invitation"] * (then != state)


async def test_refused_or_withdrawn_registration_says_so(
    day: Gathering, guest: Browser, office: Browser
) -> None:
    link = (await ask(guest, day)).headers["location"]
    await decide(office, day, "refuse")
    assert "这次没有安排上" in (await guest.get(link)).text
    assert (await guest.post(f"{link}/withdraw")).status_code == 409
    other = (await ask(guest, day, phone="13800000004")).headers["location"]
    for _ in range(2):
        assert (await guest.post(f"{other}/withdraw")).status_code == 303
    assert (await decide(office, day, "admit")).status_code == 409
    assert await fetch_value("SELECT count(*) FROM invitation") == 2


async def test_two_officials_who_admit_at_once_make_one_invitation(
    day: Gathering, guest: Browser, browser_of: SignedInAs
) -> None:
    await ask(guest, day)
    offices = [await browser_of(day.town) for _ in range(2)]
    done = await asyncio.gather(*(decide(each, day, "admit") for each in offices))
    assert sorted(each.status_code for each in done) == [303, 409]
    assert await fetch_value("SELECT count(*) FROM invitation") == 3


async def test_two_sendings_at_once_make_one_registration(day: Gathering, new_browser: NewBrowser) -> None:
    browsers = [new_browser() for _ in range(3)]
    done = await asyncio.gather(*(ask(each, day) for each in browsers))
    assert len({each.headers["location"] for each in done}) == 1
    assert await fetch_value("SELECT count(*) FROM registration") == 1


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        (dict.fromkeys(ASKED, ""), ["organisation_name", "person_name", "phone", "side"]),
        ({"side": "official"}, ["side"]),
        ({"phone": "12345"}, ["phone"]),
        ({"organisation_name": "超" * 61, "offers": "货" * 301}, ["offers", "organisation_name"]),
        ({"organisation_name": "超市\u202e"}, ["organisation_name"]),
    ],
)
async def test_wrong_registration_is_refused_beside_its_field(
    day: Gathering, guest: Browser, changes: dict[str, str], fields: list[str]
) -> None:
    for lang in ("zh", "en"):
        path = f"/m/{day.meeting_id}?lang={lang}"
        page = await guest.post(path, {**ASKED, **changes}, form=path)
        words = faults(page)
        assert (page.status_code, sorted(words)) == (422, fields)
        assert all(bool(re.search("[\u4e00-\u9fff]", each)) == (lang == "zh") for each in words.values())
    assert await fetch_value("SELECT count(*) FROM registration") == 0


async def test_robot_that_fills_in_everything_leaves_nothing(day: Gathering, guest: Browser) -> None:
    done = await ask(guest, day, website="https://spam.example")
    assert (done.status_code, done.headers["location"]) == (303, f"/m/{day.meeting_id}")
    assert await fetch_value("SELECT count(*) FROM registration") == 0


async def test_registrations_of_one_address_and_of_one_phone_are_limited(
    day: Gathering, guest: Browser
) -> None:
    codes = [
        (await ask(guest, day, organisation_name=f"超市{n}")).status_code for n in range(TRIES_PER_PHONE + 1)
    ]
    assert codes == [303] * TRIES_PER_PHONE + [429]
    left = TRIES_PER_ADDRESS - len(codes)
    codes = [(await ask(guest, day, phone=f"139{n:08d}")).status_code for n in range(left + 1)]
    assert codes == [303] * left + [429]


@pytest.mark.parametrize(
    "change",
    ["state = 'cancelled'", "state = 'closed'", "state = 'postponed'", "answer_by = held_on - 30"],
)
async def test_registration_ends(day: Gathering, guest: Browser, change: str) -> None:
    await execute(f"UPDATE meeting SET {change}")
    page = await guest.get(f"/m/{day.meeting_id}")
    assert ("我要报名" in page.text, "报名已经截止" in page.text) == (False, True)
    refused = await guest.post(f"/m/{day.meeting_id}", ASKED)
    assert refused.status_code == 409
    assert await fetch_value("SELECT count(*) FROM registration") == 0


@pytest.mark.parametrize("token", ["x", "abcdefghijklmnopqrstuvwx", "%00", "-" * 4_000])
async def test_rubbish_for_a_registrations_link_opens_nothing(db: object, guest: Browser, token: str) -> None:
    assert (await guest.get(f"/r/{token}")).status_code == 404
    assert (await guest.post(f"/r/{token}/withdraw")).status_code == 404


async def test_registrations_are_the_towns_alone(
    day: Gathering, guest: Browser, factory: Factory, browser_of: SignedInAs
) -> None:
    await ask(guest, day)
    stranger = await browser_of(await factory.member(role="official"))
    for verdict in ("admit", "refuse"):
        assert (await decide(stranger, day, verdict)).status_code == 404
    assert (await decide(guest, day, "admit")).headers["location"] == "/sign-in"
    assert await fetch_value("SELECT state FROM registration") == "pending"


async def test_page_counts_the_slots_with_talks_alone(day: Gathering, guest: Browser) -> None:
    await execute("UPDATE meeting SET slots = 6, half_day_after = 3, blocked_slots = '{1,5}'")
    page = re.sub(r"<[^>]+>", " ", (await guest.get(f"/m/{day.meeting_id}")).text)
    assert "4 轮一对一" in page
    lines = [
        "09:00–09:20 会场活动，不排洽谈",
        "09:20–10:00 一对一洽谈，3 张桌，2 轮，每轮 20 分钟",
        "11:00–11:20 一对一洽谈，3 张桌，1 轮，每轮 20 分钟",
        "11:20–11:40 会场活动，不排洽谈",
        "11:40–12:00 一对一洽谈，3 张桌，1 轮，每轮 20 分钟",
    ]
    words = " ".join(page.split())
    assert [each for each in lines if each not in words] == []


async def test_days_that_differ_are_told_apart(day: Gathering, guest: Browser) -> None:
    change = "UPDATE meeting SET held_on = '2031-11-30', days = 2, half_day_after = NULL, blocked_slots = $1"
    await execute(change, [])
    assert (await guest.get(f"/m/{day.meeting_id}")).text.count('class="programme-list') == 1
    await execute(change, [1])
    page = (await guest.get(f"/m/{day.meeting_id}")).text
    assert (page.count('class="programme-list'), "<h3>12月1日</h3>" in page) == (2, True)

"""An invitation's link on a phone that has never signed in, and the town's list of invitations."""

import asyncio
import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from icalendar import Calendar

from fixtures.factories import PASSWORD, Factory
from market import clock
from market.db.session import execute, fetch, fetch_value
from market.meetings.invitations.links import invitation_token
from market.web.meetings.invitation import WRONG_LINKS
from market.web.parts.qr import qr_code
from tests.integration.meetings.invited import Gathering, gathering, invited_row, talk_row, told
from tests.integration.web.conftest import Browser, NewBrowser, SignedInAs, faults


@pytest.fixture
async def day(factory: Factory) -> Gathering:
    return await gathering(factory)


@pytest.fixture
async def office(day: Gathering, browser_of: SignedInAs) -> Browser:
    return await browser_of(day.town)


async def answer(browser: Browser, token: str, **data: str) -> Any:
    path = f"/i/{token}"
    return await browser.post(path, data, form=path)


async def test_link_shows_the_invitation_and_takes_the_answer(day: Gathering, guest: Browser) -> None:
    token = await day.buyer.token()
    page = await guest.get(f"/i/{token}")
    assert page.status_code == 200
    for words in ("东岗对接会", "村部大院", "待回复", "09:00–11:20", "报名参加。"):
        assert words in page.text
    sent = {"answer": "accepted", "name_1": "李秋实", "phone_1": "138 0000 0001", "note": "带样品"}
    for _ in range(2):
        done = await answer(guest, token, **sent)
        assert (done.status_code, done.headers["location"]) == (303, f"/i/{token}")
    page = await guest.get(f"/i/{token}")
    assert 'value="李秋实"' in page.text
    assert "带样品</textarea>" in page.text
    assert await fetch_value("SELECT count(*) FROM attendee") == 1
    assert await fetch_value("SELECT phone FROM attendee") == "13800000001"
    assert await told(day.town) == ["invitation_note"]
    await answer(guest, token, answer="declined")
    assert await day.buyer.state() == "declined"


async def test_who_says_no_and_then_yes_again_finds_its_persons_and_their_badges_hold(
    day: Gathering, guest: Browser
) -> None:
    token = await day.buyer.token()
    await answer(guest, token, answer="accepted", name_1="李秋实", phone_1="13800000001")
    printed = await fetch_value("SELECT code FROM attendee")
    await answer(guest, token, answer="declined")
    page = (await guest.get(f"/i/{token}")).text
    assert ('value="李秋实"' in page, 'value="138****0001"' in page) == (True, True)
    done = await answer(guest, token, answer="accepted", name_1="李秋实", phone_1="138****0001")
    assert done.status_code == 303
    row = (await fetch("SELECT phone, code FROM attendee"))[0]
    assert tuple(row) == ("13800000001", printed)


async def test_link_is_english_for_who_reads_it(day: Gathering, guest: Browser) -> None:
    page = await guest.get(f"/i/{await day.buyer.token()}?lang=en")
    assert "Donggang meeting" in page.text
    assert "Who comes" in page.text
    assert re.findall("[\u4e00-\u9fff]+", re.sub(r"<[^>]+>", "", page.text.partition("<main")[2])) == [
        *re.findall("[\u4e00-\u9fff]+", await names(day)),
        "中文",
    ]


async def names(day: Gathering) -> str:
    """Return what has no English name in these tests: the town's and the invited's."""
    ids = (day.town.organisation_id, day.buyer.member.organisation_id, day.town.organisation_id)
    found = [await fetch_value("SELECT name FROM organisation WHERE id = $1", one) for one in ids]
    return " / ".join(found)


async def test_link_gives_nothing_but_this_invitation(day: Gathering, guest: Browser) -> None:
    token = await day.buyer.token()
    await guest.get(f"/i/{token}")
    for path in (f"/meetings/{day.meeting_id}", day.page, "/account"):
        assert (await guest.get(path)).headers["location"].startswith("/sign-in")
    other = await fetch_value(
        "SELECT name FROM organisation WHERE id = $1", day.seller.member.organisation_id
    )
    assert other not in (await guest.get(f"/i/{token}")).text
    assert (await guest.get(f"/m/{day.meeting_id}")).status_code == 404


@pytest.mark.parametrize(
    ("sent", "fields"),
    [
        ({}, ["answer"]),
        ({"answer": "delegated"}, ["answer"]),
        ({"answer": "accepted", "phone_1": "13800000001"}, ["name_1"]),
        ({"answer": "accepted", "name_1": "李", "phone_1": "110"}, ["phone_1"]),
        ({"answer": "accepted", "name_2": "李\u202e"}, ["name_2"]),
        ({"answer": "accepted", "name_8": "李" * 31}, ["name_8"]),
        ({"answer": "accepted", "note": "长" * 301}, ["note"]),
        (
            {
                "answer": "accepted",
                "name_1": "李",
                "phone_1": "13800000001",
                "name_2": "王",
                "phone_2": "13800000001",
            },
            ["phone_2"],
        ),
    ],
)
async def test_wrong_answer_is_refused_beside_its_field_and_what_was_typed_stays(
    day: Gathering, guest: Browser, sent: dict[str, str], fields: list[str]
) -> None:
    token = await day.buyer.token()
    page = await answer(guest, token, **{"title_1": "采购经理", **sent})
    assert (page.status_code, list(faults(page))) == (422, fields)
    assert 'value="采购经理"' in page.text
    assert await day.buyer.state() == "needs_action"


async def test_field_that_the_form_has_not_is_refused(day: Gathering, guest: Browser) -> None:
    page = await answer(guest, await day.buyer.token(), answer="accepted", name_9="王")
    assert page.status_code == 422
    assert await day.buyer.state() == "needs_action"


async def test_link_that_was_withdrawn_or_renewed_says_so_kindly(
    day: Gathering, guest: Browser, office: Browser
) -> None:
    token = await day.buyer.token()
    await office.post(f"{day.page}/{day.buyer.id}/renew")
    page = await guest.get(f"/i/{token}")
    assert (page.status_code, "这个邀请链接已经更换" in page.text) == (404, True)
    token = await day.buyer.token()
    assert (await guest.get(f"/i/{token}")).status_code == 200
    await office.post(f"{day.page}/{day.buyer.id}/revoke")
    page = await guest.get(f"/i/{token}")
    assert (page.status_code, "已由主办方撤回" in page.text, "要新的链接" in page.text) == (404, True, False)
    refused = await answer(guest, token, answer="accepted")
    assert (refused.status_code, "已由主办方撤回" in refused.text) == (404, True)
    assert (await answer(guest, token, answer="accepted")).status_code == 404
    assert await day.buyer.state() == "revoked"
    assert await told(day.buyer.member) == ["invitation_revoked"]
    await office.post(f"{day.page}/{day.buyer.id}/restore")
    assert (await guest.get(f"/i/{await day.buyer.token()}")).status_code == 200


async def test_guessing_links_is_stopped(day: Gathering, guest: Browser) -> None:
    right = await day.buyer.token()
    for n in range(WRONG_LINKS):
        assert (await guest.get(f"/i/{right[:-2]}{n:02d}")).status_code == 404
    assert (await guest.get("/i/abcdefghijklmnopqrstuvwx")).status_code == 429
    # who has a link that is right is not kept out by others behind the same address
    assert (await guest.get(f"/i/{right}")).status_code == 200


@pytest.mark.parametrize("token", ["x", "%00", "a" * 5_000, "..%2F..", "١٢٣٤٥٦٧٨٩٠١٢٣٤٥٦٧٨٩٠", "AQ=="])
async def test_rubbish_for_a_link_opens_nothing(db: object, guest: Browser, token: str) -> None:
    assert (await guest.get(f"/i/{token}")).status_code in (404, 400)


async def test_token_of_an_invitation_that_is_not_there_opens_nothing(db: object, guest: Browser) -> None:
    assert (await guest.get(f"/i/{invitation_token(2**62, 1)}")).status_code == 404


async def test_answer_ends_with_the_meetings_beginning(day: Gathering, guest: Browser) -> None:
    token = await day.buyer.token()
    await execute("UPDATE meeting SET state = 'in_progress'")
    page = await guest.get(f"/i/{token}")
    assert ("不能再改回复" in page.text, 'name="answer"' in page.text) == (True, False)
    assert (await answer(guest, token, answer="accepted")).status_code == 409


async def test_invitation_is_passed_on_once_however_often_it_is_sent(day: Gathering, guest: Browser) -> None:
    token = await day.buyer.token()
    path = f"/i/{token}"
    wrong = await guest.post(f"{path}/delegate", {"organisation": "", "phone": "1"}, form=path)
    assert (wrong.status_code, sorted(faults(wrong))) == (422, ["organisation", "phone"])
    for _ in range(2):
        done = await guest.post(f"{path}/delegate", {"organisation": "新民超市"}, form=path)
        assert (done.status_code, done.headers["location"]) == (303, path)
    assert "您已委托 新民超市 参加" in (await guest.get(path)).text
    assert await fetch_value("SELECT count(*) FROM invitation") == 3


async def test_two_browsers_that_answer_at_once_both_get_through(
    day: Gathering, new_browser: NewBrowser
) -> None:
    token = await day.buyer.token()
    one, two = new_browser(), new_browser()
    done = await asyncio.gather(
        answer(one, token, answer="accepted", name_1="李"), answer(two, token, answer="declined")
    )
    assert [each.status_code for each in done] == [303, 303]
    assert await day.buyer.state() in ("accepted", "declined")


async def test_feed_is_read_again_only_when_it_has_changed(day: Gathering, guest: Browser) -> None:
    path = f"/i/{await day.buyer.token()}/calendar.ics"
    first = await guest.get(path)
    assert first.headers["content-type"] == "text/calendar; charset=utf-8"
    same = await guest.get(path, if_none_match=first.headers["etag"])
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", first.headers["etag"])
    since = await guest.get(path, if_modified_since=first.headers["last-modified"])
    assert since.status_code == 304
    for rubbish in ("soon", '"x"', "Thu, 01 Jan 1970 00:00:00 GMT"):
        assert (await guest.get(path, if_modified_since=rubbish)).status_code == 200
    assert (await guest.get(path, if_none_match='"other"')).status_code == 200
    await talk_row(day, slot=3, at=clock.now())
    await execute("UPDATE meeting SET published_at = now()")
    changed = await guest.get(path, if_none_match=first.headers["etag"])
    assert (changed.status_code, changed.text.count("BEGIN:VEVENT")) == (200, 2)
    link = Calendar.from_ical(changed.content).walk("VEVENT")[0]["URL"]
    assert link == f"http://market.test/i/{await day.buyer.token()}"


async def test_who_has_signed_in_is_led_to_the_same_page(
    day: Gathering, factory: Factory, browser_of: SignedInAs
) -> None:
    path = f"/meetings/{day.meeting_id}/persons"
    buyer = await browser_of(day.buyer.member)
    assert (await buyer.get(path)).headers["location"] == f"/i/{await day.buyer.token()}"
    stranger = await browser_of(await factory.member(role="buyer"))
    assert (await stranger.get(path)).status_code == 404


# the town's side


async def test_list_shows_who_has_not_answered_first_and_filters_live_in_the_address(
    day: Gathering, office: Browser, factory: Factory
) -> None:
    await execute(
        "UPDATE invitation SET state = 'accepted', responded_at = now() WHERE id = $1", day.buyer.id
    )
    assert (await office.get(f"{day.page}?lang=en&side=buyer")).status_code == 200
    page = (await office.get(f"{day.page}?lang=zh")).text
    rows = re.findall(rf'<th scope="row"><a href="{day.page}/(\d+)">', page)
    assert rows == [str(day.seller.id), str(day.buyer.id)]
    assert "今天邀请" in page
    for query, expected in (
        ("?answer=accepted", [day.buyer.id]),
        ("?side=seller", [day.seller.id]),
        ("?q=%E6%B2%A1%E6%9C%89%E8%BF%99%E5%AE%B6", []),
        ("?answer=revoked", []),
    ):
        page = (await office.get(day.page + query)).text
        rows = re.findall(rf'<th scope="row"><a href="{day.page}/(\d+)">', page)
        assert (query, rows) == (query, [str(each) for each in expected])


@pytest.mark.parametrize("query", ["?side=other", "?page=0", "?page=x", "?answer=%27%3B--", "?nothing=1"])
async def test_wrong_filter_says_so_and_shows_the_whole_list(
    day: Gathering, office: Browser, query: str
) -> None:
    page = await office.get(day.page + query)
    assert page.status_code == 422
    assert page.text.count('<th scope="row">') == 2


async def test_three_hundred_invitations_come_in_pages(
    day: Gathering, office: Browser, factory: Factory
) -> None:
    await execute(
        """WITH made AS (
             INSERT INTO organisation (kind, name, name_en, address, invented, created_at)
             SELECT 'retailer', '超市' || n, '', '', true, now() FROM generate_series(1, 298) n RETURNING id)
           INSERT INTO invitation (meeting, organisation, side, state, attendance, reason, created_at)
           SELECT $1, id, 'buyer', 'needs_action', 'expected', '{"text": "报名参加。"}', now() FROM made""",
        day.meeting_id,
    )
    seen: set[str] = set()
    for number in range(1, 6):
        page = await office.get(f"{day.page}?page={number}")
        seen |= set(re.findall(rf'<th scope="row"><a href="{day.page}/(\d+)">', page.text))
    assert len(seen) == 300
    assert (await office.get(f"{day.page}?page=6")).text.count('<th scope="row">') == 0


async def test_one_invitation_has_words_a_code_and_a_link_to_send(day: Gathering, office: Browser) -> None:
    page = (await office.get(f"{day.page}/{day.buyer.id}")).text
    link = f"http://market.test/i/{await day.buyer.token()}"
    assert f'<a href="{link}">' in page
    assert f"请点开链接回复：{link}</textarea>" in page
    assert str(qr_code(link)) in page


async def test_everything_is_the_towns_alone(
    day: Gathering, factory: Factory, browser_of: SignedInAs
) -> None:
    stranger = await browser_of(await factory.member(role="official", password=PASSWORD))
    for path in (day.page, f"{day.page}/{day.buyer.id}"):
        assert (await stranger.get(path)).status_code == 404
    for deed in ("remind", "revoke", "renew", "restore"):
        assert (await stranger.post(f"{day.page}/{day.buyer.id}/{deed}")).status_code == 404
    assert (await stranger.post(f"{day.page}/remind")).status_code == 404
    buyer = await browser_of(day.buyer.member)
    assert (await buyer.get(day.page)).status_code == 403
    other = await gathering(factory)
    theirs = await browser_of(other.town)
    assert (await theirs.post(f"{other.page}/{day.buyer.id}/revoke")).status_code == 404
    assert await day.buyer.state() == "needs_action"


async def test_reminder_goes_to_who_has_not_answered_and_not_twice_within_the_hour(
    day: Gathering, office: Browser
) -> None:
    await execute("UPDATE invitation SET state = 'accepted' WHERE id = $1", day.buyer.id)
    for _ in range(2):
        assert (await office.post(f"{day.page}/remind")).status_code == 303
    assert (await office.post(f"{day.page}/{day.seller.id}/remind")).status_code == 303
    assert (await told(day.seller.member), await told(day.buyer.member)) == (["invitation_reminder"], [])
    await execute("UPDATE invitation SET reminded_at = reminded_at - interval '61 minutes'")
    await office.post(f"{day.page}/{day.seller.id}/remind")
    assert await told(day.seller.member) == ["invitation_reminder"] * 2
    assert await fetch_value("SELECT reminders FROM invitation WHERE id = $1", day.seller.id) == 2


async def test_invitation_that_ended_unanswered_is_restored_when_the_meeting_has_a_new_day(
    day: Gathering, office: Browser, guest: Browser
) -> None:
    await execute("UPDATE invitation SET state = 'expired' WHERE id = $1", day.buyer.id)
    for _ in range(2):
        assert (await office.post(f"{day.page}/{day.buyer.id}/restore")).status_code == 303
    assert await day.buyer.state() == "needs_action"
    assert (await answer(guest, await day.buyer.token(), answer="accepted")).status_code == 303


async def test_two_officials_who_remind_at_once_send_one_reminder(
    day: Gathering, browser_of: SignedInAs
) -> None:
    browsers = [await browser_of(day.town) for _ in range(3)]
    await asyncio.gather(*(each.post(f"{day.page}/remind") for each in browsers))
    assert await told(day.seller.member) == ["invitation_reminder"]


async def test_deeds_are_those_that_there_are_and_end_with_the_beginning(
    day: Gathering, office: Browser
) -> None:
    assert (await office.post(f"{day.page}/{day.buyer.id}/vanish")).status_code == 404
    await execute("UPDATE meeting SET state = 'in_progress'")
    assert (await office.post(f"{day.page}/{day.buyer.id}/revoke")).status_code == 409
    assert (await office.post(f"{day.page}/remind")).status_code == 409


async def test_known_organisation_is_invited_by_its_name(
    day: Gathering, office: Browser, factory: Factory
) -> None:
    member = await factory.member(role="buyer")
    name = await fetch_value("SELECT name FROM organisation WHERE id = $1", member.organisation_id)
    sent = {"name": name, "side": "buyer", "key": str(uuid4())}
    answers = [await office.post(day.page, sent) for _ in range(2)]
    assert [each.status_code for each in answers] == [303, 303]
    rows = await fetch("SELECT id, source FROM invitation WHERE organisation = $1", member.organisation_id)
    assert [row["source"] for row in rows] == ["manual"]
    assert answers[0].headers["location"] == f"{day.page}/{rows[0]['id']}"
    assert await told(member) == ["meeting_invitation"]
    again = await office.post(day.page, {**sent, "key": str(uuid4())})
    assert (again.status_code, "已经在邀请名单里" in again.text) == (409, True)


async def test_name_like_one_that_we_know_is_asked_back(
    day: Gathering, office: Browser, factory: Factory
) -> None:
    await execute("UPDATE organisation SET name = '新民县家家乐超市' WHERE id = $1", day.town.organisation_id)
    member = await factory.member(role="buyer")
    await execute("UPDATE organisation SET name = '家家乐超市' WHERE id = $1", member.organisation_id)
    sent = {"name": "家家乐", "side": "buyer", "person": "赵六", "phone": "13800000003"}
    asked = await office.post(day.page, {**sent, "key": str(uuid4())})
    assert (asked.status_code, asked.text.count('name="chosen"')) == (200, 2)
    assert await fetch_value("SELECT count(*) FROM invitation") == 2
    made = await office.post(day.page, {**sent, "key": str(uuid4()), "chosen": "0"})
    assert made.status_code == 303
    row = (await fetch("SELECT name, kind FROM organisation ORDER BY id DESC LIMIT 1"))[0]
    assert tuple(row) == ("家家乐", "retailer")
    assert await fetch_value("SELECT name FROM attendee") == "赵六"
    taken = await office.post(day.page, {**sent, "key": str(uuid4()), "chosen": str(member.organisation_id)})
    assert taken.status_code == 303
    assert await fetch_value("SELECT count(*) FROM invitation") == 4


@pytest.mark.parametrize(
    ("sent", "fields"),
    [
        ({"name": "", "side": ""}, ["name", "side"]),
        ({"name": "超" * 61, "side": "buyer"}, ["name"]),
        ({"name": "超市", "side": "town"}, ["side"]),
        ({"name": "某某超市", "side": "buyer", "phone": "13800000003"}, ["person"]),
    ],
)
async def test_wrong_addition_is_refused_beside_its_field(
    day: Gathering, office: Browser, sent: dict[str, str], fields: list[str]
) -> None:
    page = await office.post(day.page, {**sent, "key": str(uuid4())})
    assert (page.status_code, sorted(faults(page))) == (422, fields)
    assert await fetch_value("SELECT count(*) FROM invitation") == 2


async def test_person_of_two_organisations_and_too_many_people_are_shown(
    day: Gathering, office: Browser, guest: Browser
) -> None:
    await execute("UPDATE meeting SET capacity = 1")
    for invited in (day.buyer, day.seller):
        await answer(guest, await invited.token(), answer="accepted", name_1="李", phone_1="13800000001")
    page = (await office.get(day.page)).text
    assert page.count("代表多家") == 2
    assert "比会场容纳的多 1 人" in page


async def test_media_is_invited_like_the_others(day: Gathering, office: Browser, factory: Factory) -> None:
    media = await factory.member(role="buyer", kind="media")
    row = await invited_row(
        day.meeting_id, media, "guest", at=clock.now() - timedelta(days=5), state="needs_action"
    )
    page = (await office.get(f"{day.page}?side=guest")).text
    assert "等了 5 天" in page
    assert f"{day.page}/{row.id}" in page

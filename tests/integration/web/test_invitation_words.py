"""What an invitation, its pages and its calendar say: days, reminders, whose fault it is, that it ended."""

import re
from typing import Any
from uuid import uuid4

import httpx
from icalendar import Calendar

from market import clock
from market.db.session import execute, fetch_value
from market.meetings.day.board import talks_of_day
from market.meetings.queries import appointments_of
from tests.integration.meetings.invited import Gathering, talk_row
from tests.integration.web.conftest import Browser, SignedInAs, faults
from tests.integration.web.test_invitation_pages import answer
from tests.integration.web.test_invitation_pages import day as day
from tests.integration.web.test_invitation_pages import office as office


async def test_second_press_of_remind_is_told_what_the_first_one_did(day: Gathering, office: Browser) -> None:
    key = {"key": str(uuid4())}
    for _ in range(2):
        await office.post(f"{day.page}/remind", key)
        assert "已提醒 2 家" in (await office.get(day.page)).text
    await office.post(f"{day.page}/remind", {"key": str(uuid4())})
    assert "2 家在一小时内刚提醒过" in (await office.get(day.page)).text
    own = f"{day.page}/{day.buyer.id}"
    await office.post(f"{own}/remind", {"key": str(uuid4())})
    assert "1 家在一小时内刚提醒过" in (await office.get(own)).text
    await execute("UPDATE invitation SET state = 'accepted'")
    await office.post(f"{day.page}/remind", {"key": str(uuid4())})
    assert "没有要提醒的：都回复了" in (await office.get(day.page)).text


async def test_plan_for_bad_weather_is_told_to_the_invited_in_their_language(
    day: Gathering, guest: Browser, browser_of: SignedInAs
) -> None:
    await execute("UPDATE meeting SET weather_plan = '下雨改到礼堂', weather_plan_en = 'In the hall'")
    buyer = await browser_of(day.buyer.member)
    for browser, path in (
        (guest, f"/i/{await day.buyer.token()}"),
        (buyer, f"/meetings/{day.meeting_id}"),
    ):
        for language, shown, other in (
            ("zh", "下雨改到礼堂", "In the hall"),
            ("en", "In the hall", "下雨改到礼堂"),
        ):
            text = (await browser.get(f"{path}?lang={language}")).text
            assert shown in text
            assert other not in text


async def test_meeting_of_several_days_is_told_with_its_last_one(
    day: Gathering, guest: Browser, office: Browser
) -> None:
    await execute("UPDATE meeting SET held_on = '2031-11-30', days = 2, is_public = true")
    span = "2031年11月30日至12月1日"
    town = f"/town/meetings/{day.meeting_id}"
    for browser, path in (
        (guest, f"/i/{await day.buyer.token()}"),
        (guest, f"/m/{day.meeting_id}"),
        (office, day.page),
        (office, f"{day.page}/{day.buyer.id}"),
        (office, f"{town}/papers"),
        (office, f"{town}/desk"),
        (office, "/town/meetings"),
    ):
        assert (path, span in (await browser.get(path)).text) == (path, True)
    assert f"时间：{span} 09:00–11:20" in (await office.get(f"{day.page}/{day.buyer.id}")).text


async def test_faults_of_persons_say_whose_they_are(day: Gathering, guest: Browser) -> None:
    sent = {"answer": "accepted", "name_2": "李秋实", "phone_2": "13800000001"}
    sent |= {"name_4": "王二", "title_4": "长" * 60, "name_5": "孙三", "phone_5": "13800000001"}
    page = await answer(guest, await day.buyer.token(), **sent)
    summary = re.sub(r"<[^>]+>", "", page.text[page.text.index('role="alert"') :])[:400]
    assert "第 4 人的职务" in summary
    sent["title_4"] = "经理"
    page = await answer(guest, await day.buyer.token(), **sent)
    # the lines that were left empty count too, as they are numbered on the page
    assert list(faults(page)) == ["phone_5"]
    assert "和第 2 人的手机号一样" in faults(page)["phone_5"]
    assert "第 5 人的手机号" in re.sub(r"<[^>]+>", "", page.text)


async def test_media_are_not_said_to_come_from_the_matches(day: Gathering, office: Browser) -> None:
    await execute("UPDATE invitation SET side = 'guest', source = 'planned' WHERE id = $1", day.seller.id)
    page = (await office.get(f"{day.page}/{day.seller.id}")).text
    assert ("一并邀请的媒体" in page, "按撮合结果" in page) == (True, False)


def events_of(feed: httpx.Response) -> dict[str, Any]:
    assert feed.status_code == 200
    return {str(each["UID"]): each for each in Calendar.from_ical(feed.content).walk("VEVENT")}


async def test_feed_of_a_link_that_ended_calls_off_what_it_had_shown_and_tells_nothing_new(
    day: Gathering, guest: Browser, office: Browser
) -> None:
    await talk_row(day, slot=3, at=clock.now())
    await execute("UPDATE meeting SET published_at = now()")
    leaked = f"/i/{await day.buyer.token()}/calendar.ics"
    shown = events_of(await guest.get(leaked))
    whole, talk = sorted(shown)
    await office.post(f"{day.page}/{day.buyer.id}/renew")
    renewed = f"/i/{await day.buyer.token()}/calendar.ics"
    live = events_of(await guest.get(renewed))
    # what happens after the link ended is not for whoever has it
    await execute("UPDATE meeting SET held_on = held_on + 7, venue = '新会场', title = '新会名'")
    await guest.get(f"/i/{await day.seller.token()}/calendar.ics")
    ended = await guest.get(leaked)
    assert list(events_of(ended)) == [whole]
    assert (await guest.get(leaked, if_none_match=ended.headers["etag"])).status_code == 304
    await office.post(f"{day.page}/{day.buyer.id}/revoke")
    withdrawn = await guest.get(renewed)
    for uid, before, after in (
        (whole, shown, events_of(ended)),
        (whole, live, events_of(withdrawn)),
        (talk, live, events_of(withdrawn)),
    ):
        assert (after[uid]["STATUS"], after[uid]["SEQUENCE"] > before[uid]["SEQUENCE"]) == ("CANCELLED", True)
    assert all(other not in ended.text + withdrawn.text for other in ("新会", "ORGANIZER", "ATTENDEE", "URL"))
    moved = f"{await fetch_value('SELECT held_on FROM meeting'):%Y%m%d}"
    assert moved not in ended.text
    await office.post(f"{day.page}/{day.buyer.id}/restore")
    again = events_of(await guest.get(f"/i/{await day.buyer.token()}/calendar.ics"))
    assert again[whole]["SEQUENCE"] > events_of(withdrawn)[whole]["SEQUENCE"]
    # a link that never was opens nothing
    assert (await guest.get("/i/AAAAAAAAAAAAAAAAAAAAAAAA/calendar.ics")).status_code == 404


async def test_talk_whose_other_side_declines_is_off_wherever_it_is_shown(
    day: Gathering, guest: Browser, office: Browser, browser_of: SignedInAs
) -> None:
    talk = await talk_row(day, slot=3, at=clock.now())
    await execute("UPDATE meeting SET published_at = now()")
    seller = await browser_of(day.seller.member)
    phone, own = f"/i/{await day.seller.token()}", f"/meetings/{day.meeting_id}"
    buyer = await day.buyer.token()
    for said, off in (("accepted", False), ("declined", True), ("accepted", False)):
        assert (await answer(guest, buyer, answer=said)).status_code == 303
        for browser, path in (
            (guest, phone),
            (seller, own),
            (seller, f"{own}/talks/{talk}"),
            (office, f"/town/meetings/{day.meeting_id}/desk?show=all"),
        ):
            words = (await browser.get(path)).text
            assert (said, path, ">已取消<" in words) == (said, path, off)
        events = events_of(await guest.get(f"{phone}/calendar.ics"))
        assert [str(each["STATUS"]) for each in events.values()][1:] == ["CANCELLED" if off else "TENTATIVE"]
        [told] = (await seller.get(f"/api/v1{own}/appointments")).json()
        assert told["called_off"] is off
        # board, door and first page tell what is to come
        ahead = await appointments_of(
            organisation_id=day.seller.member.organisation_id, on_or_after=clock.today()
        )
        for shown in (await talks_of_day(meeting_id=day.meeting_id), ahead):
            assert [each.id for each in shown] == ([] if off else [talk])

"""The day itself, from the first badge to the last result."""

import asyncio
import re
from datetime import datetime, timedelta

from asyncpg import Record
from playwright.async_api import expect

from market import clock
from tests.e2e.conftest import Site
from tests.e2e.meeting.pages import CHAIN, TITLE, VILLAGE, Cast, step, talks_of
from tests.e2e.people import Person


async def turn_to_the_day(site: Site) -> None:
    """Let the meeting be today, half an hour before its first talk, as the clock stands in China.

    Every act that asks for talks to come begins with it: midnight may have passed since the one before.
    An act takes less than a minute, so in a day's last minute it waits for the next.
    """
    now = clock.now().astimezone(clock.CHINA)
    tomorrow = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), clock.CHINA)
    if (left := (tomorrow - now).total_seconds()) < 60:
        await asyncio.sleep(left + 1)
        now = tomorrow
    await site.rows(
        """UPDATE meeting SET held_on = $1, answer_by = $1, wishes_by = $1, starts_at = $2
           WHERE held_on <> $1""",
        now.date(),
        now.hour * 60 + now.minute + 30,
    )


async def day_begins_and_a_badge_checks_its_bearer_in(cast: Cast, site: Site) -> None:
    await turn_to_the_day(site)
    official = cast.official
    await official.go("/town/meetings")
    await official.press(TITLE)
    await official.see("对接会今天举行")
    await official.press("开始会议")
    await expect(official.page.get_by_role("heading", name="签到和记录")).to_be_visible()
    [meeting] = await site.rows("SELECT id, state FROM meeting")
    assert meeting["state"] == "in_progress"
    await cast.screen.go(f"/town/meetings/{meeting['id']}/board")
    await expect(cast.screen.page.locator("#board")).to_have_attribute("data-live", "yes")
    await expect(cast.screen.page.locator(".board-sums")).to_contain_text("到场 0 /")

    [badge] = await site.rows("SELECT code FROM attendee WHERE name = '周望田'")
    # whoever finds a badge learns nothing but where to hand it in
    await cast.guest.go(f"/checkin/{badge['code']}")
    await cast.guest.see("请在签到台出示")
    await official.go(f"/checkin/{badge['code']}")
    await official.see(VILLAGE)
    [first, *_] = [row for row in await talks_of(site) if row["seller_name"] == VILLAGE]
    await official.see(f"{first['table_number']} 号桌")
    await official.press("签到")
    await official.told("已签到")
    [came] = await site.rows(
        """SELECT attendee.attendance AS person, invitation.attendance AS house FROM attendee
           JOIN invitation ON invitation.id = invitation WHERE attendee.code = $1""",
        badge["code"],
    )
    assert tuple(came) == ("checked_in", "checked_in")
    # nobody touches the screen in the hall
    await expect(cast.screen.page.locator(".board-sums")).to_contain_text("到场 1 /")


async def to_changes(official: Person, kind: str) -> None:
    await official.go("/town/meetings")
    await official.press(TITLE)
    await official.page.get_by_label("对接会的步骤").get_by_role("link", name=re.compile("^签到")).click()
    await official.press("改排")
    await official.page.get_by_label("发生了什么").get_by_role("link", name=kind).click()


async def days_of(site: Site) -> dict[str, set[tuple[int, int, str]]]:
    """Return everybody's day: slot, table and who sits opposite."""
    days: dict[str, set[tuple[int, int, str]]] = {}
    for row in await talks_of(site):
        place = (row["slot"], row["table_number"])
        days.setdefault(row["seller_name"], set()).add((*place, row["buyer_name"]))
        days.setdefault(row["buyer_name"], set()).add((*place, row["seller_name"]))
    return days


async def told_since(site: Site, number: int) -> set[str]:
    """Return who was told that their day has changed, after the notice of this number."""
    rows = await site.rows(
        """SELECT organisation.name FROM notice JOIN organisation ON organisation.id = organisation
           WHERE notice.kind = 'meeting_changed' AND notice.id > $1""",
        number,
    )
    return {row["name"] for row in rows}


async def change_the_day(official: Person, site: Site) -> None:
    """Confirm what the preview shows: it does just that, and tells only those whose day it changes."""
    page = official.page
    said = await page.locator(".change-told").inner_text()
    [last] = await site.rows("SELECT coalesce(max(id), 0) AS id FROM notice")
    before = await days_of(site)
    await official.press("确认改排")
    await official.told("已改排")
    after = await days_of(site)
    changed = {name for name in before | after if before.get(name, set()) != after.get(name, set())}
    assert changed
    assert await told_since(site, last["id"]) == changed
    assert f"会通知 {len(changed)} 家" in said
    assert [name for name in changed if name not in said] == []


async def late_buyer_moves_as_few_talks_as_can_be(cast: Cast, site: Site) -> None:
    await turn_to_the_day(site)
    official, page = cast.official, cast.official.page
    await to_changes(official, "有人迟到")
    form = page.locator("#change")
    await form.get_by_label("哪一家").select_option(label=CHAIN)
    [first, *_] = [row for row in await talks_of(site) if row["buyer_name"] == CHAIN]
    await form.get_by_label("几点能到").select_option(value=str(first["slot"] + 1))
    before = await days_of(site)
    await official.press("看会怎么改")
    await expect(page.locator("#preview")).to_contain_text("会这样改")
    assert await days_of(site) == before
    await change_the_day(official, site)
    late = [slot for slot, *_ in (await days_of(site)).get(CHAIN, set())]
    assert [slot for slot in late if slot <= first["slot"]] == []
    await expect(page.locator("#history")).to_contain_text("有人迟到")


async def walk_in_is_let_in_and_meets_who_is_free(cast: Cast, site: Site) -> None:
    await turn_to_the_day(site)
    official, page = cast.official, cast.official.page
    newcomer = "沈阳早市鲜货联社"
    await to_changes(official, "临时来人")
    await page.get_by_label("来的单位").fill(newcomer)
    await page.locator("form", has_text="登记新来的单位").get_by_text("商超", exact=True).click()
    await official.press("登记并签到")
    await official.told("已登记并签到")
    await page.locator("#f-counterparts").get_by_text(VILLAGE).click()
    await official.press("看会怎么改")
    await expect(page.locator("#preview")).to_contain_text("新加 1 场")
    await change_the_day(official, site)
    assert {who for *_, who in (await days_of(site))[newcomer]} == {VILLAGE}
    [came] = await site.rows(
        """SELECT invitation.source, attendance FROM invitation
           JOIN organisation ON organisation.id = organisation WHERE organisation.name = $1""",
        newcomer,
    )
    assert tuple(came) == ("walk_in", "checked_in")
    await expect(cast.screen.page.locator(".board-sums")).to_contain_text("到场 2 /")


async def open_at_the_desk(official: Person, row: Record) -> None:
    await step(official, "记录")
    line = official.page.locator("#talks tr", has_text=row["buyer_name"]).filter(has_text=row["seller_name"])
    await line.get_by_role("link", name="记录", exact=True).click()


async def say(person: Person, *taps: str) -> None:
    """Write a result down: the first tap opened the talk, the last one saves."""
    for tap in taps:
        await person.page.locator(".talk-form").get_by_text(tap, exact=True).click()
    await person.press("保存结果")
    await person.told("已记录")


async def results_take_three_taps_each(cast: Cast, site: Site) -> None:
    official, secretary = cast.official, cast.secretary
    await secretary.go("/meetings")
    await secretary.press(TITLE)
    await secretary.page.locator("#day").get_by_role("link", name=CHAIN, exact=True).click()
    await secretary.press("记录结果")
    await say(secretary, "索取样品")

    # quantity and price stand there already where the engine has proposed the pair
    proposed = await site.rows("SELECT DISTINCT appointment FROM topic WHERE match IS NOT NULL")
    numbers = {row["appointment"] for row in proposed}
    others = [row for row in await talks_of(site) if row["id"] in numbers and row["seller_name"] != VILLAGE]
    signed = next(row for row in others if row["buyer_name"] == CHAIN)
    intent, none = [row for row in others if row["buyer_name"] != CHAIN][:2]
    await open_at_the_desk(official, signed)
    await say(official, "当场签约")
    await open_at_the_desk(official, intent)
    await say(official, "达成意向")
    await open_at_the_desk(official, none)
    await say(official, "暂无结果", "价格谈不拢")
    outcomes = {row["id"]: row["outcome"] for row in await talks_of(site) if row["state"] == "held"}
    assert outcomes.pop(signed["id"]) == "signed"
    assert outcomes.pop(intent["id"]) == "intent"
    assert outcomes.pop(none["id"]) == "none"
    assert list(outcomes.values()) == ["sample"]
    [deal] = await site.rows("SELECT state, source FROM deal")
    assert tuple(deal) == ("pending", "appointment")
    said = await site.rows(
        "SELECT intent_quantity, intent_price FROM topic WHERE appointment = $1 AND intent_price > 0",
        intent["id"],
    )
    assert said


async def official_closes_the_meeting_and_the_questions_are_laid(cast: Cast, site: Site) -> None:
    official = cast.official
    await official.go("/town/meetings")
    await official.press(TITLE)
    await official.page.get_by_text("结束会议", exact=True).click()
    await official.press("确定结束会议")
    # not every talk was recorded: it asks back
    await official.see("场洽谈还没有结果")
    await official.press("仍然结束会议")
    await official.told("结束会议：已办好")
    await official.see("跟进谈成的事")
    [meeting] = await site.rows("SELECT state FROM meeting")
    assert meeting["state"] == "closed"
    asked = await site.rows("SELECT days, count(*) FROM follow_up GROUP BY days ORDER BY days")
    assert [tuple(row) for row in asked] == [(30, 4), (90, 4), (180, 4)]

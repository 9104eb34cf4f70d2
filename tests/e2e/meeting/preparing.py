"""From the matching to the printed papers."""

import json
import re
from collections import Counter
from datetime import timedelta

from icalendar import Calendar
from playwright.async_api import expect

from market import clock
from market.documents.papers import KINDS
from tests.e2e.conftest import Site
from tests.e2e.meeting.pages import (
    CHAIN,
    PATIENCE,
    SHOP,
    TITLE,
    VILLAGE,
    Cast,
    download,
    label_of,
    pages_of,
    step,
    talks_of,
    talks_shown,
    wishes_of,
    word_of,
)
from tests.e2e.people import Person


async def official_opens_a_meeting_from_the_matching(cast: Cast, site: Site) -> None:
    official, page, today = cast.official, cast.official.page, clock.today()
    await official.go("/town/runs")
    await official.press(re.compile("运行撮合"))
    await expect(page.get_by_role("heading", name="按村汇总")).to_be_visible(timeout=PATIENCE)
    await official.press("筹备对接会")
    await page.get_by_label("会议名称").fill(TITLE)
    await page.get_by_label("日期", exact=True).fill((today + timedelta(days=2)).isoformat())
    await page.get_by_label("地点", exact=True).fill("东于村花生晒场")
    await page.get_by_label("一天排几个时段").fill("8")
    await page.get_by_label("摆几张桌").fill("8")
    await page.get_by_label("公开会议页面").check()
    await page.get_by_text("每家谈几场").click()
    await page.get_by_label("每家最多谈几场").fill("3")
    await page.get_by_text("截止日期、联系人和雨天预案").click()
    await page.get_by_label("最晚哪天回复邀请").fill((today + timedelta(days=1)).isoformat())
    await page.get_by_label("最晚哪天选好想见谁").fill((today + timedelta(days=1)).isoformat())
    await page.get_by_label("会务联系人").fill("赵明远")
    await page.get_by_label("联系电话").fill("0418-1234567")
    await page.get_by_label("下雨或天气不好怎么办").fill("移到村部礼堂，桌号不变")
    await official.press("建会并排桌")
    await expect(page.get_by_role("heading", name="等各方回复邀请")).to_be_visible(timeout=PATIENCE)
    await official.see("0418-1234567")
    [meeting] = await site.rows("SELECT * FROM meeting")
    assert (meeting["state"], meeting["tables"], meeting["slots"]) == ("timetabled", 8, 8)
    assert (meeting["most_appointments"], meeting["is_public"]) == (3, True)
    assert (meeting["answer_by"], meeting["wishes_by"]) == (today + timedelta(days=1),) * 2
    assert (meeting["contact"], meeting["published_at"]) == ("赵明远", None)


async def public_page_is_read_without_signing_in(cast: Cast, site: Site) -> None:
    [meeting] = await site.rows("SELECT id FROM meeting")
    await cast.guest.go(f"/m/{meeting['id']}")
    for said in (TITLE, "移到村部礼堂", "0418-1234567", "我要报名"):
        await cast.guest.see(said)


async def invitation_of(official: Person, name: str) -> None:
    """Find one of the invited and open their invitation."""
    page = official.page
    await step(official, "邀请")
    await page.get_by_role("searchbox", name="单位、姓名或手机号").fill(name)
    await official.press("查找")
    await expect(page.locator("#list tbody tr")).to_have_count(1)
    await page.locator("#list").get_by_role("link", name=name).click()


async def official_sees_whom_the_system_proposes_and_adds_one(cast: Cast, site: Site) -> None:
    official, page = cast.official, cast.official.page
    await step(official, "邀请")
    proposed = await site.rows(
        """SELECT organisation.name, reason FROM invitation
           JOIN organisation ON organisation.id = organisation"""
    )
    await expect(page.locator("#list h2")).to_contain_text(f"{len(proposed)} 家")
    assert {VILLAGE, CHAIN} <= {row["name"] for row in proposed}
    # who is to talk stands above who comes to look
    await expect(page.locator("#list tbody tr").first).to_contain_text("买方 · 与")
    await invitation_of(official, VILLAGE)
    await expect(page.locator("dl", has_text="为什么请")).to_contain_text("没有回复")

    await step(official, "邀请")
    await page.get_by_label("单位名称").fill(SHOP)
    await page.locator("#add").get_by_text("买方", exact=True).click()
    await page.get_by_label("联系人").fill("白店长")
    await page.locator("#add").get_by_role("button", name="邀请").click()
    await expect(page.get_by_role("heading", name=SHOP)).to_be_visible()
    [added] = await site.rows(
        """SELECT invitation.state, side, source FROM invitation
           JOIN organisation ON organisation.id = organisation WHERE organisation.name = $1""",
        SHOP,
    )
    assert tuple(added) == ("needs_action", "buyer", "manual")


async def guest_answers_by_the_link_and_names_who_comes(cast: Cast, site: Site) -> None:
    """The shop has no account; its invitation came by WeChat."""
    await invitation_of(cast.official, SHOP)
    link = await cast.official.page.get_by_role("link", name="打开链接看看").get_attribute("href")
    assert link
    message = await cast.official.page.get_by_label("邀请的话").input_value()
    assert TITLE in message
    assert link in message
    guest, page = cast.guest, cast.guest.page
    await guest.go(link)
    await guest.see("邀请您参加")
    await guest.see(SHOP)
    first = page.get_by_role("group", name="第 1 人")
    await first.get_by_label("姓名").fill("白店长")
    await first.get_by_label("职务").fill("店长")
    await first.get_by_label("手机号").fill("13804180001")
    await page.get_by_role("group", name="第 2 人").get_by_label("姓名").fill("小顾")
    await page.locator("#answer").get_by_label("给镇里留言").fill("开面包车来，想带样品走")
    await page.locator("#answer").get_by_role("button", name="回复").click()
    await guest.told("已回复")
    await expect(page.locator(".letter-head")).to_contain_text("已接受")
    persons = await site.rows(
        """SELECT attendee.name, attendee.phone, invitation.state FROM attendee
           JOIN invitation ON invitation.id = invitation ORDER BY attendee.id"""
    )
    assert [tuple(each) for each in persons] == [
        ("白店长", "13804180001", "accepted"),
        ("小顾", "", "accepted"),
    ]
    await cast.official.page.reload()
    await cast.official.see("开面包车来，想带样品走")


async def wish(person: Person, about: str, level: str) -> None:
    """Find somebody and press how much one wants to meet them."""
    page = person.page
    await page.get_by_label("按单位或货名查找").fill(about)
    await person.press("查找")
    card = page.locator(".wish-card").filter(has=page.get_by_role("heading", name=about))
    await card.get_by_role("button", name=level).click()
    await expect(card.locator("[aria-pressed=true]")).to_have_text(level)


async def secretary_says_who_comes_and_whom_to_meet_and_whom_never(cast: Cast, site: Site) -> None:
    secretary, page = cast.secretary, cast.secretary.page
    await secretary.go("/meetings")
    await secretary.press("参加")
    await secretary.told("已回复：参加")
    await secretary.press("写明谁来参加，或转给别的单位")
    await page.get_by_role("group", name="第 1 人").get_by_label("姓名").fill("周望田")
    await page.locator("#answer").get_by_role("button", name=re.compile("回复")).click()
    await secretary.told("已回复")

    await secretary.go("/meetings")
    await page.get_by_role("link", name=TITLE).click()
    await page.get_by_label("这场对接会").get_by_role("link", name="互选").click()
    planned = await site.rows(
        """SELECT buyer.name FROM appointment JOIN organisation buyer ON buyer.id = appointment.buyer
           JOIN organisation seller ON seller.id = appointment.seller
           WHERE seller.name = $1 AND buyer.name <> $2 ORDER BY buyer.name""",
        VILLAGE,
        CHAIN,
    )
    unwanted, wanted = [row["name"] for row in planned[:2]]
    await wish(secretary, CHAIN, "必见")
    await wish(secretary, wanted, "想见")
    await wish(secretary, unwanted, "不见")
    assert await wishes_of(site, VILLAGE) == {CHAIN: "must", wanted: "want", unwanted: "never"}


async def buyer_wants_the_village_too_and_cannot_come_early(cast: Cast, site: Site) -> None:
    buyer, page = cast.buyer, cast.buyer.page
    await buyer.go("/meetings")
    await buyer.press("参加")
    await buyer.told("已回复：参加")
    await page.get_by_label("这场对接会").get_by_role("link", name="互选").click()
    await wish(buyer, VILLAGE, "必见")
    await expect(page.locator(".wish-card", has_text=VILLAGE).first).to_contain_text("互相想见")
    await page.locator("#absent").get_by_text("09:00–09:20", exact=True).click()
    await buyer.press("保存不能来的时段")
    await expect(page.locator("#absent").get_by_label("09:00–09:20", exact=True)).to_be_checked()
    assert await wishes_of(site, CHAIN) == {VILLAGE: "must"}
    [absence] = await site.rows("SELECT slot FROM absence")
    assert absence["slot"] == 1


async def official_lays_the_timetable_by_the_wishes(cast: Cast, site: Site) -> None:
    official, page = cast.official, cast.official.page
    await step(official, "互选")
    await expect(page.locator(".stat", has_text="互相想见")).to_contain_text("1")
    await expect(page.locator("#given tr", has_text=CHAIN)).to_contain_text("已接受")
    await step(official, "排桌")
    await page.get_by_role("button", name="重新排桌").click()
    await expect(page.locator(".working")).to_have_count(0, timeout=PATIENCE)
    await page.reload()
    await expect(page.locator(".slots-table")).to_be_visible(timeout=PATIENCE)

    shown = await talks_shown(page)
    seats = Counter((talk.slot, talk.table) for talk in shown)
    people = Counter((talk.slot, who) for talk in shown for who in (talk.buyer, talk.seller))
    assert [who for who, times in (*seats.items(), *people.items()) if times > 1] == []
    assert len(shown) == len(await talks_of(site))
    pairs = {(talk.buyer, talk.seller) for talk in shown}
    assert (CHAIN, VILLAGE) in pairs
    [unwanted] = [name for name, level in (await wishes_of(site, VILLAGE)).items() if level == "never"]
    assert (unwanted, VILLAGE) not in pairs
    assert [talk for talk in shown if talk.slot.startswith("09:00") and talk.buyer == CHAIN] == []

    [meeting] = await site.rows("SELECT timetable FROM meeting")
    proof = json.loads(meeting["timetable"])
    verdict = page.get_by_label("排桌的证明")
    await expect(verdict).to_contain_text(f"{len(shown)} 场")
    await expect(verdict).to_contain_text(f"{proof['breaks']} 次（下界 {proof['lower_bound_breaks']}）")
    left = await site.rows("SELECT reason FROM left_out")
    assert left
    await expect(page.locator("#left-out h2")).to_contain_text(f"{len(left)} 对")
    await expect(page.locator("#left-out tbody tr")).to_have_count(len(left))


async def official_fixes_a_talk_and_publishes(cast: Cast, site: Site) -> None:
    official, page = cast.official, cast.official.page
    await step(official, "排桌")
    await page.locator(".slots-table .talk", has_text=CHAIN).filter(has_text=VILLAGE).click()
    await expect(page.locator("#talk h2")).to_have_text(f"{CHAIN} – {VILLAGE}")
    await official.press("固定在这里")
    await official.told("已固定")
    assert [(row["buyer_name"], row["seller_name"]) for row in await talks_of(site) if row["fixed"]] == [
        (CHAIN, VILLAGE)
    ]
    await cast.secretary.go("/meetings")
    await cast.secretary.page.get_by_role("link", name=TITLE).click()
    await cast.secretary.see("日程还没有发布")

    await step(official, "发布")
    await official.press("发布日程")
    await official.told("日程已发布")
    [meeting] = await site.rows("SELECT published_at FROM meeting")
    assert meeting["published_at"] is not None
    told = await site.rows("SELECT DISTINCT organisation FROM notice WHERE kind = 'timetable_published'")
    assert {row["organisation"] for row in told} >= {
        who for row in await talks_of(site) for who in (row["seller"], row["buyer"])
    }


async def secretary_reads_the_own_timetable_on_the_phone_and_takes_a_note(cast: Cast, site: Site) -> None:
    secretary, page = cast.secretary, cast.secretary.page
    await secretary.go("/meetings")
    await secretary.press(TITLE)
    own = [row for row in await talks_of(site) if row["seller_name"] == VILLAGE]
    lines = page.locator("#day .my-day > li")
    await expect(lines).to_have_count(len(own))
    for place, row in enumerate(own):
        await expect(lines.nth(place)).to_contain_text(row["buyer_name"])
        await expect(lines.nth(place)).to_contain_text(f"{row['table_number']} 号桌")
        await expect(lines.nth(place)).to_contain_text(label_of(row["slot"]))
    calendar = Calendar.from_ical(await download(secretary, "加到日历"))
    events = [each for each in calendar.walk("VEVENT") if each.get("STATUS") != "CANCELLED"]
    # the day itself has an entry too
    assert len(events) == len(own) + 1
    told = " ".join(str(each["SUMMARY"]) for each in events)
    assert [row["buyer_name"] for row in own if row["buyer_name"] not in told] == []

    await page.locator("#day").get_by_role("link", name=CHAIN, exact=True).click()
    await expect(page.locator(".facing").first).to_contain_text("我的货")
    await expect(page.locator(".facing").first).to_contain_text("对方要的")
    await expect(page.locator(".seat-number")).to_have_text(re.compile(r"\d+"))
    await page.get_by_label("我的笔记").fill("先问账期，再谈价")
    await expect(page.locator("#note-kept")).to_contain_text("已保存")
    [note] = await site.rows("SELECT text FROM appointment_note")
    assert note["text"] == "先问账期，再谈价"


async def file_made(official: Person, number: int) -> bytes:
    """Wait until what was ordered last, the file of this number, is ready, and fetch it."""
    await expect(official.page.locator(".file-list li")).to_have_count(number)
    newest = official.page.locator(".file-list li").first
    await expect(newest.get_by_role("link", name=re.compile("^下载"))).to_be_visible(timeout=PATIENCE)
    return await download(official, re.compile("^下载"))  # the newest stands first


async def official_downloads_all_papers_as_one_pdf_and_one_for_word(cast: Cast, site: Site) -> None:
    official, page = cast.official, cast.official.page
    await official.go("/town/meetings")
    await official.press(TITLE)
    await page.get_by_label("对接会的步骤").get_by_role("link", name="文件").click()
    await official.press("全部合成一个 PDF")
    pages = pages_of(await file_made(official, 1))
    everything = "".join(pages)
    papers = await site.rows("SELECT kind, subject, serial FROM paper")
    assert {row["kind"] for row in papers} == set(KINDS)
    assert [row["serial"] for row in papers if row["serial"] not in everything] == []
    for said in (TITLE, SHOP, "白店长", "小顾", "周望田", "0418-1234567"):
        assert said in everything
    talks = await talks_of(site)
    assert [row for row in talks if row["seller_name"] not in everything] == []
    [number] = {row["seller"] for row in talks if row["seller_name"] == VILLAGE}
    [serial] = [
        row["serial"]
        for row in papers
        if (row["kind"], row["subject"]) == ("timetable", f"organisation:{number}")
    ]
    [own] = [text for text in pages if serial in text]
    for row in talks:
        if row["seller_name"] == VILLAGE:
            assert f"{label_of(row['slot'])}{row['table_number']}{row['buyer_name']}" in own

    await page.locator("#programme").get_by_role("button", name="Word").click()
    typed = word_of(await file_made(official, 2))
    assert TITLE in typed
    assert "东于村花生晒场" in typed

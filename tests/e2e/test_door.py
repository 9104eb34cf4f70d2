"""At the door with the network gone: nothing is lost, nothing counts twice."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import APIResponse, Browser, BrowserContext, Page, Route, expect

from tests.e2e.cable import Cable
from tests.e2e.conftest import Site
from tests.e2e.people import OFFICIAL, PHONE, Person

CODES = {"赵一": "AAAA222233", "钱二": "BBBB222233", "孙三": "CCCC222233"}
STRANGE = "ZZZZ999999"


@pytest.fixture(scope="module")
async def meeting(site: Site) -> int:
    """A meeting of today that is under way, to which three persons are to come."""
    [row] = await site.rows(
        """INSERT INTO meeting (town, title, held_on, starts_at, slot_minutes, slots, tables, venue, state,
                                published_at, created_at)
           SELECT id, '门口的会', (now() AT TIME ZONE 'Asia/Shanghai')::date, 540, 20, 6, 3, '村部',
                  'in_progress', now(), now()
           FROM organisation WHERE kind = 'town' ORDER BY id LIMIT 1 RETURNING id"""
    )
    number = int(row["id"])
    for name, code in CODES.items():
        await site.rows(
            """WITH house AS (
                 INSERT INTO invitation (meeting, organisation, side, state, attendance, reason, created_at)
                 SELECT $1, id, 'seller', 'accepted', 'expected', '{"text": ""}', now() FROM organisation
                 WHERE kind IN ('village', 'cooperative')
                   AND id NOT IN (SELECT organisation FROM invitation WHERE meeting = $1)
                 ORDER BY id LIMIT 1 RETURNING id)
               INSERT INTO attendee (invitation, name, code, attendance, created_at)
               SELECT id, $2, $3, 'expected', now() FROM house""",
            number,
            name,
            code,
        )
    return number


@pytest.fixture
async def cable(site: Site) -> AsyncIterator[Cable]:
    """What joins the phone to the server."""
    cable = Cable(site.address)
    await cable.plug()
    yield cable
    await cable.pull()


@pytest.fixture
async def phone(chromium: Browser, site: Site, cable: Cable) -> AsyncIterator[BrowserContext]:
    """The official's phone, signed in. It is made to fail, so its errors are not gathered."""
    # each test signs in, and nobody may do so as often within a quarter of an hour
    await site.rows("DELETE FROM tries")
    context = await chromium.new_context(
        base_url=cable.address,
        viewport={"width": PHONE.width, "height": PHONE.height},
        has_touch=True,
        locale="zh-CN",
        timezone_id="Asia/Shanghai",
    )
    context.set_default_timeout(15_000)
    page = await context.new_page()
    await Person(page).sign_in(OFFICIAL)
    await page.close()
    yield context
    await context.close()


@pytest.fixture
async def empty(site: Site, meeting: int) -> int:
    """The meeting with nobody there yet."""
    await site.rows("DELETE FROM scan")
    await site.rows("UPDATE attendee SET attendance = 'expected', checked_in_at = NULL, left_at = NULL")
    await site.rows("UPDATE attendee SET days_here = '{}'")
    await site.rows(
        "UPDATE invitation SET attendance = 'expected', days_here = '{}' WHERE meeting = $1", meeting
    )
    return meeting


async def at_the_door(context: BrowserContext, meeting: int) -> Page:
    page = await context.new_page()
    await page.goto(f"/town/meetings/{meeting}/checkin")
    return page


async def lose_the_network(phone: BrowserContext, cable: Cable) -> None:
    await cable.pull()
    await phone.set_offline(True)


async def find_the_network(phone: BrowserContext, cable: Cable) -> None:
    await cable.plug()
    await phone.set_offline(False)


async def read(page: Page, code: str) -> None:
    """Read a badge as a scanner does that types like a keyboard."""
    await page.locator("#door-q").fill(code)
    await page.keyboard.press("Enter")


async def scans(site: Site) -> dict[str, int]:
    rows = await site.rows("SELECT code, count(*) AS n FROM scan GROUP BY code")
    return {row["code"]: row["n"] for row in rows}


async def here(site: Site) -> set[str]:
    rows = await site.rows("SELECT name FROM attendee WHERE attendance = 'checked_in'")
    return {row["name"] for row in rows}


async def test_people_are_checked_in_without_a_network_and_counted_once_when_it_is_back(
    phone: BrowserContext, cable: Cable, site: Site, empty: int
) -> None:
    page = await at_the_door(phone, empty)
    await expect(page.locator("#door")).to_have_attribute("data-kept", "yes")
    await lose_the_network(phone, cable)
    await read(page, CODES["赵一"])
    await expect(page.locator("#door-said")).to_contain_text("赵一")
    await expect(page.locator("#door-count")).to_have_text(re.compile(r"^1 / 3 "))
    await read(page, f"https://market.example/checkin/{CODES['钱二']}")
    await read(page, STRANGE)
    await expect(page.locator("#door-said")).to_contain_text("名单里没有这个码")
    await expect(page.locator("#door-queue")).to_contain_text("3 条待上传")
    assert await scans(site) == {}

    # the phone is put away and taken out again: the page and the queue are still there
    await page.close()
    page = await at_the_door(phone, empty)
    await expect(page.locator("#door-queue")).to_contain_text("3 条待上传")
    row = page.locator(f"[data-code={CODES['赵一']}]")
    await expect(row.locator("[data-tag]")).to_contain_text("已签到")
    # a second reading of the same badge is told so, and not kept
    await read(page, CODES["赵一"])
    await expect(page.locator("#door-said")).to_contain_text("签到过了")
    await expect(page.locator("#door-queue")).to_contain_text("3 条待上传")

    # a badge that the phone's own camera opens
    await page.goto(f"/checkin/{CODES['孙三']}")
    await expect(page.locator("#door-q")).to_have_value(CODES["孙三"])
    await page.locator("#door-q").press("Enter")
    await expect(page.locator("#door-queue")).to_contain_text("4 条待上传")
    assert await scans(site) == {}

    await find_the_network(phone, cable)
    await expect(page.locator("#door-queue")).to_contain_text("都已上传")
    assert await scans(site) == {**dict.fromkeys(CODES.values(), 1), STRANGE: 1}
    assert await here(site) == set(CODES)
    await expect(page.locator("#door-strange")).to_contain_text(STRANGE)
    await expect(page.locator("#door-count")).to_have_text(re.compile(r"^3 / 3 "))


async def test_count_goes_with_every_press_also_of_a_list_that_was_searched(
    phone: BrowserContext, site: Site, empty: int
) -> None:
    page = await at_the_door(phone, empty)
    count, row = page.locator("#door-count"), page.locator(f"[data-code={CODES['赵一']}]")
    for name, words in (("签到", r"^1 / 3 "), ("离场", r"^0 / 3 "), ("签到", r"^1 / 3 ")):
        await row.get_by_role("button", name=re.compile(f"^{name}")).click()
        await expect(count).to_have_text(re.compile(words))
    await expect(page.locator("#door-queue")).to_contain_text("都已上传")
    await page.goto(f"/town/meetings/{empty}/checkin?q=钱二")
    await expect(count).to_have_text(re.compile(r"^1 / 3 "))
    await page.locator("#door-list").get_by_role("button", name=re.compile("^签到")).click()
    await expect(count).to_have_text(re.compile(r"^2 / 3 "))


@pytest.mark.parametrize("later", ["come first", "are lost"])
async def test_list_that_comes_late_takes_nothing_back(phone: BrowserContext, empty: int, later: str) -> None:
    page = await at_the_door(phone, empty)
    count, row = page.locator("#door-count"), page.locator(f"[data-code={CODES['赵一']}]")
    held: list[tuple[Route, APIResponse]] = []

    async def hold(route: Route) -> None:
        if "hx-request" not in route.request.headers:
            await route.continue_()
        elif not held:
            answer = await route.fetch()
            if 'data-state="checked_in"' in await answer.text() and not held:
                held.append((route, answer))
            else:
                await route.fulfill(response=answer)
        elif later == "come first":
            await route.continue_()
        else:
            await route.abort()

    await page.route("**/checkin", hold)
    await row.get_by_role("button", name=re.compile("^签到")).click()
    await expect(page.locator("#door-queue")).to_contain_text("都已上传")
    while not held:
        await page.wait_for_timeout(20)
    await row.get_by_role("button", name=re.compile("^离场")).click()
    await expect(page.locator("#door-queue")).to_contain_text("都已上传")
    # the list of before: read while somebody was there, shown after that person has left
    async with page.expect_response(lambda answer: answer.request == held[0][0].request):
        await held[0][0].fulfill(response=held[0][1])
    await page.wait_for_timeout(300)
    await expect(row).to_have_attribute("data-state", "left")
    await expect(count).to_have_text(re.compile("^0 / 3 "))


async def test_page_of_yesterday_reads_everybody_anew_without_a_network(
    phone: BrowserContext, cable: Cable, site: Site, empty: int
) -> None:
    await site.rows("UPDATE meeting SET days = 2 WHERE id = $1", empty)
    page = await at_the_door(phone, empty)
    await read(page, CODES["赵一"])
    await expect(page.locator("#door-queue")).to_contain_text("都已上传")
    await lose_the_network(phone, cable)
    await read(page, CODES["赵一"])
    await expect(page.locator("#door-said")).to_contain_text("签到过了")
    await expect(page.locator("#door-queue")).to_contain_text("都已上传")
    await page.clock.set_fixed_time(datetime.now(UTC) + timedelta(days=1))
    await read(page, CODES["赵一"])
    await expect(page.locator("#door-queue")).to_contain_text("1 条待上传")
    await expect(page.locator("#door-count")).to_have_text(re.compile(r"^1 / 3 "))
    await find_the_network(phone, cable)
    await expect(page.locator("#door-queue")).to_contain_text("都已上传")
    assert await scans(site) == {CODES["赵一"]: 2}
    await site.rows("UPDATE meeting SET days = 1 WHERE id = $1", empty)


async def test_what_is_read_before_the_beginning_waits_in_the_phone(
    phone: BrowserContext, site: Site, empty: int
) -> None:
    await site.rows("UPDATE meeting SET state = 'timetabled' WHERE id = $1", empty)
    page = await at_the_door(phone, empty)
    await expect(page.locator("#door-closed")).to_contain_text("会议还没有开始")
    await read(page, CODES["赵一"])
    await expect(page.locator("#door-said")).to_contain_text("开始后自动签到")
    await expect(page.locator("#door-count")).to_have_text(re.compile(r"^0 / 3 "))
    await expect(page.locator("#door-queue")).to_contain_text("1 条待上传")
    assert await here(site) == set()
    await site.rows("UPDATE meeting SET state = 'in_progress' WHERE id = $1", empty)
    # it tries again by itself, every ten seconds
    await expect(page.locator("#door-queue")).to_contain_text("都已上传", timeout=15_000)
    await expect(page.locator("#door-closed")).to_be_hidden()
    await expect(page.locator("#door-count")).to_have_text(re.compile(r"^1 / 3 "))
    assert await here(site) == {"赵一"}


async def test_nothing_is_read_before_the_day(phone: BrowserContext, site: Site, empty: int) -> None:
    await site.rows("UPDATE meeting SET state = 'timetabled', held_on = held_on + 3 WHERE id = $1", empty)
    try:
        page = await at_the_door(phone, empty)
        await read(page, CODES["赵一"])
        await expect(page.locator("#door-said")).to_contain_text("会议当天开始以后才能签到")
        await expect(page.locator("#door-queue")).to_contain_text("都已上传")
    finally:
        await site.rows(
            "UPDATE meeting SET state = 'in_progress', held_on = held_on - 3 WHERE id = $1", empty
        )


async def test_answer_that_never_came_is_asked_for_again_and_counts_once(
    phone: BrowserContext, site: Site, empty: int
) -> None:
    page = await at_the_door(phone, empty)
    tries = 0

    async def lose_the_answer(route: Route) -> None:
        nonlocal tries
        tries += 1
        if tries <= len(CODES):
            await route.fetch()
        await route.abort()

    await phone.route("**/scans", lose_the_answer)
    await page.clock.install()
    await page.clock.pause_at(datetime.now(UTC) + timedelta(seconds=5))
    for code in CODES.values():
        async with page.expect_event("requestfailed"):
            await read(page, code)
        await page.clock.run_for(100)
    # the server has them, the phone does not know
    assert await scans(site) == dict.fromkeys(CODES.values(), 1)
    await expect(page.locator("#door-queue")).to_contain_text("3 条待上传")
    # however many were read meanwhile, it tries again once in two seconds
    for _ in range(20):
        await page.clock.run_for(100)
        await page.wait_for_timeout(40)
    assert tries <= len(CODES) + 2
    await page.close()
    await phone.unroute("**/scans")
    page = await at_the_door(phone, empty)
    await expect(page.locator("#door-queue")).to_contain_text("都已上传")
    assert await scans(site) == dict.fromkeys(CODES.values(), 1)
    assert await here(site) == set(CODES)


async def test_two_windows_that_send_the_same_queue_send_it_once(
    phone: BrowserContext, cable: Cable, site: Site, empty: int
) -> None:
    first, second = await at_the_door(phone, empty), await at_the_door(phone, empty)
    await lose_the_network(phone, cable)
    await read(first, CODES["赵一"])
    await read(second, CODES["钱二"])
    await find_the_network(phone, cable)
    for page in (first, second):
        await expect(page.locator("#door-queue")).to_contain_text("都已上传")
    assert await scans(site) == {CODES["赵一"]: 1, CODES["钱二"]: 1}


async def test_who_was_signed_out_meanwhile_keeps_the_readings(
    phone: BrowserContext, site: Site, empty: int
) -> None:
    page = await at_the_door(phone, empty)
    await phone.clear_cookies()
    await read(page, CODES["赵一"])
    await expect(page.locator("#door-queue")).to_contain_text("登录已过期")
    await Person(page).sign_in(OFFICIAL)
    await page.goto(f"/town/meetings/{empty}/checkin")
    await expect(page.locator("#door-queue")).to_contain_text("都已上传")
    assert await here(site) == {"赵一"}


async def test_door_works_without_javascript(chromium: Browser, site: Site, empty: int) -> None:
    context = await chromium.new_context(base_url=site.address, java_script_enabled=False, locale="zh-CN")
    person = Person(await context.new_page())
    await person.sign_in(OFFICIAL)
    await person.go(f"/town/meetings/{empty}/checkin")
    await person.page.locator("#door-q").fill("赵一")
    await person.press("查找")
    await expect(person.page.locator("#door-list li")).to_have_count(1)
    await person.press("签到 赵一")
    await expect(person.page.locator("#toasts")).to_contain_text("已签到")
    assert await here(site) == {"赵一"}
    assert person.troubles == []
    await context.close()


async def test_board_draws_itself_anew_when_somebody_comes(
    phone: BrowserContext, site: Site, empty: int
) -> None:
    await site.rows(
        """INSERT INTO appointment (meeting, seller, buyer, slot, table_number, state, created_at)
           SELECT $1, invitation.organisation, buyer.id, 1, 1, 'scheduled', now()
           FROM attendee JOIN invitation ON invitation.id = attendee.invitation,
                (SELECT id FROM organisation WHERE kind = 'retailer' ORDER BY id LIMIT 1) AS buyer
           WHERE attendee.name = '赵一'""",
        empty,
    )
    board = await phone.new_page()
    await board.goto(f"/town/meetings/{empty}/board")
    await expect(board.locator("#board")).to_have_attribute("data-live", "yes")
    await expect(board.locator(".board-sums")).to_contain_text("到场 0 / 2 家")
    door = await at_the_door(phone, empty)
    await read(door, CODES["赵一"])
    await expect(board.locator(".board-sums")).to_contain_text("到场 1 / 2 家")

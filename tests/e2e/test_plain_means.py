"""With little: no JavaScript, a thin line, a keyboard alone, no Chinese."""

import re
from collections import Counter
from typing import Any

from playwright.async_api import Page, Route, expect

from seeds.load import PASSWORD
from tests.e2e.conftest import Open, Site
from tests.e2e.people import BUYER, DESK, PHONE, SECRETARY

#: Promised for the first load: HTML, style and script as they come over the line; and for one thumbnail.
MOST_FIRST_LOAD = 45_000
MOST_THUMBNAIL = 25_000
#: What the secretary of Dongyu sells from the first day.
LOT = "东于村花生果（二级，统装）"


async def test_bid_is_placed_and_accepted_without_javascript(open_browser: Open, site: Site) -> None:
    buyer = await open_browser(PHONE, javascript=False)
    await buyer.sign_in(BUYER)
    await buyer.go("/listings")
    await buyer.page.get_by_role("searchbox").fill("hsg")
    await buyer.press("搜索")
    await buyer.page.get_by_role("link", name=LOT).click()
    await buyer.page.get_by_label("要多少", exact=True).fill("一万")
    await buyer.press("提交出价")
    await buyer.see("有 1 处要改")
    await buyer.page.get_by_label("要多少", exact=True).fill("10000")
    await buyer.press("提交出价")
    await buyer.see("等卖方答复")

    secretary = await open_browser(PHONE, javascript=False)
    await secretary.sign_in(SECRETARY)
    await secretary.page.locator("#todo").get_by_role("link", name=LOT).click()
    await secretary.press("接受出价")
    await secretary.see("请核对条款后签字")
    [deal] = await site.rows("SELECT quantity, price, state FROM deal")
    assert tuple(deal) == (5_000_000, 640, "pending")


async def weigh(page: Page, path: str) -> tuple[Counter[str], dict[str, int]]:
    """Open ``path`` with an empty cache; return bytes over the line by kind, and those of each picture."""
    line = await page.context.new_cdp_session(page)
    kinds: dict[str, tuple[str, str]] = {}
    weights, pictures = Counter[str](), dict[str, int]()

    def arrive(event: dict[str, Any]) -> None:
        kinds[event["requestId"]] = (event["type"], event["response"]["url"])

    def finish(event: dict[str, Any]) -> None:
        kind, url = kinds[event["requestId"]]
        weights[kind] += int(event["encodedDataLength"])
        if kind == "Image" and not url.startswith("data:"):
            pictures[url] = int(event["encodedDataLength"])

    line.on("Network.responseReceived", arrive)
    line.on("Network.loadingFinished", finish)
    await line.send("Network.enable")
    await page.goto(path, wait_until="networkidle")
    return weights, pictures


async def test_hall_loads_within_its_budget(open_browser: Open) -> None:
    person = await open_browser(PHONE)
    weights, pictures = await weigh(person.page, "/listings")
    needed = sum(weights[kind] for kind in ("Document", "Stylesheet", "Script"))
    assert min(weights[kind] for kind in ("Document", "Stylesheet", "Script")) > 0
    assert needed <= MOST_FIRST_LOAD, weights
    thumbnails = {
        url: weight for url, weight in pictures.items() if "icons" not in url and "field" not in url
    }
    assert thumbnails
    assert {url: weight for url, weight in thumbnails.items() if weight > MOST_THUMBNAIL} == {}
    images = person.page.locator("main img")
    assert await images.count() == await person.page.locator("main img[loading=lazy]").count() > 10


#: What has the focus: whether it is seen to have it, and whether nothing lies over it.
_FOCUS = """() => {
    const one = document.activeElement;
    const style = getComputedStyle(one);
    const box = one.getBoundingClientRect();
    const bar = document.querySelector(".tabbar");
    const edge = bar && getComputedStyle(bar).display !== "none" && !bar.contains(one)
        ? bar.getBoundingClientRect().top : window.innerHeight;
    const labelled = one.closest("label") ? getComputedStyle(one.nextElementSibling ?? one) : style;
    return {
        what: one.tagName + (one.id ? "#" + one.id : one.type ? " " + one.name : ""),
        // the calendar button inside a date's field is ringed by the browser, past the page's styles
        isRinged: [style, labelled].some((each) => each.outlineStyle !== "none") || !one.matches(":focus"),
        isCovered: box.top + Math.min(box.height / 2, 24) > edge,
    };
}"""


async def tab_to(page: Page, target: str) -> list[dict[str, Any]]:
    """Press Tab until the focus is where ``target`` points; return every stop."""
    stops = []
    for _ in range(150):
        await page.keyboard.press("Tab")
        stops.append(await page.evaluate(_FOCUS))
        if await page.locator(target).evaluate("(one) => one === document.activeElement"):
            return stops
    raise AssertionError(f"{target} is not reached: {[stop['what'] for stop in stops[-5:]]}")


async def test_what_was_typed_outlasts_a_line_that_drops_while_it_is_sent(
    open_browser: Open, site: Site
) -> None:
    secretary = await open_browser(PHONE)
    page, form = secretary.page, {"#f-produce": "花生", "#f-quantity": "5000", "#f-ask": "3.1"}

    async def cut(route: Route) -> None:
        """The form arrives, and the answer never does."""
        await route.fetch(max_redirects=0)
        await route.abort("connectionreset")

    await secretary.sign_in(SECRETARY)
    await secretary.go("/selling/new")
    for field, typed in form.items():
        await page.fill(field, typed)
    await page.route("**/selling/new", cut, times=1)
    await page.click(".submit-bar button")
    await page.wait_for_url(lambda url: url.startswith("chrome-error"), wait_until="commit")
    secretary.troubles.clear()
    await secretary.go("/selling/new")
    for field, typed in form.items():
        await expect(page.locator(field)).to_have_value(typed)
    # nobody could know that it had arrived: sent again it is not there twice
    await page.click(".submit-bar button")
    await page.wait_for_url(re.compile(r"/selling/\d+"))
    assert len(await site.rows("SELECT FROM listing WHERE title = '东于村 花生'")) == 1
    await secretary.go("/selling/new")
    await expect(page.locator("#f-quantity")).to_have_value("")


async def test_skip_link_leads_past_the_menu(open_browser: Open) -> None:
    person = await open_browser(DESK)
    await person.go("/listings")
    await person.page.keyboard.press("Tab")
    await expect(person.page.get_by_role("link", name="跳到正文")).to_be_focused()
    await expect(person.page.get_by_role("link", name="跳到正文")).to_be_in_viewport()
    await person.page.keyboard.press("Enter")
    await expect(person.page.locator("#main")).to_be_focused()


async def test_buyer_signs_in_and_bids_by_keyboard_alone(open_browser: Open, site: Site) -> None:
    for screen in (DESK, PHONE):
        buyer = await open_browser(screen)
        page, keys = buyer.page, buyer.page.keyboard
        [listing] = await site.rows("SELECT id FROM listing WHERE title = $1", LOT)
        await buyer.go(f"/sign-in?next=/listings/{listing['id']}")
        stops = await tab_to(page, "#f-phone")
        await keys.type(BUYER)
        stops += await tab_to(page, "#f-password")
        await keys.type(PASSWORD)
        await keys.press("Enter")
        await page.wait_for_url(lambda url: "/sign-in" not in url)
        stops += await tab_to(page, "#f-quantity")
        await keys.press("Control+A")
        await keys.type("6000")
        stops += await tab_to(page, "#f-price")
        await keys.press("Control+A")
        await keys.type("3.1")
        stops += await tab_to(page, "#bid button.deal")
        await keys.press("Enter")
        await page.wait_for_url("**/bids/*")
        await buyer.see("3.10 元/斤")
        # the body has the focus for a moment where a page begins anew
        assert [stop["what"] for stop in stops if not stop["isRinged"] and stop["what"] != "BODY"] == []
        assert [stop["what"] for stop in stops if stop["isCovered"]] == []


async def test_english_lasts_from_page_to_page_and_over_the_sign_in(open_browser: Open) -> None:
    buyer = await open_browser(DESK)
    page = buyer.page
    await buyer.go("/listings")
    await page.locator(".topbar").get_by_role("link", name="English").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("^Produce"))
    await page.locator(".topbar").get_by_role("link", name="Sign in").click()
    await page.get_by_label("Phone number").fill(BUYER)
    await page.get_by_label("Password").fill(PASSWORD)
    await buyer.press("Sign in")
    await expect(page.locator("html")).to_have_attribute("lang", "en")
    await buyer.see("Kong Desheng")
    await buyer.go("/deals")
    await expect(page.locator("html")).to_have_attribute("lang", "en")
    await page.locator(".topbar").get_by_role("link", name="中文").click()
    await expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    await buyer.go("/bids")
    await expect(page.locator("html")).to_have_attribute("lang", "zh-CN")

"""What people do with a browser, and what is looked at on every page that they open."""

import re
from typing import Any, NamedTuple

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import ConsoleMessage, Page, Request, Response, expect

from seeds.load import PASSWORD

#: A letter of Chinese, or its punctuation.
CHINESE = re.compile(r"[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")


class Screen(NamedTuple):
    """Pixels of a window."""

    width: int
    height: int
    is_touched: bool


PHONE = Screen(390, 844, True)
DESK = Screen(1280, 900, False)

#: The people of the demonstration who play, by their telephone.
SECRETARY = "19900000004"
OFFICIAL = "19900000001"
BUYER = "19900000023"


class Person:
    """Somebody at a browser. Errors of scripts and answers of the network are gathered in ``troubles``."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.troubles: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.troubles.append(f"{page.url}: {error}"))
        page.on("requestfailed", self._miss)
        page.on("response", self._answer)

    def _hear(self, message: ConsoleMessage) -> None:
        # a refused form is an answer, though Chromium reports it as an error
        if message.type in ("error", "warning") and "422" not in message.text:
            self.troubles.append(f"{self.page.url}: {message.text}")

    def _miss(self, request: Request) -> None:
        # a page that is left ends the requests of its pictures
        if request.failure != "net::ERR_ABORTED":
            self.troubles.append(f"{self.page.url}: {request.url} {request.failure}")

    def _answer(self, response: Response) -> None:
        if response.status >= 400 and response.status != 422:
            self.troubles.append(f"{self.page.url}: {response.url} answered {response.status}")

    async def go(self, path: str) -> int:
        """Open the page and return the status of the answer."""
        answer = await self.page.goto(path)
        return answer.status if answer else 0

    async def sign_in(self, phone: str) -> None:
        await self.go("/sign-in")
        await self.page.get_by_label("手机号").fill(phone)
        await self.page.get_by_label("密码").fill(PASSWORD)
        await self.press("登录")
        await self.page.wait_for_url(lambda url: "/sign-in" not in url)

    async def press(self, name: str | re.Pattern[str]) -> None:
        """Press the one button or link of that name in the page's body."""
        main = self.page.locator("main")
        exact = isinstance(name, str)
        button = main.get_by_role("button", name=name, exact=exact)
        link = main.get_by_role("link", name=name, exact=exact)
        await button.or_(link).first.click()

    async def see(self, text: str | re.Pattern[str]) -> None:
        await expect(self.page.locator("main")).to_contain_text(text)

    async def told(self, text: str) -> None:
        """See a passing word that contains ``text``."""
        await expect(self.page.locator("#toasts")).to_contain_text(text)

    async def resize(self, screen: Screen) -> None:
        await self.page.set_viewport_size({"width": screen.width, "height": screen.height})


#: Words that lie over other words, though neither floats above the page: something has too little room.
_OVERLAPS = """() => {
    const floats = new Map(), words = [];
    for (const each of document.querySelectorAll("main, main *")) {
        const style = getComputedStyle(each);
        floats.set(each, floats.get(each.parentElement) || each.tagName === "svg"
            || ["fixed", "sticky"].includes(style.position) || style.overflowX !== "visible"
            || style.clip !== "auto");
        if (floats.get(each)) continue;
        const own = [...each.childNodes].filter((node) => node.nodeType === 3 && node.textContent.trim());
        if (!own.length || !each.checkVisibility({ contentVisibilityAuto: true, visibilityProperty: true })
            || each.closest("details:not([open]) > :not(summary)")) continue;
        for (const node of own) {
            const range = document.createRange();
            range.selectNodeContents(node);
            for (const box of range.getClientRects()) words.push([box, node.textContent.trim().slice(0, 40)]);
        }
    }
    const found = new Set();
    words.forEach(([one, text], at) => words.slice(at + 1, at + 60).forEach(([two, other]) => {
        const wide = Math.min(one.right, two.right) - Math.max(one.left, two.left);
        const high = Math.min(one.bottom, two.bottom) - Math.max(one.top, two.top);
        if (wide > 2 && high > 10) found.add(`words over words: ${text} | ${other}`);
    }));
    return [...found].slice(0, 3);
}"""


async def faults_of_layout(page: Page) -> list[str]:
    """Return what sticks out of the window at its present width or of a desk's top bar, or has no room."""
    sticks_out = list(
        await page.evaluate(
            """() => {
                const bar = document.querySelector(".mainnav")?.getBoundingClientRect();
                const entries = innerWidth >= 1280 ? [...document.querySelectorAll(".mainnav a")] : [];
                const hidden = entries.filter((each) => {
                    const own = each.getBoundingClientRect();
                    return own.right > bar.right + 1 || own.bottom > bar.bottom + 1;
                }).map((each) => "no room in the top bar: " + each.textContent.trim());
                if (document.documentElement.scrollWidth <= innerWidth) return hidden;
                const out = [...document.querySelectorAll("body *")].filter(
                    (each) => each.getBoundingClientRect().right > innerWidth + 1);
                return hidden.concat("scrolls sideways: " + document.documentElement.scrollWidth,
                    out.slice(0, 3).map((each) => each.outerHTML.slice(0, 160)));
            }"""
        )
    )
    return sticks_out + list(await page.evaluate(_OVERLAPS))


_AXE = Axe()
#: Looks whose contrast has been measured: what :data:`_NEW_LOOKS` returns, of all pages of this process.
_MEASURED: set[str] = set()


async def faults_of_access(page: Page, *, looks_only: bool = False) -> list[str]:
    """Return what axe finds (WCAG 2.2 AA and good practice), one line for each rule.

    ``looks_only``: what depends on the width alone, contrast and the size of what is tapped.

    To measure contrast takes five times as long as all other rules together. It is measured where an element
    has a look that none had before: its own letters on the backgrounds that lie under it.
    """
    if not await page.evaluate("Boolean(window.axe)"):
        await page.evaluate(_AXE.axe_script)
    found = await page.evaluate(_RUN, [looks_only, sorted(_MEASURED)])
    if not any(rule["id"] == "color-contrast" for rule in found["violations"]):
        _MEASURED.update(found["looks"])
    return _told(found["violations"])


def _told(violations: list[Any]) -> list[str]:
    return [
        f"{rule['id']}: " + " | ".join(node["html"][:160] for node in rule["nodes"][:3])
        for rule in violations
    ]


#: Returns the elements whose look is not ``known``, and their looks: everything that contrast is made of, of
#: the element itself and of what it lies on.
_NEW_LOOKS = """(known) => {
    const old = new Set(known), fresh = [], looks = new Set(), under = new Map();
    const plain = (style) => style.backgroundColor === "rgba(0, 0, 0, 0)" && style.backgroundImage === "none"
        && style.opacity === "1" && ["static", "relative"].includes(style.position);
    for (const each of document.querySelectorAll("body, body *")) {
        const style = getComputedStyle(each), below = under.get(each.parentElement) ?? "";
        const ground = plain(style) ? below : below + ">" + [
            style.backgroundColor, style.backgroundImage, style.opacity, style.position].join();
        under.set(each, ground);
        if (!each.getClientRects().length || style.visibility === "hidden") continue;
        const look = [ground, style.color, style.fontSize, style.fontWeight, style.textShadow].join(";");
        if (old.has(look)) continue;
        looks.add(look);
        fresh.push(each);
    }
    return { fresh, looks: [...looks] };
}"""
#: The elements are looked for right before they are measured: a board that draws itself anew takes its old
#: ones away while the other rules are tried.
_RUN = (
    f"async ([looksOnly, known]) => {{ const newLooks = {_NEW_LOOKS};"
    + """
    const options = { resultTypes: ["violations"] };
    const rest = await axe.run(document, looksOnly
        ? { ...options, runOnly: ["target-size"] }
        : { ...options, rules: { "color-contrast": { enabled: false }, "target-size": { enabled: true } } });
    const { fresh, looks } = newLooks(known);
    if (!fresh.length) return { looks, violations: rest.violations };
    const contrast = await axe.run({ include: fresh }, { ...options, runOnly: ["color-contrast"] });
    return { looks, violations: rest.violations.concat(contrast.violations) };
}"""
)


#: What belongs to the page and not to its goods: must be English where English is read. Stores, titles
#: that were written in Chinese only and the divisions of Liaoning are goods in this sense.
_WORDS = """() => {
    const isData = (each) => each.closest("#facet-place, select");
    const parts = "h2, h3, legend, label, button, summary, thead th, th[scope=col], .hint, .optional, "
        + ".topbar nav a, .tabbar a, .foot p:first-child, .btn, .tag, dt, caption";
    const own = [...document.querySelectorAll(parts)].filter((each) => !isData(each));
    const told = [...document.querySelectorAll("[aria-label]")].map((each) => each.ariaLabel);
    return own.map((each) => each.textContent).concat(told, [document.title]).map(
        (text) => text.replace(/\\s+/g, " ").trim());
}"""


async def words_left_in_chinese(page: Page) -> list[str]:
    """Return labels, headings, buttons and the like that an English page shows in Chinese."""
    return sorted({text for text in await page.evaluate(_WORDS) if CHINESE.search(text) and text != "中文"})

"""Every field for words that people come to by links, each filled with words that break out of places."""

import re
from html.parser import HTMLParser
from urllib.parse import urlsplit

import httpx

from fixtures.hostile.addresses import HOOKS, ONWARD, PATHS
from fixtures.hostile.bodies import ASKS, BODIES, HOSTS, REQUEST_IDS
from fixtures.hostile.ledgers import LEDGERS
from fixtures.hostile.numbers import DAYS, JSON_NUMBERS, QUANTITIES, ROW_NUMBERS
from fixtures.hostile.pictures import PHOTOS
from fixtures.hostile.texts import FORMULAS, WORDS
from tests.integration.web.conftest import Browser

from .conftest import World

#: Files and what leads out of the role; forms that change who one is.
_NO_PAGE = re.compile(r"\.\w{2,4}$|^/(api|assets)/|/files/|/image|/thumb|/sign-|lang=")
_NO_FORM = re.compile(r"/sign-|password|second-factor|recover|/leave|/delete")
#: Fields of fewer pages than this would prove little.
LEAST_FIELDS = 40
BREAKING = {
    each.name: each.raw.decode() for each in WORDS if each.name in ("script", "template-jinja", "sql-quote")
}
SENT = "".join(BREAKING.values()) + "\"'><img src=x onerror=alert(1)>"
BREAKS_OUT = ("<script>alert(1)", "<img src=x", "'><img", "49{%")
_WORDS = {"text", "search", "textarea", "tel", "email", "url"}


class Page(HTMLParser):
    """A page's links, and its forms for posting: action, fields with what stands in them, those for words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.is_broken_out = any(each in text for each in BREAKS_OUT)
        self.links: list[str] = []
        self.forms: list[tuple[str, list[tuple[str, str]], set[str]]] = []
        self._select = ""
        self._is_in_form = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a":
            self.links.append(given.get("href", ""))
        if tag == "form":
            self._is_in_form = given.get("method", "") == "post"
            if self._is_in_form:
                self.forms.append((given["action"], [], set()))
        if not self._is_in_form:
            return
        _, fields, words = self.forms[-1]
        kind = "textarea" if tag == "textarea" else given.get("type", "text")
        if tag == "select":
            self._select = given.get("name", "")
        elif tag == "option" and self._select and ("selected" in given or self._select not in dict(fields)):
            fields[:] = [each for each in fields if each[0] != self._select]
            fields.append((self._select, given.get("value", "")))
        elif tag in ("input", "textarea") and given.get("name"):
            if kind in _WORDS:
                words.add(given["name"])
            elif kind not in ("checkbox", "radio", "file") or "checked" in given:
                fields.append((given["name"], given.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_in_form = False
        if tag == "select":
            self._select = ""


async def pages_of(browser: Browser) -> dict[str, Page]:
    """Walk the links from home on, one page of each kind; return them by address."""
    waiting, seen, found = ["/"], {"/"}, dict[str, Page]()
    while waiting:
        path = waiting.pop(0)
        answer = await browser.get(path)
        assert answer.status_code < 500, path
        found[path] = Page(answer.text)
        for link in found[path].links:
            parts = urlsplit(link.partition("#")[0])
            kind = re.sub(r"/\d+", "/*", parts.path)
            if parts.path.startswith("/") and kind not in seen and not _NO_PAGE.search(link):
                seen.add(kind)
                waiting.append(link.partition("#")[0])
    return found


def is_broken_out(answer: httpx.Response) -> bool:
    """Tell whether something of what was sent stands in the page as more than words, or was computed."""
    return "html" in answer.headers.get("content-type", "") and Page(answer.text).is_broken_out


async def test_every_field_for_words_takes_them_as_words(world: World) -> None:
    filled, faults = set(), []
    for browser in (world.seller, world.buyer, world.official, world.guest):
        posted = set()
        for path, page in (await pages_of(browser)).items():
            for action, fields, words in page.forms:
                names = (re.sub(r"/\d+", "/*", action), *sorted(words))
                if not words or names in posted or _NO_FORM.search(action) or not action.startswith("/"):
                    continue
                posted.add(names)
                filled |= {(names[0], word) for word in words}
                for sent in (SENT, SENT[:20], "花\u202e生\x00油"):
                    data = {**dict(fields), **dict.fromkeys(words, sent)}
                    answer = await browser.client.post(action, data=data)
                    if answer.status_code >= 500 or is_broken_out(answer):
                        faults.append((path, action, sent, answer.status_code))
        shown = await pages_of(browser)
        faults += [(path, "shown", "", 200) for path, page in shown.items() if page.is_broken_out]
    assert faults == []
    assert len(filled) >= LEAST_FIELDS, sorted(filled)


def test_there_are_hundreds_of_cases_and_each_has_a_name() -> None:
    listed = (WORDS, BODIES, ASKS, PHOTOS, LEDGERS)
    tables = (QUANTITIES, JSON_NUMBERS, DAYS, ROW_NUMBERS, HOOKS, ONWARD, PATHS, HOSTS, REQUEST_IDS, FORMULAS)
    names = [each.name for kind in listed for each in kind] + [
        f"{place}-{name}" for place, table in enumerate(tables) for name in table
    ]
    assert len(names) == len(set(names)) >= 400

"""Every field for words that people come to by links, each filled with words that break out of places."""

import re
from urllib.parse import urlsplit

import httpx

from fixtures.hostile.addresses import HOOKS, ONWARD, PATHS
from fixtures.hostile.bodies import ASKS, BODIES, HOSTS, REQUEST_IDS
from fixtures.hostile.ledgers import LEDGERS
from fixtures.hostile.numbers import DAYS, JSON_NUMBERS, QUANTITIES, ROW_NUMBERS
from fixtures.hostile.pictures import PHOTOS
from fixtures.hostile.texts import FORMULAS, WORDS
from tests.forms import Page
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
    return "html" in answer.headers.get("content-type", "") and breaks_out(answer.text)


def breaks_out(text: str) -> bool:
    return any(each in text for each in BREAKS_OUT)


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
        faults += [(path, "shown", "", 200) for path, page in shown.items() if breaks_out(page.text)]
    assert faults == []
    assert len(filled) >= LEAST_FIELDS, sorted(filled)


def test_there_are_hundreds_of_cases_and_each_has_a_name() -> None:
    listed = (WORDS, BODIES, ASKS, PHOTOS, LEDGERS)
    tables = (QUANTITIES, JSON_NUMBERS, DAYS, ROW_NUMBERS, HOOKS, ONWARD, PATHS, HOSTS, REQUEST_IDS, FORMULAS)
    names = [each.name for kind in listed for each in kind] + [
        f"{place}-{name}" for place, table in enumerate(tables) for name in table
    ]
    assert len(names) == len(set(names)) >= 400

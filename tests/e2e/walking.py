"""A walk over every page that a person can come to by links, at both widths and in both languages.

It begins at home and opens one page of each kind: ``/deals/3`` stands for all deals. The story has
been told to its end, so that every page has something to show.
"""

import re
from urllib.parse import urlsplit

from tests.e2e.conftest import Open
from tests.e2e.people import (
    DESK,
    PHONE,
    Person,
    faults_of_access,
    faults_of_layout,
    words_left_in_chinese,
)

#: Files, not pages; and what takes the walk out of the role it is in.
_NO_PAGE = re.compile(
    r"\.(csv|json|ics|xlsx|docx|pdf|zip|svg|png|webp|jpg)$|^/(api|assets)/|/files/|/image|/thumb"
)
#: Pages that have to be reached; the walk finds more.
EXPECTED = {
    "guest": {"/", "/sign-in", "/recover", "/listings", "/listings/*"},
    "secretary": {
        *("/account/sessions", "/account/second-factor", "/account/tokens", "/account/channels"),
        *("/people", "/people/organisations/*", "/people/organisations/*/members", "/organisation"),
        *(f"/cases/agenda/{level}" for level in ("village", "town", "county", "city")),
        *("/delegations", "/demands", "/demands/open", "/demands/*"),
        *("/notices/*", "/shelf/*", "/talks/*/contract/*"),
        *("/capacity", "/selling/stock", "/selling/stock/places/new"),
        *("/selling/lots/*", "/selling/lots/*/households"),
        *("/", "/selling", "/selling/new", "/selling/*", "/selling/*/terms", "/selling/*/why", "/bids"),
        "/selling/*/way",
        *("/matches", "/matches/*", "/meetings", "/meetings/*", "/deals", "/deals/*", "/notices", "/account"),
        *("/my-data", "/privacy"),
        *("/meetings/*/wishes", "/meetings/*/talks/*", "/meetings/*/after", "/meetings/*/tour"),
        *("/cases", "/cases/new", "/cases/*"),
        *("/deals/*/terms", "/deals/*/record", "/breaches", "/ledger", "/ledger/rows"),
        *("/shelf", "/shelf/new", "/joint/*"),
    },
    "official": {
        *("/people", "/people/organisations/*", "/account/second-factor"),
        *("/cases", "/cases/new", "/cases/*", "/cases/agenda/town"),
        *("/town", "/town/runs", "/town/runs/*", "/town/runs/*/pair", "/town/runs/*/bonus"),
        *("/town/listings/*", "/town/meetings", "/town/meetings/new"),
        *("/town/meetings/*", "/town/meetings/*/desk", "/town/meetings/*/talks/*", "/town/deals", "/deals/*"),
        *("/ledger", "/ledger/rows", "/shelf"),
        *(f"/town/meetings/*/{step}" for step in ("invitations", "wishes", "timetable", "publish", "papers")),
        *(f"/town/meetings/*/{page}" for page in ("board", "checkin", "changes", "route", "after")),
    },
    "buyer": {
        *("/", "/listings", "/listings/*", "/demands", "/demands/new", "/demands/*", "/demands/*/why"),
        *("/bids", "/matches", "/deals/*/terms", "/deals/*/record", "/breaches", "/frames"),
        *("/matches/*", "/meetings", "/meetings/*", "/deals", "/deals/*", "/notices", "/ledger"),
        *("/shelf", "/shelf/new", "/joint/*"),
        *("/meetings/*/wishes", "/meetings/*/talks/*", "/meetings/*/after", "/meetings/*/tour"),
    },
}


def kind_of(path: str) -> str:
    """Return what a page is one of: numbers are left out, and of the query all but the paper's name."""
    parts = urlsplit(path)
    paper = re.search(r"what=(\w+)", parts.query)
    return re.sub(r"/\d+", "/*", parts.path) + (f" {paper[1]}" if paper else "")


async def links_of(person: Person) -> list[str]:
    """Return the addresses on this site that the page leads to."""
    found: list[str] = await person.page.locator("a[href^='/']").evaluate_all(
        "(links) => links.map((link) => link.getAttribute('href').split('#')[0])"
    )
    return [path for path in found if not _NO_PAGE.search(urlsplit(path).path) and "lang=" not in path]


async def faults_of(person: Person, path: str, *, wide: bool) -> tuple[list[str], list[str]]:
    """Look at one page in every way; return what is wrong, and where it leads.

    In Chinese at both widths, in English at one; all rules of access are asked at the other one, ``wide`` or
    narrow: a page is made of parts that other pages show the other way round. What has to be large enough for
    a finger is measured on the phone always.
    """
    status = await person.go(path)
    links = await links_of(person)
    faults = [f"answers {status}"] if status >= 400 else []
    if wide:
        faults += await faults_of_access(person.page)
    faults += await faults_of_layout(person.page)
    await person.resize(PHONE)
    faults += await faults_of_access(person.page, looks_only=wide) + await faults_of_layout(person.page)
    if not wide:
        await person.resize(DESK)
    faults += await faults_in_english(person, path)
    await person.resize(DESK)
    return faults, links


async def faults_again(person: Person, path: str, *, wide: bool) -> tuple[list[str], list[str]]:
    """Look once at a page of a kind that another role's walk looks at in every way: other parts are on it.

    In English, whose words take more room; at one width.
    """
    if not wide:
        await person.resize(PHONE)
    faults = await faults_in_english(person, path) + await faults_of_access(person.page)
    links = await links_of(person)
    await person.resize(DESK)
    return faults, links


async def faults_in_english(person: Person, path: str) -> list[str]:
    """Look at the page's English form at the present width."""
    status = await person.go(f"{path}{'&' if '?' in path else '?'}lang=en")
    faults = [f"answers {status}"] if status >= 400 else []
    faults += await faults_of_layout(person.page) + await words_left_in_chinese(person.page)
    await person.page.context.clear_cookies(name="lang")
    return faults


async def walk(open_browser: Open, role: str, phone: str | None) -> None:
    """Look at one page of each kind that ``role`` comes to; fail with what is wrong, or was not reached."""
    person = await open_browser()
    if phone:
        await person.sign_in(phone)
    waiting, seen, faults, wide = ["/"], {"/"}, {}, False
    before = list(EXPECTED)[: list(EXPECTED).index(role)]
    # what stands at home is everybody's own
    looked_at: set[str] = set().union(*(EXPECTED[other] for other in before)) - {"/"}
    while waiting:
        path = waiting.pop(0)
        wide = not wide
        look = faults_again if kind_of(path) in looked_at else faults_of
        found, links = await look(person, path, wide=wide)
        if found:
            faults[path] = found
        for link in links:
            if kind_of(link) not in seen:
                seen.add(kind_of(link))
                waiting.append(link)
    assert faults == {}, faults
    missed = EXPECTED[role] - seen
    assert missed == set(), missed

"""What the pages of a docking meeting show, read from the browser."""

import re
from io import BytesIO
from typing import Any, NamedTuple

from asyncpg import Record
from docx import Document
from playwright.async_api import Locator, Page
from pypdf import PdfReader

from tests.e2e.conftest import Site
from tests.e2e.people import Person

TITLE = "东于村花生对接会"
#: Added by hand; nobody of them ever signs in.
SHOP = "沈北惠民鲜食商店"
VILLAGE, CHAIN = "东于村村民委员会", "中兴"
#: Milliseconds: computing and setting type take their time on a busy machine.
PATIENCE = 90_000


class Cast(NamedTuple):
    """Who plays."""

    #: At a desk.
    official: Person
    #: Both on their phones.
    secretary: Person
    buyer: Person
    #: Somebody without an account, on a phone.
    guest: Person
    #: The board in the hall.
    screen: Person


async def step(official: Person, name: str) -> None:
    """Go to one of the meeting's steps, as one who comes to it anew."""
    await official.go("/town/meetings")
    await official.press(TITLE)
    await official.page.get_by_label("对接会的步骤").get_by_role("link", name=re.compile(name)).click()


def label_of(slot: int) -> str:
    """Return when a slot of the meeting is, as its pages write it: from nine on, six before the pause."""
    begins = 9 * 60 + (slot - 1) * 20 + (60 if slot > 6 else 0)
    return "–".join(f"{at // 60:02d}:{at % 60:02d}" for at in (begins, begins + 20))


class Talk(NamedTuple):
    """One talk as the overall timetable draws it."""

    slot: str
    table: str
    buyer: str
    seller: str


async def talks_shown(page: Page) -> list[Talk]:
    """Return every talk of the timetable that is drawn."""
    rows: list[list[str]] = await page.locator(".slots-table").evaluate(
        """(table) => [...table.tBodies[0].rows].flatMap((row) => [...row.querySelectorAll(".talk")].map(
            (talk) => [row.cells[0].textContent.trim(), talk.closest("td").dataset.label,
                       talk.querySelector("b").textContent, talk.querySelector("span").textContent]))"""
    )
    # with many tables they are drawn down the page and the slots across
    return [
        Talk(side, top, buyer, seller) if "桌" in top else Talk(top, side, buyer, seller)
        for side, top, buyer, seller in rows
    ]


async def talks_of(site: Site) -> list[Record]:
    """Return the timetable as the database holds it."""
    return await site.rows(
        """SELECT appointment.id, slot, table_number, fixed, appointment.state, outcome,
                  seller.id AS seller, seller.name AS seller_name, buyer.id AS buyer, buyer.name AS buyer_name
           FROM appointment JOIN organisation seller ON seller.id = appointment.seller
           JOIN organisation buyer ON buyer.id = appointment.buyer
           WHERE slot IS NOT NULL ORDER BY slot, table_number"""
    )


async def wishes_of(site: Site, name: str) -> dict[str, str]:
    """Return whom somebody wants to meet and how much."""
    rows = await site.rows(
        """SELECT other.name, level FROM wish JOIN organisation other ON other.id = about
           JOIN organisation mine ON mine.id = wish.organisation WHERE mine.name = $1""",
        name,
    )
    return {row["name"]: row["level"] for row in rows}


async def download(person: Person, name: str | re.Pattern[str]) -> bytes:
    """Press what gives a file, and return the file."""
    async with person.page.expect_download() as coming:
        await person.press(name)
    return (await (await coming.value).path()).read_bytes()


def pages_of(content: bytes) -> list[str]:
    """Return the words of each page of a PDF, without the spaces and breaks of its layout."""
    return [re.sub(r"\s", "", page.extract_text()) for page in PdfReader(BytesIO(content)).pages]


def word_of(content: bytes) -> str:
    """Return the words of a file for Word, a line for each paragraph and each cell."""
    paper: Any = Document(BytesIO(content))
    cells = [cell.text for table in paper.tables for row in table.rows for cell in row.cells]
    return "\n".join([*(each.text for each in paper.paragraphs), *cells])


async def rows_of(table: Locator) -> list[list[str]]:
    """Return the rows of a table of figures, each label without the small print below it."""
    rows: list[list[str]] = await table.evaluate(
        """(table) => [...table.tBodies[0].rows].map((row) => [...row.cells].map(
            (cell) => cell.firstChild.textContent.trim()))"""
    )
    return rows

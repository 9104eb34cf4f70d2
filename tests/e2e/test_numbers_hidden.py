"""Nobody's telephone number is whole on any page, API answer or file, nor in the server's log.

A walk without a browser, over one page of each kind and everything that it leads to, as each of the
demonstration's people; the story has been told to its end, so that contracts bind and guests are named.
"""

import html
import io
import re
import zipfile
from pathlib import Path

import httpx
import pytest
from pypdf import PdfReader

from tests.e2e.conftest import Site
from tests.e2e.people import PASSWORD
from tests.e2e.walking import kind_of

_NUMBER = re.compile(r"(?<![0-9A-Za-z*])1[3-9][0-9]{9}(?![0-9A-Za-z])")
#: Answers that a walk leaves alone: what it looks like (no words in it), and streams that do not end.
_LEFT = re.compile(r"/assets/|/stream$|/image|/thumb|/sign-out")
_MOST = 45
#: Where numbers are kept: looked at before the rest, by everybody.
_FIRST = ("/", "/deals", "/people", "/my-data", "/cases", "/town/meetings/1/invitations")


@pytest.fixture(scope="module")
def stage() -> str:
    return "met"


def words_of(answer: httpx.Response) -> str:
    """Return the text of a page or file, of what a ZIP or workbook holds as well."""
    kind = answer.headers.get("content-type", "")
    if "pdf" in kind:
        return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(answer.content)).pages)
    if answer.content[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            inside = [archive.read(name) for name in archive.namelist() if name.endswith((".xml", ".json"))]
        return "\n".join(each.decode("utf-8", "replace") for each in inside)
    return html.unescape(answer.text)


async def signed_in(client: httpx.AsyncClient, phone: str) -> None:
    page = await client.get("/sign-in")
    token = re.search(r'name="_csrf" value="([^"]+)"', page.text)
    assert token
    sent = {"_csrf": token[1], "phone": phone, "password": PASSWORD, "next": "/"}
    assert (await client.post("/sign-in", data=sent)).status_code == 303


def api_paths(document: dict[str, dict[str, dict[str, object]]]) -> list[str]:
    """Return every address of the API that can be read, with the first of everything."""
    found = []
    for path, methods in document["paths"].items():
        if "get" in methods:
            found.append(re.sub(r"\{\w+\}", "1", path))
    return found


def logged(home: Path) -> str:
    """Return what this module's server has logged."""
    return next(home.glob("e2e_*test_numbers_hidden.log")).read_text()


async def test_no_page_answer_or_file_shows_anybody_elses_number(site: Site, cluster_home: Path) -> None:
    people = await site.rows(
        """SELECT DISTINCT ON (membership.role) person.phone, membership.role FROM membership
           JOIN person ON person.id = membership.person WHERE person.password_hash IS NOT NULL
             AND membership.role IN ('secretary', 'buyer', 'official', 'auditor')
           ORDER BY membership.role, person.id"""
    )
    numbers = {row["phone"] for row in await site.rows("SELECT phone FROM person")}
    numbers |= {row["phone"] for row in await site.rows("SELECT phone FROM attendee WHERE phone <> ''")}
    assert len(numbers) > 20
    # an office's number, which the town itself writes into its invitations
    office = {row["contact_phone"] for row in await site.rows("SELECT contact_phone FROM meeting")}
    shown: dict[str, list[str]] = {}
    kinds: set[str] = set()
    asked = 0
    for who in (None, *people):
        async with httpx.AsyncClient(base_url=site.address, timeout=30) as client:
            own = set(office)
            if who is not None:
                await signed_in(client, who["phone"])
                own.add(who["phone"])
            document = (await client.get("/api/openapi.json")).json()
            waiting, seen = [*_FIRST, *api_paths(document)], set[str]()
            while waiting:
                path = waiting.pop(0)
                answer = await client.get(path, follow_redirects=True)
                assert answer.status_code < 500, path
                kinds.add(kind_of(path))
                asked += 1
                found = {number for number in _NUMBER.findall(words_of(answer)) if number in numbers} - own
                if found:
                    shown[f"{who and who['role']} {path}"] = sorted(found)
                for link in re.findall(r'href="(/[^"#]*)"', answer.text):
                    link = html.unescape(link)
                    kind = re.sub(r"=[^&]*", "", kind_of(link))
                    if (
                        kind not in seen
                        and len(seen) < _MOST
                        and not _LEFT.search(link)
                        and "lang=" not in link
                    ):
                        seen.add(kind)
                        waiting.append(link)
    assert (shown, asked > 200) == ({}, True)
    assert kinds >= {"/deals/*", "/town/meetings/*/invitations/*", "/my-data", "/cases/*"}
    said = await site.rows(
        "SELECT message::text AS said FROM notice UNION ALL SELECT details::text FROM audit_record"
    )
    assert [row["said"] for row in said if numbers & set(_NUMBER.findall(row["said"]))] == []
    names = {row["name"] for row in await site.rows("SELECT name FROM person")}
    kept = await site.rows("SELECT subject, action, details::text AS said FROM audit_record")
    assert [tuple(row.values()) for row in kept if any(name in row["said"] for name in names)] == []
    assert numbers & set(_NUMBER.findall(logged(cluster_home))) == set()

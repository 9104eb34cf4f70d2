"""Hostile bytes on the wire: the server as ``market serve`` runs it, with nothing in front of it.

Each is refused or does no harm, the server goes on answering everybody else, and its log tells of no failure.
"""

import itertools
import re
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import pytest

from fixtures.factories import Factory
from market.db.embedded import Server
from market.db.session import started_pool
from market.settings import secret_key
from market.web.edge.door import BODY_PAUSE
from tests import databases
from tests.integration.meetings.invited import gathering
from tests.serving import serving

from . import wire_cases as cases
from .conftest import token_of
from .wire import Line, Site, answers_in, check
from .wire_cases import FORM, GET, HOST, POST, SECOND, Case, sized

#: What ``market serve`` gives a connection to say what it wants, and what a slow machine may add to it.
_HEAD = 20
_SLACK = 8
#: Connections that are held open by somebody who says nothing. The server takes about a thousand.
_SILENT = 400


class Held(NamedTuple):
    """Connections that were opened at the beginning, and when."""

    since: float
    silent: list[Line]
    half_a_head: Line
    one_asked_before: Line
    trickles: Line
    half_a_body: Line


@pytest.fixture(scope="module")
async def site(server: Server, cluster_home: Path, worker_id: str) -> AsyncIterator[Site]:
    """A server of this module's own, on a market in which one seller has signed in."""
    template = await databases.ensure_empty_template(server, cluster_home)
    name = f"wire_{worker_id}"
    database = await databases.create_database(server, name, template=template)
    async with started_pool(databases.limits(cluster_home), address=database):
        factory = Factory(seed=1)
        await factory.catalogue()
        calendar = f"/i/{await (await gathering(factory)).buyer.token()}/calendar.ics"
        seller = await factory.member(role="secretary")
        cookie = b"Cookie: market=" + (await token_of(seller)).encode() + b"\r\n"
    log = cluster_home / f"{name}.log"
    environment = databases.environment(database, cluster_home) | {"MARKET_SECRET_KEY": secret_key()}
    with serving(environment, log) as address:
        yield Site(int(address.rpartition(":")[2]), log, cookie, calendar)
    told = log.read_text()
    assert "Traceback" not in told, told
    assert "panicked" not in told, told


@pytest.fixture(scope="module", autouse=True)
def held(site: Site) -> Iterator[Held]:
    """Hold hundreds of connections for the whole of the module: everybody else is served meanwhile."""
    since = time.monotonic()
    lines = [Line(site.port) for _ in range(_SILENT + 4)]
    *silent, half_a_head, one_asked_before, trickles, half_a_body = lines
    half_a_head.say(b"GET /sign-in HTTP/1.1\r\nHost: loc")
    one_asked_before.say(GET + b"\r\n")
    half_a_body.say(POST + b"Content-Length: 100\r\n\r\na=1")
    trickles.say(GET)
    is_over = threading.Event()

    def trickle() -> None:
        while not is_over.wait(0.5) and trickles.say(b"X-A: b\r\n"):
            pass

    trickling = threading.Thread(target=trickle)
    trickling.start()
    yield Held(since, silent, half_a_head, one_asked_before, trickles, half_a_body)
    is_over.set()
    trickling.join()
    for line in lines:
        line.close()


@pytest.fixture(autouse=True)
def goes_on(site: Site) -> Iterator[None]:
    """After each: the next one is served, and the log tells of nothing that happened."""
    before = site.log.read_text()
    yield
    assert site.get("/sign-in").status == 200
    assert site.log.read_text() == before


def statuses(site: Site, case: Case) -> tuple[int, ...]:
    answers = site.ask(case.raw, closes=case.closes, bodiless=case.bodiless)
    return tuple(answer.status for answer in answers)


ALL = (
    *cases.FRAMING,
    *cases.HEADS,
    *cases.HOSTS,
    *cases.TARGETS,
    *cases.BODIES,
    *cases.COOKIES,
)


@pytest.mark.parametrize("case", ALL, ids=[each.name for each in ALL])
def test_bytes(site: Site, case: Case) -> None:
    assert statuses(site, case) == case.answers


@pytest.mark.parametrize("path", cases.OUTSIDE, ids=[each.decode() for each in cases.OUTSIDE])
def test_ways_out_of_the_folder_of_files(site: Site, path: bytes) -> None:
    [answer] = site.ask(cases.target(path))
    assert answer.status == 404
    assert b"def " not in answer.body


def test_lines_in_an_address_stay_in_it(site: Site) -> None:
    """``Location`` carries them written as signs; an address that holds some is no way onward."""
    led = site.get("/selling?a=%0d%0aSet-Cookie:%20evil=1%0d%0a%0d%0a")
    assert led.header("location").startswith("/sign-in?next=%2Fselling%3Fa%3D%250d%250aSet-Cookie")
    for onward in ("/%0d%0aSet-Cookie:%20evil=1", "%0d%0a//evil.example", "/%5cevil.example"):
        answer = site.get(f"/sign-in?next={onward}", site.cookie.rstrip())
        assert (answer.status, answer.header("location")) == (303, "/")
    chosen = site.get("/sign-in?lang=en%0d%0aX-Evil:%201")
    assert "lang=" not in str(chosen.headers)


@pytest.mark.parametrize("date", ["+99999999999999999", "-9999", "+0000 +0000", "\xff", ""])
def test_days_that_are_none(site: Site, date: str) -> None:
    """A calendar is sent anew to who says of his copy what no clock shows."""
    given = f"If-Modified-Since: Mon, 01 Jan 2026 00:00:00 {date}".encode("latin-1")
    answer = site.get(site.calendar, given)
    assert (answer.status, answer.header("content-type")) == (200, "text/calendar; charset=utf-8")
    assert re.fullmatch(r'attachment; filename="meeting-\d+\.ics"', answer.header("content-disposition"))


def csrf(site: Site) -> bytes:
    page = site.get("/organisation", site.cookie.rstrip())
    found = re.search(rb'name="_csrf" value="([^"]+)"', page.body)
    assert found, page
    return found[1]


def test_the_name_of_a_file_stays_in_its_quotes(site: Site) -> None:
    """A scan is handed out under the name that it came with, in one header and no more."""
    name = 'filename="a%0D%0ASet-Cookie: evil=1%22;花.pdf"'.encode()
    fields = {b"_csrf": csrf(site), b"key": str(uuid4()).encode(), b"words": b"a"}
    body = b"".join(
        b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % pair for pair in fields.items()
    )
    body += b'--x\r\nContent-Disposition: form-data; name="papers"; ' + name + b"\r\n\r\n%PDF-1\r\n--x--\r\n"
    head = b"POST /organisation/evidence HTTP/1.1\r\n" + HOST + site.cookie
    [sent] = site.ask(sized(head + b"Content-Type: multipart/form-data; boundary=x\r\n", body))
    assert (sent.status, sent.header("location")) == (303, "/organisation")
    [paper] = re.findall(
        rb'href="(/organisation/papers/\d+)"', site.get("/organisation", site.cookie.rstrip()).body
    )
    scan = site.get(paper.decode(), site.cookie.rstrip())
    assert (scan.status, scan.body) == (200, b"%PDF-1")
    assert (
        scan.header("content-disposition")
        == "attachment; filename*=UTF-8''aSet-Cookie%3A%20evil%3D1%22%3B%E8%8A%B1.pdf"
    )


@pytest.mark.parametrize("charset", [b"nonsense", b"rot13", b"utf-8"])
def test_a_form_that_nobody_can_read_is_refused_behind_a_token_too(site: Site, charset: bytes) -> None:
    token = b"X-CSRF-Token: " + csrf(site) + b"\r\n"
    head = b"POST /account/language HTTP/1.1\r\n" + HOST + site.cookie + token
    body = b'--x\r\nContent-Disposition: form-data; name="language"\r\nContent-Type: text/plain; charset='
    body += charset + b"\r\n\r\n\xff\r\n--x--\r\n"
    [answer] = site.ask(sized(head + b"Content-Type: multipart/form-data; boundary=x\r\n", body))
    assert answer.status == 403


def test_a_connection_lends_nobodys_rights(site: Site) -> None:
    """Each request is answered by its own cookie, whatever stood before it on the same line."""
    mine = b"GET /account HTTP/1.1\r\n" + HOST + site.cookie + b"\r\n"
    guests = b"GET /account HTTP/1.1\r\n" + HOST + b"\r\n"
    told = site.ask(mine + guests + mine + guests + guests + mine)
    assert [each.status for each in told] == [200, 303, 200, 303, 303, 200]
    assert {each.header("location") for each in told if each.status == 303} == {"/sign-in?next=%2Faccount"}


def test_a_request_inside_another_is_never_run(site: Site) -> None:
    """The inner one would end the session, and carries all that it needs for it."""
    out = sized(b"POST /sign-out HTTP/1.1\r\n" + HOST + FORM + site.cookie, b"_csrf=" + csrf(site))
    both = b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" % (len(out) + 5)
    two = b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(out)
    for answers, closes, raw in (
        ([303], False, sized(GET + site.cookie, out)),
        ([404], False, sized(POST.replace(b"/sign-in", b"/nowhere") + site.cookie, out)),
        ([403], False, sized(POST + site.cookie, out)),
        ([421], False, sized(POST.replace(b"localhost", b"evil.example") + site.cookie, out)),
        ([403], True, POST + site.cookie + both + out),
        ([400], True, POST + site.cookie + two + out),
        ([400], True, POST + b"Transfer-Encoding: chunked\r\n\r\nx\r\n\r\n" + out),
        ([400], True, GET + b"X-A: b\r\n " + out),
    ):
        assert [each.status for each in site.ask(raw, closes=closes)] == answers, raw
    assert site.get("/account", site.cookie.rstrip()).status == 200


@pytest.mark.parametrize(
    ("before", "after", "status"),
    [(b"a; ", b"", 200), (b"", b"; market=a", 303)],
    ids=["own-last", "own-first"],
)
def test_of_two_session_cookies_the_last_counts(site: Site, before: bytes, after: bytes, status: int) -> None:
    name, own = site.cookie.rstrip().split(b"=", 1)
    both = name + b"=" + (before + b"market=" if before else b"") + own + after
    assert site.get("/account", both).status == status


def test_a_stranger_is_no_proxy(site: Site) -> None:
    """What only a proxy may say changes nothing: neither whose tries are counted nor what is written."""
    said = [
        *(b"X-Forwarded-Host: evil.example", b"X-Forwarded-Proto: gopher", b"X-Original-URL: /account"),
        *(b"Forwarded: for=evil.example;host=evil.example", b"X-Request-ID: forged-0123456789"),
    ]
    answer = site.get("/account", *said)
    assert (answer.status, answer.header("location")) == (303, "/sign-in?next=%2Faccount")
    assert "forged" not in answer.header("x-request-id")
    assert b"evil" not in site.get("/sign-in", *said).body
    tries = b"".join(
        b"GET /i/wrong%d HTTP/1.1\r\nX-Forwarded-For: 198.51.100.%d\r\n" % (n, n) + HOST + b"\r\n"
        for n in range(32)
    )
    assert [each.status for each in site.ask(tries)] == [404] * 30 + [429] * 2


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (POST + b"Content-Length: 100\r\n\r\na=1", 400),
        (cases.CHUNKED + b"3\r\na=1\r\n", 400),
        (cases.API + b'Content-Length: 100\r\n\r\n{"a', 400),
        (
            POST.replace(FORM, b"Content-Type: multipart/form-data; boundary=x\r\n")
            + b"Content-Length: 9\r\n\r\n--x",
            400,
        ),
        (GET + b"Content-Length: 100\r\n\r\na=1", 200),
    ],
    ids=["form", "chunks", "api", "parts", "get"],
)
def test_a_body_that_breaks_off(site: Site, raw: bytes, status: int) -> None:
    """Told to who still listens; who has gone is no failure of the site's."""
    with site.line() as line:
        line.say(raw)
        line.stop()
        [answer] = answers_in(line.heard())
    check(answer)
    assert answer.status == status
    with site.line() as line:
        line.say(raw)


_PARTS = b"Content-Type: multipart/form-data; boundary=x\r\n"
#: A part of a form begins in its first chunk, and never ends.
_BEGUN = b'40\r\n--x\r\nContent-Disposition: form-data; name="a"; filename="aa"\r\n\r\n\r\n'
_ENDLESS = {
    "form": (b"POST /sign-in", FORM, b"", 413),
    "parts": (b"POST /sign-in", _PARTS, _BEGUN, 413),
    "parts-none": (b"POST /sign-in", _PARTS, b"", 413),
    "api": (b"POST /api/v1/sign-in", b"Content-Type: application/json\r\n", b"", 413),
    "unknown-page": (b"POST /nowhere", FORM, b"", 404),
    "get": (b"GET /sign-in", b"", b"", 200),
}


@pytest.mark.parametrize("name", _ENDLESS)
def test_a_body_without_end_is_cut_off(site: Site, name: str) -> None:
    """Long before 200 MB of it were taken."""
    asked, kind, begun, status = _ENDLESS[name]
    head = asked + b" HTTP/1.1\r\n" + HOST + kind + b"Transfer-Encoding: chunked\r\n\r\n"
    piece = b"10000\r\n" + b"a" * 65_536 + b"\r\n"
    with site.line() as line:
        assert not line.pour(itertools.chain([head, begun], itertools.repeat(piece, 3_000)))
        [answer] = answers_in(line.heard())
    check(answer)
    assert answer.status == status


def test_a_body_that_is_waited_for(site: Site) -> None:
    """Who asks first is told to go on, and is not held to it."""
    with site.line() as line:
        line.say(sized(POST + b"Expect: 100-continue\r\n", b"")[:-5] + b"9\r\n\r\n")
        assert line.hear(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
    with site.line() as line:
        line.say(GET + b"Expect: 100-continue\r\nContent-Length: 9\r\n\r\n")
        [answer] = answers_in(line.heard())
    assert answer.status == 200


def test_who_asks_and_never_listens(site: Site) -> None:
    """The server stops reading what such a one asks, and goes on with the others."""
    lines = [Line(site.port) for _ in range(8)]
    try:
        for line in lines:
            assert not line.pour(itertools.repeat(SECOND * 1_000, 200), patience=0.3)
        assert site.get("/sign-in").status == 200
    finally:
        for line in lines:
            line.close()


def test_hundreds_who_say_nothing_shut_nobody_out(site: Site, held: Held) -> None:
    """The last test: by now each has had its time, and is gone."""
    for line in (held.half_a_head, held.silent[0], held.silent[-1], held.trickles):
        assert line.heard(until=held.since + _HEAD + _SLACK) == b""
    assert not any(line.is_open() for line in held.silent)
    [before] = answers_in(held.one_asked_before.heard())
    assert before.status == 200
    [late] = answers_in(held.half_a_body.heard(until=held.since + BODY_PAUSE + _SLACK))
    check(late)
    assert late.status == 408

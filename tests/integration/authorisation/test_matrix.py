"""Who may, of what is whose: every route of the site and the API, tried by everybody.

The table (``table.py``, ``pages.txt``, ``api.txt``) says it of each route; a route without a line fails here,
and a line without a route. From the table follow the requests that have to be refused: all of them are sent,
and not a single row may change. What may be read is read by one person of each side that may: a route that
refused everybody would pass otherwise.
"""

import base64
import re
from collections.abc import Iterator
from typing import Any, cast

import httpx
import msgspec
import pytest
from litestar import Litestar

from market.accounts.tokens import READ, SESSION_ONLY
from market.app import create_app
from market.db.session import fetch, fetch_value
from market.web import cookies
from market.web.cookies import Edge
from market.web.csrf import HEADER, SESSION
from tests.integration.authorisation.bodies import body_for, choices_of
from tests.integration.authorisation.scene import Caller, Scene, session_of
from tests.integration.authorisation.table import Entry, entries

_SECRET = b"k" * 32
_HERE = "tests/integration/authorisation/"
#: Nobody has so high a number.
_NOWHERE = 987_654_321
#: So many lines of what may be read have nothing sound in the scene.
_ABSENT_AT_MOST = 6
SIGN_IN, FORBIDDEN, NOT_FOUND, IN = "sign-in", "403", "404", "in"


@pytest.fixture(scope="module")
def app() -> Litestar:
    return create_app(edge=Edge(secret=_SECRET, secure=False), lifespan=[])


def routes_of(app: Litestar) -> Iterator[str]:
    """Name every address with its method, as the application has them."""
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            for method in getattr(handler, "http_methods", ()):
                if method not in ("OPTIONS", "HEAD"):
                    yield f"{method} {route.path}"


def test_every_route_has_a_line_and_every_line_a_route(app: Litestar) -> None:
    there, told = set(routes_of(app)), {entry.name: entry for entry in entries()}
    missing = [
        f"{name}: say in {_HERE}{'api' if ' /api' in name else 'pages'}.txt who may, and whose it is"
        for name in sorted(there - told.keys())
    ]
    gone = [f"{_HERE}{told[name].where}: there is no {name} any more" for name in sorted(told.keys() - there)]
    assert missing + gone == [], "\n".join(missing + gone)


def expected(entry: Entry, caller: Caller | None) -> str:
    """Return what the table has somebody answered."""
    if caller is None:
        return IN if entry.is_open else SIGN_IN
    if caller.scopes is not None and not entry.is_api:
        return IN if entry.is_open else SIGN_IN
    if caller.scopes is not None and _scope(entry) not in caller.scopes and not entry.is_open:
        return FORBIDDEN
    if caller.delegation is not None and _is_beyond_agents(entry):
        return FORBIDDEN
    if not entry.who & caller.says or ("binds" in entry.marks and caller.is_suspended):
        return FORBIDDEN
    if entry.whose and not caller.homes & entry.whose:
        return NOT_FOUND
    return IN


def _scope(entry: Entry) -> str:
    """Return what a token has to be made for."""
    scope = entry.given.get("scope", "")
    return READ if entry.method == "GET" and scope != SESSION_ONLY else scope


def _is_beyond_agents(entry: Entry) -> bool:
    """Whether the scene's agent, whose principal named what goes with ``list``, is kept out."""
    if entry.path.startswith(("/account", "/sign-out", "/delegations/stop")):
        return False
    return "names" in entry.marks if entry.method == "GET" else entry.given.get("agent") != "list"


class Trial:
    """The requests of the table, and where the answers differ from it."""

    def __init__(self, client: httpx.AsyncClient, scene: Scene, document: dict[str, Any]) -> None:
        self.client, self.scene, self.document = client, scene, document
        self.faults: list[str] = []
        self.sent = 0

    def address(self, entry: Entry, *, nowhere: bool = False) -> str:
        """Fill the address in with what the scene has, or with what nobody has."""

        def part(found: re.Match[str]) -> str:
            name, kind = found[1], found[2]
            if nowhere and kind == "int":
                return str(_NOWHERE)
            if nowhere and name == "mark":
                return "nobody-s"
            if name in entry.given:
                given = entry.given[name]
                return str(self.scene.things[given[1:]]) if given.startswith("@") else given
            return str(choices.get(name) or self.scene.things[name])

        choices = choices_of(self.document, entry.path) if entry.is_api else {}

        return re.sub(r"{(\w+):(\w+)}", part, entry.path)

    async def ask(self, entry: Entry, key: str, *, nowhere: bool = False) -> httpx.Response:
        """Send the request of one line as one person."""
        headers: dict[str, str] = {}
        body: dict[str, Any] = {}
        if entry.is_api:
            if key:
                headers["authorization"] = f"Bearer {key}"
            if entry.method == "POST":
                body["content"] = msgspec.json.encode(body_for(self.document, entry.path, self.scene.things))
        else:
            if key:
                headers["cookie"] = f"{SESSION}={key}"
            else:
                headers["cookie"] = "visit=somebody"
            if entry.method == "POST":
                headers[HEADER] = _token(key or "somebody")
                fields = {
                    name: value for name, value in entry.given.items() if f"{{{name}:" not in entry.path
                }
                body["data"] = fields
        self.sent += 1
        path = self.address(entry, nowhere=nowhere)
        return await self.client.request(entry.method, path, headers=headers, **body)

    def judge(self, entry: Entry, caller: Caller | None, wanted: str, answer: httpx.Response) -> None:
        if not _is(wanted, entry, answer):
            who = caller.name if caller else "visitor"
            told = f"{answer.status_code} {answer.headers.get('location', '')}"
            self.faults.append(
                f"{entry.where} {entry.name}: {who} should be answered {wanted}, and is {told}"
            )


def _token(bond: str) -> str:
    true = cookies.digest(_SECRET, "csrf", bond).encode()
    return base64.urlsafe_b64encode(bytes(len(true)) + true).decode()


def _is(wanted: str, entry: Entry, answer: httpx.Response) -> bool:
    status = answer.status_code
    to_sign_in = status == 303 and answer.headers["location"].startswith("/sign-in")
    if wanted == SIGN_IN:
        return status == 401 if entry.is_api else to_sign_in
    if wanted == IN and "absent" in entry.marks:
        # a line that has become sound loses its mark
        return to_sign_in or status in (404, 409, 422)
    if wanted == IN:
        return status in (200, 303) and not to_sign_in
    return str(status) == wanted


@pytest.fixture(scope="module")
async def trial(app: Litestar, scene: Scene) -> Any:
    transport = httpx.ASGITransport(app=cast(Any, app), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://market.test") as client:
        document = (await client.get("/api/openapi.json")).json()
        yield Trial(client, scene, document)


async def _digest() -> dict[str, str]:
    """Return a digest of each table, of all but those that every request may touch."""
    untouched = {"session", "api_token", "tries", "replay"}
    names = [
        row["tablename"] for row in await fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    ]
    return {
        name: await fetch_value(
            f"""SELECT count(*) || ' ' || coalesce(sum(hashtext(it::text)), 0) FROM "{name}" it"""
        )
        for name in names
        if name not in untouched and name != "division"
    }


async def test_nobody_gets_in_where_they_do_not_belong(trial: Trial) -> None:
    trial.faults.clear()
    before = await _digest()
    table = entries()
    for caller in [None, *trial.scene.callers]:
        key = await session_of(caller) if caller else ""
        for entry in table:
            wanted = expected(entry, caller)
            if wanted != IN:
                answer = await trial.ask(entry, key)
                if wanted == NOT_FOUND and "input" in entry.marks and answer.status_code == 422:
                    # no more is told of what is there than of what is not
                    answer = await trial.ask(entry, key, nowhere=True)
                    wanted = "422"
                trial.judge(entry, caller, wanted, answer)
    after = await _digest()
    changed = [name for name in before if before[name] != after[name]]
    assert trial.faults + [f"refused requests changed {name}" for name in changed] == []


def rightful(entry: Entry, callers: list[Caller]) -> list[Caller | None]:
    """Return one person of each organisation, or of each side and role, that a line lets in."""
    if entry.is_open:
        return [None]
    found: list[Caller | None] = []
    for name in sorted(entry.whose or entry.who):
        for caller in callers:
            says = caller.homes if entry.whose else caller.says
            if name in says and expected(entry, caller) == IN:
                if caller not in found:
                    found.append(caller)
                break
    return found


async def test_who_may_read_is_shown_it(trial: Trial) -> None:
    trial.faults.clear()
    keys = {caller.name: await session_of(caller) for caller in trial.scene.callers}
    table = [entry for entry in entries() if entry.method == "GET" and "long" not in entry.marks]
    for entry in table:
        callers = rightful(entry, trial.scene.callers)
        assert callers, f"{entry.where} lets nobody of the scene in"
        for caller in callers:
            answer = await trial.ask(entry, keys[caller.name] if caller else "")
            trial.judge(entry, caller, IN, answer)
    assert not trial.faults, "\n".join(trial.faults)
    assert sum("absent" in entry.marks for entry in table) <= _ABSENT_AT_MOST

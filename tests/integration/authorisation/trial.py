"""The requests of the table, sent as the people of the scene, and what the table has them answered."""

import base64
import re
from collections.abc import Iterable, Mapping
from typing import Any

import httpx
import msgspec

from market.accounts.tokens import READ, SESSION_ONLY
from market.db.session import fetch, fetch_value
from market.web.edge import cookies
from market.web.edge.csrf import HEADER, SESSION
from tests.integration.authorisation.bodies import body_for, choices_of
from tests.integration.authorisation.scene import Caller, Scene
from tests.integration.authorisation.table import Entry

SECRET = b"k" * 32
#: Nobody has so high a number.
_NOWHERE = 987_654_321
#: The key that a page was drawn with.
_KEY = "11111111-1111-4111-8111-111111111111"
#: Tables that every request may write in.
UNTOUCHED = frozenset({"session", "api_token", "tries", "replay"})
SIGN_IN, FORBIDDEN, NOT_FOUND, IN = "sign-in", "403", "404", "in"


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

    def given(self, text: str) -> Any:
        """Return what a line gives: ``@name`` is a thing of the scene."""
        return self.scene.things[text[1:]] if text.startswith("@") else text

    def parts(self, entry: Entry) -> dict[str, Any]:
        """Return what the scene has, with what stands in the address of a line instead."""
        every = choices_of(self.document, entry.path) if entry.is_api else {}
        choices = {name: choices[0] for name, choices in every.items()}
        given = {name: self.given(text) for name, text in entry.given.items()}
        return self.scene.things | choices | given

    def address(self, entry: Entry, *, nowhere: bool = False) -> str:
        """Fill the address in with what the scene has, or with what nobody has."""

        def part(found: re.Match[str]) -> str:
            name, kind = found[1], found[2]
            if nowhere and kind == "int":
                return str(_NOWHERE)
            if nowhere and name == "mark":
                return "nobody-s"
            return str(parts[name])

        parts = self.parts(entry)
        return re.sub(r"{(\w+):(\w+)}", part, entry.path)

    async def ask(
        self,
        entry: Entry,
        key: str,
        *,
        nowhere: bool = False,
        drawn: Mapping[str, list[str]] | None = None,
    ) -> httpx.Response:
        """Send the request of one line as one person; ``drawn`` stood in its form before."""
        headers: dict[str, str] = {}
        body: dict[str, Any] = {}
        fields = {name: self.given(value) for name, value in entry.fields.items()}
        if entry.is_api:
            if key:
                headers["authorization"] = f"Bearer {key}"
            if entry.method == "POST":
                body["content"] = msgspec.json.encode(
                    body_for(self.document, entry.path, self.scene.things, fields)
                )
        else:
            if key:
                headers["cookie"] = f"{SESSION}={key}"
            else:
                headers["cookie"] = "visit=somebody"
            if entry.method == "POST":
                headers[HEADER] = _token(key or "somebody")
                keyed = {} if drawn or "keyless" in entry.marks else {"key": _KEY}
                files = {name: value for name, value in fields.items() if isinstance(value, bytes)}
                body["data"] = {
                    name: value
                    for name, value in {**keyed, **(drawn or {}), **fields}.items()
                    if name not in files
                }
                if files:
                    body["files"] = {name: (f"{name}.pdf", content) for name, content in files.items()}
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
    true = cookies.digest(SECRET, "csrf", bond).encode()
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


async def digest(names: Iterable[str] = ()) -> dict[str, str]:
    """Return a digest of each table, of all but those that every request may touch."""
    names = names or [
        row["tablename"]
        for row in await fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        if row["tablename"] not in UNTOUCHED | {"division"}
    ]
    return {
        name: await fetch_value(
            f"""SELECT count(*) || ' ' || coalesce(sum(hashtext(it::text)), 0) FROM "{name}" it"""
        )
        for name in names
    }

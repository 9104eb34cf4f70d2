"""Who may, of what is whose: every route of the site and the API, tried by everybody.

The table (``table.py``, ``pages.txt``, ``api.txt``) says it of each route; a route without a line fails here,
and a line without a route. From the table follow the requests that have to be refused: all of them are sent,
and not a single row may change. What may be read is read by one person of each side that may: a route that
refused everybody would pass otherwise.
"""

from collections.abc import Iterator

from litestar import Litestar

from market.accounts.rules import token_hash
from market.accounts.viewers import viewer_of
from market.db.session import fetch
from market.notices.readers import hearing
from market.web.edge.csrf import SESSION
from tests.integration.authorisation.scene import Caller, session_of
from tests.integration.authorisation.table import entries
from tests.integration.authorisation.trial import IN, NOT_FOUND, Trial, digest, expected, rightful

_HERE = "tests/integration/authorisation/"
#: So many lines of what may be read have nothing sound in the scene.
_ABSENT_AT_MOST = 6


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


async def test_nobody_gets_in_where_they_do_not_belong(trial: Trial) -> None:
    trial.faults.clear()
    before = await digest()
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
    after = await digest()
    changed = [name for name in before if before[name] != after[name]]
    assert trial.faults + [f"refused requests changed {name}" for name in changed] == []


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


async def _members(organisation: int) -> list[Caller]:
    rows = await fetch(
        """SELECT membership.person, array_agg(role) AS roles FROM membership
           JOIN person ON person.id = membership.person AND person.active
           WHERE organisation = $1 GROUP BY membership.person ORDER BY membership.person""",
        organisation,
    )
    return [Caller("", row["person"], organisation, frozenset(row["roles"])) for row in rows]


async def _followed(trial: Trial, address: str, key: str) -> str:
    """Return what somebody is answered where the address leads in the end."""
    for _ in range(4):
        answer = await trial.client.get(address, headers={"cookie": f"{SESSION}={key}"})
        address = answer.headers.get("location", "")
        if not address or address.startswith("/sign-in"):
            break
    return address or str(answer.status_code)


async def test_whom_a_notice_reaches_is_shown_what_it_leads_to(trial: Trial) -> None:
    newest = await fetch(
        """SELECT DISTINCT ON (notice.kind, organisation.kind) notice.id, notice.kind, notice.link,
                  notice.organisation
           FROM notice JOIN organisation ON organisation.id = notice.organisation
           ORDER BY notice.kind, organisation.kind, notice.id DESC"""
    )
    assert len({row["kind"] for row in newest}) >= 15
    faults, answers = [], {200: 0, 404: 0}
    for row in newest:
        for member in await _members(row["organisation"]):
            key = await session_of(member)
            viewer = await viewer_of(token_hash(key))
            assert viewer is not None
            wanted = 404 if row["kind"] in hearing(viewer).unheard else 200
            answers[wanted] += 1
            told = await _followed(trial, f"/notices/{row['id']}", key)
            if told != str(wanted):
                who = f"{sorted(member.roles)} of {row['organisation']}"
                faults.append(f"{row['kind']}: {who} is answered {told} at {row['link']}")
    assert not faults, "\n".join(faults)
    assert all(answers.values())

"""Who may, of what is whose: every route of the site and the API, tried by everybody.

The table (``table.py``, ``pages.txt``, ``api.txt``) says it of each route; a route without a line fails here,
and a line without a route. From the table follow the requests that have to be refused: all of them are sent,
and not a single row may change. What may be read is read by one person of each side that may: a route that
refused everybody would pass otherwise.
"""

from collections.abc import Iterator

from litestar import Litestar

from tests.integration.authorisation.scene import session_of
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

"""The authorisation table: one line for each route, in ``pages.txt`` and ``api.txt``.

    METHOD /path | who | whose | further

``who``: ``all`` (nobody needs to sign in), ``link`` (whoever holds the secret link), ``signed`` (anybody who
has signed in), or names of sides and roles, as ``seller,buyer``. Everybody else is answered 403.
``whose``: the organisations of the scene that the thing in the address is open to, as ``seller,buyer``, or
one role in one of them, as ``town/official``; ``-`` where the address names no thing, a public one, or one
that only its owner's row answers to. Everybody else is answered 404.
``further``: ``name=value`` for parts of the address and fields of the form (``@name``: a thing of the scene),
and besides

* ``scope=``: what an API token has to be made for (to read, ``read`` is enough; ``session``: no token may);
* ``agent=``: the deed of ``accounts.rules.DEEDS`` that lets an agent post this; without it: 403;
* ``names``: shows people by name, which is closed to agents;
* ``binds``: who is suspended is answered 403 before anything is looked for;
* ``absent``: the scene has nothing sound at this address, so that nobody is shown it;
* ``long``: an answer without an end, or of many seconds; nobody is sent there who would get it;
* ``input``: the form is read first: a stranger may be answered 422, as of a thing that does not exist.
"""

from pathlib import Path

import msgspec

FILES = ("pages.txt", "api.txt")
_HERE = Path(__file__).parent


class Entry(msgspec.Struct, frozen=True):
    """What the table says of one route. ``where``: file and line, for whoever reads a failure."""

    method: str
    path: str
    who: frozenset[str]
    whose: frozenset[str]
    given: dict[str, str]
    marks: frozenset[str]
    where: str

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_open(self) -> bool:
        return bool(self.who & {"all", "link"})

    @property
    def is_api(self) -> bool:
        return self.path.startswith("/api")


def entries() -> list[Entry]:
    """Return the whole table.

    Raises:
        ValueError: a line does not have four columns, or names a route that has a line already.
    """
    found: dict[str, Entry] = {}
    for name in FILES:
        for number, line in enumerate((_HERE / name).read_text().splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            where = f"{name}:{number}"
            columns = [column.strip() for column in line.split("|")]
            if len(columns) != 4:
                raise ValueError(f"{where}: four columns are wanted")
            entry = _entry(*columns, where=where)
            if entry.name in found:
                raise ValueError(f"{where}: {entry.name} has a line already, {found[entry.name].where}")
            found[entry.name] = entry
    return list(found.values())


def _entry(route: str, who: str, whose: str, further: str, *, where: str) -> Entry:
    method, _, path = route.partition(" ")
    parts = further.split()
    return Entry(
        method,
        path,
        _names(who),
        _names(whose),
        dict(part.split("=", 1) for part in parts if "=" in part),
        frozenset(part for part in parts if "=" not in part),
        where,
    )


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(",")) - {"-", ""}

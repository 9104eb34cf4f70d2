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

A post whose address names a thing with a life (``lives.py``) says of each such thing when it is open:

* ``bid.accept``: it is that move of it, open in the states that the move leads out of;
* ``contract:active``: it is no move of it, and open in these states (with commas between them);
* ``meeting:any``: in whatever state the thing is;
* ``share=@joined_share``: which one it is, where another thing is needed than those in the address.

In every other state of the thing, whoever may is answered 409, but for what the line says besides:

* ``twice``, ``twice=buyer``: in the state that the move leads to, a page takes it as pressed twice, of
  everybody or of this side: nothing is done, and its place is shown again; ``done=contract:active@buyer``
  names such states, of everybody or of this side;
* ``unseen=listing:draft,breach:draft@seller``: in these states nobody, or not this side, is told that there
  is such a thing: 404;
* ``never=town:403,seller:404``: whom something else than the state keeps from it, and how;
* ``only=buyer``: as these it is tried, as the others in another way;
* ``keyless``: the form has no key;
* ``unproven``: it is not shown to be done where it is open, for a reason that stands beside it;
* ``drawn``: the form is sent as its page, at the same address, draws it where it is open, with what is given.

A line below it that is indented is the same post in another way: ``further`` again, for what differs. What
the line itself says of states then holds for each of the ways.
"""

import re
from pathlib import Path

import msgspec

#: What is given by name and stands in no address and no form.
_KEPT = frozenset({"scope", "agent", "twice", "done", "unseen", "never", "only"})
FILES = ("pages.txt", "api.txt")
_HERE = Path(__file__).parent
_NEED = re.compile(r"(\w+)([.:][\w,]+)")


class Entry(msgspec.Struct, frozen=True):
    """What the table says of one route. ``where``: file and line, for whoever reads a failure."""

    method: str
    path: str
    who: frozenset[str]
    whose: frozenset[str]
    given: dict[str, str]
    marks: frozenset[str]
    where: str
    #: Name of a thing with a life -> its move (``.accept``) or its states (``:active``).
    needs: dict[str, str] = {}
    #: The lines below, each as an entry of its own.
    ways: tuple["Entry", ...] = ()

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_open(self) -> bool:
        return bool(self.who & {"all", "link"})

    @property
    def fields(self) -> dict[str, str]:
        """What is given for the form or the body."""
        return {
            name: value
            for name, value in self.given.items()
            if name not in _KEPT and name not in self.needs and f"{{{name}:" not in self.path
        }

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
        last = ""
        for number, line in enumerate((_HERE / name).read_text().splitlines(), 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            where = f"{name}:{number}"
            if line.startswith(" "):
                if not last:
                    raise ValueError(f"{where}: a way of no line")
                found[last] = _with_way(found[last], line, where)
                continue
            columns = [column.strip() for column in line.split("|")]
            if len(columns) != 4:
                raise ValueError(f"{where}: four columns are wanted")
            entry = _entry(*columns, where=where)
            if entry.name in found:
                raise ValueError(f"{where}: {entry.name} has a line already, {found[entry.name].where}")
            found[entry.name], last = entry, entry.name
    return list(found.values())


def _entry(route: str, who: str, whose: str, further: str, *, where: str) -> Entry:
    method, _, path = route.partition(" ")
    given, marks, needs = _further(further)
    return Entry(method, path, _names(who), _names(whose), given, marks, where, needs)


def _with_way(entry: Entry, further: str, where: str) -> Entry:
    given, marks, needs = _further(further)
    way = msgspec.structs.replace(
        entry,
        given=entry.given | given,
        marks=entry.marks | marks,
        needs=entry.needs | needs,
        where=where,
        ways=(),
    )
    return msgspec.structs.replace(entry, ways=(*entry.ways, way))


def _further(text: str) -> tuple[dict[str, str], frozenset[str], dict[str, str]]:
    given: dict[str, str] = {}
    marks: set[str] = set()
    needs: dict[str, str] = {}
    for part in text.split():
        if "=" in part:
            name, value = part.split("=", 1)
            given[name] = value
        elif found := _NEED.fullmatch(part):
            needs[found[1]] = found[2]
        else:
            marks.add(part)
    return given, frozenset(marks), needs


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(",")) - {"-", ""}

"""In which state: every post on a thing with a life, tried in each state in which it is not open.

The table says of each post what state it needs of the things that its address names (``table.py``); one that
says nothing fails here. Each request stands in a transaction of its own that is rolled back: the thing is put
into the state there, the answer has to be a conflict, and nothing may have been written.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping

import httpx
import msgspec
import pytest

from market.db.session import fetch, transaction
from market.meetings.day import replanning
from tests.forms import filled_in
from tests.integration.authorisation.bodies import choices_of
from tests.integration.authorisation.lives import ANY, LIVES, Life, faults_of, named_in
from tests.integration.authorisation.scene import Caller, session_of
from tests.integration.authorisation.table import Entry, entries
from tests.integration.authorisation.trial import UNTOUCHED, Trial, digest, rightful

#: So many lines are not shown to be done.
_UNPROVEN_AT_MOST = 1
_CONFLICT, _TWICE, _UNSEEN = "409", "303", "404"


class Case(msgspec.Struct, frozen=True):
    """One request: ``way`` as ``caller``, while the thing called ``name`` is in ``state``."""

    way: Entry
    caller: Caller | None
    name: str
    state: str
    wanted: str

    def __str__(self) -> str:
        who = self.caller.name if self.caller else "visitor"
        return f"{self.way.where} {self.way.name} as {who}, {self.name} is {self.state}"


def role_of(caller: Caller | None) -> str:
    return caller.home if caller else ""


def told_of(way: Entry, name: str) -> dict[str, str]:
    """Return what a line gives as ``name=key:value,key:value``."""
    pairs = [pair.partition(":") for pair in way.given.get(name, "").split(",") if pair]
    return {key: value for key, _, value in pairs}


def lines() -> list[Entry]:
    """Return the ways of every post, and of every form, that needs a state."""
    return [
        way
        for entry in entries()
        for way in entry.ways or (entry,)
        if any(need != ANY for need in way.needs.values())
    ]


def doers(way: Entry, callers: list[Caller]) -> list[Caller | None]:
    """Return one person of each side that a line lets in, of those alone that it is a way for."""
    only = way.given.get("only")
    return [each for each in rightful(way, callers) if only is None or role_of(each) in only.split(",")]


def cases(way: Entry, callers: list[Caller]) -> Iterator[Case]:
    """Return what has to be refused of one line, in every state and to everybody who may otherwise."""
    for caller in doers(way, callers):
        role = role_of(caller)
        usual = {name: open_state(LIVES[name], need, role) for name, need in way.needs.items() if need != ANY}
        for name in usual:
            life = LIVES[name]
            for state in sorted(life.cycle.states - life.open_in(way.needs[name], role)):
                yield Case(way, caller, name, state, _wanted(way, role, name, usual | {name: state}))


def _wanted(way: Entry, role: str, name: str, states: dict[str, str]) -> str:
    """Return how a line has it answered that the thing called ``name`` is in the wrong one of ``states``."""
    if _is_told(way, "unseen", role, states):
        return _UNSEEN
    never = told_of(way, "never")
    if role in never:
        return never[role]
    is_twice = "twice" in way.marks or (bool(role) and role in way.given.get("twice", "").split(","))
    if is_twice and states[name] in LIVES[name].leads_to(way.needs[name]):
        return _TWICE
    return _TWICE if _is_told(way, "done", role, {name: states[name]}) else _CONFLICT


def _is_told(way: Entry, what: str, role: str, states: dict[str, str]) -> bool:
    """Whether a line names one of ``states``, of everybody or of this side."""
    told = way.given.get(what, "").split(",")
    return any(f"{name}:{state}{side}" in told for name, state in states.items() for side in ("", f"@{role}"))


class States:
    """Requests in a transaction of their own, with the things of the scene put into states."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.keys: dict[str, str] = {}
        self.drawn: dict[str, dict[str, list[str]]] = {}

    async def key_of(self, caller: Caller | None) -> str:
        if caller is None:
            return ""
        if caller.name not in self.keys:
            self.keys[caller.name] = await session_of(caller)
        return self.keys[caller.name]

    async def tried(
        self, way: Entry, caller: Caller | None, **states: str
    ) -> tuple[httpx.Response, list[str]]:
        """Return the answer while what a line needs is in ``states``, the rest where it is open; and the
        tables that it wrote in, for a while at least."""
        return await self._ask(way, caller, states, _written)

    async def refused(self, case: Case) -> tuple[httpx.Response, list[str]]:
        """Return the answer to what has to be refused, and the tables that it wrote in."""
        states = {case.name: case.state}
        answer, written = await self.tried(case.way, case.caller, **states)
        if written:
            # it counts where it was not taken back again
            answer, written = await self._ask(case.way, case.caller, states, lambda: digest(written))
        return answer, written

    async def _ask(
        self,
        way: Entry,
        caller: Caller | None,
        states: dict[str, str],
        look: Callable[[], Awaitable[Mapping[str, object]]],
    ) -> tuple[httpx.Response, list[str]]:
        key, role = await self.key_of(caller), role_of(caller)
        async with transaction() as own:
            drawn = await self._drawn(way, key, role, states) if "drawn" in way.marks else None
            await self._put(way, role, states)
            before = await look()
            answer = await self.trial.ask(way, key, drawn=drawn)
            after = await look()
            await own.rollback()
        return answer, [name for name in after if before.get(name) != after[name]]

    async def _drawn(self, way: Entry, key: str, role: str, states: dict[str, str]) -> dict[str, list[str]]:
        """Return what stands in the form where the deed is open: in ``states``, if it is open in them."""
        is_open = all(state in LIVES[name].open_in(way.needs[name]) for name, state in states.items())
        shown = states if is_open else {}
        mark = f"{way.where} {role} {shown}"
        if mark not in self.drawn:
            await self._put(way, role, shown)
            page = await self.trial.ask(msgspec.structs.replace(way, method="GET"), key)
            self.drawn[mark] = filled_in(page.text, self.trial.address(way))
        return self.drawn[mark]

    async def _put(self, way: Entry, role: str, states: dict[str, str]) -> None:
        parts = self.trial.parts(way)
        for name, need in way.needs.items():
            life = LIVES[name]
            which = parts | {life.part: parts[name]} if name in way.given else parts
            if name in states:
                await life.put(states[name], which)
            elif need != ANY:
                await life.put(open_state(life, need, role), which)


def open_state(life: Life, need: str, role: str) -> str:
    """Return a state in which the deed is open; of those that a line tells, the first."""
    if need.startswith(":"):
        return need[1:].split(",")[0]
    return min(life.open_in(need, role) or life.open_in(need))


async def _written() -> Mapping[str, object]:
    """Count what was written in each table since the transaction began, taken back or not."""
    rows = await fetch(
        """SELECT relname, n_tup_ins + n_tup_upd + n_tup_del AS written FROM pg_stat_xact_user_tables
           WHERE n_tup_ins + n_tup_upd + n_tup_del > 0"""
    )
    return {row["relname"]: row["written"] for row in rows if row["relname"] not in UNTOUCHED}


@pytest.fixture(scope="module")
async def states(trial: Trial) -> AsyncIterator[States]:
    with pytest.MonkeyPatch.context() as patch:
        # it asks for an isolation of its own, which none within another transaction can have
        patch.setattr(replanning, "transaction", lambda **_: transaction())
        yield States(trial)


def test_every_post_on_a_thing_with_a_life_tells_its_states() -> None:
    faults = list(faults_of(entries()))
    assert not faults, "\n".join(faults)


async def test_every_choice_of_an_address_is_a_way(trial: Trial) -> None:
    faults = [
        f"{entry.where}: {entry.name} has no way with {name}={choice}"
        for entry in entries()
        if entry.is_api and entry.method == "POST" and named_in(entry.path)
        for name, choices in choices_of(trial.document, entry.path).items()
        for choice in choices
        if choice not in [way.given.get(name) for way in entry.ways]
    ]
    assert not faults, "\n".join(faults)


async def test_nothing_is_done_in_a_state_in_which_it_is_not_open(states: States) -> None:
    faults: list[str] = []
    for way in lines():
        tried = list(cases(way, states.trial.scene.callers))
        if not tried:
            faults.append(f"{way.where} {way.name}: no state is left in which it is not open")
        for case in tried:
            answer, written = await states.refused(case)
            if str(answer.status_code) != case.wanted:
                faults.append(f"{case}: wanted {case.wanted}, is {answer.status_code} {_told(answer)}")
            if written:
                faults.append(f"{case}: it was refused and wrote in {', '.join(written)}")
    assert not faults, "\n".join(faults)


async def test_the_same_is_done_in_each_state_in_which_it_is_open(states: States) -> None:
    """Else a request that is never taken would pass for one that the state refuses."""
    faults: list[str] = []
    for way in lines():
        if "unproven" in way.marks:
            continue
        for name, state in open_states(way):
            answers = [
                await states.tried(way, caller, **{name: state})
                for caller in doers(way, states.trial.scene.callers)
                if may_in(way, caller, name, state)
            ]
            if not any(_is_done(way, answer, written) for answer, written in answers):
                told = "; ".join(f"{answer.status_code} {_told(answer)}" for answer, _ in answers)
                faults.append(f"{way.where} {way.name}, {name} is {state}: nobody may do it: {told}")
    assert not faults, "\n".join(faults)
    assert sum("unproven" in way.marks for way in lines()) <= _UNPROVEN_AT_MOST


def open_states(way: Entry) -> Iterator[tuple[str, str]]:
    """Return each state in which a line says that it is open, of each thing that it needs."""
    for name, need in way.needs.items():
        if need != ANY:
            for state in sorted(LIVES[name].open_in(need)):
                yield name, state


def may_in(way: Entry, caller: Caller | None, name: str, state: str) -> bool:
    """Whether the moves that a line needs are open to somebody's side."""
    role = role_of(caller)
    return state in LIVES[name].open_in(way.needs[name], role) and all(
        LIVES[each].open_in(need, role) for each, need in way.needs.items()
    )


def _is_done(way: Entry, answer: httpx.Response, written: list[str]) -> bool:
    """Whether a form was shown, or something was written down: to be sent on alone says nothing."""
    if way.method == "GET":
        return answer.status_code == 200
    return answer.status_code in (200, 201, 202, 303) and bool(written)


def _told(answer: httpx.Response) -> str:
    page = re.sub(r"<[^>]+>", " ", answer.text.partition("<main")[2] or answer.text)
    return answer.headers.get("location", "") or " ".join(page.split())[:300]

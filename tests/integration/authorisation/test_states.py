"""In which state: every post on a thing with a life, tried in each state in which it is not open.

The table says of each post what state it needs of the things that its address names (``table.py``); one that
says nothing fails here. Each request stands in a transaction of its own that is rolled back: the thing is put
into the state there, the answer has to be a conflict, and nothing may have been written.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping

import httpx
import msgspec
import pytest

from market.db.session import fetch, transaction
from tests.integration.authorisation.lives import ANY, LIVES, Life, faults_of
from tests.integration.authorisation.scene import Caller, session_of
from tests.integration.authorisation.table import Entry, entries
from tests.integration.authorisation.trial import UNTOUCHED, Trial, digest, rightful

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
    """Return the ways of every post that needs a state."""
    return [
        way
        for entry in entries()
        for way in entry.ways or (entry,)
        if any(need != ANY for need in way.needs.values())
    ]


def cases(way: Entry, callers: list[Caller]) -> Iterator[Case]:
    """Return what has to be refused of one line, in every state and to everybody who may otherwise."""
    for caller in rightful(way, callers):
        role = role_of(caller)
        usual = {name: open_state(LIVES[name], need, role) for name, need in way.needs.items() if need != ANY}
        for name in usual:
            life = LIVES[name]
            for state in sorted(life.cycle.states - life.open_in(way.needs[name], role)):
                yield Case(way, caller, name, state, _wanted(way, role, name, usual | {name: state}))


def _wanted(way: Entry, role: str, name: str, states: dict[str, str]) -> str:
    """Return how a line has it answered that the thing called ``name`` is in the wrong one of ``states``."""
    unseen, never = way.given.get("unseen", "").split(","), told_of(way, "never")
    if any({f"{each}:{state}", f"{each}:{state}@{role}"} & {*unseen} for each, state in states.items()):
        return _UNSEEN
    if role in never:
        return never[role]
    if states[name] in LIVES[name].leads_to(way.needs[name]) and is_taken_twice(way, role):
        return _TWICE
    return _CONFLICT


def is_taken_twice(way: Entry, role: str) -> bool:
    return "twice" in way.marks or role in way.given.get("twice", "").split(",")


class States:
    """Requests in a transaction of their own, with the things of the scene put into states."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.keys: dict[str, str] = {}

    async def key_of(self, caller: Caller | None) -> str:
        if caller is None:
            return ""
        if caller.name not in self.keys:
            self.keys[caller.name] = await session_of(caller)
        return self.keys[caller.name]

    async def ask(self, way: Entry, caller: Caller | None, **states: str) -> tuple[httpx.Response, list[str]]:
        """Return the answer, and the tables that the request wrote in."""
        key, role = await self.key_of(caller), role_of(caller)
        answer, written = await self._ask(way, key, role, states, _written)
        if written and answer.status_code >= 300:
            # it counts where it was not taken back again
            answer, written = await self._ask(way, key, role, states, digest)
        return answer, written

    async def _ask(
        self,
        way: Entry,
        key: str,
        role: str,
        states: dict[str, str],
        look: Callable[[], Awaitable[Mapping[str, object]]],
    ) -> tuple[httpx.Response, list[str]]:
        async with transaction() as own:
            await self._put(way, role, states)
            before = await look()
            answer = await self.trial.ask(way, key)
            after = await look()
            await own.rollback()
        return answer, [name for name in after if before.get(name) != after[name]]

    async def _put(self, way: Entry, role: str, states: dict[str, str]) -> None:
        parts = self.trial.parts(way)
        for name, need in way.needs.items():
            if name in states:
                await LIVES[name].put(states[name], parts)
            elif need != ANY:
                await LIVES[name].put(open_state(LIVES[name], need, role), parts)


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
async def states(trial: Trial) -> States:
    return States(trial)


def test_every_post_on_a_thing_with_a_life_tells_its_states() -> None:
    faults = list(faults_of(entry for entry in entries() if entry.is_api))
    assert not faults, "\n".join(faults)


async def test_nothing_is_done_in_a_state_in_which_it_is_not_open(states: States) -> None:
    faults: list[str] = []
    for way in lines():
        tried = list(cases(way, states.trial.scene.callers))
        if not tried:
            faults.append(f"{way.where} {way.name}: no state is left in which it is not open")
        for case in tried:
            answer, written = await states.ask(way, case.caller, **{case.name: case.state})
            if str(answer.status_code) != case.wanted:
                faults.append(f"{case}: wanted {case.wanted}, is {answer.status_code} {_told(answer)}")
            if written:
                faults.append(f"{case}: it was refused and wrote in {', '.join(written)}")
    assert not faults, "\n".join(faults)


async def test_the_same_is_done_in_a_state_in_which_it_is_open(states: States) -> None:
    """Else a request that is never taken would pass for one that the state refuses."""
    faults: list[str] = []
    for way in lines():
        answers = [
            (await states.ask(way, caller))[0]
            for caller in rightful(way, states.trial.scene.callers)
            if all(LIVES[name].open_in(need, role_of(caller)) for name, need in way.needs.items())
        ]
        if not any(_is_done(answer) for answer in answers):
            told = "; ".join(f"{answer.status_code} {_told(answer)}" for answer in answers)
            faults.append(f"{way.where} {way.name}: nobody may do it: {told}")
    assert not faults, "\n".join(faults)


def _is_done(answer: httpx.Response) -> bool:
    to_sign_in = answer.headers.get("location", "").startswith("/sign-in")
    return answer.status_code in (200, 201, 202, 303) and not to_sign_in


def _told(answer: httpx.Response) -> str:
    return answer.headers.get("location", "") or answer.text[:400]

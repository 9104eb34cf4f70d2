"""What all moves of the trading floor share: how they pick what they are about."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import asyncpg
from asyncpg import Record
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
)

from fixtures.factories import CITY
from market.accounts.operations import NewSite, add_site
from market.units import Gram
from tests.integration.trading.floor import Floor

N = st.integers(0, 2**20)
KG = 1_000
#: Of eight picks, this many look for what is legal.
MOSTLY = 7


def pick(rows: Sequence[Any], n: int, legal: Callable[[Any], bool]) -> Any:
    """Return one of the rows: mostly one for which the move is legal, if there is any."""
    good = [each for each in rows if legal(each)] if n % 8 < MOSTLY else []
    return (good or rows)[(n // 8) % len(good or rows)]


def pick_move(
    rows: Sequence[Any], moves: Sequence[str], n: int, legal: Callable[[Any, str], bool]
) -> tuple[Any, str]:
    """Return one of the rows and what is tried on it, as :func:`pick`."""
    pairs = [(row, move) for row in rows for move in moves]
    return pick(pairs, n, lambda pair: legal(*pair))


def has(name: str) -> Callable[[Any], bool]:
    """Only where there is such a thing."""
    return lambda machine: bool(machine.floor.seen[name])


def some(name: str, *states: str) -> Callable[[Any], bool]:
    """Only where one of them is in one of these states."""
    return lambda machine: any(row["state"] in states for row in machine.floor.seen[name])


def seldom(name: str) -> Callable[[Any], bool]:
    """Only while it is no more than an eighth of all that was done: other moves lead further."""
    return lambda machine: machine.floor.made.get(name, 0) * 8 <= sum(machine.floor.made.values())


def not_only_refused(name: str) -> Callable[[Any], bool]:
    """Only while it was not refused much more often than done."""
    return lambda machine: machine.floor.refused.get(name, 0) <= 1 + machine.floor.made.get(name, 0)


def fitting(grams: int, n: int, *rooms: int) -> Gram:
    """Return so many grams: mostly no more than there is room for."""
    return Gram(max(1, min(grams, *rooms)) if n // 4096 % 4 else grams)


def takes(demand: Record, grams: Gram) -> bool:
    """Tell whether a demand is open for so much."""
    return demand["state"] == "published" and grams <= demand["open"]


class Machine(RuleBasedStateMachine):
    """A floor, and what is looked at after every move on it."""

    #: Set by the test that runs it.
    loop: asyncio.AbstractEventLoop
    admin: asyncpg.Connection
    tally: dict[str, list[int]]

    def __init__(self) -> None:
        super().__init__()
        self.floor = Floor(self.loop, self.admin)
        self.keys = 0
        self.sites = {
            buyer.organisation_id: self.floor.wait(self._site(buyer.organisation_id))
            for buyer in self.floor.buyers
        }

    async def _site(self, buyer: int) -> int:
        site = NewSite(name="中街店", lat=CITY[0], lon=CITY[1], invented=True)
        return await add_site(organisation_id=buyer, site=site)

    def key(self) -> str:
        self.keys += 1
        return f"key-{self.keys}"

    def teardown(self) -> None:
        for name in {*self.floor.made, *self.floor.refused}:
            counts = self.tally.setdefault(name, [0, 0])
            counts[0] += self.floor.made.get(name, 0)
            counts[1] += self.floor.refused.get(name, 0)

    @invariant()
    def laws_hold(self) -> None:
        self.floor.check()

"""The gathering alone, without a database: who is served with whom, and what each is told."""

import asyncio
from collections.abc import Sequence
from contextvars import ContextVar

import pytest

from market.db.gathering import Gatherer, NotTogether
from market.errors import Busy, Conflict, MarketError
from market.i18n import msg

ASKERS: ContextVar[str] = ContextVar("ASKERS", default="nobody's")


class Counter:
    """Serves wishes that are words; ``batches`` keeps who was served together, and how patiently."""

    def __init__(self, **limits: int) -> None:
        self.batches: list[tuple[list[str], bool]] = []
        #: Words that spoil what is served with others, and what each meets when it stands alone.
        self.spoilers: dict[str, Exception] = {}
        #: Words that are refused for themselves.
        self.refused: set[str] = set()
        #: What befalls the whole counter.
        self.trouble: BaseException | None = None
        self.open = asyncio.Event()
        self.open.set()
        self.parting = asyncio.Event()
        self.parting.set()
        self.contexts: set[str] = set()
        #: Whether wishes go on side by side.
        self.apart = False
        self.gatherer: Gatherer[str, str] = Gatherer(
            self.serve,
            part=self.part,
            marks=lambda wish: [wish.partition("/")[0]],
            apart=lambda: self.apart,
            **limits,
        )

    async def serve(self, wishes: Sequence[str], patient: bool) -> list[str | MarketError]:
        self.batches.append((list(wishes), patient))
        self.contexts.add(ASKERS.get())
        await self.open.wait()
        if self.trouble:
            raise self.trouble
        for wish in wishes:
            if wish in self.spoilers:
                raise NotTogether from self.spoilers[wish]
        return [Conflict(msg("没有了")) if wish in self.refused else wish.upper() for wish in wishes]

    async def part(self, wishes: Sequence[str]) -> list[list[str]]:
        """Those of one first letter stand together."""
        await self.parting.wait()
        return [[wish for wish in wishes if wish[0] == letter] for letter in sorted({w[0] for w in wishes})]

    def ask(self, *wishes: str) -> list[asyncio.Task[str]]:
        return [asyncio.create_task(self.gatherer.ask(wish)) for wish in wishes]

    async def told(self, *wishes: str) -> list[str | BaseException]:
        return await asyncio.gather(*self.ask(*wishes), return_exceptions=True)


async def settled() -> None:
    """Let everybody go as far as they can."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.parametrize(("apart", "sizes"), [(False, [1, 5]), (True, [1, 3, 2])])
async def test_those_who_do_not_hinder_each_other_are_divided_among_the_commits(
    apart: bool, sizes: list[int]
) -> None:
    counter = Counter(at_once=2)
    counter.open.clear()
    asked = counter.ask("a")
    await settled()
    counter.apart = apart
    asked += counter.ask("b", "c", "d", "e", "f")
    await settled()
    counter.open.set()
    assert await asyncio.gather(*asked) == ["A", "B", "C", "D", "E", "F"]
    # with one under way and five waiting, each of two commits has three
    assert [len(wishes) for wishes, _ in counter.batches] == sizes


async def test_whoever_comes_while_others_are_served_goes_into_the_next_commit() -> None:
    counter = Counter(at_once=1)
    counter.open.clear()
    first = counter.ask("a")
    await settled()
    later = counter.ask("b", "c", "d")
    await settled()
    counter.open.set()
    assert await asyncio.gather(*first, *later) == ["A", "B", "C", "D"]
    assert counter.batches == [(["a"], True), (["b", "c", "d"], False)]


async def test_no_more_stand_together_than_may_and_what_collides_waits() -> None:
    counter = Counter(at_once=1, most_together=3)
    assert await counter.told("a/1", "a/2", "b", "c", "d", "a/3") == ["A/1", "A/2", "B", "C", "D", "A/3"]
    together = [wishes for wishes, _ in counter.batches]
    assert together == [["a/1", "b", "c"], ["a/2", "d"], ["a/3"]]


async def test_a_full_queue_is_busy_and_takes_up_again() -> None:
    counter = Counter(at_once=1, most_waiting=3)
    counter.open.clear()
    served = counter.ask("a")
    await settled()
    waiting = counter.ask("b", "c", "d")
    await settled()
    with pytest.raises(Busy):
        await counter.gatherer.ask("e")
    counter.open.set()
    assert await asyncio.gather(*served, *waiting) == ["A", "B", "C", "D"]
    assert await counter.gatherer.ask("e") == "E"


async def test_those_served_apart_count_as_waiting() -> None:
    counter = Counter(at_once=1, most_waiting=2)
    counter.spoilers = {"a": Conflict(msg("不行"))}
    counter.parting.clear()
    spoiled = counter.ask("a", "b")
    await settled()
    with pytest.raises(Busy):
        await counter.gatherer.ask("y")
    counter.parting.set()
    a, b = await asyncio.gather(*spoiled, return_exceptions=True)
    assert isinstance(a, Conflict)
    assert b == "B"
    assert await counter.gatherer.ask("y") == "Y"


async def test_who_goes_away_before_being_served_has_not_asked() -> None:
    counter = Counter(at_once=1)
    counter.open.clear()
    first = counter.ask("a")
    await settled()
    gone, stays = counter.ask("b", "c")
    await settled()
    gone.cancel()
    counter.open.set()
    assert await asyncio.gather(*first, stays) == ["A", "C"]
    assert [wishes for wishes, _ in counter.batches] == [["a"], ["c"]]


async def test_who_goes_away_while_being_served_leaves_the_others_their_replies() -> None:
    counter = Counter(at_once=1)
    counter.open.clear()
    gone, stays = counter.ask("a", "b")
    await settled()
    gone.cancel()
    await settled()
    counter.open.set()
    assert await stays == "B"
    assert counter.batches == [(["a", "b"], False)]
    assert await counter.gatherer.ask("c") == "C"


async def test_each_has_its_own_outcome() -> None:
    counter = Counter()
    counter.refused = {"b"}
    a, b, c = await counter.told("a", "b", "c")
    assert (a, c) == ("A", "C")
    assert isinstance(b, Conflict)
    assert len(counter.batches) == 1


async def test_one_in_the_way_is_served_apart_and_hinders_its_own_group_alone() -> None:
    counter = Counter()
    counter.spoilers = {"a2": Busy(msg("锁着"))}
    a1, a2, b1, b2 = await counter.told("a1", "a2", "b1", "b2")
    assert (b1, b2) == ("B1", "B2")
    # who waits for the same lock is told so, without waiting for it one after the other
    assert isinstance(a1, Busy)
    assert isinstance(a2, Busy)
    assert a1 is not a2
    assert counter.batches == [(["a1", "a2", "b1", "b2"], False), (["a1", "a2"], True), (["b1", "b2"], True)]


async def test_a_wish_that_breaks_a_rule_fails_alone() -> None:
    counter = Counter()
    counter.spoilers = {"a2": Conflict(msg("不行"))}
    a1, a2, b = await counter.told("a1", "a2", "b")
    assert (a1, b) == ("A1", "B")
    assert isinstance(a2, Conflict)
    assert (["a1"], True) in counter.batches
    assert (["a2"], True) in counter.batches


async def test_trouble_of_all_is_told_to_each_and_the_next_are_served() -> None:
    counter = Counter()
    counter.trouble = Busy(msg("数据库走了"), retry_after=7)
    told = await counter.told("a", "b")
    assert [type(each) for each in told] == [Busy, Busy]
    assert [each.retry_after for each in told if isinstance(each, Busy)] == [7, 7]
    assert told[0] is not told[1]
    counter.trouble = ZeroDivisionError()
    assert [type(each) for each in await counter.told("a", "b")] == [ZeroDivisionError] * 2
    counter.trouble = None
    assert await counter.told("a", "b") == ["A", "B"]


async def test_nobodys_context_is_everybodys() -> None:
    """A transaction or a request of who asks first is not entered by the others."""
    counter = Counter()
    token = ASKERS.set("the first one's")
    try:
        assert await counter.told("a", "b") == ["A", "B"]
    finally:
        ASKERS.reset(token)
    assert counter.contexts == {"nobody's"}


def test_another_loop_begins_anew() -> None:
    """As after a fork: what waited in the loop before is not waited for."""

    async def abandoned() -> Counter:
        counter = Counter(at_once=1)
        counter.open.clear()
        counter.ask("a", "b")
        await settled()
        return counter

    counter = asyncio.run(abandoned())

    async def again() -> str:
        counter.open = asyncio.Event()
        counter.open.set()
        return await counter.gatherer.ask("c")

    assert asyncio.run(again()) == "C"

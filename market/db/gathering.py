"""Wishes that come while others are being served are served together, in one commit.

A commit costs a write to disk, and everybody who wants the same row waits for it. So whatever arrives in
this process while a commit is under way goes into the next one. What must not collide is settled by the
database's locks: other processes gather for themselves.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterable, Sequence
from contextvars import Context
from typing import Any, Generic, TypeVar

from market.errors import Busy, MarketError
from market.i18n import msg

Wish = TypeVar("Wish")
Reply = TypeVar("Reply")

#: Serves wishes in one transaction: for each its reply, or the error that only this one meets.
#: ``patient`` says that nobody else has to wait while it waits for a lock.
Serve = Callable[[Sequence[Wish], bool], Awaitable[Sequence[Reply | MarketError]]]
#: Puts wishes that could not be served together into groups that are served each by itself.
Part = Callable[[Sequence[Wish]], Awaitable[Sequence[Sequence[Wish]]]]
#: What may stand in one commit once only.
Marks = Callable[[Wish], Iterable[Hashable]]
#: Whether wishes as they have come lately go on side by side in several commits, none waiting for another.
Apart = Callable[[], bool]


class NotTogether(Exception):
    """Nothing was kept, and one of several wishes is the cause: serve them apart."""


class _Asked(Generic[Wish, Reply]):
    __slots__ = ("answer", "wish")

    def __init__(self, wish: Wish, answer: "asyncio.Future[Reply]") -> None:
        self.wish = wish
        self.answer = answer


class Gatherer(Generic[Wish, Reply]):
    """Serves wishes of this process together.

    ``most_waiting`` bounds the queue, ``at_once`` is how many commits may be under way: while the database
    works on one, the next is made ready. All who wait go with the next, for a commit costs much by itself;
    where they do not hinder each other (``apart``) they are divided among the commits, so that this process
    and the database work at the same time.
    """

    def __init__(
        self,
        serve: Serve[Wish, Reply],
        *,
        part: Part[Wish],
        marks: Marks[Wish],
        apart: Apart = lambda: False,
        most_together: int = 64,
        most_waiting: int = 1_000,
        at_once: int = 2,
        apart_at_once: int = 4,
    ) -> None:
        self._serve = serve
        self._part = part
        self._marks = marks
        self._may_divide = apart
        self.most_together = most_together
        self.most_waiting = most_waiting
        self.at_once = at_once
        self._apart_at_once = apart_at_once
        self._loop: asyncio.AbstractEventLoop | None = None
        self._begin()

    def _begin(self) -> None:
        self._waiting: list[_Asked[Wish, Reply]] = []
        self._apart = 0
        self._serving = 0
        self._served = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(self._apart_at_once)

    async def ask(self, wish: Wish) -> Reply:
        """Return the reply to ``wish``. Who goes away before it is being served has not asked.

        Raises:
            Busy: too many are waiting, or the database is in the way.
            MarketError: as ``serve`` has it for this wish.
        """
        loop = asyncio.get_running_loop()
        if loop is not self._loop:  # the process forked, or a test began another loop
            self._loop = loop
            self._begin()
        if len(self._waiting) + self._apart >= self.most_waiting:
            raise Busy(msg("现在使用的人太多，请过几秒再试一次。"))
        asked: _Asked[Wish, Reply] = _Asked(wish, loop.create_future())
        self._waiting.append(asked)
        if self._serving < self.at_once:
            self._serving += 1
            self._spawn(self._run())
        return await asked.answer

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        # a context of its own: the first one's transaction and request are not everybody's
        task = asyncio.create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self) -> None:
        try:
            while together := self._take():
                self._served += len(together)
                try:
                    await self._together(together)
                finally:
                    self._served -= len(together)
        finally:
            self._serving -= 1

    def _take(self) -> list[_Asked[Wish, Reply]]:
        """Return the next ones that do not collide; the others keep their places."""
        taken: list[_Asked[Wish, Reply]] = []
        left: list[_Asked[Wish, Reply]] = []
        marked: set[Hashable] = set()
        most = self.most_together
        if self._may_divide():
            most = min(most, -(-(len(self._waiting) + self._served) // self.at_once))
        for asked in self._waiting:
            if asked.answer.done():
                continue
            marks = set(self._marks(asked.wish))
            if len(taken) < most and marked.isdisjoint(marks):
                taken.append(asked)
                marked |= marks
            else:
                left.append(asked)
        self._waiting = left
        return taken

    async def _together(self, several: list[_Asked[Wish, Reply]]) -> None:
        try:
            replies = await self._serve([asked.wish for asked in several], len(several) == 1)
        except NotTogether as trouble:
            if len(several) == 1:
                _fail(several, trouble.__cause__ or trouble)
            else:
                self._apart += len(several)
                self._spawn(self._one_by_one(several))
        except BaseException as trouble:
            _fail(several, trouble)
            if not isinstance(trouble, Exception):
                raise
        else:
            _answer(several, replies)

    async def _one_by_one(self, several: list[_Asked[Wish, Reply]]) -> None:
        """Serve in groups those that hindered each other, while others go on."""
        by_wish = {id(asked.wish): asked for asked in several}
        try:
            groups = await self._part([asked.wish for asked in several])
        except BaseException as trouble:
            self._apart -= len(several)
            _fail(several, trouble)
            if not isinstance(trouble, Exception):
                raise
            return
        for group in groups:
            self._spawn(self._group([by_wish[id(wish)] for wish in group]))

    async def _group(self, several: list[_Asked[Wish, Reply]]) -> None:
        try:
            async with self._room:
                try:
                    replies = await self._serve([asked.wish for asked in several], True)
                except NotTogether as trouble:
                    if len(several) == 1 or isinstance(trouble.__cause__, Busy):
                        _fail(several, trouble.__cause__ or trouble)
                        return
                    # one of them is the cause: whose, is seen when each stands alone
                    for asked in several:
                        await self._together([asked])
                else:
                    _answer(several, replies)
        except BaseException as trouble:
            _fail(several, trouble)
            if not isinstance(trouble, Exception):
                raise
        finally:
            self._apart -= len(several)


def look_ups(serve: Serve[Wish, Reply]) -> Gatherer[Wish, Reply]:
    """Return a gatherer of look-ups: they change nothing, so none of them hinders another.

    Who asks while some are under way goes with the next: nobody is told what was true before he asked.
    """

    async def never_apart(asked: Sequence[Wish]) -> list[Sequence[Wish]]:
        return [asked]

    return Gatherer(serve, part=never_apart, marks=lambda _: (), most_waiting=5_000, at_once=3)


def _answer(several: list[_Asked[Wish, Reply]], replies: Sequence[Reply | MarketError]) -> None:
    for asked, reply in zip(several, replies, strict=True):
        if asked.answer.done():
            continue
        if isinstance(reply, MarketError):
            asked.answer.set_exception(reply)
        else:
            asked.answer.set_result(reply)


def _fail(several: list[_Asked[Wish, Reply]], trouble: BaseException) -> None:
    """Tell everybody, each by an error of its own: a traceback grows where one is raised again."""
    for asked in several:
        if asked.answer.done():
            continue
        if isinstance(trouble, Busy):
            own: BaseException = Busy(trouble.message, retry_after=trouble.retry_after)
            own.__cause__ = trouble.__cause__
            asked.answer.set_exception(own)
        elif isinstance(trouble, asyncio.CancelledError):
            asked.answer.cancel()
        else:
            asked.answer.set_exception(trouble)

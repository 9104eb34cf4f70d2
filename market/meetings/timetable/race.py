"""All appointments with the fewest breaks, then the fewest idle slots: search and proof side by side.

The search improves a timetable that is there from the first moment on; the proof raises the bound from below,
or finds an optimal timetable itself. Whichever comes first ends it.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

from msgspec import Struct

from market.i18n import msg
from market.meetings.timetable.board import slots_of, tally
from market.meetings.timetable.forced import Forced, forced
from market.meetings.timetable.kempe import IDLE
from market.meetings.timetable.patterns import PatternBound
from market.meetings.timetable.problem import MeetingProblem
from market.meetings.timetable.proof import MOST_PLACES, Bound, Found, Impossible, Proof, Word
from market.meetings.timetable.run import Run
from market.meetings.timetable.search import SHARE, Search

#: Moves for each appointment that the search makes before a proof is begun: often it needs none.
_BEFORE = 1_500
#: Of the time limit, what the levels below are left.
_RESERVE = 0.15
_MOST_RESERVE = 5.0
#: Of the time limit, what the bound by patterns may take; it needs a second at most for 300 participants.
_PATTERNS = 0.1
#: Shares after which the search's pace is known.
_PACE = 40
#: Seconds that one who has but one thread waits for a word of the proof.
_WAIT = 0.25
#: Seconds of search that a proof is preceded by at the most.
_WARM = 3.0

#: What is said when the fewest breaks are found and proven.
FEWEST = msg("空档次数已证明最少。")

Score = tuple[int, int]


class Raced(Struct):
    """What came of it. ``plan`` is None where no timetable was found; ``impossible`` is proven."""

    plan: dict[str, int] | None
    breaks_bound: int
    idle_bound: int
    impossible: bool = False

    def proven(self, score: Score) -> tuple[bool, bool]:
        """Tell whether the breaks, and the idle slots too, of a timetable are proven the fewest."""
        breaks = score[0] <= self.breaks_bound
        return breaks, breaks and score[1] <= self.idle_bound


class _Race:
    def __init__(
        self,
        problem: MeetingProblem,
        domains: Sequence[Sequence[int]],
        search: Search,
        run: Run,
    ) -> None:
        self._problem = problem
        self._domains = domains
        self._search = search
        self._run = run
        self._forced: list[Forced] = forced(problem, domains)
        self._idle_floor = sum(one.idle for one in self._forced)
        self._told = -1
        self._told_proof = False
        self.result = Raced(None, sum(one.breaks for one in self._forced), 0)
        self._raise(self.result.breaks_bound)
        self._score: Score = (2**62, 2**62)

    @cached_property
    def _patterns(self) -> PatternBound:
        return PatternBound(self._problem, self._domains)

    def go(self) -> Raced:
        reserve = min(_MOST_RESERVE, self._run.limit * _RESERVE)
        deadline = self._run.limit - reserve
        self._take(self._search.plan)
        if self._run.spent < deadline and not self._bound_by_patterns(deadline):
            return self.result
        self._warm_up(deadline)
        if self._done:
            return self.result
        places = sum(map(len, self._domains))
        if places > MOST_PLACES:
            self._search_alone(deadline)
            return self.result
        with Proof(
            self._problem,
            self._domains,
            self._forced,
            least=self.result.breaks_bound,
            known=self.result.plan,
        ) as proof:
            alone = self._run.threads < 2
            settled = False
            while not self._done and not self.result.impossible and self._run.spent < deadline:
                if not settled and self._breaks_proven:
                    settled = True
                    deadline = min(deadline, self._run.spent + self._run.minor(1.0))
                for word in proof.words(wait=_WAIT if alone and not proof.over else 0.0):
                    self._hear(word)
                if alone and not proof.over:
                    continue
                if self._go_on():
                    proof.tell(self.result.plan or {})
                elif proof.over and self._search.cost <= self._target:
                    break
        return self.result

    def _bound_by_patterns(self, deadline: float) -> bool:
        """Raise the bound by what days can look like; return whether there can be a whole timetable."""
        end = self._run.spent + _PATTERNS * (deadline - self._run.spent)

        def go_on(bound: int) -> bool:
            return bound < self._score[0] and self._run.spent < end

        bound = self._patterns.breaks(self._search.plan, go_on=go_on)
        items = self._problem.appointments
        talkers = {who for item in items for who in (item.a, item.b)}
        if bound > 2 * len(items) - len(talkers):
            # more breaks than there are talks to stand apart: there is no such timetable
            self.result.impossible = True
            return False
        self._raise(bound)
        self._tell_proof()
        return True

    def _bound_idle(self) -> None:
        """Once the fewest breaks are known: how few idle slots they allow."""
        end = self._run.spent + min(self._run.left, self._run.minor(0.3))
        bound = self._patterns.idle(
            self.result.plan or {},
            breaks=self._score[0],
            go_on=lambda bound: bound < self._score[1] and self._run.spent < end,
        )
        self._raise(self.result.breaks_bound, bound)

    def _search_alone(self, deadline: float) -> None:
        _slowly(self._search, self._run, deadline, self._go_on, lambda: self._done)

    def _warm_up(self, deadline: float) -> None:
        end = min(deadline, self._run.spent + _WARM)
        shares = max(1, _BEFORE * len(self._problem.appointments) // SHARE)
        for _ in range(shares):
            if self._done or self._run.spent > end:
                return
            self._go_on()

    @property
    def _breaks_proven(self) -> bool:
        return self.result.plan is not None and self.result.proven(self._score)[0]

    @property
    def _done(self) -> bool:
        return self.result.plan is not None and all(self.result.proven(self._score))

    def _go_on(self) -> bool:
        """Search a little; return whether a better timetable was found."""
        return self._search.go_on(target=self._target) and self._take(self._search.plan)

    @property
    def _target(self) -> float:
        return self.result.breaks_bound + IDLE * self.result.idle_bound

    def _take(self, plan: Mapping[str, int]) -> bool:
        """Keep a timetable if it is whole, fair, and better than the one there is.

        The other rules are kept by whoever made it.
        """
        if len(plan) < len(self._problem.appointments):
            return False
        days = tally(self._problem, self._search.board.uses, slots_of(self._problem, plan))
        score = (days.breaks, days.idle)
        if score >= self._score or not days.fair:
            return False
        self.result.plan, self._score = dict(plan), score
        if score[0] < self._told or self._told < 0:
            self._told = score[0]
            self._run.say(
                msg("空档 {breaks} 次，下界 {bound} 次。", breaks=score[0], bound=self.result.breaks_bound)
            )
            self._tell_proof()
        return True

    def _tell_proof(self) -> None:
        if self._breaks_proven and not self._told_proof:
            self._told_proof = True
            self._run.say(FEWEST)
            self._bound_idle()

    def _hear(self, word: Word) -> None:
        if isinstance(word, Impossible):
            self.result.impossible = True
        elif isinstance(word, Bound):
            self._raise(word.breaks, word.idle or 0)
            self._tell_proof()
        elif isinstance(word, Found) and self._take(word.plan):
            breaks, idle = self._score
            self._search.start_over(slots_of(self._problem, word.plan), breaks + IDLE * idle)

    def _raise(self, breaks: int, idle: int = 0) -> None:
        result = self.result
        result.breaks_bound = max(result.breaks_bound, breaks)
        # every break is an idle slot at least
        result.idle_bound = max(result.idle_bound, idle, self._idle_floor, result.breaks_bound)


def _slowly(
    search: Search, run: Run, deadline: float, go_on: Callable[[], object], done: Callable[[], bool]
) -> None:
    begin, moves = run.spent, 0
    while moves < _PACE * SHARE and not done() and run.spent < deadline:
        go_on()
        moves += SHARE
    pace = moves / max(1e-3, run.spent - begin)
    search.anneal_for(int(pace * (deadline - run.spent)))
    while not done() and run.spent < deadline:
        go_on()


def anneal_slowly(search: Search, run: Run, deadline: float, *, target: float) -> None:
    """Improve what ``search`` has placed until ``deadline``; it may leave appointments out.

    Once, as slowly as the time permits: that ends lower than many a quick turn.

    Args:
        target: a cost that no plan can undercut; it ends the search.
    """
    _slowly(search, run, deadline, lambda: search.go_on(target=target), lambda: search.cost <= target + 1e-9)


def race(
    problem: MeetingProblem,
    domains: Sequence[Sequence[int]],
    search: Search,
    run: Run,
) -> Raced:
    """Place every appointment, optional ones too; see the module."""
    return _Race(problem, domains, search, run).go()

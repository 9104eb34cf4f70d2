"""The proof behind a timetable, in a process of its own: which figures no timetable can undercut.

A SAT solver (CaDiCaL; Biere, Faller, Fazekas, Fleury, Froleyks and Pollitt, CAV 2024) is asked whether the
sum can be what is forced, then one more, and so on: each "no" raises the bound, the first "yes" is an optimum
and a timetable. First breaks, then idle slots with the breaks held. The process can be stopped at any moment,
for the solver itself cannot be; what it has said stays true.
"""

import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing.connection import Connection

from msgspec import Struct
from pysat.solvers import Solver

from market.forked import helper
from market.meetings.timetable.encoding import Clauses, Counter, Encoding
from market.meetings.timetable.forced import Forced
from market.meetings.timetable.problem import MeetingProblem, is_fair, total_breaks, total_idle

_SOLVER = "cadical195"
#: From here on fairness is looked for where a timetable turns out unfair: with so few breaks most are fair,
#: and clauses that hardly ever matter make every question harder.
_LENIENT = 2
#: Above so many possible places of appointments the clauses would not fit into memory.
MOST_PLACES = 40_000


class Impossible(Struct, frozen=True):
    """Not all appointments can take place."""


class Found(Struct, frozen=True):
    """A timetable (appointment -> slot)."""

    plan: dict[str, int]


class Bound(Struct, frozen=True):
    """No timetable has fewer breaks; with the fewest breaks, none has fewer idle slots (None: not known)."""

    breaks: int
    idle: int | None = None


class Over(Struct, frozen=True):
    """Both bounds are reached."""


Word = Impossible | Found | Bound | Over


class Proof:
    """A running proof. Use it as a context: leaving ends the process."""

    def __init__(
        self,
        problem: MeetingProblem,
        domains: Sequence[Sequence[int]],
        forced: Sequence[Forced],
        *,
        least: int,
        known: Mapping[str, int] | None,
    ) -> None:
        """Start the proof.

        Args:
            least: breaks that are known to be needed.
            domains: the slots that suit each appointment taken alone; all of them take place.
            known: a timetable that keeps every rule, where there is one. Where its talks lie is not told to
                the solver: held to that for good, it finds better ones later.
        """
        self.link, theirs = multiprocessing.Pipe()
        self._process = helper(_prove, theirs, problem, domains, forced, least, known)
        self._process.start()
        theirs.close()
        self.over = False

    def __enter__(self) -> "Proof":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()
        self.link.close()

    def words(self, *, wait: float) -> Iterator[Word]:
        """Yield what has been proven since, waiting up to ``wait`` seconds for the first word."""
        while not self.over and self.link.poll(wait):
            wait = 0.0
            try:
                word: Word = self.link.recv()
            except (EOFError, OSError):
                # ended from outside, for want of memory perhaps: what was proven stays
                self.over = True
                return
            self.over = isinstance(word, Over | Impossible)
            yield word

    def tell(self, plan: Mapping[str, int]) -> None:
        """Let the proof know of a better timetable: it need not look for one as good."""
        if not self.over:
            try:
                self.link.send(dict(plan))
            except OSError:
                self.over = True


class _Prover:
    """The other side of the link."""

    def __init__(
        self,
        link: Connection,
        problem: MeetingProblem,
        domains: Sequence[Sequence[int]],
        forced: Sequence[Forced],
        least: int,
        known: Mapping[str, int] | None,
    ) -> None:
        self._link = link
        self._problem = problem
        self._forced = forced
        self._floor = least
        self._encoding = Encoding(problem, domains, forced)
        self._solver = Solver(name=_SOLVER, bootstrap_with=self._encoding.clauses)
        self._lenient = problem.fairness is not None and problem.fairness >= _LENIENT
        self._best: dict[str, int] | None = None
        if known is not None:
            self._take(known)

    def _take(self, plan: Mapping[str, int]) -> None:
        if self._best is None or self._score(plan) < self._score(self._best):
            self._best = dict(plan)

    def _score(self, plan: Mapping[str, int]) -> tuple[int, int]:
        return total_breaks(self._problem, plan), total_idle(self._problem, plan)

    def _hear(self) -> None:
        while self._link.poll():
            self._take(self._link.recv())

    def _possible(self, assumptions: Sequence[int]) -> bool:
        """Ask the solver; a timetable that it finds is told and kept."""
        plan = None
        if self._lenient:
            plan = self._ask(assumptions)
            if plan is None:
                return False
            self._lenient = is_fair(self._problem, plan)
        if not self._lenient:
            plan = self._ask([*assumptions, *self._fair])
        if plan is None:
            return False
        self._take(plan)
        self._link.send(Found(plan))
        return True

    @property
    def _fair(self) -> list[int]:
        return [] if self._encoding.fair is None else [self._encoding.fair]

    def _ask(self, assumptions: Sequence[int]) -> dict[str, int] | None:
        if not self._solver.solve(assumptions=list(assumptions)):
            return None
        true = {literal for literal in self._solver.get_model() or () if literal > 0}
        items = self._problem.appointments
        return {items[m].id: t for (m, t), v in self._encoding.at.items() if v in true}

    def _add(self, clauses: Clauses) -> None:
        for clause in clauses:
            self._solver.add_clause(clause)

    def run(self) -> None:
        """Raise the bound until a timetable reaches it: of breaks, then of idle slots."""
        if self._best is None:
            # just any timetable is hardly ever fair
            lenient, self._lenient = self._lenient, False
            if not self._possible([]):
                self._link.send(Impossible())
                return
            self._lenient = lenient
        breaks = self._least(
            Counter(self._encoding, self._encoding.breaks, [one.breaks for one in self._forced]), idle=False
        )
        before = len(self._encoding.clauses)
        self._encoding.define_idle()
        self._add(self._encoding.clauses[before:])
        counter = Counter(self._encoding, self._encoding.idle, [one.idle for one in self._forced])
        self._least(counter, idle=True, breaks=breaks)
        self._link.send(Over())

    def _least(self, counter: Counter, *, idle: bool, breaks: int = 0) -> int:
        """Return the least sum that ``counter`` can count, telling each bound on the way.

        With ``idle`` the breaks are held: each of them is an idle slot at least.
        """
        assert self._best is not None
        bound = max(counter.base, breaks if idle else self._floor)
        while True:
            self._link.send(Bound(breaks, bound) if idle else Bound(bound))
            self._hear()
            if bound >= self._score(self._best)[idle]:
                clauses, held = counter.within(bound)
                break
            clauses, held = counter.within(bound)
            self._add(clauses)
            clauses = []
            if self._possible(held):
                break
            bound += 1
        self._add(clauses)
        self._add([[literal] for literal in held])
        return bound


def _prove(
    link: Connection,
    problem: MeetingProblem,
    domains: Sequence[Sequence[int]],
    forced: Sequence[Forced],
    least: int,
    known: Mapping[str, int] | None,
) -> None:
    try:
        _Prover(link, problem, domains, forced, least, known).run()
    except (BrokenPipeError, EOFError, MemoryError):
        # nobody listens any more, or there is no room: what was told stays true
        return

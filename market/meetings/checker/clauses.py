"""The story of :mod:`exact` as clauses, for days that are too full to be decided otherwise.

Only the question that matters most is put here, and only where every appointment takes place: is there
a plan with so many breaks, and so many idle slots? The solver (CaDiCaL) cannot be interrupted, so it
works in a process of its own, which is ended when its time is up.
"""

import multiprocessing
from collections.abc import Collection, Sequence
from multiprocessing.connection import Connection

from pysat.solvers import Solver

from market.forked import helper
from market.meetings.checker.exact import Answer, forced
from market.meetings.checker.labels import apart, shared_tables
from market.meetings.checker.reading import Meeting, Person, Talk

#: Below so many appointments x slots the other model is quicker; above, clauses would not fit into memory.
LEAST_PLACES, MOST_PLACES = 300, 40_000


class _Clauses:
    """Clauses over literals numbered from 1."""

    def __init__(self, meeting: Meeting) -> None:
        self.meeting = meeting
        self.rows: list[list[int]] = []
        self._last = 0
        self.slots = range(1, meeting.slots + 1)
        self.at: dict[tuple[str, int], int] = {}
        self.pauses: dict[str, list[int]] = {}
        self.waits: list[int] = []
        for talk in meeting.talks.values():
            for slot in self._allowed(talk):
                self.at[talk.id, slot] = self.new()
            here = self._of(talk.id)
            self.rows.append(list(here))
            self.no_more_than(here, 1)
        for who, mine in meeting.talks_of().items():
            self._tell(meeting.people[who], mine)
        self._share()
        self._order()
        self._be_fair()

    def new(self) -> int:
        self._last += 1
        return self._last

    def _of(self, talk: str) -> list[int]:
        return [self.at[talk, slot] for slot in self.slots if (talk, slot) in self.at]

    def _allowed(self, talk: Talk) -> list[int]:
        if apart(self.meeting, talk.id):
            return []
        away = set().union(*(self.meeting.people[who].away for who in talk.ends))
        noon = self.meeting.noon or 0
        return [
            slot
            for slot in self.slots
            if slot not in away
            and talk.slot in (None, slot)
            and (talk.half == "any" or (slot <= noon) == (talk.half == "morning"))
        ]

    def counted(self, literals: Sequence[int], most: int) -> list[int]:
        """Return literals of which the first k are true where k of ``literals`` are, up to ``most``."""
        if len(literals) <= 1:
            return list(literals[:most])
        half = len(literals) // 2
        one, two = self.counted(literals[:half], most), self.counted(literals[half:], most)
        sums = [self.new() for _ in range(min(most, len(one) + len(two)))]
        for i in range(len(one) + 1):
            for j in range(len(two) + 1):
                if i + j:
                    given = [-one[i - 1]] * bool(i) + [-two[j - 1]] * bool(j)
                    self.rows.append([*given, sums[min(i + j, len(sums)) - 1]])
        return sums

    def no_more_than(self, literals: Sequence[int], most: int) -> None:
        if most <= 0:
            self.rows += [[-literal] for literal in literals]
        elif most == 1 and len(literals) <= 6:
            self.rows += [[-one, -two] for k, one in enumerate(literals) for two in literals[:k]]
        elif len(literals) > most:
            self.rows.append([-self.counted(literals, most + 1)[most]])

    def _tell(self, person: Person, mine: Sequence[str]) -> None:
        """Tell a participant's day: fresh, at work, waiting or gone in each slot."""
        self.pauses[person.id] = []
        if person.most is not None and len(mine) > person.most:
            self.rows.append([])
        if len(mine) < 2:
            return
        size = self.meeting.slots
        work, waits, fresh, gone = ([self.new() for _ in range(size)] for _ in range(4))
        for t in range(size):
            here = [self.at[talk, t + 1] for talk in mine if (talk, t + 1) in self.at]
            self.rows += [[-literal, work[t]] for literal in here]
            self.rows.append([-work[t], *here])
            self.no_more_than(here, 1)
            state = [fresh[t], work[t], waits[t], gone[t]]
            self.rows.append(state)
            self.no_more_than(state, 1)
            if t:
                self._go_on(t, work, waits, fresh, gone)
                self.pauses[person.id].append(self.new())
                self.rows.append([-work[t - 1], -waits[t], self.pauses[person.id][-1]])
                self.rows += [[-self.pauses[person.id][-1], cause] for cause in (work[t - 1], waits[t])]
        self.rows += [[-waits[0]], [-gone[0]], [-waits[-1]]]
        # So many slots of work, no more and no fewer: it follows, and spares the solver the counting.
        self.no_more_than(work, len(mine))
        self.no_more_than([-literal for literal in work], size - len(mine))
        self.waits += waits

    def _go_on(self, t: int, work: list[int], waits: list[int], fresh: list[int], gone: list[int]) -> None:
        self.rows += [
            [-fresh[t], fresh[t - 1]],
            [-gone[t - 1], gone[t]],
            [-waits[t], waits[t - 1], work[t - 1]],
            [-waits[t - 1], waits[t], work[t]],
            [-gone[t], gone[t - 1], work[t - 1]],
        ]

    def _share(self) -> None:
        for slot in self.slots:
            here = [self.at[talk, slot] for talk in self.meeting.talks if (talk, slot) in self.at]
            self.no_more_than(here, self.meeting.tables)
            for _, talks in shared_tables(self.meeting).values():
                self.no_more_than([self.at[talk, slot] for talk in talks if (talk, slot) in self.at], 1)

    def _order(self) -> None:
        for talk in self.meeting.talks.values():
            for other in talk.after:
                for slot in self.slots:
                    if (talk.id, slot) in self.at:
                        late = [self.at[other, u] for u in self.slots if u >= slot and (other, u) in self.at]
                        self.rows += [[-self.at[talk.id, slot], -literal] for literal in late]

    def _be_fair(self) -> None:
        fairness = self.meeting.fairness
        if fairness is None:
            return
        size = self.meeting.slots
        least = [self.new() for _ in range(size)]
        for pauses in self.pauses.values():
            sums = self.counted(pauses, len(pauses))
            none = self.counted([-literal for literal in pauses], len(pauses))
            for j in range(size):
                # Whoever has j + fairness + 1 breaks needs everybody to have j + 1.
                if j + fairness < len(sums):
                    self.rows.append([-sums[j + fairness], *least[j : j + 1]])
                # At least j + 1 breaks: no more than all but so many of the steps are none.
                self.rows.append([-least[j], -none[len(pauses) - j - 1]] if j < len(pauses) else [-least[j]])

    def at_most_breaks(self, most: int) -> None:
        """Hold all breaks together to ``most``; those that a calendar forces are counted beforehand."""
        meeting, beyond = self.meeting, most
        inescapable: dict[str, int] = {}
        for who, mine in meeting.talks_of().items():
            inescapable[who], _ = forced(meeting.slots, meeting.people[who].away, len(mine))
            beyond -= inescapable[who]
        if beyond < 0:
            self.rows.append([])
            return
        extra: list[int] = []
        for who, pauses in self.pauses.items():
            extra += self.counted(pauses, inescapable[who] + beyond + 1)[inescapable[who] :]
        self.no_more_than(extra, beyond)


def _solve(link: Connection, meeting: Meeting, breaks: int, idle: int | None) -> None:
    clauses = _Clauses(meeting)
    clauses.at_most_breaks(breaks)
    if idle is not None:
        clauses.no_more_than(clauses.waits, idle)
    if [] in clauses.rows:
        link.send(None)
        return
    with Solver(name="cadical195", bootstrap_with=clauses.rows) as solver:
        if not solver.solve():
            link.send(None)
            return
        true = set(solver.get_model() or ())
    link.send({talk: slot for (talk, slot), literal in clauses.at.items() if literal in true})


def ask_for_all(meeting: Meeting, *, breaks: int, idle: int | None, seconds: float) -> Answer:
    """Look for a plan of every appointment with at most so many breaks, and idle slots if told."""
    link, theirs = multiprocessing.Pipe(duplex=False)
    process = helper(_solve, theirs, meeting, breaks, idle)
    process.start()
    theirs.close()
    try:
        if not link.poll(seconds):
            return Answer()
        slots = link.recv()
        return Answer(never=True) if slots is None else Answer(slots)
    except EOFError:
        return Answer()
    finally:
        process.kill()
        process.join()
        link.close()


def fits(meeting: Meeting, kept: Collection[str]) -> bool:
    """Tell whether the question is worth putting: a full day, and no plan that keeps as much omits any."""
    return (
        LEAST_PLACES <= len(meeting.talks) * meeting.slots <= MOST_PLACES
        and len(kept) == len(meeting.talks)
        and all(talk.micro or not talk.optional for talk in meeting.talks.values())
    )

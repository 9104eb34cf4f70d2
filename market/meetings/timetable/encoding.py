"""A meeting as clauses for a SAT solver: where appointments lie, who has breaks, who waits.

The encoding follows the MaxSAT one of Bofill, Coll, Garcia, Giráldez-Cru, Pesant, Suy and Villaret,
"Constraint solving approaches to the business-to-business meeting scheduling problem" (JAIR 74, 2022), with
its implied constraints: each participant is busy in as many slots as it has appointments, and a slot's busy
participants are at most twice its tables. Ours is that in every slot as many of the one side are busy as of
the other. Counters are those of PySAT (Ignatiev, Morgado and Marques-Silva,
SAT 2018).

Every appointment takes place here: what has been left out is not given. Per participant p and slot t:

- ``at[m, t]``: appointment m lies in slot t
- ``busy[p, t]``: p has an appointment in slot t
- ``breaks[p]``: literals of which as many are true as p has breaks (or more: a solver sets them so)
- ``idle[p]``: the same of idle slots
"""

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

from pysat.card import CardEnc, EncType, ITotalizer
from pysat.formula import IDPool

from market.meetings.timetable.forced import Forced
from market.meetings.timetable.problem import MeetingProblem, two_sides

Clauses = list[list[int]]


class Encoding:
    """Clauses of a meeting. ``domains``: the slots of each appointment (from 1); all of them take place."""

    def __init__(
        self, problem: MeetingProblem, domains: Sequence[Sequence[int]], forced: Sequence[Forced]
    ) -> None:
        self.problem = problem
        self.domains = domains
        self.clauses: Clauses = []
        self._pool = IDPool()
        people = {person.id: p for p, person in enumerate(problem.participants)}
        self.ends = [(people[item.a], people[item.b]) for item in problem.appointments]
        self.members: list[list[int]] = [[] for _ in people]
        for m, ends in enumerate(self.ends):
            for p in ends:
                self.members[p].append(m)
        self.at = {(m, t): self._pool.id() for m, domain in enumerate(domains) for t in domain}
        self.busy: dict[tuple[int, int], int] = {}
        self.breaks: list[list[int]] = [[] for _ in people]
        self.idle: list[list[int]] = [[] for _ in people]
        self._begun: dict[tuple[int, int], int] = {}
        for m, domain in enumerate(domains):
            self._exactly_one([self.at[m, t] for t in domain])
        for p in range(len(people)):
            self._define_busy(p)
        self._tables()
        self._own_tables()
        self._order()
        for p in range(len(people)):
            self._define_breaks(p)
        #: The literal under which breaks fall no less evenly than they may; None: they may fall as they like.
        self.fair = None if problem.fairness is None else self.fresh()
        before = len(self.clauses)
        self._fairness(forced)
        if self.fair is not None:
            for clause in self.clauses[before:]:
                clause.append(-self.fair)

    # --- what clauses are made of -------------------------------------------------------------------

    def fresh(self) -> int:
        return int(self._pool.id())

    @property
    def top(self) -> int:
        """The largest number of a variable so far."""
        return int(self._pool.top)

    def reserve(self, top: int) -> None:
        """Leave numbers up to ``top`` to others."""
        self._pool.top = max(self._pool.top, top)

    def add(self, *clause: int) -> None:
        self.clauses.append(list(clause))

    def at_most(self, literals: Sequence[int], bound: int) -> None:
        """Say that no more than ``bound`` of ``literals`` are true."""
        if bound >= len(literals):
            return
        if bound == 0:
            self.clauses += [[-one] for one in literals]
        elif bound == 1 and len(literals) <= 6:
            self.clauses += [[-a, -b] for i, a in enumerate(literals) for b in literals[:i]]
        else:
            self._count(CardEnc.atmost, literals, bound)

    def _exactly(self, literals: Sequence[int], count: int) -> None:
        if count > len(literals):
            self.add()
        elif count == len(literals):
            self.clauses += [[one] for one in literals]
        else:
            self._count(CardEnc.equals, literals, count)

    def _count(self, kind: object, literals: Sequence[int], bound: int) -> None:
        encoded = kind(  # type: ignore[operator]
            lits=list(literals), bound=bound, vpool=self._pool, encoding=EncType.cardnetwrk
        )
        self.clauses += encoded.clauses

    def _exactly_one(self, literals: Sequence[int]) -> None:
        self.add(*literals)
        self.clauses += [[-a, -b] for i, a in enumerate(literals) for b in literals[:i]]

    # --- the constraints ------------------------------------------------------------------------------

    def _define_busy(self, p: int) -> None:
        mine = self.members[p]
        for t in range(1, self.problem.slots + 1):
            here = [self.at[m, t] for m in mine if (m, t) in self.at]
            if len(here) == 1:
                self.busy[p, t] = here[0]
            elif here:
                busy = self.busy[p, t] = self.fresh()
                self.add(-busy, *here)
                self.clauses += [[-one, busy] for one in here]
                self.clauses += [[-a, -b] for i, a in enumerate(here) for b in here[:i]]
        if mine:
            self._exactly(
                [v for t in range(1, self.problem.slots + 1) if (v := self.busy.get((p, t)))], len(mine)
            )

    def _tables(self) -> None:
        """Bound each slot by its tables; where the meeting has two sides, as many of each are busy.

        That the sides balance follows from the rest, but a solver would have to count to see it: with it
        said, proofs take a fraction of the conflicts.
        """
        sides = two_sides(self.ends, len(self.members))
        if sides is None:
            self._at_tables()
            return
        for t in range(1, self.problem.slots + 1):
            busy: tuple[list[int], list[int]] = ([], [])
            for p, side in enumerate(sides):
                if (p, t) in self.busy:
                    busy[side].append(self.busy[p, t])
            # of whom there are no more than tables, nor than of the other side
            most = min(self.problem.tables, *map(len, busy))
            one, two = (self._ladder(some, most + 1) for some in busy)
            for a, b in zip(one, two, strict=False):
                self.clauses += [[-a, b], [a, -b]]
            self.clauses += [[-ladder[most]] for ladder in (one, two) if len(ladder) > most]

    def _at_tables(self) -> None:
        """Bound each slot where there are no two sides; each talk counts by its end with more talks."""
        degree = [len(mine) for mine in self.members]
        whose = [a if degree[a] >= degree[b] else b for a, b in self.ends]
        for t in range(1, self.problem.slots + 1):
            clusters: dict[int, list[int]] = defaultdict(list)
            for m, p in enumerate(whose):
                if (m, t) in self.at:
                    clusters[p].append(self.at[m, t])
            counted = []
            for p, here in clusters.items():
                everything = sum((m, t) in self.at for m in self.members[p])
                if len(here) == 1:
                    counted.append(here[0])
                elif len(here) == everything:
                    counted.append(self.busy[p, t])
                else:
                    some = self.fresh()
                    self.clauses += [[-one, some] for one in here]
                    counted.append(some)
            self.at_most(counted, self.problem.tables)
            busy = [self.busy[p, t] for p in range(len(self.members)) if (p, t) in self.busy]
            self.at_most(busy, 2 * self.problem.tables)

    def _own_tables(self) -> None:
        own = {person.id: person.table for person in self.problem.participants}
        owners: dict[int, set[str]] = defaultdict(set)
        used: dict[int, list[int]] = defaultdict(list)
        for m, item in enumerate(self.problem.appointments):
            for who in {item.a, item.b}:
                table = own[who]
                if table is not None:
                    owners[table].add(who)
                    used[table].append(m)
        for table, here in used.items():
            if len(owners[table]) > 1:
                for t in range(1, self.problem.slots + 1):
                    self.at_most(sorted({self.at[m, t] for m in here if (m, t) in self.at}), 1)

    def _order(self) -> None:
        number = {item.id: m for m, item in enumerate(self.problem.appointments)}
        for m, item in enumerate(self.problem.appointments):
            for earlier in dict.fromkeys(item.after):
                q = number[earlier]
                for t in self.domains[m]:
                    # m in slot t needs the other one in an earlier slot
                    self.add(-self.at[m, t], *(self.at[q, u] for u in self.domains[q] if u < t and q != m))

    def _define_breaks(self, p: int) -> None:
        """Define when p has begun, and a literal for each slot that a break of p ends in."""
        if len(self.members[p]) < 2:
            return
        begun: int | None = None
        for t in range(1, self.problem.slots + 1):
            busy, following = self.busy.get((p, t)), self.busy.get((p, t + 1))
            if begun is None:
                begun = busy
            elif busy is not None:
                now = self.fresh()
                self.add(-busy, now)
                self.add(-begun, now)
                self.add(begun, busy, -now)
                begun = now
            if begun is None:
                continue
            self._begun[p, t] = begun
            if following is not None and begun != busy:
                over = self.fresh()
                self.add(-begun, -following, over, *([busy] if busy is not None else []))
                self.add(-over, begun)
                self.add(-over, following)
                if busy is not None:
                    self.add(-over, -busy)
                self.breaks[p].append(over)

    def define_idle(self) -> None:
        """Add a literal for each slot in which a participant waits: begun, not over, not busy."""
        for p, mine in enumerate(self.members):
            if len(mine) < 2:
                continue
            coming: int | None = None
            for t in range(self.problem.slots, 0, -1):
                busy = self.busy.get((p, t))
                before = self._begun.get((p, t - 1))
                if coming is not None and before is not None:
                    waits = self.fresh()
                    self.add(-before, -coming, waits, *([busy] if busy is not None else []))
                    self.idle[p].append(waits)
                if coming is None:
                    coming = busy
                elif busy is not None:
                    later = self.fresh()
                    self.add(-busy, later)
                    self.add(-coming, later)
                    coming = later

    def _fairness(self, forced: Sequence[Forced]) -> None:
        most = self.problem.fairness
        if most is None:
            return
        if min((one.breaks for one in forced), default=0) == 0 and any(
            len(mine) < 2 for mine in self.members
        ):
            # somebody has no breaks whatever happens
            for literals in self.breaks:
                self.at_most(literals, most)
            return
        # in unary: least[j] says that everybody has more than j breaks
        ladders = [self._ladder(literals) for literals in self.breaks]
        tall = max(map(len, ladders), default=0)
        least = [self.fresh() for _ in range(tall)]
        for lower, upper in pairwise(least):
            self.add(-upper, lower)
        for ladder in ladders:
            for j, rung in enumerate(least):
                self.add(-rung, *([ladder[j]] if j < len(ladder) else []))
            for j, rung in enumerate(ladder):
                if j >= most:
                    # more than j breaks are fair only where everybody has more than j - most
                    self.add(-rung, least[j - most])

    def _ladder(self, literals: Sequence[int], most: int | None = None) -> list[int]:
        """Return outputs of which the j-th is true if and only if more than j of ``literals`` are.

        ``most``: so many outputs at most; further ones would not be looked at.
        """
        if len(literals) < 2:
            return list(literals[:most])
        half = len(literals) // 2
        low, high = self._ladder(literals[:half], most), self._ladder(literals[half:], most)
        total = [self.fresh() for _ in literals[:most]]
        for lower, upper in pairwise(total):
            self.add(-upper, lower)
        for i in range(len(low) + 1):
            for j in range(len(high) + 1):
                # i of the one and j of the other: at least i + j; and fewer than both: at most
                if 0 < i + j <= len(total):
                    reached = [-low[i - 1]] if i else []
                    reached += [-high[j - 1]] if j else []
                    self.add(*reached, total[i + j - 1])
                if i + j < len(total):
                    missed = [low[i]] if i < len(low) else []
                    missed += [high[j]] if j < len(high) else []
                    self.add(*missed, -total[i + j])
        return total


class Counter:
    """Counts true literals above what each participant is forced to, so that a bound is one assumption.

    ``base`` is the sum of what is forced: :meth:`within` speaks of the total.
    """

    def __init__(self, encoding: Encoding, literals: Sequence[Sequence[int]], least: Sequence[int]) -> None:
        self.base = sum(least)
        self._encoding = encoding
        self._new: Clauses = []
        self._excess: list[int] = []
        for some, few in zip(literals, least, strict=True):
            if few == 0:
                self._excess += some
            else:
                ladder = ITotalizer(lits=list(some), ubound=len(some), top_id=encoding.top)
                self._keep(ladder, ladder.cnf.clauses)
                self._excess += ladder.rhs[few : len(some)]
        self._bound = 0
        self._sum: ITotalizer | None = None

    def _keep(self, totalizer: ITotalizer, clauses: Clauses) -> None:
        self._encoding.reserve(totalizer.top_id)
        self._new += clauses

    def within(self, total: int) -> tuple[Clauses, list[int]]:
        """Return new clauses, and assumptions under which no more than ``total`` literals are true."""
        bound = total - self.base
        if bound < 0:
            raise ValueError(f"{total} < {self.base}")
        if bound >= len(self._excess):
            assumptions: list[int] = []
        else:
            assumptions = [-self._up_to(bound).rhs[bound]]
        new, self._new = self._new, []
        return new, assumptions

    def _up_to(self, bound: int) -> ITotalizer:
        if self._sum is None:
            self._bound = min(max(8, bound + 4), len(self._excess))
            self._sum = ITotalizer(lits=self._excess, ubound=self._bound, top_id=self._encoding.top)
            self._keep(self._sum, self._sum.cnf.clauses)
        elif bound >= self._bound:
            self._bound = min(2 * bound, len(self._excess))
            self._sum.increase(ubound=self._bound, top_id=self._encoding.top)
            self._keep(self._sum, self._sum.cnf.clauses[-self._sum.nof_new :])
        return self._sum

"""A timetable by list edge colouring: first fit, Kempe chains, then ejection.

Appointments are edges between participants, slots are colours. A Kempe chain of two slots is a
connected set of appointments that exchange these slots, which keeps every participant free of
clashes. See Pesant, Rix and Rousseau, "A comparative study of MIP and CP formulations for the
B2B scheduling optimization problem" (CPAIOR 2015) for the problem.
"""

from collections.abc import Iterable, Mapping
from random import Random

from market.meetings.timetable.problem import MeetingProblem


class Board:
    """Appointments over slots (bits from 0), as an editable state of the local search.

    A resource is what one appointment at a time can use: a participant, or a table that several
    participants call their own.
    """

    def __init__(self, problem: MeetingProblem, domains: list[list[int]], random: Random) -> None:
        self.problem = problem
        self.random = random
        self.slots = problem.slots
        self.tables = problem.tables
        people = {person.id: p for p, person in enumerate(problem.participants)}
        self.people = len(people)
        own = [person.table for person in problem.participants]
        tables = {table: self.people + i for i, table in enumerate(sorted({t for t in own if t is not None}))}
        self.uses: list[tuple[int, ...]] = []
        for item in problem.appointments:
            ends = (people[item.a], people[item.b])
            seats = {tables[t] for t in (own[end] for end in ends) if t is not None}
            self.uses.append((*ends, *seats))
        resources = self.people + len(tables)
        self.at = [[-1] * self.slots for _ in range(resources)]
        self.busy = [0] * resources
        self.count = [0] * self.slots
        self.slot = [-1] * len(problem.appointments)
        self.allowed = [sum(1 << (t - 1) for t in domain) for domain in domains]
        self.quota = [
            len(problem.appointments) if person.max_appointments is None else person.max_appointments
            for person in problem.participants
        ]
        index = {item.id: m for m, item in enumerate(problem.appointments)}
        self.before: list[set[int]] = [set() for _ in problem.appointments]
        self.behind: list[set[int]] = [set() for _ in problem.appointments]
        for m, item in enumerate(problem.appointments):
            for earlier in item.after:
                self.before[m].add(index[earlier])
                self.behind[index[earlier]].add(m)
        self.ordered = any(self.before)

    def plan(self) -> dict[str, int]:
        """Return appointment -> slot (from 1) of what is placed."""
        return {
            item.id: slot + 1
            for item, slot in zip(self.problem.appointments, self.slot, strict=True)
            if slot >= 0
        }

    def put(self, m: int, t: int) -> None:
        for r in self.uses[m]:
            self.at[r][t] = m
            self.busy[r] |= 1 << t
        for p in self.uses[m][:2]:
            self.quota[p] -= 1
        self.count[t] += 1
        self.slot[m] = t

    def take(self, m: int) -> None:
        t = self.slot[m]
        for r in self.uses[m]:
            self.at[r][t] = -1
            self.busy[r] &= ~(1 << t)
        for p in self.uses[m][:2]:
            self.quota[p] += 1
        self.count[t] -= 1
        self.slot[m] = -1

    def in_order(self, m: int, t: int) -> bool:
        """Tell whether ``m`` in slot ``t`` agrees with the order of the placed ones."""
        return all(self.slot[q] < t for q in self.before[m] if self.slot[q] >= 0) and all(
            self.slot[q] > t for q in self.behind[m] if self.slot[q] >= 0
        )

    def chain(self, m: int, other: int) -> list[int] | None:
        """Return the appointments that must swap slots with ``m`` moved to ``other``, or None if barred."""
        here = self.slot[m]
        uses, at, slot, allowed = self.uses, self.at, self.slot, self.allowed
        members = [m]
        seen = {m}
        for q in members:
            target = other if slot[q] == here else here
            if not allowed[q] >> target & 1:
                return None
            for r in uses[q]:
                n = at[r][target]
                if n >= 0 and n not in seen:
                    seen.add(n)
                    members.append(n)
        if self.ordered:
            new = {q: other if slot[q] == here else here for q in members}
            for q, t in new.items():
                if any(new.get(b, slot[b]) >= t for b in self.before[q] if slot[b] >= 0):
                    return None
                if any(new.get(b, slot[b]) <= t for b in self.behind[q] if slot[b] >= 0):
                    return None
        return members

    def shift(self, members: Iterable[int], here: int) -> int:
        """Return how many more appointments slot ``here`` loses than it gains by the swap."""
        return sum(1 if self.slot[q] == here else -1 for q in members)

    def swap(self, members: list[int], one: int, two: int) -> None:
        both = one ^ two
        targets = [(q, self.slot[q] ^ both) for q in members]
        for q in members:
            self.take(q)
        for q, t in targets:
            self.put(q, t)

    def breaks(self, p: int) -> int:
        busy = self.busy[p]
        return (busy & ~(busy << 1)).bit_count() - 1 if busy else 0

    def insert(self, m: int) -> bool:
        """Place ``m`` without displacing anything for good: a free slot, or one freed by a chain."""
        if any(self.quota[p] <= 0 for p in self.uses[m][:2]):
            return False
        taken = 0
        for r in self.uses[m]:
            taken |= self.busy[r]
        free = [
            t
            for t in range(self.slots)
            if self.allowed[m] & ~taken & 1 << t and self.count[t] < self.tables and self.in_order(m, t)
        ]
        if free:
            self.put(
                m, min(free, key=lambda t: (self._new_breaks(m, t), self.count[t], self.random.random()))
            )
            return True
        return self._insert_by_chain(m)

    def _new_breaks(self, m: int, t: int) -> int:
        total = 0
        for p in self.uses[m][:2]:
            old, new = self.busy[p], self.busy[p] | 1 << t
            total += (new & ~(new << 1)).bit_count() - (old & ~(old << 1)).bit_count()
        return total

    def _insert_by_chain(self, m: int) -> bool:
        wanted = [t for t in range(self.slots) if self.allowed[m] >> t & 1 and self.in_order(m, t)]
        self.random.shuffle(wanted)
        for t in wanted:
            blocking = {self.at[r][t] for r in self.uses[m]} - {-1}
            if len(blocking) != 1:
                continue
            (n,) = blocking
            for other in range(self.slots):
                if other == t:
                    continue
                members = self.chain(n, other)
                if members is None:
                    continue
                # Whoever comes into slot t must not use what m needs there.
                if any(self.slot[q] == other and set(self.uses[q]) & set(self.uses[m]) for q in members):
                    continue
                loss = self.shift(members, t)
                if self.count[t] - loss + 1 > self.tables or self.count[other] + loss > self.tables:
                    continue
                self.swap(members, t, other)
                if self.in_order(m, t):
                    self.put(m, t)
                    return True
                self.swap(members, t, other)
        return False

    def force(self, m: int) -> list[int]:
        """Place ``m`` somewhere and return what it threw out; ``[m]`` where no slot is allowed."""
        wanted = [t for t in range(self.slots) if self.allowed[m] >> t & 1]
        if not wanted or self.tables == 0 or any(self.quota[p] <= 0 for p in self.uses[m][:2]):
            return [m]
        t = self.random.choice(wanted)
        out = {self.at[r][t] for r in self.uses[m]} - {-1}
        out |= {q for q in self.before[m] if self.slot[q] >= t}
        out |= {q for q in self.behind[m] if 0 <= self.slot[q] <= t}
        for q in out:
            self.take(q)
        if self.count[t] >= self.tables:
            q = self.random.choice([q for q, slot in enumerate(self.slot) if slot == t])
            self.take(q)
            out.add(q)
        self.put(m, t)
        return sorted(out)


def construct(board: Board, *, home: Mapping[str, int], rounds: int = 200) -> bool:
    """Place as much as possible, first at ``home`` (appointment -> slot). True if nothing is left out."""
    items = board.problem.appointments
    degree = [0] * board.people
    for m in range(len(items)):
        for p in board.uses[m][:2]:
            degree[p] += 1

    def difficulty(m: int) -> tuple[int, int, int]:
        return (
            board.allowed[m].bit_count(),
            -max(degree[p] for p in board.uses[m][:2]),
            m,
        )

    required = sorted((m for m in range(len(items)) if not items[m].optional), key=difficulty)
    optional = sorted(
        (m for m in range(len(items)) if items[m].optional), key=lambda m: (-items[m].scaled_weight, m)
    )
    for m in (*required, *optional):
        t = home.get(items[m].id, 0) - 1
        if (
            0 <= t < board.slots
            and board.allowed[m] >> t & 1
            and all(board.at[r][t] < 0 for r in board.uses[m])
            and board.count[t] < board.tables
            and all(board.quota[p] > 0 for p in board.uses[m][:2])
            and board.in_order(m, t)
        ):
            board.put(m, t)
    waiting = [m for m in required if board.slot[m] < 0 and not board.insert(m)]
    for _ in range(rounds):
        if not waiting:
            break
        board.random.shuffle(waiting)
        again: list[int] = []
        for m in waiting:
            if board.slot[m] < 0 and not board.insert(m):
                again += [q for q in board.force(m) if not items[q].optional and not board.insert(q)]
        waiting = sorted(set(again))
    for m in optional:
        if board.slot[m] < 0:
            board.insert(m)
    return all(slot >= 0 for slot in board.slot)

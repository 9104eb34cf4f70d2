"""An exact model of a meeting, made apart from the scheduler's, to try what a timetable claims.

Where the scheduler counts how often a participant becomes busy, this model tells a participant's day as
a story: in each slot it has not begun, is at a table, waits between two appointments, or has gone. A
break is a step from a table into waiting, an idle slot is one of waiting. Each question is put as "is
there a plan of at most so much", never as "what is the best": a yes is a plan that can be counted, and
a no is a proof.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from ortools.sat.python import cp_model

from market.meetings.checker.claimed import Reason
from market.meetings.checker.labels import apart, labels, normal, shared_tables
from market.meetings.checker.reading import Meeting

Literal = cp_model.IntVar
Sum = Any


class Answer(Struct, frozen=True):
    """A plan that the question asked for; or ``never``, the proof of none; or neither, out of time."""

    slots: dict[str, int] | None = None
    tables: dict[str, int] | None = None
    never: bool = False
    #: Of a question among labels: those that the plan does not keep.
    given_up: frozenset[int] = frozenset()


def total(terms: Iterable[Sum]) -> Sum:
    return cp_model.LinearExpr.sum(list(terms))


class Exact:
    """``meeting`` under ``chosen`` constraints, or under each one's literal where ``guarded``."""

    def __init__(
        self, meeting: Meeting, chosen: Sequence[Reason] | None = None, *, guarded: bool = False
    ) -> None:
        self.meeting = meeting
        self.model = cp_model.CpModel()
        self.slots = range(1, meeting.slots + 1)
        self.at: dict[tuple[str, int], Literal] = {}
        self.mine = meeting.talks_of()
        self._days: dict[str, _Day] = {}
        self._tables: dict[tuple[str, int], Literal] = {}
        for talk in meeting.talks:
            for slot in self.slots:
                self.at[talk, slot] = self.model.new_bool_var(f"{talk}@{slot}")
            self.model.add_at_most_one(self._slots_of(talk))
        self.labels = labels(meeting) if chosen is None else [normal(reason) for reason in chosen]
        self.guards: list[Literal] = []
        #: All rules hold, so sums that follow from them may be added.
        self._whole = chosen is None and not guarded
        for i, label in enumerate(self.labels):
            guard = self.model.new_bool_var(f"label {i}") if guarded else None
            if guard is not None:
                self.guards.append(guard)
            self._post(label, guard)

    def _slots_of(self, talk: str) -> list[Literal]:
        return [self.at[talk, slot] for slot in self.slots]

    def placed(self, talk: str) -> Sum:
        return total(self._slots_of(talk))

    def _most(self, terms: Iterable[Sum], bound: int, guard: Literal | None) -> None:
        row = self.model.add(total(terms) <= bound)
        if guard is not None:
            row.only_enforce_if(guard)

    def _never(self, places: Iterable[tuple[str, int]], guard: Literal | None) -> None:
        row = self.model.add_bool_and([~self.at[place] for place in places])
        if guard is not None:
            row.only_enforce_if(guard)

    def _post(self, label: Reason, guard: Literal | None) -> None:
        kind = label.kind
        if kind in ("keep", "half", "slot", "own_table"):
            self._post_talk(kind, label.appointments[0], guard)
        elif kind == "after":
            self._post_after(*label.appointments, guard=guard)
        elif kind in ("one_at_a_time", "unavailable", "max_appointments"):
            self._post_person(kind, label.participants[0], guard)
        elif kind == "tables":
            for slot in self.slots:
                self._most((self.at[talk, slot] for talk in self.meeting.talks), self.meeting.tables, guard)
        elif kind == "shared_table":
            for owners, talks in shared_tables(self.meeting).values():
                if tuple(sorted(owners)) == label.participants:
                    for slot in self.slots:
                        self._most((self.at[talk, slot] for talk in talks), 1, guard)
        elif kind == "fairness":
            self._post_fairness(guard)

    def _post_talk(self, kind: str, name: str, guard: Literal | None) -> None:
        talk, noon = self.meeting.talks[name], self.meeting.noon or 0
        if kind == "keep":
            row = self.model.add_bool_or(self._slots_of(name))
            if guard is not None:
                row.only_enforce_if(guard)
            return
        barred = {
            "half": [slot for slot in self.slots if (slot <= noon) != (talk.half == "morning")],
            "slot": [slot for slot in self.slots if slot != talk.slot],
            "own_table": list(self.slots) if apart(self.meeting, name) else [],
        }[kind]
        self._never(((name, slot) for slot in barred), guard)

    def _post_after(self, later: str, earlier: str, *, guard: Literal | None) -> None:
        if later == earlier:
            self._never(((later, slot) for slot in self.slots), guard)
            return
        # Said of each slot that the later one may take: by then the other has been, or is left out.
        for slot in self.slots:
            rest = [self.at[earlier, other] for other in self.slots if other >= slot]
            row = self.model.add_bool_and([~other for other in rest])
            row.only_enforce_if(self.at[later, slot], *([] if guard is None else [guard]))

    def _post_person(self, kind: str, who: str, guard: Literal | None) -> None:
        person, mine = self.meeting.people[who], self.mine[who]
        if kind == "one_at_a_time":
            for slot in self.slots:
                self._most((self.at[talk, slot] for talk in mine), 1, guard)
        elif kind == "unavailable":
            self._never(((talk, slot) for talk in mine for slot in person.away), guard)
        elif person.most is not None:
            self._most((self.placed(talk) for talk in mine), person.most, guard)

    def _post_fairness(self, guard: Literal | None) -> None:
        fairness = self.meeting.fairness
        if fairness is None:
            return
        most = 0 if any(len(mine) < 2 for mine in self.mine.values()) else self.meeting.slots
        least = self.model.new_int_var(0, most, "least")
        for who in self.meeting.people:
            breaks = total(self.day(who).pauses)
            self.model.add(breaks >= least)
            row = self.model.add(breaks <= least + fairness)
            if guard is not None:
                row.only_enforce_if(guard)

    def day(self, who: str) -> "_Day":
        """Return the story of a participant's day, told when it is first asked for."""
        if who not in self._days:
            talks = [[self.at[talk, slot] for talk in self.mine[who]] for slot in self.slots]
            self._days[who] = _Day(self.model, talks)
            if self._whole:
                day, away = self._days[who], self.meeting.people[who].away
                self.model.add(total(day.work) == total(self.placed(talk) for talk in self.mine[who]))
                must = sum(not self.meeting.talks[talk].optional for talk in self.mine[who])
                breaks, idle = forced(self.meeting.slots, away, must)
                if breaks:
                    self.model.add(total(day.pauses) >= breaks)
                    self.model.add(total(day.waits) >= idle)
        return self._days[who]

    def breaks(self) -> Sum:
        return total(pause for who in self.meeting.people for pause in self.day(who).pauses)

    def idle(self) -> Sum:
        return total(wait for who in self.meeting.people for wait in self.day(who).waits)

    def micro(self) -> Sum:
        """Return the kept weight in millionths."""
        return total(talk.micro * self.placed(talk.id) for talk in self.meeting.talks.values() if talk.micro)

    def changes(self) -> Sum:
        """Return the table changes; a participant's table is carried through the slots that it is idle."""
        return total(self._changes())

    def _changes(self) -> Iterable[Sum]:
        meeting, model = self.meeting, self.model
        own = {person.table for person in meeting.people.values() if person.table is not None}
        free = [table for table in range(1, meeting.tables + 1) if table not in own]
        # Free tables are alike, and each appointment needs one at most.
        tables = sorted(own) + free[: len(meeting.talks)]
        here: dict[tuple[str, int, int], Literal] = {}
        for talk in meeting.talks.values():
            fixed = {meeting.people[who].table for who in talk.ends} - {None}
            domain = [table for table in tables if not fixed or table in fixed]
            for table in domain:
                self._tables[talk.id, table] = model.new_bool_var(f"{talk.id} table {table}")
                for slot in self.slots:
                    both = model.new_bool_var(f"{talk.id}@{slot},{table}")
                    here[talk.id, slot, table] = both
                    model.add_bool_or(~self.at[talk.id, slot], ~self._tables[talk.id, table], both)
                    model.add_implication(both, self.at[talk.id, slot])
                    model.add_implication(both, self._tables[talk.id, table])
            model.add(total(self._tables[talk.id, table] for table in domain) == self.placed(talk.id))
        for slot in self.slots:
            for table in tables:
                model.add_at_most_one(
                    here[name, slot, table] for name in meeting.talks if (name, slot, table) in here
                )
        for who, mine in self.mine.items():
            if len(mine) < 2 or meeting.people[who].table is not None:
                continue
            seat = {(t, k): model.new_bool_var(f"{who} at {k}@{t}") for t in self.slots for k in tables}
            for slot in self.slots:
                model.add_exactly_one(seat[slot, table] for table in tables)
                for table in tables:
                    for name in mine:
                        if (name, slot, table) in here:
                            model.add_implication(here[name, slot, table], seat[slot, table])
            changes = [model.new_bool_var(f"{who} changes@{slot}") for slot in self.slots[1:]]
            for slot, change in zip(self.slots[1:], changes, strict=True):
                for table in tables:
                    model.add_bool_or(~seat[slot, table], seat[slot - 1, table], change)
            if self._whole:
                model.add(total(changes) >= forced_changes(meeting, who, mine))
            yield from changes

    def ask(
        self,
        *,
        seconds: float,
        threads: int,
        least: Sum = None,
        near: Mapping[str, int] | None = None,
        holding: Sequence[int] | None = None,
    ) -> Answer:
        """Look for any plan within the model.

        Args:
            least: what the search should lower, for guidance only: the first plan ends it. With
                ``holding`` it runs to the end.
            near: a plan to begin beside.
            holding: of a guarded model, the labels that must hold; of the others as many as can.
        """
        solver = cp_model.CpSolver()
        solver.parameters.max_time_in_seconds = max(0.01, seconds)
        solver.parameters.num_workers = threads
        solver.parameters.random_seed = 1
        # Ctrl-C is the caller's.
        solver.parameters.catch_sigint_signal = False
        self.model.clear_hints()  # type: ignore[no-untyped-call]
        for (talk, slot), literal in self.at.items() if near is not None else ():
            self.model.add_hint(literal, bool(near and near.get(talk) == slot))
        self.model.clear_assumptions()
        if holding is not None:
            self.model.add_assumptions([self.guards[i] for i in holding])
            self.model.maximize(total(self.guards))
        elif least is not None:
            self.model.minimize(least)
            solver.parameters.stop_after_first_solution = True
        status = solver.solve(self.model)
        if status == cp_model.INFEASIBLE:
            return Answer(never=True)
        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return Answer()
        return Answer(
            {talk: slot for (talk, slot), literal in self.at.items() if solver.boolean_value(literal)},
            {talk: k for (talk, k), literal in self._tables.items() if solver.boolean_value(literal)},
            given_up=frozenset(i for i, v in enumerate(self.guards) if not solver.boolean_value(v)),
        )


class _Day:
    """What a participant does in each slot; ``talks`` holds its appointments' literals, slot by slot."""

    def __init__(self, model: cp_model.CpModel, talks: Sequence[Sequence[Literal]]) -> None:
        size = len(talks)
        self.work = [model.new_bool_var(f"work {t}") for t in range(size)]
        self.waits = [model.new_bool_var(f"wait {t}") for t in range(size)]
        self.pauses: list[Literal] = []
        fresh = [model.new_bool_var(f"fresh {t}") for t in range(size)]
        gone = [model.new_bool_var(f"gone {t}") for t in range(size)]
        for t, here in enumerate(talks):
            model.add_exactly_one(fresh[t], self.work[t], self.waits[t], gone[t])
            for literal in here:
                model.add_implication(literal, self.work[t])
            model.add_bool_or(~self.work[t], *here)
            if t == 0:
                model.add_bool_and([~self.waits[t], ~gone[t]])
                continue
            model.add_implication(fresh[t], fresh[t - 1])
            model.add_implication(gone[t - 1], gone[t])
            model.add_bool_or(~self.waits[t], self.waits[t - 1], self.work[t - 1])
            model.add_bool_or(~self.waits[t - 1], self.waits[t], self.work[t])
            model.add_bool_or(~gone[t], gone[t - 1], self.work[t - 1])
            pause = model.new_bool_var(f"pause {t}")
            model.add_bool_or(~self.work[t - 1], ~self.waits[t], pause)
            model.add_implication(pause, self.work[t - 1])
            model.add_implication(pause, self.waits[t])
            self.pauses.append(pause)
        if size:
            model.add_bool_and([~self.waits[-1]])


def forced(slots: int, away: Iterable[int], must: int) -> tuple[int, int]:
    """Return the fewest breaks and the fewest idle slots of somebody with ``must`` appointments.

    By the calendar alone: the longest free stretches hold the appointments with the fewest breaks, and
    the shortest span with enough free slots has the fewest idle ones.
    """
    absent = set(away)
    free = [slot for slot in range(1, slots + 1) if slot not in absent]
    if must < 2 or len(free) < must:
        return 0, 0
    idle = min(free[i + must - 1] - free[i] + 1 - must for i in range(len(free) - must + 1))
    runs: list[int] = []
    for i, slot in enumerate(free):
        if i and free[i - 1] == slot - 1:
            runs[-1] += 1
        else:
            runs.append(1)
    held, used = 0, 0
    for run in sorted(runs, reverse=True):
        if held < must:
            held, used = held + run, used + 1
    return used - 1, idle


def forced_changes(meeting: Meeting, who: str, mine: Iterable[str]) -> int:
    """Return the fewest table changes of somebody who must go to others at tables of their own."""
    if meeting.people[who].table is not None:
        return 0
    talks = [meeting.talks[name] for name in mine]
    others = {meeting.people[other].table for talk in talks if not talk.optional for other in talk.ends}
    return max(0, len(others - {None}) - 1)

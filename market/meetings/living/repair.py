"""The timetable on the day, mended after a disruption with the fewest changes.

What lies before ``from_slot`` stays, and so does what already is where it can be. Each appointment that
lost its place, and each one that came new, goes to a free slot or follows the shortest Kempe chain; where
that left somebody out or moved others, ``fewest`` looks for better. Table changes come last. Whoever's day
is the same as before need not hear of it.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from market.i18n import Message, msg
from market.meetings.living.fewest import Cost, fewest_changes
from market.meetings.living.inserting import insert_near
from market.meetings.living.places import (
    CalledOff,
    Closure,
    Label,
    Place,
    Repair,
    by_number,
    is_open,
    open_tables,
)
from market.meetings.timetable import kempe
from market.meetings.timetable.board import Board, Ints
from market.meetings.timetable.problem import MeetingProblem, check
from market.meetings.timetable.seating import own_tables

#: Places that are tried beyond the chains, about a fifth of a second at most.
STEPS = 40_000


class Day:
    """A meeting on its day. Building it takes far longer than mending it: keep it between disruptions."""

    def __init__(
        self, problem: MeetingProblem, placed: Mapping[str, Place], *, label: Label = by_number
    ) -> None:
        """``label``: how slots are told in reasons.

        Raises:
            Invalid: the meeting makes no sense.
        """
        self._label = label
        check(problem)
        self.problem = problem
        items = problem.appointments
        self._items = {item.id: item for item in items}
        self._number = {item.id: m for m, item in enumerate(items)}
        self._titles = {person.id: person.title for person in problem.participants}
        self._own = own_tables(problem)
        self._mine: dict[str, list[int]] = {person.id: [] for person in problem.participants}
        for m, item in enumerate(items):
            self._mine[item.a].append(m)
            self._mine[item.b].append(m)
        everywhere = range(1, problem.slots + 1)
        self._board = board = Board(problem, [everywhere] * len(items), home={})
        self._limit_each()
        #: Slots that suit each appointment taken alone, and where each one lies (from 0; -1: nowhere).
        self._suits = board.allowed.copy()
        self.placed = {m: place for m, place in placed.items() if m in self._items}
        self._slots = np.full(len(items), -1, np.int64)
        for name, place in self.placed.items():
            m = self._number[name]
            self._slots[m] = place.slot - 1
            if all(board.at[r, place.slot - 1] < 0 for r in board.uses[m].tolist() if r >= 0):
                kempe.put(m, place.slot - 1, board.uses, board.at, board.slot, board.count, board.quota)
        self._start = (board.at.copy(), board.slot.copy(), board.count.copy(), board.quota.copy())

    def _limit_each(self) -> None:
        suits, noon = self._board.allowed, self.problem.half_day_after or 0
        own = {person.id: person.table for person in self.problem.participants}
        for m, item in enumerate(self.problem.appointments):
            if item.half == "morning":
                suits[m, noon:] = 0
            elif item.half == "afternoon":
                suits[m, :noon] = 0
            both = {own[item.a], own[item.b]} - {None}
            if item.id in item.after or len(both) > 1:
                # after itself, or at two tables at once
                suits[m] = 0
            if item.slot is not None:
                suits[m, : item.slot - 1] = 0
                suits[m, item.slot :] = 0
        for person in self.problem.participants:
            for t in person.unavailable:
                suits[self._mine[person.id], t - 1] = 0

    def repair(
        self,
        *,
        from_slot: int,
        closed: Collection[Closure] = (),
        away: Mapping[str, Collection[int]] | None = None,
        steps: int = 0,
    ) -> Repair:
        """Return the mended timetable; the day itself stays as it was.

        Args:
            from_slot: the first slot that can still be changed.
            closed: tables and slots that are lost.
            away: participant -> slots in which it cannot come, beside those that the meeting says.
            steps: so much effort goes into a better one than the chains give; see ``fewest``.
        """
        board = self._board
        for array, start in zip((board.at, board.slot, board.count, board.quota), self._start, strict=True):
            array[:] = start
        self._limit(from_slot, closed, away or {})
        waiting = self._lift(from_slot, closed)
        waiting.sort(key=lambda m: (int(board.allowed[m].sum()), m))
        lifted, quota = board.slot.copy(), board.quota.copy()
        members = np.empty(len(self._items) + 1, np.int64)
        seen = np.zeros(len(self._items) + 1, np.int64)
        arrays = kempe.arrays(board)
        left = [m for m in waiting if insert_near(m, 0, members, seen, *arrays) < 0]
        lost = [m for m in left if insert_near(m, 1, members, seen, *arrays) < 0]
        if steps:
            self._improve([m for m in waiting if board.allowed[m].any()], lifted, quota, steps)
            lost = [m for m in waiting if board.slot[m] < 0]
        return self._result(from_slot, closed, sorted(lost))

    def _improve(self, waiting: Sequence[int], lifted: Ints, quota: Ints, steps: int) -> None:
        """Lay the board anew where that places more of the waiting talks, or moves fewer others."""
        board = self._board
        had_place = [m for m in waiting if self._slots[m] >= 0]
        lost = {m for m in waiting if board.slot[m] < 0}
        moved = int(((lifted >= 0) & (board.slot != lifted)).sum())
        cost = Cost(len(lost), len(lost.intersection(had_place)), moved)
        if not cost.lost and not cost.moved:
            return
        after = board.slot.copy()
        better = fewest_changes(board, lifted, quota, waiting, had_place, cost, steps=steps)
        if better is None:
            return
        changed = np.flatnonzero(after != better).tolist()
        for m in changed:
            if after[m] >= 0:
                kempe.take(m, board.uses, board.at, board.slot, board.count, board.quota)
        for m in changed:
            if better[m] >= 0:
                kempe.put(m, int(better[m]), board.uses, board.at, board.slot, board.count, board.quota)

    def _limit(
        self, from_slot: int, closed: Collection[Closure], away: Mapping[str, Collection[int]]
    ) -> None:
        """Bar what cannot be used; what is over, or under way, may only be where it was."""
        board, slots = self._board, self.problem.slots
        suits = board.allowed
        suits[:] = self._suits
        for who, gone in away.items():
            for t in gone:
                suits[self._mine[who], t - 1] = 0
        board.room[:] = self.problem.tables
        for t in {each.slot for each in closed if 1 <= each.slot <= slots}:
            board.room[t - 1] = len(open_tables(self.problem.tables, t, closed))
        for name, table in self._own.items() if closed else ():
            for each in closed:
                if each.table == table and 1 <= each.slot <= slots:
                    suits[self._number[name], each.slot - 1] = 0
        first = max(0, from_slot - 1)
        suits[:, :first] = 0
        over = np.flatnonzero((self._slots >= 0) & (self._slots < first))
        suits[over] = 0
        suits[over, self._slots[over]] = 1

    def _lift(self, from_slot: int, closed: Collection[Closure]) -> list[int]:
        """Take off the board what cannot stay where it is; return that, and what had no place."""
        board = self._board
        placed = np.flatnonzero(board.slot >= 0)
        bad = set(placed[board.allowed[placed, board.slot[placed]] == 0].tolist())
        for t in {each.slot for each in closed if from_slot <= each.slot <= self.problem.slots}:
            here = [m for m in np.flatnonzero(board.slot == t - 1).tolist() if m not in bad]
            # who sits at a lost table goes first where there are not enough left
            here.sort(key=lambda m: (is_open(self._place(m), self.problem.tables, closed), -m))
            bad.update(here[: max(0, len(here) - int(board.room[t - 1]))])
        for m in bad:
            kempe.take(m, board.uses, board.at, board.slot, board.count, board.quota)
        return np.flatnonzero(board.slot < 0).tolist()

    def _place(self, m: int) -> Place:
        return self.placed[self.problem.appointments[m].id]

    def _result(self, from_slot: int, closed: Collection[Closure], lost: Sequence[int]) -> Repair:
        items, board = self.problem.appointments, self._board
        placed = dict(self.placed)
        shifted = np.flatnonzero(board.slot != self._slots).tolist()
        for m in shifted:
            placed.pop(items[m].id, None)
        gained: dict[int, list[int]] = {}
        for m in shifted:
            if board.slot[m] >= 0:
                gained.setdefault(int(board.slot[m]) + 1, []).append(m)
        for each in closed:
            if each.slot >= from_slot:
                gained.setdefault(each.slot, [])
        touched = set(shifted)
        for t, newcomers in sorted(gained.items()):
            touched |= self._seat(t, newcomers, placed, closed)
        names = [
            name
            for name in (items[m].id for m in sorted(touched))
            if placed.get(name) != self.placed.get(name)
        ]
        changed = {who for name in names for who in (self._items[name].a, self._items[name].b)}
        return Repair(
            placed=placed,
            moved=tuple(name for name in names if name in self.placed and name in placed),
            added=tuple(name for name in names if name not in self.placed),
            called_off=tuple(CalledOff(items[m].id, self._why(m, from_slot)) for m in lost),
            changed=tuple(person.id for person in self.problem.participants if person.id in changed),
        )

    def _seat(
        self, slot: int, newcomers: list[int], placed: dict[str, Place], closed: Collection[Closure]
    ) -> set[int]:
        """Give the newcomers of a slot tables, leaving whoever sits there where it is as far as possible.

        Returns who was given a table, newcomers and others.
        """
        items, board = self.problem.appointments, self._board
        usable = open_tables(self.problem.tables, slot, closed)
        sits: dict[int, int] = {}
        waiting = list(newcomers)
        new = set(newcomers)
        for m in np.flatnonzero(board.slot == slot - 1).tolist():
            if m not in new:
                table = self._place(m).table
                if table in usable and table not in sits:
                    sits[table] = m
                else:
                    waiting.append(m)
        for m in [m for m in waiting if items[m].id in self._own]:
            table = self._own[items[m].id]
            if table in sits:
                # somebody else was put at a table that has an owner
                waiting.append(sits[table])
            sits[table] = m
            waiting.remove(m)
        owned = set(self._own.values())
        near = self._tables_near(slot, waiting) if waiting else {}
        for m in waiting:
            free = [table for table in usable if table not in sits]
            sits[min(free, key=lambda table: (table not in near.get(m, ()), table in owned, table))] = m
        given = {m for table, m in sits.items() if m in new or self._place(m).table != table}
        for table, m in sits.items():
            if m in given:
                placed[items[m].id] = Place(slot, table)
        return given

    def _tables_near(self, slot: int, waiting: Sequence[int]) -> dict[int, set[int]]:
        """Return the tables that the parties of each appointment have just before and after ``slot``."""
        found: dict[int, set[int]] = {}
        for m in waiting:
            for p in self._board.uses[m, :2].tolist():
                for t in (slot - 2, slot):
                    q = int(self._board.at[p, t]) if 0 <= t < self.problem.slots else -1
                    if q >= 0 and self._slots[q] == t:
                        found.setdefault(m, set()).add(self._place(q).table)
        return found

    def _why(self, m: int, from_slot: int) -> Message:
        item = self.problem.appointments[m]
        a, b = self._titles[item.a], self._titles[item.b]
        when = self._label(from_slot)
        if not self._board.allowed[m].any():
            return msg("从 {when} 起，{a}和{b}没有都能来的时段。", when=when, a=a, b=b)
        return msg("从 {when} 起，{a}和{b}共同的空档都已排满，挪动别人也排不进。", when=when, a=a, b=b)


def repair(
    problem: MeetingProblem,
    placed: Mapping[str, Place],
    *,
    from_slot: int,
    closed: Collection[Closure] = (),
    label: Label = by_number,
) -> Repair:
    """Mend a timetable once. ``problem`` is the meeting after the disruption; see :class:`Day`.

    Raises:
        Invalid: the meeting makes no sense.
    """
    return Day(problem, placed, label=label).repair(from_slot=from_slot, closed=closed, steps=STEPS)

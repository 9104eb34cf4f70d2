"""A meeting as arrays for the compiled search: appointments over slots, numbered from 0.

A resource is what one appointment at a time can use: a participant, or a table that several participants
call their own. Appointments are edges between resources and slots are colours, so that a timetable is a
list edge colouring in which no colour is used more often than there are tables.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from market.meetings.timetable.problem import MeetingProblem

Ints = NDArray[np.int64]

#: Resources of an appointment: two participants, and at most one table that its owners share.
WIDTH = 3


class Board:
    """The state of the search, edited in place by the functions of ``kempe``.

    Shapes, with M appointments, P participants, R >= P resources and T slots:

    - ``uses`` M x 3: resources of an appointment, -1 where there is no third
    - ``allowed`` M x T: 1 where the slot suits the appointment taken alone
    - ``room`` T: how many appointments may lie in a slot
    - ``at`` R x T: the appointment that a resource serves in a slot, or -1
    - ``slot`` M: where an appointment lies, or -1
    - ``count`` T: how many appointments lie in a slot
    - ``quota`` P: how many more appointments a participant takes
    - ``home`` M: the slot that an appointment should keep, or -1
    - ``before`` and ``behind``: appointments that must lie earlier and later, as offsets (M + 1) and numbers
    - ``weight`` M: what an appointment weighs; a required one more than all optional ones together
    """

    def __init__(
        self,
        problem: MeetingProblem,
        domains: Sequence[Sequence[int]],
        *,
        home: Mapping[str, int],
        room: Sequence[int] | None = None,
    ) -> None:
        self.problem = problem
        items = problem.appointments
        people = {person.id: p for p, person in enumerate(problem.participants)}
        self.people = len(people)
        shared = _shared_tables(problem)
        tables = {table: self.people + i for i, table in enumerate(sorted(set(shared.values())))}
        self.uses = np.full((len(items), WIDTH), -1, np.int64)
        for m, item in enumerate(items):
            self.uses[m, :2] = people[item.a], people[item.b]
            if item.id in shared:
                self.uses[m, 2] = tables[shared[item.id]]
        self.allowed = np.zeros((len(items), problem.slots), np.int64)
        for m, domain in enumerate(domains):
            self.allowed[m, [t - 1 for t in domain]] = 1
        self.room = np.full(problem.slots, problem.tables, np.int64)
        if room is not None:
            self.room[:] = room
        self.at = np.full((self.people + len(tables), problem.slots), -1, np.int64)
        self.slot = np.full(len(items), -1, np.int64)
        self.count = np.zeros(problem.slots, np.int64)
        self.quota = np.array(
            [
                len(items) if person.max_appointments is None else person.max_appointments
                for person in problem.participants
            ],
            np.int64,
        )
        self.home = np.array([home.get(item.id, 0) - 1 for item in items], np.int64)
        number = {item.id: m for m, item in enumerate(items)}
        earlier = [sorted({number[q] for q in item.after}) for item in items]
        later: list[list[int]] = [[] for _ in items]
        for m, some in enumerate(earlier):
            for q in some:
                later[q].append(m)
        self.before = _packed(earlier)
        self.behind = _packed(later)
        self.weight = _weights(problem)


def plan_of(problem: MeetingProblem, slot: Ints) -> dict[str, int]:
    """Return appointment -> slot (from 1) where ``slot`` (from 0, -1 none) places one."""
    return {
        item.id: int(t) + 1 for item, t in zip(problem.appointments, slot.tolist(), strict=True) if t >= 0
    }


def slots_of(problem: MeetingProblem, plan: Mapping[str, int]) -> Ints:
    """Return the slots (from 0, -1 none) of a plan: the inverse of :func:`plan_of`."""
    return np.array([plan.get(item.id, 0) - 1 for item in problem.appointments], np.int64)


class Tally(Struct, frozen=True):
    """What the days of a plan come to. ``fair``: the breaks of any two differ by no more than they may."""

    breaks: int
    idle: int
    fair: bool


def tally(problem: MeetingProblem, uses: Ints, slot: Ints) -> Tally:
    """Count the breaks and idle slots of a plan (slots from 0, -1 none) at once for everybody."""
    placed = np.flatnonzero(slot >= 0)
    busy = np.zeros((len(problem.participants), problem.slots + 1), np.int64)
    for side in range(2):
        busy[uses[placed, side], slot[placed]] = 1
    runs = (np.diff(busy, axis=1, prepend=0) > 0).sum(axis=1)
    breaks = np.maximum(runs - 1, 0)
    first = busy.argmax(axis=1)
    last = problem.slots - busy[:, ::-1].argmax(axis=1)
    idle = np.where(runs > 0, last - first + 1 - busy.sum(axis=1), 0)
    most = problem.fairness
    fair = most is None or not len(breaks) or int(breaks.max() - breaks.min()) <= most
    return Tally(int(breaks.sum()), int(idle.sum()), fair)


def _shared_tables(problem: MeetingProblem) -> dict[str, int]:
    """Return appointment -> a table that several participants call their own.

    The table of one participant alone is as busy as its owner, and needs no resource.
    """
    own = {person.id: person.table for person in problem.participants}
    found: dict[str, int] = {}
    users: dict[int, set[str]] = defaultdict(set)
    for item in problem.appointments:
        for who in (item.a, item.b):
            table = own[who]
            if table is not None:
                found[item.id] = table
                users[table].add(who)
    return {m: table for m, table in found.items() if len(users[table]) > 1}


def _packed(lists: Sequence[Sequence[int]]) -> tuple[Ints, Ints]:
    offsets = np.zeros(len(lists) + 1, np.int64)
    np.cumsum([len(some) for some in lists], out=offsets[1:])
    return offsets, np.array([q for some in lists for q in some], np.int64)


def _weights(problem: MeetingProblem) -> Ints:
    optional = [item.scaled_weight for item in problem.appointments if item.optional]
    heavy = sum(optional) + 1
    return np.array(
        [item.scaled_weight if item.optional else heavy for item in problem.appointments], np.int64
    )

"""Slots in which a table cannot be used have room for one talk less.

The scheduler knows one number of tables for all slots. What it does not know is told it as a talk that is
held there already: by two who do nothing else, and who are gone from the timetable that comes out.
"""

from collections import Counter
from collections.abc import Mapping

import msgspec

from market.meetings.planning.facts import Facts
from market.meetings.timetable.problem import Appointment, MeetingProblem, Participant, Timetable

#: No pair of organisations has such a name.
_MARK = "broken:"


def with_broken(facts: Facts, problem: MeetingProblem) -> MeetingProblem:
    """Return the problem with a stand-in for every table that a slot lacks."""
    lacking = Counter(slot for slot, table in set(facts.broken) if table <= problem.tables)
    names = [f"{_MARK}{slot}-{number}" for slot in sorted(lacking) for number in range(lacking[slot])]
    slots = [slot for slot in sorted(lacking) for _ in range(lacking[slot])]
    people = [Participant(id=f"{name}{end}", name=name) for name in names for end in ("a", "b")]
    talks = [
        Appointment(name, f"{name}a", f"{name}b", slot=slot, weight=0)
        for name, slot in zip(names, slots, strict=True)
    ]
    return msgspec.structs.replace(
        problem,
        participants=(*problem.participants, *people),
        appointments=(*problem.appointments, *talks),
    )


def without_broken(facts: Facts, problem: MeetingProblem, timetable: Timetable) -> Timetable:
    """Return the timetable of ``problem`` that was laid with the stand-ins; nothing is said of them."""
    if not facts.broken:
        return timetable
    timetable = msgspec.structs.replace(
        timetable,
        appointments=tuple(each for each in timetable.appointments if not each.id.startswith(_MARK)),
    )
    talks = Counter(who for each in problem.appointments for who in (each.a, each.b))
    if problem.fairness is None or min(talks.values(), default=0) <= 1:
        return timetable
    # stand-ins have no breaks: where everybody else might have some, they make fairness stricter than asked
    return msgspec.structs.replace(
        timetable,
        lower_bound_breaks=0,
        proven=tuple(each for each in timetable.proven if each == "kept_weight"),
        status="feasible" if timetable.status == "optimal" else timetable.status,
    )


def leave_broken(facts: Facts, slots: Mapping[str, int], tables: dict[str, int]) -> None:
    """Give whoever sits at a broken table one of the others, of which there is always one."""
    broken = set(facts.broken)
    for name in sorted(tables):
        if (slots[name], tables[name]) not in broken:
            continue
        used = {tables[one] for one in tables if slots[one] == slots[name]}
        free = (
            table
            for table in range(1, facts.capacity.tables + 1)
            if table not in used and (slots[name], table) not in broken
        )
        tables[name] = next(free, tables[name])

"""Every constraint of a meeting by its label, read from the format once more for the checker."""

from collections import defaultdict
from collections.abc import Iterator

from market.meetings.checker.claimed import Reason
from market.meetings.checker.reading import Meeting


def normal(reason: Reason) -> Reason:
    """Return ``reason`` with its participants in order, so that equal ones compare equal."""
    return Reason(reason.kind, tuple(sorted(reason.participants)), reason.appointments)


def labels(meeting: Meeting) -> list[Reason]:
    """Return all constraints, each :func:`normal`; a clash may name these and no others."""
    return [normal(reason) for reason in (*_of_talks(meeting), *_of_people(meeting), *_of_all(meeting))]


def shared_tables(meeting: Meeting) -> dict[int, tuple[set[str], list[str]]]:
    """Return each table that several participants call their own, with them and their appointments."""
    owners: dict[int, set[str]] = defaultdict(set)
    here: dict[int, list[str]] = defaultdict(list)
    for talk in meeting.talks.values():
        own = {who: meeting.people[who].table for who in talk.ends}
        tables = {table for table in own.values() if table is not None}
        if len(tables) == 1:
            table = tables.pop()
            owners[table] |= {who for who, its in own.items() if its == table}
            here[table].append(talk.id)
    return {table: (who, here[table]) for table, who in owners.items() if len(who) > 1}


def apart(meeting: Meeting, talk: str) -> bool:
    """Tell whether the ends of ``talk`` have two different tables of their own."""
    one, two = (meeting.people[who].table for who in meeting.talks[talk].ends)
    return one is not None and two is not None and one != two


def _of_talks(meeting: Meeting) -> Iterator[Reason]:
    for talk in meeting.talks.values():
        if not talk.optional:
            yield Reason("keep", talk.ends, (talk.id,))
        if talk.half != "any":
            yield Reason("half", talk.ends, (talk.id,))
        if talk.slot is not None:
            yield Reason("slot", talk.ends, (talk.id,))
        if apart(meeting, talk.id):
            yield Reason("own_table", talk.ends, (talk.id,))
        for other in talk.after:
            yield Reason("after", talk.ends, (talk.id, other))


def _of_people(meeting: Meeting) -> Iterator[Reason]:
    mine = meeting.talks_of()
    for person in meeting.people.values():
        if len(mine[person.id]) > 1:
            yield Reason("one_at_a_time", (person.id,), ())
        if mine[person.id] and person.away:
            yield Reason("unavailable", (person.id,), ())
        if person.most is not None and len(mine[person.id]) > person.most:
            yield Reason("max_appointments", (person.id,), ())


def _of_all(meeting: Meeting) -> Iterator[Reason]:
    if len(meeting.talks) > meeting.tables:
        yield Reason("tables", (), ())
    for owners, _ in shared_tables(meeting).values():
        yield Reason("shared_table", tuple(owners), ())
    if meeting.fairness is not None and meeting.talks:
        yield Reason("fairness", (), ())

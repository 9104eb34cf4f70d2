"""A timetable mended on the day: what holds whatever happens, and single disruptions told in full."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from fixtures.fairs import fair
from market.meetings.living.places import Closure, Place
from market.meetings.living.repair import Day, repair
from market.meetings.timetable.constraints import constraints, domains
from market.meetings.timetable.problem import Appointment, MeetingProblem, Participant
from market.meetings.timetable.scheduler import schedule
from market.meetings.timetable.search import Search
from market.meetings.timetable.seating import seat
from tests.unit.meetings.drawn import TINY, meetings


def placed_of(meeting: MeetingProblem) -> dict[str, Place]:
    table = schedule(meeting, time_limit=5)
    return {each.id: Place(each.slot, each.table) for each in table.appointments}


def faults(
    meeting: MeetingProblem, placed: dict[str, Place], away: dict[str, set[int]], closed: list[Closure]
) -> list[str]:
    """Return what a timetable breaks, read literally."""
    found: list[str] = []
    people = {person.id: person for person in meeting.participants}
    seats: dict[tuple[int, int], str] = {}
    busy: dict[tuple[str, int], str] = {}
    for item in meeting.appointments:
        place = placed.get(item.id)
        if place is None:
            continue
        if not (1 <= place.slot <= meeting.slots and 1 <= place.table <= meeting.tables):
            found.append(f"{item.id} nowhere")
        if seats.setdefault((place.slot, place.table), item.id) != item.id:
            found.append(f"{item.id} sits on {seats[place.slot, place.table]}")
        if any(each.slot == place.slot and each.table in (None, place.table) for each in closed):
            found.append(f"{item.id} is where nobody can be")
        for who in (item.a, item.b):
            if busy.setdefault((who, place.slot), item.id) != item.id:
                found.append(f"{who} twice in {place.slot}")
            if place.slot in away.get(who, set()) | set(people[who].unavailable):
                found.append(f"{who} is away")
            if people[who].table not in (None, place.table):
                found.append(f"{who} not at its own table")
        if item.half == "morning" and place.slot > (meeting.half_day_after or 0):
            found.append(f"{item.id} not in the morning")
        if item.half == "afternoon" and place.slot <= (meeting.half_day_after or 0):
            found.append(f"{item.id} not in the afternoon")
        if item.slot not in (None, place.slot):
            found.append(f"{item.id} not where it is fixed")
        found += [f"{item.id} before {q}" for q in item.after if q in placed and placed[q].slot >= place.slot]
    for person in meeting.participants:
        mine = sum(person.id in (i.a, i.b) for i in meeting.appointments if i.id in placed)
        if person.max_appointments is not None and mine > person.max_appointments:
            found.append(f"{person.id} too often")
    return found


@TINY
@given(meetings(), st.data())
def test_repair_keeps_every_rule_and_tells_nobody_in_vain(
    meeting: MeetingProblem, data: st.DataObject
) -> None:
    placed = placed_of(meeting)
    slots = st.integers(1, max(1, meeting.slots))
    first = data.draw(slots)
    away = {
        person.id: set(data.draw(st.lists(slots.filter(lambda t: t >= first), max_size=2)))
        for person in meeting.participants[:2]
        if meeting.slots >= first
    }
    tables = st.integers(1, meeting.tables)
    closed = [
        Closure(data.draw(slots.filter(lambda t: t >= first)), data.draw(st.none() | tables))
        for _ in range(data.draw(st.integers(0, 2)))
        if meeting.slots >= first
    ]
    steps = data.draw(st.sampled_from([0, 5_000]))
    mended = Day(meeting, placed).repair(from_slot=first, closed=closed, away=away, steps=steps)
    assert faults(meeting, mended.placed, away, closed) == []
    past = {m: place for m, place in placed.items() if place.slot < first}
    assert {m: mended.placed.get(m) for m in past} == past
    off = {each.id for each in mended.called_off}
    assert off | set(mended.placed) == {item.id for item in meeting.appointments}
    ends = {item.id: {item.a, item.b} for item in meeting.appointments}
    different = {m for m in ends if placed.get(m) != mended.placed.get(m)}
    assert set(mended.changed) == set().union(*(ends[m] for m in different))
    assert set(mended.moved) | set(mended.added) | {m for m in off if m in placed} == different


@TINY
@given(meetings())
def test_nothing_happened_changes_nothing(meeting: MeetingProblem) -> None:
    placed = placed_of(meeting)
    without = [item for item in meeting.appointments if item.id in placed]
    mended = repair(
        MeetingProblem(
            meeting.slots,
            meeting.tables,
            meeting.participants,
            tuple(
                Appointment(i.id, i.a, i.b, i.half, i.slot, tuple(q for q in i.after if q in placed))
                for i in without
            ),
            meeting.half_day_after,
        ),
        placed,
        from_slot=1,
    )
    assert (mended.placed, mended.changed, mended.called_off) == (placed, (), ())


def pair_up(*pairs: tuple[str, str], slots: int, tables: int, **own: int) -> MeetingProblem:
    people = sorted({who for pair in pairs for who in pair})
    return MeetingProblem(
        slots,
        tables,
        tuple(
            Participant(who, who, "buyer" if who[0] == "b" else "seller", table=own.get(who))
            for who in people
        ),
        tuple(Appointment(f"{a}-{b}", a, b) for a, b in pairs),
    )


def test_who_is_late_is_met_later_and_the_others_stay() -> None:
    meeting = pair_up(("b1", "s1"), ("b2", "s2"), slots=3, tables=2)
    placed = {"b1-s1": Place(1, 1), "b2-s2": Place(1, 2)}
    mended = Day(meeting, placed).repair(from_slot=1, away={"s1": {1}})
    assert mended.placed == {"b1-s1": Place(2, 1), "b2-s2": Place(1, 2)}
    assert (mended.moved, mended.changed) == (("b1-s1",), ("b1", "s1"))


def test_a_chain_makes_room_where_no_slot_is_free() -> None:
    meeting = pair_up(("b1", "s1"), ("b1", "s2"), slots=2, tables=2)
    placed = {"b1-s1": Place(1, 1), "b1-s2": Place(2, 1)}
    mended = Day(meeting, placed).repair(from_slot=1, away={"s1": {1}})
    assert {m: place.slot for m, place in mended.placed.items()} == {"b1-s1": 2, "b1-s2": 1}


def test_a_full_slot_gives_way() -> None:
    """The one table of slot 2 is taken by two who can as well meet in slot 1."""
    meeting = pair_up(("b1", "s1"), ("b2", "s2"), slots=2, tables=1)
    placed = {"b1-s1": Place(1, 1), "b2-s2": Place(2, 1)}
    mended = Day(meeting, placed).repair(from_slot=1, away={"s1": {1}})
    assert {m: place.slot for m, place in mended.placed.items()} == {"b1-s1": 2, "b2-s2": 1}


def test_who_does_not_come_is_called_off_with_the_reason() -> None:
    meeting = pair_up(("b1", "s1"), ("b2", "s1"), slots=3, tables=1)
    placed = {"b1-s1": Place(1, 1), "b2-s1": Place(2, 1)}
    mended = Day(meeting, placed).repair(from_slot=2, away={"s1": {1, 2, 3}})
    assert mended.placed == {"b1-s1": Place(1, 1)}
    assert [each.id for each in mended.called_off] == ["b2-s1"]
    assert mended.called_off[0].reason.text == "从 {when} 起，{a}和{b}没有都能来的时段。"


def test_a_broken_table_moves_one_pair_to_another_table() -> None:
    meeting = pair_up(("b1", "s1"), ("b2", "s2"), slots=2, tables=3)
    placed = {"b1-s1": Place(1, 1), "b2-s2": Place(1, 2)}
    mended = Day(meeting, placed).repair(from_slot=1, closed=[Closure(1, 2)])
    assert mended.placed == {"b1-s1": Place(1, 1), "b2-s2": Place(1, 3)}
    assert mended.changed == ("b2", "s2")


def test_an_own_table_is_cleared_for_its_owner() -> None:
    meeting = pair_up(("b1", "s1"), ("b2", "s2"), slots=2, tables=2, s1=1)
    placed = {"b1-s1": Place(1, 1), "b2-s2": Place(2, 1)}
    mended = Day(meeting, placed).repair(from_slot=1, away={"b1": {1}})
    assert mended.placed == {"b1-s1": Place(2, 1), "b2-s2": Place(2, 2)}


def test_a_walk_in_is_added_and_only_its_partner_is_told() -> None:
    meeting = pair_up(("b1", "s1"), ("b2", "s2"), ("b1", "s9"), slots=2, tables=2)
    placed = {"b1-s1": Place(1, 1), "b2-s2": Place(1, 2)}
    mended = repair(meeting, placed, from_slot=1)
    assert (mended.added, mended.moved, mended.changed) == (("b1-s9",), (), ("b1", "s9"))


def test_nine_tenths_of_what_can_be_placed_again_is() -> None:
    """Buyers are away for three slots of a crowded day, one after the other."""
    meeting = fair(buyers=20, sellers=60, slots=16, fairness=None)
    search = Search(meeting, domains(meeting, constraints(meeting)), seed=1, home={})
    assert search.build() == 0
    tables = seat(meeting, search.plan, home={}, penalty=0)
    placed = {m: Place(t, tables[m]) for m, t in search.plan.items()}
    day, random = Day(meeting, placed), Random(5)
    hit = could = 0
    lost = 0
    for _ in range(60):
        who = random.choice(meeting.participants[:20])
        first = random.randrange(4, 11)
        gone = {first, first + 1, first + 2}
        mended = day.repair(from_slot=first, away={who.id: gone})
        assert faults(meeting, mended.placed, {who.id: gone}, []) == []
        mine = [placed[i.id].slot for i in meeting.appointments if who.id in (i.a, i.b)]
        struck = sum(t in gone for t in mine)
        free = {t for t in range(first + 3, 17) if t not in mine and t not in who.unavailable}
        hit, could, lost = hit + struck, could + min(struck, len(free)), lost + len(mended.called_off)
    assert hit - lost >= 0.9 * could

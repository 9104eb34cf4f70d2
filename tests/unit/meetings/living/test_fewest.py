"""A mended day is the best there is: held against every other one, in tiny meetings drawn by number."""

from collections import Counter
from random import Random

import pytest
from msgspec import Struct

from market.meetings.living.places import Closure, Place
from market.meetings.living.repair import STEPS, Day, repair
from market.meetings.timetable.problem import Appointment, MeetingProblem, Participant


class Upset(Struct, frozen=True):
    """A day as it lies, and what happens to it."""

    meeting: MeetingProblem
    placed: dict[str, Place]
    first: int
    away: dict[str, set[int]]
    closed: list[Closure]

    def may(self, item: Appointment, slot: int) -> bool:
        """Tell whether the two can come then, all others aside."""
        gone = {p.id: {*p.unavailable, *self.away.get(p.id, ())} for p in self.meeting.participants}
        return slot >= self.first and slot not in gone[item.a] | gone[item.b] and self.room(slot) > 0

    def room(self, slot: int) -> int:
        lost = {each.table for each in self.closed if each.slot == slot}
        return 0 if None in lost else self.meeting.tables - len(lost)


def drawn(number: int) -> Upset:
    """Draw a tight day, laid at random, of which one or two things happen to."""
    random = Random(number)
    slots, tables = random.randint(2, 5), random.randint(1, 3)
    sides = [[f"{side}{n}" for n in range(random.randint(1, 4))] for side in "bs"]
    pairs = [(b, s) for b in sides[0] for s in sides[1]]
    random.shuffle(pairs)
    people = tuple(
        Participant(who, who, unavailable=(random.randint(1, slots),) if random.random() < 0.25 else ())
        for who in sides[0] + sides[1]
    )
    items: list[Appointment] = []
    for b, s in pairs[: random.randint(1, 8)]:
        after = (random.choice(items).id,) if items and random.random() < 0.06 else ()
        items.append(Appointment(f"{b}-{s}", b, s, after=after, optional=True))
    meeting = MeetingProblem(slots, tables, people, tuple(items))
    first = random.randint(1, slots)
    away: dict[str, set[int]] = {}
    closed: list[Closure] = []
    for _ in range(random.randint(1, 2)):
        kind, since = random.random(), random.randint(first, slots)
        if kind < 0.6:
            away.setdefault(random.choice(people).id, set()).update(
                range(since, random.randint(since, slots) + 1)
            )
        elif kind < 0.8:
            table = random.randint(1, tables)
            closed += [Closure(slot, table) for slot in range(since, slots + 1)]
        else:
            closed.append(Closure(since))
    upset = Upset(meeting, {}, first, away, closed)
    whole = Upset(meeting, {}, 1, {}, [])
    for item in items:
        places = [
            Place(slot, table)
            for slot in range(1, slots + 1)
            for table in range(1, tables + 1)
            if whole.may(item, slot) and fits(whole, upset.placed | {item.id: Place(slot, table)})
        ]
        if places and random.random() < 0.93:
            upset.placed[item.id] = random.choice(places)
    return upset


def fits(upset: Upset, placed: dict[str, Place]) -> bool:
    """Tell whether nobody is at two tables, no table has two pairs, and all is in order."""
    items = {item.id: item for item in upset.meeting.appointments}
    claims = Counter((place.slot, place.table) for place in placed.values())
    busy = Counter((who, placed[m].slot) for m in placed for who in (items[m].a, items[m].b))
    return max([*claims.values(), *busy.values()], default=0) <= 1 and all(
        placed[q].slot < placed[m].slot for m in placed for q in items[m].after if q in placed
    )


def cost(upset: Upset, slots: dict[str, int]) -> tuple[int, int, int]:
    """Return how many talks have no slot, how many of them had one, and how many others were moved."""
    without = [item.id for item in upset.meeting.appointments if item.id not in slots]
    moved = [m for m in standing(upset) if slots[m] != upset.placed[m].slot]
    return len(without), sum(m in upset.placed for m in without), len(moved)


def standing(upset: Upset) -> set[str]:
    """Return the talks to come that could stay: another table in their slot is no matter."""
    found = set()
    for slot in range(upset.first, upset.meeting.slots + 1):
        here = [
            item.id
            for item in upset.meeting.appointments
            if upset.placed.get(item.id, Place(0, 0)).slot == slot and upset.may(item, slot)
        ]
        lost = {each.table for each in upset.closed if each.slot == slot}
        here.sort(key=lambda m: upset.placed[m].table in lost)
        found.update(m for m in here[: upset.room(slot)] if upset.placed[m].table not in lost)
        found.update(here if len(here) <= upset.room(slot) else ())
    return found


def least(upset: Upset) -> tuple[int, int, int]:
    """Return the least cost of any day that keeps what is over, by trying all of them."""
    stay = standing(upset)
    items = upset.meeting.appointments
    slots = {m: place.slot for m, place in upset.placed.items() if place.slot < upset.first}
    order = [item for item in items if item.id not in slots]
    best = (len(items) + 1, 0, 0)

    def go(n: int) -> None:
        nonlocal best
        if len(items) - len(slots) - (len(order) - n) > best[0]:
            return
        if n == len(order):
            best = min(best, cost(upset, slots))
            return
        item = order[n]
        for slot in range(upset.first, upset.meeting.slots + 1):
            there = [each for each in items if slots.get(each.id) == slot]
            if not upset.may(item, slot) or len(there) >= upset.room(slot):
                continue
            if any({item.a, item.b} & {each.a, each.b} for each in there):
                continue
            if any(slots.get(q, 0) >= slot for q in item.after):
                continue
            if any(item.id in each.after and slots.get(each.id, slot + 1) <= slot for each in items):
                continue
            slots[item.id] = slot
            go(n + 1)
            del slots[item.id]
        if item.id not in stay:
            go(n + 1)

    go(0)
    return best


@pytest.mark.parametrize("part", range(4))
def test_nobody_could_place_more_or_move_fewer(part: int) -> None:
    for number in range(part * 150, part * 150 + 150):
        upset = drawn(number)
        mended = Day(upset.meeting, upset.placed).repair(
            from_slot=upset.first, closed=upset.closed, away=upset.away, steps=STEPS
        )
        assert fits(upset, mended.placed)
        places = {m: place.slot for m, place in mended.placed.items()}
        assert (number, cost(upset, places)) == (number, least(upset))


def test_whoever_had_a_talk_gets_the_last_place_before_a_talk_that_has_waited() -> None:
    meeting = MeetingProblem(
        2,
        1,
        tuple(Participant(who, who) for who in ("b1", "b2", "s1", "s2")),
        (Appointment("waits", "b1", "s1", optional=True), Appointment("lost", "b2", "s2", optional=True)),
    )
    mended = repair(meeting, {"lost": Place(1, 1)}, from_slot=1, closed=[Closure(1)])
    assert mended.placed == {"lost": Place(2, 1)}


def test_effort_is_counted_and_may_be_none() -> None:
    upset = drawn(7)
    day = Day(upset.meeting, upset.placed)
    few = day.repair(from_slot=upset.first, closed=upset.closed, away=upset.away, steps=2)
    none = day.repair(from_slot=upset.first, closed=upset.closed, away=upset.away)
    assert few == none

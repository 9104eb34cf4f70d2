"""Where a timetable that stands still has room for two who do not meet yet. Pure."""

from collections.abc import Mapping, Sequence

import msgspec

from market.meetings.living.places import Place
from market.meetings.timetable.problem import breaks_of, idle_of


class Openings(msgspec.Struct, frozen=True):
    """A timetable as it stands: usable ``slots``, and who is where.

    ``days`` are each organisation's slots with the table there, ``taken`` the tables of each slot.
    ``heads``: organisations that one person comes for, each with the first of them. ``own_tables``: who
    keeps a table all day.
    """

    slots: tuple[int, ...]
    tables: int
    days: Mapping[int, Mapping[int, int]]
    taken: Mapping[int, frozenset[int]]
    absent: Mapping[int, Sequence[int]] = {}
    heads: Mapping[int, int] = {}
    own_tables: Mapping[int, int] = {}

    def place(self, seller: int, buyer: int) -> Place | None:
        """Return a free place for the two, the one that makes the fewest breaks and idle slots; else None.

        Of equally good slots the earliest: who comes may then leave early.
        """
        # a slot in which nobody may talk is no wait
        order = {slot: number for number, slot in enumerate(self.slots)}
        days = [sorted(order[slot] for slot in self._busy(who) if slot in order) for who in (seller, buyer)]
        closed = set().union(*(self._busy(who) | self._away(who) for who in (seller, buyer)))
        for slot in sorted(
            (slot for slot in self.slots if slot not in closed),
            key=lambda slot: (*_cost(order[slot], days), slot),
        ):
            table = self._table(slot, seller, buyer)
            if table is not None:
                return Place(slot, table)
        return None

    def with_talk(self, seller: int, buyer: int, place: Place) -> "Openings":
        """Return the timetable with one talk more."""
        days = {who: dict(day) for who, day in self.days.items()}
        for who in (seller, buyer):
            days.setdefault(who, {})[place.slot] = place.table
        taken = {**self.taken, place.slot: self.taken.get(place.slot, frozenset()) | {place.table}}
        return msgspec.structs.replace(self, days=days, taken=taken)

    def _crew(self, who: int) -> list[int]:
        """Return everybody whom the person who comes for ``who`` comes for."""
        head = self.heads.get(who)
        return [who] if head is None else [each for each, first in self.heads.items() if first == head]

    def _busy(self, who: int) -> set[int]:
        return {slot for each in self._crew(who) for slot in self.days.get(each, ())}

    def _away(self, who: int) -> set[int]:
        return {slot for each in self._crew(who) for slot in self.absent.get(each, ())}

    def _table(self, slot: int, seller: int, buyer: int) -> int | None:
        """Return the table to sit at: one's own, else where one of them sits before or after, else any."""
        free = [each for each in range(1, self.tables + 1) if each not in self.taken.get(slot, ())]
        # where both have a table of their own, the buyer's counts: the sellers go round
        for who in (buyer, seller):
            if who in self.own_tables:
                own = self.own_tables[who]
                return own if own in free else None
        kept = {*self.own_tables.values()}
        near = [
            self.days[who][other]
            for who in (buyer, seller)
            for other in sorted(self.days.get(who, ()), key=lambda each: abs(each - slot))
        ]
        wanted = [each for each in near if each in free and each not in kept]
        return next(iter([*wanted, *(each for each in free if each not in kept), *free]), None)


def _cost(slot: int, days: Sequence[Sequence[int]]) -> tuple[int, int]:
    """Return the breaks and idle slots that a talk more makes in these days, as numbers of usable slots."""
    breaks = idle = 0
    for now in days:
        then = sorted([*now, slot])
        breaks += breaks_of(then) - breaks_of(now)
        idle += idle_of(then) - idle_of(now)
    return breaks, idle

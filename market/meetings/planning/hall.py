"""Who comes to a meeting and what its timetable has room for, as it stands."""

from collections import Counter, defaultdict
from collections.abc import Mapping

import msgspec
from asyncpg import Record

from market.db.session import fetch
from market.meetings.choosing.problem import Capacity, Party
from market.meetings.invitations.wish_queries import lost_places_of, unavailable_of
from market.meetings.planning.facts import is_away, parties_of, usable_slots
from market.meetings.planning.openings import Openings
from market.meetings.planning.verdict import places_of


class Hall(msgspec.Struct, frozen=True):
    """Who comes to a meeting and what it has room for, as it stands."""

    meeting: Record
    #: Organisation -> its invitation, whatever the answer.
    invited: Mapping[int, Record]
    #: Who has said no, or was taken off the list by the town.
    away: frozenset[int]
    #: Pairs (seller, buyer) that have a talk, and those that the town took apart.
    pairs: frozenset[tuple[int, int]]
    apart: frozenset[tuple[int, int]]
    parties: Mapping[int, Party]
    openings: Openings
    capacity: Capacity
    #: Organisation -> how many talks it has.
    talks: Mapping[int, int]

    def talks_of(self, who: int) -> int:
        return self.talks.get(who, 0)

    def most_of(self, who: int, side: str) -> int:
        """Return how many talks somebody may have."""
        own = self.invited[who]["most_appointments"] if who in self.invited else None
        of_side = self.capacity.most_of_sellers if side == "seller" else self.capacity.most_of_buyers
        return next(
            (each for each in (own, of_side, self.capacity.most) if each is not None), self.capacity.slots
        )

    def is_person_full(self, who: int, talks: Mapping[int, int]) -> bool:
        """Tell whether the person who comes for somebody and for others has, of all of them together, what
        the meeting lets one person have; ``talks`` as the field of that name."""
        most, head = self.capacity.most_of_one_person, self.openings.heads.get(who)
        if most is None or head is None:
            return False
        return sum(talks.get(each, 0) for each, its in self.openings.heads.items() if its == head) >= most

    def comes(self, who: int) -> bool:
        return who in self.invited and self.invited[who]["state"] != "revoked" and who not in self.away


async def hall_of(meeting_id: int, people: set[int]) -> Hall:
    """Read who comes and where everybody sits; ``people`` are those that may join."""
    meeting = (await fetch("SELECT * FROM meeting WHERE id = $1", meeting_id))[0]
    invited = {
        row["organisation"]: row
        for row in await fetch(
            """SELECT organisation, side, state, source, link_version, most_appointments, table_number
               FROM invitation WHERE meeting = $1 ORDER BY organisation""",
            meeting_id,
        )
    }
    talks = await fetch("SELECT seller, buyer, state FROM appointment WHERE meeting = $1", meeting_id)
    slots = usable_slots(meeting)
    lost, broken = await lost_places_of(meeting_id)
    place = {slot: number for number, slot in enumerate(slots, start=1)}
    own = {who for who, row in invited.items() if row["side"] != "guest"}
    found = await parties_of(meeting_id, people | own, dict(invited), place, lost=lost)
    parties = {each.id: each for each in found}
    days: dict[int, dict[int, int]] = defaultdict(dict)
    taken: dict[int, set[int]] = defaultdict(set)
    for row in await places_of(meeting_id):
        taken[row.slot].add(row.table_number)
        for who in (row.seller, row.buyer):
            days[who][row.slot] = row.table_number
    for slot, table in broken:
        taken[slot].add(table)
    crews: dict[str, list[int]] = defaultdict(list)
    for party in parties.values():
        if party.person is not None:
            crews[party.person].append(party.id)
    pairs = frozenset((row["seller"], row["buyer"]) for row in talks if row["state"] != "cancelled")
    return Hall(
        meeting=meeting,
        invited=invited,
        away=frozenset(who for who, row in invited.items() if row["side"] == "guest" or is_away(row)),
        pairs=pairs,
        apart=frozenset((row["seller"], row["buyer"]) for row in talks if row["state"] == "cancelled"),
        parties=parties,
        openings=Openings(
            slots=tuple(slot for slot in slots if slot not in lost),
            tables=meeting["tables"],
            days=days,
            taken={slot: frozenset(tables) for slot, tables in taken.items()},
            absent=await unavailable_of(meeting_id),
            heads={who: crew[0] for crew in crews.values() if len(crew) > 1 for who in crew},
            own_tables={
                who: row["table_number"]
                for who, row in invited.items()
                if row["table_number"] is not None and 1 <= row["table_number"] <= meeting["tables"]
            },
        ),
        capacity=Capacity(
            len(slots),
            meeting["tables"],
            meeting["most_appointments"],
            meeting["most_of_sellers"],
            meeting["most_of_buyers"],
            meeting["most_of_one_person"],
        ),
        talks=Counter(who for pair in pairs for who in pair),
    )

"""How many talks each participant, each person and the whole meeting can take."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from msgspec import Struct

from market.meetings.choosing.pairs import Pair
from market.meetings.choosing.problem import Capacity, Party, PartySide

End = tuple[PartySide, int]

SIDES: tuple[PartySide, PartySide] = ("seller", "buyer")


def ends_of(pair: Pair) -> tuple[End, End]:
    return ("seller", pair.seller), ("buyer", pair.buyer)


class Crew(Struct, frozen=True):
    """Participants for whom one and the same person comes: together no more talks than free slots, or than
    the meeting lets one person have."""

    ends: tuple[End, ...]
    most: int

    @property
    def sides(self) -> set[PartySide]:
        return {side for side, _ in self.ends}


class Limits(Struct, frozen=True):
    """``most`` talks of each end of a pair, of each crew, and in all (``room``)."""

    most: dict[End, int]
    crews: tuple[Crew, ...]
    room: int

    def less(self, taken: Sequence[Pair]) -> "Limits":
        """Return what is left where ``taken`` are settled; never below zero."""
        most, load = dict(self.most), load_of(taken)
        for end, count in load.items():
            most[end] = max(0, most[end] - count)
        crews = tuple(
            Crew(crew.ends, max(0, crew.most - sum(load[end] for end in crew.ends))) for crew in self.crews
        )
        return Limits(most, crews, max(0, self.room - len(taken)))


def load_of(pairs: Sequence[Pair]) -> dict[End, int]:
    """Return each end's number of talks."""
    load: dict[End, int] = defaultdict(int)
    for pair in pairs:
        for end in ends_of(pair):
            load[end] += 1
    return load


def limits_of(pairs: Sequence[Pair], *, capacity: Capacity, parties: Mapping[int, Party]) -> Limits:
    """Return the limits of everybody that ``pairs`` name.

    By König's theorem pairs within them fit into the slots as far as nobody is absent: a bipartite
    graph has an edge colouring with as many colours as its greatest degree, and colours can be evened
    out to the number of tables.
    """
    slots = max(0, capacity.slots)
    ends = sorted({end for pair in pairs for end in ends_of(pair)})
    quota = {"seller": capacity.most_of_sellers, "buyer": capacity.most_of_buyers}
    most: dict[End, int] = {}
    crews: dict[str, list[End]] = defaultdict(list)
    for side, who in ends:
        party = parties.get(who) or Party(who)
        asked = next((each for each in (party.most, quota[side], capacity.most) if each is not None), slots)
        most[side, who] = max(0, min(asked, _free(party.absent, slots)))
        if party.person is not None:
            crews[party.person].append((side, who))
    one_person = slots if capacity.most_of_one_person is None else capacity.most_of_one_person
    return Limits(
        most=most,
        crews=tuple(
            Crew(
                tuple(mine),
                max(
                    0,
                    min(one_person, _free([slot for _, who in mine for slot in parties[who].absent], slots)),
                ),
            )
            for _, mine in sorted(crews.items())
            if len(mine) > 1
        ),
        room=max(0, capacity.room),
    )


def _free(absent: Sequence[int], slots: int) -> int:
    return slots - len({slot for slot in absent if 1 <= slot <= slots})

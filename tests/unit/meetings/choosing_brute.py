"""Every choice of a tiny meeting, tried out: what the chooser is held against. Shares nothing with it."""

from collections.abc import Iterator, Sequence
from itertools import combinations

from msgspec import Struct

from market.meetings.choosing.problem import Candidate, Capacity, Party, Past, Wish

Pair = tuple[int, int]
Score = tuple[int, ...]


class Meeting(Struct, frozen=True):
    """All that :func:`choose_invitations` is told."""

    candidates: tuple[Candidate, ...]
    capacity: Capacity
    parties: tuple[Party, ...] = ()
    wishes: tuple[Wish, ...] = ()
    past: tuple[Past, ...] = ()
    firm: frozenset[Pair] = frozenset()
    barred: frozenset[Pair] = frozenset()

    def levels(self, pair: Pair) -> list[str]:
        said = {wish.by: wish.level for wish in self.wishes if (wish.seller, wish.buyer) == pair}
        return sorted(said.values())

    def ended(self, pair: Pair) -> set[str]:
        return {each.ended for each in self.past if (each.seller, each.buyer) == pair}

    def party(self, who: int) -> Party:
        return next((party for party in self.parties if party.id == who), Party(who))

    def wished(self, pair: Pair) -> bool:
        return "must" in self.levels(pair) or "want" in self.levels(pair)

    def pairs(self) -> set[Pair]:
        named = {(each.seller, each.buyer) for each in self.candidates} | set(self.firm)
        return named | {(w.seller, w.buyer) for w in self.wishes if w.level in ("must", "want")}

    def allowed(self, pair: Pair) -> bool:
        one, other = (self.party(who) for who in pair)
        slots = set(range(1, self.capacity.slots + 1))
        return (
            "never" not in self.levels(pair)
            and pair not in self.barred
            and (not {"unwanted", "parted"} & self.ended(pair) or self.wished(pair) or pair in self.firm)
            and (one.person is None or one.person != other.person)
            and bool(slots - set(one.absent) - set(other.absent))
        )

    def quota(self, who: int, *, seller: bool) -> int:
        side = self.capacity.most_of_sellers if seller else self.capacity.most_of_buyers
        for asked in (self.party(who).most, side, self.capacity.most):
            if asked is not None:
                return min(asked, self.free({who}))
        return self.free({who})

    def free(self, people: set[int]) -> int:
        away = {slot for who in people for slot in self.party(who).absent}
        return len(set(range(1, self.capacity.slots + 1)) - away)

    def fits(self, pairs: Sequence[Pair], firm: Sequence[Pair]) -> bool:
        """Tell whether no limit is passed, other than by what is firm."""

        def within(limit: int, people: set[int], *, sides: tuple[int, ...]) -> bool:
            used, settled = (
                sum(pair[side] in people for pair in some for side in sides) for some in (pairs, firm)
            )
            return used <= max(limit, settled)

        named = self.pairs()
        crews: dict[str, set[int]] = {}
        for who in {who for pair in named for who in pair}:
            if (person := self.party(who).person) is not None:
                crews.setdefault(person, set()).add(who)
        alone = self.capacity.most_of_one_person
        person = self.capacity.slots if alone is None else alone
        return (
            len(pairs) <= max(self.capacity.slots * self.capacity.tables, len(firm))
            and all(within(self.quota(s, seller=True), {s}, sides=(0,)) for s, _ in pairs)
            and all(within(self.quota(b, seller=False), {b}, sides=(1,)) for _, b in pairs)
            and all(
                within(min(person, self.free(crew)), crew, sides=(0, 1))
                for crew in crews.values()
                if len(crew) > 1
            )
        )

    def score(self, pairs: Sequence[Pair]) -> Score:
        """Return the levels of ``pairs`` in the order in which they count."""
        stuck = {(each.seller, each.buyer) for each in self.candidates if each.stuck}
        matched = {(each.seller, each.buyer) for each in self.candidates if each.matched}
        needless = {
            pair
            for pair in pairs
            if self.ended(pair) == {"traded"} and not self.wished(pair) and pair not in self.firm
        }
        levels = [self.levels(pair) for pair in pairs]
        return (
            len({pair[0] for pair in pairs if pair in stuck}),
            sum(said == ["must", "must"] for said in levels),
            sum(said == ["must", "want"] for said in levels),
            sum(said.count("must") == 1 and "want" not in said for said in levels),
            sum(said == ["want", "want"] for said in levels),
            sum(self.stake(pair)[0] for pair in pairs if pair not in needless),
            sum(said.count("want") == 1 and "must" not in said for said in levels),
            -len(needless),
            sum(pair in matched and pair not in needless for pair in pairs),
            -len(pairs),
            sum(self.stake(pair)[1] for pair in pairs),
        )

    def stake(self, pair: Pair) -> tuple[int, int]:
        worth: dict[int, list[int]] = {}
        volume: dict[int, list[int]] = {}
        for each in self.candidates:
            if (each.seller, each.buyer) == pair:
                worth.setdefault(each.listing, []).append(each.worth)
                volume.setdefault(each.listing, []).append(each.volume)
        return sum(map(max, worth.values())), sum(map(max, volume.values()))

    def choices(self) -> Iterator[tuple[Pair, ...]]:
        """Yield every choice that the meeting allows; firm pairs are in each."""
        allowed = [pair for pair in sorted(self.pairs()) if self.allowed(pair)]
        firm = [pair for pair in allowed if pair in self.firm]
        free = [pair for pair in allowed if pair not in self.firm]
        for size in range(len(free) + 1):
            for some in combinations(free, size):
                if self.fits([*firm, *some], firm):
                    yield (*firm, *some)

    def best(self) -> Score:
        return max(map(self.score, self.choices()))

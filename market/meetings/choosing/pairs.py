"""Pairs of a seller and a buyer with all that speaks for and against their meeting."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct

from market.i18n import Message, msg
from market.meetings.choosing.problem import Candidate, Capacity, Ended, Level, Party, PartySide, Past, Wish

#: (musts, wants) of the two -> how much the pair is wished for. A veto of either has no grade.
GRADES = {(2, 0): 5, (1, 1): 4, (1, 0): 3, (0, 2): 2, (0, 1): 1, (0, 0): 0}
#: From here on both want it, or one must have it: such wishes go before worth, a single "want" after it.
#: Musts are few by the meeting's rule; "want" costs nothing to say, and could otherwise be said of all.
STRONG = 2

#: Of several things that two have behind them the last of these counts.
_GRAVITY: tuple[Ended, ...] = ("traded", "unwanted", "parted")
#: Why two who have talked do not do so again; a wish of either for it, or the town, opens it.
_NOT_AGAIN: dict[Ended, Message] = {
    "unwanted": msg("上次谈过没有结果，有一方表示不必再谈；想再谈请标“想见”。"),
    "parted": msg("谈过以后双方都表示不必再谈；想再谈请标“想见”。"),
}

GRADE_WORDS = {
    5: msg("双方都选了必见"),
    4: msg("一方必见、一方想见"),
    3: msg("一方选了必见"),
    2: msg("双方都想见"),
    1: msg("一方想见"),
}


class Pair(Struct, frozen=True):
    """``obstacle``: why the two do not meet, whatever room there is."""

    seller: int
    buyer: int
    listings: tuple[int, ...]
    demands: tuple[int, ...]
    #: What is at stake. A listing can be sold once: of several demands of a buyer the best one counts.
    worth: int
    volume: int
    stuck: bool
    matched: bool
    grade: int
    #: They trade already and nobody wished for a talk: only a lot that does not sell is a reason for one.
    needless: bool
    #: The town has put the two together.
    firm: bool
    obstacle: Message | None

    @property
    def key(self) -> tuple[int, int]:
        return self.seller, self.buyer

    @property
    def gain(self) -> int:
        """Return the worth that counts in the choice."""
        return 0 if self.needless else self.worth


def gather(
    candidates: Sequence[Candidate],
    *,
    capacity: Capacity,
    parties: Mapping[int, Party],
    wishes: Iterable[Wish] = (),
    past: Iterable[Past] = (),
    firm: Collection[tuple[int, int]] = (),
    barred: Collection[tuple[int, int]] = (),
) -> list[Pair]:
    """Return the pairs in an order that does not depend on that of the input.

    A wish to meet somebody makes a pair without a candidate, and so does the town.
    """
    levels: dict[tuple[int, int], dict[PartySide, Level]] = {}
    for wish in wishes:
        levels.setdefault((wish.seller, wish.buyer), {})[wish.by] = wish.level
    gravest_last = sorted(past, key=lambda each: _GRAVITY.index(each.ended))
    ended = {(each.seller, each.buyer): each.ended for each in gravest_last}
    by_pair: dict[tuple[int, int], list[Candidate]] = {pair: [] for pair in firm}
    for pair, said in levels.items():
        if {"must", "want"} & {*said.values()}:
            by_pair.setdefault(pair, [])
    for candidate in candidates:
        by_pair.setdefault((candidate.seller, candidate.buyer), []).append(candidate)

    found = []
    for pair in sorted(by_pair):
        about = by_pair[pair]
        worth: dict[int, int] = {}
        volume: dict[int, int] = {}
        for each in about:
            worth[each.listing] = max(worth.get(each.listing, each.worth), each.worth)
            volume[each.listing] = max(volume.get(each.listing, 0), each.volume)
        grade = _grade(levels.get(pair, {}).values())
        found.append(
            Pair(
                seller=pair[0],
                buyer=pair[1],
                listings=tuple(sorted(worth)),
                demands=tuple(sorted({each.demand for each in about if each.demand is not None})),
                worth=sum(worth.values()),
                volume=sum(volume.values()),
                stuck=any(each.stuck for each in about),
                matched=any(each.matched for each in about),
                grade=grade or 0,
                needless=ended.get(pair) == "traded" and not grade and pair not in firm,
                firm=pair in firm,
                obstacle=_obstacle(
                    pair,
                    vetoed=grade is None,
                    barred=pair in barred,
                    not_again=None if grade or pair in firm else _NOT_AGAIN.get(ended.get(pair, "traded")),
                    parties=parties,
                    capacity=capacity,
                ),
            )
        )
    return found


def _grade(levels: Collection[Level]) -> int | None:
    """Return how much a pair is wished for; None: one of them would rather not."""
    said = list(levels)
    return None if "never" in said else GRADES[said.count("must"), said.count("want")]


def _obstacle(
    pair: tuple[int, int],
    *,
    vetoed: bool,
    barred: bool,
    not_again: Message | None,
    parties: Mapping[int, Party],
    capacity: Capacity,
) -> Message | None:
    seller, buyer = (parties.get(who) or Party(who) for who in pair)
    if vetoed:
        return msg("有一方不愿与对方洽谈。")
    if barred:
        return msg("这一对已由镇里撤下。")
    if not_again:
        return not_again
    if seller.person is not None and seller.person == buyer.person:
        return msg("双方由同一人代表，不用排桌。")
    away = (*seller.absent, *buyer.absent)
    if len(away) >= capacity.slots and not set(range(1, capacity.slots + 1)) - {*away}:
        return msg("双方没有都能来的时段。")
    return None

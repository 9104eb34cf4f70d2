"""Whom to invite to a docking meeting, and who meets whom: see ``solve`` for what counts in which order."""

from collections.abc import Collection, Sequence

from market.meetings.choosing.limits import limits_of
from market.meetings.choosing.pairs import Pair, gather
from market.meetings.choosing.problem import (
    Candidate,
    Capacity,
    Choice,
    Chosen,
    LeftOut,
    Party,
    Past,
    Wish,
)
from market.meetings.choosing.reasons import Reasons
from market.meetings.choosing.solve import EFFORT, solve


def choose_invitations(
    candidates: Sequence[Candidate],
    *,
    capacity: Capacity,
    parties: Sequence[Party] = (),
    wishes: Collection[Wish] = (),
    past: Collection[Past] = (),
    firm: Collection[tuple[int, int]] = (),
    barred: Collection[tuple[int, int]] = (),
    effort: float = EFFORT,
) -> Choice:
    """Choose appointments, each a pair (seller, buyer), that the meeting has room for.

    ``firm`` pairs were put together by the town and come before all else, ``barred`` ones it took apart.
    Worth may be negative or zero: such a pair is taken only for a stuck seller or a wish. ``effort`` is
    deterministic seconds per level, for the one case that needs a search.
    """
    known = {party.id: party for party in parties}
    pairs = gather(
        candidates,
        capacity=capacity,
        parties=known,
        wishes=wishes,
        past=past,
        firm=frozenset(firm),
        barred=frozenset(barred),
    )
    limits = limits_of(pairs, capacity=capacity, parties=known)
    settled = [pair for pair in pairs if pair.firm and pair.obstacle is None]
    free = [pair for pair in pairs if not pair.firm and pair.obstacle is None]
    served = frozenset(pair.seller for pair in settled if pair.stuck)
    solved = solve(free, limits.less(settled), served=served, effort=effort)
    chosen = [*settled, *(free[i] for i in solved.chosen)]
    return _choice(pairs, chosen, Reasons(chosen, limits, capacity, known, solved.proven), solved.most_worth)


def _choice(pairs: Sequence[Pair], chosen: Sequence[Pair], reasons: Reasons, most_worth: int) -> Choice:
    picked = {pair.key for pair in chosen}
    stuck: dict[int, list[Pair]] = {}
    for pair in pairs:
        if pair.stuck:
            stuck.setdefault(pair.seller, []).append(pair)
    reached = {pair.seller for pair in chosen if pair.stuck}
    settled = sum(pair.worth for pair in chosen if pair.firm)
    return Choice(
        appointments=tuple(
            Chosen(
                seller=pair.seller,
                buyer=pair.buyer,
                listings=pair.listings,
                demands=pair.demands,
                worth=pair.worth,
                stuck=pair.stuck,
                grade=pair.grade,
                why=reasons.why(pair),
            )
            for pair in sorted(chosen, key=lambda pair: (-pair.grade, -pair.worth, *pair.key))
        ),
        sellers=tuple(sorted({pair.seller for pair in chosen})),
        buyers=tuple(sorted({pair.buyer for pair in chosen})),
        left_out=tuple(
            LeftOut(pair.seller, pair.buyer, pair.worth, pair.grade, reasons.why_not(pair))
            for pair in pairs
            if pair.key not in picked
        ),
        without=tuple(
            (seller, reasons.without(mine)) for seller, mine in sorted(stuck.items()) if seller not in reached
        ),
        worth=sum(pair.gain for pair in chosen),
        most_worth=most_worth + settled,
        proven=reasons.proven,
    )

"""Whom to invite to a docking meeting: the pairs with most at stake, and nobody stuck left without.

Exact by CP-SAT with a fixed seed and one thread, level by level: first as many stuck sellers as possible
get an appointment, then wishes are granted, then the worth at stake is the highest, then matched pairs
come first. Each level is held while the next is sought.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence

from msgspec import Struct
from ortools.sat.python import cp_model

from market.i18n import Message, msg

#: Deterministic seconds of the solver for each level: the same machine or not, the same choice.
_EFFORT = 10.0


class Candidate(Struct, frozen=True):
    """A listing that a buyer might take: what the engine suggested, or what is admissible.

    ``worth`` is in fen. ``stuck``: the lot behind the listing does not sell. ``matched``: the pair
    belongs to the clearing's result.
    """

    seller: int
    buyer: int
    listing: int
    worth: int
    demand: int | None = None
    stuck: bool = False
    matched: bool = False


class Capacity(Struct, frozen=True):
    """What the meeting has room for."""

    slots: int
    tables: int
    most_per_participant: int | None = None


class Chosen(Struct, frozen=True):
    """An appointment to offer: one per pair of seller and buyer, over all that they may talk about."""

    seller: int
    buyer: int
    listings: tuple[int, ...]
    demands: tuple[int, ...]
    worth: int
    stuck: bool
    wished: bool


class LeftOut(Struct, frozen=True):
    """A pair that gets no appointment, and why."""

    seller: int
    buyer: int
    worth: int
    reason: Message


class Choice(Struct, frozen=True):
    """``appointments`` and whom they invite; ``without``: stuck sellers that no appointment reaches."""

    appointments: tuple[Chosen, ...]
    sellers: tuple[int, ...]
    buyers: tuple[int, ...]
    left_out: tuple[LeftOut, ...]
    without: tuple[tuple[int, Message], ...]
    #: Worth of the chosen appointments in fen.
    worth: int


class _Pair(Struct):
    seller: int
    buyer: int
    listings: set[int]
    demands: set[int]
    worth: dict[int, int]
    stuck: bool = False
    matched: bool = False

    @property
    def at_stake(self) -> int:
        # A listing can be sold once: of several demands of this buyer the best one counts.
        return sum(self.worth.values())


def choose_invitations(
    candidates: Sequence[Candidate],
    *,
    capacity: Capacity,
    wishes: Collection[tuple[int, int]] = (),
    vetoes: Collection[tuple[int, int]] = (),
) -> Choice:
    """Choose appointments, each a pair (seller, buyer), that the meeting has room for.

    Nobody gets more than the slots (or ``most_per_participant``), and all together no more than slots
    times tables; by König's theorem such pairs fit into the slots as far as nobody is absent.
    ``wishes`` go before worth, ``vetoes`` never meet. Worth may be negative or zero: such a pair is
    taken only for a stuck seller or a wish.
    """
    pairs = _pairs(candidates)
    barred, asked = set(vetoes), set(wishes)
    open_pairs = [pair for pair in pairs if (pair.seller, pair.buyer) not in barred]
    most = capacity.slots
    if capacity.most_per_participant is not None:
        most = min(most, capacity.most_per_participant)
    picked = _solve(open_pairs, asked, most=most, room=capacity.slots * capacity.tables)
    chosen = [pair for pair in open_pairs if (pair.seller, pair.buyer) in picked]

    load: dict[tuple[str, int], int] = defaultdict(int)
    for pair in chosen:
        load["seller", pair.seller] += 1
        load["buyer", pair.buyer] += 1
    full = len(chosen) >= capacity.slots * capacity.tables

    def reason(pair: _Pair) -> Message:
        if (pair.seller, pair.buyer) in barred:
            return msg("有一方不愿与对方洽谈。")
        if load["seller", pair.seller] >= most:
            return msg("供货方已排满 {count} 场，先排货值更高的。", count=load["seller", pair.seller])
        if load["buyer", pair.buyer] >= most:
            return msg("采购商已排满 {count} 场，先排货值更高的。", count=load["buyer", pair.buyer])
        if full:
            return msg(
                "{slots} 个时段、{tables} 张桌已排满，先排货值更高的。",
                slots=capacity.slots,
                tables=capacity.tables,
            )
        return msg("这一对没有可谈的货值。")

    stuck = {pair.seller for pair in pairs if pair.stuck}
    served = {pair.seller for pair in chosen if pair.stuck}
    reachable = {pair.seller for pair in open_pairs if pair.stuck}
    return Choice(
        appointments=tuple(
            Chosen(
                seller=pair.seller,
                buyer=pair.buyer,
                listings=tuple(sorted(pair.listings)),
                demands=tuple(sorted(pair.demands)),
                worth=pair.at_stake,
                stuck=pair.stuck,
                wished=(pair.seller, pair.buyer) in asked,
            )
            for pair in sorted(chosen, key=lambda pair: (-pair.at_stake, pair.seller, pair.buyer))
        ),
        sellers=tuple(sorted({pair.seller for pair in chosen})),
        buyers=tuple(sorted({pair.buyer for pair in chosen})),
        left_out=tuple(
            LeftOut(pair.seller, pair.buyer, pair.at_stake, reason(pair))
            for pair in pairs
            if (pair.seller, pair.buyer) not in picked
        ),
        without=tuple(
            (
                seller,
                msg("对接会容量不够，请增加时段、桌数或每家的场数。")
                if seller in reachable
                else msg("可谈的采购商都不愿洽谈，请另找采购商。"),
            )
            for seller in sorted(stuck - served)
        ),
        worth=sum(pair.at_stake for pair in chosen),
    )


def _pairs(candidates: Sequence[Candidate]) -> list[_Pair]:
    """Gather candidates by seller and buyer, in an order that does not depend on theirs."""
    found: dict[tuple[int, int], _Pair] = {}
    for candidate in candidates:
        pair = found.setdefault(
            (candidate.seller, candidate.buyer),
            _Pair(candidate.seller, candidate.buyer, set(), set(), {}),
        )
        pair.listings.add(candidate.listing)
        if candidate.demand is not None:
            pair.demands.add(candidate.demand)
        pair.worth[candidate.listing] = max(
            pair.worth.get(candidate.listing, candidate.worth), candidate.worth
        )
        pair.stuck |= candidate.stuck
        pair.matched |= candidate.matched
    return [found[key] for key in sorted(found)]


def _solve(
    pairs: Sequence[_Pair], asked: set[tuple[int, int]], *, most: int, room: int
) -> set[tuple[int, int]]:
    if not pairs or most <= 0 or room <= 0:
        return set()
    cp = cp_model.CpModel()
    taken = [cp.new_bool_var(f"pair_{i}") for i in range(len(pairs))]
    for side in ("seller", "buyer"):
        mine: dict[int, list[cp_model.IntVar]] = defaultdict(list)
        for pair, v in zip(pairs, taken, strict=True):
            mine[getattr(pair, side)].append(v)
        for vs in mine.values():
            cp.add(cp_model.LinearExpr.sum(vs) <= most)
    cp.add(cp_model.LinearExpr.sum(taken) <= room)
    served: dict[int, list[cp_model.IntVar]] = defaultdict(list)
    for pair, v in zip(pairs, taken, strict=True):
        if pair.stuck:
            served[pair.seller].append(v)
    reached = []
    for seller, vs in served.items():
        v = cp.new_bool_var(f"served_{seller}")
        cp.add_bool_or(~v, *vs)
        reached.append(v)

    def over(weights: Sequence[int]) -> cp_model.LinearExpr:
        return cp_model.LinearExpr.weighted_sum(taken, weights)

    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.max_deterministic_time = _EFFORT
    for level in (
        cp_model.LinearExpr.sum(reached),
        over([int((pair.seller, pair.buyer) in asked) for pair in pairs]),
        over([pair.at_stake for pair in pairs]),
        over([int(pair.matched) for pair in pairs]),
        # Of equally good choices the smallest: an appointment without worth takes somebody's time.
        over([-1] * len(pairs)),
    ):
        cp.maximize(level)
        solver.solve(cp)
        cp.add(level >= round(solver.objective_value))
        cp.clear_hints()  # type: ignore[no-untyped-call]
        for v in taken:
            cp.add_hint(v, solver.boolean_value(v))
    return {
        (pair.seller, pair.buyer) for pair, v in zip(pairs, taken, strict=True) if solver.boolean_value(v)
    }

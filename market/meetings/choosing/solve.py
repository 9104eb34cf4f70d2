"""The best set of pairs within limits, level by level.

The levels, each among all that are best by those before it: as many sellers with a stuck lot as possible
get a talk over one; as many pairs as possible that both must have, then of the lower grades of strong
wishes; the most worth at stake; of pairs that one side wants; as few as possible that need no meeting;
pairs of the clearing's result; of equally good choices the smallest, since a talk without worth takes
somebody's time; the most volume that found no match.

Sellers, buyers, their quotas, crews of one side and the room form a network, whose best flow is whole: see
``circulation``. Only a person who comes for a seller and a buyer breaks it, and only where the best flow
does not keep to that person's slots; then CP-SAT takes over, with a limit of effort, and the flow's worth
remains as a bound.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from ortools.sat.python import cp_model

from market.meetings.choosing.circulation import Ints, Network, best_circulation
from market.meetings.choosing.limits import SIDES, End, Limits, load_of
from market.meetings.choosing.pairs import GRADES, STRONG, Pair

#: Deterministic seconds of the solver for each level: the same machine or not, the same choice.
EFFORT = 10.0


class Solved(Struct, frozen=True):
    """Places of the chosen pairs. ``most_worth`` bounds the worth of any choice as good above that level."""

    chosen: tuple[int, ...]
    proven: bool
    most_worth: int


class _Level(Struct, frozen=True):
    """What each pair gains, and each seller whom a pair over a stuck lot reaches."""

    pair: Ints
    served: int = 0
    is_worth: bool = False


def solve(pairs: Sequence[Pair], limits: Limits, *, served: frozenset[int], effort: float = EFFORT) -> Solved:
    """Return the best of ``pairs`` within ``limits``; the sellers ``served`` need no talk any more."""
    levels = _levels(pairs)
    chosen = _by_flow(pairs, limits, levels, served)
    worth = sum(pairs[i].gain for i in chosen)
    load = load_of([pairs[i] for i in chosen])
    if all(sum(load[end] for end in crew.ends) <= crew.most for crew in limits.crews):
        return Solved(chosen, True, worth)
    return _by_search(pairs, limits, levels, served, effort=effort)


def _levels(pairs: Sequence[Pair]) -> list[_Level]:
    def of(gains: list[int]) -> _Level:
        return _Level(np.array(gains, dtype=np.int64))

    grades = sorted(set(GRADES.values()) - {0}, reverse=True)
    by_grade = {grade: of([int(pair.grade == grade) for pair in pairs]) for grade in grades}
    return [
        _Level(np.zeros(len(pairs), dtype=np.int64), served=1),
        *(by_grade[grade] for grade in grades if grade >= STRONG),
        _Level(np.array([pair.gain for pair in pairs], dtype=np.int64), is_worth=True),
        *(by_grade[grade] for grade in grades if grade < STRONG),
        of([-int(pair.needless) for pair in pairs]),
        of([int(pair.matched and not pair.needless) for pair in pairs]),
        of([-1] * len(pairs)),
        of([pair.volume for pair in pairs]),
    ]


class _Drawing:
    """A network as it is drawn: nodes by name, arcs one after the other."""

    def __init__(self) -> None:
        self._nodes: dict[object, int] = {}
        self._arcs: list[tuple[int, int, int]] = []

    def node(self, name: object) -> int:
        return self._nodes.setdefault(name, len(self._nodes))

    def arc(self, tail: object, head: object, most: int) -> int:
        self._arcs.append((self.node(tail), self.node(head), most))
        return len(self._arcs) - 1

    def network(self) -> Network:
        tail, head, most = (np.array(column, dtype=np.int64) for column in zip(*self._arcs, strict=True))
        return Network(len(self._nodes), tail, head, most)


def _by_flow(
    pairs: Sequence[Pair], limits: Limits, levels: Sequence[_Level], served: frozenset[int]
) -> tuple[int, ...]:
    """Choose by flow: room → crew → seller → (its stuck lots →) buyer → crew → room.

    Crews that sell and buy are left out of it.
    """
    if not pairs:
        return ()
    drawing = _Drawing()
    drawing.arc("out", "in", limits.room)
    boss: dict[End, object] = {}
    for place, crew in enumerate(limits.crews):
        if len(crew.sides) == 1:
            (side,) = crew.sides
            if side == "seller":
                drawing.arc("in", ("crew", place), crew.most)
            else:
                drawing.arc(("crew", place), "out", crew.most)
            boss.update(dict.fromkeys(crew.ends, ("crew", place)))
    for end in sorted(limits.most):
        if end[0] == SIDES[0]:
            drawing.arc(boss.get(end, "in"), end, limits.most[end])
        else:
            drawing.arc(end, boss.get(end, "out"), limits.most[end])
    first: list[int] = []
    for seller in sorted({pair.seller for pair in pairs if pair.stuck}):
        if seller not in served:
            first.append(drawing.arc(("seller", seller), ("stuck", seller), 1))
        drawing.arc(("seller", seller), ("stuck", seller), len(pairs))
    arcs = [
        drawing.arc(("stuck" if pair.stuck else "seller", pair.seller), ("buyer", pair.buyer), 1)
        for pair in pairs
    ]
    network = drawing.network()
    gains = []
    for level in levels:
        gain = np.zeros(len(network.tail), dtype=np.int64)
        gain[arcs] = level.pair
        gain[first] = level.served
        gains.append(gain)
    flow = best_circulation(network, gains)
    return tuple(i for i, arc in enumerate(arcs) if flow[arc])


def _by_search(
    pairs: Sequence[Pair],
    limits: Limits,
    levels: Sequence[_Level],
    served: frozenset[int],
    *,
    effort: float,
) -> Solved:
    """Choose by CP-SAT with a fixed seed and one thread; each level is held while the next is sought."""
    cp = cp_model.CpModel()
    taken = [cp.new_bool_var(f"pair_{i}") for i in range(len(pairs))]
    mine: dict[End, list[cp_model.IntVar]] = {end: [] for end in limits.most}
    over_stuck: dict[int, list[cp_model.IntVar]] = {}
    for pair, v in zip(pairs, taken, strict=True):
        mine["seller", pair.seller].append(v)
        mine["buyer", pair.buyer].append(v)
        if pair.stuck and pair.seller not in served:
            over_stuck.setdefault(pair.seller, []).append(v)
    for end, vs in mine.items():
        cp.add(cp_model.LinearExpr.sum(vs) <= limits.most[end])
    for crew in limits.crews:
        cp.add(cp_model.LinearExpr.sum([v for end in crew.ends for v in mine[end]]) <= crew.most)
    cp.add(cp_model.LinearExpr.sum(taken) <= limits.room)
    reached = []
    for seller, vs in over_stuck.items():
        v = cp.new_bool_var(f"served_{seller}")
        cp.add_bool_or(~v, *vs)
        reached.append(v)

    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.max_deterministic_time = effort
    chosen: tuple[int, ...] = ()
    proven, bound = True, sum(max(0, pair.gain) for pair in pairs)
    for level in levels:
        gain = (
            cp_model.LinearExpr.sum(reached)
            if level.served
            else cp_model.LinearExpr.weighted_sum(taken, [int(each) for each in level.pair])
        )
        cp.maximize(gain)
        status = solver.solve(cp)
        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            # nobody meets: always allowed, and all that is known if there was no effort at all
            proven = False
            break
        proven &= status == cp_model.OPTIMAL
        picked = [solver.boolean_value(v) for v in taken]
        chosen = tuple(i for i, yes in enumerate(picked) if yes)
        if level.is_worth:
            bound = int(solver.best_objective_bound)
        cp.add(gain >= round(solver.objective_value))
        cp.clear_hints()  # type: ignore[no-untyped-call]
        for v, yes in zip(taken, picked, strict=True):
            cp.add_hint(v, yes)
    return Solved(chosen, proven, bound)

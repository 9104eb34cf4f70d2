"""The best tours, proven: dynamic programming over sets of stops (Held and Karp, "A dynamic programming
approach to sequencing problems", Journal of SIAM 10, 1962), with time windows.

A label is (minutes, metres); one is dropped only where another is no worse in both, so that "earliest
back, then the shortest way" is exact: the shortest way may come of a stop reached later, where a bus would
have had to wait anyway.
"""

from collections.abc import Sequence
from functools import cache, cached_property
from typing import TypeVar

from market.meetings.route.problem import Legs, RouteProblem

#: Up to so many stops within reach every set of them is looked at.
_MOST_SETS = 12
#: Up to so many the optimum may still be found and proven: where few of them fit into a bus's day.
MOST_EXACT = 24
#: Labels, and choices of a bus's stops, after which it is given up: a second or two.
MOST_LABELS, MOST_CHOICES = 100_000, 200_000

#: Minutes, metres, and the orders of the buses that reach them.
Label = tuple[int, int, tuple[tuple[int, ...], ...]]
_Single = tuple[int, int, tuple[int, ...]]
L = TypeVar("L", Label, _Single)


class TooMany(Exception):
    """There is more to look at than ``MOST_LABELS`` or ``MOST_CHOICES``."""


class Exact:
    """All that the buses can do, over the stops ``within`` (places in ``problem.stops``).

    Raises:
        TooMany: that is too much.
    """

    def __init__(self, problem: RouteProblem, legs: Legs, within: Sequence[int]) -> None:
        self.within = tuple(within)
        self._problem = problem
        self._single = _single_tours(problem, legs, self.within)
        self._weights = [problem.stops[index].weight for index in self.within]
        self._fronts = cache(self._fronts_of)

    def best(self, *, must: int | None = None) -> Label | None:
        """Return the best tours, with the stop ``must`` among their stops where it is given.

        Raises:
            TooMany: that is too much.
        """
        needed = 0 if must is None else 1 << self.within.index(must)
        if len(self.within) > _MOST_SETS and self._problem.buses > 1:
            unions = self._weightiest(needed)
            return min((self._fronts(mask, self._problem.buses)[0] for mask in unions), default=None)
        found: list[Label] = []
        weight = 0
        for here, mask in self._by_weight:
            if found and here < weight:
                break
            if mask & needed == needed and (front := self._fronts(mask, self._problem.buses)):
                weight = here
                found.append(front[0])
        return min(found, default=None)

    @cached_property
    def _by_weight(self) -> list[tuple[int, int]]:
        """Weight and set: of all sets of stops where these are few, else of what one bus can do."""
        is_small = len(self.within) <= _MOST_SETS and self._problem.buses > 1
        masks = range(1 << len(self.within)) if is_small else [0, *self._single]
        return sorted(((self._weight(mask), mask) for mask in masks), reverse=True)

    def _weightiest(self, needed: int) -> set[int]:
        """Return the sets of stops of most weight, with ``needed`` in them, that the buses can share out.

        Branch and bound over the tours of single buses, the weightiest first.
        """
        choices = self._by_weight
        best, steps = -1, 0
        unions: set[int] = set()

        def choose(first: int, buses: int, taken: int, weight: int) -> None:
            nonlocal best, steps
            if taken & needed == needed and weight >= best:
                if weight > best:
                    best = weight
                    unions.clear()
                unions.add(taken)
            for place in range(first, len(choices) if buses else 0):
                further, mask = choices[place]
                # the buses that are left take no more than this one
                if weight + buses * further < best:
                    break
                steps += 1
                if steps > MOST_CHOICES:
                    raise TooMany
                if not mask & taken:
                    choose(place + 1, buses - 1, taken | mask, weight + further)

        choose(0, self._problem.buses, 0, 0)
        return unions

    def _weight(self, mask: int) -> int:
        return sum(weight for place, weight in enumerate(self._weights) if mask >> place & 1)

    def _fronts_of(self, mask: int, buses: int) -> list[Label]:
        """Return what ``buses`` can make of exactly the stops in ``mask``: no label worse in both."""
        if not mask:
            return [(self._problem.leaves, 0, ())]
        labels: list[Label] = [(ends, way, (order,)) for ends, way, order in self._single.get(mask, [])]
        if buses > 1:
            low = mask & -mask
            rest = mask ^ low
            others = rest
            # the first stop's bus takes every part of the rest in turn; the other buses take what is left
            while others:
                for ends, way, order in self._single.get(mask ^ others, []):
                    labels += [
                        (max(ends, later), way + more, (order, *orders))
                        for later, more, orders in self._fronts(others, buses - 1)
                    ]
                others = (others - 1) & rest
        return _front(labels)


def _single_tours(problem: RouteProblem, legs: Legs, within: Sequence[int]) -> dict[int, list[_Single]]:
    """Return set of stops -> the tours of one bus over exactly these, none worse than another in both."""
    stops = [problem.stops[index] for index in within]
    nodes = [index + 1 for index in within]
    closed: dict[int, list[_Single]] = {}
    # set of stops -> the last of them -> labels; one more stop in each round
    layer: dict[int, dict[int, list[_Single]]] = {0: {-1: [(problem.leaves, 0, ())]}}
    seen = 0
    while layer:
        following: dict[int, dict[int, list[_Single]]] = {}
        for mask, lasts in layer.items():
            home: list[_Single] = []
            for last, labels in lasts.items():
                here = nodes[last] if last >= 0 else 0
                labels = _front(labels)
                seen += len(labels)
                home += [
                    (now + legs.minutes[here][0], way + legs.metres[here][0], order)
                    for now, way, order in labels
                    if now + legs.minutes[here][0] <= problem.back_by
                ]
                for place, stop in enumerate(stops):
                    if mask >> place & 1:
                        continue
                    minutes, metres = legs.minutes[here][nodes[place]], legs.metres[here][nodes[place]]
                    # no detour is shorter than the way home, but for a metre of rounding
                    latest = min(stop.closes, problem.back_by + 1 - legs.minutes[nodes[place]][0])
                    further = [
                        (leaves, way + metres, (*order, within[place]))
                        for now, way, order in labels
                        if (leaves := max(now + minutes, stop.opens) + stop.stay) <= latest
                    ]
                    if further:
                        following.setdefault(mask | 1 << place, {}).setdefault(place, []).extend(further)
            if mask and home:
                closed[mask] = _front(home)
            if seen > MOST_LABELS:
                raise TooMany
        layer = following
    return closed


def _front(labels: list[L]) -> list[L]:
    """Return the labels that no other beats, the earliest first."""
    kept: list[L] = []
    for label in sorted(labels):
        if not kept or label[1] < kept[-1][1]:
            kept.append(label)
    return kept

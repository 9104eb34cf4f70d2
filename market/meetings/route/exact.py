"""The best tours, proven: dynamic programming over sets of stops (Held and Karp, "A dynamic programming
approach to sequencing problems", Journal of SIAM 10, 1962), with time windows.

A label is (minutes, metres); one is dropped only where another is no worse in both, so that "earliest
back, then the shortest way" is exact: the shortest way may come of a stop reached later, where a bus would
have had to wait anyway.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import TypeVar

from market.meetings.route.problem import Legs, RouteProblem

#: Up to so many stops within reach the optimum is found and proven, in a second or two.
MOST_EXACT = 12

#: Minutes, metres, and the orders of the buses that reach them.
Label = tuple[int, int, tuple[tuple[int, ...], ...]]
_Single = tuple[int, int, tuple[int, ...]]
L = TypeVar("L", Label, _Single)


class Exact:
    """All that the buses can do, over the stops ``within`` (places in ``problem.stops``)."""

    def __init__(self, problem: RouteProblem, legs: Legs, within: Sequence[int]) -> None:
        self.within = tuple(within)
        self._problem = problem
        self._single = _single_tours(problem, legs, self.within)
        self._weights = [problem.stops[index].weight for index in self.within]
        self._fronts = cache(self._fronts_of)

    def best(self, *, must: int | None = None) -> Label | None:
        """Return the best tours, with the stop ``must`` among their stops where it is given."""
        needed = 0 if must is None else 1 << self.within.index(must)
        found: list[Label] = []
        weight = 0
        for mask, here in self._by_weight():
            if found and here < weight:
                break
            if mask & needed == needed and (front := self._fronts(mask, self._problem.buses)):
                weight = here
                found.append(front[0])
        return min(found, default=None)

    def _by_weight(self) -> Iterator[tuple[int, int]]:
        sums = [0] * (1 << len(self.within))
        for mask in range(1, len(sums)):
            low = mask & -mask
            sums[mask] = sums[mask ^ low] + self._weights[low.bit_length() - 1]
        for mask in sorted(range(len(sums)), key=lambda mask: (-sums[mask], mask)):
            yield mask, sums[mask]

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
    reached: dict[int, dict[int, list[_Single]]] = {0: {-1: [(problem.leaves, 0, ())]}}
    closed: dict[int, list[_Single]] = {}
    # a set's subsets have smaller numbers: when its turn comes it is complete
    for mask in range(1 << len(stops)):
        lasts = reached.pop(mask, {})
        home: list[_Single] = []
        for last, labels in lasts.items():
            here = nodes[last] if last >= 0 else 0
            labels = _front(labels)
            home += [
                (now + legs.minutes[here][0], way + legs.metres[here][0], order)
                for now, way, order in labels
                if now + legs.minutes[here][0] <= problem.back_by
            ]
            for place, stop in enumerate(stops):
                if mask >> place & 1:
                    continue
                minutes, metres = legs.minutes[here][nodes[place]], legs.metres[here][nodes[place]]
                further = [
                    (leaves, way + metres, (*order, within[place]))
                    for now, way, order in labels
                    if (leaves := max(now + minutes, stop.opens) + stop.stay) <= stop.closes
                ]
                if further:
                    reached.setdefault(mask | 1 << place, {}).setdefault(place, []).extend(further)
        if mask and home:
            closed[mask] = _front(home)
    return closed


def _front(labels: list[L]) -> list[L]:
    """Return the labels that no other beats, the earliest first."""
    kept: list[L] = []
    for label in sorted(labels):
        if not kept or label[1] < kept[-1][1]:
            kept.append(label)
    return kept

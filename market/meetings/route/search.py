"""Good tours over many stops: insertion and local search by the routing library of OR-tools, then polish.

The library's own metaheuristics found less than this in more time: with villages that may be left out at a
price far above any way, they hardly ever leave a local optimum. Polishing takes the stops of one or two
buses with some that were left out, and replaces their tours by the best there are. Both end by themselves,
without a clock, so a repeated run gives the same.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

from msgspec.structs import replace

from market.meetings.route.exact import Exact, Label, TooMany
from market.meetings.route.problem import Legs, RouteProblem, drive

#: Stops that are polished together.
_PART = 11

Orders = list[tuple[int, ...]]


def search(problem: RouteProblem, legs: Legs, within: Sequence[int]) -> Orders:
    """Return an order of stops (places in ``problem.stops``, of ``within``) for each bus that leaves."""
    orders = _library(problem, legs, within)
    value = value_of(problem, legs, orders)
    is_better = True
    while is_better:
        is_better = False
        for other in _neighbours(problem, legs, within, orders):
            if (worth := value_of(problem, legs, other)) < value:
                orders, value, is_better = other, worth, True
                break
    return orders


def value_of(problem: RouteProblem, legs: Legs, orders: Orders) -> tuple[int, int, int]:
    """Return what is minimised, in this order: weight missed, when the last bus is back, metres."""
    tours = [tour for order in orders if (tour := drive(problem, legs, order))]
    visited = {index for order in orders for index in order}
    return (
        sum(stop.weight for index, stop in enumerate(problem.stops) if index not in visited),
        max((tour.ends for tour in tours), default=problem.leaves),
        sum(tour.metres for tour in tours),
    )


def _neighbours(problem: RouteProblem, legs: Legs, within: Sequence[int], orders: Orders) -> Iterator[Orders]:
    """Yield plans in which one or two buses have the best tours over their stops and some left out."""
    visited = {index for order in orders for index in order}
    missed = sorted(set(within) - visited, key=lambda index: (-problem.stops[index].weight, index))
    padded = [*orders, *[()] * (problem.buses - len(orders))]
    for buses in (1, 2):
        for chosen in combinations(range(len(padded)), buses):
            mine = [index for bus in chosen for index in padded[bus]]
            room = _PART - len(mine)
            if room < 0:
                continue
            # a window over what was left out, the weightiest first, so that all of it has its turn
            for first in range(0, max(len(missed), 1), max(room, 1)):
                part = [*mine, *missed[first : first + room]]
                best = _best_of(replace(problem, buses=buses), legs, sorted(part))
                if best:
                    kept = [order for bus, order in enumerate(padded) if bus not in chosen and order]
                    yield [*kept, *best[2]]
                if not room:
                    break


def _best_of(problem: RouteProblem, legs: Legs, part: Sequence[int]) -> Label | None:
    try:
        return Exact(problem, legs, part).best()
    except TooMany:
        return None


def _library(problem: RouteProblem, legs: Legs, within: Sequence[int]) -> Orders:
    # imported by whom it serves: a server that merely asks for a tour does without
    from ortools.constraint_solver import pywrapcp, routing_enums_pb2

    nodes = [0, *(index + 1 for index in within)]
    manager = pywrapcp.RoutingIndexManager(len(nodes), problem.buses, 0)
    routing = pywrapcp.RoutingModel(manager)

    def node_at(index: int) -> int:
        return nodes[int(manager.IndexToNode(index))]

    def metres(here: int, there: int) -> int:
        a, b = node_at(here), node_at(there)
        return legs.metres[a][b]

    def minutes(here: int, there: int) -> int:
        a, b = node_at(here), node_at(there)
        return legs.minutes[a][b] + (problem.stops[a - 1].stay if a else 0)

    routing.SetArcCostEvaluatorOfAllVehicles(routing.RegisterTransitCallback(metres))
    horizon = problem.back_by - problem.leaves
    routing.AddDimension(routing.RegisterTransitCallback(minutes), horizon, problem.back_by, False, "time")
    time = routing.GetDimensionOrDie("time")
    # a minute later home costs more than the longest leg, a village left out more than any day
    per_minute = max(max(row) for row in legs.metres)
    per_weight = per_minute * (horizon + len(nodes) + problem.buses)
    time.SetGlobalSpanCostCoefficient(per_minute)
    for bus in range(problem.buses):
        time.CumulVar(routing.Start(bus)).SetValue(problem.leaves)
        routing.AddVariableMinimizedByFinalizer(time.CumulVar(routing.End(bus)))
    for node in range(1, len(nodes)):
        stop, index = problem.stops[nodes[node] - 1], manager.NodeToIndex(node)
        time.CumulVar(index).SetRange(max(stop.opens, problem.leaves), stop.closes - stop.stay)
        routing.AddDisjunction([index], per_weight * stop.weight)
    parameters = pywrapcp.DefaultRoutingSearchParameters()
    parameters.first_solution_strategy = routing_enums_pb2.FirstSolutionStrategy.PARALLEL_CHEAPEST_INSERTION
    parameters.local_search_metaheuristic = routing_enums_pb2.LocalSearchMetaheuristic.GREEDY_DESCENT
    found = routing.SolveWithParameters(parameters)
    return _orders(routing, manager, found, nodes, problem.buses) if found else []


def _orders(routing: Any, manager: Any, found: Any, nodes: list[int], buses: int) -> Orders:
    orders = []
    for bus in range(buses):
        order, index = [], found.Value(routing.NextVar(routing.Start(bus)))
        while not routing.IsEnd(index):
            order.append(nodes[manager.IndexToNode(index)] - 1)
            index = found.Value(routing.NextVar(index))
        if order:
            orders.append(tuple(order))
    return orders

"""Plans a tour to the fields: proven where there are few stops, well searched where there are many."""

from collections.abc import Sequence

from market.i18n import Message, in_both, msg, names_of
from market.meetings.route.exact import MOST_EXACT, Exact, Label, TooMany
from market.meetings.route.problem import (
    LeftOut,
    Legs,
    Route,
    RouteProblem,
    Tour,
    clock,
    drive,
    why_never,
)
from market.meetings.route.search import Orders, search


def plan_route(problem: RouteProblem) -> Route:
    """Return the tours that visit most (by weight), are back earliest and drive least, in this order.

    Whoever is left out is told why, truly. Deterministic, without a clock.
    """
    legs = Legs(problem)
    never = {index: why_never(problem, legs, index) for index in range(len(problem.stops))}
    within = tuple(index for index, reason in never.items() if reason is None)
    exact, best = _exact(problem, legs, within)
    orders: Orders = search(problem, legs, within) if exact is None else list(best[2]) if best else []
    tours = sorted(
        (tour for order in orders if (tour := drive(problem, legs, order))),
        key=lambda tour: (-len(tour.visits), tour.ends, tour.metres),
    )
    visited = {index for order in orders for index in order}
    left_out = [
        LeftOut(
            problem.stops[index].id,
            reason or (_dearer(problem, exact, index, visited) if exact else _nowhere(problem)),
        )
        for index, reason in never.items()
        if index not in visited
    ]
    return Route(
        tours=tuple(tours),
        left_out=tuple(left_out),
        status="optimal" if exact else ("all_visited" if visited == set(within) else "feasible"),
        weight=sum(problem.stops[index].weight for index in visited),
        ends=max((tour.ends for tour in tours), default=problem.leaves),
        metres=sum(tour.metres for tour in tours),
    )


def _exact(problem: RouteProblem, legs: Legs, within: Sequence[int]) -> tuple[Exact | None, Label | None]:
    if len(within) > MOST_EXACT:
        return None, None
    try:
        exact = Exact(problem, legs, within)
        return exact, exact.best()
    except TooMany:
        return None, None


def _dearer(problem: RouteProblem, exact: Exact, index: int, visited: set[int]) -> Message:
    """Say which stops would go if this one came: the best plan with it, proven, lacks them."""
    try:
        best = exact.best(must=index)
    except TooMany:
        # what is proven to weigh most has no room for more
        return _nowhere(problem)
    with_it = {each for order in best[2] for each in order} if best else {index}
    lost = [problem.stops[each] for each in sorted(visited - with_it)]
    return msg(
        "时间排不下：要去这里，最好的走法也得舍掉{names}。再加一辆车就能去。",
        names=names_of((stop.name, stop.name_en) for stop in lost),
    )


def _nowhere(problem: RouteProblem) -> Message:
    return msg(
        "加进任何一辆车的任何一段，都会误了别处的时间，或者 {back_by} 前赶不回来。再加一辆车就能去。",
        back_by=clock(problem.back_by),
    )


def faults(problem: RouteProblem, tours: Sequence[Tour]) -> list[Message]:
    """Return what is wrong with finished tours, reckoned anew from the problem; empty when they hold."""
    legs = Legs(problem)
    places = {stop.id: index for index, stop in enumerate(problem.stops)}
    found: list[Message] = []
    called = [visit.stop for tour in tours for visit in tour.visits]
    if len(tours) > problem.buses:
        found.append(msg("有 {n} 条线路，只有 {buses} 辆车。", n=len(tours), buses=problem.buses))
    if len(set(called)) < len(called) or set(called) - places.keys():
        return [*found, msg("有的村去了两次，或不在名单里。")]
    for number, tour in enumerate(tours, start=1):
        at, now, metres = 0, problem.leaves, 0
        for visit in tour.visits:
            index = places[visit.stop] + 1
            stop = problem.stops[index - 1]
            drives = visit.arrives - now >= legs.minutes[at][index] and visit.metres == legs.metres[at][index]
            stays = visit.leaves - max(visit.arrives, stop.opens) >= stop.stay and visit.leaves <= stop.closes
            if not drives or not stays:
                found.append(
                    msg("{n} 号车到“{name}”的时间不对。", n=number, name=in_both(stop.name, stop.name_en))
                )
            at, now, metres = index, visit.leaves, metres + visit.metres
        if tour.ends - now < legs.minutes[at][0] or tour.ends > problem.back_by:
            found.append(msg("{n} 号车赶不回来。", n=number))
        if tour.metres != metres + legs.metres[at][0]:
            found.append(msg("{n} 号车的里程不对。", n=number))
    return found

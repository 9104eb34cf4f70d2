"""Tours to the fields: held against trying every plan, and what is said of whoever is left out."""

from itertools import chain, permutations, product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from market.i18n import translate
from market.meetings.route import exact, router
from market.meetings.route.exact import Exact
from market.meetings.route.problem import Legs, Place, RouteProblem, Stop, Tour, drive, why_never
from market.meetings.route.router import faults, plan_route
from market.meetings.route.search import search, value_of

TINY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
HOME = Place(41.6, 122.56)


@st.composite
def problems(draw: st.DrawFn, most: int = 4) -> RouteProblem:
    stops = []
    for n in range(draw(st.integers(0, most))):
        opens = draw(st.integers(0, 8)) * 15 + 8 * 60
        stops.append(
            Stop(
                str(n),
                f"第{n}村",
                Place(41.6 + draw(st.integers(-3, 3)) / 25, 122.56 + draw(st.integers(-3, 3)) / 25),
                opens,
                opens + draw(st.integers(1, 16)) * 15,
                draw(st.integers(1, 4)) * 10,
                draw(st.integers(1, 4)),
            )
        )
    back_by = 9 * 60 + draw(st.integers(0, 12)) * 15
    return RouteProblem(
        HOME, 8 * 60, back_by, draw(st.integers(1, 3)), draw(st.sampled_from([20, 40])), tuple(stops)
    )


def brute(problem: RouteProblem) -> tuple[int, int, int]:
    """Try every share of the stops among the buses, each in every order."""
    legs = Legs(problem)
    total = sum(stop.weight for stop in problem.stops)
    best = (total, problem.leaves, 0)
    for share in product(range(problem.buses + 1), repeat=len(problem.stops)):
        tours: list[list[Tour]] = []
        for bus in range(1, problem.buses + 1):
            mine = [index for index, whose in enumerate(share) if whose == bus]
            if mine:
                tours.append([tour for order in permutations(mine) if (tour := drive(problem, legs, order))])
        missed = sum(stop.weight for stop, bus in zip(problem.stops, share, strict=True) if not bus)
        for plan in product(*tours):
            ends = max((tour.ends for tour in plan), default=problem.leaves)
            best = min(best, (missed, ends, sum(tour.metres for tour in plan)))
    return best


@settings(TINY)
@given(problems())
def test_route_is_as_good_as_trying_every_plan(problem: RouteProblem) -> None:
    route = plan_route(problem)
    total = sum(stop.weight for stop in problem.stops)
    assert (total - route.weight, route.ends, route.metres) == brute(problem)
    assert route.status == "optimal"


@settings(TINY)
@given(problems(most=9))
def test_route_holds_what_it_promises(problem: RouteProblem) -> None:
    route = plan_route(problem)
    assert faults(problem, route.tours) == []
    called = [visit.stop for tour in route.tours for visit in tour.visits]
    assert sorted([*called, *(left.stop for left in route.left_out)]) == [stop.id for stop in problem.stops]


@settings(TINY)
@given(problems(most=7))
def test_branch_and_bound_finds_what_all_sets_do(problem: RouteProblem) -> None:
    legs = Legs(problem)
    within = [index for index in range(len(problem.stops)) if why_never(problem, legs, index) is None]
    all_sets = Exact(problem, legs, within)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(exact, "_MOST_SETS", -1)
        bounded = Exact(problem, legs, within)
        for must in (None, *within):
            assert bounded.best(must=must) == all_sets.best(must=must)


@settings(TINY)
@given(problems(most=9))
def test_search_promises_nothing_better_than_the_proven_route_and_keeps_every_window(
    problem: RouteProblem,
) -> None:
    legs = Legs(problem)
    within = [index for index in range(len(problem.stops)) if why_never(problem, legs, index) is None]
    orders = search(problem, legs, within)
    best = Exact(problem, legs, within).best()
    assert all(drive(problem, legs, order) for order in orders)
    assert value_of(problem, legs, orders) >= value_of(problem, legs, list(best[2]) if best else [])


@settings(TINY)
@given(problems())
def test_whoever_can_never_be_called_at_is_called_at_by_no_bus_alone(problem: RouteProblem) -> None:
    legs = Legs(problem)
    for index in range(len(problem.stops)):
        assert (why_never(problem, legs, index) is None) == (drive(problem, legs, [index]) is not None)


def stop(id_: str, east: float, opens: int, closes: int, *, stay: int = 30, weight: int = 1) -> Stop:
    """A stop so many km by road east of the start."""
    degrees = east / 1.3 / 111.195 / 0.74780
    return Stop(id_, id_, Place(HOME.latitude, HOME.longitude + degrees), opens, closes, stay, weight)


def asked(*stops: Stop, buses: int = 1, back_by: int = 17 * 60) -> RouteProblem:
    return RouteProblem(HOME, 8 * 60, back_by, buses, 40, stops)


def reasons(problem: RouteProblem) -> dict[str, str]:
    return {left.stop: str(left.reason) for left in plan_route(problem).left_out}


def test_window_shorter_than_the_stay_is_named() -> None:
    assert reasons(asked(stop("近", 4, 540, 560))) == {"近": "要停 30 分钟，比开放的 09:00–09:20 还长。"}


def test_window_that_no_drive_reaches_says_when_a_bus_would_be_there() -> None:
    assert reasons(asked(stop("远", 60, 540, 570))) == {
        "远": "09:00–09:30 内去不成：直接开去最早 09:30 到，停 30 分钟就超时了。"
    }


def test_village_from_which_nobody_gets_back_in_time_says_when_they_would() -> None:
    assert reasons(asked(stop("晚", 40, 600, 720), back_by=11 * 60)) == {
        "晚": "去了就赶不回来：只去这一处，最早也要 11:30 才回到起点，晚于 11:00。"
    }


def test_village_that_others_crowd_out_is_told_whom_it_would_cost_and_a_further_bus_fetches_it() -> None:
    stops = (stop("重", 20, 540, 600, weight=5), stop("轻", -20, 540, 600, weight=1))
    assert reasons(asked(*stops)) == {"轻": "时间排不下：要去这里，最好的走法也得舍掉重。再加一辆车就能去。"}
    assert reasons(asked(*stops, buses=2)) == {}


def test_village_that_would_be_lost_is_named_in_the_readers_language() -> None:
    heavy = replace(stop("重", 20, 540, 600, weight=5), name_en="Heavy")
    left = plan_route(asked(heavy, stop("轻", -20, 540, 600, weight=1))).left_out
    assert [translate(one.reason, "en") for one in left] == [
        "There is no time: the best plan that calls here leaves out Heavy. One more bus could call here."
    ]


def test_shortest_way_counts_where_the_bus_would_wait_anyway() -> None:
    """Two orders are back at the same minute, for the last village opens late: the shorter way is taken."""
    problem = asked(stop("a", 4, 480, 900, stay=10), stop("b", 8, 480, 900, stay=10), stop("c", 12, 720, 900))
    route = plan_route(problem)
    assert [visit.stop for visit in route.tours[0].visits] == ["a", "b", "c"]
    assert route.metres == 24_000


def test_no_stops_need_no_bus() -> None:
    route = plan_route(asked())
    assert (route.tours, route.ends, route.metres, route.left_out) == ((), 8 * 60, 0, ())


def test_many_stops_are_planned_alike_each_time_and_the_left_out_fit_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stops = [
        stop(f"{n}", (n % 7 - 3) * 6 + 1, 480 + n % 5 * 60, 600 + n % 5 * 60, weight=1 + n % 3)
        for n in range(20)
    ]
    problem = asked(*stops, buses=2, back_by=13 * 60)
    monkeypatch.setattr(router, "MOST_EXACT", 10)
    route = plan_route(problem)
    assert (plan_route(problem), faults(problem, route.tours), route.status) == (route, [], "feasible")
    legs, places = Legs(problem), {each.id: n for n, each in enumerate(stops)}
    orders = [[places[visit.stop] for visit in tour.visits] for tour in route.tours]
    tried = [
        drive(problem, legs, [*order[:at], places[left.stop], *order[at:]])
        for left in route.left_out
        for order in orders
        for at in range(len(order) + 1)
    ]
    assert (set(tried), len(tried) > 20) == ({None}, True)


def test_too_much_to_look_at_is_searched_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = asked(*(stop(f"{n}", n + 1, 480, 1080) for n in range(6)))
    proven = plan_route(problem)
    monkeypatch.setattr(exact, "MOST_LABELS", 5)
    route = plan_route(problem)
    assert (proven.status, route.status, route.left_out) == ("optimal", "all_visited", ())
    assert (route.ends, route.metres) >= (proven.ends, proven.metres)


def test_planted_faults_are_found() -> None:
    problem = asked(stop("a", 4, 480, 900), stop("b", 20, 540, 900))
    tour = plan_route(problem).tours[0]
    early = replace(tour, visits=(replace(tour.visits[0], arrives=480), *tour.visits[1:]))
    short = replace(tour, visits=(*tour.visits[:-1], replace(tour.visits[-1], leaves=545)))
    planted = [early, short, replace(tour, ends=500), replace(tour, metres=1)]
    assert [len(faults(problem, [each])) > 0 for each in planted] == [True] * 4
    assert len(faults(problem, [tour, tour])) == 2
    assert str(faults(problem, [replace(tour, visits=(replace(tour.visits[0], stop="x"),))])[-1]) == (
        "有的村去了两次，或不在名单里。"
    )
    assert list(chain(faults(problem, [tour]))) == []

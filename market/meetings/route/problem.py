"""What a tour to the fields is asked for, and what comes back. Times are minutes after midnight."""

from collections.abc import Sequence

from msgspec import Struct

from market.i18n import Message, msg
from market.matching.rules import Parameters, road_km

#: Where nothing else is known: roads are that much longer than the great circle.
ROAD_FACTOR = float(Parameters().road_factor)


class Place(Struct, frozen=True):
    """Degrees."""

    latitude: float
    longitude: float


class Stop(Struct, frozen=True):
    """A village to call at: the whole stay lies between ``opens`` and ``closes``.

    ``weight``: what a visit is worth, at least 1.
    """

    id: str
    name: str
    place: Place
    opens: int
    closes: int
    #: Minutes.
    stay: int
    weight: int = 1
    #: Empty: none is known.
    name_en: str = ""


class RouteProblem(Struct, frozen=True):
    """Buses leave ``start`` at ``leaves`` and are back there by ``back_by``."""

    start: Place
    leaves: int
    back_by: int
    buses: int
    speed_kmh: int
    stops: tuple[Stop, ...]


class Visit(Struct, frozen=True):
    """``arrives`` may be before the stop opens: then the bus waits. ``metres`` are those of the way there."""

    stop: str
    arrives: int
    leaves: int
    metres: int


class Tour(Struct, frozen=True):
    """One bus. ``metres`` include the way home, where it ``ends``."""

    visits: tuple[Visit, ...]
    ends: int
    metres: int


class LeftOut(Struct, frozen=True):
    """A stop that no bus calls at, and why."""

    stop: str
    reason: Message


class Route(Struct, frozen=True):
    """The tours, the longest list of visits first.

    ``status``: ``optimal`` (no other plan visits more weight, none of those is back earlier, none of those
    drives less), ``all_visited`` (no plan can visit more; time and way are not proven) or ``feasible``.
    """

    tours: tuple[Tour, ...]
    left_out: tuple[LeftOut, ...]
    status: str
    weight: int
    #: When the last bus is back; ``leaves`` where none goes.
    ends: int
    metres: int


class Legs:
    """The ways between all places: row and column 0 are the start, then the stops in their order.

    Metres are whole, minutes are rounded up: who promises a time keeps it.
    """

    def __init__(self, problem: RouteProblem) -> None:
        places = [problem.start, *(stop.place for stop in problem.stops)]
        points = [(place.latitude, place.longitude) for place in places]
        self.metres = [
            [round(1000 * road_km(here, there, ROAD_FACTOR)) if here != there else 0 for there in points]
            for here in points
        ]
        per_hour = 1000 * problem.speed_kmh
        self.minutes = [[-(-60 * metres // per_hour) for metres in row] for row in self.metres]


def drive(problem: RouteProblem, legs: Legs, order: Sequence[int]) -> Tour | None:
    """Return the tour over the stops at the places ``order`` (from 0), each as early as it can be.

    None where a stop would be left after it closes, or the bus would be back too late.
    """
    at, now, way = 0, problem.leaves, 0
    visits = []
    for index in order:
        stop, metres = problem.stops[index], legs.metres[at][index + 1]
        arrives = now + legs.minutes[at][index + 1]
        now = max(arrives, stop.opens) + stop.stay
        if now > stop.closes:
            return None
        visits.append(Visit(stop.id, arrives, now, metres))
        at, way = index + 1, way + metres
    ends = now + legs.minutes[at][0]
    if ends > problem.back_by:
        return None
    return Tour(tuple(visits), ends, way + legs.metres[at][0])


def clock(minutes: int) -> str:
    """Write minutes after midnight as ``09:05``; a time of the next day goes on counting."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def why_never(problem: RouteProblem, legs: Legs, index: int) -> Message | None:
    """Return why not even a bus that goes nowhere else can call at a stop; None if one can."""
    stop = problem.stops[index]
    window = {"opens": clock(stop.opens), "closes": clock(stop.closes)}
    if stop.stay > stop.closes - stop.opens:
        return msg("要停 {stay} 分钟，比开放的 {opens}–{closes} 还长。", stay=stop.stay, **window)
    arrives = problem.leaves + legs.minutes[0][index + 1]
    if arrives + stop.stay > stop.closes:
        return msg(
            "{opens}–{closes} 内去不成：直接开去最早 {arrives} 到，停 {stay} 分钟就超时了。",
            **window,
            arrives=clock(arrives),
            stay=stop.stay,
        )
    ends = max(arrives, stop.opens) + stop.stay + legs.minutes[index + 1][0]
    if ends > problem.back_by:
        return msg(
            "去了就赶不回来：只去这一处，最早也要 {ends} 才回到起点，晚于 {back_by}。",
            ends=clock(ends),
            back_by=clock(problem.back_by),
        )
    return None

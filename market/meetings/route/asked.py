"""What can be asked of the tour to the fields. Times are minutes after midnight."""

from collections.abc import Sequence
from datetime import date, timedelta

import msgspec

from market.i18n import Message, msg
from market.meetings.route.problem import Place, RouteProblem, Stop, clock

MOST_STOPS = 40
MOST_BUSES = 8
LONGEST_NAME = 40
LONGEST_SHOWS = 80
SPEEDS = (10, 90)
SEATS = (4, 80)
STAYS = (5, 240)
END_OF_DAY = 24 * 60
#: South, north, west and east: whoever swaps the two numbers of a place lands far outside.
CHINA_BOX = (3.0, 54.0, 73.0, 136.0)

#: The usual tour: how long a visit lasts, and when villages receive guests.
USUAL_STAY = 30
USUAL_OPENS, USUAL_CLOSES = 8 * 60, 18 * 60
#: Minutes between the last talk and the bus, and talks that leave an afternoon for the fields.
AFTER_TALKS = 30
LATEST_TALK = 14 * 60


class TourSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the buses start and end, and their day."""

    on: date
    start_name: str
    start_lat: float
    start_lon: float
    leaves_at: int
    back_by: int
    buses: int = 1
    speed_kmh: int = 40
    #: Of one bus; None: not said.
    seats: int | None = None


class StopSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stop that is there already, by its number."""

    id: int
    opens_at: int
    closes_at: int
    stay_minutes: int
    shows: str = ""


class NewStop(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stop to add: an organisation of the town, or a place with a name."""

    organisation: int | None = None
    name: str = ""
    lat: float | None = None
    lon: float | None = None


def usual_tour(
    *, held_on: date, days: int, last_talk_ends: int, start_name: str, place: Place
) -> TourSettings:
    """Return the tour after a meeting of these days: the same afternoon if one is left, else the next day."""
    last_day = held_on + timedelta(days=days - 1)
    if last_talk_ends <= LATEST_TALK:
        on, leaves, back = last_day, last_talk_ends + AFTER_TALKS, 18 * 60
    else:
        on, leaves, back = last_day + timedelta(days=1), 8 * 60 + 30, 17 * 60
    return TourSettings(on, start_name, place.latitude, place.longitude, leaves, back)


def off_the_map(lat: float, lon: float) -> bool:
    south, north, west, east = CHINA_BOX
    return not (south <= lat <= north and west <= lon <= east)


def tour_problems(tour: TourSettings, *, today: date) -> dict[str, Message]:
    """Return field -> what is wrong and how to mend it."""
    problems: dict[str, Message] = {}
    if tour.on < today:
        problems["on"] = msg("走访日期已过，请选今天或以后的日期。")
    if not tour.start_name.strip():
        problems["start_name"] = msg("请写上车的地方。")
    if off_the_map(tour.start_lat, tour.start_lon):
        problems["start_place"] = msg("这个坐标不在国内，请纬度在前、经度在后，例如 41.6, 122.56。")
    if not 0 <= tour.leaves_at < tour.back_by:
        problems["back_by"] = msg("返回时间须晚于出发时间 {leaves}。", leaves=clock(tour.leaves_at))
    if not 1 <= tour.buses <= MOST_BUSES:
        problems["buses"] = msg("要在 {least} 到 {most} 之间。", least=1, most=MOST_BUSES)
    if tour.seats is not None and not SEATS[0] <= tour.seats <= SEATS[1]:
        problems["seats"] = msg("要在 {least} 到 {most} 之间。", least=SEATS[0], most=SEATS[1])
    if not SPEEDS[0] <= tour.speed_kmh <= SPEEDS[1]:
        problems["speed_kmh"] = msg("要在 {least} 到 {most} 之间。", least=SPEEDS[0], most=SPEEDS[1])
    return problems


def stop_problems(stops: Sequence[StopSettings]) -> dict[str, Message]:
    """Return field (``closes_<stop>`` and so on) -> what is wrong."""
    problems: dict[str, Message] = {}
    for stop in stops:
        if not 0 <= stop.opens_at < stop.closes_at <= END_OF_DAY:
            problems[f"closes_{stop.id}"] = msg("须晚于 {opens}。", opens=clock(stop.opens_at))
        if not STAYS[0] <= stop.stay_minutes <= STAYS[1]:
            problems[f"stay_{stop.id}"] = msg("要在 {least} 到 {most} 之间。", least=STAYS[0], most=STAYS[1])
    return problems


def place_name(name: str) -> str:
    """Return the short name of a village, as it stands on a bus: 东于村 of 东于村村民委员会."""
    short = name.removesuffix("村民委员会").strip()
    return short if short == name or short.endswith(("村", "社区")) else f"{short}村"


def route_problem(
    tour: TourSettings, stops: Sequence[tuple[StopSettings, tuple[str, str], Place, int | None]]
) -> RouteProblem:
    """Return the problem to solve. Each stop comes with its names, its place and the fen at stake there.

    Names are Chinese and English; the latter may be empty.

    A village counts 1 and what is stuck there in thousands of yuan. A place that somebody added by hand
    (None) is wanted as much as the best of them.
    """
    weights = [None if worth is None else 1 + min(max(worth, 0) // 100_000, 10**6) for *_, worth in stops]
    most = max((weight for weight in weights if weight is not None), default=1)
    return RouteProblem(
        start=Place(tour.start_lat, tour.start_lon),
        leaves=tour.leaves_at,
        back_by=tour.back_by,
        buses=tour.buses,
        speed_kmh=tour.speed_kmh,
        stops=tuple(
            Stop(
                str(stop.id),
                name,
                place,
                stop.opens_at,
                stop.closes_at,
                stop.stay_minutes,
                most if weight is None else weight,
                name_en,
            )
            for (stop, (name, name_en), place, _), weight in zip(stops, weights, strict=True)
        ),
    )

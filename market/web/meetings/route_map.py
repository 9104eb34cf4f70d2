"""The tour to the fields as a schematic line map: villages as they lie, lines as on a metro's map.

Drawn for three widths like the charts. Stations that lie too near one another are moved apart, lines run
upright, level or at 45 degrees, and no name lies over another or over a station (``route_labels``).
Times stand beside the names; the same figures are in the tables below the map, for everybody.
"""

from collections.abc import Sequence
from itertools import combinations, pairwise
from math import cos, hypot, radians

import msgspec
from markupsafe import Markup, escape

from market.i18n import Language, msg, translate
from market.meetings.route.problem import clock
from market.meetings.tour.queries import FieldRouteRow, RouteStopRow
from market.web.meetings.route_labels import Label, Place, Point, placed
from market.web.parts.charts import HALF, NARROW, WIDE, cut, text_width

#: Colours and dashes of the style sheet repeat after so many buses.
_STYLES = 4
#: Px: of a station, and of one that no bus calls at.
_RADIUS, _SMALL = 11, 7
#: Px between two stations at least: at first, and where names find no room.
_APART = (58, 70, 84, 100)
#: Px that a name may have, by the width of the drawing.
_ROOM = {WIDE: 150, HALF: 128, NARROW: 96}
#: How much more upright than level a sheet may be stretched: it is a schematic, and a phone is tall.
_STRETCH = 1.5
#: With more stations than this a phone's map leaves the times to the list below it.
_MOST_TIMED = 9
_NAME, _TIME = 14, 13


class _Station(msgspec.Struct):
    name: str
    time: str
    #: On its disc: its place on its bus's way; nothing where no bus calls.
    sign: str
    style: str
    at: Point


def name_of(stop: RouteStopRow, language: Language) -> str:
    return stop.name_en if language == "en" and stop.name_en else stop.name


def route_map(route: FieldRouteRow, language: Language) -> Markup:
    """Return the drawing; every text in it is escaped."""
    title = translate(msg("走访线路图"), language)
    calls = "; ".join(
        ", ".join(f"{clock(stop.begins_at or 0)} {name_of(stop, language)}" for stop in tour)
        for tour in route.tours
    )
    drawings = []
    for width, shown in ((WIDE, "wide"), (HALF, "half"), (NARROW, "narrow")):
        height, parts = _draw(route, width, language)
        drawings.append(
            f'<svg class="chart-{shown}" viewBox="0 0 {width} {height}" role="img" '
            f'aria-label="{escape(title)}">'
            f"<title>{escape(title)}</title><desc>{escape(calls)}</desc>{parts}</svg>"
        )
    return Markup("".join(drawings))  # noqa: S704 - every text in it is escaped above


def _draw(route: FieldRouteRow, width: int, language: Language) -> tuple[int, str]:
    # where there is little room, those that no bus calls at are left to the list below the map
    stops = route.stops if width == WIDE or len(route.stops) < 10 else route.visited
    stations = [_start(route, language), *_stations(route, stops, language)]
    for station in stations:
        station.name = cut(station.name, _ROOM[width], _NAME)
        if width == NARROW and len(stations) > _MOST_TIMED:
            station.time = ""
    height, tours, names = _with_names(route, stops, stations, width)
    lines = []
    for number, legs in enumerate(tours):
        style = f"r{number % _STYLES}"
        lines.append(f'<path class="route-line {style}" d="{_path(legs[:-1])}"/>')
        lines.append(f'<path class="route-line home {style}" d="{_path(legs[-1:])}"/>')
    signs = []
    for station, place in zip(stations, names, strict=True):
        x, y = station.at
        if station.style == "start":
            signs.append(
                f'<rect class="route-stop start" x="{x - 13:.1f}" y="{y - 13:.1f}" '
                'width="26" height="26" rx="6"/>'
            )
        else:
            signs.append(
                f'<circle class="route-stop {station.style}" cx="{x:.1f}" cy="{y:.1f}" '
                f'r="{_SMALL if station.style == "none" else _RADIUS}"/>'
            )
        if station.sign:
            signs.append(
                f'<text class="route-sign {station.style}" x="{x:.1f}" y="{y + 5:.1f}" text-anchor="middle">'
                f"{escape(station.sign)}</text>"
            )
        signs.append(_words(station, place))
    return height, "".join([*lines, *signs])


def _with_names(
    route: FieldRouteRow, stops: Sequence[RouteStopRow], stations: Sequence[_Station], width: int
) -> tuple[int, list[list[list[Point]]], list[Place]]:
    """Put the stations on the sheet; return its height, the legs of each bus, and where each name stands.

    Where a name finds no free place, stations move further apart and the sheet grows, a few times.
    """
    spots = [station.at for station in stations]
    for apart in _APART:
        height = _lay_out(stations, spots, width, apart)
        at = dict(zip((stop.id for stop in stops), (each.at for each in stations[1:]), strict=True))
        start = stations[0].at
        ways = [[start, *(at[stop.id] for stop in tour), start] for tour in route.tours]
        tours = [[_leg(here, there) for here, there in pairwise(way)] for way in ways]
        names, covered = placed(
            [_label(each) for each in stations],
            [track for legs in tours for leg in legs for track in pairwise(leg)],
            width=width,
            height=height,
        )
        if not covered:
            break
    return height, tours, names


def _label(station: _Station) -> Label:
    long = max(text_width(station.name, _NAME), text_width(station.time, _TIME)) + 4
    return Label(station.at, long, 2 if station.time else 1)


def _start(route: FieldRouteRow, language: Language) -> _Station:
    name = route.start_name_en if language == "en" and route.start_name_en else route.start_name
    ends = route.result.plan.ends if route.result.plan else route.back_by
    return _Station(
        name,
        f"{clock(route.leaves_at)}–{clock(ends)}",
        translate(msg("起"), language),
        "start",
        (route.start_lon * cos(radians(route.start_lat)), -route.start_lat),
    )


def _stations(route: FieldRouteRow, stops: Sequence[RouteStopRow], language: Language) -> list[_Station]:
    lean = cos(radians(route.start_lat))
    return [
        _Station(
            name_of(stop, language),
            f"{clock(stop.begins_at)}–{clock(stop.leaves_at)}"
            if stop.begins_at is not None and stop.leaves_at is not None
            else "",
            str(stop.position) if stop.position else "",
            f"r{(stop.bus - 1) % _STYLES}" if stop.bus else "none",
            (stop.lon * lean, -stop.lat),
        )
        for stop in stops
    ]


def _lay_out(stations: Sequence[_Station], at: Sequence[Point], width: int, apart: int) -> int:
    """Put the stations, which lie ``at``, on the sheet, north up and apart; return the height."""
    side = min(120, width // 4)
    room_x = width - 2 * side
    room_y = (300 + 14 * max(len(stations) - 6, 0)) * apart / _APART[0]
    xs, ys = [each[0] for each in at], [each[1] for each in at]
    wide, tall = max(xs) - min(xs) or 1e-9, max(ys) - min(ys) or 1e-9
    scale = min(room_x / wide, room_y / tall)
    upright = min(room_y / tall, scale * _STRETCH)
    height = round(max(tall * upright, (60 + 12 * len(stations)) * apart / _APART[0])) + 100
    centre_x, centre_y = (max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2
    spots = [
        [width / 2 + (x - centre_x) * scale, height / 2 + (y - centre_y) * upright]
        for x, y in zip(xs, ys, strict=True)
    ]
    for _ in range(120):
        is_moved = False
        for (i, here), (j, there) in combinations(enumerate(spots), 2):
            dx, dy = there[0] - here[0], there[1] - here[1]
            far = hypot(dx, dy)
            if far >= apart:
                continue
            is_moved = True
            if far < 1e-6:
                # one spot for two: apart along a direction of their own
                dx, dy, far = cos(i + 2.0 * j), cos(2.0 * i - j), 1.0
            push = (apart - far) / 2 + 0.5
            for spot, way in ((here, -1), (there, 1)):
                spot[0] = min(max(spot[0] + way * dx / far * push, 30), width - 30)
                spot[1] = min(max(spot[1] + way * dy / far * push, 34), height - 40)
        if not is_moved:
            break
    for station, spot in zip(stations, spots, strict=True):
        station.at = (spot[0], spot[1])
    return height


def _leg(here: Point, there: Point) -> list[Point]:
    """Return the corners of a way in two pieces: level or upright, then at 45 degrees."""
    dx, dy = there[0] - here[0], there[1] - here[1]
    slant = min(abs(dx), abs(dy))
    if slant < 6 or abs(abs(dx) - abs(dy)) < 6:
        return [here, there]
    corner = (
        there[0] - (slant if dx > 0 else -slant),
        there[1] - (slant if dy > 0 else -slant),
    )
    return [here, corner, there]


def _path(legs: Sequence[Sequence[Point]]) -> str:
    if not legs:
        return ""
    points = [legs[0][0], *(point for leg in legs for point in leg[1:])]
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _words(station: _Station, place: Place) -> str:
    line = 17 if station.time else 0
    written = [
        (f"route-name {station.style}", place.base, station.name),
        ("route-time", place.base + line, station.time),
    ]
    return "".join(
        f'<text class="{kind}" x="{place.x:.1f}" y="{level:.1f}" text-anchor="{place.anchor}">'
        f"{escape(words)}</text>"
        for kind, level, words in written
        if words
    )

"""The tour to the fields as a schematic line map: villages as they lie, lines as on a metro's map.

Drawn for three widths like the charts. Stations that lie too near one another are moved apart, lines run
upright, level or at 45 degrees, and each name takes the place beside its station where it covers least.
Times stand beside the names; the same figures are in the tables below the map, for everybody.
"""

from collections.abc import Sequence
from itertools import combinations, pairwise
from math import cos, hypot, radians

import msgspec
from markupsafe import Markup, escape

from market.i18n import Language, msg, translate
from market.meetings.route.problem import clock
from market.meetings.tour_queries import FieldRouteRow, RouteStopRow
from market.web.charts import HALF, NARROW, WIDE, cut, text_width

#: Colours and dashes of the style sheet repeat after so many buses.
_STYLES = 4
#: Px: of a station, of one that no bus calls at, and between two of them at least.
_RADIUS, _SMALL, _APART = 11, 7, 58
#: Px that a name may have, by the width of the drawing.
_ROOM = {WIDE: 150, HALF: 128, NARROW: 96}
#: How much more upright than level a sheet may be stretched: it is a schematic, and a phone is tall.
_STRETCH = 1.5
#: With more stations than this a phone's map leaves the times to the list below it.
_MOST_TIMED = 9
_NAME, _TIME = 14, 13

Point = tuple[float, float]
Box = tuple[float, float, float, float]


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
    height = _lay_out(stations, width)
    places = dict(zip((stop.id for stop in stops), stations[1:], strict=True))
    lines, tracks = [], []
    for number, tour in enumerate(route.tours):
        way = [stations[0].at, *(places[stop.id].at for stop in tour), stations[0].at]
        legs = [_leg(here, there) for here, there in pairwise(way)]
        tracks += [track for leg in legs for track in pairwise(leg)]
        style = f"r{number % _STYLES}"
        lines.append(f'<path class="route-line {style}" d="{_path(legs[:-1])}"/>')
        lines.append(f'<path class="route-line home {style}" d="{_path(legs[-1:])}"/>')
    taken: list[Box] = [_around(station.at, _RADIUS + 3) for station in stations]
    signs = []
    for station in stations:
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
        signs.append(_words(station, width, height, taken, tracks))
    return height, "".join([*lines, *signs])


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


def _lay_out(stations: Sequence[_Station], width: int) -> int:
    """Put the stations on the sheet, north up, and apart; return the height."""
    side = min(120, width // 4)
    room_x, room_y = width - 2 * side, 300 + 14 * max(len(stations) - 6, 0)
    xs, ys = [each.at[0] for each in stations], [each.at[1] for each in stations]
    wide, tall = max(xs) - min(xs) or 1e-9, max(ys) - min(ys) or 1e-9
    scale = min(room_x / wide, room_y / tall)
    upright = min(room_y / tall, scale * _STRETCH)
    height = round(max(tall * upright, 60 + 12 * len(stations))) + 100
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
            if far >= _APART:
                continue
            is_moved = True
            if far < 1e-6:
                # one spot for two: apart along a direction of their own
                dx, dy, far = cos(i + 2.0 * j), cos(2.0 * i - j), 1.0
            push = (_APART - far) / 2 + 0.5
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


def _around(at: Point, far: float) -> Box:
    return at[0] - far, at[1] - far, at[0] + far, at[1] + far


def _words(
    station: _Station, width: int, height: int, taken: list[Box], tracks: Sequence[tuple[Point, Point]]
) -> str:
    """Write name and time where they cover least, and note the place as taken."""
    x, y = station.at
    long = max(text_width(station.name, _NAME), text_width(station.time, _TIME)) + 4
    off, line = _RADIUS + 6, 17 if station.time else 0
    options = [
        ("start", x + off, y - 2),
        ("end", x - off, y - 2),
        ("middle", x, y + off + _NAME),
        ("middle", x, y - off - line),
        ("start", x + off - 4, y + off + 6),
        ("end", x - off + 4, y + off + 6),
        ("start", x + off - 4, y - off - line + 4),
        ("end", x - off + 4, y - off - line + 4),
        ("middle", x, y + off + _NAME + 12),
        ("middle", x, y - off - line - 12),
        ("start", x + off + 14, y - 2),
        ("end", x - off - 14, y - 2),
    ]
    best: tuple[float, int, Box] | None = None
    for place, (anchor, at, base) in enumerate(options):
        left = at - (0 if anchor == "start" else long if anchor == "end" else long / 2)
        box = (left, base - _NAME, left + long, base + line + 4)
        cost = sum(_shared(box, other) for other in taken) * 3
        cost += sum(_crossed(box, track) for track in tracks) * 6
        out = max(0.0, -box[0]) + max(0.0, box[2] - width) + max(0.0, -box[1]) + max(0.0, box[3] - height)
        cost += out * 200
        if best is None or cost < best[0] - 1e-9:
            best = (cost, place, box)
    assert best is not None
    anchor, at, base = options[best[1]]
    taken.append(best[2])
    written = [(f"route-name {station.style}", base, station.name), ("route-time", base + line, station.time)]
    return "".join(
        f'<text class="{kind}" x="{at:.1f}" y="{level:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
        for kind, level, words in written
        if words
    )


def _shared(one: Box, other: Box) -> float:
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return across * down if across > 0 and down > 0 else 0.0


def _crossed(box: Box, track: tuple[Point, Point]) -> float:
    """Return roughly how many px of a line lie under a box."""
    (x0, y0), (x1, y1) = track
    steps = max(int(hypot(x1 - x0, y1 - y0) // 4), 1)
    inside = sum(
        box[0] - 2 <= x0 + (x1 - x0) * n / steps <= box[2] + 2
        and box[1] - 2 <= y0 + (y1 - y0) * n / steps <= box[3] + 2
        for n in range(steps + 1)
    )
    return inside * 4.0

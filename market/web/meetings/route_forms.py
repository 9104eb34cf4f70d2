"""The forms of the tour to the fields: its buses and stops, and a stop to add."""

import re
from collections.abc import Iterable, Mapping
from datetime import time
from typing import Any

import msgspec

from market.i18n import Language, Message, msg
from market.meetings.route import asked
from market.meetings.route.asked import TourSettings
from market.meetings.tour.changing import marks_of_stops, marks_of_tour
from market.meetings.tour.queries import FieldRouteRow, VillageRow
from market.web.parts import fields
from market.web.parts.changed_meanwhile import SEEN
from market.web.parts.fields import Field
from market.web.parts.forms import Filled, Form
from market.web.parts.trade import KEY, new_key
from market.web.parts.typed import Wrong, decimal_from


def coordinates(label: Message, *, hint: Message | None = None, optional: bool = False) -> Field:
    """Degrees north and east, as map applications give them: ``41.6, 122.56``."""

    def parse(typed: str, _: str) -> tuple[float, float]:
        north, comma, east = typed.replace("，", ",").replace("、", ",").partition(",")
        parts = (north, east) if comma else tuple(typed.split())
        if len(parts) != 2:
            raise Wrong(msg("请写两个数，纬度在前，例如 41.6, 122.56。"))
        lat, lon = (float(decimal_from(part.strip().rstrip("°"))) for part in parts)
        if asked.off_the_map(lat, lon):
            raise Wrong(msg("这个坐标不在国内，请纬度在前、经度在后，例如 41.6, 122.56。"))
        return lat, lon

    return Field(
        kind="text",
        label=label,
        parse=parse,
        write=lambda place: (f"{place[0]:.6g}, {place[1]:.6g}", ""),
        hint=hint,
        optional=optional,
        attributes={"maxlength": 40, "inputmode": "text"},
    )


def tour_form(stop_ids: Iterable[int]) -> Form:
    """Return the form of a tour and of these stops."""
    stops: dict[str, Field] = {}
    for stop in stop_ids:
        stops[f"opens_{stop}"] = fields.clock_time(msg("最早几点到"))
        stops[f"closes_{stop}"] = fields.clock_time(msg("最晚几点走"))
        stops[f"stay_{stop}"] = fields.whole(msg("停留几分钟"), least=asked.STAYS[0], most=asked.STAYS[1])
        stops[f"shows_{stop}"] = fields.text(msg("看什么"), most=asked.LONGEST_SHOWS, optional=True)
        stops[f"drop_{stop}"] = fields.tick(msg("不去这一站"))
        stops[f"seen_{stop}"] = SEEN
    return Form(
        on=fields.day(msg("走访日期")),
        start_name=fields.text(msg("上车地点"), most=asked.LONGEST_NAME),
        start_place=coordinates(msg("上车地点的坐标"), hint=msg("从地图软件复制，纬度在前。")),
        leaves_at=fields.clock_time(msg("几点出发")),
        back_by=fields.clock_time(msg("最晚几点返回")),
        buses=fields.whole(msg("几辆车"), least=1, most=asked.MOST_BUSES),
        seats=fields.whole(
            msg("每辆车几座"),
            least=asked.SEATS[0],
            most=asked.SEATS[1],
            hint=msg("不算司机。写了才能算座位够不够。"),
            optional=True,
        ),
        speed_kmh=fields.whole(
            msg("平均车速（公里/时）"),
            least=asked.SPEEDS[0],
            most=asked.SPEEDS[1],
            hint=msg("乡间路一般按 40。路程按直线距离的 1.3 倍估算。"),
        ),
        **stops,
        seen=SEEN,
        key=KEY,
    )


def _clock(minutes: int) -> time:
    return time(min(minutes, asked.END_OF_DAY - 1) // 60, min(minutes, asked.END_OF_DAY - 1) % 60)


def minutes(moment: time) -> int:
    return moment.hour * 60 + moment.minute


def standing(route: FieldRouteRow) -> Filled:
    """Return the form with what is planned standing in it."""
    values: dict[str, object] = {
        "on": route.on,
        "start_name": route.start_name,
        "start_place": (route.start_lat, route.start_lon),
        "leaves_at": _clock(route.leaves_at),
        "back_by": _clock(route.back_by),
        "buses": route.buses,
        "seats": route.seats,
        "speed_kmh": route.speed_kmh,
        "seen": marks_of_tour(route),
        "key": new_key(),
    }
    values |= {f"seen_{stop}": marks for stop, marks in marks_of_stops(route).items()}
    for stop in route.stops:
        values[f"opens_{stop.id}"] = _clock(stop.opens_at)
        values[f"closes_{stop.id}"] = _clock(stop.closes_at)
        values[f"stay_{stop.id}"] = stop.stay_minutes
        values[f"shows_{stop.id}"] = stop.shows
    return tour_form(stop.id for stop in route.stops).blank(**values)


def stops_in(typed: Mapping[str, list[str]]) -> list[int]:
    """Return the stops that the form which was sent had: others may add or drop some meanwhile."""
    found = [int(match[1]) for name in typed if (match := _STAY.fullmatch(name))]
    return found[: 2 * asked.MOST_STOPS]


def seen_in(values: Mapping[str, Any], stop_ids: Iterable[int]) -> str | None:
    """Return the marks of what the form was drawn with, as ``tour.changing`` takes them."""
    words = [values["seen"], *(values[f"seen_{stop}"] for stop in stop_ids)]
    return "".join(words) if all(words) else None


def controls_of(stop_ids: Iterable[int]) -> dict[str, tuple[str, ...]]:
    """Return what the form calls a field of the tour, where it calls it otherwise."""
    names: dict[str, tuple[str, ...]] = {"start_lat": ("start_place",), "start_lon": ("start_place",)}
    for stop in stop_ids:
        names |= {f"{long}_{stop}": (f"{short}_{stop}",) for long, short in _STOP.items()}
    return names


def over(fresh: Filled, filled: Filled) -> Filled:
    """Return the form with the stops that there are now, and what was typed into those that were there."""
    known = {name: texts for name, texts in filled.typed.items() if name in fresh.form.fields}
    errors = {name: told for name, told in filled.errors.items() if name in fresh.form.fields or not name}
    return msgspec.structs.replace(filled, form=fresh.form, typed={**fresh.typed, **known}, errors=errors)


#: Field of a stop -> what the form calls it, before the number of the stop.
_STOP = {"opens_at": "opens", "closes_at": "closes", "stay_minutes": "stay"}
_STAY = re.compile(r"stay_([1-9][0-9]{0,17})")


def settings_in(values: Mapping[str, Any]) -> TourSettings:
    return TourSettings(
        on=values["on"],
        start_name=values["start_name"],
        start_lat=values["start_place"][0],
        start_lon=values["start_place"][1],
        leaves_at=minutes(values["leaves_at"]),
        back_by=minutes(values["back_by"]),
        buses=values["buses"],
        seats=values["seats"],
        speed_kmh=values["speed_kmh"],
    )


def stop_form(villages: list[VillageRow], language: Language) -> Form:
    """Return the form that adds one of the town's villages."""
    options: dict[str, Message | str] = {
        str(each.organisation): each.name_en if language == "en" and each.name_en else each.name
        for each in villages
    }
    return Form(village=fields.choice(msg("镇里的村和合作社"), options), key=KEY)


#: Adds a place that belongs to nobody here.
PLACE = Form(
    name=fields.text(msg("地名"), most=asked.LONGEST_NAME, hint=msg("例如冷库、加工厂。")),
    place=coordinates(msg("坐标"), hint=msg("从地图软件复制，纬度在前。")),
    key=KEY,
)

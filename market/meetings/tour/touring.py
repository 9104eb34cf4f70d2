"""The tour to the fields: propose it, change its stops and times, give it up. ``planning`` plans it."""

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec

from market.accounts.rules import Actor
from market.audit.operations import record
from market.clock import CHINA
from market.db.session import execute, fetch, transaction
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, msg, named
from market.meetings.queries import meeting_of
from market.meetings.route import asked
from market.meetings.route.asked import NewStop, StopSettings, TourSettings
from market.meetings.route.problem import Place
from market.meetings.tour.changing import kept_of
from market.meetings.tour.queries import (
    FieldRouteRow,
    Kept,
    VillageRow,
    route_of,
    villages_of,
)

#: Until a meeting is over its tour may change: it may follow the talks by days.
CHANGEABLE = frozenset({"draft", "announced", "registration", "timetabled", "in_progress", "closed"})
#: So many kinds of produce stand on the list of what a village shows.
_MOST_KINDS = 4


class StopsGone(NotFound):
    """A stop that was to be changed is not on the tour any more."""


async def propose_route(*, meeting_id: int, town_id: int, actor: Actor, at: datetime) -> int:
    """Call at every village whose goods are stuck; stops that are there already stay. Return how many came.

    Raises:
        NotFound: no such meeting of this town.
        Conflict: it was called off or is long over.
        Invalid: nobody knows where the town is, or there are too many stops.
    """
    async with transaction():
        await own_title(meeting_id, town_id)
        villages = await villages_of(town_id=town_id)
        route = await route_of(meeting_id)
        if route is None:
            await _open(meeting_id, town_id, villages)
            route = await route_there(meeting_id)
        known = {stop.organisation for stop in route.stops}
        new = [each for each in villages if each.grams and each.organisation not in known]
        room = asked.MOST_STOPS - len(route.stops)
        for village in new[:room]:
            await _insert(route.id, village)
        if new:
            await unplan(route)
        await record(
            subject=f"meeting:{meeting_id}",
            action="propose_route",
            actor=actor,
            at=at,
            details={"stops": len(new[:room])},
        )
    return len(new[:room])


async def save_route(
    *,
    meeting_id: int,
    tour: TourSettings,
    stops: Sequence[StopSettings],
    dropped: Collection[int] = (),
    town_id: int,
    actor: Actor,
    at: datetime,
    seen: str | None = None,
) -> frozenset[str]:
    """Change the tour, its stops' windows and stays, and drop some; what was planned no longer holds.

    ``seen``: as :func:`changing.kept_of` takes it. Returns the fields that others alone have changed since.

    Raises:
        NotFound: no such tour.
        StopsGone: a stop is not there, or not any more.
        Conflict: the meeting was called off or is long over.
        ChangedMeanwhile: others have changed a field that is wanted otherwise here.
        Invalid: with every field that is wrong.
    """
    async with transaction():
        await own_title(meeting_id, town_id)
        route = await route_there(meeting_id)
        strangers = {*dropped, *(stop.id for stop in stops)} - {stop.id for stop in route.stops}
        if strangers:
            raise StopsGone(msg("有的站点别人刚去掉了，这次没有保存。填的其他内容都在，看过再保存一次。"))
        kept = kept_of(tour, stops, now=route, seen=seen)
        tour, stops = kept.tour, kept.stops
        problems = asked.tour_problems(tour, today=at.astimezone(CHINA).date())
        problems |= asked.stop_problems([stop for stop in stops if stop.id not in dropped])
        if problems:
            raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)
        await execute(
            """UPDATE field_route SET "on" = $2, start_name = $3, start_lat = $4, start_lon = $5,
                 leaves_at = $6, back_by = $7, buses = $8, speed_kmh = $9, seats = $10 WHERE id = $1""",
            route.id,
            tour.on,
            tour.start_name,
            tour.start_lat,
            tour.start_lon,
            tour.leaves_at,
            tour.back_by,
            tour.buses,
            tour.speed_kmh,
            tour.seats,
        )
        for stop in stops:
            await execute(
                """UPDATE route_stop SET opens_at = $2, closes_at = $3, stay_minutes = $4, shows = $5
                   WHERE id = $1""",
                stop.id,
                stop.opens_at,
                stop.closes_at,
                stop.stay_minutes,
                stop.shows,
            )
        await execute("DELETE FROM route_stop WHERE id = ANY($1::bigint[])", list(dropped))
        await unplan(route)
        await record(
            subject=f"meeting:{meeting_id}",
            action="save_route",
            actor=actor,
            at=at,
            details={"stops": len(route.stops) - len(set(dropped)), "dropped": len(set(dropped))},
        )
    return kept.theirs


async def add_stop(*, meeting_id: int, stop: NewStop, town_id: int, actor: Actor, at: datetime) -> int:
    """Add a stop: a village of the town, or a place with a name and coordinates. Return its number.

    Raises:
        NotFound: no such tour.
        Conflict: the meeting was called off or is long over.
        Invalid: it is on the list already, is nowhere on the map, or there are too many.
    """
    async with transaction():
        await own_title(meeting_id, town_id)
        route = await route_there(meeting_id)
        if len(route.stops) >= asked.MOST_STOPS:
            raise Invalid(msg("最多 {most} 站，请先去掉几站。", most=asked.MOST_STOPS))
        village = await _village(stop, town_id=town_id)
        if village.organisation and village.organisation in {each.organisation for each in route.stops}:
            problem = msg("“{name}”已经在名单里。", name=village.name)
            raise Invalid(problem, {"village": problem})
        number = await _insert(route.id, village)
        await unplan(route)
        await record(
            subject=f"meeting:{meeting_id}",
            action="add_stop",
            actor=actor,
            at=at,
            details={"stop": number, "name": village.name},
        )
    return number


async def _village(stop: NewStop, *, town_id: int) -> VillageRow:
    if stop.organisation is not None:
        for village in await villages_of(town_id=town_id):
            if village.organisation == stop.organisation:
                return village
        problem = msg("没有这个选项，请从列出的里面选一个。")
        raise Invalid(problem, {"village": problem})
    problems: dict[str, Message] = {}
    if not stop.name.strip():
        problems["name"] = msg("请选一个村，或者写地名和坐标。")
    if stop.lat is None or stop.lon is None or asked.off_the_map(stop.lat, stop.lon):
        problems["place"] = msg("这个坐标不在国内，请纬度在前、经度在后，例如 41.6, 122.56。")
    if problems or stop.lat is None or stop.lon is None:
        raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)
    return VillageRow(0, stop.name.strip(), "", stop.lat, stop.lon, 0, 0, [])


async def drop_route(*, meeting_id: int, town_id: int, actor: Actor, at: datetime) -> None:
    """Give the tour up, as long as nobody was told of it.

    Raises:
        NotFound: no such tour of this town.
        Conflict: somebody counts on it already, or the meeting is over.
    """
    async with transaction():
        await own_title(meeting_id, town_id)
        route = await route_there(meeting_id)
        if route.is_told:
            raise Conflict(msg("路线已经通知出去了。不去的站请去掉，改好再通知一次。"))
        await execute("DELETE FROM route_stop WHERE route = $1", route.id)
        await execute("DELETE FROM field_route WHERE id = $1", route.id)
        await record(subject=f"meeting:{meeting_id}", action="drop_route", actor=actor, at=at, details={})


async def own_title(meeting_id: int, town_id: int) -> Message:
    """Lock a meeting of the town, in the caller's transaction, and return its title in both languages.

    Raises:
        NotFound: no such meeting of this town.
        Conflict: it was called off or is long over.
    """
    rows = await fetch(
        "SELECT state, title, title_en FROM meeting WHERE id = $1 AND town = $2 FOR UPDATE",
        meeting_id,
        town_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这场对接会。"))
    if rows[0]["state"] not in CHANGEABLE:
        raise Conflict(msg("会议已延期、取消或跟进完成，走访路线不能再改。"))
    return named(rows[0], "title")


async def route_there(meeting_id: int) -> FieldRouteRow:
    """Return the tour of a meeting.

    Raises:
        NotFound: there is none.
    """
    route = await route_of(meeting_id)
    if route is None:
        raise NotFound(msg("这场对接会还没有走访路线。"))
    return route


async def write_kept(route_id: int, kept: Kept) -> None:
    await execute(
        "UPDATE field_route SET result = $2 WHERE id = $1", route_id, msgspec.json.encode(kept).decode()
    )


async def _open(meeting_id: int, town_id: int, villages: Sequence[VillageRow]) -> None:
    town = (
        await fetch(
            """SELECT organisation.name, coalesce(organisation.lat, division.lat) AS lat,
                      coalesce(organisation.lon, division.lon) AS lon
               FROM organisation LEFT JOIN division ON division.code = organisation.division
               WHERE organisation.id = $1""",
            town_id,
        )
    )[0]
    if town["lat"] is not None and town["lon"] is not None:
        start = Place(town["lat"], town["lon"])
    elif villages:
        start = Place(villages[0].lat, villages[0].lon)
    else:
        raise Invalid(msg("镇里和村里都还没有坐标，请先请管理员补上。"))
    meeting = await meeting_of(meeting_id=meeting_id, organisation_id=town_id)
    tour = asked.usual_tour(
        held_on=meeting.held_on,
        days=meeting.days,
        last_talk_ends=meeting.slot_start(meeting.slots) + meeting.slot_minutes,
        start_name=town["name"],
        place=start,
    )
    await execute(
        """INSERT INTO field_route (meeting, "on", start_name, start_lat, start_lon, leaves_at, back_by,
                                    buses, speed_kmh)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)""",
        meeting_id,
        tour.on,
        tour.start_name,
        tour.start_lat,
        tour.start_lon,
        tour.leaves_at,
        tour.back_by,
        tour.buses,
        tour.speed_kmh,
    )


async def _insert(route_id: int, village: VillageRow) -> int:
    rows = await fetch(
        """INSERT INTO route_stop (route, organisation, name, lat, lon, opens_at, closes_at, stay_minutes,
                                   shows)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id""",
        route_id,
        village.organisation or None,
        village.name[: asked.LONGEST_NAME],
        village.lat,
        village.lon,
        asked.USUAL_OPENS,
        asked.USUAL_CLOSES,
        asked.USUAL_STAY,
        "、".join(village.kinds[:_MOST_KINDS])[: asked.LONGEST_SHOWS],
    )
    return int(rows[0]["id"])


async def unplan(route: FieldRouteRow) -> None:
    """What was planned holds no more; what was told is remembered."""
    await execute(
        """UPDATE route_stop SET bus = NULL, position = NULL, arrives_at = NULL, leaves_at = NULL
           WHERE route = $1""",
        route.id,
    )
    await execute("UPDATE field_route SET planned_at = NULL WHERE id = $1", route.id)
    await write_kept(route.id, Kept(None, route.result.told))

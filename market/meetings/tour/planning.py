"""Letting the router plan the tour to the fields.

Read, compute outside the transaction, and keep only if nothing has moved: as ``planning`` does. Many stops
are a worker's to plan: whoever asked for it need not wait.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime

import msgspec

from market import clock
from market.accounts.rules import Actor
from market.audit.operations import record
from market.db.jobs import Run as Attempt
from market.db.jobs import enqueue, job
from market.db.processes import in_process, keep_ready
from market.db.session import execute, fetch, transaction
from market.errors import Busy, Conflict, Invalid, MarketError, NotFound
from market.i18n import msg
from market.meetings.route import asked
from market.meetings.route.asked import StopSettings, TourSettings
from market.meetings.route.problem import Place, Route, RouteProblem
from market.meetings.route.router import plan_route
from market.meetings.tour.queries import BusDay, FieldRouteRow, Kept, LeftOutStop, Planned, worth_at
from market.meetings.tour.touring import own_title, route_there, unplan, write_kept

#: With so many stops a tour is planned while the official waits.
MOST_AT_ONCE = 20
#: The kind of the job that plans longer ones.
KIND = "meetings.tour"

keep_ready(plan_route.__module__)


class TourPayload(msgspec.Struct, frozen=True):
    meeting_id: int
    town_id: int
    actor: Actor


async def plan_or_queue(*, meeting_id: int, town_id: int, actor: Actor, at: datetime) -> bool:
    """Plan the tour at once where that takes a moment, else have a worker do it; return whether it stands.

    Raises:
        NotFound, Conflict, Invalid: as :func:`plan_tour`.
    """
    if len((await _problem(meeting_id, town_id)).stops) <= MOST_AT_ONCE:
        await plan_tour(meeting_id=meeting_id, town_id=town_id, actor=actor, at=at)
        return True
    async with transaction():
        await own_title(meeting_id, town_id)
        # one that waits will read the stops as they are then; beside one that runs a new one is queued
        await enqueue(KIND, TourPayload(meeting_id, town_id, actor), key=f"meeting:{meeting_id}")
    return False


@job(KIND, long=True)
async def compute(attempt: Attempt) -> None:
    """The worker's part of :func:`plan_or_queue`."""
    asked = attempt.read(TourPayload)
    try:
        await _plan(asked.meeting_id, asked.town_id, asked.actor, clock.now, attempt)
    except Busy:
        # passes by itself: the job is tried again
        raise
    except MarketError:
        # the stops changed, which queued another, or the meeting is over: there is nothing to plan here
        async with attempt.finishing():
            pass


async def plan_tour(*, meeting_id: int, town_id: int, actor: Actor, at: datetime) -> FieldRouteRow:
    """Let the router plan the tour and keep what it found.

    Raises:
        NotFound: no such tour of this town.
        Conflict: the meeting is over, or the stops changed meanwhile.
        Invalid: there is no stop.
    """
    return await _plan(meeting_id, town_id, actor, lambda: at, None)


async def _plan(
    meeting_id: int, town_id: int, actor: Actor, finish: Callable[[], datetime], attempt: Attempt | None
) -> FieldRouteRow:
    problem = await _problem(meeting_id, town_id)
    if not problem.stops:
        raise Invalid(msg("还没有站点，请先加上要去的村。"))
    # outside the transaction and off the event loop: a dozen stops take a second or two
    route = await in_process(plan_route, problem)
    at = finish()
    async with attempt.finishing() if attempt else transaction():
        await own_title(meeting_id, town_id)
        if _fingerprint(await _problem(meeting_id, town_id)) != _fingerprint(problem):
            raise Conflict(msg("规划期间站点有变动，请再规划一次。"))
        row = await route_there(meeting_id)
        await _keep(row, route, at=at)
        await record(
            subject=f"meeting:{meeting_id}",
            action="plan_route",
            actor=actor,
            at=at,
            details={
                "status": route.status,
                "visited": sum(len(tour.visits) for tour in route.tours),
                "left_out": len(route.left_out),
            },
        )
        return await route_there(meeting_id)


async def _problem(meeting_id: int, town_id: int) -> RouteProblem:
    rows = await fetch("SELECT id FROM meeting WHERE id = $1 AND town = $2", meeting_id, town_id)
    if not rows:
        raise NotFound(msg("没有找到这场对接会。"))
    route = await route_there(meeting_id)
    stops = sorted(route.stops, key=lambda stop: stop.id)
    worth = await worth_at(stops=[stop.id for stop in stops])
    return asked.route_problem(
        TourSettings(
            route.on,
            route.start_name,
            route.start_lat,
            route.start_lon,
            route.leaves_at,
            route.back_by,
            route.buses,
            route.speed_kmh,
        ),
        [
            (
                StopSettings(stop.id, stop.opens_at, stop.closes_at, stop.stay_minutes),
                (stop.name, stop.name_en),
                Place(stop.lat, stop.lon),
                worth[stop.id],
            )
            for stop in stops
        ],
    )


def _fingerprint(problem: RouteProblem) -> str:
    return hashlib.sha256(msgspec.json.encode(problem, order="deterministic")).hexdigest()


async def _keep(row: FieldRouteRow, route: Route, *, at: datetime) -> None:
    await unplan(row)
    for bus, tour in enumerate(route.tours, start=1):
        for position, visit in enumerate(tour.visits, start=1):
            await execute(
                """UPDATE route_stop SET bus = $2, position = $3, arrives_at = $4, leaves_at = $5
                   WHERE id = $1""",
                int(visit.stop),
                bus,
                position,
                visit.arrives,
                visit.leaves,
            )
    await execute("UPDATE field_route SET planned_at = $2 WHERE id = $1", row.id, at)
    await write_kept(
        row.id,
        Kept(
            Planned(
                status=route.status,
                ends=route.ends,
                metres=route.metres,
                buses=tuple(BusDay(tour.ends, tour.metres) for tour in route.tours),
                left_out=tuple(LeftOutStop(int(left.stop), left.reason) for left in route.left_out),
            ),
            row.result.told,
        ),
    )

"""The tour to the fields: the official plans it, the invited and the villages on it see it."""

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts import rules as accounts
from market.accounts.rules import Viewer
from market.catalogue.queries import all_produce
from market.errors import Invalid, NotFound
from market.i18n import Language, Message, in_both, msg
from market.meanwhile import ChangedMeanwhile
from market.meetings.queries import MeetingRow
from market.meetings.route.asked import NewStop, StopSettings
from market.meetings.route.problem import clock as clock_text
from market.meetings.route.seats import Seating, seating, seats_missing
from market.meetings.rules import MEETING
from market.meetings.tour.planning import plan_or_queue
from market.meetings.tour.queries import FieldRouteRow, may_see_tour, riders_of, route_of, villages_of
from market.meetings.tour.telling import news_of, tell_route
from market.meetings.tour.touring import (
    CHANGEABLE,
    StopsGone,
    add_stop,
    drop_route,
    propose_route,
    route_there,
    save_route,
)
from market.web.edge.addresses import row_number
from market.web.edge.guards import OFFICIAL, SignedIn, WebRequest
from market.web.edge.language import language_of
from market.web.meetings.route_forms import (
    PLACE,
    controls_of,
    minutes,
    over,
    seen_in,
    settings_in,
    standing,
    stop_form,
    stops_in,
    tour_form,
)
from market.web.meetings.route_map import name_of, route_map
from market.web.meetings.running import own_meeting
from market.web.meetings.steps import steps_of
from market.web.parts.changed_meanwhile import merged, saved_with
from market.web.parts.forms import Filled
from market.web.parts.pages import redirect
from market.web.parts.trade import BARE, do_once, new_key, show

#: What the router could say of its own plan: the tag, its tone, and the words.
STATUSES: dict[str, tuple[Message, str, Message]] = {
    "optimal": (
        msg("已证明最优"),
        "good",
        msg("没有别的走法能看到更多滞销货值；看得一样多的，没有更早返回的，也没有路更短的。"),
    ),
    "all_visited": (
        msg("去得成的都去了"),
        "good",
        msg("没有别的走法能多去一处；先后次序是较好的，没有证明最短。"),
    ),
    "feasible": (msg("较优，未证明"), "wait", msg("站点多，路线经过反复改进，但没有证明不能再多去一处。")),
}

ADDED = msg("已加上，路线已重新规划。")
#: Many stops: a worker plans, and the page shows it when it is there.
QUEUED = msg("站点多，路线正在后台规划，排好自动显示。")


@get("/town/meetings/{meeting_id:int}/route", guards=OFFICIAL)
async def page(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[str]:
    """Show the tour as planned, and the form that changes it."""
    meeting = await own_meeting(meeting_id, viewer)
    if "hx-request" in request.headers:
        route = await route_of(meeting.id)
        if route is None or not route.planning:
            # the page that waited for the tour is drawn whole
            return Response("", headers={"hx-refresh": "true"}, media_type="text/html")
    return await _draw(request, viewer, meeting)


async def _draw(
    request: WebRequest,
    viewer: Viewer,
    meeting: MeetingRow,
    *,
    form: Filled | None = None,
    adding: Filled | None = None,
    placing: Filled | None = None,
    status: int = 200,
) -> Response[str]:
    route = await route_of(meeting.id)
    language = language_of(request)
    villages = await villages_of(town_id=viewer.organisation_id)
    known = {stop.organisation for stop in route.stops} if route else set()
    others = [each for each in villages if each.organisation not in known]
    is_planned = route is not None and route.result.plan is not None
    drawn = await drawing(route, language)
    return show(
        request,
        "route/plan.html",
        fragment="route/planning.html",
        status=status,
        meeting=meeting,
        steps=await steps_of(request, meeting),
        route=route,
        form=form or (standing(route) if route else None),
        adding=adding or stop_form(others, language).blank(key=new_key()),
        placing=placing or PLACE.blank(key=new_key()),
        changeable=may_change(meeting, route),
        clash=in_the_way(meeting, route),
        worth={each.organisation: each.worth for each in villages},
        stuck=[each for each in others if each.grams],
        news=len(await news_of(route, title=in_both(meeting.title, meeting.title_en)))
        if route and is_planned
        else 0,
        MEETING=MEETING,
        **drawn,
        cramped=seats_missing(drawn["seating"]),
    )


def in_the_way(meeting: MeetingRow, route: FieldRouteRow | None) -> Message | None:
    """Return what of the meeting the tour runs into; None where nobody has to be at two places."""
    last = meeting.slot_day(meeting.all_slots)
    if route is None or not meeting.held_on <= route.on <= last:
        return None
    begins, ends = meeting.starts_at, meeting.slot_start(meeting.slots) + meeting.slot_minutes
    back = route.result.plan.ends if route.result.plan else route.back_by
    if route.leaves_at >= ends or back <= begins:
        return None
    return msg(
        "走访和会议撞在一起：当天 {begins}–{ends} 在开会，车 {leaves} 出发、{back} 回来。请改日期或出发时间，"
        "不改的话，有洽谈的人去不了。",
        begins=clock_text(begins),
        ends=clock_text(ends),
        leaves=clock_text(route.leaves_at),
        back=clock_text(back),
    )


def may_change(meeting: MeetingRow, route: FieldRouteRow | None) -> bool:
    """Tell whether the tour can still be planned: after a meeting only one that has not been made yet."""
    if meeting.state == "closed":
        return route is not None and route.on >= clock.today()
    return meeting.state in CHANGEABLE


async def shown_in(route: FieldRouteRow, language: Language) -> dict[int, str]:
    """Return stop -> what there is to see; kinds of the catalogue in the reader's language."""
    english = {each.zh: each.en for each in await all_produce()} if language == "en" else {}
    told = {}
    for stop in route.stops:
        parts = stop.shows.split("、")
        # words that somebody wrote are left as they are, and in one piece
        is_list = english and all(part in english for part in parts)
        told[stop.id] = ", ".join(english[part] for part in parts) if is_list else stop.shows
    return told


async def drawing(route: FieldRouteRow | None, language: Language) -> dict[str, Any]:
    """Return what ``route/tour.html`` is drawn with."""
    names = {stop.id: name_of(stop, language) for stop in route.stops} if route else {}
    return {
        "statuses": STATUSES,
        "stop_names": names,
        "shown": await shown_in(route, language) if route else {},
        "at_clock": clock_text,
        "seating": await _seating(route) if route else None,
        "tour_map": route_map(route, language) if route and route.visited else None,
    }


async def _seating(route: FieldRouteRow) -> Seating | None:
    return seating(
        lines=len(route.tours), buses=route.buses, seats=route.seats, riders=await riders_of(route.meeting)
    )


@post("/town/meetings/{meeting_id:int}/route/propose", guards=OFFICIAL)
async def propose(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[bytes]:
    """Call at every village with stuck goods."""
    (await BARE.read(request)).check()
    meeting = await own_meeting(meeting_id, viewer)
    actor, at = accounts.actor(viewer, "official"), clock.now()
    count = await propose_route(meeting_id=meeting.id, town_id=viewer.organisation_id, actor=actor, at=at)
    route = await route_there(meeting.id)
    told = msg("加了 {n} 个有滞销货的村。", n=count) if count else msg("有滞销货的村都在名单里了。")
    if count and route.planned_at is None:
        await plan_or_queue(meeting_id=meeting.id, town_id=viewer.organisation_id, actor=actor, at=at)
    return redirect(request, f"/town/meetings/{meeting.id}/route", toast=told)


@post("/town/meetings/{meeting_id:int}/route", guards=OFFICIAL)
async def save(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[Any]:
    """Keep the change and plan the tour anew."""
    meeting = await own_meeting(meeting_id, viewer)
    sent = stops_in((await BARE.read(request)).typed)
    filled = await tour_form(sent).read(request)
    actor, at, town_id = accounts.actor(viewer, "official"), clock.now(), viewer.organisation_id
    theirs: frozenset[str] = frozenset()
    try:
        filled.check()
        values = filled.values
        tour = settings_in(values)
        stops = [
            StopSettings(
                stop,
                minutes(values[f"opens_{stop}"]),
                minutes(values[f"closes_{stop}"]),
                values[f"stay_{stop}"],
                values[f"shows_{stop}"],
            )
            for stop in sent
        ]
        dropped = [stop for stop in sent if values[f"drop_{stop}"]]

        async def deed() -> int:
            nonlocal theirs
            theirs = await save_route(
                meeting_id=meeting.id,
                tour=tour,
                stops=stops,
                dropped=dropped,
                town_id=town_id,
                actor=actor,
                at=at,
                seen=seen_in(values, sent),
            )
            return meeting.id

        await do_once(
            viewer=viewer,
            key=values["key"],
            name="save_route",
            about=msgspec.to_builtins(
                {"meeting": meeting.id, "tour": tour, "stops": stops, "dropped": dropped}
            ),
            deed=deed,
            at=at,
        )
        is_planned = not (await route_there(meeting.id)).stops or await plan_or_queue(
            meeting_id=meeting.id, town_id=town_id, actor=actor, at=at
        )
    except (ChangedMeanwhile, StopsGone, Invalid) as refused:
        fresh = standing(await route_there(meeting.id))
        again = over(fresh, filled)
        if isinstance(refused, ChangedMeanwhile):
            language, controls = language_of(request), controls_of(sent)
            again = merged(again, refused, fresh=fresh, language=language, controls=controls)
        else:
            again = again.refused(refused if isinstance(refused, Invalid) else Invalid(refused.message))
        status = 422 if isinstance(refused, Invalid) else 409
        return await _draw(request, viewer, meeting, form=again, status=status)
    names = {name for each in theirs for name in controls_of(sent).get(each, (each,))}
    told = saved_with(msg("路线已重新规划。") if is_planned else QUEUED, filled, names)
    return redirect(request, f"/town/meetings/{meeting.id}/route", toast=told)


@post("/town/meetings/{meeting_id:int}/route/stops", guards=OFFICIAL)
async def add(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[Any]:
    """Add a village and plan the tour anew."""
    meeting = await own_meeting(meeting_id, viewer)
    villages = await villages_of(town_id=viewer.organisation_id)
    filled = await stop_form(villages, language_of(request)).read(request)
    try:
        filled.check()
        told = await _add(viewer, meeting, filled.values["key"], NewStop(int(filled.values["village"])))
    except Invalid as refused:
        return await _draw(request, viewer, meeting, adding=filled.refused(refused), status=422)
    return redirect(request, f"/town/meetings/{meeting.id}/route", toast=told)


@post("/town/meetings/{meeting_id:int}/route/places", guards=OFFICIAL)
async def add_place(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[Any]:
    """Add a place by its coordinates and plan the tour anew."""
    meeting = await own_meeting(meeting_id, viewer)
    filled = await PLACE.read(request)
    try:
        filled.check()
        lat, lon = filled.values["place"]
        stop = NewStop(name=filled.values["name"], lat=lat, lon=lon)
        told = await _add(viewer, meeting, filled.values["key"], stop)
    except Invalid as refused:
        return await _draw(request, viewer, meeting, placing=filled.refused(refused), status=422)
    return redirect(request, f"/town/meetings/{meeting.id}/route", toast=told)


async def _add(viewer: Viewer, meeting: MeetingRow, key: str | None, stop: NewStop) -> Message:
    """Add a stop, plan, and return what to tell of it."""
    actor, at, town_id = accounts.actor(viewer, "official"), clock.now(), viewer.organisation_id

    async def deed() -> int:
        return await add_stop(meeting_id=meeting.id, stop=stop, town_id=town_id, actor=actor, at=at)

    await do_once(
        viewer=viewer,
        key=key,
        name="add_stop",
        about={"meeting": meeting.id, **msgspec.to_builtins(stop)},
        deed=deed,
        at=at,
    )
    is_planned = await plan_or_queue(meeting_id=meeting.id, town_id=town_id, actor=actor, at=at)
    return ADDED if is_planned else QUEUED


@post("/town/meetings/{meeting_id:int}/route/tell", guards=OFFICIAL)
async def tell(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[bytes]:
    """Tell whoever does not know the tour as it is; pressing twice tells nobody twice."""
    (await BARE.read(request)).check()
    meeting = await own_meeting(meeting_id, viewer)
    count = await tell_route(
        meeting_id=meeting.id,
        town_id=viewer.organisation_id,
        actor=accounts.actor(viewer, "official"),
        at=clock.now(),
    )
    told = msg("已通知 {n} 家。", n=count) if count else msg("各家都已知道，没有再发通知。")
    return redirect(request, f"/town/meetings/{meeting.id}/route", toast=told)


@post("/town/meetings/{meeting_id:int}/route/drop", guards=OFFICIAL)
async def drop(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[bytes]:
    """Give the tour up."""
    (await BARE.read(request)).check()
    meeting = await own_meeting(meeting_id, viewer)
    if await route_of(meeting.id) is not None:
        await drop_route(
            meeting_id=meeting.id,
            town_id=viewer.organisation_id,
            actor=accounts.actor(viewer, "official"),
            at=clock.now(),
        )
    return redirect(request, f"/town/meetings/{meeting.id}/route", toast=msg("走访路线已取消。"))


@get("/meetings/{meeting_id:int}/tour")
async def seen(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[str]:
    """Show the tour to whoever is invited or visited, once it was told of."""
    route = await route_of(row_number(meeting_id))
    may = await may_see_tour(meeting_id=row_number(meeting_id), organisation_id=viewer.organisation_id)
    if route is None or not may or not route.is_told:
        raise NotFound(msg("这场对接会还没有走访路线。"))
    language = language_of(request)
    return show(
        request,
        "route/seen.html",
        route=route,
        mine={stop.id for stop in route.stops if stop.organisation == viewer.organisation_id},
        **await drawing(route, language),
    )


routes: list[ControllerRouterHandler] = [page, propose, save, add, add_place, tell, drop, seen]

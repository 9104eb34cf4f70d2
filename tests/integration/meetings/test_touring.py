"""The tour to the fields: proposed from stuck goods, changed, planned, and told to whom it concerns."""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from msgspec.structs import replace

from fixtures.factories import STORY, TODAY, Factory, Member
from market.db.session import execute, fetch, fetch_value
from market.errors import Conflict, Invalid, NotFound
from market.i18n import translate
from market.meetings.commands import NewMeeting
from market.meetings.operations import move_meeting
from market.meetings.planning.plan import open_meeting
from market.meetings.route.asked import NewStop, StopSettings, TourSettings
from market.meetings.tour.planning import plan_tour
from market.meetings.tour.queries import FieldRouteRow, may_see_tour, route_of
from market.meetings.tour.telling import tell_route
from market.meetings.tour.touring import add_stop, drop_route, propose_route, save_route
from market.notices.queries import inbox


@dataclass
class Scene:
    """A town with three villages in a row to the east; the first two have goods that nobody takes."""

    town: Member
    villages: list[Member]
    buyer: Member
    meeting: int = 0
    by: dict[str, object] = field(default_factory=dict)

    async def route(self) -> FieldRouteRow:
        route = await route_of(self.meeting)
        assert route is not None
        return route

    async def save(self, *stops: StopSettings, dropped: tuple[int, ...] = (), **changes: object) -> None:
        await save_route(
            meeting_id=self.meeting,
            tour=replace(settings_of(await self.route()), **changes),
            stops=stops,
            dropped=dropped,
            **self.by,
        )

    async def told(self, member: Member) -> list[str]:
        return [
            str(notice.message)
            for notice in await inbox(organisation_id=member.organisation_id)
            if notice.kind == "field_route"
        ]


def settings_of(route: FieldRouteRow) -> TourSettings:
    return TourSettings(**{name: getattr(route, name) for name in TourSettings.__struct_fields__})


@pytest.fixture
async def scene(factory: Factory) -> Scene:
    town = await factory.member(role="official")
    villages = [await factory.member(role="secretary", town_id=town.organisation_id) for _ in range(3)]
    for number, (village, kg) in enumerate(zip(villages, (500, 900, 0), strict=True)):
        await execute(
            "UPDATE organisation SET lon = 122.6 + $2::float8, name = $3, name_en = $4 WHERE id = $1",
            village.organisation_id,
            0.05 * number,
            f"第{number + 1}村村民委员会",
            f"Village {number + 1} Village Committee",
        )
        if kg:
            await factory.listing(village, kg=kg)
    made = Scene(town, villages, await factory.member(role="buyer"))
    made.by = {"town_id": town.organisation_id, "actor": town.actor, "at": STORY}
    made.meeting = await open_meeting(
        meeting=NewMeeting("对接会", TODAY + timedelta(days=7), "村部", slots=4, half_day_after=None),
        **made.by,
    )
    await execute(
        """INSERT INTO invitation (meeting, organisation, side, state, attendance, reason, created_at)
           VALUES ($1, $2, 'buyer', 'accepted', 'expected', '{"text": "x"}', $3)""",
        made.meeting,
        made.buyer.organisation_id,
        STORY,
    )
    await propose_route(meeting_id=made.meeting, **made.by)
    return made


async def test_villages_with_stuck_goods_are_proposed_the_most_at_stake_first(scene: Scene) -> None:
    route = await scene.route()
    assert [(stop.name, stop.name_en, stop.shows) for stop in route.stops] == [
        ("第2村", "Village 2", "花生果"),
        ("第1村", "Village 1", "花生果"),
    ]
    # talks end before two: there is an afternoon left
    assert (route.on, route.leaves_at, route.back_by) == (TODAY + timedelta(days=7), 10 * 60 + 50, 18 * 60)
    assert await propose_route(meeting_id=scene.meeting, **scene.by) == 0
    assert len((await scene.route()).stops) == 2


async def test_sellers_of_one_village_are_one_stop(scene: Scene, factory: Factory) -> None:
    await execute(
        "INSERT INTO division (code, level, name, path) VALUES ('1', 'village', '第三村', '第三村')"
    )
    mill = await factory.member(role="seller", kind="mill", town_id=scene.town.organisation_id)
    third = scene.villages[2].organisation_id
    await execute(
        "UPDATE organisation SET division = '1' WHERE id = ANY($1::bigint[])",
        [mill.organisation_id, third],
    )
    await factory.listing(mill, kg=50, produce="peanut-oil")
    assert await propose_route(meeting_id=scene.meeting, **scene.by) == 1
    assert [(stop.organisation, stop.shows) for stop in (await scene.route()).stops][2:] == [
        (third, "花生油")
    ]


async def test_plan_keeps_times_and_the_proof(scene: Scene) -> None:
    route = await plan_tour(meeting_id=scene.meeting, **scene.by)
    plan = route.result.plan
    assert plan is not None
    assert sorted(stop.name for stop in route.visited) == ["第1村", "第2村"]
    assert [(stop.bus, stop.position) for stop in route.visited] == [(1, 1), (1, 2)]
    assert (plan.status, plan.left_out, plan.buses[0].ends) == ("optimal", (), plan.ends)
    first = route.tours[0][0]
    assert first.arrives_at is not None
    assert route.leaves_at < first.arrives_at == first.begins_at


async def test_village_out_of_reach_is_left_out_with_the_reason(scene: Scene) -> None:
    stop = (await scene.route()).stops[0]
    await scene.save(StopSettings(stop.id, 8 * 60, 9 * 60, 30))
    route = await plan_tour(meeting_id=scene.meeting, **scene.by)
    plan = route.result.plan
    assert plan is not None
    assert [(each.stop, str(each.reason)[:17]) for each in plan.left_out] == [
        (stop.id, "08:00–09:00 内去不成：")
    ]
    assert [each.name for each in route.visited] == ["第1村"]


async def test_change_takes_the_plan_back_and_drops_stops(scene: Scene) -> None:
    await plan_tour(meeting_id=scene.meeting, **scene.by)
    gone = (await scene.route()).stops[0].id
    await scene.save(dropped=(gone,), buses=2, start_name="村部门口")
    route = await scene.route()
    assert (route.planned_at, route.result.plan, route.buses, route.start_name) == (None, None, 2, "村部门口")
    assert [(stop.bus, stop.arrives_at) for stop in route.stops] == [(None, None)]


async def test_every_wrong_field_is_told(scene: Scene) -> None:
    stop = (await scene.route()).stops[0].id
    with pytest.raises(Invalid) as refused:
        await scene.save(
            StopSettings(stop, 600, 600, 1),
            on=TODAY - timedelta(days=30),
            start_name=" ",
            start_lat=122.56,
            start_lon=41.6,
            back_by=0,
            buses=0,
            speed_kmh=200,
        )
    assert set(refused.value.fields) == {
        "on",
        "start_name",
        "start_place",
        "back_by",
        "buses",
        "speed_kmh",
        f"closes_{stop}",
        f"stay_{stop}",
    }


async def test_stops_of_others_are_not_there(scene: Scene) -> None:
    with pytest.raises(NotFound):
        await scene.save(StopSettings(10**9, 480, 600, 30))


async def test_stop_is_added_by_village_or_by_place(scene: Scene) -> None:
    third = scene.villages[2].organisation_id
    await add_stop(meeting_id=scene.meeting, stop=NewStop(organisation=third), **scene.by)
    await add_stop(meeting_id=scene.meeting, stop=NewStop(name="冷库", lat=41.6, lon=122.7), **scene.by)
    assert [(stop.organisation, stop.name) for stop in (await scene.route()).stops][2:] == [
        (third, "第3村"),
        (None, "冷库"),
    ]
    for wrong, name in (
        (NewStop(organisation=third), "village"),
        (NewStop(organisation=scene.buyer.organisation_id), "village"),
        (NewStop(name="冷库", lat=122.7, lon=41.6), "place"),
        (NewStop(), "name"),
    ):
        with pytest.raises(Invalid) as refused:
            await add_stop(meeting_id=scene.meeting, stop=wrong, **scene.by)
        assert name in refused.value.fields


async def test_each_is_told_once_and_again_only_of_a_change(scene: Scene) -> None:
    with pytest.raises(Conflict):
        await tell_route(meeting_id=scene.meeting, **scene.by)
    await plan_tour(meeting_id=scene.meeting, **scene.by)
    assert await tell_route(meeting_id=scene.meeting, **scene.by) == 3
    assert await tell_route(meeting_id=scene.meeting, **scene.by) == 0
    first, second, third = scene.villages
    assert [len(await scene.told(each)) for each in (first, second, third, scene.buyer)] == [1, 1, 0, 1]
    assert "走访 2 处" in (await scene.told(scene.buyer))[0]
    assert "到“第1村”" in (await scene.told(first))[0]
    gone = next(stop for stop in (await scene.route()).stops if stop.name == "第2村")
    await scene.save(dropped=(gone.id,))
    await plan_tour(meeting_id=scene.meeting, **scene.by)
    await tell_route(meeting_id=scene.meeting, **scene.by)
    assert (await scene.told(second))[0] == "“对接会”的走访路线有调整，车不到您这里了。"
    assert "走访 1 处" in (await scene.told(scene.buyer))[0]
    assert await tell_route(meeting_id=scene.meeting, **scene.by) == 0
    assert await fetch_value("SELECT count(*) FROM audit_record WHERE action = 'tell_route'") == 4


async def test_names_in_the_notice_are_the_readers(scene: Scene) -> None:
    await plan_tour(meeting_id=scene.meeting, **scene.by)
    await tell_route(meeting_id=scene.meeting, **scene.by)
    await execute("UPDATE meeting SET title_en = 'Docking meeting' WHERE id = $1", scene.meeting)
    # a title that has its English since is no news; where the bus leaves is
    assert await tell_route(meeting_id=scene.meeting, **scene.by) == 0
    await scene.save(leaves_at=9 * 60, start_name="村部")
    await plan_tour(meeting_id=scene.meeting, **scene.by)
    await tell_route(meeting_id=scene.meeting, **scene.by)
    told = [
        translate((await inbox(organisation_id=each.organisation_id))[0].message, "en")
        for each in (scene.buyer, scene.villages[0])
    ]
    assert [("Docking meeting" in words, "对接会" in words) for words in told] == [(True, False)] * 2
    assert ("Village 1" in told[1], "第1村" in told[1]) == (True, False)


async def test_tour_is_open_to_the_town_the_invited_and_its_villages(scene: Scene, factory: Factory) -> None:
    stranger = await factory.member(role="buyer")
    first, _, third = scene.villages
    seen = [
        await may_see_tour(meeting_id=scene.meeting, organisation_id=each.organisation_id)
        for each in (scene.town, scene.buyer, first, third, stranger)
    ]
    assert seen == [True, True, True, False, False]


async def test_tour_that_nobody_was_told_of_can_be_given_up(scene: Scene) -> None:
    await drop_route(meeting_id=scene.meeting, **scene.by)
    assert (await route_of(scene.meeting), await fetch("SELECT id FROM route_stop")) == (None, [])
    await propose_route(meeting_id=scene.meeting, **scene.by)
    await plan_tour(meeting_id=scene.meeting, **scene.by)
    await tell_route(meeting_id=scene.meeting, **scene.by)
    with pytest.raises(Conflict):
        await drop_route(meeting_id=scene.meeting, **scene.by)


async def test_tour_of_others_and_of_a_cancelled_meeting_is_left_alone(
    scene: Scene, factory: Factory
) -> None:
    other = await factory.member(role="official")
    with pytest.raises(NotFound):
        await propose_route(
            meeting_id=scene.meeting, town_id=other.organisation_id, actor=other.actor, at=STORY
        )
    with pytest.raises(NotFound):
        await plan_tour(meeting_id=scene.meeting, town_id=other.organisation_id, actor=other.actor, at=STORY)
    await move_meeting(meeting_id=scene.meeting, move="cancel", **scene.by)
    with pytest.raises(Conflict):
        await plan_tour(meeting_id=scene.meeting, **scene.by)


async def test_tour_without_stops_is_not_planned(scene: Scene) -> None:
    await scene.save(dropped=tuple(stop.id for stop in (await scene.route()).stops))
    with pytest.raises(Invalid):
        await plan_tour(meeting_id=scene.meeting, **scene.by)

"""The tour to the fields in the browsers of the official, a village on it and somebody invited."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest

from fixtures.factories import STORY, Factory, Member
from market import clock
from market.db.jobs import Worker
from market.db.session import execute, fetch, fetch_value
from market.meetings.commands import NewMeeting
from market.meetings.planning.plan import open_meeting
from market.meetings.tour.queries import FieldRouteRow, route_of
from tests.forms import filled_in
from tests.integration.web.conftest import Browser, SignedInAs, faults


class Scene:
    def __init__(self, meeting: int, town: Member, villages: list[Member], browser: Browser) -> None:
        self.meeting, self.town, self.villages, self.browser = meeting, town, villages, browser
        self.page = f"/town/meetings/{meeting}/route"

    async def route(self) -> FieldRouteRow:
        route = await route_of(self.meeting)
        assert route is not None
        return route

    async def sent(self, **changes: str) -> dict[str, str]:
        """What the form of the tour sends as it stands, with ``changes``."""
        route = await self.route()
        given = {
            "on": route.on.isoformat(),
            "start_name": route.start_name,
            "start_place": f"{route.start_lat}, {route.start_lon}",
            "leaves_at": "08:00",
            "back_by": "17:00",
            "buses": "1",
            "seats": "",
            "speed_kmh": "40",
            "key": str(uuid4()),
        }
        for stop in route.stops:
            given |= {
                f"opens_{stop.id}": "08:00",
                f"closes_{stop.id}": "18:00",
                f"stay_{stop.id}": "30",
                f"shows_{stop.id}": stop.shows,
            }
        return {**given, **changes}


@pytest.fixture
async def scene(factory: Factory, browser_of: SignedInAs) -> Scene:
    town = await factory.member(role="official")
    villages = [await factory.member(role="secretary", town_id=town.organisation_id) for _ in range(3)]
    for number, village in enumerate(villages):
        await execute(
            "UPDATE organisation SET lon = 122.6 + $2::float8, name = $3 WHERE id = $1",
            village.organisation_id,
            0.05 * number,
            f"第{number + 1}<村>",
        )
        if number < 2:
            await factory.listing(village)
    meeting = await open_meeting(
        meeting=NewMeeting("对接会", clock.today() + timedelta(days=7), "村部"),
        town_id=town.organisation_id,
        actor=town.actor,
        at=STORY,
    )
    return Scene(meeting, town, villages, await browser_of(town))


async def proposed(scene: Scene) -> None:
    answer = await scene.browser.post(f"{scene.page}/propose")
    assert answer.headers["location"] == scene.page


async def test_one_click_makes_a_planned_tour_with_its_map(scene: Scene) -> None:
    assert "建议一条路线" in (await scene.browser.get(scene.page)).text
    await proposed(scene)
    page = (await scene.browser.get(scene.page)).text
    assert "已证明最优" in page
    assert page.count('<svg class="chart-') == 3
    assert set(re.findall(r'class="route-name[^"]*"[^>]*>([^<]+)<', page)) >= {
        "第1&lt;村&gt;",
        "第2&lt;村&gt;",
    }
    assert "style=" not in page.split("<main")[1]


async def test_form_plans_anew_once_and_a_dropped_stop_is_gone(scene: Scene) -> None:
    await proposed(scene)
    gone = (await scene.route()).stops[0].id
    sent = await scene.sent(**{f"drop_{gone}": "1", "leaves_at": "09:00"})
    for _ in range(2):
        answer = await scene.browser.post(scene.page, sent)
        assert answer.status_code in (303, 422)
    route = await scene.route()
    assert ([stop.id == gone for stop in route.stops], route.leaves_at) == ([False], 540)
    assert await fetch_value("SELECT count(*) FROM audit_record WHERE action = 'save_route'") == 1


async def test_two_who_change_a_tour_at_once_put_nothing_back(scene: Scene) -> None:
    await proposed(scene)
    mine, other = (await scene.route()).stops
    form = scene.page
    older, newer, third = [filled_in((await scene.browser.get(scene.page)).text, form) for _ in range(3)]
    for each in (older, newer, third):
        each.pop("_csrf")
    newer |= {"leaves_at": "09:15", f"stay_{mine.id}": "50"}
    assert (await scene.browser.post(scene.page, newer)).status_code == 303
    # what only others changed is kept, and said
    saved = await scene.browser.post(scene.page, {**older, f"shows_{other.id}": "谷子"})
    assert saved.status_code == 303
    route = await scene.route()
    stays = {stop.id: (stop.stay_minutes, stop.shows) for stop in route.stops}
    assert (route.leaves_at, stays[mine.id][0], stays[other.id][1]) == (555, 50, "谷子")
    assert "别人刚改的也都保留" in (await scene.browser.get(scene.page)).text
    # what both changed is asked back, and a stop that went meanwhile loses nothing of the rest
    unseen = await scene.browser.post(scene.page, {**third, "leaves_at": "10:00", "buses": "2"})
    assert (unseen.status_code, {"leaves_at"} <= set(faults(unseen))) == (409, True)
    gone = filled_in(unseen.text, form)
    gone.pop("_csrf")
    await execute("DELETE FROM route_stop WHERE id = $1", other.id)
    left = await scene.browser.post(scene.page, gone)
    assert (left.status_code, "有的站点别人刚去掉了" in left.text) == (409, True)
    again = filled_in(left.text, form)
    again.pop("_csrf")
    assert (await scene.browser.post(scene.page, again)).status_code == 303
    route = await scene.route()
    assert ([stop.id for stop in route.stops], route.leaves_at, route.buses) == ([mine.id], 600, 2)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"start_place": "122.56, 41.6"}, "start_place"),
        ({"start_place": "nan, nan"}, "start_place"),
        ({"start_place": "41.6"}, "start_place"),
        ({"on": "2020-01-01"}, "on"),
        ({"back_by": "07:00"}, "back_by"),
        ({"buses": "99"}, "buses"),
        ({"seats": "3"}, "seats"),
        ({"speed_kmh": "0"}, "speed_kmh"),
        ({"leaves_at": "25:00"}, "leaves_at"),
    ],
)
async def test_what_cannot_be_is_told_beside_its_field(
    scene: Scene, changes: dict[str, str], field: str
) -> None:
    await proposed(scene)
    answer = await scene.browser.post(scene.page, await scene.sent(**changes))
    assert (answer.status_code, list(faults(answer))) == (422, [field])


async def test_seats_that_are_missing_are_told_and_buses_drive_together(
    scene: Scene, factory: Factory
) -> None:
    await proposed(scene)
    told = "已答应来的客商和来宾有 9 位"
    assert told not in (await scene.browser.get(scene.page)).text
    # eight persons of a buyer, and a guest who has named nobody
    for side, persons in (("buyer", 8), ("guest", 0)):
        await execute(
            """WITH house AS (
                 INSERT INTO invitation (meeting, organisation, side, state, attendance, reason, created_at)
                 VALUES ($1, $2, $3, 'accepted', 'expected', '{"text": "x"}', $4) RETURNING id, created_at)
               INSERT INTO attendee (invitation, name, code, attendance, created_at)
               SELECT id, '甲', $3 || n, 'expected', created_at FROM house, generate_series(1, $5) n""",
            scene.meeting,
            (await factory.member(role="buyer")).organisation_id,
            side,
            STORY,
            persons,
        )
    await scene.browser.post(scene.page, await scene.sent(seats="4", buses="2"))
    page = (await scene.browser.get(scene.page)).text
    assert f"{told}，2 辆 4 座的车只坐得下 8 位，还差 1 个座位：再加 1 辆车" in page
    await scene.browser.post(scene.page, await scene.sent(seats="4", buses="8"))
    route = await scene.route()
    page = (await scene.browser.get(scene.page)).text
    # a line for each village, and three buses of the eight: two of them go together
    assert (route.seats, len(route.tours), told in page) == (4, 2, False)
    assert (page.count("2 辆车同行"), "12 座，9 位" in page) == (1, True)


async def test_tour_of_many_stops_is_planned_by_a_worker(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await proposed(scene)
    monkeypatch.setattr("market.meetings.tour.planning.MOST_AT_ONCE", 1)
    waits = "正在规划路线"
    assert waits not in (await scene.browser.get(scene.page)).text
    await scene.browser.post(scene.page, await scene.sent(buses="2"))
    # twice in a row: one job is enough, and it reads what stands then
    await scene.browser.post(scene.page, await scene.sent(buses="1"))
    page = (await scene.browser.get(scene.page)).text
    assert (waits in page, "还没有重新规划" in page) == (True, False)
    polled = await scene.browser.get(scene.page, htmx=True)
    assert (waits in polled.text, "<html" in polled.text) == (True, False)
    assert await Worker().work_once()
    assert not await Worker().work_once()
    route = await scene.route()
    assert (route.planning, route.result.plan is not None, len(route.tours)) == (False, True, 1)
    assert (await scene.browser.get(scene.page, htmx=True)).headers["hx-refresh"] == "true"
    assert await fetch("SELECT FROM audit_record WHERE action = 'plan_route' AND at <= now()")


async def test_window_that_closes_before_it_opens_opens_the_stop(scene: Scene) -> None:
    await proposed(scene)
    stop = (await scene.route()).stops[0].id
    answer = await scene.browser.post(scene.page, await scene.sent(**{f"closes_{stop}": "07:00"}))
    assert (answer.status_code, faults(answer)) == (422, {f"closes_{stop}": "须晚于 08:00。"})
    assert '<details class="stop-edit" open>' in answer.text


async def test_stops_are_added_by_village_and_by_place(scene: Scene) -> None:
    await proposed(scene)
    third = scene.villages[2].organisation_id
    assert (
        await scene.browser.post(f"{scene.page}/stops", {"village": str(third), "key": ""})
    ).status_code == 303
    placed = {"name": "冷库", "place": "41.6，122.7", "key": ""}
    assert (await scene.browser.post(f"{scene.page}/places", placed)).status_code == 303
    assert sorted(stop.name for stop in (await scene.route()).visited) == [
        "冷库",
        "第1<村>",
        "第2<村>",
        "第3<村>",
    ]
    wrong = await scene.browser.post(f"{scene.page}/places", {"name": "", "place": "x", "key": ""})
    assert (wrong.status_code, set(faults(wrong))) == (422, {"name", "place"})
    for village in (str(third), "999", "x", ""):
        refused = await scene.browser.post(f"{scene.page}/stops", {"village": village, "key": ""})
        assert (refused.status_code, list(faults(refused))) == (422, ["village"])


async def test_village_left_out_is_named_with_its_reason(scene: Scene) -> None:
    await proposed(scene)
    stop = (await scene.route()).stops[0].id
    await scene.browser.post(scene.page, await scene.sent(**{f"closes_{stop}": "08:20"}))
    page = (await scene.browser.get(scene.page)).text
    assert "要停 30 分钟，比开放的 08:00–08:20 还长。" in page
    assert "走访 1 处，共 2 处" in page


async def test_village_sees_the_tour_once_it_was_told(scene: Scene, browser_of: SignedInAs) -> None:
    await proposed(scene)
    village = await browser_of(scene.villages[0])
    seen = f"/meetings/{scene.meeting}/tour"
    assert (await village.get(seen)).status_code == 404
    await scene.browser.post(f"{scene.page}/tell")
    page = await village.get(seen)
    assert (page.status_code, page.text.count("您这里")) == (200, 1)
    assert "到“第1&lt;村&gt;”" in (await village.get("/notices")).text
    assert (await (await browser_of(scene.villages[2])).get(seen)).status_code == 404
    assert (await scene.browser.post(f"{scene.page}/drop")).status_code == 409


async def test_tour_is_given_up_before_anybody_was_told(scene: Scene) -> None:
    await proposed(scene)
    for _ in range(2):
        assert (await scene.browser.post(f"{scene.page}/drop")).status_code == 303
    assert "还没有走访路线" in (await scene.browser.get(scene.page)).text


async def test_other_towns_find_nothing(scene: Scene, factory: Factory, browser_of: SignedInAs) -> None:
    other = await browser_of(await factory.member(role="official"))
    answers = [
        await other.get(scene.page),
        await other.post(f"{scene.page}/propose"),
        await other.post(scene.page, {"buses": "2"}),
        await other.post(f"{scene.page}/tell"),
        await other.get(f"/meetings/{scene.meeting}/tour"),
        await scene.browser.get("/town/meetings/99999999999999999999/route"),
    ]
    assert [answer.status_code for answer in answers] == [404] * 6


async def test_tour_that_runs_into_the_meeting_is_warned_of(scene: Scene) -> None:
    await scene.browser.post(f"{scene.page}/propose")
    words = "走访和会议撞在一起"
    assert words not in (await scene.browser.get(scene.page)).text
    await execute('UPDATE field_route SET "on" = $1', clock.today() + timedelta(days=7))
    await execute("UPDATE field_route SET leaves_at = 480")
    page = (await scene.browser.get(scene.page)).text
    assert (words in page, "09:00–13:20" in page) == (True, True)
    # on the second day of two it runs into the meeting as well, in the evening it does not
    await execute("UPDATE meeting SET held_on = held_on - 1, days = 2")
    assert words in (await scene.browser.get(scene.page)).text
    await execute("UPDATE field_route SET leaves_at = 1000")
    assert words not in (await scene.browser.get(scene.page)).text


async def test_tour_of_a_meeting_that_is_over_can_change_until_it_was_made(scene: Scene) -> None:
    await scene.browser.post(f"{scene.page}/propose")
    form = f'action="{scene.page}"'
    await execute("UPDATE meeting SET state = 'closed'")
    assert form in (await scene.browser.get(scene.page)).text
    await execute('UPDATE field_route SET "on" = $1', clock.today() - timedelta(days=1))
    page = (await scene.browser.get(scene.page)).text
    assert (form in page, "加一站" in page) == (False, False)


async def test_produce_on_the_tour_is_named_in_the_readers_language(scene: Scene) -> None:
    await scene.browser.post(f"{scene.page}/propose")
    first, second = [stop for stop in (await scene.route()).stops if stop.shows][:2]
    await execute("UPDATE route_stop SET shows = '油坊和花生' WHERE id = $1", second.id)
    kinds = await fetch("SELECT zh, en FROM produce WHERE zh = ANY($1::text[])", first.shows.split("、"))
    page = (await scene.browser.get(f"{scene.page}?lang=en")).text
    tour = page[page.index('class="plain bus-stops"') :]
    tour = tour[: tour.index("</ol>")]
    assert ", ".join(row["en"] for row in kinds) in tour
    assert ("油坊和花生" in tour, first.shows in tour) == (True, False)
    assert first.shows in (await scene.browser.get(f"{scene.page}?lang=zh")).text

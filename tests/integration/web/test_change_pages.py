"""Changes on the day as pages tell them: what is lost, what it is about, and where nothing can be chosen."""

import re

import pytest

from fixtures.factories import Factory
from market.db.session import execute, fetch, fetch_value
from tests.integration.web.conftest import SignedInAs
from tests.integration.web.test_day_pages import Scene, morning

__all__ = ["morning"]


@pytest.fixture
async def scene(morning: None, factory: Factory, browser_of: SignedInAs) -> Scene:
    return await Scene(factory).opened(browser_of)


async def confirm(scene: Scene, sent: dict[str, str], *, times: int = 1) -> str:
    """Confirm what is previewed, ``times`` over; return the page of changes."""
    query = "&".join(f"{name}={value}" for name, value in sent.items())
    page = (await scene.browser.get(f"{scene.page}/changes?{query}&go=1")).text
    token = re.search(r'name="token" value="(\w+)"', page)
    assert token
    for _ in range(times):
        answer = await scene.browser.post(f"{scene.page}/changes", {**sent, "token": token[1]})
        assert answer.status_code == 303
    return (await scene.browser.get(f"{scene.page}/changes")).text


async def test_broken_table_is_told_on_the_board(scene: Scene) -> None:
    await confirm(scene, {"kind": "table_broken", "table": "2"})
    board = (await scene.browser.get(f"{scene.page}/board")).text
    assert board.count('<article class="board-table broken">') == 1


async def test_nobody_is_said_to_have_been_told_of_a_timetable_that_is_not_out(scene: Scene) -> None:
    lost = {"kind": "slot_lost", "slot": "4"}
    assert "都收到了通知" in await confirm(scene, lost)
    await execute("UPDATE meeting SET published_at = NULL, state = 'timetabled'")
    page = await confirm(scene, lost)
    assert "谁都没有通知" in page
    assert "都收到了通知" not in page


async def test_button_that_is_pressed_twice_says_that_it_is_done(scene: Scene) -> None:
    # whoever does not come is not offered any more the second time
    gone = await fetch_value("SELECT seller FROM appointment WHERE id = $1", scene.talks[0])
    page = await confirm(scene, {"kind": "absent", "organisation": str(gone)}, times=2)
    assert "已经改过了。" in page
    assert await fetch_value("SELECT count(*) FROM incident") == 1


async def test_whoever_lost_a_talk_sees_with_whom_it_was(scene: Scene, browser_of: SignedInAs) -> None:
    gone = scene.sellers[0]
    browser = await browser_of(gone)
    here = f"/meetings/{scene.meeting_id}"
    assert 'id="gone"' not in (await browser.get(here)).text
    await confirm(scene, {"kind": "absent", "organisation": str(gone.organisation_id)})
    page = (await browser.get(here)).text
    assert ("您的洽谈现在都不在日程上" in page, "还没有排到您的洽谈" in page) == (True, False)
    lost = page.partition('id="gone">')[2].partition("</p>")[0]
    names = await fetch(
        "SELECT name FROM organisation WHERE id = ANY($1)", [each.organisation_id for each in scene.buyers]
    )
    assert {row["name"] for row in names} == set(lost.removeprefix("现在不在日程上的洽谈：").split("、"))


async def test_history_names_the_slot_that_was_lost_and_the_talks_that_changed_places(scene: Scene) -> None:
    history = await confirm(scene, {"kind": "slot_lost", "slot": "4"})
    assert "一个时段取消</b> · 09:15-09:20" in history
    one = scene.talks[0]
    history = await confirm(scene, {"kind": "swap", "appointment": str(one), "slot": "3"})
    assert "→ 09:10-09:15" in history
    shown = (await scene.browser.get(f"{scene.page}/changes?kind=swap&appointment={one}&slot=4&go=1")).text
    assert "09:15-09:20 没有空桌了。" in shown


async def test_where_nothing_can_be_chosen_the_form_says_why(scene: Scene) -> None:
    await execute("DELETE FROM appointment")
    assert "现在没有正在谈" in (await scene.browser.get(f"{scene.page}/changes?kind=overrun")).text
    assert "可以调换" in (await scene.browser.get(f"{scene.page}/changes?kind=swap")).text


async def test_asking_whom_nobody_in_particular_could_meet_is_refused_at_its_field(scene: Scene) -> None:
    page = await scene.browser.get(f"{scene.page}/changes?kind=walk_in&organisation=&ask=1")
    assert (page.status_code, "请先选哪一家。" in page.text) == (422, True)


async def test_two_of_one_name_are_told_apart_wherever_one_is_chosen(scene: Scene) -> None:
    first, second, third = [each.organisation_id for each in (*scene.sellers, scene.buyers[0])]
    await execute("UPDATE organisation SET name = '同名社', address = '村东' WHERE id = $1", first)
    await execute("UPDATE organisation SET name = '同名社', address = '村西' WHERE id = $1", second)
    await execute("UPDATE organisation SET town = NULL WHERE id = ANY($1::bigint[])", [first, second])
    for kind in ("late", "absent", "walk_in", "swap", f"walk_in&organisation={third}&ask=1"):
        page = (await scene.browser.get(f"{scene.page}/changes?kind={kind}")).text
        assert (kind, "同名社（村东）" in page, "同名社（村西）" in page) == (kind, True, True)
    planned = (await scene.browser.get(f"{scene.page}/timetable?view=who")).text
    assert "同名社（村东）" in planned
    # at the same place only their numbers differ
    await execute("UPDATE organisation SET address = '村东' WHERE id = $1", second)
    page = (await scene.browser.get(f"{scene.page}/changes?kind=late")).text
    assert f"同名社（编号 {second}）" in page
    # whoever walks in under that name is asked which, and found by the answer
    path = f"{scene.page}/changes/walk-in"
    asked = await scene.browser.post(path, {"name": "同名社"})
    assert (
        asked.status_code,
        f"名册里有 2 家“同名社”，请写明是哪一家：同名社（编号 {first}）" in asked.text,
    ) == (
        422,
        True,
    )
    await execute("DELETE FROM invitation WHERE organisation = $1", second)
    answer = await scene.browser.post(path, {"name": f"同名社（编号 {second}）"})
    assert answer.status_code == 303
    assert await fetch_value("SELECT count(*) FROM invitation WHERE organisation = $1", second) == 1

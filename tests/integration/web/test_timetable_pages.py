"""The timetable before the meeting: laid, changed by hand, published; and a talk as its sides see it."""

import re
from datetime import timedelta
from uuid import uuid4

import msgspec
import pytest

from market import clock
from market.db.jobs import Worker
from market.db.session import execute, fetch, fetch_value
from market.privacy.own_data import gathered
from tests.forms import filled_in
from tests.integration.web.conftest import Browser, SignedInAs
from tests.integration.web.meeting_scene import Scene
from tests.integration.web.test_delegation_pages import delegate


@pytest.fixture
async def laid(scene: Scene) -> Scene:
    """The scene with a meeting in three days whose timetable is laid."""
    await scene.open(held_on=(clock.today() + timedelta(days=3)).isoformat())
    return scene


async def first_talk() -> tuple[int, int, int, int]:
    """Return number, slot, seller and buyer of the first talk."""
    row = (
        await fetch(
            """SELECT id, slot, seller, buyer FROM appointment WHERE slot IS NOT NULL
               ORDER BY slot, table_number LIMIT 1"""
        )
    )[0]
    return row["id"], row["slot"], row["seller"], row["buyer"]


async def test_timetable_shows_what_is_asked_for(laid: Scene) -> None:
    talk, _, _, buyer = await first_talk()
    page = f"{laid.page}/timetable"
    talks = await fetch_value("SELECT count(*) FROM appointment WHERE slot IS NOT NULL")
    for view in ("slots", "buyer", "seller"):
        assert (await laid.browser.get(f"{page}?view={view}")).text.count('class="talk scheduled') == talks
    one = (await laid.browser.get(f"{page}?who={buyer}")).text
    own = await fetch_value("SELECT count(*) FROM appointment WHERE buyer = $1", buyer)
    assert one.count(f'href="{page}?who={buyer}&amp;talk=') == own
    opened = (await laid.browser.get(f"{page}?talk={talk}")).text
    assert opened.count(f'action="{page}/{talk}/fix"') == 1
    for odd in ("view=none", "day=99", "who=x", "talk=99999999999999999999", "who=-1"):
        assert (await laid.browser.get(f"{page}?{odd}")).status_code == 200


async def test_talk_is_fixed_moved_taken_out_and_added(laid: Scene) -> None:
    talk, slot, seller, buyer = await first_talk()
    page = f"{laid.page}/timetable"
    for deed, fixed in (("fix", True), ("free", False)):
        await laid.browser.post(f"{page}/{talk}/{deed}")
        assert await fetch_value("SELECT fixed FROM appointment WHERE id = $1", talk) is fixed
    taken = {
        row["slot"]
        for row in await fetch("SELECT slot FROM appointment WHERE seller = $1 OR buyer = $2", seller, buyer)
    }
    free = next(number for number in range(1, 5) if number not in taken)
    await laid.browser.post(f"{page}/{talk}/move", {"slot": str(free)})
    placed = "SELECT slot, fixed, state FROM appointment WHERE id = $1"
    assert tuple((await fetch(placed, talk))[0]) == (free, True, "scheduled")
    await laid.browser.post(f"{page}/{talk}/remove")
    assert tuple((await fetch(placed, talk))[0]) == (None, False, "cancelled")
    added = {"seller": str(seller), "buyer": str(buyer), "slot": str(slot)}
    answer = await laid.browser.post(f"{page}/add", added)
    assert answer.headers["location"] == f"{page}#timetable"
    assert tuple((await fetch(placed, talk))[0]) == (slot, True, "scheduled")


async def test_change_that_clashes_is_told_where_it_was_asked_for(laid: Scene) -> None:
    talk, slot, seller, buyer = await first_talk()
    page = f"{laid.page}/timetable"
    again = await laid.browser.post(f"{page}/add", {"seller": str(seller), "buyer": str(buyer)})
    assert (again.status_code, "这两家的洽谈已经在日程里。" in again.text) == (409, True)
    for wrong in ({"slot": ""}, {"slot": "9999"}, {"slot": "x"}, {"slot": "1", "table": "400"}):
        refused = await laid.browser.post(f"{page}/{talk}/move", wrong)
        assert (wrong, refused.status_code) == (wrong, 422)
    assert (await laid.browser.post(f"{page}/{talk}/burn")).status_code == 404
    assert (await laid.browser.post(f"{page}/99999/fix")).status_code == 404
    assert await fetch_value("SELECT slot FROM appointment WHERE id = $1", talk) == slot


async def test_timetable_is_published_once_and_everybody_is_told(laid: Scene) -> None:
    page = await laid.browser.get(f"{laid.page}/publish")
    assert "5 家收到通知，看到自己的日程" in page.text
    for _ in range(2):
        await laid.publish()
    told = "SELECT count(*) FROM notice WHERE kind = 'timetable_published'"
    assert await fetch_value(told) == 5
    assert "发布日程" not in (await laid.browser.get(f"{laid.page}/publish")).text


async def test_vetoed_talk_is_named_where_it_would_be_published_and_one_press_lays_anew(laid: Scene) -> None:
    talk, _, seller, buyer = await first_talk()
    await laid.browser.post(f"{laid.page}/wishes/{buyer}/{seller}", {"level": "never", "note": ""})
    page = (await laid.browser.get(f"{laid.page}/publish")).text
    assert f'href="{laid.page}/timetable?talk={talk}#talk"' in page
    assert "有一方标了“不见”" in page
    assert f'action="{laid.page}/publish"' not in page
    assert "1 场洽谈有一方标了“不见”" in (await laid.browser.get(laid.page)).text
    refused = await laid.browser.post(f"{laid.page}/publish")
    assert (refused.status_code, f'action="{laid.page}/plan"' in refused.text) == (409, True)
    await laid.browser.post(f"{laid.page}/plan")
    assert await Worker().work_once() is True
    await laid.publish()


async def test_postponed_meeting_cannot_be_published(laid: Scene) -> None:
    await laid.browser.post(f"{laid.page}/move/postpone")
    assert (await laid.browser.post(f"{laid.page}/publish")).status_code == 409


async def test_talk_shows_both_sides_goods_and_keeps_own_notes(laid: Scene, browser_of: SignedInAs) -> None:
    talk, _, seller, buyer = await first_talk()
    path = f"/meetings/{laid.number}/talks/{talk}"
    sides: dict[int, Browser] = {
        each.organisation_id: await browser_of(each) for each in (*laid.sellers, *laid.buyers)
    }
    assert (await sides[seller].get(path)).status_code == 404  # not published yet
    await laid.publish()
    page = (await sides[seller].get(path)).text
    assert ("我的货" in page, "对方要的" in page, page.count('<table class="facing"')) == (True, True, 1)
    answer = await sides[seller].post(f"{path}/note", {"text": "问账期"})
    assert answer.headers["location"] == f"{path}#note"
    assert "问账期" in (await sides[seller].get(path)).text
    assert "问账期" not in (await sides[buyer].get(path)).text
    assert (await sides[seller].post(f"{path}/note", {"text": "长" * 2_001})).status_code == 422
    other = next(number for number in sides if number not in (seller, buyer))
    assert (await sides[other].get(path)).status_code == 404
    assert (await sides[other].post(f"{path}/note", {"text": "偷看"})).status_code == 404
    await sides[seller].post(f"{path}/note", {"text": " "})
    assert await fetch_value("SELECT count(*) FROM appointment_note") == 0


async def test_two_of_one_side_write_side_by_side_and_their_notes_go_where_they_go(
    laid: Scene, browser_of: SignedInAs
) -> None:
    talk, _, seller, _ = await first_talk()
    await laid.publish()
    path = f"/meetings/{laid.number}/talks/{talk}"
    first = next(each for each in laid.sellers if each.organisation_id == seller)
    other = next(each for each in laid.sellers if each.organisation_id != seller)
    # from when one side had one note for all of its people
    await execute(
        """INSERT INTO appointment_note (meeting, organisation, about, text, updated_at)
           SELECT meeting, seller, buyer, '以前的', now() FROM appointment WHERE id = $1""",
        talk,
    )
    await execute("UPDATE membership SET organisation = $1 WHERE person = $2", seller, other.person_id)
    second = msgspec.structs.replace(other, organisation_id=seller)
    mine, theirs = await browser_of(first), await browser_of(second)
    assert (await mine.post(f"{path}/note", {"text": "问账期"})).status_code == 303
    assert (await theirs.post(f"{path}/note", {"text": "问包装"})).status_code == 303
    for browser, own in ((mine, "问账期"), (theirs, "问包装")):
        page = (await browser.get(path)).text
        assert filled_in(page, f"{path}/note")["text"] == [f"\n{own}"]
        assert [words in page for words in ("问账期", "问包装", "以前的")] == [True] * 3
        day = (await browser.get(f"/meetings/{laid.number}")).text
        assert [words in day for words in ("问账期", "问包装", "以前的")] == [True] * 3
    assert (await theirs.post(f"{path}/note", {"text": ""})).status_code == 303
    assert "问账期" in (await theirs.get(path)).text
    assert [each["text"] for each in (await gathered(person_id=first.person_id))["notes"]] == ["问账期"]
    assert (await gathered(person_id=second.person_id))["notes"] == []


async def test_who_acts_for_a_side_reads_none_of_its_notes(laid: Scene, browser_of: SignedInAs) -> None:
    talk, _, seller, _ = await first_talk()
    await laid.publish()
    own, other = sorted(laid.sellers, key=lambda each: each.organisation_id != seller)
    principal, agent = await browser_of(own), await browser_of(other)
    page = f"/meetings/{laid.number}"
    await principal.post(f"{page}/talks/{talk}/note", {"text": "问账期"})
    number = await delegate(principal, other, "sign")
    assert (await agent.post(f"/delegations/{number}/act", {"key": str(uuid4())})).status_code == 303
    for path in (page, f"{page}/talks/{talk}"):
        for browser, reads in ((principal, True), (agent, False)):
            shown = await browser.get(path)
            assert (path, shown.status_code, "问账期" in shown.text) == (path, 200, reads)
    assert 'id="note"' not in (await agent.get(f"{page}/talks/{talk}")).text


async def test_note_of_a_talk_that_is_planned_away_stays_and_is_there_when_it_comes_back(
    laid: Scene, browser_of: SignedInAs
) -> None:
    talk, slot, seller, buyer = await first_talk()
    await laid.publish()
    own = await browser_of(next(each for each in laid.sellers if each.organisation_id == seller))
    page = f"/meetings/{laid.number}"
    await own.post(f"{page}/talks/{talk}/note", {"text": "问账期"})
    day = (await own.get(page)).text
    assert ("问账期" in day, "笔记还在" in day) == (True, False)
    # as a plan does that has no place for the two any more
    await execute("DELETE FROM appointment WHERE id = $1", talk)
    day = (await own.get(page)).text
    assert ("问账期" in day, "笔记还在" in day) == (True, True)
    again = await fetch_value(
        """INSERT INTO appointment (meeting, seller, buyer, slot, table_number, state, created_at)
           VALUES ($1, $2, $3, $4, 1, 'scheduled', now()) RETURNING id""",
        int(laid.number),
        seller,
        buyer,
        slot,
    )
    assert "问账期" in (await own.get(f"{page}/talks/{again}")).text


async def test_note_from_another_device_is_not_written_over_unseen(
    laid: Scene, browser_of: SignedInAs
) -> None:
    talk, _, seller, _ = await first_talk()
    await laid.publish()
    path = f"/meetings/{laid.number}/talks/{talk}"
    action = f"{path}/note"
    own = await browser_of(next(each for each in laid.sellers if each.organisation_id == seller))

    async def drawn() -> dict[str, str]:
        sent = {name: value[0] for name, value in filled_in((await own.get(path)).text, action).items()}
        return {name: value for name, value in sent.items() if name != "_csrf"}

    async def kept() -> str:
        return str(await fetch_value("SELECT text FROM appointment_note"))

    desk, phone = await drawn(), await drawn()
    # a page goes on from what it wrote itself
    for words in ("账期", "账期三十天"):
        assert (await own.post(action, {**phone, "text": words})).status_code == 303
    asked = await own.post(action, {**desk, "text": "包装"})
    assert (asked.status_code, await kept()) == (409, "账期三十天")
    assert filled_in(asked.text, action)["text"] == ["\n包装"]
    assert "账期三十天" in asked.text
    emptied = await own.post(action, {**desk, "text": ""})
    assert (emptied.status_code, await kept()) == (409, "账期三十天")
    found = re.search(r'name="over" value="([^"]+)"', asked.text)
    assert found
    assert (await own.post(action, {**desk, "text": "包装", "over": found[1]})).status_code == 303
    assert await kept() == "包装"
    assert (await own.post(action, {**phone, "text": "账期六十天"})).status_code == 409
    assert (await own.post(action, {**desk, "text": "包装、标签"})).status_code == 303
    assert await kept() == "包装、标签"


async def test_plan_that_would_take_known_talks_away_is_kept_only_once_that_is_confirmed(laid: Scene) -> None:
    await laid.publish()
    _, _, seller, _ = await first_talk()
    talks = "SELECT count(*) FROM appointment WHERE slot IS NOT NULL"
    known = await fetch_value(talks)
    await execute("UPDATE match SET state = 'expired'")
    await execute("UPDATE listing SET state = 'withdrawn' WHERE owner = $1", seller)
    await laid.browser.post(f"{laid.page}/plan")
    assert await Worker().work_once() is True
    assert await fetch_value(talks) == known
    page = (await laid.browser.get(f"{laid.page}/timetable")).text
    assert ("重新排桌会取消几场洽谈" in page, f'action="{laid.page}/plan/sure"' in page) == (True, True)
    await laid.browser.post(f"{laid.page}/plan/sure")
    assert await Worker().work_once() is True
    assert await fetch_value(f"{talks} AND seller = $1", seller) == 0
    assert "重新排桌会取消" not in (await laid.browser.get(f"{laid.page}/timetable")).text


async def test_move_that_is_refused_keeps_what_was_chosen(laid: Scene) -> None:
    talk, slot, _, _ = await first_talk()
    page = f"{laid.page}/timetable/{talk}/move"
    for table, status in (("99", 422), ("abc", 422)):
        refused = await laid.browser.post(page, {"slot": "4", "table": table})
        assert refused.status_code == status
        assert '<option value="4" selected>' in refused.text
        assert f'name="table" inputmode="numeric" value="{table}"' in refused.text
        assert refused.text.count('id="move-fault"') == 1
    assert slot != 4


async def test_talk_that_another_official_has_moved_since_is_not_moved_unseen(laid: Scene) -> None:
    talk, slot, seller, buyer = await first_talk()
    taken = await fetch("SELECT slot FROM appointment WHERE seller = $1 OR buyer = $2", seller, buyer)
    theirs, mine = [number for number in range(1, 5) if number not in {row["slot"] for row in taken}][:2]
    page = f"{laid.page}/timetable/{talk}/move"

    async def seen() -> str:
        opened = (await laid.browser.get(f"{laid.page}/timetable?talk={talk}")).text
        return re.findall(r'name="seen" value="([^"]*)"', opened)[0]

    stale = await seen()
    # pressed twice it is done once
    for _ in range(2):
        assert (await laid.browser.post(page, {"slot": str(theirs), "seen": stale})).status_code == 303
    late = await laid.browser.post(page, {"slot": str(mine), "seen": stale})
    assert (late.status_code, "刚才有人动过这场洽谈" in late.text) == (409, True)
    assert await fetch_value("SELECT slot FROM appointment WHERE id = $1", talk) == theirs != slot
    assert f'<option value="{mine}" selected>' in late.text
    again = await laid.browser.post(page, {"slot": str(mine), "seen": await seen()})
    assert again.status_code == 303
    assert await fetch_value("SELECT slot FROM appointment WHERE id = $1", talk) == mine


async def test_list_of_meetings_counts_the_talks_that_stand(laid: Scene) -> None:
    talk, _, _, _ = await first_talk()
    before = await fetch_value("SELECT count(*) FROM appointment WHERE slot IS NOT NULL")
    await laid.browser.post(f"{laid.page}/timetable/{talk}/remove")
    listed = (await laid.browser.get("/town/meetings")).text
    assert (f"{before - 1} 场" in listed, f"{before} 场" in listed) == (True, False)

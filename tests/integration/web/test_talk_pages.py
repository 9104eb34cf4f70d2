"""A talk's result on the town's and the sides' pages: odd figures, corrections, records that differ."""

import re
from uuid import uuid4

import httpx
import pytest

from fixtures.factories import Factory
from market.db.session import execute, fetch_value
from tests.integration.meetings.day import TALKS, Day
from tests.integration.web.conftest import Browser, SignedInAs, faults

ODD = {"outcome": "intent", "quantity": "99999999", "price": "36.5"}


class Scene(Day):
    """A meeting that is on, its official and both sides of its first talk at browsers."""

    async def opened(self, browser_of: SignedInAs) -> "Scene":
        await self.begun()
        self.office, self.seller, self.buyer = [
            await browser_of(each) for each in (self.town, self.sellers[0], self.buyers[0])
        ]
        self.number = self.talks[0]
        self.desk = f"/town/meetings/{self.meeting_id}/desk"
        self.page = f"/town/meetings/{self.meeting_id}/talks/{self.number}"
        self.own = f"/meetings/{self.meeting_id}/talks/{self.number}/result"
        self.topic = await fetch_value("SELECT id FROM topic WHERE appointment = $1", self.number)
        return self

    def form(self, **changes: str) -> dict[str, str]:
        """What is sent; ``quantity``, ``price`` and ``take`` are those of the topic."""
        given = {"key": str(uuid4()), **changes}
        return {
            f"{name}_{self.topic}" if name in ("quantity", "price", "take") else name: value
            for name, value in given.items()
        }

    async def record(self, browser: Browser, path: str, **changes: str) -> httpx.Response:
        return await browser.post(path, self.form(**changes))

    async def differ(self) -> None:
        intent = {"outcome": "intent", "take": "1", "quantity": "1000", "price": "3.5"}
        assert (await self.record(self.seller, self.own, **intent)).status_code == 303
        lost = await self.record(self.buyer, self.own, outcome="none", reason="price")
        assert lost.status_code == 303

    async def outcome(self) -> str | None:
        said: str | None = await fetch_value("SELECT outcome FROM appointment WHERE id = $1", self.number)
        return said


@pytest.fixture
async def scene(factory: Factory, browser_of: SignedInAs) -> Scene:
    return await Scene(factory).opened(browser_of)


@pytest.mark.parametrize("who", ["office", "seller", "buyer"])
async def test_odd_figures_are_asked_back_once_on_every_page(scene: Scene, who: str) -> None:
    browser, page = getattr(scene, who), scene.page if who == "office" else scene.own
    asked = await scene.record(browser, page, take="1", **ODD)
    assert (asked.status_code, set(faults(asked))) == (
        422,
        {f"quantity_{scene.topic}", f"price_{scene.topic}"},
    )
    assert "99,999,999 斤（50,000 吨）" in asked.text
    assert 'name="sure"' in asked.text
    assert 'value="99999999"' in asked.text
    assert await scene.outcome() is None
    assert (await scene.record(browser, page, take="1", sure="1", **ODD)).status_code == 303
    assert await scene.outcome() == "intent"


@pytest.mark.parametrize("who", ["office", "seller"])
async def test_result_of_a_talk_called_off_meanwhile_loses_nothing_that_was_typed(
    scene: Scene, who: str
) -> None:
    browser, page = getattr(scene, who), scene.page if who == "office" else scene.own
    await execute("UPDATE appointment SET state = 'cancelled' WHERE id = $1", scene.number)
    assert "现在不在日程上" in (await browser.get(page)).text
    intent = {"outcome": "intent", "take": "1", "quantity": "1234", "price": "3.5", "note": "谈得不错"}
    sent = await scene.record(browser, page, **intent)
    assert (sent.status_code, "现在是“已取消”" in sent.text) == (409, True)
    assert 'value="1234"' in sent.text
    assert "谈得不错" in sent.text
    # put back, the same is sent again
    await execute("UPDATE appointment SET state = 'scheduled' WHERE id = $1", scene.number)
    assert (await scene.record(browser, page, **intent)).status_code == 303
    assert await scene.outcome() == "intent"


@pytest.mark.parametrize("who", ["office", "seller"])
async def test_unknown_unit_is_a_fault_beside_its_field(scene: Scene, who: str) -> None:
    browser, page = getattr(scene, who), scene.page if who == "office" else scene.own
    units = {f"quantity_{scene.topic}_unit": "担", f"price_{scene.topic}_unit": "担"}
    intent = {"outcome": "intent", "take": "1", "quantity": "1234", "price": "3.5"}
    sent = await scene.record(browser, page, **intent, **units)
    assert sent.status_code == 422
    assert 'value="1234"' in sent.text


async def test_usual_figures_are_not_asked_about(scene: Scene) -> None:
    assert 'name="sure"' not in (await scene.office.get(scene.page)).text


async def test_other_reason_asks_for_words_and_prints_them(scene: Scene) -> None:
    await execute("UPDATE reason SET zh = '其他原因（请说明）' WHERE code = 'other'")
    bare = await scene.record(scene.office, scene.page, outcome="none", reason="other")
    assert list(faults(bare)) == ["note"]
    told = await scene.record(scene.office, scene.page, outcome="none", reason="other", note="老板出差")
    assert told.status_code == 303
    page = (await scene.office.get(scene.page)).text.partition('id="correct"')[0]
    assert "请说明" not in page
    # once beside the record, once as the result that counts
    assert page.count("老板出差") == 2


async def test_only_reasons_that_fit_a_talk_are_offered_and_taken(scene: Scene) -> None:
    await execute("UPDATE reason SET uses = '{goods}' WHERE code = 'quality'")
    await execute("UPDATE reason SET uses = '{seller,talk}' WHERE code = 'price'")
    for browser, page in ((scene.office, scene.page), (scene.seller, scene.own)):
        form = (await browser.get(page)).text
        offered = {code for code in ("price", "quality", "other") if f'value="{code}"' in form}
        assert offered == {"price", "other"}
        refused = await scene.record(browser, page, outcome="none", reason="quality")
        assert (refused.status_code, list(faults(refused))) == (422, ["reason"])
    assert await scene.outcome() is None


async def test_reason_that_was_said_may_be_kept_when_the_record_is_set_right(scene: Scene) -> None:
    await scene.record(scene.office, scene.page, outcome="none", reason="quality")
    await execute("UPDATE reason SET uses = '{goods}' WHERE code = 'quality'")
    drawn = (await scene.office.get(scene.page)).text.partition('id="correct"')[2]
    assert 'value="quality"' in drawn
    same = {"outcome": "none", "reason": "quality", "note": "太小", "why": "补一句"}
    assert (await scene.record(scene.office, f"{scene.page}/correct", **same)).status_code == 303


async def test_wrong_tap_is_set_right_and_its_history_is_shown(scene: Scene) -> None:
    await scene.record(scene.office, scene.page, outcome="none", reason="price")
    drawn = (await scene.office.get(scene.page)).text
    assert f'action="{scene.page}/correct"' in drawn
    right = {"outcome": "intent", "take": "1", "quantity": "1000", "price": "3.5"}
    bare = await scene.record(scene.office, f"{scene.page}/correct", **right)
    assert list(faults(bare)) == ["why"]
    key = str(uuid4())
    for _ in range(2):
        done = await scene.record(scene.office, f"{scene.page}/correct", **right, why="点错了", key=key)
        assert done.headers["location"] == scene.page
    page = (await scene.office.get(scene.page)).text
    assert "更正前的记录（1）" in page
    assert "更正原因：点错了" in page
    assert await fetch_value("SELECT count(*) FROM statement") == 2


async def test_side_sets_its_own_record_right_until_the_other_speaks(scene: Scene) -> None:
    await scene.record(scene.seller, scene.own, outcome="none", reason="price")
    assert f'action="{scene.own}/correct"' in (await scene.seller.get(scene.own)).text
    done = await scene.record(scene.seller, f"{scene.own}/correct", outcome="sample", why="点错了")
    assert done.headers["location"] == scene.own
    assert await scene.outcome() == "sample"
    await scene.record(scene.buyer, scene.own, outcome="none", reason="price")
    late = await scene.record(
        scene.seller, f"{scene.own}/correct", outcome="none", reason="price", why="再改"
    )
    assert late.status_code == 409
    assert "要更正请联系镇里" in late.text


async def test_second_official_comes_back_to_the_talk_with_what_was_typed(scene: Scene) -> None:
    await scene.record(scene.office, scene.page, outcome="none", reason="price")
    late = await scene.record(
        scene.office, scene.page, outcome="intent", take="1", quantity="1234", price="3.5", note="谈得不错"
    )
    assert late.status_code == 409
    assert "您填的没有记上" in late.text
    assert "已在" in late.text
    assert 'value="1234"' in late.text
    assert "谈得不错" in late.text
    assert f'action="{scene.page}/correct"' in late.text
    # a colleague of the same side comes back in the same way
    assert (await scene.record(scene.buyer, scene.own, outcome="none", reason="price")).status_code == 303
    again = await scene.record(
        scene.buyer, scene.own, outcome="intent", take="1", quantity="1234", price="3.5"
    )
    assert (again.status_code, "您填的没有记上" in again.text) == (409, True)


async def test_records_that_differ_are_marked_listed_and_settled(scene: Scene) -> None:
    await scene.differ()
    desk = (await scene.office.get(f"{scene.desk}?show=disputed")).text
    assert "双方记录不同 1" in desk
    assert desk.count('<th scope="row" id="talk-') == 1
    assert "镇里会核对" in (await scene.seller.get(scene.own)).text
    page = (await scene.office.get(scene.page)).text
    numbers = re.findall(r'name="statement" value="(\d+)"', page)
    assert len(numbers) == 2
    for _ in range(2):
        done = await scene.office.post(f"{scene.page}/settle", {"statement": numbers[1], "key": str(uuid4())})
        assert done.headers["location"] == scene.page
    assert await scene.outcome() == "none"
    assert "的记录为准" in (await scene.office.get(scene.page)).text
    assert "双方记录不同" not in (await scene.office.get(scene.desk)).text
    assert "定为“暂无结果”" in (await scene.seller.get(scene.own)).text


async def test_nobody_settles_by_a_record_that_is_none(scene: Scene) -> None:
    await scene.differ()
    for sent, status in (({"statement": "x"}, 422), ({}, 422), ({"statement": "999999999"}, 409)):
        assert (await scene.office.post(f"{scene.page}/settle", sent)).status_code == status


async def test_desk_counts_the_talks_that_have_a_place_as_the_overview_does(scene: Scene) -> None:
    await execute(
        """INSERT INTO appointment (meeting, seller, buyer, state, created_at)
           SELECT $1, seller.id, buyer.id, 'accepted', now() FROM organisation seller, organisation buyer
           WHERE seller.id = $2 AND buyer.id = $3""",
        scene.meeting_id,
        scene.sellers[0].organisation_id,
        scene.town.organisation_id,
    )
    desk = (await scene.office.get(f"{scene.desk}?show=all")).text
    assert f"共 {len(TALKS)} 场" in desk
    assert f"全部 {len(TALKS)}" in desk
    assert desk.count('<th scope="row" id="talk-') == len(TALKS)


async def test_desk_names_a_lot_once_however_many_demands_meet_it(scene: Scene, factory: Factory) -> None:
    further = [await factory.demand(scene.buyers[0]) for _ in range(2)]
    for demand in further:
        await execute(
            "INSERT INTO topic (appointment, listing, demand) VALUES ($1, $2, $3)",
            scene.number,
            scene.listings[0],
            demand,
        )
    title = await fetch_value("SELECT title FROM listing WHERE id = $1", scene.listings[0])
    desk = (await scene.office.get(f"{scene.desk}?show=all")).text
    row = desk[desk.index(f'id="talk-{scene.number}"') :]
    row = row[: row.index("</tr>")]
    assert row.count(title) == 1
    assert "等 3 项" not in row


async def test_pages_speak_english(scene: Scene) -> None:
    await scene.differ()
    page = (await scene.office.get(f"{scene.page}?lang=en")).text
    assert "Let this one count" in page

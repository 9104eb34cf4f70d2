"""Choosing whom to meet: on the phone by one tap, by the official for somebody who rings up."""

import re
from datetime import timedelta

import pytest

from market import clock
from market.db.session import execute, fetch, fetch_value
from tests.integration.web.conftest import Browser, SignedInAs
from tests.integration.web.meeting_scene import Scene


@pytest.fixture
async def seller(scene: Scene, browser_of: SignedInAs) -> Browser:
    """The browser of the first village, invited to a meeting in three days."""
    await scene.open(held_on=(clock.today() + timedelta(days=3)).isoformat())
    return await browser_of(scene.sellers[0])


def pressed(page: str) -> dict[str, str]:
    """Return the level that is pressed on each counterpart's card."""
    cards = re.findall(r'<li class="wish-card[^"]*" id="c-(\d+)">(.*?)</li>\n', page, re.S)
    found = {}
    for number, card in cards:
        levels = re.findall(r'class="wish (\w+)" name="level" value="\w+" aria-pressed="true"', card)
        found[number] = levels[0] if levels else ""
    return found


async def test_one_tap_keeps_a_wish_and_another_takes_it_back(scene: Scene, seller: Browser) -> None:
    here = f"/meetings/{scene.number}/wishes"
    buyer = scene.buyers[0].organisation_id
    first = (await seller.get(here)).text
    assert pressed(first) == {str(each.organisation_id): "" for each in scene.buyers}
    answer = await seller.post(f"{here}/{buyer}", {"level": "must"})
    assert answer.headers["location"] == f"{here}#c-{buyer}"
    assert pressed((await seller.get(here)).text)[str(buyer)] == "must"
    assert "“必见”还可选 2 家" in (await seller.get(here)).text
    await seller.post(f"{here}/{buyer}", {"level": "none"})
    assert await fetch_value("SELECT count(*) FROM wish") == 0


async def test_wish_that_cannot_be_is_told_on_its_card(scene: Scene, seller: Browser) -> None:
    await execute("UPDATE meeting SET most_musts = 0")
    here = f"/meetings/{scene.number}/wishes"
    buyer = scene.buyers[0].organisation_id
    refused = await seller.post(f"{here}/{buyer}", {"level": "must"})
    assert (refused.status_code, refused.text.count('class="fault" role="alert"')) == (422, 1)
    for level in ("", "always"):
        assert (await seller.post(f"{here}/{buyer}", {"level": level})).status_code == 422
    own = scene.sellers[1].organisation_id
    for about in (own, 999_999):
        assert (await seller.post(f"{here}/{about}", {"level": "want"})).status_code == 404
    assert (await seller.get(f"{here}/{buyer}")).headers["location"] == here


async def test_card_drawn_anew_brings_what_else_a_wish_changes(scene: Scene, seller: Browser) -> None:
    here = f"/meetings/{scene.number}/wishes"
    buyer = scene.buyers[0].organisation_id
    seller.client.headers["hx-request"] = "true"
    answer = await seller.post(f"{here}/{buyer}", {"level": "want"}, form=here)
    for count in ("fit", "open", "all"):
        assert answer.text.count(f'id="wish-many-{count}" hx-swap-oob="true"') == 1
    # what was wrong with another card is over, and the control that was pressed can be found again
    assert 'hx-swap-oob="innerHTML:.wish-fault"' in answer.text
    assert f'aria-pressed="true" id="w-{buyer}-want"' in answer.text


async def test_slots_in_which_one_cannot_come_are_kept(scene: Scene, seller: Browser) -> None:
    here = f"/meetings/{scene.number}/wishes"
    await seller.post(f"{here}/absent", {"slots": ["2", "4"]})
    page = (await seller.get(here)).text
    assert re.findall(r'name="slots" value="(\d+)" checked', page) == ["2", "4"]
    for slots in (["99"], ["1", "2", "3", "4"]):
        assert (await seller.post(f"{here}/absent", {"slots": slots})).status_code == 422
    rows = await fetch("SELECT slot FROM absence ORDER BY slot")
    assert [row["slot"] for row in rows] == [2, 4]


async def test_official_sees_all_wishes_and_enters_them_for_others(scene: Scene, seller: Browser) -> None:
    village, chain = scene.sellers[0].organisation_id, scene.buyers[0].organisation_id
    await seller.post(f"/meetings/{scene.number}/wishes/{chain}", {"level": "want"})
    entering = f"{scene.page}/wishes/{chain}"
    assert "电话里说的，在这里代填" in (await scene.browser.get(entering)).text
    answer = await scene.browser.post(f"{entering}/{village}", {"level": "must"})
    assert answer.headers["location"] == f"{entering}#c-{village}"
    page = (await scene.browser.get(f"{scene.page}/wishes")).text
    assert page.count('<td class="mutual"') == 1
    assert "2 家还没有选" in page
    # a wish that stands alone says whose it is
    other = scene.sellers[1].organisation_id
    await scene.browser.post(f"{scene.page}/wishes/{other}/{chain}", {"level": "never"})
    page = (await scene.browser.get(f"{scene.page}/wishes")).text
    alone = re.search(r'<td class="barred".*?</td>', page, re.S)
    assert alone
    assert re.findall(r"买方|卖方|–|不见", alone[0]) == ["买方", "–", "卖方", "不见"]
    assert (await scene.browser.get(f"{scene.page}/wishes/999999")).status_code == 404


async def test_wishes_end_with_the_published_timetable_but_for_the_town(
    scene: Scene, seller: Browser
) -> None:
    await scene.publish()
    here, chain = f"/meetings/{scene.number}/wishes", scene.buyers[0].organisation_id
    page = (await seller.get(here)).text
    assert ("日程已发布，互选已经截止" in page, page.count('name="level"')) == (True, 0)
    assert (await seller.post(f"{here}/{chain}", {"level": "want"})).status_code == 409
    village = scene.sellers[0].organisation_id
    entered = await scene.browser.post(f"{scene.page}/wishes/{village}/{chain}", {"level": "want"})
    assert entered.status_code == 303


async def test_wish_pages_speak_english(scene: Scene, seller: Browser) -> None:
    pages = [
        (await seller.get(f"/meetings/{scene.number}/wishes?lang=en")).text,
        (await scene.browser.get(f"{scene.page}/wishes?lang=en")).text,
    ]
    for page in pages:
        words = re.sub(r"<[^>]+>", " ", page[page.index("<main") : page.index("</main>")])
        assert re.findall("[必想可不]见|时段|互选|邀请", words) == []

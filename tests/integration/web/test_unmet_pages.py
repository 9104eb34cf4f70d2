"""Whom the timetable leaves without a talk: offered with whom they could meet, added with one press."""

from datetime import timedelta
from uuid import uuid4

import pytest

from fixtures.factories import STORY, Factory, Member
from market import clock
from market.db.session import execute, fetch, fetch_value
from market.meetings.invitations.inviting import invite
from market.meetings.planning.unmet import Unmet, unmet_of
from tests.integration.web.conftest import faults
from tests.integration.web.meeting_scene import Scene

_TALK = "SELECT slot, table_number, state, source FROM appointment WHERE seller = $1 AND buyer = $2"


@pytest.fixture
async def laid(scene: Scene) -> Scene:
    """The scene with a meeting in three days whose timetable is laid."""
    await scene.open(held_on=(clock.today() + timedelta(days=3)).isoformat())
    return scene


@pytest.fixture
async def village(laid: Scene, factory: Factory) -> Member:
    """A village of the town that has put goods on sale since the plan was laid."""
    seller = await factory.member(role="secretary", town_id=laid.official.organisation_id)
    await factory.listing(seller, kg=500)
    return seller


async def unmet(scene: Scene) -> dict[int, Unmet]:
    told = await unmet_of(
        meeting_id=int(scene.number), town_id=scene.official.organisation_id, at=clock.now()
    )
    return {each.organisation: each for each in told.shown}


async def free_demand(factory: Factory, **changes: object) -> Member:
    """A buyer whose demand no run has seen."""
    buyer = await factory.member(role="buyer")
    await factory.demand(buyer, kg=700, **changes)
    return buyer


def add(*pairs: str) -> dict[str, object]:
    return {"pairs": list(pairs), "key": str(uuid4())}


async def test_village_with_stuck_goods_is_offered_buyers_and_gets_talk_and_invitation(
    laid: Scene, village: Member, factory: Factory
) -> None:
    buyer = await free_demand(factory)
    one = (await unmet(laid))[village.organisation_id]
    assert (one.invited, one.side, one.grams, one.why) == (False, "seller", 500_000, None)
    best = next(each for each in one.partners if each.organisation == buyer.organisation_id)
    assert (best.invited, best.about[0].grams, best.worth > 0, best.km >= 0) == (False, 500_000, True, True)
    page = (await laid.browser.get(f"{laid.page}/timetable")).text
    text = f"{village.organisation_id}-{buyer.organisation_id}"
    # who would be invited along is not ticked by itself
    assert (f'value="{text}">' in page, f'value="{text}" checked' in page) == (True, False)
    form = add(text)
    for _ in range(2):
        answer = await laid.browser.post(f"{laid.page}/timetable/unmet", form)
        assert answer.headers["location"] == f"{laid.page}/timetable#unmet", faults(answer)
    row = (await fetch(_TALK, village.organisation_id, buyer.organisation_id))[0]
    assert (row["state"], row["source"], row["slot"] is not None) == ("scheduled", "manual", True)
    invited = await fetch(
        "SELECT side, state FROM invitation WHERE organisation = ANY($1::bigint[]) ORDER BY side",
        [village.organisation_id, buyer.organisation_id],
    )
    assert [tuple(each) for each in invited] == [("buyer", "needs_action"), ("seller", "needs_action")]
    topic = "SELECT count(*) FROM topic JOIN appointment a ON a.id = topic.appointment WHERE a.seller = $1"
    assert await fetch_value(topic, village.organisation_id) == 1
    assert {village.organisation_id, buyer.organisation_id} & {*await unmet(laid)} == set()


async def test_nobody_sits_in_two_talks_and_no_table_is_taken_twice(
    laid: Scene, village: Member, factory: Factory
) -> None:
    second = await factory.member(role="secretary", town_id=laid.official.organisation_id)
    await factory.listing(second, kg=500)
    buyer = await free_demand(factory)
    pairs = [f"{each.organisation_id}-{buyer.organisation_id}" for each in (village, second)]
    await laid.browser.post(f"{laid.page}/timetable/unmet", add(*pairs))
    rows = await fetch("SELECT seller, buyer, slot, table_number FROM appointment WHERE slot IS NOT NULL")
    for who in ("seller", "buyer", "table_number"):
        seats = [(row["slot"], row[who]) for row in rows]
        assert (who, len(seats)) == (who, len({*seats}))
    assert len([row for row in rows if row["buyer"] == buyer.organisation_id]) == 2


async def test_talk_without_common_free_slot_waits_for_the_next_plan(laid: Scene, village: Member) -> None:
    buyer = laid.buyers[0].organisation_id
    invitation = await fetch_value("SELECT id FROM invitation WHERE organisation = $1", buyer)
    for slot in range(1, 5):
        await execute("INSERT INTO absence (invitation, slot) VALUES ($1, $2)", invitation, slot)
    answer = await laid.browser.post(
        f"{laid.page}/timetable/unmet", add(f"{village.organisation_id}-{buyer}")
    )
    assert answer.status_code == 303
    row = (await fetch(_TALK, village.organisation_id, buyer))[0]
    assert tuple(row) == (None, None, "accepted", "manual")


async def test_where_nobody_fits_it_says_why_in_names(laid: Scene, village: Member, factory: Factory) -> None:
    await execute("UPDATE listing SET ask = 99999 WHERE owner = $1", village.organisation_id)
    one = (await unmet(laid))[village.organisation_id]
    assert (one.partners, one.why is not None) == ([], True)
    page = (await laid.browser.get(f"{laid.page}/timetable")).text
    title = await fetch_value("SELECT title FROM demand ORDER BY id LIMIT 1")
    assert f"最接近的需求 “{title}”：要价 999.99 元加运费" in page
    assert f'href="/town/listings/{one.listing}"' in page
    await execute("UPDATE demand SET produce = 'peanut-oil'")
    assert str((await unmet(laid))[village.organisation_id].why) == "目前没有人采购这些货。"


async def test_vetoed_and_taken_apart_pairs_are_not_offered(laid: Scene) -> None:
    seller, buyer = laid.sellers[0].organisation_id, laid.buyers[0].organisation_id
    await execute("UPDATE appointment SET state = 'cancelled', slot = NULL, table_number = NULL")
    told = await unmet(laid)
    assert seller in told
    assert told[seller].partners == []
    assert "这一对已由镇里撤下。" in str(told[seller].why)
    await execute("DELETE FROM topic")
    await execute("DELETE FROM appointment")
    assert buyer in [each.organisation for each in (await unmet(laid))[seller].partners]
    await laid.browser.post(f"{laid.page}/wishes/{buyer}/{seller}", {"level": "never", "note": ""})
    assert buyer not in [each.organisation for each in (await unmet(laid))[seller].partners]


async def test_invited_buyer_without_talk_is_offered_sellers(laid: Scene, factory: Factory) -> None:
    buyer = await free_demand(factory)
    extra = await factory.listing(laid.sellers[0], kg=400)
    await invite(
        meeting_id=int(laid.number),
        organisation_id=buyer.organisation_id,
        side="buyer",
        town_id=laid.official.organisation_id,
        actor=laid.official.actor,
        at=STORY,
    )
    one = (await unmet(laid))[buyer.organisation_id]
    assert (one.side, one.invited, one.partners[0].organisation) == (
        "buyer",
        True,
        laid.sellers[0].organisation_id,
    )
    assert extra in [about.listing for about in one.partners[0].about]
    page = (await laid.browser.get(f"{laid.page}/timetable")).text
    text = f"{laid.sellers[0].organisation_id}-{buyer.organisation_id}"
    assert f'value="{text}" checked' in page


async def test_what_cannot_be_is_told_and_the_ticks_stay(laid: Scene, village: Member) -> None:
    page = f"{laid.page}/timetable/unmet"
    none = await laid.browser.post(page, {"key": str(uuid4())})
    assert (none.status_code, "请先勾选要加的洽谈。" in none.text) == (422, True)
    text = f"{village.organisation_id}-{laid.buyers[0].organisation_id}"
    odd = await laid.browser.post(page, add("1-x"))
    assert odd.status_code == 422
    await execute("UPDATE meeting SET most_of_buyers = 1")
    full = await laid.browser.post(page, add(text))
    assert (full.status_code, "最多谈 1 场，请少选一场" in full.text) == (409, True)
    invited = "SELECT count(*) FROM invitation WHERE organisation = $1"
    assert await fetch_value(invited, village.organisation_id) == 0


async def test_nothing_is_offered_before_the_plan_and_after_the_beginning(
    laid: Scene, village: Member
) -> None:
    await execute("UPDATE meeting SET state = 'in_progress'")
    page = (await laid.browser.get(f"{laid.page}/timetable")).text
    assert 'id="unmet"' not in page
    refused = await laid.browser.post(
        f"{laid.page}/timetable/unmet", add(f"{village.organisation_id}-{laid.buyers[0].organisation_id}")
    )
    assert refused.status_code == 409

from datetime import datetime, timedelta

import pytest

from fixtures.factories import STORY, TODAY, Factory, Member
from market.db.session import execute
from market.errors import Conflict, Invalid, NotFound
from market.meetings.invitations.wish_queries import CounterpartRow, absences_of, counterparts_of, wishes_of
from market.meetings.invitations.wishing import set_absences, set_wish
from market.meetings.operations import respond
from market.notices.queries import inbox
from tests.integration.meetings.test_meetings import Scene


@pytest.fixture
async def scene(factory: Factory) -> Scene:
    return await Scene(factory).planned()


async def wish(
    scene: Scene,
    mine: Member,
    about: Member,
    level: str | None,
    *,
    by: Member | None = None,
    note: str = "",
    at: datetime = STORY,
) -> None:
    await set_wish(
        meeting_id=scene.meeting_id,
        organisation_id=mine.organisation_id,
        about=about.organisation_id,
        level=level,
        note=note,
        actor=(by or mine).actor,
        at=at,
    )


async def absent(scene: Scene, mine: Member, slots: list[int], *, by: Member | None = None) -> None:
    await set_absences(
        meeting_id=scene.meeting_id,
        organisation_id=mine.organisation_id,
        slots=slots,
        actor=(by or mine).actor,
        at=STORY,
    )


async def levels(scene: Scene) -> dict[tuple[int, int], str]:
    return {(each.organisation, each.about): each.level for each in await wishes_of(scene.meeting_id)}


async def seen(scene: Scene, mine: Member) -> dict[int, CounterpartRow]:
    rows = await counterparts_of(scene.meeting_id, mine.organisation_id)
    return {each.organisation: each for each in rows}


async def test_a_wish_is_written_changed_and_taken_back(scene: Scene) -> None:
    buyer, seller = scene.buyers[0], scene.sellers[0]
    pair = (buyer.organisation_id, seller.organisation_id)
    await wish(scene, buyer, seller, "must", note=" 要看样 ")
    (row,) = await wishes_of(scene.meeting_id)
    assert (row.organisation, row.about, row.side, row.level, row.note) == (*pair, "buyer", "must", "要看样")
    await wish(scene, buyer, seller, "may")
    assert await levels(scene) == {pair: "may"}
    await wish(scene, buyer, seller, None)
    assert await levels(scene) == {}


async def test_only_the_other_side_that_is_invited_can_be_wished_for(scene: Scene, factory: Factory) -> None:
    stranger = await factory.member(role="secretary")
    first, second = scene.buyers
    for mine, about in ((first, second), (first, first), (first, stranger), (stranger, first)):
        with pytest.raises(NotFound):
            await wish(scene, mine, about, "want")
    await respond(
        meeting_id=scene.meeting_id,
        organisation_id=second.organisation_id,
        answer="declined",
        actor=second.actor,
        at=STORY,
    )
    with pytest.raises(NotFound):
        await wish(scene, scene.sellers[0], second, "want")
    with pytest.raises(Conflict, match="先接受邀请"):
        await wish(scene, second, scene.sellers[0], "want")
    assert await levels(scene) == {}


async def test_nobody_writes_anothers_wish_but_the_town(scene: Scene, factory: Factory) -> None:
    buyer, seller = scene.buyers[0], scene.sellers[0]
    other_town = await factory.member(role="official")
    for outsider in (scene.buyers[1], seller, other_town):
        with pytest.raises(NotFound):
            await wish(scene, buyer, seller, "want", by=outsider)
    await wish(scene, buyer, seller, "want", by=scene.town)
    assert await levels(scene) == {(buyer.organisation_id, seller.organisation_id): "want"}


async def test_musts_are_as_many_as_the_meeting_allows(scene: Scene) -> None:
    await execute("UPDATE meeting SET most_musts = 1 WHERE id = $1", scene.meeting_id)
    buyer, (first, second) = scene.buyers[0], scene.sellers
    await wish(scene, buyer, first, "must")
    with pytest.raises(Invalid) as refused:
        await wish(scene, buyer, second, "must")
    assert set(refused.value.fields) == {"level"}
    await wish(scene, buyer, first, "must", note="same again")
    await wish(scene, buyer, first, "want")
    await wish(scene, buyer, second, "must")
    assert sorted((await levels(scene)).values()) == ["must", "want"]


@pytest.mark.parametrize(
    ("level", "note", "field"), [("love", "", "level"), ("", "", "level"), ("want", "长" * 201, "note")]
)
async def test_rubbish_wishes_are_refused(scene: Scene, level: str, note: str, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        await wish(scene, scene.buyers[0], scene.sellers[0], level, note=note)
    assert set(refused.value.fields) == {field}


async def test_wishes_close_after_their_last_day_for_all_but_the_town(scene: Scene) -> None:
    await execute("UPDATE meeting SET wishes_by = $2 WHERE id = $1", scene.meeting_id, TODAY)
    buyer, seller = scene.buyers[0], scene.sellers[0]
    await wish(scene, buyer, seller, "want")
    late = STORY + timedelta(days=1)
    with pytest.raises(Conflict, match="截止"):
        await wish(scene, buyer, seller, "must", at=late)
    await wish(scene, buyer, seller, "must", by=scene.town, at=late)
    assert set((await levels(scene)).values()) == {"must"}


async def test_without_a_last_day_the_published_timetable_closes_wishes(scene: Scene) -> None:
    await execute("UPDATE meeting SET published_at = $2 WHERE id = $1", scene.meeting_id, STORY)
    with pytest.raises(Conflict, match="已发布"):
        await wish(scene, scene.buyers[0], scene.sellers[0], "want")


async def test_a_meeting_that_has_begun_takes_no_wishes_and_no_absences(scene: Scene) -> None:
    await scene.move("start")
    with pytest.raises(Conflict):
        await wish(scene, scene.buyers[0], scene.sellers[0], "want", by=scene.town)
    with pytest.raises(Conflict):
        await absent(scene, scene.buyers[0], [1])


async def test_counterparts_show_goods_stakes_and_only_mutual_wishes(scene: Scene) -> None:
    buyer, seller = scene.buyers[0], scene.sellers[0]
    rows = await counterparts_of(scene.meeting_id, buyer.organisation_id)
    assert {each.organisation for each in rows} == {each.organisation_id for each in scene.sellers}
    assert [each.worth or 0 for each in rows] == sorted((each.worth or 0 for each in rows), reverse=True)
    row = (await seen(scene, buyer))[seller.organisation_id]
    assert (row.side, row.common, row.wish, row.mutual) == ("seller", True, None, False)
    assert [(each.produce, each.quantity, each.price) for each in row.goods] == [("peanut", 1_000_000, 700)]

    await wish(scene, seller, buyer, "must")
    assert (await seen(scene, buyer))[seller.organisation_id] == row  # not told while it is not mutual
    await wish(scene, buyer, seller, "want", note="先看样")
    mine = (await seen(scene, buyer))[seller.organisation_id]
    assert (mine.wish, mine.note, mine.mutual) == ("want", "先看样", True)
    theirs = (await seen(scene, seller))[buyer.organisation_id]
    assert (theirs.wish, theirs.note, theirs.mutual, theirs.side) == ("must", "", True, "buyer")
    await wish(scene, seller, buyer, "never")
    assert not (await seen(scene, buyer))[seller.organisation_id].mutual


async def test_who_is_not_invited_sees_no_counterparts(scene: Scene, factory: Factory) -> None:
    stranger = await factory.member(role="buyer")
    with pytest.raises(NotFound):
        await counterparts_of(scene.meeting_id, stranger.organisation_id)


async def test_absences_replace_what_was_known_and_the_town_hears_of_them(scene: Scene) -> None:
    buyer = scene.buyers[0]
    before = len(await inbox(organisation_id=scene.town.organisation_id))
    await absent(scene, buyer, [3, 1, 3])
    assert await absences_of(scene.meeting_id) == {buyer.organisation_id: [1, 3]}
    await absent(scene, buyer, [1, 3])
    kinds = [each.kind for each in await inbox(organisation_id=scene.town.organisation_id)]
    assert len(kinds) == before + 1
    assert kinds[0] == "absences_changed"
    await absent(scene, buyer, [], by=scene.town)
    assert await absences_of(scene.meeting_id) == {}
    assert len(await inbox(organisation_id=scene.town.organisation_id)) == before + 1


@pytest.mark.parametrize("slots", [[0], [5], [-1], [1, 2, 3, 4]])
async def test_absences_beyond_the_meeting_or_through_all_of_it_are_refused(
    scene: Scene, slots: list[int]
) -> None:
    with pytest.raises(Invalid) as refused:
        await absent(scene, scene.buyers[0], slots)
    assert set(refused.value.fields) == {"slots"}
    assert await absences_of(scene.meeting_id) == {}


async def test_blocked_slots_count_as_none_left(scene: Scene) -> None:
    await execute("UPDATE meeting SET blocked_slots = '{4}' WHERE id = $1", scene.meeting_id)
    with pytest.raises(Invalid):
        await absent(scene, scene.buyers[0], [1, 2, 3])

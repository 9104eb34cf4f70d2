"""Planned again after matches have lapsed: what the talks stand on stays, and no talk is lost unasked."""

import pytest

from fixtures.factories import STORY, Factory
from market.db.session import execute, fetch, fetch_value
from market.errors import Invalid
from market.i18n import translate
from market.meetings.day.disruptions import Change
from market.meetings.invitations.wishing import set_wish
from market.meetings.planning.moving import move_appointment
from market.meetings.planning.pairing import remove_appointment
from market.meetings.planning.plan import WouldLose, plan_now
from market.meetings.planning.publishing import publish_timetable
from market.meetings.planning.revising import revise_meeting
from market.meetings.queries import meeting_of
from market.notices.queries import inbox
from tests.integration.meetings.day import Day
from tests.integration.meetings.test_meetings import Scene, meeting, sides
from tests.integration.meetings.test_replanning import apply


@pytest.fixture
async def out(factory: Factory) -> Scene:
    """A meeting whose timetable is published."""
    scene = await Scene(factory).planned()
    await publish_timetable(
        meeting_id=scene.meeting_id, town_id=scene.town.organisation_id, actor=scene.town.actor, at=STORY
    )
    return scene


async def worth(scene: Scene) -> int:
    seen = await meeting_of(meeting_id=scene.meeting_id, organisation_id=scene.town.organisation_id)
    assert seen.timetable
    return int(seen.timetable["worth"])


async def topics(scene: Scene) -> list[tuple[int, int | None, int | None]]:
    return sorted(
        (topic.listing, topic.match, topic.proposed)
        for each in await scene.appointments()
        for topic in each.topics
    )


async def test_lapsed_matches_stay_what_a_meeting_stands_on(out: Scene) -> None:
    before, at_stake, about = sides(await out.appointments()), await worth(out), await topics(out)
    await execute("UPDATE match SET state = 'expired'")
    for _ in range(2):
        await out.plan()
        assert sides(await out.appointments()) == before
        assert await worth(out) == at_stake > 0
        assert await topics(out) == about
    told = await inbox(organisation_id=out.sellers[0].organisation_id)
    assert [each.kind for each in told].count("timetable_changed") == 0


async def test_a_newer_match_takes_the_place_of_the_lapsed_one(out: Scene) -> None:
    number = await fetch_value("SELECT min(match) FROM topic")
    await execute("UPDATE match SET state = 'expired' WHERE id = $1", number)
    columns = [
        row["name"]
        for row in await fetch(
            """SELECT column_name AS name FROM information_schema.columns
               WHERE table_name = 'match' AND column_name NOT IN ('id', 'state', 'run')"""
        )
    ]
    named = ", ".join(columns)
    run = await fetch_value(
        """INSERT INTO run (town, state, parameters, created_at)
           SELECT town, state, parameters, created_at FROM run RETURNING id"""
    )
    new = await fetch_value(
        f"""INSERT INTO match (state, run, {named}) SELECT 'proposed', $2, {named} FROM match
            WHERE id = $1 RETURNING id""",
        number,
        run,
    )
    at_stake, count = await worth(out), len(await topics(out))
    await out.plan()
    assert await worth(out) == at_stake
    matches = [match for _, match, _ in await topics(out)]
    assert (new in matches, number in matches, len(matches)) == (True, False, count)


async def test_a_plan_that_would_take_known_talks_away_asks_back_first(out: Scene) -> None:
    before = {each.id: (each.slot, each.table_number) for each in await out.appointments()}
    gone = (await out.appointments())[0]
    await execute("UPDATE match SET state = 'expired'")
    await execute("UPDATE listing SET state = 'withdrawn' WHERE owner = $1", gone.seller)
    await execute("UPDATE organisation SET name_en = 'Green Village' WHERE id = $1", gone.seller)
    with pytest.raises(WouldLose) as refused:
        await out.plan()
    assert f"{gone.buyer_name}–Green Village" in translate(refused.value.message, "en")
    lost = {each.id for each in await out.appointments() if each.seller == gone.seller}
    assert refused.value.message.values["n"] == len(lost)
    assert f"{gone.buyer_name}–{gone.seller_name}" in str(refused.value.message)
    assert {each.id: (each.slot, each.table_number) for each in await out.appointments()} == before
    await plan_now(
        meeting_id=out.meeting_id,
        town_id=out.town.organisation_id,
        actor=out.town.actor,
        at=STORY,
        sure=True,
    )
    assert {each.id for each in await out.appointments()} == before.keys() - lost


async def test_a_veto_is_no_loss_to_be_warned_of(out: Scene) -> None:
    talk = (await out.appointments())[0]
    seller = next(each for each in out.sellers if each.organisation_id == talk.seller)
    await execute("UPDATE meeting SET wishes_by = held_on WHERE id = $1", out.meeting_id)
    await set_wish(
        meeting_id=out.meeting_id,
        organisation_id=talk.seller,
        about=talk.buyer,
        level="never",
        actor=seller.actor,
        at=STORY,
    )
    await out.plan()
    assert (talk.seller, talk.buyer) not in sides(await out.appointments())


async def test_nothing_found_because_nobody_new_is_invited_says_so(out: Scene) -> None:
    for talk in await out.appointments():
        await remove_appointment(
            appointment_id=talk.id, town_id=out.town.organisation_id, actor=out.town.actor, at=STORY
        )
    await execute("DELETE FROM appointment")
    await execute("DELETE FROM invitation WHERE organisation = $1", out.buyers[0].organisation_id)
    await execute("DELETE FROM invitation WHERE organisation = $1", out.buyers[1].organisation_id)
    with pytest.raises(Invalid, match="不再请新的单位"):
        await out.plan()
    await execute("UPDATE meeting SET published_at = NULL, answer_by = $1", STORY.date().replace(year=2000))
    with pytest.raises(Invalid, match="回复的最后一天已过"):
        await out.plan()


async def test_slots_at_other_hours_are_told_to_those_alone_whose_talks_they_move(out: Scene) -> None:
    revise = {"meeting_id": out.meeting_id, "town_id": out.town.organisation_id, "actor": out.town.actor}
    talks = await out.appointments()
    later = {who for each in talks if each.slot == 2 for who in (each.seller, each.buyer)}
    everybody = {who for each in talks for who in (each.seller, each.buyer)}

    assert later < everybody

    async def told() -> dict[int, int]:
        rows = await fetch(
            """SELECT organisation, count(*) AS n FROM notice WHERE kind = 'timetable_changed'
               GROUP BY organisation"""
        )
        return {row["organisation"]: row["n"] for row in rows}

    # the rest at noon comes before the second slot already, not after it: what comes then stays
    await revise_meeting(meeting=meeting(half_day_after=1), at=STORY, **revise)
    assert await told() == dict.fromkeys(later, 1)
    await revise_meeting(meeting=meeting(half_day_after=1, contact="老周"), at=STORY, **revise)
    assert await told() == dict.fromkeys(later, 1)
    await revise_meeting(meeting=meeting(half_day_after=1, slot_minutes=30), at=STORY, **revise)
    assert await told() == {who: 1 + (who in later) for who in everybody}
    # the plan that follows moves nobody from a slot, and tells nothing twice
    await out.plan()
    assert await told() == {who: 1 + (who in later) for who in everybody}


async def test_what_is_known_before_the_beginning_is_kept_to_by_the_next_plan(factory: Factory) -> None:
    day = await Day(factory).begun()
    await execute("UPDATE meeting SET state = 'timetabled'")
    late, gone = day.sellers[0].organisation_id, day.buyers[1].organisation_id
    for change in (
        Change("late", late, until=3),
        Change("absent", gone),
        Change("slot_lost", slot=4),
        Change("table_broken", table=1),
    ):
        await apply(day, change, minute=-60)
    mended = await day.places()
    await plan_now(
        meeting_id=day.meeting_id,
        town_id=day.town.organisation_id,
        actor=day.town.actor,
        at=day.minute(-55),
        sure=True,
    )
    rows = await fetch("SELECT seller, buyer, slot, table_number FROM appointment WHERE slot > 0")
    assert {row["table_number"] for row in rows} == {2}
    assert {row["slot"] for row in rows if row["seller"] == late} == {3}
    assert not [row for row in rows if gone in (row["seller"], row["buyer"]) or row["slot"] == 4]
    assert len(rows) == len(mended)
    # nor does a hand put a talk where it cannot be held
    talk = next(number for number, place in mended.items() if place[0] != 3)
    for slot, table in ((4, None), (3, 1)):
        with pytest.raises(Invalid):
            await move_appointment(
                appointment_id=talk,
                slot=slot,
                table=table,
                town_id=day.town.organisation_id,
                actor=day.town.actor,
                at=day.minute(-50),
            )

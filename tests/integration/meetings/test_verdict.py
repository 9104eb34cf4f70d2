"""What is told of a timetable is true of the one that stands: as laid, moved by hand, talks taken out."""

import pytest

from fixtures.factories import STORY, Factory
from market.meetings.planning.moving import move_appointment
from market.meetings.planning.pairing import remove_appointment
from market.meetings.planning.verdict import Figures, PlaceRow, Verdict, figures_of, verdict_of
from market.meetings.queries import AppointmentRow, meeting_of
from market.meetings.standing import standing_of
from tests.integration.meetings.test_meetings import Scene


@pytest.fixture
async def scene(factory: Factory) -> Scene:
    return await Scene(factory).planned()


async def told(scene: Scene) -> Verdict:
    town = scene.town.organisation_id
    meeting = await meeting_of(meeting_id=scene.meeting_id, organisation_id=town)
    verdict = await verdict_of(meeting, await standing_of(meeting_id=scene.meeting_id, town_id=town))
    assert verdict is not None
    return verdict


async def move(scene: Scene, talk: AppointmentRow, slot: int, table: int | None = None) -> None:
    await move_appointment(
        appointment_id=talk.id,
        slot=slot,
        table=table,
        town_id=scene.town.organisation_id,
        actor=scene.town.actor,
        at=STORY,
    )


async def test_timetable_as_it_was_laid_is_told_with_its_proof(scene: Scene) -> None:
    told_now = await told(scene)
    meeting = await meeting_of(meeting_id=scene.meeting_id, organisation_id=scene.town.organisation_id)
    kept = meeting.timetable
    assert kept
    assert told_now.status == kept["status"] == "optimal"
    assert (told_now.talks, told_now.worth, told_now.more) == (kept["appointments"], kept["worth"], 0)
    assert told_now.figures == Figures(kept["breaks"], kept["idle_slots"], kept["table_changes"])
    assert told_now.bound == kept["lower_bound_breaks"]


async def test_move_by_hand_that_opens_a_gap_is_counted_and_no_proof_is_told_of_it(scene: Scene) -> None:
    talks = await scene.appointments()

    def breaks(talk: AppointmentRow, slot: int) -> int:
        places = [
            PlaceRow(each.seller, each.buyer, slot if each.id == talk.id else each.slot or 0, 1)
            for each in talks
        ]
        busy = [(who, each.slot) for each in places for who in (each.seller, each.buyer)]
        return figures_of(places, blocked=[]).breaks if len(busy) == len({*busy}) else 0

    talk, slot = max(
        ((talk, slot) for talk in talks for slot in range(1, 5)), key=lambda where: breaks(*where)
    )
    await move(scene, talk, slot)
    now = await told(scene)
    assert (now.status, now.bound, now.more) == ("changed", None, None)
    assert now.figures.breaks == breaks(talk, slot) > 0
    assert "重新数" in str(now.words)
    await scene.plan()
    assert (await told(scene)).status != "changed"


async def test_another_table_leaves_what_was_proven_of_the_slots(scene: Scene) -> None:
    before = await told(scene)
    talk = next(each for each in await scene.appointments() if each.table_number != 3)
    assert talk.slot
    await move(scene, talk, talk.slot, 3)
    now = await told(scene)
    assert (now.figures.breaks, now.bound) == (before.figures.breaks, before.bound)
    assert now.status == "breaks"
    assert "换桌次数也许还能再少一点" in str(now.words)


async def test_talk_taken_out_counts_in_no_figure(scene: Scene) -> None:
    talk = (await scene.appointments())[0]
    before = await told(scene)
    await remove_appointment(
        appointment_id=talk.id, town_id=scene.town.organisation_id, actor=scene.town.actor, at=STORY
    )
    now = await told(scene)
    assert (now.status, now.talks) == ("changed", before.talks - 1)
    assert now.worth == before.worth - sum(topic.worth or 0 for topic in talk.topics)

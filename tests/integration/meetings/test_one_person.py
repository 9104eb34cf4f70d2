"""Whoever comes for two organisations is one person: never at two tables at once, whoever lays the day."""

import pytest

from fixtures.factories import STORY, Factory
from market.db.session import execute
from market.errors import Conflict
from market.meetings.day.disruptions import Change
from market.meetings.planning.moving import move_appointment
from tests.integration.meetings.day import Day
from tests.integration.meetings.test_meetings import Scene
from tests.integration.meetings.test_replanning import apply, preview


async def name_for_both(meeting_id: int) -> None:
    await execute(
        """INSERT INTO attendee (invitation, name, title, phone, code, attendance, created_at)
           SELECT id, '同一人', '', '13912345678', 'CODE' || id, 'expected', $2 FROM invitation
           WHERE meeting = $1 AND side = 'seller'""",
        meeting_id,
        STORY,
    )


async def test_they_are_put_at_no_second_table_by_hand(factory: Factory) -> None:
    scene = await Scene(factory).planned()
    await name_for_both(scene.meeting_id)
    await scene.plan()
    talks = await scene.appointments()
    first = talks[0]
    other = next(
        each for each in talks if each.seller != first.seller and each.buyer != first.buyer and each.slot
    )
    with pytest.raises(Conflict, match="的人这个时段代表"):
        await move_appointment(
            appointment_id=first.id,
            slot=other.slot or 0,
            table=None,
            town_id=scene.town.organisation_id,
            actor=scene.town.actor,
            at=STORY,
        )


async def test_on_the_day_they_are_sent_to_one_table_at_a_time(factory: Factory) -> None:
    day = await Day(factory).begun(talks=((0, 0, 1, 1), (1, 1, 2, 1)))
    await name_for_both(day.meeting_id)
    await apply(day, Change("slot_lost", slot=1))
    assert {talk: slot for talk, (slot, _) in (await day.places()).items()} == {
        day.talks[0]: 3,
        day.talks[1]: 2,
    }
    swap = await preview(day, Change("swap", appointment=day.talks[0], slot=2, table=2))
    assert "已有" in str(swap.clashes[0])

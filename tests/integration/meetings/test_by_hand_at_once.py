"""Two officials change one timetable by hand at the same moment."""

import asyncio

import pytest

from fixtures.factories import STORY, Factory
from market.db.session import execute
from market.meetings.planning.moving import move_appointment
from tests.integration.meetings.test_meetings import Scene
from tests.integration.meetings.test_planning import add, kinds, publish


@pytest.fixture
async def scene(factory: Factory) -> Scene:
    return await Scene(factory).planned()


async def test_two_officials_who_move_talks_at_once_tell_each_side_once(scene: Scene) -> None:
    async def move(number: int, table: int) -> None:
        await move_appointment(
            appointment_id=number,
            slot=4,
            table=table,
            town_id=scene.town.organisation_id,
            actor=scene.town.actor,
            at=STORY,
        )

    await execute("DELETE FROM appointment")
    pairs = list(zip(scene.sellers[:2], scene.buyers[:2], strict=True))
    numbers = [await add(scene, *each, slot=1, table=table) for table, each in enumerate(pairs, start=1)]
    await publish(scene)
    await asyncio.gather(*(move(number, table) for table, number in enumerate(numbers, start=1)))
    for member in (*scene.sellers[:2], *scene.buyers[:2]):
        assert await kinds(member) == ["timetable_changed", "timetable_published"]

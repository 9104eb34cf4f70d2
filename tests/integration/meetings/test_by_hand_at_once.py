"""Two change one timetable by hand at the same moment."""

import asyncio
import contextlib

import pytest

from fixtures.factories import STORY, Factory
from market.db.session import execute
from market.meetings.planning import taking_off
from market.meetings.planning.moving import move_appointment
from market.meetings.planning.publishing import Days, days_of
from tests.integration.meetings.test_meetings import Scene
from tests.integration.meetings.test_planning import add, kinds, publish
from tests.integration.meetings.test_unfit import withdraw


@pytest.fixture
async def scene(factory: Factory) -> Scene:
    return await Scene(factory).planned()


async def move(scene: Scene, number: int, table: int) -> None:
    await move_appointment(
        appointment_id=number,
        slot=4,
        table=table,
        town_id=scene.town.organisation_id,
        actor=scene.town.actor,
        at=STORY,
    )


async def two_talks(scene: Scene) -> list[int]:
    """Publish a timetable of two talks of four participants; return their numbers."""
    await execute("DELETE FROM appointment")
    pairs = list(zip(scene.sellers[:2], scene.buyers[:2], strict=True))
    numbers = [await add(scene, *each, slot=1, table=table) for table, each in enumerate(pairs, start=1)]
    await publish(scene)
    return numbers


async def test_two_officials_who_move_talks_at_once_tell_each_side_once(scene: Scene) -> None:
    numbers = await two_talks(scene)
    await asyncio.gather(*(move(scene, number, table) for table, number in enumerate(numbers, start=1)))
    for member in (*scene.sellers[:2], *scene.buyers[:2]):
        assert await kinds(member) == ["timetable_changed", "timetable_published"]


async def test_talk_moved_while_another_is_taken_off_tells_each_side_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    [_, other] = await two_talks(scene)
    compared, moved = asyncio.Event(), asyncio.Event()

    async def days_slowly(meeting_id: int) -> Days:
        days = await days_of(meeting_id)
        compared.set()
        # the move is let through before the days are read again, unless it has to wait
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(moved.wait(), 0.3)
        return days

    async def move_other() -> None:
        await compared.wait()
        await move(scene, other, 2)
        moved.set()

    monkeypatch.setattr(taking_off, "days_of", days_slowly)
    await asyncio.gather(withdraw(scene, scene.buyers[0]), move_other())
    for member in (*scene.sellers[:2], scene.buyers[1]):
        assert await kinds(member) == ["timetable_changed", "timetable_published"]
    assert await kinds(scene.buyers[0]) == ["timetable_published"]

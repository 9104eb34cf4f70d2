"""The board: now, next and who is missing, by the clock and by what happens at the door and the tables."""

import asyncio

import pytest

from fixtures.factories import Factory
from market.meetings.commands import Outcome
from market.meetings.day.attendance import mark_attendance
from market.meetings.day.board import Board, board_of_meeting, hour_of
from market.meetings.queries import MeetingRow, meeting_of
from market.meetings.talks.recording import clock_talk, record_outcome
from market.web.meetings.board import words
from tests.integration.meetings.day import Day


@pytest.fixture
async def day(factory: Factory) -> Day:
    return await Day(factory).begun()


async def meeting(day: Day) -> MeetingRow:
    return await meeting_of(meeting_id=day.meeting_id, organisation_id=day.town.organisation_id)


async def board(day: Day, minute: float, slot: int | None = None) -> Board:
    return await board_of_meeting(await meeting(day), at=day.minute(minute), slot=slot)


def shown(found: Board) -> list[tuple[int | None, int | None, int | None]]:
    """Return each table's talks by slot: now, waiting, next."""
    return [
        tuple(each.slot if each else None for each in (line.now, line.waiting, line.next))  # type: ignore[misc]
        for line in found.tables
    ]


async def come(day: Day, organisation_id: int) -> None:
    await mark_attendance(
        meeting_id=day.meeting_id,
        organisation_id=organisation_id,
        move="check_in",
        town_id=day.town.organisation_id,
        actor=day.town.actor,
        at=day.minute(0),
    )


async def clock(day: Day, talk: int, move: str, minute: float) -> None:
    await clock_talk(
        appointment_id=talk,
        move=move,
        organisation_id=day.town.organisation_id,
        actor=day.town.actor,
        at=day.minute(minute),
    )


@pytest.mark.parametrize(
    ("minute", "hour"),
    [
        (-1440, (None, 1, None)),
        (-15, (None, 1, 15)),
        (0, (1, 2, 20)),
        (19.9, (1, 2, 1)),
        (20, (2, 3, 20)),
        (79, (4, None, 1)),
        (80, (None, None, None)),
    ],
)
async def test_clock_finds_its_slot(
    day: Day, minute: float, hour: tuple[int | None, int | None, int | None]
) -> None:
    found = hour_of(await meeting(day), day.minute(minute))
    assert (found.now, found.next, found.left) == hour


async def test_board_shows_now_and_next_at_each_table(day: Day) -> None:
    assert shown(await board(day, -10)) == [(None, None, 1), (None, None, 1)]
    assert shown(await board(day, 5)) == [(1, None, 2), (1, None, 2)]
    assert shown(await board(day, 25)) == [(2, None, None), (2, None, None)]
    assert shown(await board(day, 45)) == [(None, None, None), (None, None, None)]
    assert shown(await board(day, -1440, slot=2)) == [(2, None, None), (2, None, None)]


async def test_who_has_not_come_is_missing_once_for_the_first_talk(day: Day) -> None:
    assert len((await board(day, 5)).missing) == 4
    for each in (day.sellers[0], day.buyers[0]):
        await come(day, each.organisation_id)
    found = await board(day, 5)
    assert [(each.party.organisation, each.talk.slot, each.talk.table) for each in found.missing] == [
        (day.buyers[1].organisation_id, 1, 2),
        (day.sellers[1].organisation_id, 1, 2),
    ]
    assert (found.here, found.awaited) == (2, 4)


async def test_talk_that_runs_over_keeps_its_table_and_the_next_pair_waits(day: Day) -> None:
    await clock(day, day.talks[0], "start", 1)
    found = await board(day, 27)
    assert shown(found)[0] == (1, 2, None)
    assert found.tables[0].now is not None
    assert found.tables[0].now.over == 7
    await clock(day, day.talks[0], "end", 28)
    assert shown(await board(day, 28))[0] == (2, None, None)


async def test_recorded_talks_are_done(day: Day) -> None:
    await record_outcome(
        appointment_id=day.talks[0],
        outcome=Outcome("none", reason="price"),
        organisation_id=day.town.organisation_id,
        actor=day.town.actor,
        at=day.minute(10),
    )
    found = await board(day, 12)
    assert (found.done, found.talks) == (1, 4)


async def test_viewer_hears_of_what_happens_and_of_nothing_else(day: Day) -> None:
    heard = words(day.meeting_id, heartbeat=30.0)
    hello = await anext(heard)
    assert (hello.event, hello.comment) == (None, "here")
    async with asyncio.timeout(70):
        # the first look, when listening begins
        assert (await anext(heard)).event == "changed"
        await come(day, day.sellers[0].organisation_id)
        word = await anext(heard)
    assert (word.event, word.data) == ("changed", str(day.meeting_id))
    await heard.aclose()  # type: ignore[attr-defined]


async def test_line_ends_after_a_while_so_that_the_viewer_is_asked_anew(day: Day) -> None:
    messages = [each async for each in words(day.meeting_id, heartbeat=0.01, longest=0.05)]
    assert messages[0].comment == "here"
    assert len(messages) > 1

"""A meeting of several days: everybody is awaited anew each day, and on which days they came is kept."""

import pytest

from fixtures.factories import Factory
from market.db.session import execute, fetch_value
from market.errors import Conflict
from market.meetings.after.report_queries import report_of
from market.meetings.commands import Outcome
from market.meetings.day.attendance import begin_days, mark_attendance, mark_person
from market.meetings.day.board import board_of_meeting
from market.meetings.day.scanning import NewScan, take_scans
from market.meetings.day.seated import check_in_seated
from market.meetings.invitations.persons import NewAttendee, set_attendees
from market.meetings.operations import move_meeting
from market.meetings.queries import meeting_of
from market.meetings.talks.recording import record_outcome
from market.transitions import WrongState
from tests.integration.meetings.day import Day

#: Minutes of a day.
A_DAY = 24 * 60


@pytest.fixture
async def days(factory: Factory) -> Day:
    """Two days of four slots, with two talks on the first."""
    made = await Day(factory).begun(talks=((0, 0, 1, 1), (1, 1, 1, 2)))
    await execute("UPDATE meeting SET days = 2")
    return await made.with_persons()


async def send(day: Day, name: str, minute: float, *, at: float, move: str = "check_in") -> str:
    answers = await take_scans(
        meeting_id=day.meeting_id,
        town_id=day.town.organisation_id,
        scans=[
            NewScan(f"{name}-{move}-{minute}".encode().hex()[:64], day.codes[name], day.minute(minute), move)
        ],
        sent_at=day.minute(at),
        actor=day.town.actor,
        at=day.minute(at),
    )
    return answers[0].status


async def here(who: str | int) -> list[int]:
    if isinstance(who, str):
        return list(await fetch_value("SELECT days_here FROM attendee WHERE name = $1", who))
    return list(await fetch_value("SELECT days_here FROM invitation WHERE organisation = $1", who))


async def test_who_came_on_the_first_day_is_awaited_on_the_second(days: Day) -> None:
    house = days.sellers[0].organisation_id
    await send(days, "赵一", 0, at=1)
    await begin_days(at=days.minute(300))
    assert (await days.state_of("赵一"), await days.state_of(house)) == ("checked_in", "checked_in")
    for _ in range(2):
        await begin_days(at=days.minute(A_DAY - 60))
        assert (await days.state_of("赵一"), await days.state_of(house)) == ("expected", "expected")
    assert (await here("赵一"), await here(house), await here("钱二")) == ([1], [1], [])
    assert await send(days, "赵一", A_DAY, at=A_DAY + 1) == "taken"
    assert (await days.state_of("赵一"), await here("赵一"), await here(house)) == (
        "checked_in",
        [1, 2],
        [1, 2],
    )


async def test_person_is_checked_in_on_the_second_day_though_no_round_has_passed(days: Day) -> None:
    await send(days, "赵一", 0, at=1)
    by = {
        "attendee_id": await fetch_value("SELECT id FROM attendee WHERE name = '赵一'"),
        "meeting_id": days.meeting_id,
        "town_id": days.town.organisation_id,
        "actor": days.town.actor,
    }
    with pytest.raises(WrongState):
        await mark_person(move="check_in", at=days.minute(2), **by)
    assert await mark_person(move="check_in", at=days.minute(A_DAY), **by) == "checked_in"
    assert await here("赵一") == [1, 2]
    await check_in_seated(
        meeting_id=days.meeting_id,
        organisations=[days.sellers[1].organisation_id],
        actor=days.town.actor,
        at=days.minute(A_DAY),
    )
    assert await here(days.sellers[1].organisation_id) == [2]


async def test_result_noted_a_day_late_is_of_the_day_of_its_talk(days: Day) -> None:
    seller, buyer = days.sellers[0].organisation_id, days.buyers[0].organisation_id
    await mark_attendance(
        meeting_id=days.meeting_id,
        organisation_id=seller,
        move="check_in",
        town_id=days.town.organisation_id,
        actor=days.town.actor,
        at=days.minute(A_DAY),
    )
    await record_outcome(
        appointment_id=days.talks[0],
        outcome=Outcome("sample"),
        organisation_id=days.buyers[0].organisation_id,
        actor=days.buyers[0].actor,
        at=days.minute(A_DAY + 1),
    )
    # today one is here, the other still awaited
    assert (await here(seller), await here(buyer)) == ([1, 2], [1])
    assert (await days.state_of(seller), await days.state_of(buyer)) == ("checked_in", "expected")


async def test_reading_of_the_first_day_that_comes_on_the_second_counts_for_the_first(days: Day) -> None:
    for _ in range(2):
        await send(days, "赵一", 5, at=A_DAY + 5)
        assert (await days.state_of("赵一"), await here("赵一")) == ("expected", [1])
    await send(days, "赵一", A_DAY + 6, at=A_DAY + 7)
    await send(days, "赵一", 200, at=A_DAY + 8, move="leave")
    assert (await days.state_of("赵一"), await here("赵一")) == ("checked_in", [1, 2])


async def test_who_came_on_the_first_day_cannot_go_off_the_list_on_the_second(days: Day) -> None:
    await send(days, "赵一", 0, at=1)
    await begin_days(at=days.minute(A_DAY - 60))
    with pytest.raises(Conflict):
        await set_attendees(
            meeting_id=days.meeting_id,
            organisation_id=days.sellers[0].organisation_id,
            persons=[NewAttendee("钱二")],
            actor=days.town.actor,
            at=days.minute(A_DAY),
        )


async def test_board_awaits_those_of_today_and_the_report_counts_each_day(days: Day) -> None:
    await days.talk(1, 0, 5, 1)
    await send(days, "赵一", 0, at=1)
    await send(days, "孙三", 0, at=1)
    town = days.town.organisation_id

    async def board(minute: float) -> tuple[int, int]:
        meeting = await meeting_of(meeting_id=days.meeting_id, organisation_id=town)
        told = await board_of_meeting(meeting, at=days.minute(minute))
        return told.here, told.awaited

    assert await board(5) == (2, 4)
    await begin_days(at=days.minute(A_DAY - 60))
    assert await board(A_DAY + 5) == (0, 2)
    await send(days, "孙三", A_DAY, at=A_DAY + 1)
    assert await board(A_DAY + 5) == (1, 2)
    at = days.minute(A_DAY + 600)
    await move_meeting(
        meeting_id=days.meeting_id, move="close", town_id=town, actor=days.town.actor, at=at, sure=True
    )
    report = await report_of(meeting_id=days.meeting_id, town_id=town, at=at)
    assert report.came == {"seller": 2}
    assert report.came_by_day == [{"seller": 2}, {"seller": 1}]
    # over, it counts who came at all
    assert await days.state_of(days.sellers[0].organisation_id) == "checked_in"


async def test_meeting_of_one_day_is_left_as_it_was(days: Day) -> None:
    await execute("UPDATE meeting SET days = 1")
    await send(days, "赵一", 0, at=1)
    await begin_days(at=days.minute(A_DAY))
    await send(days, "钱二", A_DAY, at=A_DAY + 1)
    assert (await days.state_of("赵一"), await here("赵一"), await here("钱二")) == ("checked_in", [1], [1])

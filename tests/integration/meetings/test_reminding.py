"""Reminders by the job table: each once, to whom it concerns, and never about what is no more."""

import asyncio
from datetime import date, datetime, timedelta

import pytest

from fixtures.factories import Factory
from market import clock
from market.db.jobs import Worker
from market.db.session import execute, fetch, fetch_value, transaction
from market.meetings.invitations.reminding import (
    RemindPayload,
    expire_invitations,
    remind_of,
    schedule_reminders,
)
from tests.integration.meetings.invited import Gathering, gathering, talk_row, told


@pytest.fixture
async def day(factory: Factory) -> Gathering:
    """A meeting in ten days whose invitations are to be answered in five."""
    today = clock.today()
    return await gathering(factory, days=10, answer_by=today + timedelta(days=5))


async def jobs() -> list[tuple[str, datetime]]:
    return [
        (row["key"].partition(":")[2], row["run_at"])
        for row in await fetch("SELECT key, run_at FROM job WHERE kind = 'meetings.remind' ORDER BY run_at")
    ]


async def schedule(day: Gathering) -> None:
    async with transaction():
        await schedule_reminders(day.meeting_id, at=clock.now())


def nine(on: date) -> datetime:
    return datetime(on.year, on.month, on.day, 9, tzinfo=clock.CHINA)


async def work_all() -> None:
    await execute("UPDATE job SET run_at = now()")
    while await Worker(kinds=["meetings.remind"]).work_once():
        pass


async def sent(day: Gathering, kind: str, about: date) -> int:
    async with transaction():
        return await remind_of(RemindPayload(day.meeting_id, kind, about), at=clock.now())


async def words(day: Gathering) -> list[str]:
    return [row["message"] for row in await fetch("SELECT message ->> 'text' AS message FROM notice")]


async def test_reminders_are_written_for_nine_in_the_morning(day: Gathering) -> None:
    today = clock.today()
    for _ in range(2):
        await schedule(day)
    answer, held = today + timedelta(days=5), today + timedelta(days=10)
    assert await jobs() == [
        (f"answer_3:{answer}", nine(answer - timedelta(days=3))),
        (f"answer_1:{answer}", nine(answer - timedelta(days=1))),
        (f"day_before:{held}", nine(held - timedelta(days=1))),
    ]


async def test_reminder_that_would_come_too_late_is_not_written(factory: Factory) -> None:
    today = clock.today()
    late = await gathering(factory, days=10, answer_by=today + timedelta(days=2))
    await schedule(late)
    assert [key.partition(":")[0] for key, _ in await jobs()] == ["answer_1", "day_before"]


async def test_who_has_not_answered_is_reminded_and_on_the_eve_who_comes(day: Gathering) -> None:
    await execute("UPDATE invitation SET state = 'accepted' WHERE id = $1", day.buyer.id)
    await schedule(day)
    await work_all()
    assert await told(day.seller.member) == ["invitation_reminder"] * 2
    assert await told(day.buyer.member) == ["invitation_reminder"]
    assert await fetch_value("SELECT reminders FROM invitation WHERE id = $1", day.seller.id) == 2
    assert await fetch_value("SELECT count(*) FROM job WHERE state <> 'done'") == 0


async def test_each_reminder_is_sent_once_also_by_two_workers_and_when_it_is_written_again(
    day: Gathering,
) -> None:
    about = clock.today() + timedelta(days=5)
    counts = await asyncio.gather(*(sent(day, "answer_3", about) for _ in range(4)))
    assert sorted(counts) == [0, 0, 0, 2]
    await schedule(day)
    await work_all()
    await schedule(day)
    await work_all()
    assert await told(day.seller.member) == ["invitation_reminder"] * 2


async def test_eve_tells_the_first_talk_once_the_timetable_is_published(day: Gathering) -> None:
    held = clock.today() + timedelta(days=10)
    await execute("UPDATE invitation SET state = 'accepted'")
    await talk_row(day, slot=3, at=clock.now())
    assert await sent(day, "day_before", held) == 2
    assert await words(day) == ["明天 {hour} 是“{title}”，在{venue}，请准时到会。"] * 2
    await execute("DELETE FROM reminder")
    await execute("DELETE FROM notice")
    await execute("UPDATE meeting SET published_at = now()")
    assert await sent(day, "day_before", held) == 2
    assert await words(day) == ["明天是“{title}”，在{venue}。您的第一场洽谈：{slot}。"] * 2
    values = "SELECT message -> 'values' ->> 'slot' FROM notice LIMIT 1"
    assert await fetch_value(values) == "10:40-11:00"


async def test_nobody_is_told_on_the_day_itself_that_it_is_tomorrow(day: Gathering) -> None:
    await execute("UPDATE invitation SET state = 'accepted'")
    for held, said in ((clock.today(), 0), (clock.today() + timedelta(days=1), 2)):
        await execute("UPDATE meeting SET held_on = $1, answer_by = NULL", held)
        assert await sent(day, "day_before", held) == said


@pytest.mark.parametrize("state", ["draft", "cancelled", "postponed", "in_progress", "closed"])
async def test_nobody_is_reminded_of_a_meeting_that_is_off_or_on(day: Gathering, state: str) -> None:
    await schedule(day)
    await execute("UPDATE meeting SET state = $1", state)
    await work_all()
    assert await told(day.seller.member) == []


async def test_meeting_that_moved_is_reminded_of_on_its_new_day_only(day: Gathering) -> None:
    await execute("UPDATE invitation SET state = 'accepted'")
    await schedule(day)
    await execute("UPDATE meeting SET held_on = held_on + 7, answer_by = answer_by + 7")
    await schedule(day)
    assert len(await jobs()) == 6
    await work_all()
    assert await told(day.seller.member) == ["invitation_reminder"]
    row = (await fetch("SELECT kind, about FROM reminder LIMIT 1"))[0]
    assert tuple(row) == ("day_before", clock.today() + timedelta(days=17))


async def test_reminder_of_a_day_that_is_past_is_dropped(day: Gathering) -> None:
    past = clock.today() - timedelta(days=1)
    await execute("UPDATE meeting SET answer_by = $1", past)
    assert await sent(day, "answer_1", past) == 0
    assert await sent(day, "answer_1", past + timedelta(days=99)) == 0


async def test_invitations_without_an_answer_end_after_the_last_day(day: Gathering) -> None:
    held = clock.now() + timedelta(days=10)
    await execute("UPDATE meeting SET days = 2")
    await execute("UPDATE invitation SET state = 'accepted' WHERE id = $1", day.buyer.id)
    await expire_invitations(at=held + timedelta(days=1))
    assert await day.seller.state() == "needs_action"
    await expire_invitations(at=held + timedelta(days=2))
    assert (await day.seller.state(), await day.buyer.state()) == ("expired", "accepted")
    said = await fetch_value("SELECT details FROM audit_record WHERE action = 'expire_invitations'")
    assert said == '{"invitations": 1}'


async def test_unanswered_invitation_waits_for_the_new_day_of_a_postponed_meeting(day: Gathering) -> None:
    await execute("UPDATE meeting SET state = 'postponed'")
    await expire_invitations(at=clock.now() + timedelta(days=99))
    assert await day.seller.state() == "needs_action"

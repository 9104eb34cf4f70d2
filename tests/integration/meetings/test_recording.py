"""What came of a talk, as each side and the town record it."""

import asyncio
from typing import Any

import pytest

from fixtures.factories import Factory, Member
from market.db.session import execute, fetch_row, fetch_value, transaction
from market.errors import Conflict, Invalid, NotFound
from market.meetings.after.report_queries import report_of
from market.meetings.commands import Outcome, TopicResult
from market.meetings.day.attendance import mark_attendance
from market.meetings.talks.correcting import correct_outcome
from market.meetings.talks.recording import Recorded, clock_talk, record_outcome, times_of, undo_start
from market.meetings.talks.statements import disputed, statements_of
from market.notices.queries import inbox
from market.transitions import WrongState
from tests.integration.meetings.day import Day


@pytest.fixture
async def day(factory: Factory) -> Day:
    return await Day(factory).begun()


async def record(day: Day, by: Member, outcome: Outcome, *, minute: float = 10) -> Recorded:
    return await record_outcome(
        appointment_id=day.talks[0],
        outcome=outcome,
        organisation_id=by.organisation_id,
        actor=by.actor,
        at=day.minute(minute),
    )


async def topic(day: Day) -> int:
    return int(await fetch_value("SELECT id FROM topic WHERE appointment = $1", day.talks[0]))


async def counted(day: Day) -> str:
    return str(await fetch_value("SELECT outcome FROM appointment WHERE id = $1", day.talks[0]))


async def disputes_told(day: Day) -> int:
    told = await inbox(organisation_id=day.town.organisation_id)
    return sum(notice.kind == "outcome_disputed" for notice in told)


async def test_first_record_counts_and_the_other_sides_is_kept_beside_it(day: Day) -> None:
    intent = Outcome("intent", (TopicResult(await topic(day), 500_000, 700),))
    await record(day, day.sellers[0], intent)
    await record(day, day.buyers[0], Outcome("none", reason="price"))
    assert await counted(day) == "intent"
    assert [each.outcome for each in await statements_of(appointment_id=day.talks[0])] == ["intent", "none"]
    assert await disputed(meeting_id=day.meeting_id) == {day.talks[0]}
    assert await disputes_told(day) == 1


async def test_meeting_that_is_wound_up_is_not_said_to_be_still_to_come(day: Day) -> None:
    for state, why in (("followed_up", "已经办结"), ("timetabled", "还没有开始")):
        await execute("UPDATE meeting SET state = $1", state)
        with pytest.raises(Conflict, match=why):
            await record(day, day.town, Outcome("none", reason="price"))


async def test_sides_that_agree_are_no_dispute(day: Day) -> None:
    intent = Outcome("intent", (TopicResult(await topic(day), 500_000, 700),))
    await record(day, day.sellers[0], intent)
    await record(day, day.buyers[0], intent)
    assert (await disputed(meeting_id=day.meeting_id), await disputes_told(day)) == (frozenset(), 0)


async def test_other_figures_are_a_dispute_that_the_town_settles(day: Day) -> None:
    number = await topic(day)
    await record(day, day.sellers[0], Outcome("intent", (TopicResult(number, 500_000, 700),)))
    await record(day, day.buyers[0], Outcome("intent", (TopicResult(number, 500_000, 650),)))
    assert await disputed(meeting_id=day.meeting_id) == {day.talks[0]}
    await record(day, day.town, Outcome("intent", (TopicResult(number, 400_000, 680),)))
    assert await disputed(meeting_id=day.meeting_id) == frozenset()
    row = await fetch_row("SELECT intent_quantity, intent_price FROM topic WHERE id = $1", number)
    assert row is not None
    assert tuple(row) == (400_000, 680)


async def test_nobody_records_twice(day: Day) -> None:
    await record(day, day.sellers[0], Outcome("none", reason="price"))
    await record(day, day.buyers[0], Outcome("none", reason="price"))
    await record(day, day.town, Outcome("quote", (TopicResult(await topic(day), 500_000, 700),)))
    for by in (day.sellers[0], day.buyers[0], day.town):
        with pytest.raises(WrongState):
            await record(day, by, Outcome("none", reason="price"))


async def test_result_with_a_contract_stands(day: Day) -> None:
    signed = Outcome("signed", (TopicResult(await topic(day), 500_000, 700),))
    assert len((await record(day, day.sellers[0], signed)).deal_ids) == 1
    with pytest.raises(Conflict):
        await record(day, day.town, Outcome("none", reason="price"))
    assert (await counted(day), await day.count("deal")) == ("signed", 1)


async def test_two_sides_that_sign_at_once_make_one_deal(day: Day) -> None:
    signed = Outcome("signed", (TopicResult(await topic(day), 500_000, 700),))
    await asyncio.gather(record(day, day.sellers[0], signed), record(day, day.buyers[0], signed))
    assert (await day.count("deal"), await day.count("statement")) == (1, 2)


@pytest.mark.parametrize("outcome", ["intent", "signed"])
async def test_one_thing_said_twice_is_refused(day: Day, outcome: str) -> None:
    number = await topic(day)
    twice = tuple(TopicResult(number, grams, 700) for grams in (100_000, 200_000))
    with pytest.raises(Invalid) as refused:
        await record(day, day.town, Outcome(outcome, twice))
    assert set(refused.value.fields) == {"topics"}


async def test_sample_is_asked_for_of_each_thing_talked_of(day: Day) -> None:
    await record(day, day.buyers[0], Outcome("sample"))
    row = await fetch_row("SELECT listing, state FROM sample")
    assert row is not None
    assert tuple(row) == (day.listings[0], "requested")


async def test_sample_of_what_was_not_talked_of_is_refused(day: Day) -> None:
    with pytest.raises(Invalid) as refused:
        await record(day, day.buyers[0], Outcome("sample", samples=(10**9,)))
    assert set(refused.value.fields) == {"topics"}
    assert (await day.count("statement"), await day.count("sample")) == (0, 0)


async def test_beginning_and_end_are_noted_once(day: Day) -> None:
    async def tap(move: str, minute: float, by: Member) -> None:
        await clock_talk(
            appointment_id=day.talks[0],
            move=move,
            organisation_id=by.organisation_id,
            actor=by.actor,
            at=day.minute(minute),
        )

    with pytest.raises(Conflict):
        await tap("end", 1, day.town)
    for minute, by in ((2, day.sellers[0]), (3, day.town)):
        await tap("start", minute, by)
    await tap("end", 15, day.buyers[0])
    row = await fetch_row("SELECT started_at, ended_at FROM appointment WHERE id = $1", day.talks[0])
    assert row is not None
    assert tuple(row) == (day.minute(2), day.minute(15))
    with pytest.raises(NotFound):
        await tap("start", 2, day.buyers[1])


async def test_result_ends_a_talk_that_was_begun(day: Day) -> None:
    await clock_talk(
        appointment_id=day.talks[0],
        move="start",
        organisation_id=day.town.organisation_id,
        actor=day.town.actor,
        at=day.minute(1),
    )
    await record(day, day.town, Outcome("none", reason="price"), minute=17)
    assert await fetch_value("SELECT ended_at FROM appointment WHERE id = $1", day.talks[0]) == day.minute(17)


async def test_who_has_a_result_has_come_whoever_wrote_it_down(day: Day) -> None:
    seller, buyer = day.sellers[0].organisation_id, day.buyers[0].organisation_id
    by: dict[str, Any] = {
        "meeting_id": day.meeting_id,
        "town_id": day.town.organisation_id,
        "actor": day.town.actor,
    }
    # gone since: came, and is not back for it
    for move in ("check_in", "leave"):
        await mark_attendance(organisation_id=seller, move=move, at=day.minute(1), **by)
    await record(day, day.buyers[0], Outcome("sample"))
    assert (await day.state_of(seller), await day.state_of(buyer)) == ("left", "checked_in")
    report = await report_of(meeting_id=day.meeting_id, town_id=day.town.organisation_id, at=day.minute(99))
    assert report.came == {"seller": 1, "buyer": 1}


async def test_said_not_to_come_stays_so_unless_something_came_of_the_talk(day: Day) -> None:
    seller, buyer = day.sellers[0].organisation_id, day.buyers[0].organisation_id
    by: dict[str, Any] = {
        "meeting_id": day.meeting_id,
        "town_id": day.town.organisation_id,
        "actor": day.town.actor,
    }
    await mark_attendance(organisation_id=seller, move="mark_no_show", at=day.minute(5), **by)
    await record(day, day.town, Outcome("none", reason="other", note="没有来"))
    assert (await day.state_of(seller), await day.state_of(buyer)) == ("no_show", "checked_in")
    await correct_outcome(
        appointment_id=day.talks[0],
        outcome=Outcome("sample"),
        why="来了，晚了一点",
        organisation_id=day.town.organisation_id,
        actor=day.town.actor,
        at=day.minute(30),
    )
    assert await day.state_of(seller) == "checked_in"


async def test_set_right_to_one_side_did_not_come_takes_back_that_both_had(day: Day) -> None:
    await execute("INSERT INTO reason (code, zh, en, position) VALUES ('absent', '没到', 'Absent', 9)")
    seller, buyer = day.sellers[0].organisation_id, day.buyers[0].organisation_id
    town: dict[str, Any] = {"organisation_id": day.town.organisation_id, "actor": day.town.actor}
    await record(day, day.town, Outcome("none", reason="price"))
    # another talk of the buyer was held
    await record_outcome(appointment_id=day.talks[2], outcome=Outcome("sample"), at=day.minute(30), **town)
    assert (await day.state_of(seller), await day.state_of(buyer)) == ("checked_in", "checked_in")
    await correct_outcome(
        appointment_id=day.talks[0],
        outcome=Outcome("none", reason="absent"),
        why="点错了",
        at=day.minute(40),
        **town,
    )
    assert (await day.state_of(seller), await day.state_of(buyer)) == ("expected", "checked_in")


async def test_whoever_said_what_came_of_a_talk_has_come_whatever_it_is_set_right_to(day: Day) -> None:
    await execute("INSERT INTO reason (code, zh, en, position) VALUES ('absent', '没到', 'Absent', 9)")
    seller, buyer = day.sellers[0], day.buyers[0].organisation_id
    await record(day, seller, Outcome("none", reason="price"))
    await correct_outcome(
        appointment_id=day.talks[0],
        outcome=Outcome("none", reason="absent"),
        why="对方没有来",
        organisation_id=day.town.organisation_id,
        actor=day.town.actor,
        at=day.minute(40),
    )
    assert (await day.state_of(seller.organisation_id), await day.state_of(buyer)) == (
        "checked_in",
        "expected",
    )


async def test_talk_begun_by_mistake_never_was_and_nor_were_the_check_ins_that_it_made(day: Day) -> None:
    seller, buyer, town = day.sellers[0].organisation_id, day.buyers[0].organisation_id, day.town

    async def tap(talk: int, move: str, minute: float) -> None:
        by: dict[str, Any] = {"actor": town.actor, "at": day.minute(minute)}
        if move == "undo":
            await undo_start(appointment_id=talk, town_id=town.organisation_id, **by)
        else:
            await clock_talk(appointment_id=talk, move=move, organisation_id=town.organisation_id, **by)

    async def states() -> tuple[str, str]:
        return await day.state_of(seller), await day.state_of(buyer)

    deeds = "SELECT count(*) FROM audit_record WHERE action = 'undo_start_talk'"
    with pytest.raises(NotFound):
        await undo_start(
            appointment_id=day.talks[0], town_id=seller, actor=day.sellers[0].actor, at=day.minute(1)
        )
    by: dict[str, Any] = {"meeting_id": day.meeting_id, "town_id": town.organisation_id, "actor": town.actor}
    await mark_attendance(organisation_id=buyer, move="check_in", at=day.minute(0), **by)
    await tap(day.talks[0], "start", 1)
    await tap(day.talks[0], "end", 2)
    for _ in range(2):
        await tap(day.talks[0], "undo", 3)
    assert (await times_of(meeting_id=day.meeting_id), await fetch_value(deeds)) == ({}, 1)
    # the buyer had come through the door; its check-in can be undone again
    assert await states() == ("expected", "checked_in")
    await mark_attendance(organisation_id=buyer, move="undo_check_in", at=day.minute(4), **by)
    # who has sat down at another table meanwhile stays: the buyer meets both sellers
    await tap(day.talks[0], "start", 5)
    await tap(day.talks[2], "start", 6)
    await tap(day.talks[0], "undo", 7)
    assert await states() == ("expected", "checked_in")
    # with a result it was held
    await tap(day.talks[0], "start", 8)
    await record(day, town, Outcome("sample"))
    with pytest.raises(Conflict, match="更正"):
        await tap(day.talks[0], "undo", 12)


async def test_result_waits_for_whoever_re_plans_and_neither_waits_in_a_ring(day: Day) -> None:
    held = asyncio.Event()

    blocked = """SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock'"""

    async def re_plan() -> None:
        async with transaction():
            await execute("SELECT id FROM meeting WHERE id = $1 FOR UPDATE", day.meeting_id)
            held.set()
            for _ in range(2_000):
                if await fetch_value(blocked):
                    break
            await execute(
                "SELECT id FROM appointment WHERE meeting = $1 ORDER BY id FOR UPDATE", day.meeting_id
            )

    async def say() -> None:
        await held.wait()
        await record(day, day.town, Outcome("sample"))

    await asyncio.gather(re_plan(), say())
    assert await counted(day) == "sample"

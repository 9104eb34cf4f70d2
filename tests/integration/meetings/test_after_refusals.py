"""What was refused at a talk holds for the next run, and goes with a result that is set right."""

from datetime import timedelta

import msgspec
import pytest

from fixtures.factories import STORY, TODAY, Factory
from market.db.session import execute, fetch_value
from market.matching.queries import snapshot
from market.meetings.after.following import answer_follow_up, ask_what_became, round_after_meetings
from market.meetings.after.judging import give_feedback
from market.meetings.after.queries import follow_ups_of
from market.meetings.commands import Outcome, TopicResult
from market.meetings.planning.facts import past_of
from market.meetings.queries import AppointmentRow
from market.meetings.talks.correcting import correct_outcome
from tests.integration.meetings.after_scene import After


@pytest.fixture
async def after(factory: Factory) -> After:
    """Its first talk was refused for the price, and the meeting is closed."""
    scene = await After(factory).begun()
    await scene.record(scene.talks[0], "none", reason="price")
    await scene.move("close")
    return scene


async def correct(after: After, talk: AppointmentRow, outcome: Outcome) -> None:
    await correct_outcome(
        appointment_id=talk.id,
        outcome=outcome,
        why="记错了",
        organisation_id=after.town.organisation_id,
        actor=after.town.actor,
        at=STORY,
    )


async def is_barred(after: After, talk: AppointmentRow) -> bool:
    market = await snapshot(town_id=after.town.organisation_id, on=TODAY)
    topic = talk.topics[0]
    return (str(topic.listing), str(topic.demand)) in set(market.barred)


async def state_of(talk: AppointmentRow) -> str:
    return str(await fetch_value("SELECT state FROM match WHERE id = $1", talk.topics[0].match))


@pytest.mark.parametrize(
    ("stood", "stands"),
    [
        ("", "proposed"),
        ("seller_agreed_at = now()", "one_side_agreed"),
        ("seller_agreed_at = now(), buyer_agreed_at = now()", "agreed"),
    ],
)
async def test_suggestion_stands_again_where_the_refusal_was_a_slip(
    factory: Factory, stood: str, stands: str
) -> None:
    after = await After(factory).begun()
    talk = after.talks[0]
    if stood:
        await execute(f"UPDATE match SET state = '{stands}', {stood} WHERE id = $1", talk.topics[0].match)
    await after.record(talk, "none", reason="price")
    await after.move("close")
    assert (await is_barred(after, talk), await state_of(talk)) == (True, "declined")
    said = (TopicResult(talk.topics[0].id, 1_000_000, 800),)
    await correct(after, talk, Outcome("intent", said))
    await round_after_meetings(at=STORY)
    assert (await is_barred(after, talk), await state_of(talk)) == (False, stands)


async def test_suggestion_that_a_later_run_has_put_aside_stays_aside_and_the_pair_is_free(
    after: After,
) -> None:
    talk = after.talks[0]
    await execute(
        "INSERT INTO run (town, state, parameters, created_at) VALUES ($1, 'done', '{}', $2)",
        after.town.organisation_id,
        STORY + timedelta(days=1),
    )
    await correct(after, talk, Outcome("sample"))
    await round_after_meetings(at=STORY)
    assert (await is_barred(after, talk), await state_of(talk)) == (False, "superseded")


async def test_who_declined_themselves_stay_declined(after: After) -> None:
    talk = after.talks[0]
    await execute("UPDATE match SET declined_by = seller WHERE id = $1", talk.topics[0].match)
    await correct(after, talk, Outcome("sample"))
    assert (await is_barred(after, talk), await state_of(talk)) == (True, "declined")


async def test_another_reason_refuses_anew(after: After) -> None:
    talk = after.talks[0]
    await correct(after, talk, Outcome("none", reason="quality"))
    await round_after_meetings(at=STORY)
    assert (await is_barred(after, talk), await state_of(talk)) == (True, "declined")
    why = "SELECT decline_reason FROM match WHERE id = $1"
    assert await fetch_value(why, talk.topics[0].match) == "quality"


async def judge(after: After, talk: AppointmentRow, side: str, *, again: bool) -> None:
    member = after.side(talk, side)
    await give_feedback(
        appointment_id=talk.id,
        score=3,
        again=again,
        note="",
        organisation_id=member.organisation_id,
        actor=member.actor,
        at=STORY,
    )


async def past(after: After, talk: AppointmentRow) -> list[str]:
    """Return what a plan of another meeting is told of the two."""
    return [each.ended for each in await past_of(0, {talk.seller, talk.buyer})]


async def test_two_who_would_both_rather_not_meet_again_are_kept_apart_whatever_came_of_it(
    factory: Factory,
) -> None:
    after = await After(factory).begun()
    talk = after.talks[0]
    await after.record(talk, "sample")
    await judge(after, talk, "seller", again=False)
    assert await past(after, talk) == []
    await judge(after, talk, "buyer", again=False)
    assert await past(after, talk) == ["parted"]


async def test_one_who_would_rather_not_counts_where_nothing_came_of_it(after: After) -> None:
    talk = after.talks[0]
    await judge(after, talk, "buyer", again=True)
    assert await past(after, talk) == []
    await judge(after, talk, "seller", again=False)
    assert await past(after, talk) == ["unwanted"]


async def test_last_talk_and_last_word_of_each_side_count(after: After) -> None:
    talk = after.talks[0]
    for side in ("seller", "buyer"):
        await judge(after, talk, side, again=False)
    assert await past(after, talk) == ["parted"]
    meeting = await fetch_value(
        """INSERT INTO meeting (town, title, held_on, starts_at, slot_minutes, slots, tables, venue, state,
                                created_at)
           SELECT town, title, held_on + 30, starts_at, slot_minutes, slots, tables, venue, 'closed',
                  created_at FROM meeting RETURNING id"""
    )
    later = await fetch_value(
        """INSERT INTO appointment (meeting, seller, buyer, slot, table_number, state, outcome, reason,
                                    created_at)
           VALUES ($1, $2, $3, 1, 1, 'held', 'none', 'price', $4) RETURNING id""",
        meeting,
        talk.seller,
        talk.buyer,
        STORY,
    )
    again = msgspec.structs.replace(talk, id=later)
    await judge(after, again, "buyer", again=True)
    assert await past(after, talk) == ["unwanted"]
    await judge(after, again, "seller", again=True)
    assert await past(after, talk) == []
    await judge(after, again, "seller", again=False)
    await execute("UPDATE appointment SET outcome = 'intent' WHERE id = $1", later)
    assert await past(after, talk) == []


async def test_nobody_is_asked_about_a_talk_to_which_one_side_did_not_come_after_all(
    factory: Factory,
) -> None:
    after = await After(factory).begun()
    talk = after.talks[0]
    await execute("INSERT INTO reason (code, zh, en, position) VALUES ('absent', '没到', 'Absent', 9)")
    await after.record(talk, "none", reason="price")
    await after.move("close")
    first, *_ = await follow_ups_of(meeting_id=after.meeting_id)
    late = STORY + timedelta(days=30)
    await answer_follow_up(
        follow_up_id=first.id,
        level="useful",
        note="",
        organisation_id=talk.buyer,
        actor=after.side(talk, "buyer").actor,
        at=late,
    )
    await correct(after, talk, Outcome("none", reason="absent"))
    await round_after_meetings(at=late)
    assert [each.days for each in await follow_ups_of(meeting_id=after.meeting_id)] == [30]
    assert await ask_what_became(at=STORY + timedelta(days=95)) == 0
    # and they are asked again where that was the mistake
    await correct(after, talk, Outcome("none", reason="quality"))
    assert await ask_what_became(at=STORY + timedelta(days=95)) == 2

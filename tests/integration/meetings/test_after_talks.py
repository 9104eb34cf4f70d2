"""After a meeting: samples, questions and feedback, coverage and budget."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from fixtures.factories import STORY, TODAY, Factory, Member
from market.db.session import execute, fetch, fetch_value
from market.errors import Conflict, Invalid, NotFound
from market.matching.queries import snapshot
from market.meetings.after.coverage import (
    NewBudgetLine,
    NewCoverage,
    add_coverage,
    remove_budget_line,
    safe_url,
    set_budget_line,
)
from market.meetings.after.following import (
    answer_follow_up,
    ask_what_became,
    round_after_meetings,
)
from market.meetings.after.judging import give_feedback
from market.meetings.after.queries import feedback_of, follow_ups_of, lessons_of, samples_of_meeting
from market.meetings.after.samples import move_sample, remind_of_samples, request_sample
from market.meetings.queries import AppointmentRow
from market.meetings.talks.noting import keep_note
from market.notices.queries import inbox
from market.privacy.retention import keep_to_periods
from market.transitions import WrongState
from market.web.meetings.after import rounds_of
from tests.integration.meetings.after_scene import After


@pytest.fixture
async def after(factory: Factory) -> After:
    return await After(factory).begun()


Told = Callable[[Member], Awaitable[list[str]]]


@pytest.fixture
def told() -> Told:
    async def kinds(member: Member) -> list[str]:
        return [each.kind for each in await inbox(organisation_id=member.organisation_id)]

    return kinds


async def barred_pairs() -> set[tuple[str, str]]:
    return set((await snapshot(town_id=None, on=TODAY)).barred)


async def sample(after: After) -> tuple[int, AppointmentRow]:
    talk = after.talks[0]
    asked = [
        await request_sample(
            appointment_id=talk.id, listing_id=talk.topics[0].listing, actor=after.town.actor, at=STORY
        )
        for _ in range(2)
    ]
    assert asked[0] == asked[1]
    return asked[0], talk


async def step(
    after: After, sample_id: int, move: str, member: Member, at: datetime = STORY, **said: Any
) -> str:
    return await move_sample(
        sample_id=sample_id,
        move=move,
        organisation_id=member.organisation_id,
        actor=member.actor,
        at=at,
        **said,
    )


async def test_a_sample_is_sent_received_and_answered_each_by_its_own_side(after: After, told: Told) -> None:
    sample_id, talk = await sample(after)
    seller, buyer = after.side(talk, "seller"), after.side(talk, "buyer")
    assert "sample_requested" in await told(seller)
    with pytest.raises(WrongState):
        await step(after, sample_id, "send", buyer, carrier="顺丰")
    with pytest.raises(Invalid):
        await step(after, sample_id, "send", seller)
    assert await step(after, sample_id, "send", seller, carrier="顺丰", tracking="SF1") == "sent"
    assert "sample_sent" in await told(buyer)
    with pytest.raises(WrongState):
        await step(after, sample_id, "receive", seller)
    assert await step(after, sample_id, "receive", buyer) == "received"
    for wrong in ({}, {"verdict": "fine"}, {"verdict": "improve"}):
        with pytest.raises(Invalid):
            await step(after, sample_id, "answer", buyer, **wrong)
    assert await step(after, sample_id, "answer", buyer, verdict="improve", note="换小包装") == "answered"
    (row,) = await samples_of_meeting(meeting_id=after.meeting_id)
    assert (row.carrier, row.tracking, row.verdict, row.note, row.due_on) == (
        "顺丰",
        "SF1",
        "improve",
        "换小包装",
        None,
    )
    assert (await lessons_of(town_id=after.town.organisation_id)).verdicts == {"improve": 1}


async def test_a_sample_that_was_never_noted_as_sent_is_signed_for_by_the_buyer(
    after: After, told: Told
) -> None:
    sample_id, talk = await sample(after)
    seller, buyer = after.side(talk, "seller"), after.side(talk, "buyer")
    with pytest.raises(WrongState):
        await step(after, sample_id, "receive", seller)
    assert await step(after, sample_id, "receive", buyer) == "received"
    (row,) = await samples_of_meeting(meeting_id=after.meeting_id)
    assert (row.sent_at, row.received_at, row.due_on) == (None, STORY, TODAY + timedelta(days=7))
    assert "sample_received" in await told(seller)
    with pytest.raises(WrongState):
        await step(after, sample_id, "send", seller, carrier="顺丰")


async def test_a_late_step_of_a_sample_is_told_once_to_whose_turn_it_is(after: After, told: Told) -> None:
    sample_id, talk = await sample(after)
    seller, buyer = after.side(talk, "seller"), after.side(talk, "buyer")
    days = [STORY + timedelta(days=n) for n in range(12)]
    assert await remind_of_samples(at=days[3]) == 0
    assert [await remind_of_samples(at=day) for day in days[4:6]] == [1, 0]
    assert (await told(seller)).count("sample_late") == 1
    await step(after, sample_id, "send", seller, days[5], carrier="自送")
    assert await remind_of_samples(at=days[10]) == 0
    assert [await remind_of_samples(at=days[11]) for _ in range(2)] == [1, 0]
    assert ((await told(seller)).count("sample_late"), (await told(buyer)).count("sample_late")) == (1, 1)


async def test_a_rejected_sample_bars_its_pair(after: After) -> None:
    sample_id, talk = await sample(after)
    await step(after, sample_id, "send", after.town, carrier="自送")
    await step(after, sample_id, "receive", after.town)
    assert await barred_pairs() == set()
    await step(after, sample_id, "answer", after.town, verdict="rejected")
    assert await barred_pairs() == {(str(talk.topics[0].listing), str(talk.topics[0].demand))}


async def test_a_sample_is_seen_by_its_sides_and_the_town_only(after: After, factory: Factory) -> None:
    sample_id, talk = await sample(after)
    stranger = next(each for each in after.sellers if each.organisation_id != talk.seller)
    for member in (stranger, await factory.member(role="official")):
        with pytest.raises(NotFound):
            await step(after, sample_id, "call_off", member)
    with pytest.raises(NotFound):
        await request_sample(appointment_id=talk.id, listing_id=0, actor=after.town.actor, at=STORY)


async def test_closing_puts_three_questions_for_every_talk_held(after: After) -> None:
    first, second = after.talks[:2]
    await after.record(first, "sample")
    await after.move("close")
    asked = await follow_ups_of(meeting_id=after.meeting_id)
    assert [(each.appointment, each.days, each.due_on) for each in asked] == [
        (first.id, days, TODAY + timedelta(days=days)) for days in (30, 90, 180)
    ]
    # recorded after the meeting was closed: the hourly round adds its questions, and nothing twice
    await after.record(second, "sample")
    for _ in range(2):
        await round_after_meetings(at=STORY)
    assert len(await follow_ups_of(meeting_id=after.meeting_id)) == 6


async def test_both_sides_are_asked_once_when_the_day_has_come(after: After, told: Told) -> None:
    talk = after.talks[0]
    await after.record(talk, "sample")
    await after.move("close")
    seller = after.side(talk, "seller")
    assert await ask_what_became(at=STORY + timedelta(days=29)) == 0
    assert [await ask_what_became(at=STORY + timedelta(days=n)) for n in (30, 31, 90)] == [2, 0, 2]
    assert (await told(seller)).count("follow_up_due") == 2


async def test_of_several_questions_that_are_due_at_once_the_last_one_asks(after: After, told: Told) -> None:
    talk = after.talks[0]
    await after.record(talk, "sample")
    late = STORY + timedelta(days=95)
    await after.move("close", late)
    assert [await ask_what_became(at=late) for _ in range(2)] == [2, 0]
    assert (await told(after.side(talk, "seller"))).count("follow_up_due") == 1
    asked = await follow_ups_of(meeting_id=after.meeting_id)
    assert [each.days for each in asked if each.is_due(TODAY + timedelta(days=95))] == [90]
    assert [each.asked_at for each in asked] == [None, late, None]


async def test_either_side_or_the_town_answers_when_the_day_has_come_and_nobody_else(
    after: After, factory: Factory
) -> None:
    talk = after.talks[0]
    await after.record(talk, "sample")
    await after.move("close")
    first = (await follow_ups_of(meeting_id=after.meeting_id))[0]

    async def answer(member: Member, level: str, at: datetime) -> None:
        await answer_follow_up(
            follow_up_id=first.id,
            level=level,
            note="",
            organisation_id=member.organisation_id,
            actor=member.actor,
            at=at,
        )

    later = STORY + timedelta(days=30)
    with pytest.raises(Conflict):
        await answer(after.town, "useful", STORY + timedelta(days=29))
    with pytest.raises(Invalid):
        await answer(after.town, "perhaps", later)
    with pytest.raises(NotFound):
        await answer(await factory.member(role="buyer"), "useful", later)
    for member, level in ((after.side(talk, "buyer"), "useful"), (after.town, "agreed")):
        await answer(member, level, later)
        assert (await follow_ups_of(meeting_id=after.meeting_id))[0].level == level
    # once the town has spoken, neither side changes it
    for side in ("seller", "buyer"):
        with pytest.raises(Conflict):
            await answer(after.side(talk, side), "no_contact", later)
    # whoever has answered is not asked
    assert await ask_what_became(at=later) == 0


async def test_whose_answer_it_is_sets_it_right_and_later_questions_stay_as_they_are(after: After) -> None:
    talk = after.talks[0]
    await after.record(talk, "sample")
    await after.move("close")
    first, second, _ = await follow_ups_of(meeting_id=after.meeting_id)
    late = STORY + timedelta(days=95)

    async def answer(side: str, question: int, level: str, note: str = "") -> None:
        member = after.side(talk, side)
        await answer_follow_up(
            follow_up_id=question,
            level=level,
            note=note,
            organisation_id=member.organisation_id,
            actor=member.actor,
            at=late,
        )

    await answer("seller", first.id, "no_contact")
    await answer("buyer", second.id, "negotiating", "等样品")
    with pytest.raises(Conflict):
        await answer("buyer", first.id, "agreed")
    await answer("seller", first.id, "useful", "通过电话")
    rows = await follow_ups_of(meeting_id=after.meeting_id)
    assert [(each.level, each.note, each.organisation) for each in rows] == [
        ("useful", "通过电话", talk.seller),
        ("negotiating", "等样品", talk.buyer),
        (None, "", None),
    ]
    recorded = await fetch("SELECT details FROM audit_record WHERE action = 'follow_up' ORDER BY position")
    assert [json.loads(each["details"]) for each in recorded] == [
        {"days": 30, "level": "no_contact"},
        {"days": 90, "level": "negotiating"},
        {"days": 30, "level": "useful", "was": "no_contact"},
    ]
    # counted once each
    assert [each.answered for each in rounds_of(rows)] == [1, 1, 0]


async def test_feedback_is_each_sides_own_and_the_town_hears_when_both_would_rather_not(
    after: After, told: Told
) -> None:
    talk = after.talks[0]
    seller, buyer = after.side(talk, "seller"), after.side(talk, "buyer")

    async def say(member: Member, score: int, again: bool) -> None:
        await give_feedback(
            appointment_id=talk.id,
            score=score,
            again=again,
            note="",
            organisation_id=member.organisation_id,
            actor=member.actor,
            at=STORY,
        )

    with pytest.raises(Conflict):
        await say(seller, 3, True)
    await after.record(talk, "sample")
    with pytest.raises(Invalid):
        await say(seller, 6, True)
    with pytest.raises(NotFound):
        await say(after.town, 3, True)
    await say(seller, 2, False)
    await say(buyer, 4, True)
    assert "never_again" not in await told(after.town)
    for _ in range(2):
        await say(buyer, 1, False)
    assert (await told(after.town)).count("never_again") == 1
    rows = await feedback_of(meeting_id=after.meeting_id, organisation_id=buyer.organisation_id)
    assert [(each.side, each.score, each.again) for each in rows] == [("buyer", 1, False)]
    lessons = await lessons_of(town_id=after.town.organisation_id)
    assert (lessons.score_tenths, lessons.scores, lessons.not_again, lessons.both_not_again) == (15, 2, 1, 1)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "http:evil",
        "//news.cn/a",
        "https://",
        "https://user:pw@news.cn/",
        "https://news.cn\\@evil.cn/",
        "https://news.cn/a b",
        "https://news.cn/\u202eabc",
        "data:text/html,x",
        "https://[::1",
        "https://news.cn:99999/",
        "https://localhost/",
        "https://news.cn/" + "a" * 500,
    ],
)
def test_a_link_that_leads_elsewhere_than_to_a_page_is_not_safe(url: str) -> None:
    assert safe_url(url) is False


@pytest.mark.parametrize("url", ["https://www.news.cn/2026-12/01/c_1.htm?x=1#a", "http://报.中国/一"])
def test_a_link_to_a_page_is_safe(url: str) -> None:
    assert safe_url(url) is True


async def test_two_officials_who_note_the_same_report_at_once_note_it_once(after: After) -> None:
    report = NewCoverage(outlet="辽宁日报", title="花生进城", published_on=TODAY, url="https://news.cn/1")
    by = {"town_id": after.town.organisation_id, "actor": after.town.actor, "at": STORY}
    done = await asyncio.gather(
        *(add_coverage(meeting_id=after.meeting_id, coverage=report, **by) for _ in range(8)),
        return_exceptions=True,
    )
    assert sorted(type(each).__name__ for each in done) == ["Conflict"] * 7 + ["int"]
    assert len((await after.report()).coverage) == 1


async def test_coverage_and_budget_are_the_towns(after: After, factory: Factory) -> None:
    other = await factory.member(role="official")
    report = NewCoverage(outlet="辽宁日报", title="花生进城", published_on=TODAY, url="https://news.cn/1")
    line = NewBudgetLine(name="搭棚", planned=300_000)

    async def add(town: Member, coverage: NewCoverage) -> int:
        return await add_coverage(
            meeting_id=after.meeting_id,
            coverage=coverage,
            town_id=town.organisation_id,
            actor=town.actor,
            at=STORY,
        )

    with pytest.raises(NotFound):
        await add(other, report)
    await add(after.town, report)
    with pytest.raises(Conflict):
        await add(after.town, report)
    with pytest.raises(Invalid) as refused:
        await add(after.town, NewCoverage("", "", date(2099, 1, 1), "ftp://x.cn"))
    assert set(refused.value.fields) == {"outlet", "title", "url", "published_on"}

    async def budget(change: NewBudgetLine, line_id: int | None = None, town: Member = after.town) -> int:
        return await set_budget_line(
            meeting_id=after.meeting_id,
            line=change,
            town_id=town.organisation_id,
            actor=town.actor,
            at=STORY,
            line_id=line_id,
        )

    first = await budget(line)
    assert await budget(NewBudgetLine("搭棚", 300_000, 280_050), first) == first
    second = await budget(NewBudgetLine("午餐", 100_000))
    with pytest.raises(Invalid):
        await budget(NewBudgetLine("", -1))
    with pytest.raises(NotFound):
        await budget(line, second + 1)
    with pytest.raises(NotFound):
        await budget(line, town=other)
    made = await after.report()
    assert (made.planned_fen, made.spent_fen, len(made.coverage)) == (400_000, 280_050, 1)
    await remove_budget_line(
        line_id=second,
        meeting_id=after.meeting_id,
        town_id=after.town.organisation_id,
        actor=after.town.actor,
        at=STORY,
    )
    assert (await after.report()).planned_fen == 300_000


async def test_notes_of_talks_go_a_year_after_the_last_day_of_their_meeting(after: After) -> None:
    talk = after.talks[0]
    await execute("UPDATE meeting SET days = 2 WHERE id = $1", after.meeting_id)
    await execute(
        "UPDATE invitation SET note = '晚到' WHERE meeting = $1 AND organisation = $2",
        after.meeting_id,
        talk.seller,
    )
    seller = after.side(talk, "seller")
    await keep_note(appointment_id=talk.id, text="王经理要小包装", actor=seller.actor, at=STORY)

    async def gone(days: int) -> dict[str, int]:
        return await keep_to_periods(at=STORY, today=TODAY + timedelta(days=1 + days))

    assert await gone(180) == {}
    assert await gone(181) == {"guests": 1}
    assert await gone(365) == {}
    assert await gone(366) == {"notes": 1}
    assert await fetch_value("SELECT count(*) FROM appointment_note") == 0

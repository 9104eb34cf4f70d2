"""The result of a talk that was recorded wrongly, or differently by two parties."""

import asyncio

import pytest

from fixtures.factories import Factory, Member
from market.db.session import execute, fetch, fetch_value
from market.deals.operations import sign
from market.errors import Conflict, Invalid, NotFound
from market.followup.queries import entries_of
from market.followup.rules import Filters
from market.i18n import translate
from market.meetings.after.concluding import conclude_topic
from market.meetings.after.following import settle_refusals
from market.meetings.after.queries import lessons_of, stuck_of
from market.meetings.after.samples import move_sample
from market.meetings.commands import Outcome, TopicResult
from market.meetings.talks.correcting import correct_outcome, settle_outcome
from market.meetings.talks.recording import Recorded, record_outcome
from market.meetings.talks.statements import disputed, replaced_statements, settlements_of, statements_of
from market.notices.queries import inbox
from market.units import FenPerKg, Gram
from tests.integration.meetings.day import Day

NOTHING = Outcome("none", reason="price")


@pytest.fixture
async def day(factory: Factory) -> Day:
    return await Day(factory).begun()


async def topic(day: Day) -> int:
    return int(await fetch_value("SELECT id FROM topic WHERE appointment = $1", day.talks[0]))


async def figures(day: Day, outcome: str, grams: int = 500_000, price: int = 700) -> Outcome:
    return Outcome(outcome, (TopicResult(await topic(day), grams, price),))


async def record(
    day: Day, by: Member, outcome: Outcome, *, minute: float = 10, sure: bool = False
) -> Recorded:
    return await record_outcome(
        appointment_id=day.talks[0],
        outcome=outcome,
        organisation_id=by.organisation_id,
        actor=by.actor,
        at=day.minute(minute),
        sure=sure,
    )


async def correct(
    day: Day, by: Member, outcome: Outcome, *, why: str = "点错了", minute: float = 20, **further: int
) -> Recorded:
    return await correct_outcome(
        appointment_id=day.talks[0],
        outcome=outcome,
        why=why,
        organisation_id=by.organisation_id,
        actor=by.actor,
        at=day.minute(minute),
        seen=further.get("seen"),
    )


async def settle(day: Day, by: Member, statement_id: int, *, minute: float = 30) -> Recorded:
    return await settle_outcome(
        appointment_id=day.talks[0],
        statement_id=statement_id,
        organisation_id=by.organisation_id,
        actor=by.actor,
        at=day.minute(minute),
    )


async def statement_of(day: Day, by: Member) -> int:
    found = await statements_of(appointment_id=day.talks[0])
    return next(each.id for each in found if each.organisation == by.organisation_id)


async def counted(day: Day) -> str:
    return str(await fetch_value("SELECT outcome FROM appointment WHERE id = $1", day.talks[0]))


async def told(by: Member) -> list[str]:
    found = await inbox(organisation_id=by.organisation_id)
    return [translate(each.message, "zh") for each in found if each.kind == "outcome_corrected"]


async def intents(day: Day) -> list[tuple[str, int, int]]:
    rows = await entries_of(organisation_id=day.sellers[0].organisation_id, filters=Filters())
    return [(each.kind, each.grams, each.price) for each in rows]


# absurd figures


@pytest.mark.parametrize(
    ("grams", "price", "asked"),
    [
        (49_999_999_500, 700, "quantity"),  # 99,999,999 斤
        (500_000, 7000, "price"),
        (500_000, 70, "price"),
    ],
)
async def test_figures_far_off_are_asked_back_once(day: Day, grams: int, price: int, asked: str) -> None:
    await execute("UPDATE listing SET ask = 700")
    odd = await figures(day, "intent", grams, price)
    with pytest.raises(Invalid) as refused:
        await record(day, day.town, odd)
    assert set(refused.value.fields) == {f"{asked}_{await topic(day)}"}
    assert await day.count("statement") == 0
    await record(day, day.town, odd, sure=True)
    assert await counted(day) == "intent"


async def test_more_than_the_demand_wants_is_asked_back_in_words(day: Day) -> None:
    await execute("UPDATE demand SET open = 200000")
    with pytest.raises(Invalid) as refused:
        await record(day, day.town, await figures(day, "quote", 500_000))
    (said,) = refused.value.fields.values()
    assert "1,000 斤（0.5 吨）" in translate(said, "zh")
    assert "只要 0.2 吨" in translate(said, "zh")


# a reason that asks for words


async def test_other_reason_asks_for_words(day: Day) -> None:
    with pytest.raises(Invalid) as refused:
        await record(day, day.buyers[0], Outcome("none", reason="other", note="  "))
    assert set(refused.value.fields) == {"note"}
    await record(day, day.buyers[0], Outcome("none", reason="other", note="老板不同意"))


async def test_reason_is_told_in_its_words_and_without_its_prompt(day: Day) -> None:
    await execute(
        "UPDATE reason SET zh = '其他原因（请说明）', en = 'Other (please explain)' WHERE code = 'other'"
    )
    await record(day, day.town, Outcome("none", reason="other", note="老板不同意"))
    town, meeting = day.town.organisation_id, day.meeting_id
    (lesson,) = (await lessons_of(town_id=town, meeting_id=meeting)).reasons
    assert (lesson.zh, lesson.en) == ("其他原因", "Other")
    told = {each.listing: each.reasons_zh for each in await stuck_of(meeting_id=meeting)}
    assert told[day.listings[0]] == ["老板不同意"]


# setting right


async def test_town_sets_a_result_right_and_the_record_before_stays(day: Day) -> None:
    await record(day, day.town, NOTHING)
    await correct(day, day.town, await figures(day, "intent"))
    assert await counted(day) == "intent"
    (now,) = await statements_of(appointment_id=day.talks[0])
    (before,) = await replaced_statements(appointment_id=day.talks[0])
    assert (now.outcome, now.why, before.outcome, before.replaced_at) == (
        *("intent", "点错了", "none"),
        day.minute(20),
    )
    assert before.recorded_by
    for side in (day.sellers[0], day.buyers[0]):
        assert ["更正为“达成意向”：点错了" in each for each in await told(side)] == [True]
    assert await told(day.town) == []
    by = await fetch_value("SELECT person FROM audit_record WHERE action = 'correct_result'")
    assert by == day.town.person_id


async def test_side_sets_its_own_right_while_nobody_else_has_recorded(day: Day) -> None:
    await record(day, day.sellers[0], NOTHING)
    await correct(day, day.sellers[0], await figures(day, "intent"))
    assert len(await told(day.buyers[0])) == len(await told(day.town)) == 1
    for stranger in (day.buyers[0], day.sellers[1]):
        with pytest.raises((Conflict, NotFound)):
            await correct(day, stranger, NOTHING)
    await record(day, day.buyers[0], NOTHING, minute=25)
    with pytest.raises(Conflict):
        await correct(day, day.sellers[0], NOTHING, minute=26)


async def test_side_sets_nothing_right_after_the_meeting_and_the_town_until_it_is_wound_up(day: Day) -> None:
    await record(day, day.sellers[0], NOTHING)
    await execute("UPDATE meeting SET state = 'closed'")
    with pytest.raises(Conflict):
        await correct(day, day.sellers[0], await figures(day, "intent"))
    await correct(day, day.town, await figures(day, "intent"))
    await execute("UPDATE meeting SET state = 'followed_up'")
    with pytest.raises(Conflict):
        await correct(day, day.town, NOTHING)


async def test_correction_says_why_and_something_else(day: Day) -> None:
    await record(day, day.town, NOTHING)
    for outcome, why, field in (
        (await figures(day, "intent"), " ", "why"),
        (await figures(day, "intent"), "长" * 201, "why"),
        (NOTHING, "点错了", "outcome"),
        (Outcome("none"), "点错了", "reason"),
    ):
        with pytest.raises(Invalid) as refused:
            await correct(day, day.town, outcome, why=why)
        assert set(refused.value.fields) == {field}
    assert await day.count("statement") == 1


async def test_talk_without_a_record_has_nothing_to_correct(day: Day) -> None:
    with pytest.raises(Conflict):
        await correct(day, day.town, NOTHING)


async def test_who_has_not_seen_the_last_correction_makes_none(day: Day) -> None:
    await record(day, day.town, NOTHING)
    seen = await statement_of(day, day.town)
    done = await asyncio.gather(
        correct(day, day.town, await figures(day, "intent"), seen=seen),
        correct(day, day.town, await figures(day, "quote"), seen=seen),
        return_exceptions=True,
    )
    assert sorted(type(each).__name__ for each in done) == ["Conflict", "Recorded"]
    assert await day.count("statement") == 2


async def test_unsigned_contract_goes_with_the_result_that_made_it(day: Day) -> None:
    before = await fetch("SELECT lot.remaining, demand.open FROM lot, demand ORDER BY lot.id, demand.id")
    made = await record(day, day.town, await figures(day, "signed"))
    await correct(day, day.town, await figures(day, "intent", 400_000))
    assert await fetch_value("SELECT state FROM deal WHERE id = $1", made.deal_ids[0]) == "cancelled"
    assert await fetch_value("SELECT deal FROM topic WHERE id = $1", await topic(day)) is None
    after = await fetch("SELECT lot.remaining, demand.open FROM lot, demand ORDER BY lot.id, demand.id")
    assert after == before
    # an intent is counted once, with the figures that stand
    assert await intents(day) == [("intent", 400_000, 700)]


async def test_contract_is_made_anew_with_other_figures(day: Day) -> None:
    first = await record(day, day.town, await figures(day, "signed"))
    second = await correct(day, day.town, await figures(day, "signed", 300_000))
    rows = await fetch("SELECT id, state, quantity FROM deal ORDER BY id")
    assert [tuple(row) for row in rows] == [
        (first.deal_ids[0], "cancelled", 500_000),
        (second.deal_ids[0], "pending", 300_000),
    ]
    assert await intents(day) == [("intent", 300_000, 700)]


async def test_contract_that_one_side_has_signed_stands(day: Day) -> None:
    made = await record(day, day.town, await figures(day, "signed"))
    await sign(
        deal_id=made.deal_ids[0],
        organisation_id=day.sellers[0].organisation_id,
        actor=day.sellers[0].actor,
        at=day.minute(12),
    )
    with pytest.raises(Conflict) as refused:
        await correct(day, day.town, NOTHING)
    assert "已有人签字" in str(refused.value)
    assert (await counted(day), await day.count("statement")) == ("signed", 1)


async def test_contract_made_afterwards_from_an_intent_is_taken_back_with_it(day: Day) -> None:
    await record(day, day.town, await figures(day, "intent"))
    await conclude_topic(
        topic_id=await topic(day),
        quantity=Gram(400_000),
        price=FenPerKg(700),
        organisation_id=day.town.organisation_id,
        actor=day.town.actor,
        at=day.minute(15),
    )
    await correct(day, day.town, NOTHING)
    assert await fetch_value("SELECT state FROM deal") == "cancelled"
    assert await intents(day) == []


async def test_sample_that_is_not_sent_is_called_off_and_awaited_again(day: Day) -> None:
    await record(day, day.buyers[0], Outcome("sample"))
    await correct(day, day.buyers[0], NOTHING)
    assert await fetch_value("SELECT state FROM sample") == "called_off"
    await correct(day, day.town, Outcome("sample"), minute=25)
    rows = await fetch("SELECT state FROM sample")
    assert [row["state"] for row in rows] == ["requested"]


async def test_sample_on_its_way_stays_on_its_way(day: Day) -> None:
    await record(day, day.buyers[0], Outcome("sample"))
    await move_sample(
        sample_id=await fetch_value("SELECT id FROM sample"),
        move="send",
        organisation_id=day.sellers[0].organisation_id,
        actor=day.sellers[0].actor,
        at=day.minute(12),
        carrier="自送",
    )
    await correct(day, day.town, await figures(day, "intent"))
    assert await fetch_value("SELECT state FROM sample") == "sent"


async def test_refusal_goes_with_the_result_that_was_wrong(day: Day) -> None:
    await record(day, day.town, NOTHING)
    await execute("UPDATE meeting SET state = 'closed'")
    await settle_refusals(at=day.minute(15))
    assert await fetch_value("SELECT reason FROM refusal") == "price"
    await correct(day, day.town, Outcome("none", reason="quality"))
    await settle_refusals(at=day.minute(30))
    assert await fetch_value("SELECT reason FROM refusal") == "quality"


# settling


async def test_town_settles_which_record_stands(day: Day) -> None:
    await record(day, day.sellers[0], await figures(day, "intent"))
    await record(day, day.buyers[0], NOTHING, minute=11)
    assert await disputed(meeting_id=day.meeting_id) == {day.talks[0]}
    for _ in range(2):
        await settle(day, day.town, await statement_of(day, day.buyers[0]))
    assert (await counted(day), await intents(day)) == ("none", [])
    assert await disputed(meeting_id=day.meeting_id) == frozenset()
    (settlement,) = await settlements_of(appointment_id=day.talks[0])
    assert settlement.settled_by
    for side in (day.sellers[0], day.buyers[0]):
        assert ["镇里核对后定为“暂无结果”" in each for each in await told(side)] == [True]
    assert await fetch_value("SELECT count(*) FROM audit_record WHERE action = 'settle_result'") == 1


async def test_record_of_the_town_itself_is_settled_too(day: Day) -> None:
    await record(day, day.town, await figures(day, "intent"))
    await record(day, day.buyers[0], NOTHING, minute=11)
    assert await disputed(meeting_id=day.meeting_id) == {day.talks[0]}
    await settle(day, day.town, await statement_of(day, day.town))
    assert (await disputed(meeting_id=day.meeting_id), await counted(day)) == (frozenset(), "intent")
    # who speaks after that opens it again
    await record(day, day.sellers[0], NOTHING, minute=40)
    assert await disputed(meeting_id=day.meeting_id) == {day.talks[0]}


async def test_settling_takes_the_unsigned_contract_of_the_other_record_back(day: Day) -> None:
    made = await record(day, day.sellers[0], await figures(day, "signed"))
    await record(day, day.buyers[0], await figures(day, "intent"), minute=11)
    await settle(day, day.town, await statement_of(day, day.buyers[0]))
    assert await fetch_value("SELECT state FROM deal WHERE id = $1", made.deal_ids[0]) == "cancelled"
    assert await intents(day) == [("intent", 500_000, 700)]
    again = await settle(day, day.town, await statement_of(day, day.sellers[0]), minute=40)
    assert len(again.deal_ids) == 1
    assert await counted(day) == "signed"


async def test_nobody_but_the_town_settles_and_only_what_differs(day: Day) -> None:
    await record(day, day.sellers[0], NOTHING)
    own = await statement_of(day, day.sellers[0])
    with pytest.raises(Conflict):
        await settle(day, day.town, own)
    await record(day, day.buyers[0], await figures(day, "intent"), minute=11)
    for stranger in (day.sellers[0], day.buyers[0], day.buyers[1]):
        with pytest.raises(NotFound):
            await settle(day, stranger, own)
    with pytest.raises(Conflict):
        await settle(day, day.town, 10**9)


async def test_town_that_finds_neither_right_records_another(day: Day) -> None:
    await record(day, day.sellers[0], await figures(day, "intent"))
    await record(day, day.buyers[0], NOTHING, minute=11)
    await correct(day, day.town, await figures(day, "intent", 300_000), why="电话问过双方")
    assert await disputed(meeting_id=day.meeting_id) == frozenset()
    assert await intents(day) == [("intent", 300_000, 700)]
    assert len(await statements_of(appointment_id=day.talks[0])) == 3

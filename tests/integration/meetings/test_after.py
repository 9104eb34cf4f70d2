"""What follows a meeting on the real database: samples, questions, feedback, refusals, and its figures."""

from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from fixtures.factories import STORY, TODAY, Factory, Member
from market.db.session import execute, fetch, fetch_value
from market.deals.fulfilment import move_delivery, pay, schedule_delivery
from market.deals.operations import cancel, sign
from market.deals.queries import deals_of
from market.errors import Conflict, Invalid, NotFound
from market.matching.agreement import agree
from market.matching.operations import run_now
from market.matching.queries import snapshot
from market.meetings.after_queries import feedback_of, follow_ups_of, lessons_of, samples_of_meeting, stuck_of
from market.meetings.commands import NewMeeting, Outcome, TopicResult
from market.meetings.concluding import conclude_topic
from market.meetings.coverage import (
    NewBudgetLine,
    NewCoverage,
    add_coverage,
    remove_budget_line,
    safe_url,
    set_budget_line,
)
from market.meetings.following import answer_follow_up, ask_what_became, give_feedback, round_after_meetings
from market.meetings.operations import move_meeting, record_outcome
from market.meetings.planning import open_meeting
from market.meetings.queries import AppointmentRow, appointments_of_meeting
from market.meetings.report import Count
from market.meetings.report_queries import Report, report_of
from market.meetings.samples import move_sample, remind_of_samples, request_sample
from market.notices.queries import inbox
from market.transitions import WrongState
from market.units import FenPerKg, Gram
from market.web.reports import sums_of

TONNE = 1_000_000
MATCH = """INSERT INTO match (run, listing, demand, seller, buyer, quantity, price, price_low, price_high,
                              freight, distance, worth, reason, state, created_at, expires_at, decline_note)
           VALUES ($1, $2, $3, $4, $5, 4000000, 80000, 70000, 90000, 0, 1000, 400000, '{"text": "价"}',
                   'proposed', $6, $6::timestamptz + interval '14 days', '') RETURNING id"""
TALK = """WITH made AS (
            INSERT INTO appointment (meeting, seller, buyer, slot, table_number, state, note, source, fixed,
                                     created_at)
            VALUES ($1, $2, $3, $4, 1, 'scheduled', '', 'planned', false, $5) RETURNING id),
          asked AS (
            INSERT INTO invitation (meeting, organisation, side, state, attendance, reason, source,
                                    link_version, reminders, note, created_at)
            VALUES ($1, $2, 'seller', 'accepted', 'checked_in', '{"text": "价"}', 'planned', 1, 0, '', $5),
                   ($1, $3, 'buyer', 'accepted', 'expected', '{"text": "价"}', 'planned', 1, 0, '', $5)
            ON CONFLICT (meeting, organisation) DO NOTHING)
          INSERT INTO topic (appointment, listing, demand, match) SELECT id, $6, $7, $8 FROM made"""


class After:
    """A meeting of two villages and two chains that is under way; every pair has something to talk about."""

    def __init__(self, factory: Factory) -> None:
        self.factory = factory

    async def begun(self) -> "After":
        make = self.factory
        self.town = await make.member(role="official")
        self.sellers = [
            await make.member(role="secretary", town_id=self.town.organisation_id) for _ in range(2)
        ]
        self.buyers = [await make.member(role="buyer") for _ in range(2)]
        listings = [await make.listing(each, kg=10_000) for each in self.sellers]
        demands = [await make.demand(each, kg=8_000) for each in self.buyers]
        run_id = await fetch_value(
            """INSERT INTO run (town, state, parameters, created_at) VALUES ($1, 'done', '{}', $2)
               RETURNING id""",
            self.town.organisation_id,
            STORY,
        )
        self.meeting_id = await open_meeting(
            meeting=NewMeeting(
                title="对接会", held_on=TODAY, venue="村部", slots=4, tables=3, half_day_after=2
            ),
            town_id=self.town.organisation_id,
            actor=self.town.actor,
            at=STORY,
        )
        await execute("UPDATE meeting SET state = 'timetabled', run = $1", run_id)
        for slot, (i, j) in enumerate([(0, 0), (1, 1), (0, 1), (1, 0)], start=1):
            seller, buyer = self.sellers[i].organisation_id, self.buyers[j].organisation_id
            # the engine proposed 4 t for two of the pairs; the other two only have something to talk about
            match_id = (
                await fetch_value(MATCH, run_id, listings[i], demands[j], seller, buyer, STORY)
                if i == j
                else None
            )
            await execute(
                TALK, self.meeting_id, seller, buyer, slot, STORY, listings[i], demands[j], match_id
            )
        await self.move("start")
        self.talks = await appointments_of_meeting(meeting_id=self.meeting_id)
        return self

    async def move(self, move: str, at: datetime = STORY) -> None:
        await move_meeting(
            meeting_id=self.meeting_id,
            move=move,
            town_id=self.town.organisation_id,
            actor=self.town.actor,
            at=at,
        )

    async def record(self, talk: AppointmentRow, outcome: str, **said: Any) -> list[int]:
        """Record as the town does; ``kg`` and ``price`` are of the talk's first topic."""
        topics = (
            (TopicResult(talk.topics[0].id, said["kg"] * 1_000, said.get("price", 800)),)
            if "kg" in said
            else ()
        )
        recorded = await record_outcome(
            appointment_id=talk.id,
            outcome=Outcome(outcome=outcome, topics=topics, reason=said.get("reason")),
            organisation_id=self.town.organisation_id,
            actor=self.town.actor,
            at=STORY,
        )
        return list(recorded.deal_ids)

    def side(self, talk: AppointmentRow, name: str) -> Member:
        organisation = getattr(talk, name)
        return next(each for each in (*self.sellers, *self.buyers) if each.organisation_id == organisation)

    async def sign(self, talk: AppointmentRow, deal_id: int, *sides: str) -> None:
        for name in sides:
            member = self.side(talk, name)
            await sign(deal_id=deal_id, organisation_id=member.organisation_id, actor=member.actor, at=STORY)

    async def deliver(self, talk: AppointmentRow, deal_id: int, kg: int, taken: int | None = None) -> None:
        seller, buyer = self.side(talk, "seller"), self.side(talk, "buyer")
        delivery = await schedule_delivery(
            deal_id=deal_id,
            quantity=Gram(kg * 1_000),
            on=TODAY,
            organisation_id=seller.organisation_id,
            actor=seller.actor,
            at=STORY,
        )
        steps: list[tuple[str, Member, dict[str, Any]]] = [("dispatch", seller, {}), ("arrive", buyer, {})]
        if taken is None:
            steps.append(("accept", buyer, {}))
        else:
            steps.append(("accept_part", buyer, {"accepted": Gram(taken * 1_000), "reason": "quality"}))
        for move, who, more in steps:
            await move_delivery(
                delivery_id=delivery,
                move=move,
                organisation_id=who.organisation_id,
                actor=who.actor,
                at=STORY,
                **more,
            )

    async def report(self) -> Report:
        return await report_of(
            meeting_id=self.meeting_id, town_id=self.town.organisation_id, at=STORY + timedelta(days=30)
        )


@pytest.fixture
async def after(factory: Factory) -> After:
    return await After(factory).begun()


Told = Callable[[Member], Awaitable[list[str]]]


@pytest.fixture
def told() -> Told:
    async def kinds(member: Member) -> list[str]:
        return [each.kind for each in await inbox(organisation_id=member.organisation_id)]

    return kinds


# --- the figures -------------------------------------------------------------------------------------------


async def test_intents_contracts_deliveries_and_payments_are_counted_apart_and_each_once(
    after: After,
) -> None:
    first, second, third = after.talks[:3]
    (struck,) = await after.record(first, "signed", kg=3_000, price=800)
    await after.record(second, "intent", kg=2_000, price=750)
    await after.record(third, "none", reason="price")
    assert (await after.report()).figures.contracts == Count()  # struck, and not signed by anybody
    await after.sign(first, struck, "seller", "buyer")
    # 1 t taken whole, of another tonne 400 kg: 1.4 t; the first is paid
    await after.deliver(first, struck, 1_000)
    await after.deliver(first, struck, 1_000, taken=400)
    payments = await fetch("SELECT id FROM payment ORDER BY id")
    buyer = after.side(first, "buyer")
    await pay(
        payment_id=payments[0]["id"], organisation_id=buyer.organisation_id, actor=buyer.actor, at=STORY
    )
    report = await after.report()
    figures = report.figures
    assert figures.intents == Count(2, 5 * TONNE, 2_400_000 + 1_500_000)
    assert figures.intents_signed == Count(1, 3 * TONNE, 2_400_000)
    assert figures.intents_open == Count(1, 2 * TONNE, 1_500_000)
    assert figures.contracts == Count(1, 3 * TONNE, 2_400_000)
    assert figures.delivered == Count(1, 1_400_000, 1_120_000)
    assert figures.paid == Count(1, 0, 800_000)
    assert figures.outcomes == {"signed": 1, "intent": 1, "none": 1}
    # the town's ledger says the same of the same deals
    ledger = sums_of(await deals_of(organisation_id=after.town.organisation_id))
    assert (ledger.signed, ledger.signed_grams) == (figures.contracts.fen, figures.contracts.grams)
    assert (ledger.delivered, ledger.delivered_grams, ledger.paid) == (
        figures.delivered.fen,
        figures.delivered.grams,
        figures.paid.fen,
    )


async def test_an_intent_is_concluded_later_on_other_terms_and_moves_from_intent_to_contract(
    after: After,
) -> None:
    talk = after.talks[0]
    await after.record(talk, "intent", kg=2_000, price=750)
    await after.move("close")
    seller = after.side(talk, "seller")
    made = [
        await conclude_topic(
            topic_id=talk.topics[0].id,
            quantity=Gram(1_500_000),
            price=FenPerKg(780),
            organisation_id=seller.organisation_id,
            actor=seller.actor,
            at=STORY,
            key="11111111-1111-4111-8111-111111111111",
        )
        for _ in range(2)
    ]
    assert made[0] == made[1]
    assert await fetch_value("SELECT count(*) FROM deal") == 1
    assert (await after.report()).figures.intents_unsigned == Count(1, 2 * TONNE, 1_500_000)
    await after.sign(talk, made[0].deal_id, "buyer", "seller")
    figures = (await after.report()).figures
    assert figures.intents == figures.intents_signed == Count(1, 2 * TONNE, 1_500_000)
    assert figures.contracts == Count(1, 1_500_000, 1_170_000)
    with pytest.raises(Conflict, match="已经有合同"):
        await conclude_topic(
            topic_id=talk.topics[0].id,
            quantity=Gram(1),
            price=FenPerKg(1),
            organisation_id=seller.organisation_id,
            actor=seller.actor,
            at=STORY,
        )


async def test_an_intent_can_be_concluded_when_its_match_has_lapsed(after: After) -> None:
    talk = next(each for each in after.talks if each.topics[0].match)
    await after.record(talk, "intent", kg=1_000)
    await execute("UPDATE match SET state = 'expired'")
    made = await conclude_topic(
        topic_id=talk.topics[0].id,
        quantity=Gram(TONNE),
        price=FenPerKg(800),
        organisation_id=after.town.organisation_id,
        actor=after.town.actor,
        at=STORY,
    )
    assert await fetch_value("SELECT source FROM deal WHERE id = $1", made.deal_id) == "appointment"


async def test_a_talk_without_an_open_result_makes_no_contract(after: After, factory: Factory) -> None:
    talk = after.talks[0]
    await after.record(talk, "none", reason="price")
    stranger = await factory.member(role="buyer")
    for member, error in ((after.town, Conflict), (stranger, NotFound)):
        with pytest.raises(error):
            await conclude_topic(
                topic_id=talk.topics[0].id,
                quantity=Gram(1_000),
                price=FenPerKg(800),
                organisation_id=member.organisation_id,
                actor=member.actor,
                at=STORY,
            )


async def test_a_cancelled_contract_counts_nowhere_and_is_told_apart(after: After) -> None:
    talk = after.talks[0]
    (struck,) = await after.record(talk, "signed", kg=3_000)
    buyer = after.side(talk, "buyer")
    await cancel(deal_id=struck, organisation_id=buyer.organisation_id, actor=buyer.actor, at=STORY)
    figures = (await after.report()).figures
    assert (figures.contracts, figures.unsigned) == (Count(), Count())
    assert figures.gone == Count(1, 3 * TONNE, 2_400_000)
    assert figures.intents == figures.intents_gone


async def test_a_match_signed_outside_the_meeting_is_not_the_meetings(after: After) -> None:
    talk = next(each for each in after.talks if each.topics[0].match)
    match_id = talk.topics[0].match
    assert match_id is not None
    await after.record(talk, "intent", kg=1_000)
    for name in ("seller", "buyer"):
        member = after.side(talk, name)
        agreed = await agree(
            match_id=match_id, organisation_id=member.organisation_id, actor=member.actor, at=STORY
        )
    assert agreed.deal_id is not None
    await after.sign(talk, agreed.deal_id, "seller", "buyer")
    report = await after.report()
    assert report.figures.contracts == Count()
    assert report.figures.intents_open.number == 1
    assert report.fates[match_id] == "elsewhere"
    proposed = await fetch(
        "SELECT count(*) AS n, sum(quantity)::bigint AS grams, sum(worth)::bigint AS worth FROM match"
    )
    assert (report.figures.proposed.number, report.figures.proposed.grams, report.figures.proposed.worth) == (
        proposed[0]["n"],
        proposed[0]["grams"],
        proposed[0]["worth"],
    )
    assert sum(each.number for each in report.figures.fates.values()) == report.figures.proposed.number


async def test_a_report_is_its_own_towns(after: After, factory: Factory) -> None:
    other = await factory.member(role="official")
    for organisation in (other.organisation_id, after.sellers[0].organisation_id):
        with pytest.raises(NotFound):
            await report_of(meeting_id=after.meeting_id, town_id=organisation, at=STORY)


async def test_what_is_left_names_why_talks_about_it_came_to_nothing(after: After) -> None:
    talk = after.talks[0]
    await after.record(talk, "none", reason="quality")
    await execute("UPDATE match SET state = 'expired'")
    left = {each.listing: each for each in await stuck_of(meeting_id=after.meeting_id)}
    assert set(left) == {topic.listing for each in after.talks for topic in each.topics}
    assert left[talk.topics[0].listing].reasons_zh == ["quality"]
    assert {each.left for each in left.values()} == {10 * TONNE}


# --- refusals ----------------------------------------------------------------------------------------------


async def barred_pairs() -> set[tuple[str, str]]:
    return set((await snapshot(town_id=None, on=TODAY)).barred)


async def test_a_refusal_at_the_table_bars_the_pair_from_the_next_run_once_the_meeting_is_closed(
    after: After,
) -> None:
    talk = next(each for each in after.talks if each.topics[0].match)
    topic = talk.topics[0]
    pair = (str(topic.listing), str(topic.demand))
    await after.record(talk, "none", reason="price")
    assert pair not in await barred_pairs()
    await after.move("close")
    assert pair in await barred_pairs()
    match = (await fetch("SELECT state, decline_reason FROM match WHERE id = $1", topic.match))[0]
    assert (match["state"], match["decline_reason"]) == ("declined", "price")
    run_id = await run_now(town_id=after.town.organisation_id, actor=after.town.actor, at=STORY)
    again = await fetch(
        "SELECT id FROM match WHERE run = $1 AND listing = $2 AND demand = $3",
        run_id,
        topic.listing,
        topic.demand,
    )
    assert again == []


async def test_a_record_set_right_after_the_meeting_lets_the_pair_be_proposed_again(after: After) -> None:
    talk = next(each for each in after.talks if each.topics[0].demand)
    await execute("UPDATE match SET state = 'expired'")
    await after.record(talk, "none", reason="price")
    await after.move("close")
    pair = (str(talk.topics[0].listing), str(talk.topics[0].demand))
    assert pair in await barred_pairs()
    await execute("UPDATE appointment SET outcome = 'sample', reason = NULL WHERE id = $1", talk.id)
    await round_after_meetings(at=STORY)
    assert pair not in await barred_pairs()


# --- samples -----------------------------------------------------------------------------------------------


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


# --- questions and feedback --------------------------------------------------------------------------------


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
    # whoever has answered is not asked
    assert await ask_what_became(at=later) == 0


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


# --- coverage and budget -----------------------------------------------------------------------------------


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

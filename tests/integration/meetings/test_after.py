"""After a meeting: its figures against what was done, intents concluded later, pairs that refused."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from fixtures.factories import STORY, TODAY, Factory, Member
from market.dashboard.received import received_under
from market.db.session import execute, fetch, fetch_value
from market.deals.operations import cancel
from market.deals.paying import pay
from market.deals.queries import deals_of
from market.errors import Conflict, NotFound
from market.matching.agreement import agree
from market.matching.operations import run_now
from market.matching.queries import snapshot
from market.meetings.after.concluding import conclude_topic
from market.meetings.after.following import round_after_meetings
from market.meetings.after.queries import follow_ups_of, stuck_of
from market.meetings.after.report import Count
from market.meetings.after.report_queries import report_of
from market.meetings.commands import Outcome
from market.meetings.day.attendance import mark_attendance
from market.meetings.operations import StillToCome, move_meeting, record_outcome
from market.meetings.queries import appointments_of_meeting
from market.meetings.standing import standing_of
from market.notices.queries import inbox
from market.units import FenPerKg, Gram
from market.web.followup.reports import sums_of
from tests.integration.meetings.after_scene import TONNE, After


@pytest.fixture
async def after(factory: Factory) -> After:
    return await After(factory).begun()


Told = Callable[[Member], Awaitable[list[str]]]


@pytest.fixture
def told() -> Told:
    async def kinds(member: Member) -> list[str]:
        return [each.kind for each in await inbox(organisation_id=member.organisation_id)]

    return kinds


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
    deals = await deals_of(organisation_id=after.town.organisation_id)
    ledger = sums_of(deals)
    assert (ledger.signed, ledger.signed_grams) == (figures.contracts.fen, figures.contracts.grams)
    assert (ledger.delivered, ledger.delivered_grams) == (figures.delivered.fen, figures.delivered.grams)
    assert (await received_under([each.id for each in deals])).total == figures.paid.fen


async def test_loss_and_deposit_of_a_contract_reach_its_meetings_report(after: After) -> None:
    talk = after.talks[0]
    (struck,) = await after.record(talk, "signed", kg=2_000, price=800)
    await after.sign(talk, struck, "seller", "buyer")
    await execute(
        """INSERT INTO payment (deal, amount, paid, kind, state, due_on, paid_on)
           VALUES ($1, 200000, 200000, 'deposit', 'paid', $2, $2)""",
        struck,
        TODAY,
    )
    await after.deliver(talk, struck, 1_000)
    await execute("UPDATE delivery SET accepted = accepted - 5000, loss = 5000")
    (line,) = [each for each in (await after.report()).lines if each.deal == struck]
    assert (line.lost, line.undelivered) == (5_000, TONNE)
    # half of the goods use half of the deposit; the rest of them is not paid, whatever lies there for later
    assert (line.covered, line.beforehand, line.owed) == (100_000, 200_000, 700_000)


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


@pytest.mark.parametrize("outcome", ["intent", "signed"])
async def test_contract_that_was_cancelled_gives_way_to_another_and_the_topic_counts_once(
    after: After, outcome: str
) -> None:
    talk = after.talks[0]
    seller = after.side(talk, "seller")
    who = {"organisation_id": seller.organisation_id, "actor": seller.actor, "at": STORY}

    async def conclude(kg: int) -> int:
        made = await conclude_topic(
            topic_id=talk.topics[0].id, quantity=Gram(kg * 1_000), price=FenPerKg(800), **who
        )
        return made.deal_id

    deals = await after.record(talk, outcome, kg=2_000)
    await after.move("close")
    first = deals[0] if deals else await conclude(2_000)
    await cancel(deal_id=first, reason="price", **who)
    assert (await after.report()).figures.intents_gone == Count(1, 2 * TONNE, 1_600_000)
    second = await conclude(1_000)
    with pytest.raises(Conflict, match="已经有合同"):
        await conclude(1_000)
    await after.sign(talk, second, "buyer", "seller")
    figures = (await after.report()).figures
    assert figures.intents == figures.intents_signed == Count(1, 2 * TONNE, 1_600_000)
    assert (figures.contracts, figures.gone) == (Count(1, TONNE, 800_000), Count())
    assert figures.fates["contract"].number == 1
    lot = "SELECT remaining FROM lot JOIN listing ON listing.lot = lot.id WHERE listing.id = $1"
    assert await fetch_value(lot, talk.topics[0].listing) == 9 * TONNE


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
    await cancel(
        reason="other",
        note="不做了",
        deal_id=struck,
        organisation_id=buyer.organisation_id,
        actor=buyer.actor,
        at=STORY,
    )
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
    # it was an intent of this meeting, and is none that still waits for a contract
    assert (report.figures.intents.number, report.figures.intents_passed.number) == (1, 1)
    assert report.figures.intents_open.number == 0
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


async def test_a_talk_that_was_called_off_waits_for_no_result(after: After) -> None:
    async def counted() -> tuple[int, int, int]:
        figures = (await after.report()).figures
        return figures.talks, figures.held, figures.waiting

    held, *_ = after.talks
    await after.record(held, "none", reason="price")
    assert await counted() == (4, 1, 3)
    # one village says no after the timetable was made: one of its talks is the one that was held
    village = held.seller
    state = "UPDATE invitation SET state = $2, attendance = $3, days_here = $4 WHERE organisation = $1"
    await execute(state, village, "declined", "expected", [])
    assert await counted() == (3, 1, 2)
    (brought,) = [each for each in (await after.report()).proposals if each.seller == village]
    assert (await after.report()).fates[brought.match] == "talked"
    await execute(state, village, "declined", "checked_in", [1])
    assert await counted() == (4, 1, 3)
    await execute(state, village, "accepted", "expected", [])
    assert await counted() == (4, 1, 3)


async def test_a_talk_is_missed_whose_one_side_did_not_come_until_it_has_a_result(
    after: After,
) -> None:
    async def counted() -> tuple[int, int, int, int]:
        figures = (await after.report()).figures
        return figures.talks, figures.held, figures.missed, figures.waiting

    talk, *_ = after.talks
    by = {
        "meeting_id": after.meeting_id,
        "town_id": after.town.organisation_id,
        "actor": after.town.actor,
    }
    await mark_attendance(organisation_id=talk.buyer, move="mark_no_show", at=STORY, **by)
    assert await counted() == (4, 0, 2, 2)
    await after.move("close")
    assert await counted() == (4, 0, 2, 2)
    # what is recorded late shows that it was there
    await after.record(talk, "sample")
    assert await counted() == (4, 1, 0, 3)


@pytest.mark.parametrize("move", ["cancel", "postpone"])
async def test_a_meeting_that_does_not_take_place_waits_for_no_results(after: After, move: str) -> None:
    await execute("UPDATE meeting SET state = 'timetabled'")
    await after.move(move)
    report = await after.report()
    assert (report.lines, report.figures.talks, report.figures.waiting) == ([], 0, 0)
    assert set(report.fates.values()) == {"not_brought"}


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


async def test_closing_asks_for_no_result_of_a_talk_to_which_one_side_did_not_come(after: After) -> None:
    town: dict[str, Any] = {"town_id": after.town.organisation_id, "actor": after.town.actor}
    evening = STORY + timedelta(hours=8)

    async def asked(at: datetime) -> tuple[int, int] | None:
        try:
            await move_meeting(meeting_id=after.meeting_id, move="close", at=at, **town)
        except StillToCome as still:
            return still.talks, still.alone
        return None

    first, second, *_ = after.talks
    await after.record(first, "sample")
    # the other village and the other chain were never seen: of two talks one side was, of one nobody
    assert await asked(evening) == (1, 2)
    await mark_attendance(
        meeting_id=after.meeting_id, organisation_id=second.buyer, move="mark_no_show", at=STORY, **town
    )
    talks = await appointments_of_meeting(meeting_id=after.meeting_id)
    assert [each.missed for each in talks] == [False, True, True, False]
    standing = await standing_of(meeting_id=after.meeting_id, town_id=after.town.organisation_id)
    assert (standing.talks, standing.held, standing.unrecorded) == (4, 1, 1)
    # in the morning whoever is late may still come
    assert [await asked(at) for at in (STORY, evening)] == [(1, 0), None]
    assert await fetch_value("SELECT state FROM meeting") == "closed"


async def test_a_talk_to_which_one_side_did_not_come_was_not_held_and_refuses_nothing(after: After) -> None:
    await execute("INSERT INTO reason (code, zh, en, position) VALUES ('absent', '没到', 'Absent', 9)")
    talk, other = (each for each in after.talks if each.topics[0].match)
    await after.record(talk, "none", reason="absent")
    seller = after.side(other, "seller")
    await record_outcome(
        appointment_id=other.id,
        outcome=Outcome("none", reason="absent"),
        organisation_id=seller.organisation_id,
        actor=seller.actor,
        at=STORY,
    )
    # who came is who says that the other did not; the town was at no table
    came = await fetch("SELECT organisation FROM invitation WHERE days_here <> '{}'")
    assert [row["organisation"] for row in came] == [seller.organisation_id]
    await after.move("close")
    report = await after.report()
    assert (report.figures.held, report.figures.missed, report.figures.outcomes) == (0, 2, {})
    assert {report.fates[each.match] for each in report.proposals} == {"not_held"}
    assert await barred_pairs() == set()
    assert await follow_ups_of(meeting_id=after.meeting_id) == []

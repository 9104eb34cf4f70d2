"""A meeting whose talks are written straight into the tables: what follows it needs no planner."""

from datetime import datetime, timedelta
from typing import Any

from fixtures.factories import STORY, TODAY, Factory, Member
from market.db.session import execute, fetch_value
from market.deals.fulfilment import move_delivery, schedule_delivery
from market.deals.operations import sign
from market.meetings.after.report_queries import Report, report_of
from market.meetings.commands import NewMeeting, Outcome, TopicResult
from market.meetings.operations import move_meeting, record_outcome
from market.meetings.planning.plan import open_meeting
from market.meetings.queries import AppointmentRow, appointments_of_meeting
from market.units import Gram

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
        await execute("UPDATE meeting SET state = 'timetabled', run = $1, published_at = $2", run_id, STORY)
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
            sure=True,
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

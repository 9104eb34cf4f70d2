"""Plays the case: the matching, the meeting, the contracts and what became of them."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from operator import itemgetter

import msgspec

from market import clock
from market.accounts.queries import contacts_of
from market.accounts.rules import ROLES, Actor
from market.db.session import fetch
from market.deals.fulfilment import move_delivery, schedule_delivery
from market.deals.operations import sign
from market.deals.paying import pay
from market.deals.queries import payments_of
from market.deals.receipts import answer_receipt, receipts_under
from market.matching.operations import run_now
from market.meetings.commands import NewMeeting, Outcome, TopicResult
from market.meetings.day.attendance import mark_person
from market.meetings.invitations.persons import NewAttendee, attendees_of, set_attendees
from market.meetings.invitations.wish_queries import counterparts_of
from market.meetings.invitations.wishing import set_wish
from market.meetings.operations import mark_attendance, move_meeting, record_outcome, respond
from market.meetings.planning.plan import open_meeting, plan_now, propose_invitations
from market.meetings.planning.publishing import publish_timetable
from market.meetings.queries import AppointmentRow, appointments_of_meeting, invitations_of
from market.units import GRAMS_PER_KG, Gram
from seeds.case import Case
from seeds.case import Outcome as Ending
from seeds.tour import lead_to_the_fields

#: Days from the deal to the first goods, and from the goods to the money.
DISPATCH_DAYS = 4
PAYMENT_DAYS = 6

#: What is still to happen, and when: told in the order of its days, as books and records are kept.
Later = list[tuple[datetime, Callable[[], Awaitable[None]]]]


class People(msgspec.Struct, frozen=True):
    """Organisation id -> number, store id -> number, organisation id -> who acts for it."""

    organisations: dict[str, int]
    sites: dict[str, int]
    actors: dict[str, Actor]

    def actor_of(self, organisation_id: int) -> Actor:
        return next(each for each in self.actors.values() if each.organisation_id == organisation_id)


async def match(loaded: Case, people: People, *, at: datetime) -> int:
    """Run the engine for the town and return the run's number."""
    town = loaded.story.town
    return await run_now(town_id=people.organisations[town], actor=people.actors[town], at=at)


def meeting_of(loaded: Case, *, began: datetime) -> NewMeeting:
    """Return the case's meeting, on its day after the story began."""
    told = loaded.story.meeting
    held_on = began.astimezone(clock.CHINA).date() + timedelta(days=told.day)
    return NewMeeting(
        title=told.title_zh,
        title_en=told.title_en,
        held_on=held_on,
        venue=told.venue_zh,
        venue_en=told.venue_en,
        programme=told.programme_zh,
        programme_en=told.programme_en,
        starts_at=told.starts_at,
        slot_minutes=told.slot_minutes,
        slots=told.slots,
        tables=told.tables,
        half_day_after=told.half_day_after,
        pause_minutes=told.pause_minutes,
        capacity=told.capacity,
        weather_plan=told.weather_plan_zh,
        weather_plan_en=told.weather_plan_en,
        contact=told.contact_zh,
        contact_phone=told.contact_phone,
        answer_by=held_on - timedelta(days=told.answer_days),
        wishes_by=held_on - timedelta(days=told.wish_days),
        is_public=True,
    )


async def meet(loaded: Case, people: People, *, began: datetime) -> None:
    """Invite, hear whom the invited want to meet, hold the meeting, follow its contracts up to today."""
    town_id, official = people.organisations[loaded.story.town], people.actors[loaded.story.town]
    planned = began + timedelta(days=2)
    meeting_id = await open_meeting(
        meeting=meeting_of(loaded, began=began), town_id=town_id, actor=official, at=planned
    )
    await propose_invitations(meeting_id=meeting_id, town_id=town_id, actor=official, at=planned)
    day = began + timedelta(days=loaded.story.meeting.day)
    invited = await invitations_of(meeting_id=meeting_id)
    for invitation in invited:
        if invitation.side != "guest":
            await respond(
                meeting_id=meeting_id,
                organisation_id=invitation.organisation,
                answer="accepted",
                actor=people.actor_of(invitation.organisation),
                at=planned + timedelta(days=1),
            )
            await _say_who_comes(
                meeting_id, people.actor_of(invitation.organisation), at=planned + timedelta(days=1)
            )
    for invitation in invited:
        if invitation.side != "guest":
            await _wish(meeting_id, people.actor_of(invitation.organisation), at=planned + timedelta(days=2))
    wishes_by = day - timedelta(days=loaded.story.meeting.wish_days)
    await plan_now(meeting_id=meeting_id, town_id=town_id, actor=official, at=wishes_by)
    await publish_timetable(meeting_id=meeting_id, town_id=town_id, actor=official, at=wishes_by)
    await lead_to_the_fields(meeting_id=meeting_id, town_id=town_id, actor=official, at=wishes_by)
    await move_meeting(meeting_id=meeting_id, move="start", town_id=town_id, actor=official, at=day)
    await _arrive(meeting_id, official=official, town_id=town_id, at=day)
    endings = await _endings(loaded)
    later: Later = []
    for appointment in await appointments_of_meeting(meeting_id=meeting_id):
        later += await _talk(appointment, endings, official=official, town_id=town_id, people=people, at=day)
    await move_meeting(
        meeting_id=meeting_id, move="close", town_id=town_id, actor=official, at=day, sure=True
    )
    for _, deed in sorted(later, key=itemgetter(0)):
        await deed()


async def _arrive(meeting_id: int, *, official: Actor, town_id: int, at: datetime) -> None:
    """Everybody comes: persons by their badges, whoever named none as an organisation."""
    named = await attendees_of(meeting_id=meeting_id)
    for person in named:
        await mark_person(
            attendee_id=person.id,
            meeting_id=meeting_id,
            move="check_in",
            town_id=town_id,
            actor=official,
            at=at,
        )
    counted = {person.organisation for person in named}
    for invitation in await invitations_of(meeting_id=meeting_id):
        if invitation.organisation not in counted:
            await mark_attendance(
                meeting_id=meeting_id,
                organisation_id=invitation.organisation,
                move="check_in",
                town_id=town_id,
                actor=official,
                at=at,
            )


async def _say_who_comes(meeting_id: int, actor: Actor, *, at: datetime) -> None:
    """Name the persons who come: whoever acts for the organisation in the market."""
    assert actor.organisation_id is not None
    contacts = await contacts_of(organisation_id=actor.organisation_id)
    by_phone = {each.phone: each for each in reversed(contacts)}
    await set_attendees(
        meeting_id=meeting_id,
        organisation_id=actor.organisation_id,
        persons=[
            NewAttendee(each.name, str(ROLES[each.role]), each.phone)
            for each in list(reversed(by_phone.values()))[:2]
        ],
        actor=actor,
        at=at,
    )


async def _wish(meeting_id: int, actor: Actor, *, at: datetime) -> None:
    """Say whom somebody wants to meet: what the engine suggests most of all; and one it would rather not."""
    assert actor.organisation_id is not None
    others = await counterparts_of(meeting_id, actor.organisation_id)
    suggested = [each.organisation for each in others if each.worth is not None]
    levels = dict(zip(suggested, ("must", "want", "want", "may"), strict=False))
    strangers = [each.organisation for each in others if each.worth is None and not each.common]
    if strangers and actor.organisation_id % 4 == 0:
        levels[strangers[-1]] = "never"
    for about, level in levels.items():
        await set_wish(
            meeting_id=meeting_id,
            organisation_id=actor.organisation_id,
            about=about,
            level=level,
            note="想当面看样、谈账期" if level == "must" and actor.side == "buyer" else "",
            actor=actor,
            at=at,
        )


async def _endings(loaded: Case) -> dict[int, Ending]:
    """Return the demand's number -> how the talk about it ended."""
    rows = await fetch("SELECT id, title FROM demand ORDER BY id")
    # demands are loaded in the order of their file
    return {row["id"]: loaded.outcome_of(demand.id) for row, demand in zip(rows, loaded.demands, strict=True)}


async def _talk(
    appointment: AppointmentRow,
    endings: dict[int, Ending],
    *,
    official: Actor,
    town_id: int,
    people: People,
    at: datetime,
) -> Later:
    """Record one talk: a contract where one of its demands ended in one, else the best that was reached.

    Return how its contracts go on.
    """
    signed = []
    reached, reason = "none", ""
    for topic in appointment.topics:
        ending = endings[topic.demand] if topic.demand else None
        if ending is None or topic.proposed is None or topic.proposed_price is None:
            continue
        if ending.outcome == "signed":
            kilograms = topic.proposed * ending.signed_percent // 100 // GRAMS_PER_KG
            if kilograms:
                signed.append((topic, ending, Gram(kilograms * GRAMS_PER_KG)))
        elif reached == "none":
            reached, reason = ending.outcome, ending.reason
    if signed:
        outcome = Outcome(
            "signed",
            tuple(TopicResult(topic.id, grams, topic.proposed_price or 0) for topic, _, grams in signed),
        )
    elif reached in ("intent", "quote"):
        outcome = Outcome(
            reached,
            tuple(
                TopicResult(topic.id, topic.proposed, topic.proposed_price)
                for topic in appointment.topics
                if topic.proposed and topic.proposed_price
            ),
            reason or None,
        )
    else:
        known = reason or reached != "none"
        outcome = Outcome(reached, (), reason or (None if known else "other"), "" if known else "没有谈拢")
    recorded = await record_outcome(
        appointment_id=appointment.id, outcome=outcome, organisation_id=town_id, actor=official, at=at
    )
    later: Later = []
    for deal_id, (_, ending, grams) in zip(recorded.deal_ids, signed, strict=True):
        later += await _sign(deal_id, appointment, ending, grams, people=people, at=at)
    return later


async def _sign(
    deal_id: int, appointment: AppointmentRow, ending: Ending, grams: Gram, *, people: People, at: datetime
) -> Later:
    """Let both sign; return what is delivered and paid, as far as the case says."""
    seller, buyer = people.actor_of(appointment.seller), people.actor_of(appointment.buyer)
    for actor in (buyer, seller):
        assert actor.organisation_id is not None
        await sign(deal_id=deal_id, organisation_id=actor.organisation_id, actor=actor, at=at)
    sent = Gram(grams * ending.delivered_percent // 100 // GRAMS_PER_KG * GRAMS_PER_KG)
    later: Later = []
    if not sent:
        return later
    part_paid = 0 < ending.paid_percent < 100
    halves = (Gram(sent // 2 // GRAMS_PER_KG * GRAMS_PER_KG),) if part_paid else ()
    loads = [grams for grams in (*halves, Gram(sent - sum(halves))) if grams]
    for place, load in enumerate(loads):
        # goods leave over the weeks after the meeting, so that the stock falls step by step
        leaves = at + timedelta(days=DISPATCH_DAYS + deal_id % 20 + 3 * place)
        later.append((leaves, partial(_deliver, deal_id, appointment, load, seller, buyer, at=leaves)))
    if ending.paid_percent:
        paid = at + timedelta(days=DISPATCH_DAYS + deal_id % 20 + PAYMENT_DAYS)
        most = 1 if part_paid else None
        # the bank's word comes a day later
        confirmed = paid + timedelta(days=1)
        later += [
            (paid, partial(_pay, deal_id, most, appointment.buyer, buyer, at=paid)),
            (confirmed, partial(_confirm, deal_id, appointment.seller, seller, at=confirmed)),
        ]
    return later


async def _pay(deal_id: int, most: int | None, buyer_id: int, buyer: Actor, *, at: datetime) -> None:
    for payment in (await payments_of(deal_id=deal_id))[:most]:
        await pay(payment_id=payment.id, organisation_id=buyer_id, actor=buyer, at=at)


async def _confirm(deal_id: int, seller_id: int, seller: Actor, *, at: datetime) -> None:
    for receipt in await receipts_under([deal_id]):
        await answer_receipt(
            receipt_id=receipt.id, move="confirm", organisation_id=seller_id, actor=seller, at=at
        )


async def _deliver(
    deal_id: int, appointment: AppointmentRow, load: Gram, seller: Actor, buyer: Actor, *, at: datetime
) -> None:
    delivery_id = await schedule_delivery(
        deal_id=deal_id,
        quantity=load,
        on=at.astimezone(clock.CHINA).date(),
        organisation_id=appointment.seller,
        actor=seller,
        at=at,
    )
    for move, actor, organisation_id in (
        ("dispatch", seller, appointment.seller),
        ("arrive", buyer, appointment.buyer),
        ("accept", buyer, appointment.buyer),
    ):
        await move_delivery(
            delivery_id=delivery_id, move=move, organisation_id=organisation_id, actor=actor, at=at
        )

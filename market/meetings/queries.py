from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import Any

import msgspec

from market.clock import CHINA
from market.db.session import fetch, fetch_into
from market.errors import NotFound
from market.i18n import Message, msg
from market.meetings import rules
from market.meetings.planning.unfit import CALLED_OFF, MISSED


class MeetingRow(msgspec.Struct, frozen=True):
    """``starts_at`` in minutes after midnight; ``timetable`` as the scheduler proved it.

    ``slots`` are those of one day; through all ``days`` they are numbered on, up to ``all_slots``.
    """

    id: int
    town: int
    town_name: str
    town_name_en: str
    run: int | None
    title: str
    title_en: str
    held_on: date
    starts_at: int
    slot_minutes: int
    slots: int
    tables: int
    half_day_after: int | None
    pause_minutes: int
    most_appointments: int | None
    venue: str
    venue_en: str
    programme: str
    programme_en: str
    state: str
    timetable: dict[str, Any] | None
    #: Why the last planning did not end well.
    trouble: Message | None
    #: It only waits for the official to be sure.
    asks_back: bool
    #: A plan is being made right now.
    planning: bool
    created_at: datetime
    days: int
    blocked_slots: list[int]
    most_of_sellers: int | None
    most_of_buyers: int | None
    most_of_one_person: int | None
    most_musts: int
    fairness: int | None
    capacity: int | None
    weather_plan: str
    weather_plan_en: str
    contact: str
    contact_phone: str
    answer_by: date | None
    wishes_by: date | None
    is_public: bool
    published_at: datetime | None

    @property
    def all_slots(self) -> int:
        """Return the number of slots of all days."""
        return self.slots * self.days

    @property
    def talk_slots(self) -> int:
        """Return the number of slots of all days in which talks may lie."""
        return self.all_slots - len(set(self.blocked_slots))

    def slot_day(self, slot: int) -> date:
        """Return the day that ``slot`` (from 1, through all days) lies on."""
        return self.held_on + timedelta(days=(slot - 1) // self.slots)

    def slot_start(self, slot: int) -> int:
        """Return when ``slot`` begins, in minutes after midnight of its day."""
        place = (slot - 1) % self.slots
        start = self.starts_at + place * self.slot_minutes
        if self.half_day_after is not None and place >= self.half_day_after:
            start += self.pause_minutes
        return start

    def slot_moment(self, slot: int, *, after: int = 0) -> datetime:
        """Return the moment ``after`` so many minutes of ``slot``, in China's time."""
        midnight = datetime.combine(self.slot_day(slot), datetime.min.time(), CHINA)
        return midnight + timedelta(minutes=self.slot_start(slot) + after)

    def slot_label(self, slot: int) -> str:
        """Return e.g. ``09:20-09:40``; with the day before it where there are several."""
        start = self.slot_start(slot)
        end = start + self.slot_minutes
        times = f"{start // 60:02d}:{start % 60:02d}-{end // 60:02d}:{end % 60:02d}"
        return f"{self.slot_day(slot):%m-%d} {times}" if self.days > 1 else times

    def slot_hours(self, slot: int) -> str:
        """Return the label as pages set it: a span of hours; the hyphen of its day is none."""
        label = self.slot_label(slot)
        return f"{label[:-6]}–{label[-5:]}"


class InvitationRow(msgspec.Struct, frozen=True):
    id: int
    meeting: int
    organisation: int
    name: str
    name_en: str
    kind: str
    side: str
    state: str
    attendance: str
    reason: Message
    responded_at: datetime | None
    #: The meeting's days, from 1, on which they came; ``attendance`` is that of the day while it is on.
    days_here: list[int]


class TopicRow(msgspec.Struct, frozen=True):
    """Grams; fen per kg. ``proposed`` and ``worth`` come from the match, where there is one."""

    id: int
    appointment: int
    listing: int
    title: str
    title_en: str
    remaining: int
    ask: int
    #: A round of bidding lasts: these goods cannot be signed for now.
    in_round: bool
    demand: int | None
    demand_title: str | None
    demand_title_en: str | None
    demand_open: int | None
    match: int | None
    proposed: int | None
    proposed_price: int | None
    worth: int | None
    intent_quantity: int | None
    intent_price: int | None
    deal: int | None
    deal_number: str | None
    deal_state: str | None


class AppointmentRow(msgspec.Struct, frozen=True):
    id: int
    meeting: int
    seller: int
    seller_name: str
    seller_name_en: str
    buyer: int
    buyer_name: str
    buyer_name_en: str
    slot: int | None
    table_number: int | None
    state: str
    outcome: str | None
    reason_zh: str | None
    reason_en: str | None
    note: str
    #: The town has put it where it is: planning leaves it there.
    fixed: bool = False
    #: It is ahead and one side does not come: nobody waits for it, though the timetable has it till it is
    #: laid anew.
    called_off: bool = False
    #: One side did not come: its result says so, or it has none and nobody waits for one.
    missed: bool = False
    #: Why these two meet.
    why: Message | None = None
    #: When the two sat down, and when they rose.
    started_at: datetime | None = None
    ended_at: datetime | None = None
    topics: list[TopicRow] = []


class LeftOutRow(msgspec.Struct, frozen=True):
    seller_name: str
    seller_name_en: str
    buyer_name: str
    buyer_name_en: str
    reason: Message


_MEETING = """SELECT meeting.id, meeting.town, organisation.name AS town_name,
       organisation.name_en AS town_name_en, meeting.run, meeting.title, meeting.title_en, meeting.held_on,
       meeting.starts_at, meeting.slot_minutes, meeting.slots, meeting.tables, meeting.half_day_after,
       meeting.pause_minutes,
       meeting.most_appointments, meeting.venue, meeting.venue_en, meeting.programme, meeting.programme_en,
       meeting.state, meeting.timetable, meeting.trouble, meeting.asks_back, meeting.created_at, meeting.days,
       meeting.blocked_slots, meeting.most_of_sellers, meeting.most_of_buyers,
       meeting.most_of_one_person, meeting.most_musts,
       meeting.fairness, meeting.capacity, meeting.weather_plan, meeting.weather_plan_en,
       meeting.contact, meeting.contact_phone,
       meeting.answer_by, meeting.wishes_by, meeting.is_public, meeting.published_at,
       EXISTS (SELECT FROM job WHERE job.kind = 'meetings.plan' AND job.key = 'meeting:' || meeting.id
                 AND job.state IN ('waiting', 'running', 'retrying')) AS planning
FROM meeting JOIN organisation ON organisation.id = meeting.town
"""


def _meeting(row: Any) -> MeetingRow:
    timetable = msgspec.json.decode(row["timetable"]) if row["timetable"] else None
    trouble = msgspec.json.decode(row["trouble"], type=Message) if row["trouble"] else None
    return MeetingRow(**{**dict(row), "timetable": timetable, "trouble": trouble})


async def meeting_of(*, meeting_id: int, organisation_id: int) -> MeetingRow:
    """Return a meeting to the town that holds it or to somebody it has invited.

    Raises:
        NotFound: there is none, or it is not yours.
    """
    rows = await fetch(
        _MEETING
        + """WHERE meeting.id = $1 AND (meeting.town = $2 OR EXISTS (
               SELECT FROM invitation WHERE invitation.meeting = meeting.id
                 AND invitation.organisation = $2 AND invitation.state <> 'revoked'))""",
        meeting_id,
        organisation_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这场对接会。"))
    return _meeting(rows[0])


async def meetings_of(*, organisation_id: int) -> list[MeetingRow]:
    """Return the meetings that the organisation holds or is invited to, the latest first."""
    rows = await fetch(
        _MEETING
        + """WHERE meeting.town = $1 OR EXISTS (
               SELECT FROM invitation WHERE invitation.meeting = meeting.id
                 AND invitation.organisation = $1 AND invitation.state <> 'revoked')
             ORDER BY meeting.held_on DESC, meeting.id DESC""",
        organisation_id,
    )
    return [_meeting(row) for row in rows]


async def talks_that_stand(*, meetings: Collection[int]) -> dict[int, int]:
    """Return meeting -> how many talks have a place now, held ones among them, whatever laid them."""
    rows = await fetch(
        """SELECT meeting, count(*) AS talks FROM appointment
           WHERE meeting = ANY($1::bigint[]) AND slot IS NOT NULL AND state IN ('scheduled', 'held')
           GROUP BY meeting""",
        list(meetings),
    )
    return {row["meeting"]: row["talks"] for row in rows}


async def invitations_of(*, meeting_id: int) -> list[InvitationRow]:
    """Return the invitations, buyers before sellers before guests."""
    rows = await fetch(
        """SELECT invitation.id, invitation.meeting, invitation.organisation, organisation.name,
                  organisation.name_en, organisation.kind, invitation.side, invitation.state,
                  invitation.attendance, invitation.reason, invitation.responded_at,
                  invitation.days_here
           FROM invitation JOIN organisation ON organisation.id = invitation.organisation
           WHERE invitation.meeting = $1
           ORDER BY array_position(ARRAY['buyer', 'seller', 'guest'], invitation.side), organisation.id""",
        meeting_id,
    )
    return [
        InvitationRow(**{**dict(row), "reason": msgspec.json.decode(row["reason"], type=Message)})
        for row in rows
    ]


_APPOINTMENT = f"""SELECT appointment.id, appointment.meeting, appointment.seller, seller.name AS seller_name,
       seller.name_en AS seller_name_en, appointment.buyer, buyer.name AS buyer_name,
       buyer.name_en AS buyer_name_en, appointment.slot, appointment.table_number, appointment.state,
       appointment.outcome, reason.zh AS reason_zh, reason.en AS reason_en, appointment.note,
       appointment.fixed, appointment.why, appointment.started_at, appointment.ended_at,
       {CALLED_OFF} AS called_off, {MISSED} AS missed
FROM appointment JOIN organisation seller ON seller.id = appointment.seller
JOIN organisation buyer ON buyer.id = appointment.buyer
LEFT JOIN reason ON reason.code = appointment.reason
"""  # noqa: S608  our own text


async def appointments_of_meeting(
    *, meeting_id: int, organisation_id: int | None = None
) -> list[AppointmentRow]:
    """Return the appointments by slot and table; for one organisation its own, once they are published."""
    return await _appointments(
        """WHERE appointment.meeting = $1
             AND ($2::bigint IS NULL OR $2 IN (appointment.seller, appointment.buyer) AND EXISTS (
                   SELECT FROM meeting WHERE meeting.id = $1
                     AND (meeting.published_at IS NOT NULL OR NOT meeting.state = ANY($3::text[]))))
           ORDER BY appointment.slot NULLS LAST, appointment.table_number, appointment.id""",
        meeting_id,
        organisation_id,
        sorted(rules.PLANNABLE),
    )


async def appointment_of(*, appointment_id: int, organisation_id: int) -> AppointmentRow:
    """Return one appointment to a side of it or to the town that holds the meeting.

    Raises:
        NotFound: there is none, or it is not yours.
    """
    found = await _appointments(
        """JOIN meeting ON meeting.id = appointment.meeting
           WHERE appointment.id = $1 AND $2 IN (appointment.seller, appointment.buyer, meeting.town)""",
        appointment_id,
        organisation_id,
    )
    if not found:
        raise NotFound(msg("没有找到这场洽谈。"))
    return found[0]


async def own_talk_of(*, appointment_id: int, organisation_id: int) -> AppointmentRow:
    """Return a talk to a side of it as its pages show it: once the timetable is published, with its place.

    Raises:
        NotFound: there is none, it is not yours, or it is not shown to you (any more).
    """
    found = await _appointments(
        """JOIN meeting ON meeting.id = appointment.meeting
           WHERE appointment.id = $1 AND $2 IN (appointment.seller, appointment.buyer)
             AND appointment.slot IS NOT NULL
             AND (meeting.published_at IS NOT NULL OR NOT meeting.state = ANY($3::text[]))
             AND EXISTS (SELECT FROM invitation WHERE invitation.meeting = meeting.id
                           AND invitation.organisation = $2 AND invitation.state <> 'revoked')""",
        appointment_id,
        organisation_id,
        sorted(rules.PLANNABLE),
    )
    if not found:
        raise NotFound(msg("没有找到这场洽谈。"))
    return found[0]


async def appointments_of(*, organisation_id: int, on_or_after: date) -> list[AppointmentRow]:
    """Return what the organisation has before it in published timetables, by day and slot."""
    return await _appointments(
        f"""JOIN meeting ON meeting.id = appointment.meeting
           WHERE $1 IN (appointment.seller, appointment.buyer) AND meeting.held_on >= $2
             AND appointment.state = 'scheduled' AND meeting.state NOT IN ('cancelled', 'postponed')
             AND NOT {CALLED_OFF}
             AND (meeting.published_at IS NOT NULL OR NOT meeting.state = ANY($3::text[]))
           ORDER BY meeting.held_on, appointment.slot, appointment.id""",
        organisation_id,
        on_or_after,
        sorted(rules.PLANNABLE),
    )


async def _appointments(where: str, *arguments: Any) -> list[AppointmentRow]:
    found = await fetch_into(AppointmentRow, _APPOINTMENT + where, *arguments)
    topics = await fetch_into(
        TopicRow,
        """SELECT topic.id, topic.appointment, topic.listing, listing.title, listing.title_en,
                  lot.remaining, listing.ask,
                  listing.way IN ('sealed', 'open') AND listing.opened_at IS NULL AS in_round,
                  topic.demand, demand.title AS demand_title,
                  demand.title_en AS demand_title_en, demand.open AS demand_open, topic.match,
                  match.quantity AS proposed, match.worth,
                  offered_price(match.price, listing.way, listing.ask) / 100 AS proposed_price,
                  topic.intent_quantity, topic.intent_price, topic.deal, deal.number AS deal_number,
                  deal.state AS deal_state
           FROM topic JOIN listing ON listing.id = topic.listing JOIN lot ON lot.id = listing.lot
           LEFT JOIN demand ON demand.id = topic.demand LEFT JOIN match ON match.id = topic.match
           LEFT JOIN deal ON deal.id = topic.deal
           WHERE topic.appointment = ANY($1::bigint[]) ORDER BY topic.id""",
        [row.id for row in found],
    )
    by_appointment: dict[int, list[TopicRow]] = {}
    for topic in topics:
        by_appointment.setdefault(topic.appointment, []).append(topic)
    return [msgspec.structs.replace(row, topics=by_appointment.get(row.id, [])) for row in found]


async def left_out_of(*, meeting_id: int) -> list[LeftOutRow]:
    """Return the pairings that found no place, and why."""
    rows = await fetch(
        """SELECT seller.name AS seller_name, seller.name_en AS seller_name_en, buyer.name AS buyer_name,
                  buyer.name_en AS buyer_name_en, left_out.reason
           FROM left_out JOIN organisation seller ON seller.id = left_out.seller
           JOIN organisation buyer ON buyer.id = left_out.buyer
           WHERE left_out.meeting = $1 ORDER BY left_out.id""",
        meeting_id,
    )
    return [
        LeftOutRow(**{**dict(row), "reason": msgspec.json.decode(row["reason"], type=Message)})
        for row in rows
    ]

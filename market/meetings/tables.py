from piccolo.constraints import Check, Unique
from piccolo.table import Table

from market.db.columns import day, document, moment, number, reference, text, whole
from market.deals.tables import Deal
from market.demand.tables import Demand
from market.matching.tables import Match, Run
from market.supply.tables import Listing


class Meeting(Table, tablename="meeting"):
    id = number()
    town = reference("Organisation")
    #: The clearing whose result it brings to the table.
    run = reference(Run, null=True)
    title = text()
    title_en = text(default="")
    held_on = day()
    #: Minutes after midnight, local time.
    starts_at = whole()
    slot_minutes = whole()
    slots = whole()
    tables = whole()
    half_day_after = whole(null=True)
    #: Minutes of pause after the half day.
    pause_minutes = whole(default=0)
    #: Of one participant; NULL: as many as there are slots.
    most_appointments = whole(null=True)
    venue = text()
    venue_en = text(default="")
    programme = text(default="")
    programme_en = text(default="")
    state = text(index=True)
    #: Breaks, idle slots, lower bound and status, as the scheduler proved them.
    timetable = document(null=True)
    #: Why the last planning did not end well (a market.i18n.Message).
    trouble = document(null=True)
    created_by = reference("Person", null=True)
    created_at = moment()
    meeting_slots_positive = Check(slots > 0, name="meeting_slots_positive")
    meeting_tables_positive = Check(tables > 0, name="meeting_tables_positive")


class Invitation(Table, tablename="invitation"):
    id = number()
    meeting = reference(Meeting)
    organisation = reference("Organisation")
    #: seller, buyer or guest.
    side = text()
    state = text()
    attendance = text()
    #: Why they are invited (a market.i18n.Message).
    reason = document()
    responded_at = moment(null=True)
    created_at = moment()
    invitation_once = Unique([meeting, organisation], name="invitation_once")


class Appointment(Table, tablename="appointment"):
    """One seller and one buyer at one table in one slot."""

    id = number()
    meeting = reference(Meeting)
    seller = reference("Organisation")
    buyer = reference("Organisation")
    slot = whole(null=True)
    #: Place; numbered from 1.
    table_number = whole(null=True)
    state = text()
    #: none, sample, intent, quote or signed.
    outcome = text(null=True)
    reason = reference("Reason", null=True)
    note = text(default="")
    created_at = moment()
    appointment_once = Unique([meeting, seller, buyer], name="appointment_once")


class Topic(Table, tablename="topic"):
    """What an appointment is about."""

    id = number()
    appointment = reference(Appointment, part_of=True)
    listing = reference(Listing)
    demand = reference(Demand, null=True)
    match = reference(Match, null=True)
    #: Grams and fen per kg spoken of, where the outcome is an intent or a quote.
    intent_quantity = whole(null=True)
    intent_price = whole(null=True)
    deal = reference(Deal, null=True)


class LeftOut(Table, tablename="left_out"):
    """A pairing that found no place, and why."""

    id = number()
    meeting = reference(Meeting)
    seller = reference("Organisation")
    buyer = reference("Organisation")
    reason = document()

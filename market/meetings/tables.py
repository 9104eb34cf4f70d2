from piccolo.constraints import Check, Unique
from piccolo.table import Table

from market.db.columns import day, document, flag, moment, number, numbers, reference, text, whole
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
    #: The same for one side alone; NULL: as ``most_appointments`` says.
    most_of_sellers = whole(null=True)
    most_of_buyers = whole(null=True)
    #: Of a person who comes for several participants, all of these together; NULL: any.
    most_of_one_person = whole(null=True)
    #: How many counterparts one participant may mark as a must.
    most_musts = whole(default=3)
    #: The most that two participants' numbers of breaks may differ.
    fairness = whole(null=True, default=2)
    #: Days in a row from ``held_on``, each with the same slots.
    days = whole(default=1)
    #: Slots (numbered through all days) with something else than talks.
    blocked_slots = numbers()
    #: Persons that the venue holds.
    capacity = whole(null=True)
    weather_plan = text(default="")
    weather_plan_en = text(default="")
    contact = text(default="")
    contact_phone = text(default="")
    #: Until when invitations are answered, and wishes given.
    answer_by = day(null=True)
    wishes_by = day(null=True)
    #: Anybody may see its page and ask to take part.
    is_public = flag(False)
    #: The timetable that participants see; NULL: not published yet.
    published_at = moment(null=True)
    venue = text()
    venue_en = text(default="")
    programme = text(default="")
    programme_en = text(default="")
    state = text(index=True)
    #: Breaks, idle slots, lower bound and status, as the scheduler proved them.
    timetable = document(null=True)
    #: Why the last planning did not end well (a market.i18n.Message); it may only wait for a "sure".
    trouble = document(null=True)
    asks_back = flag(False)
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
    #: The meeting's days, from 1, on which they came; ``attendance`` is that of the day while it is on.
    days_here = numbers()
    #: Why they are invited (a market.i18n.Message).
    reason = document()
    responded_at = moment(null=True)
    #: planned, manual, registered, delegated or walk_in.
    source = text(default="planned")
    #: Part of what the link is signed with: raising it makes every link given out before worthless.
    link_version = whole(default=1)
    reminded_at = moment(null=True)
    reminders = whole(default=0)
    #: Whom the invited has passed the invitation on to.
    delegated_to = reference("Organisation", null=True)
    #: Its own most and its own table, where it asked for one.
    most_appointments = whole(null=True)
    table_number = whole(null=True)
    note = text(default="")
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
    #: planned, manual, walk_in or delegated (taken over from whoever passed its invitation on).
    source = text(default="planned")
    #: An official has put it where it is: planning leaves it there.
    fixed = flag(False)
    #: Why these two meet (a market.i18n.Message).
    why = document(null=True)
    started_at = moment(null=True)
    ended_at = moment(null=True)
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


class Attendee(Table, tablename="attendee"):
    """A person who comes for somebody invited."""

    id = number()
    invitation = reference(Invitation, part_of=True)
    name = text()
    title = text(default="")
    phone = text(default="")
    #: On the badge, and all that its QR code says.
    code = text(unique=True)
    attendance = text()
    days_here = numbers()
    checked_in_at = moment(null=True)
    left_at = moment(null=True)
    created_at = moment()


class Scan(Table, tablename="scan"):
    """One reading of a badge, with the number that the reading phone gave it: sent twice, it counts once."""

    id = number()
    meeting = reference(Meeting)
    attendee = reference(Attendee, null=True)
    code = text()
    #: Made by the phone, so that a repeated sending is known.
    key = text(unique=True)
    #: check_in or leave.
    move = text()
    #: When the phone read it, which may be long before it could send.
    scanned_at = moment()
    received_at = moment()
    person = reference("Person", null=True)


class Reminder(Table, tablename="reminder"):
    """A reminder that was sent: the same one is not sent again, whichever worker comes to it."""

    id = number()
    invitation = reference(Invitation, part_of=True)
    #: answer_3, answer_1 or day_before.
    kind = text()
    #: The day that it reminds of; a meeting that moves is reminded of anew.
    about = day()
    created_at = moment()
    reminder_once = Unique([invitation, kind, about], name="reminder_once")


class Absence(Table, tablename="absence"):
    """A slot in which somebody invited cannot talk."""

    id = number()
    invitation = reference(Invitation, part_of=True)
    slot = whole()
    absence_once = Unique([invitation, slot], name="absence_once")


class Wish(Table, tablename="wish"):
    """How much one participant wants to meet another."""

    id = number()
    meeting = reference(Meeting)
    #: Who wishes, and whom.
    organisation = reference("Organisation")
    about = reference("Organisation")
    #: must, want, may or never.
    level = text()
    note = text(default="")
    created_at = moment()
    wish_once = Unique([meeting, organisation, about], name="wish_once")


class Registration(Table, tablename="registration"):
    """Somebody who asks, on the public page, to take part."""

    id = number()
    meeting = reference(Meeting)
    organisation_name = text()
    #: seller, buyer or guest.
    side = text()
    person_name = text()
    phone = text()
    offers = text(default="")
    state = text()
    invitation = reference(Invitation, null=True)
    created_at = moment()
    decided_at = moment(null=True)


class AppointmentNote(Table, tablename="appointment_note"):
    """What somebody writes down of a talk, for their own side; a talk that is planned away leaves it."""

    id = number()
    meeting = reference(Meeting)
    organisation = reference("Organisation")
    #: Whom they meet.
    about = reference("Organisation")
    #: NULL: from when an organisation had one note for all of its people.
    person = reference("Person", null=True)
    #: The drawn page that wrote it last.
    page = text(default="")
    text = text()
    updated_at = moment()
    appointment_note_once = Unique([meeting, organisation, about, person], name="appointment_note_once")


class Incident(Table, tablename="incident"):
    """Something that upset the timetable on the day, and what the new one changed."""

    id = number()
    meeting = reference(Meeting)
    #: late, absent, overrun, walk_in, table_broken, slot_lost or swap.
    kind = text()
    details = document()
    #: Appointments that lie elsewhere since, that were called off, and organisations that were told.
    moved = whole(default=0)
    cancelled = whole(default=0)
    told = whole(default=0)
    person = reference("Person", null=True)
    created_at = moment()
    #: The timetable was put back as it was before.
    undone_at = moment(null=True)


class Statement(Table, tablename="statement"):
    """What one side of a talk, or the town, says came of it. The first counts until an official decides.

    Set right, it is replaced and kept: each organisation has one that is not (``statement_once``).
    """

    id = number()
    appointment = reference(Appointment, part_of=True)
    organisation = reference("Organisation")
    outcome = text()
    reason = reference("Reason", null=True)
    note = text(default="")
    #: [{topic_id, quantity, price}] in grams and fen per kg.
    topics = document()
    #: Topics of which a sample is wanted.
    samples = numbers()
    #: Why it replaces what was said before.
    why = text(default="")
    recorded_by = reference("Person", null=True, index=False)
    created_at = moment()
    replaced_at = moment(null=True)


class TalkSettlement(Table, tablename="talk_settlement"):
    """The town has looked into what the two sides say: this statement stands."""

    id = number()
    appointment = reference(Appointment, part_of=True)
    statement = reference(Statement, part_of=True)
    settled_by = reference("Person", null=True, index=False)
    created_at = moment()


class Sample(Table, tablename="sample"):
    """A sample on its way from a seller to a buyer, and what the buyer says of it."""

    id = number()
    appointment = reference(Appointment)
    listing = reference(Listing)
    state = text()
    carrier = text(default="")
    tracking = text(default="")
    #: Until when the next step is due.
    due_on = day(null=True)
    #: When its being late was told; NULL again with every step.
    reminded_at = moment(null=True)
    sent_at = moment(null=True)
    received_at = moment(null=True)
    answered_at = moment(null=True)
    #: What the buyer found: a code of ``rules.SAMPLE_VERDICTS``.
    verdict = text(null=True)
    note = text(default="")
    created_at = moment()
    sample_once = Unique([appointment, listing], name="sample_once")


class FollowUp(Table, tablename="follow_up"):
    """A question put to both sides so many days after the meeting: what has become of it."""

    id = number()
    appointment = reference(Appointment, part_of=True)
    #: 30, 90 or 180 days after the meeting.
    days = whole()
    due_on = day()
    #: When both sides were asked.
    asked_at = moment(null=True)
    #: no_contact, useful, negotiating or agreed; NULL: not answered yet.
    level = text(null=True)
    note = text(default="")
    person = reference("Person", null=True)
    #: Whose answer it is, a side's or the town's: they may set it right.
    organisation = reference("Organisation", null=True)
    answered_at = moment(null=True)
    follow_up_once = Unique([appointment, days], name="follow_up_once")


class Feedback(Table, tablename="feedback"):
    """What one side thought of a talk; the next meeting's choice reads it."""

    id = number()
    appointment = reference(Appointment, part_of=True)
    organisation = reference("Organisation")
    #: 1 (useless) to 5 (just what was needed).
    score = whole()
    again = flag(True)
    note = text(default="")
    created_at = moment()
    feedback_once = Unique([appointment, organisation], name="feedback_once")


class Coverage(Table, tablename="coverage"):
    """A report in the media about a meeting."""

    id = number()
    meeting = reference(Meeting)
    organisation = reference("Organisation", null=True)
    outlet = text()
    title = text()
    url = text(default="")
    published_on = day()
    created_at = moment()


class BudgetLine(Table, tablename="budget_line"):
    id = number()
    meeting = reference(Meeting, part_of=True)
    name = text()
    #: Fen.
    planned = whole()
    spent = whole(null=True)


class CalendarEntry(Table, tablename="calendar_entry"):
    """What calendars were last told of a talk or of the meeting: its SEQUENCE rises when that changes."""

    id = number()
    meeting = reference(Meeting, part_of=True)
    #: The event's UID; it stays when a talk moves, or is planned anew.
    uid = text(unique=True)
    #: Whose talk; NULL: the meeting as a whole.
    seller = reference("Organisation", null=True)
    buyer = reference("Organisation", null=True)
    #: When and where, as it was told.
    content = document()
    sequence = whole(default=0)
    #: It is no more: calendars that have it are told so.
    cancelled = flag(False)
    changed_at = moment()


class Paper(Table, tablename="paper"):
    """A paper that was made: its number, and what it said, so that only what has changed is printed anew."""

    id = number()
    meeting = reference(Meeting)
    #: invitation, programme, timetable, table_card, badge, ...
    kind = text()
    #: What it is about within its kind, e.g. ``invitation:12``.
    subject = text()
    serial = text(unique=True)
    #: SHA-256 over all that is printed on it.
    content = text()
    edition = whole(default=1)
    printed_at = moment(null=True)
    created_at = moment()
    paper_once = Unique([meeting, kind, subject], name="paper_once")

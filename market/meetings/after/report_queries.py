"""Everything that a meeting's report says, read at one moment."""

from collections import Counter
from datetime import datetime

import msgspec

from market.db.session import fetch_into, transaction
from market.errors import NotFound
from market.i18n import msg
from market.meetings.after.intents import LATER_SQL
from market.meetings.after.queries import (
    BudgetRow,
    CoverageRow,
    FeedbackRow,
    FollowUpRow,
    Lessons,
    SampleRow,
    StuckRow,
    budget_of,
    coverage_of,
    feedback_of,
    follow_ups_of,
    lessons_of,
    samples_of_meeting,
    stuck_of,
)
from market.meetings.after.report import Fate, Figures, Line, Proposal, fates, figures_of
from market.meetings.planning.unfit import CALLED_OFF, MISSED
from market.meetings.queries import InvitationRow, MeetingRow, invitations_of, meeting_of


class Report(msgspec.Struct, frozen=True):
    """What a meeting was and has brought by ``at``. ``figures`` are the sums of lines and proposals."""

    meeting: MeetingRow
    at: datetime
    guests: list[InvitationRow]
    lines: list[Line]
    proposals: list[Proposal]
    #: Match -> what became of it.
    fates: dict[int, Fate]
    figures: Figures
    samples: list[SampleRow]
    follow_ups: list[FollowUpRow]
    feedback: list[FeedbackRow]
    coverage: list[CoverageRow]
    budget: list[BudgetRow]
    stuck: list[StuckRow]
    lessons: Lessons

    @property
    def came(self) -> Counter[str]:
        """How many of each side were there."""
        return Counter(each.side for each in self.guests if each.days_here)

    @property
    def came_by_day(self) -> list[Counter[str]]:
        """How many of each side were there on each of the meeting's days."""
        return [
            Counter(each.side for each in self.guests if day in each.days_here)
            for day in range(1, self.meeting.days + 1)
        ]

    @property
    def invited(self) -> Counter[str]:
        return Counter(each.side for each in self.guests)

    @property
    def planned_fen(self) -> int:
        return sum(line.planned for line in self.budget)

    @property
    def spent_fen(self) -> int:
        return sum(line.spent or 0 for line in self.budget)


async def report_of(*, meeting_id: int, town_id: int, at: datetime) -> Report:
    """Return the report of a meeting of the town, as things stand.

    Raises:
        NotFound: no such meeting of this town.
    """
    async with transaction(isolation="repeatable_read", readonly=True):
        meeting = await meeting_of(meeting_id=meeting_id, organisation_id=town_id)
        if meeting.town != town_id:
            raise NotFound(msg("没有找到这场对接会。"))
        lines = await lines_of(meeting_id=meeting_id)
        proposals = await proposals_of(meeting_id=meeting_id)
        guests = await invitations_of(meeting_id=meeting_id)
        return Report(
            meeting=meeting,
            at=at,
            guests=[each for each in guests if each.state != "revoked"],
            lines=lines,
            proposals=proposals,
            fates=fates(proposals, lines),
            figures=figures_of(lines, proposals),
            samples=await samples_of_meeting(meeting_id=meeting_id),
            follow_ups=await follow_ups_of(meeting_id=meeting_id),
            feedback=await feedback_of(meeting_id=meeting_id),
            coverage=await coverage_of(meeting_id=meeting_id),
            budget=await budget_of(meeting_id=meeting_id),
            stuck=await stuck_of(meeting_id=meeting_id),
            lessons=await lessons_of(town_id=town_id, meeting_id=meeting_id),
        )


#: A talk that was held, missed, or can still get its result: neither the meeting nor the talk is called off.
_NOT_CALLED_OFF = f"""(appointment.state IN ('held', 'no_show') OR appointment.state = 'scheduled'
             AND NOT EXISTS (SELECT FROM meeting WHERE meeting.id = appointment.meeting
                               AND meeting.state IN ('cancelled', 'postponed'))
             AND NOT {CALLED_OFF})"""


async def lines_of(*, meeting_id: int) -> list[Line]:
    """Return every topic of a talk that was given a place, with the contract that this talk has made.

    A talk that was called off is not there: nobody waits for its result.
    """
    return await fetch_into(
        Line,
        f"""SELECT topic.id AS topic, appointment.id AS appointment,
                  CASE WHEN {MISSED} THEN 'no_show' ELSE appointment.state END AS state, appointment.outcome,
                  reason.zh AS reason_zh, reason.en AS reason_en,
                  appointment.seller, seller.name AS seller_name, seller.name_en AS seller_name_en,
                  appointment.buyer, buyer.name AS buyer_name, buyer.name_en AS buyer_name_en,
                  topic.listing, coalesce(listing.title, '') AS title,
                  coalesce(listing.title_en, '') AS title_en, topic.match,
                  coalesce(match.quantity, 0) AS proposed, coalesce(match.worth, 0) AS worth,
                  topic.intent_quantity, topic.intent_price,
                  deal.id AS deal, deal.number AS deal_number, deal.state AS deal_state,
                  CASE WHEN deal.state IN ('cancelled', 'terminated') THEN deal.quantity
                       ELSE coalesce(standing.grams, 0) END AS deal_quantity,
                  coalesce(standing.price, 0) AS deal_price,
                  coalesce(standing.taken, 0) AS delivered, coalesce(standing.under_way, 0) AS under_way,
                  coalesce(standing.invoiced, 0) AS invoiced, coalesce(standing.paid, 0) AS paid,
                  coalesce(standing.ended_grams, 0) AS ended, standing.fen AS deal_fen,
                  coalesce(standing.lost, 0) AS lost,
                  (SELECT coalesce(sum(delivery.credit), 0) FROM delivery
                   WHERE delivery.deal = deal.id)::bigint AS covered,
                  (SELECT coalesce(sum(payment.paid), 0) FROM payment
                   WHERE payment.deal = deal.id AND payment.kind <> 'goods')::bigint AS beforehand,
                  CASE WHEN topic.intent_quantity IS NOT NULL AND topic.deal IS NULL
                       THEN {LATER_SQL} END AS later
           FROM appointment JOIN meeting ON meeting.id = appointment.meeting
           JOIN organisation seller ON seller.id = appointment.seller
           JOIN organisation buyer ON buyer.id = appointment.buyer
           LEFT JOIN topic ON topic.appointment = appointment.id
           LEFT JOIN listing ON listing.id = topic.listing
           LEFT JOIN reason ON reason.code = appointment.reason
           LEFT JOIN match ON match.id = topic.match
           LEFT JOIN deal ON deal.id = topic.deal
           LEFT JOIN deal_standing standing ON standing.deal = deal.id
           WHERE appointment.meeting = $1 AND {_NOT_CALLED_OFF}
           ORDER BY appointment.slot NULLS LAST, appointment.table_number, appointment.id, topic.id""",  # noqa: S608  our own text
        meeting_id,
    )


async def proposals_of(*, meeting_id: int) -> list[Proposal]:
    """Return the matches of the run that the meeting goes back to, and others that it brought to the table.

    A later run repeats what nobody has taken up: of several matches of one pair only the one that was
    brought counts, or else the run's own.
    """
    return await fetch_into(
        Proposal,
        f"""WITH brought AS (
             SELECT DISTINCT topic.match FROM topic
             JOIN appointment ON appointment.id = topic.appointment
             WHERE appointment.meeting = $1 AND topic.match IS NOT NULL
               AND {_NOT_CALLED_OFF}),
           ours AS (
             SELECT DISTINCT ON (match.listing, match.demand) match.* FROM match
             JOIN meeting ON meeting.id = $1
             WHERE match.run = meeting.run OR match.id IN (SELECT brought.match FROM brought)
             ORDER BY match.listing, match.demand, match.id IN (SELECT brought.match FROM brought) DESC,
                      match.id)
           SELECT ours.id AS match, ours.seller, seller.name AS seller_name,
                  seller.name_en AS seller_name_en, ours.buyer, buyer.name AS buyer_name,
                  buyer.name_en AS buyer_name_en, ours.listing, listing.title, listing.title_en,
                  ours.quantity, ours.price, ours.worth,
                  (SELECT deal.id FROM deal
                   WHERE deal.id = ours.deal AND deal.state <> 'cancelled' AND deal.quantity > deal.released
                     AND NOT EXISTS (SELECT FROM topic
                                     JOIN appointment ON appointment.id = topic.appointment
                                     WHERE topic.deal = deal.id AND appointment.meeting = $1)) AS elsewhere
           FROM ours JOIN organisation seller ON seller.id = ours.seller
           JOIN organisation buyer ON buyer.id = ours.buyer JOIN listing ON listing.id = ours.listing
           ORDER BY ours.worth DESC, ours.id""",  # noqa: S608  our own text
        meeting_id,
    )

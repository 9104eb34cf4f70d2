"""What there is to read after a meeting: samples, answers, feedback, coverage, budget, lessons."""

from datetime import date, datetime

import msgspec

from market.db.session import fetch, fetch_into
from market.errors import NotFound
from market.i18n import Message, msg
from market.meetings.planning.unfit import SAID_ABSENT


class SampleRow(msgspec.Struct, frozen=True):
    """A sample as its two sides and the town see it."""

    id: int
    appointment: int
    meeting: int
    meeting_title: str
    meeting_title_en: str
    town: int
    listing: int
    title: str
    title_en: str
    seller: int
    seller_name: str
    seller_name_en: str
    buyer: int
    buyer_name: str
    buyer_name_en: str
    state: str
    carrier: str
    tracking: str
    due_on: date | None
    sent_at: datetime | None
    received_at: datetime | None
    answered_at: datetime | None
    verdict: str | None
    note: str
    created_at: datetime

    def is_late(self, today: date) -> bool:
        return self.due_on is not None and self.due_on < today


_SAMPLE = """SELECT sample.id, sample.appointment, meeting.id AS meeting, meeting.title AS meeting_title,
       meeting.title_en AS meeting_title_en, meeting.town, sample.listing, listing.title,
       listing.title_en, appointment.seller, seller.name AS seller_name, seller.name_en AS seller_name_en,
       appointment.buyer, buyer.name AS buyer_name, buyer.name_en AS buyer_name_en, sample.state,
       sample.carrier, sample.tracking, sample.due_on, sample.sent_at, sample.received_at,
       sample.answered_at, sample.verdict, sample.note, sample.created_at
FROM sample JOIN appointment ON appointment.id = sample.appointment
JOIN meeting ON meeting.id = appointment.meeting JOIN listing ON listing.id = sample.listing
JOIN organisation seller ON seller.id = appointment.seller
JOIN organisation buyer ON buyer.id = appointment.buyer
"""


async def sample_of(*, sample_id: int, organisation_id: int) -> SampleRow:
    """Return a sample to a side of it or to the meeting's town.

    Raises:
        NotFound: there is none, or it is not yours.
    """
    rows = await fetch_into(
        SampleRow,
        _SAMPLE + "WHERE sample.id = $1 AND $2 IN (appointment.seller, appointment.buyer, meeting.town)",
        sample_id,
        organisation_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这件样品。"))
    return rows[0]


async def samples_of_meeting(*, meeting_id: int, organisation_id: int | None = None) -> list[SampleRow]:
    """Return a meeting's samples, those that are due first; of one side where it is given."""
    return await fetch_into(
        SampleRow,
        _SAMPLE
        + """WHERE meeting.id = $1
               AND ($2::bigint IS NULL OR $2 IN (appointment.seller, appointment.buyer))
             ORDER BY sample.due_on NULLS LAST, sample.id""",
        meeting_id,
        organisation_id,
    )


async def samples_of(*, organisation_id: int) -> list[SampleRow]:
    """Return the samples that an organisation sends, gets, or follows as a town; due ones first."""
    return await fetch_into(
        SampleRow,
        _SAMPLE
        + """WHERE $1 IN (appointment.seller, appointment.buyer, meeting.town)
             ORDER BY sample.due_on NULLS LAST, sample.created_at DESC, sample.id""",
        organisation_id,
    )


class FollowUpRow(msgspec.Struct, frozen=True):
    id: int
    appointment: int
    meeting: int
    seller: int
    seller_name: str
    seller_name_en: str
    buyer: int
    buyer_name: str
    buyer_name_en: str
    days: int
    due_on: date
    asked_at: datetime | None
    level: str | None
    note: str
    answered_at: datetime | None
    answered_by: str | None
    #: Whose answer it is; None: nobody's yet, or from when that was not kept.
    organisation: int | None = None
    #: When the next question about the same talk is due: its answer tells more than this one's would.
    passed_on: date | None = None

    def is_due(self, today: date) -> bool:
        return self.level is None and self.due_on <= today and not self.is_passed(today)

    def is_passed(self, today: date) -> bool:
        return self.passed_on is not None and self.passed_on <= today


async def follow_ups_of(*, meeting_id: int, organisation_id: int | None = None) -> list[FollowUpRow]:
    """Return the questions about a meeting's talks, the first due first; of one side where it is given."""
    return await fetch_into(
        FollowUpRow,
        """SELECT follow_up.id, follow_up.appointment, appointment.meeting, appointment.seller,
                  seller.name AS seller_name, seller.name_en AS seller_name_en, appointment.buyer,
                  buyer.name AS buyer_name, buyer.name_en AS buyer_name_en, follow_up.days,
                  follow_up.due_on, follow_up.asked_at, follow_up.level, follow_up.note,
                  follow_up.answered_at, person.name AS answered_by, follow_up.organisation,
                  lead(follow_up.due_on) OVER (PARTITION BY appointment.id ORDER BY follow_up.days)
                    AS passed_on
           FROM follow_up JOIN appointment ON appointment.id = follow_up.appointment
           JOIN organisation seller ON seller.id = appointment.seller
           JOIN organisation buyer ON buyer.id = appointment.buyer
           LEFT JOIN person ON person.id = follow_up.person
           WHERE appointment.meeting = $1
             AND ($2::bigint IS NULL OR $2 IN (appointment.seller, appointment.buyer))
           ORDER BY follow_up.due_on, appointment.slot NULLS LAST, appointment.id""",
        meeting_id,
        organisation_id,
    )


async def talk_asked_about(*, follow_up_id: int) -> int:
    """Return the talk that a question is about; who may see it is the talk's to say.

    Raises:
        NotFound: there is no such question.
    """
    rows = await fetch("SELECT appointment FROM follow_up WHERE id = $1", follow_up_id)
    if not rows:
        raise NotFound(msg("没有找到这次回访。"))
    return int(rows[0]["appointment"])


class FeedbackRow(msgspec.Struct, frozen=True):
    """One side's word about a talk. The town sees all; a side sees its own."""

    appointment: int
    seller_name: str
    seller_name_en: str
    buyer_name: str
    buyer_name_en: str
    organisation: int
    #: seller or buyer: who says it.
    side: str
    score: int
    again: bool
    note: str
    created_at: datetime


async def feedback_of(*, meeting_id: int, organisation_id: int | None = None) -> list[FeedbackRow]:
    """Return what both sides said of a meeting's talks; what one side said where it is given."""
    return await fetch_into(
        FeedbackRow,
        """SELECT feedback.appointment, seller.name AS seller_name, seller.name_en AS seller_name_en,
                  buyer.name AS buyer_name, buyer.name_en AS buyer_name_en, feedback.organisation,
                  CASE WHEN feedback.organisation = appointment.seller THEN 'seller' ELSE 'buyer' END AS side,
                  feedback.score, feedback.again, feedback.note, feedback.created_at
           FROM feedback JOIN appointment ON appointment.id = feedback.appointment
           JOIN organisation seller ON seller.id = appointment.seller
           JOIN organisation buyer ON buyer.id = appointment.buyer
           WHERE appointment.meeting = $1 AND ($2::bigint IS NULL OR feedback.organisation = $2)
           ORDER BY feedback.again, feedback.score, feedback.id""",
        meeting_id,
        organisation_id,
    )


class CoverageRow(msgspec.Struct, frozen=True):
    id: int
    organisation: int | None
    outlet: str
    title: str
    url: str
    published_on: date


async def coverage_of(*, meeting_id: int) -> list[CoverageRow]:
    return await fetch_into(
        CoverageRow,
        """SELECT id, organisation, outlet, title, url, published_on FROM coverage
           WHERE meeting = $1 ORDER BY published_on, id""",
        meeting_id,
    )


class BudgetRow(msgspec.Struct, frozen=True):
    """Fen."""

    id: int
    name: str
    planned: int
    spent: int | None


async def budget_of(*, meeting_id: int) -> list[BudgetRow]:
    return await fetch_into(
        BudgetRow,
        "SELECT id, name, planned, spent FROM budget_line WHERE meeting = $1 ORDER BY id",
        meeting_id,
    )


class StuckRow(msgspec.Struct, frozen=True):
    """A lot of somebody invited, still on sale, with a rest that no open match or deal takes. Grams."""

    listing: int
    title: str
    title_en: str
    seller_name: str
    seller_name_en: str
    quantity: int
    left: int
    #: Why talks about it came to nothing, in coded reasons.
    reasons_zh: list[str]
    reasons_en: list[str]
    #: What the engine would change first.
    change: Message | None


#: A reason as it is told: what it asks of whoever chooses it is left out.
_ZH = "regexp_replace(reason.zh, '（请说明）$', '')"
_EN = r"regexp_replace(reason.en, ' \(please explain\)$', '')"
#: The words beside a reason that asks for them; NULL where it does not, or there are none.
_WORDS = "CASE WHEN reason.zh LIKE '%（请说明）' THEN nullif(btrim(appointment.note), '') END"


async def stuck_of(*, meeting_id: int) -> list[StuckRow]:
    """Return what the meeting's sellers still have and nobody has promised to take, the largest first."""
    rows = await fetch(
        f"""SELECT listing.id AS listing, listing.title, listing.title_en, owner.name AS seller_name,
                  owner.name_en AS seller_name_en, lot.quantity,
                  lot.remaining - coalesce(promised.grams, 0) AS left,
                  coalesce(said.zh, '{{}}') AS reasons_zh, coalesce(said.en, '{{}}') AS reasons_en,
                  (SELECT diagnosis.change FROM diagnosis
                   WHERE diagnosis.listing = listing.id AND diagnosis.rank = 1
                   ORDER BY diagnosis.run DESC LIMIT 1) AS change
           FROM invitation JOIN listing ON listing.owner = invitation.organisation
           JOIN lot ON lot.id = listing.lot JOIN organisation owner ON owner.id = listing.owner
           LEFT JOIN (SELECT listing, sum(quantity)::bigint AS grams FROM match
                      WHERE state IN ('proposed', 'one_side_agreed', 'agreed') GROUP BY listing) promised
             ON promised.listing = listing.id
           LEFT JOIN (SELECT topic.listing, array_agg(DISTINCT coalesce({_WORDS}, {_ZH})) AS zh,
                             array_agg(DISTINCT coalesce({_WORDS}, {_EN})) AS en
                      FROM topic JOIN appointment ON appointment.id = topic.appointment
                      JOIN reason ON reason.code = appointment.reason
                      WHERE appointment.meeting = $1 AND appointment.state = 'held'
                        AND appointment.outcome = 'none'
                      GROUP BY topic.listing) said ON said.listing = listing.id
           WHERE invitation.meeting = $1 AND invitation.side = 'seller' AND invitation.state <> 'revoked'
             AND listing.state = 'published' AND lot.remaining > coalesce(promised.grams, 0)
           ORDER BY 7 DESC, listing.id""",  # noqa: S608  our own text
        meeting_id,
    )
    return [
        StuckRow(
            **{
                **dict(row),
                "change": msgspec.json.decode(row["change"], type=Message) if row["change"] else None,
            }
        )
        for row in rows
    ]


class Lesson(msgspec.Struct, frozen=True):
    """How often something was said: a coded reason, or what a buyer found of a sample."""

    code: str
    zh: str
    en: str
    number: int


class Lessons(msgspec.Struct, frozen=True):
    """What meetings have taught: why talks ended with nothing, how samples were, who need not meet again."""

    reasons: list[Lesson]
    #: Verdict -> number of samples.
    verdicts: dict[str, int]
    #: Mean score in tenths, of how many; 0 where nobody said anything.
    score_tenths: int
    scores: int
    #: Pairs of which one side or both would rather not meet again.
    not_again: int
    both_not_again: int


async def lessons_of(*, town_id: int, meeting_id: int | None = None) -> Lessons:
    """Return the lessons of all the town's meetings, or of one."""
    mine = "meeting.town = $1 AND ($2::bigint IS NULL OR meeting.id = $2)"
    reasons = await fetch_into(
        Lesson,
        f"""SELECT reason.code, {_ZH} AS zh, {_EN} AS en, count(*) AS number
           FROM appointment JOIN meeting ON meeting.id = appointment.meeting
           JOIN reason ON reason.code = appointment.reason
           WHERE {mine} AND appointment.state = 'held' AND appointment.outcome = 'none'
             AND NOT {SAID_ABSENT}
           GROUP BY reason.code, reason.zh, reason.en, reason.position
           ORDER BY 4 DESC, reason.position""",  # noqa: S608  our own text
        town_id,
        meeting_id,
    )
    verdicts = await fetch(
        f"""SELECT sample.verdict, count(*) AS number
           FROM sample JOIN appointment ON appointment.id = sample.appointment
           JOIN meeting ON meeting.id = appointment.meeting
           WHERE {mine} AND sample.verdict IS NOT NULL GROUP BY sample.verdict""",  # noqa: S608  our own text
        town_id,
        meeting_id,
    )
    said = (
        await fetch(
            f"""SELECT coalesce(sum(score), 0)::bigint AS score, count(*) AS number,
                       count(DISTINCT appointment.id) FILTER (WHERE NOT feedback.again) AS some,
                       count(*) FILTER (WHERE NOT feedback.again) AS refusals
               FROM feedback JOIN appointment ON appointment.id = feedback.appointment
               JOIN meeting ON meeting.id = appointment.meeting WHERE {mine}""",  # noqa: S608  our own text
            town_id,
            meeting_id,
        )
    )[0]
    number = int(said["number"])
    return Lessons(
        reasons=reasons,
        verdicts={row["verdict"]: row["number"] for row in verdicts},
        score_tenths=(10 * int(said["score"]) + number // 2) // number if number else 0,
        scores=number,
        not_again=said["some"],
        both_not_again=said["refusals"] - said["some"],
    )

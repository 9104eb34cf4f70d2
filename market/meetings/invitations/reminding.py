"""Reminders that time sends: to who has not answered, and on the eve to who comes.

They are jobs, written in the transaction that announces or moves a meeting. A job sends nothing where
the meeting is off, has moved, or the reminder was sent before: a row for each invitation says so.
"""

from collections import Counter
from datetime import date, datetime, time, timedelta

import msgspec

from market import clock
from market.accounts.rules import SYSTEM
from market.audit.operations import Entry, record, record_all
from market.db.jobs import Run, enqueue, job
from market.db.session import fetch, fetch_value, transaction
from market.i18n import Message, in_both, msg, on_day
from market.meetings import rules
from market.meetings.queries import MeetingRow, meeting_of
from market.notices.operations import notify

#: Kind -> days before the day that it is about.
ANSWER_REMINDERS = {"answer_3": 3, "answer_1": 1}
EVE = "day_before"
#: When people read messages, China's time.
_HOUR = time(9, 0)
#: Whoever is told on the eve comes, or may.
_COMING = ("accepted", "tentative")


class RemindPayload(msgspec.Struct, frozen=True):
    """``about``: the day that it reminds of, as it stood when the job was written."""

    meeting_id: int
    kind: str
    about: date


async def schedule_reminders(meeting_id: int, *, at: datetime) -> None:
    """Write down the meeting's reminders, in the caller's transaction; any number of times.

    What would be due already is left out: a reminder that comes too late only confuses.
    """
    rows = await fetch("SELECT held_on, answer_by FROM meeting WHERE id = $1", meeting_id)
    for kind, about in _reminders(rows[0]["held_on"], rows[0]["answer_by"]):
        due = _due(kind, about)
        if due > at:
            await enqueue(
                "meetings.remind",
                RemindPayload(meeting_id, kind, about),
                run_at=due,
                key=f"{meeting_id}:{kind}:{about.isoformat()}",
            )


def _reminders(held_on: date, answer_by: date | None) -> list[tuple[str, date]]:
    answers = [(kind, answer_by) for kind in ANSWER_REMINDERS] if answer_by else []
    return [*answers, (EVE, held_on)]


def _due(kind: str, about: date) -> datetime:
    return datetime.combine(about - timedelta(days=ANSWER_REMINDERS.get(kind, 1)), _HOUR, clock.CHINA)


@job("meetings.remind")
async def send_reminder(run: Run) -> None:
    """Send one reminder to everybody whom it concerns, once each."""
    await remind_of(run.read(RemindPayload), at=clock.now())


async def remind_of(reminder: RemindPayload, *, at: datetime) -> int:
    """Do :func:`send_reminder` in the caller's transaction; return how many were told."""
    rows = await fetch(
        "SELECT town, state, held_on, answer_by FROM meeting WHERE id = $1 FOR SHARE", reminder.meeting_id
    )
    if not rows or rows[0]["state"] not in rules.PLANNABLE - {"draft", "postponed"}:
        return 0
    about = rows[0]["held_on"] if reminder.kind == EVE else rows[0]["answer_by"]
    # a day that is past reminds of nothing, also where no worker ran for a week; nor does today of "tomorrow"
    first = at.astimezone(clock.CHINA).date() + timedelta(days=reminder.kind == EVE)
    if about != reminder.about or about < first:
        return 0
    meeting = await meeting_of(meeting_id=reminder.meeting_id, organisation_id=rows[0]["town"])
    states = _COMING if reminder.kind == EVE else ("needs_action",)
    invited = await fetch(
        """WITH told AS (
             INSERT INTO reminder (invitation, kind, about, created_at)
             SELECT id, $2, $3, $4 FROM invitation WHERE meeting = $1 AND state = ANY($5::text[])
             ON CONFLICT (invitation, kind, about) DO NOTHING RETURNING invitation)
           UPDATE invitation SET reminded_at = $4, reminders = reminders + 1
           WHERE id IN (SELECT invitation FROM told) RETURNING organisation""",
        meeting.id,
        reminder.kind,
        about,
        at,
        list(states),
    )
    for row in invited:
        await notify(
            organisation_id=row["organisation"],
            kind="invitation_reminder",
            message=await _words(meeting, reminder.kind, row["organisation"]),
            link=f"/meetings/{meeting.id}",
            at=at,
        )
    if invited:
        await record(
            subject=f"meeting:{meeting.id}",
            action="remind",
            actor=SYSTEM,
            at=at,
            details={"kind": reminder.kind, "invitations": len(invited)},
        )
    return len(invited)


async def _words(meeting: MeetingRow, kind: str, organisation: int) -> Message:
    if kind != EVE:
        assert meeting.answer_by is not None
        return msg(
            "请在 {day} 前回复是否参加“{title}”。",
            day=on_day(meeting.answer_by),
            title=in_both(meeting.title, meeting.title_en),
        )
    first: int | None = None
    if meeting.published_at is not None:
        first = await fetch_value(
            """SELECT min(slot) FROM appointment WHERE meeting = $1 AND state = 'scheduled'
                 AND $2 IN (seller, buyer)""",
            meeting.id,
            organisation,
        )
    if first is not None:
        return msg(
            "明天是“{title}”，在{venue}。您的第一场洽谈：{slot}。",
            title=in_both(meeting.title, meeting.title_en),
            venue=in_both(meeting.venue, meeting.venue_en),
            slot=meeting.slot_label(first),
        )
    return msg(
        "明天 {hour} 是“{title}”，在{venue}，请准时到会。",
        hour=meeting.slot_label(1)[-11:-6],
        title=in_both(meeting.title, meeting.title_en),
        venue=in_both(meeting.venue, meeting.venue_en),
    )


async def expire_invitations(*, at: datetime) -> None:
    """Close invitations that nobody has answered by the end of the meeting's last day."""
    async with transaction():
        rows = await fetch(
            """UPDATE invitation SET state = 'expired' FROM meeting
               WHERE meeting.id = invitation.meeting AND invitation.state IN ('needs_action', 'tentative')
                 AND meeting.state NOT IN ('postponed', 'draft')
                 AND meeting.held_on + (meeting.days - 1)::int < $1 RETURNING meeting.id""",
            at.astimezone(clock.CHINA).date(),
        )
        counts = Counter(row["id"] for row in rows)
        await record_all(
            [
                Entry(f"meeting:{n}", "expire_invitations", SYSTEM, at, {"invitations": count})
                for n, count in counts.items()
            ]
        )

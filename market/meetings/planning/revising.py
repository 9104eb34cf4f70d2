"""Changing what was announced of a meeting, and telling whoever it concerns."""

from datetime import date, datetime

from market.accounts.rules import Actor
from market.audit.operations import record
from market.clock import CHINA
from market.db.session import execute, fetch, transaction
from market.errors import Conflict, Invalid, NotFound
from market.i18n import in_both, msg, on_day
from market.meanwhile import settled
from market.meetings import rules
from market.meetings.commands import COLUMNS, NewMeeting, columns_of, meeting_problems
from market.meetings.invitations.reminding import schedule_reminders
from market.meetings.planning.keeping import invite_media
from market.meetings.queries import MeetingRow, meeting_of
from market.notices.operations import notify

#: Whoever is invited hears of a change in these.
_TOLD = ("held_on", "starts_at", "venue")
_DEADLINES = ("answer_by", "wishes_by")


async def revise_meeting(
    *,
    meeting_id: int,
    meeting: NewMeeting,
    town_id: int,
    actor: Actor,
    at: datetime,
    seen: str | None = None,
    exact: bool = False,
) -> frozenset[str]:
    """Write the meeting anew; everybody invited is told of a new day, time or place.

    Where the timetable is out and slots lie at other hours now, whose talks these move is told.

    ``seen`` are the marks of ``COLUMNS`` as whoever changes it saw them, where that is known, and ``exact``
    as ``market.meanwhile.settled`` has it. Return what others have changed since, that is kept. The
    timetable is not touched here: ``planning.request_plan`` makes it anew, and takes a postponed meeting up
    again.

    Raises:
        NotFound: no such meeting of this town.
        ChangedMeanwhile: what is changed here was changed meanwhile.
        Conflict: it has begun or was cancelled.
        Invalid: with every field that is wrong.
    """
    async with transaction():
        rows = await fetch(
            "SELECT * FROM meeting WHERE id = $1 AND town = $2 FOR UPDATE", meeting_id, town_id
        )
        if not rows:
            raise NotFound(msg("没有找到这场对接会。"))
        before = rows[0]
        if before["state"] not in rules.PLANNABLE:
            raise Conflict(msg("会议已开始或已取消，不能再改。"))
        now = NewMeeting(**{name: before[name] for name in COLUMNS})
        kept = settled(meeting, now=now, seen=seen, names=COLUMNS, exact=exact)
        meeting = kept.value
        problems = meeting_problems(
            meeting,
            today=at.astimezone(CHINA).date(),
            unchanged={name for name in _DEADLINES if before[name] == getattr(meeting, name)},
        )
        if problems:
            raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)
        was = await meeting_of(meeting_id=meeting_id, organisation_id=town_id)
        await execute(
            """UPDATE meeting SET title = $2, title_en = $3, held_on = $4, starts_at = $5,
                 slot_minutes = $6, slots = $7, tables = $8, half_day_after = $9, pause_minutes = $10,
                 most_appointments = $11, venue = $12, venue_en = $13, programme = $14, programme_en = $15,
                 days = $16, blocked_slots = $17, most_of_sellers = $18, most_of_buyers = $19,
                 most_musts = $20, fairness = $21, capacity = $22, weather_plan = $23, contact = $24,
                 contact_phone = $25, answer_by = $26, wishes_by = $27, is_public = $28,
                 most_of_one_person = $29, weather_plan_en = $30
               WHERE id = $1""",
            meeting_id,
            *columns_of(meeting),
        )
        if meeting.invite_media:
            await invite_media(meeting_id, at=at)
        await schedule_reminders(meeting_id, at=at)
        changed = [name for name in _TOLD if before[name] != getattr(meeting, name)]
        await record(
            subject=f"meeting:{meeting_id}", action="revise", actor=actor, at=at, details={"changed": changed}
        )
        if changed:
            await _tell(meeting_id, meeting, at=at)
        elif was.published_at is not None:
            await _tell_moved(was, await meeting_of(meeting_id=meeting_id, organisation_id=town_id), at=at)
    return kept.theirs


async def _tell(meeting_id: int, meeting: NewMeeting, *, at: datetime) -> None:
    for row in await fetch(
        """SELECT organisation FROM invitation
           WHERE meeting = $1 AND state NOT IN ('revoked', 'declined', 'expired') ORDER BY organisation""",
        meeting_id,
    ):
        await notify(
            organisation_id=row["organisation"],
            kind="meeting_revised",
            message=msg(
                "“{title}”改为 {day} {hour} 在{venue}举行，请留意新的日程。",
                title=in_both(meeting.title, meeting.title_en),
                day=on_day(meeting.held_on),
                hour=f"{meeting.starts_at // 60:02d}:{meeting.starts_at % 60:02d}",
                venue=in_both(meeting.venue, meeting.venue_en),
            ),
            link=f"/meetings/{meeting_id}",
            at=at,
        )


async def _tell_moved(was: MeetingRow, meeting: MeetingRow, *, at: datetime) -> None:
    """Tell whoever has a talk that its slot now puts at another hour."""

    def hours(of: MeetingRow, slot: int) -> tuple[date, int, int]:
        return of.slot_day(slot), of.slot_start(slot), of.slot_minutes

    moved = [slot for slot in range(1, meeting.all_slots + 1) if hours(was, slot) != hours(meeting, slot)]
    for row in await fetch(
        """SELECT DISTINCT organisation FROM appointment, unnest(ARRAY[seller, buyer]) AS organisation
           WHERE meeting = $1 AND state = 'scheduled' AND slot = ANY($2::integer[]) ORDER BY organisation""",
        meeting.id,
        moved,
    ):
        await notify(
            organisation_id=row["organisation"],
            kind="timetable_changed",
            message=msg(
                "“{title}”的洽谈时间有调整，请看新的日程。", title=in_both(meeting.title, meeting.title_en)
            ),
            link=f"/meetings/{meeting.id}",
            at=at,
        )

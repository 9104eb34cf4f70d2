"""What has upset a meeting's timetable, and taking the last of it back."""

from datetime import datetime

import msgspec

from market.accounts.rules import Actor
from market.audit.operations import record
from market.db.session import execute, fetch, fetch_row, transaction
from market.db.signals import signal
from market.errors import Conflict, NotFound
from market.i18n import msg
from market.meetings import rules
from market.meetings.day.attendance import board_of, code_of_invitation, settle
from market.meetings.day.board import hour_of
from market.meetings.day.disruptions import Snapshot
from market.meetings.day.replanning import Details, keep_step, lift, snapshot_of, tell_changed
from market.meetings.day.rest_of_day import Step
from market.meetings.queries import MeetingRow, meeting_of


class IncidentRow(msgspec.Struct, frozen=True):
    """Something that happened, with what it changed."""

    id: int
    kind: str
    details: Details
    moved: int
    cancelled: int
    told: int
    person: str | None
    created_at: datetime
    undone_at: datetime | None


async def incidents_of(*, meeting_id: int) -> list[IncidentRow]:
    """Return what has upset the timetable, the latest first."""
    rows = await fetch(
        """SELECT incident.id, incident.kind, incident.details, incident.moved, incident.cancelled,
                  incident.told, person.name AS person, incident.created_at, incident.undone_at
           FROM incident LEFT JOIN person ON person.id = incident.person
           WHERE incident.meeting = $1 ORDER BY incident.id DESC""",
        meeting_id,
    )
    return [
        IncidentRow(**{**dict(row), "details": msgspec.json.decode(row["details"], type=Details)})
        for row in rows
    ]


async def undo_last(*, meeting_id: int, incident_id: int, town_id: int, actor: Actor, at: datetime) -> None:
    """Put the timetable back to what it was before the last incident; whoever's day changes is told.

    Raises:
        NotFound: no such incident of a meeting of this town.
        Conflict: the meeting is not laid or is over, it is not the last, is undone already, or something of
            it has begun or been held.
    """
    async with transaction():
        await execute("SELECT id FROM meeting WHERE id = $1 AND town = $2 FOR UPDATE", meeting_id, town_id)
        meeting = await meeting_of(meeting_id=meeting_id, organisation_id=town_id)
        known = {each.id: each for each in await incidents_of(meeting_id=meeting_id)}
        if meeting.town != town_id or incident_id not in known:
            raise NotFound(msg("没有找到这次改排。"))
        if meeting.state not in rules.MENDABLE:
            raise Conflict(msg("会议进行中才能改排；开始之前请用“重新排桌”。"))
        last = next((each for each in known.values() if each.undone_at is None), None)
        if last is None or last.id != incident_id:
            raise Conflict(msg("只能撤销最近的一次改排。"))
        await execute("SELECT id FROM appointment WHERE meeting = $1 ORDER BY id FOR UPDATE", meeting_id)
        day = await snapshot_of(meeting)
        back = tuple(
            msgspec.structs.replace(each, before=each.after, after=each.before, reason=None)
            for each in last.details.steps
        )
        await _check_undo(meeting, day, back, at=at)
        await lift(back)
        for step in back:
            if step.after is not None or not await _take_back(step, since=last.created_at):
                await keep_step(meeting_id, step, at=at)
        if last.kind == "absent" and last.details.change.organisation is not None:
            await _await_again(meeting_id, last.details.change.organisation, since=last.created_at, at=at)
        await execute("UPDATE incident SET undone_at = $2 WHERE id = $1", incident_id, at)
        await record(
            subject=f"meeting:{meeting_id}",
            action="undo_replan",
            actor=actor,
            at=at,
            details={"incident": incident_id},
        )
        if meeting.published_at is not None:
            await tell_changed(meeting, back, at=at)
        await signal(board_of(meeting_id))


async def _take_back(step: Step, *, since: datetime) -> bool:
    """Delete a talk that the change itself brought in: whoever came may be given it again later."""
    return bool(
        await fetch(
            "DELETE FROM appointment WHERE id = $1 AND source = 'walk_in' AND created_at = $2 RETURNING id",
            step.id,
            since,
        )
    )


async def _await_again(meeting_id: int, organisation_id: int, *, since: datetime, at: datetime) -> None:
    """Take out of the log of the door that somebody does not come: they stand as they stood before it."""
    row = await fetch_row(
        "SELECT id FROM invitation WHERE meeting = $1 AND organisation = $2 FOR UPDATE",
        meeting_id,
        organisation_id,
    )
    if row is None:
        return
    await execute(
        """DELETE FROM scan WHERE meeting = $1 AND attendee IS NULL AND code = $2 AND scanned_at = $3
             AND move IN ('mark_no_show', 'leave')""",
        meeting_id,
        code_of_invitation(row["id"]),
        since,
    )
    await settle(row["id"], at=at)


async def _check_undo(meeting: MeetingRow, day: Snapshot, back: tuple[Step, ...], *, at: datetime) -> None:
    hour = hour_of(meeting, at)
    # a slot that runs is not over: the change may be a minute old
    since = hour.now or hour.next or meeting.all_slots + 1
    for step in back:
        talk = day.talk(step.id)
        place = (talk.slot, talk.table) if talk and talk.slot is not None else None
        if talk is None or talk.rests or place != step.before:
            raise Conflict(msg("改排以后已有洽谈开始或又变动过，不能撤销；请按现在的情况再改一次。"))
        if step.after is not None and step.after[0] < since:
            raise Conflict(msg("原来的时段已经过了，不能撤销；请按现在的情况再改一次。"))
    moving = {each.id for each in back}
    taken = {
        (each.slot, each.table)
        for each in day.talks
        if each.slot and each.state in ("scheduled", "held") and each.id not in moving
    }
    if any(step.after in taken for step in back):
        raise Conflict(msg("改排以后已有洽谈开始或又变动过，不能撤销；请按现在的情况再改一次。"))

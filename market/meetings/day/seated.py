"""Who sat at a table was in the house, whatever happened at the door."""

from collections.abc import Collection
from datetime import datetime

from market.accounts.rules import Actor
from market.clock import CHINA
from market.db.session import fetch, fetch_row
from market.meetings import rules
from market.meetings.day.attendance import (
    code_of_invitation,
    door_of,
    has_come_after_all,
    hold,
    log_move,
    settle,
)
from market.meetings.day.presence import days_here, on_day, presence_of
from market.meetings.queries import MeetingRow, meeting_of


async def _held(meeting_id: int, organisations: Collection[int]) -> list[int]:
    """Return the invitations of these, held for writing."""
    found = await fetch(
        "SELECT id FROM invitation WHERE meeting = $1 AND organisation = ANY($2::bigint[])",
        meeting_id,
        list(organisations),
    )
    invitations = sorted(row["id"] for row in found)
    await hold(invitations)
    return invitations


async def check_in_seated(
    *, meeting_id: int, organisations: Collection[int], actor: Actor, at: datetime
) -> None:
    """Check in whoever sits down and was not, in the caller's transaction; who had left is back."""
    for invitation in await _held(meeting_id, organisations):
        door = await door_of(invitation)
        log = on_day(door.events, door.day_of(at), door.day_of)
        now, _ = presence_of(log, door.persons)
        if rules.ATTENDANCE.find("check_in", state=now.state, by="official"):
            await _check_in(meeting_id, invitation, actor=actor, on=at, at=at)


async def hold_meeting(appointment_id: int) -> None:
    """Hold a talk's meeting as it is, before the talk: who re-plans or closes it holds them in that order.

    Who is checked in goes into the meeting's log, which would ask for the meeting after the talk.
    """
    await fetch(
        """SELECT meeting.id FROM meeting JOIN appointment ON appointment.meeting = meeting.id
           WHERE appointment.id = $1 FOR KEY SHARE OF meeting""",
        appointment_id,
    )


async def hold_with_neighbours(appointment_id: int) -> None:
    """Hold a talk and all others of its two sides for writing, in one order: what comes of them waits."""
    await hold_meeting(appointment_id)
    await fetch(
        """SELECT other.id FROM appointment AS one JOIN appointment AS other ON other.meeting = one.meeting
             AND (one.seller IN (other.seller, other.buyer) OR one.buyer IN (other.seller, other.buyer))
           WHERE one.id = $1 ORDER BY other.id FOR UPDATE OF other""",
        appointment_id,
    )


async def await_again(
    *, meeting_id: int, organisations: Collection[int], since: datetime, actor: Actor, at: datetime
) -> None:
    """Take back the check-ins that a talk made which has not begun after all.

    Who came through the door before or after it stands as they stand. Who sat at another table was there.
    """
    for invitation in await _held(meeting_id, organisations):
        made = await fetch(
            """DELETE FROM scan WHERE meeting = $1 AND attendee IS NULL AND code = $2 AND scanned_at = $3
                 AND move = 'check_in' RETURNING id""",
            meeting_id,
            code_of_invitation(invitation),
            since,
        )
        await settle(invitation, at=at)
        if made and await has_come_after_all(invitation, on=since):
            await _check_in(meeting_id, invitation, actor=actor, on=since, at=at)


async def count_as_come(
    *, appointment_id: int, outcome: str, reason: str | None, town_id: int, actor: Actor, at: datetime
) -> None:
    """Check in both sides of a talk that has a result, where nothing at the door says that they were there.

    They came on the day of their talk, also where the result is noted on a later one. Who came that day
    stands as they stand, gone or not. Who is said not to have come stays so where nothing came of the talk:
    that is how such a talk is noted. Where the result is that one side did not come, whoever says so has.
    """
    talk = await fetch_row(_TALK, appointment_id)
    assert talk is not None
    meeting = await meeting_of(meeting_id=talk["meeting"], organisation_id=town_id)
    on = _came_on(meeting, talk["slot"], at)
    came = {talk["seller"], talk["buyer"]}
    if rules.is_absence(outcome, reason):
        came &= {actor.organisation_id}
    for invitation in await _held(meeting.id, came):
        door = await door_of(invitation)
        day = door.day_of(on)
        here, _ = days_here(door.events, door.persons, door.day_of)
        said, _ = presence_of(on_day(door.events, day, door.day_of), door.persons)
        if day not in here and (said.state != "no_show" or outcome != "none"):
            await _check_in(meeting.id, invitation, actor=actor, on=on, at=at)


async def count_as_absent(*, appointment_id: int, town_id: int, actor: Actor, at: datetime) -> None:
    """Take back the check-ins that results of a talk have made, now that it says that one side did not come.

    Whoever has said himself what came of it has come. The caller has written the result down.
    """
    talk = await fetch_row(_TALK, appointment_id)
    assert talk is not None
    meeting = await meeting_of(meeting_id=talk["meeting"], organisation_id=town_id)
    counted = await fetch(
        """SELECT created_at, organisation FROM statement WHERE appointment = $1
           UNION SELECT created_at, NULL FROM talk_settlement WHERE appointment = $1""",
        appointment_id,
    )
    came = {actor.organisation_id, *(row["organisation"] for row in counted)}
    for on in sorted({_came_on(meeting, talk["slot"], row["created_at"]) for row in counted}):
        await await_again(
            meeting_id=meeting.id,
            organisations={talk["seller"], talk["buyer"]} - came,
            since=on,
            actor=actor,
            at=at,
        )


_TALK = "SELECT meeting, seller, buyer, slot FROM appointment WHERE id = $1"


def _came_on(meeting: MeetingRow, slot: int | None, at: datetime) -> datetime:
    """Return when the two came whose result is noted at ``at``: on the day of their talk if that is past."""
    if slot is not None and meeting.slot_day(slot) < at.astimezone(CHINA).date():
        return meeting.slot_moment(slot)
    return at


async def _check_in(meeting_id: int, invitation: int, *, actor: Actor, on: datetime, at: datetime) -> None:
    await log_move(
        meeting_id=meeting_id,
        code=code_of_invitation(invitation),
        attendee_id=None,
        move="check_in",
        actor=actor,
        at=on,
    )
    await settle(invitation, at=at)

"""Who has come: at a click for one organisation or one person. Readings of badges: ``scanning``."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import uuid4

import msgspec
from asyncpg import Record

from market.accounts.rules import Actor
from market.audit.operations import record
from market.clock import CHINA
from market.db.session import execute, fetch, fetch_row, fetch_value, transaction
from market.db.signals import signal
from market.errors import Conflict, NotFound
from market.i18n import Message, msg, named
from market.meetings import rules
from market.meetings.day.presence import (
    UNDO,
    Event,
    days_here,
    on_day,
    presence_of,
    without_mistakes,
)
from market.meetings.planning.unfit import SAID_ABSENT


def board_of(meeting_id: int) -> str:
    """Return what whoever watches this meeting's day listens for."""
    return f"meeting:{meeting_id}"


def code_of_invitation(invitation_id: int) -> str:
    """Return the code under which the log speaks of a whole organisation. No badge has such a one."""
    return f"@{invitation_id}"


class Door(msgspec.Struct, frozen=True):
    """What the log of the door says of one organisation and its persons, less what was taken back."""

    invitation: Record
    persons: Mapping[int, Record]
    events: Sequence[Event]

    def day_of(self, moment: datetime) -> int:
        """Return the meeting's day on which something happened."""
        on = moment.astimezone(CHINA).date()
        return rules.day_number(on, held_on=self.invitation["held_on"], days=self.invitation["days"])


async def door_of(invitation_id: int) -> Door:
    """Read what happened at the door. The caller holds the invitation's row."""
    invitation = await fetch_row(
        """SELECT meeting, attendance, invitation.days_here, held_on, days, meeting.state FROM invitation
           JOIN meeting ON meeting.id = invitation.meeting WHERE invitation.id = $1""",
        invitation_id,
    )
    assert invitation is not None
    persons = {
        row["id"]: row
        for row in await fetch(
            """SELECT id, attendance, checked_in_at, left_at, days_here FROM attendee
               WHERE invitation = $1""",
            invitation_id,
        )
    }
    log = [
        Event(row["move"], row["scanned_at"], row["attendee"], row["id"])
        for row in await fetch(
            """SELECT id, attendee, move, scanned_at FROM scan WHERE meeting = $1
                 AND (attendee = ANY($2::bigint[]) OR (attendee IS NULL AND code = $3))""",
            invitation["meeting"],
            list(persons),
            code_of_invitation(invitation_id),
        )
    ]
    door = Door(invitation, persons, log)
    return msgspec.structs.replace(door, events=without_mistakes(log, door.day_of))


async def settle(invitation_id: int, *, at: datetime) -> str:
    """Bring one organisation and its persons to what the log of the door says; return its state.

    While a meeting of several days is on, the state is that of the day on which ``at`` falls: everybody is
    awaited anew each day. On which days they came stands beside it. The caller holds the invitation's row.
    """
    door = await door_of(invitation_id)
    invitation, persons, log, day_of = door.invitation, door.persons, door.events, door.day_of
    is_on = invitation["days"] > 1 and invitation["state"] in rules.MENDABLE
    house, settled = presence_of(on_day(log, day_of(at), day_of) if is_on else log, persons)
    here, each_here = days_here(log, persons, day_of)
    for number, each in settled.items():
        before = persons[number]
        if (each.state, each.checked_in_at, each.left_at, each_here[number]) != (
            before["attendance"],
            before["checked_in_at"],
            before["left_at"],
            before["days_here"],
        ):
            await execute(
                """UPDATE attendee SET attendance = $2, checked_in_at = $3, left_at = $4, days_here = $5
                   WHERE id = $1""",
                number,
                each.state,
                each.checked_in_at,
                each.left_at,
                each_here[number],
            )
    if (house.state, here) != (invitation["attendance"], invitation["days_here"]):
        await execute(
            "UPDATE invitation SET attendance = $2, days_here = $3 WHERE id = $1",
            invitation_id,
            house.state,
            here,
        )
    return house.state


async def log_move(
    *,
    meeting_id: int,
    code: str,
    attendee_id: int | None,
    move: str,
    actor: Actor,
    at: datetime,
    key: str | None = None,
) -> None:
    """Write one move at the door into the log; the same key twice is one move."""
    await execute(
        """INSERT INTO scan (meeting, attendee, code, key, move, scanned_at, received_at, person)
           VALUES ($1, $2, $3, $4, $5, $6, $6, $7) ON CONFLICT (key) DO NOTHING""",
        meeting_id,
        attendee_id,
        code,
        key or str(uuid4()),
        move,
        at,
        actor.person_id,
    )


async def mark_attendance(
    *, meeting_id: int, organisation_id: int, move: str, town_id: int, actor: Actor, at: datetime
) -> str:
    """Check somebody in or out, or note that they did not come; return the new state.

    Raises:
        NotFound: not invited to a meeting of this town.
        Conflict: the meeting is not on, or who sat at a table would not have come.
        WrongState: the move is not open now.
    """
    async with transaction():
        await _hold_open_door(meeting_id=meeting_id, town_id=town_id, at=at)
        if move == UNDO:
            found = await fetch(
                "SELECT id FROM invitation WHERE meeting = $1 AND organisation = $2",
                meeting_id,
                organisation_id,
            )
            await hold_talks([each["id"] for each in found])
        row = await fetch_row(
            """SELECT invitation.id, invitation.attendance, meeting.days FROM invitation
               JOIN meeting ON meeting.id = invitation.meeting
               WHERE invitation.meeting = $1 AND invitation.organisation = $2 AND meeting.town = $3
                 AND invitation.state <> 'revoked' FOR UPDATE OF invitation""",
            meeting_id,
            organisation_id,
            town_id,
        )
        if row is None:
            raise NotFound(msg("没有找到这份邀请。"))
        # a new day may have begun since the row was written
        now = await settle(row["id"], at=at) if row["days"] > 1 else row["attendance"]
        rules.ATTENDANCE.apply(move, state=now, by="official")
        await log_move(
            meeting_id=meeting_id,
            code=code_of_invitation(row["id"]),
            attendee_id=None,
            move=move,
            actor=actor,
            at=at,
        )
        state = await settle(row["id"], at=at)
        if move == UNDO and (why := await has_come_after_all(row["id"], on=at)):
            raise Conflict(why)
        await record(
            subject=f"meeting:{meeting_id}",
            action=move,
            actor=actor,
            at=at,
            details={"organisation": organisation_id},
        )
        await signal(board_of(meeting_id))
    return state


async def mark_person(
    *,
    attendee_id: int,
    meeting_id: int,
    move: str,
    town_id: int,
    actor: Actor,
    at: datetime,
    key: str | None = None,
) -> str:
    """Check one person in or out, or note that they did not come; return the person's new state.

    Raises:
        NotFound: nobody who comes to a meeting of this town.
        Conflict: the meeting is not on, or who sat at a table would not have come.
        WrongState: the move is not open now.
    """
    async with transaction():
        await _hold_open_door(meeting_id=meeting_id, town_id=town_id, at=at)
        if move == UNDO:
            found = await fetch("SELECT invitation FROM attendee WHERE id = $1", attendee_id)
            await hold_talks([each["invitation"] for each in found])
        row = await fetch_row(
            """SELECT attendee.attendance, meeting.days, attendee.code, attendee.invitation FROM attendee
               JOIN invitation ON invitation.id = attendee.invitation
               JOIN meeting ON meeting.id = invitation.meeting
               WHERE attendee.id = $1 AND meeting.id = $2 AND meeting.town = $3
                 AND invitation.state <> 'revoked' FOR UPDATE OF invitation""",
            attendee_id,
            meeting_id,
            town_id,
        )
        if row is None:
            raise NotFound(msg("没有找到这位来宾。"))
        now = row["attendance"]
        if row["days"] > 1:
            await settle(row["invitation"], at=at)
            now = await fetch_value("SELECT attendance FROM attendee WHERE id = $1", attendee_id)
        rules.ATTENDANCE.apply(move, state=now, by="official")
        await log_move(
            meeting_id=meeting_id,
            code=row["code"],
            attendee_id=attendee_id,
            move=move,
            actor=actor,
            at=at,
            key=key,
        )
        await settle(row["invitation"], at=at)
        if move == UNDO and (why := await has_come_after_all(row["invitation"], on=at)):
            raise Conflict(why)
        await record(
            subject=f"meeting:{meeting_id}",
            action=move,
            actor=actor,
            at=at,
            details={"attendee": attendee_id},
        )
        await signal(board_of(meeting_id))
        state = await fetch_value("SELECT attendance FROM attendee WHERE id = $1", attendee_id)
    return str(state)


async def hold_door(*, meeting_id: int, town_id: int) -> Record:
    """Return the state and day of a meeting, which nobody closes until the transaction ends.

    Whoever closes it holds the meeting first and then those invited: so it is held before them here too.

    Raises:
        NotFound: no such meeting of this town.
    """
    meeting = await fetch_row(
        "SELECT state, held_on FROM meeting WHERE id = $1 AND town = $2 FOR KEY SHARE", meeting_id, town_id
    )
    if meeting is None:
        raise NotFound(msg("没有找到这场对接会。"))
    return meeting


async def _hold_open_door(*, meeting_id: int, town_id: int, at: datetime) -> None:
    """Raises: NotFound, as :func:`hold_door`; Conflict, where nobody is checked in now."""
    meeting = await hold_door(meeting_id=meeting_id, town_id=town_id)
    today = at.astimezone(CHINA).date()
    if why := rules.door_closed(state=meeting["state"], held_on=meeting["held_on"], today=today):
        raise Conflict(why)


async def hold_talks(invitations: Collection[int]) -> None:
    """Hold the talks of these invited: what comes of them waits. Talks are locked before invitations."""
    await fetch(
        """SELECT appointment.id FROM appointment
           JOIN invitation ON invitation.meeting = appointment.meeting
             AND invitation.organisation IN (appointment.seller, appointment.buyer)
           WHERE invitation.id = ANY($1::bigint[]) ORDER BY appointment.id FOR SHARE OF appointment""",
        list(invitations),
    )


async def has_come_after_all(invitation_id: int, *, on: datetime) -> Message | None:
    """Return why a check-in of the day of ``on``, undone by now, has to stand; None where it may be undone.

    Who sat at a table was there. Whoever came without being planned, and was given talks for it, has them
    taken off the timetable first: their other sides have to be told.
    """
    row = await fetch_row(
        """SELECT organisation.name, organisation.name_en, invitation.meeting, invitation.organisation,
                  invitation.days_here, meeting.held_on, meeting.days, meeting.slots
           FROM invitation JOIN meeting ON meeting.id = invitation.meeting
           JOIN organisation ON organisation.id = invitation.organisation WHERE invitation.id = $1""",
        invitation_id,
    )
    assert row is not None
    day = rules.day_number(on.astimezone(CHINA).date(), held_on=row["held_on"], days=row["days"])
    if day in row["days_here"]:
        return None
    talks = await fetch_row(
        f"""SELECT count(*) FILTER (WHERE state = 'held' AND NOT {SAID_ABSENT}) AS held,
                  count(*) FILTER (WHERE state = 'scheduled' AND started_at IS NOT NULL) AS begun,
                  count(*) FILTER (
                    WHERE state = 'scheduled' AND source = 'walk_in' AND EXISTS (
                      SELECT FROM incident WHERE incident.meeting = $1 AND incident.kind = 'walk_in'
                        AND incident.undone_at IS NULL
                        AND (incident.details -> 'change' ->> 'organisation')::bigint = $2)) AS added
           FROM appointment WHERE meeting = $1 AND $2 IN (seller, buyer)
             AND (slot IS NULL OR (slot - 1) / $3 + 1 = $4)""",  # noqa: S608  our own text
        row["meeting"],
        row["organisation"],
        row["slots"],
        day,
    )
    assert talks is not None
    name = named(row, "name")
    if talks["held"]:
        return msg("“{name}”已有洽谈记了结果，是到了场的，签到不能撤销。", name=name)
    if talks["begun"]:
        return msg(
            "“{name}”已有洽谈开谈，签到不能撤销；开谈点错了的，先到“签到和记录”里撤销开谈。", name=name
        )
    if talks["added"]:
        return msg(
            "“{name}”当天到场后排上了洽谈，对方已知道。请先在“改排”里撤销那次改排或记它不来，再撤销签到。",
            name=name,
        )
    return None


async def hold(invitations: Collection[int]) -> None:
    """Lock several organisations' rows, in the one order that keeps two callers from waiting in a ring."""
    for number in sorted(invitations):
        await fetch("SELECT id FROM invitation WHERE id = $1 FOR UPDATE", number)


async def settle_all(invitations: Collection[int], *, at: datetime) -> None:
    """Settle several organisations, having locked their rows."""
    await hold(invitations)
    for number in sorted(invitations):
        await settle(number, at=at)


async def settle_meeting(meeting_id: int, *, at: datetime) -> None:
    """Settle everybody who is invited to a meeting."""
    rows = await fetch("SELECT id FROM invitation WHERE meeting = $1 ORDER BY id", meeting_id)
    await settle_all([row["id"] for row in rows], at=at)


async def begin_days(*, at: datetime) -> None:
    """At meetings that go on for another day, await everybody anew."""
    today = at.astimezone(CHINA).date()
    for row in await fetch(
        """SELECT id FROM meeting WHERE state = ANY($1::text[]) AND days > 1
             AND held_on < $2 AND $2 < held_on + days::integer
             AND EXISTS (SELECT FROM invitation WHERE invitation.meeting = meeting.id
                           AND invitation.attendance <> $3) ORDER BY id""",
        sorted(rules.MENDABLE),
        today,
        rules.ATTENDANCE.start,
    ):
        async with transaction():
            await settle_meeting(row["id"], at=at)
            await signal(board_of(row["id"]))

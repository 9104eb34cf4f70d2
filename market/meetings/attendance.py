"""Who has come: at a click for one organisation or one person. Readings of badges: ``scanning``."""

from collections.abc import Collection
from datetime import datetime
from uuid import uuid4

from market.accounts.rules import Actor
from market.audit.operations import record
from market.db.session import execute, fetch, fetch_row, transaction
from market.db.signals import signal
from market.errors import NotFound
from market.i18n import msg
from market.meetings import rules
from market.meetings.presence import Event, presence_of


def board_of(meeting_id: int) -> str:
    """Return what whoever watches this meeting's day listens for."""
    return f"meeting:{meeting_id}"


def code_of_invitation(invitation_id: int) -> str:
    """Return the code under which the log speaks of a whole organisation. No badge has such a one."""
    return f"@{invitation_id}"


async def settle(invitation_id: int) -> str:
    """Bring one organisation and its persons to what the log of the door says; return its state.

    The caller holds the invitation's row.
    """
    invitation = await fetch_row("SELECT meeting, attendance FROM invitation WHERE id = $1", invitation_id)
    assert invitation is not None
    persons = {
        row["id"]: row
        for row in await fetch(
            "SELECT id, attendance, checked_in_at, left_at FROM attendee WHERE invitation = $1", invitation_id
        )
    }
    log = await fetch(
        """SELECT id, attendee, move, scanned_at FROM scan WHERE meeting = $1
             AND (attendee = ANY($2::bigint[]) OR (attendee IS NULL AND code = $3))""",
        invitation["meeting"],
        list(persons),
        code_of_invitation(invitation_id),
    )
    house, settled = presence_of(
        [Event(row["move"], row["scanned_at"], row["attendee"], row["id"]) for row in log], persons
    )
    for number, each in settled.items():
        before = persons[number]
        if (each.state, each.checked_in_at, each.left_at) != (
            before["attendance"],
            before["checked_in_at"],
            before["left_at"],
        ):
            await execute(
                "UPDATE attendee SET attendance = $2, checked_in_at = $3, left_at = $4 WHERE id = $1",
                number,
                each.state,
                each.checked_in_at,
                each.left_at,
            )
    if house.state != invitation["attendance"]:
        await execute("UPDATE invitation SET attendance = $2 WHERE id = $1", invitation_id, house.state)
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
        WrongState: the move is not open now.
    """
    async with transaction():
        row = await fetch_row(
            """SELECT invitation.id, invitation.attendance FROM invitation
               JOIN meeting ON meeting.id = invitation.meeting
               WHERE invitation.meeting = $1 AND invitation.organisation = $2 AND meeting.town = $3
                 AND invitation.state <> 'revoked' FOR UPDATE OF invitation""",
            meeting_id,
            organisation_id,
            town_id,
        )
        if row is None:
            raise NotFound(msg("没有找到这份邀请。"))
        rules.ATTENDANCE.apply(move, state=row["attendance"], by="official")
        await log_move(
            meeting_id=meeting_id,
            code=code_of_invitation(row["id"]),
            attendee_id=None,
            move=move,
            actor=actor,
            at=at,
        )
        state = await settle(row["id"])
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
        WrongState: the move is not open now.
    """
    async with transaction():
        row = await fetch_row(
            """SELECT attendee.attendance, attendee.code, attendee.invitation FROM attendee
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
        target = rules.ATTENDANCE.apply(move, state=row["attendance"], by="official")
        await log_move(
            meeting_id=meeting_id,
            code=row["code"],
            attendee_id=attendee_id,
            move=move,
            actor=actor,
            at=at,
            key=key,
        )
        await settle(row["invitation"])
        await record(
            subject=f"meeting:{meeting_id}",
            action=move,
            actor=actor,
            at=at,
            details={"attendee": attendee_id},
        )
        await signal(board_of(meeting_id))
    return target


async def check_in_seated(*, meeting_id: int, organisation_id: int, actor: Actor, at: datetime) -> None:
    """Check in whoever was not, in the caller's transaction."""
    row = await fetch_row(
        "SELECT id, attendance FROM invitation WHERE meeting = $1 AND organisation = $2 FOR UPDATE",
        meeting_id,
        organisation_id,
    )
    if row is None or not rules.ATTENDANCE.find("check_in", state=row["attendance"], by="official"):
        return
    await log_move(
        meeting_id=meeting_id,
        code=code_of_invitation(row["id"]),
        attendee_id=None,
        move="check_in",
        actor=actor,
        at=at,
    )
    await settle(row["id"])


async def hold(invitations: Collection[int]) -> None:
    """Lock several organisations' rows, in the one order that keeps two callers from waiting in a ring."""
    for number in sorted(invitations):
        await fetch("SELECT id FROM invitation WHERE id = $1 FOR UPDATE", number)


async def settle_all(invitations: Collection[int]) -> None:
    """Settle several organisations, having locked their rows."""
    await hold(invitations)
    for number in sorted(invitations):
        await settle(number)

"""An appointment put elsewhere by the town's hand, before the meeting has begun."""

from datetime import datetime

from market.accounts.rules import Actor
from market.db.session import fetch_row, transaction
from market.errors import NotFound
from market.i18n import msg
from market.meetings.planning.pairing import add_appointment, remove_appointment
from market.meetings.planning.publishing import days_of, tell_changed


async def move_appointment(
    *, appointment_id: int, slot: int, table: int | None, town_id: int, actor: Actor, at: datetime
) -> None:
    """Lay an appointment in ``slot``, at ``table`` or the first that is free; later plans leave it there.

    Where the timetable is out, each side is told once that its day has changed.

    Raises:
        NotFound: no such appointment of a meeting of this town.
        Invalid: the meeting has no such slot or table.
        Conflict: the place is taken, one of the two cannot then, or the meeting has begun.
    """
    async with transaction():
        # held from here on: what another official changes meanwhile is theirs to tell
        row = await fetch_row(
            """SELECT appointment.meeting, appointment.seller, appointment.buyer, meeting.published_at
               FROM appointment JOIN meeting ON meeting.id = appointment.meeting
               WHERE appointment.id = $1 AND meeting.town = $2 FOR UPDATE OF meeting""",
            appointment_id,
            town_id,
        )
        if row is None:
            raise NotFound(msg("没有找到这场洽谈。"))
        before = await days_of(row["meeting"])
        await remove_appointment(
            appointment_id=appointment_id, town_id=town_id, actor=actor, at=at, tell=False
        )
        await add_appointment(
            meeting_id=row["meeting"],
            seller=row["seller"],
            buyer=row["buyer"],
            slot=slot,
            table=table,
            town_id=town_id,
            actor=actor,
            at=at,
            tell=False,
        )
        if row["published_at"] is not None:
            await tell_changed(row["meeting"], before, at=at)

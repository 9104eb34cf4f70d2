"""An appointment put elsewhere by the town's hand, before the meeting has begun."""

from datetime import datetime

from market.accounts.rules import Actor
from market.db.session import fetch_row, transaction
from market.errors import Conflict, NotFound
from market.i18n import msg
from market.meetings.planning.pairing import add_appointment, remove_appointment
from market.meetings.planning.publishing import days_of, tell_changed


def mark_of(slot: int | None, table: int | None) -> str:
    """Return a place as a page keeps it."""
    return f"{slot or 0}-{table or 0}"


async def move_appointment(
    *,
    appointment_id: int,
    slot: int,
    table: int | None,
    town_id: int,
    actor: Actor,
    at: datetime,
    seen: str | None = None,
) -> None:
    """Lay an appointment in ``slot``, at ``table`` or the first that is free; later plans leave it there.

    Where the timetable is out, each side is told once that its day has changed. ``seen``: where whoever
    moves it saw it, as ``mark_of`` has it, where that is known.

    Raises:
        NotFound: no such appointment of a meeting of this town.
        Invalid: the meeting has no such slot or table.
        Conflict: the place is taken, one of the two cannot then, the meeting has begun, or somebody else has
            put it elsewhere since.
    """
    async with transaction():
        # held from here on: what another official changes meanwhile is theirs to tell
        row = await fetch_row(
            """SELECT appointment.meeting, appointment.seller, appointment.buyer, appointment.slot,
                      appointment.table_number, meeting.published_at
               FROM appointment JOIN meeting ON meeting.id = appointment.meeting
               WHERE appointment.id = $1 AND meeting.town = $2 FOR UPDATE OF meeting""",
            appointment_id,
            town_id,
        )
        if row is None:
            raise NotFound(msg("没有找到这场洽谈。"))
        if seen is not None and seen != mark_of(row["slot"], row["table_number"]):
            if row["slot"] == slot and table in (None, row["table_number"]):
                return  # pressed twice, or both wanted the same
            raise Conflict(msg("刚才有人动过这场洽谈，请看它现在在哪里，再换一次。"))
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

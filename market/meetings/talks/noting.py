"""What one side of a talk writes down for itself; the other side never sees it, nor does the town."""

from datetime import datetime

import msgspec

from market.accounts.rules import Actor
from market.db.session import execute, fetch_into, fetch_value, transaction
from market.errors import Invalid, NotFound
from market.i18n import msg

LONGEST_NOTE = 2_000


class NoteRow(msgspec.Struct, frozen=True):
    appointment: int
    text: str
    updated_at: datetime


async def keep_note(*, appointment_id: int, text: str, actor: Actor, at: datetime) -> NoteRow | None:
    """Write the note of the actor's side, instead of what stood there; an empty one is taken away.

    Raises:
        NotFound: no such talk of this organisation.
        Invalid: it is too long.
    """
    text = text.strip()
    if len(text) > LONGEST_NOTE:
        problem = msg("笔记最多 {most} 个字，现在 {now} 个。", most=LONGEST_NOTE, now=len(text))
        raise Invalid(problem, {"text": problem})
    async with transaction():
        own = await fetch_value(
            "SELECT id FROM appointment WHERE id = $1 AND $2 IN (seller, buyer)",
            appointment_id,
            actor.organisation_id,
        )
        if own is None:
            raise NotFound(msg("没有找到这场洽谈。"))
        if not text:
            await execute(
                "DELETE FROM appointment_note WHERE appointment = $1 AND organisation = $2",
                appointment_id,
                actor.organisation_id,
            )
            return None
        await execute(
            """INSERT INTO appointment_note (appointment, organisation, text, updated_at)
               VALUES ($1, $2, $3, $4)
               ON CONFLICT (appointment, organisation)
               DO UPDATE SET text = excluded.text, updated_at = excluded.updated_at""",
            appointment_id,
            actor.organisation_id,
            text,
            at,
        )
    return NoteRow(appointment_id, text, at)


async def notes_of(*, meeting_id: int, organisation_id: int) -> dict[int, NoteRow]:
    """Return the organisation's own notes by appointment."""
    rows = await fetch_into(
        NoteRow,
        """SELECT note.appointment, note.text, note.updated_at FROM appointment_note note
           JOIN appointment ON appointment.id = note.appointment
           WHERE appointment.meeting = $1 AND note.organisation = $2 ORDER BY note.appointment""",
        meeting_id,
        organisation_id,
    )
    return {row.appointment: row for row in rows}

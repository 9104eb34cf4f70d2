"""What of meetings' guests is not kept: their numbers and words, after a time or when they leave."""

from datetime import date, datetime

from market.db.session import execute

#: The last of a meeting's days lies before the first argument.
_OVER = "meeting.held_on + (meeting.days - 1)::int < $1"


def _count(told: str) -> int:
    return int(told.rpartition(" ")[2])


async def forget_number(*, phone: str) -> None:
    """Take a number out of the lists of those who come to meetings, whoever gave it."""
    await execute("UPDATE attendee SET phone = '' WHERE phone = $1", phone)
    await execute(
        "UPDATE registration SET phone = '', person_name = '' WHERE phone = $1 AND state <> 'pending'", phone
    )


async def forget_guests(*, held_before: date) -> int:
    """Empty numbers and words of guests of meetings whose last day was before that one; return how many."""
    gone = await execute(
        f"""UPDATE attendee SET phone = '' FROM invitation, meeting
           WHERE invitation.id = attendee.invitation AND meeting.id = invitation.meeting
             AND attendee.phone <> '' AND {_OVER}""",  # noqa: S608  our own text
        held_before,
    )
    words = await execute(
        f"""UPDATE invitation SET note = '' FROM meeting
           WHERE meeting.id = invitation.meeting AND invitation.note <> '' AND {_OVER}""",  # noqa: S608  our own text
        held_before,
    )
    return _count(gone) + _count(words)


async def forget_notes(*, held_before: date) -> int:
    """Delete what people noted of talks at meetings whose last day was before that one; return how many."""
    return _count(
        await execute(
            f"""DELETE FROM appointment_note USING meeting
               WHERE meeting.id = appointment_note.meeting AND {_OVER}""",  # noqa: S608  our own text
            held_before,
        )
    )


#: What people wrote in their own words of talks, beside the figures and codes that stay: table, columns.
_WORDS = {
    "appointment": ("note",),
    "feedback": ("note",),
    "follow_up": ("note",),
    "sample": ("note",),
    "statement": ("note", "why"),
}


async def forget_words(*, held_before: date) -> int:
    """Empty what was written of talks, and of wishes, at meetings whose last day was before that one.

    Return how many rows; results, answers and verdicts stay as what they are.
    """
    gone = _count(
        await execute(
            f"""UPDATE wish SET note = '' FROM meeting
                WHERE meeting.id = wish.meeting AND wish.note <> '' AND {_OVER}""",  # noqa: S608  our own text
            held_before,
        )
    )
    for table, columns in _WORDS.items():
        emptied = ", ".join(f"{column} = ''" for column in columns)
        written = " OR ".join(f"own.{column} <> ''" for column in columns)
        talk = "own.id" if table == "appointment" else "own.appointment"
        told = await execute(
            f"""UPDATE {table} own SET {emptied} FROM appointment talk, meeting
                WHERE talk.id = {talk} AND meeting.id = talk.meeting AND ({written}) AND {_OVER}""",  # noqa: S608  our own text
            held_before,
        )
        gone += _count(told)
    return gone


async def forget_registrations(*, held_before: date) -> int:
    """Empty names and numbers of those who registered by themselves; return how many."""
    return _count(
        await execute(
            f"""UPDATE registration SET phone = '', person_name = '' FROM meeting
               WHERE meeting.id = registration.meeting AND registration.phone <> ''
                 AND {_OVER}""",  # noqa: S608  our own text
            held_before,
        )
    )


async def forget_readings(*, before: datetime) -> int:
    """Delete readings of badges from before; who came stays in the attendance."""
    return _count(await execute("DELETE FROM scan WHERE scanned_at < $1", before))

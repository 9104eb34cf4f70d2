"""What somebody at a talk writes down; their own colleagues may read it, the other side and the town never.

Each person has a note of their own: two of one organisation who sit at one table write side by side. It is of
the two that meet at a meeting, so that it stays where their talk is planned away, and comes back with it.
"""

from datetime import datetime

import msgspec

from market.accounts.rules import Actor
from market.db.session import execute, fetch_into, fetch_row, transaction
from market.errors import Invalid, NotFound
from market.i18n import msg
from market.meanwhile import ChangedMeanwhile, marks_of

LONGEST_NOTE = 2_000


class NoteRow(msgspec.Struct, frozen=True):
    """A note of the talk with ``about``.

    ``person`` None: the organisation's, from when it had one note for all of its people.
    """

    about: int
    about_name: str
    about_name_en: str
    person: int | None
    name: str
    name_en: str
    text: str
    updated_at: datetime


class Notes(msgspec.Struct, frozen=True):
    """What is written down of one talk: by the reader, and by colleagues, the oldest first."""

    own: NoteRow | None = None
    others: tuple[NoteRow, ...] = ()

    @property
    def first(self) -> NoteRow:
        """One of them, for whom it is about."""
        return self.own or self.others[0]

    @property
    def marks(self) -> str:
        """What was read of the own note (``market.meanwhile``)."""
        return _marks(self.own.text if self.own else "")


class _Words(msgspec.Struct, frozen=True):
    text: str


class NotedElsewhere(ChangedMeanwhile):
    """The same person has written the note anew since it was read here, on another device maybe.

    ``text`` is what stands now, ``marks`` are those of it.
    """

    def __init__(self, *, sent: str, text: str) -> None:
        super().__init__(both={"text"}, theirs=(), mine=_Words(sent), now=_Words(text), marks=_marks(text))
        self.message = msg(
            "这条笔记您后来在别的页面上写过，这次没有保存。那边写的在下面：要留的抄过来，再点“换成这里写的”。"
        )
        self.text = text


def _marks(text: str) -> str:
    return marks_of(_Words(text))


async def keep_note(
    *, appointment_id: int, text: str, actor: Actor, at: datetime, seen: str | None = None, page: str = ""
) -> None:
    """Write the actor's own note, instead of what stood there; an empty one is taken away.

    ``seen``: the marks of the note that it takes the place of; None: it is meant whatever stands there.
    ``page``: who writes as they go on has seen what the same page wrote last.

    Raises:
        NotFound: no such talk of this organisation.
        Invalid: it is too long.
        NotedElsewhere: another note stands there than was seen.
    """
    text = text.strip()
    if len(text) > LONGEST_NOTE:
        problem = msg("笔记最多 {most} 个字，现在 {now} 个。", most=LONGEST_NOTE, now=len(text))
        raise Invalid(problem, {"text": problem})
    async with transaction():
        talk = await fetch_row(
            """SELECT meeting, CASE seller WHEN $2 THEN buyer ELSE seller END AS about FROM appointment
               WHERE id = $1 AND $2 IN (seller, buyer)""",
            appointment_id,
            actor.organisation_id,
        )
        if talk is None:
            raise NotFound(msg("没有找到这场洽谈。"))
        # two devices of one person, one after the other: there may be no row yet that could be held
        await execute(
            "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
            f"note:{talk['meeting']}:{talk['about']}:{actor.person_id}",
        )
        stands = await fetch_row(
            """SELECT id, text, page FROM appointment_note
               WHERE meeting = $1 AND about = $2 AND organisation = $3 AND person = $4""",
            talk["meeting"],
            talk["about"],
            actor.organisation_id,
            actor.person_id,
        )
        if stands is not None and _is_news(stands["text"], stands["page"], text, seen, page):
            raise NotedElsewhere(sent=text, text=stands["text"])
        if not text:
            if stands is not None:
                await execute("DELETE FROM appointment_note WHERE id = $1", stands["id"])
        elif stands is not None:
            await execute(
                "UPDATE appointment_note SET text = $2, page = $3, updated_at = $4 WHERE id = $1",
                stands["id"],
                text,
                page,
                at,
            )
        else:
            await execute(
                """INSERT INTO appointment_note (meeting, about, organisation, person, text, page, updated_at)
                   VALUES ($1, $2, $3, $4, $5, $6, $7)""",
                talk["meeting"],
                talk["about"],
                actor.organisation_id,
                actor.person_id,
                text,
                page,
                at,
            )


def _is_news(stands: str, wrote: str, text: str, seen: str | None, page: str) -> bool:
    """Tell whether what stands, written by the page ``wrote``, is unknown to who writes ``text``."""
    is_known = seen is None or _marks(stands) == seen or (page != "" and wrote == page)
    return not is_known and stands != text


async def notes_of(*, meeting_id: int, organisation_id: int, person_id: int) -> dict[int, Notes]:
    """Return whom they meet -> what an organisation's people have written down, the reader's own apart."""
    rows = await fetch_into(
        NoteRow,
        """SELECT note.about, about.name AS about_name, about.name_en AS about_name_en, note.person,
                  coalesce(person.name, '') AS name, coalesce(person.name_en, '') AS name_en, note.text,
                  note.updated_at
           FROM appointment_note note JOIN organisation about ON about.id = note.about
           LEFT JOIN person ON person.id = note.person
           WHERE note.meeting = $1 AND note.organisation = $2
           ORDER BY note.about, note.updated_at, note.id""",
        meeting_id,
        organisation_id,
    )
    found: dict[int, Notes] = {}
    for row in rows:
        notes = found.get(row.about, Notes())
        found[row.about] = (
            Notes(row, notes.others) if row.person == person_id else Notes(notes.own, (*notes.others, row))
        )
    return found

"""Notes of talks: each person's own; colleagues read them, the other side and the town never."""

from datetime import datetime

import msgspec
from litestar import Response
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler

from market import clock
from market.api.handling import acting, deed, marked_as, read, seen_in, unless_changed
from market.api.inputs import IdempotencyKey, IfMatch, PathId, Prose, SignedIn
from market.db.replay import once
from market.meetings.queries import own_talk_of
from market.meetings.talks.noting import Notes, keep_note, notes_of


class NoteToKeep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Your own note, instead of what stood there; an empty one is taken away."""

    text: Prose


class ColleagueNote(msgspec.Struct, frozen=True):
    """`name` is empty where the organisation had one note for all of its people."""

    name: str
    name_en: str
    text: str
    updated_at: datetime


class NotesView(msgspec.Struct, frozen=True):
    """What you have written down of a talk, and what your colleagues have, the oldest first."""

    text: str
    updated_at: datetime | None
    colleagues: list[ColleagueNote]


class NoteKept(msgspec.Struct, frozen=True):
    """The note as it is kept."""

    text: str


class _Note(msgspec.Struct, frozen=True):
    appointment_id: int
    text: str


@read("/appointments/{appointment_id:int}/note", marked=True)
async def notes(viewer: SignedIn, appointment_id: PathId) -> Response[NotesView]:
    """What your side has noted of a talk; neither the other side nor the town reads it."""
    talk = await own_talk_of(appointment_id=appointment_id, organisation_id=viewer.organisation_id)
    about = talk.buyer if viewer.organisation_id == talk.seller else talk.seller
    found = await notes_of(
        meeting_id=talk.meeting, organisation_id=viewer.organisation_id, person_id=viewer.person_id
    )
    noted = found.get(about, Notes())
    view = NotesView(
        text=noted.own.text if noted.own else "",
        updated_at=noted.own.updated_at if noted.own else None,
        colleagues=[
            ColleagueNote(each.name, each.name_en, each.text, each.updated_at) for each in noted.others
        ],
    )
    return marked_as(view, noted.marks)


@deed("/appointments/{appointment_id:int}/note", body=NoteToKeep, matched=True)
async def note(
    viewer: SignedIn,
    appointment_id: PathId,
    data: JSONBody[NoteToKeep],
    key: IdempotencyKey = None,
    if_match: IfMatch = None,
) -> NoteKept:
    """Write your own note of a talk."""
    talk = await own_talk_of(appointment_id=appointment_id, organisation_id=viewer.organisation_id)
    by = acting(viewer, "seller" if viewer.organisation_id == talk.seller else "buyer")
    at = clock.now()

    async def done() -> NoteKept:
        await keep_note(appointment_id=talk.id, text=data.text, actor=by, at=at, seen=seen_in(if_match))
        return NoteKept(data.text.strip())

    with unless_changed(if_match):
        return await once(
            key=key,
            person_id=viewer.person_id,
            request=_Note(talk.id, data.text),
            reply_type=NoteKept,
            deed=done,
            at=at,
        )


routes: list[ControllerRouterHandler] = [notes, note]

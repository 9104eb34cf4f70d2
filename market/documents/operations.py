"""Printing a meeting's papers: number them, and leave the binding to a worker."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from market import clock
from market.accounts.rules import Actor
from market.db.jobs import Run, enqueue, job
from market.db.processes import in_process_telling, keep_ready
from market.db.session import execute, fetch_row, fetch_value, transaction
from market.documents.binding import bound_telling
from market.documents.contents import drafts_of
from market.documents.gathering import Fair, fair_of, photos_of
from market.documents.office import word_file
from market.documents.overview import has_changed
from market.documents.packing import zipped
from market.documents.papers import KINDS, Numbered, serial_stem
from market.errors import Conflict, Invalid
from market.exchange.calendar import calendar
from market.i18n import Message, msg
from market.meetings.calendar_entries import entries_of
from market.meetings.invitations.links import invitation_path
from market.meetings.invitations.queries import invitee_of
from market.meetings.numbering import Printing, not_bound, number_papers, papers_of
from market.meetings.queries import MeetingRow, meeting_of

log = logging.getLogger("market.documents")

FORMS = ("pdf", "docx", "zip")
#: How long a file waits to be fetched.
KEPT = timedelta(days=1)
#: Seconds that the binding may take.
LONGEST = 600.0

keep_ready(bound_telling.__module__)


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be printed: kinds of paper, in which form, all of them or what has changed since."""

    kinds: tuple[str, ...]
    form: str = "pdf"
    only_changed: bool = False


class _Given(msgspec.Struct, frozen=True):
    """A number as it was given out."""

    kind: str
    subject: str
    serial: str
    edition: int


class _Payload(msgspec.Struct, frozen=True):
    bundle_id: int
    town_id: int
    origin: str


async def print_papers(
    *, meeting: MeetingRow, wanted: Wanted, origin: str, actor: Actor, at: datetime
) -> int:
    """Number the papers, write down that they are printed, and queue their binding; return the file's number.

    Raises:
        Invalid: there is no such kind or form, or a kind that has no Word form was asked for as one.
        Conflict: there is nothing to print: no such papers yet, or none has changed.
    """
    _check(wanted)
    drafts = await asyncio.to_thread(drafts_of, await fair_of(meeting), wanted.kinds)
    if not drafts:
        raise Conflict(msg("还没有这类材料可印，请先发出邀请、排好桌。"))
    async with transaction():
        known = await papers_of(meeting_id=meeting.id)
        if wanted.only_changed:
            drafts = [draft for draft in drafts if has_changed(draft, known)]
            if not drafts:
                raise Conflict(msg("和上次打印相比没有变化，不用重印。"))
        numbers = await number_papers(
            meeting_id=meeting.id,
            town_id=meeting.town,
            papers=[
                Printing(each.kind, KINDS[each.kind].sign, each.subject, each.content_hash) for each in drafts
            ],
            stem=serial_stem(meeting_id=meeting.id, year=meeting.held_on.year),
            actor=actor,
            at=at,
        )
        given = [
            _Given(row.kind, row.subject, row.serial, row.edition)
            for row in (numbers[each.kind, each.subject] for each in drafts)
        ]
        bundle_id: int = await fetch_value(
            """INSERT INTO bundle (meeting, form, kinds, papers, total, done, created_by, created_at)
               VALUES ($1, $2, $3, $4, $5, 0, $6, $7) RETURNING id""",
            meeting.id,
            wanted.form,
            list(dict.fromkeys(each.kind for each in drafts)),
            msgspec.json.encode(given).decode(),
            len(given),
            actor.person_id,
            at,
        )
        await enqueue("documents.bind", _Payload(bundle_id, meeting.town, origin))
    return bundle_id


async def forget_bundles(*, at: datetime) -> None:
    """Delete the files that have waited long enough to be fetched; the numbers on their papers stay."""
    await execute("DELETE FROM bundle WHERE created_at < $1", at - KEPT)


def _check(wanted: Wanted) -> None:
    unknown = [kind for kind in wanted.kinds if kind not in KINDS]
    if unknown or not wanted.kinds:
        raise Invalid(msg("请至少选一种材料。"))
    if wanted.form not in FORMS:
        raise Invalid(msg("文件格式只能是 PDF、Word 或 ZIP。"))
    if wanted.form == "docx" and (len(wanted.kinds) > 1 or not KINDS[wanted.kinds[0]].is_word):
        raise Invalid(msg("Word 文件一次一种，而且只有可编辑的材料才有。"))


@job("documents.bind", long=True)
async def bind(run: Run) -> None:
    """Bind what was asked for. Content is that of now: what changed since shows as changed once more."""
    payload = run.read(_Payload)
    row = await fetch_row("SELECT meeting, form, papers FROM bundle WHERE id = $1", payload.bundle_id)
    content: bytes | None = None
    trouble: Message | None = None
    given: list[_Given] = []
    if row is not None:
        given = msgspec.json.decode(row["papers"], type=list[_Given])
        try:
            meeting = await meeting_of(meeting_id=row["meeting"], organisation_id=payload.town_id)
            content = await asyncio.wait_for(_made(payload, meeting, row["form"], given), LONGEST)
        except Exception:
            # a paper that cannot be set today cannot be set by trying again: say so instead
            log.exception("binding papers, bundle %s", payload.bundle_id)
            trouble = msg("文件没有做成，请重试；再不成，请联系管理员。")
    async with run.finishing():
        if row is not None and trouble:
            missed = [(each.kind, each.subject, each.edition) for each in given]
            await not_bound(meeting_id=row["meeting"], papers=missed)
        await execute(
            """UPDATE bundle SET content = $2, trouble = $3, done = CASE WHEN $2::bytea IS NULL THEN done
                 ELSE total END, finished_at = $4 WHERE id = $1""",
            payload.bundle_id,
            content,
            msgspec.json.encode(trouble).decode() if trouble else None,
            clock.now(),
        )


async def _made(payload: _Payload, meeting: MeetingRow, form: str, given: Sequence[_Given]) -> bytes:
    fair = await fair_of(meeting)
    numbers = {(each.kind, each.subject): each for each in given}
    drafts = await asyncio.to_thread(drafts_of, fair, {each.kind for each in given})
    papers = [
        Numbered(draft, numbers[key].serial, numbers[key].edition)
        for draft in drafts
        if (key := (draft.kind, draft.subject)) in numbers
    ]
    photos = await _photos(fair, papers)

    async def tell(done: Any) -> None:
        await execute("UPDATE bundle SET done = $2 WHERE id = $1", payload.bundle_id, int(done))

    make = {"pdf": bound_telling, "docx": word_file, "zip": zipped}[form]
    further: dict[str, Any] = {} if form == "docx" else {"photos": photos}
    if form == "zip":
        further["calendars"] = await _calendars(fair, papers, payload.origin)
    return await in_process_telling(tell, make, papers, title=meeting.title, origin=payload.origin, **further)


async def _calendars(fair: Fair, papers: Sequence[Numbered], origin: str) -> list[tuple[str, bytes]]:
    """Return (whose, calendar) of those whose timetable is printed along."""
    subjects = {each.draft.subject for each in papers if each.draft.kind == "timetable"}
    made = []
    for guest in fair.guests:
        if f"organisation:{guest.organisation}" in subjects:
            entries = await entries_of(
                meeting=fair.meeting, organisation_id=guest.organisation, at=clock.now()
            )
            written = calendar(
                fair.meeting,
                entries,
                invited=await invitee_of(meeting_id=fair.meeting.id, organisation_id=guest.organisation),
                language="zh",
                link=origin + invitation_path(guest.invitation, guest.link_version),
            )
            made.append((guest.name, written))
    return made


async def _photos(fair: Fair, papers: Sequence[Numbered]) -> dict[str, bytes]:
    shown = {each.draft.content["picture"] for each in papers if each.draft.kind == "lot_card"}
    return await photos_of([lot for lot in fair.lots if lot.picture_hash in shown])

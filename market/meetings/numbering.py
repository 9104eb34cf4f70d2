"""The numbers of a meeting's papers: one for each subject; the edition rises when it reads otherwise."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from market.accounts.rules import Actor
from market.audit.operations import record
from market.db.session import execute, fetch, fetch_into, transaction
from market.errors import NotFound
from market.i18n import msg

#: In place of what it says, of a paper that has its number and never came out of the binding.
NEVER_BOUND = ""


class PaperRow(msgspec.Struct, frozen=True):
    """A paper that was printed: its number and the hash of what it said."""

    kind: str
    subject: str
    serial: str
    content: str
    edition: int
    printed_at: datetime | None


class Printing(msgspec.Struct, frozen=True):
    """A paper about to be printed; ``sign`` stands in its number for its kind."""

    kind: str
    sign: str
    subject: str
    content: str


_PAPER = "SELECT kind, subject, serial, content, edition, printed_at FROM paper WHERE meeting = $1"


async def papers_of(*, meeting_id: int) -> dict[tuple[str, str], PaperRow]:
    """Return (kind, subject) -> the paper as it was last printed."""
    rows = await fetch_into(PaperRow, f"{_PAPER} ORDER BY id", meeting_id)
    return {(row.kind, row.subject): row for row in rows}


async def number_papers(
    *,
    meeting_id: int,
    town_id: int,
    papers: Sequence[Printing],
    stem: str,
    actor: Actor,
    at: datetime,
) -> dict[tuple[str, str], PaperRow]:
    """Write down that ``papers`` are printed now; return each with its number and edition.

    A new subject gets the next number of its kind, a known one keeps its own; its edition rises where the
    content is another than the last time.

    Raises:
        NotFound: the town holds no such meeting.
    """
    async with transaction():
        # one printing after the other, or two would give the same number out
        if not await fetch(
            "SELECT id FROM meeting WHERE id = $1 AND town = $2 FOR UPDATE", meeting_id, town_id
        ):
            raise NotFound(msg("没有找到这场对接会。"))
        known = await papers_of(meeting_id=meeting_id)
        given: dict[str, int] = {}
        for kind, _ in known:
            given[kind] = given.get(kind, 0) + 1
        rows = []
        for paper in papers:
            before = known.get((paper.kind, paper.subject))
            if before is None:
                given[paper.kind] = given.get(paper.kind, 0) + 1
                serial, edition = f"{stem}-{paper.sign}-{given[paper.kind]:04d}", 1
            else:
                is_other = before.content not in (paper.content, NEVER_BOUND)
                serial, edition = before.serial, before.edition + is_other
            rows.append(PaperRow(paper.kind, paper.subject, serial, paper.content, edition, at))
        await execute(
            """INSERT INTO paper (meeting, kind, subject, serial, content, edition, printed_at, created_at)
               SELECT $1, given.*, $2, $2
               FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::int[])
                 AS given (kind, subject, serial, content, edition)
               ON CONFLICT (meeting, kind, subject) DO UPDATE SET content = excluded.content,
                 edition = excluded.edition, printed_at = excluded.printed_at""",
            meeting_id,
            at,
            [row.kind for row in rows],
            [row.subject for row in rows],
            [row.serial for row in rows],
            [row.content for row in rows],
            [row.edition for row in rows],
        )
        counted: dict[str, int] = {}
        for row in rows:
            counted[row.kind] = counted.get(row.kind, 0) + 1
        await record(
            subject=f"meeting:{meeting_id}", action="print_papers", actor=actor, at=at, details=counted
        )
    return {(row.kind, row.subject): row for row in rows}


async def not_bound(*, meeting_id: int, papers: Sequence[tuple[str, str, int]]) -> None:
    """Write down that these (kind, subject, edition) were not printed after all: they wait to be."""
    await execute(
        """UPDATE paper SET content = $5 FROM unnest($2::text[], $3::text[], $4::int[])
             AS given (kind, subject, edition)
           WHERE paper.meeting = $1 AND paper.kind = given.kind AND paper.subject = given.subject
             AND paper.edition = given.edition""",
        meeting_id,
        [kind for kind, _, _ in papers],
        [subject for _, subject, _ in papers],
        [edition for _, _, edition in papers],
        NEVER_BOUND,
    )

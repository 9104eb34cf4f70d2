"""What an auditor reads: records by filter, a subject's whole chain, and the checks that were made."""

from collections.abc import AsyncIterator, Iterable
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from market import clock
from market.accounts.rules import Actor
from market.audit.checking import Findings, check
from market.audit.rules import Fault
from market.audit.words import THINGS
from market.db.jobs import Run, enqueue, job
from market.db.processes import in_process_connected, tell_parent
from market.db.session import connection, execute, fetch, fetch_into, fetch_value, transaction
from market.errors import Conflict
from market.i18n import Message, msg, named
from market.paging import Code, Page, PageNumber

LENGTH = 50
#: Rows in one file.
MOST_ROWS = 50_000
#: Damage that the page lists.
_MOST_FAULTS = 100

Words = Annotated[str, Meta(max_length=60)]
Subject = Annotated[str, Meta(max_length=80)]


class RecordFilters(msgspec.Struct, frozen=True):
    """What of the record is asked for; days are China's."""

    subject: Subject = ""
    person: Words = ""
    organisation: Words = ""
    action: Code | None = None
    since: date | None = None
    until: date | None = None
    page: PageNumber = 1


class AuditRow(msgspec.Struct, frozen=True):
    """One record with the names of who acted, as they are today."""

    id: int
    subject: str
    position: int
    action: str
    person_id: int | None
    person: str
    person_en: str
    organisation_id: int | None
    organisation: str
    organisation_en: str
    at: datetime
    details: dict[str, Any]
    hash: str


_SELECT = """
  SELECT audit_record.id, audit_record.subject, audit_record.position, audit_record.action,
         audit_record.person AS person_id, coalesce(person.name, '') AS person,
         coalesce(person.name_en, '') AS person_en, audit_record.organisation AS organisation_id,
         coalesce(organisation.name, '') AS organisation, coalesce(organisation.name_en, '')
           AS organisation_en, audit_record.at, audit_record.details, encode(audit_record.hash, 'hex') AS hash
"""
# A town sees every chain in which it or one of its own has acted; a county ($7 NULL) sees all.
_WHERE = """
  FROM audit_record LEFT JOIN person ON person.id = audit_record.person
  LEFT JOIN organisation ON organisation.id = audit_record.organisation
  WHERE ($1 = '' OR audit_record.subject = $1
         OR (position(':' IN $1) = 0 AND audit_record.subject LIKE $1 || ':%'))
    AND ($2 = '' OR position($2 IN person.name) > 0 OR position(lower($2) IN lower(person.name_en)) > 0)
    AND ($3 = '' OR position($3 IN organisation.name) > 0
         OR position(lower($3) IN lower(organisation.name_en)) > 0)
    AND ($4::text IS NULL OR audit_record.action = $4)
    AND ($5::timestamptz IS NULL OR audit_record.at >= $5)
    AND ($6::timestamptz IS NULL OR audit_record.at < $6)
    AND ($7::bigint IS NULL OR EXISTS (
      SELECT FROM audit_record AS own JOIN organisation AS mine ON mine.id = own.organisation
      WHERE own.subject = audit_record.subject AND (mine.id = $7 OR mine.town = $7)))
"""


def _values(filters: RecordFilters, town_id: int | None) -> list[Any]:
    def midnight(day: date | None) -> datetime | None:
        return None if day is None else datetime.combine(day, time(), clock.CHINA)

    until = None if filters.until is None else filters.until + timedelta(days=1)
    subject = filters.subject.replace("\\", "").replace("%", "").replace("_", r"\_")
    exact = filters.subject if ":" in filters.subject else subject
    return [
        *(exact, filters.person, filters.organisation, filters.action),
        *(midnight(filters.since), midnight(until), town_id),
    ]


async def records(*, filters: RecordFilters, town_id: int | None) -> Page[AuditRow]:
    """Return one page of what is asked for, the newest first. ``town_id``: only what concerns that town."""
    values = _values(filters, town_id)
    total: int = await fetch_value(f"SELECT count(*) {_WHERE}", *values)
    rows = await fetch_into(
        AuditRow,
        f"{_SELECT} {_WHERE} ORDER BY audit_record.at DESC, audit_record.id DESC LIMIT $8 OFFSET $9",
        *values,
        LENGTH,
        (filters.page - 1) * LENGTH,
    )
    return Page(rows=rows, total=total, page=filters.page, length=LENGTH)


async def names_in(rows: Iterable[AuditRow]) -> dict[str, Message]:
    """Return what the organisations and persons are called that figures of records name by their number."""
    asked: dict[str, set[int]] = {"organisation": set(), "person": set()}
    for row in rows:
        for name, value in row.details.items():
            if THINGS.get(name) in asked and type(value) is int:
                asked[THINGS[name]].add(value)
    found = {}
    for kind, numbers in asked.items():
        for each in await fetch(f"SELECT id, name, name_en FROM {kind} WHERE id = ANY($1)", sorted(numbers)):  # noqa: S608  one of two words above
            found[f"{kind}:{each['id']}"] = named(each, "name")
    return found


async def count_of_records(*, filters: RecordFilters, town_id: int | None) -> int:
    """Return how many records are asked for."""
    return int(await fetch_value(f"SELECT count(*) {_WHERE}", *_values(filters, town_id)))


async def records_for_file(
    *, filters: RecordFilters, town_id: int | None, part: int = 1
) -> AsyncIterator[AuditRow]:
    """Yield what is asked for, the oldest first, at most :data:`MOST_ROWS`: the ``part``-th so many."""
    async with transaction(isolation="repeatable_read", readonly=True), connection() as own:
        cursor = await own.cursor(
            f"{_SELECT} {_WHERE} ORDER BY audit_record.at, audit_record.id LIMIT $8 OFFSET $9",
            *_values(filters, town_id),
            MOST_ROWS,
            (part - 1) * MOST_ROWS,
        )
        while rows := await cursor.fetch(1_000):
            for row in rows:
                yield msgspec.convert({**dict(row), "details": msgspec.json.decode(row["details"])}, AuditRow)


async def actions_known() -> list[str]:
    """Return every code that the record has."""
    rows = await fetch("SELECT DISTINCT action FROM audit_record ORDER BY action")
    return [row["action"] for row in rows]


class CheckRow(msgspec.Struct, frozen=True):
    """A look through everything: under way, or what it found."""

    id: int
    asked_at: datetime
    finished_at: datetime | None
    done: int
    total: int
    subjects: int
    damage: int
    faults: list[Fault] | None

    @property
    def is_whole(self) -> bool:
        return self.finished_at is not None and self.damage == 0


async def last_checks() -> list[CheckRow]:
    """Return the newest checks, the newest first."""
    return await fetch_into(
        CheckRow,
        """SELECT id, asked_at, finished_at, done, total, subjects, damage, faults FROM audit_check
           ORDER BY id DESC LIMIT 5""",
    )


async def newest_seal() -> datetime | None:
    found: datetime | None = await fetch_value("SELECT at FROM audit_seal ORDER BY position DESC LIMIT 1")
    return found


async def ask_for_check(*, actor: Actor, at: datetime) -> None:
    """Have everything computed anew by a worker.

    Raises:
        Conflict: it is being done.
    """
    async with transaction():
        await execute("SELECT pg_advisory_xact_lock(hashtextextended('audit-check', 0))")
        if await fetch_value(
            "SELECT EXISTS (SELECT FROM audit_check WHERE finished_at IS NULL AND asked_at > $1)",
            at - timedelta(hours=1),
        ):
            raise Conflict(msg("正在核对，请等它做完。"))
        number: int = await fetch_value(
            """INSERT INTO audit_check (asked_by, asked_at, total)
               VALUES ($1, $2, (SELECT count(*) FROM audit_record)) RETURNING id""",
            actor.person_id,
            at,
        )
        await enqueue("audit.check", {"check": number})


@job("audit.check", long=True)
async def look_through(run: Run) -> None:
    """Check everything in a process of its own, and tell how far it has come."""
    number = run.payload["check"]

    async def tell(done: Any) -> None:
        await execute("UPDATE audit_check SET done = $2 WHERE id = $1", number, int(done))

    found = await in_process_connected(tell, check_telling)
    async with run.finishing():
        await execute(
            """UPDATE audit_check SET done = $2, total = $2, subjects = $3, damage = $4, faults = $5,
                 finished_at = $6 WHERE id = $1""",
            number,
            found.records,
            found.subjects,
            found.damage,
            msgspec.json.encode(found.faults[:_MOST_FAULTS]).decode(),
            clock.now(),
        )


async def check_telling() -> Findings:
    """Do as :func:`check`, and tell the process that waits."""

    async def tell(done: int) -> None:
        tell_parent(done)

    return await check(tell=tell)

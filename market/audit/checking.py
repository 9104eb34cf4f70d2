"""Looking through the whole record: every hash is computed again, in bounded memory."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import asyncpg
import msgspec

from market.audit import rules
from market.audit.rules import ChainCheck, Fault, Head, Record, SealFact
from market.db.session import connection, fetch, transaction

#: Rows that are fetched at a time.
_BATCH = 2_000
#: Damage that is kept; more is counted.
MOST_FAULTS = 1_000
#: A damaged chain longer than this is not searched for where its records stood before.
_LONGEST_SEARCHED = 300

Tell = Callable[[int], Awaitable[None]]

# A seal's head without a record, and a record without one, both count: FULL JOIN. The order is that of
# bytes, whatever the database's own may be: the file from outside is walked beside it.
_ROWS = """
  SELECT audit_record.id, coalesce(audit_record.subject, sealed.subject) AS subject,
         coalesce(audit_record.position, sealed.position) AS position, audit_record.action,
         audit_record.person, audit_record.organisation, audit_record.at,
         audit_record.details::text AS details, audit_record.previous_hash, audit_record.hash,
         audit_record.scheme, sealed.hash AS sealed
  FROM (SELECT * FROM audit_record WHERE $1::text IS NULL OR subject = $1) AS audit_record
  FULL JOIN (SELECT * FROM audit_seal_head WHERE $1::text IS NULL OR subject = $1) AS sealed
    ON sealed.subject = audit_record.subject AND sealed.position = audit_record.position
  ORDER BY coalesce(audit_record.subject, sealed.subject) COLLATE "C",
           coalesce(audit_record.position, sealed.position), audit_record.id
"""
_SEALS = """
  SELECT position, at, through, heads, previous_hash, hash FROM audit_seal ORDER BY position, id
"""


class Findings(msgspec.Struct, frozen=True):
    """What a look through everything found."""

    records: int
    subjects: int
    seals: int
    #: The first :data:`MOST_FAULTS`, by subject and position.
    faults: list[Fault]
    #: How many there are in all.
    damage: int

    @property
    def is_whole(self) -> bool:
        return self.damage == 0


async def check(
    *,
    subject: str | None = None,
    heads: Iterator[Head] | None = None,
    newest_seal: SealFact | None = None,
    tell: Tell | None = None,
) -> Findings:
    """Compute everything anew and return what does not fit.

    ``subject`` looks at that chain alone. ``heads`` (by the bytes of the subject) and ``newest_seal`` are
    what was kept outside. ``tell`` is told how many records have been looked at.
    """
    walk = _Walk(heads, only=subject)
    async with transaction(isolation="repeatable_read", readonly=True, statement_timeout=0):
        seals = 0 if subject is not None else await _check_seals(walk, newest_seal)
        async for rows in _batches(_ROWS, subject):
            for row in rows:
                walk.row(row)
            if tell:
                await tell(walk.records)
        walk.end()
        faults = [*walk.seal_faults, *await _named(walk.faults)]
    return Findings(walk.records, walk.subjects, seals, faults, walk.damage)


async def _batches(sql: str, *values: object) -> AsyncIterator[list[asyncpg.Record]]:
    async with connection() as own:
        cursor = await own.cursor(sql, *values)
        while rows := await cursor.fetch(_BATCH):
            yield rows


class _Walk:
    """Goes along the records and, beside them, along the heads that were kept outside."""

    def __init__(self, heads: Iterator[Head] | None, *, only: str | None) -> None:
        self._heads = heads
        self._only = only
        self._head = next(heads, None) if heads else None
        self._chain: ChainCheck | None = None
        self.records = self.subjects = self.damage = 0
        self.faults: list[Fault] = []
        self.seal_faults: list[Fault] = []

    def row(self, row: Any) -> None:
        subject = row["subject"]
        if self._chain is None or self._chain.subject != subject:
            self._close()
            self._heads_before(subject)
            self._chain = ChainCheck(subject)
        position = row["position"]
        if row["id"] is not None:
            self.records += 1
            self._chain.record(_record(row))
        if row["sealed"] is not None:
            self._chain.known(position, row["sealed"], row["hash"], by="seal")
        if self._head is not None and (self._head.subject, self._head.position) == (subject, position):
            self._chain.known(position, _bytes(self._head.hash), row["hash"], by="heads")
            self._next_head()

    def end(self) -> None:
        self._close()
        self._heads_before(None)

    def seal_fault(self, position: int, *, by: str = "seal") -> None:
        self.damage += 1
        self.seal_faults.append(Fault("", position, rules.SEAL, by))

    def _next_head(self) -> None:
        self._head = next(self._heads, None) if self._heads else None

    def _close(self) -> None:
        """The subject's rows are over; a head of it that met none lies beyond its end."""
        chain = self._chain
        if chain is None:
            return
        while self._head is not None and self._head.subject == chain.subject:
            chain.known(self._head.position, _bytes(self._head.hash), None, by="heads")
            self._next_head()
        self.subjects += chain.count > 0
        self._keep(chain.finish())

    def _heads_before(self, subject: str | None) -> None:
        """Chains that the file knows and the database does not."""
        until = None if subject is None else subject.encode()
        while self._head is not None and (until is None or self._head.subject.encode() < until):
            if self._only in (None, self._head.subject):
                self._keep([Fault(self._head.subject, self._head.position, rules.VANISHED, "heads")])
            self._next_head()

    def _keep(self, faults: list[Fault]) -> None:
        self.damage += len(faults)
        self.faults += faults[: max(0, MOST_FAULTS - len(self.faults))]


def _record(row: Any) -> Record:
    return Record(*(row[name] for name in Record.__struct_fields__))


def _bytes(hexadecimal: str) -> bytes:
    try:
        return bytes.fromhex(hexadecimal)
    except ValueError:
        return b""


async def _check_seals(walk: _Walk, newest: SealFact | None) -> int:
    """Compute the chain of seals anew; return how many there are."""
    before, expected = rules.GENESIS, 1
    found: dict[int, str] = {}
    for seal in await fetch(_SEALS):
        digest, count = hashlib.sha256(), 0
        async for rows in _batches(
            """SELECT subject, position, hash FROM audit_seal_head WHERE seal = $1
               ORDER BY subject COLLATE "C", position""",
            seal["position"],
        ):
            for row in rows:
                head = Head(row["subject"], row["position"], row["hash"].hex())
                digest.update(rules.head_line(head) + b"\n")
            count += len(rows)
        made = rules.seal_hash(
            previous=before,
            position=expected,
            at=seal["at"],
            through=seal["through"],
            heads=count,
            digest=digest.digest(),
        )
        told = (seal["position"], seal["previous_hash"], seal["hash"], seal["heads"])
        if told != (expected, before, made, count):
            walk.seal_fault(seal["position"])
        before, expected = seal["hash"], seal["position"] + 1
        found[seal["position"]] = seal["hash"].hex()
    for row in await fetch(
        """SELECT DISTINCT seal FROM audit_seal_head
           WHERE NOT EXISTS (SELECT FROM audit_seal WHERE audit_seal.position = audit_seal_head.seal)"""
    ):
        walk.seal_fault(row["seal"])
    if newest is not None and found.get(newest.position) != newest.hash:
        walk.seal_fault(newest.position, by="heads")
    return len(found)


async def _named(faults: list[Fault]) -> list[Fault]:
    """Say of records whose hash does not fit what has happened to them, where that can be told."""
    edited = [each for each in faults if each.kind == rules.EDITED][:MOST_FAULTS]
    named: dict[Fault, Fault] = {}
    for subject in dict.fromkeys(each.subject for each in edited):
        rows = await fetch(
            f"SELECT * FROM ({_ROWS}) AS found WHERE id IS NOT NULL LIMIT {_LONGEST_SEARCHED + 1}",  # noqa: S608  words of ours; values are parameters
            subject,
        )
        if len(rows) > _LONGEST_SEARCHED:
            continue
        places = {row["position"] for row in rows} | {len(rows) + 1}
        for row in rows:
            fault = Fault(subject, row["position"], rules.EDITED)
            if fault in edited and any(rules.is_as_hashed(_record(row), position=at) for at in places):
                named[fault] = msgspec.structs.replace(fault, kind=rules.REORDERED)
    copies = await fetch(
        """SELECT here.subject, here.position FROM audit_record AS here
           WHERE (here.subject, here.position) IN (SELECT * FROM unnest($1::text[], $2::bigint[]))
             AND EXISTS (SELECT FROM audit_record AS other
                         WHERE other.hash = here.hash AND other.id <> here.id)""",
        [each.subject for each in edited if each not in named],
        [each.position for each in edited if each not in named],
    )
    for row in copies:
        fault = Fault(row["subject"], row["position"], rules.EDITED)
        named[fault] = msgspec.structs.replace(fault, kind=rules.INSERTED)
    return [named.get(each, each) for each in faults]

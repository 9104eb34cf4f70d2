"""Seals over all chains, and the heads written to a file that is kept elsewhere.

A seal is put on once an hour: it holds the heads that are new since, and the hash of the seal before it.
What was written after the newest seal can still be cut off unseen; what was written before it cannot.
"""

import hashlib
import hmac
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import msgspec

from market import clock, settings
from market.audit import rules
from market.audit.rules import Head, SealFact, Totals
from market.db.jobs import Run, enqueue, job
from market.db.session import connection, execute, fetch_row, transaction
from market.errors import Invalid
from market.i18n import msg

#: Heads in one seal; a ledger that has none yet gets several.
_MOST_HEADS = 20_000
#: No transaction lasts as long as this: what had a lower number then is there by now.
_LONGEST_WRITE = timedelta(hours=1)
_FORMAT = "tiantou-audit-heads/1"
_LOCK = 0x7365616C


async def seal(*, at: datetime) -> int:
    """Put seals on all heads that have none; return how many heads there were."""
    total = 0
    while heads := await _seal_once(at=at):
        total += heads
        if heads < _MOST_HEADS:
            break
    return total


async def _seal_once(*, at: datetime) -> int:
    async with transaction():
        await execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        last = await fetch_row("SELECT position, hash FROM audit_seal ORDER BY position DESC LIMIT 1")
        since = await fetch_row(
            "SELECT through FROM audit_seal WHERE at < $1 ORDER BY position DESC LIMIT 1",
            at - _LONGEST_WRITE,
        )
        async with connection() as own:
            rows = await own.fetch(
                """SELECT subject, position, hash, id FROM (
                     SELECT DISTINCT ON (subject COLLATE "C") subject, position, hash, id FROM audit_record
                     WHERE id > $1 ORDER BY subject COLLATE "C", position DESC) AS newest
                   WHERE NOT EXISTS (SELECT FROM audit_seal_head AS sealed
                                     WHERE sealed.subject = newest.subject
                                       AND sealed.position >= newest.position)
                   ORDER BY subject COLLATE "C" LIMIT $2""",
                since["through"] if since else 0,
                _MOST_HEADS,
                timeout=300,
            )
        if not rows:
            return 0
        through = max(row["id"] for row in rows) if len(rows) < _MOST_HEADS else 0
        position, previous = (last["position"] + 1, last["hash"]) if last else (1, rules.GENESIS)
        digest = rules.digest_of(Head(row["subject"], row["position"], row["hash"].hex()) for row in rows)
        await execute(
            """INSERT INTO audit_seal (position, at, through, heads, previous_hash, hash)
               VALUES ($1, $2, $3, $4, $5, $6)""",
            position,
            at,
            through,
            len(rows),
            previous,
            rules.seal_hash(
                previous=previous, position=position, at=at, through=through, heads=len(rows), digest=digest
            ),
        )
        await execute(
            """INSERT INTO audit_seal_head (seal, subject, position, hash)
               SELECT $1::bigint, * FROM unnest($2::text[], $3::bigint[], $4::bytea[])""",
            position,
            [row["subject"] for row in rows],
            [row["position"] for row in rows],
            [row["hash"] for row in rows],
        )
    return len(rows)


def _key() -> bytes:
    return hashlib.sha256(b"audit heads\n" + settings.secret_key().encode()).digest()


async def write_heads(path: Path, *, at: datetime) -> Totals:
    """Put a seal on and write every chain's head to ``path`` (mode 0600), whole or not at all.

    JSON, one head a line: ``["deal:17", 4, "<SHA-256>"]``, by the bytes of the subject; the second value is
    the last position and so the number of the subject's records. ``digest`` is the SHA-256 over those lines.
    """
    await seal(at=at)
    draft = path.parent / f".{path.name}.{os.getpid()}"
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            totals = await _write(file, at=at)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as trouble:
        # where it could not be written it may not be reached either
        with suppress(OSError):
            draft.unlink()
        raise Invalid(
            msg("写不了文件 {path}：{trouble}。", path=str(path), trouble=str(trouble))
        ) from trouble
    return totals


async def _write(file: BinaryIO, *, at: datetime) -> Totals:
    digest, subjects, records = hashlib.sha256(), 0, 0
    async with transaction(isolation="repeatable_read", readonly=True, statement_timeout=0):
        newest = await fetch_row("SELECT position, hash FROM audit_seal ORDER BY position DESC LIMIT 1")
        fact = SealFact(newest["position"], newest["hash"].hex()) if newest else None
        made_at = at.isoformat()
        opening = {"format": _FORMAT, "made_at": made_at, "seal": fact}
        file.write(msgspec.json.encode(opening)[:-1] + b',"heads":[\n')
        async with connection() as own:
            cursor = await own.cursor(
                """SELECT DISTINCT ON (subject COLLATE "C") subject, position, hash FROM audit_record
                   ORDER BY subject COLLATE "C", position DESC"""
            )
            while rows := await cursor.fetch(2_000):
                for row in rows:
                    line = rules.head_line(Head(row["subject"], row["position"], row["hash"].hex()))
                    digest.update(line + b"\n")
                    file.write((b",\n" if subjects else b"") + line)
                    subjects, records = subjects + 1, records + row["position"]
    totals = Totals(subjects, records, digest.hexdigest())
    signature = rules.signature_of(totals, made_at=made_at, seal=fact, key=_key())
    totals = msgspec.structs.replace(totals, signature=signature)
    file.write(b"\n]," + msgspec.json.encode(totals)[1:] + b"\n")
    return totals


class HeadsFile:
    """A file of heads, read line by line; ``opened`` has looked at all of it once."""

    class _Opening(msgspec.Struct):
        format: str
        made_at: str
        seal: SealFact | None

    def __init__(self, path: Path) -> None:
        self.path = path
        self.opening = HeadsFile._Opening("", "", None)
        self.totals = Totals(0, 0, "")

    @classmethod
    def opened(cls, path: Path, *, any_key: bool = False) -> "HeadsFile":
        """Raises: Invalid: no such file, another layout, changed since, or signed by another installation."""
        self = cls(path)
        try:
            digest = rules.digest_of(self)
        except (OSError, ValueError, msgspec.MsgspecError) as trouble:
            raise Invalid(
                msg("{path} 不是链头文件，或已损坏：{trouble}。", path=str(path), trouble=str(trouble))
            ) from trouble
        signed = rules.signature_of(
            self.totals, made_at=self.opening.made_at, seal=self.opening.seal, key=_key()
        )
        if digest.hex() != self.totals.digest:
            raise Invalid(msg("{path} 写成以后被改过，不能用来核对。", path=str(path)))
        if not any_key and not hmac.compare_digest(signed, self.totals.signature):
            raise Invalid(
                msg("{path} 不是本系统的密钥签的。换过密钥或换了机器，请加 --any-key。", path=str(path))
            )
        return self

    def __iter__(self) -> Iterator[Head]:
        with self.path.open("rb") as file:
            first = file.readline()
            if not first.endswith(b',"heads":[\n'):
                raise ValueError("heads")
            self.opening = msgspec.json.decode(first[: -len(b',"heads":[\n')] + b"}", type=HeadsFile._Opening)
            if self.opening.format != _FORMAT:
                raise ValueError(self.opening.format)
            for line in file:
                if line.startswith(b"],"):
                    self.totals = msgspec.json.decode(b"{" + line[2:], type=Totals)
                    return
                if line.strip():
                    yield msgspec.json.decode(line.rstrip(b",\n"), type=Head)
            raise ValueError("end")


def heads_folder() -> Path:
    """Return the folder that the daily job writes to."""
    chosen = settings.settings()
    if chosen.heads_dir:
        return Path(chosen.heads_dir)
    return settings.private_folder(chosen.data_dir) / "audit-heads"


@job("audit.seal", long=True)
async def seal_in_time(run: Run) -> None:
    """Put a seal on; once a day, write the heads as well."""
    at = clock.now()
    await seal(at=at)
    folder = heads_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    today = folder / f"heads-{at.astimezone(clock.CHINA).date().isoformat()}.json"
    if not today.exists():
        await write_heads(today, at=at)
    async with run.finishing():
        pass


async def seal_soon() -> None:
    """Leave a seal to a worker; any number may ask, one waits."""
    await enqueue("audit.seal", {}, key="hourly")

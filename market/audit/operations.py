"""Writing the record. Call it in the transaction of the deed itself."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from market.accounts.rules import Actor
from market.db.session import execute, fetch

_GENESIS = b"\x00" * 32


def record_hash(
    *, previous: bytes, subject: str, position: int, action: str, actor: Actor, at: datetime, details: Any
) -> bytes:
    """Return the SHA-256 over a canonical JSON of the record and the hash before it."""
    body = msgspec.json.encode(
        [
            previous.hex(),
            subject,
            position,
            action,
            actor.person_id,
            actor.organisation_id,
            int(at.timestamp() * 1_000_000),
            details,
        ],
        order="deterministic",
    )
    return hashlib.sha256(body).digest()


class Entry(msgspec.Struct, frozen=True):
    """What is to be recorded: who did what to ``subject``, and when."""

    subject: str
    action: str
    actor: Actor
    at: datetime
    details: dict[str, Any]


async def record(*, subject: str, action: str, actor: Actor, at: datetime, details: dict[str, Any]) -> None:
    """Append one record to the chain of ``subject``."""
    await record_all([Entry(subject, action, actor, at, details)])


async def record_all(entries: Sequence[Entry], *, are_new: bool = False) -> None:
    """Append each entry to the chain of its subject, one entry for a subject at most.

    Two writers of one subject are put in line by an advisory lock that ends with the transaction.
    ``are_new``: the subjects were made in this transaction; nobody else knows of them.
    """
    lasts = {} if are_new else await _lasts([entry.subject for entry in entries])
    positions, befores, hashes = [], [], []
    for entry in entries:
        position, previous = lasts.get(entry.subject, (0, _GENESIS))
        positions.append(position + 1)
        befores.append(previous)
        hashes.append(
            record_hash(
                previous=previous,
                subject=entry.subject,
                position=position + 1,
                action=entry.action,
                actor=entry.actor,
                at=entry.at,
                details=entry.details,
            )
        )
    await execute(
        """INSERT INTO audit_record
             (subject, position, action, person, organisation, at, details, previous_hash, hash)
           SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[],
                                $6::timestamptz[], $7::text[]::jsonb[], $8::bytea[], $9::bytea[])""",
        [entry.subject for entry in entries],
        positions,
        [entry.action for entry in entries],
        [entry.actor.person_id for entry in entries],
        [entry.actor.organisation_id for entry in entries],
        [entry.at for entry in entries],
        [msgspec.json.encode(entry.details).decode() for entry in entries],
        befores,
        hashes,
    )


async def _lasts(subjects: list[str]) -> dict[str, tuple[int, bytes]]:
    """Return the newest position and hash of each subject that has any; their chains are held."""
    await execute(
        """SELECT pg_advisory_xact_lock(hashtextextended('audit:' || subject, 0))
           FROM (SELECT subject FROM unnest($1::text[]) AS subject ORDER BY subject) AS held""",
        subjects,
    )
    rows = await fetch(
        """SELECT asked.subject, last.position, last.hash FROM unnest($1::text[]) AS asked (subject),
             LATERAL (SELECT position, hash FROM audit_record WHERE audit_record.subject = asked.subject
                      ORDER BY position DESC LIMIT 1) AS last""",
        subjects,
    )
    return {row["subject"]: (row["position"], row["hash"]) for row in rows}

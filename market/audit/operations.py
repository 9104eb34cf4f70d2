"""Writing the record. Call it in the transaction of the deed itself."""

import hashlib
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


async def record(*, subject: str, action: str, actor: Actor, at: datetime, details: dict[str, Any]) -> None:
    """Append one record to the chain of ``subject``.

    Two writers of one subject are put in line by an advisory lock that ends with the transaction.
    """
    await execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"audit:{subject}")
    last = await fetch(
        "SELECT position, hash FROM audit_record WHERE subject = $1 ORDER BY position DESC LIMIT 1", subject
    )
    position, previous = (last[0]["position"] + 1, last[0]["hash"]) if last else (1, _GENESIS)
    await execute(
        """INSERT INTO audit_record
             (subject, position, action, person, organisation, at, details, previous_hash, hash)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)""",
        subject,
        position,
        action,
        actor.person_id,
        actor.organisation_id,
        at,
        msgspec.json.encode(details).decode(),
        previous,
        record_hash(
            previous=previous,
            subject=subject,
            position=position,
            action=action,
            actor=actor,
            at=at,
            details=details,
        ),
    )

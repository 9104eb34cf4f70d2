"""Writing the record. Call it in the transaction of the deed itself."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from market.accounts.rules import Actor
from market.audit.rules import GENESIS, SCHEME, record_hash, settled
from market.db.session import add_rows, fetch

#: Subjects that one look at the clock moves on: each costs a lock in a table that all connections share
#: (64 for each), and all are held until the transaction ends.
MOST_AT_ONCE = 500


class Entry(msgspec.Struct, frozen=True):
    """What is to be recorded: who did what to ``subject``, and when."""

    subject: str
    action: str
    actor: Actor
    at: datetime
    details: dict[str, Any]
    #: The subject was made in this transaction: nobody else knows of it, and it has no chain yet.
    is_new: bool = False
    #: The number of the row of a new subject, where it was drawn along with something else: :data:`NUMBER`.
    number: int | None = None


#: SQL that draws the number of a row.
NUMBER = "nextval('audit_record_id_seq')"


async def record(*, subject: str, action: str, actor: Actor, at: datetime, details: dict[str, Any]) -> None:
    """Append one record to the chain of ``subject``."""
    await record_all([Entry(subject, action, actor, at, details)])


async def record_all(entries: Sequence[Entry]) -> None:
    """Append each entry to the chain of its subject, one entry for a subject at most.

    Two writers of one subject are put in line by an advisory lock that ends with the transaction.
    """
    if not entries:
        return
    lasts = await _beginnings([entry for entry in entries if entry.is_new])
    lasts |= await _lasts([entry.subject for entry in entries if not entry.is_new])
    await add_rows("audit_record", _COLUMNS, [_row(entry, *lasts[entry.subject]) for entry in entries])


_COLUMNS = (
    *("id", "subject", "position", "action", "person", "organisation", "at", "details"),
    *("previous_hash", "hash", "scheme"),
)


def _row(entry: Entry, number: int, position: int, previous: bytes) -> tuple[object, ...]:
    """Return the row of ``entry``, which follows on ``position`` and its hash ``previous``."""
    who, details = entry.actor, settled(entry.actor.told(entry.details))
    own = record_hash(
        previous=previous,
        row_id=number,
        subject=entry.subject,
        position=position + 1,
        action=entry.action,
        person_id=who.person_id,
        organisation_id=who.organisation_id,
        at=entry.at,
        details=details,
    )
    written = msgspec.json.encode(details).decode()
    return (
        *(number, entry.subject, position + 1, entry.action, who.person_id, who.organisation_id, entry.at),
        *(written, previous, own, SCHEME),
    )


async def _beginnings(entries: Sequence[Entry]) -> dict[str, tuple[int, int, bytes]]:
    """Return what :func:`_lasts` does for subjects that have no chain yet."""
    numbers = {entry.subject: entry.number for entry in entries if entry.number is not None}
    if subjects := [entry.subject for entry in entries if entry.number is None]:
        rows = await fetch(
            f"SELECT subject, {NUMBER} AS id FROM unnest($1::text[]) AS subject",  # noqa: S608  words of ours
            subjects,
        )
        numbers |= {row["subject"]: row["id"] for row in rows}
    return {subject: (number, 0, GENESIS) for subject, number in numbers.items()}


async def _lasts(subjects: list[str]) -> dict[str, tuple[int, int, bytes]]:
    """Return each subject's number for a new row, and its newest position and hash; the chains are held."""
    if not subjects:
        return {}
    rows = await fetch("SELECT subject, id, position, hash FROM hold_chains($1)", subjects)
    return {row["subject"]: (row["id"], row["position"] or 0, row["hash"] or GENESIS) for row in rows}

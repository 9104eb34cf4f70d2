"""Telling people. Call it in the transaction of the cause: what did not happen is never told."""

from datetime import datetime

import msgspec

from market.db.session import execute, fetch
from market.i18n import Message


async def notify(
    *,
    organisation_id: int,
    kind: str,
    message: Message,
    link: str,
    at: datetime,
    due_at: datetime | None = None,
) -> None:
    """Put a notice into the inbox of everybody in ``organisation_id``.

    ``due_at`` is until when somebody there has to act, if anybody has to.
    """
    await execute(
        """INSERT INTO notice (organisation, kind, message, link, due_at, created_at)
           VALUES ($1, $2, $3, $4, $5, $6)""",
        organisation_id,
        kind,
        msgspec.json.encode(message).decode(),
        link,
        due_at,
        at,
    )


async def mark_read(*, organisation_id: int, notice_id: int | None, at: datetime) -> int:
    """Mark one notice of the organisation, or all, as read; return how many were new."""
    rows = await fetch(
        """UPDATE notice SET read_at = $3
           WHERE organisation = $1 AND read_at IS NULL AND ($2::bigint IS NULL OR id = $2)
           RETURNING id""",
        organisation_id,
        notice_id,
        at,
    )
    return len(rows)

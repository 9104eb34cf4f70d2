from datetime import datetime

import msgspec

from market.db.session import fetch
from market.i18n import Message


class Notice(msgspec.Struct, frozen=True):
    id: int
    kind: str
    message: Message
    link: str
    due_at: datetime | None
    created_at: datetime
    read_at: datetime | None


async def inbox(*, organisation_id: int, limit: int = 50) -> list[Notice]:
    """Return the newest notices, unread before read."""
    rows = await fetch(
        """SELECT id, kind, message, link, due_at, created_at, read_at FROM notice
           WHERE organisation = $1 ORDER BY read_at IS NOT NULL, created_at DESC, id DESC LIMIT $2""",
        organisation_id,
        limit,
    )
    return [
        Notice(
            id=row["id"],
            kind=row["kind"],
            message=msgspec.json.decode(row["message"], type=Message),
            link=row["link"],
            due_at=row["due_at"],
            created_at=row["created_at"],
            read_at=row["read_at"],
        )
        for row in rows
    ]


async def unread_count(*, organisation_id: int) -> int:
    rows = await fetch(
        "SELECT count(*) AS n FROM notice WHERE organisation = $1 AND read_at IS NULL", organisation_id
    )
    return int(rows[0]["n"])

"""A repeated submit does the thing once: the first reply is kept and given again."""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

import msgspec

from market.db.session import execute, fetch, transaction
from market.errors import Conflict
from market.i18n import msg

Reply = TypeVar("Reply", bound=msgspec.Struct)


async def once(
    *,
    key: str | None,
    person_id: int | None,
    request: msgspec.Struct,
    reply_type: type[Reply],
    deed: Callable[[], Awaitable[Reply]],
    at: datetime,
) -> Reply:
    """Do ``deed`` in one transaction and keep its reply under ``(person_id, key)``.

    The same key again gives the kept reply and does nothing. A second request that comes while the
    first is under way waits for it (the unique index makes it), and gets its reply; where the first
    failed nothing was kept, and the second runs.

    Raises:
        Conflict: the key was used for another request.
    """
    if key is None or person_id is None:
        async with transaction():
            return await deed()
    digest = hashlib.sha256(
        type(request).__name__.encode() + msgspec.json.encode(request, order="deterministic")
    ).hexdigest()
    async with transaction():
        fresh = await fetch(
            """INSERT INTO replay (actor, key, request_hash, reply, created_at)
               VALUES ($1, $2, $3, '{}', $4) ON CONFLICT (actor, key) DO NOTHING RETURNING id""",
            person_id,
            key,
            digest,
            at,
        )
        if not fresh:
            kept = await fetch(
                "SELECT request_hash, reply FROM replay WHERE actor = $1 AND key = $2", person_id, key
            )
            if kept[0]["request_hash"] != digest:
                raise Conflict(msg("这份表单已经提交过，内容却不一样；请刷新页面后重新填写。"))
            return msgspec.json.decode(kept[0]["reply"], type=reply_type)
        reply = await deed()
        await execute(
            "UPDATE replay SET reply = $2 WHERE id = $1", fresh[0]["id"], msgspec.json.encode(reply).decode()
        )
        return reply

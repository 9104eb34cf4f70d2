"""A repeated submit does the thing once: the first reply is kept and given again."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec

from market.db.session import execute, fetch, transaction
from market.errors import Conflict
from market.i18n import msg

Reply = TypeVar("Reply", bound=msgspec.Struct)


class Keyed(msgspec.Struct, frozen=True):
    """A request under its idempotency key; ``digest`` is that of :func:`digest_of`."""

    person_id: int
    key: str
    digest: str


def digest_of(request: msgspec.Struct) -> str:
    """Return the hash by which the same wish is known again."""
    return hashlib.sha256(
        type(request).__name__.encode() + msgspec.json.encode(request, order="deterministic")
    ).hexdigest()


def other_request() -> Conflict:
    """What is said where a key comes again with another wish."""
    return Conflict(msg("这份表单已经提交过，内容却不一样；请刷新页面后重新填写。"))


async def kept_replies(
    requests: Sequence[Keyed], *, reply_type: type[Reply]
) -> dict[tuple[int, str], Reply | Conflict]:
    """Return what is kept under the requests' (person, key), or the refusal of another wish.

    For many in one transaction, which must hold what they are about: :func:`once` is the way for one.
    """
    if not requests:
        return {}
    rows = await fetch(
        """SELECT replay.actor, replay.key, replay.request_hash = asked.digest AS is_same, replay.reply
           FROM unnest($1::bigint[], $2::text[], $3::text[]) AS asked (actor, key, digest)
           JOIN replay ON replay.actor = asked.actor AND replay.key = asked.key""",
        [each.person_id for each in requests],
        [each.key for each in requests],
        [each.digest for each in requests],
    )
    return {
        (row["actor"], row["key"]): msgspec.json.decode(row["reply"], type=reply_type)
        if row["is_same"]
        else other_request()
        for row in rows
    }


async def keep_replies(replies: Sequence[tuple[Keyed, msgspec.Struct, datetime]]) -> bool:
    """Keep the replies; False where another transaction has used one of the keys: keep nothing then."""
    if not replies:
        return True
    rows = await fetch(
        """INSERT INTO replay (actor, key, request_hash, reply, created_at)
           SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[]::jsonb[], $5::timestamptz[])
           ON CONFLICT (actor, key) DO NOTHING RETURNING id""",
        [each.person_id for each, _, _ in replies],
        [each.key for each, _, _ in replies],
        [each.digest for each, _, _ in replies],
        [msgspec.json.encode(reply).decode() for _, reply, _ in replies],
        [at for _, _, at in replies],
    )
    return len(rows) == len(replies)


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
    digest = digest_of(request)
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
                raise other_request()
            return msgspec.json.decode(kept[0]["reply"], type=reply_type)
        reply = await deed()
        await execute(
            "UPDATE replay SET reply = $2 WHERE id = $1", fresh[0]["id"], msgspec.json.encode(reply).decode()
        )
        return reply

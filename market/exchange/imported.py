"""What of a ledger is on the market already, by the content of its rows."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from market.db.session import execute, fetch

Noun = Literal["listing", "demand"]

_OWNER = {"listing": "owner", "demand": "buyer"}


def row_key(noun: Noun, organisation_id: int, content: Any) -> str:
    """Return the idempotency key of a row: the same content of the same organisation has the same key."""
    told = msgspec.json.encode(content, order="deterministic")
    return f"sheet-{noun}-{hashlib.sha256(f'{organisation_id}:'.encode() + told).hexdigest()}"


async def already_in(noun: Noun, organisation_id: int, keys: Sequence[str]) -> Mapping[str, int]:
    """Return key -> number of the listing or demand that somebody of the organisation made of that row.

    Inside a transaction: until it ends, the organisation's other imports wait.
    """
    await execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"sheet:{organisation_id}")
    rows = await fetch(
        f"""SELECT replay.key, made.id FROM replay
            JOIN {noun} AS made ON made.id = (replay.reply->>'{noun}_id')::bigint
            WHERE replay.actor IN (SELECT person FROM membership WHERE organisation = $1)
              AND replay.key = ANY($2::text[]) AND made.{_OWNER[noun]} = $1""",  # noqa: S608  words of ours; values are parameters
        organisation_id,
        list(keys),
    )
    return {row["key"]: int(row["id"]) for row in rows}

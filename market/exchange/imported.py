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


class Made(msgspec.Struct, frozen=True):
    """The listing or demand that a row was made into, as it stands now."""

    id: int
    title: str
    title_en: str
    state: str
    #: Of a listing that has ended, while none other sells from it: the lot of which something is left.
    lot: int | None


#: Of goods whose listing has ended: the lot, where it can be put on sale once more.
_LEFT = """(SELECT lot.id FROM lot WHERE lot.id = made.lot AND lot.remaining > 0 AND NOT EXISTS (
    SELECT FROM listing AS other WHERE other.lot = lot.id
      AND other.state NOT IN ('withdrawn', 'expired')))"""


async def already_in(noun: Noun, organisation_id: int, keys: Sequence[str]) -> Mapping[str, Made]:
    """Return key -> the listing or demand that somebody of the organisation made of that row.

    Inside a transaction: until it ends, the organisation's other imports wait.
    """
    await execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"sheet:{organisation_id}")
    rows = await fetch(
        f"""SELECT replay.key, made.id, made.title, made.title_en, made.state,
                   {_LEFT if noun == "listing" else "NULL"} AS lot
            FROM replay
            JOIN {noun} AS made ON made.id = (replay.reply->>'{noun}_id')::bigint
            WHERE replay.actor IN (SELECT person FROM membership WHERE organisation = $1)
              AND replay.key = ANY($2::text[]) AND made.{_OWNER[noun]} = $1""",  # noqa: S608  words of ours; values are parameters
        organisation_id,
        list(keys),
    )
    return {
        row["key"]: Made(row["id"], row["title"], row["title_en"], row["state"], row["lot"]) for row in rows
    }

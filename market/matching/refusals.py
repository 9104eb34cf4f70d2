"""Pairs that found in talking that they do not suit: no later run proposes them again.

A declined match bars its pair already. This is for pairs whose match has lapsed before they talked, or
that never had one.
"""

from collections.abc import Collection
from datetime import datetime

from market.db.session import execute, fetch
from market.matching import lifecycle


async def refuse_pairs(
    *, pairs: Collection[tuple[int, int]], reason: str, source: str, source_id: int, at: datetime
) -> int:
    """Bar (listing, demand) pairs, in the caller's transaction; return how many were not barred before.

    A match of such a pair that is still open is declined with the same ``reason``. ``source`` names what
    it was said at (``appointment``, ``sample``). A reason that the catalogue does not know bars as
    ``other``, and nothing where it does not know that either.
    """
    known = await fetch(
        "SELECT code FROM reason WHERE code IN ($1, 'other') ORDER BY code = 'other' LIMIT 1", reason
    )
    if not known or not pairs:
        return 0
    code = known[0]["code"]
    listings, demands = (list(side) for side in zip(*sorted(set(pairs)), strict=True))
    # matches before refusals: a run that is being kept locks the tables in this order
    await execute(
        """UPDATE match SET state = $4, decline_reason = $3
           FROM unnest($1::bigint[], $2::bigint[]) AS pair(listing, demand)
           WHERE match.listing = pair.listing AND match.demand = pair.demand
             AND match.state = ANY($5::text[])""",
        listings,
        demands,
        code,
        lifecycle.DECLINED,
        sorted(lifecycle.MATCH.sources("decline")),
    )
    made = await fetch(
        """INSERT INTO refusal (listing, demand, reason, source, source_id, created_at)
           SELECT listing, demand, $3, $4, $5, $6
           FROM unnest($1::bigint[], $2::bigint[]) AS pair(listing, demand)
           ON CONFLICT (listing, demand) DO NOTHING RETURNING id""",
        listings,
        demands,
        code,
        source,
        source_id,
        at,
    )
    return len(made)


async def take_back_refusals(*, source: str, source_ids: Collection[int]) -> int:
    """Let pairs be proposed again whose refusal was written down by mistake; return how many."""
    gone = await fetch(
        "DELETE FROM refusal WHERE source = $1 AND source_id = ANY($2::bigint[]) RETURNING id",
        source,
        sorted(set(source_ids)),
    )
    return len(gone)

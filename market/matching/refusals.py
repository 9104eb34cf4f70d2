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
    """Let pairs be proposed again whose refusal was written down by mistake; return how many.

    A match that was declined with it, by neither side, stands as it stood; where a later run has put aside
    what nobody had taken up, it is put aside too.
    """
    numbers = sorted(set(source_ids))
    # matches before refusals, as above
    await execute(
        """UPDATE match SET decline_reason = NULL, state = CASE
             WHEN match.seller_agreed_at IS NOT NULL AND match.buyer_agreed_at IS NOT NULL THEN $3
             WHEN match.seller_agreed_at IS NOT NULL OR match.buyer_agreed_at IS NOT NULL THEN $4
             WHEN EXISTS (SELECT FROM run AS own JOIN run AS later ON later.town = own.town
                          WHERE own.id = match.run AND later.id > own.id AND later.state = $5) THEN $6
             ELSE $7 END
           FROM refusal
           WHERE refusal.source = $1 AND refusal.source_id = ANY($2::bigint[])
             AND match.listing = refusal.listing AND match.demand = refusal.demand
             AND match.state = $8 AND match.declined_by IS NULL AND match.decline_reason = refusal.reason""",
        source,
        numbers,
        lifecycle.AGREED,
        lifecycle.ONE_SIDE_AGREED,
        lifecycle.DONE,
        lifecycle.SUPERSEDED,
        lifecycle.PROPOSED,
        lifecycle.DECLINED,
    )
    gone = await fetch(
        "DELETE FROM refusal WHERE source = $1 AND source_id = ANY($2::bigint[]) RETURNING id",
        source,
        numbers,
    )
    return len(gone)

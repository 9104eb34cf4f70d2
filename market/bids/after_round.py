"""Goods that are on sale again when a round of bidding is over: nobody could bid, so they are negotiable."""

from collections.abc import Collection
from datetime import datetime

import msgspec

from market import clock
from market.accounts.rules import SYSTEM
from market.amounts import masses
from market.audit.operations import Entry, record_all
from market.db.jobs import Run, job
from market.db.session import fetch, transaction
from market.i18n import msg, named
from market.notices.operations import Word, notify_all
from market.supply.rules import AFTER_ROUND, NEGOTIABLE, PUBLISHED, ROUNDS
from market.units import Gram


class Ended(msgspec.Struct, frozen=True):
    """Whose round is over."""

    listing_id: int


@job(AFTER_ROUND)
async def look_again(run: Run) -> None:
    """Goods came back on sale."""
    await free_to_bid([run.read(Ended).listing_id], at=clock.now())


async def free_to_bid(listing_ids: Collection[int] | None, *, at: datetime) -> int:
    """Turn listings whose round is over into negotiable ones; return how many.

    Only where something remains and nobody waits for an answer to a bid of the round. The seller is told,
    and may choose another way. None: wherever it is so.
    """
    async with transaction():
        freed = await fetch(
            """UPDATE listing SET way = $2 FROM lot
               WHERE lot.id = listing.lot AND lot.remaining > 0
                 AND ($1::bigint[] IS NULL OR listing.id = ANY($1))
                 AND listing.way = ANY($3::text[]) AND listing.opened_at IS NOT NULL AND listing.state = $4
                 AND NOT EXISTS (SELECT FROM bid WHERE bid.listing = listing.id AND bid.answers = 'listing'
                                 AND bid.state IN ('submitted', 'needs_reconfirm'))
               RETURNING listing.id, listing.owner, listing.title, listing.title_en, lot.remaining""",
            None if listing_ids is None else sorted(set(listing_ids)),
            NEGOTIABLE,
            sorted(ROUNDS),
            PUBLISHED,
        )
        await record_all(
            [Entry(f"listing:{row['id']}", "free_to_bid", SYSTEM, at, {"way": NEGOTIABLE}) for row in freed]
        )
        await notify_all(
            [
                Word(
                    row["owner"],
                    "round_over",
                    msg(
                        "“{title}”这一轮报价已经结束，还有 {mass}，现在转为可议价；您也可以另选卖法。",
                        title=named(row, "title"),
                        mass=masses(Gram(row["remaining"])),
                    ),
                    f"/selling/{row['id']}/way",
                    at,
                )
                for row in freed
            ]
        )
    return len(freed)

"""The opening of a sealed round: every bid at once, as soon as the round has closed."""

from datetime import datetime, timedelta

import msgspec
from asyncpg import Record

from market import clock
from market.accounts.rules import SYSTEM, Actor
from market.audit.operations import record
from market.bids import rules
from market.db.jobs import Run, job
from market.db.session import execute, fetch, transaction
from market.i18n import msg
from market.notices.operations import notify
from market.supply.rules import CLOSING, NEGOTIABLE, PUBLISHED, SEALED, SUSPENDED


class Closing(msgspec.Struct, frozen=True):
    """Which round a job ends."""

    listing_id: int


@job(CLOSING)
async def close(run: Run) -> None:
    """End a round at its time; a round that was ended before stays as it is."""
    await open_round(listing_id=run.read(Closing).listing_id, at=clock.now())


async def open_overdue(*, at: datetime) -> int:
    """Open what is past its closing time and no job has opened; return how many rounds."""
    rows = await fetch("SELECT id FROM listing WHERE closes_at <= $1 AND opened_at IS NULL ORDER BY id", at)
    for row in rows:
        await open_round(listing_id=row["id"], at=at)
    return len(rows)


async def open_round(*, listing_id: int, at: datetime) -> bool:
    """Open all sealed bids of a listing whose round has closed; return whether there was such a round.

    The opened bids have no order but that of their prices. With fewer than three eligible bidders (a bid
    that what remains can serve) the listing is sold by negotiation. Where the goods have gone off sale
    meanwhile, the bids are void.
    """
    async with transaction():
        rows = await fetch(
            """SELECT listing.id, listing.state, listing.owner, listing.title, listing.min_order,
                      lot.remaining
               FROM listing JOIN lot ON lot.id = listing.lot
               WHERE listing.id = $1 AND listing.way = $2 AND listing.opened_at IS NULL
                 AND listing.closes_at <= $3 FOR UPDATE OF listing""",
            listing_id,
            SEALED,
            at,
        )
        if not rows:
            return False
        listing = rows[0]
        sealed = await fetch(
            """SELECT * FROM sealed_bid WHERE listing = $1 AND state = $2
               ORDER BY price DESC, quantity DESC, buyer FOR UPDATE""",
            listing_id,
            rules.SEALED_BID.start,
        )
        if listing["state"] not in (PUBLISHED, SUSPENDED):
            await execute("UPDATE listing SET opened_at = $2 WHERE id = $1", listing_id, at)
            await _void(listing, sealed, at=at)
            return True
        bidders = {bid["buyer"] for bid in sealed if bid["quantity"] <= listing["remaining"]}
        way = SEALED if len(bidders) >= rules.LEAST_BIDDERS else NEGOTIABLE
        await execute("UPDATE listing SET opened_at = $2, way = $3 WHERE id = $1", listing_id, at, way)
        await record(
            subject=f"listing:{listing_id}",
            action="open_bids",
            actor=SYSTEM,
            at=at,
            details={"bidders": len(bidders), "way": way},
        )
        for bid in sealed:
            await _open(listing, bid, way=way, at=at)
        await notify(
            organisation_id=listing["owner"],
            kind="bids_opened",
            message=msg("“{title}”已开标：{n} 家报价，请答复。", title=listing["title"], n=len(bidders))
            if way == SEALED
            else msg(
                "“{title}”已开标：只有 {n} 家报价，不足三家，转为议价。",
                title=listing["title"],
                n=len(bidders),
            ),
            link=f"/selling/{listing_id}",
            at=at,
            due_at=at + timedelta(days=rules.ANSWER_DAYS) if sealed else None,
        )
    return True


async def _open(listing: Record, sealed: Record, *, way: str, at: datetime) -> None:
    rows = await fetch(
        """INSERT INTO bid (listing, demand, buyer, quantity, price, deliver_from, deliver_to, note, state,
                            created_by, created_at, expires_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING id""",
        sealed["listing"],
        sealed["demand"],
        sealed["buyer"],
        sealed["quantity"],
        sealed["price"],
        sealed["deliver_from"],
        sealed["deliver_to"],
        sealed["note"],
        rules.BID.start,
        sealed["created_by"],
        sealed["created_at"],
        at + timedelta(days=rules.ANSWER_DAYS),
    )
    bid_id = int(rows[0]["id"])
    await execute(
        "UPDATE sealed_bid SET state = $2, bid = $3 WHERE id = $1",
        sealed["id"],
        rules.SEALED_BID.apply("open", state=sealed["state"], by="system"),
        bid_id,
    )
    await record(
        subject=f"bid:{bid_id}",
        action="place",
        actor=Actor(sealed["created_by"], sealed["buyer"], "buyer"),
        at=sealed["created_at"],
        details={"listing": sealed["listing"], "grams": sealed["quantity"], "fen_per_kg": sealed["price"]},
    )
    await record(subject=f"bid:{bid_id}", action="open", actor=SYSTEM, at=at, details={"way": way})
    await notify(
        organisation_id=sealed["buyer"],
        kind="bid_opened",
        message=msg("“{title}”已开标，您的报价等卖方答复。", title=listing["title"])
        if way == SEALED
        else msg("“{title}”已开标，报价不足三家，转为议价。", title=listing["title"]),
        link=f"/bids/{bid_id}",
        at=at,
    )


async def _void(listing: Record, sealed: list[Record], *, at: datetime) -> None:
    for bid in sealed:
        state = rules.SEALED_BID.apply("void", state=bid["state"], by="system")
        await execute("UPDATE sealed_bid SET state = $2 WHERE id = $1", bid["id"], state)
        await notify(
            organisation_id=bid["buyer"],
            kind="bid_void",
            message=msg("“{title}”在开标前停售了，您的密封报价作废，没有人看过。", title=listing["title"]),
            link=f"/sealed/{bid['mark']}",
            at=at,
        )

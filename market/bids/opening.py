"""The opening of a sealed round: every bid at once, as soon as the round has closed."""

from datetime import datetime

import msgspec
from asyncpg import Record

from market import clock
from market.accounts.rules import SYSTEM, Actor
from market.accounts.standing import suspended_among
from market.audit.operations import Entry, record, record_all
from market.bids import rules
from market.bids.open_closing import close_open_round
from market.bids.operations import answer_until
from market.db.jobs import Run, job
from market.db.session import execute, fetch, transaction
from market.i18n import msg, named
from market.notices.operations import Word, notify, notify_all
from market.organisations.approval_queries import approvers_of
from market.organisations.dead_approvals import end_dead_approvals
from market.supply.rules import CLOSING, NEGOTIABLE, PUBLISHED, SEALED, SUSPENDED


class Closing(msgspec.Struct, frozen=True):
    """Which round a job ends."""

    listing_id: int


@job(CLOSING)
async def close(run: Run) -> None:
    """End a round at its time; a round that was ended before stays as it is."""
    await end_round(listing_id=run.read(Closing).listing_id, at=clock.now())


async def end_round(*, listing_id: int, at: datetime) -> bool:
    """End a listing's round, sealed or open, whose closing has come; return whether there was one."""
    return await open_round(listing_id=listing_id, at=at) or await close_open_round(
        listing_id=listing_id, at=at
    )


async def open_overdue(*, at: datetime) -> int:
    """End what is past its closing time and no job has ended; return how many rounds."""
    rows = await fetch("SELECT id FROM listing WHERE closes_at <= $1 AND opened_at IS NULL ORDER BY id", at)
    for row in rows:
        await end_round(listing_id=row["id"], at=at)
    return len(rows)


async def open_round(*, listing_id: int, at: datetime) -> bool:
    """Open all sealed bids of a listing whose round has closed; return whether there was such a round.

    The opened bids have no order but that of their prices. With fewer than three eligible bidders (not
    suspended, with a bid that what remains can serve) the listing is sold by negotiation. Where the goods
    have gone off sale meanwhile, the bids are void.
    """
    async with transaction():
        rows = await fetch(
            """SELECT listing.id, listing.state, listing.owner, listing.title, listing.title_en,
                      listing.min_order, listing.round, lot.remaining
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
            """SELECT * FROM sealed_bid WHERE listing = $1 AND state = $2 AND round = $3
               ORDER BY price DESC, quantity DESC, buyer FOR UPDATE""",
            listing_id,
            rules.SEALED_BID.start,
            listing["round"],
        )
        if listing["state"] not in (PUBLISHED, SUSPENDED):
            await execute("UPDATE listing SET opened_at = $2 WHERE id = $1", listing_id, at)
            await _void(listing, sealed, at=at)
            return True
        barred = await suspended_among([bid["buyer"] for bid in sealed])
        bidders = {bid["buyer"] for bid in sealed if bid["quantity"] <= listing["remaining"]} - barred
        way = SEALED if len(bidders) >= rules.LEAST_BIDDERS else NEGOTIABLE
        await execute("UPDATE listing SET opened_at = $2, way = $3 WHERE id = $1", listing_id, at, way)
        await end_dead_approvals(at=at, subject=f"sealed:{listing_id}")
        await record(
            subject=f"listing:{listing_id}",
            action="open_bids",
            actor=SYSTEM,
            at=at,
            details={"bidders": len(bidders), "way": way},
        )
        await _open(listing, sealed, way=way, at=at)
        await notify(
            organisation_id=listing["owner"],
            kind="bids_opened",
            message=msg(
                "“{title}”已开标：{n} 家报价，请答复。", title=named(listing, "title"), n=len(bidders)
            )
            if way == SEALED
            else msg(
                "“{title}”已开标：只有 {n} 家报价，不足三家，转为议价。",
                title=named(listing, "title"),
                n=len(bidders),
            ),
            link=f"/selling/{listing_id}",
            at=at,
            due_at=min((answer_until(at=at, deliver_to=bid["deliver_to"]) for bid in sealed), default=None),
        )
    return True


async def _open(listing: Record, sealed: list[Record], *, way: str, at: datetime) -> None:
    """Write the bids in the order given, as if each had been placed when it was sealed."""
    rows = await fetch(
        """INSERT INTO bid (listing, demand, buyer, quantity, price, deliver_from, deliver_to, note, state,
                            created_by, created_at, expires_at)
           SELECT listing, demand, buyer, quantity, price, deliver_from, deliver_to, note, $2, created_by,
                  created_at, until
           FROM unnest($1::bigint[], $3::timestamptz[]) WITH ORDINALITY AS opened (id, until, n)
           JOIN sealed_bid USING (id)
           ORDER BY n RETURNING id, buyer""",
        [bid["id"] for bid in sealed],
        rules.BID.start,
        [answer_until(at=at, deliver_to=bid["deliver_to"]) for bid in sealed],
    )
    numbers = {row["buyer"]: row["id"] for row in rows}
    # what the record could not tell while it lay under seal
    approved = await approvers_of(f"sealed:{listing['id']}")
    await execute(
        """UPDATE sealed_bid SET state = $3, bid = opened.bid
           FROM unnest($1::bigint[], $2::bigint[]) AS opened (id, bid) WHERE sealed_bid.id = opened.id""",
        [bid["id"] for bid in sealed],
        [numbers[bid["buyer"]] for bid in sealed],
        rules.SEALED_BID.apply("open", state=rules.SEALED_BID.start, by="system"),
    )
    await record_all(
        [
            Entry(
                f"bid:{numbers[bid['buyer']]}",
                "place",
                Actor(
                    bid["created_by"],
                    bid["buyer"],
                    "buyer",
                    approved_by=approved.get(f"/sealed/{bid['mark']}"),
                ),
                bid["created_at"],
                {"listing": bid["listing"], "grams": bid["quantity"], "fen_per_kg": bid["price"]},
                is_new=True,
            )
            for bid in sealed
        ],
    )
    await record_all([Entry(f"bid:{n}", "open", SYSTEM, at, {"way": way}) for n in numbers.values()])
    message = (
        msg("“{title}”已开标，您的报价等卖方答复。", title=named(listing, "title"))
        if way == SEALED
        else msg("“{title}”已开标，报价不足三家，转为议价。", title=named(listing, "title"))
    )
    await notify_all(
        [Word(buyer, "bid_opened", message, f"/bids/{bid_id}", at) for buyer, bid_id in numbers.items()]
    )


async def _void(listing: Record, sealed: list[Record], *, at: datetime) -> None:
    await execute(
        "UPDATE sealed_bid SET state = $2 WHERE id = ANY($1)",
        [bid["id"] for bid in sealed],
        rules.SEALED_BID.apply("void", state=rules.SEALED_BID.start, by="system"),
    )
    message = msg("“{title}”在开标前停售了，您的密封报价作废，没有人看过。", title=named(listing, "title"))
    await notify_all(
        [Word(bid["buyer"], "bid_void", message, f"/sealed/{bid['mark']}", at) for bid in sealed]
    )

"""The end of open bidding: the goods go to the best bids, each at its own price, in one transaction."""

from datetime import datetime

import msgspec
from asyncpg import Record

from market.accounts.rules import SYSTEM, Actor
from market.accounts.standing import suspended_among
from market.amounts import masses, prices
from market.audit.operations import Entry, record, record_all
from market.bids import open_rules, rules
from market.bids.open_rules import Standing
from market.bids.operations import answer_until
from market.db.session import execute, fetch, transaction
from market.deals.making import DealWish, NewDeal, make_deals
from market.errors import MarketError
from market.i18n import Message, msg, named
from market.notices.operations import Word, notify_all
from market.organisations.dead_approvals import end_dead_approvals
from market.supply.rules import NEGOTIABLE, OPEN, PUBLISHED, SUSPENDED, WITHDRAWN
from market.units import FenPerKg, Gram


async def close_open_round(*, listing_id: int, at: datetime) -> bool:
    """End the open bidding on a listing whose closing has come; return whether there was such a round.

    With fewer than three bidders, or nobody at the reserve price, the bids go on as negotiation. Where the
    goods have gone off sale meanwhile, the bids are void. Who is suspended by now buys and sells nothing.
    However many ask at once, it ends once.
    """
    async with transaction():
        # its lot before the listing, as whoever makes a deal takes them
        await fetch(
            "SELECT FROM lot WHERE id = (SELECT lot FROM listing WHERE id = $1) FOR NO KEY UPDATE", listing_id
        )
        rows = await fetch(
            """SELECT listing.*, lot.remaining FROM listing JOIN lot ON lot.id = listing.lot
               WHERE listing.id = $1 AND listing.way = $2 AND listing.opened_at IS NULL
                 AND (listing.closes_at <= $3 OR listing.state = $4) FOR NO KEY UPDATE OF listing""",
            listing_id,
            OPEN,
            at,
            WITHDRAWN,
        )
        if not rows:
            return False
        listing = rows[0]
        await execute("UPDATE listing SET opened_at = $2 WHERE id = $1", listing_id, at)
        await end_dead_approvals(at=at, subject=f"open:{listing_id}")
        bids = await fetch(
            """SELECT * FROM open_bid WHERE listing = $1 AND round = $2 AND state = $3
               ORDER BY price DESC, id""",
            listing_id,
            listing["round"],
            rules.OPEN_BID.start,
        )
        if listing["state"] not in (PUBLISHED, SUSPENDED):
            await _end(bids, "void")
            message = msg("“{title}”在竞价截止前停售了，您的出价作废。", title=named(listing, "title"))
            await _tell(bids, "open_bid_void", message, listing=listing, at=at)
            return True
        barred = await suspended_among([listing["owner"], *(bid["buyer"] for bid in bids)])
        shares = dict.fromkeys((bid["id"] for bid in bids), Gram(0)) | open_rules.share_out(
            [msgspec.convert(dict(bid), Standing) for bid in bids if bid["buyer"] not in barred],
            available=Gram(listing["remaining"]),
            reserve=None if listing["reserve"] is None else FenPerKg(listing["reserve"]),
        )
        able = [
            bid for bid in bids if max(bid["least"], 1) <= listing["remaining"] and bid["buyer"] not in barred
        ]
        # what is suspended sells nothing by itself
        is_paused = listing["state"] != PUBLISHED or listing["owner"] in barred
        if len(able) >= rules.LEAST_BIDDERS and any(shares.values()) and not is_paused:
            await _award(listing, bids, shares, at=at)
        else:
            await _negotiate(listing, bids, able=len(able), is_paused=is_paused, at=at)
    return True


async def _award(listing: Record, bids: list[Record], shares: dict[int, Gram], *, at: datetime) -> None:
    """Make the deals of the bids that get something, and end the others."""
    won = [bid for bid in bids if shares[bid["id"]]]
    lost = [bid for bid in bids if not shares[bid["id"]]]
    numbers = await _write_bids(won, [shares[bid["id"]] for bid in won], at=at)
    deals = await _deals(listing, won, numbers, shares, at=at)
    await execute(
        """UPDATE bid SET state = $3, deal = made.deal
           FROM unnest($1::bigint[], $2::bigint[]) AS made (id, deal) WHERE bid.id = made.id""",
        list(deals),
        list(deals.values()),
        rules.BID.apply("accept", state=rules.BID.start, by="seller"),
    )
    await record_all(
        [Entry(f"bid:{number}", "accept", SYSTEM, at, {"deal": deal}) for number, deal in deals.items()]
    )
    await _end(won, "win", numbers)
    await _end(lost, "lose")
    sold = sum(shares[bid["id"]] for bid in won)
    left = listing["remaining"] - sold
    if left:
        # what nobody wanted at this price, or only in larger parts, is open to all
        await execute("UPDATE listing SET way = $2 WHERE id = $1", listing["id"], NEGOTIABLE)
    await record(
        subject=f"listing:{listing['id']}",
        action="close_bidding",
        actor=SYSTEM,
        at=at,
        details={"bidders": len(bids), "winners": len(won), "grams": sold},
    )
    low = min(bid["price"] for bid in won)
    told: dict[str, str | int | Message] = {
        "title": named(listing, "title"),
        "n": len(won),
        "mass": masses(Gram(sold)),
        "low": prices(FenPerKg(low)),
        "high": prices(FenPerKg(won[0]["price"])),
    }
    seller_told = (
        msg(
            "“{title}”竞价结束：{n} 家竞得 {mass}，{low} 至 {high}；剩下 {left}转为可议价，也可以另选卖法。",
            **told,
            left=masses(Gram(left)),
        )
        if left
        else msg("“{title}”竞价结束：{n} 家竞得 {mass}，{low} 至 {high}，全部卖出。", **told)
    )
    link = f"/selling/{listing['id']}" + ("/way" if left else "#bidding")
    await notify_all(
        [
            Word(listing["owner"], "bidding_closed", seller_told, link, at),
            *(
                Word(
                    bid["buyer"],
                    "open_bid_won",
                    msg(
                        "您竞得“{title}”{mass}，{price}，合同待双方签字。",
                        title=named(listing, "title"),
                        mass=masses(shares[bid["id"]]),
                        price=prices(FenPerKg(bid["price"])),
                    ),
                    f"/listings/{listing['id']}#bid",
                    at,
                )
                for bid in won
            ),
        ]
    )
    message = msg(
        "“{title}”竞价结束，您没有竞得；竞得的最低出价是 {low}。",
        title=named(listing, "title"),
        low=told["low"],
    )
    await _tell(lost, "open_bid_lost", message, listing=listing, at=at)


async def _deals(
    listing: Record, won: list[Record], numbers: list[int], shares: dict[int, Gram], *, at: datetime
) -> dict[int, int]:
    """Return bid -> its deal. A demand that has been served meanwhile is left out of account."""
    deals: dict[int, int] = {}
    for with_demand in (True, False):
        open_ones = [(bid, n) for bid, n in zip(won, numbers, strict=True) if n not in deals]
        if not open_ones:
            break
        wishes = [
            DealWish(
                NewDeal(
                    listing_id=listing["id"],
                    demand_id=bid["demand"] if with_demand else None,
                    buyer_id=bid["buyer"],
                    quantity=shares[bid["id"]],
                    price=FenPerKg(bid["price"]),
                    source="bid",
                    source_id=number,
                    deliver_from=bid["deliver_from"],
                    deliver_to=bid["deliver_to"],
                ),
                SYSTEM,
                at,
            )
            for bid, number in open_ones
        ]
        for (_, number), made in zip(open_ones, await make_deals(wishes), strict=True):
            if not isinstance(made, MarketError):
                deals[number] = made
            elif not with_demand:
                raise made
    return deals


async def _negotiate(
    listing: Record, bids: list[Record], *, able: int, is_paused: bool, at: datetime
) -> None:
    """Let the bids go on as bids that the seller answers; ``able`` of them could have had the goods."""
    await execute("UPDATE listing SET way = $2 WHERE id = $1", listing["id"], NEGOTIABLE)
    numbers = await _write_bids(bids, [Gram(bid["quantity"]) for bid in bids], at=at)
    await _end(bids, "negotiate", numbers)
    await record(
        subject=f"listing:{listing['id']}",
        action="close_bidding",
        actor=SYSTEM,
        at=at,
        details={"bidders": len(bids), "winners": 0, "way": NEGOTIABLE},
    )
    title = named(listing, "title")
    until = min((answer_until(at=at, deliver_to=bid["deliver_to"]) for bid in bids), default=None)
    if able < rules.LEAST_BIDDERS:
        seller_told = msg("“{title}”竞价结束：只有 {n} 家出价，不足三家，转为议价。", title=title, n=able)
        buyer_told = msg("“{title}”竞价结束，出价不足三家，转为议价：您的出价等卖方答复。", title=title)
    elif is_paused:
        seller_told = msg("“{title}”竞价结束时已暂停销售，出价转为议价，请答复。", title=title)
        buyer_told = msg("“{title}”竞价结束时已暂停销售，转为议价：您的出价等卖方答复。", title=title)
    else:
        seller_told = msg("“{title}”竞价结束：没有出价达到保留价，转为议价，请答复。", title=title)
        buyer_told = msg("“{title}”竞价结束，没有达到保留价，转为议价：您的出价等卖方答复。", title=title)
    link = f"/selling/{listing['id']}"
    await notify_all(
        [
            Word(listing["owner"], "bidding_closed", seller_told, link, at, until),
            *(
                Word(bid["buyer"], "open_bid_negotiated", buyer_told, f"/bids/{number}", at)
                for bid, number in zip(bids, numbers, strict=True)
            ),
        ]
    )


async def _write_bids(bids: list[Record], quantities: list[Gram], *, at: datetime) -> list[int]:
    """Write bids for so much, as if each had been placed when it was; return their numbers."""
    rows = await fetch(
        """INSERT INTO bid (listing, demand, buyer, quantity, price, deliver_from, deliver_to, note, state,
                            created_by, created_at, expires_at)
           SELECT listing, demand, buyer, closed.grams, price, deliver_from, deliver_to, note, $3, created_by,
                  created_at, until
           FROM unnest($1::bigint[], $2::bigint[], $4::timestamptz[])
             WITH ORDINALITY AS closed (id, grams, until, n)
           JOIN open_bid USING (id) ORDER BY n RETURNING id, buyer""",
        [bid["id"] for bid in bids],
        quantities,
        rules.BID.start,
        [answer_until(at=at, deliver_to=bid["deliver_to"]) for bid in bids],
    )
    numbers = {row["buyer"]: int(row["id"]) for row in rows}
    await record_all(
        [
            Entry(
                f"bid:{numbers[bid['buyer']]}",
                "place",
                Actor(bid["created_by"], bid["buyer"], "buyer"),
                bid["created_at"],
                {"listing": bid["listing"], "grams": grams, "fen_per_kg": bid["price"]},
                is_new=True,
            )
            for bid, grams in zip(bids, quantities, strict=True)
        ],
    )
    return [numbers[bid["buyer"]] for bid in bids]


async def _end(bids: list[Record], move: str, numbers: list[int] | None = None) -> None:
    await execute(
        """UPDATE open_bid SET state = $3, bid = ended.bid, release_asked_at = NULL
           FROM unnest($1::bigint[], $2::bigint[]) AS ended (id, bid) WHERE open_bid.id = ended.id""",
        [bid["id"] for bid in bids],
        numbers or [None] * len(bids),
        rules.OPEN_BID.apply(move, state=rules.OPEN_BID.start, by="system"),
    )


async def _tell(bids: list[Record], kind: str, message: Message, *, listing: Record, at: datetime) -> None:
    await notify_all(
        [Word(bid["buyer"], kind, message, f"/listings/{listing['id']}#bid", at) for bid in bids]
    )

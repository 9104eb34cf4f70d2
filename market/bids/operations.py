"""Placing, accepting, declining and withdrawing bids."""

from datetime import date, datetime, timedelta

import msgspec
from asyncpg import Record

from market.accounts.rules import Actor
from market.audit.operations import record
from market.bids import rules
from market.db.replay import once
from market.db.session import execute, fetch, transaction
from market.deals.operations import NewDeal, make_deal
from market.errors import Conflict, Invalid, NotFound
from market.i18n import msg
from market.notices.operations import notify
from market.supply.commands import NewTerms
from market.supply.operations import revise_listing
from market.units import MOST_FEN_PER_KG, FenPerKg, Gram, kg, yuan_per_kg


class NewBid(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``quantity`` in grams, ``price`` in fen per kg at the farm gate."""

    listing_id: int
    quantity: Gram
    price: FenPerKg
    deliver_from: date
    deliver_to: date
    demand_id: int | None = None
    note: str = ""


class Placed(msgspec.Struct, frozen=True):
    bid_id: int


class Accepted(msgspec.Struct, frozen=True):
    deal_id: int


async def place_bid(*, bid: NewBid, buyer_id: int, actor: Actor, at: datetime, key: str | None = None) -> int:
    """Return the number of the new bid; the same ``key`` again gives the same number.

    Raises:
        NotFound: the listing is not on sale.
        Invalid: quantity, price or window do not fit the listing.
    """

    async def deed() -> Placed:
        listing = await fetch(
            """SELECT listing.title, listing.owner, listing.min_order, listing.available_from,
                      listing.available_to, lot.remaining
               FROM listing JOIN lot ON lot.id = listing.lot
               WHERE listing.id = $1 AND listing.state = 'published' FOR SHARE OF listing""",
            bid.listing_id,
        )
        if not listing:
            raise NotFound(msg("这批货源现在不在售。"))
        row = listing[0]
        rules.check_quantity(
            quantity=bid.quantity, remaining=Gram(row["remaining"]), min_order=Gram(row["min_order"])
        )
        rules.check_price(bid.price, most=MOST_FEN_PER_KG)
        rules.check_window(
            start=bid.deliver_from, end=bid.deliver_to, first=row["available_from"], last=row["available_to"]
        )
        if bid.demand_id is not None:
            await _check_demand(bid, buyer_id=buyer_id)
        rows = await fetch(
            """INSERT INTO bid (listing, demand, buyer, quantity, price, deliver_from, deliver_to, note,
                                state, created_by, created_at, expires_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING id""",
            bid.listing_id,
            bid.demand_id,
            buyer_id,
            bid.quantity,
            bid.price,
            bid.deliver_from,
            bid.deliver_to,
            bid.note,
            rules.BID.start,
            actor.person_id,
            at,
            at + timedelta(days=rules.ANSWER_DAYS),
        )
        bid_id = int(rows[0]["id"])
        await record(
            subject=f"bid:{bid_id}",
            action="place",
            actor=actor,
            at=at,
            details={"listing": bid.listing_id, "grams": bid.quantity, "fen_per_kg": bid.price},
        )
        await notify(
            organisation_id=row["owner"],
            kind="bid_placed",
            message=msg(
                "“{title}”收到出价：{mass} 公斤，{price} 元/公斤。",
                title=row["title"],
                mass=f"{kg(bid.quantity):,f}",
                price=f"{yuan_per_kg(bid.price):.2f}",
            ),
            link=f"/bids/{bid_id}",
            at=at,
            due_at=at + timedelta(days=rules.ANSWER_DAYS),
        )
        return Placed(bid_id)

    placed = await once(key=key, person_id=actor.person_id, request=bid, reply_type=Placed, deed=deed, at=at)
    return placed.bid_id


class AcceptBid(msgspec.Struct, frozen=True):
    bid_id: int


async def accept_bid(
    *, bid_id: int, seller_id: int, actor: Actor, at: datetime, key: str | None = None
) -> int:
    """Turn the bid into a deal and return the deal's number.

    Raises:
        NotFound: no such bid on this seller's goods.
        Conflict: it was answered or withdrawn meanwhile, it lapsed, or too little remains.
    """

    async def deed() -> Accepted:
        bid = await _taken_up(bid_id=bid_id, seller_id=seller_id, move="accept", at=at)
        deal_id = await make_deal(
            deal=NewDeal(
                listing_id=bid["listing"],
                demand_id=bid["demand"],
                buyer_id=bid["buyer"],
                quantity=Gram(bid["quantity"]),
                price=FenPerKg(bid["price"]),
                source="bid",
                source_id=bid_id,
                deliver_from=bid["deliver_from"],
                deliver_to=bid["deliver_to"],
            ),
            actor=actor,
            at=at,
        )
        await execute("UPDATE bid SET deal = $2 WHERE id = $1", bid_id, deal_id)
        await record(subject=f"bid:{bid_id}", action="accept", actor=actor, at=at, details={"deal": deal_id})
        return Accepted(deal_id)

    accepted = await once(
        key=key, person_id=actor.person_id, request=AcceptBid(bid_id), reply_type=Accepted, deed=deed, at=at
    )
    return accepted.deal_id


async def reject_bid(
    *, bid_id: int, seller_id: int, reason: str, note: str, actor: Actor, at: datetime
) -> None:
    """Decline with a coded reason, which the buyer sees.

    Raises:
        NotFound, Conflict: as :func:`accept_bid`.
        Invalid: no such reason.
    """
    async with transaction():
        if not await fetch("SELECT code FROM reason WHERE code = $1", reason):
            problem = msg("请选择原因，让对方知道为什么。")
            raise Invalid(problem, {"reason": problem})
        bid = await _taken_up(bid_id=bid_id, seller_id=seller_id, move="reject", at=at)
        await execute("UPDATE bid SET reason = $2, reason_note = $3 WHERE id = $1", bid_id, reason, note)
        await record(subject=f"bid:{bid_id}", action="reject", actor=actor, at=at, details={"reason": reason})
        await notify(
            organisation_id=bid["buyer"],
            kind="bid_rejected",
            message=msg("对方谢绝了您对“{title}”的出价，原因已写明。", title=bid["title"]),
            link=f"/bids/{bid_id}",
            at=at,
        )


async def withdraw_bid(*, bid_id: int, buyer_id: int, actor: Actor, at: datetime) -> None:
    """Raises: NotFound, WrongState."""
    async with transaction():
        rows = await fetch("SELECT state FROM bid WHERE id = $1 AND buyer = $2 FOR UPDATE", bid_id, buyer_id)
        if not rows:
            raise NotFound(msg("没有找到这笔出价。"))
        state = rules.BID.apply("withdraw", state=rows[0]["state"], by="buyer")
        await execute("UPDATE bid SET state = $2 WHERE id = $1", bid_id, state)
        await record(subject=f"bid:{bid_id}", action="withdraw", actor=actor, at=at, details={})


async def _check_demand(bid: NewBid, *, buyer_id: int) -> None:
    """A bid that is to count towards a demand must be on the buyer's own, and fit into it."""
    rows = await fetch(
        """SELECT demand.open, demand.produce = lot.produce AS fits FROM demand, listing
           JOIN lot ON lot.id = listing.lot
           WHERE demand.id = $1 AND demand.buyer = $2 AND demand.state = 'published' AND listing.id = $3""",
        bid.demand_id,
        buyer_id,
        bid.listing_id,
    )
    if not rows:
        problem = msg("这条采购需求不是贵单位的，或已不在求购。")
        raise Invalid(problem, {"demand_id": problem})
    if not rows[0]["fits"]:
        problem = msg("这条采购需求要的是别的品类，请改选或不选。")
        raise Invalid(problem, {"demand_id": problem})
    if rows[0]["open"] < bid.quantity:
        problem = msg(
            "所选的采购需求只差 {left} 公斤，请减少数量，或不算在需求上。",
            left=f"{kg(Gram(rows[0]['open'])):,f}",
        )
        raise Invalid(problem, {"quantity": problem})


async def _taken_up(*, bid_id: int, seller_id: int, move: str, at: datetime) -> Record:
    """Compare and set: whoever answers first wins, everybody else gets a Conflict."""
    rows = await fetch(
        """SELECT bid.*, listing.title FROM bid JOIN listing ON listing.id = bid.listing
           WHERE bid.id = $1 AND listing.owner = $2 FOR UPDATE OF bid""",
        bid_id,
        seller_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这笔出价。"))
    bid = rows[0]
    if bid["expires_at"] <= at:
        raise Conflict(msg("这笔出价已过答复期限，请对方重新出价。"))
    state = rules.BID.apply(move, state=bid["state"], by="seller")
    await execute("UPDATE bid SET state = $2 WHERE id = $1", bid_id, state)
    return bid


async def revise_terms(
    *, listing_id: int, terms: NewTerms, owner_id: int, actor: Actor, at: datetime
) -> None:
    """Change a listing's terms; whoever has bid on it is asked whether the bid still stands.

    Raises:
        NotFound, Conflict, Invalid: as ``supply.operations.revise_listing``.
    """
    async with transaction():
        await revise_listing(listing_id=listing_id, terms=terms, owner_id=owner_id, actor=actor, at=at)
        unsettled = await fetch(
            """UPDATE bid SET state = $2 FROM listing
               WHERE bid.listing = $1 AND bid.state = $3 AND listing.id = bid.listing
               RETURNING bid.id, bid.buyer, listing.title""",
            listing_id,
            rules.BID.apply("unsettle", state=rules.SUBMITTED, by="system"),
            rules.SUBMITTED,
        )
        for bid in unsettled:
            await notify(
                organisation_id=bid["buyer"],
                kind="bid_unsettled",
                message=msg("“{title}”的条件改了，请确认您的出价是否还算数。", title=bid["title"]),
                link=f"/bids/{bid['id']}",
                at=at,
            )


async def reconfirm_bid(*, bid_id: int, buyer_id: int, actor: Actor, at: datetime) -> None:
    """Let a bid stand under the listing's new terms.

    Raises:
        NotFound: no such bid of this buyer.
        WrongState: it needs no confirmation.
    """
    async with transaction():
        rows = await fetch("SELECT state FROM bid WHERE id = $1 AND buyer = $2 FOR UPDATE", bid_id, buyer_id)
        if not rows:
            raise NotFound(msg("没有找到这笔出价。"))
        state = rules.BID.apply("reconfirm", state=rows[0]["state"], by="buyer")
        await execute(
            "UPDATE bid SET state = $2, expires_at = $3 WHERE id = $1",
            bid_id,
            state,
            at + timedelta(days=rules.ANSWER_DAYS),
        )
        await record(subject=f"bid:{bid_id}", action="reconfirm", actor=actor, at=at, details={})


async def expire_bids(*, at: datetime) -> int:
    """Let bids lapse that nobody answered in time, and tell their authors; return how many."""
    async with transaction():
        lapsed = await fetch(
            """UPDATE bid SET state = $1 FROM listing
               WHERE bid.state = ANY($2::text[]) AND bid.expires_at <= $3 AND listing.id = bid.listing
               RETURNING bid.id, bid.buyer, listing.title""",
            rules.EXPIRED,
            sorted(rules.BID.sources("expire")),
            at,
        )
        for bid in lapsed:
            await notify(
                organisation_id=bid["buyer"],
                kind="bid_expired",
                message=msg("您对“{title}”的出价过了答复期限，没有成交。", title=bid["title"]),
                link=f"/bids/{bid['id']}",
                at=at,
            )
    return len(lapsed)

"""Placing a bid, and accepting it."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import msgspec
from asyncpg import Record

from market.accounts.rules import ANSWER, Actor
from market.amounts import masses, prices
from market.audit.operations import record
from market.bids import rules
from market.bids.accepting import EITHER as EITHER
from market.bids.accepting import Accepted as Accepted
from market.bids.accepting import accept_bid as accept_bid
from market.bids.accepting import accept_turn as accept_turn
from market.clock import CHINA, day_ends
from market.db.replay import once
from market.db.session import execute, fetch
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, msg, named
from market.notices.operations import notify
from market.organisations.approving import Binding, approvable, asks, bind
from market.supply.rules import DRAFT, FIXED, OPEN, PENDING, PUBLISHED, SEALED
from market.units import MOST_FEN_PER_KG, FenPerKg, Gram, amount


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


@asks
async def place_bid(*, bid: NewBid, buyer_id: int, actor: Actor, at: datetime, key: str | None = None) -> int:
    """Return the number of the new bid; the same ``key`` again gives the same number.

    Raises:
        NotFound: there is no such listing.
        Conflict: it is not on sale, or not sold so.
        Invalid: quantity, price or window do not fit the listing.
    """

    async def deed() -> Placed:
        listing = await fetch(
            """SELECT listing.state, listing.title, listing.title_en, listing.owner, listing.way, listing.ask,
                      listing.min_order, listing.available_from, listing.available_to, lot.remaining
               FROM listing JOIN lot ON lot.id = listing.lot
               WHERE listing.id = $1 FOR SHARE OF listing""",
            bid.listing_id,
        )
        row = on_sale(listing, buyer_id=buyer_id)
        if row["way"] == SEALED:
            raise Conflict(msg("这批货用密封报价：截止前请交密封报价，开标后不再收。"))
        if row["way"] == OPEN:
            raise Conflict(msg("这批货用公开竞价：截止前请参加竞价，截止后不再收。"))
        if row["way"] == FIXED:
            rules.check_fixed(bid.price, ask=FenPerKg(row["ask"]))
        await check_terms(bid, listing=row, buyer_id=buyer_id, at=at)
        await bind(
            actor=actor,
            organisation_id=buyer_id,
            side="buyer",
            deed=ANSWER,
            other=row["owner"],
            what=bid_binding("place_bid", bid, bid, title=named(row, "title"), other=row["owner"]),
        )
        until = answer_until(at=at, deliver_to=bid.deliver_to)
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
            until,
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
                "“{title}”收到出价：{mass}，{price}。",
                title=named(row, "title"),
                mass=masses(bid.quantity),
                price=prices(bid.price),
            ),
            link=f"/bids/{bid_id}",
            at=at,
            due_at=until,
        )
        return Placed(bid_id)

    placed = await once(key=key, person_id=actor.person_id, request=bid, reply_type=Placed, deed=deed, at=at)
    return placed.bid_id


def bid_binding(
    deed: str,
    request: msgspec.Struct,
    bid: NewBid,
    *,
    title: Message,
    other: int | None,
    bid_id: int | None = None,
) -> Binding:
    """Return what a bid (or a counter in its form, to turn ``bid_id``) would bind its buyer to."""
    return Binding(
        deed,
        request,
        amount(bid.quantity, bid.price),
        msg(
            "对“{title}”出价 {mass}，{price}",
            title=title,
            mass=masses(bid.quantity),
            price=prices(bid.price),
        ),
        f"listing:{bid.listing_id}" if bid_id is None else f"bid:{bid_id}",
        f"/listings/{bid.listing_id}" if bid_id is None else f"/bids/{bid_id}",
        other,
    )


@approvable("place_bid", NewBid)
async def _place_approved(bid: NewBid, buyer_id: int, actor: Actor, at: datetime) -> str:
    return f"/bids/{await place_bid(bid=bid, buyer_id=buyer_id, actor=actor, at=at)}"


async def check_terms(bid: NewBid, *, listing: Record, buyer_id: int, at: datetime) -> None:
    """Hold a bid, open or under seal, or a counter in its form against its listing and the buyer's demand.

    ``listing`` is the row that the caller holds, with what is ``remaining`` of its lot just now.

    Raises:
        Invalid: with the field that is wrong.
    """
    rules.check_quantity(
        quantity=bid.quantity, remaining=Gram(listing["remaining"]), min_order=Gram(listing["min_order"])
    )
    rules.check_price(bid.price, most=MOST_FEN_PER_KG)
    rules.check_window(
        start=bid.deliver_from,
        end=bid.deliver_to,
        first=listing["available_from"],
        last=listing["available_to"],
        today=at.astimezone(CHINA).date(),
    )
    if bid.demand_id is not None:
        await _check_demand(
            demand_id=bid.demand_id, listing_id=bid.listing_id, quantity=bid.quantity, buyer_id=buyer_id
        )


async def _check_demand(*, demand_id: int, listing_id: int, quantity: Gram, buyer_id: int) -> None:
    """A bid that is to count towards a demand must be on the buyer's own, and fit into it.

    Raises:
        Invalid: with the field ``demand_id`` or ``quantity``.
    """
    rows = await fetch(
        """SELECT demand.open, demand.produce = lot.produce AS fits FROM demand, listing
           JOIN lot ON lot.id = listing.lot
           WHERE demand.id = $1 AND demand.buyer = $2 AND demand.state = 'published' AND listing.id = $3""",
        demand_id,
        buyer_id,
        listing_id,
    )
    if not rows:
        problem = msg("这条采购需求不是贵单位的，或已不在求购。")
        raise Invalid(problem, {"demand_id": problem})
    if not rows[0]["fits"]:
        problem = msg("这条采购需求要的是别的品类，请改选或不选。")
        raise Invalid(problem, {"demand_id": problem})
    if rows[0]["open"] < quantity:
        problem = msg(
            "所选的采购需求只差 {left}，请减少数量，或不算在需求上。",
            left=masses(Gram(rows[0]["open"])),
        )
        raise Invalid(problem, {"quantity": problem})


def answer_until(*, at: datetime, deliver_to: date) -> datetime:
    """Return until when a turn that is made now is answered: nobody accepts one whose days are over."""
    return min(at + timedelta(days=rules.ANSWER_DAYS), day_ends(deliver_to))


def on_sale(listing: Sequence[Record], *, buyer_id: int | None) -> Record:
    """Return the listing that was read for a bid of ``buyer_id`` on it.

    Raises:
        NotFound: it has not been on sale.
        Conflict: it is so no more, or it is the buyer's own. Nobody sells to themselves, and no round is
            driven up by its own seller.
    """
    if not listing or listing[0]["state"] in (DRAFT, PENDING):
        raise NotFound(msg("没有找到这批货源。"))
    if listing[0]["state"] != PUBLISHED:
        raise Conflict(msg("这批货源现在不在售。"))
    if listing[0]["owner"] == buyer_id:
        raise Conflict(msg("不能给自己单位的货出价。"))
    return listing[0]


async def demand_held(demand_id: int | None) -> Record:
    """Return an open demand, held as it is until the turn is written: who changes it takes the turns first.

    Raises: NotFound; Conflict, where it is not open.
    """
    rows = await fetch(
        """SELECT buyer, produce, title, title_en, state, open, min_order, deliver_from, deliver_to
           FROM demand WHERE id = $1 AND state <> 'draft' FOR SHARE""",
        demand_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这条采购需求。"))
    if rows[0]["state"] != "published":
        raise Conflict(msg("这条需求现在不在求购。"))
    return rows[0]


def check_demand_terms(demand: Record, *, quantity: Gram, deliver_from: date, deliver_to: date) -> None:
    """Hold an offer on a demand, or a counter to one, against what the held demand wants just now.

    Raises:
        Invalid: with the field that is wrong.
    """
    rules.check_wanted(
        quantity=quantity,
        open_=Gram(demand["open"]),
        min_order=Gram(demand["min_order"]),
        start=deliver_from,
        end=deliver_to,
        first=demand["deliver_from"],
        last=demand["deliver_to"],
    )


async def taken_up(*, bid_id: int, organisation_id: int, side: str, move: str, at: datetime) -> Record:
    """Let ``side`` answer a turn: accept, counter or reject it. Return the turn as it was, with
    its listing's ``title`` and ``owner``.

    Compare and set: whoever answers first wins, everybody else gets a Conflict.
    """
    bid = await _locked(bid_id=bid_id, organisation_id=organisation_id, side=side)
    if bid["expires_at"] <= at:
        raise Conflict(msg("这笔出价已过答复期限，请对方重新出价。"))
    state = rules.next_state(move, state=bid["state"], author=bid["author"], by=side)
    await execute("UPDATE bid SET state = $2 WHERE id = $1", bid_id, state)
    return bid


async def by_author(*, bid_id: int, organisation_id: int, side: str, move: str) -> Record:
    """Let ``side`` take back or confirm a turn of its own."""
    bid = await _locked(bid_id=bid_id, organisation_id=organisation_id, side=side)
    state = rules.next_state(move, state=bid["state"], author=bid["author"], by=side)
    awaiting = rules.awaited(state=state, author=bid["author"])
    await execute("UPDATE bid SET state = $2, awaiting = $3 WHERE id = $1", bid_id, state, awaiting)
    return bid


async def _locked(*, bid_id: int, organisation_id: int, side: str) -> Record:
    """Everybody who answers locks in this order: the turn, the lot, the listing."""
    rows = await fetch(
        """SELECT bid.*, listing.title, listing.title_en, listing.owner
           FROM bid JOIN listing ON listing.id = bid.listing
           WHERE bid.id = $1 AND CASE $3 WHEN 'seller' THEN listing.owner ELSE bid.buyer END = $2
           FOR UPDATE OF bid""",
        bid_id,
        organisation_id,
        side,
    )
    if not rows:
        raise NotFound(msg("没有找到这笔出价。"))
    return rows[0]

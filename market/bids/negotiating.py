"""Counters and what both sides do with a turn. A turn never changes: a counter is a new one."""

from datetime import date, datetime

import msgspec
from asyncpg import Record

from market.accounts.rules import ANSWER, Actor
from market.amounts import masses, prices
from market.audit.operations import record
from market.bids import rules
from market.bids.accepting import accept
from market.bids.after_round import free_to_bid
from market.bids.operations import (
    NewBid,
    Placed,
    answer_until,
    bid_binding,
    by_author,
    check_demand_terms,
    check_terms,
    demand_held,
    taken_up,
)
from market.bids.under import check_under
from market.catalogue.queries import check_reason
from market.clock import CHINA
from market.db.replay import once
from market.db.session import execute, fetch, transaction
from market.errors import Conflict, Invalid
from market.i18n import Message, msg, named
from market.notices.operations import notify
from market.organisations.approving import Binding, approvable, asks, bind
from market.organisations.dead_approvals import end_dead_approvals
from market.supply.rules import FIXED, NEGOTIABLE
from market.units import FenPerKg, Gram, amount


class Counter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The terms instead of those of ``bid_id``. Grams, and fen per kg at the farm gate.

    ``least`` is the smallest part that the other side may accept; None: all or nothing.
    """

    bid_id: int
    quantity: Gram
    price: FenPerKg
    deliver_from: date
    deliver_to: date
    note: str = ""
    least: Gram | None = None


@asks
async def counter_bid(
    *, counter: Counter, organisation_id: int, side: str, actor: Actor, at: datetime, key: str | None = None
) -> int:
    """Answer a turn with other terms; return the number of the new turn, which the other side answers.

    Raises:
        NotFound: no such turn in a negotiation of this side.
        Conflict: it was answered meanwhile, it lapsed, it is not this side's turn, or the goods are off sale.
        Invalid: the terms are the same as before, or do not fit the listing or the buyer's demand.
    """

    async def deed() -> Placed:
        parent = await taken_up(
            bid_id=counter.bid_id, organisation_id=organisation_id, side=side, move="counter", at=at
        )
        turn = await _check(counter, parent, at=at)
        await bind(
            actor=actor,
            organisation_id=organisation_id,
            side=side,
            deed=ANSWER,
            other=parent["owner" if side == "buyer" else "buyer"],
            what=bid_binding(
                "counter_bid",
                counter,
                turn,
                title=named(parent, "title"),
                other=parent["owner"],
                bid_id=counter.bid_id,
            ),
        )
        until = answer_until(at=at, deliver_to=counter.deliver_to)
        awaiting = rules.other(side)
        rows = await fetch(
            """INSERT INTO bid (parent, author, awaiting, listing, demand, buyer, quantity, price,
                                deliver_from, deliver_to, note, state, created_by, created_at, expires_at,
                                answers, least)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
               RETURNING id""",
            parent["id"],
            side,
            awaiting,
            parent["listing"],
            parent["demand"],
            parent["buyer"],
            counter.quantity,
            counter.price,
            counter.deliver_from,
            counter.deliver_to,
            counter.note,
            rules.BID.start,
            actor.person_id,
            at,
            until,
            parent["answers"],
            counter.least,
        )
        bid_id = int(rows[0]["id"])
        terms = {"grams": counter.quantity, "fen_per_kg": counter.price}
        await record(
            subject=f"bid:{parent['id']}", action="counter", actor=actor, at=at, details={"bid": bid_id}
        )
        await record(
            subject=f"bid:{bid_id}",
            action="place_counter",
            actor=actor,
            at=at,
            details={"parent": parent["id"], **terms},
        )
        await notify(
            organisation_id=parent["buyer"] if awaiting == "buyer" else parent["owner"],
            kind="bid_countered",
            message=msg(
                "“{title}”对方还价：{mass}，{price}，请答复。",
                title=named(parent, "title"),
                mass=masses(counter.quantity),
                price=prices(counter.price),
            ),
            link=f"/bids/{bid_id}",
            at=at,
            due_at=until,
        )
        return Placed(bid_id)

    placed = await once(
        key=key, person_id=actor.person_id, request=counter, reply_type=Placed, deed=deed, at=at
    )
    return placed.bid_id


@approvable("counter_bid", Counter)
async def _counter_approved(counter: Counter, buyer_id: int, actor: Actor, at: datetime) -> str:
    new = await counter_bid(counter=counter, organisation_id=buyer_id, side="buyer", actor=actor, at=at)
    return f"/bids/{new}"


class AcceptCounter(msgspec.Struct, frozen=True):
    bid_id: int


@asks
async def accept_counter(
    *,
    bid_id: int,
    buyer_id: int,
    actor: Actor,
    at: datetime,
    key: str | None = None,
    quantity: Gram | None = None,
) -> int:
    """Turn the seller's offer or counter, or a part that it allows, into a deal; return the deal's number.

    It goes the way of ``accepting.accept_bid`` to the stock, together with whoever accepts at the same time.

    Raises: as ``accepting.accept_bid``.
    """
    return await accept(
        bid_id=bid_id,
        organisation_id=buyer_id,
        side="buyer",
        request=AcceptCounter(bid_id),
        actor=actor,
        at=at,
        key=key,
        quantity=quantity,
    )


async def reject_bid(
    *, bid_id: int, organisation_id: int, side: str, reason: str, note: str, actor: Actor, at: datetime
) -> None:
    """Decline a turn, and with it the negotiation, with a coded reason, which the other side sees.

    Raises:
        NotFound, Conflict: as ``accepting.accept_bid``.
        Invalid: no such reason.
    """
    async with transaction():
        await check_reason(reason, side, words=note)
        bid = await taken_up(bid_id=bid_id, organisation_id=organisation_id, side=side, move="reject", at=at)
        await execute("UPDATE bid SET reason = $2, reason_note = $3 WHERE id = $1", bid_id, reason, note)
        await record(subject=f"bid:{bid_id}", action="reject", actor=actor, at=at, details={"reason": reason})
        if bid["answers"] == rules.DEMAND:
            message = msg("对方谢绝了“{title}”的报价，原因已写明。", title=named(bid, "title"))
        elif side == "seller":
            message = msg("对方谢绝了您对“{title}”的出价，原因已写明。", title=named(bid, "title"))
        else:
            message = msg("对方谢绝了您对“{title}”的还价，原因已写明。", title=named(bid, "title"))
        await _tell_other(bid, side=side, kind="bid_rejected", message=message, at=at)
        await end_dead_approvals(at=at, subject=f"bid:{bid_id}")
        await free_to_bid([bid["listing"]], at=at)


async def withdraw_bid(*, bid_id: int, organisation_id: int, side: str, actor: Actor, at: datetime) -> None:
    """Take one's own turn back before it is answered; the negotiation ends.

    Raises: NotFound, WrongState.
    """
    async with transaction():
        bid = await by_author(bid_id=bid_id, organisation_id=organisation_id, side=side, move="withdraw")
        await record(subject=f"bid:{bid_id}", action="withdraw", actor=actor, at=at, details={})
        if bid["answers"] == rules.DEMAND:
            message = msg("“{title}”的报价，对方撤回了。", title=named(bid, "title"))
        elif side == "buyer":
            message = msg("“{title}”的一笔出价，买方撤回了。", title=named(bid, "title"))
        else:
            message = msg("“{title}”的还价，卖方撤回了。", title=named(bid, "title"))
        await _tell_other(bid, side=side, kind="bid_withdrawn", message=message, at=at)
        await end_dead_approvals(at=at, subject=f"bid:{bid_id}")
        await free_to_bid([bid["listing"]], at=at)


class Reconfirm(msgspec.Struct, frozen=True):
    """``seen``: the marks of the terms that were read; a manager approves nothing else."""

    bid_id: int
    seen: str | None = None


@asks
async def reconfirm_bid(
    *, bid_id: int, organisation_id: int, side: str, actor: Actor, at: datetime, seen: str | None = None
) -> None:
    """Let one's own turn stand under new terms; the other side has the full time to answer.

    Whoever confirms binds the organisation anew, so a buyer's limit of now counts. ``seen`` are the marks of
    the terms (``under.Under``) as they were read, where that is known.

    Raises:
        NotAllowed: as ``approving.bind``.
        NotFound: no such turn of this side.
        WrongState: it needs no confirmation, or is the other side's.
        Conflict: its time is over, the terms are not those ``seen``, or under them such a turn could not be
            made any more.
    """
    async with transaction():
        bid = await by_author(bid_id=bid_id, organisation_id=organisation_id, side=side, move="reconfirm")
        if bid["expires_at"] <= at:
            raise Conflict(msg("这一轮已过期限，请重新提。"))
        await _check_still(bid, at=at)
        await check_under(bid, seen)
        await bind(
            actor=actor,
            organisation_id=organisation_id,
            side=side,
            deed=ANSWER,
            other=bid["owner" if side == "buyer" else "buyer"],
            what=_reconfirmed(bid, seen),
        )
        until = answer_until(at=at, deliver_to=bid["deliver_to"])
        await execute("UPDATE bid SET expires_at = $2 WHERE id = $1", bid_id, until)
        await record(subject=f"bid:{bid_id}", action="reconfirm", actor=actor, at=at, details={})
        message = msg("“{title}”条件改过之后，对方确认出价仍然算数，请答复。", title=named(bid, "title"))
        await _tell_other(bid, side=side, kind="bid_reconfirmed", message=message, at=at, due_at=until)


def _reconfirmed(bid: Record, seen: str | None) -> Binding:
    """Return what a turn binds its buyer to that is confirmed again."""
    quantity, price = Gram(bid["quantity"]), FenPerKg(bid["price"])
    return Binding(
        "reconfirm_bid",
        Reconfirm(bid["id"], seen),
        amount(quantity, price),
        msg(
            "确认对“{title}”的出价仍然算数：{mass}，{price}",
            title=named(bid, "title"),
            mass=masses(quantity),
            price=prices(price),
        ),
        f"bid:{bid['id']}",
        f"/bids/{bid['id']}",
        bid["owner"],
    )


@approvable("reconfirm_bid", Reconfirm)
async def _reconfirm_approved(wish: Reconfirm, buyer_id: int, actor: Actor, at: datetime) -> str:
    await reconfirm_bid(
        bid_id=wish.bid_id, organisation_id=buyer_id, side="buyer", actor=actor, at=at, seen=wish.seen
    )
    return f"/bids/{wish.bid_id}"


async def _check_still(bid: Record, *, at: datetime) -> None:
    """Hold a turn against the terms of now. Less may be left than it names: a part can be accepted of it."""
    row = (
        await fetch(
            """SELECT listing.way, listing.ask, listing.min_order, listing.available_from,
                      listing.available_to, lot.remaining
               FROM listing JOIN lot ON lot.id = listing.lot WHERE listing.id = $1 FOR SHARE OF listing""",
            bid["listing"],
        )
    )[0]
    quantity = Gram(bid["quantity"])
    try:
        if bid["answers"] == rules.LISTING and row["way"] == FIXED:
            rules.check_fixed(FenPerKg(bid["price"]), ask=FenPerKg(row["ask"]))
        rules.check_quantity(
            quantity=quantity,
            remaining=Gram(max(quantity, row["remaining"])),
            min_order=Gram(row["min_order"]),
        )
        rules.check_window(
            start=bid["deliver_from"],
            end=bid["deliver_to"],
            first=row["available_from"],
            last=row["available_to"],
            today=at.astimezone(CHINA).date(),
        )
        if bid["answers"] == rules.DEMAND:
            demand = await demand_held(bid["demand"])
            rules.check_wanted(
                quantity=quantity,
                open_=Gram(max(quantity, demand["open"])),
                min_order=Gram(demand["min_order"]),
                start=bid["deliver_from"],
                end=bid["deliver_to"],
                first=demand["deliver_from"],
                last=demand["deliver_to"],
            )
    except Invalid as wrong:
        why = next(iter(wrong.fields.values()))
        raise Conflict(msg("按改过的条件，这一轮不能照原样算数：{why}请撤回后重新提。", why=why)) from wrong


async def _tell_other(
    bid: Record, *, side: str, kind: str, message: Message, at: datetime, due_at: datetime | None = None
) -> None:
    await notify(
        organisation_id=bid["buyer"] if side == "seller" else bid["owner"],
        kind=kind,
        message=message,
        link=f"/bids/{bid['id']}",
        at=at,
        due_at=due_at,
    )


async def _check(counter: Counter, parent: Record, *, at: datetime) -> NewBid:
    """A counter respects what a bid respects, and says something new.

    The listing is held as it is until the turn is written, so that no change of its terms slips in
    between: whoever changes them takes the turns first.
    """
    rows = await fetch(
        """SELECT listing.state, listing.way, listing.min_order, listing.available_from, listing.available_to,
                  lot.remaining
           FROM listing JOIN lot ON lot.id = listing.lot WHERE listing.id = $1 FOR SHARE OF listing""",
        parent["listing"],
    )
    listing = rows[0]
    if listing["state"] != "published":
        raise Conflict(msg("这批货源现在不在售，请刷新后再看。"))
    if parent["answers"] == rules.LISTING and listing["way"] != NEGOTIABLE:
        raise Conflict(msg("这批货不议价，请接受或谢绝。"))
    rules.check_news(
        new=(counter.quantity, counter.price, counter.deliver_from, counter.deliver_to, counter.least),
        old=tuple(parent[name] for name in ("quantity", "price", "deliver_from", "deliver_to", "least")),
    )
    rules.check_least(least=counter.least, quantity=counter.quantity)
    turn = NewBid(
        listing_id=parent["listing"],
        quantity=counter.quantity,
        price=counter.price,
        deliver_from=counter.deliver_from,
        deliver_to=counter.deliver_to,
        demand_id=parent["demand"],
    )
    await check_terms(turn, listing=listing, buyer_id=parent["buyer"], at=at)
    if parent["answers"] == rules.DEMAND:
        check_demand_terms(
            await demand_held(turn.demand_id),
            quantity=turn.quantity,
            deliver_from=turn.deliver_from,
            deliver_to=turn.deliver_to,
        )
    return turn

"""What becomes of open turns that nobody answers: terms change under them, and time runs out."""

from collections.abc import Sequence
from datetime import datetime

from asyncpg import Record

from market.accounts.rules import SYSTEM, Actor
from market.audit.operations import MOST_AT_ONCE, Entry, record_all
from market.bids import rules
from market.bids.joint.closing import (
    expire_joints,
    hold_joints_of_demand,
    hold_joints_of_listing,
    unsettle_joints_of_demand,
    unsettle_joints_of_listing,
)
from market.db.session import fetch, transaction
from market.demand.commands import DemandWants
from market.demand.operations import move_demand, revise_demand, wants_held
from market.i18n import Message, msg, named
from market.meanwhile import settled
from market.notices.operations import Word, notify_all
from market.supply.commands import NewTerms
from market.supply.operations import revise_listing


async def revise_terms(
    *,
    listing_id: int,
    terms: NewTerms,
    owner_id: int,
    actor: Actor,
    at: datetime,
    seen: str | None = None,
    exact: bool = False,
) -> frozenset[str]:
    """Change a listing's terms; where they matter, the author of every open turn is asked again.

    ``seen`` are the marks of the terms that the change was made from, where that is known, and ``exact`` as
    ``market.meanwhile.settled`` has it. Return which terms others have changed since, that are kept so.

    Raises:
        NotFound, Conflict, Invalid: as ``supply.operations.revise_listing``.
        ChangedMeanwhile: a term that is changed here was changed meanwhile.
    """
    async with transaction():
        # the turns before the listing, as whoever answers one takes them
        await fetch(
            "SELECT id FROM bid WHERE listing = $1 AND state = $2 ORDER BY id FOR UPDATE",
            listing_id,
            rules.SUBMITTED,
        )
        await hold_joints_of_listing(listing_id)
        # its lot before the listing, as whoever makes a deal takes them
        await fetch(
            "SELECT id FROM lot WHERE id = (SELECT lot FROM listing WHERE id = $1) FOR NO KEY UPDATE",
            listing_id,
        )
        before, theirs = await _terms(listing_id, owner_id), frozenset[str]()
        if before is not None:
            kept = settled(terms, now=before, seen=seen, exact=exact)
            terms, theirs = kept.value, kept.theirs
        await revise_listing(listing_id=listing_id, terms=terms, owner_id=owner_id, actor=actor, at=at)
        if rules.matters(before, terms):
            await unsettle(listing_id=listing_id, at=at)
            await unsettle_joints_of_listing(listing_id=listing_id, at=at)
    return theirs


async def unsettle(*, listing_id: int, at: datetime) -> int:
    """Ask the author of every open turn on a listing whether it still stands; return how many.

    For every change that matters to who has made a turn: price, window, minimum order, proofs taken away.
    A buyer who is asked already learns that there is something new to read.
    """
    asked = await fetch(
        """SELECT bid.id, bid.buyer, bid.answers, listing.title, listing.title_en
           FROM bid JOIN listing ON listing.id = bid.listing
           WHERE bid.listing = $1 AND bid.author = 'buyer' AND bid.state = $2 AND bid.expires_at > $3
           ORDER BY bid.id""",
        listing_id,
        rules.NEEDS_RECONFIRM,
        at,
    )
    unsettled = await fetch(
        """UPDATE bid SET state = $2, awaiting = bid.author FROM listing
           WHERE bid.listing = $1 AND bid.state = $3 AND listing.id = bid.listing
           RETURNING bid.id, bid.author, bid.buyer, bid.answers, listing.owner,
                     listing.title, listing.title_en""",
        listing_id,
        rules.BID.apply("unsettle", state=rules.SUBMITTED, by="system"),
        rules.SUBMITTED,
    )
    words = [Word(bid["buyer"], "bid_unsettled", _asks_again(bid), f"/bids/{bid['id']}", at) for bid in asked]
    for bid in unsettled:
        for side in rules.SIDES:
            asks = side == bid["author"]
            if not asks and side == "seller":
                continue  # who changed the terms knows that the buyer is asked again
            words.append(
                Word(
                    bid["buyer"] if side == "buyer" else bid["owner"],
                    "bid_unsettled",
                    _asks_again(bid)
                    if asks
                    else msg(
                        "“{title}”的条件改了，卖方的还价要由卖方重新确认后才算数。", title=named(bid, "title")
                    ),
                    f"/bids/{bid['id']}",
                    at,
                )
            )
    await _record(unsettled, "unsettle", at)
    await notify_all(words)
    return len(unsettled)


async def _record(bids: Sequence[Record], action: str, at: datetime) -> None:
    await record_all([Entry(f"bid:{bid['id']}", action, SYSTEM, at, {}) for bid in bids])


def _asks_again(bid: Record) -> Message:
    if bid["answers"] == rules.DEMAND:
        return msg("“{title}”的条件改了，请确认您的报价是否还算数。", title=named(bid, "title"))
    return msg("“{title}”的条件改了，请确认您的出价是否还算数。", title=named(bid, "title"))


async def revise_wants(
    *,
    demand_id: int,
    wants: DemandWants,
    buyer_id: int,
    actor: Actor,
    at: datetime,
    seen: str | None = None,
    exact: bool = False,
) -> frozenset[str]:
    """Change what a demand wants; where it matters, the author of every open offer on it is asked again.

    ``seen``, ``exact`` and what is returned: as :func:`revise_terms` has them.

    Raises:
        NotFound, Conflict, Invalid: as ``demand.operations.revise_demand``.
        ChangedMeanwhile: what is changed here was changed meanwhile.
    """
    async with transaction():
        # the turns before the demand, as whoever answers one takes them
        await fetch(
            """SELECT id FROM bid WHERE demand = $1 AND answers = $2 AND state = $3
               ORDER BY id FOR UPDATE""",
            demand_id,
            rules.DEMAND,
            rules.SUBMITTED,
        )
        await hold_joints_of_demand(demand_id)
        before = await wants_held(demand_id=demand_id, buyer_id=buyer_id)
        kept = settled(wants, now=before, seen=seen, exact=exact)
        wants = kept.value
        await revise_demand(demand_id=demand_id, wants=wants, buyer_id=buyer_id, actor=actor, at=at)
        if not rules.wants_matter(before, wants):
            return kept.theirs
        await unsettle_joints_of_demand(demand_id=demand_id, at=at)
        # a seller who is asked already learns that there is something new to read
        asked = await fetch(
            """SELECT bid.id, bid.author, listing.owner, listing.title, listing.title_en
               FROM bid JOIN listing ON listing.id = bid.listing
               WHERE bid.demand = $1 AND bid.answers = $2 AND bid.author = 'seller' AND bid.state = $3
                 AND bid.expires_at > $4 ORDER BY bid.id""",
            demand_id,
            rules.DEMAND,
            rules.NEEDS_RECONFIRM,
            at,
        )
        unsettled = await fetch(
            """UPDATE bid SET state = $2, awaiting = bid.author FROM listing
               WHERE bid.demand = $1 AND bid.answers = $4 AND bid.state = $3 AND listing.id = bid.listing
               RETURNING bid.id, bid.author, bid.buyer, bid.answers, listing.owner,
                         listing.title, listing.title_en""",
            demand_id,
            rules.BID.apply("unsettle", state=rules.SUBMITTED, by="system"),
            rules.SUBMITTED,
            rules.DEMAND,
        )
        await _record(unsettled, "unsettle", at)
        await notify_all(
            [
                Word(bid["owner"], "offer_unsettled", _wants_changed(bid), f"/bids/{bid['id']}", at)
                for bid in (*asked, *unsettled)
            ]
        )
    return kept.theirs


def _wants_changed(bid: Record) -> Message:
    if bid["author"] == "seller":
        return msg("买方改了采购需求，请确认您“{title}”的报价是否还算数。", title=named(bid, "title"))
    return msg("买方改了采购需求，“{title}”的还价要由买方重新确认后才算数。", title=named(bid, "title"))


async def end_offers(*, at: datetime) -> int:
    """Let offers lapse whose demand is no longer open, and tell their sellers.

    Return how many, at most ``MOST_AT_ONCE``.
    """
    async with transaction():
        lapsed = await fetch(
            """WITH due AS (SELECT bid.id FROM bid JOIN demand ON demand.id = bid.demand
                            WHERE bid.state = ANY($2::text[]) AND bid.answers = $3
                              AND (demand.state <> 'published' OR demand.open = 0)
                            ORDER BY bid.id LIMIT $4 FOR UPDATE OF bid SKIP LOCKED)
               UPDATE bid SET state = $1 FROM due, listing WHERE bid.id = due.id AND listing.id = bid.listing
               RETURNING bid.id, listing.owner, listing.title, listing.title_en""",
            rules.EXPIRED,
            sorted(rules.BID.sources("expire")),
            rules.DEMAND,
            MOST_AT_ONCE,
        )
        await _record(lapsed, "expire", at)
        await notify_all(
            [
                Word(
                    bid["owner"],
                    "offer_ended",
                    msg("采购需求已经结束，“{title}”的报价没有成交。", title=named(bid, "title")),
                    f"/bids/{bid['id']}",
                    at,
                )
                for bid in lapsed
            ]
        )
    return len(lapsed)


async def move_wants(*, demand_id: int, move: str, buyer_id: int, actor: Actor, at: datetime) -> str:
    """Close or cancel a demand, and end the offers on it; return its new state.

    Raises: NotFound, WrongState, as ``demand.operations.move_demand``.
    """
    async with transaction():
        await fetch(
            "SELECT id FROM bid WHERE demand = $1 AND answers = $2 ORDER BY id FOR UPDATE",
            demand_id,
            rules.DEMAND,
        )
        await hold_joints_of_demand(demand_id)
        state = await move_demand(demand_id=demand_id, move=move, buyer_id=buyer_id, actor=actor, at=at)
        await end_offers(at=at)
        await expire_joints(at=at)
    return state


async def expire_bids(*, at: datetime) -> int:
    """Let turns lapse that nobody answered in time, and tell both sides.

    Return how many, at most ``MOST_AT_ONCE``.
    """
    async with transaction():
        lapsed = await fetch(
            """WITH due AS (SELECT id FROM bid WHERE state = ANY($2::text[]) AND expires_at <= $3
                            ORDER BY id LIMIT $4 FOR UPDATE SKIP LOCKED)
               UPDATE bid SET state = $1 FROM due, listing WHERE bid.id = due.id AND listing.id = bid.listing
               RETURNING bid.id, bid.buyer, bid.answers, bid.listing, listing.owner,
                         listing.title, listing.title_en""",
            rules.EXPIRED,
            sorted(rules.BID.sources("expire")),
            at,
            MOST_AT_ONCE,
        )
        await _record(lapsed, "expire", at)
        words = []
        for bid in lapsed:
            told = {
                bid["buyer"]: msg("您对“{title}”的出价过了答复期限，没有成交。", title=named(bid, "title")),
                bid["owner"]: msg("“{title}”的一笔出价过了答复期限，没有成交。", title=named(bid, "title")),
            }
            if bid["answers"] == rules.DEMAND:
                told = dict.fromkeys(
                    told, msg("“{title}”的报价过了答复期限，没有成交。", title=named(bid, "title"))
                )
            words += [
                Word(party, "bid_expired", message, f"/bids/{bid['id']}", at)
                for party, message in told.items()
            ]
        await notify_all(words)
    return len(lapsed)


async def _terms(listing_id: int, owner_id: int) -> NewTerms | None:
    """Return the terms as they stand, held until the transaction ends; None: no listing of theirs."""
    rows = await fetch(
        """SELECT listing.ask, listing.min_order, listing.available_from, listing.available_to,
                  lot.credentials
           FROM listing JOIN lot ON lot.id = listing.lot
           WHERE listing.id = $1 AND listing.owner = $2 FOR UPDATE OF listing""",
        listing_id,
        owner_id,
    )
    return NewTerms(**{**rows[0], "credentials": tuple(rows[0]["credentials"])}) if rows else None

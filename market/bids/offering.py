"""Offers of sellers on demands (报价): the first turn of a negotiation that goes on as that of a bid does."""

from datetime import date, datetime

import msgspec
from asyncpg import Record

from market.accounts.rules import ANSWER, Actor
from market.accounts.standing import permit
from market.amounts import masses, prices
from market.audit.operations import record
from market.bids import rules
from market.bids.operations import NewBid, Placed, answer_until, check_demand_terms, check_terms, demand_held
from market.db.replay import once
from market.db.session import fetch, fetch_value
from market.errors import Conflict, Invalid, NotFound
from market.i18n import msg, named
from market.notices.operations import notify
from market.supply.rules import in_round
from market.units import FenPerKg, Gram


class NewOffer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a seller offers on a demand out of goods on sale. Grams, and fen per kg at the farm gate.

    ``least`` is the smallest part that the buyer may accept; None: all or nothing.
    """

    demand_id: int
    listing_id: int
    quantity: Gram
    price: FenPerKg
    deliver_from: date
    deliver_to: date
    least: Gram | None = None
    note: str = ""


async def place_offer(
    *, offer: NewOffer, seller_id: int, actor: Actor, at: datetime, key: str | None = None
) -> int:
    """Return the number of the new turn; the same ``key`` again gives the same number.

    A lower grade or a missing credential is no obstacle: the buyer sees what is lacking and decides.

    Raises:
        NotAllowed: the organisation is suspended, or has not let this agent answer.
        NotFound: there is no such demand, or the goods are not this seller's and on sale.
        Conflict: the demand is not open, the goods are in a round of bidding, or an offer of them on this
            demand is open already.
        Invalid: another product, or quantity, price or window do not fit listing or demand.
    """

    async def deed() -> Placed:
        await permit(actor=actor, organisation_id=seller_id, side="seller", deed=ANSWER)
        listing = await goods_held(listing_id=offer.listing_id, seller_id=seller_id)
        demand = await demand_held(offer.demand_id)
        if demand["buyer"] == seller_id:
            raise Conflict(msg("不能给自己单位的需求报价。"))
        if demand["produce"] != listing["produce"]:
            problem = msg("这批货和需求不是同一品类，请另选一批。")
            raise Invalid(problem, {"listing_id": problem})
        turn = NewBid(
            listing_id=offer.listing_id,
            quantity=offer.quantity,
            price=offer.price,
            deliver_from=offer.deliver_from,
            deliver_to=offer.deliver_to,
            demand_id=offer.demand_id,
        )
        rules.check_least(least=offer.least, quantity=offer.quantity)
        # before the listing's own terms: what the buyer needs at most says more than what is in store
        check_demand_terms(
            demand,
            quantity=offer.quantity,
            deliver_from=offer.deliver_from,
            deliver_to=offer.deliver_to,
        )
        await check_terms(turn, listing=listing, buyer_id=demand["buyer"], at=at)
        if await fetch_value(
            """SELECT EXISTS (SELECT FROM bid WHERE demand = $1 AND listing = $2 AND answers = $3
                 AND state = ANY($4::text[]))""",
            offer.demand_id,
            offer.listing_id,
            rules.DEMAND,
            [rules.SUBMITTED, rules.NEEDS_RECONFIRM],
        ):
            raise Conflict(msg("这批货已经给这条需求报过价；要改，请先撤回再报。"))
        until = answer_until(at=at, deliver_to=offer.deliver_to)
        bid_id = int(
            await fetch_value(
                """INSERT INTO bid (answers, author, awaiting, listing, demand, buyer, quantity, least, price,
                                    deliver_from, deliver_to, note, state, created_by, created_at, expires_at)
                   VALUES ($1, 'seller', 'buyer', $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
                   RETURNING id""",
                rules.DEMAND,
                offer.listing_id,
                offer.demand_id,
                demand["buyer"],
                offer.quantity,
                offer.least,
                offer.price,
                offer.deliver_from,
                offer.deliver_to,
                offer.note,
                rules.BID.start,
                actor.person_id,
                at,
                until,
            )
        )
        await record(
            subject=f"bid:{bid_id}",
            action="offer",
            actor=actor,
            at=at,
            details={
                "listing": offer.listing_id,
                "demand": offer.demand_id,
                "grams": offer.quantity,
                "fen_per_kg": offer.price,
            },
        )
        await notify(
            organisation_id=demand["buyer"],
            kind="offer_placed",
            message=msg(
                "“{title}”收到报价：{mass}，{price}（地头价）。",
                title=named(demand, "title"),
                mass=masses(offer.quantity),
                price=prices(offer.price),
            ),
            link=f"/demands/{offer.demand_id}/offers",
            at=at,
            due_at=until,
        )
        return Placed(bid_id)

    placed = await once(
        key=key, person_id=actor.person_id, request=offer, reply_type=Placed, deed=deed, at=at
    )
    return placed.bid_id


async def goods_held(*, listing_id: int, seller_id: int) -> Record:
    """Return a listing that its owner may offer from, held so that two offers of it come one after the other.

    Raises:
        NotFound: it is not this seller's, or not on sale.
        Conflict: a round of bidding is under way; what bidders compete for is not offered elsewhere.
    """
    rows = await fetch(
        """SELECT listing.way, listing.opened_at, listing.min_order, listing.available_from,
                  listing.title, listing.title_en, listing.available_to, lot.produce, lot.remaining
           FROM listing JOIN lot ON lot.id = listing.lot
           WHERE listing.id = $1 AND listing.owner = $2 AND listing.state = 'published'
           FOR NO KEY UPDATE OF listing""",
        listing_id,
        seller_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这批在售的货，请先发布货源。"))
    if in_round(way=rows[0]["way"], opened=rows[0]["opened_at"] is not None):
        raise Conflict(msg("这批货正在密封报价或公开竞价，这一轮结束前不能另外报给别人。"))
    return rows[0]

"""Bids, suggestions and contracts for tests of the pages that both sides share."""

from datetime import timedelta
from decimal import Decimal

import msgspec

from fixtures.factories import Factory, Member
from market import clock
from market.bids.operations import NewBid, accept_bid, place_bid
from market.db.session import execute, fetch_value
from market.deals.operations import sign
from market.i18n import Message, msg
from market.matching.diagnosis.changes import Ask
from market.units import FenPerKg, Gram
from tests.integration.web import shop


async def bid_on(listing_id: int, buyer: Member, *, kg: int = 500, price: int = 150) -> int:
    today = clock.today()
    return await place_bid(
        bid=NewBid(
            listing_id=listing_id,
            quantity=Gram(kg * 1_000),
            price=FenPerKg(price),
            deliver_from=today + timedelta(days=1),
            deliver_to=today + timedelta(days=9),
        ),
        buyer_id=buyer.organisation_id,
        actor=buyer.actor,
        at=clock.now(),
    )


async def deal_between(seller: Member, buyer: Member, *, kg: int = 500, price: int = 150) -> int:
    """A new contract over goods of the seller's, signed by nobody."""
    listing_id = await shop.put_on_sale(seller)
    bid_id = await bid_on(listing_id, buyer, kg=kg, price=price)
    return await accept_bid(
        bid_id=bid_id, seller_id=seller.organisation_id, actor=seller.actor, at=clock.now()
    )


async def binding_deal(seller: Member, buyer: Member) -> int:
    deal_id = await deal_between(seller, buyer)
    for member in (seller, buyer):
        await sign(
            deal_id=deal_id, organisation_id=member.organisation_id, actor=member.actor, at=clock.now()
        )
    return deal_id


async def run_of(town: Member) -> int:
    """A finished run, as the engine would have kept it."""
    found = await fetch_value(
        """INSERT INTO run (town, state, parameters, created_at) VALUES ($1, 'done', '{}', $2)
           RETURNING id""",
        town.organisation_id,
        clock.now(),
    )
    return int(found)


async def propose(
    factory: Factory, town: Member, seller: Member, buyer: Member, *, kg: int = 400
) -> tuple[int, int]:
    """Return a suggestion that both sides may agree to, and the listing that it is about."""
    listing_id = await shop.put_on_sale(seller, title="辽中白菜一批")
    demand_id = await factory.demand(buyer, kg=1_000, produce="cabbage", title="求购大白菜")
    found = await fetch_value(
        """INSERT INTO match (run, listing, demand, seller, buyer, quantity, price, price_low, price_high,
                              freight, distance, worth, reason, state, decline_note, created_at, expires_at)
           VALUES ($1, $2, $3, $4, $5, $6, 17000, 16000, 18000, 500, 91500, 80000, $7, 'proposed', '',
                   $8, $9) RETURNING id""",
        await run_of(town),
        listing_id,
        demand_id,
        seller.organisation_id,
        buyer.organisation_id,
        kg * 1_000,
        _json(msg("路程 {km} 公里。", km="91.5")),
        clock.now(),
        clock.now() + timedelta(days=14),
    )
    return int(found), listing_id


async def diagnose(town: Member, listing_id: int, *, cost: int, unlocks_kg: int = 300) -> None:
    """A finding of the town's newest run: lower the price by ``cost`` hao per kg."""
    ask = await fetch_value("SELECT ask FROM listing WHERE id = $1", listing_id)
    changed = Ask(ask=Decimal(ask * 100 - cost).scaleb(-4))
    await execute(
        """INSERT INTO diagnosis (run, listing, rank, obstacle, change, unlocks, demands, cost, terms, value,
                                  confirmed)
           VALUES ($1, $2, 1, 'price', $3, $4, '{}', $5, $6, $7, true)""",
        await run_of(town),
        listing_id,
        _json(msg("要价降 {cut} 元/公斤，到 {price} 元/公斤。", cut="0.10", price="1.50")),
        unlocks_kg * 1_000,
        cost,
        msgspec.json.encode([changed]).decode(),
        unlocks_kg * 149,
    )


def _json(message: Message) -> str:
    return msgspec.json.encode(message).decode()

"""Accepting under load, over real connections, and what happens when the lock is taken away."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from fixtures.factories import STORY, TODAY, Factory
from market.bids.operations import NewBid, accept_bid, place_bid
from market.db.session import Engine, execute, fetch, fetch_value
from market.errors import Busy, Conflict
from market.units import FenPerKg, Gram

BUYERS = 64
KG_EACH = 30
KG_LOT = 1_000


@pytest.fixture
async def wide(factory: Factory, db: Engine) -> AsyncIterator[Factory]:
    """The same database through as many connections as there are buyers."""
    narrow = db.pool
    async with asyncpg.create_pool(**db.config, min_size=BUYERS, max_size=BUYERS) as pool:
        db.pool = pool
        try:
            yield factory
        finally:
            db.pool = narrow


async def race(factory: Factory) -> tuple[int, int, int]:
    """Let 64 accepts of 30 kg run into one lot of 1,000 kg.

    Returns how many were accepted, the grams in deals, and the grams that remain.
    """
    seller, buyer = await factory.member(role="secretary"), await factory.member(role="buyer")
    listing_id = await factory.listing(seller, kg=KG_LOT)
    bids = [
        await place_bid(
            bid=NewBid(
                listing_id=listing_id,
                quantity=Gram(KG_EACH * 1_000),
                price=FenPerKg(700),
                deliver_from=TODAY,
                deliver_to=TODAY + timedelta(days=5),
            ),
            buyer_id=buyer.organisation_id,
            actor=buyer.actor,
            at=STORY,
        )
        for _ in range(BUYERS)
    ]

    async def accept(bid_id: int) -> bool:
        try:
            await accept_bid(bid_id=bid_id, seller_id=seller.organisation_id, actor=seller.actor, at=STORY)
        except (Conflict, Busy, asyncpg.CheckViolationError):
            return False
        return True

    accepted = sum(await asyncio.gather(*map(accept, bids)))
    rows = await fetch("SELECT coalesce(sum(quantity), 0)::bigint AS sold FROM deal")
    rest = await fetch_value(
        "SELECT remaining FROM lot JOIN listing ON listing.lot = lot.id WHERE listing.id = $1", listing_id
    )
    return accepted, rows[0]["sold"], rest


async def test_64_concurrent_accepts_oversell_nothing(wide: Factory) -> None:
    accepted, sold, rest = await race(wide)
    assert accepted == KG_LOT // KG_EACH
    assert sold == accepted * KG_EACH * 1_000
    assert rest == KG_LOT * 1_000 - sold
    assert await fetch_value("SELECT sum(change)::bigint FROM stock_entry") == rest


async def test_without_the_lock_the_same_race_goes_wrong(wide: Factory) -> None:
    """The proof that the test above can fail: it sees what the lock prevents."""
    source = await fetch_value("SELECT pg_get_functiondef('reserve_stock'::regproc)")
    assert source.count("FOR UPDATE") == 1
    # a breath between reading and writing makes the race sure instead of likely
    unlocked = source.replace(" FOR UPDATE;", ";\n  PERFORM pg_sleep(0.02);")
    try:
        await execute(unlocked)
        accepted, sold, rest = await race(wide)
    finally:
        await execute(source)
    assert (accepted, rest) != (KG_LOT // KG_EACH, KG_LOT * 1_000 - sold)

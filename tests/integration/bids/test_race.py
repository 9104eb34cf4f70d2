"""Accepting under load, over real connections, and what happens when the lock is taken away."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import asyncpg
import pytest

from fixtures.factories import STORY, TODAY, Factory, Member
from market.bids.accepting import AcceptWish, accept_bid, serve
from market.bids.operations import NewBid, place_bid
from market.db.gathering import NotTogether
from market.db.session import Engine, execute, fetch, fetch_value
from market.errors import MarketError
from market.units import FenPerKg, Gram
from tests.integration.races import at_once, connections

BUYERS = 64
KG_EACH = 30
KG_LOT = 1_000


@pytest.fixture
async def wide(factory: Factory, db: Engine) -> AsyncIterator[Factory]:
    """The same database through as many connections as there are buyers."""
    async with connections(db, BUYERS):
        yield factory


async def race(
    factory: Factory, accept_one: Callable[[int, Member], Awaitable[object]]
) -> tuple[int, int, int]:
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
            return not isinstance(await accept_one(bid_id, seller), MarketError)
        except (MarketError, NotTogether, asyncpg.CheckViolationError):
            return False

    accepted = sum(await at_once(map(accept, bids)))
    rows = await fetch("SELECT coalesce(sum(quantity), 0)::bigint AS sold FROM deal")
    rest = await fetch_value(
        "SELECT remaining FROM lot JOIN listing ON listing.lot = lot.id WHERE listing.id = $1", listing_id
    )
    return accepted, rows[0]["sold"], rest


async def gathered(bid_id: int, seller: Member) -> int:
    """As pages and API do."""
    return await accept_bid(bid_id=bid_id, seller_id=seller.organisation_id, actor=seller.actor, at=STORY)


async def in_a_commit_of_its_own(bid_id: int, seller: Member) -> object:
    """As 64 processes with one accept each would."""
    wish = AcceptWish(bid_id, seller.organisation_id, "seller", seller.actor, STORY, None)
    return (await serve([wish], True))[0]


@pytest.mark.parametrize("way", [gathered, in_a_commit_of_its_own])
async def test_64_concurrent_accepts_oversell_nothing(
    wide: Factory, way: Callable[[int, Member], Awaitable[object]]
) -> None:
    accepted, sold, rest = await race(wide, way)
    assert accepted == KG_LOT // KG_EACH
    assert sold == accepted * KG_EACH * 1_000
    assert rest == KG_LOT * 1_000 - sold
    assert await fetch_value("SELECT sum(change)::bigint FROM stock_entry") == rest


async def test_without_the_lock_the_same_race_goes_wrong(wide: Factory) -> None:
    """The proof that the test above can fail: it sees what the lock prevents."""
    names = ("hold_goods", "reserve_stocks")
    sources = [await fetch_value("SELECT pg_get_functiondef($1::regproc)", name) for name in names]
    try:
        for source in sources:
            assert "FOR NO KEY UPDATE" in source
            # a breath between reading and writing makes the race sure instead of likely
            unlocked = source.replace("FOR NO KEY UPDATE", "")
            await execute(
                unlocked.replace("PERFORM set_config", "PERFORM pg_sleep(0.02); PERFORM set_config", 1)
            )
        accepted, sold, rest = await race(wide, in_a_commit_of_its_own)
    finally:
        for source in sources:
            await execute(source)
    assert (accepted, rest) != (KG_LOT // KG_EACH, KG_LOT * 1_000 - sold)

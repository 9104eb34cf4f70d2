"""Open bidding on real PostgreSQL: bids go up, a late one moves the closing, the best get the goods."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest

from fixtures.factories import STORY, TODAY, Factory, Member
from market.bids.after_round import free_to_bid
from market.bids.negotiating import reject_bid
from market.bids.open_bidding import (
    BidInTheOpen,
    answer_release,
    ask_release,
    bid_openly,
    withdraw_open,
)
from market.bids.open_closing import close_open_round
from market.bids.open_queries import bidding_of
from market.bids.opening import open_overdue, open_round
from market.bids.operations import NewBid, accept_bid, place_bid
from market.bids.rules import ANSWER_DAYS
from market.bids.sealing import seal_bid
from market.clock import CHINA, day_ends
from market.db.session import Engine, execute, fetch, fetch_value
from market.deals.making import NewDeal, make_deal
from market.errors import Conflict, Invalid, MarketError, NotFound
from market.notices.queries import inbox
from market.supply.commands import NewListing, NewWay
from market.supply.operations import choose_way, move_listing, publish_listing
from market.supply.rules import EXTENSION, MOST_EXTENSION
from market.transitions import WrongState
from market.units import FenPerKg, Gram
from tests.integration.races import at_once, connections

CLOSES = STORY + timedelta(days=2)
LOT = NewListing(
    produce="peanut",
    title="红衣花生",
    quantity=Gram(1_000_000),
    ask=FenPerKg(700),
    available_from=TODAY,
    available_to=TODAY + timedelta(days=60),
    way="open",
    closes_at=CLOSES,
    min_step=FenPerKg(10),
)


async def put_up(seller: Member, **change: object) -> int:
    lot = msgspec.structs.replace(LOT, **change)
    return await publish_listing(listing=lot, owner_id=seller.organisation_id, actor=seller.actor, at=STORY)


def wish(listing_id: int, *, kg: int = 300, price: int = 700, least_kg: int = 0) -> BidInTheOpen:
    bid = NewBid(listing_id, Gram(kg * 1_000), FenPerKg(price), TODAY, TODAY + timedelta(days=9))
    return BidInTheOpen(bid, Gram(least_kg * 1_000))


async def bid(member: Member, what: BidInTheOpen, *, before: timedelta = timedelta(days=1)) -> int:
    placed = await bid_openly(
        wish=what, buyer_id=member.organisation_id, actor=member.actor, at=CLOSES - before
    )
    return placed.open_bid_id


async def round_of(
    factory: Factory, bids: list[tuple[int, int]], **change: object
) -> tuple[Member, list[Member], int]:
    """A seller, one buyer for each (kg, price) with that bid, and the listing."""
    seller = await factory.member(role="secretary")
    listing_id = await put_up(seller, **change)
    buyers = [await factory.member(role="buyer") for _ in bids]
    for buyer, (kg, price) in zip(buyers, bids, strict=True):
        await bid(buyer, wish(listing_id, kg=kg, price=price))
    return seller, buyers, listing_id


async def kinds(member: Member) -> list[str]:
    return [notice.kind for notice in await inbox(organisation_id=member.organisation_id)]


async def states() -> list[tuple[int, str]]:
    return [tuple(row.values()) for row in await fetch("SELECT price, state FROM open_bid ORDER BY id")]


async def test_the_lot_goes_to_the_best_bids_each_at_its_own_price(factory: Factory) -> None:
    seller, buyers, listing_id = await round_of(factory, [(600, 720), (300, 740), (400, 730)])
    assert await kinds(buyers[0]) == ["open_bid_overbid"]
    await bid(buyers[0], wish(listing_id, kg=600, price=750))
    assert not await close_open_round(listing_id=listing_id, at=CLOSES - timedelta(seconds=1))
    assert await open_overdue(at=CLOSES) == 1
    assert await open_overdue(at=CLOSES) == 0
    rows = await fetch("SELECT buyer, quantity, price, source FROM deal ORDER BY price DESC")
    assert [tuple(row.values()) for row in rows] == [
        (buyers[0].organisation_id, 600_000, 750, "bid"),
        (buyers[1].organisation_id, 300_000, 740, "bid"),
        (buyers[2].organisation_id, 100_000, 730, "bid"),
    ]
    assert await fetch_value("SELECT remaining FROM lot") == 0
    assert await fetch_value("SELECT state FROM listing") == "sold_out"
    assert await states() == [(720, "raised"), (740, "won"), (730, "won"), (750, "won")]
    rows = await fetch("SELECT bid.state, bid.deal IS NOT NULL FROM bid ORDER BY id")
    assert [tuple(row.values()) for row in rows] == [("accepted", True)] * 3
    assert "open_bid_won" in await kinds(buyers[2])
    assert (await kinds(seller)).count("open_bid_placed") == 3
    assert "bidding_closed" in await kinds(seller)


async def test_what_is_left_or_under_the_reserve_is_negotiable_and_the_seller_chooses_anew(
    factory: Factory,
) -> None:
    seller, buyers, listing_id = await round_of(
        factory, [(300, 740), (300, 720), (300, 735)], reserve=FenPerKg(730)
    )
    await close_open_round(listing_id=listing_id, at=CLOSES)
    assert await states() == [(740, "won"), (720, "lost"), (735, "won")]
    assert "open_bid_lost" in await kinds(buyers[1])
    assert await fetch_value("SELECT way FROM listing") == "negotiable"
    plain = wish(listing_id, kg=100, price=690).bid
    bid_id = await place_bid(bid=plain, buyer_id=buyers[1].organisation_id, actor=buyers[1].actor, at=CLOSES)
    again = NewWay("sealed", closes_at=CLOSES + timedelta(days=1))

    async def choose() -> None:
        await choose_way(
            listing_id=listing_id,
            way=again,
            owner_id=seller.organisation_id,
            actor=seller.actor,
            at=CLOSES,
        )

    with pytest.raises(Conflict):
        await choose()
    await reject_bid(
        bid_id=bid_id,
        organisation_id=seller.organisation_id,
        side="seller",
        reason="price",
        note="",
        actor=seller.actor,
        at=CLOSES,
    )
    await choose()
    assert await fetch_value("SELECT (way, round) = ('sealed', 2) FROM listing")
    await seal_bid(bid=plain, buyer_id=buyers[0].organisation_id, actor=buyers[0].actor, at=CLOSES)
    with pytest.raises(Conflict):
        await choose()


async def test_bid_of_a_round_is_answered_before_its_delivery_days_are_over(factory: Factory) -> None:
    seller, _, listing_id = await round_of(factory, [(300, 740)])
    last = CLOSES.astimezone(CHINA).date() + timedelta(days=2)
    soon = wish(listing_id, price=750)
    await bid(
        await factory.member(role="buyer"),
        msgspec.structs.replace(soon, bid=msgspec.structs.replace(soon.bid, deliver_to=last)),
    )
    await close_open_round(listing_id=listing_id, at=CLOSES)
    rows = await fetch("SELECT expires_at FROM bid ORDER BY price DESC")
    assert [row["expires_at"] for row in rows] == [day_ends(last), CLOSES + timedelta(days=ANSWER_DAYS)]
    told = await inbox(organisation_id=seller.organisation_id)
    assert [each.due_at for each in told if each.kind == "bidding_closed"] == [day_ends(last)]


@pytest.mark.parametrize(("bids", "reserve"), [([(300, 740), (300, 720)], None), ([(300, 740)] * 3, 800)])
async def test_too_few_bidders_or_none_at_the_reserve_go_on_as_negotiation(
    factory: Factory, bids: list[tuple[int, int]], reserve: int | None
) -> None:
    seller, buyers, listing_id = await round_of(factory, bids, reserve=reserve)
    await close_open_round(listing_id=listing_id, at=CLOSES)
    assert await fetch_value("SELECT way FROM listing") == "negotiable"
    assert await fetch_value("SELECT count(*) FROM deal") == 0
    assert {state for _, state in await states()} == {"negotiated"}
    assert await kinds(buyers[0]) == ["open_bid_negotiated"]
    deal = await accept_bid(bid_id=1, seller_id=seller.organisation_id, actor=seller.actor, at=CLOSES)
    assert await fetch_value("SELECT price FROM deal WHERE id = $1", deal) == 740


async def test_who_is_suspended_at_the_closing_neither_buys_nor_sells(factory: Factory) -> None:
    """Nor keeps the round from ending, with the goods held in it."""
    suspend = "UPDATE organisation SET standing = 'suspended' WHERE id = $1"
    bids = [(300, 730), (300, 735), (300, 740), (600, 760)]
    _, buyers, listing_id = await round_of(factory, bids)
    await execute(suspend, buyers[3].organisation_id)
    await close_open_round(listing_id=listing_id, at=CLOSES)
    assert await states() == [(730, "won"), (735, "won"), (740, "won"), (760, "lost")]
    seller, _, again = await round_of(factory, bids)
    await execute(suspend, seller.organisation_id)
    await close_open_round(listing_id=again, at=CLOSES)
    assert {state for _, state in (await states())[4:]} == {"negotiated"}


@pytest.mark.parametrize("way", ["open", "sealed", "negotiable"])
async def test_nobody_bids_on_goods_of_their_own(factory: Factory, way: str) -> None:
    """An organisation that sells and buys would drive up the price of its own round, or make up a bidder."""
    seller = await factory.member(role="secretary")
    await execute("UPDATE organisation SET granted = '{buy}' WHERE id = $1", seller.organisation_id)
    closes = None if way == "negotiable" else CLOSES
    listing_id = await put_up(
        seller, way=way, closes_at=closes, min_step=FenPerKg(10 if way == "open" else 0)
    )
    own = {"buyer_id": seller.organisation_id, "actor": seller.actor, "at": STORY}
    what = wish(listing_id)
    with pytest.raises(Conflict, match="自己单位"):
        if way == "open":
            await bid_openly(wish=what, **own)
        elif way == "sealed":
            await seal_bid(bid=what.bid, **own)
        else:
            await place_bid(bid=what.bid, **own)


async def test_bids_are_seen_but_names_are_the_sellers_and_the_reserve_is_nobodys(factory: Factory) -> None:
    seller, buyers, listing_id = await round_of(factory, [(600, 720), (600, 740)], reserve=FenPerKg(730))
    await bid(buyers[0], wish(listing_id, kg=600, price=750))
    seen = await bidding_of(listing_id=listing_id, viewer=buyers[1].organisation_id)
    assert [(line.paddle, line.price, line.share, line.buyer_name, line.mine) for line in seen.bids] == [
        (1, 750, 600_000, None, False),
        (2, 740, 400_000, None, True),
    ]
    assert [(past.paddle, past.price) for past in seen.history] == [(1, 750), (2, 740), (1, 720)]
    assert (seen.entry_price, seen.has_reserve, seen.reserve) == (750, True, None)
    guest = await bidding_of(listing_id=listing_id, viewer=None)
    assert [line.mine for line in guest.bids] == [False, False]
    own = await bidding_of(listing_id=listing_id, viewer=seller.organisation_id)
    assert None not in [line.buyer_name for line in own.bids]
    assert own.reserve == 730


async def test_late_bids_move_the_closing_up_to_the_bound(factory: Factory) -> None:
    seller = await factory.member(role="secretary")
    listing_id = await put_up(seller)
    buyers = [await factory.member(role="buyer") for _ in range(2)]
    await bid(buyers[0], wish(listing_id), before=EXTENSION + timedelta(seconds=1))
    assert await fetch_value("SELECT closes_at FROM listing") == CLOSES
    moved = CLOSES
    for n in range(14):
        late = CLOSES - moved + timedelta(seconds=1)
        await bid(buyers[n % 2], wish(listing_id, price=720 + 10 * n), before=late)
        moved = await fetch_value("SELECT closes_at FROM listing")
        assert moved == CLOSES + min(EXTENSION * (n + 1), MOST_EXTENSION)
        assert not await close_open_round(listing_id=listing_id, at=moved - timedelta(seconds=1))
    assert await fetch_value("SELECT count(*) FROM job WHERE kind = 'bids.close' AND run_at = $1", moved) == 1
    with pytest.raises(Conflict):
        await bid(buyers[0], wish(listing_id, price=990), before=CLOSES - moved)


async def test_a_leading_bid_goes_only_with_the_sellers_word(factory: Factory) -> None:
    seller, buyers, listing_id = await round_of(factory, [(600, 720), (600, 740)])
    at = CLOSES - timedelta(hours=1)
    own, other = buyers[0], buyers[1]
    with pytest.raises(Conflict):
        await withdraw_open(open_bid_id=1, buyer_id=own.organisation_id, actor=own.actor, at=at)
    with pytest.raises(NotFound):
        await withdraw_open(open_bid_id=1, buyer_id=other.organisation_id, actor=other.actor, at=at)

    async def answer(agreed: bool) -> None:
        await answer_release(
            open_bid_id=1, agreed=agreed, seller_id=seller.organisation_id, actor=seller.actor, at=at
        )

    with pytest.raises(Conflict):
        await answer(True)
    await ask_release(open_bid_id=1, buyer_id=own.organisation_id, actor=own.actor, at=at)
    await answer(False)
    assert (await states())[0] == (720, "standing")
    await ask_release(open_bid_id=1, buyer_id=own.organisation_id, actor=own.actor, at=at)
    await answer(True)
    assert (await states())[0] == (720, "withdrawn")
    with pytest.raises(WrongState):
        await ask_release(open_bid_id=1, buyer_id=own.organisation_id, actor=own.actor, at=at)
    # who leads no longer goes freely
    rival = await factory.member(role="buyer")
    await bid(rival, wish(listing_id, kg=1_000, price=760))
    await withdraw_open(open_bid_id=2, buyer_id=other.organisation_id, actor=other.actor, at=at)
    assert await states() == [(720, "withdrawn"), (740, "withdrawn"), (760, "standing")]


async def test_goods_withdrawn_void_the_bids_at_once(factory: Factory) -> None:
    seller, (buyer,), listing_id = await round_of(factory, [(600, 720)])
    await move_listing(
        listing_id=listing_id,
        move="withdraw",
        owner_id=seller.organisation_id,
        actor=seller.actor,
        at=STORY,
    )
    assert await close_open_round(listing_id=listing_id, at=STORY)
    assert await states() == [(720, "void")]
    assert await kinds(buyer) == ["open_bid_void"]


@pytest.mark.parametrize("way", ["open", "sealed"])
async def test_goods_in_a_round_are_sold_nowhere_else(factory: Factory, way: str) -> None:
    seller, buyer = await factory.member(role="secretary"), await factory.member(role="buyer")
    listing_id = await put_up(seller, way=way, min_step=FenPerKg(10 if way == "open" else 0))

    async def sell(topic_id: int) -> int:
        deal = NewDeal(
            listing_id=listing_id,
            demand_id=None,
            buyer_id=buyer.organisation_id,
            quantity=Gram(1_000),
            price=FenPerKg(700),
            source="appointment",
            source_id=topic_id,
            deliver_from=TODAY,
            deliver_to=TODAY,
        )
        return await make_deal(deal=deal, actor=seller.actor, at=STORY)

    with pytest.raises(Conflict, match="这一轮结束前"):
        await sell(1)
    with pytest.raises(Conflict):
        await place_bid(bid=wish(listing_id).bid, buyer_id=buyer.organisation_id, actor=buyer.actor, at=STORY)
    assert await open_overdue(at=CLOSES) == 1
    await sell(2)


async def test_goods_back_on_sale_after_a_sealed_round_take_bids_again(factory: Factory) -> None:
    seller = await factory.member(role="secretary")
    listing_id = await put_up(seller, way="sealed", min_step=FenPerKg(0))
    buyers = [await factory.member(role="buyer") for _ in range(3)]
    for buyer in buyers:
        sealed = wish(listing_id, kg=300).bid
        await seal_bid(bid=sealed, buyer_id=buyer.organisation_id, actor=buyer.actor, at=STORY)
    await open_round(listing_id=listing_id, at=CLOSES)
    assert await free_to_bid(None, at=CLOSES) == 0
    for bid_id in (1, 2):
        await accept_bid(bid_id=bid_id, seller_id=seller.organisation_id, actor=seller.actor, at=CLOSES)
        assert await fetch_value("SELECT way FROM listing") == "sealed"
    await accept_bid(bid_id=3, seller_id=seller.organisation_id, actor=seller.actor, at=CLOSES)
    assert await fetch_value("SELECT way FROM listing") == "negotiable"
    told = await inbox(organisation_id=seller.organisation_id)
    assert [notice.link for notice in told if notice.kind == "round_over"] == [f"/selling/{listing_id}/way"]
    late = wish(listing_id, kg=100).bid
    await place_bid(bid=late, buyer_id=buyers[0].organisation_id, actor=buyers[0].actor, at=CLOSES)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"closes_at": None}, "closes_at"),
        ({"min_step": FenPerKg(0)}, "min_step"),
        ({"min_step": FenPerKg(701)}, "min_step"),
        ({"reserve": FenPerKg(699)}, "reserve"),
        ({"way": "fixed", "closes_at": None}, "min_step"),
    ],
)
async def test_an_open_round_needs_terms_that_fit(
    factory: Factory, change: dict[str, object], field: str
) -> None:
    seller = await factory.member(role="secretary")
    with pytest.raises(Invalid) as refused:
        await put_up(seller, **change)
    assert set(refused.value.fields) == {field}


RIVALS = 12


@pytest.fixture
async def wide(factory: Factory, db: Engine) -> AsyncIterator[Factory]:
    async with connections(db, RIVALS + 4):
        yield factory


async def late_race(factory: Factory) -> list[str]:
    """Let 12 bids in the last second and three closings at the closing run into each other.

    Return what is wrong afterwards: each bid must be refused, or stand in a round that goes on, or have
    been served or told; and one closing at most has ended the round.
    """
    _seller, _, listing_id = await round_of(factory, [(200, 700), (200, 710), (200, 720)])
    # no room for another extension: the closing stays where it is
    await execute("UPDATE listing SET closes_latest = closes_at")
    rivals = [await factory.member(role="buyer") for _ in range(RIVALS)]

    async def tried(n: int, member: Member) -> bool:
        await asyncio.sleep(0.004 * n)
        try:
            await bid(member, wish(listing_id, kg=100, price=730 + 10 * n), before=timedelta(microseconds=1))
        except MarketError:
            return False
        return True

    async def closed() -> bool:
        await asyncio.sleep(0.02)
        return await close_open_round(listing_id=listing_id, at=CLOSES)

    outcome = await at_once([*(tried(n, m) for n, m in enumerate(rivals)), *(closed() for _ in range(3))])
    taken, ended = sum(outcome[:RIVALS]), sum(outcome[RIVALS:])
    wrong = []
    if ended != 1:
        wrong.append(f"ended {ended} times")
    if await fetch_value("SELECT count(*) FROM open_bid WHERE state = 'standing'"):
        wrong.append("a bid was taken after the end, and nobody will ever serve it")
    if await fetch_value("SELECT count(*) FROM open_bid") != 3 + taken:
        wrong.append("a bid was acknowledged and lost")
    sold = await fetch_value("SELECT coalesce(sum(quantity), 0)::bigint FROM deal")
    rest = await fetch_value("SELECT remaining FROM lot")
    won = await fetch_value(
        "SELECT coalesce(sum(bid.quantity), 0)::bigint FROM open_bid JOIN bid ON bid.id = open_bid.bid"
        " WHERE open_bid.state = 'won'"
    )
    if not sold == won == 1_000_000 - rest:
        wrong.append(f"sold {sold}, won {won}, rest {rest}")
    worst = await fetch_value("SELECT min(price) FROM open_bid WHERE state = 'won'")
    best = await fetch_value("SELECT max(price) FROM open_bid WHERE state = 'lost'")
    if best is not None and best > worst:
        wrong.append("a better bid went without")
    return wrong


async def test_late_bids_and_closings_at_once_leave_no_bid_unserved(wide: Factory) -> None:
    assert await late_race(wide) == []


async def test_without_its_lock_the_same_race_goes_wrong(
    wide: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof that the test above can fail: bids and closing look at the round without holding it."""
    from market.bids import open_bidding, open_closing

    async def unheld(sql: str, *values: object) -> object:
        rows = await fetch(re.sub(r"FOR NO KEY UPDATE( OF listing)?", "", sql), *values)
        # a breath between looking and writing makes the race sure instead of likely
        await asyncio.sleep(0.03)
        return rows

    monkeypatch.setattr(open_bidding, "fetch", unheld)
    monkeypatch.setattr(open_closing, "fetch", unheld)
    try:
        wrong = await late_race(wide)
    except Exception as error:  # the database's own guards may speak first
        wrong = [str(error)]
    assert wrong != []

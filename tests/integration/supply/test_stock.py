"""Stock in places, corrections, and what has left: the ledger adds up, and no place overflows."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from fixtures.factories import STORY, Factory, Member
from market.bids.accepting import accept_bid
from market.db.session import Engine, execute, fetch, fetch_value
from market.deals.breach import NewCase, file_case, open_case
from market.deals.breach_termination import terminate
from market.deals.fulfilment import move_delivery, schedule_delivery
from market.deals.operations import sign
from market.errors import Busy, Conflict, Invalid, NotFound
from market.supply import stock
from market.supply.ledger import ledger_of_lot
from market.supply.lots import holdings_of, lot_page, open_deals_of, storages_of
from market.supply.stock import NewStorage
from market.units import Gram
from tests.integration.races import at_once, connections
from tests.integration.supply.test_listings import bid, lot_of

TANK = Gram(3_000_000)
MOVERS = 32


async def tank(owner: Member, name: str = "1 号罐", capacity: Gram = TANK) -> int:
    return await stock.open_storage(
        storage=NewStorage(name, "tank", capacity),
        owner_id=owner.organisation_id,
        actor=owner.actor,
        at=STORY,
    )


async def put(owner: Member, lot: int, kg: int, to: int | None, *, source: int | None = None) -> None:
    await stock.move_stock(
        lot_id=lot,
        grams=Gram(kg * 1_000),
        from_id=source,
        to_id=to,
        owner_id=owner.organisation_id,
        actor=owner.actor,
        at=STORY,
    )


async def correct(owner: Member, lot: int, kg: int, reason: str, *, storage: int | None = None) -> int:
    return await stock.correct_stock(
        lot_id=lot,
        grams=kg * 1_000,
        reason=reason,
        storage_id=storage,
        note="",
        owner_id=owner.organisation_id,
        actor=owner.actor,
        at=STORY,
    )


async def check_sums() -> None:
    """What stands in a place, and what remains of a lot, is what the ledger adds up to."""
    assert (
        await fetch(
            """SELECT storage.id FROM storage WHERE held > capacity
           OR held <> coalesce((SELECT sum(moved) FROM stock_entry WHERE storage = storage.id), 0)
           OR held <> coalesce((SELECT sum(grams) FROM holding WHERE storage = storage.id), 0)"""
        )
        == []
    )
    assert (
        await fetch(
            """SELECT lot.id FROM lot
           WHERE remaining <> (SELECT sum(change) FROM stock_entry WHERE lot = lot.id)"""
        )
        == []
    )
    # what there is in all is what is for sale and what contracts hold: nothing is counted twice
    assert (
        await fetch(
            """SELECT lot.id FROM lot WHERE quantity <> remaining
               + (SELECT coalesce(sum(deal.quantity - deal.released), 0) FROM deal
                  JOIN listing ON listing.id = deal.listing
                  WHERE listing.lot = lot.id AND deal.state <> 'cancelled')
           OR quantity <> (SELECT sum(change) FROM stock_entry
                           WHERE lot = lot.id AND kind IN ('in', 'lost', 'transformed'))"""
        )
        == []
    )


@pytest.fixture
async def seller(factory: Factory) -> Member:
    return await factory.member(role="secretary")


async def test_goods_stand_in_places_up_to_their_capacity(factory: Factory, seller: Member) -> None:
    lot = await lot_of(await factory.listing(seller, kg=5_000))
    first, second = await tank(seller), await tank(seller, "2 号罐")
    await put(seller, lot, 3_000, first)
    with pytest.raises(Invalid) as refused:
        await put(seller, lot, 1, first)
    assert str(refused.value.fields["storage"]) == "“1 号罐”已经满了，请换一个地方。"
    await put(seller, lot, 1_200, second, source=first)
    with pytest.raises(Invalid) as refused:
        await put(seller, lot, 2_001, second)
    assert "没有指明存放地方的只有 4,000 斤（2,000 公斤）" in str(refused.value.fields["quantity"])
    page = await lot_page(lot, seller.organisation_id)
    assert (page.remaining, page.placed, page.unplaced) == (5_000_000, 3_000_000, 2_000_000)
    assert [(each.storage, each.grams) for each in await holdings_of(seller.organisation_id)] == [
        (first, 1_800_000),
        (second, 1_200_000),
    ]
    await check_sums()


async def test_loss_and_addition_change_what_there_is_to_sell(factory: Factory, seller: Member) -> None:
    lot = await lot_of(await factory.listing(seller, kg=1_000))
    place = await tank(seller)
    await put(seller, lot, 600, place)
    assert await correct(seller, lot, -100, "spoiled", storage=place) == 900_000
    assert await correct(seller, lot, 50, "counted_more") == 950_000
    page = await lot_page(lot, seller.organisation_id)
    assert (page.quantity, page.placed, page.unplaced) == (950_000, 500_000, 450_000)
    with pytest.raises(Invalid) as refused:
        await correct(seller, lot, -501, "dried", storage=place)
    assert list(refused.value.fields) == ["quantity"]
    lines = await ledger_of_lot(lot_id=lot, owner_id=seller.organisation_id)
    assert [(each.kind, each.change, each.moved, each.reason) for each in lines] == [
        ("in", 50_000, 50_000, "counted_more"),
        ("lost", -100_000, -100_000, "spoiled"),
        ("moved", 0, 600_000, ""),
        ("in", 1_000_000, None, ""),
    ]
    await check_sums()


async def test_reason_must_fit_its_direction(factory: Factory, seller: Member) -> None:
    lot = await lot_of(await factory.listing(seller))
    for kg, reason in ((-1, "gathered"), (1, "spoiled"), (1, "process"), (-1, "")):
        with pytest.raises(Invalid) as refused:
            await correct(seller, lot, kg, reason)
        assert list(refused.value.fields) == ["reason"]


async def test_what_is_reserved_can_not_be_lost_and_what_is_lost_can_not_be_sold(
    factory: Factory, seller: Member
) -> None:
    buyer = await factory.member(role="buyer")
    listing = await factory.listing(seller, kg=1_000)
    lot = await lot_of(listing)
    await sold(factory, seller, buyer, listing, kg=700)
    with pytest.raises(Invalid):
        await correct(seller, lot, -301, "spoiled")
    assert await correct(seller, lot, -300, "spoiled") == 0
    assert await fetch_value("SELECT state FROM listing WHERE id = $1", listing) == "sold_out"
    assert await correct(seller, lot, 10, "gathered") == 10_000
    assert await fetch_value("SELECT state FROM listing WHERE id = $1", listing) == "published"
    await check_sums()


async def test_bid_for_more_than_a_loss_has_left_is_not_accepted(factory: Factory, seller: Member) -> None:
    listing = await factory.listing(seller, kg=1_000)
    lot = await lot_of(listing)
    bid_id = await bid(listing, await factory.member(role="buyer"), kg=700)
    assert await correct(seller, lot, -301, "spoiled") == 699_000
    with pytest.raises(Conflict):
        await accept_bid(bid_id=bid_id, seller_id=seller.organisation_id, actor=seller.actor, at=STORY)
    assert await correct(seller, lot, 1, "counted_more") == 700_000
    await accept_bid(bid_id=bid_id, seller_id=seller.organisation_id, actor=seller.actor, at=STORY)
    assert (await lot_page(lot, seller.organisation_id)).remaining == 0


async def sold(factory: Factory, seller: Member, buyer: Member, listing: int, *, kg: int) -> int:
    """A contract in force on a listing."""
    bid_id = await bid(listing, buyer, kg=kg)
    await accept_bid(bid_id=bid_id, seller_id=seller.organisation_id, actor=seller.actor, at=STORY)
    deal = int(await fetch_value("SELECT max(id) FROM deal"))
    for party in (seller, buyer):
        await sign(deal_id=deal, organisation_id=party.organisation_id, actor=party.actor, at=STORY)
    return deal


async def send(
    owner: Member, lot: int, deal: int, kg: int, storage: int | None = None, *, back: bool = False
) -> None:
    """Goods of a contract leave, or come back."""
    await (stock.take_back if back else stock.send_stock)(
        lot_id=lot,
        grams=Gram(kg * 1_000),
        deal_id=deal,
        storage_id=storage,
        owner_id=owner.organisation_id,
        actor=owner.actor,
        at=STORY,
    )


async def test_goods_of_a_contract_leave_the_place_and_stay_sold(factory: Factory, seller: Member) -> None:
    buyer = await factory.member(role="buyer")
    listing = await factory.listing(seller, kg=1_000)
    lot, place = await lot_of(listing), await tank(seller)
    await put(seller, lot, 800, place)
    deal = await sold(factory, seller, buyer, listing, kg=700)

    await send(seller, lot, deal, 500, place)
    with pytest.raises(Invalid):
        await send(seller, lot, deal, 201, None)
    await send(seller, lot, deal, 200, None)
    page = await lot_page(lot, seller.organisation_id)
    assert (page.quantity, page.remaining, page.sent, page.placed, page.unplaced) == (
        1_000_000,
        300_000,
        700_000,
        300_000,
        0,
    )
    assert [each.left for each in await open_deals_of(lot, seller.organisation_id)] == [0]
    await check_sums()


async def test_what_a_buyer_gives_back_stands_here_again_and_is_on_sale_by_its_contract_alone(
    factory: Factory, seller: Member
) -> None:
    """Delivered, refused after the end of the contract, and carried home: the same grams are sold once."""
    buyer = await factory.member(role="buyer")
    listing = await factory.listing(seller, kg=1_000)
    lot, place = await lot_of(listing), await tank(seller)
    deal = await sold(factory, seller, buyer, listing, kg=700)

    async def sums() -> tuple[int, int, int, int]:
        page = await lot_page(lot, seller.organisation_id)
        return page.quantity, page.remaining, page.sent, page.here

    delivery = await schedule_delivery(
        deal_id=deal,
        quantity=Gram(500_000),
        on=STORY.date(),
        organisation_id=seller.organisation_id,
        actor=seller.actor,
        at=STORY,
    )

    async def move(step: str, party: Member, **more: str) -> None:
        await move_delivery(
            delivery_id=delivery,
            move=step,
            organisation_id=party.organisation_id,
            actor=party.actor,
            at=STORY,
            **more,
        )

    # the delivery and the owner's own line are two records of one departure: goods leave once
    await send(seller, lot, deal, 500)
    await move("dispatch", seller)
    assert await sums() == (1_000_000, 300_000, 500_000, 500_000)
    with pytest.raises(Invalid):
        await send(seller, lot, deal, 501, back=True)
    case = NewCase(deal_id=deal, ground="late_delivery", statement="没有按时发完。")
    by = {"organisation_id": buyer.organisation_id, "actor": buyer.actor, "at": STORY}
    breach_id = await open_case(case=case, **by)
    await file_case(breach_id=breach_id, **by)
    await terminate(breach_id=breach_id, **by)
    assert await sums() == (1_000_000, 500_000, 500_000, 500_000)
    await move("arrive", buyer)
    await move("reject", buyer, reason="quality")
    # what is refused comes back with its delivery, to no named place: nobody writes it down a second time
    assert await sums() == (1_000_000, 1_000_000, 0, 1_000_000)
    await stock.move_stock(
        lot_id=lot,
        grams=Gram(500_000),
        from_id=None,
        to_id=place,
        owner_id=seller.organisation_id,
        actor=seller.actor,
        at=STORY,
    )
    with pytest.raises(Invalid) as refused:
        await send(seller, lot, deal, 1, back=True)
    assert list(refused.value.fields) == ["quantity"]
    with pytest.raises(Invalid):
        await correct(seller, lot, 1, "returned")
    await check_sums()


async def test_what_came_back_may_leave_again_for_the_same_contract(factory: Factory, seller: Member) -> None:
    listing = await factory.listing(seller, kg=1_000)
    lot, small = await lot_of(listing), await tank(seller, "小罐", Gram(100_000))
    deal = await sold(factory, seller, await factory.member(role="buyer"), listing, kg=700)
    await send(seller, lot, deal, 700)
    with pytest.raises(Invalid) as refused:
        await send(seller, lot, deal, 101, small, back=True)
    assert "“小罐”放不下了" in str(refused.value.fields["storage"])
    with pytest.raises(NotFound):
        await send(await factory.member(role="secretary"), lot, deal, 1, back=True)
    await send(seller, lot, deal, 100, small, back=True)
    page = await lot_page(lot, seller.organisation_id)
    assert (page.remaining, page.sent, page.placed) == (300_000, 600_000, 100_000)
    await send(seller, lot, deal, 100, small)
    with pytest.raises(Invalid):
        await send(seller, lot, deal, 1)
    await check_sums()


async def test_places_and_lots_of_others_are_not_found(factory: Factory, seller: Member) -> None:
    other = await factory.member(role="secretary")
    lot, place = await lot_of(await factory.listing(seller)), await tank(seller)
    theirs = await tank(other)
    with pytest.raises(NotFound):
        await put(seller, lot, 1, theirs)
    with pytest.raises(NotFound):
        await put(other, lot, 1, theirs)
    with pytest.raises(NotFound):
        await correct(other, lot, -1, "dried")
    with pytest.raises(NotFound):
        await stock.set_storage_open(
            storage_id=place, is_open=False, owner_id=other.organisation_id, actor=other.actor, at=STORY
        )
    assert await ledger_of_lot(lot_id=lot, owner_id=other.organisation_id) == []


async def test_place_closes_when_empty_and_shrinks_no_further_than_what_stands_in_it(
    factory: Factory, seller: Member
) -> None:
    lot, place = await lot_of(await factory.listing(seller)), await tank(seller)
    await put(seller, lot, 500, place)

    async def close() -> None:
        await stock.set_storage_open(
            storage_id=place, is_open=False, owner_id=seller.organisation_id, actor=seller.actor, at=STORY
        )

    with pytest.raises(Conflict):
        await close()
    with pytest.raises(Invalid) as refused:
        await stock.change_storage(
            storage_id=place,
            storage=NewStorage("小罐", "tank", Gram(499_999)),
            owner_id=seller.organisation_id,
            actor=seller.actor,
            at=STORY,
        )
    assert list(refused.value.fields) == ["capacity"]
    await put(seller, lot, 500, None, source=place)
    await close()
    with pytest.raises(Invalid):
        await put(seller, lot, 1, place)
    assert [each.is_open for each in await storages_of(seller.organisation_id)] == [False]
    with pytest.raises(Invalid) as refused:
        await tank(seller, "1 号罐")
    assert list(refused.value.fields) == ["name"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE lot SET remaining = remaining - 1",
        "UPDATE lot SET quantity = quantity + 1",
        "UPDATE storage SET held = 1",
        "UPDATE holding SET grams = 1",
        "INSERT INTO holding (lot, storage, grams) SELECT lot.id, storage.id, 5 FROM lot, storage",
    ],
)
async def test_sums_of_the_ledger_are_written_by_its_functions_alone(
    factory: Factory, seller: Member, statement: str
) -> None:
    lot, place = await lot_of(await factory.listing(seller)), await tank(seller)
    await put(seller, lot, 500, place)
    with pytest.raises(asyncpg.RaiseError, match="stock functions alone"):
        await execute(statement)


@pytest.fixture
async def wide(factory: Factory, db: Engine) -> AsyncIterator[Factory]:
    """The same database through as many connections as there are movers."""
    async with connections(db, MOVERS):
        yield factory


async def race(factory: Factory) -> tuple[int, int]:
    """Let 32 moves of 300 kg, each of its own lot, run into one tank of 3 t.

    Returns how many got in, and the grams that stand in it by the ledger.
    """
    seller = await factory.member(role="secretary")
    place = await tank(seller)
    lots = [await lot_of(await factory.listing(seller, kg=300)) for _ in range(MOVERS)]

    async def move(lot: int) -> bool:
        try:
            await put(seller, lot, 300, place)
        except (Invalid, Busy):
            return False
        return True

    done = sum(await at_once(map(move, lots)))
    return done, int(
        await fetch_value("SELECT coalesce(sum(moved), 0)::bigint FROM stock_entry WHERE storage = $1", place)
    )


async def test_32_at_once_do_not_overfill_a_tank(wide: Factory) -> None:
    assert await race(wide) == (10, TANK)
    await check_sums()


async def test_without_lock_and_check_the_same_race_overfills_it(wide: Factory) -> None:
    """The proof that the test above can fail."""
    source = await fetch_value("SELECT pg_get_functiondef('move_stock'::regproc)")
    lock = "PERFORM FROM storage WHERE id IN (p_from, p_to) ORDER BY id FOR NO KEY UPDATE;"
    assert source.count(lock) == 1
    room = await fetch_value("SELECT pg_get_functiondef('room_in'::regproc)")
    try:
        await execute("ALTER TABLE storage DROP CONSTRAINT storage_held_within")
        # a breath between looking and writing makes the race sure instead of likely
        await execute(
            source.replace(lock, "").replace(
                "IF p_from IS NOT NULL", "PERFORM pg_sleep(0.05); IF p_from IS NOT NULL"
            )
        )
        done, held = await race(wide)
    finally:
        await execute(source)
        await execute(room)
        await execute(
            "ALTER TABLE storage ADD CONSTRAINT storage_held_within CHECK (held <= capacity) NOT VALID"
        )
    assert (done > 10, held > TANK) == (True, True)


async def test_without_the_lock_the_table_itself_still_refuses(wide: Factory) -> None:
    source = await fetch_value("SELECT pg_get_functiondef('move_stock'::regproc)")
    lock = "PERFORM FROM storage WHERE id IN (p_from, p_to) ORDER BY id FOR NO KEY UPDATE;"
    try:
        await execute(
            source.replace(lock, "").replace(
                "IF p_from IS NOT NULL", "PERFORM pg_sleep(0.05); IF p_from IS NOT NULL"
            )
        )
        with pytest.raises(asyncpg.CheckViolationError):
            await race(wide)
    finally:
        await execute(source)
    assert await fetch_value("SELECT held <= capacity FROM storage") is True

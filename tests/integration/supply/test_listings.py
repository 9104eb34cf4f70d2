from datetime import timedelta

import pytest

from fixtures.factories import STORY, TODAY, Factory, Member, window_end
from market.bids.operations import NewBid, accept_bid, place_bid
from market.db.session import execute, fetch_value
from market.errors import NotFound
from market.supply.operations import NewPicture, add_picture, move_listing
from market.supply.queries import StockDay, listing_page, listings_of, picture, stock_history
from market.units import FenPerKg, Gram


async def bid(listing_id: int, buyer: Member, *, kg: int) -> int:
    return await place_bid(
        bid=NewBid(
            listing_id=listing_id,
            quantity=Gram(kg * 1_000),
            price=FenPerKg(700),
            deliver_from=TODAY,
            deliver_to=TODAY + timedelta(days=10),
        ),
        buyer_id=buyer.organisation_id,
        actor=buyer.actor,
        at=STORY,
    )


async def photograph(listing_id: int, owner: Member, *, illustration: bool = False) -> None:
    shot = NewPicture(b"large", b"small", 800, 600, "abc123", illustration)
    await add_picture(listing_id=listing_id, picture=shot, owner_id=owner.organisation_id)


async def lot_of(listing_id: int) -> int:
    return int(await fetch_value("SELECT lot FROM listing WHERE id = $1", listing_id))


async def test_a_listing_on_sale_is_public(factory: Factory) -> None:
    seller = await factory.member(role="secretary")
    listing_id = await factory.listing(seller, kg=500, credentials=("test-report",))
    await photograph(listing_id, seller, illustration=True)
    page = await listing_page(listing_id, None)
    assert (page.title, page.remaining, page.state, page.mine) == ("红衣花生", 500_000, "published", False)
    assert [each.code for each in page.credentials] == ["test-report"]
    assert [(each.position, each.illustration, each.content_hash) for each in page.pictures] == [
        (1, True, "abc123")
    ]
    assert (await listing_page(listing_id, seller.organisation_id)).mine


async def test_a_draft_is_its_owners_alone(factory: Factory) -> None:
    town = await factory.member(role="official")
    seller = await factory.member(role="secretary", town_id=town.organisation_id)
    other = await factory.member(role="secretary")
    listing_id = await factory.listing(seller)
    await execute("UPDATE listing SET state = 'draft' WHERE id = $1", listing_id)
    assert (await listing_page(listing_id, seller.organisation_id)).state == "draft"
    for viewer in (None, other.organisation_id, town.organisation_id):
        with pytest.raises(NotFound):
            await listing_page(listing_id, viewer)


async def test_a_withdrawn_listing_stays_visible_to_those_it_concerns(factory: Factory) -> None:
    town = await factory.member(role="official")
    seller = await factory.member(role="secretary", town_id=town.organisation_id)
    bidder, stranger = await factory.member(role="buyer"), await factory.member(role="buyer")
    listing_id = await factory.listing(seller)
    await photograph(listing_id, seller)
    await bid(listing_id, bidder, kg=100)
    await move_listing(
        listing_id=listing_id,
        move="withdraw",
        owner_id=seller.organisation_id,
        actor=seller.actor,
        at=STORY,
    )
    lot = await lot_of(listing_id)
    for viewer in (seller, town, bidder):
        assert (await listing_page(listing_id, viewer.organisation_id)).state == "withdrawn"
        shown = await picture(lot=lot, position=1, size="thumb", viewer=viewer.organisation_id)
        assert shown.content == b"small"
    for viewer_id in (None, stranger.organisation_id):
        with pytest.raises(NotFound):
            await listing_page(listing_id, viewer_id)
        with pytest.raises(NotFound):
            await picture(lot=lot, position=1, size="thumb", viewer=viewer_id)


async def test_a_picture_comes_in_two_sizes_with_its_hash(factory: Factory) -> None:
    seller = await factory.member(role="secretary")
    listing_id = await factory.listing(seller)
    await photograph(listing_id, seller)
    lot = await lot_of(listing_id)
    large = await picture(lot=lot, position=1, size="image", viewer=None)
    small = await picture(lot=lot, position=1, size="thumb", viewer=None)
    assert (large.content, small.content, small.content_hash) == (b"large", b"small", "abc123")
    with pytest.raises(NotFound):
        await picture(lot=lot, position=2, size="image", viewer=None)


async def test_an_owner_sees_stock_bids_and_days_left(factory: Factory) -> None:
    seller, buyer = await factory.member(role="secretary"), await factory.member(role="buyer")
    listing_id = await factory.listing(seller, kg=1_000)
    quiet = await factory.listing(seller, kg=10)
    accepted = await bid(listing_id, buyer, kg=300)
    await bid(listing_id, buyer, kg=200)
    await accept_bid(bid_id=accepted, seller_id=seller.organisation_id, actor=seller.actor, at=STORY)
    own = await listings_of(seller.organisation_id, today=TODAY + timedelta(days=3))
    assert [each.listing_id for each in own] == [listing_id, quiet]
    first = own[0]
    assert (first.quantity, first.remaining, first.sold) == (1_000_000, 700_000, 300_000)
    assert (first.open_bids, first.days_left, first.days_listed) == (1, (window_end(60) - TODAY).days - 3, 3)
    assert first.diagnosis is None
    assert await listings_of(buyer.organisation_id, today=TODAY) == []


async def test_the_first_line_of_the_last_finished_diagnosis_is_shown(factory: Factory) -> None:
    town = await factory.member(role="official")
    seller = await factory.member(role="secretary", town_id=town.organisation_id)
    listing_id = await factory.listing(seller)
    for number, state in ((1, "done"), (2, "done"), (3, "failed")):
        run = await fetch_value(
            """INSERT INTO run (town, state, parameters, created_at) VALUES ($1, $2, '{}', $3)
               RETURNING id""",
            town.organisation_id,
            state,
            STORY,
        )
        for rank, obstacle in ((2, "grade"), (1, "price")):
            await execute(
                """INSERT INTO diagnosis (run, listing, rank, obstacle, change, unlocks, demands, cost)
                   VALUES ($1, $2, $3, $4, '{"to": 1}', $5, '{}', 0)""",
                run,
                listing_id,
                rank,
                obstacle,
                number * 1_000,
            )
    [own] = await listings_of(seller.organisation_id, today=TODAY)
    assert own.diagnosis is not None
    assert (own.diagnosis.obstacle, own.diagnosis.unlocks, own.diagnosis.change) == (
        "price",
        2_000,
        {"to": 1},
    )


async def test_stock_history_has_every_day_and_ends_at_what_is_left(factory: Factory) -> None:
    town = await factory.member(role="official")
    seller = await factory.member(role="secretary", town_id=town.organisation_id)
    buyer = await factory.member(role="buyer")
    listing_id = await factory.listing(seller, kg=1_000)
    bid_id = await bid(listing_id, buyer, kg=300)
    later = STORY + timedelta(days=2)
    await accept_bid(bid_id=bid_id, seller_id=seller.organisation_id, actor=seller.actor, at=later)
    days = [TODAY + timedelta(days=n) for n in range(4)]
    assert await stock_history(town.organisation_id, until=days[-1]) == [
        StockDay(days[0], 1_000_000, 0, 1_000_000),
        StockDay(days[1], 0, 0, 1_000_000),
        StockDay(days[2], 0, 300_000, 700_000),
        StockDay(days[3], 0, 0, 700_000),
    ]
    assert await stock_history(buyer.organisation_id, until=days[-1]) == []

"""Sealed rounds: what lies under seal is nobody's to see, and all of it is opened at once."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from fixtures.factories import STORY, TODAY, Factory, Member
from market.audit.queries import history
from market.bids.negotiating import Counter, counter_bid
from market.bids.open_bidding import BidInTheOpen, bid_openly
from market.bids.opening import end_round, open_overdue, open_round
from market.bids.operations import NewBid, accept_bid, place_bid
from market.bids.queries import bids_of
from market.bids.rules import ANSWER_DAYS
from market.bids.sealing import seal_bid, sealed_bid, sealed_of, withdraw_sealed
from market.bids.standing import revise_terms
from market.clock import day_ends
from market.db.session import execute, fetch, fetch_value
from market.errors import Conflict, Invalid, NotFound
from market.notices.queries import inbox
from market.organisations.approving import Waiting
from market.organisations.dead_approvals import end_dead_approvals
from market.supply.commands import NewListing, NewTerms
from market.supply.operations import move_listing, publish_listing
from market.units import FenPerKg, Gram
from tests.integration.races import at_once

CLOSES = STORY + timedelta(days=2)
LOT = NewListing(
    produce="peanut",
    title="红衣花生",
    quantity=Gram(1_000_000),
    ask=FenPerKg(700),
    available_from=TODAY,
    available_to=TODAY + timedelta(days=60),
    way="sealed",
    closes_at=CLOSES,
)


async def put_up(seller: Member, lot: NewListing = LOT) -> int:
    return await publish_listing(listing=lot, owner_id=seller.organisation_id, actor=seller.actor, at=STORY)


def bid(listing_id: int, *, kg: int = 300, price: int = 700) -> NewBid:
    return NewBid(listing_id, Gram(kg * 1_000), FenPerKg(price), TODAY, TODAY + timedelta(days=9))


async def seal(member: Member, wish: NewBid, *, after: timedelta = timedelta(0)) -> str:
    return await seal_bid(bid=wish, buyer_id=member.organisation_id, actor=member.actor, at=STORY + after)


async def sealed_round(factory: Factory, prices: list[int]) -> tuple[Member, list[Member], int]:
    """A seller, one buyer for each price with that bid under seal, and the listing."""
    seller = await factory.member(role="secretary")
    listing_id = await put_up(seller)
    buyers = [await factory.member(role="buyer") for _ in prices]
    for buyer, price in zip(buyers, prices, strict=True):
        await seal(buyer, bid(listing_id, price=price))
    return seller, buyers, listing_id


async def test_all_bids_are_opened_together_at_closing_in_the_order_of_their_prices(factory: Factory) -> None:
    seller, buyers, listing_id = await sealed_round(factory, [690, 720, 705])
    assert not await open_round(listing_id=listing_id, at=CLOSES - timedelta(seconds=1))
    assert await bids_of(organisation_id=seller.organisation_id) == []
    assert await open_round(listing_id=listing_id, at=CLOSES)
    assert not await open_round(listing_id=listing_id, at=CLOSES)
    rows = await fetch("SELECT price, state, buyer FROM bid ORDER BY id")
    assert [tuple(row.values()) for row in rows] == [
        (720, "submitted", buyers[1].organisation_id),
        (705, "submitted", buyers[2].organisation_id),
        (690, "submitted", buyers[0].organisation_id),
    ]
    assert await fetch_value("SELECT way FROM listing") == "sealed"
    for number, buyer in enumerate((buyers[1], buyers[2], buyers[0]), 1):
        (laid,) = await sealed_of(buyer_id=buyer.organisation_id)
        assert (laid.state, laid.bid) == ("opened", number)
        told = await inbox(organisation_id=buyer.organisation_id)
        assert [(notice.kind, notice.link) for notice in told] == [("bid_opened", f"/bids/{number}")]
        story = await history(subjects=[f"bid:{number}"])
        assert [(each.action, each.at) for each in story] == [("place", STORY), ("open", CLOSES)]
    for bid_id in (1, 2):
        await accept_bid(bid_id=bid_id, seller_id=seller.organisation_id, actor=seller.actor, at=CLOSES)
    assert await fetch_value("SELECT remaining FROM lot") == 400_000
    with pytest.raises(Conflict):
        await counter_bid(
            counter=Counter(3, Gram(300_000), FenPerKg(700), TODAY, TODAY),
            organisation_id=seller.organisation_id,
            side="seller",
            actor=seller.actor,
            at=CLOSES,
        )


async def test_opened_bid_is_answered_before_its_delivery_days_are_over(factory: Factory) -> None:
    seller, _, listing_id = await sealed_round(factory, [690, 720])
    soon = TODAY + timedelta(days=4)
    wish = msgspec.structs.replace(bid(listing_id), deliver_to=soon)
    await seal(await factory.member(role="buyer"), wish)
    assert await open_round(listing_id=listing_id, at=CLOSES)
    rows = await fetch("SELECT expires_at FROM bid ORDER BY expires_at")
    in_full = CLOSES + timedelta(days=ANSWER_DAYS)
    assert [row["expires_at"] for row in rows] == [day_ends(soon), in_full, in_full]
    told = [
        each for each in await inbox(organisation_id=seller.organisation_id) if each.kind == "bids_opened"
    ]
    assert [each.due_at for each in told] == [day_ends(soon)]


async def test_fewer_than_three_bidders_turn_the_round_into_negotiation(factory: Factory) -> None:
    seller, _, _listing_id = await sealed_round(factory, [690, 720])
    assert await open_overdue(at=CLOSES) == 1
    assert await fetch_value("SELECT way FROM listing") == "negotiable"
    turn = await counter_bid(
        counter=Counter(1, Gram(300_000), FenPerKg(725), TODAY, TODAY + timedelta(days=9)),
        organisation_id=seller.organisation_id,
        side="seller",
        actor=seller.actor,
        at=CLOSES,
    )
    assert await fetch_value("SELECT parent FROM bid WHERE id = $1", turn) == 1


async def test_a_bidder_who_took_the_bid_back_does_not_count_and_is_never_seen(factory: Factory) -> None:
    _seller, buyers, listing_id = await sealed_round(factory, [690, 720, 705])
    mark = (await sealed_of(buyer_id=buyers[0].organisation_id))[0].mark
    await withdraw_sealed(mark=mark, buyer_id=buyers[0].organisation_id, at=STORY)
    await open_round(listing_id=listing_id, at=CLOSES)
    assert await fetch_value("SELECT way FROM listing") == "negotiable"
    assert await fetch_value("SELECT count(*) FROM bid") == 2
    assert await inbox(organisation_id=buyers[0].organisation_id) == []


async def test_who_is_suspended_at_the_closing_makes_no_third_bidder(factory: Factory) -> None:
    _seller, buyers, listing_id = await sealed_round(factory, [690, 720, 705])
    await execute("UPDATE organisation SET standing = 'suspended' WHERE id = $1", buyers[0].organisation_id)
    await open_round(listing_id=listing_id, at=CLOSES)
    assert await fetch_value("SELECT way FROM listing") == "negotiable"


async def test_a_bid_is_changed_by_taking_it_back(factory: Factory) -> None:
    _seller, (buyer,), listing_id = await sealed_round(factory, [690])
    with pytest.raises(Conflict):
        await seal(buyer, bid(listing_id, price=695))
    first = (await sealed_of(buyer_id=buyer.organisation_id))[0]
    await withdraw_sealed(mark=first.mark, buyer_id=buyer.organisation_id, at=STORY)
    again = await seal(buyer, bid(listing_id, price=695))
    assert again != first.mark
    assert [row.state for row in await sealed_of(buyer_id=buyer.organisation_id)] == ["sealed", "withdrawn"]


async def test_a_sealed_bid_is_its_authors_alone(factory: Factory) -> None:
    seller, (buyer, rival), _ = await sealed_round(factory, [690, 700])
    mark = (await sealed_of(buyer_id=buyer.organisation_id))[0].mark
    for other in (rival, seller):
        with pytest.raises(NotFound):
            await sealed_bid(mark=mark, buyer_id=other.organisation_id)
        with pytest.raises(NotFound):
            await withdraw_sealed(mark=mark, buyer_id=other.organisation_id, at=STORY)


async def test_nothing_is_taken_or_taken_back_after_the_closing(factory: Factory) -> None:
    _, (buyer,), listing_id = await sealed_round(factory, [690])
    late = await factory.member(role="buyer")
    with pytest.raises(Conflict):
        await seal(late, bid(listing_id), after=timedelta(days=2))
    mark = (await sealed_of(buyer_id=buyer.organisation_id))[0].mark
    with pytest.raises(Conflict):
        await withdraw_sealed(mark=mark, buyer_id=buyer.organisation_id, at=CLOSES)


async def test_bids_in_the_open_and_new_terms_are_refused_during_a_round(factory: Factory) -> None:
    seller, (buyer,), listing_id = await sealed_round(factory, [690])
    with pytest.raises(Conflict):
        await place_bid(bid=bid(listing_id), buyer_id=buyer.organisation_id, actor=buyer.actor, at=STORY)
    terms = NewTerms(FenPerKg(650), Gram(0), TODAY, TODAY + timedelta(days=60), ())
    with pytest.raises(Conflict):
        await revise_terms(
            listing_id=listing_id,
            terms=terms,
            owner_id=seller.organisation_id,
            actor=seller.actor,
            at=STORY,
        )


async def test_goods_withdrawn_before_the_closing_leave_the_bids_unseen(factory: Factory) -> None:
    seller, (buyer,), listing_id = await sealed_round(factory, [690])
    await move_listing(
        listing_id=listing_id,
        move="withdraw",
        owner_id=seller.organisation_id,
        actor=seller.actor,
        at=STORY,
    )
    assert await inbox(organisation_id=buyer.organisation_id) == []
    await open_round(listing_id=listing_id, at=CLOSES)
    assert (await sealed_of(buyer_id=buyer.organisation_id))[0].state == "void"
    assert [notice.kind for notice in await inbox(organisation_id=buyer.organisation_id)] == ["bid_void"]
    assert await inbox(organisation_id=seller.organisation_id) == []
    assert await fetch_value("SELECT count(*) FROM bid") == 0


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"closes_at": None}, "closes_at"),
        ({"closes_at": STORY + timedelta(minutes=29)}, "closes_at"),
        ({"closes_at": STORY + timedelta(days=61)}, "closes_at"),
        ({"available_to": TODAY + timedelta(days=1)}, "closes_at"),
        ({"way": "fixed"}, "closes_at"),
        ({"way": "raffle"}, "way"),
    ],
)
async def test_a_round_has_a_closing_that_fits(
    factory: Factory, change: dict[str, object], field: str
) -> None:
    seller = await factory.member(role="secretary")
    with pytest.raises(Invalid) as refused:
        await put_up(seller, msgspec.structs.replace(LOT, **change))
    assert set(refused.value.fields) == {field}


async def test_goods_at_a_fixed_price_take_no_other(factory: Factory) -> None:
    seller, buyer = await factory.member(role="secretary"), await factory.member(role="buyer")
    listing_id = await put_up(seller, msgspec.structs.replace(LOT, way="fixed", closes_at=None))
    with pytest.raises(Invalid) as refused:
        await place_bid(
            bid=bid(listing_id, price=690), buyer_id=buyer.organisation_id, actor=buyer.actor, at=STORY
        )
    assert set(refused.value.fields) == {"price"}
    bid_id = await place_bid(bid=bid(listing_id), buyer_id=buyer.organisation_id, actor=buyer.actor, at=STORY)
    await accept_bid(bid_id=bid_id, seller_id=seller.organisation_id, actor=seller.actor, at=STORY)
    assert await fetch_value("SELECT remaining FROM lot") == 700_000


async def test_of_an_opening_and_bids_at_once_every_bid_is_opened_or_refused(factory: Factory) -> None:
    _seller, _, listing_id = await sealed_round(factory, [690])
    late = [await factory.member(role="buyer") for _ in range(4)]

    async def tried(member: Member) -> bool:
        try:
            await seal(member, bid(listing_id), after=timedelta(days=2) - timedelta(seconds=1))
        except Conflict:
            return False
        return True

    outcome = await at_once(
        [
            tried(late[0]),
            tried(late[1]),
            open_round(listing_id=listing_id, at=CLOSES),
            *map(tried, late[2:]),
        ]
    )
    taken = 1 + sum(outcome[:2]) + sum(outcome[3:])
    assert await fetch_value("SELECT count(*) FROM bid") == taken
    assert await fetch_value("SELECT count(*) FROM sealed_bid WHERE state = 'sealed'") == 0


async def test_of_an_opening_and_a_withdrawal_at_once_one_counts(factory: Factory) -> None:
    _, (buyer,), listing_id = await sealed_round(factory, [690])
    mark = (await sealed_of(buyer_id=buyer.organisation_id))[0].mark
    withdrawal, _ = await asyncio.gather(
        withdraw_sealed(mark=mark, buyer_id=buyer.organisation_id, at=CLOSES - timedelta(seconds=1)),
        open_round(listing_id=listing_id, at=CLOSES),
        return_exceptions=True,
    )
    opened = await fetch_value("SELECT count(*) FROM bid")
    assert opened == (1 if isinstance(withdrawal, Conflict) else 0)


async def test_the_terms_of_a_bid_never_change(factory: Factory) -> None:
    _, _, listing_id = await sealed_round(factory, [690])
    await open_round(listing_id=listing_id, at=CLOSES)
    with pytest.raises(Exception, match="append-only"):
        await fetch("UPDATE bid SET price = 1 RETURNING id")


async def test_what_waits_under_seal_moves_no_number_that_others_see(factory: Factory) -> None:
    """Neither that of an approval, nor those of what is told of it and sent."""
    seller, buyer = await factory.member(role="secretary"), await factory.member(role="buyer")
    await execute("UPDATE organisation SET buyer_limit = 1 WHERE id = $1", buyer.organisation_id)
    await execute(
        """INSERT INTO channel (organisation, name, address, active, created_at)
           VALUES ($1, 'our own', 'json://example.com/hook', true, $2)""",
        *(buyer.organisation_id, STORY),
    )
    listing_id = await put_up(seller)
    numbers = """SELECT sequencename, last_value FROM pg_sequences
                 WHERE sequencename IN ('approval_id_seq', 'notice_id_seq', 'outgoing_id_seq') ORDER BY 1"""
    before = await fetch(numbers)
    with pytest.raises(Waiting):
        await seal(buyer, bid(listing_id))
    assert await fetch_value("SELECT count(*) FROM outgoing JOIN notice ON notice.id = outgoing.notice") == 1
    assert await fetch(numbers) == before


@pytest.mark.parametrize("way", ["sealed", "open"])
async def test_an_approval_ends_with_the_round_that_it_was_for(factory: Factory, way: str) -> None:
    """No purchasing manager is asked to decide on a bid that nobody takes any more."""
    seller, buyer = await factory.member(role="secretary"), await factory.member(role="buyer")
    await execute("UPDATE organisation SET buyer_limit = 1 WHERE id = $1", buyer.organisation_id)
    step = FenPerKg(10 if way == "open" else 0)
    listing_id = await put_up(seller, msgspec.structs.replace(LOT, way=way, min_step=step))
    own = {"buyer_id": buyer.organisation_id, "actor": buyer.actor, "at": STORY}
    what = bid(listing_id)
    with pytest.raises(Waiting):
        await (seal_bid(bid=what, **own) if way == "sealed" else bid_openly(wish=BidInTheOpen(what), **own))
    assert await end_dead_approvals(at=STORY) == 0
    assert await end_round(listing_id=listing_id, at=CLOSES)
    assert await fetch_value("SELECT state FROM approval") == "withdrawn"
    kinds = [notice.kind for notice in await inbox(organisation_id=buyer.organisation_id)]
    assert kinds == ["approval_ended", "approval_asked"]

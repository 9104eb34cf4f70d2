from datetime import timedelta
from typing import Any

import msgspec
import pytest

from fixtures.factories import STORY, TODAY, Factory, Member
from market.accounts.operations import NewPerson, register_person
from market.bids.negotiating import reconfirm_bid, reject_bid, withdraw_bid
from market.bids.operations import NewBid, accept_bid, place_bid
from market.bids.queries import bid_of, bids_of
from market.bids.standing import revise_terms
from market.clock import day_ends
from market.db.replay import other_request
from market.db.session import execute, fetch_value
from market.deals.queries import deal_of
from market.errors import Conflict, Invalid, NotFound
from market.i18n import translate
from market.notices.queries import inbox
from market.organisations.approving import Waiting, approve
from market.supply.commands import Bonus, NewTerms, NewWay
from market.supply.operations import choose_way, set_priority
from market.transitions import WrongState
from market.units import FenPerKg, Gram


def bid_on(listing_id: int, *, kg: int = 400, price: int = 720) -> NewBid:
    return NewBid(
        listing_id=listing_id,
        quantity=Gram(kg * 1_000),
        price=FenPerKg(price),
        deliver_from=TODAY,
        deliver_to=TODAY + timedelta(days=10),
    )


async def placed(factory: Factory, *, kg: int = 400) -> tuple[Member, Member, int, int]:
    seller, buyer = await factory.member(role="secretary"), await factory.member(role="buyer")
    listing_id = await factory.listing(seller)
    bid_id = await place_bid(
        bid=bid_on(listing_id, kg=kg), buyer_id=buyer.organisation_id, actor=buyer.actor, at=STORY
    )
    return seller, buyer, listing_id, bid_id


async def remaining(listing_id: int) -> int:
    return await fetch_value(
        "SELECT remaining FROM lot JOIN listing ON listing.lot = lot.id WHERE listing.id = $1", listing_id
    )


async def test_accepting_a_bid_makes_a_deal_and_reserves_the_stock(factory: Factory) -> None:
    seller, buyer, listing_id, bid_id = await placed(factory)
    deal_id = await accept_bid(bid_id=bid_id, seller_id=seller.organisation_id, actor=seller.actor, at=STORY)
    deal = await deal_of(deal_id=deal_id, organisation_id=buyer.organisation_id)
    assert (deal.quantity, deal.price, deal.state) == (400_000, 720, "pending")
    assert deal.number == f"TT-20261123-{deal_id:04d}"
    assert await remaining(listing_id) == 600_000
    assert (await bid_of(bid_id=bid_id, organisation_id=buyer.organisation_id)).state == "accepted"
    assert [n.kind for n in await inbox(organisation_id=buyer.organisation_id)] == ["deal_made"]


async def test_accepting_twice_with_one_key_makes_one_deal(factory: Factory) -> None:
    seller, _, listing_id, bid_id = await placed(factory)
    first, second = [
        await accept_bid(
            bid_id=bid_id, seller_id=seller.organisation_id, actor=seller.actor, at=STORY, key="k"
        )
        for _ in range(2)
    ]
    assert first == second
    assert await remaining(listing_id) == 600_000


async def test_accepting_twice_without_a_key_is_refused(factory: Factory) -> None:
    seller, _, listing_id, bid_id = await placed(factory)
    await accept_bid(bid_id=bid_id, seller_id=seller.organisation_id, actor=seller.actor, at=STORY)
    with pytest.raises(WrongState):
        await accept_bid(bid_id=bid_id, seller_id=seller.organisation_id, actor=seller.actor, at=STORY)
    assert await remaining(listing_id) == 600_000


async def test_a_key_used_for_another_request_is_refused(factory: Factory) -> None:
    seller, buyer, listing_id, _ = await placed(factory)
    for kg, outcome in ((10, None), (10, None), (20, Conflict)):
        request = place_bid(
            bid=bid_on(listing_id, kg=kg),
            buyer_id=buyer.organisation_id,
            actor=buyer.actor,
            at=STORY,
            key="same",
        )
        if outcome:
            with pytest.raises(outcome):
                await request
        else:
            await request
    assert len(await bids_of(organisation_id=seller.organisation_id)) == 2


async def test_a_key_of_one_accept_accepts_no_other_bid_and_gives_the_first_reply_again(
    factory: Factory,
) -> None:
    seller, buyer, listing_id, first = await placed(factory, kg=100)
    second = await place_bid(
        bid=bid_on(listing_id, kg=200), buyer_id=buyer.organisation_id, actor=buyer.actor, at=STORY
    )

    async def accept(bid_id: int) -> int:
        return await accept_bid(
            bid_id=bid_id, seller_id=seller.organisation_id, actor=seller.actor, at=STORY, key="same"
        )

    deal_id = await accept(first)
    with pytest.raises(Conflict) as refused:
        await accept(second)
    assert refused.value.message == other_request().message
    assert await accept(first) == deal_id
    assert await remaining(listing_id) == 900_000
    await withdraw_bid(
        bid_id=second, organisation_id=buyer.organisation_id, side="buyer", actor=buyer.actor, at=STORY
    )
    # a bid that cannot be accepted any more: the key is another one's all the same
    with pytest.raises(Conflict) as refused:
        await accept(second)
    assert refused.value.message == other_request().message


async def test_a_bid_for_more_than_remains_is_refused_at_its_field(factory: Factory) -> None:
    seller, buyer = await factory.member(role="secretary"), await factory.member(role="buyer")
    listing_id = await factory.listing(seller, kg=100)
    with pytest.raises(Invalid) as refused:
        await place_bid(
            bid=bid_on(listing_id, kg=101), buyer_id=buyer.organisation_id, actor=buyer.actor, at=STORY
        )
    assert set(refused.value.fields) == {"quantity"}


async def test_bids_that_no_longer_fit_are_not_accepted(factory: Factory) -> None:
    seller, buyer, listing_id, first = await placed(factory, kg=700)
    second = await place_bid(
        bid=bid_on(listing_id, kg=700), buyer_id=buyer.organisation_id, actor=buyer.actor, at=STORY
    )
    await accept_bid(bid_id=first, seller_id=seller.organisation_id, actor=seller.actor, at=STORY)
    with pytest.raises(Conflict):
        await accept_bid(bid_id=second, seller_id=seller.organisation_id, actor=seller.actor, at=STORY)
    # the refusal took nothing with it: the bid still waits for an answer
    assert (await bid_of(bid_id=second, organisation_id=buyer.organisation_id)).state == "submitted"
    assert await remaining(listing_id) == 300_000


async def test_the_last_kilogram_closes_the_listing(factory: Factory) -> None:
    seller, _, listing_id, bid_id = await placed(factory, kg=1_000)
    await accept_bid(bid_id=bid_id, seller_id=seller.organisation_id, actor=seller.actor, at=STORY)
    assert await fetch_value("SELECT state FROM listing WHERE id = $1", listing_id) == "sold_out"


async def test_others_see_no_bid(factory: Factory) -> None:
    _, _, _, bid_id = await placed(factory)
    stranger = await factory.member(role="secretary")
    with pytest.raises(NotFound):
        await bid_of(bid_id=bid_id, organisation_id=stranger.organisation_id)
    with pytest.raises(NotFound):
        await accept_bid(bid_id=bid_id, seller_id=stranger.organisation_id, actor=stranger.actor, at=STORY)


async def test_a_lapsed_bid_cannot_be_accepted(factory: Factory) -> None:
    seller, _, _, bid_id = await placed(factory)
    with pytest.raises(Conflict):
        await accept_bid(
            bid_id=bid_id,
            seller_id=seller.organisation_id,
            actor=seller.actor,
            at=STORY + timedelta(days=8),
        )


async def test_declining_tells_the_buyer_why(factory: Factory) -> None:
    seller, buyer, _, bid_id = await placed(factory)
    with pytest.raises(Invalid):
        await reject_bid(
            bid_id=bid_id,
            organisation_id=seller.organisation_id,
            side="seller",
            reason="no such code",
            note="",
            actor=seller.actor,
            at=STORY,
        )
    await reject_bid(
        bid_id=bid_id,
        organisation_id=seller.organisation_id,
        side="seller",
        reason="price",
        note="低于成本",
        actor=seller.actor,
        at=STORY,
    )
    seen = await bid_of(bid_id=bid_id, organisation_id=buyer.organisation_id)
    assert (seen.state, seen.reason, seen.reason_note) == ("rejected", "price", "低于成本")


async def test_the_bonus_of_a_listing_comes_down_with_its_price(factory: Factory) -> None:
    town = await factory.member(role="official")
    seller = await factory.member(role="secretary", town_id=town.organisation_id)
    listing_id = await factory.listing(seller, ask=700)
    await set_priority(
        listing_id=listing_id,
        bonus=Bonus(FenPerKg(600)),
        town_id=town.organisation_id,
        actor=town.actor,
        at=STORY,
    )
    for ask, priority in ((650, 600), (500, 500), (800, 500)):
        terms = NewTerms(FenPerKg(ask), Gram(0), TODAY, TODAY + timedelta(days=20), ())
        await revise_terms(
            listing_id=listing_id, terms=terms, owner_id=seller.organisation_id, actor=seller.actor, at=STORY
        )
        assert await fetch_value("SELECT priority FROM listing WHERE id = $1", listing_id) == priority


async def test_revised_terms_ask_the_bidder_again_at_each_change_that_matters(factory: Factory) -> None:
    seller, buyer, listing_id, bid_id = await placed(factory)
    for ask, times in ((650, 1), (650, 1), (640, 2)):
        await revise_terms(
            listing_id=listing_id,
            terms=NewTerms(
                ask=FenPerKg(ask),
                min_order=Gram(0),
                available_from=TODAY,
                available_to=TODAY + timedelta(days=20),
                credentials=("test-report",),
            ),
            owner_id=seller.organisation_id,
            actor=seller.actor,
            at=STORY,
        )
        told = await inbox(organisation_id=buyer.organisation_id)
        assert [each.kind for each in told].count("bid_unsettled") == times
    with pytest.raises(WrongState):
        await accept_bid(bid_id=bid_id, seller_id=seller.organisation_id, actor=seller.actor, at=STORY)
    await reconfirm_bid(
        bid_id=bid_id, organisation_id=buyer.organisation_id, side="buyer", actor=buyer.actor, at=STORY
    )
    await accept_bid(bid_id=bid_id, seller_id=seller.organisation_id, actor=seller.actor, at=STORY)


@pytest.mark.parametrize(
    ("ask", "least", "first", "said"),
    [(800, 0, 0, "一口价"), (700, 500_000, 0, "起订量"), (700, 0, 30, "供应期")],
)
async def test_a_bid_that_could_not_be_made_under_the_new_terms_cannot_be_confirmed(
    factory: Factory, ask: int, least: int, first: int, said: str
) -> None:
    seller, buyer = await factory.member(role="secretary"), await factory.member(role="buyer")
    listing_id = await factory.listing(seller)
    await choose_way(
        listing_id=listing_id,
        way=NewWay("fixed"),
        owner_id=seller.organisation_id,
        actor=seller.actor,
        at=STORY,
    )
    bid = msgspec.structs.replace(bid_on(listing_id), price=FenPerKg(700))
    bid_id = await place_bid(bid=bid, buyer_id=buyer.organisation_id, actor=buyer.actor, at=STORY)
    start = TODAY + timedelta(days=first)
    await revise_terms(
        listing_id=listing_id,
        terms=NewTerms(FenPerKg(ask), Gram(least), start, start + timedelta(days=20), ()),
        owner_id=seller.organisation_id,
        actor=seller.actor,
        at=STORY,
    )
    with pytest.raises(Conflict) as refused:
        await reconfirm_bid(
            bid_id=bid_id, organisation_id=buyer.organisation_id, side="buyer", actor=buyer.actor, at=STORY
        )
    assert said in translate(refused.value.message, "zh")
    assert await fetch_value("SELECT state FROM bid") == "needs_reconfirm"


async def test_a_withdrawn_bid_is_gone(factory: Factory) -> None:
    seller, buyer, _, bid_id = await placed(factory)
    await withdraw_bid(
        bid_id=bid_id, organisation_id=buyer.organisation_id, side="buyer", actor=buyer.actor, at=STORY
    )
    with pytest.raises(WrongState):
        await accept_bid(bid_id=bid_id, seller_id=seller.organisation_id, actor=seller.actor, at=STORY)


async def test_a_bid_fits_into_the_demand_that_it_counts_towards(factory: Factory) -> None:
    seller, buyer = await factory.member(role="secretary"), await factory.member(role="buyer")
    listing_id = await factory.listing(seller)
    small = await factory.demand(buyer, kg=300)
    other_kind = await factory.demand(buyer, produce="peanut-oil")
    of_another = await factory.demand(await factory.member(role="buyer"))
    for demand_id, field in ((small, "quantity"), (other_kind, "demand_id"), (of_another, "demand_id")):
        with pytest.raises(Invalid) as refused:
            await place_bid(
                bid=msgspec.structs.replace(bid_on(listing_id), demand_id=demand_id),
                buyer_id=buyer.organisation_id,
                actor=buyer.actor,
                at=STORY,
            )
        assert set(refused.value.fields) == {field}


async def test_a_turn_is_for_days_to_come_and_is_answered_before_they_are_over(factory: Factory) -> None:
    seller, buyer = await factory.member(role="secretary"), await factory.member(role="buyer")
    listing_id = await factory.listing(seller)
    own: dict[str, Any] = {"buyer_id": buyer.organisation_id, "actor": buyer.actor}
    bid = msgspec.structs.replace(bid_on(listing_id), deliver_to=TODAY + timedelta(days=1))
    bid_id = await place_bid(bid=bid, **own, at=STORY)
    over = day_ends(bid.deliver_to)
    assert await fetch_value("SELECT expires_at FROM bid WHERE id = $1", bid_id) == over
    assert [notice.due_at for notice in await inbox(organisation_id=seller.organisation_id)] == [over]
    answer: dict[str, Any] = {"bid_id": bid_id, "actor": seller.actor, "at": over}
    with pytest.raises(Conflict):
        await accept_bid(**answer, seller_id=seller.organisation_id)
    for at in (over, over + timedelta(days=5)):
        with pytest.raises(Invalid) as refused:
            await place_bid(bid=bid, **own, at=at)
        assert list(refused.value.fields) == ["deliver_to"]
    await execute("UPDATE bid SET state = 'needs_reconfirm', awaiting = 'buyer' WHERE id = $1", bid_id)
    with pytest.raises(Conflict, match="已过期限"):
        await reconfirm_bid(
            bid_id=bid_id,
            organisation_id=buyer.organisation_id,
            side="buyer",
            actor=buyer.actor,
            at=over,
        )


async def test_whoever_confirms_a_bid_again_keeps_to_the_limit_of_now(factory: Factory) -> None:
    seller, buyer, listing_id, bid_id = await placed(factory)
    terms = NewTerms(FenPerKg(710), Gram(0), TODAY, TODAY + timedelta(days=60), ())
    await revise_terms(
        listing_id=listing_id, terms=terms, owner_id=seller.organisation_id, actor=seller.actor, at=STORY
    )
    await execute("UPDATE organisation SET buyer_limit = 100 WHERE id = $1", buyer.organisation_id)
    own: dict[str, Any] = {"organisation_id": buyer.organisation_id, "actor": buyer.actor, "at": STORY}
    with pytest.raises(Waiting) as waits:
        await reconfirm_bid(bid_id=bid_id, side="buyer", **own)
    assert await fetch_value("SELECT state FROM bid") == "needs_reconfirm"
    manager = await register_person(
        person=NewPerson(name="经理", phone="19900009999", password_hash=None),
        organisation_id=buyer.organisation_id,
        roles=frozenset({"manager"}),
        at=STORY,
    )
    by = msgspec.structs.replace(buyer.actor, person_id=manager)
    link = await approve(approval_id=waits.value.approval_id, **{**own, "actor": by})
    assert (link, await fetch_value("SELECT state FROM bid")) == (f"/bids/{bid_id}", "submitted")

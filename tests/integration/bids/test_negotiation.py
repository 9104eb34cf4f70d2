"""Counters: whose turn it is, what lapses, and what two at once do to one turn."""

import asyncio
from contextvars import Context
from datetime import timedelta

import msgspec
import pytest

from fixtures.factories import STORY, TODAY, Factory, Member, window_end
from market.bids.negotiating import (
    Counter,
    accept_counter,
    counter_bid,
    reconfirm_bid,
    reject_bid,
    withdraw_bid,
)
from market.bids.operations import NewBid, accept_bid, place_bid
from market.bids.queries import bid_of, bids_of, thread_of
from market.bids.standing import expire_bids, revise_terms
from market.db.session import Engine, fetch, fetch_value, transaction
from market.deals.queries import deal_of
from market.errors import Conflict, Invalid, NotFound
from market.notices.queries import inbox
from market.supply.commands import NewTerms
from market.transitions import WrongState
from market.units import FenPerKg, Gram
from tests.integration.races import at_once, connections

TERMS = NewTerms(
    ask=FenPerKg(700),
    min_order=Gram(0),
    available_from=TODAY,
    available_to=window_end(60),
    credentials=(),
)


class Talk(msgspec.Struct):
    """A seller and a buyer over one listing; ``bid_id`` is the buyer's first bid."""

    seller: Member
    buyer: Member
    listing_id: int
    bid_id: int

    def member(self, side: str) -> Member:
        return self.seller if side == "seller" else self.buyer

    async def counter(self, bid_id: int, side: str, *, kg: int = 400, price: int = 690) -> int:
        member = self.member(side)
        return await counter_bid(
            counter=Counter(bid_id, Gram(kg * 1_000), FenPerKg(price), TODAY, TODAY + timedelta(days=10)),
            organisation_id=member.organisation_id,
            side=side,
            actor=member.actor,
            at=STORY,
        )

    async def accept(self, bid_id: int, side: str) -> int:
        member = self.member(side)
        if side == "seller":
            return await accept_bid(
                bid_id=bid_id, seller_id=member.organisation_id, actor=member.actor, at=STORY
            )
        return await accept_counter(
            bid_id=bid_id, buyer_id=member.organisation_id, actor=member.actor, at=STORY
        )

    async def withdraw(self, bid_id: int, side: str) -> None:
        member = self.member(side)
        await withdraw_bid(
            bid_id=bid_id, organisation_id=member.organisation_id, side=side, actor=member.actor, at=STORY
        )

    async def revise(self, terms: NewTerms) -> None:
        await revise_terms(
            listing_id=self.listing_id,
            terms=terms,
            owner_id=self.seller.organisation_id,
            actor=self.seller.actor,
            at=STORY,
        )


@pytest.fixture
async def talk(factory: Factory) -> Talk:
    seller, buyer = await factory.member(role="secretary"), await factory.member(role="buyer")
    listing_id = await factory.listing(seller)
    bid_id = await place_bid(
        bid=NewBid(listing_id, Gram(400_000), FenPerKg(650), TODAY, TODAY + timedelta(days=10)),
        buyer_id=buyer.organisation_id,
        actor=buyer.actor,
        at=STORY,
    )
    return Talk(seller, buyer, listing_id, bid_id)


async def states() -> list[tuple[str, str, str]]:
    rows = await fetch("SELECT author, state, awaiting FROM bid ORDER BY id")
    return [tuple(row.values()) for row in rows]


async def test_counter_to_a_counter_becomes_a_deal_on_the_last_terms(talk: Talk) -> None:
    first = await talk.counter(talk.bid_id, "seller", price=690)
    second = await talk.counter(first, "buyer", kg=300, price=670)
    deal_id = await talk.accept(second, "seller")
    assert await states() == [
        ("buyer", "countered", "seller"),
        ("seller", "countered", "buyer"),
        ("buyer", "accepted", "seller"),
    ]
    deal = await deal_of(deal_id=deal_id, organisation_id=talk.buyer.organisation_id)
    assert (deal.quantity, deal.price) == (300_000, 670)
    assert await fetch_value("SELECT remaining FROM lot") == 700_000
    for bid_id in (talk.bid_id, first, second):
        thread = await thread_of(bid_id=bid_id, organisation_id=talk.seller.organisation_id)
        assert [(turn.id, turn.parent, turn.answered_by) for turn in thread] == [
            (talk.bid_id, None, first),
            (first, talk.bid_id, second),
            (second, first, None),
        ]
    assert [row.id for row in await bids_of(organisation_id=talk.buyer.organisation_id)] == [second]


async def test_buyer_accepts_the_sellers_counter_from_the_same_stock(talk: Talk) -> None:
    turn = await talk.counter(talk.bid_id, "seller", kg=1_000)
    await talk.accept(turn, "buyer")
    assert await fetch_value("SELECT remaining FROM lot") == 0
    assert await fetch_value("SELECT state FROM listing") == "sold_out"


@pytest.mark.parametrize("side", ["seller", "buyer"])
async def test_nobody_answers_what_is_their_own(talk: Talk, side: str) -> None:
    turn = talk.bid_id if side == "buyer" else await talk.counter(talk.bid_id, "seller")
    member = talk.member(side)
    with pytest.raises(WrongState):
        await talk.accept(turn, side)
    with pytest.raises(WrongState):
        await talk.counter(turn, side, price=600)
    with pytest.raises(WrongState):
        await reject_bid(
            bid_id=turn,
            organisation_id=member.organisation_id,
            side=side,
            reason="price",
            note="",
            actor=member.actor,
            at=STORY,
        )
    other = "buyer" if side == "seller" else "seller"
    with pytest.raises(WrongState):
        await talk.withdraw(turn, other)
    assert await fetch_value("SELECT count(*) FROM deal") == 0


async def test_a_turn_that_was_countered_takes_no_other_answer(talk: Talk) -> None:
    await talk.counter(talk.bid_id, "seller")
    with pytest.raises(WrongState):
        await talk.accept(talk.bid_id, "seller")
    with pytest.raises(WrongState):
        await talk.counter(talk.bid_id, "seller", price=600)
    with pytest.raises(WrongState):
        await talk.withdraw(talk.bid_id, "buyer")


async def test_a_counter_says_something_new_that_the_listing_can_serve(talk: Talk) -> None:
    for kg, price, field in ((400, 650, "price"), (1_001, 650, "quantity"), (400, 0, "price")):
        with pytest.raises(Invalid) as refused:
            await talk.counter(talk.bid_id, "seller", kg=kg, price=price)
        assert set(refused.value.fields) == {field}
    assert await states() == [("buyer", "submitted", "seller")]


async def test_a_counter_under_one_key_counts_once(talk: Talk) -> None:
    counter = Counter(talk.bid_id, Gram(400_000), FenPerKg(690), TODAY, TODAY)
    ids = {
        await counter_bid(
            counter=counter,
            organisation_id=talk.seller.organisation_id,
            side="seller",
            actor=talk.seller.actor,
            at=STORY,
            key="once",
        )
        for _ in range(2)
    }
    assert len(ids) == 1


async def test_a_refused_counter_tells_the_seller_why(talk: Talk) -> None:
    turn = await talk.counter(talk.bid_id, "seller")
    await reject_bid(
        bid_id=turn,
        organisation_id=talk.buyer.organisation_id,
        side="buyer",
        reason="price",
        note="超出预算",
        actor=talk.buyer.actor,
        at=STORY,
    )
    seen = await bid_of(bid_id=turn, organisation_id=talk.seller.organisation_id)
    assert (seen.state, seen.reason, seen.reason_note) == ("rejected", "price", "超出预算")
    assert (await inbox(organisation_id=talk.seller.organisation_id))[0].kind == "bid_rejected"


async def test_silence_lapses_and_both_sides_are_told(talk: Talk) -> None:
    turn = await talk.counter(talk.bid_id, "seller")
    late = STORY + timedelta(days=7)
    with pytest.raises(Conflict):
        await accept_counter(
            bid_id=turn, buyer_id=talk.buyer.organisation_id, actor=talk.buyer.actor, at=late
        )
    assert await expire_bids(at=late) == 1
    assert await states() == [("buyer", "countered", "seller"), ("seller", "expired", "buyer")]
    for member in (talk.seller, talk.buyer):
        assert (await inbox(organisation_id=member.organisation_id))[0].kind == "bid_expired"
    assert await fetch_value("SELECT count(*) FROM deal") == 0


async def test_nobody_else_comes_into_a_negotiation(factory: Factory, talk: Talk) -> None:
    turn = await talk.counter(talk.bid_id, "seller")
    stranger = await factory.member(role="buyer")
    assert await thread_of(bid_id=turn, organisation_id=stranger.organisation_id) == []
    with pytest.raises(NotFound):
        await accept_counter(bid_id=turn, buyer_id=stranger.organisation_id, actor=stranger.actor, at=STORY)


@pytest.mark.parametrize(
    ("change", "asked"),
    [
        ({"ask": 710}, True),
        ({"min_order": 100_000}, True),
        ({"available_to": TODAY + timedelta(days=50)}, True),
        ({"credentials": ("test-report",)}, False),
        ({}, False),
    ],
)
@pytest.mark.parametrize("author", ["buyer", "seller"])
async def test_terms_that_matter_ask_the_author_of_the_open_turn(
    talk: Talk, change: dict[str, object], asked: bool, author: str
) -> None:
    turn = talk.bid_id if author == "buyer" else await talk.counter(talk.bid_id, "seller")
    await talk.revise(msgspec.structs.replace(TERMS, **change))
    expected = (author, "needs_reconfirm", author) if asked else (author, "submitted", "buyer")
    if not asked and author == "buyer":
        expected = (author, "submitted", "seller")
    assert (await states())[-1] == expected
    if asked:
        other = "buyer" if author == "seller" else "seller"
        with pytest.raises(WrongState):
            await talk.accept(turn, other)
        member = talk.member(author)
        await reconfirm_bid(
            bid_id=turn, organisation_id=member.organisation_id, side=author, actor=member.actor, at=STORY
        )
        assert (await states())[-1] == (author, "submitted", other)
        await talk.accept(turn, other)


async def test_proofs_taken_away_matter(talk: Talk) -> None:
    await talk.revise(msgspec.structs.replace(TERMS, credentials=("test-report",)))
    await talk.revise(TERMS)
    assert (await states())[-1] == ("buyer", "needs_reconfirm", "buyer")


@pytest.mark.parametrize("rival", ["counter", "withdraw", "reject", "revise"])
async def test_of_an_accept_and_another_answer_at_once_one_counts(talk: Talk, rival: str) -> None:
    async def tried(deed: str) -> bool:
        try:
            if deed == "accept":
                await talk.accept(talk.bid_id, "seller")
            elif deed == "counter":
                await talk.counter(talk.bid_id, "seller")
            elif deed == "withdraw":
                await talk.withdraw(talk.bid_id, "buyer")
            elif deed == "revise":
                await talk.revise(msgspec.structs.replace(TERMS, ask=FenPerKg(710)))
            else:
                await reject_bid(
                    bid_id=talk.bid_id,
                    organisation_id=talk.seller.organisation_id,
                    side="seller",
                    reason="price",
                    note="",
                    actor=talk.seller.actor,
                    at=STORY,
                )
        except Conflict:
            return False
        return True

    outcome = await at_once(tried(deed) for deed in ("accept", rival, "accept", rival))
    accepted = any(outcome[::2])
    assert sum(outcome[::2]) + (0 if rival == "revise" else sum(outcome[1::2])) == (
        1 if rival != "revise" or accepted else 0
    )
    deals = await fetch_value("SELECT count(*) FROM deal")
    assert deals == int(accepted)
    assert await fetch_value("SELECT remaining FROM lot") == 1_000_000 - 400_000 * deals
    first = (await states())[0][1]
    assert (first == "accepted") is accepted


async def test_new_terms_wait_for_the_lot_before_they_hold_the_listing(talk: Talk, db: Engine) -> None:
    """As every deal does: the two never wait for each other."""
    terms = msgspec.structs.replace(TERMS, ask=FenPerKg(710))
    async with connections(db, 4), asyncio.TaskGroup() as group, transaction():
        await fetch("SELECT id FROM lot FOR NO KEY UPDATE")
        group.create_task(talk.revise(terms), context=Context())
        while not await fetch_value("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            await fetch("SELECT pg_sleep(0.02)")
        await fetch("SELECT id FROM listing FOR NO KEY UPDATE NOWAIT")
    assert await fetch_value("SELECT ask FROM listing") == 710


async def test_of_two_counters_at_once_one_counts(talk: Talk) -> None:
    answers = await asyncio.gather(
        *(talk.counter(talk.bid_id, "seller", price=680 + n) for n in range(6)), return_exceptions=True
    )
    assert [type(answer) for answer in answers if not isinstance(answer, int)] == [WrongState] * 5
    assert await fetch_value("SELECT count(*) FROM bid WHERE parent = $1", talk.bid_id) == 1

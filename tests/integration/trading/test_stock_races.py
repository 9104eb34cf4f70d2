"""Races on stock, approvals, invitations, and on what is sent twice; test_races names them all."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from fixtures.factories import STORY, TODAY, Factory, Member
from market.accounts.operations import NewPerson, register_person
from market.accounts.rules import Actor
from market.bids import accepting, operations
from market.bids.negotiating import withdraw_bid
from market.bids.operations import NewBid, place_bid
from market.db.gathering import NotTogether
from market.db.session import execute, fetch, fetch_value, transaction
from market.errors import MarketError
from market.meetings import operations as inviting
from market.organisations import approving, members
from market.supply import stock, transforming
from market.units import Fen, FenPerKg, Gram
from tests.integration.meetings.day import Day
from tests.integration.races import Judge, Race, Tries, at_once, count, is_kept, total
from tests.integration.supply.test_listings import lot_of
from tests.integration.supply.test_stock import check_sums, correct, send, sold
from tests.integration.supply.test_transforming import press, processes

KG = 1_000
DAYS = (TODAY, TODAY + timedelta(days=5))


async def losing(factory: Factory) -> tuple[Tries, Judge]:
    """Five losses of 300 of 1,000 kg: three are possible."""
    seller = await factory.member(role="secretary")
    lot = await lot_of(await factory.listing(seller))

    async def kept(ends: list[str]) -> bool:
        await check_sums()
        return (ends.count("done"), await total("remaining", "lot")) == (3, 100 * KG)

    return [lambda: correct(seller, lot, -300, "spoiled")] * 5, kept


async def under_contract(factory: Factory) -> tuple[Member, int, int]:
    seller, buyer = await factory.member(role="secretary"), await factory.member(role="buyer")
    listing = await factory.listing(seller)
    return seller, await lot_of(listing), await sold(factory, seller, buyer, listing, kg=400)


async def sending(factory: Factory) -> tuple[Tries, Judge]:
    """Five loads of 150 kg leave for a contract over 400: two may."""
    seller, lot, deal = await under_contract(factory)

    async def kept(ends: list[str]) -> bool:
        gone = await total("moved", "stock_entry WHERE kind = 'out'")
        return (ends.count("done"), gone) == (2, -300 * KG)

    return [lambda: send(seller, lot, deal, 150)] * 5, kept


async def taking_back(factory: Factory) -> tuple[Tries, Judge]:
    """Of 400 kg that left, five loads of 150 come back: two can."""
    seller, lot, deal = await under_contract(factory)
    await send(seller, lot, deal, 400)

    async def kept(ends: list[str]) -> bool:
        back = await total("moved", "stock_entry WHERE kind = 'returned'")
        return (ends.count("done"), back) == (2, 300 * KG)

    return [lambda: send(seller, lot, deal, 150, back=True)] * 5, kept


async def pressing(factory: Factory) -> tuple[Tries, Judge]:
    """Five pressings of 300 of 1,000 kg: three are possible, and nothing is made of nothing."""
    await processes()
    seller = await factory.member(role="secretary")
    lot = await lot_of(await factory.listing(seller))

    async def kept(ends: list[str]) -> bool:
        await check_sums()
        rest = int(await fetch_value("SELECT remaining FROM lot WHERE id = $1", lot))
        made = await total("quantity", "lot WHERE made_by IS NOT NULL")
        return (ends.count("done"), rest, made) == (3, 100 * KG, 270 * KG)

    return [lambda: press(seller, lot, kg=300, oil=90, loss=210)] * 5, kept


async def approving_a_bid(factory: Factory) -> tuple[Tries, Judge]:
    """A bid above its buyer's limit is approved, refused and taken back at once."""
    seller, buyer = await factory.member(role="secretary"), await factory.member(role="buyer")
    person = await register_person(
        person=NewPerson(name="钱经理", phone="19900019999"),
        organisation_id=buyer.organisation_id,
        roles=frozenset({"manager"}),
        at=STORY,
    )
    manager = Actor(person, buyer.organisation_id, "buyer")
    own: Any = {"organisation_id": buyer.organisation_id, "at": STORY}
    await members.set_role(person_id=person, role="manager", most=Fen(500_000), actor=manager, **own)
    await members.set_buyer_limit(limit=Fen(100_000), actor=manager, **own)
    bid = NewBid(await factory.listing(seller), Gram(200 * KG), FenPerKg(700), *DAYS)
    with pytest.raises(approving.Waiting) as waits:
        await place_bid(bid=bid, buyer_id=buyer.organisation_id, actor=buyer.actor, at=STORY)
    own["approval_id"] = waits.value.approval_id

    async def kept(ends: list[str]) -> bool:
        state = await fetch_value("SELECT state FROM approval")
        return (ends.count("done"), await count("bid")) == (1, int(state == "approved"))

    tries = [
        lambda: approving.approve(actor=manager, **own),
        lambda: approving.withdraw(actor=buyer.actor, **own),
    ]
    return tries * 3, kept


async def declining(factory: Factory) -> tuple[Tries, Judge]:
    """An invitation is declined from several windows: the town is told once."""
    day = await Day(factory).begun()
    await execute("UPDATE meeting SET state = 'announced'")
    seller = day.sellers[0]

    async def kept(ends: list[str]) -> bool:
        told = await count("notice WHERE kind = 'invitation_declined'")
        return (ends.count("done"), told) == (1, 1)

    def decline() -> Awaitable[object]:
        return inviting.respond(
            meeting_id=day.meeting_id,
            organisation_id=seller.organisation_id,
            answer="declined",
            actor=seller.actor,
            at=STORY,
        )

    return [decline] * 5, kept


async def accepting_what_is_taken_back(factory: Factory) -> tuple[Tries, Judge]:
    """A bid is accepted, each time in a commit of its own, and taken back: one of it counts."""
    seller, buyer = await factory.member(role="secretary"), await factory.member(role="buyer")
    bid = NewBid(await factory.listing(seller), Gram(100 * KG), FenPerKg(700), *DAYS)
    number = await place_bid(bid=bid, buyer_id=buyer.organisation_id, actor=buyer.actor, at=STORY)

    async def accept() -> None:
        wish = accepting.AcceptWish(number, seller.organisation_id, "seller", seller.actor, STORY, None)
        try:
            answer = (await accepting.serve([wish], True))[0]
        except NotTogether as trouble:
            raise trouble.__cause__ or trouble from None
        if isinstance(answer, MarketError):
            raise answer

    def take_back() -> Awaitable[object]:
        return withdraw_bid(
            bid_id=number,
            organisation_id=buyer.organisation_id,
            side="buyer",
            actor=buyer.actor,
            at=STORY,
        )

    async def kept(ends: list[str]) -> bool:
        is_accepted = await fetch_value("SELECT state = 'accepted' FROM bid")
        return (ends.count("done"), await count("deal")) == (1, int(is_accepted))

    return [accept, take_back] * 3, kept


RACES = {
    "accepting": Race(accepting_what_is_taken_back, (accepting, operations)),
    "declining": Race(declining, (inviting,)),
    "approving": Race(approving_a_bid, (approving,)),
    "losing": Race(losing, (stock,), ("correct_stock",)),
    "sending": Race(sending, (stock,), ("send_stock",)),
    "taking back": Race(taking_back, (stock,), ("take_back_stock",)),
    "pressing": Race(pressing, (stock, transforming), ("transform_stock",)),
}


@pytest.mark.parametrize("locked", [True, False], ids=["locked", "unlocked"])
@pytest.mark.parametrize("name", RACES)
async def test_of_many_who_move_stock_at_once_as_many_count_as_may(
    wide: Factory, monkeypatch: pytest.MonkeyPatch, name: str, locked: bool
) -> None:
    assert await is_kept(RACES[name], wide, monkeypatch, locked=locked) is locked


@pytest.mark.parametrize("together", [True, False], ids=["in one transaction", "looked up before"])
async def test_a_form_that_is_sent_many_times_at_once_counts_once(
    wide: Factory, monkeypatch: pytest.MonkeyPatch, together: bool
) -> None:
    """Where the key is looked up in a transaction of its own, before the deed, it counts several times."""
    seller, buyer = await wide.member(role="secretary"), await wide.member(role="buyer")
    bid = NewBid(await wide.listing(seller), Gram(100 * KG), FenPerKg(700), TODAY, TODAY + timedelta(days=5))
    if not together:

        async def looked_up(
            *, key: str, person_id: int, deed: Callable[[], Awaitable[object]], **_: object
        ) -> object:
            if await fetch("SELECT FROM replay WHERE actor = $1 AND key = $2", person_id, key):
                raise AssertionError("nobody has kept a reply here")
            async with transaction():
                return await deed()

        monkeypatch.setattr(operations, "once", looked_up)

    async def place() -> int:
        return await place_bid(
            bid=bid, buyer_id=buyer.organisation_id, actor=buyer.actor, at=STORY, key="one"
        )

    numbers = await at_once(place() for _ in range(6))
    assert (len(set(numbers)) == 1) is together
    assert (await count("bid") == 1) is together

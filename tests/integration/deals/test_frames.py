"""Framework agreements: signed once, called off in batches, never beyond what was agreed."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from asyncpg import CheckViolationError, Record

from fixtures.factories import STORY, TODAY, Factory, Member
from market.amounts import masses
from market.audit.queries import history
from market.db.session import Engine, fetch, fetch_value
from market.deals.breach import NewCase, file_case, open_case
from market.deals.breach_termination import terminate
from market.deals.clauses import WHOLE, Milestone, Terms
from market.deals.frames.calling import call_off, confirm_call, drop_call
from market.deals.frames.ending import answer_end, propose_end
from market.deals.frames.operations import NewFrame, decline_frame, propose_frame, sign_frame
from market.deals.frames.queries import calls_of, frame_of, frames_of
from market.deals.frames.rounds import expire_calls, round_of_frames
from market.deals.frames.rules import Agreed, Batch, week_of
from market.deals.fulfilment import move_delivery, schedule_delivery
from market.deals.terms import terms_in_force
from market.errors import Busy, Conflict, Invalid, MarketError, NotFound
from market.notices.queries import inbox
from market.transitions import WrongState
from market.units import FenPerKg, Gram
from tests.integration.races import at_once, connections

DAY = timedelta(days=1)
AGREED = Agreed(
    produce="peanut",
    total=Gram(1_000_000),
    price=FenPerKg(700),
    sites=(1,),
    starts_on=TODAY,
    ends_on=TODAY + 60 * DAY,
    least=Gram(100_000),
    most_per_week=Gram(400_000),
    floor=FenPerKg(650),
)
TERMS = Terms(
    deliver_from=TODAY,
    deliver_to=TODAY + 60 * DAY,
    milestones=(Milestone("arrival", WHOLE, 30),),
)


class Scene(msgspec.Struct):
    """A buyer with one store, and a seller with 5,000 kg of peanuts on sale."""

    buyer: Member
    seller: Member
    listing_id: int
    frame_id: int = 0

    async def propose(self, **changed: object) -> int:
        self.frame_id = await propose_frame(
            frame=NewFrame(self.seller.organisation_id, msgspec.structs.replace(AGREED, **changed), TERMS),
            side="buyer",
            organisation_id=self.buyer.organisation_id,
            actor=self.buyer.actor,
            at=STORY,
        )
        return self.frame_id

    async def sign(self, member: Member | None = None) -> None:
        member = member or self.seller
        await sign_frame(
            frame_id=self.frame_id,
            organisation_id=member.organisation_id,
            actor=member.actor,
            at=STORY,
        )

    async def call(self, *, kg: int = 300, days: int = 3, price: int | None = None, key: str = "") -> int:
        start = TODAY + days * DAY
        return await call_off(
            batch=Batch(
                self.frame_id,
                Gram(kg * 1_000),
                1,
                start,
                start + 2 * DAY,
                None if price is None else FenPerKg(price),
            ),
            buyer_id=self.buyer.organisation_id,
            actor=self.buyer.actor,
            at=STORY,
            key=key or None,
        )

    async def confirm(self, call_id: int, *, listing_id: int = 0, key: str = "") -> int:
        return await confirm_call(
            frame_id=self.frame_id,
            call_id=call_id,
            listing_id=listing_id or self.listing_id,
            seller_id=self.seller.organisation_id,
            actor=self.seller.actor,
            at=STORY,
            key=key or None,
        )

    async def drop(self, call_id: int, member: Member, reason: str | None = None) -> str:
        return await drop_call(
            frame_id=self.frame_id,
            call_id=call_id,
            organisation_id=member.organisation_id,
            actor=member.actor,
            at=STORY,
            reason=reason,
        )


async def scene_of(factory: Factory) -> Scene:
    buyer, seller = await factory.member(role="buyer"), await factory.member(role="secretary")
    await factory.demand(buyer)  # it brings the store
    return Scene(buyer, seller, await factory.listing(seller, kg=5_000))


@pytest.fixture
async def scene(factory: Factory) -> Scene:
    return await scene_of(factory)


async def test_batches_become_contracts_in_force_with_stock_and_terms_of_their_own(scene: Scene) -> None:
    buyer, seller = scene.buyer, scene.seller
    await scene.propose()
    with pytest.raises(Conflict, match="不能要货"):
        await scene.call()
    with pytest.raises(WrongState):
        await scene.sign(buyer)
    await scene.sign()
    assert await fetch_value("SELECT remaining FROM lot") == 5_000_000
    first = await scene.call(key="one")
    assert await scene.call(key="one") == first
    assert (await inbox(organisation_id=seller.organisation_id))[0].kind == "call_placed"
    with pytest.raises(NotFound):
        await confirm_call(
            frame_id=scene.frame_id,
            call_id=first,
            listing_id=scene.listing_id,
            seller_id=buyer.organisation_id,
            actor=buyer.actor,
            at=STORY,
        )
    deal_id = await scene.confirm(first, key="yes")
    assert await scene.confirm(first, key="yes") == deal_id
    deal = (await fetch("SELECT * FROM deal"))[0]
    assert (deal["id"], deal["state"], deal["quantity"], deal["price"]) == (deal_id, "active", 300_000, 700)
    assert (deal["source"], deal["source_id"]) == ("call_off", first)
    assert (deal["seller_signed_by"], deal["buyer_signed_by"]) == (seller.person_id, buyer.person_id)
    version, terms = await terms_in_force(deal_id=deal_id)
    assert (version, terms.milestones) == (1, TERMS.milestones)
    assert (terms.deliver_from, terms.place) == (
        TODAY + 3 * DAY,
        await fetch_value("SELECT name FROM site"),
    )
    assert await fetch_value("SELECT remaining FROM lot") == 4_700_000
    second = await scene.call(kg=100, price=660)
    await scene.confirm(second)
    frame = await frame_of(frame_id=scene.frame_id, organisation_id=seller.organisation_id)
    assert (frame.called, frame.confirmed, frame.left) == (400_000, 400_000, 600_000)
    rows = await calls_of(frame_id=scene.frame_id, organisation_id=buyer.organisation_id)
    assert [(row.state, row.price) for row in rows] == [("confirmed", 660), ("confirmed", 700)]
    assert [row.id for row in await frames_of(organisation_id=buyer.organisation_id)] == [scene.frame_id]
    assert [step.action for step in await history(subjects=[f"frame:{scene.frame_id}"])] == [
        *("propose", "sign", "call", "confirm", "call", "confirm")
    ]
    waiting = await scene.call(kg=100, days=10)
    await scene.propose()
    for attempt in (scene.confirm(waiting), scene.drop(waiting, buyer)):
        with pytest.raises(NotFound):  # under another agreement's number there is no such batch
            await attempt


async def test_nothing_is_called_beyond_total_week_notice_floor_and_days(
    scene: Scene, factory: Factory
) -> None:
    await scene.propose()
    await scene.sign()
    for wrong, field in (
        ({"kg": 99}, "quantity"),
        ({"kg": 401}, "quantity"),
        ({"kg": 1_001}, "quantity"),
        ({"days": 2}, "deliver_from"),
        ({"days": 59}, "deliver_to"),
        ({"price": 649}, "price"),
    ):
        with pytest.raises(Invalid) as refused:
            await scene.call(**wrong)  # type: ignore[arg-type]
        assert set(refused.value.fields) == {field}
    first = await scene.call(kg=400)
    with pytest.raises(Invalid):
        await scene.call(kg=100, days=6)
    third = await scene.call(kg=400, days=7)
    await scene.call(kg=150, days=14)
    with pytest.raises(Invalid):
        await scene.call(kg=100, days=21)
    await scene.call(kg=50, days=21)  # the last rest may be small
    assert await fetch_value("SELECT called FROM frame") == 1_000_000
    oil = await factory.listing(scene.seller, produce="peanut-oil")
    with pytest.raises(Invalid):
        await scene.confirm(first, listing_id=oil)
    small = await factory.listing(scene.seller, kg=399)
    with pytest.raises(Conflict):
        await scene.confirm(first, listing_id=small)
    with pytest.raises(Invalid):
        await scene.drop(first, scene.seller)
    assert await scene.drop(first, scene.seller, "quality") == "refused"
    assert await scene.drop(third, scene.buyer) == "withdrawn"
    assert await fetch_value("SELECT called FROM frame") == 200_000
    assert await expire_calls(at=STORY + 3 * DAY) == 2
    assert await fetch_value("SELECT called FROM frame") == 0
    with pytest.raises(WrongState):
        await scene.confirm(first)


async def test_agreements_are_declined_lapse_and_end_with_a_word_on_what_was_not_called(
    scene: Scene, factory: Factory
) -> None:
    stranger = await factory.member(role="buyer")
    for changed, field in (
        ({"total": Gram(0)}, "total"),
        ({"floor": FenPerKg(701)}, "floor"),
        ({"sites": (99,)}, "sites"),
        ({"ends_on": TODAY - DAY}, "ends_on"),
        ({"produce": "none"}, "produce"),
    ):
        with pytest.raises(Invalid) as refused:
            await scene.propose(**changed)
        assert field in refused.value.fields
    await scene.propose()
    with pytest.raises(NotFound):
        await scene.sign(stranger)
    with pytest.raises(Invalid):
        await decline_frame(
            frame_id=scene.frame_id,
            organisation_id=scene.seller.organisation_id,
            actor=scene.seller.actor,
            at=STORY,
        )
    for member, state in ((scene.seller, "refused"), (scene.buyer, "withdrawn")):
        await scene.propose()
        assert state == await decline_frame(
            frame_id=scene.frame_id,
            organisation_id=member.organisation_id,
            actor=member.actor,
            at=STORY,
            reason="price",
        )
    await scene.propose()
    await scene.sign()
    await scene.confirm(await scene.call(kg=300))
    assert await round_of_frames(at=STORY + 15 * DAY) == 1  # the first, which nobody signed
    assert await round_of_frames(at=STORY + 50 * DAY) == 0
    told = (await inbox(organisation_id=scene.seller.organisation_id))[0]
    assert (told.kind, told.message.values["left"]) == ("frame_ending", masses(Gram(700_000)))
    assert await round_of_frames(at=STORY + 61 * DAY) == 1
    for member in (scene.seller, scene.buyer):
        told = (await inbox(organisation_id=member.organisation_id))[0]
        assert (told.kind, told.message.values["left"]) == ("frame_ended", masses(Gram(700_000)))


async def test_what_a_terminated_batch_left_undelivered_may_be_called_off_again(scene: Scene) -> None:
    """300 kg are called, 100 kg taken, 50 kg on their way at the notice and then refused."""
    seller, buyer = scene.seller, scene.buyer
    await scene.propose(total=Gram(400_000))
    await scene.sign()
    deal_id = await scene.confirm(await scene.call(kg=300))
    loads = [
        await schedule_delivery(
            deal_id=deal_id,
            quantity=Gram(grams),
            on=TODAY,
            organisation_id=seller.organisation_id,
            actor=seller.actor,
            at=STORY,
        )
        for grams in (100_000, 50_000)
    ]

    async def move(load: int, move: str, by: Member, **more: object) -> None:
        await move_delivery(
            delivery_id=load,
            move=move,
            organisation_id=by.organisation_id,
            actor=by.actor,
            at=STORY,
            **more,  # type: ignore[arg-type]
        )

    for load in loads:
        await move(load, "dispatch", seller)
        await move(load, "arrive", buyer)
    await move(loads[0], "accept", buyer)
    with pytest.raises(Invalid):
        await scene.call(kg=250, days=10)
    by: dict[str, Any] = {"organisation_id": buyer.organisation_id, "actor": buyer.actor, "at": STORY}
    case = NewCase(
        deal_id=deal_id, ground="late_delivery", statement="还差两百公斤。", quantity=Gram(200_000)
    )
    case_id = await open_case(case=case, **by)
    await file_case(breach_id=case_id, **by)
    assert await terminate(breach_id=case_id, **by) == 150_000
    whole = await frame_of(frame_id=scene.frame_id, organisation_id=buyer.organisation_id)
    assert (whole.called, whole.confirmed, whole.left) == (150_000, 150_000, 250_000)
    await move(loads[1], "reject", buyer, reason="quality")
    whole = await frame_of(frame_id=scene.frame_id, organisation_id=buyer.organisation_id)
    assert (whole.called, whole.confirmed, whole.left) == (100_000, 100_000, 300_000)
    (call,) = await calls_of(frame_id=scene.frame_id, organisation_id=buyer.organisation_id)
    assert (call.quantity, call.returned) == (300_000, 200_000)
    steps = await history(subjects=[f"frame:{scene.frame_id}"])
    given = [step.details["grams"] for step in steps if step.action == "give_back"]
    assert given == [150_000, 50_000]
    await scene.call(kg=300, days=4)  # in the same week, of which 100 kg are used


async def test_an_agreement_ends_early_when_both_say_so_and_what_was_called_stays(scene: Scene) -> None:
    seller, buyer = scene.seller, scene.buyer

    async def propose(member: Member, reason: str | None = "price") -> str:
        return await propose_end(
            frame_id=scene.frame_id,
            organisation_id=member.organisation_id,
            actor=member.actor,
            at=STORY,
            reason=reason,
        )

    async def answer(member: Member, move: str, reason: str | None = None) -> str:
        own, by, frame = member.organisation_id, member.actor, scene.frame_id
        return await answer_end(
            frame_id=frame, move=move, organisation_id=own, actor=by, at=STORY, reason=reason
        )

    await scene.propose()
    with pytest.raises(WrongState):
        await propose(buyer)
    await scene.sign()
    with pytest.raises(Invalid):
        await propose(buyer, None)
    assert await propose(buyer) == "buyer_ends"
    for member, move in ((buyer, "agree_end"), (buyer, "refuse_end"), (seller, "withdraw_end")):
        with pytest.raises(WrongState):
            await answer(member, move)
    with pytest.raises(Invalid, match="请选择原因"):
        await answer(seller, "refuse_end")
    assert await answer(seller, "refuse_end", "price") == "active"
    assert str((await inbox(organisation_id=buyer.organisation_id))[0].message.values["why"]) == "price"
    assert await fetch_value("SELECT reason FROM frame") is None
    await propose(buyer)
    assert await fetch_value("SELECT end_refused FROM frame") is None
    assert await answer(buyer, "withdraw_end") == "active"
    assert await propose(seller) == "seller_ends"
    with pytest.raises(WrongState):
        await propose(buyer)
    waiting = await scene.call(kg=200)  # nothing is over before the other agrees
    assert await answer(buyer, "agree_end") == "ended_early"
    told = (await inbox(organisation_id=seller.organisation_id))[0]
    assert (told.kind, told.message.values["left"]) == ("frame_agree_end", masses(Gram(800_000)))
    with pytest.raises(Conflict, match="不能要货"):
        await scene.call()
    await scene.confirm(waiting)
    whole = await frame_of(frame_id=scene.frame_id, organisation_id=buyer.organisation_id)
    assert (whole.state, whole.confirmed, whole.reason_zh is None) == ("ended_early", 200_000, False)
    assert await round_of_frames(at=STORY + 61 * DAY) == 0


@pytest.fixture
async def wide(factory: Factory, db: Engine) -> AsyncIterator[Factory]:
    async with connections(db, 16):
        yield factory


@pytest.mark.parametrize("locked", [True, False])
async def test_many_calls_at_once_never_take_more_than_was_agreed(
    wide: Factory, monkeypatch: pytest.MonkeyPatch, locked: bool
) -> None:
    """16 calls of 100 kg at once, 400 kg a week; without the agreement's lock the same goes wrong."""
    scene = await scene_of(wide)
    await scene.propose()
    await scene.sign()
    if not locked:

        async def unlocked(sql: str, *values: object) -> list[Record]:
            return await fetch(sql.replace("FOR NO KEY UPDATE", ""), *values)

        monkeypatch.setattr("market.deals.frames.operations.fetch", unlocked)

    async def tried() -> bool:
        try:
            await scene.call(kg=100)
        except (MarketError, Busy, CheckViolationError):
            return False
        return True

    placed = sum(await at_once([tried() for _ in range(16)]))
    called = await fetch_value("SELECT coalesce(sum(quantity), 0)::bigint FROM call_off")
    assert ((placed, called) == (4, 400_000)) is locked
    assert await fetch_value("SELECT called FROM frame") == called


def test_weeks_are_counted_from_the_first_day_of_the_agreement() -> None:
    start = TODAY + 2 * DAY
    assert week_of(start + 6 * DAY, starts_on=start) == (start, start + 6 * DAY)
    assert week_of(start + 7 * DAY, starts_on=start) == (start + 7 * DAY, start + 13 * DAY)


async def test_what_is_over_is_neither_signed_nor_confirmed(scene: Scene) -> None:
    await scene.propose(ends_on=TODAY + 2 * DAY, notice_days=0)
    seller = {"actor": scene.seller.actor}
    late = STORY + 3 * DAY
    with pytest.raises(Conflict, match="过了签字期限"):
        await sign_frame(
            frame_id=scene.frame_id, organisation_id=scene.seller.organisation_id, at=late, **seller
        )
    await scene.sign()
    batch = Batch(scene.frame_id, Gram(100_000), 1, TODAY, TODAY)
    buyer = scene.buyer
    call = await call_off(batch=batch, buyer_id=buyer.organisation_id, actor=buyer.actor, at=STORY)
    with pytest.raises(Conflict, match="过了确认期限"):
        await confirm_call(
            frame_id=scene.frame_id,
            call_id=call,
            listing_id=scene.listing_id,
            seller_id=scene.seller.organisation_id,
            at=STORY + DAY,
            **seller,
        )
    assert await expire_calls(at=STORY + DAY) == 1


async def test_an_agreement_is_between_one_who_sells_and_one_who_buys(scene: Scene, factory: Factory) -> None:
    for role in ("official", "buyer"):
        nobody = await factory.member(role=role)
        with pytest.raises(NotFound):
            await propose_frame(
                frame=NewFrame(nobody.organisation_id, AGREED, TERMS),
                side="buyer",
                organisation_id=scene.buyer.organisation_id,
                actor=scene.buyer.actor,
                at=STORY,
            )

"""Joint offers: several sellers answer one demand, each for itself; the buyer takes all of them or none."""

from collections.abc import AsyncIterator, Awaitable
from datetime import timedelta

import asyncpg
import msgspec
import pytest
from asyncpg import Record
from hypothesis import given
from hypothesis import strategies as st

from fixtures.factories import STORY, TODAY, Factory, Member, window_end
from market.audit.queries import history
from market.bids.joint.answering import answer_share, submit_joint
from market.bids.joint.closing import (
    expire_joints,
    reject_joint,
    withdraw_joint,
)
from market.bids.joint.operations import NewJoint, ask_to_join, invite, open_joint
from market.bids.joint.queries import goods_of_others, joints_of, joints_on, together_with
from market.bids.joint.rules import part_of
from market.bids.operations import NewBid, accept_bid, place_bid
from market.bids.standing import revise_terms, revise_wants
from market.db.session import Engine, execute, fetch, fetch_value
from market.deals.operations import cancel
from market.demand.commands import DemandWants
from market.errors import Busy, Conflict, Invalid, MarketError, NotFound
from market.notices.queries import inbox
from market.supply.commands import NewTerms
from market.transitions import WrongState
from market.units import FenPerKg, Gram
from tests.integration.bids.villages import DAYS, Scene, scene_of
from tests.integration.races import at_once, connections


@pytest.fixture
async def scene(factory: Factory) -> Scene:
    return await scene_of(factory)


async def test_three_villages_sell_one_load_by_three_contracts_under_one_number(scene: Scene) -> None:
    buyer, (lead, second, third) = scene.buyer, scene.villages
    await scene.open(least=500)
    with pytest.raises(Conflict, match="已经为这条需求牵头"):
        await scene.open()
    with pytest.raises(Conflict, match="至少要两家"):
        await scene.submit()
    with pytest.raises(NotFound):
        await scene.seen(buyer)
    # a neighbour sees that it gathers, and nothing of who brings what
    outside = await scene.seen(third)
    assert (outside.joint.role, outside.shares, outside.joint.grams) == ("outsider", [], 333_000)
    assert (outside.joint.worth, outside.joint.note) == (None, "")
    offered = await goods_of_others(joint=outside.joint)
    assert {each.listing for each in offered} == set(scene.listings[1:])

    invited = await scene.invite(1, price=690)
    asked = await ask_to_join(
        share=scene.share(2, kg=334, price=680),
        seller_id=third.organisation_id,
        actor=third.actor,
        at=STORY,
    )
    # who only asks learns nothing more by asking; who is invited decides on the whole
    asking, guest = await scene.seen(third), await scene.seen(second)
    assert [share.id for share in asking.shares] == [asked]
    assert (asking.joint.role, asking.joint.worth, asking.joint.note) == ("seller", None, "")
    assert len(guest.shares) == 3
    assert guest.joint.note == "两车"
    with pytest.raises(Conflict, match="没有确认"):
        await scene.submit()
    for share_id, move, n in ((invited, "admit", 0), (asked, "confirm", 2)):
        with pytest.raises(WrongState):
            await scene.answer(share_id, move, n)
    with pytest.raises(NotFound):
        await scene.answer(invited, "confirm", 2)
    assert await scene.answer(invited, "confirm", 1) == "confirmed"
    assert await scene.answer(asked, "admit", 0) == "confirmed"
    await scene.submit()
    assert (await inbox(organisation_id=buyer.organisation_id))[0].kind == "joint_submitted"
    for_buyer = await scene.seen(buyer)
    assert [(share.quantity, share.price) for share in for_buyer.shares] == [
        (333_000, 700),
        (333_000, 690),
        (334_000, 680),
    ]
    assert (for_buyer.joint.grams, for_buyer.joint.worth) == (1_000_000, 689_990)
    for kg in (499, 1_001):
        with pytest.raises(Invalid):
            await scene.accept(kg=kg)

    deals = await scene.accept(kg=800, key="take")
    assert await scene.accept(kg=800, key="take") == deals
    rows = await fetch("SELECT id, seller, quantity, price, source, demand FROM deal ORDER BY id")
    assert [row["id"] for row in rows] == deals
    assert [(row["quantity"], row["price"]) for row in rows] == [
        (267_000, 700),
        (266_000, 690),
        (267_000, 680),
    ]
    assert {(row["source"], row["demand"]) for row in rows} == {("joint", scene.demand_id)}
    assert await fetch_value("SELECT open FROM demand") == 200_000
    number = for_buyer.joint.number
    assert number == f"PH-{TODAY:%Y%m%d}-{scene.joint_id:04d}"
    assert [await together_with(deal_id=deal) for deal in deals] == [(number, scene.joint_id)] * 3
    assert await scene.states() == ("accepted", ["sold"] * 3)
    assert [row.role for row in await joints_of(organisation_id=second.organisation_id)] == ["seller"]
    assert [step.action for step in await history(subjects=[f"joint:{scene.joint_id}"])] == [
        *("open", "invite", "ask", "share_confirm", "share_admit", "submit", "accept")
    ]
    with pytest.raises(Conflict):
        await withdraw_joint(
            joint_id=scene.joint_id, lead_id=lead.organisation_id, actor=lead.actor, at=STORY
        )


async def test_a_contract_that_is_cancelled_is_told_to_the_others_and_the_buyer(scene: Scene) -> None:
    buyer, (lead, second, third) = scene.buyer, scene.villages
    await scene.full()
    deals, gone = await scene.accept(), "joint_contract_gone"

    async def drop(n: int) -> None:
        own, by = scene.villages[n].organisation_id, scene.villages[n].actor
        await cancel(deal_id=deals[n], reason="other", note="车坏了", organisation_id=own, actor=by, at=STORY)

    async def kinds(member: Member) -> list[str]:
        return [each.kind for each in await inbox(organisation_id=member.organisation_id)]

    await drop(1)
    for member, act in ((lead, "再给这条需求报价"), (third, "再给这条需求报价"), (buyer, "请别家报价")):
        told = (await inbox(organisation_id=member.organisation_id))[0]
        assert told.link == f"/joint/{scene.joint_id}"
        assert "少了 666 斤（333 公斤），其余合起来 1,332 斤（666 公斤）" in str(told.message)
        assert act in str(told.message)
    assert (await kinds(lead))[0] == gone not in await kinds(second)
    assert [share.missing for share in (await scene.seen(buyer)).shares] == [0, 333_000, 0]
    _ = [await drop(n) for n in (0, 2)]  # the last to go leaves the buyer alone to be told
    assert "已没有有效的合同" in str((await inbox(organisation_id=buyer.organisation_id))[0].message)
    assert (await kinds(lead)).count(gone) == 1


async def test_who_leaves_or_changes_terms_lets_the_others_confirm_again(scene: Scene) -> None:
    second, third = await scene.full()
    await scene.answer(third, "withdraw", 2)
    assert [share.id for share in (await scene.seen(scene.villages[2])).shares] == [third]
    assert await scene.states() == (
        "needs_reconfirm",
        ["needs_reconfirm", "needs_reconfirm", "withdrawn"],
    )
    with pytest.raises(WrongState):
        await scene.accept()
    assert (await inbox(organisation_id=scene.villages[1].organisation_id))[0].kind == "joint_unsettled"
    with pytest.raises(Conflict, match="没有确认"):
        await scene.submit()
    await scene.answer(second, "confirm", 1)
    again = await scene.invite(2, kg=300)
    assert again == third
    await scene.answer(third, "confirm", 2)
    await scene.submit()
    assert await scene.states() == ("submitted", ["confirmed"] * 3)

    await revise_wants(
        demand_id=scene.demand_id,
        wants=DemandWants(Gram(1_000_000), FenPerKg(900), TODAY, window_end(30), requires=("test-report",)),
        buyer_id=scene.buyer.organisation_id,
        actor=scene.buyer.actor,
        at=STORY,
    )
    assert (await scene.states())[0] == "needs_reconfirm"
    for n, share_id in ((1, second), (2, third)):
        await scene.answer(share_id, "confirm", n)
    await scene.submit()
    await revise_terms(
        listing_id=scene.listings[1],
        terms=NewTerms(FenPerKg(750), Gram(0), TODAY, window_end(60), ()),
        owner_id=scene.villages[1].organisation_id,
        actor=scene.villages[1].actor,
        at=STORY,
    )
    assert await scene.states() == ("needs_reconfirm", ["needs_reconfirm"] * 3)
    await execute("UPDATE joint_offer SET expires_at = $1", STORY)
    assert await expire_joints(at=STORY) == 1
    assert (await scene.states())[0] == "expired"
    with pytest.raises(Conflict):
        await scene.answer(second, "confirm", 1)


async def test_the_days_are_the_buyers_and_its_own_goods_are_no_share(scene: Scene, factory: Factory) -> None:
    await execute("UPDATE organisation SET granted = '{sell}' WHERE id = $1", scene.buyer.organisation_id)
    scene.listings[1] = await factory.listing(scene.buyer)
    await scene.open()
    with pytest.raises(NotFound):
        await scene.invite(1)
    lead = scene.villages[2]
    beyond = (window_end(30) - TODAY).days + 10
    for days, told in (((beyond, beyond + 10), "买方的到货时间"), ((-9, -1), "交货截止日期已过")):
        first, last = (TODAY + timedelta(days=n) for n in days)
        joint = NewJoint(
            scene.demand_id, scene.listings[2], Gram(1_000), FenPerKg(700), first, last, common=False
        )
        with pytest.raises(Invalid, match=told):
            await open_joint(joint=joint, lead_id=lead.organisation_id, actor=lead.actor, at=STORY)


async def test_nothing_is_done_with_a_joint_offer_past_its_time(scene: Scene) -> None:
    """Whether or not the upkeep has come by to close it."""
    await scene.open()
    second = await scene.invite(1)
    late = STORY + timedelta(days=7)
    lead, seller = scene.villages[0], scene.villages[1]
    own = {"lead_id": lead.organisation_id, "actor": lead.actor, "at": late}
    with pytest.raises(Conflict, match="已过期限"):
        await answer_share(
            share_id=second,
            move="confirm",
            organisation_id=seller.organisation_id,
            actor=seller.actor,
            at=late,
        )
    with pytest.raises(Conflict, match="已过期限"):
        await invite(share=scene.share(2), **own)
    await scene.answer(second, "confirm", 1)
    with pytest.raises(Conflict, match="已过期限"):
        await submit_joint(joint_id=scene.joint_id, **own)
    await withdraw_joint(joint_id=scene.joint_id, **own)


async def test_one_common_price_binds_every_share_and_a_refusal_is_coded(
    scene: Scene, factory: Factory
) -> None:
    await scene.open(common=True)
    with pytest.raises(Invalid) as refused:
        await scene.invite(1, price=690)
    assert set(refused.value.fields) == {"price"}
    for kg in (0, 401):
        with pytest.raises(Invalid):
            await scene.invite(1, kg=kg)
    share_id = await scene.invite(1)
    with pytest.raises(Conflict, match="已经在这次拼货里"):
        await scene.invite(1)
    await scene.answer(share_id, "confirm", 1)
    await scene.submit()
    with pytest.raises(Conflict, match="已经交给买方"):
        await scene.invite(2)
    stranger = await factory.member(role="buyer")
    with pytest.raises(NotFound):
        await scene.seen(stranger)
    with pytest.raises(Invalid):
        await reject_joint(
            joint_id=scene.joint_id,
            buyer_id=scene.buyer.organisation_id,
            reason="none",
            note="",
            actor=scene.buyer.actor,
            at=STORY,
        )
    await reject_joint(
        joint_id=scene.joint_id,
        buyer_id=scene.buyer.organisation_id,
        reason="price",
        note="",
        actor=scene.buyer.actor,
        at=STORY,
    )
    rows = await joints_on(demand_id=scene.demand_id, organisation_id=scene.villages[1].organisation_id)
    assert [(row.state, row.reason_zh) for row in rows] == [("rejected", "price")]


async def test_where_one_seller_has_sold_its_goods_nobody_sells(scene: Scene, factory: Factory) -> None:
    await scene.full()
    other, seller = await factory.member(role="buyer"), scene.villages[2]
    bid_id = await place_bid(
        bid=NewBid(scene.listings[2], Gram(100_000), FenPerKg(800), *DAYS),
        buyer_id=other.organisation_id,
        actor=other.actor,
        at=STORY,
    )
    await accept_bid(bid_id=bid_id, seller_id=seller.organisation_id, actor=seller.actor, at=STORY)
    with pytest.raises(Conflict, match="整份都没有成交"):
        await scene.accept()
    assert await fetch_value("SELECT count(*) FROM deal WHERE source = 'joint'") == 0
    assert await fetch_value("SELECT open FROM demand") == 1_000_000
    assert await fetch_value("SELECT sum(remaining)::bigint FROM lot") == 1_100_000
    assert await fetch_value("SELECT sum(change)::bigint FROM stock_entry") == 1_100_000
    assert (await scene.states())[0] == "submitted"


@pytest.fixture
async def wide(factory: Factory, db: Engine) -> AsyncIterator[Factory]:
    async with connections(db, 12):
        yield factory


async def test_many_accepts_and_rival_bids_at_once_sell_every_kilogram_once(wide: Factory) -> None:
    scene = await scene_of(wide)
    await scene.full(least=500)
    other, seller = await wide.member(role="buyer"), scene.villages[1]
    bids = [
        await place_bid(
            bid=NewBid(scene.listings[1], Gram(100_000), FenPerKg(800), *DAYS),
            buyer_id=other.organisation_id,
            actor=other.actor,
            at=STORY,
        )
        for _ in range(4)
    ]

    async def take() -> bool:
        try:
            await scene.accept()
        except MarketError:
            return False
        return True

    async def sell(bid_id: int) -> bool:
        try:
            await accept_bid(bid_id=bid_id, seller_id=seller.organisation_id, actor=seller.actor, at=STORY)
        except MarketError:
            return False
        return True

    taken = await at_once([*(take() for _ in range(6)), *map(sell, bids)])
    joint = sum(taken[:6])
    assert joint <= 1
    assert await fetch_value("SELECT count(*) FROM deal WHERE source = 'joint'") == 3 * joint
    sold = await fetch_value("SELECT coalesce(sum(quantity), 0)::bigint FROM deal")
    assert sold == 999_000 * joint + 100_000 * sum(taken[6:])
    assert await fetch_value("SELECT sum(remaining)::bigint FROM lot") == 1_200_000 - sold
    assert await fetch_value("SELECT open FROM demand") == 1_000_000 - 999_000 * joint


async def test_of_many_openings_at_once_one_counts(wide: Factory) -> None:
    """Each from other goods, so that no lock of theirs puts them in line."""
    scene = await scene_of(wide)
    lead = scene.villages[0]
    goods = [await wide.listing(lead, kg=400) for _ in range(6)]

    async def tried(listing_id: int) -> bool:
        try:
            await msgspec.structs.replace(scene, listings=[listing_id]).open()
        except Conflict:
            return False
        return True

    assert sum(await at_once(map(tried, goods))) == 1
    rows = await fetch("SELECT joint_offer.state, joint_share.state FROM joint_offer, joint_share")
    assert [tuple(row.values()) for row in rows] == [("gathering", "confirmed")]


@pytest.mark.parametrize("locked", [True, False])
async def test_one_of_many_accepts_counts_and_nobody_leaves_while_it_is_made(
    wide: Factory, monkeypatch: pytest.MonkeyPatch, locked: bool
) -> None:
    """Stock and demand would suffice for all of them: the joint offer's own lock is what keeps it to one.

    Without it the same race goes wrong: the proof that this test can fail.
    """
    scene = await scene_of(wide, kg_each=4_000, kg_wanted=10_000)
    third = (await scene.full())[1]
    if not locked:

        async def unlocked(sql: str, *values: object) -> list[Record]:
            return await fetch(sql.replace("FOR NO KEY UPDATE OF joint_offer", ""), *values)

        monkeypatch.setattr("market.bids.joint.operations.fetch", unlocked)

    async def tried(deed: Awaitable[object]) -> str:
        try:
            await deed
        except Conflict:
            return "conflict"
        except (asyncpg.UniqueViolationError, Busy):
            return "clash"
        return "done"

    ends = await at_once(
        [*(tried(scene.accept()) for _ in range(8)), tried(scene.answer(third, "withdraw", 2))]
    )
    made = await fetch_value("SELECT count(*) FROM deal")
    joint, shares = await scene.states()
    kept = (made, joint, shares) in (
        (3, "accepted", ["sold"] * 3),
        (0, "needs_reconfirm", ["needs_reconfirm", "needs_reconfirm", "withdrawn"]),
    )
    assert (kept and "clash" not in ends and ends.count("done") == 1) is locked


@given(shares=st.lists(st.integers(1, 10**9), min_size=1, max_size=50), part=st.integers(0, 10**6))
def test_parts_of_a_joint_offer_sum_exactly_and_exceed_no_share(shares: list[int], part: int) -> None:
    taken = Gram(max(1, sum(shares) * part // 10**6))
    parts = part_of(taken, [Gram(share) for share in shares])
    assert sum(parts) == taken
    assert all(0 <= mine <= share for mine, share in zip(parts, shares, strict=True))

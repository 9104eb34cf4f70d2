"""Terms that change under a joint offer: who is told, and that nobody confirms what they have not read."""

from datetime import datetime, timedelta

import pytest

from fixtures.factories import STORY, TODAY, Factory, window_end
from market.bids.joint.answering import Changed, Seen, answer_share, submit_joint
from market.bids.standing import revise_terms, revise_wants
from market.demand.commands import DemandWants
from market.notices.queries import inbox
from market.supply.commands import NewTerms
from market.units import FenPerKg, Gram
from tests.integration.bids.villages import Scene, scene_of


@pytest.fixture
async def scene(factory: Factory) -> Scene:
    return await scene_of(factory)


async def want(scene: Scene, ceiling: int) -> None:
    """The buyer comes down to ``ceiling`` fen per kg."""
    await revise_wants(
        demand_id=scene.demand_id,
        wants=DemandWants(Gram(1_000_000), FenPerKg(ceiling), TODAY, TODAY + timedelta(days=30)),
        buyer_id=scene.buyer.organisation_id,
        actor=scene.buyer.actor,
        at=STORY,
    )


async def ask(scene: Scene, n: int, price: int, at: datetime = STORY) -> None:
    """The ``n``-th village changes the price of its goods."""
    await revise_terms(
        listing_id=scene.listings[n],
        terms=NewTerms(FenPerKg(price), Gram(0), TODAY, window_end(60), ()),
        owner_id=scene.villages[n].organisation_id,
        actor=scene.villages[n].actor,
        at=at,
    )


async def test_each_change_is_told_to_whoever_has_not_confirmed_since(scene: Scene) -> None:
    second, _ = await scene.full()

    async def times(n: int) -> int:
        told = await inbox(organisation_id=scene.villages[n].organisation_id)
        return [each.kind for each in told].count("joint_unsettled")

    await want(scene, 890)
    await want(scene, 880)
    assert [await times(n) for n in range(3)] == [2, 2, 2]
    # one village has confirmed, and that whose goods change has not: the first is asked again all the same
    await scene.answer(second, "confirm", 1)
    await ask(scene, 2, 750)
    assert await scene.states() == ("needs_reconfirm", ["needs_reconfirm"] * 3)
    assert [await times(n) for n in range(3)] == [3, 3, 3]


async def test_what_is_confirmed_or_submitted_is_what_was_read(scene: Scene) -> None:
    second, third = await scene.full()
    await want(scene, 890)
    read = (await scene.seen(scene.villages[1])).joint.expires_at
    await ask(scene, 2, 750, at=STORY + timedelta(minutes=1))

    async def confirm(until: datetime | None) -> None:
        village = scene.villages[1]
        await answer_share(
            share_id=second,
            move="confirm",
            organisation_id=village.organisation_id,
            actor=village.actor,
            at=STORY,
            seen=Seen(333_000, 700, 666_000, until),
        )

    with pytest.raises(Changed):
        await confirm(read)
    await confirm((await scene.seen(scene.villages[1])).joint.expires_at)
    await scene.answer(third, "confirm", 2)
    lead = scene.villages[0]
    with pytest.raises(Changed):
        await submit_joint(
            joint_id=scene.joint_id,
            lead_id=lead.organisation_id,
            actor=lead.actor,
            at=STORY,
            until=read,
        )
    await scene.submit()

"""Who chooses "other" as the reason says in words what it is, wherever a coded reason is asked for."""

import pytest

from market.deals.operations import cancel
from market.errors import Invalid
from tests.integration.deals.test_paying import Scene
from tests.integration.deals.test_paying import scene as scene


async def test_a_contract_is_not_cancelled_for_other_without_a_word(scene: Scene) -> None:
    with pytest.raises(Invalid) as refused:
        await cancel(deal_id=scene.deal_id, reason="other", note=" ", **scene.by(scene.buyer))
    assert list(refused.value.fields) == ["note"]
    assert await scene.state() == "pending"
    await cancel(deal_id=scene.deal_id, reason="other", note="停业", **scene.by(scene.buyer))
    assert await scene.state() == "cancelled"


async def test_goods_are_not_refused_for_other_without_a_word(scene: Scene) -> None:
    await scene.sign()
    load = await scene.send(333_333, "dispatch", "arrive")
    for move in ("reject", "accept_part"):
        with pytest.raises(Invalid) as refused:
            await scene.move(load, move, reason="other", accepted=1_000 if move == "accept_part" else None)
        assert list(refused.value.fields) == ["note"]
    await scene.move(load, "reject", reason="other", note="车厢里有煤")

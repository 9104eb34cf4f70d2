"""Goods leave the stock with a contract's deliveries, once, and what is refused comes back."""

from datetime import timedelta
from typing import Any

import pytest

from fixtures.factories import STORY, TODAY, Factory
from market.db.session import execute, fetch, fetch_value
from market.deals.fulfilment import MOST_LATE_DAYS, schedule_delivery
from market.deals.operations import cancel
from market.errors import Invalid
from market.i18n import LANGUAGES, translate
from market.notices.queries import inbox
from market.supply.lots import lot_page, open_deals_of
from market.supply.stock import NewStorage, move_stock, open_storage, send_stock, take_back
from market.units import Gram
from tests.integration.deals.scene import Contracted, contract

WHOLE = 400_000


class Gate(Contracted, frozen=True):
    lot_id: int

    def own(self, **how: Any) -> dict[str, Any]:
        by = {"owner_id": self.seller.organisation_id, "actor": self.seller.actor, "at": STORY}
        return {"lot_id": self.lot_id, **by, **how}

    async def by_hand(self, grams: int, *, back: bool = False) -> None:
        how = {"grams": Gram(grams), "deal_id": self.deal_id, "storage_id": None}
        await (take_back if back else send_stock)(**self.own(**how))

    async def sent(self) -> int:
        """What the page of the lot says has left."""
        return (await lot_page(self.lot_id, self.seller.organisation_id)).sent

    async def left(self) -> list[int]:
        """What the page says is still to be sent, of each contract in force."""
        return [each.left for each in await open_deals_of(self.lot_id, self.seller.organisation_id)]


@pytest.fixture
async def gate(factory: Factory) -> Gate:
    seller, buyer = await factory.member(role="secretary"), await factory.member(role="buyer")
    listing_id = await factory.listing(seller)
    deal_id = await contract(seller, buyer, listing_id=listing_id, grams=WHOLE)
    lot_id = await fetch_value("SELECT lot FROM listing WHERE id = $1", listing_id)
    made = Gate(seller, buyer, deal_id, lot_id)
    await made.sign()
    return made


async def test_goods_leave_when_they_are_dispatched_and_not_before(gate: Gate) -> None:
    number = await gate.send(150_000)
    assert (await gate.sent(), await gate.left()) == (0, [WHOLE])
    await gate.move(number, "dispatch")
    assert (await gate.sent(), await gate.left()) == (150_000, [250_000])
    for move in ("arrive", "accept"):
        await gate.move(number, move)
    assert (await gate.sent(), await gate.left()) == (150_000, [250_000])
    assert await fetch_value("SELECT dispatched_at FROM delivery") == STORY
    assert [tuple(row) for row in await fetch("SELECT kind, moved FROM stock_entry WHERE moved < 0")] == [
        ("out", -150_000)
    ]


async def test_load_written_down_at_the_gate_leaves_once(gate: Gate) -> None:
    await gate.by_hand(100_000)
    await gate.send(150_000, "dispatch")
    assert await gate.sent() == 150_000
    await gate.by_hand(50_000)
    assert await gate.sent() == 200_000
    await gate.send(50_000, "dispatch")
    assert await gate.sent() == 200_000


async def test_refused_goods_come_back(gate: Gate) -> None:
    whole = await gate.send(150_000, "dispatch", "arrive")
    await gate.move(whole, "reject", reason="quality")
    assert await gate.sent() == 0
    part = await gate.send(150_000, "dispatch", "arrive")
    await gate.move(part, "accept_part", accepted=Gram(100_000), reason="quality")
    assert (await gate.sent(), await gate.left()) == (100_000, [300_000])


async def test_refused_goods_that_were_taken_back_by_hand_come_back_once(gate: Gate) -> None:
    number = await gate.send(150_000, "dispatch", "arrive")
    await gate.by_hand(150_000, back=True)
    await gate.move(number, "reject", reason="quality")
    assert await gate.sent() == 0


async def test_load_leaves_the_places_where_the_goods_stand(gate: Gate) -> None:
    places = []
    for name, grams in (("一号库", 300_000), ("二号库", 600_000)):
        storage = NewStorage(name, "warehouse", Gram(1_000_000))
        by = gate.own()
        del by["lot_id"]
        places.append(await open_storage(storage=storage, **by))
        await move_stock(**gate.own(grams=Gram(grams), from_id=None, to_id=places[-1]))
    await gate.send(250_000, "dispatch")
    held = [row["held"] for row in await fetch("SELECT held FROM storage ORDER BY id")]
    # 100 kg stood in no named place; the rest leaves the fuller one
    assert held == [300_000, 450_000]
    lot = await lot_page(gate.lot_id, gate.seller.organisation_id)
    assert (lot.here, lot.placed, lot.unplaced) == (750_000, 750_000, 0)


async def test_loads_of_before_are_written_down_once(gate: Gate) -> None:
    """As the migration does it, for contracts whose loads wrote nothing."""
    await gate.send(150_000)
    await execute("UPDATE delivery SET state = 'dispatched'")
    again = "SELECT follow_deliveries($1, $2, 0, NULL, $3)"
    moved = [await fetch_value(again, gate.lot_id, gate.deal_id, STORY) for _ in range(2)]
    assert (moved, await gate.sent()) == ([-150_000, 0], 150_000)


async def test_buyers_words_reach_the_seller(gate: Gate) -> None:
    number = await gate.send(150_000, "dispatch", "arrive")
    await execute("UPDATE reason SET zh = '质量不合适', en = 'Quality' WHERE code = 'quality'")
    await gate.move(number, "accept_part", accepted=Gram(100_000), reason="quality", note="底层三袋发霉")
    assert await fetch_value("SELECT note FROM delivery") == "底层三袋发霉"
    told = (await inbox(organisation_id=gate.seller.organisation_id))[0].message
    for language, words in zip(LANGUAGES, ("质量不合适；底层三袋发霉", "Quality; 底层三袋发霉"), strict=True):
        text = translate(told, language)
        assert all(each in text for each in ("200", "100", words))
    details = await fetch_value(
        "SELECT details ->> 'note' FROM audit_record WHERE action = 'delivery_accept_part'"
    )
    assert details == "底层三袋发霉"
    with pytest.raises(Invalid) as refused:
        await gate.move(number, "reject", reason="quality", note="字" * 301)
    assert sorted(refused.value.fields) == ["note"]


@pytest.mark.parametrize(
    ("days", "may"), [(-1, False), (0, True), (30, True), (9 + MOST_LATE_DAYS, True), (730, False)]
)
async def test_load_is_announced_for_a_day_to_come_and_none_far_off(gate: Gate, days: int, may: bool) -> None:
    wish = {"deal_id": gate.deal_id, "quantity": Gram(1_000), "on": TODAY + timedelta(days=days)}
    if may:
        assert await schedule_delivery(**wish, **gate.by(gate.seller))
        return
    with pytest.raises(Invalid) as refused:
        await schedule_delivery(**wish, **gate.by(gate.seller))
    assert sorted(refused.value.fields) == ["on"]


async def test_reasons_fit_the_step(gate: Gate) -> None:
    await execute("UPDATE reason SET uses = ARRAY['seller', 'cancel'] WHERE code = 'price'")
    number = await gate.send(150_000, "dispatch", "arrive")
    with pytest.raises(Invalid):
        await gate.move(number, "reject", reason="price")
    await gate.move(number, "reject", reason="quality")


async def test_contract_is_cancelled_for_a_reason_that_the_other_side_sees(factory: Factory) -> None:
    seller, buyer = await factory.member(role="secretary"), await factory.member(role="buyer")
    deal_id = await contract(seller, buyer, listing_id=await factory.listing(seller))
    deal = Contracted(seller, buyer, deal_id)
    with pytest.raises(Invalid):
        await cancel(deal_id=deal_id, reason=None, **deal.by(buyer))
    await cancel(deal_id=deal_id, reason="price", note="商场改计划", **deal.by(buyer))
    row = (await fetch("SELECT dropped_at, dropped_by, dropped_for, dropped_note FROM deal"))[0]
    assert tuple(row) == (STORY, buyer.organisation_id, "price", "商场改计划")

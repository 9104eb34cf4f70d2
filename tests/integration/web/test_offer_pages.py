"""Offers on demands: the seller's phone, the buyer's comparison, and a demand that changes."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from fixtures.factories import Factory, Member
from market import clock
from market.db.session import execute, fetch_value
from tests.integration.web import shop
from tests.integration.web.conftest import Browser, SignedInAs, faults


async def scene(factory: Factory, seller: Member, buyer: Member, *, kg: int = 1_000) -> tuple[int, int]:
    """A demand for cabbage and a listing of the seller's for it."""
    await shop.stock_catalogue()
    listing_id = await shop.put_on_sale(seller, title="辽中白菜一批", kg=kg)
    demand_id = await factory.demand(buyer, kg=1_000, produce="cabbage", title="求购大白菜")
    today = clock.today()
    await execute("UPDATE demand SET deliver_from = $1, deliver_to = $2", today, today + timedelta(days=20))
    return demand_id, listing_id


def offer(listing_id: int, **changed: Any) -> dict[str, Any]:
    today = clock.today()
    return {
        "key": str(uuid4()),
        "listing_id": str(listing_id),
        "quantity": "600",
        "quantity_unit": "kg",
        "price": "1.50",
        "price_unit": "kg",
        "deliver_from": (today + timedelta(days=1)).isoformat(),
        "deliver_to": (today + timedelta(days=9)).isoformat(),
        **changed,
    }


async def test_an_offer_goes_from_the_demand_to_a_contract_over_a_part(
    factory: Factory, seller: Member, buyer: Member, browser_of: SignedInAs, guest: Browser
) -> None:
    demand_id, listing_id = await scene(factory, seller, buyer)
    village, shopper = await browser_of(seller), await browser_of(buyer)
    path = f"/demands/{demand_id}/offer"
    assert f'href="{path}"' in (await village.get(f"/demands/{demand_id}")).text
    assert "要求都满足" in (await village.get(path)).text
    wrong = await village.post(path, offer(listing_id, quantity="1001"))
    assert (wrong.status_code, set(faults(wrong))) == (422, {"quantity"})
    odd = await village.post(path, offer(listing_id, price="150"))
    assert (odd.status_code, set(faults(odd))) == (422, {"price"})
    placed = await village.post(path, offer(listing_id, least="200", least_unit="kg", note="网袋装"))
    bid_id = await fetch_value("SELECT id FROM bid")
    assert placed.headers["location"] == f"/bids/{bid_id}"
    again = await village.post(path, offer(listing_id))
    assert (again.status_code, "已经给这条需求报过价" in again.text) == (409, True)

    compared = await shopper.get(f"/demands/{demand_id}/offers")
    for words in ("辽中白菜一批", "0.75 元/斤", "最便宜且都满足", "去答复"):
        assert words in compared.text
    assert "My offers" in (await village.get(f"/demands/{demand_id}/offers?lang=en")).text
    assert f'href="/demands/{demand_id}/offers"' in (await shopper.get(f"/demands/{demand_id}")).text
    assert "需求收到的报价" in (await shopper.get("/bids")).text
    stranger = await browser_of(await factory.member(role="secretary"))
    assert (await stranger.get(f"/demands/{demand_id}/offers")).status_code == 404
    assert (await stranger.get(f"/bids/{bid_id}")).status_code == 404
    assert (await guest.get(path)).status_code in (302, 303, 401)

    assert "网袋装" in (await shopper.get(f"/bids/{bid_id}")).text
    few = await shopper.post(f"/bids/{bid_id}/accept", {"quantity": "100", "quantity_unit": "kg"})
    assert (few.status_code, set(faults(few))) == (422, {"quantity"})
    key = str(uuid4())
    for _ in range(2):
        taken = await shopper.post(
            f"/bids/{bid_id}/accept", {"key": key, "quantity": "300", "quantity_unit": "kg"}
        )
        assert taken.headers["location"] == f"/deals/{await fetch_value('SELECT id FROM deal')}"
    assert await fetch_value("SELECT quantity FROM deal") == 300_000
    assert "报价成交" in (await shopper.get(taken.headers["location"])).text


async def test_a_changed_demand_is_confirmed_again_and_a_closed_one_takes_no_offers(
    factory: Factory, seller: Member, buyer: Member, browser_of: SignedInAs
) -> None:
    demand_id, listing_id = await scene(factory, seller, buyer)
    village, shopper = await browser_of(seller), await browser_of(buyer)
    await village.post(f"/demands/{demand_id}/offer", offer(listing_id))
    bid_id = await fetch_value("SELECT id FROM bid")
    edit = f"/demands/{demand_id}/edit"
    assert "有 1 份报价在等答复" in (await shopper.get(edit)).text
    assert (await village.get(edit)).status_code == 403
    today = clock.today()
    wants = {
        "quantity": "1",
        "quantity_unit": "t",
        "ceiling": "8",
        "ceiling_unit": "kg",
        "deliver_from": (today + timedelta(days=2)).isoformat(),
        "deliver_to": (today + timedelta(days=15)).isoformat(),
    }
    wrong = await shopper.post(edit, {**wants, "min_order": "2", "min_order_unit": "t"})
    assert (wrong.status_code, set(faults(wrong))) == (422, {"min_order"})
    assert (await shopper.post(edit, wants)).headers["location"] == f"/demands/{demand_id}"
    asked = await village.get(f"/bids/{bid_id}")
    assert "这一轮还算数吗" in asked.text
    await village.post(f"/bids/{bid_id}/reconfirm")
    today = clock.today()
    counter = {
        **{name: offer(listing_id)[name] for name in ("price_unit", "quantity_unit", "quantity")},
        "deliver_from": (today + timedelta(days=2)).isoformat(),
        "deliver_to": (today + timedelta(days=9)).isoformat(),
        "price": "1.40",
    }
    answer = await shopper.post(f"/bids/{bid_id}/counter", counter)
    turn = await fetch_value("SELECT max(id) FROM bid")
    assert answer.headers["location"] == f"/bids/{turn}"
    assert "还价" in (await village.get(f"/bids/{turn}")).text
    await shopper.post(f"/demands/{demand_id}/close")
    assert await fetch_value("SELECT state FROM bid WHERE id = $1", turn) == "expired"
    assert (await village.get(f"/demands/{demand_id}/offer")).status_code == 409
    assert (await shopper.get(edit)).status_code == 409

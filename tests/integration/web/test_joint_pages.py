"""A joint offer from its lead's phone, over a neighbour's, to the buyer's desk."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from fixtures.factories import Factory, Member
from market import clock
from market.db.session import execute, fetch, fetch_value
from tests.integration.web import shop
from tests.integration.web.conftest import SignedInAs, faults


def own_share(listing_id: int, **changed: Any) -> dict[str, Any]:
    today = clock.today()
    return {
        "key": str(uuid4()),
        "listing_id": str(listing_id),
        "quantity": "400",
        "quantity_unit": "kg",
        "price": "1.50",
        "price_unit": "kg",
        "least": "300",
        "least_unit": "kg",
        "deliver_from": today.isoformat(),
        "deliver_to": (today + timedelta(days=9)).isoformat(),
        **changed,
    }


def share(listing_id: int) -> dict[str, Any]:
    return {
        "key": str(uuid4()),
        "listing_id": str(listing_id),
        "quantity": "200",
        "quantity_unit": "kg",
        "price": "1.40",
        "price_unit": "kg",
    }


async def test_two_villages_and_a_buyer_go_the_whole_way(
    factory: Factory, seller: Member, buyer: Member, browser_of: SignedInAs
) -> None:
    neighbour, third = await factory.member(role="secretary"), await factory.member(role="secretary")
    await shop.stock_catalogue()
    listings = [await shop.put_on_sale(each, kg=1_000) for each in (seller, neighbour, third)]
    demand_id = await factory.demand(buyer, kg=1_000, produce="cabbage", title="求购大白菜")
    await execute("UPDATE demand SET deliver_to = $1", clock.today() + timedelta(days=20))
    lead, other, shopper = [await browser_of(each) for each in (seller, neighbour, buyer)]
    bystander = await browser_of(third)

    path = f"/demands/{demand_id}/joint"
    assert f'href="{path}"' in (await lead.get(f"/demands/{demand_id}")).text
    assert "怎么拼" in (await lead.get(path)).text
    wrong = await lead.post(path, own_share(listings[0], quantity="1001"))
    assert (wrong.status_code, set(faults(wrong))) == (422, {"quantity"})
    odd = await lead.post(path, own_share(listings[0], price="150.00", note="分两车"))
    assert (odd.status_code, set(faults(odd)), "分两车" in odd.text) == (422, {"price"}, True)
    assert 'name="sure"' in odd.text
    started = await lead.post(path, own_share(listings[0], note="分两车"))
    joint_id = await fetch_value("SELECT id FROM joint_offer")
    page = f"/joint/{joint_id}"
    assert started.headers["location"] == page
    assert (await lead.post(path, own_share(listings[0]))).status_code == 409
    assert (await shopper.get(page)).status_code == 404
    assert "可以加入" in (await bystander.get(page)).text
    assert (await bystander.post(f"{page}/submit")).status_code == 404

    slip = share(listings[1]) | {"price": "0.14"}
    odd = await lead.post(f"{page}/shares", slip)
    assert (odd.status_code, set(faults(odd)), 'name="sure"' in odd.text) == (422, {"price"}, True)
    assert (await lead.post(f"{page}/shares", share(listings[1]))).headers["location"] == page
    shares = await fetch("SELECT id FROM joint_share ORDER BY id")
    asked = f"{page}/shares/{shares[1]['id']}"
    assert f'action="{asked}/confirm"' in (await other.get(page)).text
    assert "拼货邀请待确认" in (await other.get("/")).text
    assert (await lead.post(f"{page}/submit")).status_code == 409
    # who read other terms, or more of the others, than there are now confirms nothing unseen
    for mark, words in (("200000-150-400000", "现在是"), ("200000-140-400001", "有人退出")):
        stale = await other.post(f"{asked}/confirm", {"seen": mark})
        assert (stale.status_code, words in stale.text) == (409, True)
    assert f"{page}/shares/{shares[1]['id']}/confirm" in stale.text
    assert 'name="seen" value="200000-140-400000-' in stale.text
    confirmed = await other.post(f"{asked}/confirm", {"seen": "200000-140-400000"})
    assert confirmed.headers["location"] == page
    assert (await bystander.post(f"{page}/shares", share(listings[2]))).headers["location"] == page
    third_share = await fetch_value("SELECT max(id) FROM joint_share")
    assert f"{page}/shares/{third_share}/admit" in (await lead.get(page)).text
    assert "拼货申请待答复" in (await lead.get("/")).text
    # a no says why: without, it is asked back at its own button and keeps what was typed
    no = f"{page}/shares/{third_share}/refuse"
    bare = await lead.post(no, {"note": "车装满了"})
    said = faults(bare, prefix=f"f-{third_share}-refuse-")
    assert (bare.status_code, set(said), bare.text.count("车装满了")) == (422, {"reason"}, 1)
    assert (await lead.post(no, {"reason": "other", "note": "车装满了"})).headers["location"] == page
    assert "车装满了" in (await bystander.get(page)).text
    assert "拼货待交给买方" in (await lead.get("/")).text
    assert "拼货" not in (await shopper.get("/")).text
    await lead.post(f"{page}/submit")
    for browser, told in ((shopper, True), (lead, False), (other, False), (bystander, False)):
        assert (f'href="{page}"' in (await browser.get("/")).text) is told

    for address in (page, f"/demands/{demand_id}", f"/demands/{demand_id}/offers", "/bids"):
        assert "PH-" in (await shopper.get(address)).text
    seen = await shopper.get(f"{page}?lang=en")
    for words in ("With the buyer", "Accept the joint offer", "分两车", "880"):
        assert words in seen.text
    few = await shopper.post(f"{page}/accept", {"quantity": "100", "quantity_unit": "kg"})
    assert (few.status_code, set(faults(few))) == (422, {"quantity"})
    # who read it before a village dropped out accepts nothing that they have not seen
    part = {"quantity": "300", "quantity_unit": "kg"}
    stale = await shopper.post(f"{page}/accept", {**part, "seen": "99900"})
    assert (stale.status_code, "has changed since you opened it" in stale.text) == (409, True)
    worth = 400 * 150 + 200 * 140
    assert f'name="seen" value="{worth}"' in stale.text
    taken = await shopper.post(f"{page}/accept", {**part, "seen": str(worth)})
    assert taken.headers["location"] == page
    deals = await fetch("SELECT id, quantity, price FROM deal ORDER BY id")
    assert [(deal["quantity"], deal["price"]) for deal in deals] == [(200_000, 150), (100_000, 140)]
    assert "联合交货 PH-" in (await other.get(f"/deals/{deals[1]['id']}")).text
    assert (await other.get(f"/deals/{deals[0]['id']}")).status_code == 404
    # one contract is cancelled before it binds: the page does not go on telling the whole
    await execute("UPDATE deal SET state = 'cancelled' WHERE id = $1", deals[1]["id"])
    told = (await shopper.get(page)).text
    assert "This joint offer is no longer whole" in told
    assert "Contracts that stand: 1, 400 jin / 0.2 t together" in told
    assert f'href="/deals/{deals[0]["id"]}"' in told

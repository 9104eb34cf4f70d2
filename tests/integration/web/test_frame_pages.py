"""Framework agreements: proposed from a lot's page, signed on a phone, called off and confirmed."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from fixtures.factories import Factory, Member
from market import clock
from market.accounts.operations import NewSite, add_site
from market.db.session import fetch, fetch_value
from tests.forms import filled_in
from tests.integration.web import shop
from tests.integration.web.conftest import SignedInAs, faults


async def test_an_agreement_is_proposed_signed_called_off_and_confirmed(
    factory: Factory, seller: Member, buyer: Member, browser_of: SignedInAs
) -> None:
    await shop.stock_catalogue()
    site = await add_site(
        organisation_id=buyer.organisation_id,
        site=NewSite(name="中街店", name_en="Zhongjie", lat=41.8, lon=123.4),
    )
    listing_id = await shop.put_on_sale(seller, kg=5_000, grade=2)
    demand_id = await factory.demand(buyer, kg=1_000, produce="cabbage")
    village, shopper = await browser_of(seller), await browser_of(buyer)
    stranger = await browser_of(await factory.member(role="buyer"))
    path = f"/frames/new?listing={listing_id}"
    assert path in (await shopper.get(f"/listings/{listing_id}")).text
    assert (await shopper.get(path)).status_code == 200
    assert "提出框架协议" in (await village.get(f"/frames/new?demand={demand_id}")).text
    assert (await village.get(path)).status_code == 404
    today = clock.today()
    terms: dict[str, Any] = {
        "key": str(uuid4()),
        "total": "3000",
        "total_unit": "kg",
        "price": "1.60",
        "price_unit": "kg",
        "starts_on": today.isoformat(),
        "ends_on": (today + timedelta(days=60)).isoformat(),
        "least": "500",
        "least_unit": "kg",
        "notice_days": "3",
        "payment_days": "90",
        "sites": str(site),
    }
    wrong = await shopper.post(path, {**terms, "floor": "1.70", "floor_unit": "kg"})
    assert (wrong.status_code, set(faults(wrong))) == (422, {"floor"})
    # a price per jin in the place of one per ton, or the like, is asked back first
    odd = await shopper.post(path, {**terms, "price": "160"})
    assert (odd.status_code, set(faults(odd)), 'name="sure"' in odd.text) == (422, {"price"}, True)
    proposed = await shopper.post(path, {**terms, "floor": "1.50", "floor_unit": "kg"})
    page = f"/frames/{await fetch_value('SELECT id FROM frame')}"
    assert proposed.headers["location"] == page
    assert (await stranger.get(page)).status_code == 404
    assert "框架协议待签" in (await village.get("/")).text
    seen = await village.get(page)
    assert "签字，协议生效" in seen.text
    assert "60" in seen.text
    assert (await shopper.post(f"{page}/sign")).status_code == 409
    assert (await village.post(f"{page}/sign")).headers["location"] == page
    assert "In force" in (await village.get("/frames?lang=en")).text

    batch: dict[str, Any] = {
        "quantity": "1000",
        "quantity_unit": "kg",
        "price": "1.55",
        "price_unit": "kg",
        "site_id": str(site),
        "deliver_from": (today + timedelta(days=5)).isoformat(),
        "deliver_to": (today + timedelta(days=7)).isoformat(),
    }
    small = await shopper.post(f"{page}/calls", {**batch, "quantity": "100"})
    assert (small.status_code, set(faults(small))) == (422, {"quantity"})
    odd = await shopper.post(f"{page}/calls", {**batch, "price": "16", "price_unit": "kg"})
    assert (odd.status_code, set(faults(odd)), 'name="sure"' in odd.text) == (422, {"price"}, True)
    for _ in range(2):
        assert (await shopper.post(f"{page}/calls", batch)).headers["location"] == page
    calls = [row["id"] for row in await fetch("SELECT id FROM call_off ORDER BY id")]
    assert "Batch to confirm" in (await village.get("/")).text
    answer = f"{page}/calls/{calls[0]}/confirm"
    assert f'action="{answer}"' in (await village.get(page)).text
    done = await village.post(answer, {"listing_id": str(listing_id), "key": str(uuid4())})
    deal = (await fetch("SELECT id, state, price FROM deal"))[0]
    assert done.headers["location"] == f"/deals/{deal['id']}"
    assert (deal["state"], deal["price"]) == ("active", 155)
    assert "框架要货" in (await shopper.get(f"/deals/{deal['id']}")).text
    no_reason = await village.post(f"{page}/calls/{calls[1]}/drop")
    # asked back at its own button alone, with the early end beside it
    mark = f"f-{calls[1]}-reason"
    assert (no_reason.status_code, set(faults(no_reason, prefix=f"f-{calls[1]}-"))) == (422, {"reason"})
    assert (mark in no_reason.text, no_reason.text.count('<details class="refuse" open>')) == (True, 1)
    refused = await village.post(f"{page}/calls/{calls[1]}/drop", {"reason": "other", "note": "不做了"})
    assert refused.headers["location"] == page
    assert (await shopper.post(f"{page}/end")).status_code == 422
    assert (await shopper.post(f"{page}/end", {"reason": "other", "note": "不做了"})).headers[
        "location"
    ] == page
    assert f'action="{page}/end/withdraw"' in (await shopper.get(page)).text
    assert f'action="{page}/calls"' in (await shopper.get(page)).text
    assert f'action="{page}/end/agree"' in (await village.get(page)).text
    assert (await stranger.post(f"{page}/end/agree")).status_code == 404
    assert (await village.post(f"{page}/end/sell")).status_code == 404
    bare = await village.post(f"{page}/end/refuse", {"note": "货都备好了"})
    said = faults(bare, prefix="f-keep-")
    assert (bare.status_code, set(said), bare.text.count("货都备好了")) == (422, {"reason"}, 1)
    no = await village.post(f"{page}/end/refuse", {"reason": "price", "note": "货都备好了"})
    assert no.headers["location"] == page
    told = (await shopper.get(page)).text
    assert ("不同意提前结束的原因" in told, "货都备好了" in told) == (True, True)
    await shopper.post(f"{page}/end", {"reason": "other", "note": "不做了"})
    read = {"seen": filled_in((await village.get(page)).text, f"{page}/end/agree")["seen"][0]}
    await shopper.post(f"{page}/calls", batch)
    stale = await village.post(f"{page}/end/agree", read)
    assert (stale.status_code, "are left to be called off now" in stale.text) == (409, True)
    last = await fetch_value("SELECT max(id) FROM call_off")
    await shopper.post(f"{page}/calls/{last}/drop")
    # it is as it was read
    assert (await village.post(f"{page}/end/agree", read)).headers["location"] == page
    ended = (await shopper.get(page)).text
    assert ("提前结束的原因" in ended, f'action="{page}/calls"' in ended) == (True, False)
    left = await shopper.get(f"{page}?lang=en")
    assert "4,000 jin / 2 t" in left.text
    assert "Refused by the seller" in left.text

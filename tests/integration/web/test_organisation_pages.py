"""How an organisation stands, on its own page, on the county's, and beside its name elsewhere."""

from datetime import timedelta
from uuid import uuid4

import pytest

from fixtures.factories import PASSWORD, Factory, Member
from market import clock
from market.accounts.operations import NewPerson, register_person
from market.db.session import Engine, execute, fetch_value
from market.web.edge.csrf import SESSION
from tests.integration.web import shop, trading
from tests.integration.web.conftest import Browser, SignedInAs, faults


@pytest.fixture
async def county(factory: Factory) -> Member:
    return await factory.member(role="verifier", kind="county", password=PASSWORD)


@pytest.fixture
async def verifier(county: Member, browser_of: SignedInAs) -> Browser:
    return await browser_of(county)


def key(**fields: object) -> dict[str, object]:
    return {"key": str(uuid4()), **fields}


async def test_evidence_is_seen_by_both_and_the_badge_by_all(
    verifier: Browser, seller: Member, buyer: Member, browser_of: SignedInAs
) -> None:
    await shop.stock_catalogue()
    listing = await shop.put_on_sale(seller)
    secretary, purchaser = await browser_of(seller), await browser_of(buyer)
    page = f"/county/organisations/{seller.organisation_id}"
    own = await secretary.get("/organisation")
    assert "未核验" in own.text
    assert "不能证明单位真实存在" in (await purchaser.get(f"/listings/{listing}")).text

    wrong = await secretary.upload("/organisation/evidence", key(), {"papers": ("x.pdf", b"no pdf")})
    assert (wrong.status_code, list(faults(wrong, prefix="f-evidence-"))) == (422, ["papers"])
    files = {"papers": ("执照.pdf", b"%PDF-1.7 <script>")}
    for status in (303, 409):
        sent = await secretary.upload("/organisation/evidence", key(words="请核验"), files)
        assert sent.status_code == status
    paper = await fetch_value("SELECT id FROM verification_paper")
    for reader, path in ((secretary, f"/organisation/papers/{paper}"), (verifier, f"{page}/papers/{paper}")):
        got = await reader.get(path)
        assert got.headers["content-disposition"].startswith("attachment")
        assert "sandbox" in got.headers["content-security-policy"]
    assert (await purchaser.get(f"/organisation/papers/{paper}")).status_code == 404
    assert (await purchaser.get(page)).status_code == 403

    assert "有材料待核验" in (await verifier.get("/county/organisations")).text
    late = await verifier.post(f"{page}/verify", key(until="2020-01-01"))
    assert set(faults(late, prefix="f-verify-")) == {"checked", "until"}
    done = await verifier.post(f"{page}/verify", key(checked=["licence", "visit"], until="2027-10-01"))
    assert done.status_code == 303
    for reader, path in ((purchaser, f"/listings/{listing}"), (secretary, "/organisation")):
        assert "已核验" in (await reader.get(path)).text
    assert "看过营业执照、到现场看过" in (await purchaser.get(f"/listings/{listing}")).text
    english = await purchaser.get(f"/listings/{listing}?lang=en")
    assert "Business licence seen, Seen on the spot" in english.text


async def test_a_suspension_stops_bids_and_says_so_everywhere(
    verifier: Browser, seller: Member, buyer: Member, browser_of: SignedInAs
) -> None:
    await shop.stock_catalogue()
    deal = await trading.deal_between(seller, buyer)
    purchaser = await browser_of(buyer)
    assert "还没有经过县里核验" in (await purchaser.get(f"/deals/{deal}")).text
    page = f"/county/organisations/{seller.organisation_id}"
    bare = await verifier.post(f"{page}/suspend", key(reason="other"))
    assert list(faults(bare, prefix="f-suspend-")) == ["note"]
    told = key(reason="fraud", note="马会计 13912345678 举报")
    assert (await verifier.post(f"{page}/suspend", told)).status_code == 303
    assert "已被县里暂停" in (await purchaser.get(f"/deals/{deal}")).text
    secretary = await browser_of(seller)
    refused = await secretary.post(f"/deals/{deal}/sign", key())
    assert refused.status_code == 403
    assert "已经签的合同照常履行" in refused.text
    assert (await secretary.get(f"/deals/{deal}")).status_code == 200
    assert "马会计" in (await secretary.get("/organisation")).text
    assert (await verifier.post(f"{page}/reinstate", key(note="马会计说查清了"))).status_code == 303
    for reader, path in ((secretary, "/organisation"), (verifier, page)):
        assert "县里恢复时的说明：马会计说查清了" in (await reader.get(path)).text
    # what was typed stays with the organisation: the record, which nothing is ever taken out of, has no names
    assert await fetch_value("SELECT count(*) FROM audit_record WHERE details::text LIKE '%马会计%'") == 0
    assert (await secretary.post(f"/deals/{deal}/sign", key())).status_code == 303


async def test_a_bid_above_the_limit_waits_on_both_pages_until_the_manager_approves(
    factory: Factory, seller: Member, buyer: Member, browser_of: SignedInAs, db: Engine
) -> None:
    await shop.stock_catalogue()
    listing = await shop.put_on_sale(seller)
    person = await register_person(
        person=NewPerson(name="钱经理", phone="19900018888"),
        organisation_id=buyer.organisation_id,
        roles=frozenset({"manager"}),
        at=clock.now(),
    )
    manager = await browser_of(Member(buyer.organisation_id, person, "19900018888", "manager"))
    purchaser, secretary = await browser_of(buyer), await browser_of(seller)
    people = f"/people/organisations/{buyer.organisation_id}"
    assert "钱经理" in (await manager.get(f"{people}/members")).text
    assert (await purchaser.get(f"{people}/members")).status_code == 404
    assert (await manager.post(f"{people}/limit", key(limit="0"))).status_code == 422
    assert (await manager.post(f"{people}/limit", key(limit="100"))).status_code == 303
    # who has a limit makes nobody who has none, and nobody but an administrator takes one's role away
    assert (
        await manager.post(f"{people}/members/{person}/role", key(role="manager", most="9000"))
    ).is_redirect
    invited = await manager.post(people, {"role": "manager", "name": "孙某", "phone": "13812345678"})
    assert faults(invited).keys() == {"role"}
    await execute("UPDATE membership SET role = 'administrator' WHERE person = $1", buyer.person_id)
    page = (await manager.get(f"{people}/members")).text
    assert (f"members/{person}/end" in page, f"members/{buyer.person_id}/end" in page) == (True, False)
    for step, form in (("role", key(role="buyer")), ("end", key())):
        assert (await manager.post(f"{people}/members/{buyer.person_id}/{step}", form)).status_code == 403
    await execute("UPDATE membership SET role = 'buyer' WHERE person = $1", buyer.person_id)
    today = clock.today()
    terms = {
        "quantity": "500",
        "quantity_unit": "kg",
        "price": "1.5",
        "price_unit": "kg",
        "deliver_from": (today + timedelta(days=1)).isoformat(),
        "deliver_to": (today + timedelta(days=9)).isoformat(),
        "demand_id": "0",
    }
    sent = await purchaser.post(f"/listings/{listing}/bids", key(**terms), form=f"/listings/{listing}")
    assert sent.status_code == 303, faults(sent)
    approval = sent.headers["location"]
    assert approval.startswith("/approvals/")
    for reader, path in (
        (purchaser, f"/listings/{listing}"),
        (secretary, f"/selling/{listing}"),
        (secretary, f"/listings/{listing}"),
    ):
        assert "批准前不算数" in (await reader.get(path)).text
    assert (await secretary.get(approval)).status_code == 403
    assert "批准，马上办" not in (await purchaser.get(approval)).text
    assert (await purchaser.post(f"{approval}/approve", key())).status_code == 403
    assert "批准，马上办" in (await manager.get(approval)).text
    assert (await manager.post(f"{approval}/refuse", key(reason="other"))).status_code == 422
    done = await manager.post(f"{approval}/approve", key())
    assert done.headers["location"].startswith("/bids/")
    assert "批准前不算数" not in (await secretary.get(f"/selling/{listing}")).text
    # programs are told the same
    body = {
        "listing_id": listing,
        "quantity": 500_000,
        "price": 150,
        "deliver_from": terms["deliver_from"],
        "deliver_to": terms["deliver_to"],
    }
    token = str(purchaser.client.cookies[SESSION])
    kept = await purchaser.client.post(
        "/api/v1/bids", json=body, headers={"authorization": f"Bearer {token}", "cookie": ""}
    )
    assert (kept.status_code, kept.json()["state"]) == (202, "awaiting_approval")

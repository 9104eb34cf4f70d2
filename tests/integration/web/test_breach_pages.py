"""Breach and money in parts on the pages, as both sides and the town use them."""

import io
import re
from uuid import uuid4

import pytest
from PIL import Image

from fixtures.factories import PASSWORD, Factory, Member
from market import clock
from market.bids.operations import accept_bid
from market.db.session import execute, fetch, fetch_value
from tests.integration.web import shop, trading
from tests.integration.web.conftest import Browser, SignedInAs, faults


@pytest.fixture
async def town(factory: Factory) -> Member:
    return await factory.member(role="official", password=PASSWORD)


@pytest.fixture
async def secretary(factory: Factory, town: Member, seller: Member, browser_of: SignedInAs) -> Browser:
    await shop.stock_catalogue()
    await execute(
        "UPDATE organisation SET town = $2 WHERE id = $1", seller.organisation_id, town.organisation_id
    )
    return await browser_of(seller)


@pytest.fixture
async def purchaser(buyer: Member, browser_of: SignedInAs) -> Browser:
    return await browser_of(buyer)


def key(**fields: str) -> dict[str, str]:
    return {"key": str(uuid4()), **fields}


async def case_on(secretary: Browser, deal_id: int) -> int:
    answer = await secretary.post(
        f"/deals/{deal_id}/breaches", key(ground="not_taken", statement="价格跌了，不来拉货。", claim="500")
    )
    assert answer.status_code == 303, faults(answer)
    return int(await fetch_value("SELECT max(id) FROM breach"))


async def test_case_goes_from_the_contract_to_the_towns_record(
    secretary: Browser,
    purchaser: Browser,
    seller: Member,
    buyer: Member,
    town: Member,
    browser_of: SignedInAs,
) -> None:
    deal_id = await trading.binding_deal(seller, buyer)
    case = await case_on(secretary, deal_id)
    official = await browser_of(town)
    for browser in (purchaser, official):
        assert (await browser.get(f"/breaches/{case}")).status_code == 404
    photo = io.BytesIO()
    with_place = Image.Exif()
    with_place[0x010E] = "仓库门口"
    Image.new("RGB", (40, 30), "white").save(photo, "JPEG", exif=with_place)
    answer = await secretary.upload(
        f"/breaches/{case}/evidence", key(words="磅单"), {"photo": ("slip.jpg", photo.getvalue())}
    )
    assert answer.status_code == 303, faults(answer)
    assert (await secretary.post(f"/breaches/{case}/file", key())).status_code == 303
    seen = await purchaser.get(f"/breaches/{case}")
    assert "不来拉货" in seen.text
    picture = await fetch_value("SELECT id FROM breach_evidence")
    shown = await purchaser.get(f"/breaches/{case}/pictures/{picture}")
    assert shown.headers["content-type"] == "image/webp"
    drawn = Image.open(io.BytesIO(shown.content))
    assert (drawn.format, dict(drawn.getexif())) == ("WEBP", {})
    assert faults(await purchaser.post(f"/breaches/{case}/answer", key(answer=""))) != {}
    assert (await purchaser.post(f"/breaches/{case}/answer", key(answer="仓库满了"))).status_code == 303
    decided = key(move="confirm", decision="通知和磅单属实")
    assert (await secretary.post(f"/breaches/{case}/decide", decided)).status_code == 409
    assert (await official.post(f"/breaches/{case}/decide", decided)).status_code == 303
    for browser in (secretary, purchaser, official):
        page = await browser.get(f"/breaches/{case}")
        for text in ("仓库满了", "通知和磅单属实", "认定违约"):
            assert text in page.text
        assert f"/breaches/{case}" in (await browser.get("/breaches")).text


async def test_strangers_and_other_towns_find_neither_case_nor_picture(
    secretary: Browser,
    seller: Member,
    buyer: Member,
    factory: Factory,
    browser_of: SignedInAs,
) -> None:
    deal_id = await trading.binding_deal(seller, buyer)
    case = await case_on(secretary, deal_id)
    photo = io.BytesIO()
    Image.new("RGB", (40, 30), "white").save(photo, "PNG")
    slip = {"photo": ("slip.png", photo.getvalue())}
    assert (await secretary.upload(f"/breaches/{case}/evidence", key(words="磅单"), slip)).status_code == 303
    assert (await secretary.post(f"/breaches/{case}/file", key())).status_code == 303
    picture = await fetch_value("SELECT id FROM breach_evidence")
    for role in ("buyer", "secretary", "official"):
        stranger = await browser_of(await factory.member(role=role, password=PASSWORD))
        for path in (f"/breaches/{case}", f"/breaches/{case}/pictures/{picture}", f"/deals/{deal_id}/record"):
            assert (await stranger.get(path)).status_code == 404
        for deed in ("answer", "decide", "offer", "settle", "terminate"):
            typed = key(answer="x", move="confirm", decision="x", offer="x")
            assert (await stranger.post(f"/breaches/{case}/{deed}", typed)).status_code == 404
        assert "不来拉货" not in (await stranger.get("/breaches")).text


async def test_cases_come_in_pages_and_none_is_left_out(
    secretary: Browser, seller: Member, buyer: Member
) -> None:
    case = await case_on(secretary, await trading.binding_deal(seller, buyer))
    await execute(
        """INSERT INTO breach (deal, claimant, respondent, ground, statement, state, created_at)
           SELECT deal, claimant, respondent, ground, statement, 'settled', created_at
           FROM breach, generate_series(1, 500)"""
    )
    first, last = [(await secretary.get(f"/breaches?page={number}")).text for number in (1, 21)]
    listed = r'<th scope="row"><a href="/breaches/(\d+)"'
    assert re.findall(listed, first)[0] == str(case)
    assert (len(re.findall(listed, first)), len(re.findall(listed, last))) == (24, 21)
    assert 'href="/breaches?page=2"' in first


async def test_evidence_that_is_no_picture_is_refused(
    secretary: Browser, seller: Member, buyer: Member
) -> None:
    case = await case_on(secretary, await trading.binding_deal(seller, buyer))
    fake = {"photo": ("slip.png", b"<svg onload='alert(1)'/>")}
    answer = await secretary.upload(f"/breaches/{case}/evidence", key(words="磅单"), fake)
    assert (answer.status_code, list(faults(answer))) == (422, ["photo"])
    assert await fetch_value("SELECT count(*) FROM breach_evidence") == 0


async def test_notice_puts_the_rest_on_sale_and_says_so(
    secretary: Browser, purchaser: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.binding_deal(seller, buyer)
    left = await fetch_value("SELECT remaining FROM lot")
    case = await case_on(secretary, deal_id)
    assert (await secretary.post(f"/breaches/{case}/terminate", key())).status_code == 409
    await secretary.post(f"/breaches/{case}/file", key())
    assert (await purchaser.post(f"/breaches/{case}/terminate", key())).status_code == 404
    data = key()
    for _ in range(2):
        assert (await secretary.post(f"/breaches/{case}/terminate", data)).status_code == 303
    assert await fetch_value("SELECT remaining FROM lot") == left + 500_000
    assert await fetch_value("SELECT count(*) FROM job WHERE kind = 'matching.rematch'") == 1
    page = await purchaser.get(f"/deals/{deal_id}")
    assert "已终止" in page.text
    # both signed: they still reach each other about what is left to settle, with a reason
    assert seller.phone not in page.text
    shown = await purchaser.post(f"/deals/{deal_id}/contacts", {"reason": "payment"})
    assert seller.phone in shown.text
    assert "重新上架" in (await purchaser.get(f"/breaches/{case}")).text


async def test_what_others_paid_later_is_shown_to_the_claimant_alone(
    secretary: Browser,
    purchaser: Browser,
    seller: Member,
    buyer: Member,
    town: Member,
    factory: Factory,
    browser_of: SignedInAs,
) -> None:
    case = await case_on(secretary, await trading.binding_deal(seller, buyer))
    for deed in ("file", "terminate"):
        assert (await secretary.post(f"/breaches/{case}/{deed}", key())).status_code == 303
    other = await factory.member(role="buyer")
    listing_id = await fetch_value("SELECT id FROM listing")
    bid_id = await trading.bid_on(listing_id, other, kg=300, price=120)
    by = {"seller_id": seller.organisation_id, "actor": seller.actor, "at": clock.now()}
    deal_id = await accept_bid(bid_id=bid_id, **by)
    number = await fetch_value("SELECT number FROM deal WHERE id = $1", deal_id)
    for browser, is_shown in ((secretary, True), (purchaser, False), (await browser_of(town), False)):
        page = await browser.get(f"/breaches/{case}")
        assert "600 斤 / 0.3 吨" in page.text
        assert (number in page.text) is is_shown


async def test_settlement_is_offered_by_one_and_taken_by_the_other(
    secretary: Browser, purchaser: Browser, seller: Member, buyer: Member
) -> None:
    case = await case_on(secretary, await trading.binding_deal(seller, buyer))
    await secretary.post(f"/breaches/{case}/file", key())
    await purchaser.post(f"/breaches/{case}/offer", key(offer="补 200 元，下周收货"))
    assert "同意和解" not in (await purchaser.get(f"/breaches/{case}")).text
    assert "同意和解" in (await secretary.get(f"/breaches/{case}")).text
    taken = key(offer="补 200 元，下周收货")
    assert (await secretary.post(f"/breaches/{case}/settle", taken)).status_code == 303
    assert await fetch_value("SELECT state FROM breach") == "settled"


async def test_record_of_both_sides_has_figures_and_their_own_word(
    secretary: Browser, purchaser: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.binding_deal(seller, buyer)
    await execute(
        """INSERT INTO payment (deal, amount, paid, kind, state, due_on)
           VALUES ($1, 75000, 0, 'goods', 'invoiced', $2)""",
        deal_id,
        clock.today().replace(year=2025),
    )
    assert (
        await purchaser.post(f"/deals/{deal_id}/record/reply", key(words="银行系统升级，已补付"))
    ).status_code == 303
    page = await secretary.get(f"/deals/{deal_id}/record")
    assert "银行系统升级，已补付" in page.text
    assert "1 笔，750 元" in page.text
    for side in (seller, buyer):
        name = await fetch_value("SELECT name FROM organisation WHERE id = $1", side.organisation_id)
        assert f"<h2>{name}</h2>" in page.text
        assert (f"{name}的说明" in page.text) is (side is buyer)
    assert "提出违约" in page.text


async def test_payment_in_parts_and_natural_loss_on_the_contract_page(
    secretary: Browser, purchaser: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.binding_deal(seller, buyer)
    today = clock.today().isoformat()
    await secretary.post(f"/deals/{deal_id}/deliveries", key(quantity="500", quantity_unit="kg", on=today))
    await execute("UPDATE delivery SET state = 'arrived', arrived_at = now()")
    number = await fetch_value("SELECT id FROM delivery")
    path, mark = f"/deals/{deal_id}/deliveries/{number}/accept-loss", f"f-loss{number}-"
    assert "有自然损耗" in (await purchaser.get(f"/deals/{deal_id}")).text
    answer = await purchaser.post(path, key(loss="3", loss_unit="kg"))
    assert list(faults(answer, prefix=mark)) == ["loss"]
    assert (await purchaser.post(path, key(loss="2", loss_unit="kg"))).status_code == 303
    row = (await fetch("SELECT accepted, loss FROM delivery"))[0]
    assert (row["accepted"], row["loss"]) == (498_000, 2_000)
    payment = await fetch_value("SELECT id FROM payment")
    pay, mark = f"/deals/{deal_id}/payments/{payment}", f"f-pay{payment}-"
    assert list(faults(await purchaser.post(f"{pay}/pay-part", key(money="747.01")), prefix=mark)) == [
        "money"
    ]
    assert (await purchaser.post(f"{pay}/pay-part", key(money="300.01"))).status_code == 303
    assert "还差 446.99 元" in (await secretary.get(f"/deals/{deal_id}")).text
    # pressed on a page from before the part was paid: not all of that is open any more
    stale = await purchaser.post(f"{pay}/pay", key(open="74700"))
    assert (stale.status_code, list(faults(stale, prefix=mark))) == (409, ["money"])
    assert 'name="open" value="44699"' in stale.text
    assert (await purchaser.post(f"{pay}/pay", key(open="44699"))).status_code == 303
    for row in await fetch("SELECT id FROM receipt"):
        assert (await secretary.post(f"/deals/{deal_id}/receipts/{row['id']}/confirm", key())).is_redirect
    assert await fetch_value("SELECT state FROM deal") == "completed"


async def test_contract_is_ended_by_agreement_from_its_page(
    secretary: Browser, purchaser: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.binding_deal(seller, buyer)
    page = f"/deals/{deal_id}/ending"
    assert f'href="{page}"' in (await secretary.get(f"/deals/{deal_id}")).text
    bare = await secretary.post(page, key(words="互不追究"))
    assert (bare.status_code, set(faults(bare, prefix="f-propose-"))) == (422, {"reason"})
    assert "互不追究" in bare.text
    assert (await secretary.post(page, key(reason="other", words="互不追究"))).headers["location"] == page
    assert "协商解除待答复" in (await purchaser.get("/")).text
    tags = [
        re.findall(r'class="tag wait">(等[^<]+)<', (await who.get(page)).text)
        for who in (secretary, purchaser)
    ]
    assert tags == [["等对方答复"], ["等您答复"]]
    number = await fetch_value("SELECT id FROM contract_ending")
    no = await purchaser.post(f"{page}/{number}/refuse", key(note="还要货"))
    assert (no.status_code, set(faults(no, prefix="f-no-")), "还要货" in no.text) == (422, {"reason"}, True)
    (seen,) = re.findall(r'name="seen" value="([^"]+)"', (await purchaser.get(page)).text)
    agreed = key(seen=seen)
    # read while another load had not gone yet
    stale = await purchaser.post(f"{page}/{number}/agree", {**agreed, "seen": f"1{seen}"})
    assert (stale.status_code, "合同在您打开以后变了" in stale.text, seen in stale.text) == (409, True, True)
    for _ in range(2):
        done = await purchaser.post(f"{page}/{number}/agree", agreed)
        assert done.headers["location"] == page
    assert (await secretary.post(f"{page}/{number}/withdraw", key())).status_code == 409
    assert "双方协商解除" in (await secretary.get(f"/deals/{deal_id}")).text
    seen = await purchaser.get(f"{page}?lang=en")
    assert ("Both agreed to end it" in seen.text, f'action="{page}' in seen.text) == (True, False)
    # what is due is what stands, not what the contract was over
    assert "现在作数的货款 0 元（合同原为" in (await purchaser.get(f"/deals/{deal_id}?lang=zh")).text
    # the course tells what was done, not what may be done
    course = (await purchaser.get(f"/deals/{deal_id}?lang=en")).text.partition('<ol class="timeline">')[2]
    assert "<strong>Proposed to end the contract by agreement</strong>" in course


async def test_end_of_a_contract_with_nothing_left_to_deliver_speaks_of_no_goods_to_free(
    secretary: Browser, purchaser: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.binding_deal(seller, buyer)
    page, today = f"/deals/{deal_id}/ending", clock.today().isoformat()
    await secretary.post(f"/deals/{deal_id}/deliveries", key(quantity="500", quantity_unit="kg", on=today))
    await execute("UPDATE delivery SET state = 'arrived', arrived_at = now()")
    await secretary.post(page, key(reason="other", words="互不追究"))
    number = await fetch_value("SELECT id FROM contract_ending")
    shown = (await purchaser.get(page)).text
    assert ("还没交的 0" in shown, "在途的 1,000 斤 / 0.5 吨 等验收" in shown) == (False, True)
    delivery = await fetch_value("SELECT id FROM delivery")
    assert (await purchaser.post(f"/deals/{deal_id}/deliveries/{delivery}/accept", key())).is_redirect
    shown = (await purchaser.get(page)).text
    assert ("还没交的 0" in shown, "货都交完了，没有要释放的" in shown) == (False, True)
    (seen,) = re.findall(r'name="seen" value="([^"]+)"', shown)
    assert (await purchaser.post(f"{page}/{number}/agree", key(seen=seen))).is_redirect
    told = (await purchaser.get(page)).text
    assert ("双方同意，合同已解除。" in told, "余下的数量已释放" in told) == (True, False)


async def test_force_majeure_is_proved_and_disputed_from_the_page(
    secretary: Browser, purchaser: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.binding_deal(seller, buyer)
    page = f"/deals/{deal_id}/ending"
    notice = key(event="hail", happened_on=clock.today().isoformat(), words="大棚全毁")
    future = {**notice, "happened_on": "2099-01-01"}
    early = await secretary.post(f"{page}/force-majeure", future)
    assert (early.status_code, set(faults(early, prefix="f-notice-"))) == (422, {"happened_on"})
    assert (await secretary.post(f"{page}/force-majeure", notice)).headers["location"] == page
    number = await fetch_value("SELECT id FROM contract_ending")
    assert "还没有证明" in (await purchaser.get(page)).text
    photo = io.BytesIO()
    Image.new("RGB", (40, 30), "white").save(photo, "JPEG")
    proof = {"photo": ("hail.jpg", photo.getvalue())}
    added = await secretary.upload(f"{page}/{number}/proof", key(words="大棚照片"), proof)
    assert added.headers["location"] == page
    shown = await purchaser.get(f"{page}/pictures/{await fetch_value('SELECT id FROM ending_proof')}")
    assert shown.headers["content-type"] == "image/webp"
    # the ground stands in the form of the side that was told, and in no other
    record = f"/deals/{deal_id}/record"
    assert f'href="{record}#breach"' in (await purchaser.get(page)).text
    assert ["not_excused" in (await each.get(record)).text for each in (purchaser, secretary)] == [
        True,
        False,
    ]
    # whoever decides finds the proof from the case
    begun = await purchaser.post(
        f"/deals/{deal_id}/breaches", key(ground="not_excused", statement="没有冰雹")
    )
    assert f'href="{page}"' in (await purchaser.get(begun.headers["location"])).text

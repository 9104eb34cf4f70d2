"""Terms of a contract on the page: proposed, signed by the other side, warned of, printed."""

import io
from typing import Any
from uuid import uuid4

import msgspec
import pypdfium2
import pytest
from docx import Document

from fixtures.factories import Factory, Member
from market.db.session import execute, fetch_value
from market.deals.terms import terms_in_force
from market.web.deals.terms_form import blank_form
from tests.forms import filled_in
from tests.integration.web import shop, trading
from tests.integration.web.conftest import Browser, SignedInAs, faults


@pytest.fixture
async def secretary(factory: Factory, seller: Member, browser_of: SignedInAs) -> Browser:
    await shop.stock_catalogue()
    return await browser_of(seller)


@pytest.fixture
async def purchaser(buyer: Member, browser_of: SignedInAs) -> Browser:
    return await browser_of(buyer)


async def typed(deal_id: int, **changed: str) -> dict[str, Any]:
    """The form as the page draws it, with some fields typed over."""
    version, terms = await terms_in_force(deal_id=deal_id)
    filled = blank_form(terms, base=version, key=str(uuid4()))
    return {**{name: texts[0] for name, texts in filled.typed.items() if texts}, **changed}


async def test_contract_tells_its_terms_in_both_languages(
    secretary: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.deal_between(seller, buyer)
    page = await secretary.get(f"/deals/{deal_id}")
    for text in ("每批到货后 60 天内付 100%。", "不以卖出为付款条件。", "自然损耗"):
        assert text in page.text
    english = await secretary.get(f"/deals/{deal_id}/terms?lang=en")
    assert english.status_code == 200
    names = "UPDATE person SET name = '签字人', name_en = 'Zhou Wangtian' WHERE id = $1"
    await execute(names, seller.person_id)
    assert (await secretary.post(f"/deals/{deal_id}/sign")).status_code == 303
    for language, name in (("zh", "签字人"), ("en", "Zhou Wangtian")):
        signed = (await secretary.get(f"/deals/{deal_id}?lang={language}")).text
        assert f"<strong>{name}</strong>" in signed.partition('class="signatures"')[2]


async def test_proposal_is_signed_by_the_other_side_and_then_counts(
    secretary: Browser, purchaser: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.deal_between(seller, buyer)
    data = await typed(
        deal_id, deposit="10", share1="40%", days1="30", after2="signing", share2="60", days2="3", note="急用"
    )
    answer = await secretary.post(f"/deals/{deal_id}/terms", data)
    assert answer.status_code == 303, faults(answer)
    seen = await purchaser.get(f"/deals/{deal_id}/terms")
    assert "同意并签字" in seen.text
    assert "急用" in seen.text
    assert "同意并签字" not in (await secretary.get(f"/deals/{deal_id}/terms")).text
    for _ in range(2):
        assert (await purchaser.post(f"/deals/{deal_id}/terms/2/agree")).status_code == 303
    version, terms = await terms_in_force(deal_id=deal_id)
    assert (version, terms.deposit) == (2, 1_000)
    assert [(each.after, each.share, each.days) for each in terms.milestones] == [
        ("arrival", 4_000, 30),
        ("signing", 6_000, 3),
    ]
    assert (await secretary.post(f"/deals/{deal_id}/terms/2/withdraw")).status_code == 409


async def test_a_proposal_is_refused_with_a_reason_that_its_proposer_reads(
    secretary: Browser, purchaser: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.deal_between(seller, buyer)
    page = f"/deals/{deal_id}/terms"
    await secretary.post(page, await typed(deal_id, deposit="10"))
    bare = await purchaser.post(f"{page}/2/refuse", {"note": "定金太高"})
    said = faults(bare, prefix="f-no-")
    assert (bare.status_code, set(said), bare.text.count("定金太高")) == (422, {"reason"}, 1)
    assert (
        await purchaser.post(f"{page}/2/refuse", {"reason": "price", "note": "定金太高"})
    ).status_code == 303
    seen = (await secretary.get(f"{page}?lang=en")).text
    assert "price · 定金太高" in seen


async def test_same_form_twice_proposes_once(secretary: Browser, seller: Member, buyer: Member) -> None:
    deal_id = await trading.deal_between(seller, buyer)
    data = await typed(deal_id, deposit="10")
    for _ in range(2):
        assert (await secretary.post(f"/deals/{deal_id}/terms", data)).status_code == 303
    assert await fetch_value("SELECT count(*) FROM contract_terms WHERE proposer IS NOT NULL") == 1


async def test_faults_stand_beside_their_fields(secretary: Browser, seller: Member, buyer: Member) -> None:
    deal_id = await trading.deal_between(seller, buyer)
    answer = await secretary.post(f"/deals/{deal_id}/terms", await typed(deal_id, share1="99.5"))
    assert answer.status_code == 422
    assert faults(answer) == {"share1": "各笔付款的比例加起来要正好是 100%。"}
    answer = await secretary.post(
        f"/deals/{deal_id}/terms", await typed(deal_id, natural_loss="0.555", seller_penalty="101")
    )
    assert sorted(faults(answer)) == ["natural_loss", "seller_penalty"]


async def test_both_sides_are_warned_of_unfair_terms(
    secretary: Browser, purchaser: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.deal_between(seller, buyer)
    data = await typed(deal_id, fees="每店收进场费 2000 元", days1="90", buyer_penalty="0")
    assert (await purchaser.post(f"/deals/{deal_id}/terms", data)).status_code == 303
    for browser in (secretary, purchaser):
        page = await browser.get(f"/deals/{deal_id}/terms")
        for text in ("“进场费”：零售商不得收取这类费用", "最长不得超过 60 天", "国务院令第 802 号"):
            assert text in page.text


async def test_nobody_is_told_to_look_before_signing_what_is_signed(
    secretary: Browser, seller: Member, buyer: Member
) -> None:
    drafted, bound = await trading.deal_between(seller, buyer), await trading.binding_deal(seller, buyer)
    for page, signed in ((f"/deals/{drafted}", False), (f"/deals/{bound}", True)):
        text = (await secretary.get(page)).text
        assert ("签字前请核对" in text, "条款有 1 处要留意" in text) == (not signed, signed)


async def test_contract_is_printed_with_the_terms_in_force(
    secretary: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.binding_deal(seller, buyer)
    paper = await secretary.get(f"/deals/{deal_id}/contract.pdf")
    assert (paper.status_code, paper.content[:5]) == (200, b"%PDF-")
    word = await secretary.get(f"/deals/{deal_id}/contract.docx")
    document = Document(io.BytesIO(word.content))
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    number = await fetch_value("SELECT number FROM deal")
    assert any(number in each.text for each in document.paragraphs)
    assert {"货款合计", "750.00 元", "违约责任", "争议解决"} <= set(cells)
    assert sum("在线签字" in cell for cell in cells) == 3


async def test_page_and_paper_have_the_price_that_is_settled_at(
    secretary: Browser, purchaser: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.binding_deal(seller, buyer)
    version, terms = await terms_in_force(deal_id=deal_id)
    moved = msgspec.structs.replace(terms, pricing="market", market="沈阳，前一天", settled=200)
    filled = blank_form(moved, base=version, key=str(uuid4()))
    data = {name: texts[0] for name, texts in filled.typed.items() if texts}
    assert (await secretary.post(f"/deals/{deal_id}/terms", data)).status_code == 303
    assert (await purchaser.post(f"/deals/{deal_id}/terms/{version + 1}/agree")).status_code == 303
    assert "1,000 元" in (await secretary.get(f"/deals/{deal_id}")).text
    word = await secretary.get(f"/deals/{deal_id}/contract.docx")
    cells = [
        cell.text for table in Document(io.BytesIO(word.content)).tables for cell in table.columns[1].cells
    ]
    assert "1,000.00 元" in cells


async def test_files_of_others_are_not_found(
    factory: Factory, secretary: Browser, seller: Member, buyer: Member, browser_of: SignedInAs
) -> None:
    deal_id = await trading.deal_between(seller, buyer)
    other = await browser_of(await factory.member(role="buyer", password="correct horse battery"))
    for path in ("terms", "contract.pdf", "contract.docx"):
        assert (await other.get(f"/deals/{deal_id}/{path}")).status_code == 404
    assert (await other.post(f"/deals/{deal_id}/terms", await typed(deal_id))).status_code == 404


async def test_first_terms_are_signed_when_the_contract_is(
    secretary: Browser, purchaser: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.deal_between(seller, buyer)
    assert (
        await secretary.post(f"/deals/{deal_id}/terms", await typed(deal_id, deposit="10"))
    ).status_code == 303
    page = await secretary.get(f"/deals/{deal_id}/terms")
    assert ("成交时的条款" in page.text, "双方未签" in page.text, "双方已签" in page.text) == (
        True,
        True,
        False,
    )
    await secretary.post(f"/deals/{deal_id}/sign")
    assert "一方已签" in (await secretary.get(f"/deals/{deal_id}/terms")).text
    await purchaser.post(f"/deals/{deal_id}/sign")
    assert "双方已签" in (await secretary.get(f"/deals/{deal_id}/terms")).text


async def test_form_begins_with_ones_own_open_proposal(
    secretary: Browser, purchaser: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.deal_between(seller, buyer)
    await secretary.post(f"/deals/{deal_id}/terms", await typed(deal_id, other="自备麻袋"))
    own, others = [(await each.get(f"/deals/{deal_id}/terms")).text for each in (secretary, purchaser)]
    assert [
        text.partition('name="other"')[2].partition("</textarea>")[0].endswith("自备麻袋")
        for text in (own, others)
    ] == [
        True,
        False,
    ]
    assert ("没有这一笔" in own, "不限" in own) == (True, False)


async def test_a_proposal_that_came_meanwhile_is_told_and_replaced_only_once_seen(
    secretary: Browser, purchaser: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.deal_between(seller, buyer)
    path, drawn = f"/deals/{deal_id}/terms", await typed(deal_id, packing="纸箱")
    assert "提议还在等" not in (await secretary.get(path)).text
    await purchaser.post(path, await typed(deal_id, deposit="10"))
    assert "对方第 2 版提议还在等本方签字" in (await secretary.get(path)).text
    assert "本单位第 2 版提议还在等对方签字" in (await purchaser.get(path)).text
    unseen = await secretary.post(path, drawn)
    assert (unseen.status_code, set(faults(unseen))) == (409, {"deposit", "packing"})
    assert await fetch_value("SELECT count(*) FROM contract_terms WHERE state = 'superseded'") == 0
    again = filled_in(unseen.text, path)
    again.pop("_csrf")
    assert [again[name][0].strip() for name in ("deposit", "packing", "replaces")] == ["0%", "纸箱", "2"]
    assert (await secretary.post(path, again)).status_code == 303
    assert await fetch_value("SELECT state FROM contract_terms WHERE version = 2") == "superseded"


async def test_a_proposal_over_terms_that_changed_meanwhile_is_asked_back_whole(
    secretary: Browser, purchaser: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.deal_between(seller, buyer)
    path, older = f"/deals/{deal_id}/terms", await typed(deal_id)
    await secretary.post(path, await typed(deal_id, deposit="10", other="自备麻袋", days1="30"))
    await purchaser.post(f"{path}/2/agree")
    stale = await secretary.post(path, {**older, "deposit": "15", "packing": "纸箱"})
    assert stale.status_code == 409
    assert set(faults(stale)) == {"deposit", "other", "days1"}
    again = filled_in(stale.text, path)
    again.pop("_csrf")
    names = ("deposit", "packing", "other", "days1", "base")
    assert [again[name][0].strip() for name in names] == ["15", "纸箱", "自备麻袋", "30", "2"]
    # nobody has signed yet what they have not seen whole
    assert await fetch_value("SELECT count(*) FROM contract_terms WHERE state = 'proposed'") == 0
    assert (await secretary.post(path, again)).status_code == 303
    assert await fetch_value("SELECT terms ->> 'other' FROM contract_terms WHERE version = 3") == "自备麻袋"


async def test_contract_that_does_not_bind_says_so_on_every_page(
    secretary: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.deal_between(seller, buyer)
    await secretary.post(f"/deals/{deal_id}/cancel", {"reason": "other", "note": "不做了"})
    paper = pypdfium2.PdfDocument((await secretary.get(f"/deals/{deal_id}/contract.pdf")).content)
    texts = [page.get_textpage().get_text_range() for page in paper]
    assert [("本合同已取消" in text) for text in texts] == [True] * len(texts)
    word = Document(io.BytesIO((await secretary.get(f"/deals/{deal_id}/contract.docx")).content))
    assert word.sections[0].header.paragraphs[0].text.startswith("本合同已取消（")
    bound = await trading.binding_deal(seller, buyer)
    paper = pypdfium2.PdfDocument((await secretary.get(f"/deals/{bound}/contract.pdf")).content)
    texts = [page.get_textpage().get_text_range() for page in paper]
    assert not any("本合同已" in text for text in texts)
    # signatures stand beside the last clauses, not alone
    assert "其他约定" in texts[-1]
    assert "人民币柒佰伍拾元整" in "".join(texts)

"""A paper contract on the pages: uploaded, looked at, confirmed; what is wrong stands beside its field."""

import io
from uuid import uuid4

import pypdf
import pytest

from fixtures.factories import PASSWORD, Factory, Member
from market.db.session import fetch_value
from market.deals.scans.queries import mark_in_force
from tests.integration.web import shop, trading
from tests.integration.web.conftest import Browser, SignedInAs, faults

FILES = {"files": ("contract.pdf", b"%PDF-1.7 signed and sealed")}


@pytest.fixture
async def secretary(seller: Member, browser_of: SignedInAs) -> Browser:
    await shop.stock_catalogue()
    return await browser_of(seller)


@pytest.fixture
async def purchaser(buyer: Member, browser_of: SignedInAs) -> Browser:
    return await browser_of(buyer)


def typed(mark: str, **further: str) -> dict[str, str]:
    return {"key": str(uuid4()), "mark": mark, "signed": "1", **further}


async def test_mark_is_printed_on_every_page_of_the_contract(
    secretary: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.deal_between(seller, buyer)
    mark = await mark_in_force(deal_id=deal_id)
    paper = pypdf.PdfReader(io.BytesIO((await secretary.get(f"/deals/{deal_id}/contract.pdf")).content))
    assert all(mark in page.extract_text() for page in paper.pages)


async def test_scan_goes_from_upload_to_a_contract_in_force(
    secretary: Browser, purchaser: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.deal_between(seller, buyer)
    mark = await mark_in_force(deal_id=deal_id)
    sent = typed(mark.lower().replace("-", " "))
    for _ in range(2):
        answer = await secretary.upload(f"/deals/{deal_id}/scans", sent, FILES)
        assert answer.status_code == 303, faults(answer)
    assert await fetch_value("SELECT count(*) FROM contract_scan") == 1
    scan, file = (
        await fetch_value("SELECT id FROM contract_scan"),
        await fetch_value("SELECT id FROM contract_scan_file"),
    )
    assert f"/deals/{deal_id}#scans" in (await purchaser.get("/")).text
    page = (await purchaser.get(f"/deals/{deal_id}")).text
    assert f'action="/deals/{deal_id}/scans/{scan}/confirm"' in page
    assert f'action="/deals/{deal_id}/sign"' not in page
    handed = await purchaser.get(f"/deals/{deal_id}/scans/{scan}/files/{file}")
    assert (handed.content, handed.headers["content-disposition"][:10]) == (FILES["files"][1], "attachment")
    for _ in range(2):
        confirmed = await purchaser.post(f"/deals/{deal_id}/scans/{scan}/confirm", {"key": str(uuid4())})
        assert confirmed.status_code == 303
    assert await fetch_value("SELECT state FROM deal") == "active"
    assert "凭扫描件" in (await secretary.get(f"/deals/{deal_id}")).text
    filed = await purchaser.upload(f"/deals/{deal_id}/scans", {"key": str(uuid4())}, FILES)
    assert filed.status_code == 303, faults(filed)
    assert await fetch_value("SELECT state FROM contract_scan ORDER BY id DESC LIMIT 1") == "filed"


async def test_scan_that_completes_a_contract_asks_nobody_to_confirm_it(
    secretary: Browser, purchaser: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.deal_between(seller, buyer)
    assert (await purchaser.post(f"/deals/{deal_id}/sign", {"key": str(uuid4())})).status_code == 303
    await secretary.upload(f"/deals/{deal_id}/scans", typed(await mark_in_force(deal_id=deal_id)), FILES)
    assert await fetch_value("SELECT state FROM deal") == "active"
    page = (await secretary.get(f"/deals/{deal_id}")).text
    assert "凭扫描件签字" in page
    assert "请对方确认" not in page


async def test_fault_stands_beside_its_field_and_what_was_typed_stays(
    secretary: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.deal_between(seller, buyer)
    wrong = await secretary.upload(f"/deals/{deal_id}/scans", typed("1234-5678"), FILES)
    assert (wrong.status_code, list(faults(wrong))) == (422, ["mark"])
    assert 'value="1234-5678"' in wrong.text
    mark = await mark_in_force(deal_id=deal_id)
    other = {"files": ("contract.exe", b"MZ")}
    assert list(faults(await secretary.upload(f"/deals/{deal_id}/scans", typed(mark), other))) == ["files"]
    torn = {"files": ("contract.jpg", b"MZ")}
    assert list(faults(await secretary.upload(f"/deals/{deal_id}/scans", typed(mark), torn))) == ["files"]
    unsaid = {"key": str(uuid4()), "mark": mark}
    assert list(faults(await secretary.upload(f"/deals/{deal_id}/scans", unsaid, FILES))) == ["signed"]
    assert await fetch_value("SELECT count(*) FROM contract_scan") == 0


async def test_objection_says_why_and_the_uploader_reads_it(
    secretary: Browser, purchaser: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.deal_between(seller, buyer)
    await secretary.upload(f"/deals/{deal_id}/scans", typed(await mark_in_force(deal_id=deal_id)), FILES)
    scan = await fetch_value("SELECT id FROM contract_scan")
    path = f"/deals/{deal_id}/scans/{scan}/refuse"
    bare = await purchaser.post(path, {"key": str(uuid4())})
    assert (bare.status_code, list(faults(bare, prefix=f"f-scan{scan}-"))) == (422, ["reason"])
    said = {"key": str(uuid4()), "reason": "missing_pages", "note": "少了第二页"}
    assert (await purchaser.post(path, said)).status_code == 303
    page = (await secretary.get(f"/deals/{deal_id}")).text
    assert "缺页" in page
    assert "少了第二页" in page
    assert await fetch_value("SELECT state FROM deal") == "pending"


async def test_scan_is_shown_to_the_parties_and_their_town_alone(
    factory: Factory, secretary: Browser, seller: Member, buyer: Member, browser_of: SignedInAs
) -> None:
    deal_id = await trading.deal_between(seller, buyer)
    await secretary.upload(f"/deals/{deal_id}/scans", typed(await mark_in_force(deal_id=deal_id)), FILES)
    scan = await fetch_value("SELECT id FROM contract_scan")
    file = await fetch_value("SELECT id FROM contract_scan_file")
    stranger = await browser_of(await factory.member(role="buyer", password=PASSWORD))
    assert (await stranger.get(f"/deals/{deal_id}/scans/{scan}/files/{file}")).status_code == 404
    assert (await stranger.post(f"/deals/{deal_id}/scans/{scan}/confirm")).status_code == 404
    # the number of another contract does not lead to it
    other = await trading.deal_between(seller, buyer)
    assert (await secretary.get(f"/deals/{other}/scans/{scan}/files/{file}")).status_code == 404

"""Invoices on the contract's page: recorded, asked back, sent back with a reason, reversed, handed out."""

from uuid import uuid4

import msgspec
import pytest

from fixtures.factories import PASSWORD, Factory, Member
from market import clock
from market.db.session import execute, fetch_value
from market.deals.terms import answer_terms, propose_terms, terms_in_force
from market.exchange.workbook_rows import sheets_of
from tests.integration.web import shop, trading
from tests.integration.web.conftest import Browser, SignedInAs, faults

NUMBER = "26372000000012345678"


@pytest.fixture
async def secretary(seller: Member, browser_of: SignedInAs) -> Browser:
    await shop.stock_catalogue()
    return await browser_of(seller)


@pytest.fixture
async def purchaser(buyer: Member, browser_of: SignedInAs) -> Browser:
    return await browser_of(buyer)


def typed(**changed: str) -> dict[str, str]:
    return {
        "key": str(uuid4()),
        "kind": "own_produce",
        "number": NUMBER,
        "issued_on": clock.today().isoformat(),
        "amount": "750",
        **changed,
    }


async def delivered(seller: Member, buyer: Member, secretary: Browser, purchaser: Browser) -> int:
    """A contract under which 500 kg for 750 yuan were accepted."""
    deal_id = await trading.binding_deal(seller, buyer)
    load = {"key": str(uuid4()), "quantity": "500", "quantity_unit": "kg", "on": clock.today().isoformat()}
    await secretary.post(f"/deals/{deal_id}/deliveries", load)
    path = f"/deals/{deal_id}/deliveries/{await fetch_value('SELECT id FROM delivery')}"
    await secretary.post(f"{path}/dispatch")
    for move in ("arrive", "accept"):
        await purchaser.post(f"{path}/{move}")
    return deal_id


async def test_invoice_is_recorded_once_shown_to_both_and_exported(
    secretary: Browser, purchaser: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await delivered(seller, buyer, secretary, purchaser)
    assert 'value="750.00"' in (await secretary.get(f"/deals/{deal_id}")).text
    sent, file = typed(), {"file": ("票.xml", b"<?xml version='1.0'?><a/>")}
    for _ in range(2):
        answer = await secretary.upload(f"/deals/{deal_id}/invoices", sent, file)
        assert answer.status_code == 303, faults(answer, prefix="f-inv-")
    page = (await purchaser.get(f"/deals/{deal_id}")).text
    assert NUMBER in page
    number = await fetch_value("SELECT id FROM invoice")
    handed = await purchaser.get(f"/deals/{deal_id}/invoices/{number}/file")
    assert handed.headers["content-disposition"].startswith("attachment")
    assert handed.headers["content-type"].startswith("application/xml")
    for name in ("deals", "ledger"):
        answer = await secretary.get(f"/{name}.xlsx")
        sheet = sheets_of(answer.content, most_rows=20)[0]
        head, rows = sheet.rows[0], sheet.rows[1:]
        billed = [row[head.index("已开发票（元）")] for row in rows]
        # once for a contract, not with its deliveries
        assert [float(each) for each in billed if each not in ("", None)] == [750.0], name


async def test_fault_keeps_what_was_typed_and_too_much_is_asked_back(
    secretary: Browser, purchaser: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await delivered(seller, buyer, secretary, purchaser)
    path = f"/deals/{deal_id}/invoices"
    wrong = await secretary.post(path, typed(number="123", amount="750"))
    assert (wrong.status_code, list(faults(wrong, prefix="f-inv-"))) == (422, ["number"])
    assert 'value="123"' in wrong.text
    beyond = await secretary.post(path, typed(amount="7500"))
    assert (beyond.status_code, list(faults(beyond, prefix="f-inv-"))) == (422, ["sure"])
    assert 'value="7500"' in beyond.text
    assert (await secretary.post(path, typed(amount="7500", sure="1"))).status_code == 303


async def test_invoice_is_sent_back_taken_and_reversed(
    secretary: Browser, purchaser: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await delivered(seller, buyer, secretary, purchaser)
    await secretary.post(f"/deals/{deal_id}/invoices", typed())
    path = f"/deals/{deal_id}/invoices/{await fetch_value('SELECT id FROM invoice')}"
    bare = await purchaser.post(f"{path}/refuse", {"key": str(uuid4())})
    assert bare.status_code == 422
    said = {"key": str(uuid4()), "reason": "tax_number", "note": "末位是 8"}
    assert (await purchaser.post(f"{path}/refuse", said)).status_code == 303
    page = (await secretary.get(f"/deals/{deal_id}")).text
    assert "税号不对" in page
    assert "末位是 8" in page
    for _ in range(2):
        assert (await purchaser.post(f"{path}/take", {"key": str(uuid4())})).status_code == 303
    red = {"key": str(uuid4()), "number": NUMBER[:-1] + "9", "issued_on": clock.today().isoformat()}
    assert (await secretary.post(f"{path}/reverse", {**red, "reason": "mistake"})).status_code == 303
    assert "已红冲" in (await purchaser.get(f"/deals/{deal_id}")).text


async def test_home_asks_for_an_invoice_only_where_the_contract_calls_for_one(
    secretary: Browser, purchaser: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await delivered(seller, buyer, secretary, purchaser)
    assert "待开发票" not in (await secretary.get("/")).text
    base, now = await terms_in_force(deal_id=deal_id)
    version = await propose_terms(
        deal_id=deal_id,
        base=base,
        terms=msgspec.structs.replace(now, invoice="own_produce"),
        note="",
        organisation_id=seller.organisation_id,
        actor=seller.actor,
        at=clock.now(),
    )
    await answer_terms(
        deal_id=deal_id,
        version=version,
        move="agree",
        organisation_id=buyer.organisation_id,
        actor=buyer.actor,
        at=clock.now(),
    )
    assert "待开发票" in (await secretary.get("/")).text
    assert "待开发票" not in (await purchaser.get("/")).text
    await secretary.post(f"/deals/{deal_id}/invoices", typed())
    assert "待开发票" not in (await secretary.get("/")).text
    await execute("UPDATE invoice SET state = 'refused', reason = 'title'")
    assert "待重开" in (await secretary.get("/")).text


async def test_strangers_find_no_invoice(
    factory: Factory,
    secretary: Browser,
    purchaser: Browser,
    seller: Member,
    buyer: Member,
    browser_of: SignedInAs,
) -> None:
    deal_id = await delivered(seller, buyer, secretary, purchaser)
    await secretary.upload(f"/deals/{deal_id}/invoices", typed(), {"file": ("a.pdf", b"%PDF-1.7")})
    number = await fetch_value("SELECT id FROM invoice")
    stranger = await browser_of(await factory.member(role="buyer", password=PASSWORD))
    for path in (f"/deals/{deal_id}/invoices/{number}/file", f"/deals/{deal_id}"):
        assert (await stranger.get(path)).status_code == 404
    assert (await stranger.post(f"/deals/{deal_id}/invoices", typed())).status_code == 404

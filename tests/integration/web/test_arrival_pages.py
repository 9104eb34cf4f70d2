"""Goods whose arrival the buyer does not record, on the contract's page: stated, denied, confirmed, taken."""

from uuid import uuid4

import pytest

from fixtures.factories import Member
from market import clock
from market.db.session import execute, fetch_value
from tests.integration.web import shop, trading
from tests.integration.web.conftest import Browser, SignedInAs, faults

RECEIPT = {"file": ("签收单.pdf", b"%PDF-1.7 signed")}


@pytest.fixture
async def secretary(seller: Member, browser_of: SignedInAs) -> Browser:
    await shop.stock_catalogue()
    return await browser_of(seller)


@pytest.fixture
async def purchaser(buyer: Member, browser_of: SignedInAs) -> Browser:
    return await browser_of(buyer)


def typed(**changed: str) -> dict[str, str]:
    return {"key": str(uuid4()), "on": clock.today().isoformat(), **changed}


async def on_its_way(seller: Member, buyer: Member, secretary: Browser) -> tuple[str, str]:
    """The addresses of a contract and of its load, which is on its way."""
    deal = f"/deals/{await trading.binding_deal(seller, buyer)}"
    await secretary.post(
        f"{deal}/deliveries",
        {"key": str(uuid4()), "quantity": "500", "quantity_unit": "kg", "on": clock.today().isoformat()},
    )
    load = f"{deal}/deliveries/{await fetch_value('SELECT id FROM delivery')}"
    await secretary.post(f"{load}/dispatch")
    return deal, load


async def test_an_arrival_is_stated_once_denied_with_words_and_confirmed_the_next_time(
    secretary: Browser, purchaser: Browser, seller: Member, buyer: Member
) -> None:
    deal, load = await on_its_way(seller, buyer, secretary)
    assert "货到了，买方没有记" in (await secretary.get(deal)).text
    assert "货到了，买方没有记" not in (await purchaser.get(deal)).text
    answer = await secretary.post(f"{load}/arrived", typed())
    load_id = load.rpartition("/")[2]
    assert (answer.status_code, list(faults(answer, prefix=f"f-arr{load_id}-"))) == (422, ["file"])
    sent = typed(note="门卫收的")
    for _ in range(2):
        assert (await secretary.upload(f"{load}/arrived", sent, RECEIPT)).status_code == 303
    assert await fetch_value("SELECT count(*) FROM arrival") == 1
    page = (await purchaser.get(deal)).text
    for words in ("待买方答复", "门卫收的", "签收单.pdf", "确认这天到货", "没有到，或日期不对"):
        assert words in page
    # the day is answered as it was read, not by another button
    assert f'{load}/arrive"' not in page
    assert (await purchaser.post(f"{load}/arrive", {"key": str(uuid4())})).status_code == 409
    word = f"{deal}/arrivals/{await fetch_value('SELECT max(id) FROM arrival')}"
    assert (await secretary.get(f"{word}/file")).content == RECEIPT["file"][1]
    answer = await purchaser.post(f"{word}/deny", {"key": str(uuid4()), "note": ""})
    prefix = f"f-deny{word.rpartition('/')[2]}-"
    assert (answer.status_code, list(faults(answer, prefix=prefix))) == (422, ["note"])
    await purchaser.post(f"{word}/deny", {"key": str(uuid4()), "note": "没有收到"})
    assert "没有收到" in (await secretary.get(deal)).text
    await secretary.upload(f"{load}/arrived", typed(), RECEIPT)
    again = f"{deal}/arrivals/{await fetch_value('SELECT max(id) FROM arrival')}"
    for _ in range(2):
        answer = await purchaser.post(f"{again}/confirm", {"key": str(uuid4())})
        assert answer.status_code == 303
    page = (await purchaser.get(deal)).text
    for words in ("买方已确认", "卖方说明已到货", "买方确认到货", "民法典第六百二十一条"):
        assert words in page


async def test_what_was_taken_by_silence_says_so_in_either_language(
    secretary: Browser, seller: Member, buyer: Member
) -> None:
    deal, _ = await on_its_way(seller, buyer, secretary)
    await execute("UPDATE delivery SET state = 'accepted', accepted = quantity, passed_at = now()")
    assert "买方过了验收期没有答复" in (await secretary.get(deal)).text
    assert "Civil Code, article 621" in (await secretary.get(f"{deal}?lang=en")).text

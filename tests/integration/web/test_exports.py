"""Workbooks to take away: numbers and days as such, both languages, no formula, and nothing of others."""

import io
import zipfile
from datetime import timedelta

import pytest
from python_calamine import CalamineWorkbook

from fixtures.factories import PASSWORD, STORY, TODAY, Factory, Member
from market.audit import auditing
from market.bids.negotiating import reject_bid
from market.bids.operations import NewBid, place_bid
from market.cases.operations import open_case
from market.db.session import execute, fetch_value
from market.exchange import table_book
from market.units import FenPerKg, Gram
from market.web.accounts import audit
from tests.integration.deals.scene import Contracted, contract
from tests.integration.web.conftest import Browser, SignedInAs


@pytest.fixture
async def sides(factory: Factory) -> tuple[Member, Contracted]:
    """A town with a contract, a bid and a stuck lot whose title begins like a formula."""
    town = await factory.member(role="official", password=PASSWORD)
    seller = await factory.member(role="secretary", town_id=town.organisation_id, password=PASSWORD)
    buyer = await factory.member(role="buyer", password=PASSWORD)
    listing_id = await factory.listing(seller, kg=1_000, title="=红衣花生")
    deal = Contracted(seller, buyer, await contract(seller, buyer, listing_id=listing_id, price=701))
    await deal.sign()
    bid = NewBid(
        listing_id=listing_id,
        quantity=Gram(12_500),
        price=FenPerKg(690),
        deliver_from=TODAY,
        deliver_to=TODAY + timedelta(days=5),
    )
    await place_bid(bid=bid, buyer_id=buyer.organisation_id, actor=buyer.actor, at=STORY)
    await open_case(
        listing_id=listing_id,
        note="卖不动",
        organisation_id=seller.organisation_id,
        actor=seller.actor,
        at=STORY,
    )
    return town, deal


async def sheet_of(browser: Browser, path: str, *, end: str = '.xlsx"') -> list[list[object]]:
    """Return the cells of a workbook whose head is frozen and that has no formula."""
    answer = await browser.get(path)
    assert answer.status_code == 200, path
    assert answer.headers["content-disposition"].endswith(end)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as parts:
        sheet = parts.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert 'state="frozen"' in sheet
    book = CalamineWorkbook.from_filelike(io.BytesIO(answer.content))
    return book.get_sheet_by_index(0).to_python()


async def test_each_side_takes_away_what_it_sees_and_a_stranger_nothing(
    sides: tuple[Member, Contracted], browser_of: SignedInAs, factory: Factory
) -> None:
    town, deal = sides
    seller, buyer = await browser_of(deal.seller), await browser_of(deal.buyer)
    official = await browser_of(town)
    stranger = await browser_of(await factory.member(role="buyer", password=PASSWORD))
    other = await browser_of(await factory.member(role="secretary", password=PASSWORD))

    for browser in (seller, buyer, official):
        rows = await sheet_of(browser, "/ledger.xlsx")
        assert rows[0][:4] == ["类别", "日期", "合同编号", "货品"]
        assert rows[1][0] == "合同"
        assert (rows[1][1], rows[1][3]) == (TODAY, "'=红衣花生")
        assert rows[1][-4:] == [400, 7.01, 2804, 0]
        rows = await sheet_of(browser, "/deals.xlsx?lang=en")
        assert rows[0][:2] == ["Contract number", "Date"]
        assert (rows[1][5], rows[1][6], rows[1][7]) == (400, 7.01, 2804)
        assert rows[1][11] == TODAY
    for browser in (seller, buyer):
        rows = await sheet_of(browser, "/bids.xlsx")
        assert (len(rows), rows[1][6], rows[1][7]) == (2, 12.5, 6.9)
    rows = await sheet_of(seller, "/selling/stock.xlsx?lang=zh")
    assert [row[3] for row in rows[1:]] == ["成交占用", "入库"]
    assert [row[4] for row in rows[1:]] == [-400, 1000]
    for browser in (seller, official):
        rows = await sheet_of(browser, "/cases.xlsx")
        assert (len(rows), rows[1][4]) == (2, 600)
    rows = await sheet_of(official, "/ledger.xlsx?kind=payment")
    assert len(rows) == 1

    for path in ("/ledger.xlsx", "/deals.xlsx", "/bids.xlsx"):
        assert len(await sheet_of(stranger, path)) == 1
    for path in ("/selling/stock.xlsx", "/cases.xlsx"):
        assert len(await sheet_of(other, path)) == 1
        assert (await stranger.get(path)).status_code == 403
    assert (await official.get("/bids.xlsx")).status_code == 403


async def test_workbook_of_bids_names_contracts_as_the_others_do_and_the_words_of_a_refusal(
    sides: tuple[Member, Contracted], browser_of: SignedInAs
) -> None:
    _, deal = sides
    number = await fetch_value("SELECT number FROM deal WHERE id = $1", deal.deal_id)
    bid_id = await fetch_value("SELECT id FROM bid")
    await execute("UPDATE reason SET zh = '其他原因（请说明）' WHERE code = 'other'")
    await reject_bid(bid_id=bid_id, side="seller", reason="other", note="只卖整车", **deal.by(deal.seller))
    await execute("UPDATE bid SET deal = $1", deal.deal_id)
    rows = await sheet_of(await browser_of(deal.buyer), "/bids.xlsx")
    assert (rows[0][-2:], rows[1][-2:]) == (["原因", "合同编号"], ["只卖整车", number])


async def test_more_rows_than_a_file_takes_are_told_in_it_and_come_in_several(
    sides: tuple[Member, Contracted], browser_of: SignedInAs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_book, "MOST_ROWS", 1)
    seller = await browser_of(sides[1].seller)
    whole = []
    for part in (1, 2):
        rows = await sheet_of(seller, f"/selling/stock.xlsx?lang=zh&part={part}", end=f'-{part}.xlsx"')
        assert rows[0][0] == (
            f"共 2 行，一个文件放不下，分成 2 个。这是第 {part} 个，里面是第 {part} 至 {part} 行；其余的请在"
            "下载地址里写 part=1 到 part=2，例如 "
            f"{seller.client.base_url}/selling/stock.xlsx?lang=zh&part={3 - part}"
        )
        assert rows[1][0] == "时间"
        whole += [row[3] for row in rows[2:]]
    assert whole == ["成交占用", "入库"]
    assert (await seller.get("/selling/stock.xlsx?part=3")).status_code == 404
    assert len(await sheet_of(seller, "/deals.xlsx")) == 2


async def test_more_records_than_a_file_takes_are_told_in_it_and_on_the_page(
    sides: tuple[Member, Contracted],
    browser_of: SignedInAs,
    factory: Factory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    browser = await browser_of(await factory.member(kind="county", role="auditor", password=PASSWORD))
    everything = await sheet_of(browser, "/audit/files/records.xlsx?subject=deal")
    assert everything[0][0] == "时间"
    assert "导出时分成" not in (await browser.get("/audit?subject=deal")).text
    for module in (auditing, audit):
        monkeypatch.setattr(module, "MOST_ROWS", 2)
    parts = -(-(len(everything) - 1) // 2)
    assert parts > 1
    page = (await browser.get("/audit?subject=deal")).text
    assert f"共 {len(everything) - 1} 行，一个文件放不下，导出时分成 {parts} 个" in page
    assert f'href="/audit/files/records.xlsx?subject=deal&amp;part={parts}"' in page
    rows = await sheet_of(browser, f"/audit/files/records.xlsx?subject=deal&part={parts}")
    assert str(rows[0][0]).startswith(f"共 {len(everything) - 1} 行，一个文件放不下，分成 {parts} 个。")
    assert rows[-1] == everything[-1]

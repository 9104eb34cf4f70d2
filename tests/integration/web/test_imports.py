"""A cooperative's ledger comes in: good rows are on sale, the others come back with their reasons."""

import csv
import io
import re
import zipfile
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import httpx
import pytest
import xlsxwriter
from python_calamine import CalamineWorkbook

from fixtures.factories import PASSWORD, Factory, Member
from market import clock
from market.db.session import execute, fetch, fetch_value
from tests.integration.web import shop
from tests.integration.web.conftest import Browser, SignedInAs, faults, token_in

Cells = Sequence[Any]
HEAD: Cells = ("品名", "标题", "数量", "单位", "单价", "单价单位", "供应开始", "供应截止")


def goods(**changed: Any) -> list[Any]:
    today = clock.today()
    usual = {
        "品名": "白菜",
        "标题": "辽中大白菜",
        "数量": 25000,
        "单位": "斤",
        "单价": 0.85,
        "单价单位": "元/斤",
        "供应开始": today.isoformat(),
        "供应截止": (today + timedelta(days=30)).isoformat(),
    }
    return list({**usual, **changed}.values())


def xlsx(*rows: Cells, sheet: str = "货源", further: Sequence[str] = ()) -> bytes:
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_formulas": False})
    for name in further:
        book.add_worksheet(name).write_string(0, 0, "与货源无关")
    page = book.add_worksheet(sheet)
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    for at, cells in enumerate(rows):
        for place, cell in enumerate(cells):
            if isinstance(cell, date):
                page.write_datetime(at, place, cell, day)
            elif cell is not None:
                page.write(at, place, cell)
    book.close()
    return buffer.getvalue()


def csv_file(*rows: Cells, encoding: str = "utf-8", delimiter: str = ",") -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows(rows)
    return out.getvalue().encode(encoding)


async def send(
    browser: Browser, content: bytes, name: str = "ledger.xlsx", path: str = "/selling/import"
) -> httpx.Response:
    page = await browser.get(path)
    return await browser.client.post(
        path, data={"_csrf": token_in(page)}, files={"file": (name, content, "application/octet-stream")}
    )


async def listed() -> list[dict[str, Any]]:
    rows = await fetch(
        """SELECT title, produce, lot.quantity, ask, grade, min_order, credentials, division, story
           FROM listing JOIN lot ON lot.id = listing.lot ORDER BY listing.id"""
    )
    return [dict(row) for row in rows]


def counts(page: httpx.Response) -> list[int]:
    """Return how many rows were added, were there before, and were sent back."""
    return [int(found) for found in re.findall(r'<p class="stat-figure">(\d+)', page.text)]


def reasons(page: httpx.Response) -> list[tuple[str, str, str]]:
    """Return row, column and value of every fault on the page."""
    return re.findall(
        r'<th scope="row">([^<]*)</th>\s*<td[^>]*>([^<]*)</td>\s*<td[^>]*>([^<]*)</td>', page.text
    )


@pytest.fixture
async def ledger_keeper(factory: Factory, seller: Member, browser_of: SignedInAs) -> Browser:
    await shop.stock_catalogue()
    await execute("UPDATE credential_kind SET zh = '检验报告' WHERE code = 'test-report'")
    return await browser_of(seller)


async def test_good_rows_are_on_sale(ledger_keeper: Browser, seller: Member) -> None:
    head = (*HEAD, "等级", "起订量（公斤）", "资质", "产地", "介绍")
    today = clock.today()
    answer = await send(
        ledger_keeper,
        xlsx(
            head,
            [*goods(), "二级", 500, "检验报告", "辽中", "=SUM(A1) 不是公式"],
            [
                *goods(
                    品名="菜籽油", 标题=None, 数量="１２.５", 单位="吨", 单价="¥13", 单价单位="元/公斤",
                    供应开始=today, 供应截止=f"{today.year + 1}年1月5日",
                )
            ],
        ),
    )  # fmt: skip
    assert counts(answer) == [2, 0, 0], answer.text
    name = await fetch_value("SELECT name FROM organisation WHERE id = $1", seller.organisation_id)
    assert await listed() == [
        {
            "title": "辽中大白菜",
            "produce": "cabbage",
            "quantity": 12_500_000,
            "ask": 170,
            "grade": 2,
            "min_order": 500_000,
            "credentials": ["test-report"],
            "division": "210115",
            "story": "=SUM(A1) 不是公式",
        },
        {
            "title": f"{name} 菜籽油",
            "produce": "rapeseed-oil",
            "quantity": 12_500_000,
            "ask": 1300,
            "grade": 0,
            "min_order": 0,
            "credentials": [],
            "division": None,
            "story": "",
        },
    ]

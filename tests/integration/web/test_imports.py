"""A cooperative's ledger comes in: good rows are on sale, the others come back with their reasons."""

import asyncio
import csv
import html
import io
import re
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import httpx
import pytest
import xlsxwriter
from python_calamine import CalamineWorkbook

from fixtures.factories import PASSWORD, Factory, Member
from market import clock
from market.accounts.operations import NewPerson, register_person
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


def reasons(page: httpx.Response) -> list[tuple[str, str, str, str]]:
    """Return row, column, value and reason of every fault on the page."""
    cell = r"\s*<td[^>]*>([^<]*)</td>"
    found = re.findall(rf'<th scope="row">([^<]*)</th>{cell}{cell}{cell}', page.text)
    return [(row, column, value, html.unescape(reason)) for row, column, value, reason in found]


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


async def test_the_same_file_twice_changes_nothing(ledger_keeper: Browser) -> None:
    content = xlsx(HEAD, goods(), goods(标题="第二批"))
    assert counts(await send(ledger_keeper, content)) == [2, 0, 0]
    again = await send(ledger_keeper, content)
    assert counts(again) == [0, 2, 0]
    # the same rows told otherwise are still the same rows
    told = csv_file(HEAD, goods(数量="12.5", 单位="吨", 单价="1.70", 单价单位="元/公斤"), encoding="gbk")
    assert counts(await send(ledger_keeper, told, "台账.csv")) == [0, 1, 0]
    assert len(await listed()) == 2


async def test_a_row_whose_goods_are_not_on_sale_any_more_says_so_and_how_to_sell_them(
    ledger_keeper: Browser,
) -> None:
    content = xlsx(HEAD, goods(), goods(标题="第二批"), goods(标题="第三批"))
    assert counts(await send(ledger_keeper, content)) == [3, 0, 0]
    assert "不在架上" not in (await send(ledger_keeper, content)).text
    numbers = {row["title"]: row["id"] for row in await fetch("SELECT id, title FROM listing")}
    for title, move in (("第二批", "withdraw"), ("第三批", "suspend")):
        moved = await ledger_keeper.post(f"/selling/{numbers[title]}/move/{move}")
        assert moved.status_code == 303
    again = await send(ledger_keeper, content)
    assert (again.status_code, counts(again)) == (200, [0, 3, 0])
    lot = await fetch_value("SELECT lot FROM listing WHERE id = $1", numbers["第二批"])
    told = re.findall(r'<a href="(/selling/(?:lots/)?\d[^"]*)">([^<]*)</a>', again.text)
    assert told == [
        (f"/selling/lots/{lot}/sell", "还有库存：从库存重新上架。"),
        (f"/selling/{numbers['第三批']}", "打开这批货源，点“恢复销售”。"),
    ]
    assert (await ledger_keeper.get(f"/selling/lots/{lot}/sell")).status_code == 200


async def test_a_colleague_who_sends_the_file_again_changes_nothing(
    ledger_keeper: Browser, seller: Member, browser_of: SignedInAs
) -> None:
    person_id = await register_person(
        person=NewPerson(name="李会计", phone="19900099999", password=PASSWORD, invented=True),
        organisation_id=seller.organisation_id,
        roles=frozenset({seller.role}),
        at=clock.now(),
    )
    colleague = Member(seller.organisation_id, person_id, "19900099999", seller.role)
    content = xlsx(HEAD, goods())
    assert counts(await send(ledger_keeper, content)) == [1, 0, 0]
    assert counts(await send(await browser_of(colleague), content)) == [0, 1, 0]


async def test_another_organisation_may_sell_the_same(
    ledger_keeper: Browser, factory: Factory, browser_of: SignedInAs
) -> None:
    other = await browser_of(await factory.member(role="secretary", password=PASSWORD))
    content = xlsx(HEAD, goods())
    assert counts(await send(ledger_keeper, content)) == [1, 0, 0]
    assert counts(await send(other, content)) == [1, 0, 0]


async def test_a_file_sent_twice_at_once_counts_once(ledger_keeper: Browser) -> None:
    content = xlsx(HEAD, *[goods(标题=f"第 {n} 批") for n in range(60)])
    answers = await asyncio.gather(*[send(ledger_keeper, content) for _ in range(3)])
    # batches of one may come between batches of another: what counts is that each row went in once
    assert [sum(counts(answer)) for answer in answers] == [60, 60, 60]
    assert sum(counts(answer)[0] for answer in answers) == 60
    assert len(await listed()) == 60


YESTERDAY = (clock.today() - timedelta(days=1)).isoformat()

#: What is wrong with a row, the column that is named, and how the reason begins.
BAD_ROWS: list[tuple[dict[str, Any], str, str]] = [
    ({"品名": ""}, "品名", "请填写这一项"),
    ({"品名": "大摆菜"}, "品名", "目录里没有“大摆菜”，您要找的是不是：大白菜"),
    ({"品名": "=cmd|' /C calc'!A0"}, "品名", "目录里没有“=cmd|"),
    ({"品名": "x" * 5000}, "品名", "内容过长"),
    ({"标题": "长" * 61}, "标题", "太长了"),
    ({"标题": "两\n行"}, "标题", "里面有看不见的控制字符"),
    ({"标题": "反\u202e转"}, "标题", "里面有看不见的控制字符"),
    ({"数量": ""}, "数量", "请填写这一项"),
    ({"数量": "NaN"}, "数量", "“NaN”不是数字"),
    ({"数量": "inf"}, "数量", "“inf”不是数字"),
    ({"数量": "1e9"}, "数量", "“1e9”不是数字"),
    ({"数量": "10²"}, "数量", "“10²”不是数字"),
    ({"数量": "1,00"}, "数量", "“1,00”不是数字"),
    ({"数量": "2026-12-01"}, "数量", "“2026-12-01”不是数字"),
    ({"数量": -5}, "数量", "不能是负数"),
    ({"数量": 0}, "数量", "数量要大于 0"),
    ({"数量": 10**12}, "数量", "最多"),
    ({"数量": 0.0001}, "数量", "太细了"),
    ({"数量": "很多"}, "数量", "“很多”不是数字"),
    ({"单位": ""}, "单位", "请写单位"),
    ({"单位": "筐"}, "单位", "看不懂这个单位"),
    ({"单价": "面议"}, "单价", "“面议”不是数字"),
    ({"单价": -1}, "单价", "不能是负数"),
    ({"单价": 0.001}, "单价", "太细了"),
    ({"单价": 10**6}, "单价", "最多"),
    ({"单价单位": "元/吨"}, "单价", "请选单位"),
    ({"单价单位": "美元"}, "单价单位", "看不懂这个单位"),
    ({"品名": "菜籽油", "单价": 65}, "单价", "菜籽油平常是"),
    ({"品名": "菜籽油", "单价": 0.65}, "单价", "菜籽油平常是"),
    ({"供应开始": "下周"}, "供应开始", "“下周”看不出是哪一天"),
    ({"供应开始": "2026-02-30"}, "供应开始", "日历上没有"),
    ({"供应开始": "0026-12-01"}, "供应开始", "不能早于"),
    ({"供应截止": ""}, "供应截止", "请填写这一项"),
    ({"供应截止": YESTERDAY}, "供应截止", "这一天已经过去了"),
    ({"供应开始": "2099-01-01"}, "供应截止", "供应截止日期早于开始日期"),
    ({"等级": "特级"}, "等级", "不认识“特级”"),
    ({"等级": "1"}, "等级", "不认识“1”"),
    ({"起订量（公斤）": 999_999}, "起订量（公斤）", "起订量不能超过总数量"),
    ({"资质": "检验报告；祖传秘方"}, "资质", "不认识“祖传秘方”"),
    ({"产地": "亚特兰蒂斯"}, "产地", "没有找到“亚特兰蒂斯”"),
    ({"介绍": "长" * 1001}, "介绍", "太长了"),
    ({"确认": "也许"}, "确认", "请写“是”"),
]
WIDE: Cells = (*HEAD, "等级", "起订量（公斤）", "资质", "产地", "介绍", "确认")


def wide(**changed: Any) -> list[Any]:
    further = {"等级": None, "起订量（公斤）": None, "资质": None, "产地": None, "介绍": None, "确认": None}
    return goods(**{**further, **changed})


async def test_every_bad_row_is_told_and_the_good_one_goes_in(ledger_keeper: Browser) -> None:
    rows = [wide(**{"标题": f"第 {n} 批", **bad}) for n, (bad, _, _) in enumerate(BAD_ROWS)]
    answer = await send(ledger_keeper, xlsx(WIDE, *rows, wide(标题="好的一批")))
    assert counts(answer) == [1, 0, len(BAD_ROWS)]
    assert [row["title"] for row in await listed()] == ["好的一批"]
    told = reasons(answer)
    assert [(row, column) for row, column, _, _ in told] == [
        (f"第 {n} 行", column) for n, (_, column, _) in enumerate(BAD_ROWS, start=2)
    ]
    assert [
        (bad, reason) for (bad, _, start), (*_, reason) in zip(BAD_ROWS, told, strict=True)
        if not reason.startswith(start)
    ] == []  # fmt: skip


async def test_a_price_far_off_goes_in_once_it_is_confirmed(ledger_keeper: Browser) -> None:
    row = wide(品名="菜籽油", 单价=65)
    assert counts(await send(ledger_keeper, xlsx(WIDE, row))) == [0, 0, 1]
    assert counts(await send(ledger_keeper, xlsx(WIDE, [*row[:-1], "是"]))) == [1, 0, 0]
    assert [each["ask"] for each in await listed()] == [13_000]


async def test_two_rows_alike_are_one_lot_and_said_so(ledger_keeper: Browser) -> None:
    answer = await send(ledger_keeper, xlsx(HEAD, goods(), goods()))
    assert counts(answer) == [1, 0, 1]
    [(row, _, _, reason)] = reasons(answer)
    assert (row, reason[:10]) == ("第 3 行", "和第 2 行一模一样")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.xlsx", b"", "“a.xlsx”是空的"),
        ("a.pdf", b"%PDF", "“a.pdf”不能用"),
        ("a.xls", b"\xd0\xcf\x11\xe0", "“a.xls”不能用"),
        ("a.xlsx", b"%PDF-1.7", "文件名以 .xlsx 结尾"),
        ("a.xlsx", b"PK\x03\x04 and no more", "工作簿已损坏"),
        ("a.csv", b"\x00\x01\x02", "不是文本文件"),
        ("a.csv", "品名,数量\n白菜,1".encode(), "“CSV”缺少这些列：单价、供应开始、供应截止"),
        ("a.xlsx", xlsx(["姓名", "电话"], ["王", "1"]), "没有找到表头"),
        ("a.csv", b"x" * 5_000_001, "“a.csv”太大，最多 5 MB"),
    ],
)
async def test_a_file_that_is_no_ledger_is_refused_beside_its_field(
    ledger_keeper: Browser, name: str, content: bytes, told: str
) -> None:
    answer = await send(ledger_keeper, content, name)
    assert (answer.status_code, faults(answer)["file"][: len(told)]) == (422, told)
    assert await listed() == []


async def test_no_file_at_all_is_refused(ledger_keeper: Browser) -> None:
    answer = await ledger_keeper.post("/selling/import", {}, form="/selling/import")
    assert (answer.status_code, faults(answer)) == (422, {"file": "请选择文件。"})


async def test_the_sheet_with_the_headings_is_found_among_others(ledger_keeper: Browser) -> None:
    content = xlsx(HEAD, goods(), further=("封面", "通讯录"))
    assert counts(await send(ledger_keeper, content)) == [1, 0, 0]


async def rest_of(browser: Browser, answer: httpx.Response, path: str = "/selling/import") -> bytes:
    found = re.search(r'name="rest" value="([^"]+)"', answer.text)
    assert found
    got = await browser.client.post(
        f"{path}/rest", data={"_csrf": token_in(answer), "rest": html.unescape(found[1])}
    )
    assert (got.status_code, got.content[:4]) == (200, b"PK\x03\x04")
    return got.content


async def test_bad_rows_come_back_as_a_workbook_that_can_be_mended(ledger_keeper: Browser) -> None:
    bad = wide(标题="=1+1", 数量="很多", 介绍="@SUM(A1)")
    answer = await send(ledger_keeper, xlsx(WIDE, wide(), bad))
    assert counts(answer) == [1, 0, 1]
    content = await rest_of(ledger_keeper, answer)
    head, row = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0).to_python()
    assert head[-2:] == ["原因", "原行号"]
    told = dict(zip([str(name).removesuffix(" *") for name in head], row, strict=True))
    assert (told["标题"], told["数量"], told["介绍"], told["原行号"]) == ("=1+1", "很多", "@SUM(A1)", 3.0)
    assert str(told["原因"]).startswith("数量：“很多”不是数字")
    mended = xlsx(head, [25000 if cell == "很多" else cell for cell in row])
    assert counts(await send(ledger_keeper, mended)) == [1, 0, 0]
    assert [each["title"] for each in await listed()] == ["辽中大白菜", "=1+1"]


async def test_rows_sent_back_cannot_be_forged(ledger_keeper: Browser) -> None:
    answer = await ledger_keeper.post("/selling/import/rest", {"rest": "eJw.AAAA"}, form="/selling/import")
    assert answer.status_code == 422


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_the_template_filled_in_comes_in(ledger_keeper: Browser, language: str) -> None:
    got = await ledger_keeper.get(f"/selling/import/template.xlsx?lang={language}")
    assert got.status_code == 200
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(got.content)).get_sheet_by_index(0)
    head, example = sheet.to_python()
    answer = await send(ledger_keeper, xlsx(head, example, ["大白菜", *goods()[1:6], None, *goods()[6:]]))
    assert counts(answer) == [1, 0, 0], answer.text


async def test_english_readers_are_told_in_english(ledger_keeper: Browser) -> None:
    page = await ledger_keeper.get("/selling/import?lang=en")
    assert "Bring in goods from a spreadsheet" in page.text
    answer = await send(ledger_keeper, xlsx(HEAD, goods(数量="很多", 单位="筐")))
    assert [reason for *_, reason in reasons(answer)] == [
        "This unit is not known: write jin, kg or t (for a price yuan/jin or yuan/kg)."
    ]


async def test_only_sellers_import_goods_and_only_buyers_demands(
    ledger_keeper: Browser, buyer: Member, browser_of: SignedInAs, guest: Browser
) -> None:
    shopper = await browser_of(buyer)
    assert (await shopper.get("/selling/import")).status_code == 403
    assert (await ledger_keeper.get("/demands/import")).status_code == 403
    assert (await guest.get("/selling/import")).status_code == 303


async def test_demands_come_in_and_count_once(
    buyer: Member, browser_of: SignedInAs, factory: Factory
) -> None:
    await shop.stock_catalogue()
    await factory.demand(buyer, produce="cabbage")  # brings a store
    browser = await browser_of(buyer)
    head = ("品名", "数量", "单位", "最高到店价", "单价单位", "最早到货", "最晚到货", "最低等级", "确认")
    first, last = (clock.today() + timedelta(days=n) for n in (3, 20))
    rows = [
        ("白菜", 5, "吨", 1.2, "元/斤", first, last, "二级", None),
        ("菜籽油", 800, "公斤", 130, "元/公斤", first, last, None, None),
        ("菜籽油", 800, "公斤", 13, "元/公斤", last, first, "特级", None),
        ("大摆菜", 800, "公斤", 13, "元/公斤", first, last, None, None),
    ]
    answer = await send(browser, xlsx(head, *rows), path="/demands/import")
    assert counts(answer) == [1, 0, 3], answer.text
    assert [(row, column) for row, column, _, _ in reasons(answer)] == [
        ("第 3 行", "最高到店价"),
        ("第 4 行", "最低等级"),
        ("第 4 行", "最晚到货"),
        ("第 5 行", "品名"),
    ]
    assert await rest_of(browser, answer, "/demands/import")
    again = await send(browser, xlsx(head, *rows), path="/demands/import")
    assert counts(again) == [0, 1, 3]
    made = await fetch("SELECT quantity, ceiling, min_grade FROM demand WHERE title = '求购大白菜 5 吨'")
    assert [dict(row) for row in made] == [{"quantity": 5_000_000, "ceiling": 240, "min_grade": 2}]

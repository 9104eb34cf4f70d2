"""The case of Dongyu, played by those who lived it. The tests are one story and are told in order."""

import asyncio
import csv
import json
import os
import re
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile

import pytest
from asyncpg import Record
from playwright.async_api import Page, expect

from market import clock
from market.units import Fen, FenPerKg, Gram, amount, kg, yuan
from market.web.parts import formats
from tests.e2e.conftest import Open, Site
from tests.e2e.people import BUYER, DESK, OFFICIAL, PHONE, SECRETARY, Person

#: What the secretary sells: too dear at first.
LOT = "东于村新榨季花生米"
#: Peanuts that leave the cold store after five months; nobody wants them until our buyer does.
COLD_STORE = "东于村花生果（低温库，五个月后出库）"
SIGNED = ("active", "completed")


class Cast(NamedTuple):
    """Who plays."""

    #: On a phone in the field.
    secretary: Person
    #: At a desk with a printer.
    official: Person
    #: At a desk; on the road on a phone.
    buyer: Person


@pytest.fixture(scope="module")
async def cast(open_browser: Open) -> Cast:
    secretary, official, buyer = await open_browser(PHONE), await open_browser(DESK), await open_browser(DESK)
    await secretary.sign_in(SECRETARY)
    await official.sign_in(OFFICIAL)
    await buyer.sign_in(BUYER)
    return Cast(secretary, official, buyer)


async def test_secretary_publishes_a_lot_and_finds_it_in_the_hall_by_pinyin(cast: Cast, site: Site) -> None:
    page = cast.secretary.page
    await page.locator(".tabbar").get_by_role("link", name="发布货源").click()
    await page.get_by_role("textbox", name="品名", exact=True).press_sequentially("hsm")
    await page.locator("#produce-hits label", has_text="花生米").click()
    await page.get_by_label("数量", exact=True).fill("16,000")
    for unread in ("4,50", "10²"):
        await page.get_by_label("要价", exact=True).fill(unread)
        await expect(page.locator("#f-ask-echo")).to_be_empty()
    await page.get_by_label("要价", exact=True).fill("6.2")
    await expect(page.locator("#f-quantity-echo")).to_have_text("16,000 斤 = 8 吨")
    await expect(page.locator("#f-ask-echo")).to_have_text("6.20 元/斤 = 12.40 元/公斤")
    await page.get_by_text("等级、资质、起订量和介绍").click()
    await page.get_by_text("二级", exact=True).click()
    await page.get_by_label("标题").fill(LOT)
    await cast.secretary.press("发布")
    await cast.secretary.told(f"“{LOT}”已发布")

    await cast.secretary.go("/listings")
    await page.get_by_role("searchbox").fill("hsm")
    await expect(page.get_by_role("heading", name=LOT)).to_be_visible()
    await page.wait_for_url("**q=hsm**")
    [lot] = await site.rows(
        "SELECT lot.remaining, listing.ask FROM listing JOIN lot ON lot.id = listing.lot WHERE title = $1",
        LOT,
    )
    assert (lot["remaining"], lot["ask"]) == (8_000_000, 1_240)


async def test_buyer_posts_a_demand(cast: Cast, site: Site) -> None:
    """Peanuts for late spring: the cold store alone has them."""
    page, today = cast.buyer.page, clock.today()
    await cast.buyer.go("/demands/new")
    await page.get_by_label("要什么").fill("花生")
    await page.get_by_label("要多少", exact=True).fill("12")
    await page.get_by_label("要多少的单位").select_option("t")
    await page.get_by_label("最高到店价", exact=True).fill("4.2")
    await page.get_by_label("送到哪个门店").select_option(label="中兴（和平区店）")
    await page.get_by_label("最早到货").fill((today + timedelta(days=160)).isoformat())
    await page.get_by_label("最晚到货").fill((today + timedelta(days=200)).isoformat())
    await cast.buyer.press("发布需求")
    await cast.buyer.see("求购花生 12 吨")
    rows = await site.rows("SELECT state, quantity, ceiling FROM demand ORDER BY id DESC LIMIT 1")
    assert tuple(rows[0]) == ("published", 12_000_000, 840)


async def test_buyers_bid_is_accepted_and_becomes_a_deal(cast: Cast, site: Site) -> None:
    page = cast.buyer.page
    await cast.buyer.resize(PHONE)
    await cast.buyer.go("/listings?q=hsm")
    await page.get_by_role("link", name=LOT).click()
    await cast.buyer.press("去出价")
    await page.get_by_label("要多少", exact=True).fill("4000")
    await page.get_by_label("出价（地头价，不含运费）", exact=True).fill("5")
    await cast.buyer.press("提交出价")
    await cast.buyer.see("等卖方答复")
    await cast.buyer.resize(DESK)

    await cast.secretary.go("/")
    await cast.secretary.page.locator("#todo").get_by_role("link", name=LOT).click()
    await cast.secretary.see("5.00 元/斤")
    await cast.secretary.press("接受出价")
    await cast.secretary.see("请核对条款后签字")
    [deal] = await site.rows("SELECT quantity, price, state, source FROM deal")
    assert tuple(deal) == (2_000_000, 1_000, "pending", "bid")
    [lot] = await site.rows(
        "SELECT remaining FROM lot JOIN listing ON listing.lot = lot.id WHERE title = $1", LOT
    )
    assert lot["remaining"] == 6_000_000


async def run_matching(official: Person) -> None:
    """Press the button and wait until the result draws itself."""
    await official.go("/town/runs")
    await official.press(re.compile("运行撮合"))
    await expect(official.page.get_by_role("heading", name="按村汇总")).to_be_visible(timeout=60_000)


async def test_official_runs_the_matching_and_reads_its_proof_and_diagnosis(cast: Cast, site: Site) -> None:
    await run_matching(cast.official)
    page = cast.official.page
    await expect(page.locator(".verdict-facts div", has_text="更愿私下成交的对子")).to_contain_text("0 对")
    [run] = await site.rows("SELECT id, state FROM run")
    assert run["state"] == "done"
    [count] = await site.rows("SELECT count(*) FROM match WHERE run = $1", run["id"])
    assert count[0] > 100
    await expect(page.locator("#matches h2")).to_contain_text(f"{count[0]} 条")
    await expect(page.locator("#stuck li", has_text=LOT).first).to_contain_text("要价降")
    await page.locator("#stuck").get_by_role("link", name=LOT).click()
    await cast.official.see("为什么卖不动")
    await cast.official.see("打开")
    await page.get_by_role("button", name="试这一步").first.click()
    await expect(page.locator(".effect-word")).to_contain_text("打开了销路", timeout=30_000)


async def test_run_is_verified_and_computed_again_by_the_command_line(cast: Cast, tmp_path: Path) -> None:
    """Whoever doubts the page takes its files home and types what it says."""
    page = cast.official.page
    await cast.official.go("/town/runs")
    await page.get_by_role("link", name="第 1 号").click()
    async with page.expect_download() as coming:
        await cast.official.press("全部文件")
    ZipFile(await (await coming.value).path()).extractall(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    for line in (await page.locator("pre.command").inner_text()).splitlines():
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", *line.split()],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    first, again = (
        json.loads((folder / "certificate.json").read_text()) for folder in (tmp_path, tmp_path / "again")
    )
    assert again["worth_yuan"] == first["worth_yuan"]


async def test_secretary_reads_why_the_lot_is_stuck_and_lowers_the_price(cast: Cast, site: Site) -> None:
    page = cast.secretary.page
    await cast.secretary.go("/selling")
    await page.locator("article", has_text=LOT).get_by_role("link", name="怎么办").click()
    [finding] = await site.rows(
        """SELECT change -> 'values' ->> 'price' AS price FROM diagnosis JOIN listing ON listing.id = listing
           WHERE listing.title = $1 AND rank = 1""",
        LOT,
    )
    # the tick shows at once what the step would do, and changes nothing
    await page.get_by_role("checkbox", name="改要价").check()
    await expect(page.locator(".effect-word")).to_contain_text("打开了销路", timeout=30_000)
    [asked] = await site.rows("SELECT ask FROM listing WHERE title = $1", LOT)
    assert asked["ask"] == 1_240
    await page.get_by_role("button", name=re.compile("^直接改成")).first.click()
    await cast.secretary.told("新价格已生效")
    [listing] = await site.rows("SELECT ask FROM listing WHERE title = $1", LOT)
    # the advice is exact; a price on sale is a whole fen, rounded to the side that sells
    assert listing["ask"] == int(float(finding["price"]) * 100) < 1_240


async def test_seller_and_buyer_agree_to_a_match_and_it_becomes_a_deal(cast: Cast, site: Site) -> None:
    await cast.secretary.go("/matches")
    suggestion = cast.secretary.page.locator("section.match", has_text=COLD_STORE)
    await suggestion.get_by_role("button", name="同意").click()
    await cast.secretary.told("已同意，等对方答复")

    await cast.buyer.go("/matches")
    suggestion = cast.buyer.page.locator("section.match", has_text=COLD_STORE)
    await suggestion.get_by_role("link", name=COLD_STORE).click()
    await cast.buyer.press("同意")
    await cast.buyer.told("双方都同意了，合同已生成，请签字")
    [deal] = await site.rows("SELECT quantity, state, source FROM deal ORDER BY id DESC LIMIT 1")
    assert tuple(deal) == (12_000_000, "pending", "match")


async def test_lowered_price_sells_the_lot_in_the_next_run(cast: Cast) -> None:
    await run_matching(cast.official)
    await cast.official.page.locator("select[name=seller]").select_option(label="东于村村民委员会")
    await cast.official.press("显示")
    await expect(cast.official.page.locator("#matches tr", has_text=LOT).first).to_be_visible()
    await cast.official.page.locator("select[name=with]").select_option(index=0)
    await cast.official.press("比较")
    await expect(cast.official.page.locator("#compare tr", has_text=LOT).first).to_be_visible()


async def test_official_opens_a_meeting_whose_timetable_has_no_clash(cast: Cast, site: Site) -> None:
    page = cast.official.page
    await cast.official.press("筹备对接会")
    await page.get_by_label("会议名称").fill("大黑岗子镇农超对接会")
    await page.get_by_label("日期").fill(clock.today().isoformat())
    await page.get_by_label("地点", exact=True).fill("东于村花生晒场")
    await cast.official.press("建会并排桌")
    await expect(page.get_by_role("heading", name="发布日程")).to_be_visible(timeout=60_000)
    await page.locator("#steps").get_by_role("link", name="排桌").click()

    seats, people = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for slot, table, buyer, seller in await _talks_shown(page):
        seats[slot, table] += 1
        people[slot, buyer] += 1
        people[slot, seller] += 1
    assert len(seats) > 20
    assert [who for who, times in (*seats.items(), *people.items()) if times > 1] == []
    [row] = await site.rows("SELECT count(*) FROM appointment WHERE state = 'scheduled'")
    assert len(seats) == row[0]


async def _talks_shown(page: Page) -> list[tuple[str, str, str, str]]:
    """Return (slot, table, buyer, seller) of every talk in the timetable that is drawn."""
    rows: list[list[str]] = await page.locator(".slots-table").evaluate(
        """(table) => [...table.tBodies[0].rows].flatMap((row) => [...row.querySelectorAll(".talk")].map(
            (talk) => [row.cells[0].textContent.trim(), talk.closest("td").dataset.label,
                       talk.querySelector("b").textContent, talk.querySelector("span").textContent]))"""
    )
    # with many tables they are drawn down the page and the slots across
    return [
        (side, top, buyer, seller) if "桌" in top else (top, side, buyer, seller)
        for side, top, buyer, seller in rows
    ]


async def test_invited_buyer_accepts_and_says_whom_to_meet(cast: Cast, site: Site) -> None:
    await cast.buyer.resize(PHONE)
    await cast.buyer.go("/meetings")
    await cast.buyer.press("参加")
    await cast.buyer.told("已回复：参加")
    await cast.buyer.see("日程还没有发布")
    await cast.buyer.page.get_by_role("link", name="互选").click()
    card = cast.buyer.page.locator(".wish-card").first
    await card.get_by_role("button", name="必见").click()
    await expect(card.locator("[aria-pressed=true]")).to_have_text("必见")
    await expect(cast.buyer.page.locator("#wish-quota")).to_contain_text("还可选 2 家")
    await cast.buyer.resize(DESK)
    [invitation] = await site.rows(
        """SELECT invitation.state FROM invitation JOIN organisation ON organisation.id = organisation
           WHERE organisation.name = '中兴'"""
    )
    assert invitation["state"] == "accepted"
    [wish] = await site.rows("SELECT level FROM wish")
    assert wish["level"] == "must"


async def test_official_plans_again_publishes_and_orders_the_papers(cast: Cast, site: Site) -> None:
    official, page = cast.official, cast.official.page
    await official.press("重新排桌")
    await expect(page.locator(".slots-table")).to_be_visible(timeout=60_000)
    await page.get_by_role("link", name="去发布").click()
    await official.press("发布日程")
    await official.told("日程已发布")
    [meeting] = await site.rows("SELECT published_at FROM meeting ORDER BY id DESC LIMIT 1")
    assert meeting["published_at"] is not None
    overview = page.url
    await page.get_by_role("link", name="文件", exact=True).click()
    await official.press("全部合成一个 PDF")
    await expect(page.get_by_role("link", name=re.compile("^下载"))).to_be_visible(timeout=120_000)
    await page.goto(overview)


async def test_buyer_sees_both_sides_of_a_talk_and_keeps_a_note(cast: Cast, site: Site) -> None:
    await cast.buyer.resize(PHONE)
    await cast.buyer.go("/meetings")
    await cast.buyer.press("看日程")
    await cast.buyer.page.locator("#day").get_by_role("link", name="双方对照和笔记").first.click()
    await expect(cast.buyer.page.locator(".facing").first).to_contain_text("我要的")
    await cast.buyer.page.get_by_label("我的笔记").fill("先问账期")
    await expect(cast.buyer.page.locator("#note-kept")).to_contain_text("已保存")
    await cast.buyer.resize(DESK)
    [note] = await site.rows("SELECT text FROM appointment_note")
    assert note["text"] == "先问账期"


async def test_official_holds_the_meeting_and_records_a_contract(cast: Cast, site: Site) -> None:
    official, page = cast.official, cast.official.page
    await page.reload()
    await official.press("开始会议")
    guest = page.locator("#guests tr", has_text="中兴")
    await guest.get_by_role("button", name="签到", exact=True).click()
    await expect(page.locator("#guests tr", has_text="中兴")).to_contain_text("已签到")

    await page.locator("#talks tr", has_text="中兴").get_by_role("link", name="记录").first.click()
    await page.get_by_text("当场签约", exact=True).click()
    await official.press("保存结果")
    await official.told("份合同，等双方签字")
    [attendance] = await site.rows(
        """SELECT invitation.attendance FROM invitation JOIN organisation ON organisation.id = organisation
           WHERE organisation.name = '中兴'"""
    )
    assert attendance["attendance"] == "checked_in"
    [talk] = await site.rows("SELECT outcome FROM appointment WHERE state = 'held'")
    assert talk["outcome"] == "signed"


async def test_both_sign_and_the_goods_go_from_the_village_to_the_shop(
    cast: Cast, site: Site, open_browser: Open
) -> None:
    """The contract of the meeting: signed, sent, taken and paid."""
    [deal] = await site.rows(
        """SELECT deal.id, deal.quantity, deal.price, person.phone FROM deal
           JOIN membership ON membership.organisation = deal.seller
           JOIN person ON person.id = membership.person
           WHERE deal.source = 'appointment' ORDER BY deal.id, person.id LIMIT 1"""
    )
    seller, buyer = await open_browser(PHONE), cast.buyer
    await seller.sign_in(deal["phone"])
    for person in (seller, buyer):
        await person.go(f"/deals/{deal['id']}")
        await person.press("签字")
    await buyer.see("还没有安排发货")

    await seller.go(f"/deals/{deal['id']}")
    await seller.press("安排发货")
    await seller.press("已发货")
    await buyer.go(f"/deals/{deal['id']}")
    await buyer.press("已到货")
    await buyer.press("全部验收")
    await buyer.press("记为已付")
    total = amount(Gram(deal["quantity"]), FenPerKg(deal["price"]))
    await expect(buyer.page.locator("#payments")).to_contain_text(f"已付 {formats.money(total, 'zh')}")
    await seller.go(f"/deals/{deal['id']}")
    await seller.press("确认收到")
    [state] = await site.rows("SELECT state FROM deal WHERE id = $1", deal["id"])
    assert state["state"] == "completed"


async def test_dashboard_ledger_and_its_file_agree_with_the_deals(cast: Cast, site: Site) -> None:
    deals = await site.rows(
        """SELECT state, quantity, price,
                  (SELECT coalesce(sum(accepted), 0)::bigint FROM delivery
                   WHERE delivery.deal = deal.id) AS delivered,
                  (SELECT coalesce(sum(amount), 0)::bigint FROM payment
                   WHERE payment.deal = deal.id AND state = 'paid') AS paid
           FROM deal"""
    )
    signed = [deal for deal in deals if deal["state"] in SIGNED]
    waiting = [deal for deal in deals if deal["state"] not in SIGNED]
    assert signed
    assert waiting

    def grams(of: list[Record]) -> Gram:
        return Gram(sum(deal["quantity"] for deal in of))

    def worth(of: list[Record]) -> Fen:
        return Fen(sum(amount(Gram(deal["quantity"]), FenPerKg(deal["price"])) for deal in of))

    def told(of: list[Record]) -> tuple[str, str]:
        return formats.money_short(worth(of), "zh"), formats.mass(grams(of), "zh")

    delivered, paid = Gram(sum(d["delivered"] for d in deals)), Fen(sum(d["paid"] for d in deals))

    await cast.official.go("/town/deals")
    tiles = await _tiles(cast.official.page)
    assert tiles["意向（待签）"] == told(waiting)
    assert tiles["合同（双方已签）"] == told(signed)
    assert tiles["发货（已验收）"][1] == formats.mass(delivered, "zh")
    assert tiles["回款"][0] == formats.money_short(paid, "zh")
    assert await cast.official.page.locator("tbody tr").count() == len(deals)

    answer = await cast.official.page.request.get("/town/deals.csv")
    rows = list(csv.DictReader(StringIO((await answer.body()).decode("utf-8-sig"))))
    assert sum(float(row["数量（公斤）"]) for row in rows) == kg(grams(deals))
    assert round(sum(float(row["金额（元）"]) for row in rows), 2) == float(yuan(worth(deals)))
    assert sum(float(row["已交货（公斤）"]) for row in rows) == kg(delivered)
    assert round(sum(float(row["已回款（元）"]) for row in rows), 2) == float(yuan(paid))

    await cast.official.go("/town")
    tiles = await _tiles(cast.official.page)
    assert tiles["已签约"] == (
        f"{formats.plain(kg(grams(signed)) / 1000, places=1)} 吨",
        f"{len(signed)} 份合同，{formats.money_short(worth(signed), 'zh')}",
    )
    assert tiles["已交货"][0] == f"{formats.plain(kg(delivered) / 1000, places=1)} 吨"
    assert tiles["已回款"][0] == f"{formats.plain(yuan(paid) / 10_000, places=1)} 万元"


async def _tiles(page: Page) -> dict[str, tuple[str, str]]:
    """Return the figures of a page: label -> figure with its unit, and the note below it."""
    tiles: list[list[str]] = await page.locator(".stat").evaluate_all(
        """(tiles) => tiles.map((tile) => ["label", "figure", "note"].map(
            (part) => tile.querySelector(".stat-" + part)?.textContent.replace(/\\s+/g, " ").trim() ?? ""))"""
    )
    return {label: (figure, note) for label, figure, note in tiles}

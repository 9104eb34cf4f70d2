"""What came of the talks, and how the town tells of it."""

import re
from collections import Counter

from playwright.async_api import expect

from market import clock
from market.units import Fen
from market.web.parts import formats
from tests.e2e.conftest import Site
from tests.e2e.meeting.pages import TITLE, VILLAGE, Cast, download, pages_of, rows_of, step, word_of
from tests.e2e.people import Person


async def to_what_follows(person: Person) -> None:
    await person.go("/meetings")
    await person.press(TITLE)
    await person.press("会后跟进")


async def sample_is_sent_received_and_answered_and_becomes_a_contract(cast: Cast, site: Site) -> None:
    secretary, buyer = cast.secretary, cast.buyer
    await to_what_follows(secretary)
    await secretary.page.locator("main a[href^='/samples/']").first.click()
    await secretary.page.get_by_label("快递公司").fill("顺丰")
    await secretary.page.get_by_label("快递单号").fill("SF1018")
    await secretary.press("已寄出")
    await secretary.told("样品在路上")
    await to_what_follows(buyer)
    await buyer.page.locator("main a[href^='/samples/']").first.click()
    await buyer.see("SF1018")
    await buyer.press("签收")
    await buyer.page.get_by_text("合格，可以谈价", exact=True).click()
    await buyer.press("发送反馈")
    await buyer.told("已把反馈告诉对方")
    [sample] = await site.rows("SELECT state, carrier, verdict FROM sample WHERE tracking <> ''")
    assert tuple(sample) == ("answered", "顺丰", "approved")

    await to_what_follows(buyer)
    talk = buyer.page.locator("section", has_text=VILLAGE)
    await talk.get_by_role("link", name="谈成了？转成合同").first.click()
    await buyer.page.get_by_label("数量", exact=True).fill("4,000")
    await buyer.page.get_by_label("地头单价", exact=True).fill("2.5")
    await buyer.press("生成合同")
    await buyer.press("签字")
    contract = buyer.page.url
    await secretary.go(contract)
    for name in ("签字", "安排发货", "已发货"):
        await secretary.press(name)
    await buyer.page.reload()
    for name in ("已到货", "全部验收", "记为已付"):
        await buyer.press(name)
    await expect(buyer.page.locator("#payments")).to_contain_text("已付 10,000 元")
    await secretary.go(contract)
    await secretary.press("确认收到")


async def both_sides_are_asked_after_a_month_and_judge_the_talk(cast: Cast, site: Site) -> None:
    await site.rows("UPDATE follow_up SET due_on = $1 WHERE days = 30", clock.today())
    secretary, page = cast.secretary, cast.secretary.page
    await to_what_follows(secretary)
    await secretary.see("会后 30 天了")
    await page.get_by_label(re.compile("现在怎么样")).select_option(label="已谈成")
    await secretary.press("记下")
    await secretary.told("已记下")
    await page.get_by_text("5 正合适", exact=True).click()
    await page.get_by_text("还想见", exact=True).click()
    await page.get_by_label("说明").fill("懂货，说话算数")
    await secretary.press("保存评价")
    await secretary.told("谢谢您的评价")

    # one who does not look is called up
    await step(cast.official, "跟进")
    waiting = cast.official.page.locator(".ask-list li")
    await expect(waiting).to_have_count(3)
    await waiting.first.get_by_role("combobox").select_option(label="有联系，有帮助")
    await waiting.first.get_by_role("button", name="记下").click()
    await cast.official.told("已记下回访")
    levels = await site.rows("SELECT level FROM follow_up WHERE level IS NOT NULL ORDER BY level")
    assert [row["level"] for row in levels] == ["agreed", "useful"]
    [feedback] = await site.rows("SELECT score, again, note FROM feedback")
    assert tuple(feedback) == (5, True, "懂货，说话算数")


async def official_keeps_the_press_and_the_costs(cast: Cast, site: Site) -> None:
    official, page = cast.official, cast.official.page
    await step(official, "跟进")
    press = page.locator("#coverage")
    await press.get_by_label("媒体").fill("辽宁日报")
    await press.get_by_label("报道标题").fill("百万斤花生有了去处")
    await press.get_by_label("发布日期").fill(clock.today().isoformat())
    await press.get_by_label("链接").fill("https://news.example/1018")
    await press.get_by_role("button", name="记下").click()
    await official.told("已记下这篇报道")
    costs = page.locator("#budget")
    await costs.get_by_label("用途").fill("搭棚")
    await costs.get_by_label("预算", exact=True).fill("8,000")
    await costs.get_by_label("实际支出").fill("7,560.5")
    await costs.get_by_role("button", name="保存").click()
    await official.told("预算已更新")
    await expect(costs).to_contain_text("7,560.50 元")
    [coverage] = await site.rows("SELECT outlet, url FROM coverage")
    assert tuple(coverage) == ("辽宁日报", "https://news.example/1018")
    [line] = await site.rows("SELECT planned, spent FROM budget_line")
    assert tuple(line) == (800_000, 756_050)


async def report_tells_the_same_figures_as_the_page_and_the_books(cast: Cast, site: Site) -> None:
    official, page = cast.official, cast.official.page
    await step(official, "跟进")
    shown = await rows_of(page.locator(".funnel-table"))
    figures = {label: figure for label, *_, figure in shown}
    deals = await site.rows("SELECT state, quantity, price FROM deal WHERE source = 'appointment'")
    assert Counter(row["state"] for row in deals) == {"pending": 1, "completed": 1}
    assert figures["合同（双方已签）"] == figures["发货（买方已验收）"] == figures["回款"] == "10,000 元"
    # what was agreed on at the table, and the contract that came of a sample
    [spoken] = await site.rows(
        """SELECT sum(round(coalesce(intent_quantity, quantity)::numeric
                            * coalesce(intent_price, price) / 1000)) AS fen
           FROM topic JOIN appointment ON appointment.id = appointment LEFT JOIN deal ON deal.id = deal
           WHERE (outcome IN ('intent', 'signed') AND intent_price IS NOT NULL) OR deal IS NOT NULL"""
    )
    assert figures["意向（合计）"] == formats.money(Fen(int(spoken["fen"])), "zh")

    printed = "".join(pages_of(await download(official, "总结报告 PDF")))
    typed = word_of(await download(official, "总结报告 Word"))
    for row in shown:
        # a paper writes the second unit in brackets
        told = [re.sub(r" / (.*)", r"（\1）", cell) for cell in row]
        assert "".join(told).replace(" ", "") in printed
        assert "\n".join(told) in typed.replace("\u3000", "")
    for said in (TITLE, "辽宁日报", "百万斤花生有了去处", "搭棚", "7,560.50 元", "价格谈不拢 1 场"):
        assert said.replace(" ", "") in printed
        assert said in typed

    await official.press("结束跟进")
    await official.told("结束跟进：已办好")
    [meeting] = await site.rows("SELECT state FROM meeting")
    assert meeting["state"] == "followed_up"

"""What follows a meeting, in the browsers of the official, the seller and the buyer."""

import io
import re
from html import unescape
from uuid import uuid4

import pypdf
import pytest
from docx import Document
from msgspec import json

from fixtures.factories import Factory
from market import clock
from market.db.session import execute, fetch, fetch_value
from market.matching.diagnosis.changes import LotMinOrder
from market.meetings.after.report import LISTS
from market.meetings.after.samples import request_sample
from market.units import Gram
from tests.forms import filled_in
from tests.integration.meetings.after_scene import After
from tests.integration.web import trading
from tests.integration.web.conftest import Browser, SignedInAs, faults


@pytest.fixture
async def after(factory: Factory) -> After:
    return await After(factory).begun()


@pytest.fixture
async def town(after: After, browser_of: SignedInAs) -> Browser:
    return await browser_of(after.town)


def page_of(after: After) -> str:
    return f"/town/meetings/{after.meeting_id}/after"


async def closed_long_ago(after: After) -> None:
    """Close the meeting; it was held 31 days ago."""
    await after.move("close")
    await execute("UPDATE follow_up SET due_on = $1 WHERE days = 30", clock.today())


def figures_in(html: str) -> dict[str, str]:
    """Return the amount that each row of the funnel says."""
    rows = re.findall(r'<tr class="(?:stage-row|of-which)[^"]*">(.*?)</tr>', html, re.S)
    found = {}
    for row in rows:
        cells = [
            re.sub(r"<[^>]+>", " ", cell).split() for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.S)
        ]
        found[cells[0][0]] = " ".join(cells[-1])
    return found


async def test_page_counts_apart_and_its_lists_and_papers_say_the_same(after: After, town: Browser) -> None:
    first, second, third = after.talks[:3]
    (struck,) = await after.record(first, "signed", kg=3_000, price=800)
    await after.sign(first, struck, "seller", "buyer")
    await after.deliver(first, struck, 1_000, taken=400)
    await after.record(second, "intent", kg=2_001, price=751)
    await after.record(third, "none", reason="price")
    shown = figures_in((await town.get(page_of(after))).text)
    assert shown == {
        "意向（合计）": "39,027.51 元",
        "其中已签合同": "24,000 元",
        "其中合同待签字": "0 元",
        "其中合同取消或终止": "0 元",
        "其中还是意向": "15,027.51 元",
        "合同（双方已签）": "24,000 元",
        "其中出自引擎建议": "24,000 元",
        "发货（买方已验收）": "3,200 元",
        "合同里还没发的": "20,800 元",
        "回款": "0 元",
        "已验收还欠的": "3,200 元",
    }
    lists = {name: (await town.get(f"{page_of(after)}/lines?of={name}")).text for name in LISTS}
    counted = {name: re.search(r"<h2>(\d+) [场笔]</h2>", text) for name, text in lists.items()}
    assert {name: int(found[1]) for name, found in counted.items() if found and found[1] != "0"} == {
        "talks": 4,
        "held": 3,
        "waiting": 1,
        "intents": 2,
        "intents_signed": 1,
        "intents_open": 1,
        "contracts": 1,
        "contracts_of_matches": 1,
        "delivered": 1,
        "undelivered": 1,
        "owed": 1,
        "outcome_none": 1,
        "outcome_intent": 1,
        "outcome_signed": 1,
    }
    base = f"/town/meetings/{after.meeting_id}/report"
    pdf = await town.get(f"{base}.pdf")
    printed = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf.content)).pages)
    word = Document(io.BytesIO((await town.get(f"{base}.docx")).content))
    typed = "\n".join(
        [each.text for each in word.paragraphs]
        + [cell.text for table in word.tables for row in table.rows for cell in row.cells]
    )
    for amount in set(shown.values()):
        assert amount.replace(" ", "") in re.sub(r"\s", "", printed)
        assert amount in typed
    assert "对接会总结报告" in re.sub(r"\s", "", printed)


async def test_page_is_the_towns_own_and_speaks_english(
    after: After, town: Browser, factory: Factory, browser_of: SignedInAs
) -> None:
    stranger = await browser_of(await factory.member(role="official"))
    seller = await browser_of(after.sellers[0])
    paths = [page_of(after), f"{page_of(after)}/lines", f"/town/meetings/{after.meeting_id}/report.pdf"]
    assert [(await stranger.get(path)).status_code for path in paths] == [404, 404, 404]
    assert [(await seller.get(path)).status_code for path in paths] == [403, 403, 403]
    for path in (paths[0], f"{page_of(after)}/proposals", f"{page_of(after)}/answers"):
        english = await town.get(f"{path}?lang=en")
        main = english.text[english.text.index("<main") :]
        rest = re.sub(
            r"红衣花生|求购花生|对接会|村部|\w*家村|价|\w+(?:公司|传媒|网络|信息|科技)\w*", "", main
        )
        words = re.findall("[\u4e00-\u9fff]+", re.sub(r"<script.*?</script>|<footer.*", "", rest, flags=re.S))
        assert (english.status_code, [each for each in words if each != "中文"]) == (200, [])


@pytest.mark.parametrize(
    "tail", ["/lines?of=nothing", "/proposals?fate=%00", "/lines?of=%F0%9F%92%A5", "/x/1/remove"]
)
async def test_list_that_is_not_there_is_not_found(after: After, town: Browser, tail: str) -> None:
    path = page_of(after) + tail
    answer = await (town.post(path) if tail.endswith("remove") else town.get(path))
    assert answer.status_code == 404


async def test_official_notes_coverage_and_budget_once(after: After, town: Browser) -> None:
    page = page_of(after)
    sent = {
        "outlet": "辽宁日报",
        "title": "花生进城<b>",
        "published_on": clock.today().isoformat(),
        "url": "https://news.cn/1?a=1&b=2",
        "key": str(uuid4()),
    }
    for _ in range(2):
        assert (await town.post(f"{page}/coverage", sent)).status_code == 303
    assert await fetch_value("SELECT count(*) FROM coverage") == 1
    html = (await town.get(page)).text
    assert 'href="https://news.cn/1?a=1&amp;b=2" rel="noopener noreferrer nofollow"' in html
    assert "花生进城&lt;b&gt;" in html
    again = await town.post(f"{page}/coverage", {**sent, "key": str(uuid4())})
    assert (again.status_code, "这篇报道已经记过了" in again.text) == (409, True)
    wrong = await town.post(f"{page}/coverage", {**sent, "url": "javascript:alert(1)", "key": str(uuid4())})
    assert (wrong.status_code, list(faults(wrong))) == (422, ["url"])
    line = {"name": "搭棚", "planned": "3000", "spent": "", "line_id": "", "key": str(uuid4())}
    assert (await town.post(f"{page}/budget", line)).status_code == 303
    line_id = await fetch_value("SELECT id FROM budget_line")
    change = {**line, "spent": "2800.50", "line_id": str(line_id), "key": str(uuid4())}
    assert (await town.post(f"{page}/budget", change)).status_code == 303
    assert "预算 3,000 元，已支出 2,800.50 元" in (await town.get(f"{page}?line={line_id}")).text
    wrong = await town.post(f"{page}/budget", {**line, "planned": "-1", "key": str(uuid4())})
    assert (wrong.status_code, list(faults(wrong))) == (422, ["planned"])
    assert (await town.post(f"{page}/budget/{line_id}/remove")).status_code == 303
    assert await fetch_value("SELECT count(*) FROM budget_line") == 0


async def test_answers_come_by_telephone_or_from_a_side(
    after: After, town: Browser, browser_of: SignedInAs
) -> None:
    first, second = after.talks[:2]
    await after.record(first, "sample")
    await after.record(second, "sample")
    await closed_long_ago(after)
    rows = await fetch("SELECT id, appointment FROM follow_up WHERE days = 30 ORDER BY appointment")
    assert "还没有回答的 2 场" in (await town.get(page_of(after))).text
    by_phone = await town.post(f"{page_of(after)}/answers/{rows[0]['id']}", {"level": "agreed"})
    assert by_phone.status_code == 303
    seller = await browser_of(after.side(second, "seller"))
    own = f"/meetings/{after.meeting_id}/after"
    assert "有 1 个问题等您回答" in (await seller.get(own)).text
    path = f"{own}/answers/{rows[1]['id']}"
    assert (await seller.post(path, {"level": "perhaps"})).status_code == 422
    assert (await seller.post(path, {"level": "negotiating"})).status_code == 303
    # the other seller's question is nobody else's
    assert (await seller.post(f"{own}/answers/{rows[0]['id']}", {"level": "useful"})).status_code == 404
    levels = await fetch("SELECT level FROM follow_up WHERE days = 30 ORDER BY appointment")
    assert [row["level"] for row in levels] == ["agreed", "negotiating"]
    assert "还没有回答的" not in (await town.get(page_of(after))).text


async def test_a_side_sets_its_answer_right_and_loses_no_word(
    after: After, town: Browser, browser_of: SignedInAs
) -> None:
    talk = after.talks[0]
    await after.record(talk, "sample")
    await closed_long_ago(after)
    question = await fetch_value("SELECT id FROM follow_up WHERE days = 30")
    seller, buyer = [await browser_of(after.side(talk, name)) for name in ("seller", "buyer")]
    own = f"/meetings/{after.meeting_id}/after"
    path = f"{own}/answers/{question}"
    lost = await seller.post(path, {"level": "perhaps", "note": "等他回话"})
    assert (lost.status_code, 'value="等他回话"' in lost.text) == (422, True)
    assert (await seller.post(path, {"level": "no_contact"})).status_code == 303
    assert "点错了？更正" in (await seller.get(own)).text
    late = await buyer.post(path, {"level": "agreed", "note": "已经订货"})
    assert (late.status_code, "您写的：已经订货" in late.text, "点错了" in late.text) == (409, True, False)
    assert (await seller.post(path, {"level": "negotiating", "note": "下周看样"})).status_code == 303
    assert "下周看样" in (await buyer.get(own)).text
    listed = (await town.get(f"{page_of(after)}/answers?days=30")).text
    assert ("下周看样" in listed, 'value="下周看样"' in listed) == (True, True)
    wrong = await town.post(f"{page_of(after)}/answers/{question}", {"level": "", "note": "打过电话"})
    assert (wrong.status_code, 'value="打过电话"' in wrong.text) == (422, True)


async def test_what_a_colleague_has_said_of_a_talk_meanwhile_is_asked_back(
    after: After, browser_of: SignedInAs
) -> None:
    talk = after.talks[0]
    await after.record(talk, "sample")
    seller = await browser_of(after.side(talk, "seller"))
    own = f"/meetings/{after.meeting_id}/after"
    path = f"{own}/talks/{talk.id}/feedback"
    (seen,) = re.findall(r'name="seen" value="([^"]+)"', (await seller.get(own)).text)
    mine = {"score": "5", "again": "yes", "note": "", "seen": seen}
    assert (
        await seller.post(path, {**mine, "score": "2", "again": "no", "note": "价太低"})
    ).status_code == 303
    late = await seller.post(path, mine)
    assert (late.status_code, "别人把这一项改成了 2 用处不大" in late.text) == (409, True)
    assert await fetch_value("SELECT (score, again, note) FROM feedback") == (2, False, "价太低")
    (now,) = re.findall(r'name="seen" value="([^"]+)"', late.text)
    assert (await seller.post(path, {**mine, "seen": now})).status_code == 303
    assert await fetch_value("SELECT (score, again, note) FROM feedback") == (5, True, "")


async def test_way_to_all_unanswered_questions_leads_to_as_many_as_it_says(
    after: After, town: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("market.web.meetings.after.SHOWN", 1)
    for talk in after.talks[:2]:
        await after.record(talk, "sample")
    await closed_long_ago(after)
    page = (await town.get(page_of(after))).text
    ((path, number),) = re.findall(r'<a href="([^"]+)">看全部 (\d+) 场</a>', page)
    # the questions of 90 and 180 days, which nobody is asked yet, are none of them
    listed = (await town.get(unescape(path))).text
    assert (number, listed.count('<th scope="row">')) == ("2", 2)


async def test_debt_for_goods_and_money_paid_beforehand_stand_beside_each_other(
    after: After, town: Browser
) -> None:
    talk = after.talks[0]
    (struck,) = await after.record(talk, "signed", kg=2_000, price=800)
    await after.sign(talk, struck, "seller", "buyer")
    await execute(
        """INSERT INTO payment (deal, amount, paid, kind, state, due_on, paid_on)
           VALUES ($1, 1000000, 1000000, 'deposit', 'paid', $2, $2)""",
        struck,
        clock.today(),
    )
    await after.deliver(talk, struck, 1_000)
    page = (await town.get(page_of(after))).text
    shown = figures_in(page)
    assert (shown["发货（买方已验收）"], shown["回款"], shown["已验收还欠的"]) == (
        "8,000 元",
        "10,000 元",
        "3,000 元",
    )
    assert "其中定金和预付款 10,000 元" in page
    listed = (await town.get(f"{page_of(after)}/lines?of=owed")).text
    assert "已验收还欠 3,000 元" in listed
    report = await town.get(f"/town/meetings/{after.meeting_id}/report.docx")
    said = "\n".join(each.text for each in Document(io.BytesIO(report.content)).paragraphs)
    assert "回款里有定金和预付款 10,000 元。" in said


async def test_a_side_gives_feedback_and_the_other_does_not_see_it(
    after: After, town: Browser, browser_of: SignedInAs
) -> None:
    talk = after.talks[0]
    await after.record(talk, "sample")
    buyer = await browser_of(after.side(talk, "buyer"))
    own = f"/meetings/{after.meeting_id}/after"
    path = f"{own}/talks/{talk.id}/feedback"
    assert (await buyer.post(path, {"score": "6", "again": "yes"})).status_code == 422
    sent = {"score": "2", "again": "no", "note": "货不对板"}
    assert (await buyer.post(path, sent)).status_code == 303
    assert "我的评价：2 分" in (await buyer.get(own)).text
    assert "货不对板" in (await town.get(page_of(after))).text
    seller = await browser_of(after.side(talk, "seller"))
    assert "货不对板" not in (await seller.get(own)).text
    other = await browser_of(next(each for each in after.buyers if each.organisation_id != talk.buyer))
    assert (await other.post(path, sent)).status_code == 404


async def test_a_sample_goes_from_page_to_page(after: After, browser_of: SignedInAs) -> None:
    talk = after.talks[0]
    sample_id = await request_sample(
        appointment_id=talk.id, listing_id=talk.topics[0].listing, actor=after.town.actor, at=clock.now()
    )
    page = f"/samples/{sample_id}"
    seller, buyer = [await browser_of(after.side(talk, name)) for name in ("seller", "buyer")]
    assert "等您处理" in (await seller.get("/samples")).text
    assert "等您处理" not in (await buyer.get("/samples")).text
    empty = await seller.post(f"{page}/send", {"carrier": ""})
    assert (empty.status_code, list(faults(empty))) == (422, ["carrier"])
    for _ in range(2):  # pressed twice is harmless
        assert (await seller.post(f"{page}/send", {"carrier": "顺丰", "tracking": "SF1"})).status_code == 303
    assert "顺丰 SF1" in (await buyer.get(page)).text
    assert (await seller.post(f"{page}/receive")).status_code == 409
    assert (await buyer.post(f"{page}/receive")).status_code == 303
    assert (await buyer.post(f"{page}/answer", {"verdict": "improve"})).status_code == 422
    assert (await buyer.post(f"{page}/answer", {"verdict": "approved"})).status_code == 303
    assert "合格，可以谈价" in (await seller.get(page)).text
    stranger = await browser_of(next(each for each in after.buyers if each.organisation_id != talk.buyer))
    assert (await stranger.get(page)).status_code == 404
    assert (await seller.post(f"{page}/explode")).status_code == 404


async def test_who_signs_for_a_sample_that_was_not_noted_as_sent_reads_that_its_sending_is_unknown(
    after: After, browser_of: SignedInAs
) -> None:
    talk = after.talks[0]
    sample_id = await request_sample(
        appointment_id=talk.id, listing_id=talk.topics[0].listing, actor=after.town.actor, at=clock.now()
    )
    page = f"/samples/{sample_id}"
    seller, buyer = [await browser_of(after.side(talk, name)) for name in ("seller", "buyer")]
    # it is open to the buyer, who is not waited for
    assert "等您处理" not in (await buyer.get("/samples")).text
    asked = (await buyer.get(page)).text
    assert ("卖方还没有记“已寄出”。已经收到的直接签收" in asked, "现在等" in asked) == (True, True)
    assert (await buyer.post(f"{page}/receive")).status_code == 303
    assert "等您处理" in (await buyer.get("/samples")).text
    assert "寄出时间不详" in (await seller.get(page)).text


async def test_an_intent_becomes_a_contract_once_from_its_page(
    after: After, browser_of: SignedInAs, town: Browser
) -> None:
    talk = after.talks[0]
    await after.record(talk, "intent", kg=2_000, price=750)
    buyer = await browser_of(after.side(talk, "buyer"))
    page = f"/talks/{talk.id}/contract/{talk.topics[0].id}"
    form = (await buyer.get(page)).text
    assert 'name="quantity" value="4000"' in form
    too_much = {"quantity": "99999", "quantity_unit": "t", "price": "3.75", "price_unit": "jin"}
    assert (await buyer.post(page, {**too_much, "key": str(uuid4())})).status_code == 409
    slip = {"quantity": "4000", "quantity_unit": "jin", "price": "37.5", "price_unit": "jin"}
    asked = await buyer.post(page, {**slip, "key": str(uuid4())})
    assert (asked.status_code, "多打、少打了一个 0" in asked.text) == (422, True)
    assert ('name="sure"' in asked.text, 'value="37.5"' in asked.text) == (True, True)
    assert 'name="sure"' not in form
    sent = {"quantity": "4000", "quantity_unit": "jin", "price": "3.75", "price_unit": "jin"}
    sent["key"] = str(uuid4())
    answers = [await buyer.post(page, sent) for _ in range(2)]
    assert {each.headers["location"] for each in answers} == {
        f"/deals/{await fetch_value('SELECT id FROM deal')}"
    }
    assert (await town.get(page)).headers["location"] == answers[0].headers["location"]


async def test_odd_price_of_a_contract_is_taken_once_it_is_meant(
    after: After, browser_of: SignedInAs
) -> None:
    talk = after.talks[0]
    await after.record(talk, "intent", kg=2_000, price=750)
    buyer = await browser_of(after.side(talk, "buyer"))
    meant = {"quantity": "2", "quantity_unit": "t", "price": "37.5", "price_unit": "jin", "sure": "1"}
    page = f"/talks/{talk.id}/contract/{talk.topics[0].id}"
    assert (await buyer.post(page, {**meant, "key": str(uuid4())})).status_code == 303
    assert await fetch_value("SELECT price FROM deal") == 7500


async def test_finishing_warns_of_what_is_open_and_goes_on(after: After, town: Browser) -> None:
    await after.record(after.talks[0], "sample")
    await closed_long_ago(after)
    assert "还有 3 次回访没有回答，1 件样品没有结果" in (await town.get(page_of(after))).text
    done = await town.post(f"/town/meetings/{after.meeting_id}/move/finish_follow_up")
    assert done.status_code == 303
    assert await fetch_value("SELECT state FROM meeting") == "followed_up"


async def test_an_older_page_does_not_put_a_line_of_the_budget_back(after: After, town: Browser) -> None:
    page = page_of(after)
    await town.post(f"{page}/budget", {"name": "搭棚", "planned": "3000", "key": str(uuid4())})
    edit = f"{page}?line={await fetch_value('SELECT id FROM budget_line')}"

    def sent(html: str) -> dict[str, list[str]]:
        typed = filled_in(html, f"{page}/budget#budget")
        typed.pop("_csrf")
        return typed

    first, second, third = [sent((await town.get(edit)).text) for _ in range(3)]
    assert (await town.post(f"{page}/budget", {**first, "spent": "2800"})).status_code == 303
    # another field: both changes stand, and it is said
    other = await town.post(f"{page}/budget", {**second, "planned": "3200"})
    assert other.status_code == 303
    assert "别人刚改的也都保留：实际支出" in (await town.get(other.headers["location"])).text
    assert await fetch_value("SELECT (planned, spent) FROM budget_line") == (320_000, 280_000)
    # the same field: both values are told, and the next save means it
    stale = await town.post(f"{page}/budget", {**third, "planned": "3500"})
    assert stale.status_code == 409
    assert "别人把这一项改成了 3,200 元；再保存一次，就按您填的改" in faults(stale)["planned"]
    assert await fetch_value("SELECT planned FROM budget_line") == 320_000
    again = sent(stale.text)
    assert again["planned"] == ["3500"]
    await town.post(f"{page}/budget", again)
    assert await fetch_value("SELECT (planned, spent) FROM budget_line") == (350_000, 280_000)
    # a line that others delete meanwhile takes nothing of what was typed with it
    last = sent((await town.get(edit)).text)
    await town.post(f"{page}/budget/{last['line_id'][0]}/remove")
    gone = await town.post(f"{page}/budget", {**last, "spent": "2900"})
    assert (gone.status_code, "这一行别人刚删了" in gone.text) == (409, True)
    again = sent(gone.text)
    assert (again["name"], again["spent"], "line_id" in again) == (["搭棚"], ["2900"], False)
    assert (await town.post(f"{page}/budget", again)).status_code == 303
    assert await fetch_value("SELECT (planned, spent) FROM budget_line") == (350_000, 290_000)


async def test_goods_left_are_told_the_step_in_both_units(after: After, town: Browser) -> None:
    listing = after.talks[0].topics[0].listing
    await trading.diagnose(after.town, listing, cost=1_000)
    await execute(
        "UPDATE diagnosis SET obstacle = 'min_order', terms = $1",
        json.encode([LotMinOrder(min_order=Gram(50_000))]).decode(),
    )
    await after.move("close")
    assert "把起订量改为 100 斤 / 50 公斤" in (await town.get(page_of(after))).text

"""The auditor reads, filters, takes files along and has everything checked; nobody else gets in."""

import ast
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from python_calamine import CalamineWorkbook

from fixtures.factories import Factory, Member
from market import clock
from market.audit import deeds, words
from market.audit.operations import record
from market.audit.sealing import seal
from market.cases.rules import DEEDS, ENTRY_KINDS
from market.db.jobs import Worker
from market.db.session import execute, fetch_value, transaction
from market.deals.endings.rules import ENDING
from market.deals.frames.rules import CALL
from market.i18n import msg, translate
from market.organisations.rules import VERIFICATION
from market.supply.rules import LISTING
from market.web.accounts import approvals
from market.web.bids import negotiations
from market.web.deals import breaches, frames, sheet
from market.web.demands import joint
from market.web.home import county
from market.web.matching import matches
from tests.integration.web import shop, trading
from tests.integration.web.conftest import Browser, SignedInAs

ROOT = Path(__file__).parents[3]


@pytest.fixture
async def auditor(factory: Factory, browser_of: SignedInAs) -> Browser:
    await shop.stock_catalogue()
    return await browser_of(await factory.member(role="auditor", kind="county"))


async def test_auditor_filters_reads_one_chain_and_takes_files_along(
    auditor: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.binding_deal(seller, buyer)
    everything = await auditor.get("/audit")
    assert everything.status_code == 200
    assert "会签，合同生效" in everything.text
    # one has signed first, the other has countersigned
    signed = (await auditor.get("/audit?action=sign")).text.partition("<tbody>")[2]
    assert ("会签，合同生效" in signed, f"/audit/subjects/deal%3A{deal_id}" in signed) == (False, True)
    none = await auditor.get("/audit?since=2001-01-01&until=2001-01-02")
    assert "没有这样的记录" in none.text
    assert "不是日期" in (await auditor.get("/audit?since=yesterday")).text
    one = await auditor.get(f"/audit/subjects/deal:{deal_id}?lang=en")
    assert "This chain has just been checked: whole." in one.text
    assert "Countersigned, the contract binds" in one.text
    assert (await auditor.get("/audit/subjects/deal:999999")).status_code == 404

    lines = (await auditor.get(f"/audit/files/records.jsonl?subject=deal:{deal_id}")).text.splitlines()
    told = [json.loads(line) for line in lines]
    assert [each["position"] for each in told] == list(range(1, len(told) + 1))
    assert {each["subject"] for each in told} == {f"deal:{deal_id}"}
    book = await auditor.get("/audit/files/records.xlsx?subject=deal&lang=zh")
    rows = CalamineWorkbook.from_filelike(io.BytesIO(book.content)).get_sheet_by_index(0).to_python()
    assert (len(rows), rows[0][:4]) == (len(told) + 1, ["时间", "对象", "第几条", "做了什么"])
    assert {row[1] for row in rows[1:]} == {f"合同 {deal_id}"}
    assert (await auditor.get("/audit/files/records.csv")).status_code == 404


async def test_reasons_are_told_in_the_words_of_the_list_that_they_were_chosen_from(
    auditor: Browser, seller: Member
) -> None:
    """Lists have codes alike: a look at a number for ``payment`` refuses nobody's terms of payment."""
    chosen = (
        ("contacts:1", "look_up", "payment", "对账、付款、开票"),
        ("numbers:1", "look_up", "quality", "说质量问题"),
        ("lot:1", "correct", "spoiled", "霉变、腐烂"),
        ("case:1", "case_closed", "spoiled", "损耗、报废"),
        ("deal:1", "withdraw_invoice", "mistake", "开票有误"),
        ("approval:1", "refuse", "price", "价格太高"),
        ("bid:1", "reject", "price", "价格谈不拢"),
        ("organisation:1", "refuse", "mismatch", "材料和登记的名称、代码对不上"),
    )
    await execute("UPDATE reason SET zh = '价格谈不拢' WHERE code = 'price'")
    async with transaction():
        for subject, action, reason, _ in chosen:
            await record(
                subject=subject, action=action, actor=seller.actor, at=clock.now(), details={"reason": reason}
            )
    book = await auditor.get("/audit/files/records.xlsx?lang=zh")
    rows = CalamineWorkbook.from_filelike(io.BytesIO(book.content)).get_sheet_by_index(0).to_python()
    assert sorted(str(row[6]) for row in rows if "原因" in str(row[6])) == sorted(
        f"原因: {words}" for *_, words in chosen
    )
    page = (await auditor.get("/audit/subjects/contacts:1?lang=en")).text
    assert ("Payment terms" in page, "accounts, payment, invoice" in page) == (False, True)


async def test_check_of_everything_is_a_job_and_names_damage(
    auditor: Browser,
    seller: Member,
    buyer: Member,
    _cleaning: asyncpg.Connection,  # noqa: PT019
) -> None:
    deal_id = await trading.binding_deal(seller, buyer)
    await seal(at=clock.now())
    assert "还没有核对过" in (await auditor.get("/audit")).text
    worker = Worker(tasks=1, kinds=["audit.check"])
    for expected in ("完好", "处损坏"):
        assert (await auditor.post("/audit/check")).status_code == 303
        assert (await auditor.post("/audit/check")).status_code == 409
        assert "正在核对" in (await auditor.get("/audit")).text
        assert await worker.work_once()
        page = await auditor.get("/audit")
        assert expected in page.text
        await _cleaning.execute(
            "UPDATE audit_record SET action = 'cancel' WHERE subject = $1 AND position = 1", f"deal:{deal_id}"
        )
    assert f"deal:{deal_id} 第 1 条：内容被改过" in page.text
    assert "这条链有 1 处损坏。" in (await auditor.get(f"/audit/subjects/deal:{deal_id}")).text
    assert await fetch_value("SELECT damage FROM audit_check ORDER BY id DESC LIMIT 1") == 1


async def test_auditor_of_a_town_reads_what_concerns_it_and_nobody_else_reads(
    factory: Factory, auditor: Browser, seller: Member, buyer: Member, browser_of: SignedInAs
) -> None:
    town = await factory.member(role="auditor", kind="town")
    own = await factory.member(role="secretary", town_id=town.organisation_id)
    ours, theirs = await trading.binding_deal(own, buyer), await trading.binding_deal(seller, buyer)
    reader = await browser_of(town)
    assert (await reader.get(f"/audit/subjects/deal:{ours}")).status_code == 200
    assert (await reader.get(f"/audit/subjects/deal:{theirs}")).status_code == 404
    lines = (await reader.get("/audit/files/records.jsonl")).text.splitlines()
    found = {json.loads(line)["subject"] for line in lines}
    assert (f"deal:{ours}" in found, f"deal:{theirs}" in found) == (True, False)
    for member in (seller, buyer, await factory.member(role="official")):
        stranger = await browser_of(member)
        for path in ("/audit", f"/audit/subjects/deal:{ours}", "/audit/files/records.jsonl"):
            assert (await stranger.get(path)).status_code == 403
        assert (await stranger.post("/audit/check")).status_code == 403


def _calls() -> Iterator[tuple[str, ast.Call]]:
    """Every call in the product that may write into the record, with its file."""
    for path in (ROOT / "market").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            name = ast.unparse(call.func) if isinstance(call, ast.Call) else ""
            if isinstance(call, ast.Call) and name in ("record", "Entry", "_noted", "_record"):
                yield path.name, call


def test_every_deed_that_is_recorded_has_words() -> None:
    """Codes that stand in calls of record() and Entry(); composed ones are looked up by their parts."""
    codes = set()
    for name, call in _calls():
        given = [each.value for each in call.keywords if each.arg == "action"]
        given += call.args if ast.unparse(call.func) in ("_noted", "_record") else []
        codes |= {(name, each.value) for each in given if isinstance(each, ast.Constant)}
    # those that are made of a move
    for stem, life in (("call_{}", CALL), ("{}", VERIFICATION), ("{}", LISTING), ("{}_ending", ENDING)):
        codes |= {(life.noun, stem.format(move.name)) for move in life.moves if move.by != {"system"}}
    codes -= {(ENDING.noun, "give_notice_ending")}  # recorded as force_majeure
    codes |= {("case", f"case_{kind}") for kind in (*ENTRY_KINDS, *DEEDS)}
    codes |= {("clock", f"{move}_talk") for move in ("start", "end")}
    assert {
        each for each in codes if isinstance(each[1], str) and deeds.action_words(each[1]) is None
    } == set()


def test_record_tells_deeds_as_done_and_things_one_by_one() -> None:
    """A button's word (“Sign”), or a menu's (“Demands”), is no word for what was done, or to what."""
    kinds = {*ENTRY_KINDS, "case_call"}
    done = {code: translate(words, "en") for code, words in deeds.ACTIONS.items() if code not in kinds}
    assert {code: said for code, said in done.items() if not said[0].islower()} == {}
    things = [translate(deeds.subject_words(thing), "en") for thing in ("demand:113", "meeting:1", "bid:4")]
    assert things == ["Demand 113", "Meeting 1", "Bid 4"]


def test_every_figure_of_a_deed_has_a_name() -> None:
    unnamed = set()
    for name, call in _calls():
        for given in (each.value for each in call.keywords if each.arg == "details"):
            for inner in ast.walk(given):
                keys = inner.keys if isinstance(inner, ast.Dict) else []
                unnamed |= {(name, key.value) for key in keys if isinstance(key, ast.Constant)}
    assert {each for each in unnamed if each[1] not in words.DETAILS and each[1] not in words.THINGS} == set()
    told = words.said(
        {"buyer": 7, "lots": [[5, 500]], "deals": [3]}, words.Known(names={"organisation:7": msg("买方")})
    )
    assert [(translate(each.label, "en"), each.unit) for each in told] == [
        ("Buyer", ""),
        ("made", "list"),
        ("", "list"),
    ]
    assert translate(told[0].value, "en") == "Buyer"
    assert [translate(one, "en") for one in (*told[1].value, *told[2].value)] == [
        "Lot 5: 1 jin (0.5 kg)",
        "Contract 3",
    ]


def test_no_course_of_things_is_told_in_the_words_of_a_button() -> None:
    """What stands under “经过” was done: “Place bid” and “Decline” are what one may do."""
    buttons = {
        found[1]
        for path in (ROOT / "market/web/templates").rglob("*.html")
        for found in re.finditer(r'(?:button|refusal_box)\([^{}]*?_\("([^"{]+)"\)', path.read_text())
    }
    assert {"撤回", "谢绝", "部分验收"} <= buttons
    told = [approvals, breaches, county, frames, joint, matches, negotiations, sheet]
    assert {words.text for page in told for words in page.DEEDS.values()} & buttons == set()

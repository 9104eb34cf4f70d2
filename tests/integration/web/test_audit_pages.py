"""The auditor reads, filters, takes files along and has everything checked; nobody else gets in."""

import ast
import io
import json
from pathlib import Path

import asyncpg
import pytest
from python_calamine import CalamineWorkbook

from fixtures.factories import Factory, Member
from market import clock
from market.audit import deeds
from market.audit.sealing import seal
from market.db.jobs import Worker
from market.db.session import fetch_value
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
    assert "countersigned, the contract binds" in one.text
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


def test_every_deed_that_is_recorded_has_words() -> None:
    """Codes that stand in calls of record() and Entry(); composed ones are looked up by their parts."""
    unknown = set()
    for path in (ROOT / "market").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and ast.unparse(call.func) in ("record", "Entry"):
                codes = [
                    given.value.value
                    for given in call.keywords
                    if given.arg == "action" and isinstance(given.value, ast.Constant)
                ]
                unknown |= {(path.name, code) for code in codes if deeds.action_words(code) is None}
    assert unknown == set()

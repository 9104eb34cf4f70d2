"""Runs in the official's browser: started by the button, worked on by the worker, shown with their proof."""

import io
import re
import zipfile
from pathlib import Path

import pytest

from fixtures.factories import PASSWORD, STORY, Factory, Member
from market.cli import main
from market.db.jobs import Worker
from market.db.session import execute, fetch_value
from market.matching.agreement import decline
from market.matching.operations import run_now
from market.matching.queries import matches_of_run
from tests.integration.web.conftest import Browser, SignedInAs


class Town:
    """An official's browser, two villages that sell and a chain that buys."""

    def __init__(self, official: Member, sellers: list[Member], buyer: Member, browser: Browser) -> None:
        self.official, self.sellers, self.buyer, self.browser = official, sellers, buyer, browser

    async def run(self) -> int:
        return await run_now(town_id=self.official.organisation_id, actor=self.official.actor, at=STORY)


@pytest.fixture
async def town(factory: Factory, browser_of: SignedInAs) -> Town:
    official = await factory.member(role="official", password=PASSWORD)
    sellers = [await factory.member(role="secretary", town_id=official.organisation_id) for _ in range(2)]
    buyer = await factory.member(role="buyer")
    await factory.listing(sellers[0], kg=1_000, ask=650, title="东岗花生")
    await factory.listing(sellers[1], kg=500, ask=660, title="西岗花生")
    await factory.demand(buyer, kg=1_200)
    return Town(official, sellers, buyer, await browser_of(official))


async def test_button_starts_a_run_that_the_worker_computes_and_the_page_shows(town: Town) -> None:
    started = await town.browser.post("/town/runs", form="/town/runs")
    assert started.status_code == 303
    page = started.headers["location"]
    waiting = await town.browser.get(page)
    assert '<noscript><meta http-equiv="refresh" content="3"></noscript>' in waiting.text
    assert f'hx-get="{page}" hx-trigger="every 1s"' in waiting.text
    part = await town.browser.get(page, htmx=True)
    assert (part.text.count("<html"), part.headers.get("hx-refresh")) == (0, None)
    assert await Worker().work_once() is True
    assert (await town.browser.get(page, htmx=True)).headers["hx-refresh"] == "true"
    done = await town.browser.get(page)
    assert re.search(r'<span class="tag done">最优</span>', done.text)
    assert done.text.count('<tr class="reason">') == 2
    assert "路程" in done.text


async def test_pressing_twice_leads_to_the_one_run(town: Town) -> None:
    first = await town.browser.post("/town/runs")
    second = await town.browser.post("/town/runs")
    assert first.headers["location"] == second.headers["location"]
    assert await fetch_value("SELECT count(*) FROM run") == 1


async def test_what_is_left_is_told_with_the_change_that_sells_it(town: Town, factory: Factory) -> None:
    await factory.listing(town.sellers[0], kg=300, ask=2_000, title="贵花生")
    await factory.demand(town.buyer, kg=5_000)
    run_id = await town.run()
    page = (await town.browser.get(f"/town/runs/{run_id}")).text
    stuck = page[page.index('id="stuck"') : page.index('id="compare"')]
    assert len(re.findall(r'<li id="listing-(\d+)">', stuck)) == 1
    assert "打开 600 斤" in stuck
    assert "可多卖" not in stuck


async def test_matches_are_of_one_village_and_in_the_order_asked_for(town: Town) -> None:
    run_id = await town.run()
    seller = town.sellers[1].organisation_id
    page = (await town.browser.get(f"/town/runs/{run_id}?seller={seller}&sort=price")).text
    table = page[page.index('id="matches"') : page.index('id="villages"')]
    assert (table.count('<tr class="reason">'), "东岗花生" in table, "西岗花生" in table) == (1, False, True)
    assert (await town.browser.get(f"/town/runs/{run_id}?sort=nonsense&seller=x")).status_code == 200


async def test_two_runs_are_compared(town: Town) -> None:
    first = await town.run()
    (match, *_) = await matches_of_run(run_id=first, town_id=town.official.organisation_id)
    await decline(
        match_id=match.id,
        organisation_id=match.seller,
        reason="price",
        note="",
        actor=town.sellers[0].actor,
        at=STORY,
    )
    second = await town.run()
    page = (await town.browser.get(f"/town/runs/{second}?with={first}")).text
    moved = page[page.index('id="compare"') : page.index('id="files"')]
    assert '<span class="tag bad">不再建议</span>' in moved
    assert "输入完全一样。" in moved
    assert "各村得失" in moved
    for wrong in ("999999", "x", "9" * 40):
        assert (await town.browser.get(f"/town/runs/{second}?with={wrong}")).status_code == 404


async def test_files_of_a_run_are_verified_and_computed_again_to_the_same_result(
    town: Town, tmp_path: Path
) -> None:
    run_id = await town.run()
    archive = await town.browser.get(f"/town/runs/{run_id}/files/all.zip")
    assert archive.headers["content-disposition"] == f'attachment; filename="run-{run_id}.zip"'
    with zipfile.ZipFile(io.BytesIO(archive.content)) as packed:
        packed.extractall(tmp_path)
        for name in packed.namelist():
            single = await town.browser.get(f"/town/runs/{run_id}/files/{name}")
            assert (name, single.content) == (name, packed.read(name))
    supply, demand, again = str(tmp_path / "supply.csv"), str(tmp_path / "demand.csv"), tmp_path / "again"
    assert main(["verify", supply, demand, str(tmp_path)]) == 0
    assert main(["match", supply, demand, "--out", str(again), "--quiet", "--lang", "zh"]) == 0
    assert (again / "matches.csv").read_bytes() == (tmp_path / "matches.csv").read_bytes()
    assert (await town.browser.get(f"/town/runs/{run_id}/files/secret.csv")).status_code == 404


async def test_run_is_another_towns_neither_to_see_nor_to_download(
    town: Town, factory: Factory, browser_of: SignedInAs
) -> None:
    run_id = await town.run()
    stranger = await browser_of(await factory.member(role="official", password=PASSWORD))
    for path in (f"/town/runs/{run_id}", f"/town/runs/{run_id}/files/supply.csv", f"/town/runs/{2**63}"):
        assert (await stranger.get(path)).status_code == 404
    own = await run_now(town_id=town.official.organisation_id, actor=town.official.actor, at=STORY)
    assert (await stranger.get(f"/town/runs?with={own}")).status_code == 200


async def test_runs_are_for_officials(
    town: Town, seller: Member, browser_of: SignedInAs, guest: Browser
) -> None:
    secretary = await browser_of(seller)
    for path in ("/town", "/town/runs", "/town/deals", "/town/meetings", "/town/deals.csv"):
        assert (await secretary.get(path)).status_code == 403
        assert (await guest.get(path)).status_code == 303
    assert (await secretary.post("/town/runs")).status_code == 403


async def test_run_speaks_english(town: Town) -> None:
    run_id = await town.run()
    page = (await town.browser.get(f"/town/runs/{run_id}?lang=en")).text
    words = re.sub(r"<[^>]+>", " ", page[page.index("<main") : page.index("</main>")])
    assert "No other pairing has a greater total gain." in words
    # what remains Chinese are names, which the factory makes in Chinese only
    assert not re.search("撮合|诊断|公斤|吨|卖方", words)


async def test_comparison_names_what_changed_in_the_inputs(town: Town, factory: Factory) -> None:
    first = await town.run()
    await execute("UPDATE listing SET ask = 620 WHERE title = '东岗花生'")
    await execute("UPDATE listing SET state = 'suspended' WHERE title = '西岗花生'")
    await factory.listing(town.sellers[1], kg=200, ask=600, title="新来花生")
    second = await town.run()
    page = (await town.browser.get(f"/town/runs/{second}?with={first}")).text
    inputs = page[page.index("输入变了什么") : page.index("各村得失")]
    assert re.findall(r'<span class="tag (\w+)">(\S+)</span>', inputs) == [
        ("good", "新来"),
        ("bad", "没有了"),
        ("wait", "有变化"),
    ]
    assert "要价：3.25 元/斤 · 6.50 元/公斤 → 3.10 元/斤 · 6.20 元/公斤" in inputs
    assert "新来花生" in inputs


async def test_every_village_stands_in_the_report_with_its_main_obstacle(
    town: Town, factory: Factory
) -> None:
    third = await factory.member(role="secretary", town_id=town.official.organisation_id)
    await factory.listing(third, kg=700, ask=3_000, title="卖不动的花生")
    run_id = await town.run()
    page = (await town.browser.get(f"/town/runs/{run_id}")).text
    table = page[page.index('id="villages"') : page.index('id="stuck"')]
    # who sold nothing has the most left and comes first
    assert next(int(seller) for seller in re.findall(r"seller=(\d+)#matches", table)) == third.organisation_id
    assert table.count("seller=") == 3


async def test_pair_is_explained_in_words_and_figures(town: Town) -> None:
    run_id = await town.run()
    (match, *_) = await matches_of_run(run_id=run_id, town_id=town.official.organisation_id)
    base = f"/town/runs/{run_id}/pair"
    page = (await town.browser.get(f"{base}?lot={match.listing}&demand={match.demand}")).text
    assert '<span class="tag good">配上了</span>' in page
    assert "这一对值" in page
    assert f'href="/matches/{match.id}"' in page
    found = (await town.browser.get(f"{base}?lot=东岗&demand=求购")).text
    assert '<span class="tag good">配上了</span>' in found
    several = (await town.browser.get(f"{base}?lot=花生")).text
    assert "有 2 个都像，请选一个。" in several
    assert several.count('class="offers"') == 1


@pytest.mark.parametrize(
    "asked", ["lot=火星土豆", "lot=999999", "demand=%00%FF", "lot=" + "9" * 400, "lot=1&demand=x"]
)
async def test_rubbish_for_a_pair_is_told_and_kept(town: Town, asked: str) -> None:
    run_id = await town.run()
    page = await town.browser.get(f"/town/runs/{run_id}/pair?{asked}")
    assert page.status_code == 200
    assert "请换个说法，或从列表里选。" in page.text


async def test_run_is_computed_again_to_the_same_and_that_is_on_record(town: Town) -> None:
    run_id = await town.run()
    answer = await town.browser.post(f"/town/runs/{run_id}/again", form=f"/town/runs/{run_id}")
    assert "完全一致" in answer.text
    assert "2 条逐条一致" in (await town.browser.get(f"/town/runs/{run_id}")).text


async def test_bonus_is_told_with_what_it_moves_and_costs(town: Town) -> None:
    plain = await town.run()
    assert 'id="bonus"' not in (await town.browser.get(f"/town/runs/{plain}")).text
    await execute("UPDATE listing SET priority = 100 WHERE title = '西岗花生'")
    run_id = await town.run()
    page = (await town.browser.get(f"/town/runs/{run_id}")).text
    assert f'hx-get="/town/runs/{run_id}/bonus"' in page
    told = (await town.browser.get(f"/town/runs/{run_id}/bonus")).text
    assert "受照顾的货多配 600 斤 / 0.3 吨" in told
    part = (await town.browser.get(f"/town/runs/{run_id}/bonus", htmx=True)).text
    assert part.lstrip().startswith('<div id="bonus-part">')


async def test_declines_are_told_with_their_reason(town: Town) -> None:
    run_id = await town.run()
    (match, *_) = await matches_of_run(run_id=run_id, town_id=town.official.organisation_id)
    await decline(
        match_id=match.id,
        organisation_id=match.seller,
        reason="price",
        note="再等等",
        actor=town.sellers[0].actor,
        at=STORY,
    )
    page = (await town.browser.get(f"/town/runs/{run_id}")).text
    declined = page[page.index('id="declined"') : page.index('id="compare"')]
    assert "再等等" in declined
    assert "带着这些原因重新撮合" in declined


async def test_progress_of_a_run_is_drawn(town: Town) -> None:
    started = await town.browser.post("/town/runs", form="/town/runs")
    page = started.headers["location"]
    await execute(
        """UPDATE run SET state = 'running',
                          progress = '{"stage": {"text": "求解"}, "done": 3, "whole": 8}'"""
    )
    part = (await town.browser.get(page, htmx=True)).text
    assert "求解：3 / 8" in part
    assert 'width="37.5"' in part


@pytest.mark.parametrize("path", ["pair", "bonus", "again"])
async def test_what_explains_a_run_is_its_towns(
    town: Town, factory: Factory, browser_of: SignedInAs, path: str
) -> None:
    run_id = await town.run()
    stranger = await browser_of(await factory.member(role="official"))
    secretary = await browser_of(town.sellers[0])
    for browser, status in ((stranger, 404), (secretary, 403)):
        address = f"/town/runs/{run_id}/{path}"
        answer = await (browser.post(address) if path == "again" else browser.get(address))
        assert answer.status_code == status

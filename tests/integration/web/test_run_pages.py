"""Runs in the official's browser: started by the button, worked on by the worker, shown with their proof."""

import io
import re
import zipfile
from pathlib import Path

import pytest

from fixtures.factories import PASSWORD, STORY, Factory, Member
from market.cli import main
from market.db.jobs import Worker
from market.db.session import fetch_value
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
    assert f'hx-get="{page}" hx-trigger="every 2s"' in waiting.text
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
    assert "可多卖 600 斤" in stuck


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
    assert "No other pairing whatever has a greater total gain." in words
    # what remains Chinese are names, which the factory makes in Chinese only
    assert not re.search("撮合|诊断|公斤|吨|卖方", words)

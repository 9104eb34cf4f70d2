"""A real server on a copy of the demonstration, and the people who use it through Chromium."""

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from playwright.async_api import Browser, async_playwright

from market.db.embedded import Server
from tests import databases
from tests.e2e.people import DESK, Person, Screen
from tests.serving import serving

# the acts of a story say what they find as tests do
pytest.register_assert_rewrite("tests.e2e.meeting")


class Site:
    """A server on a database of its own."""

    def __init__(self, address: str, database: dict[str, Any]) -> None:
        self.address = address
        self._database = database

    async def rows(self, sql: str, *values: object) -> list[asyncpg.Record]:
        """Return what the database holds, past every page."""
        connection = await asyncpg.connect(**self._database)
        try:
            return list(await connection.fetch(sql, *values))
        finally:
            await connection.close()


@pytest.fixture(scope="module")
def stage() -> str:
    """How far the story has gone when a module's tests begin; a module may say otherwise."""
    return "start"


@pytest.fixture(scope="module")
async def site(
    server: Server, cluster_home: Path, worker_id: str, request: pytest.FixtureRequest, stage: str
) -> AsyncIterator[Site]:
    """A server of this module's own, on a fresh copy of the demonstration."""
    template = await databases.demo_template(server, cluster_home, stage)
    name = f"e2e_{worker_id}_{request.path.stem}"
    database = await databases.create_database(server, name, template=template)
    log = cluster_home / f"{name}.log"
    with serving(databases.environment(database, cluster_home), log) as address:
        yield Site(address, database)
    assert "Traceback" not in log.read_text(), log.read_text()


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """The machine's own Chromium: Playwright brings none along."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert program, "No Chromium on this machine: run .ci/browser"
    # Chromium has no sandbox for root
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=sandbox)
        yield browser
        await browser.close()


Open = Callable[..., Awaitable[Person]]


@pytest.fixture(scope="module")
async def open_browser(chromium: Browser, site: Site) -> AsyncIterator[Open]:
    """Opens browsers that know nothing of each other. None may see an error of script or network."""
    opened: list[Person] = []

    async def open_one(screen: Screen = DESK, *, javascript: bool = True) -> Person:
        context = await chromium.new_context(
            base_url=site.address,
            viewport={"width": screen.width, "height": screen.height},
            has_touch=screen.is_touched,
            locale="zh-CN",
            timezone_id="Asia/Shanghai",
            java_script_enabled=javascript,
            reduced_motion="reduce",
        )
        context.set_default_timeout(15_000)
        person = Person(await context.new_page())
        opened.append(person)
        return person

    yield open_one
    for person in opened:
        await person.page.context.close()
    assert [trouble for person in opened for trouble in person.troubles] == []

"""What every test may ask for. Unit tests ask for nothing here and start no database."""

import gc
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, settings

from market.db import embedded
from market.db.embedded import Server
from market.db.session import Engine, started_pool
from tests import databases

# A build is judged by the same drawn examples every time; elsewhere they are drawn anew. How long an example
# takes says how busy the machine is, and nothing about the product; nor does how many are thrown away.
settings.register_profile(
    "here", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
settings.register_profile("build", settings.get_profile("here"), derandomize=True)
settings.load_profile("build" if os.environ.get("CI") else "here")


_HOME = "cluster_home"


def _remember(config: pytest.Config) -> Path:
    """Return the folder of this session's cluster, shared by the workers of xdist."""
    given = getattr(config, "workerinput", {}).get(_HOME)
    return Path(given or config.stash[_KEY])


_KEY = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    # looked for again when everything is collected
    gc.disable()
    # no test leaves a key in the data folder of whoever runs it
    os.environ.setdefault("MARKET_SECRET_KEY", "k" * 32)
    if not hasattr(config, "workerinput"):
        config.stash[_KEY] = tempfile.mkdtemp(prefix="tiantou-tests-")


#: Files that take longest, the longest first. The first two fill different templates.
_LONGEST = (
    "e2e/test_every_page.py",
    "e2e/test_meeting_life.py",
    "e2e/test_every_official_page.py",
    "e2e/test_peanut_case.py",
    "e2e/",
    "integration/api/test_conformance.py",
    "integration/authorisation/",
    "integration/db/test_serve.py",
    "unit/meetings/",
    "integration/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest files begin: at the end no worker waits for one that got a long file last."""

    def place(item: pytest.Item) -> int:
        file = item.path.relative_to(Path(__file__).parent).as_posix()
        return next((at for at, each in enumerate(_LONGEST) if file.startswith(each)), len(_LONGEST))

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """Leave what is collected out of the search for garbage: it stays until the end.

    There are thousands of tests and all that they import. To go over them again and again took a fifth of the
    processor's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(2_000, 20, 20)
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput[_HOME] = node.config.stash[_KEY]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the cluster, wherever the link points: as root it lies outside the folder."""
    if not hasattr(config, "workerinput") and _KEY in config.stash:
        home = Path(config.stash[_KEY])
        shutil.rmtree((home / "postgres").resolve(), ignore_errors=True)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def cluster_home(request: pytest.FixtureRequest) -> Path:
    """The data folder of the session's cluster."""
    return _remember(request.config)


@pytest.fixture(scope="session")
def server(cluster_home: Path) -> Iterator[Server]:
    """The session's PostgreSQL, started by the first worker that asks."""
    with embedded.running(databases.limits(cluster_home), options=databases.FAST) as server:
        yield server


@pytest.fixture(scope="session")
async def database(server: Server, cluster_home: Path, worker_id: str) -> dict[str, Any]:
    """The address of this worker's own database, with the schema and no rows."""
    template = await databases.ensure_empty_template(server, cluster_home)
    return await databases.create_database(server, f"market_{worker_id}", template=template)


@pytest.fixture(scope="session")
async def _pool(database: dict[str, Any], cluster_home: Path) -> AsyncIterator[Engine]:
    async with started_pool(databases.limits(cluster_home), address=database) as engine:
        yield engine


@pytest.fixture(scope="session")
async def _cleaning(server: Server, database: dict[str, Any]) -> AsyncIterator[asyncpg.Connection]:
    async with databases.as_superuser(server, database["database"]) as admin:
        await databases.prepare_cleaning(admin)
        yield admin


@pytest.fixture
async def db(_pool: Engine, _cleaning: asyncpg.Connection) -> Engine:
    """The started pool on an empty schema."""
    await databases.clean(_cleaning)
    return _pool

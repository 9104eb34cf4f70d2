"""A database of the matrix's own: a copy of the demonstration, with a thing of each kind."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from market.db.embedded import Server
from market.db.session import started_pool
from tests import databases
from tests.integration.authorisation.scene import Scene, build


@pytest.fixture(scope="module")
async def scene(server: Server, cluster_home: Path, worker_id: str) -> AsyncIterator[Scene]:
    template = await databases.demo_template(server, cluster_home, "met")
    address = await databases.create_database(server, f"matrix_{worker_id}", template=template)
    async with started_pool(databases.limits(cluster_home), address=address):
        yield await build()

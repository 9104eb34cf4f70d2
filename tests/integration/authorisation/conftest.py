"""A database of the matrix's own: a copy of the demonstration, with a thing of each kind."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from litestar import Litestar

from market.app import create_app
from market.db.embedded import Server
from market.db.session import started_pool
from market.web.edge.cookies import Edge
from tests import databases
from tests.integration.authorisation import besides
from tests.integration.authorisation.scene import Scene, build
from tests.integration.authorisation.trial import SECRET, Trial


@pytest.fixture(scope="module")
async def scene(server: Server, cluster_home: Path, worker_id: str) -> AsyncIterator[Scene]:
    template = await databases.demo_template(server, cluster_home, "met")
    address = await databases.create_database(server, f"matrix_{worker_id}", template=template)
    async with started_pool(databases.limits(cluster_home), address=address):
        scene = await build()
        await besides.add(scene)
        yield scene


@pytest.fixture(scope="module")
def app() -> Litestar:
    return create_app(edge=Edge(secret=SECRET, secure=False), lifespan=[])


@pytest.fixture(scope="module")
async def trial(app: Litestar, scene: Scene) -> AsyncIterator[Trial]:
    transport = httpx.ASGITransport(app=cast(Any, app), raise_app_exceptions=False)
    # compressing and unpacking thousands of answers takes as long as making them
    plain = {"accept-encoding": "identity"}
    async with httpx.AsyncClient(transport=transport, base_url="http://market.test", headers=plain) as client:
        document = (await client.get("/api/openapi.json")).json()
        yield Trial(client, scene, document)

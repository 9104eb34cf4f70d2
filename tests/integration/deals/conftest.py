from collections.abc import AsyncIterator
from typing import Any

import pytest

from market.db.session import Engine
from tests.integration.races import connections


@pytest.fixture
async def wide(scene: Any, db: Engine) -> AsyncIterator[Any]:
    """The file's own scene, through as many connections as run against each other."""
    async with connections(db, 8):
        yield scene

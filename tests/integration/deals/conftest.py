from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from market.db.session import Engine


@pytest.fixture
async def wide(scene: Any, db: Engine) -> AsyncIterator[Any]:
    """The file's own scene, through as many connections as run against each other."""
    narrow = db.pool
    async with asyncpg.create_pool(**db.config, min_size=8, max_size=8) as pool:
        db.pool = pool
        try:
            yield scene
        finally:
            db.pool = narrow

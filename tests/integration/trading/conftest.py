"""What the races share."""

from collections.abc import AsyncIterator

import pytest

from fixtures.factories import Factory
from market.db.session import Engine
from tests.integration.races import connections


@pytest.fixture
async def wide(factory: Factory, db: Engine) -> AsyncIterator[Factory]:
    """A factory, and connections enough for all who race."""
    async with connections(db, 8):
        yield factory

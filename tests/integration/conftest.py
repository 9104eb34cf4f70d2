import pytest

from fixtures.factories import Factory
from market.db.session import Engine


@pytest.fixture
async def factory(db: Engine) -> Factory:
    """A factory on a clean database that already knows its produce."""
    made = Factory(seed=1)
    await made.catalogue()
    return made

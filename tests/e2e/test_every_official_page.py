"""Every page that a town official can come to by links: see ``walking``."""

import pytest

from tests.e2e.conftest import Open
from tests.e2e.people import OFFICIAL
from tests.e2e.walking import walk


@pytest.fixture(scope="module")
def stage() -> str:
    return "met"


async def test_every_page_is_accessible_fits_and_speaks_english(open_browser: Open) -> None:
    await walk(open_browser, "official", OFFICIAL)

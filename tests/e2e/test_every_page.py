"""Every page that a guest, a secretary or a buyer can come to by links: see ``walking``."""

import pytest

from tests.e2e.conftest import Open
from tests.e2e.people import BUYER, SECRETARY
from tests.e2e.walking import walk


@pytest.fixture(scope="module")
def stage() -> str:
    return "met"


@pytest.mark.parametrize(
    ("role", "phone"),
    [("guest", None), ("secretary", SECRETARY), ("buyer", BUYER)],
    ids=["guest", "secretary", "buyer"],
)
async def test_every_page_is_accessible_fits_and_speaks_english(
    open_browser: Open, role: str, phone: str | None
) -> None:
    await walk(open_browser, role, phone)

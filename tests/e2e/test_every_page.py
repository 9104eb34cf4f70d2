"""Every page that a guest, a secretary or a buyer can come to by links: see ``walking``."""

import pytest

from tests.e2e.conftest import Open
from tests.e2e.people import BUYER, SECRETARY, faults_of_access
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


async def test_contrast_is_measured_wherever_a_look_is_new(open_browser: Open) -> None:
    """What was measured once is left alone; the same letters on another ground are not."""
    page = (await open_browser()).page
    text = '<html lang="zh"><title>t</title><main><h1>h</h1><p style="background:{}">丰收</p></main>'
    for ground, faults in (("#fff", 0), ("#fff", 0), ("#222", 1), ("#222", 1)):
        await page.set_content(text.format(ground))
        told = [line for line in await faults_of_access(page) if line.startswith("color-contrast")]
        assert len(told) == faults, (ground, told)

"""Two windows on what one organisation has: the later save takes nothing back that the other has made."""

from typing import Any

import httpx
import pytest

from fixtures.factories import Factory, Member
from market.db.session import execute, fetch, fetch_value
from tests.forms import filled_in
from tests.integration.web import shop
from tests.integration.web.conftest import Browser, SignedInAs, faults


async def drawn(browser: Browser, page: str, action: str = "") -> dict[str, Any]:
    return sent(await browser.get(page), action or page)


def sent(page: httpx.Response, action: str) -> dict[str, Any]:
    """Return what the form that posts to ``action`` would send untouched."""
    typed = filled_in(page.text, action)
    typed.pop("_csrf")
    return typed


@pytest.fixture
async def village(seller: Member, browser_of: SignedInAs) -> Browser:
    await shop.stock_catalogue()
    return await browser_of(seller)


async def test_a_place_renamed_in_one_window_keeps_the_capacity_set_in_the_other(village: Browser) -> None:
    new = {"name": "1 号罐", "kind": "tank", "capacity": "3", "capacity_unit": "t"}
    await village.post("/selling/stock/places/new", new)
    page = f"/selling/stock/places/{await fetch_value('SELECT id FROM storage')}"
    first, second, third = [await drawn(village, page) for _ in range(3)]
    assert (await village.post(page, {**first, "capacity": "5"})).status_code == 303
    assert (await village.post(page, {**second, "name": "大罐"})).status_code == 303
    assert await fetch_value("SELECT (name, capacity) FROM storage") == ("大罐", 5_000_000)
    asked = await village.post(page, {**third, "name": "东罐", "kind": "warehouse"})
    assert (asked.status_code, set(faults(asked))) == (409, {"name", "capacity"})
    assert "大罐" in faults(asked)["name"]
    again = sent(asked, page)
    assert (again["name"], again["capacity"], again["kind"]) == (["东罐"], ["5"], ["warehouse"])
    assert (await village.post(page, again)).status_code == 303
    assert await fetch_value("SELECT (name, kind, capacity) FROM storage") == ("东罐", "warehouse", 5_000_000)


async def test_a_role_taken_in_one_window_is_not_given_back_by_the_other(
    factory: Factory, buyer: Member, browser_of: SignedInAs
) -> None:
    await execute("UPDATE membership SET role = 'administrator' WHERE person = $1", buyer.person_id)
    other = await factory.member(role="manager")
    await execute(
        "UPDATE membership SET organisation = $1 WHERE person = $2", buyer.organisation_id, other.person_id
    )
    keeper = await browser_of(buyer)
    page = f"/people/organisations/{buyer.organisation_id}/members"
    role = f"{page}/{other.person_id}/role"
    first, second = [await drawn(keeper, page, role) for _ in range(2)]
    assert (await keeper.post(role, {**first, "role": "buyer", "most": ""})).status_code == 303
    # the older window was to set a limit, and would make a purchasing manager of the person again
    asked = await keeper.post(role, {**second, "most": "5000"})
    assert asked.status_code == 409
    held = "SELECT role, most FROM membership WHERE person = $1"
    assert tuple((await fetch(held, other.person_id))[0]) == ("buyer", None)
    again = sent(asked, role)
    assert (again["role"], again["most"]) == (["buyer"], ["5000"])


async def test_a_limit_set_in_two_windows_is_asked_back(
    factory: Factory, buyer: Member, browser_of: SignedInAs
) -> None:
    await execute("UPDATE membership SET role = 'manager' WHERE person = $1", buyer.person_id)
    keeper = await browser_of(buyer)
    page = f"/people/organisations/{buyer.organisation_id}/members"
    first, second = [await drawn(keeper, page, f"{page[:-8]}/limit") for _ in range(2)]
    limit = f"{page[:-8]}/limit"
    assert (await keeper.post(limit, {**first, "limit": "3000"})).status_code == 303
    asked = await keeper.post(limit, {**second, "limit": "9000"})
    assert (asked.status_code, "3,000" in asked.text, 'value="9000"' in asked.text) == (409, True, True)
    assert await fetch_value("SELECT buyer_limit FROM organisation WHERE id = $1", buyer.organisation_id) == (
        300_000
    )
    assert (await keeper.post(limit, sent(asked, limit))).status_code == 303

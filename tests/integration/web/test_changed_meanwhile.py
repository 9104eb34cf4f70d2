"""Two pages on the same terms: the later one puts nothing back, and a slip of a nought is asked back."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from fixtures.factories import Factory, Member
from market import clock
from market.db.session import execute, fetch_value
from tests.forms import filled_in
from tests.integration.web import shop
from tests.integration.web.conftest import Browser, SignedInAs, faults


async def drawn(browser: Browser, path: str) -> dict[str, Any]:
    """Return what the form at ``path`` would send untouched."""
    return _sent(await browser.get(path), path)


def _sent(page: httpx.Response, path: str) -> dict[str, Any]:
    typed = filled_in(page.text, path)
    typed.pop("_csrf")
    return typed


def jin(yuan: str) -> dict[str, str]:
    return {"ask": yuan, "ask_unit": "jin"}


@pytest.fixture
async def terms(factory: Factory, seller: Member) -> str:
    await shop.stock_catalogue()
    return f"/selling/{await shop.put_on_sale(seller)}/terms"


async def ask_and_last_day() -> tuple[int, str]:
    return (
        await fetch_value("SELECT ask FROM listing"),
        (await fetch_value("SELECT available_to FROM listing")).isoformat(),
    )


async def test_an_older_page_does_not_put_a_price_back(
    terms: str, seller: Member, browser_of: SignedInAs
) -> None:
    browser = await browser_of(seller)
    first, second = await drawn(browser, terms), await drawn(browser, terms)
    last = (clock.today() + timedelta(days=50)).isoformat()
    assert (await browser.post(terms, {**first, **jin("1.10")})).status_code == 303
    later = await browser.post(terms, {**second, "available_to": last})
    assert later.status_code == 303
    assert await ask_and_last_day() == (220, last)
    assert "别人刚改的也都保留：要价。" in (await browser.get(later.headers["location"])).text


async def test_what_others_changed_stands_in_a_form_that_is_refused_for_something_else(
    terms: str, seller: Member, browser_of: SignedInAs
) -> None:
    browser = await browser_of(seller)
    first, second = await drawn(browser, terms), await drawn(browser, terms)
    sooner, latest = (clock.today() + timedelta(days=days) for days in (2, 30))
    assert (await browser.post(terms, {**first, "available_from": latest.isoformat()})).status_code == 303
    # to this reader the goods were on sale from today on: only both changes together leave no day
    refused = await browser.post(terms, {**second, "available_to": sooner.isoformat()})
    assert refused.status_code == 422
    assert set(faults(refused)) == {"available_from", "available_to"}
    again = _sent(refused, terms)
    assert (again["available_from"], again["available_to"]) == ([latest.isoformat()], [sooner.isoformat()])
    assert (await browser.post(terms, {**again, "available_to": latest.isoformat()})).status_code == 303


async def test_the_same_term_changed_twice_is_told_and_then_meant(
    terms: str, seller: Member, browser_of: SignedInAs
) -> None:
    browser = await browser_of(seller)
    first, second = await drawn(browser, terms), await drawn(browser, terms)
    await browser.post(terms, {**first, **jin("1.10")})
    stale = await browser.post(terms, {**second, **jin("0.90")})
    told = "别人把这一项改成了 1.10 元/斤 · 2.20 元/公斤；再保存一次，就按您填的改"
    assert (stale.status_code, told in faults(stale)["ask"]) == (409, True)
    assert await fetch_value("SELECT ask FROM listing") == 220
    again = _sent(stale, terms)
    assert again["ask"] == ["0.90"]
    await browser.post(terms, again)
    assert await fetch_value("SELECT ask FROM listing") == 180


async def test_an_older_page_does_not_put_a_demand_back(
    factory: Factory, buyer: Member, browser_of: SignedInAs
) -> None:
    await shop.stock_catalogue()
    edit = f"/demands/{await factory.demand(buyer, kg=1_000, produce='cabbage', ceiling=200)}/edit"
    today = clock.today()
    await execute("UPDATE demand SET deliver_from = $1, deliver_to = $2", today, today + timedelta(days=20))
    browser = await browser_of(buyer)
    first, second = await drawn(browser, edit), await drawn(browser, edit)
    await browser.post(edit, {**first, "ceiling": "1.20", "ceiling_unit": "jin"})
    later = await browser.post(edit, {**second, "quantity": "3000", "quantity_unit": "kg"})
    assert later.status_code == 303
    assert await fetch_value("SELECT (ceiling, quantity) FROM demand") == (240, 3_000_000)


async def test_two_saves_at_the_same_moment_both_stand_or_one_is_asked_back(
    terms: str, seller: Member, browser_of: SignedInAs
) -> None:
    browser = await browser_of(seller)
    last = (clock.today() + timedelta(days=50)).isoformat()
    one, two = await drawn(browser, terms), await drawn(browser, terms)
    saved = await asyncio.gather(
        browser.post(terms, {**one, **jin("1.10")}), browser.post(terms, {**two, "available_to": last})
    )
    assert [each.status_code for each in saved] == [303, 303]
    assert await ask_and_last_day() == (220, last)
    one, two = await drawn(browser, terms), await drawn(browser, terms)
    asked = await asyncio.gather(
        browser.post(terms, {**one, **jin("1.20")}), browser.post(terms, {**two, **jin("1.30")})
    )
    assert sorted(each.status_code for each in asked) == [303, 409]


async def test_a_nought_too_many_is_asked_back_though_the_kind_may_cost_so_much(
    terms: str, factory: Factory, seller: Member, buyer: Member, browser_of: SignedInAs
) -> None:
    await execute("UPDATE produce SET price_low = 100, price_high = 2000")
    village, shopper = await browser_of(seller), await browser_of(buyer)
    typed = {**await drawn(village, terms), **jin("8")}
    odd = await village.post(terms, typed)
    assert (odd.status_code, set(faults(odd))) == (422, {"confirm"})
    assert (await village.post(terms, {**typed, "confirm": "1"})).status_code == 303
    assert await fetch_value("SELECT ask FROM listing") == 1_600

    edit = f"/demands/{await factory.demand(buyer, produce='cabbage', ceiling=200)}/edit"
    await execute("UPDATE demand SET deliver_to = $1", clock.today() + timedelta(days=20))
    typed = {**await drawn(shopper, edit), "ceiling": "10", "ceiling_unit": "jin"}
    odd = await shopper.post(edit, typed)
    assert (odd.status_code, set(faults(odd))) == (422, {"ceiling"})
    assert (await shopper.post(edit, {**typed, "sure": "1"})).status_code == 303
    assert await fetch_value("SELECT ceiling FROM demand") == 2_000


async def test_another_way_of_selling_chosen_meanwhile_is_told_and_then_meant(
    terms: str, seller: Member, browser_of: SignedInAs
) -> None:
    way = terms.replace("terms", "way")
    browser = await browser_of(seller)
    first, second = await drawn(browser, way), await drawn(browser, way)
    assert (await browser.post(way, {**first, "way": "fixed"})).status_code == 303
    day = (clock.today() + timedelta(days=3)).isoformat()
    wanted = {"way": "open", "closes_on": day, "min_step": "0.02", "min_step_unit": "jin"}
    stale = await browser.post(way, {**second, **wanted})
    assert (stale.status_code, await fetch_value("SELECT way FROM listing")) == (409, "fixed")
    assert "别人把这一项改成了 一口价；再保存一次，就按您填的改" in faults(stale)["way"]
    again = _sent(stale, way)
    assert {name: again[name] for name in wanted} == {name: [text] for name, text in wanted.items()}
    assert (await browser.post(way, again)).status_code == 303
    assert await fetch_value("SELECT (way, min_step) = ('open', 4) FROM listing")

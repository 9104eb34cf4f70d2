"""Hostile words, numbers and days: refused beside their field, or kept and shown as what they are."""

import csv
import io
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote_from_bytes, urlencode
from uuid import uuid4

import msgspec
import pytest
from markupsafe import escape

from fixtures.hostile import numbers
from fixtures.hostile.texts import FORMULAS, WORDS, Words
from market import clock
from market.db.session import fetch_value
from market.exchange.sheets import people_csv
from tests.integration.web.conftest import faults

from .conftest import World, bearer


def goods(**changed: Any) -> dict[str, Any]:
    today = clock.today()
    return {
        "key": str(uuid4()),
        "produce": "花生果",
        "quantity": "1000",
        "quantity_unit": "kg",
        "ask": "7",
        "ask_unit": "kg",
        "available_from": today.isoformat(),
        "available_to": (today + timedelta(days=30)).isoformat(),
        **changed,
    }


async def publish(world: World, raw: str = "", **changed: Any) -> Any:
    """Post the form of a new lot; ``raw`` is further urlencoded content, as it stands."""
    body = urlencode({"_csrf": world.csrf, **goods(**changed)}) + raw
    kind = {"content-type": "application/x-www-form-urlencoded"}
    return await world.seller.client.post("/selling/new", content=body, headers=kind)


async def newest(column: str) -> Any:
    return await fetch_value(
        f"SELECT {column} FROM listing JOIN lot ON lot.id = listing.lot ORDER BY listing.id DESC LIMIT 1"
    )


@pytest.mark.parametrize("words", WORDS, ids=[each.name for each in WORDS])
async def test_words_of_a_form(world: World, words: Words) -> None:
    before = await fetch_value("SELECT count(*) FROM listing")
    answer = await publish(world, "&title=" + quote_from_bytes(words.raw))
    if words.kept is None:
        assert (answer.status_code, set(faults(answer))) == (422, {"title"}), answer.text[:300]
        assert await fetch_value("SELECT count(*) FROM listing") == before
        return
    assert answer.status_code == 303, faults(answer)
    stored = await newest("title")
    assert stored == words.kept or (words.kept == "" and "花生果" in stored)
    page = await world.guest.get(f"/listings/{await newest('listing.id')}")
    assert (page.status_code, str(escape(stored)) in page.text) == (200, True)
    assert stored == escape(stored) or stored not in page.text


@pytest.mark.parametrize("words", WORDS, ids=[each.name for each in WORDS])
async def test_words_of_a_program(world: World, words: Words) -> None:
    today = clock.today()
    body = msgspec.json.encode(
        {
            "produce": "peanut",
            "title": "@",
            "quantity": 1_000,
            "ask": 700,
            "available_from": today,
            "available_to": today,
        }
    )
    try:
        title = msgspec.json.encode(words.raw.decode())
    except UnicodeDecodeError:
        title = b'"' + words.raw + b'"'
    answer = await world.client.post(
        "/api/v1/listings", content=body.replace(b'"@"', title), headers=bearer(world.tokens["seller"])
    )
    told = answer.json()
    if words.api:
        assert answer.status_code == 201, told
        assert (await world.client.get(f"/api/v1/listings/{told['listing_id']}")).json()[
            "title"
        ] == words.kept
    else:
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
        assert set(told.get("fields", {"title": ""})) == {"title"}


@pytest.mark.parametrize("words", WORDS, ids=[each.name for each in WORDS])
async def test_words_that_are_searched_for(world: World, words: Words) -> None:
    asked = quote_from_bytes(words.raw[:2_000])
    for path in (f"/listings?q={asked}&lang={asked}", f"/api/v1/listings?q={asked}"):
        answer = await world.guest.client.get(path)
        assert answer.status_code in (200, 422), (path, answer.status_code)
        if "html" in answer.headers["content-type"]:
            assert not any(each in answer.text for each in ("<script>alert", "<img src=x", "<svg onload"))


@pytest.mark.parametrize("name", numbers.QUANTITIES)
async def test_quantities_of_a_form(world: World, name: str) -> None:
    """What is no quantity is no price either."""
    typed, grams = numbers.QUANTITIES[name]
    if grams is None:
        answer = await publish(world, quantity=typed, ask=typed)
        assert (answer.status_code, set(faults(answer))) == (422, {"quantity", "ask"})
    else:
        answer = await publish(world, quantity=typed)
        assert answer.status_code == 303, faults(answer)
        assert await newest("lot.quantity") == grams


@pytest.mark.parametrize("name", numbers.QUANTITIES)
async def test_numbers_of_filters(world: World, name: str) -> None:
    typed, _ = numbers.QUANTITIES[name]
    query = urlencode({"quantity": typed, "price_low": typed, "page": typed})
    for path in ("/listings", "/api/v1/listings"):
        assert (await world.guest.get(f"{path}?{query}")).status_code in (200, 422)


@pytest.mark.parametrize("name", numbers.JSON_NUMBERS)
async def test_numbers_of_a_program(world: World, name: str) -> None:
    written, is_taken = numbers.JSON_NUMBERS[name]
    today = clock.today().isoformat()
    raw = (
        f'{{"produce": "peanut", "title": "a", "quantity": {written}, "ask": 700, '
        f'"available_from": "{today}", "available_to": "{today}"}}'
    )
    answer = await world.client.post(
        "/api/v1/listings", content=raw.encode(), headers=bearer(world.tokens["seller"])
    )
    assert answer.status_code == (201 if is_taken else 422), answer.text


@pytest.mark.parametrize("name", numbers.DAYS)
async def test_days_of_a_form(world: World, name: str) -> None:
    typed, _ = numbers.DAYS[name]
    answer = await publish(world, available_to=typed)
    assert (answer.status_code, set(faults(answer))) == (422, {"available_to"})


@pytest.mark.parametrize("name", numbers.sound_days(date(2027, 1, 1)))
async def test_days_written_otherwise(world: World, name: str) -> None:
    typed, day = numbers.sound_days(clock.today())[name]
    assert (await publish(world, available_to=typed)).status_code == 303
    assert await newest("available_to") == day


@pytest.mark.parametrize("name", numbers.ROW_NUMBERS)
async def test_row_numbers(world: World, name: str) -> None:
    typed = quote_from_bytes(numbers.ROW_NUMBERS[name].encode())
    for stem in ("/listings/", "/deals/", "/bids/"):
        page = await world.buyer.get(f"{stem}{typed}")
        assert page.status_code == 404, (stem, page.status_code)
        told = await world.client.get(f"/api/v1{stem}{typed}", headers=bearer(world.tokens["buyer"]))
        assert told.status_code in (404, 422), (stem, told.status_code)
        assert told.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("name", FORMULAS)
def test_no_cell_computes(name: str) -> None:
    """A spreadsheet program reads text in every export: the cell begins with a sign that no formula has."""
    written = people_csv(["a"], [[FORMULAS[name]]]).decode("utf-8-sig")
    (cell,) = list(csv.reader(io.StringIO(written, newline="")))[1]
    begins = cell.lstrip("\t\r\n \u00a0\u3000\ufeff\u200b")[:1]
    assert begins not in set("=+-@＝＋－＠")

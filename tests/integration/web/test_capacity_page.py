"""Capacity: a mill writes down how its tanks grew, its town reads it; places speak for themselves."""

import asyncpg
import pytest

from fixtures.factories import PASSWORD, STORY, Factory
from market.db.session import execute
from market.followup.capacity import capacities_of
from tests.integration.web.conftest import SignedInAs, faults


async def test_mill_notes_its_tanks_and_the_town_reads_how_they_grew(
    factory: Factory, browser_of: SignedInAs
) -> None:
    town = await factory.member(role="official", password=PASSWORD)
    mill = await factory.member(role="seller", kind="mill", town_id=town.organisation_id, password=PASSWORD)
    browser = await browser_of(mill)
    tanks = {"kind": "tank", "units": "7", "grams": "3", "grams_unit": "t", "on": "2026-10-01"}
    wrong = await browser.post("/capacity", {**tanks, "on": "2126-01-01"})
    assert (wrong.status_code, list(faults(wrong))) == (422, ["on"])
    for units, on in (("7", "2026-10-01"), ("27", "2026-11-20")):
        answer = await browser.post("/capacity", {**tanks, "units": units, "on": on})
        assert (answer.status_code, answer.headers["location"]) == (303, "/capacity")
    page = (await browser.get("/capacity")).text
    assert "7 个 → 27 个，现在能放 81 吨" in page
    with pytest.raises(asyncpg.RaiseError):
        await execute("DELETE FROM capacity_entry")

    official = await browser_of(town)
    assert "27 个" in (await official.get("/town")).text
    assert "81 吨" in (await official.get("/capacity")).text
    assert (await official.post("/capacity", tanks)).status_code == 403
    other = await browser_of(await factory.member(role="secretary", password=PASSWORD))
    assert "还没有记过产能" in (await other.get("/capacity")).text

    await execute(
        """INSERT INTO storage (owner, name, kind, capacity, held, created_at)
           VALUES ($1, '1 号罐', 'tank', 5000000, 0, $2)""",
        mill.organisation_id,
        STORY,
    )
    (now,) = await capacities_of(organisation_id=town.organisation_id)
    assert now.by_places
    assert [(each.units, each.grams) for each in now.points] == [
        (7, 21_000_000),
        (27, 81_000_000),
        (1, 5_000_000),
    ]

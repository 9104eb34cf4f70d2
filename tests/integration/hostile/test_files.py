"""Hostile files: drawn anew, or refused beside the field with a reason."""

import io
import zipfile
from datetime import timedelta
from typing import Any

import pytest
from PIL import Image

from fixtures.hostile.ledgers import LEDGERS, Ledger, workbook
from fixtures.hostile.pictures import PHOTOS, Photo
from fixtures.hostile.texts import FORMULAS
from market import clock
from market.db.session import fetch, fetch_value
from tests.integration.web.conftest import faults

from .conftest import World
from .test_words import goods


async def upload(world: World, path: str, data: dict[str, Any], files: dict[str, tuple[str, bytes]]) -> Any:
    return await world.seller.client.post(path, data={"_csrf": world.csrf, **data}, files=files)


@pytest.mark.parametrize("photo", PHOTOS, ids=[each.name for each in PHOTOS])
async def test_photos(world: World, photo: Photo) -> None:
    before = await fetch_value("SELECT count(*) FROM picture")
    answer = await upload(world, "/selling/new", goods(), {"pictures": (photo.file, photo.make())})
    if not photo.taken:
        assert (answer.status_code, set(faults(answer))) == (422, {"pictures"})
        assert await fetch_value("SELECT count(*) FROM picture") == before
        return
    assert answer.status_code == 303, faults(answer)
    kept = (await fetch("SELECT image, thumb FROM picture ORDER BY lot DESC LIMIT 1"))[0]
    for content in (kept["image"], kept["thumb"]):
        drawn = Image.open(io.BytesIO(content))
        assert (drawn.format, drawn.mode, dict(drawn.getexif())) == ("WEBP", "RGB", {})
        assert (getattr(drawn, "n_frames", 1), max(drawn.size) <= 1600) == (1, True)
        assert not set(drawn.info) & {"exif", "xmp", "icc_profile", "comment"}
        for told in (b"Zhang", b"4711", b"13800000000", b"GPS", b"<script", b"PK\x03\x04"):
            assert told not in content


@pytest.mark.parametrize("ledger", LEDGERS, ids=[each.name for each in LEDGERS])
async def test_ledgers(world: World, ledger: Ledger) -> None:
    before = await fetch_value("SELECT count(*) FROM listing")
    answer = await upload(world, "/selling/import", {}, {"file": (ledger.file, ledger.make())})
    assert answer.status_code in (413, 422), answer.status_code
    assert set(faults(answer)) <= {"file"}
    assert b"root:x:0" not in answer.content
    assert await fetch_value("SELECT count(*) FROM listing") == before


async def test_formulas_in_a_ledger_stay_words(world: World) -> None:
    """As a title they are words; where a number belongs the row is refused and comes back as text."""
    days = (clock.today().isoformat(), (clock.today() + timedelta(days=30)).isoformat())
    rows = [("花生果", f"{words} {name}", 1000, 7, *days) for name, words in FORMULAS.items()]
    rows += [("花生果", "a", words, 7, *days) for words in FORMULAS.values()]
    answer = await upload(world, "/selling/import", {}, {"file": ("a.xlsx", workbook(*rows))})
    assert answer.status_code == 200
    rest = answer.text.split('name="rest" value="')[1].split('"')[0]
    sent = await world.seller.client.post("/selling/import/rest", data={"_csrf": world.csrf, "rest": rest})
    assert sent.status_code == 200
    sheet = zipfile.ZipFile(io.BytesIO(sent.content)).read("xl/worksheets/sheet1.xml")
    assert (sheet.count(b"<row") > len(FORMULAS), b"<f>" in sheet) == (True, False)

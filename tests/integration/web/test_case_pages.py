"""The worry book's pages, for the secretary whose goods are stuck and for the official."""

from datetime import timedelta

import pytest

from fixtures.factories import PASSWORD, Factory, Member
from market import clock
from market.cases import rules
from market.cases.queries import cases_of
from market.cases.rounds import round_of_cases
from market.db.session import execute, fetch_value
from market.units import FenPerKg
from market.web.parts.formats import price
from tests.integration.web.conftest import Browser, SignedInAs, faults
from tests.integration.web.trading import diagnose


@pytest.fixture
async def official(factory: Factory) -> Member:
    return await factory.member(role="official", password=PASSWORD)


@pytest.fixture
async def village(factory: Factory, official: Member) -> Member:
    return await factory.member(role="secretary", town_id=official.organisation_id)


@pytest.fixture
async def desk(official: Member, browser_of: SignedInAs) -> Browser:
    return await browser_of(official)


async def stuck(factory: Factory, village: Member, *, kg: int = 1_000) -> int:
    """A listing that nobody has asked for since it was put on sale a month ago, with its case."""
    listing_id = await factory.listing(village, kg=kg)
    await execute(
        "UPDATE listing SET published_at = $2 WHERE id = $1", listing_id, clock.now() - timedelta(30)
    )
    await round_of_cases(at=clock.now())
    (case,) = await cases_of(organisation_id=village.organisation_id)
    return case.id


async def test_book_lists_what_is_stuck_and_since_when(
    factory: Factory, official: Member, village: Member, desk: Browser
) -> None:
    empty = await desk.get("/cases")
    assert "台账是空的" in empty.text
    case_id = await stuck(factory, village)
    page = await desk.get("/cases?lang=en")
    assert f'href="/cases/{case_id}"' in page.text
    assert "30 days" in page.text
    assert "/town/listings/" in page.text
    assert (await desk.get("/cases?state=closed")).text.count(f'href="/cases/{case_id}"') == 0
    assert f'href="/cases/{case_id}"' not in (await desk.get("/cases?level=city")).text


async def test_secretary_writes_into_the_diary_and_closes_with_a_reason(
    factory: Factory, village: Member, browser_of: SignedInAs
) -> None:
    case_id = await stuck(factory, village)
    browser = await browser_of(village)
    path = f"/cases/{case_id}"
    refused = await browser.post(f"{path}/entry", {"kind": "visit", "note": ""}, form=path)
    assert (refused.status_code, set(faults(refused))) == (422, {"note"})
    for _ in range(2):  # the second time is another line: the key is missing
        done = await browser.post(f"{path}/entry", {"kind": "visit", "note": "跑了五家，都嫌包装"}, form=path)
        assert done.headers["location"] == path
    page = await browser.get(path)
    assert page.text.count("跑了五家，都嫌包装") == 2
    assert f"/cases/{case_id}/charge" not in page.text
    refused = await browser.post(f"{path}/close", {"reason": "elsewhere", "note": ""}, form=path)
    assert (refused.status_code, set(faults(refused))) == (422, {"note"})
    await browser.post(f"{path}/close", {"reason": "own_use", "note": ""}, form=path)
    assert "自留、自用或留种" in (await browser.get(path)).text
    await browser.post(f"{path}/reopen", {"note": "还剩一半"}, form=path)
    assert [row.state for row in await cases_of(organisation_id=village.organisation_id)] == [rules.OPEN]


async def test_pages_of_the_goods_lead_to_their_open_case(
    factory: Factory, village: Member, desk: Browser, browser_of: SignedInAs
) -> None:
    case_id = await stuck(factory, village)
    (case,) = await cases_of(organisation_id=village.organisation_id)
    browser = await browser_of(village)
    link = f'href="/cases/{case_id}"'
    assert link in (await browser.get(f"/selling/{case.listing}")).text
    assert link in (await desk.get(f"/town/listings/{case.listing}")).text
    path = f"/cases/{case_id}"
    await browser.post(f"{path}/close", {"reason": "own_use", "note": ""}, form=path)
    assert link not in (await browser.get(f"/selling/{case.listing}")).text


async def test_official_puts_in_charge_sends_up_and_prints_the_agenda(
    factory: Factory, official: Member, village: Member, desk: Browser
) -> None:
    case_id = await stuck(factory, village)
    path = f"/cases/{case_id}"
    await desk.post(f"{path}/climb", {"note": "村里办不了"}, form=path)
    (case,) = await cases_of(organisation_id=official.organisation_id)
    assert (case.level, case.owner) == ("town", official.organisation_id)
    agenda = await desk.get("/cases/agenda/town")
    assert "村里办不了" in agenda.text
    assert "新上会" in agenda.text
    due = (clock.today() + timedelta(days=7)).isoformat()
    charge = {
        "owner": str(official.organisation_id),
        "in_charge": "赵明远",
        "due_on": due,
        "decided": "1",
        "note": "",
    }
    refused = await desk.post(f"{path}/charge", charge, form=path)
    assert (refused.status_code, set(faults(refused))) == (422, {"note"})
    await desk.post(f"{path}/charge", {**charge, "note": "换小包装，送三家试销"}, form=path)
    agenda = await desk.get("/cases/agenda/town")
    assert "换小包装，送三家试销" in agenda.text
    assert "新上会" not in agenda.text.replace("新上会 0 件", "")
    assert (await desk.get("/cases/agenda/village")).status_code == 200
    assert (await desk.get("/cases/agenda/moon")).status_code == 404


async def test_agenda_gives_each_case_the_advice_for_its_own_goods(
    factory: Factory, official: Member, village: Member, desk: Browser
) -> None:
    listings = [await factory.listing(village, kg=kg) for kg in (3_000, 2_000, 1_000)]
    await execute("UPDATE listing SET published_at = $1", clock.now() - timedelta(30))
    await round_of_cases(at=clock.now())
    # of the newest run alone, and only where it found something
    for listing_id, cost in ((listings[2], 30), (listings[0], 10)):
        await diagnose(official, listing_id, cost=cost * 100)
    await execute(
        "UPDATE diagnosis SET run = (SELECT max(run) FROM diagnosis) WHERE listing = $1", listings[2]
    )
    text = (await desk.get("/cases/agenda/village")).text
    ask = int(await fetch_value("SELECT ask FROM listing WHERE id = $1", listings[0]))
    first, last = (f"要价改为 {price(FenPerKg(ask - cut), 'zh')}" for cut in (10, 30))
    places = [text.index(part) for part in (first, "最近一次撮合没有留下诊断", last)]
    assert places == sorted(places)
    case = next(
        each
        for each in await cases_of(organisation_id=village.organisation_id)
        if each.listing == listings[2]
    )
    assert last in (await desk.get(f"/cases/{case.id}")).text


async def test_a_case_is_opened_by_hand_once(
    factory: Factory, official: Member, village: Member, desk: Browser
) -> None:
    listing_id = await factory.listing(village)
    page = await desk.get(f"/cases/new?listing={listing_id}")
    assert f'value="{listing_id}" selected' in page.text
    refused = await desk.post("/cases/new", {"listing": "999", "note": "卡住了"}, form="/cases/new")
    assert (refused.status_code, set(faults(refused))) == (422, {"listing"})
    done = await desk.post("/cases/new", {"listing": str(listing_id), "note": "卡住了"}, form="/cases/new")
    assert done.headers["location"].startswith("/cases/")
    assert "没有可以立案的货" in (await desk.get("/cases/new")).text


async def test_goods_beyond_those_listed_are_found_by_their_words_and_chosen_by_a_link(
    factory: Factory, village: Member, desk: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("market.cases.queries.MOST_OPENABLE", 2)
    for kg in (900, 800, 5, 3):
        await factory.listing(village, kg=kg)
    few = await factory.listing(village, kg=1)
    await execute("UPDATE listing SET title = '晚熟南果梨' WHERE id = $1", few)
    page = (await desk.get("/cases/new")).text
    assert page.count("<option value=") == 3  # and "choose"
    assert "有 5 批货可以立案，这里列出剩得最多的 2 批" in page
    assert "晚熟南果梨" not in page
    found = (await desk.get("/cases/new?q=南果梨")).text
    assert (found.count("<option value="), "晚熟南果梨" in found) == (2, True)
    assert "没有找到“白菜”" in (await desk.get("/cases/new?q=白菜")).text
    assert f'value="{few}" selected' in (await desk.get(f"/cases/new?listing={few}")).text
    # what was chosen is taken, listed or not
    said = {"listing": str(few), "note": "没人要"}
    done = await desk.post("/cases/new", said, form="/cases/new?q=南果梨")
    assert done.headers["location"].startswith("/cases/")


async def test_strangers_see_no_case(
    factory: Factory, village: Member, buyer: Member, browser_of: SignedInAs
) -> None:
    case_id = await stuck(factory, village)
    other = await browser_of(await factory.member(role="official"))
    assert (await other.get(f"/cases/{case_id}")).status_code == 404
    assert (await other.post(f"/cases/{case_id}/climb", {"note": "上"})).status_code == 404
    assert (await (await browser_of(buyer)).get("/cases")).status_code == 403


async def test_a_county_sees_its_towns_cases_and_decides_on_what_has_climbed_to_it(
    factory: Factory, official: Member, village: Member, browser_of: SignedInAs
) -> None:
    county = await factory.member(role="official", kind="county")
    stranger = await factory.member(role="official", kind="county")
    await execute(
        "UPDATE organisation SET county = $2 WHERE id = $1", official.organisation_id, county.organisation_id
    )
    case_id = await stuck(factory, village)
    hall, elsewhere = await browser_of(county), await browser_of(stranger)
    assert f'href="/cases/{case_id}"' in (await hall.get("/cases")).text
    assert (await elsewhere.get(f"/cases/{case_id}")).status_code == 404
    # a village's case is written about, and decided by its own
    written = await hall.post(f"/cases/{case_id}/entry", {"kind": "call", "note": "县里打了电话。"})
    assert written.status_code == 303
    for deed in ({"reason": "own_use"}, {"note": "上报"}):
        name = "close" if "reason" in deed else "climb"
        assert (await hall.post(f"/cases/{case_id}/{name}", deed)).status_code == 404
    await execute("UPDATE stuck_case SET level = 'county' WHERE id = $1", case_id)
    agenda = await hall.get("/cases/agenda/county")
    assert f'href="/cases/{case_id}"' in agenda.text
    assert "县里打了电话。" in agenda.text
    decided = {
        "owner": str(official.organisation_id),
        "due_on": (clock.today() + timedelta(days=9)).isoformat(),
        "decided": "1",
        "note": "县里联系商超。",
    }
    assert (await hall.post(f"/cases/{case_id}/charge", decided)).status_code == 303
    assert (await hall.get("/town")).status_code == 403


async def test_goods_that_were_never_on_sale_are_told_as_such_wherever_their_case_is(
    factory: Factory, official: Member, village: Member, desk: Browser, browser_of: SignedInAs
) -> None:
    listing_id = await factory.listing(village)
    lot_id = await fetch_value("SELECT lot FROM listing WHERE id = $1", listing_id)
    await execute("UPDATE listing SET state = 'draft' WHERE id = $1", listing_id)
    browser = await browser_of(village)
    form = await browser.get("/cases/new")
    assert f'value="lot-{lot_id}"' in form.text
    done = await browser.post("/cases/new", {"listing": f"lot-{lot_id}", "note": "没包装"}, form="/cases/new")
    path = done.headers["location"]
    for who, lot in ((browser, f'href="/selling/lots/{lot_id}"'), (desk, "/town/listings/")):
        for page in ("/cases", "/cases/agenda/village", path):
            text = (await who.get(page)).text
            assert ("还没有上架" in text, lot in text) == (True, who is browser), page
    assert "Not put on sale yet" in (await desk.get(f"{path}?lang=en")).text
    assert f'href="{path}"' in (await browser.get(f"/selling/lots/{lot_id}")).text
    assert (await desk.get("/cases.xlsx")).status_code == 200

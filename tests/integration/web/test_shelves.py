"""Shelf presence: who may note it, what a sighting changes, and the pages that list it."""

import json
from datetime import timedelta
from typing import Any

import pytest

from fixtures.factories import PASSWORD, STORY, TODAY, Factory, Member
from market.db.session import execute, fetch_value
from market.errors import Conflict, Invalid, NotFound
from market.followup.shelf_queries import products_of, shelf_of, sightings_of, stores_of
from market.followup.shelving import NewSighting, NewSpell, put_on_shelf, see
from market.i18n import message_from, on_day, translate
from market.units import FenPerKg
from tests.integration.deals.scene import Contracted, contract
from tests.integration.web.conftest import SignedInAs


class Shop(Contracted, frozen=True, kw_only=True):
    town: Member
    site: int

    def spell(self, **changes: Any) -> NewSpell:
        given = {
            "site_id": self.site,
            "seller_id": self.seller.organisation_id,
            "produce": "peanut",
            "label": "老边头",
            "on": TODAY - timedelta(days=5),
            "price": FenPerKg(1_200),
        }
        return NewSpell(**{**given, **changes})


@pytest.fixture
async def shop(factory: Factory) -> Shop:
    town = await factory.member(role="official", password=PASSWORD)
    seller = await factory.member(role="secretary", town_id=town.organisation_id, password=PASSWORD)
    buyer = await factory.member(role="buyer", password=PASSWORD)
    await factory.demand(buyer)
    site = await fetch_value("SELECT id FROM site")
    listing_id = await factory.listing(seller, kg=1_000)
    shop = Shop(
        seller, buyer, await contract(seller, buyer, listing_id=listing_id, price=700), town=town, site=site
    )
    await shop.sign()
    return shop


async def test_only_the_two_sides_of_a_signed_contract_note_a_shelf(shop: Shop, factory: Factory) -> None:
    stranger = await factory.member(role="buyer")
    for member in (stranger, shop.town):
        with pytest.raises(NotFound):
            await put_on_shelf(spell=shop.spell(), **shop.by(member))
    with pytest.raises(NotFound):
        await put_on_shelf(spell=shop.spell(produce="peanut-oil"), **shop.by(shop.buyer))
    spell_id = await put_on_shelf(spell=shop.spell(), **shop.by(shop.buyer))
    with pytest.raises(Conflict):
        await put_on_shelf(spell=shop.spell(), **shop.by(shop.seller))
    await put_on_shelf(spell=shop.spell(label="散装"), **shop.by(shop.seller))
    for member in (shop.seller, shop.buyer, shop.town):
        assert len(await shelf_of(organisation_id=member.organisation_id)) == 2
    assert await shelf_of(organisation_id=stranger.organisation_id) == []
    with pytest.raises(NotFound):
        await see(spell_id=spell_id, sighting=NewSighting("seen", TODAY), **shop.by(stranger))
    assert [each.title for each in await products_of(organisation_id=shop.buyer.organisation_id)] == [
        "红衣花生"
    ]
    assert [each.id for each in await stores_of(chains=[shop.buyer.organisation_id])] == [shop.site]


async def test_newest_sighting_is_told_and_gone_stays_gone(shop: Shop) -> None:
    spell_id = await put_on_shelf(spell=shop.spell(), **shop.by(shop.buyer))

    async def now() -> Any:
        (row,) = await shelf_of(organisation_id=shop.town.organisation_id)
        return row

    await see(spell_id=spell_id, sighting=NewSighting("seen", TODAY, FenPerKg(1_100)), **shop.by(shop.seller))
    # an older look that is written down later changes nothing that is shown
    late = NewSighting("seen", TODAY - timedelta(days=2), FenPerKg(900))
    await see(spell_id=spell_id, sighting=late, **shop.by(shop.buyer))
    row = await now()
    assert (row.price, row.seen_on, row.seen_by) == (1_100, TODAY, shop.seller.organisation_id)
    assert row.is_stale(TODAY + timedelta(days=31))
    for wrong in (
        NewSighting("gone", TODAY - timedelta(days=1)),
        NewSighting("seen", TODAY + timedelta(days=1)),
        NewSighting("seen", TODAY - timedelta(days=6)),
        NewSighting("put", TODAY),
    ):
        with pytest.raises(Invalid):
            await see(spell_id=spell_id, sighting=wrong, **shop.by(shop.buyer))
    await see(spell_id=spell_id, sighting=NewSighting("gone", TODAY), **shop.by(shop.buyer))
    told = message_from(
        json.loads(await fetch_value("SELECT message FROM notice WHERE kind = 'shelf' ORDER BY id DESC"))
    )
    assert "“老边头”" in translate(told, "zh")
    assert "“Peanut in shell”" in translate(told, "en")
    assert (await now()).gone_on == TODAY
    with pytest.raises(Conflict):
        await see(spell_id=spell_id, sighting=NewSighting("seen", TODAY), **shop.by(shop.buyer))
    # back on the shelf: a spell of its own
    await put_on_shelf(spell=shop.spell(on=TODAY), **shop.by(shop.seller))
    rows = await shelf_of(organisation_id=shop.seller.organisation_id)
    assert [row.is_on for row in rows] == [True, False]
    kinds = [each.kind for each in await sightings_of(spell_id=spell_id)]
    assert kinds == ["put", "seen", "seen", "gone"]
    assert await fetch_value("SELECT count(*) FROM audit_record WHERE subject = $1", f"shelf:{spell_id}") == 4
    with pytest.raises(Exception, match="append-only"):
        await execute("DELETE FROM shelf_sighting")


async def test_the_same_goods_are_not_on_one_shelf_twice(shop: Shop) -> None:
    first, gone = TODAY - timedelta(days=20), TODAY - timedelta(days=10)
    spell_id = await put_on_shelf(spell=shop.spell(on=first), **shop.by(shop.buyer))
    with pytest.raises(Conflict) as there:
        await put_on_shelf(spell=shop.spell(), **shop.by(shop.seller))
    assert (there.value.message.values["label"], there.value.message.values["day"]) == (
        "老边头",
        on_day(first),
    )
    await see(spell_id=spell_id, sighting=NewSighting("gone", gone), **shop.by(shop.buyer))
    for on in (first - timedelta(days=5), first, gone - timedelta(days=1)):
        with pytest.raises(Invalid) as overlap:
            await put_on_shelf(spell=shop.spell(on=on), **shop.by(shop.seller))
        told = overlap.value.fields["on"].values
        assert (told["since"], told["gone"]) == (on_day(first), on_day(gone))
    await put_on_shelf(spell=shop.spell(on=first, label="散装"), **shop.by(shop.seller))
    await put_on_shelf(spell=shop.spell(on=gone), **shop.by(shop.seller))
    assert await fetch_value("SELECT count(*) FROM shelf_spell") == 3


async def test_store_is_added_and_confirmed_in_a_few_taps(shop: Shop, browser_of: SignedInAs) -> None:
    browser = await browser_of(shop.seller)
    form = (await browser.get("/shelf/new")).text
    product = form.split('name="product"')[1].split('<option value="')[1].split('"')[0]
    if not product:
        product = form.split('name="product"')[1].split('<option value="')[2].split('"')[0]
    wish = {
        "product": product,
        "store": str(shop.site),
        "on": "2026-11-20",
        "price": "6",
        "price_unit": "jin",
    }
    wrong = await browser.post("/shelf/new", {**wish, "on": "2126-01-01"})
    assert wrong.status_code == 422
    answer = await browser.post("/shelf/new", wish)
    assert (answer.status_code, answer.headers["location"]) == (303, "/shelf")
    spell_id = await fetch_value("SELECT id FROM shelf_spell")
    page = (await browser.get("/shelf")).text
    assert "红衣花生" in page
    assert "6.00 元/斤" in page
    again = await browser.post("/shelf/new", wish)
    assert (again.status_code, "点“还在”" in again.text) == (422, True)
    assert (await browser.post(f"/shelf/{spell_id}", {"kind": "seen"})).status_code == 303
    assert await fetch_value("SELECT count(*) FROM shelf_sighting") == 2
    for query in ("by=town", f"chain={shop.buyer.organisation_id}", "by=%00", "seller=x", "produce=peanut"):
        assert (await browser.get(f"/shelf?{query}")).text.count('<th scope="row">') == 1
    assert (await browser.get("/shelf?produce=rice&by=x")).text.count('<th scope="row">') == 0
    town = await browser_of(shop.town)
    assert "谁看到的" in (await town.get(f"/shelf/{spell_id}")).text
    assert (await town.post(f"/shelf/{spell_id}", {"kind": "gone"})).status_code == 403
    assert (await town.get("/shelf.xlsx")).status_code == 200
    assert STORY.date() == TODAY

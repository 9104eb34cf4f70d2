"""Goods made into others: mass to the gram, yields within bounds, all or nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.factories import STORY, TODAY, Factory, Member
from market.catalogue.operations import load_reference
from market.catalogue.rules import RecipeYieldEntry
from market.db.session import fetch, fetch_value
from market.errors import Invalid, NotFound
from market.supply.lots import holdings_of, lot_page, makings_of
from market.supply.stock_rules import Yield, yield_problems
from market.supply.transforming import (
    ListingOfLot,
    NewTransformation,
    Output,
    Transformed,
    list_lot,
    transform,
)
from market.units import FenPerKg, Gram
from tests.integration.supply.test_listings import lot_of
from tests.integration.supply.test_stock import check_sums, put, tank

#: Of peanuts in the test: 20 to 40 % oil, the rest lost but for bottling, which gives oil again.
PRESSING = [
    ("press-oil", "press", "peanut", "peanut-oil", 200, 400),
    ("press-loss", "press", "peanut", None, 600, 800),
    ("bottle-oil", "bottle", "peanut-oil", "peanut-oil", 970, 1000),
    ("bottle-loss", "bottle", "peanut-oil", None, 0, 30),
]


async def processes() -> None:
    await load_reference(
        recipe_yields=[
            RecipeYieldEntry(
                code=code,
                process=process,
                zh={"press": "榨油", "bottle": "灌装"}[process],
                en=process,
                takes=takes,
                gives=gives,
                low=low,
                high=high,
                position=position,
                source="-",
                sureness="memory",
            )
            for position, (code, process, takes, gives, low, high) in enumerate(PRESSING)
        ]
    )


@pytest.fixture
async def seller(factory: Factory) -> Member:
    await processes()
    return await factory.member(role="secretary")


async def press(
    owner: Member, lot: int, *, kg: int = 1_000, oil: int = 300, loss: int = 700, key: str | None = None
) -> Transformed:
    return await transform(
        transformation=NewTransformation(
            lot, "press", Gram(kg * 1_000), Gram(loss * 1_000), (Output("peanut-oil", Gram(oil * 1_000)),)
        ),
        owner_id=owner.organisation_id,
        actor=owner.actor,
        at=STORY,
        key=key,
    )


async def test_peanuts_become_oil_and_oil_bottles_with_their_lineage(
    factory: Factory, seller: Member
) -> None:
    peanuts = await lot_of(await factory.listing(seller, kg=2_000))
    shed, barrel = await tank(seller, "仓", Gram(2_000_000)), await tank(seller)
    await put(seller, peanuts, 2_000, shed)
    pressed = await transform(
        transformation=NewTransformation(
            peanuts,
            "press",
            Gram(1_000_000),
            Gram(690_000),
            (Output("peanut-oil", Gram(310_000), "", barrel),),
            shed,
        ),
        owner_id=seller.organisation_id,
        actor=seller.actor,
        at=STORY,
    )
    oil = pressed.lots[0]
    bottled = await transform(
        transformation=NewTransformation(
            oil,
            "bottle",
            Gram(300_000),
            Gram(1_000),
            (Output("peanut-oil", Gram(200_000), "5 升瓶"), Output("peanut-oil", Gram(99_000), "1.8 升瓶")),
            barrel,
        ),
        owner_id=seller.organisation_id,
        actor=seller.actor,
        at=STORY,
    )
    assert [
        (each.quantity, each.remaining, each.made_of, each.process_zh, each.variety)
        for each in [await lot_page(lot, seller.organisation_id) for lot in (peanuts, oil, *bottled.lots)]
    ] == [
        (1_000_000, 1_000_000, None, None, ""),
        (10_000, 10_000, peanuts, "榨油", ""),
        (200_000, 200_000, oil, "灌装", "5 升瓶"),
        (99_000, 99_000, oil, "灌装", "1.8 升瓶"),
    ]
    made = await makings_of(peanuts, seller.organisation_id)
    assert [(each.grams, each.loss, [(m.lot, m.grams) for m in each.made]) for each in made] == [
        (1_000_000, 690_000, [(oil, 310_000)])
    ]
    assert [(each.storage, each.grams) for each in await holdings_of(seller.organisation_id)] == [
        (barrel, 10_000),
        (shed, 1_000_000),
    ]
    assert await fetch_value("SELECT sum(change)::bigint FROM stock_entry WHERE kind = 'transformed'") == 0
    await check_sums()


async def test_yield_out_of_bounds_or_balance_is_refused_and_nothing_is_kept(
    factory: Factory, seller: Member
) -> None:
    lot = await lot_of(await factory.listing(seller, kg=2_000))
    before = await fetch("SELECT id FROM lot")
    for oil, loss, fields in (
        (300, 699, ["loss"]),
        (401, 599, ["loss", "out_peanut-oil"]),
        (199, 801, ["loss", "out_peanut-oil"]),
    ):
        with pytest.raises(Invalid) as refused:
            await press(seller, lot, oil=oil, loss=loss)
        assert sorted(refused.value.fields) == fields
    with pytest.raises(Invalid) as refused:
        await press(seller, lot, kg=2_001, oil=501, loss=1_500)
    assert list(refused.value.fields) == ["quantity"]
    assert await fetch("SELECT id FROM lot") == before
    assert await fetch_value("SELECT count(*) FROM transformation") == 0


async def test_new_lot_that_does_not_fit_its_tank_undoes_everything(factory: Factory, seller: Member) -> None:
    lot = await lot_of(await factory.listing(seller))
    large, small = await tank(seller, "大罐"), await tank(seller, "小罐", Gram(199_999))
    with pytest.raises(Invalid) as refused:
        await transform(
            transformation=NewTransformation(
                lot,
                "press",
                Gram(1_000_000),
                Gram(700_000),
                (
                    Output("peanut-oil", Gram(100_000), "", large),
                    Output("peanut-oil", Gram(200_000), "", small),
                ),
            ),
            owner_id=seller.organisation_id,
            actor=seller.actor,
            at=STORY,
        )
    # of several places it is said which, beside the output that goes there
    assert list(refused.value.fields) == ["into_1"]
    assert "“小罐”放不下了：还能放" in str(refused.value.fields["into_1"])
    assert await fetch_value("SELECT remaining FROM lot WHERE id = $1", lot) == 1_000_000
    await check_sums()


async def test_same_key_makes_it_once(factory: Factory, seller: Member) -> None:
    lot = await lot_of(await factory.listing(seller, kg=2_000))
    assert await press(seller, lot, key="once") == await press(seller, lot, key="once")
    assert await fetch_value("SELECT count(*) FROM transformation") == 1


async def test_all_of_a_lot_can_be_used_up_and_its_listing_is_sold_out(
    factory: Factory, seller: Member
) -> None:
    listing = await factory.listing(seller)
    await press(seller, await lot_of(listing))
    assert await fetch_value("SELECT state FROM listing WHERE id = $1", listing) == "sold_out"


async def test_lots_of_others_and_unknown_processes_are_not_found(factory: Factory, seller: Member) -> None:
    lot = await lot_of(await factory.listing(seller))
    with pytest.raises(NotFound):
        await press(await factory.member(role="secretary"), lot)
    oil = (await press(seller, lot)).lots[0]
    with pytest.raises(NotFound):
        await press(seller, oil, kg=1)


async def test_new_lot_goes_on_sale_once(factory: Factory, seller: Member) -> None:
    oil = (await press(seller, await lot_of(await factory.listing(seller)))).lots[0]
    terms = ListingOfLot("新榨花生油", FenPerKg(2_400), TODAY, TODAY)

    async def sell() -> int:
        return await list_lot(
            lot_id=oil, listing=terms, owner_id=seller.organisation_id, actor=seller.actor, at=STORY
        )

    listing = await sell()
    assert await fetch_value("SELECT state FROM listing WHERE id = $1", listing) == "published"
    assert "huashengyou" in await fetch_value("SELECT search FROM listing WHERE id = $1", listing)
    with pytest.raises(Invalid):
        await sell()


@given(
    out=st.lists(st.tuples(st.sampled_from(["oil", "meal"]), st.integers(1, 10**9)), min_size=1, max_size=6),
    loss=st.integers(0, 10**9),
    slip=st.sampled_from([-1, 0, 1]),
)
def test_what_goes_in_is_what_comes_out_to_the_gram(out: list[tuple[str, int]], loss: int, slip: int) -> None:
    anything = [Yield("oil", 0, 1_000), Yield("meal", 0, 1_000), Yield(None, 0, 1_000)]
    grams = sum(each for _, each in out) + loss + slip
    assert (yield_problems(grams=grams, outputs=out, loss=loss, yields=anything) == {}) == (slip == 0)

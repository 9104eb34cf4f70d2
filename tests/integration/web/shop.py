"""Goods and demands for tests of buyers' pages. Their windows hang on today: forms refuse days gone by."""

from datetime import date, timedelta

from fixtures.factories import Member
from market import clock
from market.catalogue.operations import load_reference
from market.catalogue.rules import CategoryEntry, DivisionEntry, GradeEntry, ProduceEntry, ShelfRuleEntry
from market.supply.commands import NewListing
from market.supply.operations import NewPicture, add_picture, publish_listing
from market.units import FenPerKg, Gram

KINDS = (
    ProduceEntry(code="cabbage", category="vegetable", zh="大白菜", en="Chinese cabbage", aliases=("白菜",)),
    ProduceEntry(
        code="rapeseed-oil", category="oil", zh="菜籽油", en="Rapeseed oil", price_low=1000, price_high=1800
    ),
    ProduceEntry(
        code="sesame-oil", category="oil", zh="芝麻油", en="Sesame oil", aliases=("香油",), price_low=4000
    ),
)


async def stock_catalogue() -> None:
    """Kinds with their pinyin, two places, grades and a rule of the shelf."""
    await load_reference(
        categories=[
            CategoryEntry(code="vegetable", zh="蔬菜", en="Vegetables", position=2),
            CategoryEntry(code="oil", zh="食用油", en="Edible oils", position=3),
        ],
        produce=KINDS,
        divisions=[
            DivisionEntry(code="21", level="province", name="辽宁省"),
            DivisionEntry(code="2101", level="prefecture", name="沈阳市", parent="21"),
            DivisionEntry(code="210115", level="county", name="辽中区", parent="2101"),
            DivisionEntry(code="210181", level="county", name="新民市", parent="2101"),
        ],
        grades=[
            GradeEntry(level=2, zh="二级", en="Second grade"),
            GradeEntry(level=3, zh="一级", en="First"),
        ],
        shelf_rules=[
            ShelfRuleEntry(
                code="sc",
                applies_to=("category:oil",),
                effect="requires",
                zh="须有食品生产许可证",
                en="A licence is needed",
                source="test",
                sureness="read",
            ),
            ShelfRuleEntry(
                code="fees",
                applies_to=("all",),
                effect="advice",
                zh="不得收条码费",
                en="No barcode fees",
                source="test",
                sureness="memory",
            ),
        ],
    )


async def put_on_sale(
    owner: Member,
    *,
    produce: str = "cabbage",
    title: str = "辽中大白菜",
    kg: int = 20_000,
    ask: int = 160,
    grade: int = 2,
    division: str | None = "210115",
    min_order_kg: int = 0,
    credentials: tuple[str, ...] = (),
    first: date | None = None,
) -> int:
    """Publish a lot that is on sale for thirty days from ``first`` (today)."""
    first = first or clock.today()
    return await publish_listing(
        listing=NewListing(
            produce=produce,
            title=title,
            title_en=f"Lot of {produce}",
            quantity=Gram(kg * 1_000),
            ask=FenPerKg(ask),
            available_from=first,
            available_to=first + timedelta(days=30),
            grade=grade,
            division=division,
            min_order=Gram(min_order_kg * 1_000),
            credentials=credentials,
        ),
        owner_id=owner.organisation_id,
        actor=owner.actor,
        at=clock.now(),
    )


async def give_picture(owner: Member, listing_id: int, *, illustration: bool = True) -> None:
    await add_picture(
        listing_id=listing_id,
        picture=NewPicture(
            image=b"RIFF-image",
            thumb=b"RIFF-thumb",
            width=960,
            height=720,
            content_hash="ab" * 32,
            illustration=illustration,
        ),
        owner_id=owner.organisation_id,
    )

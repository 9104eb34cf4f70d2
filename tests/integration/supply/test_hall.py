from datetime import date, timedelta

import pytest

from fixtures.factories import STORY, TODAY, Factory, Member
from market.db.session import Engine, execute
from market.paging import PAGE_LENGTH
from market.supply.commands import NewListing
from market.supply.filters import BrowseFilters
from market.supply.hall import browse
from market.supply.operations import move_listing, publish_listing
from market.units import FenPerKg, Gram
from tests.integration.catalogue.reference import load_seeds

LIAOZHONG = "210115"


class Village:
    """A village that lists goods with one call."""

    def __init__(self, member: Member) -> None:
        self.member = member

    async def lists(
        self,
        produce: str,
        title: str,
        *,
        kg: int = 1_000,
        ask: int = 700,
        division: str | None = LIAOZHONG,
        grade: int = 0,
        days: tuple[int, int] = (0, 60),
        credentials: tuple[str, ...] = (),
        title_en: str = "",
        variety: str = "",
    ) -> int:
        return await publish_listing(
            listing=NewListing(
                produce=produce,
                title=title,
                title_en=title_en,
                variety=variety,
                quantity=Gram(kg * 1_000),
                ask=FenPerKg(ask),
                available_from=TODAY + timedelta(days=days[0]),
                available_to=TODAY + timedelta(days=days[1]),
                division=division,
                grade=grade,
                credentials=credentials,
                invented=True,
            ),
            owner_id=self.member.organisation_id,
            actor=self.member.actor,
            at=STORY,
        )


@pytest.fixture
async def village(db: Engine) -> Village:
    await load_seeds()
    return Village(await Factory(seed=2).member(role="secretary"))


async def found(q: str = "", **filters: object) -> list[str]:
    return sorted(card.title for card in (await browse(BrowseFilters(q=q, **filters))).rows)  # type: ignore[arg-type]


@pytest.fixture
async def goods(village: Village) -> Village:
    await village.lists("peanut-oil", "东于村压榨花生油", title_en="Pressed in Dongyu, 5 L", ask=2_600)
    await village.lists("peanut", "带壳花生", division="210181", variety="白沙1016")
    await village.lists("chinese-cabbage", "秋储大白菜", ask=80, kg=20_000)
    await village.lists("sweet-potato", "沙地红薯", ask=240)
    return village


@pytest.mark.parametrize(
    ("q", "titles"),
    [
        ("白菜", ["秋储大白菜"]),
        ("秋储", ["秋储大白菜"]),
        ("储", ["秋储大白菜"]),
        ("秋储大白菜", ["秋储大白菜"]),
        ("hsy", ["东于村压榨花生油"]),
        ("huashengyou", ["东于村压榨花生油"]),
        ("花升油", ["东于村压榨花生油"]),
        ("huashenyou", ["东于村压榨花生油"]),
        ("peanutt oil", ["东于村压榨花生油"]),
        ("Peanut Oil", ["东于村压榨花生油"]),
        ("dongyu", ["东于村压榨花生油"]),
        ("东于", ["东于村压榨花生油"]),
        ("花生", ["东于村压榨花生油", "带壳花生"]),
        ("长生果", ["带壳花生"]),
        ("白沙1016", ["带壳花生"]),
        ("辽中 花生", ["东于村压榨花生油"]),
        ("辽中花生", ["东于村压榨花生油"]),
        ("辽中 花升油", ["东于村压榨花生油"]),
        ("新民市", ["带壳花生"]),
        ("liaozhong", ["东于村压榨花生油", "沙地红薯", "秋储大白菜"]),
        ("辽中 新民", []),
        ("地瓜", ["沙地红薯"]),
        ("汽车", []),
    ],
)
async def test_a_search_finds_exactly(goods: Village, q: str, titles: list[str]) -> None:
    assert await found(q) == sorted(titles)


@pytest.mark.parametrize("q", ["%", "_", "%白菜%x", "😀", "=", "\\"])
async def test_wildcards_and_signs_find_nothing_by_themselves(goods: Village, q: str) -> None:
    assert await found(q) == []


@pytest.mark.parametrize(
    "q", ["\0", "花\0生" * 5_000, "a b " * 5_000, "'; DROP TABLE listing; --", "(((", "\ud800x"]
)
async def test_hostile_text_is_only_text(goods: Village, q: str) -> None:
    page = await browse(BrowseFilters(q=q))
    assert page.total == len(page.rows)
    assert len(await found()) == 4


async def test_the_nearest_kind_comes_first(goods: Village) -> None:
    page = await browse(BrowseFilters(q="花生"))
    assert [card.produce for card in page.rows] == ["peanut", "peanut-oil"]


async def test_filters_narrow_together(goods: Village) -> None:
    assert await found(category="vegetable") == ["秋储大白菜"]
    assert await found(produce="peanut") == ["带壳花生"]
    assert await found(place="210181") == ["带壳花生"]
    assert len(await found(place="2101")) == 4
    assert await found(place="22") == []
    assert await found(quantity=Gram(20_000_000)) == ["秋储大白菜"]
    assert await found(quantity=Gram(20_000_001)) == []
    assert await found(price_low=FenPerKg(240), price_high=FenPerKg(700)) == ["带壳花生", "沙地红薯"]
    assert await found("花生", place=LIAOZHONG) == ["东于村压榨花生油"]
    assert await found(seller=goods.member.organisation_id + 1) == []


async def test_grade_means_at_least_and_credentials_mean_all(village: Village) -> None:
    await village.lists("peanut", "三级", grade=1)
    await village.lists("peanut", "一级", grade=3, credentials=("green-food",))
    await village.lists("peanut", "一级有机", grade=3, credentials=("green-food", "organic"))
    assert await found(grade=2) == ["一级", "一级有机"]
    assert await found(credentials=("green-food",)) == ["一级", "一级有机"]
    assert await found(credentials=("organic", "green-food")) == ["一级有机"]


async def test_a_day_must_lie_in_the_window(village: Village) -> None:
    await village.lists("peanut", "现货", days=(0, 10))
    await village.lists("peanut", "期货", days=(10, 20))
    assert await found(on=TODAY) == ["现货"]
    assert await found(on=TODAY + timedelta(days=10)) == sorted(["期货", "现货"])
    assert await found(on=date(2030, 1, 1)) == []


async def test_only_what_is_on_sale_is_shown_and_sold_out_on_request(village: Village) -> None:
    seller = village.member
    withdrawn = await village.lists("peanut", "撤回")
    suspended = await village.lists("peanut", "暂停")
    sold_out = await village.lists("peanut", "售罄")
    await village.lists("peanut", "在售")
    for listing_id, move in ((withdrawn, "withdraw"), (suspended, "suspend")):
        await move_listing(
            listing_id=listing_id, move=move, owner_id=seller.organisation_id, actor=seller.actor, at=STORY
        )
    await execute("UPDATE listing SET state = 'sold_out' WHERE id = $1", sold_out)
    assert await found() == ["在售"]
    assert await found(sold_out=True) == sorted(["售罄", "在售"])


async def test_sorting_orders_by_what_it_says(goods: Village) -> None:
    async def order(sort: str) -> list[str]:
        return [card.produce for card in (await browse(BrowseFilters(sort=sort))).rows]  # type: ignore[arg-type]

    assert await order("price") == ["chinese-cabbage", "sweet-potato", "peanut", "peanut-oil"]
    assert (await order("quantity"))[0] == "chinese-cabbage"
    assert await order("newest") == ["sweet-potato", "chinese-cabbage", "peanut", "peanut-oil"]
    assert len(await order("expiring")) == 4


async def test_pages_cover_everything_once(village: Village) -> None:
    for n in range(PAGE_LENGTH + 3):
        await village.lists("peanut", f"花生{n}")
    first, second = await browse(BrowseFilters()), await browse(BrowseFilters(page=2))
    assert (first.total, first.pages, len(first.rows), len(second.rows)) == (
        PAGE_LENGTH + 3,
        2,
        PAGE_LENGTH,
        3,
    )
    assert len({card.listing_id for card in first.rows + second.rows}) == PAGE_LENGTH + 3
    assert (await browse(BrowseFilters(page=9_999))).page == 2


async def test_facets_count_what_each_choice_would_leave(goods: Village) -> None:
    page = await browse(BrowseFilters(category="vegetable"))
    assert page.total == 1
    assert {each.code: each.count for each in page.facets["category"]} == {
        "vegetable": 1,
        "tuber": 1,
        "oil-crop": 1,
        "oil": 1,
    }
    assert [each.code for each in page.facets["category"] if each.chosen] == ["vegetable"]
    assert [(each.code, each.count) for each in page.facets["produce"]] == [("chinese-cabbage", 1)]
    for facet, field in (("category", "category"), ("produce", "produce"), ("place", "place")):
        for each in (await browse(BrowseFilters())).facets[facet]:
            chosen = await browse(BrowseFilters(**{field: each.code}))  # type: ignore[arg-type]
            assert (each.code, each.count) == (each.code, chosen.total)


async def test_a_card_tells_what_a_buyer_compares(village: Village) -> None:
    listing_id = await village.lists(
        "peanut-oil", "花生油", grade=3, credentials=("organic",), kg=500, ask=2_600
    )
    [card] = (await browse(BrowseFilters(), village.member.organisation_id)).rows
    assert (card.listing_id, card.produce_zh, card.produce_en) == (listing_id, "花生油", "Peanut oil")
    assert (card.quantity, card.remaining, card.ask) == (500_000, 500_000, 2_600)
    assert (card.grade_zh, card.grade_en) == ("一级", "First grade")
    assert card.place == "辽宁省 / 沈阳市 / 辽中区"
    assert [each.en for each in card.credentials] == ["Organic certification"]
    assert (card.picture_position, card.illustration, card.invented, card.mine) == (None, False, True, True)
    assert not (await browse(BrowseFilters())).rows[0].mine


async def test_an_empty_market_has_one_empty_page(village: Village) -> None:
    page = await browse(BrowseFilters(q="花生", page=3))
    assert (page.rows, page.total, page.page, page.pages) == ([], 0, 1, 1)

from datetime import date
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.errors import Invalid
from market.paging import LAST_PAGE, Page, page_of, pages
from market.supply.filters import BrowseFilters
from market.units import MOST_FEN_PER_KG, MOST_GRAMS, FenPerKg, Gram


def read(query: str) -> BrowseFilters:
    return BrowseFilters.from_query(parse_qsl(query, keep_blank_values=True))


def wrong(query: str) -> dict[str, str]:
    with pytest.raises(Invalid) as refusal:
        read(query)
    return {name: str(trouble) for name, trouble in refusal.value.fields.items()}


def test_a_form_with_nothing_filled_in_restricts_nothing() -> None:
    assert read("q=&category=&quantity=&price_low=&on=&sort=&page=") == BrowseFilters()
    assert BrowseFilters().to_query() == ""


def test_quantities_are_read_in_kilograms_and_prices_in_yuan() -> None:
    filters = read("quantity=1,500.5&price_low=1.7&price_high=３.60&on=2026-11-23&grade=2&sold_out=1")
    assert filters == BrowseFilters(
        quantity=Gram(1_500_500),
        price_low=FenPerKg(170),
        price_high=FenPerKg(360),
        on=date(2026, 11, 23),
        grade=2,
        sold_out=True,
    )


def test_credentials_come_one_by_one_or_with_commas() -> None:
    assert read("credentials=organic&credentials=sc") == read("credentials=organic,sc")


def test_a_messengers_additions_to_a_link_are_overlooked() -> None:
    assert read("q=x&from=singlemessage&isappinstalled=0&utm_source=wechat") == BrowseFilters(q="x")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("quantity=NaN", "quantity"),
        ("quantity=-1", "quantity"),
        ("quantity=1e12", "quantity"),
        ("quantity=Infinity", "quantity"),
        ("price_low=abc", "price_low"),
        ("price_low=3&price_high=2", "price_high"),
        ("on=2026-02-30", "on"),
        ("on=23.11.2026", "on"),
        ("grade=1.5", "grade"),
        ("town=99999999999999999999", "town"),
        ("page=0", "page"),
        (f"page={LAST_PAGE + 1}", "page"),
        ("sort=random", "sort"),
        ("category=a%00b%20c", "category"),
        ("produce=%27%3B--", "produce"),
        ("colour=red", "colour"),
    ],
)
def test_a_bad_filter_is_refused_by_name(query: str, field: str) -> None:
    assert list(wrong(query)) == [field]


def test_all_bad_filters_are_told_at_once() -> None:
    assert set(wrong("quantity=x&on=y&sort=z")) == {"quantity", "on", "sort"}


def test_a_change_goes_back_to_the_first_page() -> None:
    filters = BrowseFilters(q="花生", page=3)
    assert read(filters.to_query(category="oil")) == BrowseFilters(q="花生", category="oil")
    assert read(filters.to_query(page=4)).page == 4


def test_narrowed_overlooks_order_and_page() -> None:
    assert not BrowseFilters(sort="price", page=2).narrowed
    assert BrowseFilters(q="x").narrowed


@given(
    st.builds(
        BrowseFilters,
        q=st.sampled_from(["", "花生", "a&b=c#%", "peanut oil"]),
        place=st.sampled_from([None, "210115"]),
        grade=st.none() | st.integers(0, 9),
        on=st.none() | st.dates(),
        quantity=st.none() | st.integers(0, MOST_GRAMS).map(Gram),
        price_low=st.none() | st.integers(0, MOST_FEN_PER_KG).map(FenPerKg),
        credentials=st.lists(st.sampled_from(["sc", "organic"]), unique=True).map(tuple),
        sold_out=st.booleans(),
        sort=st.sampled_from(["best", "newest", "price"]),
        page=st.integers(1, LAST_PAGE),
    )
)
def test_filters_survive_the_way_through_a_url(filters: BrowseFilters) -> None:
    assert read(filters.to_query()) == filters


@pytest.mark.parametrize(("total", "count"), [(0, 1), (1, 1), (24, 1), (25, 2), (48, 2), (49, 3)])
def test_pages_are_counted(total: int, count: int) -> None:
    assert (pages(total), Page([], total, 1).pages) == (count, count)


@pytest.mark.parametrize(
    ("asked", "number"),
    [("", 1), ("2", 2), ("3", 3), ("4", 3), ("0", 1), ("-1", 1), ("two", 1), ("٣", 1), ("9" * 400, 1)],
)
def test_page_that_a_url_asks_for_is_one_that_is_there(asked: str, number: int) -> None:
    shown = page_of(range(5), asked, length=2)
    assert (shown.page, shown.total, shown.pages) == (number, 5, 3)
    assert shown.rows == [*range(5)][(number - 1) * 2 : number * 2]

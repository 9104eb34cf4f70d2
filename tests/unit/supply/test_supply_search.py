import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.supply.search import alternatives, question, search_text

OIL = search_text(
    title="东于村压榨花生油5升装",
    title_en="Dongyu pressed peanut oil",
    zh="花生油",
    en="Peanut oil",
    aliases=["落花生油"],
    pinyin=["huashengyou"],
    initials=["hsy"],
    path="辽宁省 / 沈阳市 / 辽中区",
    name="东于村",
)


def hit(text: str, **meant: list[str]) -> bool:
    """Tell what LIKE would: of some way, every part."""

    def like(pattern: str) -> bool:
        return fnmatch.fnmatchcase(OIL, pattern.replace("%", "*"))

    asked = question(text)
    assert asked is not None
    return any(
        all(like(part.pattern) or "peanut-oil" in part.codes for part in way)
        for way in alternatives(asked, meant)
    )


@pytest.mark.parametrize(
    "text",
    [
        "花生油",
        "生油",
        "油",
        "压榨",
        "落花生",
        "5升",
        "peanut",
        "pean",
        "Dongyu",
        "hsy",
        "huasheng",
        "辽中",
        "辽中花生",
        "liaozhong",
    ],
)
def test_a_listing_is_hit_by_what_it_is_called_and_where_it_is(text: str) -> None:
    assert hit(text)


@pytest.mark.parametrize("text", ["大白菜", "油花", "eanut", "ongyu", "大连 花生", "ua", "sy"])
def test_a_listing_is_not_hit_by_anything_else(text: str) -> None:
    assert not hit(text)


def test_what_the_catalogue_understood_hits_by_code() -> None:
    assert hit("花升油", 花升油=["peanut-oil"])
    assert not hit("花升油", 花升油=["sesame-oil"])
    assert not hit("大连 花升油", 花升油=["peanut-oil"])


def test_the_text_stands_between_spaces_and_says_nothing_twice() -> None:
    parts = OIL.strip().split(" ")
    assert (OIL[0], OIL[-1]) == (" ", " ")
    assert len(parts) == len(set(parts))
    assert search_text(title="") == " "


@pytest.mark.parametrize("text", ["", "  ", "%", "_%\\", "😀", "\0"])
def test_nothing_to_look_for_is_no_question(text: str) -> None:
    assert question(text) is None


@given(st.text(max_size=200))
def test_no_sign_of_a_reader_is_a_wildcard(text: str) -> None:
    asked = question(text)
    if asked is None:
        return
    for way in alternatives(asked, {}):
        for part in way:
            assert not set(part.pattern.strip("%")) & set("%_\\")


def test_a_long_search_asks_for_a_limited_number_of_words() -> None:
    asked = question(" ".join("abcdefghijklmnopqrstuvwxyz"))
    assert asked is not None
    assert len(asked.terms) == 8

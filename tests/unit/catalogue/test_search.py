import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.catalogue.names import Spelling
from market.catalogue.search import (
    LONGEST,
    abbreviation,
    all_readings,
    asked,
    normalise,
    readings_of,
    tokens,
    words,
)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("  花生油\n", "花生油"),
        ("ＰＥＡＮＵＴ　Oil", "peanut oil"),
        ("花\0生\u200b油", "花生油"),
        ("a \t\r\n b", "a b"),
        ("lüdou", "lvdou"),
        ("\ud800花", "花"),
        ("①㎏", "1kg"),
        ("", ""),
    ],
)
def test_normalised_text_has_one_form(text: str, plain: str) -> None:
    assert normalise(text) == plain


@given(st.text(max_size=400))
def test_any_text_becomes_short_and_fit_for_the_database(text: str) -> None:
    wanted = asked(text)
    assert len(wanted.text) <= LONGEST
    for part in (wanted.text, wanted.pinyin, wanted.initials):
        assert "\0" not in part
        part.encode()
    assert normalise(wanted.text) == wanted.text


def test_very_long_text_is_cut_before_it_is_read() -> None:
    assert len(asked("花" * 1_000_000).text) == LONGEST


@pytest.mark.parametrize(
    ("text", "pinyin", "initials", "latin"),
    [
        ("花生油", "huashengyou", "hsy", False),
        ("花升油", "huashengyou", "hsy", False),
        ("hsy", "hsy", "hsy", True),
        ("花sheng油", "huashengyou", "hshengy", True),
        ("花sy", "huasy", "hsy", True),
        ("hua sheng you", "huashengyou", "huashengyou", True),
        ("5升", "5sheng", "5s", False),
        ("花生%", "", "", False),
        ("😀", "", "", False),
    ],
)
def test_a_text_is_spelt_as_people_type(text: str, pinyin: str, initials: str, latin: bool) -> None:
    wanted = asked(text)
    assert (wanted.pinyin, wanted.initials, wanted.latin) == (pinyin, initials, latin)


@pytest.mark.parametrize(
    ("text", "something"), [("花", True), ("a", True), ("%", False), ("😀 —", False), ("", False)]
)
def test_only_letters_digits_and_characters_are_something_to_look_for(text: str, something: bool) -> None:
    assert bool(asked(text)) is something


def test_given_readings_go_before_the_dictionary() -> None:
    assert readings_of("长豆角", {"长豆角": ("chang", "dou", "jiao")})[0] == Spelling("changdoujiao", "cdj")


def test_what_people_misread_is_kept_beside_the_right_reading() -> None:
    found = [each.full for each in readings_of("长生果", {})]
    assert found[0] == "changshengguo"
    assert "zhangshengguo" in found


def test_pinyin_and_first_letters_stay_side_by_side() -> None:
    pinyin, initials = all_readings(["花生", "华盛", "落花生"], {})
    assert pinyin == ["huasheng", "luohuasheng"]
    assert initials == ["hs", "lhs"]


def test_words_are_runs_of_letters_and_characters() -> None:
    assert words("50% 花生_油（大）") == ("50", "花生", "油", "大")


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("沈阳大白菜", ("沈阳", "大白菜")),
        ("辽中花生", ("辽中", "花生")),
        ("东于花生", ("东于", "花生")),
        ("peanut oil", ("peanut", "oil")),
        ("", ()),
    ],
)
def test_tokens_are_the_words_a_reader_sees(text: str, seen: tuple[str, ...]) -> None:
    assert tokens(text) == seen


def test_an_abbreviation_is_a_pattern_of_letters_alone() -> None:
    assert abbreviation("hs油%_y") == "h%s%y%"

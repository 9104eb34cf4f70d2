from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from pypinyin import lazy_pinyin

from seeds import reference
from seeds.files import SeedError, read_rows

BY_CODE = {kind.code: kind for kind in reference.produce()}
OWNER = {name: kind.code for kind in reference.produce() for name in kind.names}


def test_produce_has_more_kinds_than_a_town_sells() -> None:
    assert len(BY_CODE) == len(reference.produce()) == 250


def test_no_name_belongs_to_two_kinds() -> None:
    counts = Counter(name for kind in reference.produce() for name in kind.names)
    assert [name for name, count in counts.items() if count > 1] == []


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("花生", "peanut"),
        ("落花生", "peanut"),
        ("长生果", "peanut"),
        ("白菜", "chinese-cabbage"),
        ("黄芽白", "chinese-cabbage"),
        ("西红柿", "tomato"),
        ("土豆", "potato"),
        ("地瓜", "sweet-potato"),
        ("红薯", "sweet-potato"),
        ("长豆角", "cowpea-pod"),
        ("角瓜", "zucchini"),
        ("苞米", "maize"),
    ],
)
def test_a_name_that_people_say_finds_its_kind(name: str, code: str) -> None:
    assert OWNER[name] == code


def test_initials_hsy_find_peanut_oil_alone() -> None:
    found = [kind.code for kind in reference.produce() if "hsy" in reference.spelled(kind)[1]]
    assert found == ["peanut-oil"]


def test_every_kind_is_complete() -> None:
    units = {"kg", "jin", "tonne", "box", "bottle", "bag", "piece", "head"}
    for kind in reference.produce():
        assert kind.aliases, kind.code
        assert set(kind.usual_units) <= units, kind.code
        assert 0 < kind.price_low < kind.price_high, kind.code
        assert kind.shelf_life_days > 0, kind.code
        assert kind.months, kind.code
        assert set(kind.months) <= set(range(1, 13)), kind.code


def test_season_crosses_the_new_year() -> None:
    assert BY_CODE["strawberry"].months == (12, 1, 2, 3, 4, 5)
    assert BY_CODE["peanut"].months == (9, 10)
    assert len(BY_CODE["tomato"].months) == 12


def test_made_from_leads_from_oil_to_the_field() -> None:
    assert BY_CODE["peanut-oil"].made_from == "peanut-kernel"
    assert BY_CODE["peanut-kernel"].made_from == "peanut"
    assert BY_CODE["peanut"].made_from is None


def test_certificate_is_required_where_the_rule_names_the_category() -> None:
    required = {code for code, kind in BY_CODE.items() if reference.certificate_required(kind)}
    assert {"tomato", "apple", "pork", "hen-egg", "common-carp"} <= required
    assert not required & {"peanut", "peanut-oil", "rice", "potato", "shiitake"}


def test_price_band_is_whole_fen() -> None:
    assert BY_CODE["chinese-cabbage"].price_band_fen == (40, 400)


def test_every_override_corrects_the_library() -> None:
    needless = [word for word, reading in reference.readings().items() if tuple(lazy_pinyin(word)) == reading]
    assert needless == []


def test_divisions_are_those_of_the_2023_edition() -> None:
    levels = Counter(division.level for division in reference.divisions())
    assert levels == {"province": 1, "prefecture": 14, "county": 100, "township": 1406, "village": 16727}


def test_every_division_follows_its_parent() -> None:
    seen: set[str] = set()
    for division in reference.divisions():
        assert division.parent is None or division.parent in seen, division
        assert division.parent is None or division.code.startswith(division.parent)
        seen.add(division.code)
    assert len(seen) == len(reference.divisions())


def test_the_places_of_the_case_are_in_the_list() -> None:
    by_code = {division.code: division for division in reference.divisions()}
    assert by_code["210115"].name == "辽中区"
    assert by_code["210115118"].name == "大黑岗子镇"
    assert by_code["210115118200"].name == "东于岗子村委会"
    assert by_code["210115118200"].short_name == "东于岗子村"
    assert by_code["210115101209"].short_name == "于家房社区"


def test_every_county_has_a_coordinate_inside_liaoning() -> None:
    known = reference.coordinates()
    for division in reference.divisions():
        if division.level in ("prefecture", "county"):
            assert 38.6 < known[division.code].lat < 43.6, division
            assert 118.8 < known[division.code].lon < 125.8, division
            assert known[division.code].source.split(":")[0] in {"geonames", "approximate", "prefecture"}


def test_a_county_lies_near_its_city() -> None:
    known = reference.coordinates()
    for code, coordinate in known.items():
        if len(code) == 6:
            city = known[code[:4]]
            assert abs(coordinate.lat - city.lat) < 1.3, code
            assert abs(coordinate.lon - city.lon) < 1.7, code


def test_place_falls_back_to_the_division_above() -> None:
    assert reference.place("210115118200").code == "210115118"
    assert reference.place("210123100201").code == "210123"


@pytest.mark.parametrize(
    ("code", "on", "rules"),
    [
        ("tomato", date(2026, 1, 31), set()),
        ("tomato", date(2026, 2, 1), {"promise-cert"}),
        ("peanut", date(2026, 11, 1), set()),
        ("peanut-oil", date(2026, 11, 1), {"sc-licence"}),
    ],
)
def test_shelf_rules_require_by_kind_and_day(code: str, on: date, rules: set[str]) -> None:
    found = {
        rule.code
        for rule in reference.shelf_rules()
        if rule.effect == "requires" and rule.concerns(BY_CODE[code], on)
    }
    assert found == rules


@pytest.mark.parametrize(
    ("on", "standard"), [(date(2027, 3, 15), "GB 7718-2011"), (date(2027, 3, 16), "GB 7718-2025")]
)
def test_one_label_standard_holds_on_a_day(on: date, standard: str) -> None:
    found = [
        rule.value
        for rule in reference.shelf_rules()
        if rule.code.startswith("label-") and rule.concerns(BY_CODE["rice"], on)
    ]
    assert found == [standard]


def test_rules_name_what_exists() -> None:
    named = {f"category:{each.code}" for each in reference.categories()}
    named |= {f"kind:{code}" for code in BY_CODE} | {"all"}
    credentials = {each.code for each in reference.credential_kinds()}
    for rule in reference.shelf_rules():
        assert set(rule.applies_to) <= named, rule.code
        assert rule.effect != "requires" or rule.value in credentials, rule.code


def test_codes_are_unique() -> None:
    for rows in (reference.shelf_rules(), reference.credential_kinds(), reference.reasons()):
        codes = [row.code for row in rows]
        assert len(codes) == len(set(codes))
    assert [grade.level for grade in reference.grades()] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("code,zh,en\nprice,价格\n", "line 2"),
        ("code,zh,en,more\nprice,价格,Price,x\n", "unknown field `more`"),
        ("code,zh,en\nprice,价格,Price,x\n", "beyond the header"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "reasons.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SeedError, match=complaint):
        read_rows(path, reference.Reason)


def test_every_credential_has_a_way_with_its_days() -> None:
    routes = reference.credential_routes()
    assert {each.credential for each in routes} == {each.code for each in reference.credential_kinds()}
    assert [each.code for each in routes if each.credential == "sc"] == ["sc-own", "sc-toll", "sc-raw"]
    assert all(0 <= each.days_low <= each.days_high <= 1_000 for each in routes)

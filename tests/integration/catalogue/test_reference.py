from datetime import date

import pytest

from market.catalogue.operations import Loaded, load_reference
from market.catalogue.queries import (
    all_produce,
    categories,
    credential_kinds,
    division_by_code,
    divisions_in,
    find_divisions,
    grades,
    place_names,
    produce_by_code,
    reasons,
    shelf_rules_for,
)
from market.catalogue.rules import CategoryEntry, DivisionEntry, ProduceEntry
from market.db.session import Engine, fetch_value
from market.errors import Invalid, NotFound
from seeds import reference
from tests.integration.catalogue.reference import load_seeds


async def test_reference_data_loads_twice_and_the_second_time_changes_nothing(db: Engine) -> None:
    first = await load_seeds(villages=True)
    assert first.produce == len(reference.produce()) == await fetch_value("SELECT count(*) FROM produce")
    assert first.divisions == len(reference.divisions()) == await fetch_value("SELECT count(*) FROM division")
    assert first.grades == len(reference.grades())
    assert await load_seeds(villages=True) == Loaded()


async def test_a_changed_entry_is_updated_and_the_rest_stays(db: Engine) -> None:
    await load_seeds()
    loaded = await load_reference(categories=[CategoryEntry("nut", "干果", "Nuts", 4)])
    assert loaded == Loaded(categories=1)
    assert [each.zh for each in await categories() if each.code == "nut"] == ["干果"]
    assert len(await categories()) == len(reference.categories())


async def test_a_division_knows_its_path(db: Engine) -> None:
    await load_seeds()
    county = await division_by_code("210115")
    assert county.path == "辽宁省 / 沈阳市 / 辽中区"
    assert county.lat is not None
    assert await place_names("210115") == ("辽宁省", "沈阳市", "辽中区")
    assert await place_names("999999") == ()
    assert await place_names(None) == ()


async def test_divisions_are_listed_level_by_level(db: Engine) -> None:
    await load_seeds()
    assert [each.name for each in await divisions_in()] == ["辽宁省"]
    assert len(await divisions_in("21")) == 14
    assert "辽中区" in [each.name for each in await divisions_in("2101")]
    assert await divisions_in("nowhere") == []


async def test_a_village_is_found_by_name_and_by_what_it_lies_in(db: Engine) -> None:
    await load_seeds()
    assert [each.path for each in await find_divisions("辽中", 1)] == ["辽宁省 / 沈阳市 / 辽中区"]
    towns = await find_divisions("辽中 黑岗子")
    assert [each.level for each in towns[:1]] == ["township"]
    assert await find_divisions("大连 黑岗子") == []
    assert await find_divisions("%") == []
    assert await find_divisions("黑岗子", within="2102") == []
    with pytest.raises(NotFound):
        await division_by_code("000000")


async def test_an_orphan_division_is_refused_and_nothing_is_kept(db: Engine) -> None:
    entries = [DivisionEntry("21", "province", "辽宁省"), DivisionEntry("2101", "prefecture", "沈阳市", "22")]
    with pytest.raises(Invalid, match="行政区划“2101”的上级“22”不存在"):
        await load_reference(divisions=entries)
    assert await fetch_value("SELECT count(*) FROM division") == 0


async def test_divisions_in_a_ring_are_refused(db: Engine) -> None:
    ring = [
        DivisionEntry("2101", "prefecture", "甲", "2102"),
        DivisionEntry("2102", "prefecture", "乙", "2101"),
    ]
    with pytest.raises(Invalid):
        await load_reference(divisions=ring)


async def test_children_may_come_before_their_parents_and_in_a_later_load(db: Engine) -> None:
    await load_reference(
        divisions=[
            DivisionEntry("2101", "prefecture", "沈阳市", "21"),
            DivisionEntry("21", "province", "辽宁省"),
        ]
    )
    await load_reference(divisions=[DivisionEntry("210115", "county", "辽中区", "2101")])
    assert (await division_by_code("210115")).path == "辽宁省 / 沈阳市 / 辽中区"


async def test_a_code_given_twice_is_refused(db: Engine) -> None:
    with pytest.raises(Invalid, match="出现了两次"):
        await load_reference(categories=[CategoryEntry("nut", "坚果", "Nuts", n) for n in (1, 2)])


async def test_produce_of_an_unknown_category_is_refused(db: Engine) -> None:
    with pytest.raises(Invalid, match="no-category"):
        await load_reference(produce=[ProduceEntry(code="x", category="no-category", zh="某", en="x")])


async def test_shelf_rules_hold_on_their_days_only(db: Engine) -> None:
    await load_seeds()

    async def rules(produce: str, on: date) -> set[str]:
        return {each.code for each in await shelf_rules_for(produce, on=on)}

    assert "sc-licence" in await rules("peanut-oil", date(2026, 11, 23))
    assert "sc-licence" not in await rules("peanut", date(2026, 11, 23))
    assert {"label-2011", "label-2025"} & await rules("peanut-oil", date(2027, 3, 15)) == {"label-2011"}
    assert {"label-2011", "label-2025"} & await rules("peanut-oil", date(2027, 3, 16)) == {"label-2025"}
    assert "promise-cert" in await rules("chinese-cabbage", date(2026, 11, 23))
    assert "promise-cert" not in await rules("chinese-cabbage", date(2026, 1, 31))
    assert await rules("unknown", date(2026, 11, 23)) == set()


async def test_every_list_is_complete(db: Engine) -> None:
    await load_seeds()
    assert [each.code for each in await categories()] == [each.code for each in reference.categories()]
    assert {each.code for each in await all_produce()} == {each.code for each in reference.produce()}
    assert {each.category for each in await all_produce("oil")} == {"oil"}
    assert [each.level for each in await grades()] == sorted(
        (g.level for g in reference.grades()), reverse=True
    )
    assert len(await credential_kinds()) == len(reference.credential_kinds())
    assert [each.code for each in await reasons()] == [each.code for each in reference.reasons()]


async def test_every_kind_has_pinyin_and_first_letters(db: Engine) -> None:
    await load_seeds()
    oil = await produce_by_code("peanut-oil")
    assert (oil.made_from, oil.category_zh) == ("peanut-kernel", "食用油")
    assert await fetch_value(
        "SELECT pinyin[1] || ' ' || initials[1] FROM produce WHERE code = 'peanut-oil'"
    ) == ("huashengyou hsy")
    unpaired = (
        "SELECT count(*) FROM produce WHERE cardinality(pinyin) <> cardinality(initials) OR pinyin = '{}'"
    )
    assert await fetch_value(unpaired) == 0

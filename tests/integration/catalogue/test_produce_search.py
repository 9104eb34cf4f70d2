import pytest

from market.catalogue.queries import find_produce, produce_by_code, produce_named, suggest_produce
from market.db.session import Engine, execute
from market.errors import Invalid, NotFound
from tests.integration.catalogue.reference import load_seeds


@pytest.fixture
async def catalogue(db: Engine) -> Engine:
    await load_seeds()
    return db


async def codes(text: str, limit: int = 10) -> list[str]:
    return [each.code for each in await find_produce(text, limit)]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("花生油", "peanut-oil"),
        ("  花生油 ", "peanut-oil"),
        ("花 生油", "peanut-oil"),
        ("花生", "peanut"),
        ("落花生", "peanut"),
        ("长生果", "peanut"),
        ("白菜", "chinese-cabbage"),
        ("huashengyou", "peanut-oil"),
        ("HuaShengYou", "peanut-oil"),
        ("hua sheng you", "peanut-oil"),
        ("ｈｕａｓｈｅｎｇｙｏｕ", "peanut-oil"),
        ("huashengy", "peanut-oil"),
        ("hsy", "peanut-oil"),
        ("HSY", "peanut-oil"),
        ("花sy", "peanut-oil"),
        ("花sheng油", "peanut-oil"),
        ("huasy", "peanut-oil"),
        ("changshengguo", "peanut"),
        ("zhangshengguo", "peanut"),
        ("baicai", "chinese-cabbage"),
        ("peanut oil", "peanut-oil"),
        ("Peanut Oil", "peanut-oil"),
        ("oil peanut", "peanut-oil"),
        ("peanut-oil", "peanut-oil"),
        ("东于村笨榨花生油五升装", "peanut-oil"),
    ],
)
async def test_produce_is_found_by_any_of_its_forms(catalogue: Engine, text: str, first: str) -> None:
    assert (await codes(text))[:1] == [first]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("花升油", "peanut-oil"),
        ("花声由", "peanut-oil"),
        ("花主油", "peanut-oil"),
        ("huashenyou", "peanut-oil"),
        ("huashegnyou", "peanut-oil"),
        ("peanutt oil", "peanut-oil"),
        ("penut oil", "peanut-oil"),
        ("大百菜", "chinese-cabbage"),
        ("potatoe", "potato"),
    ],
)
async def test_a_slip_still_finds_the_produce(catalogue: Engine, text: str, first: str) -> None:
    assert (await codes(text))[:1] == [first]


async def test_first_letters_find_all_that_share_them(catalogue: Engine) -> None:
    found = await codes("hs", 50)
    assert found[0] == "peanut"
    assert {"peanut", "peanut-oil", "sweet-potato"} <= set(found)


async def test_a_part_of_the_name_finds_what_contains_it_and_nothing_else(catalogue: Engine) -> None:
    names = [each.zh for each in await find_produce("白菜", 50)]
    assert names[0] == "大白菜"
    assert {"小白菜", "辣白菜"} <= set(names)
    kinds = [await produce_by_code(each.code) for each in await find_produce("花生", 50)]
    assert [kind.zh for kind in kinds if not any("花生" in name for name in (kind.zh, *kind.aliases))] == []


async def test_wildcards_of_like_stand_for_themselves(catalogue: Engine) -> None:
    for text in ("%", "_", "%%", "\\", "花%油", "白%菜", "大_菜", "h%y", "%油"):
        assert (text, await codes(text)) == (text, [])
    await execute("UPDATE produce SET aliases = array_append(aliases, '50%_粉') WHERE code = 'peanut'")
    assert (await codes("50%_粉"))[:1] == ["peanut"]


@pytest.mark.parametrize("text", ["", " ", "\t\n", "\0", "😀", "😀🥜", "---", "？", "\u200b", "\ud800"])
async def test_nothing_to_look_for_finds_nothing(catalogue: Engine, text: str) -> None:
    assert await find_produce(text) == []
    assert await suggest_produce(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "花" * 100_000,
        "a" * 100_000,
        "花生\0油",
        "'; DROP TABLE produce; --",
        "$1",
        "{}",
        "\u0301" * 500,
        "ﷺ" * 300,
    ],
)
async def test_hostile_text_is_only_text(catalogue: Engine, text: str) -> None:
    assert isinstance(await find_produce(text), list)
    assert (await produce_by_code("peanut")).zh == "花生"


async def test_a_control_sign_inside_is_overlooked(catalogue: Engine) -> None:
    assert (await codes("花生\0油"))[:1] == ["peanut-oil"]
    assert (await codes("花😀生油"))[:1] == ["peanut-oil"]


async def test_the_limit_is_kept(catalogue: Engine) -> None:
    assert len(await codes("hs", 2)) == 2
    assert await codes("hs", 0) == []


async def test_an_exact_name_is_taken(catalogue: Engine) -> None:
    for text in ("花生油", "落花生油", "peanut OIL", "peanut-oil", " 花生油\n"):
        assert (await produce_named(text)).code == "peanut-oil"


async def test_an_unknown_name_is_refused_with_what_was_meant(catalogue: Engine) -> None:
    with pytest.raises(Invalid) as refusal:
        await produce_named("花升油", field="produce")
    assert str(refusal.value.fields["produce"]).startswith(
        "目录里没有“花升油”，您要找的是不是：花生油 Peanut oil"
    )
    with pytest.raises(Invalid) as refusal:
        await produce_named("")
    assert str(refusal.value.fields["produce"]) == "请选择品类。"


async def test_an_unknown_code_is_not_found(catalogue: Engine) -> None:
    with pytest.raises(NotFound):
        await produce_by_code("no-such\0thing")

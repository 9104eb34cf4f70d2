import pytest

from market.catalogue.names import Spelling, spell, spellings
from seeds.reference import readings


@pytest.mark.parametrize(
    ("name", "full", "initials"),
    [
        ("花生油", "huashengyou", "hsy"),
        ("大白菜", "dabaicai", "dbc"),
        ("长豆角", "changdoujiao", "cdj"),
        ("长生果", "changshengguo", "csg"),
        ("重瓣花", "chongbanhua", "cbh"),
        ("粮行", "lianghang", "lh"),
        ("行李", "xingli", "xl"),
        ("绿豆", "lvdou", "ld"),
        ("番茄", "fanqie", "fq"),
        ("紫茄", "ziqie", "zq"),
        ("林下参", "linxiashen", "lxs"),
        ("粘玉米", "nianyumi", "nym"),
        ("NFC苹果汁", "nfcpingguozhi", "nfcpgz"),
        ("老边头 5L 装", "laobiantou5lzhuang", "lbt5lz"),
        ("（）", "", ""),
        ("", "", ""),
    ],
)
def test_spell_reads_a_name_as_the_trade_does(name: str, full: str, initials: str) -> None:
    assert spell(name, readings()) == Spelling(full, initials)


def test_spell_takes_the_longest_word_of_the_table() -> None:
    table = {"长": ("chang",), "长大": ("zhang", "da")}
    assert spell("长大长", table) == Spelling("zhangdachang", "zdc")


def test_spell_without_a_table_reads_by_itself() -> None:
    assert spell("花生", {}) == Spelling("huasheng", "hs")


def test_spellings_names_each_sound_once() -> None:
    assert spellings(["西兰花", "西蓝花", "绿菜花"], {}) == (("xilanhua", "lvcaihua"), ("xlh", "lch"))

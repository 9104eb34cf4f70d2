"""Names of divisions in English: pinyin and what kind of place it is."""

import pytest

from market.catalogue.places import english_place, place_in
from seeds.reference import divisions


@pytest.mark.parametrize(
    ("name", "english"),
    [
        ("辽宁省", "Liaoning"),
        ("朝阳市", "Chaoyang"),
        ("长海县", "Changhai County"),
        ("台安县", "Tai'an County"),
        ("旅顺口区", "Lüshunkou District"),
        ("沈北新区", "Shenbei New District"),
        ("下露河朝鲜族乡", "Xialuhe Korean Township"),
        ("岫岩满族自治县", "Xiuyan Manchu Autonomous County"),
        ("喀喇沁左翼蒙古族自治县", "Harqin Left Wing Mongol Autonomous County"),
        ("东于岗子村", "Dongyugangzi Village"),
        # no name of a division: left as it is, or spelled
        ("村", "Cun"),
        ("Green Farm", "Green Farm"),
        ("", ""),
        ("（）", "（）"),
    ],
)
def test_a_place_is_spelled_and_says_what_it_is(name: str, english: str) -> None:
    assert english_place(name) == english


def test_every_county_and_township_of_the_list_has_an_english_name() -> None:
    above = [each.short_name for each in divisions() if each.level != "village"]
    odd = {name: english for name in above if not (english := english_place(name)).replace("ü", "").isascii()}
    assert odd == {}


def test_a_path_is_cut_and_joined_in_the_readers_language() -> None:
    path = "辽宁省 / 沈阳市 / 辽中区 / 大黑岗子镇 / 东于岗子村"
    assert place_in(path, "zh", last=2, joined=" · ") == "大黑岗子镇 · 东于岗子村"
    assert place_in(path, "en", last=2, joined=" · ") == "Daheigangzi Town · Dongyugangzi Village"
    assert place_in(path, "en").startswith("Liaoning / Shenyang / Liaozhong District / ")
    assert place_in("", "en") == place_in("", "zh") == ""

"""Names of persons in English: pinyin where there is no other, and nothing else is taken for a name."""

import pytest

from market.catalogue.persons import english_person, person_in


@pytest.mark.parametrize(
    ("name", "english"),
    [
        ("赵卫国", "Zhao Weiguo"),
        ("欧阳卫国", "Ouyang Weiguo"),
        ("欧阳", "Ou Yang"),
        ("单雄", "Shan Xiong"),
        ("曾长安", "Zeng Chang'an"),
        ("吕布", "Lü Bu"),
        ("水清浅", "Shui Qingqian"),
        ("昌盛", "Chang Sheng"),
        ("Mary Smith", "Mary Smith"),
        # these are no names of persons
        ("第一书记", "第一书记"),
        ("王主任", "王主任"),
        ("农业站", "农业站"),
        ("党政办", "党政办"),
        ("水产站", "水产站"),
        ("高新办", "高新办"),
        ("县工作专班", "县工作专班"),
        ("王", "王"),
        ("", ""),
    ],
)
def test_a_person_is_spelled_in_english_and_nothing_else_is(name: str, english: str) -> None:
    assert (english_person(name), person_in(name, "zh")) == (english, name)

"""Names of places in the reader's language. Pure.

Divisions have a Chinese name alone: English spells it in pinyin, and says what kind of place it is, as signs
and maps do: 大黑岗子镇 is Daheigangzi Town.
"""

from functools import lru_cache

from market.catalogue.names import Readings, spell
from market.i18n import Language

#: What stands between the steps of a path of divisions.
STEP = " / "
#: How a place's name ends -> what it is; of several that fit the longest counts.
_KINDS = {
    "省": "",
    "市": "",
    "区": "District",
    "新区": "New District",
    "开发区": "Development Zone",
    "县": "County",
    "自治县": "Autonomous County",
    "满族自治县": "Manchu Autonomous County",
    "蒙古族自治县": "Mongol Autonomous County",
    "镇": "Town",
    "乡": "Township",
    "满族乡": "Manchu Township",
    "蒙古族乡": "Mongol Township",
    "朝鲜族乡": "Korean Township",
    "锡伯族乡": "Xibe Township",
    "锡伯族镇": "Xibe Town",
    "满族镇": "Manchu Town",
    "满族锡伯族镇": "Manchu and Xibe Town",
    "满族锡伯族乡": "Manchu and Xibe Township",
    "街道": "Subdistrict",
    "村": "Village",
    "社区": "Community",
    "农场": "Farm",
    "林场": "Forest Farm",
    "牧场": "Pasture",
    "渔场": "Fishery",
    "生活区": "Quarter",
}
#: Syllables of places that are read otherwise than the library reads them, and those that an apostrophe parts
#: from what stands before them: Tai'an.
_READINGS: Readings = {
    "安": ("'an",),
    "二": ("'er",),
    "鄂": ("'e",),
    "朝阳": ("chao", "yang"),
    "朝鲜": ("chao", "xian"),
    "长": ("chang",),
    "单家": ("shan", "jia"),
    "重兴": ("chong", "xing"),
}
#: Names that English writes otherwise than in pinyin.
_OWN = {"喀喇沁左翼蒙古族自治县": "Harqin Left Wing Mongol Autonomous County"}
_LONGEST = max(map(len, _KINDS))


@lru_cache(maxsize=20_000)
def english_place(name: str) -> str:
    """Return a division's name in English; what is no Chinese name comes back as it is."""
    if name in _OWN or not any("\u4e00" <= sign <= "\u9fff" for sign in name):
        return _OWN.get(name, name)
    # a name is more than what it ends in: 市 alone names nothing
    ending = next((name[-n:] for n in range(min(_LONGEST, len(name) - 1), 0, -1) if name[-n:] in _KINDS), "")
    stem = name.removesuffix(ending)
    # names.spell writes ü as v, as one types it
    spelled = spell(stem, _READINGS).full.lstrip("'").replace("v", "ü").capitalize()
    return f"{spelled} {_KINDS[ending]}".strip() if ending and spelled else spelled or name


def place_in(path: str, language: Language, *, last: int = 0, joined: str = STEP) -> str:
    """Return a path of divisions in the reader's language; ``last``: only so many of its last steps."""
    steps = [step for step in path.split(STEP)[-last:] if step]
    return joined.join(english_place(step) if language == "en" else step for step in steps)

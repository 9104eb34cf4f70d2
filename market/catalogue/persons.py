"""Names of persons in the reader's language. Pure.

Many a person is known by a Chinese name alone: English spells it in pinyin, the family name first, as the
person would: 欧阳卫国 is Ouyang Weiguo. What is no name but an office (王主任, 第一书记) stays.
"""

from functools import lru_cache

from market.catalogue.names import Readings, spell
from market.i18n import Language

#: Family names of two characters, and how they are read.
_OF_TWO = {
    "欧阳": "ouyang",
    "司马": "sima",
    "司徒": "situ",
    "上官": "shangguan",
    "诸葛": "zhuge",
    "东方": "dongfang",
    "皇甫": "huangfu",
    "尉迟": "yuchi",
    "公孙": "gongsun",
    "慕容": "murong",
    "令狐": "linghu",
    "长孙": "zhangsun",
    "宇文": "yuwen",
    "夏侯": "xiahou",
    "端木": "duanmu",
    "南宫": "nangong",
    "呼延": "huyan",
}
#: Those that are read otherwise as a family name.
_READ = {
    "单": "shan",
    "解": "xie",
    "曾": "zeng",
    "仇": "qiu",
    "任": "ren",
    "朴": "piao",
    "翟": "zhai",
    "盖": "ge",
    "缪": "miao",
    "乐": "yue",
    "覃": "qin",
    "华": "hua",
    "冼": "xian",
    "那": "na",
    "纪": "ji",
    "葛": "ge",
    "燕": "yan",
    "佟": "tong",
    "宁": "ning",
}
#: Family names that are seldom one, and often the beginning of an office (农业站, 党政办), are left out.
_OF_ONE = frozenset(
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖萧田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金"
    "石廖贾夏韦付傅方白邹孟熊秦邱江尹薛闫阎段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤常温康施牛樊葛邢齐易乔伍庞颜倪"
    "庄聂章鲁岳翟殷詹申欧耿关兰焦俞左柳甘祝包宁尚符舒阮柯纪梅童凌毕单季裴霍涂成苗谷盛曲翁冉骆蓝路游辛靳管柴蒙鲍华喻祁蒲房滕"
    "屈饶解牟艾尤阳穆卓古吉缪简芦麦褚娄窦戚岑卜冷晏席卫柏宗瞿桂佟臧闵苟邬边卞姬仇栾隋刁沙荣"
    "巫寇桑郎甄丛仲虞敖巩佘池麻苑迟邝封谈匡鞠惠荆乐冀郁胥南栗燕楚鄢劳谌奚皮粟冼蔺闻厉伊仝郜阚"
    "屠豆朴盖练廉禹井祖漆巴丰卿狄索晋云容敬扈晁芮阙浦戈伏鹿邸雍辜羊阿裘亓修邰赫杭那宿鲜逯隆"
    "诺慕危亢嵇哈湛宾戎勾於呼干尉冶斯檀衣昝衡尧水昌凤"
)

#: Characters that given names read otherwise than the library does.
_GIVEN: Readings = {"长": ("chang",)}
#: What stands after a family name for an office, or for politeness.
_TITLES = frozenset(
    {
        "主任",
        "书记",
        "经理",
        "镇长",
        "乡长",
        "村长",
        "县长",
        "局长",
        "科长",
        "站长",
        "处长",
        "部长",
        "会长",
        "社长",
        "厂长",
        "老师",
        "医生",
        "主席",
        "先生",
        "女士",
        "师傅",
        "同志",
        "大哥",
        "大姐",
    }
)
#: How an office ends that begins as a name would: 水产站, 高新办.
_OFFICES = "站局办科所店厂"


@lru_cache(maxsize=20_000)
def english_person(name: str) -> str:
    """Return a person's name in English; what is no Chinese name of a person comes back as it is."""
    known = name.strip()
    if not 2 <= len(known) <= 4 or not all("\u4e00" <= sign <= "\u9fff" for sign in known):
        return name
    if known[:2] in _OF_TWO and len(known) > 2:
        family, given = _OF_TWO[known[:2]], known[2:]
    elif known[0] in _OF_ONE and len(known) < 4:
        family, given = _READ.get(known[0]) or spell(known[0], {}).full, known[1:]
    else:
        return name
    if given in _TITLES or (len(known) > 2 and known[-1] in _OFFICES):
        return name
    spelled = ""
    for sign in given:
        syllable = spell(sign, _GIVEN).full
        spelled += f"'{syllable}" if spelled and syllable[:1] in "aeo" else syllable
    # names.spell writes ü as v, as one types it
    return f"{family.capitalize()} {spelled.capitalize()}".replace("v", "ü").replace("V", "Ü")


def person_in(name: str, language: Language) -> str:
    """Return a person's name in the reader's language."""
    return english_person(name) if language == "en" else name

"""What a reader typed, in the forms that names are compared in. Pure.

Names are found by characters (白菜 finds 大白菜), by full pinyin (huashengyou), by first letters (hsy), by
a mixture (花sy), in English, and with slips: a wrong character that sounds alike is found through the
pinyin, other slips by edit distance and by the share of common trigrams.
"""

import re
import unicodedata
from collections.abc import Iterable

import msgspec
import rjieba

from market.catalogue.names import Readings, Spelling, spell

#: Longer input is cut: no name is that long, and the comparison costs its square.
LONGEST = 64

#: Characters of produce and place names that people read in more than one way.
_READ_ALSO = {
    "长": ("chang", "zhang"),
    "重": ("chong", "zhong"),
    "薄": ("bo", "bao"),
    "蔓": ("man", "wan"),
    "卜": ("bo", "bu"),
    "芥": ("jie", "gai"),
    "核": ("he", "hu"),
    "壳": ("ke", "qiao"),
    "角": ("jiao", "jue"),
    "堡": ("bao", "pu"),
    "乐": ("le", "yue"),
    "朝": ("chao", "zhao"),
    "葚": ("shen", "ren"),
}
#: Signs of patterns and formulas. Who types them means them; they are no slip of a name.
_NO_SLIP = frozenset("%_*\\")
_HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af]+")


class Asked(msgspec.Struct, frozen=True):
    """One text to look for."""

    text: str
    #: Han spelt out, letters and digits as typed, no spaces.
    pinyin: str
    #: Han by its first letter, letters and digits as typed, no spaces.
    initials: str
    #: The reader typed letters, so they may be meant as pinyin or as first letters.
    latin: bool

    def __bool__(self) -> bool:
        """Whether there is anything to look for."""
        return any(sign.isalnum() for sign in self.text)


def normalise(text: str, longest: int = LONGEST) -> str:
    """Return ``text`` in NFKC, lower case, one space between words, without signs nobody can see."""
    folded = unicodedata.normalize("NFKC", text[: longest * 4]).lower().replace("ü", "v")
    seen = (" " if c.isspace() else c for c in folded if c.isspace() or unicodedata.category(c)[0] != "C")
    return " ".join("".join(seen).split())[:longest].rstrip()


def is_han(text: str) -> bool:
    """Tell whether ``text`` is Chinese characters and nothing else."""
    return _HAN.fullmatch(text) is not None


def words(text: str) -> tuple[str, ...]:
    """Return the runs of letters, digits and characters of a normalised text."""
    return tuple("".join(c if c.isalnum() else " " for c in text).split())


def tokens(text: str) -> tuple[str, ...]:
    """Return the words that a Chinese reader sees in a normalised text: 沈阳大白菜 is 沈阳 and 大白菜.

    Single characters in a row stay together: the dictionary does not know every village.
    """
    found: list[str] = []
    single = False
    for piece in rjieba.cut(text):
        alone = len(piece) == 1 and is_han(piece)
        if alone and single:
            found[-1] += piece
        else:
            found += words(piece)
        single = alone
    return tuple(found)


def asked(text: str) -> Asked:
    """Return ``text`` ready for comparison. Every input is safe: NUL, emoji, wildcards, any length."""
    plain = normalise(text)
    spelling = Spelling("", "") if _NO_SLIP & set(plain) else spell(plain, {})
    return Asked(
        text=plain,
        pinyin=spelling.full,
        initials=spelling.initials,
        latin=any("a" <= c <= "z" for c in plain),
    )


def readings_of(name: str, readings: Readings) -> tuple[Spelling, ...]:
    """Return how a name sounds, the right reading first, then those that people take for right."""
    plain = normalise(name)
    others = (
        spell(plain, {sign: (other,)}) for sign in plain if sign in _READ_ALSO for other in _READ_ALSO[sign]
    )
    return tuple(dict.fromkeys(each for each in (spell(plain, readings), *others) if each.full))


def all_readings(names: Iterable[str], readings: Readings) -> tuple[list[str], list[str]]:
    """Return the pinyin and, place by place beside it, the first letters of every name, each pair once."""
    pairs = dict.fromkeys(each for name in names for each in readings_of(name, readings))
    return [each.full for each in pairs], [each.initials for each in pairs]


def abbreviation(letters: str) -> str:
    """Return a LIKE pattern for the pinyin that ``huasy`` or ``hshengyou`` may abbreviate."""
    return "".join(f"{c}%" for c in letters if c.isascii() and c.isalnum())

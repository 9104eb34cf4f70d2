"""What a reader typed, in the forms that names are compared in. Pure.

Names are found by characters (白菜 finds 大白菜), by full pinyin (huashengyou), by first letters (hsy), by
a mixture (花sy), in English, and with slips: a wrong character that sounds alike is found through the
pinyin, other slips by edit distance and by the share of common trigrams.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import product

import msgspec
import rjieba
from pypinyin import lazy_pinyin

#: Longer input is cut: no name is that long, and the comparison costs its square.
LONGEST = 64
#: A text has at most this many words that are looked for one by one.
MOST_WORDS = 8
#: Alternative readings kept per name.
MOST_READINGS = 4

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
    "蕃": ("fan", "bo"),
    "葚": ("shen", "ren"),
}
_HAN = "\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_HAN_RUN = re.compile(f"[{_HAN}]+")
_ASCII_RUN = re.compile(r"[a-z0-9]+")


class Asked(msgspec.Struct, frozen=True):
    """One text to look for. ``pinyin`` and ``initials`` have no spaces; see :func:`asked`."""

    text: str
    #: Han spelt out, the rest as typed.
    pinyin: str
    #: Han by its first letter, the rest as typed.
    initials: str
    #: The reader typed letters, so they may be meant as pinyin or as first letters.
    latin: bool


def normalise(text: str, longest: int = LONGEST) -> str:
    """Return ``text`` in NFKC, lower case, one space between words, without signs nobody can see."""
    folded = unicodedata.normalize("NFKC", text[: longest * 4]).lower().replace("ü", "v")
    seen = (" " if c.isspace() else c for c in folded if c.isspace() or unicodedata.category(c)[0] != "C")
    return " ".join("".join(seen).split())[:longest].rstrip()


def is_han(text: str) -> bool:
    """Tell whether ``text`` is Chinese characters and nothing else."""
    return _HAN_RUN.fullmatch(text) is not None


def words(text: str) -> tuple[str, ...]:
    """Return the runs of letters, digits and characters of a normalised text."""
    return tuple("".join(c if c.isalnum() else " " for c in text).split())


def tokens(text: str) -> tuple[str, ...]:
    """Return the words that a Chinese reader sees in a normalised text (辽宁花生 is 辽宁 and 花生)."""
    return tuple(word for piece in rjieba.cut(text) for word in words(piece))


def spell(text: str, readings: Mapping[str, str] | None = None) -> list[str]:
    """Return one syllable per Han character, and each other word as it is.

    ``readings`` (word to ``chang sheng guo``) go before pypinyin's own dictionary.
    """
    syllables: list[str] = []
    for piece in _split(text, readings):
        known = readings.get(piece) if readings else None
        spelt = known.split() if known else lazy_pinyin(piece)
        syllables += [part for syllable in spelt for part in words(normalise(syllable))]
    return syllables


def _split(text: str, readings: Mapping[str, str] | None) -> list[str]:
    if not readings:
        return [text]
    return [piece for piece in _readings_pattern(frozenset(readings)).split(text) if piece]


@cache
def _readings_pattern(known: frozenset[str]) -> re.Pattern[str]:
    longest_first = sorted(known, key=lambda word: (-len(word), word))
    return re.compile("(" + "|".join(map(re.escape, longest_first)) + ")")


def spellings(name: str, readings: Mapping[str, str] | None = None) -> tuple[tuple[str, str], ...]:
    """Return ``(full pinyin, first letters)`` of a name; more than one where people read it differently.

    The right reading comes first.
    """
    plain = normalise(name)
    syllables = spell(plain, readings)
    found = {"".join(syllables): "".join(s[0] for s in syllables)} if syllables else {}
    signs = [c for c in plain if c.isalnum()]
    if len(signs) == len(syllables) and any(c in _READ_ALSO for c in signs):
        ways = [
            dict.fromkeys((right, *_READ_ALSO.get(sign, ())))
            for sign, right in zip(signs, syllables, strict=True)
        ]
        for way in product(*ways):
            if len(found) == MOST_READINGS:
                break
            found.setdefault("".join(way), "".join(s[0] for s in way))
    return tuple(found.items())


def all_spellings(
    names: Iterable[str], readings: Mapping[str, str] | None = None
) -> tuple[list[str], list[str]]:
    """Return the pinyin and, place by place beside it, the first letters of every name, each pair once."""
    pairs = dict.fromkeys(pair for name in names for pair in spellings(name, readings))
    return [pinyin for pinyin, _ in pairs], [initials for _, initials in pairs]


def asked(text: str) -> Asked:
    """Return ``text`` ready for comparison. Every input is safe: NUL, emoji, wildcards, any length."""
    plain = normalise(text)
    full, first = [], []
    for word in words(plain):
        position = 0
        for run in _HAN_RUN.finditer(word):
            between = word[position : run.start()]
            syllables = spell(run.group())
            full += [between, *syllables]
            first += [between, *(s[0] for s in syllables)]
            position = run.end()
        full.append(word[position:])
        first.append(word[position:])
    return Asked(
        text=plain,
        pinyin="".join(full),
        initials="".join(first),
        latin=any("a" <= c <= "z" for c in plain),
    )


def abbreviation(letters: str) -> str:
    """Return a LIKE pattern for the pinyin that ``huasy`` or ``hshengyou`` may abbreviate."""
    return "".join(f"{c}%" for run in _ASCII_RUN.findall(letters) for c in run)

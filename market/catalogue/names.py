"""Chinese names as people type them: full pinyin and first letters.

A phone's keyboard gives ``huashengyou`` or just ``hsy`` long before it gives 花生油. Readings come
from pypinyin; where it errs on the words of the trade (长豆角 is *chang*, not *zhang*) a table of
words with their readings goes first. The table is an argument: this module reads no file.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache

import msgspec
from pypinyin import Style, lazy_pinyin

#: Word -> its syllables, e.g. ``{"长豆角": ("chang", "dou", "jiao")}``.
Readings = Mapping[str, tuple[str, ...]]


class Spelling(msgspec.Struct, frozen=True):
    """How a name sounds, in lower-case ASCII letters and digits; ü is written v."""

    #: Without spaces, e.g. ``huashengyou``.
    full: str
    #: First letters, e.g. ``hsy``.
    initials: str


def spell(name: str, readings: Readings) -> Spelling:
    """Return the pinyin of ``name``. Latin letters and digits stay, all else is dropped.

    At each place the longest word of ``readings`` that fits is taken; what lies between is read by
    pypinyin as a whole, so that its phrases still count.
    """
    longest = max(map(len, readings), default=0)
    syllables: list[str] = []
    plain = ""
    at = 0
    while at < len(name):
        word = next(
            (name[at : at + size] for size in range(longest, 0, -1) if name[at : at + size] in readings),
            "",
        )
        if word:
            syllables += [*_syllables(plain), *readings[word]]
            plain = ""
            at += len(word)
        else:
            plain += name[at]
            at += 1
    syllables += _syllables(plain)
    return Spelling(
        full="".join(syllables),
        initials="".join(each if each.isdigit() or len(each) == 1 else each[0] for each in syllables),
    )


def spellings(names: Iterable[str], readings: Readings) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return full pinyin and initials of all ``names``, each once, in the order of the names."""
    spelled = [spell(name, readings) for name in names]
    return (
        tuple(dict.fromkeys(each.full for each in spelled if each.full)),
        tuple(dict.fromkeys(each.initials for each in spelled if each.initials)),
    )


# the same words come again and again: in names, in their other readings and in what is searched
@lru_cache(maxsize=2_048)
def _syllables(text: str) -> tuple[str, ...]:
    found: list[str] = []
    for run in lazy_pinyin(text, style=Style.NORMAL, errors=" ".join):
        # What is not Chinese comes back as it was, with its letters apart.
        for piece in run.lower().split():
            letters = "".join(sign for sign in piece if sign.isascii() and sign.isalnum())
            if letters:
                found.append(letters)
    return tuple(found)

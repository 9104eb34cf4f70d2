"""The text that a listing is found by, and how a search reads it. Pure.

``listing.search`` is a line of words with a space at either end. Han runs stand in it whole and as single
characters and pairs, so that one trigram index serves LIKE patterns of any length; Latin words (English
and pinyin) are hit by their beginning. What the catalogue understands better (aliases, first letters,
slips) is looked up there and comes here as codes of produce.
"""

from collections.abc import Mapping, Sequence

import msgspec

from market.catalogue.search import is_han, normalise, readings_of, tokens, words

#: At most this many words of a search are looked for one by one.
MOST_WORDS = 8
_LONGEST_TEXT = 400


def search_text(
    *,
    title: str,
    title_en: str = "",
    zh: str = "",
    en: str = "",
    aliases: Sequence[str] = (),
    pinyin: Sequence[str] = (),
    initials: Sequence[str] = (),
    path: str = "",
    variety: str = "",
    name: str = "",
) -> str:
    """Return what ``listing.search`` stores.

    ``zh`` to ``initials`` are the produce's, ``path`` the division's names joined by `` / ``, ``name`` the
    seller's.
    """
    found: list[str] = []
    for text in (title, title_en, variety, zh, en, *aliases, path, name):
        for word in words(normalise(text, _LONGEST_TEXT)):
            found.append(word)
            found += _pieces(word)
    found += [*pinyin, *initials]
    # places and titles are also typed in pinyin: whole, and word by word
    for text in (*path.split("/"), name, *tokens(normalise(title, _LONGEST_TEXT)), variety):
        for spelling in readings_of(text, {}):
            found.append(spelling.full)
    return " ".join(("", *dict.fromkeys(found), ""))


def _pieces(word: str) -> list[str]:
    """Return the single characters and the pairs of a Han word, also where it is mixed with others."""
    runs: list[str] = []
    for sign in word:
        if is_han(sign):
            runs[-1:] = [runs[-1] + sign] if runs and is_han(runs[-1]) else [*runs[-1:], sign]
        else:
            runs.append(sign)
    return [
        run[start : start + size]
        for run in runs
        if is_han(run)
        for size in (1, 2)
        for start in range(len(run) - size + 1)
    ]


class Question(msgspec.Struct, frozen=True):
    """A search text taken apart. ``terms`` are its words as typed, ``inner`` the words inside each."""

    whole: str
    terms: tuple[str, ...]
    inner: tuple[tuple[str, ...], ...]

    @property
    def produce_texts(self) -> dict[str, bool]:
        """What to ask the catalogue about, and whether slips are forgiven in it."""
        texts = {each: False for tokens_ in self.inner for each in tokens_ if len(each) > 1}
        return texts | dict.fromkeys(self.terms, True) | {self.whole: True}


def question(text: str) -> Question | None:
    """Return the search text taken apart, or None where it holds nothing to look for.

    Punctuation only separates: % and _ never reach a pattern.
    """
    terms = words(normalise(text))[:MOST_WORDS]
    if not terms:
        return None
    return Question(" ".join(terms), terms, tuple(tokens(term)[:MOST_WORDS] for term in terms))


class Part(msgspec.Struct, frozen=True):
    """One word of a search: in the text of a listing (a LIKE pattern), or the produce that it means."""

    pattern: str
    codes: tuple[str, ...] = ()


def pattern(term: str) -> str:
    """Return the LIKE pattern that finds ``term`` in ``listing.search``."""
    if is_han(term):
        return f"% {term} %" if len(term) < 3 else f"%{term}%"
    if term.isascii():
        return f"% {term} %" if len(term) < 2 else f"% {term}%"
    return f"%{term}%"


def alternatives(asked: Question, meant: Mapping[str, Sequence[str]]) -> list[list[Part]]:
    """Return ways to satisfy the search: any way, and of a way every part.

    ``meant`` tells for each of ``asked.produce_texts`` the produce codes that it stands for.
    """

    def part(term: str) -> Part:
        return Part(pattern(term), tuple(meant.get(term, ())))

    ways = [[part(term) for term in asked.terms], [part(each) for inner in asked.inner for each in inner]]
    if len(asked.terms) > 1 and meant.get(asked.whole):
        ways.insert(0, [Part(pattern(asked.whole), tuple(meant[asked.whole]))])
    return [way for i, way in enumerate(ways) if way and way not in ways[:i]]

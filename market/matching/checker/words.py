"""Sentences of a result, for the checker: in whatever language, the figures in them must be right."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date

import numpy as np

from market.matching.checker.files import Floats, Ints
from market.matching.checker.pairs import Book

_FIGURE = re.compile(r"[0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?")
#: Figures of a reason: km, freight, surplus, the seller's and the buyer's gain.
REASON_FIGURES = 5
#: Half of the last decimal that a sentence shows of a price.
_HALF = 0.00005 + 1e-9


def figures(text: str) -> list[float]:
    """The numbers in a sentence, signs left out: a dash may belong to a date."""
    return [float(found.replace(",", "")) for found in _FIGURE.findall(text)]


def reason_figures(texts: Sequence[str]) -> Floats:
    """The figures of many reasons, a row each; NaN where there are more or fewer."""
    rows = [figures(text) for text in texts]
    none = [float("nan")] * REASON_FIGURES
    return np.array([row if len(row) == REASON_FIGURES else none for row in rows], np.float64).reshape(
        -1, REASON_FIGURES
    )


def lacking(
    book: Book, lot: int, places: Sequence[int], codes: Iterable[str], yuan: float, change: str
) -> str | None:
    """What the words of a change that opens the demands at ``places`` leave out; None: nothing.

    ``codes`` are the obstacles that the change takes away, ``yuan`` how much lower it makes the ask.
    """
    told = figures(change)

    def tells(value: float, blur: float = 1e-9) -> bool:
        return any(abs(abs(value) - each) <= blur for each in told)

    for code in codes:
        if code in ("price", "outbid"):
            due = (yuan, float(book.lots.price[lot]) - yuan)
            if not all(tells(value, _HALF) for value in due):
                return f"{due[0]:.4f}, {due[1]:.4f}"
        elif code == "min_order":
            now = _smallest(book, lot, places)
            if not any(tells(kg) and min(told) < kg for kg in now):
                return ", ".join(f"{kg:g}" for kg in now)
        else:
            for words in _needed(book, lot, np.array(places), code, told):
                if words not in change:
                    return words
    return None


def _smallest(book: Book, lot: int, places: Sequence[int]) -> list[float]:
    grams = [int(book.lots.min_order[lot]), *book.demands.min_order[list(places)].tolist()]
    return sorted({each / 1000 for each in grams})


def _needed(book: Book, lot: int, places: Ints, code: str, told: Sequence[float]) -> Iterator[str]:
    """The words of which one change of the lot or the demands cannot do without."""
    lots, demands = book.lots, book.demands
    if code == "grade":
        yield str(int(demands.grade[places].max()))
    elif code == "window":
        later = int(demands.begin[places].max())
        is_later = later > int(lots.end[lot])
        yield date.fromordinal(later if is_later else int(demands.end[places].min())).isoformat()
    elif code == "credential":
        sets = (demands.sets[held] for held in demands.held[places].tolist())
        yield from sorted(frozenset[str]().union(*sets) - lots.sets[int(lots.held[lot])])
    elif code == "max_lots":
        yield f"{int(demands.max_lots[places].min())}"
    elif code == "distance":
        # Told to 0.1 km, and far enough.
        km = float(book.km(np.full(len(places), lot), places).max())
        if not any(km - 1e-3 <= each <= km + 0.101 for each in told):
            yield f"{km:.1f} km"


def tells_why(book: Book, lot: int, obstacle: str, change: str) -> bool:
    """Whether words about an obstacle that no change takes away tell the figure, or the code, of it."""
    if obstacle in ("grade", "window", "distance", "price", "several"):
        return bool(figures(change))
    if obstacle == "credential":
        held = book.lots.sets[int(book.lots.held[lot])]
        return any(code in change for codes in book.demands.sets for code in codes - held)
    return bool(change.strip())

"""Sentences of a result, for the checker: in whatever language, the figures in them must be right.

The format leaves the words to whoever writes a result: a reason that is told otherwise than ours, without its
five figures, passes as long as it says something.
"""

import re
from collections.abc import Iterable, Sequence

import numpy as np

from market.i18n import Message, msg
from market.matching.checker.files import Floats
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
    """The figures of many reasons, a row each: NaN where it is told otherwise, infinite where nothing is."""
    rows = [figures(text) for text in texts]
    otherwise, nothing = [float("nan")] * REASON_FIGURES, [float("inf")] * REASON_FIGURES
    return np.array(
        [
            row if len(row) == REASON_FIGURES else otherwise if text.strip() else nothing
            for row, text in zip(rows, texts, strict=True)
        ],
        np.float64,
    ).reshape(-1, REASON_FIGURES)


def lacking(
    book: Book, lot: int, places: Sequence[int], codes: Iterable[str], yuan: float, change: str
) -> str | Message | None:
    """What the words of a change that opens the demands at ``places`` leave out; None: nothing.

    ``codes`` are the obstacles that the change takes away, ``yuan`` how much lower it makes the ask.
    """
    told = figures(change)

    def tells(value: float, blur: float = 1e-9) -> bool:
        return any(abs(abs(value) - each) <= blur for each in told)

    for code in codes:
        if code in ("price", "outbid"):
            due = (yuan, float(book.lots.price[lot]) - yuan)
            if not any(tells(value, _HALF) for value in due):
                return f"{due[0]:.4f}, {due[1]:.4f}"
        elif code == "credential":
            sets = (book.demands.sets[held] for held in book.demands.held[list(places)].tolist())
            lacks = frozenset[str]().union(*sets) - book.lots.sets[int(book.lots.held[lot])]
            if missing := sorted(each for each in lacks if each not in change):
                return missing[0]
        elif not told:
            return msg("一个数字")
    return None


def tells_why(book: Book, lot: int, obstacle: str, change: str) -> bool:
    """Whether words about an obstacle that no change takes away tell the figure, or the code, of it."""
    if obstacle in ("grade", "window", "distance", "price", "several"):
        return bool(figures(change))
    if obstacle == "credential":
        held = book.lots.sets[int(book.lots.held[lot])]
        return any(code in change for codes in book.demands.sets for code in codes - held)
    return bool(change.strip())

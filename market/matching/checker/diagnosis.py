"""diagnosis.csv for the checker: every obstacle that is named stands there, and nothing else does.

What a change would sell is the engine's to prove by solving again; here it is seen that the lot has so much
left and the demands could take it, that each demand named fails on what is said and on nothing else, and
that a lower price is low enough, and that the words tell the figure of the change.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from market.i18n import Message, msg
from market.matching.checker.files import (
    DIAGNOSIS_COLUMNS,
    Bools,
    Columns,
    FileFault,
    Floats,
    Ints,
    Report,
    numbers,
    stripes,
)
from market.matching.checker.pairs import REACH_BLUR, Book
from market.matching.checker.words import lacking, tells_why

NAME = "diagnosis.csv"
#: What a pair of lot and demand can fail on by itself, in the order of the bits below.
CONDITIONS = ("grade", "window", "credential", "distance")
#: What else keeps a pair from trading: a price too high, others who are better, limits.
OTHERS = ("price", "outbid", "min_order", "max_lots")
#: Told where no one or two changes open anything, and no demand is named.
HELPLESS = (*CONDITIONS, "price", "no_demand", "own", "declined", "quantity", "several")
_KG = re.compile(r"[0-9]+(?:\.[0-9]{1,3})?")
_YUAN = re.compile(r"[0-9]+(?:\.[0-9]{1,4})?")
#: A price is lowered in steps of 0.0001 yuan.
STEP = 0.0001
#: Ways to read a list of ids that are tried.
_READINGS = 64


def check_diagnosis(report: Report, folder: Path, book: Book, rest: tuple[Ints, Ints], v: Floats) -> None:
    """Check every row, the ranks, and that no lot with something left is passed over.

    ``rest`` is what each lot has left and each demand open, in grams; ``v`` the demands' gains.
    """
    pages = _Pages(report, book, rest, v)
    try:
        for first, texts in stripes(report, folder, NAME, DIAGNOSIS_COLUMNS):
            pages.take(first, texts)
    except FileFault:
        return
    report.wrong_at(
        (rest[0] > 0) & (pages.ranks == 0),
        NAME,
        lambda k: book.lots.ids[k],
        msg("各行"),
        lambda _: msg("至少一行"),
        lambda _: msg("一行也没有"),
    )


@dataclass(frozen=True)
class _Said:
    """A row of the file: its number, the place of its lot, and what it says."""

    number: int
    lot: int
    obstacle: str
    change: str
    grams: int
    yuan: float


class _Pages:
    """diagnosis.csv, a stripe of rows at a time."""

    def __init__(self, report: Report, book: Book, rest: tuple[Ints, Ints], v: Floats) -> None:
        self.report, self.book, self.v = report, book, v
        self.left, self.open = rest
        self.ranks = np.zeros(len(book.lots.ids), np.int64)
        self.wanted = set(book.demands.product.tolist())
        #: Of every demand that is named: number of the row, lot, demand, obstacles, yuan per kg.
        self.named: list[tuple[int, int, int, frozenset[str], float]] = []

    def take(self, first: int, texts: Columns) -> None:
        numbers(self.report, NAME, first, texts["unlock_kg"], "unlock_kg")
        numbers(self.report, NAME, first, texts["cost_yuan_per_kg"], "cost_yuan_per_kg")
        rows = zip(*(texts[column] for column in DIAGNOSIS_COLUMNS), strict=True)
        self.named = []
        for number, row in enumerate(rows, start=first):
            self._row(number, row)
        if self.named:
            self._pairs()

    def _wrong(self, number: int, what: str | Message, expected: object, got: object) -> None:
        self.report.wrong(NAME, number, what, expected, got)

    def _row(self, number: int, row: tuple[str, ...]) -> None:
        lot, rank, obstacle, change, unlock, named, cost = row
        lots = self.book.lots
        i = lots.place.get(lot)
        if i is None or self.left[i] <= 0:
            self._wrong(number, "lot", msg("有剩余的批次"), lot)
            return
        self.ranks[i] += 1
        if rank != str(self.ranks[i]):
            self._wrong(number, "rank", self.ranks[i], rank)
        if not change.strip():
            self._wrong(number, "change", msg("写明怎么办的文字"), change)
        if not _YUAN.fullmatch(cost) or not _KG.fullmatch(unlock):
            self._wrong(number, "unlock_kg, cost_yuan_per_kg", ">= 0", f"{unlock}, {cost}")
            return
        said = _Said(number, i, obstacle, change, round(float(unlock) * 1000), float(cost))
        if not named:
            self._helpless(said)
            return
        readings = list(islice(self._readings(named, int(lots.product[i])), _READINGS))
        if not readings:
            self._wrong(number, "unlock_demands", msg("同一品类的需求，每个一次"), named)
            return
        self._opens(said, next(filter(lambda places: self._holds(said, places), readings), readings[0]))

    @cached_property
    def _is_plain(self) -> bool:
        return not any(";" in id_ for id_ in self.book.demands.ids)

    def _readings(self, named: str, product: int) -> Iterator[list[int]]:
        """Every way to read ``named`` as demands of a product, each once: an id may hold a ``;`` itself."""
        demands, parts = self.book.demands, named.split(";")

        def place(id_: str) -> int | None:
            found = demands.place.get(id_)
            return found if found is not None and demands.product[found] == product else None

        if self._is_plain:
            places = [place(part) for part in parts]
            if None not in places and len(set(places)) == len(places):
                yield [each for each in places if each is not None]
            return
        # What the parts from each on can be read as begins where the rest can be read.
        heads: list[list[tuple[int, int]]] = [[] for _ in parts]
        readable = [False] * len(parts) + [True]
        for start in reversed(range(len(parts))):
            for stop in range(start + 1, len(parts) + 1):
                found = place(";".join(parts[start:stop])) if readable[stop] else None
                if found is not None:
                    heads[start].append((stop, found))
                    readable[start] = True

        def rest(start: int, before: list[int]) -> Iterator[list[int]]:
            if start == len(parts):
                yield before
                return
            for stop, found in heads[start]:
                if found not in before:
                    yield from rest(stop, [*before, found])

        yield from rest(0, [])

    def _holds(self, said: "_Said", places: list[int]) -> bool:
        """Whether what is said would be right of the demands at ``places``; one reading needs no trial."""
        if self._is_plain:
            return True
        trial = _Pages(Report(), self.book, (self.left, self.open), self.v)
        trial._opens(said, places)
        if trial.named:
            trial._pairs()
        return trial.report.count == 0

    def _opens(self, said: "_Said", places: list[int]) -> None:
        """Take a row that says what a change opens."""
        number, i, grams, yuan = said.number, said.lot, said.grams, said.yuan
        demands = self.book.demands
        codes = said.obstacle.split("+")
        known = all(code in CONDITIONS or code in OTHERS for code in codes)
        if not known or len(codes) > 2 or (len(set(codes)) < len(codes) and set(codes) != {"min_order"}):
            self._wrong(number, "obstacle", ", ".join((*CONDITIONS, *OTHERS)), said.obstacle)
            return
        if (yuan > 0) != bool({"price", "outbid"} & set(codes)):
            self._wrong(number, "cost_yuan_per_kg", msg("要降价就大于 0，否则为 0"), yuan)
        elif missing := lacking(self.book, i, places, codes, yuan, said.change):
            self._wrong(number, "change", missing, said.change)
        room = self.open[places] if (self.open[places] > 0).all() else demands.grams[places]
        most = min(int(self.left[i]), int(room.sum()))
        if not 0 < grams <= most:
            self._wrong(number, "unlock_kg", f"0.001 .. {most / 1000:.3f}", grams / 1000)
        self.named += [(number, i, j, frozenset(codes), yuan) for j in places]

    def _helpless(self, said: "_Said") -> None:
        """A row that names no demand promises nothing and costs nothing."""
        if said.grams or said.yuan:
            self._wrong(said.number, "unlock_demands", msg("能多卖就写明需求"), msg("空白"))
        nobody = int(self.book.lots.product[said.lot]) not in self.wanted
        if said.obstacle not in HELPLESS or (said.obstacle == "no_demand") != nobody:
            expected = "no_demand" if nobody else ", ".join(HELPLESS)
            self._wrong(said.number, "obstacle", expected, said.obstacle)
        elif not tells_why(self.book, said.lot, said.obstacle, said.change):
            self._wrong(said.number, "change", msg("有数字的文字"), said.change)

    def _pairs(self) -> None:
        """Check each demand that is named against its obstacles."""
        book = self.book
        lots, demands = book.lots, book.demands
        rows, i, j, yuan = (np.array([each[k] for each in self.named]) for k in (0, 1, 2, 4))
        codes = [each[3] for each in self.named]

        def said(code: str) -> Bools:
            return np.array([code in each for each in codes], np.bool_)

        km = book.km(i, j)
        surplus = book.surplus(i, j, km)
        fails = (
            lots.grade[i] < demands.grade[j],
            (lots.begin[i] > demands.end[j]) | (demands.begin[j] > lots.end[i]),
            ~book.holds(i, j),
            km > demands.reach[j] + REACH_BLUR,
        )
        blur, far = book.blurs(i, j, km)
        doubt = np.abs(km - demands.reach[j] - REACH_BLUR) <= far
        for code, failing in zip(CONDITIONS, fails, strict=True):
            bad = failing != said(code)
            self._told(bad & ~doubt if code == "distance" else bad, rows, "obstacle", codes)
        price, outbid = said("price"), said("outbid")
        # A kilogram must be worth something to both, and beat what a full demand gains already.
        worth = surplus + lots.priority[i]
        short = -np.minimum(surplus, worth)
        # A negative priority is one more figure that is rounded.
        low_priority = lots.priority[i] < 0
        blur += np.where(low_priority, 1e-15 * (lots.price[i] + demands.price[j] - lots.priority[i]), 0.0)
        self._told((short > blur) & ~price & ~outbid, rows, "obstacle", codes)
        self._told(price & ((short <= -blur) | (self.open[j] == 0)), rows, "obstacle", codes)
        self._told(outbid & (self.open[j] > 0), rows, "obstacle", codes)
        low = price & ((yuan < short - 1e-6) | (yuan > short + STEP + 2e-6))
        low |= outbid & (yuan < np.maximum(-surplus, self.v[j] - worth) - 1e-6)
        self._told(low, rows, "cost_yuan_per_kg", yuan)

    def _told(self, bad: Bools, rows: Ints, what: str, got: Any) -> None:
        self.report.wrong_at(
            bad,
            NAME,
            lambda k: rows[k],
            what,
            lambda _: msg("真正挡在两者之间的"),
            lambda k: "+".join(sorted(got[k])) if isinstance(got[k], frozenset) else got[k],
        )
